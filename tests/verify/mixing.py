"""Several captures in one file, each with addresses and a time of its own, so that one run of tshark reads them all."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

_SECOND = 1_000_000_000
_PAUSE = 1_000 * _SECOND
_EPOCH = 1_700_000_000 * _SECOND
_ETHERNET, _IPV4, _ICMP = 14, b"\x08\x00", 1


class Slice(NamedTuple):
    """A packet to be written: ``wire_length`` is larger than the data where it was cut."""

    time: int
    data: bytes
    wire_length: int


def pcap(packets: Iterable[Slice]) -> bytes:
    """A classic capture file with nanosecond times, Ethernet."""
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)]
    for packet in packets:
        seconds, nanoseconds = divmod(packet.time, _SECOND)
        out += [struct.pack("<IIII", seconds, nanoseconds, len(packet.data), packet.wire_length), packet.data]
    return b"".join(out)


def mixed(captures: Iterable[Path]) -> Iterator[Slice]:
    """The packets of all captures, one capture after the other."""
    now = _EPOCH
    for number, capture in enumerate(captures):
        addresses: dict[bytes, bytes] = {}
        begin = None
        latest = now
        for packet in CaptureReader([capture]):
            begin = packet.time if begin is None else begin
            time = now + packet.time - begin
            latest = max(latest, time)
            yield Slice(time, _readdressed(packet, number, addresses), packet.wire_length)
        now = latest + _PAUSE


def _readdressed(packet: Packet, number: int, addresses: dict[bytes, bytes]) -> bytes:
    """The frame with every IPv4 address replaced by one of the capture ``number``'s own, 10.number.0.1 and on."""
    data = bytearray(packet.data)
    at = _ETHERNET
    if data[12:14] != _IPV4:
        return packet.data
    while len(data) >= at + 20 and data[at] >> 4 == 4:
        for place in (at + 12, at + 16):
            address = bytes(data[place : place + 4])
            new = addresses.setdefault(address, bytes((10 + (number >> 8), number & 0xFF, 0, len(addresses) + 1)))
            data[place : place + 4] = new
        if data[at + 9] != _ICMP:
            break
        at += (data[at] & 15) * 4 + 8  # an ICMP error carries the header of the packet that it answers
    return bytes(data)
