"""Sparse rows with few entries, and the sketch that many features need."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array, vstack
from sklearn.decomposition import TruncatedSVD

from clary.algorithms.pca import moments
from clary.algorithms.pca.fit import fit
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.data.contents import Contents
from clary.data.sources import Source
from clary.data.staging import stage
from tests.algorithms.pca.training import running, share_kept, thin_digits, trained
from tests.data.channels import UNSUPERVISED, over, write_recordio

THIN = thin_digits()
WIDE = THIN.toarray()


@pytest.fixture
def never_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(batch: Batch) -> Any:
        raise AssertionError("rows were made dense")

    monkeypatch.setattr(Batch, "dense", refuse)


@pytest.mark.usefixtures("never_dense")
@pytest.mark.parametrize("mode", ["regular", "randomized"])
@pytest.mark.parametrize("centered", ["true", "false"])
def test_thin_rows_stay_sparse_and_give_what_dense_rows_give(mode: str, centered: str) -> None:
    given = {"num_components": 5, "algorithm_mode": mode, "subtract_mean": centered}
    thin = trained(THIN, **given)
    projection = np.asarray(thin.predict(Batch(THIN[:50]))["projection"])
    score = thin.evaluate(MemoryChannel("test", Batch(THIN)))["test:explained_variance"]
    with pytest.MonkeyPatch.context() as again:
        again.setattr(Batch, "dense", lambda batch: batch.features)
        dense = trained(WIDE, **given)
        np.testing.assert_allclose(thin.s, dense.s, rtol=1e-5)
        expected = dense.predict(Batch(WIDE[:50]))["projection"]
        np.testing.assert_allclose(projection, expected, atol=1e-3)
        other = dense.evaluate(MemoryChannel("test", Batch(WIDE)))["test:explained_variance"]
        assert score == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("mode", ["regular", "randomized"])
def test_chunks_of_thin_rows_give_the_same_bytes_for_any_number_of_threads(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = vstack([THIN] * 12, format="csr")
    models = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        monkeypatch.setattr(moments, "_THIN_CHUNK_VALUES", 50_000)
        models.append(trained(rows, num_components=3, algorithm_mode=mode))
    assert models[0].v.tobytes() == models[1].v.tobytes() == models[2].v.tobytes()


def test_the_fewer_entries_thin_rows_have_the_more_are_multiplied_at_once() -> None:
    full = Batch(csr_array(np.ones((10, 512), np.float32)))
    assert moments.thin_chunk_rows(full, sketched=True) == 2**22 // 512
    single = csr_array(np.eye(1, 64, dtype=np.float32))
    assert moments.thin_chunk_rows(Batch(single), sketched=True) == 2**15
    assert moments.thin_chunk_rows(Batch(single[:0]), sketched=True) == 1


@pytest.fixture(scope="module")
def variances() -> np.ndarray:
    """Of the exact components, the largest first."""
    return np.linalg.eigvalsh(np.cov(WIDE.T))[::-1]


@pytest.mark.parametrize("components", [2, 5, 10])
def test_the_sketch_keeps_99_percent_of_what_exact_components_keep(
    components: int, variances: np.ndarray
) -> None:
    best = variances[:components].sum() / variances.sum()
    for seed in range(2):
        model = trained(WIDE, seed, num_components=components, algorithm_mode="randomized")
        assert 0.99 * best <= share_kept(model, WIDE) < 0.9999 * best


def test_the_sketch_keeps_as_much_as_a_truncated_svd() -> None:
    model = trained(THIN, num_components=8, algorithm_mode="randomized", subtract_mean="false")
    peer = TruncatedSVD(8, random_state=0).fit(THIN)
    ours, theirs = ((THIN @ v).astype(np.float64) for v in (model.v, peer.components_.T))
    # The peer iterates five times, we once with more columns
    assert (ours**2).sum() > 0.99 * (theirs**2).sum()


def test_more_extra_components_are_more_exact() -> None:
    given = {"num_components": 5, "algorithm_mode": "randomized"}
    shares = [share_kept(trained(WIDE, extra_components=n, **given), WIDE) for n in (0, 10, 30)]
    assert shares == sorted(shares)
    assert shares[0] < shares[2]


@pytest.mark.parametrize("mode", ["regular", "randomized"])
def test_wide_rows_that_never_vary_have_components_of_no_variance(mode: str) -> None:
    model = trained(np.ones((20, 900), np.float32), num_components=2, algorithm_mode=mode)
    np.testing.assert_allclose(model.s, 0, atol=1e-6)
    np.testing.assert_allclose(model.v.T @ model.v, np.eye(2), atol=1e-5)


def test_memory_is_that_of_the_sketch_not_of_dense_rows() -> None:
    wide = csr_array(random_array((2000, 40_000), density=5e-4, rng=0, dtype=np.float32))
    tracemalloc.start()
    try:
        trained(wide, num_components=2, algorithm_mode="randomized", extra_components=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The sketch has 54 columns; in float64 some of it at once, while dense rows take 320 MB
    assert peak < 8 * 40_000 * 54 * 8


def test_the_input_modes_give_the_same_bytes_also_in_three_passes(tmp_path: Path) -> None:
    write_recordio(tmp_path / "source" / "rows.recordio", Batch(THIN))
    models = []
    for mode in ("File", "FastFile", "Pipe"):
        folder = tmp_path / mode
        folder.mkdir()
        source = Source("train", str(tmp_path / "source"), input_mode=mode)
        with stage(source, folder):
            channel = over(source, folder, Contents(UNSUPERVISED))
            given = {"num_components": 3, "algorithm_mode": "randomized"}
            models.append(fit(running(channel, {}, **given)))
    assert models[0].v.tobytes() == models[1].v.tobytes() == models[2].v.tobytes()
