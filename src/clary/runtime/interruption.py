"""SIGTERM and Ctrl-C: the training ends with what it has."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import cast

from clary.codecs.batch import Batch
from clary.data.channel import Channel


class Stopped(BaseException):
    """The training was asked to end while it waited for data."""


class Interruption:
    """Whether the training was asked to end; `stopping` is the Run's."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._waiting = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """SIGTERM and SIGINT are requests to end; a second SIGINT is not waited for.

        Only the main thread can listen; in any other this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, a request raises `Stopped`: what is waited for may never come.

        Raises:
            Stopped: the training is to end.
        """
        self._waiting = threading.current_thread() is threading.main_thread()
        try:
            yield
        finally:
            self._waiting = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.stopping.is_set():
            raise KeyboardInterrupt
        self.stopping.set()
        if self._waiting:
            raise Stopped


class StoppableChannel(Channel):
    """A channel whose epochs end early, but not before some rows came, when they are to end.

    So an algorithm that reads all before it learns ends in time, too.
    """

    def __init__(self, inner: Channel, interruption: Interruption) -> None:
        super().__init__(inner.name)
        self._inner = inner
        self._interruption = interruption

    def blocks(self, epoch: int) -> Iterator[Batch]:
        """
        Raises:
            Stopped: no rows have come.
        """
        came = False
        with closing(cast(Generator[Batch, None, None], self._inner.blocks(epoch))) as blocks:
            while not (came and self._interruption.stopping.is_set()):
                try:
                    with self._interruption.waiting():
                        block = next(blocks, None)
                except Stopped:
                    if came:
                        return
                    raise
                if block is None:
                    return
                came = True
                yield block
