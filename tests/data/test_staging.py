from __future__ import annotations

import gzip
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.data.contents import Contents
from clary.data.sources import Source
from clary.data.staging import stage
from clary.errors import CallerError
from clary.storage.folder import FolderStore
from clary.storage.location import Stores
from tests.data.channels import UNSUPERVISED, over, write_csv
from tests.s3_server import S3Server
from tests.storage.disk import names_in

_KEYS = st.lists(
    st.lists(
        st.sampled_from(["a", "b", "..", ".", "", "é", "_x", "a b"]), min_size=1, max_size=4
    ).map("/".join),
    min_size=1,
    max_size=6,
)


def _stream(folder: Path, channel: str = "train", epoch: int = 0) -> bytes:
    path = folder / f"{channel}_{epoch}"
    for _ in range(1000):
        if path.exists():
            break
        time.sleep(0.01)
    return path.read_bytes()


def _local(tmp_path: Path, **changes: Any) -> Source:
    return Source("train", str(tmp_path / "data"), **changes)


def test_local_files_are_linked_and_not_copied(tmp_path: Path) -> None:
    write_csv(tmp_path / "data/sub/a.csv", ["1,2"])
    for mode in ("File", "FastFile"):
        source = _local(tmp_path, input_mode=mode)
        with stage(source, tmp_path / mode):
            link = tmp_path / mode / "train/sub/a.csv"
            assert link.is_symlink()
            assert link.read_bytes() == b"1,2\n"


def test_s3_objects_are_downloaded_whole(s3: S3Server, tmp_path: Path) -> None:
    for number in range(20):
        s3.put("staging", f"set/sub/{number}.csv", f"{number}\n".encode())
    stage(Source("train", "s3://staging/set"), tmp_path).close()
    assert names_in(tmp_path / "train/sub") == sorted(f"{number}.csv" for number in range(20))
    assert (tmp_path / "train/sub/7.csv").read_bytes() == b"7\n"


def test_s3_objects_stream_when_opened_in_fast_file_mode(s3: S3Server, tmp_path: Path) -> None:
    s3.put("fastfile", "set/a.csv", b"1,2\n")
    s3.put("fastfile", "set/sub/b.csv", b"3,4\n")
    with stage(Source("train", "s3://fastfile/set", input_mode="FastFile"), tmp_path) as staged:
        assert (tmp_path / "train/sub/b.csv").read_bytes() == b"3,4\n"
        assert (tmp_path / "train/a.csv").read_bytes() == b"1,2\n"
        assert (tmp_path / "train/a.csv").read_bytes() == b"1,2\n"
        assert staged.failure is None


def test_a_download_that_fails_leaves_no_channel(s3: S3Server, tmp_path: Path) -> None:
    s3.put("broken", "set/a.csv", b"1\n")
    manifest = json.dumps([{"prefix": "s3://broken/set/"}, "a.csv", "gone.csv"]).encode()
    uri = s3.put("broken", "list.manifest", manifest)
    with pytest.raises(CallerError, match=r"s3://broken/set/gone\.csv: there is no such object"):
        stage(Source("train", uri, "ManifestFile"), tmp_path)
    assert names_in(tmp_path) == []


@given(keys=_KEYS)
def test_no_key_is_laid_outside_its_channel(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str]
) -> None:
    here = tmp_path_factory.mktemp("tree")
    manifest = here / "list.manifest"
    (here / "data").mkdir()
    for name in ("a", "b", "é", "_x", "a b"):
        (here / "data" / name).write_text(name)
    manifest.write_text(json.dumps([{"prefix": f"{here}/data/"}, *keys]))
    before = set(here.rglob("*"))
    with suppress(CallerError):
        stage(Source("train", str(manifest), "ManifestFile"), here / "ml").close()
    made = set(here.rglob("*")) - before - {here / "ml", here / "ml/train"}
    assert all(path.is_relative_to(here / "ml/train") for path in made)


class _Named(FolderStore):
    """A store whose keys need not be possible as paths."""

    keys: tuple[str, ...] = ()

    def objects(self, prefix: str = "") -> list[Any]:
        return [type("Object", (), {"key": key, "size": 1})() for key in self.keys]

    def local(self, key: str) -> Path:
        return self.root / "file"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("p/../../etc/x",), "must be a relative path that stays in its folder"),
        (("p/a\0b",), "must be a relative path that stays in its folder"),
        (("p/a", "p//a"), "cannot be one file"),
        (("p/a", "p/a/b"), "cannot be a file and a folder"),
    ],
)
def test_keys_that_cannot_be_files_side_by_side_are_refused(
    tmp_path: Path, keys: tuple[str, ...], message: str
) -> None:
    (tmp_path / "file").touch()
    store = _Named(tmp_path)
    store.keys = keys
    with pytest.raises(CallerError, match=message):
        stage(Source("train", "s3://b/p"), tmp_path / "ml", stores=Stores(lambda name: store))
    assert names_in(tmp_path / "ml") == []


