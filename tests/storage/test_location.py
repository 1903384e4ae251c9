from __future__ import annotations

from pathlib import Path

import pytest

from clary.errors import CallerError
from clary.storage.folder import FolderStore
from clary.storage.location import Stores, bucket_and_key, local_path


def test_paths_and_file_uris_are_files_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "a b.csv").write_bytes(b"1\n")
    for uri in (f"{tmp_path}/a b.csv", f"file://{tmp_path}/a%20b.csv"):
        with Stores().locate(uri).open() as stream:
            assert stream.read() == b"1\n"


def test_a_relative_path_starts_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert local_path("data/train.csv") == tmp_path / "data/train.csv"


def test_an_s3_uri_has_a_bucket_and_a_key() -> None:
    assert bucket_and_key("s3://bucket/a/b") == ("bucket", "a/b")
    assert bucket_and_key("s3://bucket") == ("bucket", "")


@pytest.mark.parametrize("uri", ["s3://", "s3:///key", "gs://bucket/key", "http://host/x"])
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(CallerError, match="must be a path, file://… or s3://bucket/key"):
        Stores().locate(uri)


def test_each_bucket_is_asked_for_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def bucket(name: str) -> FolderStore:
        asked.append(name)
        return FolderStore(tmp_path / name)

    stores = Stores(bucket)
    (tmp_path / "one").mkdir()
    (tmp_path / "one/x").write_bytes(b"x")
    assert stores.locate("s3://one/x").open().read() == b"x"
    stores.locate("s3://one/y")
    stores.locate("s3://two/z")
    assert asked == ["one", "two"]
