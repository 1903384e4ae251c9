"""Text in blocks of whole lines: bounded memory, several threads, results in order."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO, TypeVar

import numpy as np

from clary import settings
from clary.codecs.memory import keep_freed_memory
from clary.errors import CallerError

Result = TypeVar("Result")

# Arrays that are several times as large as the text still fit the processor's cache
BLOCK_BYTES = 1024 * 1024
LINE_BYTES = 16 * 1024 * 1024
"""The longest line that is read: a million columns and more."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_FEED = ord("\n")
_CACHED_BYTES = 1 << 16


@dataclass(frozen=True)
class Block:
    """Whole lines, the last of a stream perhaps without its newline.

    number: the number in the stream of the first line, from 1.
    ends: how many line feeds there are.
    """

    data: bytes
    number: int
    ends: int

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are not blank, without their ends and outer blanks, with their numbers."""
        if self.data.isspace():
            return
        for number, line in enumerate(io.BytesIO(self.data), self.number):
            stripped = line.strip()
            if stripped:
                yield number, stripped


def blocks(stream: BinaryIO, name: str, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The stream cut at line ends, all of them made line feeds; a byte order mark is dropped.

    Raises:
        CallerError: a line is longer than LINE_BYTES, or holds a NUL byte.
    """
    keep_freed_memory()
    number, held, more = 1, [b""], True
    while more:
        chunk = _filled(stream, block_bytes)
        more = len(chunk) == block_bytes
        cut = chunk.rfind(b"\n") + 1 if more else len(chunk)
        if cut or not more:
            block = _block(b"".join([*held, memoryview(chunk)[:cut]]), number, name)
            if block.data:
                yield block
            number += block.ends
            held = []
        held.append(chunk[cut:])
        if sum(map(len, held)) > LINE_BYTES:
            raise CallerError.of(
                f"{name}, line {number}",
                f"has no end within {LINE_BYTES // 2**20} MiB",
                remedy="Lines must end with a line feed; is this a text file?",
            )


def ordered(work: Callable[[Block], Result], source: Iterator[Block]) -> Iterator[Result]:
    """`work` over the blocks on `settings.threads()` threads, results in order.

    No more than two blocks a thread are held. A single block is worked on at once, without threads.
    """
    head = list(islice(source, 2))
    threads = settings.threads()
    if len(head) < 2 or threads == 1:
        yield from map(work, chain(head, source))
        return
    pool = ThreadPoolExecutor(threads, "decode")
    pending: deque[Future[Result]] = deque()
    try:
        for future in _submitted(pool, work, chain(head, source)):
            pending.append(future)
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def parse_number(text: bytes) -> float:
    """The number that a text is; digits have nothing between them.

    Raises:
        ValueError: it is none.
    """
    if b"_" in text:
        raise ValueError(text)
    return float(text)


def _submitted(
    pool: ThreadPoolExecutor, work: Callable[[Block], Result], source: Iterator[Block]
) -> Iterator[Future[Result]]:
    """A future for each block; a fault of the source itself takes its turn after them."""
    try:
        for block in source:
            yield pool.submit(work, block)
    except CallerError as fault:
        failed: Future[Result] = Future()
        failed.set_exception(fault)
        yield failed


def _filled(stream: BinaryIO, size: int) -> bytes:
    """The next `size` bytes, however few come at once; fewer only at the end."""
    chunks = []
    while size and (chunk := stream.read(size)):
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _block(data: bytes, number: int, name: str) -> Block:
    if number == 1:
        data = data.removeprefix(_BYTE_ORDER_MARK)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\0" in data:
        raise _nul_byte(name, number, data)
    return Block(data, number, _count_of_line_feeds(data))


def _count_of_line_feeds(data: bytes) -> int:
    """As data.count, which is much slower where lines are short."""
    text = np.frombuffer(data, np.uint8)
    cached = range(0, len(text), _CACHED_BYTES)
    parts = (text[start : start + _CACHED_BYTES] for start in cached)
    return sum(int(np.count_nonzero(part == _LINE_FEED)) for part in parts)


def _nul_byte(name: str, number: int, data: bytes) -> CallerError:
    place = data.index(b"\0")
    line = number + data.count(b"\n", 0, place)
    start = data.rfind(b"\n", 0, place) + 1
    return CallerError.of(
        f"{name}, line {line}, character {place - start + 1}",
        "is a NUL byte, which no text holds",
        remedy="Is the file binary, or text in UTF-16? Save it as UTF-8.",
    )
