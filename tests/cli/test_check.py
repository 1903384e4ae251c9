"""`clary check`: data explained before anyone trains on it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

from tests.cli.commands import clary_here


def check(path: Path, algorithm: str, *more: str) -> str:
    done = clary_here("check", path, "--algorithm", algorithm, *more)
    assert done.code == 0, done.err
    return done.out


def notes(rows: np.ndarray, algorithm: str, folder: Path) -> list[str]:
    np.savetxt(folder / "rows.csv", rows, delimiter=",", fmt="%g")
    told = clary_here("check", folder / "rows.csv", "--algorithm", algorithm, "--json")
    found: list[str] = told.json["notes"]
    return found


def test_columns_are_described_and_the_type_that_was_found(data: Path) -> None:
    told = check(data / "iris.csv", "kmeans")
    assert "text/csv (by its first bytes), " in told
    assert "150 rows of 4 features, no label" in told
    assert "0        4.3  7.9  5.84333" in told
    assert told.endswith("K-Means can train on this.\n")


def test_programs_get_the_same_as_json(data: Path) -> None:
    told = clary_here("check", data / "tumors.csv", "--algorithm", "xgboost", "--json").json
    assert (told["rows"], told["feature_dim"], told["sparse"]) == (569, 30, False)
    assert told["labels"] == {"0": 212, "1": 357}
    rows = np.loadtxt(data / "tumors.csv", delimiter=",")[:, 1:]
    np.testing.assert_allclose(told["columns"]["mean"], rows.mean(axis=0), rtol=1e-5)


def test_the_declared_type_and_channel_are_taken(data: Path) -> None:
    more = ("--content-type", "text/csv;label_size=1", "--channel", "test")
    assert "569 rows of 30 features, no label" in check(data / "tumors.csv", "kmeans", *more)


@pytest.mark.parametrize(
    ("algorithm", "labels", "advice"),
    [
        ("linear-learner", [0, 1], "the labels suit -p predictor_type=binary_classifier"),
        ("xgboost", [0, 1, 2], "the labels suit -p objective=multi:softmax -p num_class=3"),
        ("xgboost", [0.5, 1.5], "the labels suit -p objective=reg:squarederror"),
        ("linear-learner", [1, 2, 3], "labels start at 1: classes are numbered from 0"),
        ("linear-learner", [4], "every label is 4: is the first column the label?"),
    ],
)
def test_labels_tell_which_problem_it_is(
    algorithm: str, labels: list[float], advice: str, tmp_path: Path
) -> None:
    rows = load_iris().data
    column = np.resize(labels, len(rows))
    assert notes(np.column_stack([column, rows]), algorithm, tmp_path) == [advice]


def test_an_index_column_and_constants_are_noticed(tmp_path: Path) -> None:
    rows = load_diabetes().data
    spoiled = np.column_stack([np.arange(len(rows)), rows, np.ones(len(rows))])
    told = " ".join(notes(spoiled, "kmeans", tmp_path))
    assert "feature 0 counts the rows" in told
    assert "features that never change tell nothing: 11 (counted from 0)" in told
    assert "features differ in scale by more than 1,000" in told


def test_texts_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "logins.csv"
    path.write_text("alice,192.0.2.7\nbob, 192.0.2.7\nalice,2001:db8::1\n")
    told = check(path, "ipinsights")
    assert "3 rows of 2 columns" in told
    assert re.search(r"entity +2 +1 +alice \(2\)", told)
    assert re.search(r"ip +2 +1 +192\.0\.2\.7 \(2\)", told)
    facts = clary_here("check", path, "--algorithm", "ipinsights", "--json").json
    assert facts["rows"] == 3
    assert facts["columns"]["entity"] == {"distinct": 2, "once": 1}
    path.write_text("alice,192.0.2.7\nbob,192.0.2\n")
    done = clary_here("check", path, "--algorithm", "ipinsights")
    assert done.code == 1
    assert "line 2, column 2 (ip)" in done.err
