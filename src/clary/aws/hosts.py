"""AWS's own addresses: which service a host is, and which bucket."""

from __future__ import annotations

import re

_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
# `api.sagemaker.us-east-1.amazonaws.com`; STS and IAM have hosts without a region too
_SERVICES = {
    "sagemaker": re.compile(rf"api\.sagemaker\.({_REGION})\.amazonaws\.com"),
    "sagemaker-runtime": re.compile(rf"runtime\.sagemaker\.({_REGION})\.amazonaws\.com"),
    "logs": re.compile(rf"logs\.({_REGION})\.amazonaws\.com"),
    "cloudwatch": re.compile(rf"monitoring\.({_REGION})\.amazonaws\.com"),
    "sts": re.compile(rf"sts(?:\.({_REGION}))?\.amazonaws\.com"),
    "iam": re.compile(r"iam\.amazonaws\.com"),
}
_BUCKET = re.compile(rf"([a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9])\.s3(?:[.-]{_REGION})?\.amazonaws\.com")


def service_of(host: str) -> str | None:
    """The service of a host, other than S3, if the server has it."""
    return next((name for name, pattern in _SERVICES.items() if pattern.fullmatch(host)), None)


def bucket_of(host: str) -> str | None:
    """The bucket of a host like `BUCKET.s3.us-east-1.amazonaws.com`."""
    found = _BUCKET.fullmatch(host)
    return found[1] if found else None


def without_port(host: str) -> str:
    """The name in a Host header, in lower case."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()
