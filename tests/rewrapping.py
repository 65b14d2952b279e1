"""Recordings as another place of capture would have them: in an encapsulation, as IPv6, in fragments, cut by a snap
length, in files of a ring, in another format, compressed.

``CASES`` are so many ways that every encapsulation has both IP versions, and every two of the other choices meet.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import lz4.frame
import zstandard
from builders import enhanced, interface, option, pcap_header, pcap_record, section

from benchmarks.encapsulations import ENCAPSULATIONS, Encapsulation, ip_of
from benchmarks.forms import as_ipv6
from dissector.sources.capture import CaptureReader

Json = dict[str, Any]


class Record(NamedTuple):
    """``length`` is the one on the wire."""

    time: int
    data: bytes
    length: int


def plain(path: Path) -> list[tuple[int, bytes]]:
    """Times and frames of a recording."""
    return [(packet.time, packet.data) for packet in CaptureReader([path])]


# --- fragments -----------------------------------------------------------------------------------------------------


def fragmented(frame: bytes, size: int, number: int) -> Iterator[bytes]:
    """An Ethernet frame's IP packet in fragments with ``size`` bytes of payload (a multiple of 8)."""
    return (_fragmented6 if frame[14] >> 4 == 6 else _fragmented4)(frame, size, number)


def _fragmented4(frame: bytes, size: int, number: int) -> Iterator[bytes]:
    head, payload = frame[14:34], ip_of(frame)[20:]
    if len(payload) <= size:
        yield frame
        return
    for offset in range(0, len(payload), size):
        more = offset + size < len(payload)
        piece = payload[offset : offset + size]
        field = more << 13 | offset >> 3
        fields = head[:2] + struct.pack(">HHH", 20 + len(piece), number & 0xFFFF, field) + head[8:]
        yield frame[:14] + fields + piece


def _fragmented6(frame: bytes, size: int, number: int) -> Iterator[bytes]:
    head, payload = frame[14:54], frame[54:]
    if len(payload) <= size:
        yield frame
        return
    for offset in range(0, len(payload), size):
        piece = payload[offset : offset + size]
        header = struct.pack(">BBHI", head[6], 0, offset | (offset + size < len(payload)), number)
        fields = head[:4] + struct.pack(">HB", 8 + len(piece), 44) + head[7:]
        yield frame[:14] + fields + header + piece


# --- files ---------------------------------------------------------------------------------------------------------

Write = Callable[[list[Record], int], bytes]


def _pcap(order: str, magic: int, unit: int) -> Write:
    def write(records: list[Record], link_type: int) -> bytes:
        body = (pcap_record(data, time, order, unit, length) for time, data, length in records)
        return pcap_header(order, magic, link_type) + b"".join(body)

    return write


