"""What a channel's bytes are: declared, or decided by looking at them; and how they are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from clary.codecs import formats
from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, LIBSVM, PARQUET, ContentType, parse_content_type
from clary.codecs.reading import Reading
from clary.errors import CallerError
from clary.spec.channels import ChannelSpec

# As much of a file as is looked at to tell its format.
HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Contents:
    """What is known of a channel before its bytes are seen.

    content_type: as declared; None lets the first bytes decide.
    width: features a row must have (`feature_dim`); None takes the first row's.
    weights: in CSV, the column after the label is the row's weight.
    one_width: also rows of libsvm, which does not say a width, must all be as wide as the widest.
    """

    spec: ChannelSpec
    content_type: str | None = None
    width: int | None = None
    weights: bool = False
    one_width: bool = False


def reading_for(
    spec: ChannelSpec, content_type: ContentType, width: int | None = None, weights: bool = False
) -> Reading:
    """How a channel's rows are to be read.

    The label columns are those that `label_size` says; without it, one where the channel needs a
    label and none elsewhere. Formats that mark the label themselves keep one that may be used.

    Raises:
        CallerError: label_size is not a whole number.
    """
    in_columns = content_type.name in {CSV, PARQUET}
    default = 1 if spec.label == "first" or (spec.label == "optional" and not in_columns) else 0
    return Reading(
        label_size=content_type.label_size(default),
        weights=weights and content_type.name == CSV,
        width=width,
        missing=spec.missing,
        columns=spec.columns,
    )


class Decoder:
    """A channel's streams to blocks of rows, all of one width."""

    def __init__(self, channel: str, contents: Contents, head: bytes, name: str) -> None:
        """`head` are the first bytes of the channel, of the file called `name`.

        Raises:
            CallerError: the bytes are not what was declared, or nothing that the channel takes.
        """
        self._channel = channel
        self._contents = contents
        self._first: tuple[str, int] | None = None
        self.content_type = _settled(channel, contents, head, name)
        reading = reading_for(contents.spec, self.content_type, contents.width, contents.weights)
        if contents.spec.label == "optional" and self.content_type.name == LIBSVM:
            reading = replace(reading, label_size=reading.label_size and _starts_bare(head))
        self._reading = reading

    @property
    def lacks_width(self) -> bool:
        """Whether all rows have to be seen to know how wide they are to be."""
        unknown = self.content_type.name == LIBSVM and self._reading.width is None
        return unknown and self._contents.one_width

    def settle_width(self, width: int) -> None:
        """From now on rows are so wide."""
        self._reading = replace(self._reading, width=width)

    @property
    def sniffed(self) -> bool:
        """Whether the bytes decided the content type."""
        return self._contents.content_type is None

    def blocks(self, stream: BinaryIO, name: str) -> Iterator[Batch]:
        """The rows of one stream; `name` is what messages call it.

        Raises:
            CallerError: the bytes cannot be read, or the rows are not as wide as they must be.
        """
        for block in formats.decode(stream, name, self.content_type, self._reading):
            self._check_width(block, name)
            yield replace(block, label=None) if self._contents.spec.label == "none" else block

    def _check_width(self, block: Batch, name: str) -> None:
        """Decoders compare the rows of one file; libsvm's say no width at all."""
        if self.content_type.name == LIBSVM:
            return
        first_name, width = self._first = self._first or (name, block.width)
        if block.width != width:
            raise CallerError.of(
                f"channel {self._channel}, {name}",
                f"rows must have as many features as those of {first_name}, {width}",
                block.width,
            )


def _starts_bare(head: bytes) -> int:
    """1 if the first row of libsvm begins with a token without a colon, its label; else 0."""
    tokens = next((line.split() for line in head.splitlines() if line.split(b"#")[0].strip()), [])
    return int(bool(tokens) and b":" not in tokens[0])


def _settled(channel: str, contents: Contents, head: bytes, name: str) -> ContentType:
    if not contents.content_type:
        return _taken(channel, contents.spec, formats.sniff(head, name))
    declared = _taken(channel, contents.spec, parse_content_type(contents.content_type))
    # A text may begin as other formats do, and the reader of texts tells what is none
    anything = contents.spec.columns and declared.name == CSV
    fault = None if anything else formats.contradiction(declared, head, name)
    if fault:
        raise CallerError(replace(fault, thing=f"channel {channel}, {fault.thing}"))
    return declared


def _taken(channel: str, spec: ChannelSpec, content_type: ContentType) -> ContentType:
    taken = [parse_content_type(each).name for each in (*spec.content_types, *spec.beyond)]
    if content_type.name not in taken:
        known = ", ".join(dict.fromkeys(taken))
        raise CallerError.of(f"channel {channel}", f"takes {known}", content_type.name)
    return content_type
