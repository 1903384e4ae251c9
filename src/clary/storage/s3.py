"""A bucket of any S3 endpoint as a store. The only place that knows boto3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from clary import settings
from clary.errors import CallerError
from clary.storage.folder import whole_file
from clary.storage.store import StoredObject

_BUFFER_BYTES = 1 << 20
_CONNECT_SECONDS = 5
_READ_SECONDS = 60
_ATTEMPTS = 4
_CONNECTIONS = 32
_MISSING = {"404", "NoSuchKey", "NotFound"}
_REFUSED = {
    "403",
    "AccessDenied",
    "ExpiredToken",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}


class S3Store:
    """The objects of a bucket, at the endpoint that the environment names or at AWS."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self._endpoint = settings.s3_endpoint()
        with self._explained(""):
            self._client = _client(self._endpoint)

    def objects(self, prefix: str) -> list[StoredObject]:
        with self._explained(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            found = [
                StoredObject(each["Key"], each["Size"])
                for page in pages
                for each in page.get("Contents", ())
            ]
        # Not every server sorts as S3 does.
        return sorted(found, key=lambda each: each.key.encode())

    def open(self, key: str) -> BinaryIO:
        """A seekable stream that outlives broken connections."""
        stream = _ObjectStream(self, key)
        return io.BufferedReader(stream, _BUFFER_BYTES)

    def local(self, key: str) -> None:
        return None

    def fetch(self, key: str, path: Path) -> None:
        with whole_file(path) as target, self._explained(key):
            self._client.download_fileobj(self.bucket, key, target)

    def put(self, path: Path, key: str) -> None:
        with path.open("rb") as source, self._explained(key):
            self._client.upload_fileobj(source, self.bucket, key)

    def remove(self, key: str) -> None:
        with self._explained(key):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def read_from(self, key: str, position: int, etag: str | None) -> Any:
        """The answer of GetObject from a position on; the object must still be the same."""
        condition = {"IfMatch": etag} if etag else {}
        start = {"Range": f"bytes={position}-"} if position else {}
        with self._explained(key):
            return self._client.get_object(Bucket=self.bucket, Key=key, **start, **condition)

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """S3's refusals in the user's words."""
        try:
            yield
        except ClientError as error:
            raise self._refusal(key, error) from error
        except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
            raise CallerError.of(
                self.uri(key),
                f"no usable S3 credentials: {error}",
                remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
            ) from error
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            raise CallerError.of(
                self.uri(key),
                f"the S3 endpoint {self._endpoint or 'of AWS'} cannot be reached",
                remedy="AWS_ENDPOINT_URL_S3 names another one; is the server up?",
            ) from error
        except (BotoCoreError, Boto3Error) as error:
            raise CallerError.of(self.uri(key), f"S3 failed: {error}") from error

    def _refusal(self, key: str, error: ClientError) -> CallerError:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "NoSuchBucket":
            return CallerError.of(self.uri(key), f"there is no bucket {self.bucket!r}")
        if code in _MISSING:
            return CallerError.of(self.uri(key), "there is no such object")
        if code in _REFUSED:
            return CallerError.of(
                self.uri(key),
                f"S3 refused access ({code})",
                remedy="Check the credentials and what they may read and write.",
            )
        if code in {"412", "PreconditionFailed"}:
            return CallerError.of(self.uri(key), "the object was changed while it was read")
        return CallerError.of(self.uri(key), f"S3 failed: {error}")


class _ObjectStream(io.RawIOBase):
    """An object's bytes from any position; goes on where it was when the connection breaks.

    A slow reader's connection may be cut by the server after minutes of silence.
    """

    def __init__(self, store: S3Store, key: str) -> None:
        self._store = store
        self._key = key
        self._position = 0
        answer = store.read_from(key, 0, None)
        self._body, self._etag = answer["Body"], answer["ETag"]
        self._size = int(answer["ContentLength"])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset != self._position:
            self._drop()
            self._position = max(start + offset, 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        data = self._read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._drop()
        super().close()

    def _read(self, size: int) -> bytes:
        for _ in range(_ATTEMPTS):
            if self._body is None:
                answer = self._store.read_from(self._key, self._position, self._etag)
                self._body = answer["Body"]
            try:
                data = cast(bytes, self._body.read(size))
            except (HTTPClientError, IncompleteReadError):
                data = b""
            except BotoCoreError as error:
                # A checksum that does not fit; reading on would only hide it.
                raise CallerError.of(self._store.uri(self._key), f"S3 failed: {error}") from error
            if data:
                return data
            self._drop()
        raise CallerError.of(
            self._store.uri(self._key),
            f"the connection broke {_ATTEMPTS} times at byte {self._position:,} of {self._size:,}",
        )

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


def _client(endpoint: str | None) -> Any:
    session = boto3.session.Session()
    own_server = {"s3": {"addressing_style": "path"}} if endpoint else {}
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        max_pool_connections=_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        **own_server,
    )
    region = session.region_name or "us-east-1"
    return session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
