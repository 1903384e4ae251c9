"""The final model's scores on a test channel whose rows lie on several hosts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Full, Queue
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_array

from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.kit.cluster import Cluster
from clary.kit.model import Model

_ROWS = 4096
_AHEAD = 4

Handover: TypeAlias = "Queue[Batch | None]"


def evaluated(model: Model, channel: Channel, cluster: Cluster, sharded: bool) -> dict[str, float]:
    """The scores, on the leader; nothing on the other hosts, which send their rows if sharded.

    Raises:
        CallerError: rows cannot be read, or do not fit the model.
    """
    if cluster.size == 1:
        return model.evaluate(channel)
    if not cluster.is_leader:
        for _ in _gathered(channel, cluster) if sharded else ():
            pass
        return {}
    # In a thread of its own: there XGBoost works alone, not over the hosts
    with ThreadPoolExecutor(1) as pool:
        if not sharded:
            return pool.submit(model.evaluate, channel).result()
        queue: Handover = Queue(_AHEAD)
        scoring = pool.submit(model.evaluate, _Handed(channel.name, queue))
        try:
            for batch in _gathered(channel, cluster):
                _hand_over(batch, queue, scoring)
        finally:
            _hand_over(None, queue, scoring)
        return scoring.result()


class _Handed(Channel):
    """Rows that another thread hands over; None is the end."""

    def __init__(self, name: str, queue: Handover) -> None:
        super().__init__(name)
        self._queue = queue

    def blocks(self, epoch: int) -> Iterator[Batch]:
        while (batch := self._queue.get()) is not None:
            yield batch


def _hand_over(batch: Batch | None, queue: Handover, scoring: Future[Any]) -> None:
    """Wait for a place in the queue, unless nobody takes from it any more."""
    while not scoring.done():
        with suppress(Full):
            queue.put(batch, timeout=0.1)
            break


def _gathered(channel: Channel, cluster: Cluster) -> Iterator[Batch]:
    """Every host's rows, a batch of each in turn, until none has any left."""
    batches = channel.batches(_ROWS)
    while True:
        mine = next(batches, None)
        parts = cluster.gather(_packed(mine) if mine else np.zeros(0, np.uint8))
        if not any(part.size for part in parts):
            return
        yield from (_unpacked(part) for part in parts if part.size)


def _packed(batch: Batch) -> npt.NDArray[np.uint8]:
    x = batch.features
    arrays: dict[str, npt.NDArray[Any]] = {f"extra {n}": a for n, a in batch.extras.items()}
    if isinstance(x, pa.RecordBatch):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, x.schema) as writer:
            writer.write_batch(x)
        arrays["columns"] = np.frombuffer(sink.getvalue(), np.uint8)
    elif isinstance(x, np.ndarray):
        arrays["dense"] = x
    else:
        arrays |= {"data": x.data, "indices": x.indices, "indptr": x.indptr}
        arrays["shape"] = np.array(x.shape)
    if batch.label is not None:
        arrays["label"] = batch.label
    if batch.weights is not None:
        arrays["weights"] = batch.weights
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return np.frombuffer(buffer.getbuffer(), dtype=np.uint8)


def _unpacked(payload: npt.NDArray[np.uint8]) -> Batch:
    arrays = dict(np.load(io.BytesIO(payload.tobytes()), allow_pickle=False))
    if "columns" in arrays:
        x = pa.ipc.open_stream(pa.py_buffer(arrays["columns"].tobytes())).read_next_batch()
    elif "dense" in arrays:
        x = arrays["dense"]
    else:
        parts = (arrays["data"], arrays["indices"], arrays["indptr"])
        x = csr_array(parts, shape=tuple(arrays["shape"]))
    extras = {n.removeprefix("extra "): a for n, a in arrays.items() if n.startswith("extra ")}
    return Batch(x, arrays.get("label"), arrays.get("weights"), extras)
