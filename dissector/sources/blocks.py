"""A capture file as blocks, whatever its format.

Files are read, not mapped into memory: docs/decisions/0007-files-are-read-not-mapped.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from mmap import mmap
from typing import Protocol

from dissector.limits import MAX_CAPTURED
from dissector.sources.bytestream import ByteStream, DamagedError
from dissector.stream.block import Block, Buffer
from dissector.stream.prefilter import PADDING, Prefilter
from dissector.stream.records import Located, RecordWalk

#: Bytes of a file that are looked at together.
BLOCK = 1 << 20
#: Bytes of a block's memory: a read, and what was left over of the one before; without ``PADDING``.
ROOM = BLOCK + 2 * MAX_CAPTURED
LARGEST = ROOM - len(PADDING)
#: What is done with each block first.
Prepare = Callable[[Block], object]
#: Makes a block of packets that are located.
Make = Callable[[Located], Block]


class RecordReader(Protocol):
    """The records of a format; ``unit`` is what it calls one."""

    unit: str

    def fill(self, walk: RecordWalk, buffer: Buffer, at: int, stop: int) -> tuple[int, int]:
        """Gives ``walk`` the whole records of ``buffer[at:stop]``; returns where they end, and how many bytes from
        there on the next one needs at least.

        :raises DamagedError: it can not be read on; its offset is the place in ``buffer``
        """


class Buffers(Protocol):
    """Where the bytes of a file come from, some at a time."""

    stream: ByteStream

    def next(self, rest: bytes, need: int) -> tuple[Buffer, int]:
        """``rest`` with the bytes behind it, ``need`` at least in all unless the file ends before, and ``PADDING``
        behind where they end."""


class FileBuffers:
    """By the megabyte from a file, into memory that the next one uses again; of what comes through a pipe as little as
    needed, as soon as it is there."""

    def __init__(self, stream: ByteStream, *, hasty: bool = False) -> None:
        self.stream = stream
        self._memory = None if hasty or not stream.size else mmap(-1, ROOM)

    def next(self, rest: bytes, need: int) -> tuple[Buffer, int]:
        if self._memory is None or need > LARGEST:
            buffer = self.stream.more(rest, need, PADDING)
            return buffer, len(buffer) - len(PADDING)
        return self._memory, fill(self.stream, self._memory, rest, need)


def fill(stream: ByteStream, memory: mmap, rest: bytes, need: int) -> int:
    """As ``Buffers.next``, into ``memory`` (``ROOM`` bytes) for a ``need`` up to ``LARGEST``; where it ends."""
    memory[: len(rest)] = rest
    stop = stream.fill(memory, len(rest), min(max(len(rest) + BLOCK, need), LARGEST))
    memory[stop : stop + len(PADDING)] = PADDING
    return stop


def locate(records: RecordReader, start: bytes, at: int, buffers: Buffers) -> Iterator[Located]:
    """The packets of a file that begins with ``start``, its records at ``at``; there are packets or secrets in each
    part, which is valid until the next one is asked for.

    :raises DamagedError: it can not be read on; all packets before that place were given
    """
    walk, stream = RecordWalk(), buffers.stream
    buffer, stop = buffers.next(start, at)
    while True:
        walk.begin(buffer)
        damage: DamagedError | None = None
        need = 0
        try:
            at, need = records.fill(walk, buffer, at, stop)
        except DamagedError as error:
            damage = error
        located = walk.located()
        if located.times or located.secrets:
            yield located
        if damage is not None:
            raise DamagedError(damage.reason, stream.total - stop + damage.offset)
        rest = buffer[at:stop]
        buffer, stop = buffers.next(rest, need)
        at = 0
        if stop < need:
            if stop or stream.broken:
                raise DamagedError(stream.broken or f"it ends inside a {records.unit}", stream.total, cut=True)
            return


def block_of(prefilter: Prefilter, packets: Sequence[tuple[int, int, bytes, int]]) -> Block:
    """The block of packets that are there already: time, link type, captured bytes, length on the wire."""
    walk = RecordWalk()
    walk.begin(b"".join([data for _, _, data, _ in packets]) + PADDING)
    at = 0
    for time, link_type, data, length in packets:
        end = at + len(data)
        walk.packet(time, link_type, at, end, length)
        at = end
    return prefilter.sort(walk.located())
