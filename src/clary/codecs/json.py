"""JSON: one document whose `instances` are the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

from clary.codecs import instance_texts, instances
from clary.codecs.batch import Batch
from clary.codecs.reading import Reading
from clary.codecs.rows import RowFault, RowRules
from clary.errors import CallerError

# Parsed, a document takes some ten times its length of memory
LONGEST = 128 * 2**20

_UTF8_BOM = b"\xef\xbb\xbf"


def decode(stream: BinaryIO, name: str, reading: Reading) -> Iterator[Batch]:
    """All rows of a document in one batch.

    Raises:
        CallerError: names `name` and the line and column, or the instance (from 1) and the field.
    """
    text = stream.read(LONGEST + 1)
    if len(text) > LONGEST:
        remedy = "JSON Lines can be of any length."
        raise CallerError.of(name, f"must have at most {LONGEST:,} bytes", "more", remedy)
    found = _instances(text.removeprefix(_UTF8_BOM), name)
    try:
        yield instances.rows(found, RowRules(reading))
    except RowFault as fault:
        raise fault.caller_error(f"{name}, instance {fault.row + 1}") from None


def encode(batches: Iterable[Batch], out: BinaryIO) -> None:
    """Write one document, with labels where there are any.

    Raises:
        CallerError: rows have weights or more, for which the format has no place.
    """
    out.write(b'{"instances": [')
    texts = chain.from_iterable(map(instance_texts.texts, batches))
    for place, text in enumerate(texts):
        out.write(b", " + text if place else text)
    out.write(b"]}")


def _instances(text: bytes, name: str) -> list[Any]:
    try:
        document = instances.parse(text)
    except instances.NotJson as fault:
        remedy = ""
        if fault.column == 1 and fault.line > 1 and str(fault) == "trailing characters":
            remedy = "Is this JSON Lines? Its content type is application/jsonlines."
        where = f"{name}, line {fault.line}, column {fault.column}"
        raise fault.caller_error(where, remedy) from None
    found = document.get("instances") if type(document) is dict else None
    if type(found) is not list or not found:
        got = instances.kind(document)
        if type(document) is dict:
            got = ", ".join(document) or "an empty object"
        if found is not None:
            got = f"instances that are {instances.kind(found) if found else 'empty'}"
        rule = "must be an object with a list of instances"
        raise CallerError.of(name, rule, got, 'For example {"instances": [{"features": [1.5]}]}.')
    return found
