"""Objects in parts, and what is left when the store dies in the middle of one."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import resource
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig

from tests.server.s3.served import Store, keys, refused, serving

_MIB = 1 << 20
_PART = 5 * _MIB  # boto3 makes them no smaller
_PARTS = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=4)


class _Zeros(io.RawIOBase):
    """A file of zeros that takes no memory."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        self._left -= size
        return bytes(size)


def test_parts_become_one_object(store: Store, s3: Any, tmp_path: Path) -> None:
    data = os.urandom(3 * _PART + 12345)
    extra = {"Metadata": {"a": "b"}, "ContentType": "text/csv", "ServerSideEncryption": "aws:kms"}
    s3.upload_fileobj(io.BytesIO(data), "data", "parts/whole", ExtraArgs=extra, Config=_PARTS)
    assert (store.folder / "parts" / "whole").read_bytes() == data
    head = s3.head_object(Bucket="data", Key="parts/whole")
    assert (head["Metadata"], head["ContentType"]) == ({"a": "b"}, "text/csv")
    assert head["ServerSideEncryption"] == "aws:kms"
    digests = [hashlib.md5(data[at : at + _PART]).digest() for at in range(0, len(data), _PART)]
    assert head["ETag"] == f'"{hashlib.md5(b"".join(digests)).hexdigest()}-4"'
    s3.download_file("data", "parts/whole", str(tmp_path / "back"), Config=_PARTS)
    assert (tmp_path / "back").read_bytes() == data
    assert list((store.root / ".clary" / "uploads").iterdir()) == []


def test_parts_are_listed_replaced_and_given_up(store: Store, s3: Any) -> None:
    wanted = {"Bucket": "data", "Key": "parts/given up"}
    upload = s3.create_multipart_upload(**wanted)["UploadId"]
    for body in (b"first", b"second"):
        s3.upload_part(**wanted, UploadId=upload, PartNumber=3, Body=body)
    s3.upload_part(**wanted, UploadId=upload, PartNumber=1, Body=b"one")
    told = s3.list_parts(**wanted, UploadId=upload)["Parts"]
    assert [(each["PartNumber"], each["Size"]) for each in told] == [(1, 3), (3, 6)]
    (begun,) = s3.list_multipart_uploads(Bucket="data", Prefix="parts/given")["Uploads"]
    assert (begun["Key"], begun["UploadId"]) == ("parts/given up", upload)
    s3.abort_multipart_upload(**wanted, UploadId=upload)
    assert refused(s3.list_parts, **wanted, UploadId=upload)["Code"] == "NoSuchUpload"
    assert keys(s3, Prefix="parts/given") == []
    assert list((store.root / ".clary" / "uploads").iterdir()) == []


def test_parts_that_do_not_fit_are_refused(s3: Any) -> None:
    wanted = {"Bucket": "data", "Key": "parts/wrong"}
    upload = s3.create_multipart_upload(**wanted)["UploadId"]
    tags = [
        s3.upload_part(**wanted, UploadId=upload, PartNumber=number, Body=b"x")["ETag"]
        for number in (1, 2)
    ]
    named = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]

    def completed(*parts: dict[str, Any]) -> str:
        chosen = {"Parts": list(parts)}
        call = s3.complete_multipart_upload
        error = refused(call, **wanted, UploadId=upload, MultipartUpload=chosen)
        return str(error["Code"])

    assert completed(*reversed(named)) == "InvalidPartOrder"
    assert completed({"PartNumber": 1, "ETag": '"0"'}) == "InvalidPart"
    assert completed({"PartNumber": 5, "ETag": tags[0]}) == "InvalidPart"
    assert completed() == "MalformedXML"
    other = refused(s3.upload_part, **wanted, UploadId="../x", PartNumber=1, Body=b"x")
    assert other["Code"] == "NoSuchUpload"
    error = refused(s3.upload_part, **wanted, UploadId=upload, PartNumber=10_001, Body=b"x")
    assert error["Code"] == "InvalidArgument"
    s3.abort_multipart_upload(**wanted, UploadId=upload)


def test_parts_are_copied_from_ranges_of_another_object(s3: Any) -> None:
    data = os.urandom(_PART + _MIB)
    s3.put_object(Bucket="data", Key="parts/source", Body=data)
    wanted = {"Bucket": "data", "Key": "parts/from ranges"}
    upload = s3.create_multipart_upload(**wanted)["UploadId"]
    parts = []
    for number, span in enumerate((f"bytes={_MIB}-{len(data) - 1}", "bytes=0-9"), 1):
        told = s3.upload_part_copy(
            **wanted,
            UploadId=upload,
            PartNumber=number,
            CopySource="data/parts/source",
            CopySourceRange=span,
        )
        parts.append({"PartNumber": number, "ETag": told["CopyPartResult"]["ETag"]})
    chosen = {"Parts": parts}
    s3.complete_multipart_upload(**wanted, UploadId=upload, MultipartUpload=chosen)
    assert s3.get_object(**wanted)["Body"].read() == data[_MIB:] + data[:10]
    source = {"Bucket": "data", "Key": "parts/source"}
    s3.copy(source, "data", "parts/managed copy", Config=_PARTS)
    assert s3.get_object(Bucket="data", Key="parts/managed copy")["Body"].read() == data


def test_a_condition_holds_for_an_object_in_parts(s3: Any) -> None:
    wanted = {"Bucket": "data", "Key": "parts/conditional"}
    s3.put_object(**wanted, Body=b"first")
    upload = s3.create_multipart_upload(**wanted)["UploadId"]
    part = s3.upload_part(**wanted, UploadId=upload, PartNumber=1, Body=b"x")
    chosen = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    call = s3.complete_multipart_upload
    error = refused(call, **wanted, UploadId=upload, MultipartUpload=chosen, IfNoneMatch="*")
    assert error["Code"] == "PreconditionFailed"
    s3.complete_multipart_upload(**wanted, UploadId=upload, MultipartUpload=chosen)
    assert s3.get_object(**wanted)["Body"].read() == b"x"


