"""Packets as they come: from interfaces, or from a capture stream on standard input.

Both are polled: ``poll`` gives what has come, in the order of time, after ``timeout`` seconds at the latest.
"""

from __future__ import annotations

import atexit
import io
import os
import queue
import select
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from dissector.errors import JstraceError
from dissector.model import CaptureInfo, Problem
from dissector.sources.blocks import Prepare
from dissector.sources.bytestream import STANDARD_INPUT
from dissector.sources.capture import CaptureReader
from dissector.sources.capturing import Capturing, CapturingElsewhere, CapturingHere
from dissector.sources.filters import carrier_filter, port_filter
from dissector.sources.tally import Tally
from dissector.stream.block import Block

#: Blocks of a stream that come at once, and that wait to be traced.
_BATCH, _WAITING = 8, 32


class Recorder(Protocol):
    def record(self, block: Block, names: Sequence[str]) -> None:
        """Gets what comes; ``names`` are the interfaces of its packets."""


class Source(Protocol):
    """``over``: nothing more will come.  ``info`` counts what was handed out, ``dropped`` what the kernel had no room
    for, ``warnings`` are problems of the capture itself."""

    info: CaptureInfo
    warnings: list[Problem]
    over: bool
    #: Gets every packet that is handed out.
    recorder: Recorder | None

    @property
    def dropped(self) -> int: ...
    def poll(self, timeout: float) -> list[Block]: ...
    def news(self) -> list[str]:
        """What the user should hear of: an interface went down or away."""

    def close(self) -> None: ...


def open_source(
    names: Sequence[str],
    command_ports: Iterable[int],
    callback_ports: tuple[int, int],
    narrow: str | None = None,
    on_secrets: Callable[[bytes], object] = len,
    prepare: Prepare = id,
) -> LiveCapture | StreamCapture:
    """The interfaces ``names``, or the capture stream on standard input (``-`` alone), with what tasks can be in;
    ``on_secrets`` as that of ``CaptureReader``, ``prepare`` as that of ``LiveCapture``.

    :raises CaptureError: as ``LiveCapture``
    :raises UsageError: as ``LiveCapture``
    """
    if tuple(names) == (STANDARD_INPUT,):
        return StreamCapture(on_secrets=on_secrets, prepare=prepare)
    parts = port_filter(command_ports, callback_ports), carrier_filter()
    return LiveCapture(names, " or ".join(parts), narrow=narrow, prepare=prepare)


class LiveCapture:
    """Captures on the interfaces ``names`` (``any``: all of them) what passes both filters; in tunnels they see
    the outermost IP header.  ``prepare``: what is done with each block first.

    :raises CaptureError: no such interface, or no right to capture
    :raises UsageError: libpcap does not understand the filter
    """

    def __init__(
        self,
        names: Sequence[str],
        filter_text: str,
        recorder: Recorder | None = None,
        narrow: str | None = None,
        prepare: Prepare = id,
    ) -> None:
        self.info = CaptureInfo(", ".join(names))
        self.warnings: list[Problem] = []
        self.over = False
        self.recorder = recorder
        self._here = CapturingHere(names, filter_text, narrow, prepare)
        self._capturing: Capturing = self._here
        self._tally = Tally(self.info)

    def begin(self) -> None:
        """From now on packets are received and sorted in a process of its own, which has the rights that this one has
        now."""
        self._capturing = CapturingElsewhere(self._here, self.info.file)

    @property
    def dropped(self) -> int:
        return self._capturing.dropped

    def news(self) -> list[str]:
        return self._capturing.news()

    def close(self) -> None:
        if not self.over:
            self._capturing.close()
        self.over = True

    def poll(self, timeout: float) -> list[Block]:
        """:raises CaptureError: the last interface is gone"""
        arrived = self._capturing.take(timeout)
        if arrived is None:
            return []
        block = self._tally.numbered(arrived.block)
        if self.recorder is not None:
            self.recorder.record(block, arrived.names)
        return [block]


class StreamCapture:
    """The capture stream on standard input (``tcpdump -U -w - | jstrace live -``), as it grows."""

    dropped = 0

    def __init__(
        self, recorder: Recorder | None = None, on_secrets: Callable[[bytes], object] = len, prepare: Prepare = id
    ) -> None:
        self._prepare = prepare
        self._stream = _interruptible_input()
        self._reader = CaptureReader([STANDARD_INPUT], on_secrets=on_secrets)
        self.info = CaptureInfo("standard input")
        self._tally = Tally(self.info)
        self.warnings = self._reader.warnings
        self.over = False
        self.recorder = recorder
        self._queue: queue.Queue[Block | JstraceError | None] = queue.Queue(_WAITING)
        #: Started by the first poll: what a process gives up before, a thread that runs already would keep.
        self._thread = threading.Thread(target=self._read, name="standard input", daemon=True)
        atexit.register(self.close)

    def _read(self) -> None:
        try:
            for block in self._reader.blocks(self._prepare):
                self._queue.put(block)
        except JstraceError as error:
            self._queue.put(error)
        self._queue.put(None)

    def poll(self, timeout: float) -> list[Block]:
        """:raises CaptureError: standard input is no capture"""
        blocks: list[Block] = []
        if self._thread.ident is None:
            self._thread.start()
        try:
            item = self._queue.get(timeout=timeout)
            while isinstance(item, Block):
                blocks.append(self._tally.numbered(item))
                if self.recorder is not None:
                    self.recorder.record(blocks[-1], [STANDARD_INPUT] * len(item.times))
                if len(blocks) == _BATCH:
                    return blocks
                item = self._queue.get_nowait()
        except queue.Empty:
            return blocks
        self.over = True
        self.info.truncated = bool(self.warnings)
        if isinstance(item, JstraceError):
            raise item
        return blocks

    def news(self) -> list[str]:
        return []

    def begin(self) -> None:
        """Whoever writes the stream is one."""

    def close(self) -> None:
        """The reading thread must be gone when Python ends, whatever ends it: else Python aborts."""
        atexit.unregister(self.close)
        self.over = True
        if self._stream is None:
            return
        self._stream.end()
        while self._thread.is_alive():
            with suppress(queue.Empty):
                self._queue.get(timeout=0.05)


class _Input(io.RawIOBase):
    """Standard input that another thread can end."""

    def __init__(self, number: int) -> None:
        self._number = os.dup(number)
        self._wake, self._waker = os.pipe()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        ready, _, _ = select.select([self._number, self._wake], [], [])
        return 0 if self._wake in ready else os.readv(self._number, [buffer])

    def end(self) -> None:
        os.write(self._waker, b"x")


def _interruptible_input() -> _Input | None:
    """Puts such an input in the place of ``sys.stdin``; None where that is no file (in tests)."""
    try:
        raw = _Input(sys.stdin.fileno())
    except (OSError, ValueError):
        return None
    sys.stdin = io.TextIOWrapper(io.BufferedReader(raw))
    return raw
