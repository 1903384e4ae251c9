"""Connections to model processes, against sockets that answer rightly, wrongly, and not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest

from clary.jobs.serving.connections import Connections, NoAnswer, Reply, TooLong

Conversation: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nhi"


@asynccontextmanager
async def listening(talk: Conversation) -> AsyncIterator[Connections]:
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        pool = Connections(server.sockets[0].getsockname()[1])
        yield pool
        pool.close()


async def ask(pool: Connections, body: bytes = b"x", seconds: float = 10.0) -> Reply:
    headers = {"Content-Type": "text/csv"}
    return await pool.ask("POST", "/p", headers, body, seconds=seconds, most_bytes=1000)


def answering(*answers: bytes) -> tuple[Conversation, list[bytes]]:
    """A conversation of these answers, after each of which a connection ends, and what came."""
    came: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        came.append(head + await reader.readexactly(length))
        writer.write(answers[len(came) - 1])
        await writer.drain()
        writer.close()

    return talk, came


async def outcome(*answers: bytes) -> tuple[Reply, Sequence[bytes]]:
    talk, came = answering(*answers)
    async with listening(talk) as pool:
        return await ask(pool), came


def test_a_request_is_sent_whole_and_its_answer_read() -> None:
    reply, (sent,) = asyncio.run(outcome(OK))
    assert (reply.status, reply.body, reply.headers["x-a"]) == (200, b"hi", "b")
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /p HTTP/1.1\r\n")
    assert b"Content-Type: text/csv" in head
    assert body == b"x"


def test_an_answer_may_come_in_chunks() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n"
    reply, _ = asyncio.run(outcome(chunked))
    assert reply.body == b"hi!"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", NoAnswer),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", NoAnswer),
        (b"nonsense\r\n\r\n", NoAnswer),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, TooLong),
    ],
    ids=["nothing", "half", "nonsense", "long"],
)
def test_what_is_no_answer_is_told(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        asyncio.run(outcome(answer))


def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_is_replaced() -> None:
    async def run() -> list[int]:
        ports: list[int] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                await reader.readuntil(b"\r\n\r\nx")
                ports.append(writer.get_extra_info("peername")[1])
                writer.write(OK)
            # As a server does with a connection that rests too long, just when a request comes
            await reader.readuntil(b"\r\n\r\nx")
            writer.close()

        async with listening(talk) as pool:
            for _ in range(3):
                assert (await ask(pool)).body == b"hi"
        return ports

    first, second, third = asyncio.run(run())
    assert first == second != third


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    async def run() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        async with listening(talk) as pool:
            await ask(pool, seconds=0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def test_nobody_listens() -> None:
    async def run() -> None:
        async with listening(answering()[0]) as pool:
            port = pool
        await ask(port)

    with pytest.raises(NoAnswer, match="no connection"):
        asyncio.run(run())


def test_many_requests_at_once_have_a_connection_each() -> None:
    async def run() -> list[Reply]:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                try:
                    await reader.readuntil(b"\r\n\r\nx")
                except asyncio.IncompleteReadError:
                    writer.close()
                    return
                writer.write(OK)

        async with listening(talk) as pool:
            return await asyncio.gather(*(ask(pool) for _ in range(100)))

    assert [reply.body for reply in asyncio.run(run())] == [b"hi"] * 100
