"""Links of Signature Version 2, which boto3 makes for S3 endpoints that are not AWS's.

Source: "Signing and authenticating REST requests" in S3's documents. A link protects method, path,
Content-Type, Content-MD5, `x-amz-` headers, and those parameters that S3 lists.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from clary.aws.errors import NotVerified, Wrong
from clary.aws.hosts import bucket_of, without_port
from clary.aws.signed_request import SignedRequest
from clary.aws.sigv4 import Secrets

# fmt: off
_SIGNED = frozenset({
    "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory",
    "lifecycle", "location", "logging", "metrics", "notification", "object-lock", "partNumber",
    "policy", "replication", "requestPayment", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "restore", "select", "select-type",
    "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
    "versions", "website",
})
# fmt: on


def is_link(request: SignedRequest) -> bool:
    names = {name for name, _ in request.parameters}
    return {"AWSAccessKeyId", "Signature"} <= names and "X-Amz-Algorithm" not in names


def verify_link(request: SignedRequest, secret_of: Secrets, now: float) -> None:
    """
    Raises:
        NotVerified: the link is not its signer's, or has expired.
    """
    expires = request.parameter("Expires") or ""
    if not (expires.isascii() and expires.isdecimal() and len(expires) <= 12):
        raise NotVerified(Wrong.INCOMPLETE, "The query requires an Expires parameter.")
    token = _amz(request).get("x-amz-security-token")
    secret = secret_of(request.parameter("AWSAccessKeyId") or "", token, now)
    text = string_to_sign(request, expires).encode("utf-8", "surrogateescape")
    digest = base64.b64encode(hmac.digest(secret.encode(), text, hashlib.sha1))
    given = (request.parameter("Signature") or "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(digest, given):
        raise NotVerified(Wrong.SIGNATURE)
    if now > int(expires):
        raise NotVerified(Wrong.LINK_EXPIRED, "Request has expired")


def string_to_sign(request: SignedRequest, expires: str) -> str:
    """What was signed; the resource is `/BUCKET/KEY` wherever the bucket is named."""
    amz = _amz(request)
    return "\n".join(
        [
            request.method,
            _either(request, "content-md5"),
            _either(request, "content-type"),
            expires,
            *(f"{name}:{amz[name]}" for name in sorted(amz)),
            _resource(request),
        ]
    )


def _amz(request: SignedRequest) -> dict[str, str]:
    """`x-amz-` headers, which a link may carry as parameters."""
    found: dict[str, list[str]] = {}
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
    for name, value in [*headers, *request.parameters]:
        if name.lower().startswith("x-amz-"):
            found.setdefault(name.lower(), []).append(value.strip())
    return {name: ",".join(values) for name, values in found.items()}


def _either(request: SignedRequest, name: str) -> str:
    return (request.header(name) or request.parameter(name) or "").strip()


def _resource(request: SignedRequest) -> str:
    # A name may come without value: `?uploads`
    bare = {one.decode("latin-1") for one in request.query.split(b"&") if one and b"=" not in one}
    given = sorted(
        name if name in bare else f"{name}={value}"
        for name, value in request.parameters
        if name in _SIGNED
    )
    path = request.path.decode("latin-1")
    bucket = bucket_of(without_port(request.header("host") or ""))
    if bucket:
        path = f"/{bucket}{path}"
    elif path.count("/") == 1 and path != "/":
        path += "/"
    return f"{path}?{'&'.join(given)}" if given else path
