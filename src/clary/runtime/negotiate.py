"""A request's bytes to an answer's bytes: in which form they come, in which they are answered.

Knows nothing of HTTP but the words of its two headers, so that the server and `clary predict`
give the same answers.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import BinaryIO

import numpy as np

from clary.algorithms import responder_of
from clary.codecs.batch import Batch, concatenate
from clary.codecs.content_type import CSV, JSON, JSONLINES, ContentType, parse_content_type
from clary.codecs.formats import decode, sniff
from clary.codecs.reading import Reading
from clary.codecs.responses import encode_answers
from clary.errors import CallerError, NotAcceptable, PayloadTooLarge, UnsupportedContentType
from clary.kit.model import Model, Outputs
from clary.settings import Serving
from clary.spec.outputs import Inference

BODY = "request body"

_HEAD_BYTES = 4096
_GZIP = b"\x1f\x8b"
_FORM = "application/x-www-form-urlencoded"


def answer(
    model: Model, body: bytes, content_type: str | None, accept: str | None, serving: Serving
) -> tuple[bytes, str]:
    """The whole answer to a request, and the answer's content type.

    Raises:
        UnsupportedContentType: the algorithm does not read the type.
        NotAcceptable: it writes none of the types accepted.
        PayloadTooLarge: a gzipped body unpacks to more than the limit.
        CallerError: the rows are malformed, or do not fit the model.
    """
    inference = model.algorithm.inference
    body = _unpacked(body, serving.max_payload_bytes)
    read = request_type(inference, content_type, body[:_HEAD_BYTES])
    written = answer_type(inference, accept, serving)
    pieces = answers(model, io.BytesIO(body), BODY, read, written, serving)
    return b"".join(pieces), written.name


def warm(model: Model, serving: Serving) -> None:
    """One prediction before the first request: lazy imports and compiled kernels are loaded.

    Raises:
        CallerError: the environment asks for answers that the algorithm does not write.
    """
    inference = model.algorithm.inference
    answer_type(inference, None, serving)
    if CSV in inference.accepts:
        fields = [column.example for column in inference.columns] or ["0"] * model.width
        asked = replace(serving, update=False)
        answer(model, ",".join(fields).encode(), CSV, None, asked)


def answers(
    model: Model,
    stream: BinaryIO,
    name: str,
    read: ContentType,
    written: ContentType,
    serving: Serving,
) -> Iterator[bytes]:
    """The answer to a stream of any length, in pieces that join to one document.

    Only application/json waits for the last row, since all its answers stand in one array.

    Raises:
        CallerError: the rows are malformed, or do not fit the model; `name` says where they are.
    """
    reading = Reading(
        label_size=read.label_size(0),
        width=model.width,
        missing=model.algorithm.inference.missing,
        columns=model.algorithm.inference.columns,
    )
    batches = _some(decode(stream, name, read, reading), name)
    pieces = _written(model.following(), batches, written, serving)
    return _parted(pieces) if written.name in {CSV, JSONLINES} else pieces


def request_type(inference: Inference, header: str | None, head: bytes) -> ContentType:
    """The type of a request: what its header says; without one, what its first bytes are, and if
    they do not tell, the algorithm's default.

    Raises:
        UnsupportedContentType: the algorithm does not read it.
    """
    if not (header or "").strip():
        return _guessed(head, inference)
    return _named_type(header or "", inference.accepts)


def answer_type(inference: Inference, header: str | None, serving: Serving) -> ContentType:
    """The type of the answer, by an Accept header with its lists, wildcards and q-values.

    Where anything will do it is SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT, else the algorithm's first.

    Raises:
        NotAcceptable: the algorithm writes none of the types.
    """
    return _best(header or "", inference.returns, serving.default_accept)


# Clients send the same few headers over and over
@lru_cache(maxsize=64)
def _named_type(header: str, accepts: tuple[str, ...]) -> ContentType:
    found = parse_content_type(header)
    known = _canonical(accepts)
    if found.name not in known:
        remedy = "curl says so unless told: -H 'Content-Type: text/csv'." * (found.name == _FORM)
        raise UnsupportedContentType.of(
            "Content-Type", f"must be one of {', '.join(known)}", header, remedy
        )
    return found


@lru_cache(maxsize=64)
def _best(header: str, returns: tuple[str, ...], default: str | None) -> ContentType:
    offers = _canonical(returns)
    if default:
        offers = [_default_accept(default, offers), *offers]
    ranges = [_range(part) for part in header.split(",") if part.strip()] or [_ANYTHING]
    ranked = []
    for rank, offer in enumerate(offers):
        fit, place = max((one.fit(offer), -place) for place, one in enumerate(ranges))
        if fit and ranges[-place].quality:
            ranked.append((ranges[-place].quality, fit, place, -rank))
    if not ranked:
        raise NotAcceptable.of("Accept", f"must allow one of {', '.join(offers)}", header)
    _, _, place, rank = max(ranked)
    return replace(ranges[-place].type, name=offers[-rank])


def _written(
    model: Model, batches: Iterator[Batch], content_type: ContentType, serving: Serving
) -> Iterator[bytes]:
    inference = model.algorithm.inference
    respond = responder_of(model.algorithm)
    if respond and content_type.name == JSON:
        yield respond(model, concatenate(list(batches)), content_type, serving)
    elif respond:
        for batch in batches:
            yield respond(model, batch, content_type, serving)
    elif content_type.name == JSON:
        outputs = _joined([model.predict(batch) for batch in batches])
        yield encode_answers(outputs, inference, content_type)
    else:
        for batch in batches:
            yield encode_answers(model.predict(batch), inference, content_type)


def _parted(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A newline after each piece but the last, where it has none itself."""
    ended = True
    for piece in pieces:
        yield piece if ended else b"\n" + piece
        ended = piece.endswith(b"\n")


