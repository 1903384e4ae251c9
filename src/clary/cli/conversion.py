"""`clary convert`: the same rows in another format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from clary.cli.terminal import say
from clary.codecs.batch import Batch
from clary.codecs.content_type import EXTENSIONS, ContentType, parse_content_type
from clary.codecs.formats import FORMATS, decode, encode, sniff
from clary.codecs.reading import Reading
from clary.errors import CallerError
from clary.storage.folder import whole_file

_HEAD_BYTES = 64 * 1024
_TABLES = {"text/csv", "application/x-parquet"}


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--from", "from_", metavar="TYPE", help="Content type of SOURCE.  [its first bytes]")
@click.option("--to", metavar="TYPE", help="Content type of TARGET.  [its extension]")
@click.option("--label-size", type=click.IntRange(0), help="Leading label columns.  [1]")
def convert(
    source: Path, target: Path, from_: str | None, to: str | None, label_size: int | None
) -> None:
    """Rewrite SOURCE as TARGET in another format; nothing is left of TARGET on failure."""
    if not source.is_file():
        raise CallerError.of(str(source), "must be an existing file")
    target_type = _target_type(target, to)
    with source.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        stream.seek(0)
        source_type = parse_content_type(from_) if from_ else sniff(head, source.name)
        labels = source_type.label_size(1) if label_size is None else label_size
        if source_type.name in _TABLES and label_size is None and not source_type.parameters:
            say(
                f"{source}: the first column is taken for the label (--label-size 0: there is none)"
            )
        reading = Reading(label_size=labels, missing=True)
        rows = _Counted(decode(stream, str(source), source_type, reading))
        with whole_file(target) as out:
            encode(iter(rows), out, target_type)
    say(f"{target}: {rows.count:,} rows as {target_type.name}")


def _target_type(target: Path, to: str | None) -> ContentType:
    suffix = Path(target.name.removesuffix(".gz")).suffix.lower()
    name = to or EXTENSIONS.get(suffix)
    if name is None:
        raise CallerError.of(
            str(target), "the format does not follow from the name", suffix, "Say --to TYPE."
        )
    found = parse_content_type(name)
    if found.name not in FORMATS:
        raise CallerError.of(
            "--to", "is no format that Clary writes", name, f"Known: {', '.join(FORMATS)}."
        )
    return replace(found, written=name)


class _Counted:
    """Batches as they pass, and how many rows they held."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self.count = 0

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._batches:
            self.count += batch.rows
            yield batch
