"""What each family of services says of a signature that does not hold, in AWS's words."""

from __future__ import annotations

from clary.aws.errors import NotVerified, Refusal, Wrong

_CHECK = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)
_CHECK_S3 = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your key and signing method."
)
_INVALID = "The security token included in the request is invalid."
_EXPIRED = "The security token included in the request is expired"
_MISSING = "Request is missing Authentication Token"
_TOO_LONG = "The request is too long"
# Of each: code, status, message, where `{}` is the detail
_Words = dict[Wrong, tuple[str, int, str]]

_JSON: _Words = {
    Wrong.MISSING: ("MissingAuthenticationTokenException", 400, _MISSING),
    Wrong.INCOMPLETE: ("IncompleteSignatureException", 400, "{}"),
    Wrong.MECHANISM: ("IncompleteSignatureException", 400, "Please use AWS4-HMAC-SHA256."),
    Wrong.SCOPE: ("InvalidSignatureException", 400, "{}"),
    Wrong.KEY: ("UnrecognizedClientException", 400, _INVALID),
    Wrong.TOKEN: ("UnrecognizedClientException", 400, _INVALID),
    Wrong.TOKEN_EXPIRED: ("ExpiredTokenException", 400, _EXPIRED),
    Wrong.SKEWED: ("InvalidSignatureException", 400, "{}"),
    Wrong.LINK_EXPIRED: ("InvalidSignatureException", 400, "{}"),
    Wrong.HEADERS: ("InvalidSignatureException", 400, "These headers must be signed: {}"),
    Wrong.SIGNATURE: ("InvalidSignatureException", 400, _CHECK),
    Wrong.BODY: ("InvalidSignatureException", 400, _CHECK),
    Wrong.TOO_LONG: ("RequestEntityTooLarge", 413, _TOO_LONG),
}
_QUERY: _Words = {
    Wrong.MISSING: ("MissingAuthenticationToken", 403, _MISSING),
    Wrong.INCOMPLETE: ("IncompleteSignature", 400, "{}"),
    Wrong.MECHANISM: ("IncompleteSignature", 400, "Please use AWS4-HMAC-SHA256."),
    Wrong.SCOPE: ("SignatureDoesNotMatch", 403, "{}"),
    Wrong.KEY: ("InvalidClientTokenId", 403, _INVALID),
    Wrong.TOKEN: ("InvalidClientTokenId", 403, _INVALID),
    Wrong.TOKEN_EXPIRED: ("ExpiredToken", 403, _EXPIRED),
    Wrong.SKEWED: ("SignatureDoesNotMatch", 403, "{}"),
    Wrong.LINK_EXPIRED: ("SignatureDoesNotMatch", 403, "{}"),
    Wrong.HEADERS: ("SignatureDoesNotMatch", 403, "These headers must be signed: {}"),
    Wrong.SIGNATURE: ("SignatureDoesNotMatch", 403, _CHECK),
    Wrong.BODY: ("SignatureDoesNotMatch", 403, _CHECK),
    Wrong.TOO_LONG: ("RequestEntityTooLarge", 413, _TOO_LONG),
}
_S3: _Words = {
    Wrong.MISSING: ("AccessDenied", 403, "Access Denied"),
    Wrong.INCOMPLETE: ("AuthorizationHeaderMalformed", 400, "{}"),
    Wrong.MECHANISM: (
        "InvalidRequest",
        400,
        "The authorization mechanism you have provided is not supported. "
        "Please use AWS4-HMAC-SHA256.",
    ),
    Wrong.SCOPE: ("AuthorizationHeaderMalformed", 400, "The authorization header is malformed; {}"),
    Wrong.KEY: (
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    Wrong.TOKEN: ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
    Wrong.TOKEN_EXPIRED: ("ExpiredToken", 400, "The provided token has expired."),
    Wrong.SKEWED: (
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large.",
    ),
    Wrong.LINK_EXPIRED: ("AccessDenied", 403, "Request has expired"),
    Wrong.HEADERS: (
        "AccessDenied",
        403,
        "There were headers present in the request which were not signed: {}",
    ),
    Wrong.SIGNATURE: ("SignatureDoesNotMatch", 403, _CHECK_S3),
    Wrong.BODY: (
        "XAmzContentSHA256Mismatch",
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
    Wrong.TOO_LONG: ("EntityTooLarge", 400, _TOO_LONG),
}
_FAMILIES = {"json": _JSON, "rest": _JSON, "query": _QUERY, "s3": _S3}


def refusal(fault: NotVerified, family: str) -> Refusal:
    """family: `json`, `rest` (the runtime), `query` or `s3`."""
    code, status, message = _FAMILIES[family][fault.wrong]
    if family == "rest" and status == 400 and fault.wrong is not Wrong.INCOMPLETE:
        status = 403
    return Refusal(code, message.replace("{}", fault.detail), status)
