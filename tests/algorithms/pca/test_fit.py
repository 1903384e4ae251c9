"""The components are scikit-learn's, in SageMaker's order, found in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA, TruncatedSVD

from clary.algorithms.pca.fit import fit
from clary.algorithms.pca.model import PCAModel
from clary.algorithms.pca.moments import Part, summed
from clary.algorithms.pca.spec import ALGORITHM, PCAHyperparameters
from clary.codecs import ndarray_list
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from clary.kit.run import Run, Silent
from tests.algorithms.pca.training import DIGITS, running, share_kept, trained

TUMORS = load_breast_cancer().data.astype(np.float32)


@pytest.mark.parametrize("rows", [DIGITS, TUMORS], ids=["digits", "tumors"])
def test_singular_values_and_components_are_those_of_scikit_learn(rows: np.ndarray) -> None:
    model = trained(rows, num_components=5)
    exact = PCA(5, svd_solver="full").fit(rows.astype(np.float64))
    # float32 products of a chunk, summed in float64: relative errors around 1e-6.
    np.testing.assert_allclose(model.s[::-1], exact.singular_values_, rtol=1e-5, atol=1e-2)
    agreement = np.abs(np.sum(model.v[:, ::-1].T * exact.components_, axis=1))
    np.testing.assert_allclose(agreement, 1, atol=1e-4)


def test_values_ascend_and_the_first_component_is_the_last() -> None:
    model = trained(DIGITS, num_components=4)
    assert (np.diff(model.s) > 0).all()
    projection = model.predict(Batch(DIGITS))["projection"]
    assert (np.diff(projection.var(axis=0)) > 0).all()


def test_the_projection_is_the_centered_row_times_v() -> None:
    model = trained(DIGITS, num_components=3)
    assert model.mean is not None
    expected = (DIGITS[:9] - model.mean) @ model.v
    np.testing.assert_array_equal(model.predict(Batch(DIGITS[:9]))["projection"], expected)


def test_the_explained_share_is_within_a_ten_thousandth_of_scikit_learns() -> None:
    model = trained(DIGITS, num_components=10)
    exact = PCA(10).fit(DIGITS.astype(np.float64)).explained_variance_ratio_.sum()
    assert abs(share_kept(model, DIGITS) - exact) < 1e-4
    assert model.explained_share == pytest.approx(exact, abs=1e-4)


def test_large_offsets_lose_nothing() -> None:
    plain, moved = trained(DIGITS, num_components=5), trained(DIGITS + 4096, num_components=5)
    np.testing.assert_allclose(moved.s, plain.s, rtol=1e-4)


def test_without_the_mean_it_is_a_truncated_svd() -> None:
    model = trained(DIGITS, num_components=5, subtract_mean="false")
    exact = TruncatedSVD(5, algorithm="arpack").fit(DIGITS.astype(np.float64))
    assert model.mean is None
    np.testing.assert_allclose(model.s[::-1], exact.singular_values_, rtol=1e-4)


def test_sparse_rows_give_what_dense_rows_give() -> None:
    dense, sparse = trained(DIGITS, num_components=5), trained(csr_array(DIGITS), num_components=5)
    np.testing.assert_array_equal(dense.v, sparse.v)
    few = Batch(csr_array(DIGITS[:20]))
    np.testing.assert_allclose(
        sparse.predict(few)["projection"],
        dense.predict(Batch(DIGITS[:20]))["projection"],
        atol=1e-3,
    )


def test_sparse_rows_of_growing_width_are_taken_once_feature_dim_says_how_wide() -> None:
    class Narrow(MemoryChannel):
        def blocks(self, epoch: int) -> Iterator[Batch]:
            yield Batch(csr_array(DIGITS[:900, :40]))
            yield Batch(csr_array(DIGITS[900:]))

    params = PCAHyperparameters.parse({"num_components": 3, "feature_dim": 64})
    model = fit(Run(ALGORITHM, params, {"train": Narrow("train", Batch(DIGITS))}))
    assert model.v.shape == (64, 3)


def test_sums_do_not_depend_on_how_rows_are_divided_among_hosts() -> None:
    shift = DIGITS[:10].mean(axis=0)
    whole = summed([Batch(DIGITS)], shift, None)
    parts = [summed([Batch(part)], shift, None) for part in (DIGITS[:700], DIGITS[700:])]
    joined = parts[0].plus(Part(**vars(parts[1])))
    np.testing.assert_allclose(joined.product, whole.product, rtol=1e-5, atol=0.1)
    assert joined.count == whole.count


@pytest.mark.parametrize("mode", ["regular", "randomized"])
def test_the_same_seed_gives_the_same_bytes_for_any_number_of_threads(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        rows = np.tile(DIGITS, (6, 9))
        folder = tmp_path / threads
        folder.mkdir()
        trained(rows, num_components=3, algorithm_mode=mode).save(folder)
        files.append((folder / "model_algo-1").read_bytes())
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("centered", ["true", "false"])
def test_the_artifact_is_sagemakers_dictionary_of_arrays(centered: str, tmp_path: Path) -> None:
    model = trained(DIGITS, num_components=3, subtract_mean=centered)
    model.save(tmp_path)
    arrays = ndarray_list.read(tmp_path / "model_algo-1")
    assert isinstance(arrays, dict)
    assert set(arrays) == ({"mean", "v", "s"} if centered == "true" else {"v", "s"})
    assert arrays["v"].shape == (64, 3)
    again = PCAModel.load(tmp_path)
    assert PCAModel.recognizes(tmp_path)
    rows = Batch(DIGITS[:50])
    np.testing.assert_array_equal(
        again.predict(rows)["projection"], model.predict(rows)["projection"]
    )
    assert again.explained_share == model.explained_share


def test_a_model_made_elsewhere_loads_without_our_statistics(tmp_path: Path) -> None:
    trained(DIGITS, num_components=3).save(tmp_path)
    (tmp_path / ".statistics.json").unlink()
    model = PCAModel.load(tmp_path)
    assert model.explained_share is None
    assert len(model.figures(Batch(DIGITS))) == 4


def test_arrays_of_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    ndarray_list.write(tmp_path / "model_algo-1", {"v": np.zeros((4, 2)), "s": np.zeros(3)})
    with pytest.raises(CallerError, match="shapes"):
        PCAModel.load(tmp_path)


def test_test_rows_are_scored_by_the_share_of_variance_kept() -> None:
    model = trained(DIGITS, num_components=10)
    score = model.evaluate(MemoryChannel("test", Batch(DIGITS)))["test:explained_variance"]
    assert score == pytest.approx(share_kept(model, DIGITS), abs=1e-5)


@pytest.mark.parametrize(
    ("rows", "hyperparameters", "said"),
    [
        (DIGITS, {"num_components": 65}, "num_components: must be at most feature_dim, 64, got 65"),
        (DIGITS, {"num_components": 2, "feature_dim": 63}, "must have 63 features .*, got 64"),
        (DIGITS[:3], {"num_components": 3}, "need at least 4 rows, got 3"),
        (DIGITS[:1], {"num_components": 1}, "need at least 2 rows, got 1"),
    ],
)
def test_rows_that_cannot_give_the_components_are_refused(
    rows: np.ndarray, hyperparameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(CallerError, match=said):
        trained(rows, **hyperparameters)


def test_rows_of_another_width_are_refused_at_inference() -> None:
    with pytest.raises(CallerError, match="the model takes 64 a row, got 63"):
        trained(DIGITS, num_components=2).predict(Batch(DIGITS[:, :63]))


def test_rows_that_never_vary_have_components_of_no_variance() -> None:
    model = trained(np.ones((20, 4), dtype=np.float32), num_components=2)
    assert model.s.tolist() == [0, 0]
    assert np.isfinite(model.v).all()


def test_the_size_of_mini_batches_changes_nothing_and_the_log_says_so() -> None:
    lines: list[str] = []

    class Log(Silent):
        def log(self, line: str) -> None:
            lines.append(line)

    given = {"num_components": 3, "mini_batch_size": 7}
    model = fit(running(MemoryChannel("train", Batch(DIGITS)), {"reporter": Log()}, **given))
    np.testing.assert_array_equal(model.v, trained(DIGITS, num_components=3).v)
    assert "mini_batch_size: no effect, the components do not depend on it" in lines