@dataclass(frozen=True)
class _Range:
    """One entry of an Accept header."""

    type: ContentType
    quality: float

    def fit(self, name: str) -> int:
        """How closely it means a type: 0 not at all, 1 by `*/*`, 2 by `text/*`, 3 by name."""
        family = name.partition("/")[0]
        meant = {name: 3, f"{family}/*": 2, "*/*": 1, "*": 1}
        return meant.get(self.type.name, 0)


_ANYTHING = _Range(ContentType("*/*"), 1.0)


def _range(text: str) -> _Range:
    found = parse_content_type(text)
    try:
        quality = float(found.parameters.get("q", "1"))
    except ValueError:
        quality = 1.0
    return _Range(found, quality if 0 <= quality <= 1 else 1.0)


def _default_accept(text: str, offers: Sequence[str]) -> str:
    found = parse_content_type(text).name
    if found not in offers:
        raise NotAcceptable.of(
            "environment variable SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
            f"must be one of {', '.join(offers)}",
            text,
        )
    return found


def _canonical(names: Sequence[str]) -> list[str]:
    """Names with aliases resolved, each once."""
    return list(dict.fromkeys(parse_content_type(name).name for name in names))


def _guessed(head: bytes, inference: Inference) -> ContentType:
    try:
        found = sniff(head, BODY)
    except CallerError:
        return ContentType(inference.default_content_type)
    return _named_type(found.name, inference.accepts)


def _unpacked(body: bytes, limit: int) -> bytes:
    """A gzipped body unpacked, but no further than the limit: a little can hold very much."""
    if not body.startswith(_GZIP):
        return body
    try:
        with gzip.open(io.BytesIO(body)) as unpacker:
            unpacked = unpacker.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CallerError.of(BODY, f"is damaged gzip ({error})") from None
    if len(unpacked) > limit:
        raise PayloadTooLarge.of(BODY, f"must unpack to at most {limit:,} bytes")
    return unpacked


def _some(batches: Iterator[Batch], name: str) -> Iterator[Batch]:
    first = next(batches, None)
    if first is None:
        raise CallerError.of(name, "holds no rows")
    return chain([first], batches)


def _joined(parts: Sequence[Outputs]) -> Outputs:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
