"""New rows are placed where rows like them are, each for itself."""

from __future__ import annotations

import numpy as np
import pytest
from openTSNE import TSNEEmbedding
from openTSNE.affinity import PerplexityBasedNN
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from clary import settings
from clary.algorithms.tsne.affinities import joint, likelihoods
from clary.algorithms.tsne.model import TSNEModel
from clary.algorithms.tsne.neighbors import References, approximate_neighbors, exact_neighbors
from clary.algorithms.tsne.reduction import learned
from clary.algorithms.tsne.tree import grown, pushed
from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.tsne.training import DIGIT, DIGITS, trained

KNOWN, NEW = DIGITS[:900], DIGITS[900:1300]


@pytest.fixture(scope="module")
def model() -> TSNEModel:
    return trained(KNOWN, reduction_dim=0)


def test_digits_are_placed_among_their_like(model: TSNEModel) -> None:
    places = model.predict(Batch(NEW))["embedding"]
    near = KNeighborsClassifier(10).fit(model.places, DIGIT[:900])
    exact = KNeighborsClassifier(10).fit(KNOWN, DIGIT[:900])
    # Two dimensions lose little of what 64 tell
    assert near.score(places, DIGIT[900:1300]) > exact.score(NEW, DIGIT[900:1300]) - 0.03


def test_rows_are_placed_where_opentsne_places_them_on_its_tree(model: TSNEModel) -> None:
    affinities = PerplexityBasedNN(model.rows, perplexity=15, method="exact")
    peer = TSNEEmbedding(
        model.places.astype(np.float64), affinities, negative_gradient_method="bh"
    ).transform(NEW - model.reduction.center.astype(np.float32))
    places = model.predict(Batch(NEW))["embedding"]
    apart = np.linalg.norm(places - np.asarray(peer), axis=1)
    # Trees of other shapes; a few rows between groups go another way
    assert np.median(apart) < 0.01
    assert np.mean(apart > 1) < 0.06


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_row_is_placed_to_the_same_bits_alone_in_any_batch_and_by_any_threads(
    metric: str, dimensions: int
) -> None:
    model = trained(metric=metric, num_components=dimensions)
    places = model.predict(Batch(NEW))["embedding"]
    with settings.threads_set(1):
        np.testing.assert_array_equal(model.predict(Batch(NEW))["embedding"], places)
    np.testing.assert_array_equal(model.predict(Batch(csr_array(NEW)))["embedding"], places)
    np.testing.assert_array_equal(model.predict(Batch(NEW[::-1].copy()))["embedding"], places[::-1])
    for i in range(0, 400, 40):
        np.testing.assert_array_equal(
            model.predict(Batch(NEW[i : i + 1]))["embedding"][0], places[i]
        )


@pytest.mark.parametrize(
    "hyperparameters", [{}, {"metric": "cosine"}, {"reduction_dim": 0}], ids=str
)
def test_a_row_of_the_map_stays_where_it_is(hyperparameters: dict[str, object]) -> None:
    model = trained(**hyperparameters)
    np.testing.assert_array_equal(model.predict(Batch(DIGITS[:300]))["embedding"], model.places)


def test_a_map_of_very_few_rows_takes_new_ones() -> None:
    model = trained(DIGITS[:4])
    places = model.predict(Batch(NEW))["embedding"]
    assert np.isfinite(places).all()
    assert model.predict(Batch(NEW[:0]))["embedding"].shape == (0, 2)


def test_rows_of_another_width_are_refused(model: TSNEModel) -> None:
    with pytest.raises(CallerError, match="the model takes 64 a row, got 63"):
        model.predict(Batch(NEW[:, :63].copy()))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_repulsion_over_the_tree_is_near_that_of_all_points(dimensions: int) -> None:
    draw = np.random.default_rng(0)
    points, places = draw.normal(scale=20, size=(2000, dimensions)), np.zeros((50, dimensions))
    places += draw.normal(scale=15, size=places.shape)
    tree, push = grown(points), np.zeros(dimensions)
    for i, place in enumerate(places):
        apart = place - points
        inverse = 1 / (1 + (apart**2).sum(axis=1))
        total = pushed(places, i, push, *tree.arrays)
        # Boxes that are seen at twice their width or more
        assert total == pytest.approx(inverse.sum(), rel=0.04)
        exact = inverse**2 @ apart
        assert np.linalg.norm(push - exact) < 0.04 * (inverse**2 @ np.abs(apart)).sum()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_every_point_is_in_one_leaf_and_boxes_hold_what_is_inside(dimensions: int) -> None:
    points = np.random.default_rng(1).normal(size=(1000, dimensions))
    points[:50] = points[0]
    tree = grown(points)
    leaf = tree.following == np.arange(len(tree.starts)) + 1
    counted = np.zeros(1000, int)
    for start, end in zip(tree.starts[leaf], tree.ends[leaf], strict=True):
        counted[start:end] += 1
    assert (counted == 1).all()
    assert sorted(map(tuple, tree.points)) == sorted(map(tuple, points))
    for box in range(0, len(tree.starts), 7):
        inside = tree.points[tree.starts[box] : tree.ends[box]]
        np.testing.assert_allclose(tree.centers[box], inside.mean(axis=0))
        assert tree.widths[box] == np.ptp(inside, axis=0).max()


