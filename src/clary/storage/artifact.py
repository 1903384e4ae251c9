"""The archive a model travels in: model.tar.gz, packed the same way each time, unpacked warily."""

from __future__ import annotations

import errno
import gzip
import io
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from clary.errors import CallerError
from clary.storage.folder import (
    FolderStore,
    disk_full_explained,
    explained,
    inside,
    temporary_sibling,
    whole_file,
)

_MOST_MEMBERS = 100_000
_MOST_BYTES = 64 << 30
# Below this size nobody is harmed; above it, no model that was ever useful shrinks to a hundredth.
_UNSUSPICIOUS_BYTES = 1 << 30
_MOST_EXPANSION = 100
_DEEPEST = 32
# What the headers of one member may take: long names and extended attributes.
_HEADER_BYTES = 1 << 20
_COPY_BYTES = 1 << 20
# Numbers hardly shrink: the highest level takes ten times as long on text and saves 7 %.
_COMPRESSION_LEVEL = 1

# The last three are what tarfile makes of hostile headers.
_DAMAGE = (
    gzip.BadGzipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
)


def pack(folder: Path, archive: Path) -> None:
    """Make a tar.gz of what is in a folder, without a leading folder.

    The same files give the same bytes: sorted names, no owners, no times. Links are followed.

    Raises:
        CallerError: the disk is full, or the archive's folder cannot be written.
    """
    with (
        whole_file(archive) as out,
        gzip.GzipFile("", "wb", _COMPRESSION_LEVEL, out, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for each in FolderStore(folder).objects():
            member = tarfile.TarInfo(each.key)
            member.size = each.size
            with (folder / each.key).open("rb") as content:
                tar.addfile(member, content)


def unpack(archive: Path, folder: Path) -> None:
    """Put an archive's files below a folder that is new or empty; all of them or none.

    Refused are names that leave the folder, links, devices, the same name twice, and archives
    that would grow beyond reason.

    Raises:
        CallerError: the archive is missing, damaged, no tar.gz, or refused; or the disk is full.
    """
    if not archive.is_file():
        raise CallerError.of(str(archive), "must be a tar.gz archive", "no such file")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise CallerError.of(str(folder), "must be new or empty to unpack an archive there")
    partial = temporary_sibling(folder)
    with explained(folder):
        partial.mkdir(parents=True)
    try:
        with explained(archive):
            source = archive.open("rb")
        with source, _refusals(archive), disk_full_explained(folder):
            _extract(source, _most_bytes(archive), partial)
        partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


class _Refusal(Exception):
    """Why an archive is not unpacked."""


class _Rationed(io.RawIOBase):
    """Bytes as far as the ration goes, so that no header can claim the memory or the disk."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self.ration = _HEADER_BYTES
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, _COPY_BYTES) if size >= 0 else _COPY_BYTES)
        self.ration -= len(data)
        if self.ration < 0:
            raise _Refusal("holds more than its members' sizes say")
        self.tail = (self.tail + data)[-tarfile.BLOCKSIZE :]
        return data


def _extract(source: BinaryIO, most_bytes: int, folder: Path) -> None:
    rationed = _Rationed(gzip.GzipFile(fileobj=source))
    members = total = 0
    with tarfile.open(fileobj=rationed, mode="r|") as tar:
        while (member := tar.next()) is not None:
            # It would keep every member it has seen.
            tar.members = []  # type: ignore[attr-defined]
            members, total = members + 1, total + member.size
            if members > _MOST_MEMBERS:
                raise _Refusal(f"has more than {_MOST_MEMBERS:,} members")
            if member.size < 0 or total > most_bytes:
                raise _Refusal(f"would grow to more than {most_bytes:,} bytes")
            rationed.ration = _HEADER_BYTES + member.size
            _write(tar, member, folder)
            rationed.ration = _HEADER_BYTES
    # To the end, where gzip keeps its checksum and tar its blocks of zeros.
    while rationed.read():
        pass
    if rationed.tail.strip(b"\0"):
        raise EOFError("no end of archive")


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    if member.isdir() and member.name in {"", "."}:
        return
    try:
        path = inside(folder, member.name)
    except CallerError as error:
        raise _Refusal(f"has a member that leaves its folder: {member.name!r}") from error
    if len(path.relative_to(folder).parts) > _DEEPEST:
        raise _Refusal(f"has folders more than {_DEEPEST} deep")
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or member.sparse is not None:
        raise _Refusal(f"may hold files and folders only, and {member.name!r} is neither")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content is not None
    with path.open("xb") as target:
        shutil.copyfileobj(content, target, _COPY_BYTES)


def _most_bytes(archive: Path) -> int:
    expanded = _MOST_EXPANSION * archive.stat().st_size
    return min(_MOST_BYTES, max(_UNSUSPICIOUS_BYTES, expanded))


@contextmanager
def _refusals(archive: Path) -> Iterator[None]:
    try:
        yield
    except _Refusal as refusal:
        raise CallerError.of(str(archive), f"the archive {refusal}") from refusal
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise CallerError.of(str(archive), "the archive has two members of one name") from error
    except _DAMAGE as error:
        raise CallerError.of(
            str(archive),
            "must be a whole tar.gz archive",
            f"one that is damaged, cut short or of another kind ({error})",
        ) from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise CallerError.of(str(archive), "the archive has a name that is too long") from error
