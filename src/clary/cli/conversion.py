"""`clary convert`: the same rows in another format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from gzip import GzipFile
from pathlib import Path
from typing import BinaryIO, cast

import click

from clary.cli.terminal import say
from clary.codecs.batch import Batch
from clary.codecs.content_type import (
    CSV,
    EXTENSIONS,
    LIBSVM,
    PARQUET,
    ContentType,
    parse_content_type,
)
from clary.codecs.formats import FORMATS, decode, encode, sniff
from clary.codecs.reading import Reading
from clary.errors import CallerError
from clary.storage.folder import whole_file

_HEAD_BYTES = 64 * 1024
# That of gzip itself; Python's own is 9
_GZIP_LEVEL = 6


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--from", "from_", metavar="TYPE", help="Content type of SOURCE.  [its first bytes]")
@click.option("--to", metavar="TYPE", help="Content type of TARGET.  [its extension]")
@click.option("--label-size", type=click.IntRange(0), help="Leading label columns.  [1]")
def convert(
    source: Path, target: Path, from_: str | None, to: str | None, label_size: int | None
) -> None:
    """Rewrite SOURCE as TARGET in another format; nothing is left of TARGET on failure.

    A TARGET whose name ends with .gz is compressed.
    """
    if not source.is_file():
        raise CallerError.of(str(source), "must be an existing file")
    target_type = _target_type(target, to)
    source_type = _source_type(source, from_)
    labels = source_type.label_size(1) if label_size is None else label_size
    if source_type.name in {CSV, PARQUET} and label_size is None and not source_type.parameters:
        say(f"{source}: the first column is taken for the label (--label-size 0: there is none)")
    rows = _Rows(source, source_type, Reading(label_size=labels, missing=True))
    with whole_file(target) as out, _compressed(out, target) as packed:
        encode(rows, packed, target_type)
        if not rows.count:
            raise CallerError.of(str(source), "has no rows")
    say(f"{target}: {rows.count:,} rows of {rows.width:,} features as {target_type.name}")


def _source_type(source: Path, given: str | None) -> ContentType:
    if given:
        return parse_content_type(given)
    with source.open("rb") as stream:
        return sniff(stream.read(_HEAD_BYTES), str(source))


def _target_type(target: Path, given: str | None) -> ContentType:
    suffix = Path(target.name.removesuffix(".gz")).suffix.lower()
    name = given or EXTENSIONS.get(suffix)
    if name is None:
        raise CallerError.of(
            str(target), "the format does not follow from the name", suffix, "Say --to TYPE."
        )
    found = parse_content_type(name)
    if found.name not in FORMATS:
        raise CallerError.of(
            "--to", "is no format that Clary writes", name, f"Known: {', '.join(FORMATS)}."
        )
    return found


@contextmanager
def _compressed(out: BinaryIO, target: Path) -> Iterator[BinaryIO]:
    """The stream itself, or one that compresses; equal rows give equal bytes."""
    if target.suffix.lower() != ".gz":
        yield out
        return
    with GzipFile("", "wb", _GZIP_LEVEL, out, mtime=0) as packed:
        yield cast(BinaryIO, packed)


class _Rows:
    """The rows of a file as they pass; what they were like is known afterwards."""

    def __init__(self, source: Path, content_type: ContentType, reading: Reading) -> None:
        self.count = 0
        self.width = 0
        self._source = source
        self._type = content_type
        self._reading = reading

    def __iter__(self) -> Iterator[Batch]:
        reading = self._reading
        if self._type.name == LIBSVM:
            # Its rows do not say how wide they are, and other formats want them all alike
            width = max((batch.width for batch in self._decoded(reading)), default=1)
            reading = replace(reading, width=width)
        for batch in self._decoded(reading):
            self.count += batch.rows
            self.width = batch.width
            yield batch

    def _decoded(self, reading: Reading) -> Iterator[Batch]:
        with self._source.open("rb") as stream:
            yield from decode(stream, str(self._source), self._type, reading)
