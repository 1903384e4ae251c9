from __future__ import annotations

from pathlib import Path

import pytest

from clary.errors import CallerError
from clary.storage.buckets import stores_in
from clary.storage.folder import FOLDER_OBJECT, temporary_sibling


def test_an_object_of_a_bucket_is_a_file_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    (tmp_path / "made").write_bytes(b"model")
    location = stores_in(tmp_path / "s3").locate("s3://bucket/jobs/a/model.tar.gz")
    location.store.put(tmp_path / "made", location.key)
    assert (tmp_path / "s3/bucket/jobs/a/model.tar.gz").read_bytes() == b"model"
    assert location.uri == "s3://bucket/jobs/a/model.tar.gz"
    with location.open() as stream:
        assert stream.read() == b"model"


@pytest.mark.parametrize("bucket", ["none", ".clary"])
def test_a_bucket_that_is_not_there_is_told_and_not_made(tmp_path: Path, bucket: str) -> None:
    (tmp_path / ".clary").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    location = stores_in(tmp_path).locate(f"s3://{bucket}/key")
    for use in (
        lambda: location.open(),
        lambda: location.store.objects(""),
        lambda: location.store.put(tmp_path / "file", "key"),
        lambda: location.store.fetch("key", tmp_path / "fetched"),
        lambda: location.store.remove("key"),
    ):
        with pytest.raises(CallerError, match=f"there is no bucket '{bucket}'"):
            use()
    assert not (tmp_path / "none").exists()
    assert list((tmp_path / ".clary").iterdir()) == []


def test_what_is_no_object_is_not_told_to_jobs(tmp_path: Path) -> None:
    folder = tmp_path / "bucket" / "train"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"1")
    (folder / FOLDER_OBJECT).touch()
    temporary_sibling(folder / "b.csv").write_bytes(b"half")
    location = stores_in(tmp_path).locate("s3://bucket/train/")
    assert [each.key for each in location.store.objects(location.key)] == ["train/a.csv"]
