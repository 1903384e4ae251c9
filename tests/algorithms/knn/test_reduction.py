"""Random projections: they are what their papers say, and keep distances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import hadamard
from scipy.sparse import csr_array
from scipy.spatial.distance import pdist

from clary.algorithms.knn.reduction import Reduction
from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.knn.training import DIGITS, running, trained

ROWS = DIGITS[0].dense()[:200]


def test_sign_is_a_matrix_of_plus_and_minus_one() -> None:
    projection = Reduction("sign", 7, 25, 64)
    matrix = projection.of(np.eye(64, dtype=np.float32))
    assert np.array_equal(np.unique(matrix), np.float32([-0.2, 0.2]))
    # 1,600 fair coins: 800 with a deviation of 20
    assert abs(int((matrix > 0).sum()) - 800) < 80
    assert projection.of(ROWS) == pytest.approx(ROWS @ matrix, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("width", [2, 37, 64])
def test_fjlt_is_signs_a_walsh_hadamard_transform_and_a_choice(width: int) -> None:
    target = max(1, width // 3)
    matrix = Reduction("fjlt", 7, target, width).of(np.eye(width, dtype=np.float32))
    size = 1 << (width - 1).bit_length()
    # All columns have the same signs flipped; the product of two of Hadamard's is one of them
    known = {tuple(column) for column in hadamard(size)[:width].T}
    products = np.sign(matrix * matrix[:, :1]).T
    assert {tuple(product) for product in products} <= known
    assert len({tuple(product) for product in products}) == target
    assert np.abs(matrix) == pytest.approx(1 / np.sqrt(target))


@pytest.mark.parametrize("kind", ["sign", "fjlt"])
def test_distances_are_kept_on_the_mean(kind: str) -> None:
    true = pdist(ROWS, "sqeuclidean")
    reduced = [Reduction(kind, seed, 32, 64).of(ROWS) for seed in range(30)]
    ratios = [pdist(rows, "sqeuclidean") / true for rows in reduced]
    # Unbiased, with a deviation of at most sqrt(2 / 32) each; pairs of a seed hang together
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)
    assert np.std(ratios) < 1.1 * np.sqrt(2 / 32)


@pytest.mark.parametrize("kind", ["sign", "fjlt"])
def test_sparse_rows_are_projected_as_dense_ones(kind: str) -> None:
    projection = Reduction(kind, 3, 20, 64)
    assert projection.of(csr_array(ROWS)) == pytest.approx(projection.of(ROWS), rel=1e-4, abs=1e-4)


def test_a_seed_stands_for_a_projection_for_good() -> None:
    # Models in use depend on these numbers: they must never change
    one = np.arange(1, 6, dtype=np.float32)[None]
    assert Reduction("sign", 11, 3, 5).of(one)[0] == pytest.approx(SIGN, rel=1e-6)
    assert Reduction("fjlt", 11, 3, 5).of(one)[0] == pytest.approx(FJLT, rel=1e-6)


SIGN = [5.196152210235596, 0.5773502588272095, -2.886751174926758]
FJLT = [7.505553245544434, -4.041451930999756, 1.7320507764816284]


@pytest.mark.parametrize(("kind", "least"), [("sign", 0.93), ("fjlt", 0.93)])
def test_reduced_to_half_digits_are_still_told_apart(kind: str, least: float) -> None:
    train, test = DIGITS
    reduced = {"dimension_reduction_type": kind, "dimension_reduction_target": 32}
    hits = [
        trained(train, seed=seed, **reduced).predict(test)["predicted_label"] == test.label
        for seed in range(3)
    ]
    assert np.mean(hits) > least


def test_a_target_of_feature_dim_or_more_is_refused() -> None:
    reduced = {"dimension_reduction_type": "sign", "dimension_reduction_target": 64}
    with pytest.raises(CallerError, match="dimension_reduction_target: must be below feature_dim"):
        trained(DIGITS[0], **reduced)
    with pytest.raises(CallerError, match="dimension_reduction_target: must be below feature_dim"):
        running(DIGITS[0], {**reduced, "feature_dim": 64})


def test_a_target_is_raised_to_a_multiple_of_the_parts() -> None:
    reduced = {"dimension_reduction_type": "fjlt", "dimension_reduction_target": 30}
    coded = {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": 8, "faiss_index_ivf_nlists": 4}
    model = trained(DIGITS[0], **reduced, **coded)
    assert model.params.dimension_reduction_target == model.searcher.width == 32
    assert model.reduction is not None
    assert model.reduction.target == 32
    with pytest.raises(CallerError, match=r"below feature_dim, 64, as a multiple of .*pq_m=56"):
        trained(
            DIGITS[0],
            **reduced | {"dimension_reduction_target": 60},
            **coded | {"faiss_index_pq_m": 56},
        )


def test_rows_of_many_sparse_columns_are_reduced_without_filling_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # 300 rows of 50,000 numbers would take 60 MB
    monkeypatch.setenv("CLARY_JOB_MEMORY_BYTES", str(2**20))
    draw = np.random.default_rng(0)
    places = draw.integers(0, 50_000, (300, 20))
    label = np.arange(300) % 3
    # Rows of a class share half of their columns
    places[:, :10] = draw.integers(0, 50_000, (3, 10))[label]
    rows = csr_array(
        (np.ones(6000, np.float32), places.ravel(), np.arange(0, 6001, 20)), (300, 50_000)
    )
    batch = Batch(rows, label.astype(np.float32))
    reduced = {"dimension_reduction_type": "fjlt", "dimension_reduction_target": 64}
    model = trained(batch.slice(0, 200), **reduced)
    predicted = model.predict(batch.slice(200, 300))["predicted_label"]
    assert np.mean(predicted == label[200:]) > 0.9
