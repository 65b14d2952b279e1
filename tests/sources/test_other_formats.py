"""Capture files of other times and systems, and files that are no captures: read, or named with what to do."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dissector.errors import CaptureError
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

Trace = Callable[..., dict[str, Any]]


def packets(path: Path) -> list[Packet]:
    return list(CaptureReader([path]))


def pcap_of(
    found: list[Packet],
    order: str = "<",
    version: tuple[int, int] = (2, 4),
    magic: int = 0xA1B2C3D4,
    link_type: int = 1,
    *,
    swapped: bool = False,
    unit: int = 1_000,
    more: bytes = b"",
) -> bytes:
    out = struct.pack(f"{order}IHHiIII", magic, *version, 0, 0, 65_535, link_type)
    for packet in found:
        seconds, rest = divmod(packet.time, 10**9)
        lengths = len(packet.data), packet.wire_length
        lengths = lengths[::-1] if swapped else lengths
        out += struct.pack(f"{order}IIII", seconds, rest // unit, *lengths) + more + packet.data
    return out


def snoop_of(found: list[Packet], version: int = 2, padding: int = 4) -> bytes:
    out = struct.pack(">8sII", b"snoop\0\0\0", version, 4)
    for packet in found:
        seconds, rest = divmod(packet.time, 10**9)
        size = 24 + len(packet.data)
        pad = -size % padding
        out += struct.pack(">IIIIII", packet.wire_length, len(packet.data), size + pad, 0, seconds, rest // 1_000)
        out += packet.data + bytes(pad)
    return out


FORMATS: dict[str, Callable[[list[Packet]], bytes]] = {
    **{
        f"pcap {minor} {order}": lambda found, minor=minor, order=order: pcap_of(  # type: ignore[misc]
            found, order, (2, minor), swapped=minor < 3
        )
        for minor in range(5)
        for order in "<>"
    },
    "pcap 2.3 with lengths of 2.2": lambda found: pcap_of(found, version=(2, 3), swapped=True),
    "DG/UX": lambda found: pcap_of(found, ">", (543, 0), swapped=True),
    "AIX": lambda found: pcap_of(found, ">", (2, 2), link_type=6, swapped=True, unit=1),
    "nanoseconds": lambda found: pcap_of(found, magic=0xA1B23C4D, unit=1),
    "Kuznetzov": lambda found: pcap_of(found, magic=0xA1B2CD34, more=bytes(8)),
    "upper half of the link type": lambda found: pcap_of(found, link_type=0x4000_0001),
    "snoop": snoop_of,
    "snoop of version 4": lambda found: snoop_of(found, 4, 8),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(name: str, captures: Path, tmp_path: Path, trace: Trace) -> None:
    """With some packets cut by a snap length, so that the two lengths differ."""
    original = captures / "engine_shell_fail.pcap"
    found = [
        packet._replace(data=packet.data[:90], wire_length=len(packet.data)) if packet.number % 7 == 3 else packet
        for packet in packets(original)
    ]
    plain, path = tmp_path / "plain.pcap", tmp_path / "other"
    plain.write_bytes(pcap_of(found))
    path.write_bytes(FORMATS[name](found))
    assert packets(path) == found
    one, other = trace(plain), trace(path)
    one["captures"][0].pop("file"), other["captures"][0].pop("file")
    assert one == other


@pytest.mark.parametrize("name", ["pcap 0 <", "AIX", "snoop"])
def test_a_file_that_is_cut_off(name: str, captures: Path, tmp_path: Path) -> None:
    found = packets(captures / "engine_shell_fail.pcap")
    path, whole = tmp_path / "x", FORMATS[name](found)
    for cut in (1, 7, len(found[-1].data), len(found[-1].data) + 3):
        path.write_bytes(whole[:-cut])
        reader = CaptureReader([path])
        assert len(list(reader)) == len(found) - 1
        (warning,) = reader.warnings
        assert warning.code == "capture_truncated"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"snoop\0\0\0\0\0\0\x09\0\0\0\x04", "version 9 of the snoop format"),
        (b"snoop\0\0\0\0\0\0\x02\0\0\0\x05", "snoop's datalink type 5 is not supported"),
        (b"snoop\0\0\0\0\0", "ends inside its header"),
        (b"snoop\0\0\0\0\0\0\x02\0\0\0\x04" + struct.pack(">IIIIII", 60, 60, 20, 0, 0, 0), "can not be 20 bytes long"),
        (pcap_of([], version=(3, 0)), "version 3.0"),
        (b"GMBU\x02\0", "Microsoft Network Monitor 2; convert it with: editcap"),
        (b"PK\x03\x04xyz", "a zip archive; unpack it: unzip"),
        (b"7z\xbc\xaf\x27\x1c", "7z archive"),
        (bytes(257) + b"ustar\0", "tar archive; unpack it: tar xf"),
        (b"btsnoop\0\0\0\0\1", "Bluetooth"),
        (b"<html><body>Login required</body>", "a text that begins with '<html><body>Login required</body>'"),
        (b"09:15:52.1 IP 10.1.0.1.4455 > ...\n", "a text that begins with '09:15:52.1 IP"),
        (b"\x00\x01\x02\x03\x04", "this is no capture file (pcap, pcapng or snoop)"),
    ],
)
def test_what_can_not_be_read_is_named(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(CaptureError) as caught:
        list(CaptureReader([path]))
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_records_of_snoop_may_lie(tmp_path: Path) -> None:
    """A record's lengths are compared before anything is taken by them."""
    head = struct.pack(">8sII", b"snoop\0\0\0", 2, 4)
    for length, captured, size in ((60, 60, 60), (60, 1 << 31, 1 << 31), (60, 60, 1 << 20), (60, 300_000, 300_024)):
        (tmp_path / "x").write_bytes(head + struct.pack(">IIIIII", length, captured, size, 0, 0, 0) + bytes(400_000))
        with pytest.raises(CaptureError, match="a record can not be"):
            list(CaptureReader([tmp_path / "x"]))
