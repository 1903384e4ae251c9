"""The hosts of one training, and what they say to each other."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T", bound=np.generic)


class LostHost(Exception):
    """A host died, hung or could not be reached; the training cannot go on."""


class Cluster:
    """One host: every collective is the identity.

    `hosts` are the names of all hosts as SageMaker sorts them; `rank` is this host's place.
    Collectives may be used inside `with cluster`, by the thread that entered, and every host must
    call the same ones in the same order.
    """

    def __init__(self, host: str = "algo-1", hosts: tuple[str, ...] = ("algo-1",)) -> None:
        self.host = host
        self.hosts = hosts
        self.rank = hosts.index(host)

    @property
    def size(self) -> int:
        return len(self.hosts)

    @property
    def is_leader(self) -> bool:
        """Whether this host writes the model and reports the metrics."""
        return self.rank == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def all_reduce(self, values: npt.NDArray[T]) -> npt.NDArray[T]:
        """The elementwise sum over all hosts, the same bytes on each. Shapes must agree."""
        return values

    def gather(self, values: npt.NDArray[T]) -> list[npt.NDArray[T]]:
        """Every host's array by rank, on each host. Shapes may differ in the first dimension."""
        return [values]

    def broadcast(self, value: Any) -> Any:
        """The leader's value (anything JSON can hold, or an array) on every host."""
        return value
