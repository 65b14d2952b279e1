"""Conversations as patterns: the same packets again, at another time, between other hosts, on other ports.

A genuine recording becomes a pattern by ``recorded``; ``foreign`` makes patterns of what else crosses a network.  All
packets of a pattern are Ethernet with IPv4 without options, so addresses and ports stand at one place.  Checksums are
left as they were: captures of hosts with offloading do not have them right either.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

#: Bytes of a packet before its addresses, and before what follows its ports.
KEY_AT, KEY_END = 26, 38
NO_FLOW = -1
COMMAND_PORT = 4455
CALLBACK_PORTS = range(50_000, 60_000)
_SYN, _ACK = 0x02, 0x10
_ANNOUNCED = re.compile(rb'(?<=tcp_port=")\d{5}(?=")')
_TASK_ID = re.compile(rb"(?<=task_id=)\d+")


class Step(NamedTuple):
    """A packet of a pattern: nanoseconds after its beginning, the flow it belongs to (2 * connection + direction,
    direction 0 from the client), and its bytes around addresses and ports.  ``named``: its text tells a port or id."""

    delay: int
    flow: int
    head: bytes
    tail: bytes
    named: bool = False


class Line(NamedTuple):
    """A TCP connection of a pattern: who opens it, and the port it goes to."""

    callback: bool
    port: int


@dataclass(slots=True)
class Pattern:
    """Packets in time order, the connections they belong to, and what is known to be in them."""

    name: str
    steps: list[Step]
    lines: list[Line]
    size: int
    frames: int = 0
    tasks: int = 0


class Keys(NamedTuple):
    """Addresses and ports of one playing of a pattern, by flow (the last one is empty, for packets without), the
    announced ports old to new, and the number that task ids are made of."""

    flows: list[bytes]
    ports: dict[bytes, bytes]
    task_id: int


def data_of(step: Step, keys: Keys) -> bytes:
    """The packet of a step in one playing."""
    tail = _renamed(step.tail, keys) if step.named else step.tail
    return step.head + keys.flows[step.flow] + tail


def _renamed(tail: bytes, keys: Keys) -> bytes:
    """Other announced ports and task ids of the same number of digits."""
    tail = _ANNOUNCED.sub(lambda found: keys.ports.get(found[0], found[0]), tail)
    return _TASK_ID.sub(lambda found: b"%0*d" % (len(found[0]), keys.task_id % 10 ** len(found[0])), tail)


# --- recordings ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Recorded:
    """Packets of one recording (delay, data, connection, direction) and the connections that they are of."""

    packets: list[tuple[int, bytes, int, int]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    open: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    spoke: set[int] = field(default_factory=set)


def read_packets(path: Path) -> Iterator[tuple[int, bytes]]:
    """Time (ns) and bytes of the packets of a little-endian pcap file with microseconds (as the recordings are)."""
    data, at = path.read_bytes(), 24
    while at < len(data):
        seconds, micros, size, _ = struct.unpack_from("<IIII", data, at)
        at += 16
        yield (seconds * 1_000_000 + micros) * 1000, data[at : at + size]
        at += size


def recorded(path: Path, quick_acks: bool = False) -> Pattern:
    """The JobScheduler connections of a recording.  ``quick_acks``: every segment with data gets an acknowledgement of
    its own, as between two hosts whose receiver does not wait for an answer to carry it."""
    found = _Recorded()
    start = 0
    for time, data in read_packets(path):
        start = start or time
        _sort_in(found, time - start, data)
    kept = sorted(number for number in found.spoke if _is_ours(found.lines[number]))
    place = {number: index for index, number in enumerate(kept)}
    packets = [packet for packet in found.packets if packet[2] in place]
    if quick_acks:
        packets = list(_acknowledged(packets))
    first = packets[0][0]
    steps = [
        Step(
            delay - first,
            2 * place[number] + direction,
            data[:KEY_AT],
            data[KEY_END:],
            b"tcp_port=" in data or b"task_id=" in data,
        )
        for delay, data, number, direction in packets
    ]
    truth = json.loads(path.with_suffix(".truth.json").read_text(encoding="utf-8"))["callback_connections"]
    frames = sum(len(connection["messages"]) for connection in truth)
    lines = [found.lines[number] for number in kept]
    tasks = sum(line.callback for line in lines)
    return Pattern(path.stem, steps, lines, sum(len(packet[1]) + 16 for packet in packets), frames, tasks)


def _is_ours(line: Line) -> bool:
    return line.callback or line.port == COMMAND_PORT


def _sort_in(found: _Recorded, delay: int, data: bytes) -> None:
    """Adds a packet to its connection; packets of connections without a SYN are left out."""
    if data[12:15] != b"\x08\x00\x45" or data[23] != 6:
        return
    key = data[KEY_AT:KEY_END]
    if data[47] & (_SYN | _ACK) == _SYN:
        port = int.from_bytes(key[10:12], "big")
        number = len(found.lines)
        found.lines.append(Line(port in CALLBACK_PORTS, port))
        found.open[key] = number, 0
        found.open[key[4:8] + key[:4] + key[10:12] + key[8:10]] = number, 1
    if key in found.open:
        number, direction = found.open[key]
        found.packets.append((delay, data, number, direction))
        if payload_of(data):
            found.spoke.add(number)


def payload_of(data: bytes) -> bytes:
    """The TCP payload of a pattern's packet."""
    start = 34 + (data[46] >> 4 << 2)
    return data[start : 14 + int.from_bytes(data[16:18], "big")]


def _acknowledged(packets: list[tuple[int, bytes, int, int]]) -> Iterator[tuple[int, bytes, int, int]]:
    for delay, data, number, direction in packets:
        yield delay, data, number, direction
        payload = payload_of(data)
        if payload:
            seq, ack = struct.unpack_from(">II", data, 38)
            header = struct.pack(">II", ack, (seq + len(payload)) & 0xFFFF_FFFF) + b"\x50\x10\x02\x00\0\0\0\0"
            ip = b"\x45\0" + (40).to_bytes(2, "big") + data[18:20] + b"\x40\0\x40\x06\0\0"
            key = data[KEY_AT:KEY_END]
            back = key[4:8] + key[:4] + key[10:12] + key[8:10]
            yield delay + 1_000, data[:14] + ip + back + header, number, 1 - direction
