"""Several hosts, each a thread with a communicator of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.algorithms.tsne.fit import fit
from clary.algorithms.tsne.model import TSNEModel
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from tests.algorithms.tsne.training import DIGIT, DIGITS, FEW, QUICK, running, trained
from tests.kit.clusters import on_each

NAMES = ("algo-1", "algo-2", "algo-3")
NOTHING = Batch(np.zeros((0, 0), np.float32))


def together(
    parts: list[Batch], output: Path | None = None, sharded: bool = True, **more: Any
) -> list[TSNEModel]:
    def host(cluster: Cluster) -> TSNEModel:
        channel = MemoryChannel("train", parts[cluster.rank])
        channel.sharded = sharded
        folder = output / cluster.host if output else None
        return fit(running(channel, QUICK | more, cluster=cluster, output=folder))

    return on_each(NAMES[: len(parts)], host)


@pytest.mark.parametrize("sparse", [False, True])
def test_hosts_make_the_map_of_one_and_each_has_it(sparse: bool) -> None:
    rows = csr_array(DIGITS[:FEW]) if sparse else DIGITS[:FEW]
    cuts = (slice(0, 120), slice(120, 121), slice(121, FEW))
    models = together([Batch(rows[cut], DIGIT[:FEW][cut]) for cut in cuts])
    alone = trained(Batch(rows, DIGIT[:FEW]))
    for model in models:
        assert model.places.tobytes() == alone.places.tobytes()
        np.testing.assert_array_equal(model.label, alone.label)


@pytest.mark.parametrize("idle", [0, 1])
def test_a_host_without_rows_takes_part(idle: int) -> None:
    parts = [Batch(DIGITS[:FEW], DIGIT[:FEW])] * 2
    parts[idle] = NOTHING
    for model in together(parts):
        assert model.places.tobytes() == trained().places.tobytes()


def test_rows_that_every_host_reads_are_mapped_once() -> None:
    models = together([Batch(DIGITS[:FEW])] * 2, sharded=False, sample_size=200)
    alone = trained(sample_size=200)
    for model in models:
        np.testing.assert_array_equal(model.everywhere, alone.everywhere)


def test_each_host_places_its_own_rows_beyond_the_sample(tmp_path: Path) -> None:
    parts = [Batch(DIGITS[:200], DIGIT[:200]), Batch(DIGITS[200:FEW], DIGIT[200:FEW])]
    first, second = together(parts, tmp_path, sample_size=150)
    assert first.everywhere is not None
    np.testing.assert_array_equal(first.everywhere, second.everywhere)
    others = np.setdiff1d(np.arange(FEW), first.numbers)
    np.testing.assert_array_equal(
        first.everywhere[others], first.predict(Batch(DIGITS[others]))["embedding"]
    )
    # Of both hosts' rows, in their shares
    assert 70 < np.sum(first.numbers < 200) < 130
    lines = (tmp_path / "algo-1" / "embedding.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines] == ["label", *(f"{x:g}" for x in DIGIT[:FEW])]
    assert not (tmp_path / "algo-2").exists()


def test_labels_on_one_host_only_are_refused() -> None:
    with pytest.raises(CallerError, match="label: either every row has one or none has"):
        together([Batch(DIGITS[:50], DIGIT[:50]), Batch(DIGITS[50:100])])


def test_rows_are_counted_over_all_hosts() -> None:
    assert together([Batch(DIGITS[:2]), Batch(DIGITS[2:4])])[0].places.shape == (4, 2)
    with pytest.raises(CallerError, match="a map needs at least 4 rows, got 3"):
        together([Batch(DIGITS[:2]), Batch(DIGITS[2:3])])
