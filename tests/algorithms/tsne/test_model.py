"""A map is kept without pickle, is shown, and is told apart from what is none."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary import TSNE
from clary.algorithms import declaration, fit_of, model_class
from clary.algorithms.tsne.figures import MOST_POINTS, maps, shown_rows
from clary.algorithms.tsne.model import TSNEModel
from clary.algorithms.tsne.table import write_table
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.figures import Points
from clary.runtime.charts import chart
from clary.sdk.loading import load
from tests.algorithms.tsne.training import DIGIT, DIGITS, FEW, QUICK, trained


@pytest.fixture(scope="module")
def model() -> TSNEModel:
    return trained(Batch(DIGITS[:FEW], DIGIT[:FEW]))


def test_a_saved_map_answers_the_same_and_is_saved_to_the_same_bytes(
    model: TSNEModel, tmp_path: Path
) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    once.mkdir(), twice.mkdir()
    model.save(once)
    again = TSNEModel.load(once, model.params.values())
    again.save(twice)
    assert {each.name: each.read_bytes() for each in once.iterdir()} == {
        each.name: each.read_bytes() for each in twice.iterdir()
    }
    new = Batch(DIGITS[FEW:400])
    np.testing.assert_array_equal(again.predict(new)["embedding"], model.predict(new)["embedding"])


def test_a_map_without_a_manifest_is_recognized_and_knows_its_hyperparameters(
    model: TSNEModel, tmp_path: Path
) -> None:
    assert not TSNEModel.recognizes(tmp_path)
    model.save(tmp_path)
    assert TSNEModel.recognizes(tmp_path)
    assert TSNEModel.load(tmp_path).params.values() == model.params.values()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.npy", b"", "rows.npy: is missing, damaged or not"),
        ("map.npy", None, "map.npy: is missing, damaged or not"),
        ("map.npy", np.zeros((FEW, 2), np.float64), "must be an array of 2 dimensions of float32"),
        ("map.npy", np.zeros((FEW, 3), np.float32), "its arrays do not belong together"),
        ("map.npy", np.full((FEW, 2), np.nan, np.float32), "its arrays do not belong together"),
        ("label.npy", np.zeros(FEW + 1, np.float32), "its arrays do not belong together"),
        ("axes.npy", np.zeros((64, 3)), "its arrays do not belong together"),
        (
            "rows.npy",
            np.array([None] * 3, dtype=object),
            "is missing, damaged or not a NumPy array",
        ),
        ("tsne.json", b"[]", "must hold the hyperparameters"),
        ("tsne.json", b"{", "must hold the hyperparameters"),
        ("tsne.json", b'{"hyperparameters": {"perplexity": 0}}', "perplexity: must be at least 1"),
    ],
    ids=str,
)
def test_damaged_maps_are_refused(
    name: str, content: Any, said: str, model: TSNEModel, tmp_path: Path
) -> None:
    model.save(tmp_path)
    path = tmp_path / name
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(CallerError, match=said):
        TSNEModel.load(tmp_path)


def test_the_summary_tells_what_the_map_is_of(model: TSNEModel) -> None:
    told = json.loads(json.dumps(model.summary()))
    assert (told["rows"], told["features"], told["features_compared"]) == (FEW, 64, 50)
    assert told["labelled"] is True
    np.testing.assert_allclose(np.add(told["from"], told["to"]), 0, atol=1e-4)


def test_the_picture_shows_each_row_its_label_and_its_first_values(model: TSNEModel) -> None:
    (picture,) = model.figures(None)
    assert isinstance(picture, Points)
    np.testing.assert_allclose(np.column_stack([picture.x, picture.y]), model.places, atol=5e-4)
    assert list(picture.group) == [f"{one:g}" for one in DIGIT[:FEW]]
    assert picture.hover[1] == "row 1 (0, 0, 0, 12, 13, 5, … (64 features))"
    page = chart(picture)
    assert page.count("<circle") == FEW
    assert page.index(">0</span>") < page.index(">9</span>")


def test_a_loaded_map_shows_the_numbers_of_its_rows(model: TSNEModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    (picture,) = TSNEModel.load(tmp_path).figures(None)
    assert isinstance(picture, Points)
    assert picture.hover[17] == "row 17"


def test_three_dimensions_are_shown_from_two_sides() -> None:
    first, second = trained(num_components=3).figures(None)
    assert isinstance(first, Points)
    assert isinstance(second, Points)
    assert first.x == second.x
    assert (first.y_label, second.y_label) == ("dimension 2", "dimension 3")
    assert not first.group


def test_the_picture_of_a_large_map_stays_small_and_says_so() -> None:
    places = np.random.default_rng(0).normal(size=(50_000, 2)).astype(np.float32)
    words = [f"row {one}" for one in shown_rows(50_000)]
    (picture,) = maps(places, places[:, 0], words)
    assert picture.caption.startswith("8,000 of the map's 50,000 rows, evenly among them.")
    page = chart(picture)
    assert page.count("<circle") == MOST_POINTS
    assert len(page) < 1_500_000


def test_many_different_labels_are_colored_by_their_ranges_in_order() -> None:
    places = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    label = np.linspace(-2, 30, 500, dtype=np.float32)
    (picture,) = maps(places, label, [""] * 500)
    assert len(set(picture.group)) == 5
    assert picture.group[0] == "-2 to 4.4"
    assert picture.group[-1] == "23.6 to 30"
    legend = chart(picture).split('class="legend"')[1]
    assert legend.index("-2 to 4.4") < legend.index("4.4 to 10.8") < legend.index("23.6 to 30")


def test_the_table_has_a_line_for_each_row(tmp_path: Path) -> None:
    places = np.array([[1.5, 2], [-3, 4]], np.float32)
    write_table(tmp_path, places, np.array([7, 8], np.float32))
    assert (tmp_path / "embedding.csv").read_text() == "row,label,x,y\n0,7,1.5,2\n1,8,-3,4\n"
    write_table(tmp_path, np.column_stack([places, places[:, 0]]), None)
    assert (tmp_path / "embedding.csv").read_text().splitlines()[0] == "row,x,y,z"


def test_the_estimator_maps_places_saves_and_loads(tmp_path: Path) -> None:
    tsne = TSNE(**QUICK)
    places = tsne.fit_transform(DIGITS[:FEW], DIGIT[:FEW])
    assert places.tobytes() == trained().places.tobytes()
    assert tsne.n_iter_ == 250
    assert 0 < tsne.kl_divergence_ < 2
    assert list(tsne.get_feature_names_out()) == ["tsne0", "tsne1"]
    tsne.save(tmp_path / "map.tar.gz")
    loaded = load(tmp_path / "map.tar.gz")
    assert isinstance(loaded, TSNE)
    np.testing.assert_array_equal(
        loaded.transform(DIGITS[FEW:320]), tsne.transform(DIGITS[FEW:320])
    )
    np.testing.assert_array_equal(loaded.embedding_, places)
    assert not hasattr(loaded, "kl_divergence_")


def test_the_estimator_has_places_for_rows_beyond_the_sample() -> None:
    tsne = TSNE(sample_size=100, **QUICK).fit(csr_array(DIGITS[:FEW]))
    assert tsne.embedding_.shape == (FEW, 2)


def test_without_opentsne_a_map_is_read_and_none_is_made(
    model: TSNEModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "openTSNE"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("fit", "descent", "model"):
        monkeypatch.delitem(sys.modules, f"clary.algorithms.tsne.{name}", raising=False)
    imported = builtins.__import__

    def lacking(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "openTSNE":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", lacking)
    tsne = declaration("tsne")
    with pytest.raises(CallerError, match=r"tsne: needs the package 'openTSNE'") as refused:
        fit_of(tsne)
    assert "pip install 'clary[tsne]'" in str(refused.value)
    found = model_class(tsne).load(tmp_path).predict(Batch(DIGITS[FEW:310]))
    np.testing.assert_array_equal(
        found["embedding"], model.predict(Batch(DIGITS[FEW:310]))["embedding"]
    )
