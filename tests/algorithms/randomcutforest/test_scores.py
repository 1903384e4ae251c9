"""What a model tells: scores, their parts, and how well they tell anomalies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clary.algorithms.randomcutforest.model import RandomCutForestModel
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from clary.kit.figures import Bars, Lines
from tests.algorithms.randomcutforest.training import (
    DIGITS,
    TUMORS,
    peer,
    scores,
    trained,
)

ZEROS = np.zeros(len(DIGITS), np.float32)


def evaluated(model: RandomCutForestModel, label: np.ndarray) -> dict[str, float]:
    return model.evaluate(MemoryChannel("test", Batch(DIGITS, label.astype(np.float32))))


def test_a_row_far_away_scores_highest_and_its_odd_feature_is_why() -> None:
    model = trained(TUMORS, num_trees=100)
    odd = TUMORS[0].copy()
    odd[7] += 100
    told = scores(model, np.vstack([TUMORS, odd]))
    assert told[-1] > told[:-1].max()
    share = model.attributions(Batch(odd[None]))[0]
    assert share.argmax() == 7
    assert share[7] > 0.9 * told[-1]


def test_attributions_add_up_to_the_score() -> None:
    model = trained(num_trees=50)
    # Among these are rows that are in trees and rows that are in none
    added = model.attributions(Batch(DIGITS)).sum(axis=1)
    assert added == pytest.approx(scores(model, DIGITS), rel=1e-6)


def test_attributions_are_those_of_awss_library() -> None:
    ours = trained(TUMORS, num_trees=1000, num_samples_per_tree=32).attributions(Batch(TUMORS[:60]))
    forest = peer(TUMORS, 1000, 32)
    told = [forest.attribution(row) for row in TUMORS[:60]]
    theirs = np.array([np.add(one["high"], one["low"]) for one in told])
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98
    # 1.5 % of a score, the chance that is left with a thousand trees
    assert np.abs(ours - theirs).max() < 0.05


def test_rows_that_are_all_alike_have_one_score() -> None:
    model = trained(np.ones((500, 3), np.float32), num_trees=50)
    assert len(set(scores(model, np.ones((5, 3), np.float32)))) == 1
    share = model.attributions(Batch(np.ones((1, 3), np.float32)))
    assert share == pytest.approx(np.full((1, 3), share.sum() / 3))
    assert scores(model, np.full((1, 3), 2, np.float32)) > 1


def test_metrics_are_of_rows_more_than_three_deviations_above_the_mean() -> None:
    model = trained(num_trees=50)
    told = scores(model, DIGITS) > model.threshold.value
    label = told.copy()
    label[np.flatnonzero(told)[0]] = False
    label[np.flatnonzero(~told)[:3]] = True
    hits = int(told.sum()) - 1
    found = evaluated(model, label)
    assert found["test:precision"] == pytest.approx(hits / (hits + 1))
    assert found["test:recall"] == pytest.approx(hits / (hits + 3))
    assert found["test:f1"] == pytest.approx(2 * hits / (2 * hits + 4))
    assert found["test:accuracy"] == pytest.approx(1 - 4 / len(DIGITS))
    assert found["test:normal_recall"] == pytest.approx(1 - 1 / (~label).sum())


def test_eval_metrics_choose_what_is_told() -> None:
    model = trained(num_trees=50, eval_metrics='["accuracy"]')
    assert set(evaluated(model, ZEROS)) == {"test:accuracy"}
    model = trained(num_trees=50, eval_metrics="precision_recall_fscore")
    assert "test:accuracy" not in evaluated(model, ZEROS)


@pytest.mark.parametrize(("label", "words"), [(0, "no anomaly"), (1, "no normal row")])
def test_a_test_channel_of_one_class_is_remarked_on(label: int, words: str) -> None:
    model = trained(num_trees=50)
    found = evaluated(model, ZEROS + label)
    assert all(np.isfinite(list(found.values())))
    assert words in model.remarks()[0]
    assert "told as 0" in model.remarks()[0]


def test_labels_other_than_0_and_1_are_refused() -> None:
    with pytest.raises(
        CallerError, match=r"channel test, row 1, label: must be 1 for anomalies or 0, got 3\.0"
    ):
        evaluated(trained(num_trees=50), ZEROS + 3)


def test_a_test_channel_without_labels_is_refused() -> None:
    with pytest.raises(CallerError, match="label"):
        trained(num_trees=50).evaluate(MemoryChannel("test", Batch(DIGITS)))


def test_few_rows_and_many_have_the_same_scores() -> None:
    model = trained(num_trees=50)
    many = scores(model, DIGITS)
    assert [scores(model, row[None])[0] for row in DIGITS[:20]] == many[:20].tolist()


def test_the_report_shows_the_series_its_scores_and_their_spread() -> None:
    model = trained(num_trees=50)
    rows, told, spread = model.figures(Batch(DIGITS, ZEROS))
    assert isinstance(rows, Lines)
    assert isinstance(told, Lines)
    assert told.level == model.threshold.value
    assert isinstance(spread, Bars)
    assert sum(spread.values) == len(DIGITS)
    assert max(told.series["score"][1]) == pytest.approx(scores(model, DIGITS).max(), rel=1e-6)


def test_a_saved_model_tells_the_same(tmp_path: Path) -> None:
    model = trained(num_trees=50, shingle_size=3)
    model.save(tmp_path)
    again = RandomCutForestModel.load(tmp_path, model.params.values())
    assert np.array_equal(scores(again, DIGITS), scores(model, DIGITS))
    assert np.array_equal(
        again.attributions(Batch(DIGITS[:9])), model.attributions(Batch(DIGITS[:9]))
    )
    assert RandomCutForestModel.recognizes(tmp_path)
    bare = RandomCutForestModel.load(tmp_path)
    assert np.array_equal(scores(bare, DIGITS), scores(model, DIGITS))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("nodes.npy", lambda array: array["left"].__setitem__((0, 0), 999_999)),
        ("nodes.npy", lambda array: array["left"].__setitem__((0, 0), -999_999)),
        ("nodes.npy", lambda array: array["right"].__setitem__(slice(None), 0)),
        ("nodes.npy", lambda array: array["feature"].__setitem__(slice(None), 64)),
        ("nodes.npy", lambda array: array["value"].__setitem__(slice(None), np.nan)),
        ("trees.npy", lambda array: array["root"].__setitem__(0, 5000)),
        ("trees.npy", lambda array: array["count"].__setitem__(0, -1)),
        ("trees.npy", lambda array: array["count"].__setitem__(0, 3)),
        ("samples.npy", lambda array: array["leaf"].__setitem__((0, 0), 5000)),
        ("samples.npy", lambda array: array["copies"].__setitem__((0, 0), 9)),
        ("points.npy", lambda array: array.__setitem__((0, 0, 0), np.inf)),
    ],
)
def test_damaged_trees_are_refused(name: str, change: object, tmp_path: Path) -> None:
    assert callable(change)
    trained(num_trees=50).save(tmp_path)
    array = np.load(tmp_path / name)
    change(array)
    np.save(tmp_path / name, array)
    with pytest.raises(CallerError, match="its trees are damaged"):
        RandomCutForestModel.load(tmp_path)


@pytest.mark.parametrize("name", ["nodes.npy", "points.npy", "forest.json", "last_rows.npy"])
def test_missing_and_foreign_files_are_refused(name: str, tmp_path: Path) -> None:
    trained(num_trees=50).save(tmp_path)
    (tmp_path / name).write_bytes(b"[]")
    with pytest.raises(CallerError, match=name):
        RandomCutForestModel.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CallerError, match=name):
        RandomCutForestModel.load(tmp_path)
