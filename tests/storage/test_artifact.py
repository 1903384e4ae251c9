from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.errors import CallerError
from clary.storage import artifact
from clary.storage.artifact import pack, unpack
from tests.storage.disk import names_in, said_with_file_limit

_NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)


def _file(name: str, data: bytes = b"x") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    return member, data


def _special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def _archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return path


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@given(files=st.dictionaries(st.lists(_NAMES, min_size=1, max_size=3).map("/".join), st.binary()))
def test_what_was_packed_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    here = tmp_path_factory.mktemp("artifact")
    (here / "model").mkdir()
    for name, data in files.items():
        path = here / "model" / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError:  # one name is another's folder
            continue
    # A name that only an unfinished file has is left behind.
    expected = {
        name: data
        for name, data in _tree(here / "model").items()
        if not any(p.startswith(".") and p.endswith(".partial") for p in name.split("/"))
    }
    pack(here / "model", here / "model.tar.gz")
    unpack(here / "model.tar.gz", here / "again")
    assert _tree(here / "again") == expected


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    archives = []
    for folder, names in (("one", ["a", "sub/b", "c"]), ("two", ["c", "sub/b", "a"])):
        for name in names:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            path.chmod(0o600 if folder == "one" else 0o777)
            os.utime(path, (random.random() * 1e9, random.random() * 1e9))
        archive = tmp_path / f"{folder}.tar.gz"
        pack(tmp_path / folder, archive)
        archives.append(archive.read_bytes())
    assert archives[0] == archives[1]


def test_tar_reads_the_archive_and_finds_no_leading_folder(tmp_path: Path) -> None:
    (tmp_path / "model/sub").mkdir(parents=True)
    (tmp_path / "model/.clary.json").write_text("{}")
    (tmp_path / "model/sub/weights.npy").write_bytes(bytes(100))
    pack(tmp_path / "model", tmp_path / "model.tar.gz")
    listed = subprocess.run(
        ["tar", "tzf", tmp_path / "model.tar.gz"], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == [".clary.json", "sub/weights.npy"]


def test_an_archive_made_by_tar_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "model/sub").mkdir(parents=True)
    (tmp_path / "model/a").write_text("a")
    (tmp_path / "model/sub/b").write_text("b")
    subprocess.run(
        ["tar", "czf", tmp_path / "model.tar.gz", "-C", tmp_path / "model", "."], check=True
    )
    unpack(tmp_path / "model.tar.gz", tmp_path / "again")
    assert _tree(tmp_path / "again") == {"a": b"a", "sub/b": b"b"}


def test_an_empty_folder_may_be_there_already(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "a.tar.gz", _file("x"))
    (tmp_path / "model").mkdir()
    unpack(archive, tmp_path / "model")
    assert _tree(tmp_path / "model") == {"x": b"x"}


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "a.tar.gz", _file("x"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model/mine").touch()
    with pytest.raises(CallerError, match="must be new or empty"):
        unpack(archive, tmp_path / "model")
    assert names_in(tmp_path / "model") == ["mine"]


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (_file("/etc/passwd"), "leaves its folder"),
        (_file("../outside"), "leaves its folder"),
        (_file("a/../../outside"), "leaves its folder"),
        (_special("..", tarfile.DIRTYPE), "leaves its folder"),
        (_special("/abs", tarfile.DIRTYPE), "leaves its folder"),
        (_special("link", tarfile.SYMTYPE, "/etc/passwd"), "files and folders only"),
        (_special("link", tarfile.SYMTYPE, "inside"), "files and folders only"),
        (_special("link", tarfile.LNKTYPE, "good"), "files and folders only"),
        (_special("pipe", tarfile.FIFOTYPE), "files and folders only"),
        (_special("disk", tarfile.BLKTYPE), "files and folders only"),
        (_special("tty", tarfile.CHRTYPE), "files and folders only"),
        (_file("good"), "two members of one name"),
        (_file("./good"), "two members of one name"),
        (_file("good/below"), "two members of one name"),
        (_special("good", tarfile.DIRTYPE), "two members of one name"),
        (_file("/".join("d" * 100)), "folders more than"),
        (_file("x" * 300), "name that is too long"),
    ],
    ids=lambda value: value[0].name[:20] if isinstance(value, tuple) else "",
)
def test_members_that_could_do_harm_are_refused(
    tmp_path: Path, member: tuple[tarfile.TarInfo, bytes], reason: str
) -> None:
    (tmp_path / "in").mkdir()
    archive = _archive(tmp_path / "in/a.tar.gz", _file("good"), member)
    with pytest.raises(CallerError, match=reason):
        unpack(archive, tmp_path / "in/model")
    assert names_in(tmp_path) == ["in"]
    assert names_in(tmp_path / "in") == ["a.tar.gz"]


