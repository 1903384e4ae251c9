"""The model server's process: its start, its socket, its end. `endpoint` says what it answers."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from clary import settings
from clary.errors import CallerError
from clary.kit.parallel import one_thread_blas
from clary.runtime.connection import BoundedProtocol
from clary.runtime.endpoint import Endpoint
from clary.runtime.models import load_model
from clary.runtime.multi_model import MultiModelEndpoint
from clary.runtime.negotiate import warm

_IDLE_SECONDS = 75
# SageMaker kills 30 s after SIGTERM
_GRACE_SECONDS = 27

_log = logging.getLogger("clary.serve")


def main() -> None:
    """Entry point `serve` of the container: the model of /opt/ml/model on port 8080."""
    try:
        serve(settings.ml_root() / "model", "0.0.0.0", settings.serving().port)
    except CallerError as error:
        sys.exit(f"serve: {error}")


def serve(
    model_path: Path,
    host: str,
    port: int,
    algorithm: str | None = None,
    ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve a model (folder or model.tar.gz) until SIGTERM or SIGINT, then exit with 0.

    Port 0 takes a free one; `ready` is told which. Nothing is listened on before the model is
    ready. With SAGEMAKER_MULTI_MODEL there is no model at first, and `model_path` is not looked at.
    `algorithm` is that of models without Clary's manifest; without it they are recognized.

    Raises:
        CallerError: the model cannot be read, the address not be listened on, or a variable of
            the environment is wrong.
    """
    settings.calm_threads()
    # Libraries, as faiss, tell at length how they are loaded
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("clary").setLevel(logging.INFO)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _leave)
    serving = settings.serving()
    listener = bound(host, port)
    app: ASGIApp
    if serving.multi_model:
        app, title = MultiModelEndpoint(serving, algorithm), "many models"
    else:
        model = load_model(model_path, algorithm)
        warm(model, serving)
        app, title = Endpoint(model, serving), f"{model.algorithm.name} of {model_path}"
    gc.collect()
    gc.freeze()
    server = _Server(configuration(app))
    server.title, server.ready = title, ready
    with one_thread_blas():
        server.run(sockets=[listener])


def configuration(app: ASGIApp, grace_seconds: int = _GRACE_SECONDS) -> uvicorn.Config:
    """uvicorn for one application: HTTP/1.1 alone, with limits on what a client may take.

    grace_seconds: what requests may still take when the server is to end.
    """
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
    )


class _Server(uvicorn.Server):
    """uvicorn, saying in one line when it is ready."""

    title = ""
    ready: Callable[[int], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for host, port, *_ in (one.getsockname() for one in sockets or []):
            shown = f"[{host}]" if ":" in host else host
            _log.info("ready: %s, http://%s:%d", self.title, shown, port)
            self.ready(port)


def _leave(signal_number: int, frame: FrameType | None) -> None:
    """Ends the loading of a model; later uvicorn has the signal, and raises it anew at its end."""
    sys.exit(0)


def bound(host: str, port: int) -> socket.socket:
    """A socket that refuses connections until the server listens on it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol left at 0 asyncio would not set TCP_NODELAY: 40 ms a request
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise CallerError.of(f"address {host}:{port}", f"cannot be listened on ({error})") from None
    return listener


if __name__ == "__main__":
    main()
