"""JSON Lines: one row a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from clary.codecs import instance_texts, instances, lines
from clary.codecs.batch import Batch
from clary.codecs.reading import Reading
from clary.codecs.rows import RowFault, RowRules


def decode(stream: BinaryIO, name: str, reading: Reading) -> Iterator[Batch]:
    """The rows of a stream of lines, in blocks of about a MiB of text; blank lines are passed over.

    Raises:
        CallerError: names `name`, the line (from 1), and the column or the field.
    """
    rules = RowRules(reading)
    for block in lines.blocks(stream, name):
        numbered = list(block.lines())
        if not numbered:
            continue
        found = [_parsed(text, name, number) for number, text in numbered]
        try:
            yield instances.rows(found, rules)
        except RowFault as fault:
            raise fault.caller_error(f"{name}, line {numbered[fault.row][0]}") from None


def encode(batches: Iterable[Batch], out: BinaryIO) -> None:
    """Write each row as `{"features": […], "label": …}`, sparse ones with keys and shape.

    Raises:
        CallerError: rows have weights or more, for which the format has no place.
    """
    for batch in batches:
        for text in instance_texts.texts(batch):
            out.write(text + b"\n")


def _parsed(text: bytes, name: str, number: int) -> object:
    try:
        return instances.parse(text)
    except instances.NotJson as fault:
        remedy = "Each line must hold one instance and nothing else."
        where = f"{name}, line {number}, column {fault.column}"
        raise fault.caller_error(where, remedy) from None
