"""Several hosts, each a process: a `Cluster` over XGBoost's collectives.

Inside `with cluster` XGBoost itself trains over the same hosts. Its communicator belongs to the
thread that entered; in other threads XGBoost works alone.
"""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from xgboost import collective
from xgboost.collective import Op
from xgboost.core import XGBoostError
from xgboost.tracker import RabitTracker

from clary.kit.cluster import Cluster, LostHost, T
from clary.kit.rendezvous import Rendezvous

# The rendezvous watches over the hosts; a host that computes for hours between two collectives is
# not lost
_NEVER_SECONDS = 7 * 24 * 3600


class Hosts(Cluster):
    """Several hosts that meet at `rendezvous`.

    When one is lost the others raise `LostHost`; a host that cannot, because it hangs inside a
    library, is ended by `stuck`.
    """

    def __init__(
        self, rendezvous: Rendezvous, stuck: Callable[[LostHost], None] | None = None
    ) -> None:
        super().__init__(rendezvous.host, rendezvous.hosts)
        self._rendezvous = rendezvous
        self._stuck = stuck or _end
        self._tracker: RabitTracker | None = None

    def __enter__(self) -> Self:
        try:
            self._meet()
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._leave()
        else:
            self._abandon()
        if isinstance(error, XGBoostError) and (lost := self._rendezvous.reason()):
            raise LostHost(f"{self.host}: {lost}") from error

    def all_reduce(self, values: npt.NDArray[T]) -> npt.NDArray[T]:
        return self._combined(values, Op.SUM)

    def gather(self, values: npt.NDArray[T]) -> list[npt.NDArray[T]]:
        counts = np.zeros(self.size, dtype=np.int64)
        counts[self.rank] = len(values)
        ends = np.cumsum(self._combined(counts, Op.SUM))
        joined = np.zeros((int(ends[-1]), *values.shape[1:]), dtype=values.dtype)
        joined[ends[self.rank] - len(values) : ends[self.rank]] = values
        # Each byte is one host's and zero on the others, so any type's bits pass unchanged
        flat = self._combined(joined.reshape(-1).view(np.uint8), Op.MAX)
        return np.split(flat.view(values.dtype).reshape(joined.shape), ends[:-1])

    def broadcast(self, value: Any) -> Any:
        mine = _packed(value) if self.is_leader else b""
        parts = self.gather(np.frombuffer(mine, dtype=np.uint8))
        return _unpacked(parts[0].tobytes())

    def _combined(self, values: npt.NDArray[T], operation: Op) -> npt.NDArray[T]:
        if values.size == 0:
            return values
        with self._others():
            flat: npt.NDArray[T] = collective.allreduce(values, operation)
        return flat.reshape(values.shape)

    def _meet(self) -> None:
        if self.is_leader:
            told = self._track()
            self._rendezvous.welcome(told)
        else:
            told = self._rendezvous.ask()
        self._rendezvous.watch(self._stuck)
        with self._others():
            # Task names sort as text, so rank = place in the sorted list of hosts
            collective.init(
                **told,
                dmlc_task_id=f"{self.rank:06d}",
                dmlc_timeout=_NEVER_SECONDS,
                dmlc_retry=1,
            )
        assert collective.get_rank() == self.rank

    def _track(self) -> dict[str, Any]:
        """Start XGBoost's tracker, through which its workers find each other."""
        address = self._rendezvous.address()
        self._tracker = RabitTracker(n_workers=self.size, host_ip=address, sortby="task")
        self._tracker.start()
        told: dict[str, Any] = self._tracker.worker_args()
        return told

    def _leave(self) -> None:
        with self._others():
            collective.finalize()
            if self._tracker:
                self._tracker.wait_for(_NEVER_SECONDS)
                self._tracker.free()
        self._rendezvous.close(in_peace=True)

    def _abandon(self) -> None:
        """End without the others, who notice; without it XGBoost crashes when Python ends."""
        self._rendezvous.close(in_peace=False)
        with warnings.catch_warnings(action="ignore"):
            with suppress(XGBoostError):
                collective.finalize()
            if self._tracker:
                with suppress(XGBoostError):
                    self._tracker.free()

    @contextmanager
    def _others(self) -> Iterator[None]:
        try:
            yield
        except XGBoostError as error:
            reason = self._rendezvous.reason() or str(error)
            raise LostHost(f"{self.host}: {reason}") from error


def _end(lost: LostHost) -> None:
    print(lost, file=sys.stderr, flush=True)
    os._exit(2)


def _packed(value: Any) -> bytes:
    if not isinstance(value, np.ndarray):
        return b"j" + json.dumps(value).encode()
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=False)
    return b"a" + buffer.getvalue()


def _unpacked(payload: bytes) -> Any:
    if payload[:1] == b"j":
        return json.loads(payload[1:])
    return np.load(io.BytesIO(payload[1:]), allow_pickle=False)
