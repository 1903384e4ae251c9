"""The server's life: its root is taken, its parts are started, and ended in the other order."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from clary import settings
from clary.aws.hosts import bucket_of, service_of
from clary.aws.keys import Keys
from clary.aws.trust import usual_certificates
from clary.db.database import Database
from clary.db.metrics import Metrics
from clary.db.resources import Resources
from clary.errors import CallerError
from clary.jobs import endpoints, training, transform
from clary.jobs.engine import Engine
from clary.jobs.logs import Logs
from clary.jobs.platform import Account, Platform
from clary.jobs.serving.async_invocations import AsyncInvocations
from clary.jobs.serving.capture import Capture
from clary.runtime.serve import bound, configuration
from clary.server.app import App
from clary.server.certificates import Certificates
from clary.server.connect_proxy import ConnectProxy
from clary.server.gate import SignatureGate
from clary.server.jumpstart import write_manifest
from clary.server.keys import keys_for
from clary.server.proxy_beyond import Beyond
from clary.server.root import ServerFacts, announced, taken
from clary.server.runtime_api import RuntimeApi
from clary.server.s3_front import S3Elsewhere, S3Front
from clary.server.same_origin import SameOrigin
from clary.server.virtual_hosts import VirtualHosts
from clary.storage.buckets import stores_in

DEFAULT_PORT = 8042
_GRACE_SECONDS = 5

_log = logging.getLogger("clary.server")


def up(root: Path, host: str, port: int | None, ready: Callable[[ServerFacts], None]) -> None:
    """Serve a root until SIGTERM or Ctrl-C. `ready` is called once clients may come.

    Without a port it is the usual one, or a free one where that is taken.

    Raises:
        CallerError: another server has the root, the address cannot be listened on, or it would
            need keys.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _leave)
    keys = keys_for(root, host)
    with ExitStack() as stack:
        stack.enter_context(taken(root))
        listener = stack.enter_context(_listener(host, port))
        platform = stack.enter_context(_platform(root, keys))
        runtime = stack.enter_context(_runtime(platform))
        app = App(platform, runtime, _object_store(platform))
        facts = ServerFacts.of(root, listener, platform.account)
        facts = stack.enter_context(_proxied(facts, platform.buckets))
        server = _Server(configuration(_guarded(app, keys), _GRACE_SECONDS))
        server.ready = lambda: ready(stack.enter_context(announced(root, facts)))
        server.run(sockets=[listener])


@contextmanager
def _platform(root: Path, keys: Keys | None) -> Iterator[Platform]:
    """What operations work on; jobs that an earlier server left are taken up."""
    database = Database(root / "clary.db")
    engine = Engine(settings.job_places(), settings.job_memory_bytes())
    buckets = None if settings.server_s3_endpoint() else root / "s3"
    if buckets:
        buckets.mkdir(exist_ok=True)
        write_manifest(buckets, settings.region())
    platform = Platform(
        root=root,
        account=Account(settings.account(), settings.region()),
        resources=Resources(database),
        metrics=Metrics(database),
        logs=Logs(root / "logs"),
        engine=engine,
        buckets=buckets,
        stores=stores_in(buckets),
        keys=keys,
    )
    engine.start()
    try:
        training.recover(platform)
        transform.recover(platform)
        endpoints.recover(platform)
        yield platform
    finally:
        engine.close()
        database.close()


@contextmanager
def _runtime(platform: Platform) -> Iterator[RuntimeApi]:
    later, capture = AsyncInvocations(platform), Capture(platform)
    later.start()
    capture.start()
    try:
        yield RuntimeApi(platform, later, capture)
    finally:
        capture.flush()


def _object_store(platform: Platform) -> ASGIApp:
    if platform.buckets is None:
        return S3Elsewhere(settings.server_s3_endpoint() or "")
    front = S3Front(platform.buckets, platform.account.id, platform.account.region)
    front.start()
    return front


def _guarded(app: ASGIApp, keys: Keys | None) -> ASGIApp:
    """The application as far as strangers are let: none without a signature, else no web page's."""
    app = VirtualHosts(app)
    return SignatureGate(app, keys) if keys else SameOrigin(app)


@contextmanager
def _proxied(facts: ServerFacts, buckets: Path | None) -> Iterator[ServerFacts]:
    """Inside, the proxy leads clients with fixed AWS hosts to the server."""

    def is_redirected(host: str) -> bool:
        bucket = bucket_of(host)
        return bool(service_of(host) or (bucket and buckets and (buckets / bucket).is_dir()))

    trusted = [*settings.trusted_certificates(), *usual_certificates()]
    certificates = Certificates(Path(facts.root), trusted)
    beyond = Beyond(settings.proxy_beyond(), settings.no_proxy())
    server = (facts.reached_by, facts.port)
    proxy = ConnectProxy(is_redirected, certificates.context, server, beyond)
    with proxy.serving(facts.port + 1) as port:
        bundle = str(certificates.bundle)
        s3_url = settings.server_s3_endpoint() or ""
        yield replace(facts, proxy_port=port, certificates=bundle, s3_url=s3_url)


@contextmanager
def _listener(host: str, port: int | None) -> Iterator[socket.socket]:
    try:
        listener = bound(host, DEFAULT_PORT if port is None else port)
    except CallerError:
        if port is not None:
            raise
        listener = bound(host, 0)
    with listener:
        yield listener


class _Server(uvicorn.Server):
    """uvicorn, telling when it listens."""

    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()


def _leave(number: int, frame: FrameType | None) -> None:
    """Ends the start; later uvicorn has the signal, and raises it anew at its end."""
    sys.exit(0)
