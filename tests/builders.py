"""Packets and capture files from literals: what the tests of ``stream`` and ``sources`` are made of.

    ethernet(ipv4(tcp(seq=100, payload=b"hello")))                     one frame's bytes
    pcap([(time_ns, data), ...])   pcapng(section(), interface(), enhanced(...), ...)    whole files

Checksums are left zero: nothing here looks at them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from benchmarks.packets import A6 as A6
from benchmarks.packets import B6 as B6
from benchmarks.packets import TCP as TCP
from benchmarks.packets import UDP as UDP
from benchmarks.packets import A as A
from benchmarks.packets import B as B
from benchmarks.packets import ethernet as ethernet
from benchmarks.packets import ipv4 as ipv4
from benchmarks.packets import ipv6 as ipv6
from dissector.sources.blocks import block_of
from dissector.stream.block import Block
from dissector.stream.prefilter import Prefilter
from dissector.traffic import Packet

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
ICMP, ICMP6 = 1, 58
SECOND = 1_000_000_000


# --- packets -------------------------------------------------------------------------------------------------------


def tcp(
    sport: int = 40_000,
    dport: int = 4_444,
    seq: int = 0,
    ack: int = 0,
    flags: int = ACK,
    window: int = 1_000,
    payload: bytes = b"",
    options: bytes = b"",
) -> bytes:
    offset = (20 + len(options)) // 4 << 4
    return struct.pack(">HHIIBBHHH", sport, dport, seq, ack, offset, flags, window, 0, 0) + options + payload


def extension(following: int, payload: bytes, size: int = 8) -> bytes:
    """An IPv6 hop-by-hop, routing or destination header of ``size`` bytes (a multiple of 8) before ``payload``."""
    return bytes([following, size // 8 - 1]) + bytes(size - 2) + payload


def fragment_header(following: int, payload: bytes, offset: int = 0, more: bool = False) -> bytes:
    return struct.pack(">BBHI", following, 0, offset << 3 | more, 7) + payload


def packet(data: bytes, link_type: int = 1, number: int = 1, time: int = 0, wire_length: int | None = None) -> Packet:
    return Packet(number, time, link_type, data, len(data) if wire_length is None else wire_length)


# --- capture files -------------------------------------------------------------------------------------------------


def pcap_header(order: str = "<", magic: int = 0xA1B2C3D4, link_type: int = 1, snap_length: int = 262_144) -> bytes:
    return struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snap_length, link_type)


def pcap_record(data: bytes, time: int = 0, order: str = "<", unit: int = 1_000, length: int | None = None) -> bytes:
    """``unit``: nanoseconds of one unit of the fraction; ``length`` on the wire."""
    seconds, rest = divmod(time, SECOND)
    sizes = len(data), len(data) if length is None else length
    return struct.pack(f"{order}IIII", seconds, rest // unit, *sizes) + data


def pcap(records: Iterable[tuple[int, bytes]], order: str = "<", nano: bool = False, link_type: int = 1) -> bytes:
    """A capture file with (time in ns, bytes) as records."""
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1_000)
    body = (pcap_record(data, time, order, unit) for time, data in records)
    return pcap_header(order, magic, link_type) + b"".join(body)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block."""
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + length + body + length


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link_type: int = 1, options: bytes = b"", order: str = "<", snap_length: int = 0) -> bytes:
    return block(1, struct.pack(f"{order}HHI", link_type, 0, snap_length) + options, order)


def enhanced(data: bytes, ticks: int = 0, index: int = 0, order: str = "<", length: int | None = None) -> bytes:
    sizes = len(data), len(data) if length is None else length
    head = struct.pack(f"{order}IIIII", index, ticks >> 32, ticks & 0xFFFF_FFFF, *sizes)
    return block(6, head + data + bytes(-len(data) % 4), order)


def simple(data: bytes, order: str = "<", length: int | None = None) -> bytes:
    return block(3, struct.pack(f"{order}I", len(data) if length is None else length) + data, order)


def old_packet(data: bytes, ticks: int = 0, index: int = 0, order: str = "<") -> bytes:
    head = struct.pack(f"{order}HHIIII", index, 0, ticks >> 32, ticks & 0xFFFF_FFFF, len(data), len(data))
    return block(2, head + data, order)


def block_of_one(packet: Packet) -> Block:
    """A packet as it comes alone, with its number."""
    block = block_of(Prefilter(), [packet[1:5]])
    return block._replace(numbers=range(packet.number, packet.number + 1))
