"""A server with keys and its proxy, as unmodified clients find them."""

from __future__ import annotations

import base64
import http.client
import io
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from clary.aws.keys import Keys
from tests.aws.signing import chunked
from tests.servers import Server, served

KEYS = {
    "CLARY_ACCESS_KEY_ID": "AKIACLARY",
    "CLARY_SECRET_ACCESS_KEY": "only-the-owner-knows",
}
GIVEN = {
    "aws_access_key_id": KEYS["CLARY_ACCESS_KEY_ID"],
    "aws_secret_access_key": KEYS["CLARY_SECRET_ACCESS_KEY"],
}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with keys that listens on all addresses."""
    with served(tmp_path_factory.mktemp("locked"), "--listen", "0.0.0.0", **KEYS) as running:
        yield running


def clary(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "clary"), *arguments]
    given = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(command, capture_output=True, text=True, env={**given, **environment})


def test_no_server_for_others_starts_without_keys(tmp_path: Path) -> None:
    done = clary("up", "--root", str(tmp_path / "root"), "--listen", "0.0.0.0", "--port", "0")
    assert done.returncode == 1
    assert "needs keys" in done.stderr
    assert not (tmp_path / "root").exists()


def test_strangers_are_refused_everywhere(locked: Server) -> None:
    for service, call in (
        ("sagemaker", lambda client: client.list_training_jobs()),
        ("logs", lambda client: client.describe_log_groups()),
        ("sts", lambda client: client.get_caller_identity()),
        ("s3", lambda client: client.list_buckets()),
        ("sagemaker-runtime", lambda client: client.invoke_endpoint(EndpointName="a", Body=b"")),
    ):
        with pytest.raises(ClientError) as caught:
            call(locked.client(service))
        assert "token" in str(caught.value) or "Key" in str(caught.value)
    assert httpx.get(f"{locked.facts.url}/console").status_code == 403
    assert httpx.put(f"{locked.facts.url}/data/a", content=b"a").status_code == 403
    assert list(locked.bucket.iterdir()) == []


def test_the_owner_may_do_everything(locked: Server) -> None:
    assert locked.client("sagemaker", **GIVEN).list_training_jobs()["TrainingJobSummaries"] == []
    assert locked.client("sts", **GIVEN).get_caller_identity()["Account"] == locked.facts.account
    s3 = locked.client("s3", **GIVEN)
    body = os.urandom(12 << 20)
    parts = TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=5 << 20)
    s3.upload_fileobj(io.BytesIO(body), "data", "large", Config=parts)
    s3.put_object(Bucket="data", Key="a b/ü", Body=b"x", Metadata={"kind": "small"})
    assert (locked.bucket / "large").read_bytes() == body
    assert s3.get_object(Bucket="data", Key="a b/ü")["Metadata"] == {"kind": "small"}
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="data")["Contents"]]
    assert keys == ["a b/ü", "large"]
    s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": key} for key in keys]})


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_links_of_the_owner_are_for_everyone(locked: Server, version: str) -> None:
    s3 = locked.client("s3", **GIVEN, config=Config(signature_version=version))
    place = {"Bucket": "data", "Key": "by link"}
    assert httpx.put(s3.generate_presigned_url("put_object", place), content=b"ab").is_success
    assert httpx.get(s3.generate_presigned_url("get_object", place)).content == b"ab"
    wrong = s3.generate_presigned_url("get_object", place).replace("link", "lunk")
    assert httpx.get(wrong).status_code == 403
    assert httpx.delete(s3.generate_presigned_url("delete_object", place)).is_success


def test_an_object_that_was_tampered_with_is_not_stored(locked: Server) -> None:
    s3 = locked.client("s3", **GIVEN)
    sent: dict[str, Any] = {}

    def catch(request: Any, **more: Any) -> None:
        sent.update(request.headers.items())
        raise RuntimeError

    s3.meta.events.register("before-send.s3.PutObject", catch)
    with pytest.raises(RuntimeError):
        s3.put_object(Bucket="data", Key="a", Body=b"a" * 100_000)
    connection = http.client.HTTPConnection("127.0.0.1", locked.facts.port)
    headers = {name: value for name, value in sent.items() if name != "Expect"}
    connection.request("PUT", "/data/a", b"a" * 99_999 + b"b", headers)
    assert connection.getresponse().status == 400
    assert not (locked.bucket / "a").exists()


@pytest.mark.parametrize("with_trailer", [False, True], ids=["chunks", "chunks and trailer"])
def test_signed_chunks_are_stored_once_all_of_them_hold(locked: Server, with_trailer: bool) -> None:
    pieces = [os.urandom(65_536), os.urandom(100_000), b"end"]
    whole = b"".join(pieces)
    crc = base64.b64encode(zlib.crc32(whole).to_bytes(4, "big"))
    trailer = b"x-amz-checksum-crc32:" + crc if with_trailer else b""
    url = f"{locked.facts.url}/data/chunks"
    keys = Keys(KEYS["CLARY_ACCESS_KEY_ID"], KEYS["CLARY_SECRET_ACCESS_KEY"])
    headers, body = chunked(keys, url, pieces, trailer)
    tampered = body.replace(b"end", b"END")
    answer = httpx.put(url, headers=headers, content=tampered)
    assert answer.status_code == 403
    assert "<Code>SignatureDoesNotMatch</Code>" in answer.text
    assert not (locked.bucket / "chunks").exists()
    assert httpx.put(url, headers=headers, content=body).is_success
    assert (locked.bucket / "chunks").read_bytes() == whole
    (locked.bucket / "chunks").unlink()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_workers_do_not_know_the_keys(locked: Server) -> None:
    tasks = Path(f"/proc/{locked.process.pid}/task")
    children = {int(pid) for one in tasks.glob("*/children") for pid in one.read_text().split()}
    environments = [Path(f"/proc/{child}/environ").read_bytes() for child in children]
    workers = [one for one in environments if b"CLARY_EVENTS=" in one]
    assert workers
    for one in workers:
        assert KEYS["CLARY_SECRET_ACCESS_KEY"].encode() not in one
        assert KEYS["CLARY_ACCESS_KEY_ID"].encode() not in one


def test_a_role_that_the_owner_assumes_may_do_everything(locked: Server) -> None:
    arn = "arn:aws:iam::123456789012:role/MyRole"
    sts = locked.client("sts", **GIVEN)
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    given = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    assert locked.client("s3", **given).list_buckets()["Buckets"]


def test_the_environment_of_clients_holds_the_keys(locked: Server) -> None:
    done = clary("env", "--root", str(locked.root), "--format", "dotenv", **KEYS)
    lines = done.stdout.splitlines()
    assert f"AWS_SECRET_ACCESS_KEY={KEYS['CLARY_SECRET_ACCESS_KEY']}" in lines
    assert f"AWS_ENDPOINT_URL=http://127.0.0.1:{locked.facts.port}" in lines


CLIENT = """
import boto3
sts = boto3.client("sts", endpoint_url="https://sts.us-east-1.amazonaws.com")
print(sts.get_caller_identity()["Arn"])
iam = boto3.client("iam", endpoint_url="https://iam.amazonaws.com")
print(iam.get_role(RoleName="AmazonSageMaker-ExecutionRole")["Role"]["RoleName"])
s3 = boto3.client("s3", endpoint_url="https://s3.us-east-1.amazonaws.com",
    config=boto3.session.Config(s3={"addressing_style": "virtual"}))
s3.put_object(Bucket="data", Key="by/host", Body=b"x")
print([one["Key"] for one in s3.list_objects_v2(Bucket="data", Prefix="by/")["Contents"]])
"""


@pytest.mark.parametrize("name", ["server", "locked"])
def test_addresses_that_clients_have_fixed_lead_to_the_server(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: Server = request.getfixturevalue(name)
    exports = clary(
        "env", "--root", str(server.root), "--proxy", HOME=str(tmp_path), **server.environment
    ).stdout
    # Those of services are taken away: the hosts alone lead there
    script = f"{exports}\nunset $(env | grep -o '^AWS_ENDPOINT_URL[A-Z0-9_]*')\n"
    done = subprocess.run(
        ["sh", "-c", f'{script} exec "$0" -c "$1"', sys.executable, CLIENT],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert done.stderr == ""
    arn, role, stored = done.stdout.splitlines()
    assert arn.startswith("arn:aws:sts::123456789012:assumed-role/AmazonSageMaker-ExecutionRole/")
    assert role == "AmazonSageMaker-ExecutionRole"
    assert stored == "['by/host']"
    assert (server.bucket / "by" / "host").read_bytes() == b"x"
    shutil.rmtree(server.bucket / "by")
