"""Objects through boto3, over a socket: what is put comes back, and is a file of the folder."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.server.s3.served import Store, keys, refused


def test_an_object_is_a_file_and_comes_back_as_it_was_put(store: Store, s3: Any) -> None:
    data = os.urandom(100_000)
    s3.put_object(
        Bucket="data",
        Key="round/trip.bin",
        Body=data,
        ContentType="text/csv",
        CacheControl="no-cache",
        ContentEncoding="gzip",
        Metadata={"my-key": "value", "other": "2"},
    )
    found = s3.get_object(Bucket="data", Key="round/trip.bin")
    assert found["Body"].read() == data == (store.folder / "round" / "trip.bin").read_bytes()
    assert found["ContentType"] == "text/csv"
    assert found["CacheControl"] == "no-cache"
    assert found["ContentEncoding"] == "gzip"
    assert found["Metadata"] == {"my-key": "value", "other": "2"}
    assert found["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    head = s3.head_object(Bucket="data", Key="round/trip.bin")
    assert head["ContentLength"] == len(data)
    assert head["LastModified"] == found["LastModified"]


def test_a_file_put_by_hand_is_an_object_at_once(store: Store, s3: Any) -> None:
    (store.folder / "by hand").mkdir()
    (store.folder / "by hand" / "Größe+1.csv").write_text("1,2\n")
    assert keys(s3, Prefix="by hand/") == ["by hand/Größe+1.csv"]
    found = s3.get_object(Bucket="data", Key="by hand/Größe+1.csv")
    assert found["Body"].read() == b"1,2\n"
    assert found["ContentType"] == "binary/octet-stream"
    before = found["ETag"]
    (store.folder / "by hand" / "Größe+1.csv").write_text("1,2,3\n")
    assert s3.head_object(Bucket="data", Key="by hand/Größe+1.csv")["ETag"] != before


def test_what_was_told_of_an_object_does_not_hold_for_a_file_changed_by_hand(
    store: Store, s3: Any
) -> None:
    s3.put_object(Bucket="data", Key="changed", Body=b"1", Metadata={"a": "b"})
    (store.folder / "changed").write_bytes(b"22")
    found = s3.get_object(Bucket="data", Key="changed", ChecksumMode="ENABLED")
    assert found["Body"].read() == b"22"
    assert found["Metadata"] == {}


@pytest.mark.parametrize(
    ("wanted", "expected", "told"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-30", b"0123456789", "bytes 0-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ],
)
def test_a_range_is_answered_alone(s3: Any, wanted: str, expected: bytes, told: str) -> None:
    s3.put_object(Bucket="data", Key="ranged", Body=b"0123456789")
    found = s3.get_object(Bucket="data", Key="ranged", Range=wanted)
    assert found["Body"].read() == expected
    assert found["ContentRange"] == told
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.head_object(Bucket="data", Key="ranged", Range=wanted)["ContentRange"] == told


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(s3: Any, wanted: str) -> None:
    s3.put_object(Bucket="data", Key="ranged", Body=b"0123456789")
    error = refused(s3.get_object, Bucket="data", Key="ranged", Range=wanted)
    assert error["Code"] == "InvalidRange"


@pytest.mark.parametrize("wanted", ["bytes=3-1", "bytes=0-1,3-4", "lines=1-2", "bytes=-"])
def test_what_is_no_single_range_gets_the_whole(s3: Any, wanted: str) -> None:
    s3.put_object(Bucket="data", Key="ranged", Body=b"0123456789")
    found = s3.get_object(Bucket="data", Key="ranged", Range=wanted)
    assert found["Body"].read() == b"0123456789"


def test_errors_have_a_code_and_a_sentence(s3: Any) -> None:
    assert refused(s3.get_object, Bucket="data", Key="none") == {
        "Code": "NoSuchKey",
        "Message": "The specified key does not exist.",
        "Resource": "/data/none",
    }
    missing = refused(s3.get_object, Bucket="nowhere", Key="none")
    assert (missing["Code"], missing["Message"]) == (
        "NoSuchBucket",
        "The specified bucket does not exist",
    )
    assert refused(s3.head_object, Bucket="data", Key="none")["Code"] == "404"


def test_a_write_with_if_none_match_wins_once(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="once", Body=b"1", IfNoneMatch="*")
    error = refused(s3.put_object, Bucket="data", Key="once", Body=b"2", IfNoneMatch="*")
    assert error["Code"] == "PreconditionFailed"
    assert s3.get_object(Bucket="data", Key="once")["Body"].read() == b"1"


def test_a_write_with_if_match_replaces_only_what_the_client_saw(s3: Any) -> None:
    seen = s3.put_object(Bucket="data", Key="seen", Body=b"1")["ETag"]
    s3.put_object(Bucket="data", Key="seen", Body=b"2", IfMatch=seen)
    error = refused(s3.put_object, Bucket="data", Key="seen", Body=b"3", IfMatch=seen)
    assert error["Code"] == "PreconditionFailed"
    error = refused(s3.put_object, Bucket="data", Key="unseen", Body=b"3", IfMatch=seen)
    assert error["Code"] == "NoSuchKey"


def test_reads_keep_their_conditions(s3: Any) -> None:
    etag = s3.put_object(Bucket="data", Key="read", Body=b"1")["ETag"]
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    wanted = {"Bucket": "data", "Key": "read"}
    s3.get_object(**wanted, IfMatch=etag)
    s3.get_object(**wanted, IfModifiedSince=now - hour)
    s3.get_object(**wanted, IfUnmodifiedSince=now + hour)
    assert refused(s3.get_object, **wanted, IfNoneMatch=etag)["Code"] == "304"
    assert refused(s3.get_object, **wanted, IfModifiedSince=now + hour)["Code"] == "304"
    assert refused(s3.get_object, **wanted, IfMatch='"0"')["Code"] == "PreconditionFailed"
    error = refused(s3.get_object, **wanted, IfUnmodifiedSince=now - hour)
    assert error["Code"] == "PreconditionFailed"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls_put_and_get(store: Store, version: str) -> None:
    client = store.client(signature_version=version)
    wanted = {"Bucket": "data", "Key": f"signed/{version} é.txt"}
    put = client.generate_presigned_url("put_object", Params=wanted)
    request = urllib.request.Request(put, b"by link", method="PUT")
    assert urllib.request.urlopen(request, timeout=30).status == 200
    overridden = {**wanted, "ResponseContentType": "text/x-own"}
    get = client.generate_presigned_url("get_object", Params=overridden)
    with urllib.request.urlopen(get, timeout=30) as answer:
        assert answer.read() == b"by link"
        assert answer.headers["Content-Type"] == "text/x-own"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_held_against_the_body_and_come_back(s3: Any, algorithm: str) -> None:
    wanted = {"Bucket": "data", "Key": f"sum-{algorithm}"}
    put = s3.put_object(**wanted, Body=b"sum", ChecksumAlgorithm=algorithm)
    found = s3.get_object(**wanted, ChecksumMode="ENABLED")
    assert found[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert found["Body"].read() == b"sum"
    wrong = put[f"Checksum{algorithm}"]
    error = refused(s3.put_object, **wanted, Body=b"other", **{f"Checksum{algorithm}": wrong})
    assert error["Code"] == "BadDigest"
    assert s3.get_object(**wanted)["Body"].read() == b"sum"


def test_a_wrong_md5_or_sha256_of_the_body_is_refused(store: Store, s3: Any) -> None:
    md5 = "1B2M2Y8AsgTpgAmY7PhCfg=="
    error = refused(s3.put_object, Bucket="data", Key="md5", Body=b"x", ContentMD5=md5)
    assert error["Code"] == "BadDigest"
    empty = hashlib.sha256().hexdigest()
    status, body, _ = store.ask("PUT", "/data/sha", b"x", x_amz_content_sha256=empty)
    assert (status, b"XAmzContentSHA256Mismatch" in body) == (400, True)
    assert not {"md5", "sha"} & set(keys(s3))


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms"])
def test_encryption_is_accepted_and_told(s3: Any, algorithm: str) -> None:
    asked: dict[str, Any] = {"ServerSideEncryption": algorithm}
    if algorithm == "aws:kms":
        asked["SSEKMSKeyId"] = "alias/mine"
    put = s3.put_object(Bucket="data", Key=f"kept-{algorithm}", Body=b"x", **asked)
    head = s3.head_object(Bucket="data", Key=f"kept-{algorithm}")
    assert {name: put[name] for name in asked} == asked == {name: head[name] for name in asked}


def test_encryption_with_the_clients_key_is_refused_and_not_left_out(s3: Any) -> None:
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32}
    error = refused(s3.put_object, Bucket="data", Key="own-key", Body=b"x", **key)
    assert error["Code"] == "NotImplemented"


def test_a_copy_has_the_bytes_and_the_metadata_of_its_source(s3: Any) -> None:
    s3.put_object(
        Bucket="data",
        Key="from here",
        Body=b"1",
        ContentType="text/csv",
        Metadata={"a": "b"},
        Tagging="t=1",
    )
    source = {"Bucket": "data", "Key": "from here"}
    s3.copy_object(Bucket="data", Key="copied", CopySource=source)
    found = s3.get_object(Bucket="data", Key="copied")
    assert (found["Body"].read(), found["ContentType"]) == (b"1", "text/csv")
    assert (found["Metadata"], found["TagCount"]) == ({"a": "b"}, 1)
    s3.copy_object(
        Bucket="data",
        Key="copied",
        CopySource={"Bucket": "data", "Key": "copied"},
        MetadataDirective="REPLACE",
        Metadata={"c": "d"},
    )
    assert s3.head_object(Bucket="data", Key="copied")["Metadata"] == {"c": "d"}


def test_copies_that_cannot_be_are_refused(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="itself", Body=b"1")
    source = {"Bucket": "data", "Key": "itself"}
    error = refused(s3.copy_object, Bucket="data", Key="itself", CopySource=source)
    assert error["Code"] == "InvalidRequest"
    other = refused(s3.copy_object, Bucket="data", Key="x", CopySource="data/none")
    assert other["Code"] == "NoSuchKey"
    error = refused(
        s3.copy_object, Bucket="data", Key="x", CopySource=source, CopySourceIfMatch='"0"'
    )
    assert error["Code"] == "PreconditionFailed"


def test_tags_are_kept_replaced_and_removed(s3: Any) -> None:
    wanted = {"Bucket": "data", "Key": "tagged"}
    s3.put_object(**wanted, Body=b"1", Tagging="a=1&b=2", Metadata={"kept": "yes"})
    assert len(s3.get_object_tagging(**wanted)["TagSet"]) == 2
    s3.put_object_tagging(**wanted, Tagging={"TagSet": [{"Key": "c", "Value": "é"}]})
    assert s3.get_object_tagging(**wanted)["TagSet"] == [{"Key": "c", "Value": "é"}]
    s3.delete_object_tagging(**wanted)
    assert s3.get_object_tagging(**wanted)["TagSet"] == []
    assert s3.head_object(**wanted)["Metadata"] == {"kept": "yes"}


def test_a_removed_object_is_gone_with_the_folders_it_leaves_empty(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="gone/deep/er", Body=b"1")
    s3.delete_object(Bucket="data", Key="gone/deep/er")
    s3.delete_object(Bucket="data", Key="gone/deep/er")
    assert not (store.folder / "gone").exists()
    assert refused(s3.get_object, Bucket="data", Key="gone/deep/er")["Code"] == "NoSuchKey"


def test_a_body_in_chunks_with_a_trailing_checksum_is_taken_apart(store: Store, s3: Any) -> None:
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
    headers = {
        "content_encoding": "aws-chunked",
        "x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x_amz_decoded_content_length": "11",
        "x_amz_trailer": "x-amz-checksum-crc32",
    }
    assert store.ask("PUT", "/data/chunked", body, **headers)[0] == 200
    found = s3.get_object(Bucket="data", Key="chunked", ChecksumMode="ENABLED")
    assert found["Body"].read() == b"hello world"
    assert found["ChecksumCRC32"] == "DUoRhQ=="
    assert "ContentEncoding" not in found
    wrong = body.replace(b"DUoRhQ==", b"AAAAAA==")
    status, told, _ = store.ask("PUT", "/data/chunked", wrong, **headers)
    assert (status, b"BadDigest" in told) == (400, True)


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nhel",
        b"5\r\nhello\r\n",
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"4\r\nhell\r\n0\r\n\r\n",
        b"x" * 40_000,
    ],
    ids=["cut", "endless", "no-number", "negative", "shorter", "no-lines"],
)
def test_damaged_chunks_are_refused_and_nothing_is_stored(
    store: Store, s3: Any, body: bytes
) -> None:
    headers = {"content_encoding": "aws-chunked", "x_amz_decoded_content_length": "5"}
    status, told, _ = store.ask("PUT", "/data/damaged", body, **headers)
    assert (status, b"IncompleteBody" in told) == (400, True)
    assert keys(s3, Prefix="damaged") == []


def test_a_refused_upload_that_waits_for_leave_does_not_spoil_the_next_request(
    store: Store,
) -> None:
    client = store.client()
    for _ in range(3):
        refused(client.put_object, Bucket="nowhere", Key="x", Body=b"y" * 100_000)
        client.put_object(Bucket="data", Key="next", Body=b"1")
    assert client.get_object(Bucket="data", Key="next")["Body"].read() == b"1"
