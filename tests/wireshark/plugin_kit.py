"""Captures made for the plugin's tests, and real tshark with the plugin in it."""

from __future__ import annotations

import json
import random
import struct
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = ROOT / "captures"
PLUGIN = ROOT / "wireshark" / "jobscheduler.lua"

_GLOBAL = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_ETHERNET = bytes(12) + b"\x08\x00"
#: What tshark says on standard error although all is well.
_HARMLESS = ("Running as user", "** (tshark", "This could be dangerous", "appears to have been cut short")


class Record(NamedTuple):
    """A packet of a little-endian microsecond pcap file with Ethernet frames."""

    seconds: int
    micros: int
    data: bytes


def records(path: Path) -> list[Record]:
    data = path.read_bytes()
    found, at = [], _GLOBAL.size
    while at + _RECORD.size <= len(data):
        seconds, micros, size, _ = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        found.append(Record(seconds, micros, data[at : at + size]))
        at += size
    return found


def write(path: Path, packets: Iterable[Record]) -> Path:
    out = [_GLOBAL.pack(0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)]
    for seconds, micros, data in packets:
        out += (_RECORD.pack(seconds, micros, len(data), len(data)), data)
    path.write_bytes(b"".join(out))
    return path


def payload_at(frame: bytes) -> int:
    """Offset of the TCP payload of an IPv4 Ethernet frame, -1 for another one."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return -1
    tcp = 14 + (frame[14] & 15) * 4
    return tcp + (frame[tcp + 12] >> 4) * 4


def payload(frame: bytes) -> bytes:
    """TCP payload without Ethernet padding."""
    at = payload_at(frame)
    return frame[at : 14 + int.from_bytes(frame[16:18], "big")] if at >= 0 else b""


def recut(packets: Iterable[Record], size: int) -> Iterator[Record]:
    """The same streams in segments of at most ``size`` bytes."""
    for packet in packets:
        data = payload(packet.data)
        if len(data) <= size:
            yield packet
            continue
        at = payload_at(packet.data)
        tcp = 14 + (packet.data[14] & 15) * 4
        seq = int.from_bytes(packet.data[tcp + 4 : tcp + 8], "big")
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            frame = bytearray(packet.data[:at] + piece)
            struct.pack_into("!H", frame, 16, at - 14 + len(piece))
            struct.pack_into("!I", frame, tcp + 4, (seq + start) % 2**32)
            yield packet._replace(data=bytes(frame))


def mutated(packets: Iterable[Record], seed: int) -> Iterator[Record]:
    """The same with bytes of payloads changed, packets lost, cut and swapped."""
    chance = random.Random(seed)
    held: list[Record] = []
    for packet in packets:
        frame, at = bytearray(packet.data), payload_at(packet.data)
        if 0 <= at < len(frame) and chance.random() < 0.4:
            for _ in range(chance.randrange(1, 5)):
                frame[chance.randrange(at, len(frame))] = chance.choice((0, 1, 8, 9, 0x20, 0x41, 0x7F, 0x80, 0xFF))
        if chance.random() < 0.03:
            continue
        if chance.random() < 0.03:
            held.append(packet._replace(data=bytes(frame)))
            continue
        yield packet._replace(data=bytes(frame[: max(at, 54)] if chance.random() < 0.02 else frame))
        if held and chance.random() < 0.5:
            yield held.pop()


class Talk:
    """A TCP connection in the making: ``client`` and ``server`` send, ``records`` is the capture."""

    def __init__(self, client_port: int, server_port: int, start: int = 1_000) -> None:
        self._ports = client_port, server_port
        self._seq = [1_000, 9_000]
        self._time = start
        self.records: list[Record] = []
        self._send(0, 0x02)
        self._send(1, 0x12)
        self._send(0, 0x10)

    def client(self, data: bytes) -> None:
        self._send(0, 0x18, data)

    def server(self, data: bytes) -> None:
        self._send(1, 0x18, data)

    def close(self) -> None:
        self._send(0, 0x11)
        self._send(1, 0x11)

    def _send(self, side: int, flags: int, data: bytes = b"") -> None:
        addresses = b"\x0a\0\0\x01", b"\x0a\0\0\x02"
        ports = self._ports[side], self._ports[1 - side]
        ack = self._seq[1 - side] if flags & 0x10 else 0
        tcp = struct.pack("!HHIIBBHHH", *ports, self._seq[side], ack, 0x50, flags, 65_535, 0, 0) + data
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses[side] + addresses[1 - side]
        self._seq[side] += len(data) + bool(flags & 0x03)
        self._time += 1
        self.records.append(Record(1_700_000_000, self._time, _ETHERNET + ip + tcp))


def tshark(path: Path, *options: str) -> str:
    """What tshark with the plugin says about a capture; any complaint or Lua error is a failure."""
    command = ["tshark", "-X", f"lua_script:{PLUGIN}", "-r", str(path), *options]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    complaints = [
        line for line in done.stderr.decode().splitlines() if line and not any(one in line for one in _HARMLESS)
    ]
    assert complaints == []
    assert done.returncode == 0
    text = done.stdout.decode("utf-8", errors="replace")
    assert "Lua Error" not in text
    return text


def behind(script: str, folder: Path) -> list[list[str]]:
    """Words that Lua behind the plugin prints; it sees what that has in local variables, before there is a capture."""
    plugin = folder / "plugin.lua"
    plugin.write_text(PLUGIN.read_text(encoding="utf-8") + script, encoding="utf-8")
    command = ["tshark", "-X", f"lua_script:{plugin}", "-v"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]


def rows(path: Path, display_filter: str, *names: str, options: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Values of fields of the packets that a filter lets through; ``;`` stands between several of one packet."""
    fields = [part for name in names for part in ("-e", name)]
    text = tshark(path, *options, "-Y", display_filter, "-T", "fields", "-E", "aggregator=;", *fields)
    return [tuple(line.split("\t")) for line in text.splitlines()]


def values(path: Path, *names: str) -> dict[str, list[str]]:
    """All values of fields of messages, whatever packets they are in."""
    columns = zip(*rows(path, "jobscheduler.kind", *names), strict=True)
    found = {
        name: [value for cell in cells if cell for value in cell.split(";")]
        for name, cells in zip(names, columns, strict=False)
    }
    return {name: found.get(name, []) for name in names}


def truth(name: str) -> list[dict[str, Any]]:
    """Callback connections of a genuine capture, as its truth file tells."""
    found = json.loads((CAPTURES / f"{name}.truth.json").read_text(encoding="utf-8"))
    return list(found["callback_connections"])
