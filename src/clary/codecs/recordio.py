"""RecordIO-protobuf: each record is a protobuf message of one row.

Reading goes through `record_frames` (where records begin in a stream), `record_proto` (where the
numbers lie in one message), `record_layout` (the same for many messages that are alike, without
looking at each) and `record_rows` (the numbers as rows). `record_writing` goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from clary.codecs.batch import Batch, Floats
from clary.codecs.reading import Reading
from clary.codecs.record_frames import HEADER_BYTES, Frames, Window, framed
from clary.codecs.record_layout import SIDES, Path, Stencil, Table
from clary.codecs.record_proto import BYTES, FLOAT32, FLOAT64, INT32, KEY, Message, parse
from clary.codecs.record_rows import batch as batch_of
from clary.codecs.record_writing import write_dense, write_sparse
from clary.codecs.rows import RowFault, RowRules
from clary.codecs.varints import Bytes, Malformed
from clary.errors import CallerError

_BATCH_BYTES = 4 << 20
# Looking for a run of records of one layout costs about as much as reading so many otherwise
_WORTHWHILE_RUN = 256
_FIRST_STEP, _LONGEST_STEP = 1 << 16, 1 << 22
_MOST_PATHS = 8


def decode(stream: BinaryIO, name: str, reading: Reading) -> Iterator[Batch]:
    """The rows of a stream of records, in blocks of some MiB.

    Features and label are the tensors named `values`, of any type, as float32; whatever else a
    record holds is passed over. Rows with keys, or with nothing but a shape, are sparse.

    Raises:
        CallerError: names `name`, the record (from 1) and its offset in bytes.
    """
    return _Decoder(stream, name, reading).batches()


def encode(batches: Iterable[Batch], out: BinaryIO) -> None:
    """Write rows as float32 tensors in unsplit records, as SageMaker's SDK does.

    Raises:
        CallerError: rows have weights or more, for which the format has no place.
    """
    for batch in batches:
        batch.refuse_extras("RecordIO-protobuf")
        if batch.is_sparse:
            write_sparse(out, batch.sparse(), batch.label)
        else:
            labels = {} if batch.label is None else {KEY.decode(): batch.label}
            write_dense(out, batch.dense(), labels)


class _Decoder:
    """Takes runs of dense records of one length through a stencil, and all others by a table.

    Dense rows are gathered into batches of some MiB; sparse ones come as they are found.
    """

    def __init__(self, stream: BinaryIO, name: str, reading: Reading) -> None:
        self._window = Window(stream, name)
        self._rules = RowRules(reading)
        self._stencil: Stencil | None = None
        self._paths: list[Path] = []
        self._step = _FIRST_STEP
        self._gathered: _DenseRows | None = None

    def batches(self) -> Iterator[Batch]:
        while self._window.fill():
            more = True
            while more:
                yield from self._run()
                batch = self._others()
                more = batch is not None
                if batch and batch.is_sparse:
                    yield from self._flush()
                    yield batch
                elif batch:
                    yield from self._gather(batch)
        yield from self._flush()
        self._window.check_end()

    def _run(self) -> Iterator[Batch]:
        """Take the records from here on that fit the stencil."""
        window, stencil = self._window, self._stencil
        count = stencil.repeats(window.data, window.start, window.end) if stencil else 0
        if count >= _WORTHWHILE_RUN:
            self._step = _FIRST_STEP
        while stencil and count:
            features, labels = self._space(count)
            stencil.read(stencil.features, window.data, window.start, features)
            if labels is not None and stencil.label:
                stencil.read(stencil.label, window.data, window.start, labels)
            try:
                self._rules.check_features(features)
                if labels is not None:
                    self._rules.check_labels(labels)
            except RowFault as fault:
                head = window.start + fault.row * stencil.size
                raise fault.caller_error(window.where(fault.row, head)) from None
            rows = len(features)
            window.advance(rows, window.start + rows * stencil.size)
            count -= rows
            yield from self._flush_full()

    def _others(self) -> Batch | None:
        """Take some records whatever their layouts; None if no whole one is there."""
        frames = self._window.frames(self._step)
        if frames is None:
            return None
        buffer, table = self._table(frames)
        try:
            batch = batch_of(buffer, table, self._rules)
        except RowFault as fault:
            head = int(frames.heads[fault.row])
            raise fault.caller_error(self._window.where(fault.row, head)) from None
        self._step = _LONGEST_STEP if batch.is_sparse else min(2 * self._step, _LONGEST_STEP)
        if not batch.is_sparse and frames.next_start < self._window.end:
            self._learn_stencil(frames)
        self._window.advance(batch.rows, frames.next_start)
        return batch

    def _table(self, frames: Frames) -> tuple[Bytes, Table]:
        """Where the numbers of the records lie in the buffer that is returned with it."""
        table, spare = Table(len(frames.heads)), bytearray()
        data, starts, stops = frames.data, frames.starts, frames.stops
        rows, unknown = np.arange(len(frames.heads)), _MOST_PATHS
        for path in self._paths:
            rows = path.enter(data, starts, stops, rows, table)
        while len(rows):
            row, rows = int(rows[0]), rows[1:]
            message = self._message(frames, row)
            table.enter(row, message, data, int(starts[row]), spare)
            if message.steps is None or not unknown:
                continue
            unknown -= 1
            span = int(starts[row]), int(stops[row])
            if learned := Path.of(message, message.steps, data, span):
                self._paths = [learned, *self._paths[: _MOST_PATHS - 1]]
                rows = learned.enter(data, starts, stops, rows, table)
        return np.concatenate([data, np.frombuffer(spare, np.uint8)]) if spare else data, table

    def _learn_stencil(self, frames: Frames) -> None:
        """Expect that dense records go on as the last one, unless it was split."""
        record = self._window.data[int(frames.heads[-1]) : frames.next_start].tobytes()
        message = frames.data[frames.starts[-1] : frames.stops[-1]].tobytes()
        if record == framed(message):
            self._stencil = Stencil.of(record, parse(message), HEADER_BYTES)

    def _message(self, frames: Frames, row: int) -> Message:
        """One message, which has what rows need."""
        head = int(frames.heads[row])
        try:
            message = parse(frames.data[frames.starts[row] : frames.stops[row]].tobytes())
        except Malformed as fault:
            where = self._window.where(row, head + HEADER_BYTES + fault.offset)
            raise CallerError.of(where, f"is no protobuf message of a row: {fault}") from None
        for side in SIDES:
            names, tensor = message.names[side], message.tensors.get(side)
            if side == "label" and (not self._rules.wants_label or not names):
                continue
            where = f"{self._window.where(row, head)}, {side}"
            if tensor is None:
                rule = f"must hold numbers under the name {KEY.decode()!r}"
                raise CallerError.of(where, rule, ", ".join(names) or "nothing")
            if tensor.kind not in {FLOAT32, FLOAT64, INT32}:
                kind = "bytes" if tensor.kind == BYTES else "nothing"
                raise CallerError.of(where, "must be a tensor of numbers", kind)
        return message

    def _gather(self, batch: Batch) -> Iterator[Batch]:
        done, found = 0, batch.dense()
        while done < batch.rows:
            features, labels = self._space(batch.rows - done)
            features[...] = found[done : done + len(features)]
            if labels is not None and batch.label is not None:
                labels[...] = batch.label[done : done + len(features)].reshape(labels.shape)
            done += len(features)
            yield from self._flush_full()

    def _space(self, rows: int) -> tuple[Floats, Floats | None]:
        """Room for features and labels of so many rows, or as many as there is room for."""
        if self._gathered is None:
            self._gathered = _DenseRows(self._rules.width or 0, self._rules.label_size or 0)
        return self._gathered.take(rows)

    def _flush_full(self) -> Iterator[Batch]:
        if self._gathered and self._gathered.is_full:
            yield from self._flush()

    def _flush(self) -> Iterator[Batch]:
        if self._gathered:
            yield self._gathered.batch()
            self._gathered = None


class _DenseRows:
    """Room for dense rows, taken bit by bit."""

    def __init__(self, width: int, label_size: int) -> None:
        rows = max(1, _BATCH_BYTES // (4 * width))
        self._features = np.empty((rows, width), np.float32)
        self._labels = np.empty((rows, label_size), np.float32) if label_size else None
        self._taken = 0

    @property
    def is_full(self) -> bool:
        return self._taken == len(self._features)

    def take(self, rows: int) -> tuple[Floats, Floats | None]:
        place = slice(self._taken, self._taken + rows)
        features = self._features[place]
        self._taken += len(features)
        return features, None if self._labels is None else self._labels[place]

    def batch(self) -> Batch:
        features = self._features[: self._taken]
        if self._taken <= len(self._features) // 2:
            # So that a few rows do not hold on to the whole room
            features = features.copy()
        if self._labels is None:
            return Batch(features)
        labels = self._labels[: self._taken]
        return Batch(features, labels.ravel() if labels.shape[1] == 1 else labels)
