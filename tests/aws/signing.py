"""Requests signed by botocore's own signers, as they come over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
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


def changed(request: SignedRequest, name: str, value: bytes) -> SignedRequest:
    """The request with another value of a header."""
    kept = [one for one in request.headers if one[0] != name.encode()]
    return replace(request, headers=(*kept, (name.encode(), value)))