def _pcapng(order: str, resolution: int = 6, offset: int = 0) -> Write:
    """Times in units of 10 to the power of minus ``resolution`` seconds, from ``offset`` seconds on."""
    units = 10**resolution

    def write(records: list[Record], link_type: int) -> bytes:
        options = option(9, bytes([resolution]), order) + option(14, struct.pack(f"{order}q", offset), order)
        out = section(order) + interface(link_type, options + option(0, b"", order), order)
        for time, data, length in records:
            out += enhanced(data, (time - offset * 10**9) * units // 10**9, order=order, length=length)
        return out

    return write


def _sections(records: list[Record], link_type: int) -> bytes:
    """Two, each with a byte order of its own."""
    half = len(records) // 2
    return _pcapng("<")(records[:half], link_type) + _pcapng(">")(records[half:], link_type)


def _snoop(records: list[Record], _link_type: int) -> bytes:
    out = struct.pack(">8sII", b"snoop\0\0\0", 2, 4)
    for time, data, length in records:
        seconds, rest = divmod(time, 10**9)
        pad = -len(data) % 4
        out += struct.pack(">IIIIII", length, len(data), 24 + len(data) + pad, 0, seconds, rest // 1_000)
        out += data + bytes(pad)
    return out


FORMATS: dict[str, Write] = {
    "pcap": _pcap("<", 0xA1B2C3D4, 1_000),
    "pcap, the other byte order": _pcap(">", 0xA1B2C3D4, 1_000),
    "pcap with nanoseconds": _pcap("<", 0xA1B23C4D, 1),
    "pcapng": _pcapng("<"),
    "pcapng with nanoseconds and an offset": _pcapng("<", 9, 1_000_000_000),
    "pcapng in sections": _sections,
    "snoop": _snoop,
}


def _members(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Packed in three parts, one behind the other."""
    return lambda data: b"".join(
        pack(data[at : at + len(data) // 3 + 1]) for at in range(0, len(data), len(data) // 3 + 1)
    )


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gz": _members(lambda data: gzip.compress(data, 1)),
    "zst": _members(lambda data: zstandard.compress(data, 1)),
    "lz4": _members(lz4.frame.compress),
    "xz": _members(lambda data: lzma.compress(data, preset=0)),
    "bz2": _members(bz2.compress),
}
#: What tshark 4.0 can unpack, one member or more.
OF_TSHARK = ("", "gz")


# --- cases ---------------------------------------------------------------------------------------------------------

#: Shell and API tasks, calls inside of calls, a killed task, HTTP, a refused callback.
RECORDINGS = (
    *("engine_shell_fail.pcap", "engine_api_java_ok.pcap", "h19_nested.pcap", "engine_kill_task.pcap"),
    *("scala113_http_tunnel.pcap", "faults/03_callback_reject_rst.c.pcap"),
)
#: Bytes of payload in a fragment: of the recorded packet, or of the outermost one.
FRAGMENTS = ("", "inside 512", "inside 64", "outside 256")
FILES = (1, 3)
BARE = Encapsulation(1, lambda frame: frame)
#: They name the IP version of what they carry by a number that IPv6 does not have, or carry IPv4 only.
ONLY_IPV4 = {"IP in IPv6", "IPv4 AH"}
#: They have bytes behind the packet, so that no snap length cuts the same bytes off.
WITH_TRAILER = {"MACsec, signed"}
#: Not followed by tshark 4.0, or taken for something else.
UNKNOWN_TO_TSHARK = {
    *("PPP of pppd", "MPLS without Ethernet", "Solaris ipnet", "Ethernet with preamble", "MPLS pseudowire"),
    *("MPLS pseudowire without control word",),
}


class Case(NamedTuple):
    recording: str
    encapsulation: str
    version: int
    fragments: str
    form: str
    compression: str
    files: int

    def __str__(self) -> str:
        return ", ".join(str(value) for value in self if value)

    @property
    def wrapping(self) -> Encapsulation:
        return ENCAPSULATIONS.get(self.encapsulation, BARE)

    @property
    def via(self) -> tuple[str, ...]:
        """The tunnels that are to be told of."""
        return ("6in4",) if (self.encapsulation, self.version) == ("IP in IP", 6) else self.wrapping.via

    @property
    def is_numbered_alike(self) -> bool:
        """Whether packets have the numbers of the recording."""
        return not self.fragments

    def frames(self, captures: Path) -> list[tuple[int, bytes]]:
        """The recorded packets, in this IP version."""
        found = plain(captures / self.recording)
        return [(time, as_ipv6(frame)) for time, frame in found] if self.version == 6 else found

    def records(self, captures: Path, snap_length: int = 0) -> list[Record]:
        """Cut to so many bytes of what was recorded, if to any."""
        records = []
        where, _, size = self.fragments.partition(" ")
        for number, (time, frame) in enumerate(self.frames(captures)):
            frames = fragmented(frame, int(size), number) if where == "inside" else [frame]
            wrapped = [self.wrapping.wrap(one) for one in frames]
            if where == "outside":
                wrapped = list(fragmented(wrapped[0], int(size), number))
            for one in wrapped:
                cut = len(one) - max(0, len(frame) - snap_length) if snap_length else len(one)
                records.append(Record(time, one[:cut], len(one)))
        return records

    def write(self, records: list[Record], folder: Path) -> list[Path]:
        """The files, to be read together."""
        paths = []
        share = -(-len(records) // self.files)
        for number, at in enumerate(range(0, len(records), share)):
            data = FORMATS[self.form](records[at : at + share], self.wrapping.link_type)
            path = folder / f"ring_{number:05}.{self.compression or 'cap'}"
            path.write_bytes(COMPRESSIONS[self.compression](data))
            paths.append(path)
        return paths


def _is_possible(case: Case) -> bool:
    wrapping = case.wrapping
    if case.version == 6 and case.encapsulation in ONLY_IPV4:
        return False
    if case.form == "snoop" and wrapping.link_type != 1:
        return False
    has_ip_outside = wrapping.link_type == 1 and _outermost(wrapping) in (b"\x08\x00", b"\x86\xdd")
    return not case.fragments.startswith("outside") or has_ip_outside


def _outermost(wrapping: Encapsulation) -> bytes:
    return wrapping.wrap(bytes(12) + b"\x08\x00\x45\x00\x00\x15" + bytes(17))[12:14]


def _chosen() -> Iterator[Case]:
    """For each encapsulation and version the possible case with the most pairs that no case before it had."""
    chance = random.Random(20)
    choices = list(product(RECORDINGS, FRAGMENTS, FORMATS, COMPRESSIONS, FILES))
    met: set[tuple[tuple[int, Any], ...]] = set()
    for encapsulation, version in product(("", *ENCAPSULATIONS), (4, 6)):
        tried = [Case(one[0], encapsulation, version, *one[1:]) for one in chance.sample(choices, 40)]
        possible = [case for case in tried if _is_possible(case)]
        if possible:
            best = max(possible, key=lambda case: len(pairs(case) - met))
            met |= pairs(best)
            yield best


def pairs(case: Case) -> set[tuple[tuple[int, Any], ...]]:
    """Every two of the choices but for encapsulation and version, with their places."""
    values = [(place, value) for place, value in enumerate(case) if place not in (1, 2)]
    return {(one, other) for one in values for other in values if one[0] < other[0]}


CASES = list(_chosen())


# --- what is told --------------------------------------------------------------------------------------------------


def without_packets(document: Json) -> Json:
    """All that neither sizes nor numbers of packets nor tunnels change."""
    document.pop("captures")
    for name in ("tasks", "connections", "messages", "exchanges", "problems"):
        for record in document[name]:
            for key in ("packets", "via", "points"):
                record.pop(key, None)
    return document


def without_sizes(document: Json) -> Json:
    """All that packets' sizes and tunnels do not change."""
    document.pop("captures")
    for connection in document["connections"]:
        connection.pop("via")
    return document
