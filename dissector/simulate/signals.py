"""What a signal ends in an orderly way while asyncio runs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Windows has no SIGHUP.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def until_signal(interrupt: Callable[[], object]) -> Iterator[None]:
    """``interrupt`` is called for a signal that would end the program; outside of the main thread signals are left
    alone."""
    loop = asyncio.get_running_loop()
    handled = []
    try:
        for number in _SIGNALS:
            if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN:
                continue  # it is to outlive its terminal (nohup)
            loop.add_signal_handler(number, interrupt)
            handled.append(number)
    except (ValueError, RuntimeError, NotImplementedError):
        pass
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
