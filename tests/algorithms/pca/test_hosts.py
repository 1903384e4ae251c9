"""Several hosts, each a thread with a communicator of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clary.algorithms.pca.fit import fit
from clary.algorithms.pca.model import PCAModel
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from tests.algorithms.pca.training import DIGITS, running, thin_digits, trained
from tests.kit.clusters import on_each

NAMES = ("algo-1", "algo-2")


def together(parts: list[Batch], mode: str) -> list[PCAModel]:
    def host(cluster: Cluster) -> PCAModel:
        channel = MemoryChannel("train", parts[cluster.rank])
        return fit(running(channel, {"cluster": cluster}, num_components=3, algorithm_mode=mode))

    return on_each(NAMES, host)


@pytest.mark.parametrize(
    ("rows", "mode"), [(DIGITS, "regular"), (thin_digits(), "randomized")], ids=["dense", "thin"]
)
def test_two_hosts_agree_with_one_and_with_each_other(rows: Any, mode: str) -> None:
    first, second = together([Batch(rows[:1000]), Batch(rows[1000:])], mode)
    assert first.v.tobytes() == second.v.tobytes()
    alone = trained(rows, num_components=3, algorithm_mode=mode)
    np.testing.assert_allclose(first.s, alone.s, rtol=1e-5)
    np.testing.assert_allclose(first.v, alone.v, atol=1e-3)


@pytest.mark.parametrize("idle", [0, 1])
def test_a_host_without_rows_takes_part(idle: int) -> None:
    nothing = Batch(np.zeros((0, 0), np.float32))
    parts = [Batch(DIGITS), Batch(DIGITS)]
    parts[idle] = nothing
    alone = trained(DIGITS, num_components=3)
    for model in together(parts, "regular"):
        np.testing.assert_allclose(model.s, alone.s, rtol=1e-5)


def test_rows_are_counted_over_all_hosts() -> None:
    few = [Batch(DIGITS[:2]), Batch(DIGITS[2:4])]
    assert together(few, "regular")[0].s.shape == (3,)
    with pytest.raises(CallerError, match="need at least 4 rows, got 3"):
        together([few[0], Batch(DIGITS[2:3])], "regular")
