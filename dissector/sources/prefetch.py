"""A file read by a process of its own, which sorts its packets into blocks while this one traces those before.

What is worth a second core is what needs no knowledge of the session: walking over the records, sorting them by
conversation, and decoding the messages of runs.  That is two fifths of the work where all packets are JobScheduler's,
and most of it on a busy host's capture: there this process would wait, and sorts itself what the reader has located.
Tracing itself stays one process: tasks are numbered, joined and judged in the order of all packets.  So more than two
processes for a file bring nothing, and neither does a second one for files that overlap, but for the first of them.
The files of a ring come one after the other, each with its reader.  Where all messages are written, ``cli/parallel.py``
has a better use for the second process.

The reader is forked, not spawned: it needs no imports and no arguments.  Bytes go through shared memory, what was found
in them through a pipe; of both there is little, so whoever is faster waits.  The reader ends when its file does, when
nobody listens any more, and at the latest when it is closed.  See docs/decisions/0010-two-processes.md.
"""

from __future__ import annotations

import gc
import mmap
import os
import select
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from dissector.errors import CaptureError
from dissector.sources.blocks import LARGEST, ROOM, Make, fill
from dissector.sources.bytestream import ByteStream, DamagedError
from dissector.sources.piped import packed, packed_block, receive, send, unpacked, unpacked_block, widen
from dissector.stream.block import Block, Buffer
from dissector.stream.prefilter import PADDING
from dissector.stream.records import Located

#: Blocks that wait to be traced; with no more than so many before it the tracer has time to sort one itself.
_SLOTS, _FEW = 8, 1
#: A smaller file is traced before a second process is under way.
WORTH = 4 << 20
#: In the place of a slot: the bytes come through the pipe.
_NO_SLOT = -1


def available() -> bool:
    """True where processes can be forked and memory shared with them."""
    return hasattr(os, "fork") and hasattr(mmap, "MAP_SHARED")


def fork() -> int:
    """As ``os.fork``; the new process leaves Ctrl-C to this one."""
    # Ctrl-C must not find the new process before it knows.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    with warnings.catch_warnings():
        # Python warns where there are threads: what they hold stays held.  The new process needs nothing of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return process


class Prefetch:
    """What ``read`` locates in ``stream`` and the blocks that ``make`` makes of it, in the other process; where this
    process waits, what is located comes as it is."""

    def __init__(self, stream: ByteStream, read: Callable[[SharedBuffers], Iterator[Located]], make: Make) -> None:
        self._name, self._on_read = stream.name, stream.on_read
        self._slots = [mmap.mmap(-1, ROOM) for _ in range(_SLOTS)]
        theirs, ours = os.pipe(), os.pipe()
        self._pid = fork()
        if self._pid == 0:
            _work(stream, read, make, self._slots, theirs, ours)
        os.close(theirs[0])
        os.close(ours[1])
        widen(ours[0])
        self._free = open(theirs[1], "wb", buffering=0)  # noqa: PTH123, SIM115  closed by close()
        self._found = open(ours[0], "rb", buffering=1 << 16)  # noqa: PTH123, SIM115  descriptors have no path; closed by close()

    def __iter__(self) -> Iterator[Located | Block]:
        """Each is valid until the next one is asked for.

        :raises DamagedError: as ``read``
        :raises CaptureError: the file can not be read, or the reader was ended by somebody
        """
        while True:
            kind, used, *found = self._next()
            if self._on_read is not None:
                self._on_read(used)
            if kind == "end":
                return
            if kind == "damage":
                reason, offset, cut = found
                raise DamagedError(reason, offset, cut=cut)
            if kind == "error":
                name, reason, offset = found
                raise CaptureError(name, reason, offset=offset)
            slot, data, parts = found
            data = data if slot == _NO_SLOT else self._slots[slot]
            yield unpacked(parts, data) if kind == "located" else unpacked_block(parts, data)
            if slot != _NO_SLOT:
                with suppress(BrokenPipeError):  # the pipe from there tells why
                    self._free.write(bytes([slot]))

    def close(self) -> None:
        """Ends the reader."""
        for file in (self._free, self._found):
            file.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _next(self) -> Any:
        message = receive(self._found)
        if message is None:
            raise CaptureError(self._name, "the process that read it was ended")
        return message


# --- in the other process ------------------------------------------------------------------------------------------


class SharedBuffers:
    """Bytes of a file in memory that is shared; ``slot`` is where the last ones are."""

    def __init__(self, stream: ByteStream, slots: list[mmap.mmap], tokens: BinaryIO) -> None:
        self.stream = stream
        self.slot = _NO_SLOT
        self._slots, self._tokens = slots, tokens
        self._returned = select.poll()
        self._returned.register(tokens, select.POLLIN)
        self._unused = list(range(len(slots)))
        self._sent = True

    def next(self, rest: bytes, need: int) -> tuple[Buffer, int]:
        """As ``Buffers.next``.

        :raises EOFError: nobody listens any more
        """
        if not self._sent:
            self._unused.append(self.slot)
        if need > LARGEST:
            self.slot, self._sent = _NO_SLOT, True
            buffer = self.stream.more(rest, need, PADDING)
            return buffer, len(buffer) - len(PADDING)
        if not self._unused:
            token = self._tokens.read(1)
            if not token:
                raise EOFError
            self._unused.append(token[0])
        self.slot, self._sent = self._unused.pop(), False
        slot = self._slots[self.slot]
        return slot, fill(self.stream, slot, rest, need)

    @property
    def is_awaited(self) -> bool:
        """True when the other process has little to do until it gets the last bytes."""
        while self._returned.poll(0) and (token := self._tokens.read(1)):
            self._unused.append(token[0])
        return self.slot != _NO_SLOT and len(self._unused) + 1 + _FEW >= len(self._slots)

    def sent(self) -> int:
        """The slot of the last bytes, which are the other process's now."""
        self._sent = True
        return self.slot


def _work(
    stream: ByteStream,
    read: Callable[[SharedBuffers], Iterator[Located]],
    make: Make,
    slots: list[mmap.mmap],
    free: tuple[int, int],
    found: tuple[int, int],
) -> None:
    """All that the reader does; it never returns."""
    try:
        gc.disable()  # there are no cycles, and what is shared with the other process should stay shared
        os.close(free[1])
        os.close(found[0])
        used: list[int] = []
        stream.on_read = used.append
        with open(free[0], "rb", buffering=0) as tokens, open(found[1], "wb", buffering=0) as out:  # noqa: PTH123  descriptors have no path; closed by close()
            buffers = SharedBuffers(stream, slots, tokens)
            try:
                for located in read(buffers):
                    kind, found = (
                        ("located", packed(located))
                        if buffers.is_awaited or not located.times  # secrets alone
                        else ("block", packed_block(make(located)))
                    )
                    slot = buffers.sent()
                    data = bytes(located.data) if slot == _NO_SLOT else b""
                    send(out, kind, sum(used), slot, data, found)
                    used.clear()
                send(out, "end", sum(used))
            except DamagedError as damage:
                send(out, "damage", sum(used), damage.reason, damage.offset, damage.cut)
            except CaptureError as error:
                send(out, "error", sum(used), error.where, error.reason, error.offset)
            except EOFError:
                pass
    finally:
        os._exit(0)