def test_a_folder_of_something_else_is_not_mixed_in(tmp_path: Path) -> None:
    write_csv(tmp_path / "data/a.csv", ["1"])
    write_csv(tmp_path / "ml/train/old.csv", ["2"])
    with pytest.raises(FileExistsError):
        stage(_local(tmp_path), tmp_path / "ml")
    assert names_in(tmp_path / "ml/train") == ["old.csv"]


@pytest.mark.parametrize("mode", ["File", "FastFile", "Pipe"])
def test_hosts_share_the_objects(tmp_path: Path, mode: Any) -> None:
    for number in range(5):
        write_csv(tmp_path / f"data/{number}.csv", [f"{number}"])
    source = _local(tmp_path, input_mode=mode, distribution="ShardedByS3Key")
    read = []
    for rank in range(2):
        root = tmp_path / f"host{rank}"
        root.mkdir()
        with stage(source, root, rank=rank, hosts=2):
            rows = over(source, root, Contents(UNSUPERVISED)).read()
        read.append(rows.dense().ravel().tolist())
    assert read == [[0, 2, 4], [1, 3]]


def test_a_host_without_objects_is_told_why(tmp_path: Path) -> None:
    write_csv(tmp_path / "data/0.csv", ["1"])
    for mode in ("File", "Pipe"):
        source = _local(tmp_path, input_mode=mode, distribution="ShardedByS3Key")
        root = tmp_path / mode
        root.mkdir()
        with (
            stage(source, root, rank=1, hosts=2),
            pytest.raises(CallerError, match="as many objects as hosts"),
        ):
            over(source, root, Contents(UNSUPERVISED))


def test_a_pipe_joins_texts_line_by_line(tmp_path: Path) -> None:
    write_csv(tmp_path / "data/a.csv", ["1,2"], end="")
    (tmp_path / "data/b.csv").write_bytes(b"\xef\xbb\xbf3,4\r\n5,6")
    write_csv(tmp_path / "data/c.csv.gz", ["7,8"], end="", packed=True)
    write_csv(tmp_path / "data/d.csv", [], end="")
    write_csv(tmp_path / "data/_SUCCESS", ["x"])
    with stage(_local(tmp_path, input_mode="Pipe"), tmp_path):
        assert _stream(tmp_path) == b"1,2\n3,4\r\n5,6\n7,8\n"


