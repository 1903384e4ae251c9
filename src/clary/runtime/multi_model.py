"""The container API of multi-model endpoints: models are loaded, listed, asked and unloaded.

What models take together is bounded; the platform answers 507 by unloading another one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from clary import settings
from clary.errors import CallerError
from clary.runtime.endpoint import Endpoint, noted, refusal
from clary.runtime.models import load_model
from clary.runtime.negotiate import warm
from clary.settings import Serving
from clary.storage.folder import FolderStore

_PAGE = 100
_MOST_ORDER_BYTES = 64 * 1024

_log = logging.getLogger("clary.serve")


@dataclass(frozen=True)
class _Loaded:
    """A model in memory; `bytes` is what it is thought to take."""

    endpoint: Endpoint
    url: str
    bytes: int


class MultiModelEndpoint:
    """The application. Models of an algorithm that does not declare it are refused."""

    def __init__(self, serving: Serving, algorithm: str | None = None) -> None:
        self._serving, self._algorithm = serving, algorithm
        self._pool = ThreadPoolExecutor(settings.threads(), thread_name_prefix="predict")
        self._models: dict[str, _Loaded] = {}
        # One is loaded at a time, so that its memory can be told from others'
        self._loading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        request = Request(scope, receive)
        response = await self._response(request)
        await response(scope, receive, send)
        noted(request, response, time.perf_counter() - begun)

    async def _response(self, request: Request) -> Response:
        method = request.method
        # A name may hold an encoded slash
        path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts == ["ping"]:
            return Response()
        match method, parts:
            case "POST", ["models"]:
                return await self._load(request)
            case "GET", ["models"]:
                return self._list(request.query_params)
            case "GET", ["models", name] if name in self._models:
                return JSONResponse(_described(name, self._models[name]))
            case "DELETE", ["models", name] if name in self._models:
                del self._models[name]
                return Response()
            case "POST", ["models", name, "invoke"] if name in self._models:
                return await self._models[name].endpoint.invoked(request)
            case _, ["models", name, *_]:
                return refusal(404, f"model {name!r} is not loaded")
        return refusal(404, "no such path; the server answers to /ping and /models")

    async def _load(self, request: Request) -> Response:
        try:
            name, url = await _order(request)
        except ValueError as error:
            return refusal(400, str(error))
        async with self._loading:
            if name in self._models:
                return refusal(409, f"model {name!r} is loaded already")
            loop = asyncio.get_running_loop()
            try:
                self._models[name] = await loop.run_in_executor(self._pool, self._loaded, url)
            except CallerError as error:
                return refusal(400, str(error))
            except _NoRoom as full:
                return refusal(507, str(full))
            except Exception:
                _log.exception("loading %s failed", url)
                return refusal(500, f"model {name!r} could not be loaded; the log says why")
        return JSONResponse(_described(name, self._models[name]))

    def _loaded(self, url: str) -> _Loaded:
        path, most = Path(url), settings.model_memory_bytes()
        taken = sum(model.bytes for model in self._models.values())
        size = _file_bytes(path)
        if taken + size > most:
            raise _NoRoom(taken, size, most)
        before = _resident_bytes()
        model = load_model(path, self._algorithm)
        if not model.algorithm.multi_model:
            raise CallerError.of(
                f"algorithm {model.algorithm.name}", "does not serve several models at once"
            )
        warm(model, self._serving)
        # Memory that an unloaded model left is used again, so growth alone may say too little
        size = max(size, _resident_bytes() - before)
        if taken + size > most:
            raise _NoRoom(taken, size, most)
        return _Loaded(Endpoint(model, self._serving, self._pool), url, size)

    def _list(self, query: Mapping[str, str]) -> Response:
        """Pages by name; the token is the last name of the page before."""
        given = query.get("limit", str(_PAGE))
        limit = int(given) if given.isdecimal() and len(given) < 10 else 0
        if limit < 1:
            return refusal(400, f"limit must be a whole number from 1, got {given!r}")
        after = query.get("next_page_token", "")
        names = sorted(name for name in self._models if name > after)
        page = names[:limit]
        listed: dict[str, Any] = {"models": [_described(one, self._models[one]) for one in page]}
        if len(names) > limit:
            listed["nextPageToken"] = page[-1]
        return JSONResponse(listed)


class _NoRoom(Exception):
    """The model does not fit beside the others."""

    def __init__(self, taken: int, size: int, most: int) -> None:
        super().__init__(
            f"no memory for the model: it takes {size:,} bytes, and {taken:,} of {most:,} are taken"
        )


async def _order(request: Request) -> tuple[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_ORDER_BYTES:
            raise ValueError("the request is too long")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(
        isinstance(given.get(name), str) and given[name] for name in ("model_name", "url")
    ):
        raise ValueError('the request must be JSON: {"model_name": "…", "url": "…"}')
    return given["model_name"], given["url"]


def _described(name: str, model: _Loaded) -> dict[str, str]:
    return {"modelName": name, "modelUrl": model.url}


def _file_bytes(path: Path) -> int:
    if path.is_dir():
        return sum(each.size for each in FolderStore(path).objects())
    return path.stat().st_size if path.is_file() else 0


def _resident_bytes() -> int:
    """Memory of this process; 0 where the system does not tell."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
