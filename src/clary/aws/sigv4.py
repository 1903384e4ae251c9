"""Signature Version 4, verified: who sent a request, and that it is what was sent.

Source: AWS's documents on signing requests. botocore signs only; what is refused here is refused
for what it could let through: headers that change what is done and are not signed, a signature
made for another service, a time too far away.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

from clary.aws.errors import NotVerified, Wrong
from clary.aws.signed_request import ALGORITHM, STAMP, Claim, SignedRequest, claim_of

SKEW_SECONDS = 900
UNSIGNED = "UNSIGNED-PAYLOAD"
# secret of (access key, session token, now)
Secrets = Callable[[str, str | None, float], str]
_UNRESERVED = "-_.~"


@dataclass(frozen=True)
class Seal:
    """A signature that holds, from which those of a body's chunks go on."""

    claim: Claim
    key: bytes

    def signature(self, kind: str, *rest: str) -> str:
        """The signature of a string of a kind: `AWS4-HMAC-SHA256`, `…-PAYLOAD`, `…-TRAILER`."""
        text = "\n".join([kind, self.claim.stamp, self.claim.scope, *rest])
        return hmac.digest(self.key, text.encode(), hashlib.sha256).hex()


def claimed(
    request: SignedRequest, secret_of: Secrets, services: Collection[str], now: float
) -> Seal:
    """What can be refused without the body: keys, service, time, headers that are not signed.

    Raises:
        NotVerified: it is.
    """
    claim = claim_of(request)
    if claim.service not in services:
        wanted = " or ".join(f"'{name}'" for name in sorted(services))
        raise NotVerified(Wrong.SCOPE, f"Credential should be scoped to correct service: {wanted}.")
    _check_headers(request, claim)
    seal = Seal(claim, _key(secret_of(claim.access_key, claim.token, now), claim))
    _check_time(claim, now)
    return seal


def check_signature(request: SignedRequest, seal: Seal, digest: str) -> None:
    """
    Raises:
        NotVerified: request and digest are not what was signed.
    """
    canonical = canonical_request(request, seal.claim, digest)
    expected = seal.signature(ALGORITHM, hashlib.sha256(canonical).hexdigest())
    if not hmac.compare_digest(expected, seal.claim.signature):
        raise NotVerified(Wrong.SIGNATURE)


def verified(
    request: SignedRequest,
    digest: str,
    secret_of: Secrets,
    services: Collection[str],
    now: float,
) -> Seal:
    """The seal of a request that is its signer's, for one of the services; digest: of its body.

    Raises:
        NotVerified: it is not.
    """
    seal = claimed(request, secret_of, services, now)
    check_signature(request, seal, digest)
    return seal


def canonical_request(request: SignedRequest, claim: Claim, digest: str) -> bytes:
    """What was signed, but for time and scope."""
    headers = [
        name.encode() + b":" + b",".join(_trimmed(value) for value in _values(request, name))
        for name in claim.signed
    ]
    return b"\n".join(
        [
            request.method.encode(),
            _path(request.path, claim.service),
            _query(request),
            *headers,
            b"",
            ";".join(claim.signed).encode(),
            digest.encode(),
        ]
    )


def _check_headers(request: SignedRequest, claim: Claim) -> None:
    """All that says what is to be done must be signed."""
    needed = {"host"} | {
        name
        for name in (name.decode("latin-1") for name, _ in request.headers)
        if name.startswith(("x-amz-", "x-amzn-sagemaker-"))
        or (name == "content-type" and claim.service != "s3" and claim.seconds is None)
    }
    if list(claim.signed) != sorted(set(claim.signed)):
        raise NotVerified(Wrong.INCOMPLETE, "SignedHeaders must be sorted, each name once.")
    missing = sorted(needed - set(claim.signed))
    if missing:
        raise NotVerified(Wrong.HEADERS, ", ".join(missing))


def _check_time(claim: Claim, now: float) -> None:
    ends = claim.when + (SKEW_SECONDS if claim.seconds is None else claim.seconds)
    at = _stamp(now)
    if now > ends:
        why = f"is now earlier than {_stamp(now - SKEW_SECONDS)} ({at} - 15 min.)"
        wrong = Wrong.SKEWED if claim.seconds is None else Wrong.LINK_EXPIRED
        raise NotVerified(wrong, f"Signature expired: {claim.stamp} {why}")
    if claim.when > now + SKEW_SECONDS:
        why = f"is still later than {_stamp(now + SKEW_SECONDS)} ({at} + 15 min.)"
        raise NotVerified(Wrong.SKEWED, f"Signature not yet current: {claim.stamp} {why}")


def _key(secret: str, claim: Claim) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (claim.date, claim.region, claim.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key


def _path(path: bytes, service: str) -> bytes:
    """S3 signs the path as it is, all others once more encoded and without its detours."""
    if service == "s3":
        return quote(unquote_to_bytes(path), safe="/" + _UNRESERVED).encode()
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in {b"", b"."}:
            parts.append(part)
    end = b"/" if parts and path.endswith(b"/") else b""
    return quote(b"/" + b"/".join(parts) + end, safe="/" + _UNRESERVED).encode()


def _query(request: SignedRequest) -> bytes:
    pairs = sorted(
        (_encoded(name), _encoded(value))
        for name, value in request.parameters
        if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in pairs).encode()


def _values(request: SignedRequest, name: str) -> list[bytes]:
    return [value for one, value in request.headers if one == name.encode()]


def _trimmed(value: bytes) -> bytes:
    return b" ".join(value.split())


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=_UNRESERVED)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(STAMP)
