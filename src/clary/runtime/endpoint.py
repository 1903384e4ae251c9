"""What the model server answers on its three paths, as an ASGI application.

Predictions run on as many threads as there are processors, so that /ping answers meanwhile. Small
bodies are answered at once on the event loop, since handing them over takes longer than the answer,
unless the model turns out to be slow.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from clary.errors import CallerError, NotAcceptable, PayloadTooLarge, UnsupportedContentType
from clary.kit.model import Model
from clary.runtime.negotiate import BODY, answer
from clary.settings import Serving, threads

_METHODS = {"/ping": "GET", "/invocations": "POST", "/execution-parameters": "GET"}
_STATUSES = {UnsupportedContentType: 415, NotAcceptable: 406, PayloadTooLarge: 413}
_MIB = 1024 * 1024
# Bodies that wait for a thread share this much; beyond it requests are turned away
_HELD_BYTES = 512 * _MIB
_BODY_SECONDS = 60.0
_SMALL_BYTES = 16 * 1024
_QUICK_SECONDS = 0.005

_log = logging.getLogger("clary.serve")


class Endpoint:
    """The application for one model. Starlette's routing is left out: three paths need none."""

    def __init__(
        self, model: Model, serving: Serving, pool: ThreadPoolExecutor | None = None
    ) -> None:
        self._model = model
        self._serving = serving
        self._pool = pool or ThreadPoolExecutor(threads(), thread_name_prefix="predict")
        self._held = 0
        self._small_seconds = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        request = Request(scope, receive)
        response = await self._response(request)
        await response(scope, receive, send)
        noted(request, response, time.perf_counter() - begun)

    async def _response(self, request: Request) -> Response:
        path, method = request.scope["path"], request.method
        if path not in _METHODS:
            known = ", ".join(f"{method} {path}" for path, method in _METHODS.items())
            return refusal(404, f"no such path; the server answers to {known}")
        if method.replace("HEAD", "GET") != _METHODS[path]:
            text = f"{path} takes {_METHODS[path]}, not {method}"
            return refusal(405, text, allow=_METHODS[path])
        if path == "/ping":
            return Response()
        if path == "/execution-parameters":
            return JSONResponse(execution_parameters(self._serving))
        return await self.invoked(request)

    async def invoked(self, request: Request) -> Response:
        """The answer to a request with a body to predict from."""
        response = await self._answered(request)
        if response.status_code >= 400 and "expect" in request.headers:
            # The client may still wait for 100 Continue with its body
            response.headers["connection"] = "close"
        return response

    async def _answered(self, request: Request) -> Response:
        parts: list[bytes] = []
        try:
            await self._read(request, parts)
            if not parts and self._model.algorithm.inference.empty_status == 204:
                return Response(status_code=204)
            return await self._predicted(request, b"".join(parts))
        except CallerError as error:
            return refusal(_STATUSES.get(type(error), 400), str(error))
        except _Busy:
            return refusal(503, "too many requests wait; try again in a second", retry_after="1")
        except TimeoutError:
            text = f"the body did not arrive within {_BODY_SECONDS:g} s"
            return refusal(408, text, connection="close")
        except ClientDisconnect:
            return refusal(499, "the client hung up")
        except Exception:
            _log.exception("a prediction failed")
            return refusal(500, "a fault of the server, not of the request; its log says more")
        finally:
            self._held -= sum(map(len, parts))

    async def _read(self, request: Request, parts: list[bytes]) -> None:
        limit = self._serving.max_payload_bytes
        if int(request.headers.get("content-length", 0)) > limit:
            raise _too_large(limit)
        size = 0
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise _too_large(limit)
                if self._held + len(part) > max(_HELD_BYTES, limit):
                    raise _Busy
                if part:
                    parts.append(part)
                    self._held += len(part)

    async def _predicted(self, request: Request, body: bytes) -> Response:
        headers = request.headers.get("content-type"), request.headers.get("accept")
        if len(body) <= _SMALL_BYTES and self._small_seconds <= _QUICK_SECONDS:
            content, content_type = self._timed(body, *headers)
        else:
            loop = asyncio.get_running_loop()
            content, content_type = await loop.run_in_executor(
                self._pool, self._timed, body, *headers
            )
        return Response(content, headers={"content-type": content_type})

    def _timed(
        self, body: bytes, content_type: str | None, accept: str | None
    ) -> tuple[bytes, str]:
        """The answer; the running mean of what small bodies take is kept."""
        begun = time.perf_counter()
        try:
            return answer(self._model, body, content_type, accept, self._serving)
        finally:
            if len(body) <= _SMALL_BYTES:
                seconds = time.perf_counter() - begun
                self._small_seconds += 0.1 * (seconds - self._small_seconds)


def execution_parameters(serving: Serving) -> dict[str, object]:
    """What batch transform asks a container."""
    return {
        "MaxConcurrentTransforms": serving.max_concurrent_transforms or threads(),
        "BatchStrategy": serving.batch_strategy or "MULTI_RECORD",
        "MaxPayloadInMB": max(1, serving.max_payload_bytes // _MIB),
    }


class _Busy(Exception):
    """Waiting bodies take all the memory they may."""


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge.of(
        BODY, f"must be at most {limit:,} bytes", remedy="Send fewer rows at a time."
    )


def refusal(status: int, text: str, **headers: str) -> Response:
    """A status with its reason as plain text, as ModelError's OriginalMessage shows it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PlainTextResponse(f"{text}\n", status, named)


def noted(request: Request, response: Response, seconds: float) -> None:
    """One line in the log for each request; none for a /ping, which comes every few seconds."""
    status = response.status_code
    path = request.scope["raw_path"].decode("latin-1")
    if path == "/ping" and status == 200:
        return
    why = ": " + "; ".join(bytes(response.body).decode().splitlines()) if status >= 400 else ""
    _log.info("%s %s %d %.1f ms%s", request.method, path, status, 1000 * seconds, why)
