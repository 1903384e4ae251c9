"""Scores on rows that lie on several hosts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from clary.codecs.batch import Batch, concatenate
from clary.data.channel import Channel, MemoryChannel
from clary.errors import CallerError
from clary.kit.cluster import Cluster, LostHost
from clary.runtime.evaluation import evaluated
from tests.kit.clusters import on_each
from tests.runtime.column_means import ColumnMeansHyperparameters, ColumnMeansModel

NAMES = ("algo-1", "algo-2", "algo-3")
MODEL = ColumnMeansModel(np.zeros(3, np.float32), ColumnMeansHyperparameters())


class _None(Channel):
    def blocks(self, epoch: int) -> Iterator[Batch]:
        yield from ()


class _Broken(Channel):
    def blocks(self, epoch: int) -> Iterator[Batch]:
        yield Batch(np.ones((10, 3), np.float32))
        raise CallerError.of("rows.csv, line 11", "must be a number", "x")


class _Keeping(ColumnMeansModel):
    """Scores nothing and keeps what it is given."""

    seen: Batch

    def evaluate(self, channel: Channel) -> dict[str, float]:
        self.seen = concatenate(list(channel.batches(7)))
        return {}


def shards(*counts: int) -> list[Channel]:
    random = np.random.default_rng(0)
    batches = [Batch(random.normal(size=(count, 3)).astype(np.float32)) for count in counts]
    return [MemoryChannel("test", one) if one.rows else _None("test") for one in batches]


@pytest.mark.parametrize("counts", [(100, 100, 100), (10_000, 1, 0), (0, 5000, 12_000)])
def test_the_leader_scores_the_rows_of_all_hosts(counts: tuple[int, ...]) -> None:
    channels = shards(*counts)
    every = np.concatenate(
        [c.read().dense() if n else np.zeros((0, 3)) for n, c in zip(counts, channels, strict=True)]
    )
    scores = on_each(NAMES, lambda c: evaluated(MODEL, channels[c.rank], c, sharded=True))
    assert scores[0]["test:msd"] == pytest.approx(np.mean((every**2).sum(axis=1)), rel=1e-6)
    assert scores[1:] == [{}, {}]


def test_of_replicated_rows_the_leader_scores_its_own() -> None:
    channels = shards(10, 20, 30)
    alone = evaluated(MODEL, shards(10)[0], Cluster(), sharded=True)
    scores = on_each(NAMES, lambda c: evaluated(MODEL, channels[c.rank], c, sharded=False))
    assert scores == [alone, {}, {}]


@pytest.mark.parametrize("sparse", [True, False])
def test_rows_arrive_as_they_were(sparse: bool) -> None:
    x = np.array([[0, 1.5, 0], [np.nan, 0, -0.0]], dtype=np.float32)
    given = Batch(
        csr_array(x) if sparse else x,
        label=np.array([1, 0], np.float32),
        weights=np.array([0.5, 2], np.float32),
        extras={"qid": np.array([7, 8]), "name": np.array(["a", "ß"])},
    )
    model = _Keeping(np.zeros(3, np.float32), ColumnMeansHyperparameters())
    channels = [_None("test"), MemoryChannel("test", given)]
    on_each(NAMES[:2], lambda c: evaluated(model, channels[c.rank], c, sharded=True))
    seen = model.seen
    assert seen.is_sparse == sparse
    np.testing.assert_array_equal(seen.dense(), given.dense())
    np.testing.assert_array_equal(seen.labels(), given.labels())
    np.testing.assert_array_equal(seen.weights, given.weights)
    assert {name: values.tolist() for name, values in seen.extras.items()} == {
        "qid": [7, 8],
        "name": ["a", "ß"],
    }


def test_texts_arrive_as_they_were() -> None:
    texts = pa.record_batch({"who": ["a", "ß", "c"], "ip": ["1.2.3.4", "::1", "::2"]}).slice(1)
    model = _Keeping(np.zeros(3, np.float32), ColumnMeansHyperparameters())
    channels = [_None("test"), MemoryChannel("test", Batch(texts))]
    on_each(NAMES[:2], lambda c: evaluated(model, channels[c.rank], c, sharded=True))
    assert model.seen.features.equals(texts)


def test_a_host_without_rows_has_an_empty_sample() -> None:
    channel = _None("test")
    assert channel.sample(10).features.shape == (0, 0)
    assert channel.width == 0
    assert _None("test").read().rows == 0


def test_rows_that_do_not_fit_the_model_are_told_after_all_hosts_sent_theirs() -> None:
    narrow = ColumnMeansModel(np.zeros(2, np.float32), ColumnMeansHyperparameters())
    channels = shards(50_000, 50_000)

    def work(cluster: Cluster) -> str:
        try:
            evaluated(narrow, channels[cluster.rank], cluster, sharded=True)
        except CallerError as error:
            return str(error)
        return "sent"

    told = on_each(NAMES[:2], work)
    assert "the model takes 2 a row, got 3" in told[0]
    assert told[1] == "sent"


def test_rows_that_cannot_be_read_end_all_hosts() -> None:
    channels = [shards(10)[0], _Broken("test")]
    errors: dict[str, Exception] = {}

    def work(cluster: Cluster) -> None:
        try:
            evaluated(MODEL, channels[cluster.rank], cluster, sharded=True)
        except (CallerError, LostHost) as error:
            errors[cluster.host] = error
            raise

    with pytest.raises((CallerError, LostHost)):
        on_each(NAMES[:2], work)
    assert "line 11" in str(errors["algo-2"])
    assert str(errors["algo-1"]) == "algo-1: algo-2 was lost"
