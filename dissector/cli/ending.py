"""What SIGTERM and SIGHUP do, and Ctrl-C where it stops a command in order.

A signal ends a command as an error does, so that nothing of what it was writing is left.  What is still to be printed
then is dropped: whoever reads it may be stuck.  A command that is to outlive its terminal (nohup) does.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Protocol

from dissector.cli import streams

#: The exit status of a command that signal N ended, as shells count it, is N more than this.
SIGNALLED = 128
#: Windows has no SIGHUP.
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raises SystemExit where a signal comes that would end the process."""
    process, ended = os.getpid(), list[int]()

    def end(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != process:
            return  # the process that it was forked from ends it
        ended.append(number)
        streams.drop(sys.stdout)
        raise SystemExit(SIGNALLED + number)

    taken = []
    with suppress(ValueError):  # not the main thread: somebody else's program
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)
                taken.append(number)
    try:
        yield
    except BaseException:
        # Whatever went wrong on the way out, this was the reason.
        if ended:
            raise SystemExit(SIGNALLED + ended[0]) from None
        raise
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


class Stoppable(Protocol):
    @property
    def over(self) -> bool: ...
    def stop(self) -> None: ...


@contextmanager
def stopped_by_signals(run: Stoppable) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal stop a run, not the process; the second time at once."""

    def end(number: int, _frame: FrameType | None) -> None:
        if run.over:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(SIGNALLED + number)
        run.stop()

    ending = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, *ending)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
