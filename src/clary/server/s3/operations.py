"""Which function does what a request asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clary.server.s3 import bucket_operations as buckets
from clary.server.s3 import object_operations as objects
from clary.server.s3 import upload_operations as uploads
from clary.server.s3.refusals import refusal
from clary.server.s3.requests import Request
from clary.server.s3.xml_answers import Answer


@dataclass(frozen=True)
class Operation:
    """A function of the site, the request and the body; a `streamed` body comes as a Draft."""

    function: Callable[..., Answer]
    streamed: bool = False


_BUCKET: dict[tuple[str, str], Any] = {
    ("PUT", ""): buckets.create,
    ("HEAD", ""): buckets.head,
    ("DELETE", ""): buckets.delete,
    ("GET", ""): buckets.list_objects,
    ("GET", "location"): buckets.location,
    ("GET", "versioning"): buckets.versioning,
    ("GET", "versions"): buckets.list_versions,
    ("GET", "uploads"): buckets.list_uploads,
    ("GET", "acl"): buckets.access,
    ("POST", "delete"): buckets.delete_objects,
    **{("GET", name): buckets.not_configured for name in buckets.NOT_CONFIGURED},
}
_OBJECT: dict[tuple[str, str], Any] = {
    ("GET", ""): objects.get,
    ("HEAD", ""): objects.head,
    ("DELETE", ""): objects.delete,
    ("GET", "acl"): buckets.access,
    ("GET", "tagging"): objects.get_tags,
    ("PUT", "tagging"): objects.put_tags,
    ("DELETE", "tagging"): objects.delete_tags,
    ("POST", "uploads"): uploads.create,
    ("POST", "uploadId"): uploads.complete,
    ("DELETE", "uploadId"): uploads.abort,
    ("GET", "uploadId"): uploads.list_parts,
}


def operation_of(request: Request) -> Operation:
    """
    Raises:
        Refusal: there is none, in S3 or here.
    """
    named = (request.method, request.subresource)
    if request.bucket and request.key:
        return _of_an_object(request, named)
    if request.bucket:
        return Operation(_known(_BUCKET, named))
    if named == ("GET", ""):
        return Operation(buckets.list_buckets)
    raise refusal("MethodNotAllowed")


def _of_an_object(request: Request, named: tuple[str, str]) -> Operation:
    is_copy = "x-amz-copy-source" in request.headers
    if named == ("PUT", ""):
        return Operation(objects.copy) if is_copy else Operation(objects.put, streamed=True)
    if named == ("PUT", "uploadId"):
        return Operation(uploads.copy_part) if is_copy else Operation(uploads.put_part, True)
    return Operation(_known(_OBJECT, named))


def _known(table: dict[tuple[str, str], Any], named: tuple[str, str]) -> Any:
    if named in table:
        return table[named]
    if named[1]:
        raise refusal("NotImplemented", f"{named[0]} ?{named[1]} is not available here")
    raise refusal("MethodNotAllowed")