def test_neighbors_are_those_of_scikit_learn() -> None:
    distances, places = NearestNeighbors(n_neighbors=30).fit(KNOWN).kneighbors()
    found = exact_neighbors(KNOWN, 30)
    # Sums of whole numbers are exact
    np.testing.assert_array_equal(found.squares, np.round(distances**2))
    ties = np.diff(distances, axis=1, append=np.inf) < 1e-9
    alone = ~ties & (np.diff(distances, axis=1, prepend=-np.inf) > 1e-9)
    alone[:, -1] = False
    np.testing.assert_array_equal(found.places[alone], places[alone])


def test_approximate_neighbors_are_most_of_the_nearest() -> None:
    draw = np.random.default_rng(0)
    rows = (DIGITS[draw.integers(0, 1797, 12_000)] + draw.normal(size=(12_000, 64))).astype(
        np.float32
    )
    some = np.arange(0, 12_000, 40)
    exact = References(rows).nearest(rows[some], 90, some).places
    found = approximate_neighbors(rows, 90, np.random.default_rng(0))
    shared = [
        np.isin(one, other).mean() for one, other in zip(found.places[some], exact, strict=True)
    ]
    assert np.mean(shared) > 0.9
    assert not (found.places == np.arange(12_000)[:, None]).any()
    assert (np.diff(found.squares, axis=1) >= 0).all()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_likelihoods_have_the_perplexity(metric: str) -> None:
    rows = learned(KNOWN, 0, metric, np.random.default_rng(0)).reduced(KNOWN)
    nearest = exact_neighbors(rows, 60)
    likelihood = likelihoods(nearest, 20.0, metric)
    entropy = -(likelihood * np.log(np.maximum(likelihood, 1e-300))).sum(axis=1)
    np.testing.assert_allclose(np.exp(entropy), 20, rtol=1e-5)
    np.testing.assert_allclose(likelihood.sum(axis=1), 1)
    together = joint(nearest, likelihood)
    assert together.sum() == pytest.approx(1)
    assert abs(together - together.T).max() < 1e-15
    own = cdist(KNOWN, KNOWN, metric)
    i, j = 7, nearest.places[7, 3]
    ratio = -np.log(likelihood[7, 3] / likelihood[7, 0])
    spread = own[i, j] ** 2 - own[i, nearest.places[7, 0]] ** 2
    other = -np.log(likelihood[7, 9] / likelihood[7, 0])
    expected = own[i, nearest.places[7, 9]] ** 2 - own[i, nearest.places[7, 0]] ** 2
    assert ratio / other == pytest.approx(spread / expected, rel=1e-3)


def test_affinities_are_opentsnes() -> None:
    nearest = exact_neighbors(KNOWN, 45)
    ours = joint(nearest, likelihoods(nearest, 15.0, "euclidean"))
    peer = PerplexityBasedNN(KNOWN, perplexity=15, method="exact").P
    # Equal distances may be other rows'
    assert abs(ours - peer).sum() < 1e-3


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_are_reduced_to_what_varies_most(sparse: bool) -> None:
    features = csr_array(DIGITS) if sparse else DIGITS
    reduced = learned(features, 10, "euclidean", np.random.default_rng(0)).reduced(features)
    exact = np.linalg.svd(DIGITS - DIGITS.mean(axis=0), full_matrices=False)[1]
    # Five passes of subspace iteration
    np.testing.assert_allclose(np.linalg.norm(reduced, axis=0), exact[:10], rtol=1e-3)


def test_large_offsets_lose_nothing() -> None:
    far = DIGITS + np.float32(2**16)
    for components in (0, 10):
        near_reduced = learned(DIGITS, components, "euclidean", np.random.default_rng(0)).reduced(
            DIGITS
        )
        far_reduced = learned(far, components, "euclidean", np.random.default_rng(0)).reduced(far)
        np.testing.assert_allclose(far_reduced, near_reduced, atol=1e-2)
