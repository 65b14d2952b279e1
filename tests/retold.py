"""Recordings that say something else in one place."""

from __future__ import annotations

import struct
from pathlib import Path

from builders import ethernet, ipv4, pcap, tcp

from dissector.sources.capture import CaptureReader


def retold(path: Path, old: str, new: str) -> bytes:
    """The recording as a capture with the text ``new`` in the place of ``old``, once in each packet that has it."""
    packets = [(packet.time, packet.data) for packet in CaptureReader([path])]
    return pcap(with_text(packets, old.encode("latin-1"), new.encode("latin-1")))


def with_text(records: list[tuple[int, bytes]], old: bytes, new: bytes) -> list[tuple[int, bytes]]:
    """The packets with another text inside: lengths of packets, frames and strings and sequence numbers follow."""
    grown: dict[bytes, int] = {}
    out = []
    for time, data in records:
        header = (data[14] & 15) * 4
        at = 14 + header
        ends, ports = data[26:34], data[at : at + 4]
        payload = data[at + (data[at + 12] >> 4) * 4 : 14 + struct.unpack_from("!H", data, 16)[0]]
        seq, ack = struct.unpack_from("!II", data, at + 4)
        key, back = ends + ports, ends[4:] + ends[:4] + ports[2:] + ports[:2]
        seq, ack = seq + grown.get(key, 0), ack + grown.get(back, 0)
        if old in payload:
            change = len(new) - len(old)
            place = payload.index(old)
            if payload[:1] == b"\0":  # a frame: its length, and that of the string that ends with the text
                (length,) = struct.unpack_from("!I", payload)
                start = _string(payload, place)
                (size,) = struct.unpack_from("!I", payload, start - 4)
                payload = payload[: start - 4] + struct.pack("!I", size + change) + payload[start:]
                payload = struct.pack("!I", length + change) + payload[4:]
            payload = payload.replace(old, new, 1)
            grown[key] = grown.get(key, 0) + change
        sport, dport = struct.unpack("!HH", ports)
        segment = tcp(sport, dport, seq & 0xFFFF_FFFF, ack & 0xFFFF_FFFF, data[at + 13], payload=payload)
        src, dst = (".".join(map(str, ends[begin : begin + 4])) for begin in (0, 4))
        out.append((time, ethernet(ipv4(segment, src, dst))))
    return out


def _string(payload: bytes, place: int) -> int:
    """Where the string begins that has the byte at ``place``."""
    for start in range(place, 3, -1):
        (size,) = struct.unpack_from("!I", payload, start - 4)
        if place < start + size <= len(payload):
            return start
    raise AssertionError("no string there")
