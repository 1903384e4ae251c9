"""Where the hosts of a training find each other, and how they know that all still live.

Every host keeps one connection to the leader. On it they say hello once, then a beat every few
seconds, and goodbye. Who falls silent or goes without goodbye is lost, and the leader tells the
others. XGBoost's own collectives cannot be trusted with this: when a peer dies at a bad moment
(`Loop::Block`, seen in 3.2) they wait for ever.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from clary.kit.cluster import LostHost

_RETRY_SECONDS = 0.1
_BEAT, _GOODBYE, _LOST = "beat", "goodbye", "lost "
# Time for an exception to end a host by itself before it is ended from outside
_GRACE_SECONDS = 10
_LONGEST_LINE = 4096


class Rendezvous:
    """This host's line to the leader or, on the leader, to all others.

    `address` is `host:port` of the leader. `patience_seconds` is how long hosts wait for each other
    at the beginning, `silence_seconds` how long one may say nothing afterwards.
    """

    def __init__(
        self,
        host: str,
        hosts: tuple[str, ...],
        address: str,
        patience_seconds: float = 600,
        silence_seconds: float = 120,
    ) -> None:
        self.host = host
        self.hosts = hosts
        self.lost = ""
        name, _, port = address.rpartition(":")
        self._address = (name, int(port))
        self._patience_seconds = patience_seconds
        self._silence_seconds = silence_seconds
        self._peers: dict[str, _Peer] = {}
        self._closed = Event()
        self._watch: Thread | None = None

    def address(self) -> str:
        """The leader's own address in numbers; a cluster's names may resolve late.

        Raises:
            LostHost: the name does not resolve.
        """
        deadline = time.monotonic() + self._patience_seconds
        name = self._address[0]
        while True:
            try:
                return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
            except OSError as error:
                if time.monotonic() > deadline:
                    raise LostHost(f"the name {name} does not resolve") from error
                time.sleep(_RETRY_SECONDS)

    def welcome(self, told: Mapping[str, Any]) -> None:
        """On the leader: wait for all others and tell each the same.

        Raises:
            LostHost: some did not come; they are named.
        """
        deadline = time.monotonic() + self._patience_seconds
        with socket.create_server((self.address(), self._address[1])) as door:
            while missing := [name for name in self.hosts[1:] if name not in self._peers]:
                door.settimeout(max(deadline - time.monotonic(), 0.01))
                try:
                    guest, _ = door.accept()
                except TimeoutError:
                    raise LostHost(f"{', '.join(missing)} did not come") from None
                name = _name_of(guest)
                if name in missing:
                    self._peers[name] = _Peer(name, guest)
                    _say(guest, json.dumps(told))
                else:
                    guest.close()

    def ask(self) -> dict[str, Any]:
        """On the others: find the leader, which may come later than we do, and hear what it tells.

        Raises:
            LostHost: the leader cannot be reached.
        """
        deadline = time.monotonic() + self._patience_seconds
        while True:
            left = deadline - time.monotonic()
            try:
                leader = socket.create_connection(self._address, timeout=max(left, 0.01))
                _say(leader, self.host)
                told: dict[str, Any] = json.loads(_line(leader))
            except (OSError, ValueError) as error:
                if left <= 0:
                    where = "{}:{}".format(*self._address)
                    raise LostHost(f"{self.hosts[0]} cannot be reached at {where}") from error
                time.sleep(_RETRY_SECONDS)
            else:
                self._peers[self.hosts[0]] = _Peer(self.hosts[0], leader)
                return told

    def watch(self, stuck: Callable[[LostHost], None]) -> None:
        """From now on notice who is lost; `stuck` is called if `close` does not follow soon."""
        self._watch = Thread(target=self._watched, args=(stuck,), daemon=True)
        self._watch.start()

    def reason(self) -> str:
        """Who was lost, when something else has failed for a reason unknown."""
        deadline = time.monotonic() + 1
        while not self.lost and time.monotonic() < deadline:
            time.sleep(0.01)
        return f"{self.lost} was lost" if self.lost else ""

    def close(self, *, in_peace: bool) -> None:
        """End the watch, with goodbye or, so that the others notice, without."""
        self._closed.set()
        if self._watch:
            self._watch.join()
        if in_peace:
            self._tell(_GOODBYE)
        for peer in self._peers.values():
            peer.socket.close()

    def _watched(self, stuck: Callable[[LostHost], None]) -> None:
        self._listen()
        if self.lost and not self._closed.wait(_GRACE_SECONDS):
            stuck(LostHost(f"{self.host}: {self.lost} was lost"))

    def _listen(self) -> None:
        """Beat and hear beats until closed, all have said goodbye, or one is lost."""
        interval = min(self._silence_seconds / 4, 5)
        beaten = 0.0
        with selectors.DefaultSelector() as selector:
            for peer in self._peers.values():
                peer.begin(interval)
                selector.register(peer.socket, selectors.EVENT_READ, peer)
            while selector.get_map() and not self.lost and not self._closed.is_set():
                now = time.monotonic()
                if now - beaten > interval:
                    self._tell(_BEAT)
                    beaten = now
                for key, _ in selector.select(timeout=0.1):
                    self.lost = self.lost or key.data.hear()
                    if key.data.gone:
                        selector.unregister(key.fileobj)
                silent = [
                    peer.name
                    for peer in self._peers.values()
                    if not peer.gone and now - peer.heard > self._silence_seconds
                ]
                self.lost = self.lost or "".join(silent[:1])
        if self.lost:
            self._tell(_LOST + self.lost)

    def _tell(self, word: str) -> None:
        for peer in self._peers.values():
            with suppress(OSError):
                _say(peer.socket, word)


class _Peer:
    """The connection to another host: what it said, when it was last heard, whether it left."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        self.name = name
        self.socket = connection
        self.heard = 0.0
        self.gone = False
        self._unread = b""

    def begin(self, timeout_seconds: float) -> None:
        self.socket.settimeout(timeout_seconds)
        self.heard = time.monotonic()

    def hear(self) -> str:
        """Take in what has come; the name of a lost host, or nothing."""
        try:
            received = self.socket.recv(_LONGEST_LINE)
        except OSError:
            received = b""
        self.heard = time.monotonic()
        *words, self._unread = (self._unread + received).split(b"\n")
        for word in words:
            if word.startswith(_LOST.encode()):
                return word.removeprefix(_LOST.encode()).decode()
        self.gone = _GOODBYE.encode() in words
        return "" if received or self.gone else self.name


def _name_of(guest: socket.socket) -> str:
    """What the one who came says first; empty for a stranger."""
    guest.settimeout(5)
    try:
        return _line(guest).decode()
    except (OSError, UnicodeDecodeError):
        return ""


def _line(peer: socket.socket) -> bytes:
    """One line, byte by byte: what follows is left for the watch."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
        more = peer.recv(1)
        if not more:
            raise ConnectionResetError("the other end is closed")
        line += more
    return line.strip()


def _say(peer: socket.socket, word: str) -> None:
    peer.sendall(word.encode() + b"\n")
