"""S3's operations on objects: each takes the request and its body, and answers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, BinaryIO

from clary.server.s3.conditions import check_read, xml_time
from clary.server.s3.drafts import Draft
from clary.server.s3.headers import (
    ENCRYPTION,
    check_tags,
    checksum_elements,
    described,
    encryption,
    object_headers,
    record_of,
    tags_of,
    written,
)
from clary.server.s3.refusals import refusal
from clary.server.s3.requests import Request
from clary.server.s3.site import Site
from clary.server.s3.store import Found
from clary.server.s3.xml_answers import Answer, Slice, parsed, xml

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_PIECE_BYTES = 1 << 20
_SOURCE = "x-amz-copy-source-"


def get(site: Site, request: Request, body: bytes) -> Answer:
    found, stream = site.store.open(request.bucket, request.key)
    try:
        answer, start, size = _read(request, found)
        if size > _PIECE_BYTES:
            return replace(answer, body=Slice(stream, start, size))
        stream.seek(start)
        data = stream.read(size)
    except BaseException:
        stream.close()
        raise
    stream.close()
    return replace(answer, body=data)


def head(site: Site, request: Request, body: bytes) -> Answer:
    answer, _, size = _read(request, site.store.find(request.bucket, request.key))
    return replace(answer, headers={**answer.headers, "content-length": str(size)})


def put(site: Site, request: Request, draft: Draft) -> Answer:
    record = record_of(request.headers, draft.md5.hex(), draft.checksums)
    found = site.store.put(request.bucket, request.key, draft, record, request.headers)
    return Answer(headers=written(found))


def delete(site: Site, request: Request, body: bytes) -> Answer:
    site.store.remove(request.bucket, request.key, request.headers)
    return Answer(204)


def copy(site: Site, request: Request, body: bytes) -> Answer:
    """The source's metadata and tags come along unless `REPLACE` is asked for."""
    source, stream = opened_source(site, request)
    replaced = request.headers.get("x-amz-metadata-directive", "COPY") == "REPLACE"
    retagged = request.headers.get("x-amz-tagging-directive", "COPY") == "REPLACE"
    itself = (source.bucket, source.key) == (request.bucket, request.key)
    with stream, Draft(site.store.incoming, {"x-amz-sdk-checksum-algorithm": "CRC32"}) as draft:
        if itself and not (replaced or retagged or ENCRYPTION in request.headers):
            text = "This copy request is illegal because it changes nothing of the object."
            raise refusal("InvalidRequest", text)
        site.store.check_place(request.bucket, request.key)
        fill(draft, stream, 0, source.state.st_size)
        record = record_of(request.headers, draft.md5.hex(), draft.checksums)
        kept = described(request.headers) if replaced else described(source.record.headers)
        tags = tags_of(request.headers.get("x-amz-tagging", "")) if retagged else source.record.tags
        record = replace(record, headers={**kept, **encryption(request.headers)}, tags=tags)
        found = site.store.put(request.bucket, request.key, draft, record, {})
    return xml("CopyObjectResult", copied(found.record.etag, found.state.st_mtime_ns))


def get_tags(site: Site, request: Request, body: bytes) -> Answer:
    tags = site.store.find(request.bucket, request.key).record.tags
    pairs = [("Tag", [("Key", name), ("Value", value)]) for name, value in tags.items()]
    return xml("Tagging", [("TagSet", pairs)])


def put_tags(site: Site, request: Request, body: bytes) -> Answer:
    pairs = parsed(body).iter("Tag")
    tags = {each.findtext("Key", ""): each.findtext("Value", "") for each in pairs}
    check_tags(tags)
    site.store.change(request.bucket, request.key, lambda record: replace(record, tags=tags))
    return Answer()


def delete_tags(site: Site, request: Request, body: bytes) -> Answer:
    site.store.change(request.bucket, request.key, lambda record: replace(record, tags={}))
    return Answer(204)


def opened_source(site: Site, request: Request) -> tuple[Found, BinaryIO]:
    """The object that a copy reads, if the copy's conditions hold.

    Raises:
        Refusal: they do not, or there is no such object.
    """
    named = request.copy_source()
    assert named is not None
    found, stream = site.store.open(*named)
    try:
        changed = found.state.st_mtime_ns
        check_read(request.headers, found.record.etag, changed, _SOURCE, copy=True)
    except BaseException:
        stream.close()
        raise
    return found, stream


def fill(draft: Draft, stream: BinaryIO, start: int, size: int) -> None:
    """Bytes of a file as those of a draft."""
    stream.seek(start)
    while size > 0:
        data = stream.read(min(size, _PIECE_BYTES))
        if not data:
            raise refusal("InternalError", "The source became shorter while it was copied")
        draft.write(data)
        size -= len(data)
    draft.finish()


def copied(etag: str, modified_ns: int, checksums: Any = ()) -> list[tuple[str, Any]]:
    """What the answer to a copy holds."""
    told: list[tuple[str, Any]] = [("LastModified", xml_time(modified_ns)), ("ETag", f'"{etag}"')]
    return [*told, *checksum_elements(dict(checksums))]


def span(header: str, size: int) -> tuple[int, int] | None:
    """Start and number of bytes of a range; None where it is no single one, which S3 leaves out.

    Raises:
        Refusal: nothing of it is there.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        start, end = max(size - int(found[2]), 0), size
    else:
        start, end = int(found[1]), min(int(found[2] or size), size - 1) + 1
        if found[2] and int(found[2]) < start:
            return None
    if start >= size or end <= start:
        raise refusal("InvalidRange")
    return start, end - start


def _read(request: Request, found: Found) -> tuple[Answer, int, int]:
    """The answer without its body, and where that begins and how long it is."""
    check_read(request.headers, found.record.etag, found.state.st_mtime_ns)
    headers, size = object_headers(found, request.query), found.state.st_size
    part = span(request.headers.get("range", ""), size)
    if part is not None:
        start, length = part
        headers["content-range"] = f"bytes {start}-{start + length - 1}/{size}"
        return Answer(206, headers), start, length
    if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers.update(found.record.checksums)
    return Answer(200, headers), 0, size
