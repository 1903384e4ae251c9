"""What data capture keeps of an invocation, and where."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clary.jobs.platform import Platform
from clary.jobs.serving.capture import Capture
from clary.jobs.serving.connections import Reply
from clary.jobs.serving.fleet import Fleet, LiveEndpoint
from clary.jobs.serving.invocations import Invocation
from clary.storage.buckets import stores_in

CONFIG = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://data/captured/",
    "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
}
ASKED = Invocation(b"1,2", "text/csv; charset=utf-8", inference_id="7")
ANSWERED = Reply(200, {"content-type": "application/x-recordio-protobuf"}, b"\xce\xd7")


def captured(folder: Path, times: int = 1, **changed: Any) -> Sequence[dict[str, Any]]:
    """The lines in the store after so many invocations."""
    (folder / "s3" / "data").mkdir(parents=True)
    given = {"root": folder / "root", "stores": stores_in(folder / "s3")}
    capture = Capture(cast(Platform, SimpleNamespace(**given)))
    endpoint = LiveEndpoint("e", Fleet([]), {"DataCaptureConfig": {**CONFIG, **changed}})
    for _ in range(times):
        capture.take(endpoint, "v", ASKED, ANSWERED)
    capture.flush()
    paths = sorted((folder / "s3").rglob("*.jsonl"))
    assert all(
        path.match("data/captured/e/v/[0-9]*/[0-9]*/[0-9]*/[0-9]*/*.jsonl") for path in paths
    )
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_text_is_kept_as_text_and_bytes_in_base64(tmp_path: Path) -> None:
    (line,) = captured(tmp_path)
    assert line["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv; charset=utf-8",
            "mode": "INPUT",
            "data": "1,2",
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "application/x-recordio-protobuf",
            "mode": "OUTPUT",
            "data": base64.b64encode(ANSWERED.body).decode(),
            "encoding": "BASE64",
        },
    }
    assert line["eventMetadata"]["inferenceId"] == "7"


def test_further_types_may_be_declared_as_text(tmp_path: Path) -> None:
    headers = {"JsonContentTypes": ["text/csv"]}
    (line,) = captured(tmp_path, CaptureContentTypeHeader=headers)
    assert line["captureData"]["endpointInput"]["encoding"] == "JSON"


@pytest.mark.parametrize(
    ("mode", "kept"), [("Input", "endpointInput"), ("Output", "endpointOutput")], ids=str
)
def test_one_side_alone_may_be_kept(tmp_path: Path, mode: str, kept: str) -> None:
    (line,) = captured(tmp_path, CaptureOptions=[{"CaptureMode": mode}])
    assert list(line["captureData"]) == [kept]


@pytest.mark.parametrize(
    "changed", [{"EnableCapture": False}, {"InitialSamplingPercentage": 0}], ids=["off", "zero"]
)
def test_nothing_is_kept_of_what_is_not_to_be_captured(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    assert captured(tmp_path, times=20, **changed) == []


def test_a_share_is_kept(tmp_path: Path) -> None:
    # Five standard deviations of a binomial count
    assert abs(len(captured(tmp_path, times=1000, InitialSamplingPercentage=30)) - 300) < 73
