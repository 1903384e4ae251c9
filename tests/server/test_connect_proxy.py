"""The proxy over sockets: what it redirects, what it leaves untouched, what it withstands."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import httpx
import pytest
from botocore.config import Config

from clary.server import connect_proxy
from clary.server.certificates import Certificates
from clary.server.connect_proxy import ConnectProxy
from clary.server.proxy_beyond import Beyond
from tests.server.listening import Recorder, listening

HOST = "sts.us-east-1.amazonaws.com"
CALLER = (
    b"<R><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></R>"
)


class Proxied:
    """A proxy that redirects STS to a stub of the server, and the stub."""

    def __init__(self, root: Path) -> None:
        self.certificates = Certificates(root)
        self.server = Recorder(CALLER)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.certificates.bundle))
        return httpx.Client(proxy=self.url, verify=context, trust_env=False, timeout=20)

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@contextlib.contextmanager
def proxied(root: Path, beyond: Beyond | None = None) -> Iterator[Proxied]:
    one = Proxied(root)
    with listening(one.server) as port:
        proxy = ConnectProxy(
            lambda host: host == HOST,
            one.certificates.context,
            ("127.0.0.1", port),
            beyond or Beyond(),
        )
        with proxy.serving() as one.port:
            yield one


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Proxied]:
    with proxied(tmp_path) as one:
        yield one


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, Recorder]]:
    """A server that is not ours."""
    app = Recorder(b"elsewhere")
    with listening(app) as port:
        yield f"127.0.0.1:{port}", app


def received(connection: socket.socket) -> bytes:
    found = b""
    while data := connection.recv(65536):
        found += data
    return found


def test_an_unmodified_client_of_sts_is_led_to_the_server(running: Proxied) -> None:
    client = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=f"https://{HOST}",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        verify=str(running.certificates.bundle),
        config=Config(proxies={"https": running.url}, retries={"max_attempts": 0}),
    )
    assert client.get_caller_identity()["Account"] == "123456789012"
    scope, body = running.server.requests[0]
    assert dict(scope["headers"])[b"host"] == HOST.encode()
    assert body.startswith(b"Action=GetCallerIdentity")


def test_a_connection_is_used_for_many_requests(running: Proxied) -> None:
    with running.client() as client:
        for _ in range(20):
            assert client.get(f"https://{HOST}/").content == CALLER
    ports = {scope["client"] for scope, _ in running.server.requests}
    assert len(ports) == 1


def test_long_bodies_pass_in_both_directions(running: Proxied) -> None:
    running.server.answer = bytes(range(256)) * 100_000
    body = bytes(range(255)) * 100_000
    with running.client() as client:
        assert client.post(f"https://{HOST}/", content=body).content == running.server.answer
    assert running.server.requests[0][1] == body


def test_many_connections_at_once(running: Proxied) -> None:
    def one(number: int) -> bytes:
        with running.client() as client:
            return client.post(f"https://{HOST}/", content=b"%d" % number).content

    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(one, range(90))) == {CALLER}
    assert {body for _, body in running.server.requests} == {b"%d" % n for n in range(90)}


def test_all_other_hosts_are_tunnelled_untouched(
    running: Proxied, elsewhere: tuple[str, Recorder], tmp_path: Path
) -> None:
    place, app = elsewhere
    with running.connected() as connection:
        connection.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        assert connection.recv(100) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        connection.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert received(connection).endswith(b"\r\n\r\nelsewhere")
    assert [scope["path"] for scope, _ in app.requests] == ["/a"]
    assert running.server.requests == []


def test_another_port_of_a_redirected_host_is_tunnelled(running: Proxied) -> None:
    with running.connected() as connection:
        connection.sendall(b"CONNECT sts.us-east-1.amazonaws.com:1 HTTP/1.1\r\n\r\n")
        # Nothing of ours answers there, nor does anything here make a certificate for it
        assert not received(connection).startswith(b"HTTP/1.1 200")


def test_bytes_that_come_before_the_tunnel_stands_are_passed_on(
    running: Proxied, elsewhere: tuple[str, Recorder]
) -> None:
    with running.connected() as connection:
        head = f"CONNECT {elsewhere[0]} HTTP/1.1\r\n\r\n"
        connection.sendall(
            head.encode() + b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert received(connection).endswith(b"elsewhere")


def test_plain_requests_are_passed_on(running: Proxied, elsewhere: tuple[str, Recorder]) -> None:
    place, app = elsewhere
    with running.client() as client:
        answer = client.post(f"http://{place}/a?b=c", content=b"body")
    assert answer.content == b"elsewhere"
    scope, body = app.requests[0]
    assert (scope["path"], scope["query_string"], body) == ("/a", b"b=c", b"body")
    assert not any(name.startswith(b"proxy-") for name, _ in scope["headers"])


def test_a_half_closed_tunnel_still_answers(running: Proxied) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, running.connected() as connection:
        threading.Thread(target=_answer_after_the_end, args=(listener,), daemon=True).start()
        port = listener.getsockname()[1]
        connection.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.sendall(b"question")
        connection.shutdown(socket.SHUT_WR)
        assert received(connection) == b"answer to question"


def _answer_after_the_end(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.sendall(b"answer to " + received(peer))


def test_a_host_that_cannot_be_reached_is_told(running: Proxied) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running.connected() as connection:
        connection.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
        assert received(connection).startswith(b"HTTP/1.1 502 Bad Gateway")
    with running.connected() as connection:
        connection.sendall(b"CONNECT host.invalid:443 HTTP/1.1\r\n\r\n")
        assert received(connection).startswith(b"HTTP/1.1 502 Bad Gateway")


HOSTILE = {
    "no HTTP": b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n",
    "origin form": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no port": b"CONNECT sts.us-east-1.amazonaws.com HTTP/1.1\r\n\r\n",
    "port 0": b"CONNECT a:0 HTTP/1.1\r\n\r\n",
    "large port": b"CONNECT a:65536 HTTP/1.1\r\n\r\n",
    "user": b"CONNECT sts.us-east-1.amazonaws.com@evil:443 HTTP/1.1\r\n\r\n",
    "line feed in a header": b"CONNECT a:1 HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
    "no header": b"CONNECT a:1 HTTP/1.1\r\nnothing\r\n\r\n",
    "other scheme": b"GET ftp://a/ HTTP/1.1\r\n\r\n",
    "bad address": b"GET http://[::1/ HTTP/1.1\r\n\r\n",
    "bad port": b"GET http://a:b/ HTTP/1.1\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_are_refused(running: Proxied, name: str) -> None:
    with running.connected() as connection:
        connection.sendall(HOSTILE[name])
        assert received(connection).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_an_endless_head_is_refused(running: Proxied) -> None:
    with running.connected() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(b"CONNECT a:1 HTTP/1.1\r\nA: " + b"a" * connect_proxy.HEAD_BYTES * 2)
        assert connection.recv(100).startswith(b"HTTP/1.1 431 ")


def test_a_head_that_never_ends_is_given_up(
    running: Proxied, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect_proxy, "_HEAD_SECONDS", 0.2)
    with running.connected() as connection:
        connection.sendall(b"CONNECT a:1 HTTP/1.1\r\n")
        assert received(connection) == b""


def test_a_silent_tunnel_is_given_up(running: Proxied, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect_proxy, "_IDLE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener, running.connected() as connection:
        port = listener.getsockname()[1]
        connection.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
        assert received(connection) == b"HTTP/1.1 200 Connection established\r\n\r\n"


def test_no_more_connections_than_allowed(
    running: Proxied, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect_proxy, "MOST_CONNECTIONS", 2)
    with running.connected(), running.connected():
        time.sleep(0.2)
        with running.connected() as third:
            assert received(third).startswith(b"HTTP/1.1 503 ")


def test_no_tls_where_some_is_due_does_no_harm(running: Proxied) -> None:
    with running.connected() as connection:
        connection.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            received(connection)
    with running.client() as client:
        assert client.get(f"https://{HOST}/").content == CALLER


def test_a_proxy_beyond_is_used_for_all_but_what_it_is_not_for(
    tmp_path: Path, elsewhere: tuple[str, Recorder]
) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_proxy_once, args=(listener, asked), daemon=True).start()
        port = listener.getsockname()[1]
        beyond = Beyond(f"http://me:p%40ss@127.0.0.1:{port}", without="internal.example")
        with proxied(tmp_path, beyond) as one:
            with one.client() as client:
                assert client.get(f"https://{HOST}/").content == CALLER
            with one.connected() as connection:
                connection.sendall(b"CONNECT far.example:443 HTTP/1.1\r\n\r\nhello")
                connection.shutdown(socket.SHUT_WR)
                got = received(connection)
            with one.connected() as connection:
                connection.sendall(f"CONNECT {elsewhere[0]} HTTP/1.1\r\n\r\n".encode())
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert got == b"HTTP/1.1 200 Connection established\r\n\r\nhello, you"
    (head,) = asked
    assert head.startswith(b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n")
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in head


def _proxy_once(listener: socket.socket, asked: list[bytes]) -> None:
    """Another proxy, which answers one tunnel itself."""
    peer, _ = listener.accept()
    with peer:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += peer.recv(1)
        asked.append(head)
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.sendall(peer.recv(5) + b", you")


def test_a_refusal_of_the_proxy_beyond_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_refuse_once, args=(listener,), daemon=True).start()
        beyond = Beyond(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with proxied(tmp_path, beyond) as one, one.connected() as connection:
            connection.sendall(b"CONNECT far.example:443 HTTP/1.1\r\n\r\n")
            got = received(connection)
    assert got.startswith(b"HTTP/1.1 502 ")
    assert b"407 Proxy Authentication Required" in got


def _refuse_once(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.recv(1000)
        peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")


def test_hosts_named_in_no_proxy_are_reached_straight() -> None:
    beyond = Beyond("http://127.0.0.1:1", "a.example, .b.example,*.c.example")
    assert [
        beyond._is_straight(host)
        for host in ("a.example", "x.a.example", "xa.example", "b.example", "y.c.example", "::1")
    ] == [True, True, False, True, True, True]
