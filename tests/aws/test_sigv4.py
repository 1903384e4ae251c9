"""Signatures: AWS's published examples, botocore's signers, and whatever is tampered with."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from botocore import auth
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from clary.aws.errors import NotVerified, Wrong
from clary.aws.signed_request import SignedRequest
from clary.aws.sigv4 import UNSIGNED, verified
from tests.aws.signing import KEYS, NOW, changed, signed

NOTHING = hashlib.sha256().hexdigest()
TARGET = {
    "X-Amz-Target": "SageMaker.ListModels",
    "Content-Type": "application/x-amz-json-1.1",
}
BODY = b'{"MaxResults": 10}'
DIGEST = hashlib.sha256(BODY).hexdigest()
AT = NOW.timestamp()


def wrong(
    request: SignedRequest, digest: str = DIGEST, now: float = AT, service: str = "sagemaker"
):
    with pytest.raises(NotVerified) as caught:
        verified(request, digest, KEYS.secret_of, {service}, now)
    return caught.value.wrong


# AWS's test suite for signers: method, path, query, headers beside host and date, body, signature
SUITE = {
    "vanilla": (
        "GET", "/", "", [], b"",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "query in order of its keys": (
        "GET", "/", "Param2=value2&Param1=value1", [], b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "unreserved characters": (
        "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "", [], b"",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    "post": (
        "POST", "/", "", [], b"",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "spaces in headers": (
        "GET", "/", "", [("my-header1", "  value1"), ("my-header2", ' "a   b   c"')], b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "form": (
        "POST", "/", "", [("content-type", "application/x-www-form-urlencoded")], b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    "detours in the path": (
        "GET", "/example/..", "", [], b"",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SUITE)
def test_the_published_suite_is_verified(name: str) -> None:
    method, path, query, more, body, signature = SUITE[name]
    headers = [("host", "example.amazonaws.com"), *more, ("x-amz-date", "20150830T123600Z")]
    names = ";".join(sorted(one for one, _ in headers))
    scope = "20150830/us-east-1/service/aws4_request"
    told = (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    request = SignedRequest(
        method,
        path.encode(),
        query.encode(),
        tuple((one.encode(), value.encode()) for one, value in [*headers, ("authorization", told)]),
    )
    digest = hashlib.sha256(body).hexdigest()
    verified(request, digest, KEYS.secret_of, {"service"}, 1440938160)


@pytest.mark.parametrize("service", ["sagemaker", "logs", "monitoring", "sts", "iam"])
def test_what_botocore_signs_is_verified(service: str) -> None:
    request = signed(service=service, headers=TARGET, body=BODY)
    assert verified(request, DIGEST, KEYS.secret_of, {service}, AT).claim.service == service


@pytest.mark.parametrize(
    "path",
    ["/data/a", "/data/a%20b%2Bc", "/data/%C3%BC//x/../y", "/data/a~b%27%28%29", "/", "/data/%25"],
)
def test_keys_of_all_kinds_are_verified(path: str) -> None:
    url = f"http://127.0.0.1:8042{path}?list-type=2&prefix=a%2Fb%20c&uploads"
    request = signed(auth.S3SigV4Auth, "s3", "GET", url)
    verified(request, NOTHING, KEYS.secret_of, {"s3"}, AT)


def test_an_endpoint_name_that_needs_encoding_is_verified() -> None:
    url = "http://127.0.0.1:8042/endpoints/a%20b/invocations"
    request = signed(url=url, headers={"Content-Type": "text/csv"}, body=BODY)
    verified(request, DIGEST, KEYS.secret_of, {"sagemaker"}, AT)


def test_a_link_is_verified_until_it_expires() -> None:
    url = "http://127.0.0.1:8042/data/a%20b?response-content-type=text%2Fplain"
    request = signed(auth.S3SigV4QueryAuth, "s3", "GET", url, expires=60)
    verified(request, UNSIGNED, KEYS.secret_of, {"s3"}, AT + 60)
    assert wrong(request, UNSIGNED, AT + 61, "s3") is Wrong.LINK_EXPIRED
    assert wrong(request, UNSIGNED, AT - 901, "s3") is Wrong.SKEWED


def test_a_link_holds_for_a_week_at_most() -> None:
    request = signed(auth.S3SigV4QueryAuth, "s3", "GET", "http://h/data/a", expires=604_801)
    assert wrong(request, UNSIGNED, AT, "s3") is Wrong.INCOMPLETE


def test_a_header_signed_request_holds_for_a_quarter_of_an_hour() -> None:
    request = signed(headers=TARGET, body=BODY)
    for seconds in (-900, 900):
        verified(request, DIGEST, KEYS.secret_of, {"sagemaker"}, AT + seconds)
    for seconds in (-901, 901):
        assert wrong(request, now=AT + seconds) is Wrong.SKEWED


def test_another_body_is_refused() -> None:
    assert wrong(signed(headers=TARGET, body=BODY), NOTHING) is Wrong.SIGNATURE


def test_a_signature_for_another_service_is_refused() -> None:
    assert wrong(signed(service="s3", headers=TARGET, body=BODY)) is Wrong.SCOPE


def test_an_unsigned_request_is_refused() -> None:
    assert wrong(SignedRequest("GET", b"/", b"", ((b"host", b"h"),))) is Wrong.MISSING


def test_another_mechanism_is_refused() -> None:
    request = signed(headers=TARGET, body=BODY)
    assert wrong(changed(request, "authorization", b"AWS key:signature")) is Wrong.MECHANISM


def test_an_unknown_key_is_refused() -> None:
    request = signed(headers=TARGET, body=BODY, credentials=Credentials("AKID", "secret"))
    assert wrong(request) is Wrong.KEY


def test_headers_that_say_what_to_do_must_be_signed() -> None:
    request = signed(body=BODY)
    for name in ("x-amz-target", "x-amzn-sagemaker-target-model", "content-type"):
        assert wrong(changed(request, name, b"x")) is Wrong.HEADERS


def test_a_header_that_comes_twice_is_refused() -> None:
    request = signed(headers=TARGET, body=BODY)
    twice = replace(request, headers=(*request.headers, (b"x-amz-target", b"SageMaker.Search")))
    assert wrong(twice) is Wrong.SIGNATURE
    dated = replace(request, headers=(*request.headers, (b"x-amz-date", b"20260504T100000Z")))
    assert wrong(dated) is Wrong.INCOMPLETE


def test_temporary_keys_hold_until_they_expire() -> None:
    given_keys = KEYS.temporary(900, AT)
    credentials = Credentials(given_keys.access_key, given_keys.secret_key, given_keys.token)
    request = signed(headers=TARGET, body=BODY, credentials=credentials)
    verified(request, DIGEST, KEYS.secret_of, {"sagemaker"}, AT + 899)
    assert wrong(request, now=AT + 900) is Wrong.TOKEN_EXPIRED
    assert wrong(changed(request, "x-amz-security-token", b"e30.x")) is Wrong.TOKEN
    other = KEYS.temporary(900, AT)
    assert wrong(changed(request, "x-amz-security-token", other.token.encode())) is Wrong.TOKEN
    without = [one for one in request.headers if one[0] != b"x-amz-security-token"]
    assert wrong(replace(request, headers=tuple(without))) is Wrong.KEY


def test_a_token_beside_the_permanent_key_is_refused() -> None:
    credentials = Credentials(KEYS.access_key, KEYS.secret_key, KEYS.temporary(900, AT).token)
    request = signed(headers=TARGET, body=BODY, credentials=credentials)
    assert wrong(request) is Wrong.KEY


@given(st.data())
def test_a_flipped_bit_anywhere_is_refused(data: st.DataObject) -> None:
    url = "http://127.0.0.1:8042/endpoints/a/invocations?x=1&y=2"
    request = signed(url=url, headers=TARGET, body=BODY)
    # The body's length is no header that is signed: the body is
    kept = tuple(one for one in request.headers if one[0] != b"content-length")
    request = replace(request, headers=kept)
    whole = [request.path, request.query, *(value for _, value in request.headers)]
    which = data.draw(st.integers(0, len(whole) - 1))
    at = data.draw(st.integers(0, len(whole[which]) - 1))
    damaged = bytearray(whole[which])
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    if _same(bytes(damaged), whole[which]):
        return
    if which == 0:
        request = replace(request, path=bytes(damaged))
    elif which == 1:
        request = replace(request, query=bytes(damaged))
    else:
        name = request.headers[which - 2][0]
        headers = tuple((n, bytes(damaged) if n == name else v) for n, v in request.headers)
        request = replace(request, headers=headers)
    with pytest.raises(NotVerified):
        verified(request, DIGEST, KEYS.secret_of, {"sagemaker"}, AT)


@given(
    st.binary(max_size=40),
    st.binary(max_size=60),
    st.lists(
        st.tuples(
            st.sampled_from([b"authorization", b"x-amz-date", b"date", b"x-amz-security-token"]),
            st.binary(max_size=80)
            | st.from_regex(
                rb"AWS4-HMAC-SHA256 Credential=[^/]*/\d{8}/.{0,9}/s3/aws4_request,"
                rb" SignedHeaders=[a-z;]{0,9}, Signature=[0-9a-f]{64}"
            ),
        ),
        max_size=4,
    ),
)
def test_nothing_that_is_made_up_is_verified(
    path: bytes, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    with pytest.raises(NotVerified):
        verified(
            SignedRequest("PUT", path, query, tuple(headers)), UNSIGNED, KEYS.secret_of, {"s3"}, AT
        )


def _same(one: bytes, other: bytes) -> bool:
    """Whether two texts differ only in what HTTP does not tell apart: spaces at commas and ends."""
    return b"".join(one.split()) == b"".join(other.split())
