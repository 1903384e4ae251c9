"""Requests signed by botocore's own signers, as they come over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from clary.aws.keys import Keys
from clary.aws.signed_request import SignedRequest

KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
NOW = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)


def signed(
    signer: type[auth.SigV4Auth] = auth.SigV4Auth,
    service: str = "sagemaker",
    method: str = "POST",
    url: str = "http://127.0.0.1:8042/",
    headers: Mapping[str, str] = {},
    body: bytes = b"",
    credentials: Credentials | None = None,
    context: Mapping[str, Any] = {},
    **more: Any,
) -> SignedRequest:
    """What a signer of botocore makes of a request at NOW."""
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    request.context.update(context)
    credentials = credentials or Credentials(KEYS.access_key, KEYS.secret_key)
    with mock.patch.object(auth, "get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        signer(credentials, service, "us-east-1", **more).add_auth(request)
    return received(request)


def received(request: AWSRequest) -> SignedRequest:
    """The request as a server gets it."""
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    headers = [(b"host", parts.netloc.encode())]
    for name, value in prepared.headers.items():
        data = value if isinstance(value, bytes) else str(value).encode()
        headers.append((name.lower().encode(), data))
    path = (parts.path or "/").encode()
    return SignedRequest(prepared.method, path, parts.query.encode(), tuple(headers))


def chunked(
    keys: Keys, url: str, pieces: list[bytes], trailer: bytes = b""
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a PUT now, in signed chunks, as SDKs other than botocore send it.

    trailer: a line like `x-amz-checksum-crc32:AAAAAA==`.
    """
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else "")
    headers = {
        "Content-Encoding": "aws-chunked",
        "X-Amz-Content-SHA256": kind,
        "X-Amz-Decoded-Content-Length": str(sum(map(len, pieces))),
    }
    if trailer:
        headers["X-Amz-Trailer"] = trailer.partition(b":")[0].decode()
    request = AWSRequest("PUT", url, headers=headers)
    signer = auth.SigV4Auth(Credentials(keys.access_key, keys.secret_key), "s3", "us-east-1")
    signer.add_auth(request)
    previous = request.headers["Authorization"].rpartition("=")[2]
    scope = signer.credential_scope(request)
    body = b""

    def sign(name: str, *digests: str) -> str:
        told = "\n".join([name, request.context["timestamp"], scope, previous, *digests])
        return str(signer.signature(told, request))

    for piece in [*pieces, b""]:
        digests = (sha256(b"").hexdigest(), sha256(piece).hexdigest())
        previous = sign("AWS4-HMAC-SHA256-PAYLOAD", *digests)
        body += b"%x;chunk-signature=%s\r\n%s" % (len(piece), previous.encode(), piece)
        body += b"\r\n" if piece else b""
    if trailer:
        end = sign("AWS4-HMAC-SHA256-TRAILER", sha256(trailer + b"\n").hexdigest())
        body += trailer + b"\r\nx-amz-trailer-signature:" + end.encode() + b"\r\n"
    return dict(request.headers.items()), body + b"\r\n"


def changed(request: SignedRequest, name: str, value: bytes) -> SignedRequest:
    """The request with another value of a header."""
    kept = [one for one in request.headers if one[0] != name.encode()]
    return replace(request, headers=(*kept, (name.encode(), value)))
