"""Buckets, and the listings of what they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.server.s3.served import Store, keys, refused


def test_a_bucket_is_a_folder_with_a_date(store: Store, s3: Any) -> None:
    s3.create_bucket(Bucket="made-here")
    s3.create_bucket(Bucket="made-here")
    assert (store.root / "made-here").is_dir()
    dates = {each["Name"]: each["CreationDate"] for each in s3.list_buckets()["Buckets"]}
    assert abs(datetime.now(UTC) - dates["made-here"]) < timedelta(minutes=5)
    assert "data" in dates
    assert not any(name.startswith(".") for name in dates)


def test_a_bucket_keeps_its_location(s3: Any) -> None:
    place = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="in-europe", CreateBucketConfiguration=place)
    assert s3.get_bucket_location(Bucket="in-europe")["LocationConstraint"] == "eu-west-1"
    assert s3.get_bucket_location(Bucket="data")["LocationConstraint"] is None


@pytest.mark.parametrize("name", ["Upper", "ab", "under_score", "a..b", "-dash", "x" * 64])
def test_no_bucket_is_made_with_a_name_that_s3_refuses(store: Store, name: str) -> None:
    status, body, _ = store.ask("PUT", f"/{name}")
    assert (status, b"InvalidBucketName" in body) == (400, True)
    assert not (store.root / name).exists()


def test_asking_for_a_missing_bucket_is_answered_as_the_sdk_expects(s3: Any) -> None:
    error = refused(s3.head_bucket, Bucket="not-there", ExpectedBucketOwner="123456789012")
    assert error == {"Code": "404", "Message": "Not Found"}
    s3.head_bucket(Bucket="data", ExpectedBucketOwner="123456789012")
    error = refused(s3.head_bucket, Bucket="data", ExpectedBucketOwner="999999999999")
    assert error["Code"] == "403"


def test_only_an_empty_bucket_is_removed(store: Store, s3: Any) -> None:
    s3.create_bucket(Bucket="to-remove")
    s3.put_object(Bucket="to-remove", Key="a/b", Body=b"1")
    assert refused(s3.delete_bucket, Bucket="to-remove")["Code"] == "BucketNotEmpty"
    s3.delete_object(Bucket="to-remove", Key="a/b")
    (store.root / "to-remove" / "empty" / "folders").mkdir(parents=True)
    s3.delete_bucket(Bucket="to-remove")
    assert not (store.root / "to-remove").exists()
    assert refused(s3.delete_bucket, Bucket="to-remove")["Code"] == "NoSuchBucket"


def test_a_resource_can_empty_its_bucket(store: Store, s3: Any) -> None:
    s3.create_bucket(Bucket="to-empty")
    for number in range(30):
        s3.put_object(Bucket="to-empty", Key=f"{number % 3}/{number}", Body=b"1")
    versions = s3.list_object_versions(Bucket="to-empty")["Versions"]
    assert {each["VersionId"] for each in versions} == {"null"}
    named = [{"Key": each["Key"], "VersionId": "null"} for each in versions]
    gone = s3.delete_objects(Bucket="to-empty", Delete={"Objects": named})
    assert len(gone["Deleted"]) == 30
    assert list((store.root / "to-empty").iterdir()) == []
    s3.delete_bucket(Bucket="to-empty")


def test_one_key_that_cannot_be_removed_does_not_hold_up_the_others(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="many/1", Body=b"1")
    objects = [{"Key": "../x"}, {"Key": "many/1"}, {"Key": "many/none"}]
    told = s3.delete_objects(Bucket="data", Delete={"Objects": objects})
    assert {each["Key"] for each in told["Deleted"]} == {"many/1", "many/none"}
    assert [each["Code"] for each in told["Errors"]] == ["InvalidURI"]


@pytest.fixture(scope="module")
def tree(s3: Any, store: Store) -> list[str]:
    """Keys whose order as paths is not their order as bytes."""
    names = [
        *("t/a-b", "t/a/1", "t/a/2", "t/a.txt", "t/b/c/d", "t/b/c-d", "t/é", "t/z", "t/A"),
        *(f"t/n/{number:03d}" for number in range(25)),
    ]
    for name in names:
        path = store.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (store.folder / "t" / "nothing" / "in").mkdir(parents=True)
    return sorted(names, key=str.encode)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("listing", ["list_objects", "list_objects_v2"])
def test_pages_of_any_size_tell_every_key_once_in_order(
    s3: Any, tree: list[str], size: int, listing: str
) -> None:
    pages = s3.get_paginator(listing).paginate(
        Bucket="data", Prefix="t/", PaginationConfig={"PageSize": size}
    )
    assert [each["Key"] for page in pages for each in page["Contents"]] == tree


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter"),
    [("t/", "/"), ("t/a", "/"), ("t", "/"), ("t/n/0", "/"), ("t/b/", "/"), ("t/", "-"), ("", "c")],
)
def test_a_delimiter_rolls_keys_up(
    s3: Any, tree: list[str], prefix: str, delimiter: str, size: int
) -> None:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="data",
        Prefix=prefix,
        Delimiter=delimiter,
        StartAfter="t" if prefix == "" else "",
        PaginationConfig={"PageSize": size},
    )
    told: list[str] = []
    for page in pages:
        told += [each["Key"] for each in page.get("Contents", []) if each["Key"].startswith("t/")]
        rolled = [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        told += [each for each in rolled if each.startswith("t/")]
    expected = set()
    for key in tree:
        if key.startswith(prefix):
            end = key.find(delimiter, len(prefix))
            expected.add(key if end < 0 else key[: end + len(delimiter)])
    assert sorted(told) == sorted(expected)
    assert len(told) == len(set(told))


def test_a_listing_starts_where_it_is_told(s3: Any, tree: list[str]) -> None:
    assert keys(s3, Prefix="t/", StartAfter="t/n/020") == [key for key in tree if key > "t/n/020"]
    assert keys(s3, Prefix="t/n/01") == [f"t/n/{number:03d}" for number in range(10, 20)]
    assert keys(s3, Prefix="t/nothing") == []
    page = s3.list_objects_v2(Bucket="data", Prefix="t/", MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


def test_a_listing_tells_size_time_and_tag(s3: Any) -> None:
    put = s3.put_object(Bucket="data", Key="told", Body=b"12345")
    (told,) = s3.list_objects_v2(Bucket="data", Prefix="told")["Contents"]
    head = s3.head_object(Bucket="data", Key="told")
    assert (told["Size"], told["ETag"]) == (5, put["ETag"])
    assert told["LastModified"] == head["LastModified"]


def test_ten_thousand_keys_are_listed_and_removed(store: Store, s3: Any, tmp_path: Path) -> None:
    folder = store.folder / "ten" / "thousand"
    folder.mkdir(parents=True)
    for number in range(10_000):
        (folder / f"{number:05d}").touch()
    told = keys(s3, Prefix="ten/")
    assert told == [f"ten/thousand/{number:05d}" for number in range(10_000)]
    rolled = s3.list_objects_v2(Bucket="data", Prefix="ten", Delimiter="/")
    assert [each["Prefix"] for each in rolled["CommonPrefixes"]] == ["ten/"]
    for start in range(0, 10_000, 1000):
        named = [{"Key": key} for key in told[start : start + 1000]]
        s3.delete_objects(Bucket="data", Delete={"Objects": named, "Quiet": True})
    assert keys(s3, Prefix="ten/") == []


def test_what_no_bucket_has_is_told_in_s3s_words(s3: Any) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket="data")
    assert s3.get_bucket_acl(Bucket="data")["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert refused(s3.get_bucket_policy, Bucket="data")["Code"] == "NoSuchBucketPolicy"
    assert refused(s3.get_bucket_tagging, Bucket="data")["Code"] == "NoSuchTagSet"
    status = {"Status": "Enabled"}
    error = refused(s3.put_bucket_versioning, Bucket="data", VersioningConfiguration=status)
    assert error["Code"] == "NotImplemented"


@pytest.mark.parametrize("body", [b"", b"<", b"<Delete/>", b"<!DOCTYPE x [<!ENTITY y 'z'>]><x/>"])
def test_malformed_xml_is_refused(store: Store, body: bytes) -> None:
    status, told, _ = store.ask("POST", "/data?delete", body)
    assert (status, b"MalformedXML" in told) == (400, True)


@pytest.mark.parametrize("query", ["max-keys=x", "max-keys=-1", "max-keys=99999999999999"])
def test_odd_numbers_are_refused(store: Store, query: str) -> None:
    status, told, _ = store.ask("GET", f"/data?{query}")
    assert (status, b"InvalidArgument" in told) == (400, True)
