from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.errors import CallerError
from clary.storage.folder import FolderStore, inside, whole_file
from tests.storage.disk import names_in, said_with_file_limit

_PARTS = st.text("ab._-é0 ", min_size=1, max_size=4).filter(lambda part: part not in {".", ".."})
_KEYS = st.lists(_PARTS, min_size=1, max_size=3).map("/".join)


def _breaking() -> Iterator[bytes]:
    yield b"new"
    raise ZeroDivisionError


def test_a_whole_file_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with whole_file(path) as out:
        out.write(b"abc")
        assert not path.exists()
    assert path.read_bytes() == b"abc"
    assert names_in(tmp_path) == ["model.bin"]


def test_a_whole_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    with whole_file(tmp_path / "whole"):
        pass
    (tmp_path / "plain").touch()
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failing_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as out:
        out.writelines(_breaking())
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["model.bin"]


def test_a_full_disk_is_the_users_and_leaves_nothing(tmp_path: Path) -> None:
    said = said_with_file_limit(
        """
        from clary.storage.folder import whole_file
        with whole_file(here / "model.bin") as out:
            out.write(bytes(20_000))
        """,
        tmp_path,
    )
    assert f"{tmp_path}/model.bin: the disk is full" in said
    assert names_in(tmp_path) == []


def test_a_full_file_system_is_the_users_and_leaves_nothing(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount file systems here")
    try:
        with pytest.raises(CallerError, match="disk is full"), whole_file(tmp_path / "x") as out:
            out.write(bytes(1_000_000))
        assert names_in(tmp_path) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_killed_writer_leaves_nothing_that_counts_as_a_file(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from clary.storage.folder import whole_file
with whole_file(Path(sys.argv[1]) / "model.bin") as out:
    out.write(b"half")
    out.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(names_in(tmp_path)) == 1
    assert FolderStore(tmp_path).objects() == []


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(CallerError, match="nowhere: does not exist"),
        whole_file(tmp_path / "nowhere" / "x"),
    ):
        pass


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(CallerError, match="is a folder"), whole_file(tmp_path / "model"):
        pass
    assert names_in(tmp_path) == ["model"]


def test_a_named_pipe_is_written_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    with whole_file(path) as out:
        out.write(b"abc")
    reader.join(10)
    assert got == [b"abc"]
    assert path.is_fifo()


@given(keys=st.sets(_KEYS, min_size=1, max_size=8), prefix=st.one_of(_KEYS, st.just("")))
def test_objects_are_those_with_the_prefix_in_byte_order(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str], prefix: str
) -> None:
    root = tmp_path_factory.mktemp("store")
    written = {}
    for key in keys:
        path = root / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(key.encode())
        except OSError:  # one key is another's folder
            continue
        written[key] = len(key.encode())
    found = FolderStore(root).objects(prefix)
    expected = sorted((key for key in written if key.startswith(prefix)), key=str.encode)
    assert [(each.key, each.size) for each in found] == [(key, written[key]) for key in expected]


def test_a_prefix_is_a_text_and_not_a_folder(tmp_path: Path) -> None:
    for key in ("train/a", "train2/b", "training", "test/c"):
        (tmp_path / key).parent.mkdir(exist_ok=True)
        (tmp_path / key).touch()
    keys = [each.key for each in FolderStore(tmp_path).objects("train")]
    assert keys == ["train/a", "train2/b", "training"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far/x.csv").write_text("1\n")
    root = tmp_path / "near"
    root.mkdir()
    (root / "linked").symlink_to(tmp_path / "far")
    (root / "circle").symlink_to(root)
    (root / "y.csv").symlink_to(tmp_path / "far/x.csv")
    assert [each.key for each in FolderStore(root).objects()] == ["linked/x.csv", "y.csv"]


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.csv").symlink_to(tmp_path / "gone")
    with pytest.raises(CallerError, match=r"x\.csv: does not exist"):
        FolderStore(tmp_path).objects()


def test_an_object_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"a\.csv: does not exist"):
        FolderStore(tmp_path).open("a.csv")


def test_fetch_copies_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    FolderStore(tmp_path).fetch("a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"abc"


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b c", "\0", "...", "é"]), max_size=6))
def test_no_name_leaves_its_folder(parts: list[str]) -> None:
    folder = Path("/data/channel")
    name = "/".join(parts)
    try:
        path = inside(folder, name)
    except CallerError:
        ordinary = {part for part in parts if part not in {"", "."}}
        assert not ordinary or ordinary & {"..", "\0"} or name.startswith("/")
    else:
        assert Path(os.path.normpath(path)) == path
        assert path != folder
        assert path.is_relative_to(folder)
