"""A forest that follows a stream: what it holds, what it tells, and how it goes on after a save."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

import clary
from clary import CallerError, RandomCutForest
from clary.algorithms.randomcutforest.filling import find_nearest
from clary.algorithms.randomcutforest.trees import complete
from tests.algorithms.randomcutforest.training import DIGITS, TUMORS, peer, peer_scores, trained

# A wave with noise, and one value that is wrong for its place in it
STEPS = np.arange(1500)
WAVE = (
    np.sin(2 * np.pi * STEPS / 40) + 0.05 * np.random.default_rng(0).normal(size=len(STEPS))
).astype(np.float32)
WRONG = 1310
WAVE[WRONG] += 1.2


def followed(rows: Any, **hyperparameters: Any) -> tuple[RandomCutForest, list[float]]:
    """A forest after the rows, and the score of each."""
    forest = RandomCutForest(**{"num_trees": 50, **hyperparameters})
    return forest, [forest.score_update(row) for row in rows]


def files(forest: RandomCutForest, folder: Path) -> dict[str, bytes]:
    forest.save(folder)
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_a_followed_forest_scores_as_awss_library_does() -> None:
    forest = RandomCutForest(num_trees=1000, num_samples_per_tree=32, time_decay=0.01)
    for row in TUMORS:
        forest.update(row)
    ours = -forest.score_samples(TUMORS)
    theirs = peer_scores(peer(TUMORS, 1000, 32, **{"lambda": 0.01}), TUMORS)
    assert spearmanr(ours, theirs).statistic > 0.98
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.02)


def test_a_followed_forest_is_as_one_grown_from_its_rows() -> None:
    # Without decay the sample is of all rows alike, as in a training
    forest = RandomCutForest(num_trees=1000, num_samples_per_tree=32)
    for row in TUMORS:
        forest.update(row)
    grown = trained(TUMORS, num_trees=1000, num_samples_per_tree=32).forest.scores(TUMORS)
    assert spearmanr(-forest.score_samples(TUMORS), grown).statistic > 0.98
    assert -forest.score_samples(TUMORS).mean() == pytest.approx(grown.mean(), rel=0.02)


@pytest.mark.parametrize("kinds", [900, 12])
def test_trees_stay_whole_through_insertions_and_removals(kinds: int) -> None:
    # Of twelve kinds of row most are in a tree already when they come again
    rows = DIGITS[np.random.default_rng(0).integers(0, kinds, 900)]
    forest, _ = followed(rows, num_samples_per_tree=16, time_decay=0.05)
    trees = forest.model_.forest.trees
    known = [array.copy() for array in (trees.low, trees.high, trees.extent, trees.mass)]
    assert (trees.held == 16).all()
    assert complete(trees)
    used = trees.mass > 0
    for before, after in zip(known, (trees.low, trees.high, trees.extent, trees.mass), strict=True):
        assert np.array_equal(before[used], after[used])


@pytest.mark.parametrize(
    "values",
    [[-3e38, 3e38, 0, -0.0, 1], [-3e-45, 0, 1e-45, 3e-45], [1e7, 1e7 + 1, 1e7 + 2], [0, 1e30, 1]],
    ids=["huge", "tiny", "close", "apart"],
)
@pytest.mark.parametrize("samples", [1, 2, 7])
# scikit-learn adds the rows up in float32 to see whether all are finite
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")
def test_numbers_of_all_sizes_make_whole_trees_and_finite_scores(
    values: list[float], samples: int
) -> None:
    draw = np.random.default_rng(0)
    rows = draw.choice(np.array(values, np.float32), (150, 2))
    forest, scores = followed(rows, num_samples_per_tree=samples, time_decay=0.1)
    assert np.isfinite(scores).all()
    assert complete(forest.model_.forest.trees)
    added = forest.attribution(rows).sum(axis=1)
    assert added == pytest.approx(-forest.score_samples(rows), rel=1e-5)
    gaps = rows.copy()
    gaps[draw.random(rows.shape) < 0.5] = np.nan
    assert np.isfinite(forest.impute(gaps)).all()


def test_old_rows_fade_from_the_samples() -> None:
    forest, _ = followed(np.arange(3000.0)[:, None], num_samples_per_tree=64, time_decay=0.01)
    ages = 2999 - forest.model_.forest.trees.points.reshape(-1)
    # Weights fall by 1 % a row: a sample of 64 is mostly of the last few hundred
    assert np.median(ages) < 200
    assert ages.max() < 2000
    even, _ = followed(np.arange(3000.0)[:, None], num_samples_per_tree=64)
    assert np.median(even.model_.forest.trees.points) == pytest.approx(1500, abs=150)


def test_a_forest_with_decay_gets_used_to_a_new_level() -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(1600, 2))
    rows[800:] += 6
    _, quick = followed(rows, num_samples_per_tree=64, time_decay=0.02)
    assert np.mean(quick[800:805]) > 1.5 * np.mean(quick[600:800])
    assert np.mean(quick[1400:]) == pytest.approx(np.mean(quick[600:800]), rel=0.1)


def test_a_wrong_value_in_a_series_stands_out() -> None:
    _, scores = followed(WAVE, shingle_size=8, time_decay=0.0005)
    assert WRONG <= int(np.argmax(scores)) < WRONG + 8
    # The value itself is within the series' range: alone it does not stand out
    _, alone = followed(WAVE, time_decay=0.0005)
    assert alone[WRONG] < np.quantile(alone[100:], 0.9)


def test_scores_are_zero_until_a_quarter_of_a_sample_is_there() -> None:
    _, scores = followed(DIGITS[:100], num_samples_per_tree=64)
    assert scores[:16] == [0.0] * 16
    assert min(scores[16:]) > 0


def test_a_trained_forest_goes_on_with_a_stream() -> None:
    forest = RandomCutForest(num_trees=50, num_samples_per_tree=256).fit(DIGITS[:1000])
    before = -forest.score_samples(DIGITS[1000:1001])[0]
    assert forest.score_update(DIGITS[1000]) == pytest.approx(before, rel=1e-6)
    for row in DIGITS[1001:1400]:
        forest.update(row)
    # A training on so few rows gave each tree 32; a stream fills them up
    assert (forest.model_.forest.trees.held == 256).all()
    assert forest.model_.forest.seen == 1400


@pytest.mark.parametrize("shingle_size", [1, 4])
def test_a_saved_forest_goes_on_as_if_it_had_not_been_away(
    shingle_size: int, tmp_path: Path
) -> None:
    settings = {"shingle_size": shingle_size, "num_samples_per_tree": 32, "time_decay": 0.01}
    forest, _ = followed(DIGITS[:200], **settings)
    forest.save(tmp_path / "half")
    again = clary.load(tmp_path / "half")
    assert isinstance(again, RandomCutForest)
    rest = [forest.score_update(row) for row in DIGITS[200:300]]
    assert [again.score_update(row) for row in DIGITS[200:300]] == rest
    assert files(forest, tmp_path / "one") == files(again, tmp_path / "other")


def test_the_same_stream_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (followed(DIGITS[:150], seed=5)[0] for _ in range(2))
    assert files(one, tmp_path / "one") == files(other, tmp_path / "other")
    elsewhere, _ = followed(DIGITS[:150], seed=6)
    assert files(one, tmp_path / "again") != files(elsewhere, tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([1.0] * 63, "must have 64 features, got 63"),
        ([np.nan] * 64, "every number must be finite"),
        ([np.inf] * 64, "every number must be finite"),
    ],
)
def test_a_row_that_cannot_be_used_leaves_the_forest_as_it_was(
    row: list[float], words: str, tmp_path: Path
) -> None:
    forest, _ = followed(DIGITS[:50])
    before = files(forest, tmp_path / "before")
    with pytest.raises(CallerError, match=words):
        forest.score_update(row)
    with pytest.raises(ValueError, match=words):
        forest.update(row)
    assert files(forest, tmp_path / "after") == before


def test_a_first_row_that_cannot_be_used_begins_no_forest() -> None:
    forest = RandomCutForest()
    with pytest.raises(CallerError, match="finite"):
        forest.update([np.nan])
    assert not hasattr(forest, "model_")


def test_a_series_is_scored_alike_row_by_row_and_at_once() -> None:
    forest = RandomCutForest(num_trees=50, shingle_size=8).fit(WAVE[:, None])
    told = -forest.score_samples(WAVE[:, None])
    # The first rows have not enough rows before them
    assert (told[:7] == 0).all()
    windows = np.lib.stride_tricks.sliding_window_view(WAVE, 8)
    assert told[7:] == pytest.approx(forest.model_.forest.scores(windows.copy()))
    parts = forest.attribution(WAVE[:, None], lags=True)
    assert parts.shape == (len(WAVE), 8, 1)
    assert parts.sum(axis=(1, 2)) == pytest.approx(told, rel=1e-5)
    # Of the shingle that ends with the wrong value, the newest row is to blame
    assert parts[WRONG, :, 0].argmax() == 7


def test_missing_values_are_what_similar_rows_have() -> None:
    rows = np.random.default_rng(0).normal(size=(20_000, 3)).astype(np.float32)
    rows[:, 2] = rows[:, 0] + rows[:, 1]
    forest = RandomCutForest(num_trees=100, num_samples_per_tree=200).fit(rows)
    gaps = rows[:200].copy()
    gaps[:, 2] = np.nan
    filled = forest.impute(gaps)
    assert np.array_equal(filled[:, :2], rows[:200, :2])
    error = np.sqrt(np.mean((filled[:, 2] - rows[:200, 2]) ** 2))
    # The column's own deviation is 1.41, which the median of all rows would leave
    assert error < 0.4 * rows[:, 2].std()


def test_the_rows_that_trees_find_are_as_near_as_awss_librarys() -> None:
    asked = TUMORS[:60] + np.float32(0.01)
    forest = RandomCutForest(num_trees=50, num_samples_per_tree=64)
    for row in TUMORS:
        forest.update(row)
    trees, none = forest.model_.forest.trees, np.zeros(30, np.bool_)
    leaves = np.zeros(50, np.int32)
    ours = []
    for row in asked:
        find_nearest(trees, row, none, leaves)
        ours.append(np.abs(trees.points[np.arange(50), leaves] - row).sum(axis=1).mean())
    library = peer(TUMORS, 50, 64)
    # Of each tree one row, where many are found by several trees: the distances that it tells
    theirs = [
        np.mean([each["distance"] for each in library.near_neighbor_list(row, 100)])
        for row in asked
    ]
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.15)


def test_rows_without_gaps_are_left_alone_and_all_may_be_missing() -> None:
    forest = RandomCutForest(num_trees=50).fit(TUMORS)
    assert np.array_equal(forest.impute(TUMORS[:5]), TUMORS[:5])
    filled = forest.impute(np.full((1, 30), np.nan))
    low, high = np.quantile(TUMORS, [0.02, 0.98], axis=0)
    assert ((filled[0] >= low) & (filled[0] <= high)).all()


def test_gaps_in_a_series_are_filled_from_the_rows_before() -> None:
    forest = RandomCutForest(num_trees=100, shingle_size=8).fit(WAVE[:1200, None])
    gaps = WAVE[1200:1280, None].copy()
    gaps[20:80:10] = np.nan
    wrong = forest.impute(gaps)[20:80:10] - np.sin(2 * np.pi * STEPS[1220:1280:10] / 40)[:, None]
    assert np.sqrt(np.mean(wrong**2)) < 0.2


def test_a_forecast_goes_on_with_the_series_as_well_as_awss_library() -> None:
    series, horizon = WAVE[:WRONG], 40
    coming = np.sin(2 * np.pi * np.arange(WRONG, WRONG + horizon) / 40)
    forest, _ = followed(series, num_trees=100, shingle_size=16, time_decay=0.0005)
    told = forest.forecast(horizon)
    assert told.values.shape == told.lower.shape == told.upper.shape == (horizon, 1)
    assert (told.lower <= told.values).all()
    assert (told.values <= told.upper).all()
    options = {"shingle_size": 16, "internal_shingling": True, "lambda": 0.0005}
    theirs = peer(series[:, None], 100, 256, **options).extrapolate(horizon)["values"]
    errors = [np.sqrt(np.mean((np.ravel(each) - coming) ** 2)) for each in (told.values, theirs)]
    assert errors[0] < max(0.15, 1.1 * errors[1])


def test_a_forecast_of_a_trained_series_begins_at_its_end() -> None:
    forest = RandomCutForest(num_trees=100, shingle_size=16).fit(WAVE[:WRONG, None])
    coming = np.sin(2 * np.pi * np.arange(WRONG, WRONG + 20) / 40)
    assert np.sqrt(np.mean((forest.forecast(20).values[:, 0] - coming) ** 2)) < 0.2


@pytest.mark.parametrize(
    ("rows", "settings", "words"),
    [
        (WAVE[:100], {}, "shingle_size: must be at least 2 for a forecast"),
        (WAVE[:3], {"shingle_size": 8}, "has seen no row yet"),
    ],
)
def test_a_forecast_without_a_series_is_refused(
    rows: np.ndarray, settings: dict[str, int], words: str
) -> None:
    forest, _ = followed(rows, **settings)
    with pytest.raises(CallerError, match=words):
        forest.forecast(3)


def test_a_forest_that_told_no_scores_knows_its_threshold_from_its_rows() -> None:
    forest = RandomCutForest(num_trees=50, num_samples_per_tree=64)
    for row in TUMORS:
        forest.update(row)
    assert -2 < forest.offset_ < -0.5
    assert set(forest.predict(np.vstack([TUMORS[:50], TUMORS[:1] + 50]))) == {-1, 1}
