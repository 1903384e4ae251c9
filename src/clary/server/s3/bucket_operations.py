"""S3's operations on buckets: each takes the request and its body, and answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from clary.aws.errors import Refusal
from clary.server.s3.conditions import xml_time
from clary.server.s3.listing import Page, page
from clary.server.s3.refusals import refusal
from clary.server.s3.requests import Request
from clary.server.s3.site import Site
from clary.server.s3.store import Found
from clary.server.s3.xml_answers import Answer, parsed, xml

_MOST_KEYS = 1000
_MOST_DELETED = 1000
_GRANTEE = 'Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'


def list_buckets(site: Site, request: Request, body: bytes) -> Answer:
    buckets = [
        ("Bucket", [("Name", each.name), ("CreationDate", xml_time(each.created_ns))])
        for each in site.store.buckets()
        if each.name.startswith(request.query.get("prefix", ""))
    ]
    return xml("ListAllMyBucketsResult", [("Owner", site.owner), ("Buckets", buckets)])


def create(site: Site, request: Request, body: bytes) -> Answer:
    """Any location is taken. One's own bucket anew is fine in us-east-1 only, as with S3."""
    location = parsed(body).findtext("LocationConstraint", "") if body.strip() else ""
    if (site.store.root / request.bucket).is_dir() and site.region != "us-east-1":
        site.store.bucket(request.bucket)
        raise refusal("BucketAlreadyOwnedByYou")
    site.store.make_bucket(request.bucket, location)
    return Answer(headers={"location": f"/{request.bucket}"})


def head(site: Site, request: Request, body: bytes) -> Answer:
    site.store.bucket(request.bucket)
    return Answer(headers={"content-type": "application/xml"})


def delete(site: Site, request: Request, body: bytes) -> Answer:
    site.store.remove_bucket(request.bucket)
    return Answer(204)


def location(site: Site, request: Request, body: bytes) -> Answer:
    return xml("LocationConstraint", site.store.bucket(request.bucket).location)


def versioning(site: Site, request: Request, body: bytes) -> Answer:
    """No bucket has versions."""
    site.store.bucket(request.bucket)
    return xml("VersioningConfiguration", "")


def list_objects(site: Site, request: Request, body: bytes) -> Answer:
    """Both ListObjects and, with `list-type=2`, ListObjectsV2."""
    query = request.query
    second = query.get("list-type") == "2"
    size = request.number("max-keys", _MOST_KEYS, 0, 2**31 - 1)
    token = unquote(query.get("continuation-token", ""))
    after = token or query.get("start-after", "")
    found = _page(site, request, after if second else query.get("marker", ""))
    coded = _coding(request)
    told: list[tuple[str, Any]] = [
        ("Name", request.bucket),
        ("Prefix", coded(query.get("prefix", ""))),
        ("MaxKeys", size),
        ("IsTruncated", found.more),
    ]
    told += _echoed(query, coded, ("delimiter", "Delimiter"))
    told += _echoed(query, str, ("encoding-type", "EncodingType"))
    if second:
        told.append(("KeyCount", len(found.objects) + len(found.prefixes)))
        told += _echoed(query, str, ("continuation-token", "ContinuationToken"))
        told += _echoed(query, coded, ("start-after", "StartAfter"))
        told += [("NextContinuationToken", quote(found.last))] if found.more else []
    else:
        told.append(("Marker", coded(query.get("marker", ""))))
        told += [("NextMarker", coded(found.last))] if found.more and "delimiter" in query else []
    with_owner = not second or query.get("fetch-owner") == "true"
    for each in found.objects:
        owner = [("Owner", site.owner)] if with_owner else []
        told.append(("Contents", [("Key", coded(each.key)), *_facts(each), *owner]))
    return xml("ListBucketResult", [*told, *_prefixes(found, coded)])


def list_versions(site: Site, request: Request, body: bytes) -> Answer:
    """Each object is its only version."""
    query = request.query
    found = _page(site, request, query.get("key-marker", ""))
    coded = _coding(request)
    told: list[tuple[str, Any]] = [
        ("Name", request.bucket),
        ("Prefix", coded(query.get("prefix", ""))),
        ("KeyMarker", coded(query.get("key-marker", ""))),
        ("MaxKeys", request.number("max-keys", _MOST_KEYS, 0, 2**31 - 1)),
        ("IsTruncated", found.more),
    ]
    told += _echoed(query, coded, ("delimiter", "Delimiter"))
    told += _echoed(query, str, ("encoding-type", "EncodingType"))
    if found.more:
        told += [("NextKeyMarker", coded(found.last)), ("NextVersionIdMarker", "null")]
    for each in found.objects:
        version = [("Key", coded(each.key)), ("VersionId", "null"), ("IsLatest", True)]
        told.append(("Version", [*version, *_facts(each), ("Owner", site.owner)]))
    return xml("ListVersionsResult", [*told, *_prefixes(found, coded)])


