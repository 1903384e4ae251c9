"""What a CreateTransformJob asks for, and what a container's own parameters add to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clary.errors import CallerError
from clary.jobs.transforming.data_processing import DataProcessing

_MIB = 1024 * 1024
# The most that MaxConcurrentTransforms times MaxPayloadInMB may be
_MOST_AT_ONCE_MIB = 100
_DEFAULT_PAYLOAD_MIB = 6
_STRATEGIES = {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}


@dataclass(frozen=True)
class Limits:
    """How the work is cut: bytes of a request, requests at once, and one record in each or many."""

    payload_bytes: int
    concurrent: int
    single: bool

    def __str__(self) -> str:
        strategy = "SINGLE_RECORD" if self.single else "MULTI_RECORD"
        return (
            f"MaxConcurrentTransforms={self.concurrent}, "
            f"MaxPayloadInMB={self.payload_bytes // _MIB}, BatchStrategy={strategy}"
        )


@dataclass(frozen=True)
class Transform:
    """One transform. payload_mib, concurrent, strategy: None where the container may say."""

    content_type: str | None
    accept: str | None
    split_type: str
    assemble_with: str
    gzip: bool
    processing: DataProcessing | None
    payload_mib: int | None
    concurrent: int | None
    strategy: str | None
    timeout_seconds: float
    retries: int

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Transform:
        """
        Raises:
            CallerError: members contradict each other, or ask for what no built-in container does.
        """
        source, target = request["TransformInput"], request["TransformOutput"]
        client = request.get("ModelClientConfig", {})
        payload = request.get("MaxPayloadInMB")
        concurrent = request.get("MaxConcurrentTransforms") or None
        _check_sizes(payload, concurrent)
        return cls(
            content_type=source.get("ContentType") or None,
            accept=target.get("Accept") or None,
            split_type=source.get("SplitType", "None"),
            assemble_with=target.get("AssembleWith", "None"),
            gzip=source.get("CompressionType", "None") == "Gzip",
            processing=DataProcessing.of(request),
            payload_mib=payload,
            concurrent=concurrent,
            strategy=request.get("BatchStrategy"),
            timeout_seconds=client.get("InvocationsTimeoutInSeconds", 600),
            retries=client.get("InvocationsMaxRetries", 3),
        )

    def limits(self, parameters: Mapping[str, Any]) -> Limits:
        """By the request, else by what the container says at /execution-parameters.

        Where together they are too much, fewer requests are made at once.
        """
        said = min(parameters.get("MaxPayloadInMB", _DEFAULT_PAYLOAD_MIB), _MOST_AT_ONCE_MIB)
        payload = self.payload_mib or said
        concurrent = self.concurrent or parameters.get("MaxConcurrentTransforms", 1)
        own = parameters.get("BatchStrategy", "MULTI_RECORD")
        strategy = _STRATEGIES[self.strategy] if self.strategy else own
        return Limits(
            payload * _MIB,
            max(1, min(concurrent, _MOST_AT_ONCE_MIB // payload)),
            strategy == "SINGLE_RECORD",
        )

    def body(self, records: list[bytes]) -> bytes:
        """The body of a request with these records."""
        if self.processing:
            return self.processing.sent(records)
        return records[0] if len(records) == 1 else b"".join(records)

    def stored(self, records: list[bytes], answer: bytes) -> bytes:
        """What is written for these records."""
        told = self.processing.stored(records, answer) if self.processing else answer
        if self.assemble_with == "Line" and not told.endswith(b"\n"):
            return told + b"\n"
        return told


def batch_environment(request: Mapping[str, Any]) -> dict[str, str]:
    """What containers find in their environment in a batch transform."""
    said = {
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": request.get("MaxPayloadInMB"),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": request.get("MaxConcurrentTransforms"),
        "SAGEMAKER_BATCH_STRATEGY": _STRATEGIES.get(request.get("BatchStrategy", "")),
    }
    return {
        **request.get("Environment", {}),
        "SAGEMAKER_BATCH": "true",
        **{name: str(value) for name, value in said.items() if value is not None},
    }


def _check_sizes(payload: int | None, concurrent: int | None) -> None:
    if payload == 0:
        raise CallerError.of(
            "MaxPayloadInMB",
            "must be at least 1, since built-in algorithms take no streams without an end",
            payload,
        )
    if payload and concurrent and payload * concurrent > _MOST_AT_ONCE_MIB:
        raise CallerError.of(
            "MaxConcurrentTransforms times MaxPayloadInMB",
            f"must be at most {_MOST_AT_ONCE_MIB} MB",
            payload * concurrent,
        )
