"""What one port answers: the API, invocations, the console, the object store."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from clary.aws.answers import Answer
from clary.aws.errors import Refusal, invalid
from clary.aws.requests import (
    Call,
    is_json,
    is_query,
    json_call,
    protocol_of,
    query_call,
    refusal_answer,
)
from clary.console.app import ROOT as CONSOLE
from clary.console.app import Console
from clary.control.operations import OPERATIONS
from clary.errors import CallerError
from clary.jobs.platform import Platform
from clary.server.messages import TooLong, sent, whole_body
from clary.server.runtime_api import is_invocation

_LONGEST_BODY = 8 * 1024 * 1024
_THREADS = 8
# One row is read: handing that to a thread would take longer, above all on a busy machine
_QUICK = "SageMaker.Describe"
_LATER = "is not available here; docs/compatibility.md lists what is"

_log = logging.getLogger("clary.server")


class App:
    """The ASGI application. Each kind of request is known by its headers or its path."""

    def __init__(self, platform: Platform, runtime: ASGIApp, object_store: ASGIApp) -> None:
        self._platform = platform
        self._runtime = runtime
        self._object_store = object_store
        self._console = Console(platform)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="control")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "POST" and is_invocation(scope["path"]):
            await self._runtime(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        if scope["method"] == "POST" and (is_json(headers) or is_query(headers)):
            await self._control(headers, receive, send)
        elif _is_page(scope, headers):
            await sent(await self._shown(scope, headers), send)
        else:
            await self._object_store(scope, receive, send)

    async def _control(self, headers: dict[str, str], receive: Receive, send: Send) -> None:
        """One operation of the API."""
        try:
            answer = await self._controlled(headers, await whole_body(receive, _LONGEST_BODY))
        except TooLong:
            text = f"A request takes {_LONGEST_BODY} bytes"
            answer = _refused(Refusal("RequestEntityTooLarge", text, 413), headers)
        except ClientDisconnect:
            return
        await sent(answer, send)

    async def _controlled(self, headers: dict[str, str], body: bytes) -> Answer:
        if headers.get("x-amz-target", "").startswith(_QUICK):
            return self._answer(headers, body)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._answer, headers, body)

    async def _shown(self, scope: Scope, headers: dict[str, str]) -> Answer:
        """A page of the console."""
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        client = scope["client"][0] if scope["client"] else ""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, self._console.answer, path, query, headers, client
        )

    def _answer(self, headers: dict[str, str], body: bytes) -> Answer:
        """One operation, from its bytes to its bytes."""
        try:
            call = json_call(headers, body) if is_json(headers) else query_call(headers, body)
            return call.answer(self._done(call))
        except Refusal as refusal:
            return _refused(refusal, headers)
        except CallerError as error:
            return _refused(invalid(str(error)), headers)
        except Exception:
            _log.exception("an operation failed: %s", headers.get("x-amz-target", "query"))
            text = "The server's own fault; its log says more"
            return refusal_answer(Refusal("InternalFailure", text, 500), protocol_of(headers))

    def _done(self, call: Call) -> dict[str, object] | None:
        function = OPERATIONS[call.service].get(call.name)
        if function is None:
            raise invalid(f"{call.name} {_LATER}")
        return function(self._platform, call.members)


def _refused(refusal: Refusal, headers: dict[str, str]) -> Answer:
    asked = headers.get("x-amz-target", "query")
    _log.info("refused: %.100r: %s: %.500r", asked, refusal.code, refusal.message)
    return refusal_answer(refusal, protocol_of(headers))


def _is_page(scope: Scope, headers: dict[str, str]) -> bool:
    """Whether the console is asked for, and not a bucket of that name, whose clients sign."""
    of_console = f"{scope['path']}/".startswith(f"{CONSOLE}/")
    return scope["method"] == "GET" and of_console and "authorization" not in headers
