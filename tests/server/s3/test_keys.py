"""Which keys there can be: none leaves its folder, and none is two files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.s3.served import Store, keys, refused

_SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def other_disk(store: Store) -> Iterator[Path]:
    if not _SHARED_MEMORY.is_dir() or _SHARED_MEMORY.stat().st_dev == store.root.stat().st_dev:
        pytest.skip("there is no other disk")
    with tempfile.TemporaryDirectory(dir=_SHARED_MEMORY) as folder:
        yield Path(folder)


_CLIMBING = [
    "/data/..%2f..%2fescaped",
    "/data/../escaped",
    "/data/a/../../../escaped",
    "/data/a/%2e%2e/%2e%2e/escaped",
    "/data/%2fetc/escaped",
    "/data//escaped",
    "/data/a//escaped",
    "/data/a/./escaped",
    "/data/a%5c..%5cescaped",
    "/data/escaped%00.txt",
    "/data/escaped%ff",
    "/data/.0123456789abcdef.partial",
    "/data/.folder-object",
    "/..%2f/escaped",
    "/../escaped",
    "/.clary/escaped",
    "/.clary/incoming%2fescaped",
    "/data%2f..%2fescaped/x",
]


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if ".clary" not in path.parts}


@pytest.mark.parametrize("target", _CLIMBING)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_tricks_with_paths_are_refused_and_nothing_is_written(
    store: Store, target: str, method: str
) -> None:
    outside = store.root.parent
    before = _files(outside)
    status, body, _ = store.ask(method, target, b"x" if method == "PUT" else b"")
    assert 400 <= status < 500
    assert b"<Code>Invalid" in body or b"<Code>NoSuchBucket" in body
    assert _files(outside) == before


@pytest.mark.parametrize("prefix", ["../", "/etc/", "a/../../", "data/../../", "\0/", "/"])
@pytest.mark.parametrize("delimiter", ["/", "", "x"])
def test_no_prefix_lists_what_is_outside(s3: Any, prefix: str, delimiter: str) -> None:
    found = s3.list_objects_v2(Bucket="data", Prefix=prefix, Delimiter=delimiter)
    assert found["KeyCount"] == 0


@pytest.mark.parametrize("key", ["k" * 1025, "a/" + "k" * 256, "é" * 128])
def test_too_long_keys_are_refused_with_their_code(s3: Any, key: str) -> None:
    error = refused(s3.put_object, Bucket="data", Key=key, Body=b"x")
    assert error["Code"] == "KeyTooLongError"


def test_the_longest_key_is_taken(s3: Any) -> None:
    key = "/".join(["k" * 255] * 4)
    s3.put_object(Bucket="data", Key=key, Body=b"x")
    assert s3.get_object(Bucket="data", Key=key)["Body"].read() == b"x"
    s3.delete_object(Bucket="data", Key=key)


def test_letters_of_all_kinds_are_taken(s3: Any) -> None:
    odd = [
        "odd/a b",
        "odd/ü€😀",
        "odd/%41&<>\"'",
        "odd/=+?#;,:@$*",
        "odd/.hidden",
        "odd/tab\tx\x01",
    ]
    for key in odd:
        s3.put_object(Bucket="data", Key=key, Body=key.encode())
    assert keys(s3, Prefix="odd/") == sorted(odd, key=str.encode)
    for key in odd:
        assert s3.get_object(Bucket="data", Key=key)["Body"].read() == key.encode()


def test_a_key_that_ends_with_a_slash_stands_for_a_folder(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="empty folder/", Body=b"")
    assert (store.folder / "empty folder").is_dir()
    assert keys(s3, Prefix="empty") == ["empty folder/"]
    page = s3.list_objects_v2(Bucket="data", Prefix="empty", Delimiter="/")
    assert page["CommonPrefixes"] == [{"Prefix": "empty folder/"}]
    s3.put_object(Bucket="data", Key="empty folder/file", Body=b"1")
    assert keys(s3, Prefix="empty") == ["empty folder/", "empty folder/file"]
    assert s3.head_object(Bucket="data", Key="empty folder/")["ContentLength"] == 0
    s3.delete_object(Bucket="data", Key="empty folder/file")
    s3.delete_object(Bucket="data", Key="empty folder/")
    assert not (store.folder / "empty folder").exists()


def test_a_folder_and_an_object_of_one_name_are_refused_with_the_reason(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="both/b", Body=b"2")
    error = refused(s3.put_object, Bucket="data", Key="both", Body=b"1")
    assert (error["Code"], "one name" in error["Message"]) == ("InvalidRequest", True)
    error = refused(s3.put_object, Bucket="data", Key="both/b/c", Body=b"1")
    assert error["Code"] == "InvalidRequest"
    error = refused(s3.create_multipart_upload, Bucket="data", Key="both/b/c")
    assert error["Code"] == "InvalidRequest"
    for key in ("both", "both/b/c"):
        assert refused(s3.get_object, Bucket="data", Key=key)["Code"] == "NoSuchKey"
        s3.delete_object(Bucket="data", Key=key)
    assert keys(s3, Prefix="both") == ["both/b"]


def test_a_link_that_leads_back_up_is_not_followed(store: Store, s3: Any) -> None:
    (store.folder / "linked").mkdir()
    (store.folder / "linked" / "file").write_text("1")
    (store.folder / "linked" / "back").symlink_to(store.folder)
    assert keys(s3, Prefix="linked/") == ["linked/file"]
    (store.folder / "linked" / "back").unlink()


def test_a_bucket_may_be_a_link_to_another_disk(store: Store, s3: Any, other_disk: Path) -> None:
    (store.root / "linked-bucket").symlink_to(other_disk)
    s3.put_object(Bucket="linked-bucket", Key="a/b", Body=b"there", Metadata={"a": "b"})
    assert (other_disk / "a" / "b").read_bytes() == b"there"
    assert s3.head_object(Bucket="linked-bucket", Key="a/b")["Metadata"] == {"a": "b"}
    assert sorted(path.name for path in other_disk.rglob("*")) == ["a", "b"]
