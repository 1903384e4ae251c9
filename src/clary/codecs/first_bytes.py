"""What a file is, by its first bytes."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import PurePosixPath

from clary.codecs.content_type import (
    CSV,
    EXTENSIONS,
    JSON,
    JSONLINES,
    LIBSVM,
    PARQUET,
    RECORDIO,
    ContentType,
)
from clary.errors import CallerError, Fault

GZIP = b"\x1f\x8b"

_KNOWN = "CSV, RecordIO-protobuf, libsvm, Parquet, JSON, JSON Lines"
_LOOKED_AT = 64 * 1024
_LINES = 20
_SIGNATURES = {b"\x0a\x23\xd7\xce": RECORDIO, b"PAR1": PARQUET}
_FOREIGN = (
    (0, b"PK\x03\x04", "a zip archive (Excel's xlsx and numpy's npz are such)"),
    (0, b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (0, b"\x80\x02", "a Python pickle"),
    (0, b"\x80\x03", "a Python pickle"),
    (0, b"\x80\x04", "a Python pickle"),
    (0, b"\x80\x05", "a Python pickle"),
    (0, b"\x93NUMPY", "a numpy array"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"ARROW1", "an Arrow or Feather file"),
    (0, b"FEA1", "a Feather file"),
    (0, b"ORC", "an ORC file"),
    (0, b"Obj\x01", "an Avro file"),
    (0, b"SQLite format 3", "an SQLite database"),
    (0, b"\x89PNG", "an image (PNG)"),
    (0, b"\xff\xd8\xff", "an image (JPEG)"),
    (0, b"GIF8", "an image (GIF)"),
    (0, b"RIFF", "an image, sound or video (RIFF)"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd; of compressions only gzip is undone"),
    (0, b"BZh", "compressed by bzip2; of compressions only gzip is undone"),
    (0, b"\xfd7zXZ", "compressed by xz; of compressions only gzip is undone"),
    (257, b"ustar", "a tar archive"),
    (0, b"\xff\xfe", "text in UTF-16; save it as UTF-8, or say ;charset=utf-16"),
    (0, b"\xfe\xff", "text in UTF-16; save it as UTF-8, or say ;charset=utf-16"),
    (0, b"<", "XML or HTML, perhaps an error page"),
)
_MARKUP = (b"<", b"%PDF")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_PAIR = re.compile(rb"(?:^|[ \t])\d+:[^:,\s]+(?=\s|$)")
_NUMBERS = re.compile(rb"[-+.\d][-+.\deE]*(\s+[-+.\d][-+.\deE]*)*")
_DELIMITER = re.compile(rb"[,;\t|]")
_INSTANCES = re.compile(rb'\{\s*"(instances|configuration)"')


def sniff(head: bytes, name: str) -> ContentType:
    """The content type by the first bytes; `name`'s extension decides only what they leave open.

    Args:
        head: some KiB from the start of a file, gzip or not.

    Raises:
        CallerError: they are of none of the formats, or there are none and no extension helps.
    """
    plain = _plain(head)
    extension = EXTENSIONS.get(PurePosixPath(name.removesuffix(".gz")).suffix.lower())
    found = _by_signature(plain)
    if not found:
        _refuse_foreign(plain, name)
        text = plain.removeprefix(b"\xef\xbb\xbf").lstrip()
        found = _structured(text, extension) if text[:1] in {b"{", b"["} else None
        found = found or (_table(text, extension) if text else extension)
    if found:
        return ContentType(found, {}, found)
    if not plain:
        raise CallerError.of(name, "is empty")
    raise CallerError.of(name, f"must be one of {_KNOWN}", _start(plain), "Name its content type.")


def contradiction(declared: ContentType, head: bytes, name: str) -> Fault | None:
    """What is wrong if the first bytes are surely not what was declared."""
    if not head or declared.name not in EXTENSIONS.values() or declared.charset:
        return None
    try:
        found = sniff(head, name).name
    except CallerError as error:
        return error.faults[0]
    if found == declared.name or {found, declared.name} == {JSON, JSONLINES}:
        return None
    # Rows without features are labels only, which look like CSV
    if (declared.name, found) == (LIBSVM, CSV) and b"," not in _plain(head):
        return None
    return Fault(
        name,
        f"is declared as {declared.name} and looks like {found}",
        remedy="Correct the content type, or leave it out.",
    )


def _plain(head: bytes) -> bytes:
    if not head.startswith(GZIP):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _LOOKED_AT)
    except zlib.error:
        return head


def _by_signature(head: bytes) -> str | None:
    return next((kind for magic, kind in _SIGNATURES.items() if head.startswith(magic)), None)


def _refuse_foreign(head: bytes, name: str) -> None:
    if not _CONTROL.search(head) and not head.startswith(_MARKUP):
        return
    rule = f"must be one of {_KNOWN}"
    for offset, magic, what in _FOREIGN:
        if head.startswith(magic, offset):
            raise CallerError.of(name, f"{rule}, and looks like {what}")
    raise CallerError.of(name, f"{rule}, and is binary of another kind", _start(head))


def _structured(text: bytes, extension: str | None) -> str | None:
    """JSON or JSON Lines: lines are objects, a document may be anything."""
    if text.startswith(b"[") or _INSTANCES.match(text):
        return JSON
    first, _, rest = text.partition(b"\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        # More lines: the object goes on there. None: the line is longer than what is seen of it
        return JSON if rest.strip() or extension == JSON else JSONLINES
    if rest.strip():
        return JSONLINES
    return JSON if extension == JSON else JSONLINES


def _table(text: bytes, extension: str | None) -> str | None:
    lines = [line.split(b"#")[0].strip() for line in text.split(b"\n")[:_LINES]]
    if any(b"," not in line and _PAIR.search(line) for line in lines):
        return LIBSVM
    if extension in {CSV, LIBSVM}:
        return extension
    return (
        CSV if any(_DELIMITER.search(line) or _NUMBERS.fullmatch(line) for line in lines) else None
    )


def _start(head: bytes) -> str:
    return head[:16].decode("ascii", "backslashreplace")
