"""What fuzzing begins with: pieces of the genuine recordings, in each target's own form."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.decoding import samples
from benchmarks.patterns import Pattern, payload_of, read_packets, recorded
from dissector.wire.decode import Pending
from dissector.wire.enums import Operation
from fuzz.script import line

ROOT = Path(__file__).resolve().parent.parent
MAX_SIZE = 65_535
_CAPTURES = ROOT / "captures"
#: Recordings with dialogs of all kinds; the long ones of one kind only would be more of the same.
_DIALOGS = (
    "engine_shell_ok",
    "engine_shell_fail",
    "engine_api_java_ok",
    "engine_api_java_errorcalls",
    "engine_api_init_false",
    "engine_kill_agent",
    "engine_order",
    "engine_xml_keepalive_space",
    "engine_xml_errors",
    "h19_basic",
    "h19_errors",
    "h19_nested",
    "h19_variants",
    "scala111_keepalive",
    "scala19_shell",
)
_FILTERS = (
    "job=nightly outcome!=success",
    'latency>0.5 text~"in * out"',
    "time>=04:07:15.118 start<2026-11-22T04:07",
    "ip=127.0.0.0/8 port=59999 remote=127.0.0.1:4455",
    "member=spooler_log.info direction=remote->client depth>1",
    "signal=SIGKILL exit_code=5 hresult=0x80020009 duration<2min callback_delay>=11.5ms",
    "text='a b' object=0x0000000000000001 class~Com_ packet=12 problem=job_failed",
)


def _decode() -> Iterator[bytes]:
    operations = list(Operation)
    for data, pending in samples(_DIALOGS):
        yield _head(operations, pending) + data


def _head(operations: list[Operation], pending: Pending | None) -> bytes:
    if pending is None:
        return b"\0\0"
    # Operations are taken modulo their number, and 0 stands for none.
    return bytes((operations.index(pending.operation) or len(operations), pending.count))


def _patterns() -> Iterator[Pattern]:
    for name in _DIALOGS:
        yield recorded(_CAPTURES / f"{name}.pcap")


def _streams(callback: bool) -> Iterator[tuple[int, bytes]]:
    """Direction and bytes of the connections of one kind."""
    for pattern in _patterns():
        for number, connection in enumerate(pattern.lines):
            if connection.callback is callback:
                for side in (0, 1):
                    flow = 2 * number + side
                    yield side, b"".join(payload for found, payload in _payloads(pattern) if found == flow)


def _payloads(pattern: Pattern) -> Iterator[tuple[int, bytes]]:
    for step in pattern.steps:
        data = step.head + bytes(12) + step.tail
        if payload := payload_of(data):
            yield step.flow, payload


def _framing() -> Iterator[bytes]:
    for _, stream in _streams(callback=True):
        for how in (0x3F, 0x05, 0x7F, 0x9F):
            yield bytes((how,)) + stream


def _documents() -> Iterator[bytes]:
    for side, stream in _streams(callback=False):
        for how in (0x1F, 0x03, 0x3F, 0x9F):
            yield bytes((how | side << 6,)) + stream
    for path in _CAPTURES.glob("scala113_http*.pcap"):
        for _, data in read_packets(path):
            if payload := payload_of(data):
                yield b"\x1f" + payload
                yield b"\x5f" + payload


def _packets() -> Iterator[bytes]:
    for name in ("engine_order", "h19_errors"):
        for _, data in read_packets(_CAPTURES / f"{name}.pcap"):
            yield b"\1\0" + data
            yield b"\3\0" + data[14:]
    for path in sorted((_CAPTURES / "faults").glob("*icmp*.pcap")):
        link_type = path.read_bytes()[20]
        kinds = (0, 1, 12, 101, 108, 113, 228, 229, 20, 14)
        for _, data in read_packets(path):
            yield bytes((kinds.index(link_type), 0)) + data


def _small_captures() -> Iterator[bytes]:
    for path in sorted(_CAPTURES.rglob("*.pcap")):
        for size in (1_500, 6_000, MAX_SIZE):
            yield path.read_bytes()[:size]


def _files() -> Iterator[bytes]:
    for content in _small_captures():
        head = content[:4_000]
        yield b"\0" + head
        yield b"\1" + head
        yield b"\6" + head
        yield b"\0" + gzip.compress(head, mtime=0)
        yield b"\0" + _pcapng(head)


def _pcapng(pcap: bytes) -> bytes:
    """The packets of a pcap file (little-endian, microseconds) as blocks of a pcapng file."""
    blocks = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    name = b"\2\0\4\0eth0" + b"\x09\0\1\0\6\0\0\0" + bytes(4)
    blocks.append(_block(1, pcap[20:22] + bytes(6) + name))
    at = 24
    while at + 16 <= len(pcap):
        seconds, micros, size, length = struct.unpack_from("<IIII", pcap, at)
        ticks = seconds * 1_000_000 + micros
        head = struct.pack("<IIIII", 0, ticks >> 32, ticks & 0xFFFF_FFFF, size, length)
        blocks.append(_block(6, head + pcap[at + 16 : at + 16 + size]))
        at += 16 + size
    return b"".join(blocks)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _dialog() -> Iterator[bytes]:
    for pattern in _patterns():
        places = _places(pattern)
        lines = [line(places[flow // 2], flow % 2, payload) for flow, payload in _payloads(pattern)]
        ends = [line(place, 0, b"", control=0x20) for place in sorted(set(places))]
        # Beginnings too: short inputs are tried more often in the same time.
        for length in (4, 8, 16, 32, len(lines)):
            yield b"".join(lines[:length] + ends)[:MAX_SIZE]


def _places(pattern: Pattern) -> list[int]:
    """Which connection of a script each connection of a pattern becomes."""
    callbacks = 0
    found = []
    for connection in pattern.lines:
        callbacks += connection.callback
        found.append(min(callbacks, 2) if connection.callback else 0)
    return found


def _filter() -> Iterator[bytes]:
    for text in _FILTERS:
        yield text.encode()
        yield from (part.encode() for part in text.split())


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "decode": _decode,
    "framing": _framing,
    "documents": _documents,
    "packets": _packets,
    "files": _files,
    "capture": _small_captures,
    "dialog": _dialog,
    "lean": _dialog,
    "screen": _dialog,
    "filter": _filter,
}


def seeds(target: str) -> Iterator[bytes]:
    """The seeds of a target, each once."""
    seen: set[bytes] = set()
    for seed in SEEDS[target]():
        cut = seed[:MAX_SIZE]
        if cut not in seen:
            seen.add(cut)
            yield cut
