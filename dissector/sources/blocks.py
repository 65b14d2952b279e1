"""A capture file as blocks, whatever its format.

Files are read, not mapped into memory: docs/decisions/0007-files-are-read-not-mapped.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from dissector.sources.bytestream import ByteStream, DamagedError
from dissector.stream.block import Block, Buffer
from dissector.stream.prefilter import PADDING, Prefilter

#: Bytes of a file that are looked at together.
BLOCK = 1 << 20
#: What is done with each block first.
Prepare = Callable[[Block], object]


class RecordReader(Protocol):
    """The records of a format; ``unit`` is what it calls one."""

    unit: str

    def fill(self, prefilter: Prefilter, buffer: Buffer, at: int, stop: int) -> tuple[int, int]:
        """Gives ``prefilter`` the whole records of ``buffer[at:stop]``; returns where they end, and how many bytes from
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
    """By the megabyte from a file; of what comes through a pipe as little as needed, as soon as it is there."""

    def __init__(self, stream: ByteStream, *, hasty: bool = False) -> None:
        self.stream = stream
        self._hasty = hasty or not stream.size

    def next(self, rest: bytes, need: int) -> tuple[Buffer, int]:
        buffer = self.stream.more(rest, need if self._hasty else max(need, BLOCK), PADDING)
        return buffer, len(buffer) - len(PADDING)


def read_blocks(records: RecordReader, start: bytes, at: int, buffers: Buffers) -> Iterator[Block]:
    """The blocks of a file that begins with ``start``, its records at ``at``; none has neither packets nor secrets.

    :raises DamagedError: it can not be read on; all packets before that place were given
    """
    prefilter, stream = Prefilter(), buffers.stream
    buffer, stop = buffers.next(start, at)
    while True:
        prefilter.begin(buffer)
        damage: DamagedError | None = None
        need = 0
        try:
            at, need = records.fill(prefilter, buffer, at, stop)
        except DamagedError as error:
            damage = error
        block = prefilter.finish()
        if block.times or block.secrets:
            yield block
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
    prefilter.begin(b"".join([data for _, _, data, _ in packets]) + PADDING)
    at = 0
    for time, link_type, data, length in packets:
        end = at + len(data)
        prefilter.packet(time, link_type, at, end, length)
        at = end
    return prefilter.finish()
