"""Buckets named by the host, as clients address AWS's S3: `BUCKET.s3.us-east-1.amazonaws.com`."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from clary.aws.hosts import bucket_of, without_port


class VirtualHosts:
    """Moves the bucket from the host into the path. Signatures are verified before."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = next((value for name, value in scope["headers"] if name == b"host"), b"")
            bucket = bucket_of(without_port(host.decode("latin-1")))
            if bucket:
                raw = scope.get("raw_path") or scope["path"].encode()
                path, raw = f"/{bucket}{scope['path']}", f"/{bucket}".encode() + raw
                scope = {**scope, "path": path, "raw_path": raw}
        await self._app(scope, receive, send)
