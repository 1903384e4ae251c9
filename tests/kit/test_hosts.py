"""Several hosts: threads where only collectives matter, processes where one dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from clary.kit.cluster import Cluster, LostHost
from clary.kit.hosts import Hosts
from clary.kit.rendezvous import Rendezvous
from tests.kit.clusters import free_address, on_each

NAMES = ("algo-1", "algo-10", "algo-2")


def test_rank_is_the_place_among_the_hosts_sorted_as_text() -> None:
    ranks = on_each(NAMES, lambda cluster: (cluster.rank, cluster.is_leader, cluster.size))
    assert ranks == [(0, True, 3), (1, False, 3), (2, False, 3)]


@pytest.mark.parametrize("kind", ["float32", "float64", "int64"])
@pytest.mark.parametrize("size", [1, 2, 1000, 300_000])
def test_sums_are_the_same_bytes_on_each_host(kind: str, size: int) -> None:
    parts = [(np.random.default_rng(i).normal(0, 1e4, size)).astype(kind) for i in range(3)]
    found = on_each(NAMES, lambda cluster: cluster.all_reduce(parts[cluster.rank]))
    assert {one.tobytes() for one in found} == {found[0].tobytes()}
    assert found[0].dtype == kind
    np.testing.assert_allclose(found[0], sum(parts), rtol=1e-4, atol=1e-2)


def test_sums_keep_the_shape_and_leave_the_argument_alone() -> None:
    given = np.ones((2, 3, 4))
    found = on_each(NAMES[:2], lambda cluster: cluster.all_reduce(given))
    assert [one.shape for one in found] == [(2, 3, 4)] * 2
    assert given.max() == 1
    scalar = on_each(NAMES[:2], lambda cluster: cluster.all_reduce(np.array(2.0)))[1]
    assert scalar.shape == ()
    assert scalar == 4


def test_gather_gives_every_hosts_rows_by_rank_bit_for_bit() -> None:
    odd = np.array([[np.nan, -0.0], [np.inf, 1e-45]], dtype=np.float32)
    parts = [odd, np.zeros((0, 2), np.float32), np.arange(6, dtype=np.float32).reshape(3, 2)]
    for found in on_each(NAMES, lambda cluster: cluster.gather(parts[cluster.rank])):
        assert [one.tobytes() for one in found] == [one.tobytes() for one in parts]
        assert [one.shape for one in found] == [(2, 2), (0, 2), (3, 2)]


def test_gather_of_nothing_at_all_is_nothing() -> None:
    found = on_each(NAMES, lambda cluster: cluster.gather(np.zeros((0, 4))))
    assert [[one.shape for one in parts] for parts in found] == [[(0, 4)] * 3] * 3


@pytest.mark.parametrize(
    "value", [None, 7, "καλημέρα", 0.1 + 0.2, {"a": [1, None, {"b": True}]}, [], float("inf")]
)
def test_broadcast_gives_the_leaders_value_to_all(value: object) -> None:
    found = on_each(NAMES, lambda cluster: cluster.broadcast(value if cluster.is_leader else "no"))
    assert found == [value] * 3


def test_broadcast_of_an_array_keeps_type_and_shape() -> None:
    given = np.arange(12, dtype=np.int32).reshape(3, 4)
    for found in on_each(NAMES, lambda cluster: cluster.broadcast(given)):
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, given)


def test_one_host_alone_is_the_identity() -> None:
    with Cluster() as cluster:
        values = np.ones(3)
        assert cluster.all_reduce(values) is values
        assert cluster.gather(values)[0] is values
        assert cluster.broadcast("x") == "x"


def _host(name: str, names: tuple[str, ...], address: str, told: Path, fate: str) -> None:
    """One host as a process: it may die, hang or fail after a first exchange."""

    def stuck(lost: LostHost) -> None:
        told.joinpath(name).write_text(str(lost))
        os._exit(0)

    try:
        with Hosts(Rendezvous(name, names, address, silence_seconds=4), stuck) as cluster:
            cluster.all_reduce(np.ones(3))
            if fate == "raises":
                raise ValueError("its own trouble")
            if fate:
                os.kill(os.getpid(), getattr(signal, fate))
            cluster.all_reduce(np.ones(3))
    except (LostHost, ValueError) as error:
        told.joinpath(name).write_text(str(error))


@pytest.mark.parametrize(
    ("victim", "fate"), [(0, "SIGKILL"), (1, "SIGKILL"), (2, "raises"), (1, "SIGSTOP")]
)
def test_the_others_notice_a_lost_host(victim: int, fate: str, tmp_path: Path) -> None:
    assert _survivors(victim, fate, tmp_path) == {
        name: f"{name}: {NAMES[victim]} was lost" for name in NAMES if name != NAMES[victim]
    }


def _survivors(victim: int, fate: str, folder: Path) -> dict[str, str]:
    """What each host but the victim died of; all of them end by themselves, in order."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    address = free_address()
    hosts = [
        context.Process(
            target=_host, args=(name, NAMES, address, folder, fate if i == victim else "")
        )
        for i, name in enumerate(NAMES)
    ]
    for host in hosts:
        host.start()
    try:
        for i, host in enumerate(hosts):
            if i != victim:
                host.join(60)
                assert host.exitcode == 0
    finally:
        for host in hosts:
            host.kill()
            host.join()
    told = {path.name: path.read_text() for path in folder.iterdir()}
    told.pop(NAMES[victim], None)
    return told


def test_a_host_that_never_comes_is_named() -> None:
    place = Rendezvous("algo-1", ("algo-1", "algo-2"), free_address(), patience_seconds=1)
    with pytest.raises(LostHost, match="algo-2 did not come"), Hosts(place):
        pass


def test_a_leader_that_never_comes_is_named() -> None:
    place = Rendezvous("algo-2", ("algo-1", "algo-2"), free_address(), patience_seconds=1)
    with pytest.raises(LostHost, match="algo-1 cannot be reached at"), Hosts(place):
        pass


def test_a_stranger_at_the_door_does_no_harm() -> None:
    address = free_address()

    def stranger() -> None:
        host, port = address.split(":")
        for _ in range(100):
            try:
                with socket.create_connection((host, int(port)), timeout=1) as door:
                    door.sendall(b"\xff\xfeGET / HTTP/1.1\r\n\r\n")
                    return
            except OSError:
                time.sleep(0.02)

    def host(name: str) -> int:
        if name == "algo-2":
            time.sleep(0.5)
        with Hosts(Rendezvous(name, ("algo-1", "algo-2"), address)) as cluster:
            return int(cluster.all_reduce(np.array([1]))[0])

    with ThreadPoolExecutor(3) as pool:
        pool.submit(stranger)
        assert list(pool.map(host, ("algo-1", "algo-2"))) == [2, 2]
