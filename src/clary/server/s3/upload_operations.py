"""S3's operations on uploads in parts: each takes the request and its body, and answers."""

from __future__ import annotations

from typing import Any

from clary.server.s3.conditions import xml_time
from clary.server.s3.drafts import Draft
from clary.server.s3.headers import checksum_elements, encryption, record_of, written
from clary.server.s3.object_operations import copied, fill, opened_source, span
from clary.server.s3.refusals import refusal
from clary.server.s3.requests import Request
from clary.server.s3.site import Site
from clary.server.s3.uploads import MOST_PARTS, Upload
from clary.server.s3.xml_answers import Answer, parsed, xml


def create(site: Site, request: Request, body: bytes) -> Answer:
    record = record_of(request.headers, "", {})
    upload = site.uploads.begin(request.bucket, request.key, record)
    told = [("Bucket", request.bucket), ("Key", request.key), ("UploadId", upload.id)]
    asked = ("x-amz-checksum-algorithm", "x-amz-checksum-type")
    echoed = {name: request.headers[name] for name in asked if name in request.headers}
    return xml("InitiateMultipartUploadResult", told, {**echoed, **encryption(request.headers)})


def put_part(site: Site, request: Request, draft: Draft) -> Answer:
    part = site.uploads.put(found(site, request), _number(request), draft)
    return Answer(headers={"etag": f'"{part.etag}"', **part.checksums})


def copy_part(site: Site, request: Request, body: bytes) -> Answer:
    upload, number = found(site, request), _number(request)
    source, stream = opened_source(site, request)
    wish = {"x-amz-sdk-checksum-algorithm": "CRC32"}
    with stream, Draft(site.store.incoming, wish) as draft:
        asked = request.headers.get("x-amz-copy-source-range", "")
        whole = (0, source.state.st_size)
        fill(draft, stream, *(span(asked, source.state.st_size) or whole))
        part = site.uploads.put(upload, number, draft)
    return xml("CopyPartResult", copied(part.etag, part.modified_ns, part.checksums))


def complete(site: Site, request: Request, body: bytes) -> Answer:
    upload = found(site, request)
    named = []
    for each in parsed(body).iter("Part"):
        number, etag = each.findtext("PartNumber", ""), each.findtext("ETag", "")
        if not (number.isascii() and number.isdecimal()):
            raise refusal("MalformedXML")
        named.append((int(number), etag.strip().strip('"')))
    if not named:
        raise refusal("MalformedXML")
    whole = site.uploads.complete(upload, named, request.headers)
    headers = written(whole)
    told = [
        ("Location", f"http://{request.headers.get('host', '')}{request.resource}"),
        ("Bucket", request.bucket),
        ("Key", request.key),
        ("ETag", headers["etag"]),
        *checksum_elements(whole.record.checksums),
    ]
    return xml("CompleteMultipartUploadResult", told, encryption(whole.record.headers))


def abort(site: Site, request: Request, body: bytes) -> Answer:
    site.uploads.abort(found(site, request))
    return Answer(204)


def list_parts(site: Site, request: Request, body: bytes) -> Answer:
    upload = found(site, request)
    after = request.number("part-number-marker", 0, 0, MOST_PARTS)
    most = request.number("max-parts", 1000, 1, 2**31 - 1)
    parts = [each for each in site.uploads.parts(upload) if each.number > after]
    shown = parts[: min(most, 1000)]
    told: list[tuple[str, Any]] = [
        ("Bucket", request.bucket),
        ("Key", request.key),
        ("UploadId", upload.id),
        ("Initiator", site.owner),
        ("Owner", site.owner),
        ("StorageClass", "STANDARD"),
        ("PartNumberMarker", after),
        ("NextPartNumberMarker", shown[-1].number if shown else 0),
        ("MaxParts", most),
        ("IsTruncated", len(shown) < len(parts)),
    ]
    for each in shown:
        facts = [("PartNumber", each.number), ("LastModified", xml_time(each.modified_ns))]
        facts += [("ETag", f'"{each.etag}"'), ("Size", each.size)]
        told.append(("Part", [*facts, *checksum_elements(each.checksums)]))
    return xml("ListPartsResult", told)


def found(site: Site, request: Request) -> Upload:
    """The upload that a request names.

    Raises:
        Refusal: there is none.
    """
    return site.uploads.find(request.bucket, request.key, request.query.get("uploadId", ""))


def _number(request: Request) -> int:
    return request.number("partNumber", 0, 1, MOST_PARTS)
