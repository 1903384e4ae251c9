"""Invocations whose input and answer are objects of the store; they survive a restart."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4
from weakref import WeakKeyDictionary

from clary.aws.errors import Refusal
from clary.db.resources import milliseconds
from clary.errors import CallerError
from clary.jobs.platform import Platform
from clary.jobs.serving.fleet import LiveEndpoint
from clary.jobs.serving.invocations import Invocation, Limits, invoke, validation_error
from clary.storage.folder import whole_file

MOST_BYTES = 1 << 30
MOST_INLINE_BYTES = 128_000
_TTL_SECONDS, _TTL_RANGE = 21_600, range(60, 21_601)
_TIMEOUT_SECONDS, _TIMEOUT_RANGE = 900, range(1, 3601)
# Where the configuration does not say
_AT_ONCE = 4
_FOLDER = "async-invocations"
_WAIT_SECONDS = 0.5

_log = logging.getLogger("clary.jobs")


@dataclass(frozen=True)
class Ordered:
    """One invocation that was accepted. expires: milliseconds of the epoch."""

    id: str
    endpoint: str
    input: str
    output: str
    failure: str
    expires: int
    seconds: int
    content_type: str | None
    accept: str | None
    custom_attributes: str | None


class AsyncInvocations:
    """Takes invocations, and answers them on an event loop of its own."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._folder = platform.root / _FOLDER
        self._loop = asyncio.new_event_loop()
        self._turns: WeakKeyDictionary[LiveEndpoint, asyncio.Semaphore] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin, with what an earlier server left."""
        threading.Thread(target=self._loop.run_forever, name="async", daemon=True).start()
        for path in sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime):
            try:
                ordered = Ordered(**json.loads(path.read_text()))
            except (ValueError, TypeError):
                _log.warning("%s is no invocation", path)
                continue
            self._begin(ordered)

    def submit(self, endpoint: LiveEndpoint, headers: Mapping[str, str], body: bytes) -> Ordered:
        """Accept an invocation, which from now on is answered.

        Raises:
            Refusal: ValidationError.
        """
        ordered = self._ordered(endpoint, headers, body)
        self._folder.mkdir(parents=True, exist_ok=True)
        if not ordered.input:
            inline = self._inline(ordered)
            with whole_file(inline) as out:
                out.write(body)
        with whole_file(self._path(ordered)) as out:
            out.write(json.dumps(asdict(ordered)).encode())
        self._begin(ordered)
        return ordered

    def _ordered(self, endpoint: LiveEndpoint, headers: Mapping[str, str], body: bytes) -> Ordered:
        config = endpoint.config.get("AsyncInferenceConfig")
        if config is None:
            raise validation_error(f"Endpoint {endpoint.name} has no AsyncInferenceConfig")
        given = headers.get("x-amzn-sagemaker-inputlocation", "")
        if bool(given) == bool(body):
            raise validation_error("Provide exactly one of Body and InputLocation")
        if len(body) > MOST_INLINE_BYTES:
            raise validation_error(f"An inline Body takes {MOST_INLINE_BYTES} bytes")
        ttl = _seconds(headers, "requestttlseconds", _TTL_SECONDS, _TTL_RANGE)
        identity = str(uuid4())
        account, outputs = self._platform.account, config["OutputConfig"]
        default = (
            f"s3://sagemaker-{account.region}-{account.id}/async-endpoint-outputs/{endpoint.name}"
        )
        place = outputs.get("S3OutputPath", default).rstrip("/")
        extension = headers.get("x-amzn-sagemaker-s3outputpathextension", "").strip("/")
        name = headers.get("x-amzn-sagemaker-filename") or f"{identity}.out"
        failures = outputs.get("S3FailurePath", place).rstrip("/")
        ordered = Ordered(
            id=identity,
            endpoint=endpoint.name,
            input=given,
            output="/".join(part for part in (place, extension, name) if part),
            failure=f"{failures}/{identity}-error.out",
            expires=milliseconds() + 1000 * ttl,
            seconds=_seconds(headers, "invocationtimeoutseconds", _TIMEOUT_SECONDS, _TIMEOUT_RANGE),
            content_type=headers.get("x-amzn-sagemaker-content-type"),
            accept=headers.get("x-amzn-sagemaker-accept"),
            custom_attributes=headers.get("x-amzn-sagemaker-custom-attributes"),
        )
        for uri in (ordered.input, ordered.output, ordered.failure):
            _check_uri(self._platform, uri)
        return ordered

    def _begin(self, ordered: Ordered) -> None:
        asyncio.run_coroutine_threadsafe(self._task(ordered), self._loop)

    async def _task(self, ordered: Ordered) -> None:
        task = asyncio.get_running_loop().create_task(self._answered(ordered))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answered(self, ordered: Ordered) -> None:
        """Answer one, when it is its turn; at the server's end it is left for the next one."""
        try:
            endpoint = await self._live(ordered)
            async with self._turn(endpoint):
                body = await asyncio.to_thread(self._read, ordered)
                if milliseconds() > ordered.expires:
                    raise validation_error("The request expired before it was its turn")
                invocation = Invocation(
                    body,
                    ordered.content_type,
                    ordered.accept,
                    ordered.custom_attributes,
                    inference_id=ordered.id,
                )
                limits = Limits(ordered.seconds, MOST_BYTES)
                _, reply = await invoke(self._platform, endpoint, invocation, limits)
                place, content = ordered.output, reply.body
        except (Refusal, CallerError) as error:
            place, content = ordered.failure, str(error).encode()
        except Exception:
            _log.exception("asynchronous invocation %s", ordered.id)
            place, content = ordered.failure, b"The server's own fault; its log says more"
        if self._platform.engine.is_closed:
            return
        try:
            await asyncio.to_thread(self._put, place, content)
        except (CallerError, OSError) as error:
            _log.error("asynchronous invocation %s: %s", ordered.id, error)
        self._path(ordered).unlink(missing_ok=True)
        self._inline(ordered).unlink(missing_ok=True)

    async def _live(self, ordered: Ordered) -> LiveEndpoint:
        """The endpoint, which after a restart may not be there at once."""
        while milliseconds() <= ordered.expires:
            endpoint = self._platform.endpoints.find(ordered.endpoint)
            if endpoint is not None:
                return endpoint
            row = await asyncio.to_thread(
                self._platform.resources.find, "endpoint", ordered.endpoint
            )
            if row is None or row.status == "Failed":
                break
            await asyncio.sleep(_WAIT_SECONDS)
        raise validation_error(f"Endpoint {ordered.endpoint} not found.")

    def _turn(self, endpoint: LiveEndpoint) -> asyncio.Semaphore:
        """As many at once as MaxConcurrentInvocationsPerInstance said at the first of them."""
        if endpoint not in self._turns:
            config = endpoint.config.get("AsyncInferenceConfig", {}).get("ClientConfig", {})
            count = config.get("MaxConcurrentInvocationsPerInstance", _AT_ONCE)
            instances = sum(len(one.instances) for one in endpoint.fleet.variants.values())
            self._turns[endpoint] = asyncio.Semaphore(count * max(1, instances))
        return self._turns[endpoint]

    def _read(self, ordered: Ordered) -> bytes:
        if not ordered.input:
            return self._inline(ordered).read_bytes()
        with self._platform.stores.locate(ordered.input).open() as stream:
            body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise validation_error(f"{ordered.input} is longer than {MOST_BYTES} bytes")
        return body

    def _put(self, uri: str, content: bytes) -> None:
        location = self._platform.stores.locate(uri)
        path = self._folder / f"{uuid4()}.answer"
        with suppress(FileNotFoundError), whole_file(path) as out:
            out.write(content)
        location.store.put(path, location.key)
        path.unlink(missing_ok=True)

    def _path(self, ordered: Ordered) -> Path:
        return self._folder / f"{ordered.id}.json"

    def _inline(self, ordered: Ordered) -> Path:
        return self._folder / f"{ordered.id}.input"


def _seconds(headers: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    text = headers.get(f"x-amzn-sagemaker-{name}", str(default))
    if not (text.isascii() and text.isdecimal() and int(text) in allowed):
        raise validation_error(
            f"{name} must be a whole number from {allowed.start} to {allowed.stop - 1}, got {text}"
        )
    return int(text)


def _check_uri(platform: Platform, uri: str) -> None:
    if not uri:
        return
    try:
        if not uri.startswith("s3://"):
            raise CallerError.of("URI", "must be of the form s3://bucket/key", uri)
        location = platform.stores.locate(uri)
        location.store.local(location.key)
    except CallerError as error:
        raise validation_error(str(error)) from None
