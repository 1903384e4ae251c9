"""Links of Signature Version 2, as boto3 makes them for S3 endpoints that are not AWS's."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from clary.aws.errors import NotVerified, Wrong
from clary.aws.signed_request import SignedRequest
from clary.aws.sigv2 import is_link, verify_link
from tests.aws.signing import KEYS


def link(
    operation: str,
    method: str,
    token: str | None = None,
    endpoint: str | None = "http://127.0.0.1:8042",
    **parameters: Any,
) -> SignedRequest:
    keys = KEYS.temporary(900, time.time()) if token else KEYS
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=getattr(keys, "token", None),
        config=Config(signature_version="s3"),
    )
    url = client.generate_presigned_url(operation, {"Bucket": "data", **parameters}, ExpiresIn=60)
    parts = urlsplit(url)
    host = (b"host", parts.netloc.encode())
    return SignedRequest(method, parts.path.encode(), parts.query.encode(), (host,))


LINKS = {
    "get": ("get_object", "GET", {"Key": "a b/ü.csv"}),
    "get with a name": (
        "get_object", "GET", {"Key": "a", "ResponseContentDisposition": 'attachment; filename="b"'}
    ),
    "put": ("put_object", "PUT", {"Key": "a"}),
    "put with a type": ("put_object", "PUT", {"Key": "a", "ContentType": "text/csv"}),
    "put with metadata": ("put_object", "PUT", {"Key": "a", "Metadata": {"kind": "x y"}}),
    "part": ("upload_part", "PUT", {"Key": "a", "UploadId": "u+/=", "PartNumber": 2}),
    "uploads": ("create_multipart_upload", "POST", {"Key": "a"}),
    "list": ("list_objects_v2", "GET", {"Prefix": "a/"}),
    "delete": ("delete_object", "DELETE", {"Key": "a"}),
}  # fmt: skip


@pytest.mark.parametrize("token", [None, "temporary"], ids=["permanent", "temporary"])
@pytest.mark.parametrize("name", LINKS)
def test_links_of_boto3_are_verified(name: str, token: str | None) -> None:
    operation, method, parameters = LINKS[name]
    request = link(operation, method, token, **parameters)
    assert is_link(request)
    verify_link(request, KEYS.secret_of, time.time())


@pytest.mark.parametrize("name", LINKS)
def test_links_to_the_host_of_a_bucket_are_verified(name: str) -> None:
    operation, method, parameters = LINKS[name]
    request = link(operation, method, endpoint=None, **parameters)
    assert dict(request.headers)[b"host"].startswith(b"data.s3.")
    verify_link(request, KEYS.secret_of, time.time())


def test_a_link_ends() -> None:
    request = link("get_object", "GET", Key="a")
    with pytest.raises(NotVerified) as caught:
        verify_link(request, KEYS.secret_of, time.time() + 61)
    assert caught.value.wrong is Wrong.LINK_EXPIRED


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": b"/data/b"},
        {"headers": ((b"x-amz-acl", b"public-read"),)},
        {"headers": ((b"content-type", b"text/html"),)},
    ],
    ids=["method", "path", "header", "type"],
)
def test_a_changed_link_is_refused(change: dict[str, Any]) -> None:
    request = link("get_object", "GET", Key="a")
    with pytest.raises(NotVerified) as caught:
        verify_link(replace(request, **change), KEYS.secret_of, time.time())
    assert caught.value.wrong is Wrong.SIGNATURE


@pytest.mark.parametrize("added", ["acl", "uploadId=u", "versionId=1", "x-amz-acl=private"])
def test_a_parameter_that_says_what_to_do_cannot_be_added(added: str) -> None:
    request = link("get_object", "GET", Key="a")
    with pytest.raises(NotVerified):
        verify_link(
            replace(request, query=request.query + f"&{added}".encode()),
            KEYS.secret_of,
            time.time(),
        )


def test_a_link_that_lasts_longer_than_was_signed_is_refused() -> None:
    request = link("get_object", "GET", Key="a")
    later = request.query.replace(b"Expires=1", b"Expires=2")
    with pytest.raises(NotVerified):
        verify_link(replace(request, query=later), KEYS.secret_of, time.time())
