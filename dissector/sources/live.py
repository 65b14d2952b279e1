"""Packets as they come: from interfaces, or from a capture stream on standard input.

Both are polled: ``poll`` gives what has come, in the order of time, after ``timeout`` seconds at the latest.
"""

from __future__ import annotations

import atexit
import errno
import io
import os
import queue
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from dissector.errors import CaptureError, JstraceError
from dissector.model import CaptureInfo, Problem
from dissector.sources.afpacket import Captured, PacketSocket
from dissector.sources.blocks import block_of
from dissector.sources.bytestream import STANDARD_INPUT
from dissector.sources.capture import CaptureReader
from dissector.sources.filters import carrier_filter, port_filter
from dissector.sources.interfaces import ANY, interfaces
from dissector.sources.tally import Tally
from dissector.stream.block import Block
from dissector.stream.prefilter import Prefilter
from dissector.traffic import Packet

#: Two interfaces hand over their blocks at different moments; packets of several wait so long (s) for each other.
_ORDER = 0.1
#: Blocks of a stream that come at once, and that wait to be traced.
_BATCH, _WAITING = 8, 32


class Recorder(Protocol):
    def write(self, packet: Packet, interface: str) -> None: ...


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
) -> Source:
    """The interfaces ``names``, or the capture stream on standard input (``-`` alone), with what tasks can be in;
    ``on_secrets`` as that of ``CaptureReader``.

    :raises CaptureError: as ``LiveCapture``
    :raises UsageError: as ``LiveCapture``
    """
    if tuple(names) == (STANDARD_INPUT,):
        return StreamCapture(on_secrets=on_secrets)
    parts = port_filter(command_ports, callback_ports), carrier_filter()
    return LiveCapture(names, " or ".join(parts), narrow=narrow)


class LiveCapture:
    """Captures on the interfaces ``names`` (``any``: all of them) what passes both filters; in tunnels they see
    the outermost IP header.

    :raises CaptureError: no such interface, or no right to capture
    :raises UsageError: libpcap does not understand the filter
    """

    def __init__(
        self, names: Sequence[str], filter_text: str, recorder: Recorder | None = None, narrow: str | None = None
    ) -> None:
        self.info = CaptureInfo(", ".join(names))
        self.warnings: list[Problem] = []
        self.over = False
        self.recorder = recorder
        self._sockets: dict[int, PacketSocket] = {}
        self._dropped = 0
        self._news: list[str] = []
        self._down: set[str] = set()
        self._held: list[tuple[Captured, str]] = []
        self._arrivals: deque[tuple[float, int]] = deque()
        self._poll = select.poll()
        self._prefilter, self._tally = Prefilter(), Tally(self.info)
        kinds = {one.name: one.kind for one in interfaces()}
        try:
            for name in dict.fromkeys(names):
                self._add(PacketSocket(name, None if name == ANY else kinds.get(name), filter_text, narrow))
        except JstraceError:
            self.close()
            raise

    def _add(self, one: PacketSocket) -> None:
        self._sockets[one.fileno()] = one
        self._poll.register(one, select.POLLIN | select.POLLERR)

    @property
    def dropped(self) -> int:
        return self._dropped + sum(one.counters().dropped for one in self._sockets.values())

    def news(self) -> list[str]:
        texts, self._news = self._news, []
        return texts

    def close(self) -> None:
        for one in self._sockets.values():
            self._dropped += one.counters().dropped
            one.close()
        self._sockets.clear()
        self.over = True

    def poll(self, timeout: float) -> list[Block]:
        """:raises CaptureError: the last interface is gone"""
        while True:
            self._receive(_ORDER / 2 if self._held else timeout)
            ready = self._hand_out()
            if ready or not self._held:
                return ready

    def _receive(self, timeout: float) -> None:
        """Takes what the kernel has, after ``timeout`` seconds at the latest."""
        for number, what in self._poll.poll(timeout * 1000):
            one = self._sockets[number]
            if what & select.POLLERR:
                self._trouble(number, one)
            arrived = one.read() if number in self._sockets else []
            if arrived:
                self._down.discard(one.name)
                self._held += [(packet, one.name) for packet in arrived]
                self._arrivals.append((time.monotonic(), max(packet[0] for packet in arrived)))

    def _hand_out(self) -> list[Block]:
        """Packets that no earlier one can come for any more."""
        if not self._held:
            return []
        if len(self._sockets) > 1:
            ready = self._settled()
        else:
            ready, self._held = self._held, []
            self._arrivals.clear()
        if not ready:
            return []
        block = self._tally.numbered(block_of(self._prefilter, [captured[:4] for captured, _ in ready]))
        if self.recorder is not None:
            for packet, (_, name) in zip(block.packets(), ready, strict=True):
                self.recorder.write(packet, name)
        return [block]

    def _settled(self) -> list[tuple[Captured, str]]:
        until, limit = -1, time.monotonic() - _ORDER
        while self._arrivals and self._arrivals[0][0] <= limit:
            until = max(until, self._arrivals.popleft()[1])
        if until < 0:
            return []
        self._held.sort(key=lambda held: held[0][0])
        ready = [held for held in self._held if held[0][0] <= until]
        self._held = self._held[len(ready) :]
        return ready

    def _trouble(self, number: int, one: PacketSocket) -> None:
        """The interface is down (its packets come again when it is up) or gone."""
        code = one.error()
        if not one.exists():
            self._poll.unregister(number)
            self._dropped += one.counters().dropped
            del self._sockets[number]
            one.close()
            if not self._sockets:
                raise CaptureError(one.name, "the interface is gone")
            self._news.append(f"{one.name}: the interface is gone")
        elif code == errno.ENETDOWN and one.name not in self._down:
            self._down.add(one.name)
            self._news.append(f"{one.name}: the interface is down; waiting for it to come up again")


class StreamCapture:
    """The capture stream on standard input (``tcpdump -U -w - | jstrace live -``), as it grows."""

    dropped = 0

    def __init__(self, recorder: Recorder | None = None, on_secrets: Callable[[bytes], object] = len) -> None:
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
            for block in self._reader.blocks():
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
                    for packet in blocks[-1].packets():
                        self.recorder.write(packet, STANDARD_INPUT)
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
