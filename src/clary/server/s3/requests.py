"""A request to the store: its bucket, key, parameters and headers, as S3 writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from starlette.types import Scope

from clary.server.s3.refusals import refusal

# Parameters that make another operation of a request; the first that is there counts.
_SUBRESOURCES = (
    *("uploadId", "uploads", "delete", "tagging", "location", "versioning", "versions", "acl"),
    *("accelerate", "analytics", "attributes", "cors", "encryption", "intelligent-tiering"),
    *("inventory", "legal-hold", "lifecycle", "logging", "metrics", "notification", "object-lock"),
    *("ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication"),
    *("requestPayment", "restore", "retention", "select", "session", "torrent", "website"),
)


@dataclass(frozen=True)
class Request:
    """bucket and key are empty where the path has none. Names of headers are in lower case."""

    method: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def subresource(self) -> str:
        return next((name for name in _SUBRESOURCES if name in self.query), "")

    @property
    def resource(self) -> str:
        return "/" + self.bucket + ("/" + self.key if self.key else "")

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number among the parameters.

        Raises:
            Refusal: it is none, or out of its range.
        """
        text = self.query.get(name, str(default))
        if not (text.isascii() and text.isdecimal() and least <= int(text[:12]) <= most):
            raise refusal("InvalidArgument", f"{name} must be a number from {least} to {most}")
        return int(text)

    def copy_source(self) -> tuple[str, str] | None:
        """The bucket and key of `x-amz-copy-source`, if there is one.

        Raises:
            Refusal: it names none.
        """
        text = self.headers.get("x-amz-copy-source")
        if text is None:
            return None
        path, _, version = text.partition("?versionId=")
        bucket, _, key = unquote(path).removeprefix("/").partition("/")
        if not bucket or not key:
            raise refusal("InvalidArgument", "The copy source must name a bucket and a key")
        if version not in {"", "null"}:
            raise refusal("NoSuchVersion")
        return bucket, key


def request_of(scope: Scope) -> Request:
    """The request of an ASGI scope.

    Raises:
        Refusal: the path is no text.
    """
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    try:
        path = unquote_to_bytes(raw.partition(b"?")[0]).decode()
    except UnicodeDecodeError:
        raise refusal("InvalidURI") from None
    bucket, _, key = path.removeprefix("/").partition("/")
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Request(scope["method"], bucket, key, query, _headers(scope["headers"]))


def _headers(pairs: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
