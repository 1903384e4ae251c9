"""The gate in front of everything, asked by boto3 over sockets: keys, words, streaming bodies."""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore import UNSIGNED, auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from clary.aws.keys import Keys
from clary.server.gate import SignatureGate
from tests.server.listening import Recorder, listening

KEYS = Keys("AKIACLARY", "a-secret-of-the-server")


class Gated:
    """A gate on a port, the application behind it, and the time by its clock."""

    def __init__(self) -> None:
        self.app = Recorder()
        self.ahead = 0.0
        self.port = 0

    def client(self, service: str, **settings: Any) -> Any:
        given: dict[str, Any] = {
            "endpoint_url": f"http://127.0.0.1:{self.port}",
            "region_name": "us-east-1",
            "aws_access_key_id": KEYS.access_key,
            "aws_secret_access_key": KEYS.secret_key,
            "config": Config(retries={"max_attempts": 0}),
        }
        return boto3.client(service, **{**given, **settings})

    def clock(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def gated() -> Iterator[Gated]:
    one = Gated()
    gate = SignatureGate(
        one.app, KEYS, when=lambda scope: scope["path"] != "/open", clock=one.clock
    )
    with listening(gate) as one.port:
        yield one


CALLS = {
    "sagemaker": ("list_models", {}),
    "logs": ("describe_log_groups", {}),
    "cloudwatch": ("list_metrics", {}),
    "sts": ("get_caller_identity", {}),
    "iam": ("get_role", {"RoleName": "a"}),
    "sagemaker-runtime": ("invoke_endpoint", {"EndpointName": "a", "Body": b"1,2"}),
    "s3": (
        "put_object",
        {"Bucket": "data", "Key": "a b/ü", "Body": b"1,2", "Metadata": {"x": "y"}},
    ),
}
_ANSWERS = {
    "s3": b"",
    "sts": b"<a><GetCallerIdentityResult/></a>",
    "iam": b"<a><GetRoleResult/></a>",
}


def call(gated: Gated, service: str, **settings: Any) -> None:
    name, parameters = CALLS[service]
    gated.app.answer = _ANSWERS.get(service, b"{}")
    getattr(gated.client(service, **settings), name)(**parameters)


def refused(gated: Gated, service: str, **settings: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(gated, service, **settings)
    assert gated.app.requests == []
    answer = caught.value.response
    assert answer["Error"]["Message"]
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("service", sorted(CALLS.keys() - {"sts", "iam"}))
def test_what_boto3_signs_goes_through(gated: Gated, service: str) -> None:
    call(gated, service)
    (_, body) = gated.app.requests[0]
    assert body == CALLS[service][1].get("Body", body)


@pytest.mark.parametrize("service", ["sts", "iam"])
def test_forms_that_boto3_signs_go_through(gated: Gated, service: str) -> None:
    call(gated, service)
    assert b"Action=" in gated.app.requests[0][1]


def test_each_service_refuses_an_unknown_key_in_its_own_words(gated: Gated) -> None:
    got = {name: refused(gated, name, aws_access_key_id="AKIAOTHER") for name in CALLS}
    assert got == {
        "sagemaker": ("UnrecognizedClientException", 400),
        "logs": ("UnrecognizedClientException", 400),
        "cloudwatch": ("UnrecognizedClientException", 400),
        "sts": ("InvalidClientTokenId", 403),
        "iam": ("InvalidClientTokenId", 403),
        "sagemaker-runtime": ("UnrecognizedClientException", 403),
        "s3": ("InvalidAccessKeyId", 403),
    }


def test_each_service_refuses_another_secret_in_its_own_words(gated: Gated) -> None:
    got = {name: refused(gated, name, aws_secret_access_key="other") for name in CALLS}
    assert got == {
        "sagemaker": ("InvalidSignatureException", 400),
        "logs": ("InvalidSignatureException", 400),
        "cloudwatch": ("InvalidSignatureException", 400),
        "sts": ("SignatureDoesNotMatch", 403),
        "iam": ("SignatureDoesNotMatch", 403),
        "sagemaker-runtime": ("InvalidSignatureException", 403),
        "s3": ("SignatureDoesNotMatch", 403),
    }


@pytest.mark.parametrize("ahead", [901.0, -901.0])
def test_each_service_refuses_another_time_in_its_own_words(gated: Gated, ahead: float) -> None:
    gated.ahead = ahead
    assert refused(gated, "sagemaker")[0] == "InvalidSignatureException"
    assert refused(gated, "sts")[0] == "SignatureDoesNotMatch"
    assert refused(gated, "s3")[0] == "RequestTimeTooSkewed"


def test_an_expired_session_is_refused(gated: Gated) -> None:
    temporary = KEYS.temporary(60, gated.clock())
    given = {
        "aws_access_key_id": temporary.access_key,
        "aws_secret_access_key": temporary.secret_key,
        "aws_session_token": temporary.token,
    }
    call(gated, "s3", **given)
    gated.app.requests.clear()
    gated.ahead = 61
    got = [refused(gated, name, **given)[0] for name in ("sagemaker", "sts", "s3")]
    assert got == ["ExpiredTokenException", "ExpiredToken", "ExpiredToken"]


def test_an_unsigned_request_is_refused(gated: Gated) -> None:
    unsigned = Config(signature_version=UNSIGNED)
    assert refused(gated, "s3", config=unsigned) == ("AccessDenied", 403)
    got = refused(gated, "sagemaker", config=unsigned)
    assert got == ("MissingAuthenticationTokenException", 400)


def test_what_needs_no_signature_goes_through(gated: Gated) -> None:
    assert httpx.get(f"http://127.0.0.1:{gated.port}/open").status_code == 200


def test_links_of_both_versions_go_through_until_they_expire(gated: Gated) -> None:
    for version in ("s3v4", "s3"):
        client = gated.client("s3", config=Config(signature_version=version))
        url = client.generate_presigned_url("get_object", {"Bucket": "data", "Key": "a b"}, 60)
        gated.ahead = 0
        assert httpx.get(url).status_code == 200
        assert httpx.get(url.replace("/data/", "/other/")).status_code == 403
        gated.ahead = 62
        answer = httpx.get(url)
        assert answer.status_code == 403
        assert "<Message>Request has expired</Message>" in answer.text


def test_a_request_for_the_store_cannot_be_led_to_another_service(gated: Gated) -> None:
    """Its body may be unsigned, so that a second content type would make it a form of STS."""
    url = f"http://127.0.0.1:{gated.port}/data/a?uploads"
    request = AWSRequest("POST", url, headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    signer = auth.SigV4Auth(Credentials(KEYS.access_key, KEYS.secret_key), "s3", "us-east-1")
    signer.add_auth(request)
    form = ("Content-Type", "application/x-www-form-urlencoded")
    headers = list(request.headers.items())
    assert httpx.post(url, headers=headers, content=b"a").status_code == 200
    gated.app.requests.clear()
    for added in ([form], [("Content-Type", "text/xml"), form], [form, ("Content-Type", "a/b")]):
        answer = httpx.post(url, headers=[*headers, *added], content=b"Action=GetSessionToken")
        assert answer.status_code in {400, 403}
    assert gated.app.requests == []


def sent(gated: Gated, body: bytes, signed_body: bytes) -> tuple[int, bytes]:
    """A PUT whose body is not that which was signed."""
    url = f"http://127.0.0.1:{gated.port}/data/a"
    request = AWSRequest("PUT", url, data=signed_body)
    signer = auth.S3SigV4Auth(Credentials(KEYS.access_key, KEYS.secret_key), "s3", "us-east-1")
    signer.add_auth(request)
    headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
    connection = http.client.HTTPConnection("127.0.0.1", gated.port)
    connection.request("PUT", "/data/a", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_body_never_arrives_whole_that_was_tampered_with(gated: Gated, size: int) -> None:
    body = bytes(size)
    assert sent(gated, body, body)[0] == 200
    assert [len(one) for _, one in gated.app.requests] == [size]
    gated.app.requests.clear()
    status, text = sent(gated, body[:-1] + b"x", body)
    assert status == 400
    assert b"<Code>XAmzContentSHA256Mismatch</Code>" in text
    assert gated.app.requests == []


def test_large_bodies_stream_through(gated: Gated) -> None:
    gated.app.answer = b""
    gated.client("s3").upload_fileobj(
        io.BytesIO(bytes(20_000_000)),
        "data",
        "a",
        Config=boto3.s3.transfer.TransferConfig(multipart_threshold=1 << 30),
    )
    assert sum(len(body) for _, body in gated.app.requests) >= 20_000_000


def test_too_long_a_request_is_refused_before_it_is_all_read(gated: Gated) -> None:
    with pytest.raises(ClientError) as caught:
        gated.client("sagemaker-runtime").invoke_endpoint(EndpointName="a", Body=bytes(33 << 20))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_client_that_leaves_early_does_no_harm(gated: Gated) -> None:
    for head in (b"POST / HTTP/1.1", b"PUT /data/a HTTP/1.1"):
        with socket.create_connection(("127.0.0.1", gated.port)) as connection:
            connection.sendall(head + b"\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
    call(gated, "s3")
    assert len(gated.app.requests) == 1


def test_a_stranger_who_waits_with_the_body_is_told_to_hang_up(gated: Gated) -> None:
    """The body that is not sent any more must not be taken from the next request."""
    head = (
        b"PUT /data/key HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", gated.port), timeout=30) as connection:
        connection.sendall(head)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert gated.app.requests == []
