"""Requests to end: signals, and epochs that end early."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.runtime.interruption import Interruption, StoppableChannel, Stopped


class Slow(Channel):
    """Blocks of one row; from `stalls_at` on each takes for ever."""

    def __init__(self, count: int, stalls_at: int = 1000) -> None:
        super().__init__("train")
        self._count, self._stalls_at = count, stalls_at

    def blocks(self, epoch: int) -> Iterator[Batch]:
        for i in range(self._count):
            if i >= self._stalls_at:
                time.sleep(60)
            yield Batch(np.full((1, 2), i, np.float32))


def soon(number: signal.Signals = signal.SIGTERM) -> None:
    threading.Timer(0.3, os.kill, (os.getpid(), number)).start()


def test_an_epoch_ends_early_but_not_before_some_rows_came() -> None:
    interruption = Interruption()
    interruption.stopping.set()
    channel = StoppableChannel(Slow(5), interruption)
    assert channel.read().rows == 1
    assert [batch.rows for batch in channel.batches(3, epoch=1)] == [1]


def test_without_a_request_all_rows_come() -> None:
    channel = StoppableChannel(Slow(5), Interruption())
    assert channel.sample(2).rows == 2
    assert [batch.rows for batch in channel.batches(3)] == [3, 2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_for_more_rows(number: signal.Signals) -> None:
    interruption = Interruption()
    with interruption.listening():
        soon(number)
        rows = StoppableChannel(Slow(5, stalls_at=2), interruption).read().rows
    assert rows == 2
    assert interruption.stopping.is_set()


def test_a_signal_while_no_rows_have_come_is_told() -> None:
    interruption = Interruption()
    channel = StoppableChannel(Slow(5, stalls_at=0), interruption)
    with interruption.listening():
        soon()
        with pytest.raises(Stopped):
            channel.read()


def test_elsewhere_a_signal_only_sets_the_flag_and_a_second_ctrl_c_is_not_waited_for() -> None:
    interruption = Interruption()
    with interruption.listening():
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.stopping.wait(5)
        soon(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            time.sleep(60)


def test_handlers_are_as_before_when_it_is_over() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with Interruption().listening():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_in_another_thread_signals_are_left_to_the_main_one() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work() -> None:
        with Interruption().listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
