"""The gate in front of everything: only requests signed with the server's keys go through."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clary.aws.answers import Answer, json_refusal, query_refusal
from clary.aws.errors import NotVerified, Refusal, Wrong
from clary.aws.keys import Keys
from clary.aws.requests import TARGETS
from clary.aws.signature_refusals import refusal
from clary.aws.signed_body import BodyCheck, body_check
from clary.aws.signed_request import SignedRequest
from clary.aws.sigv2 import is_link, verify_link
from clary.aws.sigv4 import UNSIGNED, check_signature, claimed, verified
from clary.server.messages import TooLong, sent, whole_body
from clary.server.runtime_api import is_invocation
from clary.server.s3.xml_answers import error

When: TypeAlias = Callable[[Scope], bool]

# Requests other than S3's are held whole, as their signature covers the body
_LONGEST_BODY = 32 * 1024 * 1024
# Services whose signatures name them otherwise
_SIGNED_AS = {"cloudwatch": "monitoring"}
_QUERY = frozenset({"sts", "iam", "monitoring"})


class SignatureGate:
    """An ASGI application round another one, which sees verified requests only.

    S3's bodies are checked while they pass; their last piece is kept back until all is known to be
    as it was signed, so that the application never has a body whole that was tampered with.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys,
        when: When = lambda scope: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._keys = keys
        self._when = when
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._when(scope):
            await self._verified(scope, receive, send)
        elif scope["type"] != "websocket":
            await self._app(scope, receive, send)

    async def _verified(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = SignedRequest(
            scope["method"],
            scope.get("raw_path") or scope["path"].encode(),
            scope["query_string"],
            tuple(scope["headers"]),
        )
        family, services = _kind(request, scope["path"])
        try:
            # Which one counts must not be left to who reads it: the route depends on it
            request.header("content-type")
            if family == "s3":
                await self._stored(request, scope, receive, send)
            else:
                seal = claimed(request, self._keys.secret_of, services, self._clock())
                body = await _whole(receive)
                check_signature(request, seal, hashlib.sha256(body).hexdigest())
                await self._app(scope, _Replayed(body, receive), send)
        except NotVerified as fault:
            await _refuse(fault, family, scope, send)

    async def _stored(
        self, request: SignedRequest, scope: Scope, receive: Receive, send: Send
    ) -> None:
        check = self._s3_check(request)
        if check is None:
            await self._app(scope, receive, send)
            return
        body = _Checked(receive, check)
        answer = _Watched(send, body)
        try:
            await self._app(scope, body, answer)
        except Exception:
            if body.fault is None:
                raise
        if body.fault is not None and not answer.started:
            raise body.fault

    def _s3_check(self, request: SignedRequest) -> BodyCheck | None:
        now = self._clock()
        if is_link(request):
            verify_link(request, self._keys.secret_of, now)
            return None
        digest = request.header("x-amz-content-sha256")
        if request.parameter("X-Amz-Algorithm"):
            digest = digest or request.parameter("X-Amz-Content-Sha256") or UNSIGNED
        elif request.header("authorization") and not digest:
            raise NotVerified(
                Wrong.INCOMPLETE, "Missing required header for this request: x-amz-content-sha256"
            )
        seal = verified(request, digest or UNSIGNED, self._keys.secret_of, {"s3"}, now)
        return body_check(request, seal, digest or UNSIGNED)


class _Checked:
    """`receive` of a body that is checked as it passes, the last piece being kept back."""

    def __init__(self, receive: Receive, check: BodyCheck) -> None:
        self._receive = receive
        self._check = check
        self._held = b""
        self._done = False
        self.fault: NotVerified | None = None

    async def __call__(self) -> Message:
        if self.fault:
            raise self.fault
        while True:
            message = await self._receive()
            if self._done or message["type"] != "http.request":
                return message
            passed = self._passed(message.get("body", b""), message.get("more_body", False))
            if passed or self._done:
                return {"type": "http.request", "body": passed, "more_body": not self._done}

    def _passed(self, body: bytes, more: bool) -> bytes:
        try:
            self._check.feed(body)
            if not more:
                self._check.finish()
        except NotVerified as fault:
            self.fault = fault
            raise
        if not more:
            self._done = True
            return self._held + body
        if body:
            self._held, body = body, self._held
        return body


class _Watched:
    """`send` that holds an answer back until the body was seen to be good or not."""

    def __init__(self, send: Send, body: _Checked) -> None:
        self._send = send
        self._body = body
        self.started = False

    async def __call__(self, message: Message) -> None:
        if self._body.fault is None or self.started:
            self.started = True
            await self._send(message)


class _Replayed:
    """`receive` of a body that was read already."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _kind(request: SignedRequest, path: str) -> tuple[str, frozenset[str]]:
    """The family of a request, and the services that its signature may name."""
    targets = request.values("x-amz-target")
    content_type = "".join(request.values("content-type")[:1])
    if request.method == "POST" and is_invocation(path):
        return "rest", frozenset({"sagemaker"})
    if request.method == "POST" and targets:
        service = TARGETS.get(targets[-1].rpartition(".")[0], "sagemaker")
        return "json", frozenset({_SIGNED_AS.get(service, service)})
    if request.method == "POST" and content_type.startswith("application/x-www-form-urlencoded"):
        return "query", _QUERY
    return "s3", frozenset({"s3"})


async def _whole(receive: Receive) -> bytes:
    try:
        return await whole_body(receive, _LONGEST_BODY)
    except TooLong:
        raise NotVerified(Wrong.TOO_LONG) from None


async def _refuse(fault: NotVerified, family: str, scope: Scope, send: Send) -> None:
    answer = _answer(refusal(fault, family), family, scope["path"])
    if any(name == b"expect" for name, _ in scope["headers"]):
        # The client keeps its body back, where the server would take its next request for it
        answer = replace(answer, headers={**answer.headers, "connection": "close"})
    await sent(answer, send)


def _answer(refused: Refusal, family: str, path: str) -> Answer:
    """A refusal as the family's clients read it."""
    if family == "s3":
        told = error(refused, path, secrets.token_hex(8).upper())
        assert isinstance(told.body, bytes)
        return Answer(told.status, told.headers, told.body)
    return query_refusal(refused) if family == "query" else json_refusal(refused)