def delete_objects(site: Site, request: Request, body: bytes) -> Answer:
    """Many at once; one that cannot be removed does not hold up the others."""
    site.store.bucket(request.bucket)
    root = parsed(body)
    keys = [each.findtext("Key") or "" for each in root.iter("Object")]
    if not 0 < len(keys) <= _MOST_DELETED:
        raise refusal("MalformedXML")
    told: list[tuple[str, Any]] = []
    for key in keys:
        try:
            site.store.remove(request.bucket, key, {})
            told += [] if root.findtext("Quiet") == "true" else [("Deleted", [("Key", key)])]
        except Refusal as refused:
            facts = [("Key", key), ("Code", refused.code), ("Message", refused.message)]
            told.append(("Error", facts))
    return xml("DeleteResult", told)


def list_uploads(site: Site, request: Request, body: bytes) -> Answer:
    site.store.bucket(request.bucket)
    coded = _coding(request)
    told: list[tuple[str, Any]] = [("Bucket", request.bucket), ("IsTruncated", False)]
    told += _echoed(request.query, str, ("encoding-type", "EncodingType"))
    for each in site.uploads.of_bucket(request.bucket):
        if each.key.startswith(request.query.get("prefix", "")):
            facts = [("Key", coded(each.key)), ("UploadId", each.id), ("Initiator", site.owner)]
            facts += [("Owner", site.owner), ("StorageClass", "STANDARD")]
            told.append(("Upload", [*facts, ("Initiated", xml_time(each.begun_ns))]))
    return xml("ListMultipartUploadsResult", told)


def access(site: Site, request: Request, body: bytes) -> Answer:
    """The account may do everything with its buckets and objects, and nobody else."""
    if request.key:
        site.store.find(request.bucket, request.key)
    site.store.bucket(request.bucket)
    grant = [(_GRANTEE, site.owner), ("Permission", "FULL_CONTROL")]
    granted = [("AccessControlList", [("Grant", grant)])]
    return xml("AccessControlPolicy", [("Owner", site.owner), *granted])


def not_configured(site: Site, request: Request, body: bytes) -> Answer:
    """Asked for what no bucket has here: S3's own word for that."""
    site.store.bucket(request.bucket)
    code, text = NOT_CONFIGURED[request.subresource]
    raise Refusal(code, text, 404)


NOT_CONFIGURED = {
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "encryption": (
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    ),
    "lifecycle": (
        "NoSuchLifecycleConfiguration",
        "The lifecycle configuration does not exist",
    ),
    "policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "publicAccessBlock": (
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
    "tagging": ("NoSuchTagSet", "The TagSet does not exist"),
    "website": (
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
}


def _page(site: Site, request: Request, after: str) -> Page:
    size = min(request.number("max-keys", _MOST_KEYS, 0, 2**31 - 1), _MOST_KEYS)
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    return page(site.store, request.bucket, prefix, delimiter, after, size)


def _facts(found: Found) -> list[tuple[str, Any]]:
    return [
        ("LastModified", xml_time(found.state.st_mtime_ns)),
        ("ETag", f'"{found.record.etag}"'),
        ("Size", found.state.st_size),
        ("StorageClass", found.record.headers.get("x-amz-storage-class", "STANDARD")),
    ]


def _prefixes(found: Page, coded: Any) -> list[tuple[str, Any]]:
    return [("CommonPrefixes", [("Prefix", coded(each))]) for each in found.prefixes]


def _coding(request: Request) -> Any:
    """How keys are written: as they are, or `encoding-type=url`.

    Raises:
        Refusal: another way is asked for.
    """
    way = request.query.get("encoding-type")
    if way not in {None, "url"}:
        raise refusal("InvalidArgument", "Invalid Encoding Method specified in Request")
    return quote if way else str


def _echoed(query: dict[str, str], coded: Any, name: tuple[str, str]) -> list[tuple[str, Any]]:
    return [(name[1], coded(query[name[0]]))] if name[0] in query else []
