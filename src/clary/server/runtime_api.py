"""The runtime service on the wire: /endpoints/NAME/invocations and its kin."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from clary.aws import event_stream
from clary.aws.answers import Answer, rest_refusal
from clary.aws.errors import Refusal
from clary.errors import CallerError
from clary.jobs.platform import Platform
from clary.jobs.serving.async_invocations import AsyncInvocations
from clary.jobs.serving.capture import Capture
from clary.jobs.serving.connections import Reply
from clary.jobs.serving.invocations import MOST_BYTES, Invocation, invoke, live, validation_error
from clary.server.messages import TooLong, sent, whole_body

PREFIX = "/endpoints/"
_AMZN = "x-amzn-sagemaker-"
_CUSTOM = "X-Amzn-SageMaker-Custom-Attributes"
_NOT_HERE = ("enable-explanations", "inference-component", "session-id")
_MOST_ATTRIBUTES = 1024

_log = logging.getLogger("clary.server")


class RuntimeApi:
    """The ASGI application of the paths below /endpoints/."""

    def __init__(self, platform: Platform, later: AsyncInvocations, capture: Capture) -> None:
        self._platform, self._later, self._capture = platform, later, capture

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except Refusal as refusal:
            answer = rest_refusal(refusal)
        except CallerError as error:
            answer = rest_refusal(validation_error(str(error)))
        except ClientDisconnect:
            return
        except Exception:
            _log.exception("an invocation failed: %s", scope["path"])
            text = "The server's own fault; its log says more"
            answer = rest_refusal(Refusal("InternalFailure", text, 500))
        await sent(answer, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        name, _, action = scope["path"].removeprefix(PREFIX).partition("/")
        if scope["method"] != "POST" or action not in _ACTIONS:
            raise Refusal("UnknownOperationException", "There is no such operation", 404)
        headers = {
            key.decode("latin-1").lower(): value.decode("latin-1")
            for key, value in scope["headers"]
        }
        _check(headers)
        if int(headers.get("content-length", 0)) > MOST_BYTES:
            raise _too_long()
        try:
            body = await whole_body(receive, MOST_BYTES)
        except TooLong:
            raise _too_long() from None
        return await _ACTIONS[action](self, name, headers, body)

    async def _now(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        given = headers.get("content-type"), headers.get("accept")
        variant, reply = await self._invoked(name, headers, body, *given)
        answered = {"x-Amzn-Invoked-Production-Variant": variant, **_passed(reply)}
        if "content-type" in reply.headers:
            answered["Content-Type"] = reply.headers["content-type"]
        return Answer(200, answered, reply.body)

    async def _streamed(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The whole answer in parts: no built-in algorithm answers piece by piece."""
        given = headers.get("content-type"), headers.get(f"{_AMZN}accept")
        variant, reply = await self._invoked(name, headers, body, *given)
        answered = {
            "x-Amzn-Invoked-Production-Variant": variant,
            "Content-Type": event_stream.CONTENT_TYPE,
            **_passed(reply),
        }
        if "content-type" in reply.headers:
            answered["X-Amzn-SageMaker-Content-Type"] = reply.headers["content-type"]
        return Answer(200, answered, b"".join(event_stream.payload_parts(reply.body)))

    async def _queued(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        ordered = self._later.submit(live(self._platform, name), headers, body)
        told = headers.get(f"{_AMZN}inference-id", ordered.id)
        answered = {
            "Content-Type": "application/json",
            "X-Amzn-SageMaker-OutputLocation": ordered.output,
            "X-Amzn-SageMaker-FailureLocation": ordered.failure,
        }
        return Answer(202, answered, json.dumps({"InferenceId": told}).encode())

    async def _invoked(
        self,
        name: str,
        headers: Mapping[str, str],
        body: bytes,
        content_type: str | None,
        accept: str | None,
    ) -> tuple[str, Reply]:
        endpoint = live(self._platform, name)
        if "AsyncInferenceConfig" in endpoint.config:
            raise validation_error(f"Endpoint {name} takes asynchronous invocations only")
        invocation = Invocation(
            body,
            content_type,
            accept,
            headers.get(_CUSTOM.lower()),
            headers.get(f"{_AMZN}inference-id"),
            headers.get(f"{_AMZN}target-variant"),
            headers.get(f"{_AMZN}target-model"),
            headers.get(f"{_AMZN}target-container-hostname"),
        )
        variant, reply = await invoke(self._platform, endpoint, invocation)
        self._capture.take(endpoint, variant, invocation, reply)
        return variant, reply


_ACTIONS = {
    "invocations": RuntimeApi._now,
    "invocations-response-stream": RuntimeApi._streamed,
    "async-invocations": RuntimeApi._queued,
}


def is_invocation(path: str) -> bool:
    """Whether a POST to this path is for this service, and not for a bucket named endpoints."""
    parts = path.split("/")
    return len(parts) == 4 and parts[1] == "endpoints" and parts[3] in _ACTIONS


def _check(headers: Mapping[str, str]) -> None:
    for member in _NOT_HERE:
        if f"{_AMZN}{member}" in headers:
            raise validation_error(f"X-Amzn-SageMaker-{member} is not available here")
    if len(headers.get(_CUSTOM.lower(), "")) > _MOST_ATTRIBUTES:
        raise validation_error(f"CustomAttributes takes {_MOST_ATTRIBUTES} characters")


def _passed(reply: Reply) -> dict[str, str]:
    """What a container says of its own goes back to the client."""
    given = reply.headers.get(_CUSTOM.lower())
    return {} if given is None else {_CUSTOM: given}


def _too_long() -> Refusal:
    return validation_error(f"Payload is larger than {MOST_BYTES} bytes")