def test_a_link_cannot_lead_a_later_member_outside(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    archive = _archive(
        tmp_path / "a.tar.gz",
        _special("door", tarfile.SYMTYPE, str(tmp_path / "outside")),
        _file("door/file"),
    )
    with pytest.raises(CallerError, match="files and folders only"):
        unpack(archive, tmp_path / "model")
    assert names_in(tmp_path / "outside") == []


def test_an_executable_comes_out_as_a_plain_file(tmp_path: Path) -> None:
    member, data = _file("run")
    member.mode = 0o6777
    unpack(_archive(tmp_path / "a.tar.gz", (member, data)), tmp_path / "model")
    assert (tmp_path / "model/run").stat().st_mode & 0o7111 == 0


def _declaring(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header that promises a size, and a few zeros instead of it."""
    member = tarfile.TarInfo("bomb")
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)


def test_a_bomb_is_refused_by_the_size_it_declares(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(_declaring(2 << 30)))
    with pytest.raises(CallerError, match="would grow to more than"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "model")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_headers_cannot_fill_the_memory(tmp_path: Path, kind: bytes) -> None:
    data = _declaring(300 << 20, kind) + bytes(300 << 20)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(data, 1))
    with pytest.raises(CallerError, match="holds more than its members' sizes say"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "model")


def test_bytes_after_the_last_member_are_not_read_without_end(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "a.tar.gz", _file("x"))
    archive.write_bytes(archive.read_bytes() + gzip.compress(bytes(50 << 20), 1))
    with pytest.raises(CallerError, match="holds more than its members' sizes say"):
        unpack(archive, tmp_path / "model")


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "_MOST_MEMBERS", 10)
    archive = _archive(tmp_path / "a.tar.gz", *(_file(str(number)) for number in range(11)))
    with pytest.raises(CallerError, match="more than 10 members"):
        unpack(archive, tmp_path / "model")


def test_weights_that_are_all_zero_are_no_bomb(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_bytes(bytes(40 << 20))
    pack(tmp_path / "model", tmp_path / "model.tar.gz")
    unpack(tmp_path / "model.tar.gz", tmp_path / "again")
    assert (tmp_path / "again/weights").stat().st_size == 40 << 20


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("x", "x")


def _plain_tar(path: Path) -> None:
    with tarfile.open(path, "w") as out:
        out.addfile(*_file("x")[:1], fileobj=io.BytesIO(b"x"))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("a,b\n1,2\n"),
        lambda path: path.write_bytes(gzip.compress(b"")),
        lambda path: path.write_bytes(gzip.compress(b"not a tar archive" * 100)),
        lambda path: path.write_bytes(gzip.compress(bytes(10_000))[:-9]),
        _zip,
        _plain_tar,
    ],
    ids=["empty", "text", "empty gzip", "gzip of text", "cut", "zip", "tar"],
)
def test_foreign_files_are_told_apart(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "model.tar.gz")
    with pytest.raises(CallerError, match=r"model\.tar\.gz: must be a whole tar\.gz archive"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "model")
    assert names_in(tmp_path) == ["model.tar.gz"]


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"gone\.tar\.gz: must be a tar.gz archive"):
        unpack(tmp_path / "gone.tar.gz", tmp_path / "model")


def _sample(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/a").write_bytes(random.Random(0).randbytes(3000))
    (tmp_path / "model" / ("b" * 150)).write_bytes(b"b" * 3000)
    pack(tmp_path / "model", tmp_path / "model.tar.gz")
    return tmp_path / "model.tar.gz"


def test_an_archive_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    archive = _sample(tmp_path)
    whole = archive.read_bytes()
    for length in range(0, len(whole), 37):
        archive.write_bytes(whole[:length])
        with pytest.raises(CallerError, match="must be a whole"):
            unpack(archive, tmp_path / "again")
    assert names_in(tmp_path) == ["model", "model.tar.gz"]


def test_a_tar_cut_between_members_is_refused(tmp_path: Path) -> None:
    whole = gzip.decompress(_sample(tmp_path).read_bytes())
    # The first member's header and its 3,000 bytes in blocks of 512.
    (tmp_path / "cut.tar.gz").write_bytes(gzip.compress(whole[: 512 + 3072]))
    with pytest.raises(CallerError, match="must be a whole"):
        unpack(tmp_path / "cut.tar.gz", tmp_path / "again")


def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    archive = _sample(tmp_path)
    whole, expected = archive.read_bytes(), _tree(tmp_path / "model")
    chance = random.Random(1)
    for number in range(150):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        archive.write_bytes(data)
        again = tmp_path / f"again{number}"
        try:
            unpack(archive, again)
        except CallerError:
            assert not again.exists()
        else:
            assert _tree(again) == expected


@given(data=st.data())
def test_hostile_headers_give_one_error_and_touch_nothing_outside(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    here = tmp_path_factory.mktemp("hostile")
    blocks = []
    for _ in range(data.draw(st.integers(1, 4))):
        header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
        for _ in range(data.draw(st.integers(0, 4))):
            start = data.draw(st.sampled_from([0, 100, 124, 136, 148, 156, 157, 345, 386, 482]))
            junk = data.draw(st.one_of(st.binary(max_size=12), st.sampled_from(_HOSTILE)))
            header[start : start + len(junk)] = junk
        del header[512:]
        header[148:156] = b"        "
        header[148:156] = b"%06o\0 " % sum(header)
        blocks.append(bytes(header))
    (here / "a.tar.gz").write_bytes(gzip.compress(b"".join(blocks) + bytes(2048)))
    try:
        unpack(here / "a.tar.gz", here / "model")
    except CallerError:
        assert names_in(here) == ["a.tar.gz"]
    else:
        assert names_in(here) == ["a.tar.gz", "model"]


_HOSTILE = [
    b"\xff" * 12,
    b"\x80" + b"\xff" * 11,
    b"77777777777\0",
    b"-1",
    *(b"S", b"L", b"K", b"x", b"g", b"1", b"2", b"5", b"7"),
    b"../../x",
    b"/tmp/x",
]


def test_a_thousand_nested_headers_are_an_error(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    block = header.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(block * 1500 + bytes(2048)))
    with pytest.raises(CallerError, match="must be a whole"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "model")


def test_a_full_disk_while_packing_leaves_no_archive(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_bytes(random.Random(0).randbytes(50_000))
    said = said_with_file_limit(
        """
        from clary.storage.artifact import pack
        pack(here / "model", here / "model.tar.gz")
        """,
        tmp_path,
    )
    assert "model.tar.gz: the disk is full" in said
    assert names_in(tmp_path) == ["model"]


def test_a_full_disk_while_unpacking_leaves_no_folder(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "a.tar.gz", _file("weights", bytes(50_000)))
    said = said_with_file_limit(
        f"""
        from clary.storage.artifact import unpack
        unpack(Path({str(archive)!r}), here / "model")
        """,
        tmp_path,
    )
    assert f"{tmp_path}/model: the disk is full" in said
    assert names_in(tmp_path) == ["a.tar.gz"]
