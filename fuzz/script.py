"""Conversations as short byte strings, so that a fuzzer changes what is said and not the headers around it.

    script := line*        line := control:byte timing:byte size:uint16be data[size]

    control  bits 0-1  connection: command (0), callback (1), a second callback (2), another port (3)
             bit 2     from the side that accepted it
             bit 3     the segment is not in the capture
             bit 4     it is there twice
             bit 5     FIN    bit 6  RST    bit 7  no SYN before it, if it is the connection's first one
    timing   bits 0-4  2^n ms after the line before    bit 5  an ICMP error quotes it    bit 6  changes places with
             the packet before    bit 7  a new SYN comes first

What is missing at the end of a script counts as zero or empty, so every byte string is a script.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from dissector.traffic import ACK, FIN, PSH, RST, SYN, Packet

SCHEDULER, REMOTE = b"\x0a\1\0\1", b"\x0a\2\0\1"
#: Opening address and port, accepting address and port of each connection.
_LINES = (
    (SCHEDULER, 40_001, REMOTE, 4_455),
    (REMOTE, 40_002, SCHEDULER, 59_999),
    (REMOTE, 40_003, SCHEDULER, 59_998),
    (SCHEDULER, 40_004, REMOTE, 8_080),
)
_LOST, _TWICE, _FIN, _RST, _MID = 0x08, 0x10, 0x20, 0x40, 0x80
_ICMP, _SWAP, _AGAIN = 0x20, 0x40, 0x80
_MILLISECOND = 1_000_000
_BEGINNING = 1_790_000_000_000_000_000


@dataclass(slots=True)
class _State:
    """Next sequence numbers of both sides of a connection."""

    next: list[int]


def line(connection: int, side: int, data: bytes, control: int = 0, timing: int = 0) -> bytes:
    """One line of a script."""
    return struct.pack(">BBH", control | connection | side << 2, timing, len(data)) + data


def packets(script: bytes) -> list[Packet]:
    """The packets that a script tells of."""
    found: list[bytes] = []
    times: list[int] = []
    now = _BEGINNING
    states: dict[int, _State] = {}
    for control, timing, data in _read(script):
        now += _MILLISECOND << (timing & 31)
        for packet in _said(states, control, timing, data):
            found.append(packet)
            times.append(now)
        if timing & _SWAP and len(found) > 1:
            found[-1], found[-2] = found[-2], found[-1]
    return [Packet(n, time, 1, data, len(data)) for n, time, data in zip(count(1), times, found, strict=False)]


def _read(script: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(script):
        control, timing, size = struct.unpack_from(">BBH", script[at : at + 4].ljust(4, b"\0"))
        yield control, timing, script[at + 4 : at + 4 + size]
        at += 4 + size


def _said(states: dict[int, _State], control: int, timing: int, data: bytes) -> Iterable[bytes]:
    number, side = control & 3, control >> 2 & 1
    state = states.get(number)
    if state is None or timing & _AGAIN:
        states[number] = state = _State([1_000_000 * (len(states) + 1), 0xFFFF_FF00])
        if not control & _MID:
            yield _segment(number, 0, state, SYN)
            state.next[0] += 1
            yield _segment(number, 1, state, SYN | ACK)
            state.next[1] += 1
    flags = ACK | (PSH if data else 0) | (FIN if control & _FIN else 0) | (RST if control & _RST else 0)
    packet = _segment(number, side, state, flags, data)
    state.next[side] += len(data) + bool(control & _FIN)
    if not control & _LOST:
        yield packet
    if control & _TWICE:
        yield packet
    if timing & _ICMP:
        yield _icmp(packet)


def _segment(number: int, side: int, state: _State, flags: int, data: bytes = b"") -> bytes:
    src, sport, dst, dport = _LINES[number]
    if side:
        src, sport, dst, dport = dst, dport, src, sport
    ack = state.next[1 - side] if flags & ACK else 0
    seq = state.next[side] & 0xFFFF_FFFF
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq, ack & 0xFFFF_FFFF, 0x50, flags, 500, 0, 0)
    return _ip(src, dst, 6, tcp + data[:65_000])


def _icmp(packet: bytes) -> bytes:
    """Host unreachable, from whom the packet was for."""
    return _ip(packet[30:34], packet[26:30], 1, b"\3\1\0\0\0\0\0\0" + packet[14:54])


def _ip(src: bytes, dst: bytes, protocol: int, payload: bytes) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 7, 0x4000, 64, protocol, 0)
    return bytes(12) + b"\x08\0" + head + src + dst + payload
