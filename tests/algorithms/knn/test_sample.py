"""The reservoir: every row is as likely to stay, whatever the batches and hosts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.algorithms.knn import sample
from clary.algorithms.knn.fit import fit
from clary.algorithms.knn.model import KNNModel
from clary.algorithms.knn.sample import Reservoir, dense
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from tests.algorithms.knn.training import DIGITS, by_hand, running, trained
from tests.algorithms.listening import Listener
from tests.kit.clusters import on_each


def rows_of(model: KNNModel) -> np.ndarray:
    return model.searcher.index.reconstruct_n(0, model.searcher.rows)


def numbered(count: int) -> Batch:
    """Row i holds i and i², and is labelled i."""
    numbers = np.arange(count, dtype=np.float32)
    return Batch(np.column_stack([numbers, numbers**2]), numbers)


def kept(count: int, size: int, seed: int) -> np.ndarray:
    reservoir = Reservoir(size, 2, np.random.default_rng(seed), dense)
    batch = numbered(count)
    for start in range(0, count, 7):
        part = batch.slice(start, start + 7)
        reservoir.add(part.features, part.labels())
    assert np.array_equal(reservoir.rows[:, 0], reservoir.labels)
    return reservoir.labels


def test_every_row_is_as_likely_to_be_kept() -> None:
    counts = np.bincount(
        np.concatenate([kept(60, 12, seed) for seed in range(1500)]).astype(int), minlength=60
    )
    # Each is kept in a fifth of 1,500 trials: 300, with a deviation of 15.5; 60 of them
    assert np.abs(counts - 300).max() < 4.5 * 15.5
    assert counts.std() < 1.3 * 15.5


def test_a_row_is_kept_once() -> None:
    assert len(set(kept(500, 100, 0).tolist())) == 100


@pytest.mark.parametrize("sizes", [(1, 13, 400), (5000, 250, 2)])
def test_the_sample_does_not_depend_on_the_mini_batches(sizes: tuple[int, ...]) -> None:
    models = [trained(DIGITS[0], sample_size=300, mini_batch_size=size) for size in sizes]
    for model in models[1:]:
        assert rows_of(model).tobytes() == rows_of(models[0]).tobytes()
        assert model.labels.tobytes() == models[0].labels.tobytes()


def test_seeds_decide_on_the_sample() -> None:
    first, same, other = (trained(DIGITS[0], sample_size=300, seed=seed) for seed in (0, 0, 1))
    assert rows_of(first).tobytes() == rows_of(same).tobytes()
    assert rows_of(first).tobytes() != rows_of(other).tobytes()


def test_left_out_the_sample_is_all_rows_in_their_order() -> None:
    model = trained(DIGITS[0])
    assert rows_of(model).tobytes() == DIGITS[0].dense().tobytes()
    assert model.params.sample_size == DIGITS[0].rows


def test_sparse_rows_are_kept_as_dense_ones_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    # Few at a time, so that wide rows are never all dense
    monkeypatch.setattr(sample, "_CHUNK_NUMBERS", 640)
    sparse = Batch(csr_array(DIGITS[0].dense()), DIGITS[0].label)
    found = trained(sparse, sample_size=300)
    wanted = trained(DIGITS[0], sample_size=300)
    assert rows_of(found).tobytes() == rows_of(wanted).tobytes()
    asked = Batch(csr_array(DIGITS[1].dense()))
    answers, expected = found.predict(asked), wanted.predict(Batch(DIGITS[1].dense()))
    assert all(np.array_equal(answers[name], expected[name]) for name in expected)


def test_a_sample_that_memory_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLARY_JOB_MEMORY_BYTES", str(200 * 64 * 4 * 3))
    trained(DIGITS[0], sample_size=200)
    with pytest.raises(CallerError, match="sample_size: 201 rows of 64 numbers must fit"):
        trained(DIGITS[0], sample_size=201, mini_batch_size=1)


def together(parts: list[Batch], hyperparameters: dict[str, Any], sharded: bool) -> list[KNNModel]:
    """The model of every host; part i are the rows that host i reads."""

    def host(cluster: Cluster) -> KNNModel:
        run = running(parts[cluster.rank], hyperparameters, cluster=cluster)
        run.train.sharded = sharded
        return fit(run)

    return on_each(tuple(f"algo-{place + 1}" for place in range(len(parts))), host)


def test_each_of_w_hosts_keeps_its_share() -> None:
    parts = [DIGITS[0].slice(start, start + 399) for start in (0, 399, 798)]
    first, second, _ = together(parts, {"sample_size": 100}, sharded=True)
    assert rows_of(first).tobytes() == rows_of(second).tobytes()
    places = by_hand(DIGITS[0].dense(), rows_of(first), 1)[1][:, 0]
    assert [int(((places // 399) == host).sum()) for host in range(3)] == [34, 33, 33]


def test_rows_that_every_host_reads_are_dealt_out_among_them() -> None:
    first, _ = together([DIGITS[0]] * 2, {"mini_batch_size": 333}, sharded=False)
    assert first.searcher.rows == DIGITS[0].rows
    found = np.unique(rows_of(first), axis=0)
    assert np.array_equal(found, np.unique(DIGITS[0].dense(), axis=0))


def test_a_host_without_rows_takes_part() -> None:
    parts = [DIGITS[0], DIGITS[0].slice(0, 0)]
    first, second = together(parts, {"sample_size": 400}, sharded=True)
    assert first.searcher.rows == second.searcher.rows == 200


def test_a_training_that_is_stopped_keeps_the_sample_so_far() -> None:
    run = running(DIGITS[0], {"mini_batch_size": 100})
    run.stopping.set()
    model = fit(run)
    assert model.searcher.rows == 100
    assert isinstance(run.reporter, Listener)
    assert any("stopped after 100 rows" in line for line in run.reporter.lines)


def test_weights_are_said_to_have_no_effect() -> None:
    batch = Batch(DIGITS[0].features, DIGITS[0].label, np.ones(DIGITS[0].rows, np.float32))
    run = running(batch, {})
    fit(run)
    assert isinstance(run.reporter, Listener)
    assert any(line.startswith("weights of rows: no effect") for line in run.reporter.lines)
