"""Requests to endpoints: which variant and which model answers, and what goes wrong."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clary.aws.errors import Refusal
from clary.errors import CallerError
from clary.jobs.platform import Platform
from clary.jobs.serving.connections import NoAnswer, Reply, TooLong
from clary.jobs.serving.fleet import Instance, LiveEndpoint, NoVariant, Throttled, Variant
from clary.jobs.serving.model_process import ModelProcess, NotHealthy

MOST_BYTES = 6 * 1024 * 1024
SERVERLESS_BYTES = 4 * 1024 * 1024
SECONDS = 60.0
LOG_GROUP = "/aws/sagemaker/Endpoints"
# As much of a container's message as an error shows
_SHOWN_CHARACTERS = 4096
_DEATH_SECONDS = 0.05
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container {0}. Review the latency "
    "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)


@dataclass(frozen=True)
class Invocation:
    """What a client asks an endpoint."""

    body: bytes
    content_type: str | None = None
    accept: str | None = None
    custom_attributes: str | None = None
    inference_id: str | None = None
    target_variant: str | None = None
    target_model: str | None = None
    target_container: str | None = None

    def headers(self, content_type: str | None, is_last: bool) -> dict[str, str]:
        """Those that reach a container; what a pipeline's other containers answer is theirs."""
        given = {
            "Content-Type": content_type,
            "Accept": (self.accept if is_last else None) or "*/*",
            "X-Amzn-SageMaker-Custom-Attributes": self.custom_attributes,
            "X-Amzn-SageMaker-Inference-Id": self.inference_id,
            "X-Amzn-SageMaker-Target-Model": self.target_model,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Limits:
    """How long an invocation may take, and how long its answer may be."""

    seconds: float = SECONDS
    most_bytes: int = MOST_BYTES


def live(platform: Platform, name: str) -> LiveEndpoint:
    """
    Raises:
        Refusal: no such endpoint takes requests.
    """
    endpoint = platform.endpoints.find(name)
    if endpoint is None:
        raise validation_error(f"Endpoint {name} of account {platform.account.id} not found.")
    return endpoint


async def invoke(
    platform: Platform,
    endpoint: LiveEndpoint,
    invocation: Invocation,
    limits: Limits | None = None,
) -> tuple[str, Reply]:
    """The variant that answered, and its answer.

    Raises:
        Refusal: ModelError, ValidationError, ModelNotReadyException or ServiceUnavailable.
    """
    asked = _Asked(platform, endpoint, invocation, limits or Limits())
    try:
        with endpoint.taken(invocation.target_variant) as (variant, instance):
            if variant.most_at_once and len(invocation.body) > SERVERLESS_BYTES:
                raise validation_error(f"A serverless variant takes {SERVERLESS_BYTES} bytes")
            return variant.name, await asked.of(variant, instance)
    except NoVariant as error:
        raise validation_error(f"{error} for endpoint {endpoint.name}") from None
    except Throttled:
        text = "The endpoint has as many requests as its MaxConcurrency lets it have"
        raise Refusal("ThrottlingException", text, 429) from None


@dataclass(frozen=True)
class _Asked:
    """One invocation on its way."""

    platform: Platform
    endpoint: LiveEndpoint
    invocation: Invocation
    limits: Limits

    async def of(self, variant: Variant, instance: Instance) -> Reply:
        """The answer of the last container, to which the others' answers go one after the other."""
        processes = self._processes(variant, instance)
        reply = Reply(200, {}, self.invocation.body)
        content_type, deadline = self.invocation.content_type, _now() + self.limits.seconds
        for process in processes:
            headers = self.invocation.headers(content_type, process is processes[-1])
            reply = await self._answered(variant, process, headers, reply.body, deadline)
            content_type = reply.headers.get("content-type")
        return reply

    def _processes(self, variant: Variant, instance: Instance) -> list[ModelProcess]:
        target = self.invocation.target_container
        if not variant.direct:
            if target is not None:
                raise validation_error(
                    "TargetContainerHostname belongs to endpoints with direct invocation"
                )
            return list(instance.processes)
        found = [one for one in instance.processes if one.serving.hostname == target]
        if not found:
            known = ", ".join(one.serving.hostname for one in instance.processes)
            raise validation_error(f"TargetContainerHostname must be one of {known}, got {target}")
        return found

    async def _answered(
        self,
        variant: Variant,
        process: ModelProcess,
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
    ) -> Reply:
        hostname = process.serving.hostname
        try:
            async with asyncio.timeout(deadline - _now()):
                reply = await self._sent(variant, process, headers, body)
        except TimeoutError:
            raise self._model_error(0, hostname, _TIMED_OUT.format(hostname)) from None
        except TooLong:
            text = f"The answer is longer than {self.limits.most_bytes} bytes"
            raise self._model_error(0, hostname, text) from None
        except NoAnswer as error:
            text = f"The container ended while it was asked: {error}"
            raise self._model_error(0, hostname, text) from None
        except NotHealthy as error:
            text = f"The {hostname} container cannot be started: {error}"
            raise Refusal("ServiceUnavailable", text, 503) from None
        if not 200 <= reply.status < 300:
            raise self._model_error(reply.status, hostname, reply.body.decode("utf-8", "replace"))
        return reply

    async def _sent(
        self, variant: Variant, process: ModelProcess, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        target = self.invocation.target_model
        if not process.serving.multi_model:
            if target is not None:
                raise validation_error(
                    f"Endpoint {self.endpoint.name} is not a multi-model endpoint; it takes no "
                    "TargetModel"
                )
            return await self._ask(process, "POST", "/invocations", headers, body)
        if target is None:
            raise validation_error(
                f"Endpoint {self.endpoint.name} is a multi-model endpoint; it needs a TargetModel"
            )
        assert variant.prefix is not None
        reply = Reply(404, {}, b"")
        for _ in range(2):
            name = await self._loaded(process, variant.prefix, target)
            reply = await self._ask(process, "POST", f"/models/{name}/invoke", headers, body)
            # It was unloaded meanwhile, or the process began anew
            if reply.status != 404:
                break
            process.loaded.pop(name, None)
        if not process.serving.keeps_models:
            await self._unload(process, name)
        return reply

    async def _loaded(self, process: ModelProcess, prefix: str, target: str) -> str:
        """The name under which a container has a model, which is loaded if it is not."""
        name = hashlib.sha256(target.encode()).hexdigest()[:32]
        if name in process.loaded:
            process.loaded[name] = process.loaded.pop(name)
            return name
        loop = asyncio.get_running_loop()
        fetched = await loop.run_in_executor(
            None, fetched_model, self.platform, process.folder, prefix, target
        )
        path, is_copy = fetched
        try:
            async with asyncio.timeout(SECONDS):
                await self._load(process, name, path)
        except TimeoutError:
            text = f"Model {target} is not ready for inference yet; it is being loaded"
            raise Refusal("ModelNotReadyException", text, 429) from None
        if is_copy:
            path.unlink(missing_ok=True)
        return name

    async def _load(self, process: ModelProcess, name: str, path: Path) -> None:
        """Load a model; while memory is short those that rested longest are unloaded."""
        order = json.dumps({"model_name": name, "url": str(path)}).encode()
        headers = {"Content-Type": "application/json"}
        while True:
            reply = await self._ask(process, "POST", "/models", headers, order)
            if reply.status in {200, 409}:
                process.loaded[name] = None
                return
            if reply.status != 507 or not process.loaded:
                text = reply.body.decode("utf-8", "replace")
                raise self._model_error(reply.status, process.serving.hostname, text)
            await self._unload(process, next(iter(process.loaded)))

    async def _unload(self, process: ModelProcess, name: str) -> None:
        process.loaded.pop(name, None)
        await self._ask(process, "DELETE", f"/models/{name}", {}, b"")

    async def _ask(
        self, process: ModelProcess, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        """One request to a process; once more if it died meanwhile, and was started again."""
        for is_second in (False, True):
            connections = await process.connections()
            try:
                return await connections.ask(
                    method,
                    path,
                    headers,
                    body,
                    seconds=self.limits.seconds,
                    most_bytes=self.limits.most_bytes,
                )
            except TooLong:
                raise
            except NoAnswer:
                if is_second:
                    raise
                # A process that was killed may take a moment to be gone
                await asyncio.sleep(_DEATH_SECONDS)
                process.lost(connections)
        raise AssertionError

    def _model_error(self, status: int, hostname: str, message: str) -> Refusal:
        account, name = self.platform.account, self.endpoint.name
        shown = message.strip()[:_SHOWN_CHARACTERS]
        kind = "client" if 400 <= status < 500 else "server"
        group = f"{LOG_GROUP}/{name}"
        text = (
            f'Received {kind} error ({status}) from {hostname} with message "{shown}". See '
            f"https://{account.region}.console.aws.amazon.com/cloudwatch/home?region="
            f"{account.region}#logEventViewer:group={group} in account {account.id} for more "
            "information."
        )
        members = {
            "OriginalStatusCode": status,
            "OriginalMessage": shown,
            "LogStreamArn": f"arn:aws:logs:{account.region}:{account.id}:log-group:{group}",
        }
        return Refusal("ModelError", text, 424, members)


def fetched_model(platform: Platform, folder: Path, prefix: str, target: str) -> tuple[Path, bool]:
    """A model of a multi-model endpoint as a file, and whether it is a copy.

    Raises:
        Refusal: there is no such object.
    """
    try:
        location = platform.stores.locate(f"{prefix.rstrip('/')}/{target.lstrip('/')}")
        here = location.store.local(location.key)
        if here is not None and here.is_file():
            return here, False
        copy = folder / f"{hashlib.sha256(target.encode()).hexdigest()[:32]}.tar.gz"
        folder.mkdir(parents=True, exist_ok=True)
        location.store.fetch(location.key, copy)
    except CallerError as error:
        raise validation_error(
            f"Failed to download model data ({prefix.rstrip('/')}/{target}). Please ensure that "
            f"there is an object located at the URL: {error}"
        ) from None
    return copy, True


def validation_error(message: str) -> Refusal:
    """The runtime's own word for a bad request."""
    return Refusal("ValidationError", message)


def _now() -> float:
    return asyncio.get_running_loop().time()
