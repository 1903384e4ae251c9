"""The catalogue, and algorithms that come in packages of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from clary.algorithms import CATALOGUE, declaration, fit_of, model_class, names
from clary.errors import CallerError
from clary.sdk.loading import load
from tests.cli.commands import clary_here

_SPEC = """
from dataclasses import replace
from clary.algorithms.kmeans.spec import ALGORITHM as KMEANS
ALGORITHM = replace(KMEANS, name="k-other", fit="k_other.fit:fit", model="k_other.model:Model")
"""
_FIT = """
from dataclasses import replace
from clary.algorithms.kmeans.fit import fit as fit_kmeans
from k_other.model import Model

def fit(run):
    model = fit_kmeans(run)
    return Model(model.centers, model.params, model.sizes)
"""
_MODEL = """
from clary.algorithms.kmeans.model import KMeansModel
from k_other.spec import ALGORITHM

class Model(KMeansModel):
    algorithm = ALGORITHM
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with an algorithm `k-other`."""
    installed = tmp_path / "site"
    (installed / "k_other").mkdir(parents=True)
    for name, text in (("__init__", ""), ("spec", _SPEC), ("fit", _FIT), ("model", _MODEL)):
        (installed / "k_other" / f"{name}.py").write_text(text)
    information = installed / "k_other-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: k-other\nVersion: 1.0\n")
    points = "[clary.algorithms]\nk-other = k_other.spec:ALGORITHM\n"
    (information / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(installed)
    for name in ("k_other", "k_other.spec", "k_other.fit", "k_other.model"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_an_algorithm_of_another_package_is_in_the_catalogue(package: None) -> None:
    assert names() == [*CATALOGUE, "k-other"]
    assert declaration("k-other").name == "k-other"
    assert "k-other" in clary_here("algorithms").out


def test_an_algorithm_of_another_package_trains_and_answers(package: None, tmp_path: Path) -> None:
    rows = tmp_path / "iris.csv"
    np.savetxt(rows, load_iris().data, delimiter=",", fmt="%g")
    given = ("train", "k-other", "--train", rows, "-p", "k=3", "--output", tmp_path / "out")
    assert clary_here(*given).code == 0
    answers = clary_here("predict", tmp_path / "out", rows)
    assert (answers.code, answers.out.count("closest_cluster")) == (0, 150)
    with pytest.raises(CallerError, match="has no estimator in Python, got 'k-other'"):
        load(tmp_path / "out")


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_name_may_have_underscores_as_its_folder_has(name: str) -> None:
    assert declaration(name.replace("-", "_")) is declaration(name)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_verbs_are_where_the_declaration_says(name: str) -> None:
    algorithm = declaration(name)
    assert callable(fit_of(algorithm))
    assert model_class(algorithm).algorithm is algorithm


def test_the_nearest_name_is_offered_for_one_that_is_not_known() -> None:
    with pytest.raises(CallerError, match=r"'k-means': is not known\. Did you mean 'kmeans'\?"):
        declaration("k-means")
