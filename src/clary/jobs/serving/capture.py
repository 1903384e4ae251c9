"""Data capture: what endpoints were asked and what they answered, as JSON lines in the store."""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from clary.errors import CallerError
from clary.jobs.platform import Platform
from clary.jobs.serving.connections import Reply
from clary.jobs.serving.fleet import LiveEndpoint
from clary.jobs.serving.invocations import Invocation
from clary.storage.folder import whole_file

_SECONDS = 2.0
_MOST_BYTES = 8 * 1024 * 1024
_FOLDER = "data-capture"
_TEXTS = {"text/csv": "CSV", "application/json": "JSON", "application/jsonlines": "JSON"}

_log = logging.getLogger("clary.jobs")


class Capture:
    """Takes invocations, and puts them into the store every other second."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._folder = platform.root / _FOLDER
        self._lock = threading.Lock()
        # By destination, endpoint and variant
        self._lines: dict[tuple[str, str, str], list[str]] = {}
        self._bytes = 0
        self._due = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._repeat, name="capture", daemon=True).start()

    def take(
        self, endpoint: LiveEndpoint, variant: str, invocation: Invocation, reply: Reply
    ) -> None:
        """Keep an invocation, if the endpoint captures and chance wants it."""
        config = endpoint.config.get("DataCaptureConfig")
        if not config or not config.get("EnableCapture", True):
            return
        if random.random() * 100 >= config["InitialSamplingPercentage"]:
            return
        line = _line(config, variant, invocation, reply)
        place = (config["DestinationS3Uri"], endpoint.name, variant)
        with self._lock:
            self._lines.setdefault(place, []).append(line)
            self._bytes += len(line)
            if self._bytes > _MOST_BYTES:
                self._due.set()

    def flush(self) -> None:
        """Put what was taken into the store."""
        with self._lock:
            taken, self._lines, self._bytes = self._lines, {}, 0
            self._due.clear()
        for (destination, endpoint, variant), lines in taken.items():
            now = datetime.now(UTC)
            name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid4()}.jsonl"
            uri = f"{destination.rstrip('/')}/{endpoint}/{variant}/{now:%Y/%m/%d/%H}/{name}"
            try:
                self._put(uri, "".join(lines).encode())
            except (CallerError, OSError) as error:
                _log.error("%d captured invocations are lost: %s", len(lines), error)

    def _repeat(self) -> None:
        while not self._platform.engine.is_closed:
            self._due.wait(_SECONDS)
            self.flush()

    def _put(self, uri: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{uuid4()}.jsonl"
        with whole_file(path) as out:
            out.write(content)
        location = self._platform.stores.locate(uri)
        location.store.put(path, location.key)
        path.unlink(missing_ok=True)


def _line(config: Mapping[str, Any], variant: str, invocation: Invocation, reply: Reply) -> str:
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    captured: dict[str, Any] = {}
    if modes & {"Input", "InputAndOutput"}:
        captured["endpointInput"] = _said(config, "INPUT", invocation.content_type, invocation.body)
    if modes & {"Output", "InputAndOutput"}:
        content_type = reply.headers.get("content-type")
        captured["endpointOutput"] = _said(config, "OUTPUT", content_type, reply.body)
    event = {
        "eventId": str(uuid4()),
        "inferenceTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if invocation.inference_id is not None:
        event["inferenceId"] = invocation.inference_id
    told = {"captureData": captured, "eventMetadata": event, "eventVersion": "0"}
    return json.dumps(told) + "\n"


def _said(
    config: Mapping[str, Any], mode: str, content_type: str | None, body: bytes
) -> dict[str, str]:
    bare = (content_type or "").partition(";")[0].strip().lower()
    headers = config.get("CaptureContentTypeHeader", {})
    encoding = _TEXTS.get(bare, "BASE64")
    if bare in headers.get("CsvContentTypes", []):
        encoding = "CSV"
    elif bare in headers.get("JsonContentTypes", []):
        encoding = "JSON"
    data = base64.b64encode(body).decode()
    if encoding != "BASE64":
        try:
            data = body.decode()
        except UnicodeDecodeError:
            encoding = "BASE64"
    return {
        "observedContentType": content_type or "",
        "mode": mode,
        "data": data,
        "encoding": encoding,
    }
