from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import FlexibleChecksumError, ReadTimeoutError

from clary.errors import CallerError
from clary.storage.s3 import S3Store
from clary.storage.store import StoredObject
from tests.s3_server import S3Server
from tests.storage.disk import names_in


def test_a_listing_goes_over_pages_and_is_in_key_order(s3: S3Server) -> None:
    # A page has 1,000 keys.
    for number in range(1010):
        s3.put("pages", f"part/{number}", b"x")
    s3.put("pages", "part-2", b"xyz")
    s3.put("pages", "other", b"")
    found = S3Store("pages").objects("part")
    assert found[0] == StoredObject("part-2", 3)
    assert [each.key for each in found[1:]] == sorted(f"part/{number}" for number in range(1010))


def test_an_object_streams_and_seeks(s3: S3Server) -> None:
    data = random.Random(1).randbytes(3_000_000)
    s3.put("streams", "a b/é#?+%.bin", data)
    stream = S3Store("streams").open("a b/é#?+%.bin")
    assert stream.read(10) == data[:10]
    stream.seek(2_500_000)
    assert stream.read(100) == data[2_500_000:2_500_100]
    stream.seek(-7, io.SEEK_END)
    assert stream.read() == data[-7:]
    stream.seek(0)
    assert stream.read() == data


class _Breaking:
    """A body whose connection breaks after some bytes."""

    def __init__(self, body: Any, after: int) -> None:
        self._body = body
        self._left = after

    def read(self, size: int) -> bytes:
        if not self._left:
            raise ReadTimeoutError(endpoint_url="http://x")
        data: bytes = self._body.read(min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._body.close()


def test_a_stream_goes_on_when_its_connection_breaks(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random.Random(2).randbytes(200_000)
    s3.put("breaking", "x", data)
    whole = S3Store.read_from

    def breaking(store: S3Store, key: str, position: int, etag: str | None) -> Any:
        answer = whole(store, key, position, etag)
        return {**answer, "Body": _Breaking(answer["Body"], 30_000)}

    monkeypatch.setattr(S3Store, "read_from", breaking)
    assert S3Store("breaking").open("x").read() == data


def test_a_connection_that_gives_nothing_is_given_up(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("silent", "x", b"abc")
    whole = S3Store.read_from

    def silent(store: S3Store, key: str, position: int, etag: str | None) -> Any:
        answer = whole(store, key, position, etag)
        return {**answer, "Body": _Breaking(answer["Body"], 0)}

    monkeypatch.setattr(S3Store, "read_from", silent)
    with pytest.raises(CallerError, match=r"s3://silent/x: the connection broke .* byte 0 of 3"):
        S3Store("silent").open("x").read()


def test_bytes_that_do_not_fit_their_checksum_are_not_taken(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Damaged:
        def read(self, size: int) -> bytes:
            raise FlexibleChecksumError(error_msg="Expected checksum a did not match b")

    s3.put("damaged", "x", b"abc")
    whole = S3Store.read_from

    def damaged(store: S3Store, key: str, position: int, etag: str | None) -> Any:
        return {**whole(store, key, position, etag), "Body": Damaged()}

    monkeypatch.setattr(S3Store, "read_from", damaged)
    with pytest.raises(CallerError, match="s3://damaged/x: S3 failed: Expected checksum"):
        S3Store("damaged").open("x").read()


def test_files_go_up_and_come_down_whole(s3: S3Server, tmp_path: Path) -> None:
    # Above 8 MB boto3 sends and fetches in parts.
    data = random.Random(3).randbytes(9_000_000)
    (tmp_path / "up").write_bytes(data)
    (s3.root / "transfers").mkdir()
    store = S3Store("transfers")
    store.put(tmp_path / "up", "deep/er/file")
    store.fetch("deep/er/file", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == data


def test_what_is_missing_is_named_and_nothing_is_left(s3: S3Server, tmp_path: Path) -> None:
    s3.put("here", "x", b"x")
    with pytest.raises(CallerError, match="there is no bucket 'nowhere'"):
        S3Store("nowhere").objects("")
    with pytest.raises(CallerError, match="s3://here/y: there is no such object"):
        S3Store("here").open("y")
    with pytest.raises(CallerError, match="s3://here/y: there is no such object"):
        S3Store("here").fetch("y", tmp_path / "y")
    (tmp_path / "file").touch()
    with pytest.raises(CallerError, match="there is no bucket 'nowhere'"):
        S3Store("nowhere").put(tmp_path / "file", "x")
    assert names_in(tmp_path) == ["file"]


def test_wrong_credentials_are_told(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(CallerError, match=r"refused access .* Check the credentials"):
        S3Store("any").objects("")


def test_missing_credentials_are_told(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(CallerError, match=r"no usable S3 credentials.*AWS_ACCESS_KEY_ID"):
        S3Store("any").objects("")


def test_an_unknown_profile_is_told(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CallerError, match=r"no usable S3 credentials: .*nobody"):
        S3Store("any")


def test_an_endpoint_that_does_not_answer_is_named(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(CallerError, match=r"endpoint http://127.0.0.1:9 cannot be reached"):
        S3Store("any").objects("")