def test_a_pipe_gives_other_formats_byte_by_byte(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_bytes(b"\x0a\x23\xd7\xce")
    (tmp_path / "data/b").write_bytes(b"xyz")
    source = _local(tmp_path, input_mode="Pipe", content_type="application/x-recordio-protobuf")
    with stage(source, tmp_path):
        assert _stream(tmp_path) == b"\x0a\x23\xd7\xcexyz"
    with stage(_local(tmp_path, input_mode="Pipe"), tmp_path):
        assert _stream(tmp_path) == b"\x0a\x23\xd7\xcexyz"


def test_a_record_wrapper_makes_each_object_one_record(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_bytes(b"abcde")
    (tmp_path / "data/b").write_bytes(gzip.compress(b"xy"))
    source = _local(tmp_path, input_mode="Pipe", record_wrapper="RecordIO")
    with stage(source, tmp_path):
        assert _stream(tmp_path) == (
            b"\x0a\x23\xd7\xce\5\0\0\0abcde\0\0\0" + b"\x0a\x23\xd7\xce\2\0\0\0xy\0\0"
        )


def test_gzip_is_what_compression_type_says(tmp_path: Path) -> None:
    write_csv(tmp_path / "data/a.csv.gz", ["1"], packed=True)
    source = _local(tmp_path, input_mode="Pipe", content_type="text/csv", compression="Gzip")
    with stage(source, tmp_path):
        assert _stream(tmp_path) == b"1\n"
    write_csv(tmp_path / "data/b.csv", ["2"])
    with stage(source, tmp_path) as staged:
        assert _stream(tmp_path) == b"1\n"
    assert "b.csv: CompressionType is Gzip and the object is not" in str(staged.failure)


@pytest.mark.parametrize("cut", [5, -4])
def test_damaged_gzip_fails_the_reader(tmp_path: Path, cut: int) -> None:
    write_csv(tmp_path / "data/a.csv", [f"{number},1" for number in range(1000)])
    packed = gzip.compress(b"5,6\n" * 1000)
    (tmp_path / "data/b.csv").write_bytes(packed[:cut])
    source = _local(tmp_path, input_mode="Pipe", content_type="text/csv")
    with stage(source, tmp_path), pytest.raises(CallerError, match=r"b\.csv: the gzip data is dam"):
        over(source, tmp_path, Contents(UNSUPERVISED, "text/csv")).read()


def test_an_object_that_vanishes_fails_the_reader(tmp_path: Path) -> None:
    write_csv(tmp_path / "data/a.csv", ["1"])
    write_csv(tmp_path / "data/b.csv", ["2"])
    source = _local(tmp_path, input_mode="Pipe", content_type="text/csv")
    with stage(source, tmp_path):
        (tmp_path / "data/b.csv").unlink()
        with pytest.raises(CallerError, match=r"channel train: .*b\.csv: does not exist"):
            over(source, tmp_path, Contents(UNSUPERVISED)).read()


def test_augmented_manifests_stream_their_attributes(tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(b"\1\2\3")
    lines = [{"x-ref": str(tmp_path / "one.bin"), "label": 7}, {"x-ref": "", "label": "é"}]
    lines[1]["x-ref"] = str(tmp_path / "one.bin")
    (tmp_path / "lines").write_text("\n".join(map(json.dumps, lines)))
    changes: dict[str, Any] = {
        "data_type": "AugmentedManifestFile",
        "input_mode": "Pipe",
        "attribute_names": ("label", "x-ref"),
    }
    with stage(Source("train", str(tmp_path / "lines"), **changes), tmp_path):
        assert _stream(tmp_path) == b"7\1\2\3" + "é".encode() + b"\1\2\3"
    wrapped = Source("train", str(tmp_path / "lines"), **changes, record_wrapper="RecordIO")
    with stage(wrapped, tmp_path):
        magic = b"\x0a\x23\xd7\xce"
        image = magic + b"\3\0\0\0\1\2\3\0"
        first = magic + b"\1\0\0\0" + b"7\0\0\0"
        second = magic + b"\2\0\0\0" + "é".encode() + b"\0\0"
        assert _stream(tmp_path) == first + image + second + image


def test_lines_of_an_augmented_manifest_are_sharded_and_shuffled(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("\n".join(f'{{"a": {number}}}' for number in range(10)))
    source = Source(
        "train",
        str(tmp_path / "lines"),
        "AugmentedManifestFile",
        "Pipe",
        "ShardedByS3Key",
        attribute_names=("a",),
        shuffle_seed=1,
    )
    (tmp_path / "0").mkdir()
    (tmp_path / "1").mkdir()
    with (
        stage(source, tmp_path / "0", rank=0, hosts=2),
        stage(source, tmp_path / "1", rank=1, hosts=2),
    ):
        epochs = [
            [_stream(tmp_path / str(rank), epoch=epoch).decode() for rank in range(2)]
            for epoch in range(2)
        ]
    assert all(sorted(first + second) == list("0123456789") for first, second in epochs)
    assert all(len(first) == 5 for first, _ in epochs)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("content_type", ["application/x-parquet", None])
def test_parquet_is_refused_before_a_pipe_is_made(tmp_path: Path, content_type: str | None) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    with pytest.raises(CallerError, match=r"Parquet cannot be read from a pipe.*File or FastFile"):
        stage(_local(tmp_path, input_mode="Pipe", content_type=content_type), tmp_path)
    assert names_in(tmp_path) == ["data"]


def test_texts_that_cannot_be_joined_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "data/a.csv", ["1"])
    for charset in ("utf-16", "nonsense"):
        source = _local(tmp_path, input_mode="Pipe", content_type=f"text/csv;charset={charset}")
        with pytest.raises(
            CallerError, match=f"texts in a pipe must be in UTF-8 .*got '{charset}'"
        ):
            stage(source, tmp_path)
    source = _local(tmp_path, input_mode="Pipe", content_type="text/csv;charset=latin-1")
    with stage(source, tmp_path):
        assert _stream(tmp_path) == b"1\n"


def test_the_pipe_of_s3_objects(s3: S3Server, tmp_path: Path) -> None:
    s3.put("pipes", "set/a.csv", b"1,2")
    s3.put("pipes", "set/b.csv.gz", gzip.compress(b"3,4"))
    with stage(Source("train", "s3://pipes/set/", input_mode="Pipe"), tmp_path):
        for epoch in range(2):
            assert _stream(tmp_path, epoch=epoch) == b"1,2\n3,4\n"