def test_a_client_that_goes_away_leaves_nothing(store: Store, s3: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", store.port)
    connection.putrequest("PUT", "/data/half")
    connection.putheader("Content-Length", str(100 * _MIB))
    connection.endheaders()
    connection.send(bytes(5 * _MIB))
    assert keys(s3, Prefix="half") == []
    connection.close()
    incoming = store.root / ".clary" / "incoming"
    deadline = time.monotonic() + 30
    while list(incoming.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(incoming.iterdir()) == []
    assert not (store.folder / "half").exists()


def test_a_killed_store_leaves_no_half_object_and_goes_on_with_uploads(tmp_path: Path) -> None:
    wanted = {"Bucket": "data", "Key": "parts"}
    with serving(tmp_path) as store:
        client = store.client()
        client.put_object(Bucket="data", Key="old", Body=b"old", Metadata={"a": "b"})
        upload = client.create_multipart_upload(**wanted)["UploadId"]
        client.upload_part(**wanted, UploadId=upload, PartNumber=1, Body=b"one")
        connection = http.client.HTTPConnection("127.0.0.1", store.port)
        connection.putrequest("PUT", "/data/old")
        connection.putheader("Content-Length", str(100 * _MIB))
        connection.endheaders()
        connection.send(bytes(5 * _MIB))
        incoming = store.root / ".clary" / "incoming"
        while not any(path.stat().st_size for path in incoming.iterdir()):
            time.sleep(0.01)
        store.process.kill()
        store.process.wait()
        assert (store.folder / "old").read_bytes() == b"old"
        assert len(list(incoming.iterdir())) == 1
    with serving(tmp_path) as store:
        client = store.client()
        assert list(incoming.iterdir()) == []
        assert client.head_object(Bucket="data", Key="old")["Metadata"] == {"a": "b"}
        assert keys(client) == ["old"]
        part = client.list_parts(**wanted, UploadId=upload)["Parts"][0]
        chosen = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        client.complete_multipart_upload(**wanted, UploadId=upload, MultipartUpload=chosen)
        assert client.get_object(**wanted)["Body"].read() == b"one"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of others are Linux's")
def test_a_full_disk_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    with serving(tmp_path) as store:
        client = store.client()
        client.put_object(Bucket="data", Key="kept", Body=b"old")
        # The system refuses files over a limit as it refuses those on a full disk.
        resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE, (_MIB, resource.RLIM_INFINITY))
        error = refused(client.put_object, Bucket="data", Key="kept", Body=bytes(5 * _MIB))
        assert error["Code"] == "StorageFull"
        assert list((tmp_path / ".clary" / "incoming").iterdir()) == []
        assert client.get_object(Bucket="data", Key="kept")["Body"].read() == b"old"
        client.put_object(Bucket="data", Key="small", Body=b"x")


def test_readers_see_one_object_whole_while_others_replace_it(store: Store) -> None:
    writing, faults = threading.Event(), []
    bodies = {letter: letter.encode() * 300_000 for letter in "abc"}
    tags = {f'"{hashlib.md5(body).hexdigest()}"': body for body in bodies.values()}

    def write(letter: str) -> None:
        client = store.client()
        while not writing.is_set():
            client.put_object(
                Bucket="data", Key="contended", Body=bodies[letter], Metadata={"is": letter}
            )

    client = store.client()
    client.put_object(Bucket="data", Key="contended", Body=bodies["a"], Metadata={"is": "a"})
    writers = [threading.Thread(target=write, args=(letter,)) for letter in bodies]
    for each in writers:
        each.start()
    for _ in range(60):
        found = client.get_object(Bucket="data", Key="contended")
        body = found["Body"].read()
        if tags.get(found["ETag"]) != body or bodies.get(found["Metadata"].get("is", "")) != body:
            faults.append(found["ETag"])
    writing.set()
    for each in writers:
        each.join()
    assert faults == []


def test_of_many_who_make_one_key_one_wins(store: Store) -> None:
    start, codes = threading.Barrier(6), []

    def make(number: int) -> None:
        client = store.client()
        start.wait()
        try:
            client.put_object(Bucket="data", Key="race", Body=str(number), IfNoneMatch="*")
            codes.append(f"{number}")
        except client.exceptions.ClientError as error:
            codes.append(error.response["Error"]["Code"])

    makers = [threading.Thread(target=make, args=(number,)) for number in range(6)]
    for each in makers:
        each.start()
    for each in makers:
        each.join()
    (winner,) = (code for code in codes if code.isdecimal())
    assert codes.count("PreconditionFailed") == 5
    assert (store.folder / "race").read_text() == winner


@pytest.mark.slow
def test_five_gigabytes_pass_without_more_memory(tmp_path: Path) -> None:
    size = 5 << 30
    with serving(tmp_path) as store:
        client = store.client()
        client.put_object(Bucket="data", Key="warm", Body=bytes(8 * _MIB))
        before = store.peak_bytes()
        client.upload_fileobj(_Zeros(size), "data", "big")
        assert client.head_object(Bucket="data", Key="big")["ContentLength"] == size
        client.copy({"Bucket": "data", "Key": "big"}, "data", "copy")
        read = sum(map(len, client.get_object(Bucket="data", Key="copy")["Body"].iter_chunks(_MIB)))
        assert read == size
        # Ten parts at once, each with two pieces of 1 MiB under way, and the threads' own
        assert store.peak_bytes() - before < 100 * _MIB
