"""One made TCP connection of a pattern, segment by segment: its sequence numbers, acknowledgements and options."""

from __future__ import annotations

import struct
from random import Random

from benchmarks.patterns import NO_FLOW, Step

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
MAC = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01"
_MASK = 0xFFFF_FFFF


class Segments:
    """Connection ``line`` of a pattern; ``stamps``: with the timestamps that most systems send."""

    def __init__(self, random: Random, line: int = 0, *, stamps: bool = True) -> None:
        self._random = random
        self._line = line
        self._stamps = stamps
        self._next = [random.getrandbits(32), random.getrandbits(32)]

    @property
    def sent(self) -> list[int]:
        """The next sequence number of either side."""
        return self._next

    def step(
        self, now: int, side: int, flags: int, payload: bytes = b"", *, ack: int | None = None, named: bool = False
    ) -> Step:
        """A segment of ``side`` at ``now`` (ns); it acknowledges everything, or up to ``ack``."""
        if ack is None:
            ack = 0 if flags == SYN else self._next[1 - side]
        options = b""
        if self._stamps:
            options = b"\1\1\x08\x0a" + struct.pack(">II", now // 1_000_000, now // 1_100_000)
        size = 20 + len(options)
        tcp = struct.pack(">IIBBHHH", self._next[side], ack, size << 2, flags, 501, 0, 0) + options
        total, number = 20 + size + len(payload), self._random.getrandbits(16)
        ip = struct.pack(">BBHHHBBH", 0x45, 0, total, number, 0x4000, 64, 6, 0)
        self._next[side] = self._next[side] + len(payload) + bool(flags & (SYN | FIN)) & _MASK
        return Step(now, 2 * self._line + side, MAC + b"\x08\0" + ip, tcp + payload, named)


def size_of(step: Step) -> int:
    """Bytes of a step in a pcap file."""
    return 16 + len(step.head) + (12 if step.flow != NO_FLOW else 0) + len(step.tail)
