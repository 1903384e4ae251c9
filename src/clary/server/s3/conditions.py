"""If-Match, If-None-Match and the times: whether a request still means the object that is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from clary.server.s3.refusals import refusal


def check_read(
    headers: Mapping[str, str], etag: str, modified_ns: int, prefix: str = "", *, copy: bool = False
) -> None:
    """
    prefix: of the headers' names; a copy has its own, and is refused where a read is `304`.

    Raises:
        Refusal: the object is another, or the one that the client has.
    """
    unchanged = "PreconditionFailed" if copy else "NotModified"
    match, none = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    if match is not None and not _names(match, etag):
        raise refusal("PreconditionFailed")
    if none is not None and _names(none, etag):
        raise refusal(unchanged)
    seconds = modified_ns // 1_000_000_000
    before = _time(headers.get(f"{prefix}if-unmodified-since"))
    since = _time(headers.get(f"{prefix}if-modified-since"))
    if match is None and before is not None and seconds > before:
        raise refusal("PreconditionFailed")
    if none is None and since is not None and seconds <= since:
        raise refusal(unchanged)


def check_write(headers: Mapping[str, str], etag: str | None) -> None:
    """
    etag: of the object that would be replaced; None where there is none.

    Raises:
        Refusal: there is one though there should not be, or it is another.
    """
    match, none = headers.get("if-match"), headers.get("if-none-match")
    if match is not None and etag is None:
        raise refusal("NoSuchKey")
    if match is not None and not _names(match, etag or ""):
        raise refusal("PreconditionFailed")
    if none is not None and none.strip() != "*":
        raise refusal("NotImplemented", "If-None-Match of a write takes only *")
    if none is not None and etag is not None:
        raise refusal("PreconditionFailed")


def _names(header: str, etag: str) -> bool:
    named = {each.strip().removeprefix("W/").strip('"') for each in header.split(",")}
    return bool(named & {"*", etag})


def _time(text: str | None) -> float | None:
    """A header's time in seconds; what is no time does not count."""
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def http_time(modified_ns: int) -> str:
    """As `Last-Modified` writes it."""
    moment = datetime.fromtimestamp(modified_ns // 1_000_000_000, UTC)
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def xml_time(modified_ns: int) -> str:
    """As S3's answers write it; whole seconds, like Last-Modified."""
    moment = datetime.fromtimestamp(modified_ns // 1_000_000_000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
