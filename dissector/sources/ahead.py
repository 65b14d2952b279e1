"""A file read ahead by a process of its own, which sorts its packets into blocks while this one traces those before.

What is worth a second core is what needs no knowledge of the session: walking over the records, sorting them by
connection, and decoding the messages of runs.  That is half of the work on a busy host's capture, and two fifths of it
where all packets are JobScheduler's.  Tracing itself stays one process: tasks are numbered, joined and judged in the
order of all packets.  So more than two processes for a file bring nothing, and neither does a second one for pcapng
(whose packets are not looked at by the block), or for files that overlap, but for the first of them.  The files of a
ring come one after the other, each with its reader.  Where all messages are written, ``cli/twin.py`` has a better use
for the second process.

The reader is forked, not spawned: it needs no imports and no arguments.  Bytes go through shared memory, what was found
in them through a pipe; of both there is little, so whoever is faster waits.  The reader ends when its file does, when
nobody listens any more, and at the latest when it is closed.
"""

from __future__ import annotations

import gc
import marshal
import mmap
import os
import signal
import warnings
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from struct import Struct
from typing import Any, BinaryIO

from dissector.errors import CaptureError
from dissector.limits import MAX_CAPTURED
from dissector.sources.blocks import BLOCK, Layout, gather
from dissector.sources.bytestream import ByteStream
from dissector.stream.blocks import Block, Part, Run, Talk

#: Blocks that wait to be traced, and the bytes that one can have: what was left over, and what a read can bring.
_SLOTS = 4
_SLOT = BLOCK + 2 * MAX_CAPTURED
#: A smaller file is traced before a second process is under way.
WORTH = 4 << 20
_SIZE = Struct("=I")

Prepare = Callable[[Block], object]


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


class ReadAhead:
    """Blocks of a file from ``buffer[at:]`` on, ``number`` packets being before, and then what is left of it."""

    def __init__(
        self, stream: ByteStream, buffer: bytes, at: int, layout: Layout, number: int, prepare: Prepare
    ) -> None:
        self._name = stream.name
        self._slots = [mmap.mmap(-1, _SLOT) for _ in range(_SLOTS)]
        theirs, ours = os.pipe(), os.pipe()
        self._pid = fork()
        if self._pid == 0:
            _work(stream.name, partial(_read, stream, buffer, at, layout, number, prepare, self._slots), theirs, ours)
        os.close(theirs[0])
        os.close(ours[1])
        self._free = open(theirs[1], "wb", buffering=0)  # noqa: PTH123, SIM115  closed by close()
        self._found = open(ours[0], "rb", buffering=1 << 16)  # noqa: PTH123, SIM115
        #: What the reader used of the file and has not been told yet, what it left over, and how its stream ended.
        self.used = 0
        self.rest = b""
        self.total = 0
        self.broken: str | None = None

    def __iter__(self) -> Iterator[Block]:
        """Blocks; each is valid until the next one is asked for.

        :raises CaptureError: the file can not be read, or the reader was ended by somebody
        """
        while True:
            kind, *found = self._next()
            if kind == "block":
                slot, used, block = found
                self.used += used
                yield _unpacked(block, self._slots[slot])
                with suppress(BrokenPipeError):  # the pipe from there tells why
                    self._free.write(bytes([slot]))
            elif kind == "end":
                used, self.rest, self.total, self.broken = found
                self.used += used
                return
            else:
                name, reason, offset = found
                raise CaptureError(name, reason, offset=offset)

    def close(self) -> None:
        """Ends the reader."""
        for file in (self._free, self._found):
            file.close()
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _next(self) -> Any:
        size = self._found.read(_SIZE.size)
        data = self._found.read(*_SIZE.unpack(size)) if len(size) == _SIZE.size else b""
        if not data:
            raise CaptureError(self._name, "the process that read it was ended")
        return marshal.loads(data)


# --- in the other process ------------------------------------------------------------------------------------------


def _work(name: str, read: Callable[[BinaryIO, BinaryIO], None], free: tuple[int, int], found: tuple[int, int]) -> None:
    """All that the reader does; it never returns."""
    try:
        gc.disable()  # there are no cycles, and what is shared with the other process should stay shared
        os.close(free[1])
        os.close(found[0])
        with open(free[0], "rb", buffering=0) as tokens, open(found[1], "wb", buffering=0) as out:  # noqa: PTH123
            try:
                read(tokens, out)
            except CaptureError as error:
                _send(out, "error", name, error.reason, error.offset)
    finally:
        os._exit(0)


def _read(
    stream: ByteStream,
    buffer: bytes,
    at: int,
    layout: Layout,
    number: int,
    prepare: Prepare,
    slots: list[mmap.mmap],
    tokens: BinaryIO,
    out: BinaryIO,
) -> None:
    used: list[int] = []
    stream.on_read = used.append
    unused = list(range(len(slots)))
    rest = buffer[at:]
    while True:
        if not unused:
            token = tokens.read(1)
            if not token:
                return
            unused.append(token[0])
        number_of_slot = unused.pop()
        slot = slots[number_of_slot]
        slot[: len(rest)] = rest
        size = stream.fill(slot, len(rest), min(len(rest) + BLOCK, len(slot)))
        block, end = gather(slot, 0, size, layout)
        if not block.times:
            _send(out, "end", sum(used), slot[:size], stream.total, stream.broken)
            return
        block = block._replace(number=number)
        number += len(block.times)
        prepare(block)
        _send(out, "block", number_of_slot, sum(used), _packed(block))
        used.clear()
        rest = slot[end:size]


def _send(out: BinaryIO, *message: Any) -> None:
    data = memoryview(marshal.dumps(message))
    out.write(_SIZE.pack(len(data)))
    while data:
        data = data[out.write(data) :]


# --- how a block goes through the pipe: as tuples without names ------------------------------------------------------


def _packed(block: Block) -> tuple[Any, ...]:
    talks = [
        (talk.keys, talk.begins, talk.places, [(*run[:2], tuple(map(tuple, run.parts)), *run[3:]) for run in talk.runs])
        for talk in block.talks
    ]
    begins, times = array("Q", block.begins).tobytes(), array("q", block.times).tobytes()
    facts = block.ordered, block.cut, block.segments, block.others
    return begins, times, block.between, facts, talks, block.number


def _unpacked(block: Any, data: mmap.mmap) -> Block:
    begins, times, between, facts, talks, number = block
    begins, times = memoryview(begins).cast("Q"), memoryview(times).cast("q")
    ordered, cut, segments, others = facts
    found = [_talk(*talk) for talk in talks]
    return Block(data, begins, between, times, ordered, cut, segments, others, found, number)


def _talk(keys: tuple[bytes, bytes], begins: int, places: list[int], runs: list[Any]) -> Talk:
    return Talk(keys, begins, places, [_run(*run) for run in runs])


def _run(first: int, stop: int, parts: Any, *rest: Any) -> Run:
    one, two = parts
    return Run(first, stop, (Part(*one), Part(*two)), *rest)
