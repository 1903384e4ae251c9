"""Bodies signed in chunks: AWS's published examples, in any pieces, and whatever is changed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.aws.errors import NotVerified, Wrong
from clary.aws.keys import Keys
from clary.aws.signed_body import CHUNKS, CHUNKS_AND_TRAILER, SignedChunks, body_check
from clary.aws.signed_request import SignedRequest
from clary.aws.sigv4 import Seal, verified

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = Keys("AKIAIOSFODNN7EXAMPLE", SECRET)
AT = 1369353600
LENGTH = 66_560
SEEDS = {
    CHUNKS: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    CHUNKS_AND_TRAILER: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
}
SIGNATURES = {
    CHUNKS: (
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ),
    CHUNKS_AND_TRAILER: (
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ),
}
TRAILER = (
    b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
    b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
)
KINDS = pytest.mark.parametrize("kind", [CHUNKS, CHUNKS_AND_TRAILER])


def upload(kind: str) -> SignedRequest:
    """The head of the example in S3's documents."""
    headers = {
        "content-encoding": "aws-chunked",
        "content-length": "66824",
        "host": "s3.amazonaws.com",
        "x-amz-content-sha256": kind,
        "x-amz-date": "20130524T000000Z",
        "x-amz-decoded-content-length": str(LENGTH),
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
    }
    if kind == CHUNKS_AND_TRAILER:
        del headers["content-length"]
        headers["x-amz-trailer"] = "x-amz-checksum-crc32c"
    headers["authorization"] = (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={';'.join(sorted(headers))},Signature={SEEDS[kind]}"
    )
    return SignedRequest(
        "PUT",
        b"/examplebucket/chunkObject.txt",
        b"",
        tuple((name.encode(), value.encode()) for name, value in headers.items()),
    )


def body(kind: str) -> bytes:
    sizes = (65_536, 1024, 0)
    chunks = b"".join(
        b"%x;chunk-signature=%s\r\n%s"
        % (size, signature.encode(), b"a" * size + b"\r\n" * (size > 0))
        for size, signature in zip(sizes, SIGNATURES[kind], strict=True)
    )
    return chunks + (TRAILER if kind == CHUNKS_AND_TRAILER else b"") + b"\r\n"


def seal(kind: str) -> Seal:
    return verified(upload(kind), kind, KEYS.secret_of, {"s3"}, AT)


def fed(kind: str, data: bytes, size: int = 4096) -> None:
    check = body_check(upload(kind), seal(kind), kind)
    assert isinstance(check, SignedChunks)
    for start in range(0, len(data), size):
        check.feed(data[start : start + size])
    check.finish()


@KINDS
@pytest.mark.parametrize("size", [1, 7, 1000, 65_536, 100_000])
def test_the_published_upload_is_verified_in_any_pieces(kind: str, size: int) -> None:
    fed(kind, body(kind), size)


@KINDS
@given(data=st.data())
def test_a_changed_byte_anywhere_is_refused(kind: str, data: st.DataObject) -> None:
    whole = bytearray(body(kind))
    heads = [*range(120), *range(65_536, 65_750), *range(len(whole) - 260, len(whole))]
    at = data.draw(st.sampled_from(heads) | st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NotVerified):
        fed(kind, bytes(whole))


@KINDS
@given(data=st.data())
def test_a_cut_or_lengthened_body_is_refused(kind: str, data: st.DataObject) -> None:
    whole = body(kind)
    with pytest.raises(NotVerified):
        fed(kind, whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(NotVerified):
        fed(kind, whole + data.draw(st.binary(min_size=1, max_size=9)))


@KINDS
def test_chunks_in_another_order_are_refused(kind: str) -> None:
    whole = body(kind)
    second = whole.index(b"400;")
    last = whole.index(b"\r\n0;") + 2
    with pytest.raises(NotVerified) as caught:
        fed(kind, whole[second:last] + whole[:second] + whole[last:])
    assert caught.value.wrong is Wrong.SIGNATURE


def test_an_endless_line_is_refused_at_once() -> None:
    check = body_check(upload(CHUNKS), seal(CHUNKS), CHUNKS)
    assert check
    with pytest.raises(NotVerified):
        check.feed(b"0" * 2000)


def test_a_whole_body_is_held_against_its_digest() -> None:
    digest = hashlib.sha256(b"ab").hexdigest()
    for data, fits in ((b"ab", True), (b"abc", False)):
        check = body_check(upload(CHUNKS), seal(CHUNKS), digest)
        assert check
        for byte in data:
            check.feed(bytes([byte]))
        if fits:
            check.finish()
        else:
            with pytest.raises(NotVerified):
                check.finish()


@pytest.mark.parametrize("digest", ["", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "0" * 63])
def test_an_unknown_digest_is_refused(digest: str) -> None:
    with pytest.raises(NotVerified):
        body_check(upload(CHUNKS), seal(CHUNKS), digest)
