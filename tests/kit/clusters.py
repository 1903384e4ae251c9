"""Several hosts as threads of this process: XGBoost's communicator belongs to its thread."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from clary.kit.cluster import Cluster
from clary.kit.hosts import Hosts
from clary.kit.rendezvous import Rendezvous

T = TypeVar("T")


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def on_each(names: tuple[str, ...], work: Callable[[Cluster], T]) -> list[T]:
    """`work` on every host at once, by rank."""
    address = free_address()

    def host(name: str) -> T:
        with Hosts(Rendezvous(name, names, address)) as cluster:
            return work(cluster)

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(host, names))
