"""The object store as an ASGI application: S3's requests in, bytes in both ways streaming."""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from clary.aws.errors import Refusal
from clary.server.messages import TooLong, whole_body
from clary.server.s3 import bodies
from clary.server.s3.drafts import Draft
from clary.server.s3.operations import Operation, operation_of
from clary.server.s3.refusals import refusal
from clary.server.s3.requests import Request, request_of
from clary.server.s3.sending import PIECE_BYTES, respond
from clary.server.s3.site import Site
from clary.server.s3.store import ObjectStore
from clary.server.s3.uploads import Uploads
from clary.server.s3.xml_answers import Answer, error

_THREADS = 8
# The 10,000 parts of CompleteMultipartUpload, each with checksums, are the longest.
_LONGEST_XML = 4 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_log = logging.getLogger("clary.server")
_T = TypeVar("_T")


class S3Front:
    """The files are read and written by threads, so that the event loop stays free.

    Whether a request is signed is looked at before it comes here.
    """

    def __init__(self, root: Path, account: str, region: str) -> None:
        store = ObjectStore(root)
        self._site = Site(store, Uploads(store), account, region)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")

    def start(self) -> None:
        """Make the store ready; to be called once, before the first request."""
        self._site.store.start()
        self._site.uploads.start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        identity = secrets.token_hex(8).upper()
        resource = scope["path"]
        try:
            answer = await self._answered(scope, receive)
        except ClientDisconnect:
            return
        except Refusal as refused:
            answer = error(refused, resource, identity)
        except OSError as fault:
            answer = error(_fault(fault, resource), resource, identity)
        except Exception:
            _log.exception("the object store failed: %s %s", scope["method"], resource)
            answer = error(refusal("InternalError"), resource, identity)
        if answer.status >= 400 and any(name == b"expect" for name, _ in scope["headers"]):
            # The client keeps its body back, where the server would take its next request for it.
            answer = replace(answer, headers={**answer.headers, "connection": "close"})
        usual = {"x-amz-request-id": identity, "x-amz-bucket-region": self._site.region}
        await respond(answer, usual, scope["method"] == "HEAD", send)

    async def _answered(self, scope: Scope, receive: Receive) -> Answer:
        request = request_of(scope)
        self._site.check(request)
        operation = operation_of(request)
        if operation.streamed:
            return await self._streamed(operation, request, receive)
        try:
            body = await whole_body(receive, _LONGEST_XML)
        except TooLong:
            raise refusal("EntityTooLarge") from None
        return await self._in_thread(operation.function, self._site, request, body)

    async def _streamed(self, operation: Operation, request: Request, receive: Receive) -> Answer:
        """While one piece is hashed and written, the next one comes."""
        store = self._site.store
        await self._in_thread(store.check_place, request.bucket, request.key)
        with Draft(store.incoming, request.headers) as draft:
            collected = bytearray()
            writing: asyncio.Future[None] | None = None
            try:
                async for piece in bodies.pieces(receive):
                    collected += piece
                    if len(collected) >= PIECE_BYTES:
                        if writing is not None:
                            await writing
                        writing = self._in_thread(draft.write, bytes(collected))
                        collected.clear()
            finally:
                if writing is not None:
                    await writing
            return await self._in_thread(self._finished, operation, request, draft, collected)

    def _finished(
        self, operation: Operation, request: Request, draft: Draft, rest: bytearray
    ) -> Answer:
        draft.write(bytes(rest))
        draft.finish()
        return operation.function(self._site, request, draft)

    def _in_thread(self, function: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)


def _fault(fault: OSError, resource: str) -> Refusal:
    if fault.errno in _FULL:
        return refusal("StorageFull")
    _log.error("the object store failed at %s", resource, exc_info=fault)
    return refusal("InternalError")


class S3Elsewhere:
    """Stands where the store would be if the server were not told to use another S3."""

    def __init__(self, endpoint: str) -> None:
        self._text = f"The objects are at {endpoint}: set AWS_ENDPOINT_URL_S3 to it"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = refusal("InvalidRequest", self._text)
        answer = error(refused, scope["path"], secrets.token_hex(8).upper())
        await respond(answer, {}, scope["method"] == "HEAD", send)
