"""Exact search: whichever way rows are found, it is as if all distances had been computed."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from clary import settings
from clary.algorithms.knn import exact
from clary.algorithms.knn.exact import Exact
from clary.algorithms.knn.tree import planted, search
from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.knn.training import DIGITS, TUMORS, by_hand, trained

PIXELS = load_digits().data.astype(np.float32)


def few_dimensions(count: int = 3000, width: int = 3) -> np.ndarray:
    """Pixels' counts of ink in some bands: whole numbers, so that many distances are equal."""
    bands = np.array_split(PIXELS, width, axis=1)
    sums = np.column_stack([band.sum(axis=1) for band in bands])
    return np.resize(sums, (count, width)).astype(np.float32)


def in_tree(rows: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, int]:
    distances = np.full((len(queries), k), np.inf)
    places = np.full((len(queries), k), -1)
    seen = search(planted(rows), queries, distances, places)
    return distances, places, seen


@pytest.mark.parametrize("k", [1, 10, 200])
@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 16, 64])
def test_the_tree_finds_what_all_distances_say_with_equal_ones_in_order(width: int, k: int) -> None:
    rows = few_dimensions(1500, width)
    queries = rows[::50] + np.float32(0.5)
    # Halves squared: all sums are exact in float64, in whatever order they are added up
    wanted = by_hand(rows, queries, k)
    distances, places, _ = in_tree(rows, queries, k)
    assert np.array_equal(distances, wanted[0])
    assert np.array_equal(places, wanted[1])


@pytest.mark.parametrize("metric", ["L2", "INNER_PRODUCT"])
@pytest.mark.parametrize(("few", "k"), [(1, 1), (5, 10), (300, 10), (300, 400)])
def test_products_rule_out_no_row_that_is_near(
    metric: str, few: int, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "_FEWEST_ROWS", 10**9)
    rows, queries = PIXELS[few:], PIXELS[:few]
    found = Exact(rows, product=metric != "L2").search(queries, k)
    wanted = by_hand(rows, queries, k, metric)
    assert np.array_equal(found[0], wanted[0])
    assert np.array_equal(found[1], wanted[1])


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
def test_rows_far_from_zero_and_near_each_other_are_told_apart(offset: float) -> None:
    # In float32 squares subtracted lose everything here: |x|² is 10¹¹ times a distance
    rows = (PIXELS[:900] / 16 + np.float32(offset)).astype(np.float32)
    queries = rows[:40] + np.float32(0.25)
    wanted = by_hand(rows, queries, 5)
    found = Exact(rows, product=False)
    for some in (queries, queries[:3]):
        distances, places = found.search(some, 5)
        assert np.array_equal(places, wanted[1][: len(some)])
        assert distances == pytest.approx(wanted[0][: len(some)], rel=1e-12)


def test_one_row_far_out_does_not_blur_the_others() -> None:
    rows = np.concatenate([PIXELS[:700], np.full((1, 64), 1e9, np.float32)])
    distances, places = Exact(rows, product=False).search(PIXELS[700:800], 3)
    wanted = by_hand(rows, PIXELS[700:800], 3)
    assert np.array_equal(places, wanted[1])
    assert np.array_equal(distances, wanted[0])


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_inner_products_of_long_rows_with_short_ones_are_exact(scale: float) -> None:
    queries = PIXELS[:60] * np.float32(scale)
    distances, places = Exact(PIXELS[60:], product=True).search(queries, 10)
    wanted = by_hand(PIXELS[60:], queries, 10, "INNER_PRODUCT")
    assert np.array_equal(places, wanted[1])
    assert distances == pytest.approx(wanted[0], rel=1e-12)


def test_the_tree_looks_at_few_rows_of_few_dimensions() -> None:
    rows = few_dimensions(20_000, 2) + np.random.default_rng(0).random((20_000, 2), np.float32)
    _, _, seen = in_tree(rows, rows[:100], 5)
    assert seen / (100 * len(rows)) < 0.05


def test_the_tree_is_taken_where_it_looks_at_few_rows_and_left_where_not() -> None:
    dimensions = np.random.default_rng(0).standard_normal((4000, 60), np.float32)
    assert Exact(few_dimensions(4000), product=False)._grown[0] is not None
    assert Exact(dimensions, product=False)._grown[0] is None
    # Rows of 60 numbers that lie on a surface of two
    surface = dimensions[:, :2] @ dimensions[:2]
    assert Exact(surface, product=False)._grown[0] is not None


def test_equal_rows_are_all_found() -> None:
    rows = np.repeat(PIXELS[:3], 400, axis=0)
    distances, places = Exact(rows, product=False).search(PIXELS[:3], 500)
    assert (distances[:, :400] == 0).all()
    assert np.array_equal(places[1, :400], np.arange(400, 800))


@pytest.mark.parametrize("rows", [DIGITS, TUMORS], ids=["digits", "tumors"])
def test_answers_do_not_depend_on_how_rows_are_cut_or_on_threads(rows: tuple[Batch, Batch]) -> None:
    model, asked = trained(rows[0]), rows[1].dense()
    together = model.predict(Batch(asked))
    with settings.threads_set(1):
        alone = [model.predict(Batch(asked[place : place + 1])) for place in range(len(asked))]
    for name, values in together.items():
        assert values.tobytes() == np.concatenate([one[name] for one in alone]).tobytes(), name


def test_distances_are_scikit_learns() -> None:
    model = trained(TUMORS[0], k=7)
    peer = NearestNeighbors(n_neighbors=7, algorithm="brute").fit(TUMORS[0].dense())
    wanted, _ = peer.kneighbors(TUMORS[1].dense())
    # Theirs are float32 products, squares subtracted
    assert model.predict(TUMORS[1])["distances"] == pytest.approx(wanted, rel=1e-4)


def test_numbers_whose_squares_float32_cannot_hold_are_refused() -> None:
    model = trained(TUMORS[0])
    with pytest.raises(CallerError, match="numbers must be below 1e17"):
        model.predict(Batch(np.full((20, 30), 1e30, np.float32)))
    with pytest.raises(CallerError, match="numbers must be below 1e17"):
        trained(Batch(TUMORS[0].dense() * np.float32(1e30), TUMORS[0].label))
