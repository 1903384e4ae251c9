"""A request as its signer saw it, and what it says of its signature."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from urllib.parse import unquote_to_bytes

from clary.aws.errors import NotVerified, Wrong

ALGORITHM = "AWS4-HMAC-SHA256"
STAMP = "%Y%m%dT%H%M%SZ"
LONGEST_LINK_SECONDS = 604_800
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_SCOPE = re.compile(r"([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")
# A link's parameters; the last may be missing
_LINK = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")


@dataclass(frozen=True)
class SignedRequest:
    """path and query: as they came, percent-encoded. headers: names in lower case."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        """Names and values of the query, decoded, in their order."""
        pairs = [one.partition(b"=") for one in self.query.split(b"&")] if self.query else []
        return [(_decoded(name), _decoded(value)) for name, _, value in pairs]

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        wanted = name.encode()
        return [value.decode("latin-1") for one, value in self.headers if one == wanted]

    def header(self, name: str) -> str | None:
        """The value of a header that may come once.

        Raises:
            NotVerified: it comes twice, or is not ASCII.
        """
        return _single(name, self.values(name))

    def parameter(self, name: str) -> str | None:
        """The value of a parameter that may come once.

        Raises:
            NotVerified: it comes twice, or is not ASCII.
        """
        return _single(name, [value for one, value in self.parameters if one == name])


@dataclass(frozen=True)
class Claim:
    """What a request says of its signature.

    when: seconds of the epoch. seconds: how long a link holds; None for signed headers.
    """

    access_key: str
    date: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str
    stamp: str
    when: float
    token: str | None
    seconds: int | None

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def claim_of(request: SignedRequest) -> Claim:
    """
    Raises:
        NotVerified: the request is not signed, or not completely.
    """
    authorization = request.header("authorization")
    link = request.parameter("X-Amz-Algorithm") or request.parameter("X-Amz-Signature")
    if authorization and link:
        raise NotVerified(Wrong.INCOMPLETE, "Only one auth mechanism allowed")
    if authorization:
        return _of_header(request, authorization)
    if link:
        return _of_link(request)
    raise NotVerified(Wrong.MISSING)


def _of_header(request: SignedRequest, authorization: str) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise NotVerified(Wrong.MECHANISM)
    parts = {
        name.strip(): value.strip()
        for name, _, value in (one.partition("=") for one in rest.split(","))
    }
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not parts.get(name):
            raise NotVerified(
                Wrong.INCOMPLETE, f"Authorization header requires '{name}' parameter."
            )
    signed = tuple(parts["SignedHeaders"].split(";"))
    stamp, when = _time(request, signed)
    token = request.header("x-amz-security-token")
    return _claim(parts["Credential"], signed, parts["Signature"], stamp, when, token, None)


def _of_link(request: SignedRequest) -> Claim:
    given = {name: request.parameter(f"X-Amz-{name}") or "" for name in _LINK}
    for name, value in given.items():
        if not value:
            raise NotVerified(Wrong.INCOMPLETE, f"The query requires the X-Amz-{name} parameter.")
    if given["Algorithm"] != ALGORITHM:
        raise NotVerified(Wrong.MECHANISM)
    seconds = given["Expires"]
    if not (re.fullmatch(r"\d{1,7}", seconds) and 0 < int(seconds) <= LONGEST_LINK_SECONDS):
        raise NotVerified(
            Wrong.INCOMPLETE,
            f"X-Amz-Expires must be from 1 to a week ({LONGEST_LINK_SECONDS}) in seconds",
        )
    return _claim(
        given["Credential"],
        tuple(given["SignedHeaders"].split(";")),
        given["Signature"],
        given["Date"],
        _seconds(given["Date"]),
        request.parameter("X-Amz-Security-Token") or request.header("x-amz-security-token"),
        int(seconds),
    )


def _claim(
    credential: str,
    signed: tuple[str, ...],
    signature: str,
    stamp: str,
    when: float,
    token: str | None,
    seconds: int | None,
) -> Claim:
    found = _SCOPE.fullmatch(credential)
    if not found or not _SIGNATURE.fullmatch(signature):
        what = "Signature" if found else "Credential"
        raise NotVerified(Wrong.INCOMPLETE, f"The {what} is malformed.")
    if found[2] != stamp[:8]:
        raise NotVerified(
            Wrong.SCOPE, f"Date in Credential scope does not match YYYYMMDD from {stamp}."
        )
    return Claim(
        found[1], found[2], found[3], found[4], signed, signature, stamp, when, token, seconds
    )


def _time(request: SignedRequest, signed: tuple[str, ...]) -> tuple[str, float]:
    stamp = request.header("x-amz-date")
    if stamp:
        return stamp, _seconds(stamp)
    date = request.header("date")
    if not date or "date" not in signed:
        raise NotVerified(
            Wrong.INCOMPLETE,
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        )
    try:
        when = parsedate_to_datetime(date).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotVerified(Wrong.INCOMPLETE, "The Date header is malformed.") from None
    return when.strftime(STAMP), when.timestamp()


def _seconds(stamp: str) -> float:
    try:
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise NotVerified(Wrong.INCOMPLETE, "X-Amz-Date must be like 20150830T123600Z.") from None


def _single(name: str, values: list[str]) -> str | None:
    if len(values) > 1:
        raise NotVerified(Wrong.INCOMPLETE, f"{name} comes more than once.")
    if values and not values[0].isascii():
        raise NotVerified(Wrong.INCOMPLETE, f"{name} must be ASCII.")
    return values[0] if values else None


def _decoded(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "surrogateescape")
