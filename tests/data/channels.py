"""Rows, their files, and channels over them, for the tests of this folder."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from clary.codecs.batch import Batch, Floats
from clary.codecs.content_type import JSONLINES, LIBSVM, PARQUET
from clary.codecs.recordio import encode as write_records
from clary.data.channel import Channel
from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.data.pipes import PipeChannel
from clary.data.sources import Source
from clary.spec.channels import ChannelSpec

BEYOND = (LIBSVM, PARQUET, JSONLINES)
SUPERVISED = ChannelSpec("train", "Labelled rows.", label="first", beyond=BEYOND)
UNSUPERVISED = ChannelSpec("train", "Rows.", label="none", beyond=BEYOND)
OPTIONAL = ChannelSpec("test", "Rows, perhaps labelled.", label="optional", beyond=BEYOND)


def csv_lines(features: Floats, label: Floats | None = None) -> list[str]:
    """Rows as CSV, each number as short as it can be exact."""
    columns = features if label is None else np.column_stack([label, features])
    return [",".join(repr(float(value)) for value in row) for row in columns]


def write_csv(path: Path, lines: Sequence[str], *, end: str = "\n", packed: bool = False) -> None:
    """A file of lines; `end` is what follows the last one."""
    data = ("\n".join(lines) + (end if lines else "")).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if packed else data)


def write_recordio(path: Path, batch: Batch) -> None:
    """A file of records; of no bytes if there are no rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        write_records([batch] if batch.rows else [], out)


def over(
    source: Source, folder: Path, contents: Contents, shuffle_seed: int | None = None
) -> FolderChannel | PipeChannel:
    """The channel that a training reads where `source` was staged."""
    if source.input_mode == "Pipe":
        return PipeChannel(source.channel, folder, contents, source.record_wrapper)
    return FolderChannel(source.channel, folder / source.channel, contents, shuffle_seed)


def drained(channel: Channel, rows: int, epochs: int = 1) -> list[list[Batch]]:
    """Every epoch's batches."""
    return [list(channel.batches(rows, epoch)) for epoch in range(epochs)]


def assert_same(ours: Iterable[Batch], theirs: Iterable[Batch]) -> None:
    """The same batches, bit for bit."""
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dense().tobytes() == other.dense().tobytes()
        assert mine.features.shape == other.features.shape
        assert (mine.label is None) == (other.label is None)
        if mine.label is not None and other.label is not None:
            assert mine.label.tobytes() == other.label.tobytes()
