"""What comes on interfaces, as blocks: received, ordered, sorted by conversation; in a process of its own if wanted.

That takes half of the work of following a busy interface.  Tracing is the other half and stays one process: see
``prefetch`` for files.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, NoReturn, Protocol

from dissector.errors import CaptureError, JstraceError
from dissector.sources.afpacket import Captured, PacketSocket
from dissector.sources.blocks import Prepare, block_of
from dissector.sources.interfaces import ANY, interfaces
from dissector.sources.piped import packed_block, receive, send, unpacked_block, widen
from dissector.sources.prefetch import fork
from dissector.stream.block import Block
from dissector.stream.prefilter import Prefilter

#: Two interfaces hand over their blocks at different moments; packets of several wait so long (s) for each other.
_ORDER = 0.1
#: Blocks of a ring that are taken at once, where so many wait: some megabytes.
_AT_ONCE = 32
#: Seconds after which the process that captures says that nothing came.
_BEAT = 0.25


class Batch(NamedTuple):
    """Packets, and for each of them the name of the interface that it was captured on."""

    block: Block
    names: Sequence[str]


class Capturing(Protocol):
    @property
    def dropped(self) -> int:
        """Packets that the kernel had no room for, so far."""

    def take(self, timeout: float) -> Batch | None:
        """What has come, after ``timeout`` seconds at the latest.

        :raises CaptureError: the last interface is gone
        """

    def news(self) -> list[str]: ...
    def close(self) -> None: ...


class CapturingHere:
    """In this process: the interfaces ``names`` with both filters, as ``LiveCapture``."""

    def __init__(self, names: Sequence[str], filter_text: str, narrow: str | None, prepare: Prepare) -> None:
        self._sockets: dict[int, PacketSocket] = {}
        #: Of sockets that are closed.
        self.dropped_before = 0
        self._news: list[str] = []
        self._down: set[str] = set()
        self._held: list[tuple[Captured, str]] = []
        self._arrivals: deque[tuple[float, int]] = deque()
        self._poll = select.poll()
        self._prefilter, self._prepare = Prefilter(), prepare
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
        return self.dropped_before + sum(one.counters().dropped for one in self._sockets.values())

    def news(self) -> list[str]:
        texts, self._news = self._news, []
        return texts

    def learn(self, dropped_before: int, texts: Sequence[str]) -> None:
        """What another process learnt that has the same sockets."""
        self.dropped_before = dropped_before
        self._news += texts

    def close(self) -> None:
        for one in self._sockets.values():
            self.dropped_before += one.counters().dropped
            one.close()
        self._sockets.clear()

    def take(self, timeout: float) -> Batch | None:
        while True:
            self._receive(_ORDER / 2 if self._held else timeout)
            if ready := self._ready():
                block = block_of(self._prefilter, [captured[:4] for captured, _ in ready])
                self._prepare(block)
                return Batch(block, [name for _, name in ready])
            if not self._held:
                return None

    def _receive(self, timeout: float) -> None:
        """Takes what the kernel has, after ``timeout`` seconds at the latest."""
        for number, what in self._poll.poll(timeout * 1000):
            one = self._sockets[number]
            if what & select.POLLERR:
                self._trouble(number, one)
            arrived: list[Captured] = []
            for _ in range(_AT_ONCE if number in self._sockets else 0):
                before = len(arrived)
                arrived += one.read()
                if len(arrived) == before:
                    break
            if arrived:
                self._down.discard(one.name)
                self._held += [(packet, one.name) for packet in arrived]
                self._arrivals.append((time.monotonic(), max(packet[0] for packet in arrived)))

    def _ready(self) -> list[tuple[Captured, str]]:
        """Packets that no earlier one can come for any more."""
        if len(self._sockets) > 1:
            return self._settled()
        ready, self._held = self._held, []
        self._arrivals.clear()
        return ready

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
            self.dropped_before += one.counters().dropped
            del self._sockets[number]
            one.close()
            if not self._sockets:
                raise CaptureError(one.name, "the interface is gone")
            self._news.append(f"{one.name}: the interface is gone")
        elif code == errno.ENETDOWN and one.name not in self._down:
            self._down.add(one.name)
            self._news.append(f"{one.name}: the interface is down; waiting for it to come up again")


class CapturingElsewhere:
    """In a process of its own, forked: the sockets of ``here`` are the same there.

    It ends when it is closed, and by itself when nobody listens to it any more."""

    def __init__(self, here: CapturingHere, name: str) -> None:
        """``name``: what is captured on, for words."""
        self._here, self._name = here, name
        ours, theirs = os.pipe()
        self._pid = fork()
        if self._pid == 0:
            os.close(ours)
            _work(here, theirs)
        os.close(theirs)
        widen(ours)
        self._found = open(ours, "rb", buffering=0)  # noqa: PTH123, SIM115  descriptors have no path; closed by close()
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)

    @property
    def dropped(self) -> int:
        """The kernel counts them for the socket, and forgets what it told: only this process asks, but for sockets that
        the other one closed."""
        return self._here.dropped

    def take(self, timeout: float) -> Batch | None:
        until = time.monotonic() + timeout
        while self._poll.poll(max(0.0, until - time.monotonic()) * 1000):
            message = receive(self._found)
            if message is None:
                raise CaptureError(self._name, "the process that captures was ended")
            kind, *found = message
            if kind == "packets":
                names, data, parts = found
                return Batch(unpacked_block(parts, data), names)
            if kind == "error":
                raise CaptureError(*found)
            dropped_before, *texts = found
            self._here.learn(dropped_before, texts)
        return None

    def news(self) -> list[str]:
        return self._here.news()

    def close(self) -> None:
        self._found.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._here.close()


def _work(here: CapturingHere, number: int) -> NoReturn:
    """All that the process does that captures.  Whoever ends the other one ends it: signals are for that one."""
    try:
        for one in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        with open(number, "wb", buffering=0) as out:
            try:
                while True:
                    found = here.take(_BEAT)
                    texts = here.news()
                    if texts or found is None:
                        send(out, "news", here.dropped_before, *texts)
                    if found is not None:
                        send(out, "packets", found.names, bytes(found.block.data), packed_block(found.block))
            except CaptureError as error:
                send(out, "news", here.dropped_before, *here.news())
                send(out, "error", error.where, error.reason)
    except BrokenPipeError:
        pass
    finally:
        os._exit(0)
