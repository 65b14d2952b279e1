"""Capture files from literals: every format, every way to be damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import sys
import threading
import zlib
from pathlib import Path
from types import SimpleNamespace

import lz4.frame
import pytest
import zstandard
from builders import (
    ACK,
    ICMP,
    SECOND,
    UDP,
    block,
    enhanced,
    ethernet,
    interface,
    ipv4,
    old_packet,
    option,
    pcap,
    pcap_header,
    pcap_record,
    section,
    simple,
    tcp,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from dissector.errors import CaptureError
from dissector.limits import MAX_CAPTURED, MAX_PCAPNG_BLOCK
from dissector.model import CaptureInfo
from dissector.sources.capture import CaptureReader
from dissector.stream.packets import parse
from dissector.traffic import Packet, Segment

#: 2026-11-22 04:00:00 UTC.
NOON = 1_795_320_000 * SECOND
FIRST = ethernet(ipv4(tcp(payload=b"one")))
SECOND_FRAME = ethernet(ipv4(tcp(payload=b"two")))
UDP_FRAME = ethernet(ipv4(bytes(20), protocol=UDP))


def write(folder: Path, data: bytes, name: str = "x.pcap") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def read(*paths: Path) -> tuple[list[Packet], CaptureReader]:
    """The packets without what their block knows of them."""
    reader = CaptureReader(paths)
    return [Packet(*packet[:5]) for packet in reader], reader


def refused(path: Path | str) -> CaptureError:
    with pytest.raises(CaptureError) as caught:
        list(CaptureReader([path]))
    assert "\n" not in str(caught.value)
    return caught.value


# --- classic files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("nano", "time"), [(False, NOON + 1_000), (True, NOON + 1)])
def test_pcap(order: str, nano: bool, time: int, tmp_path: Path) -> None:
    path = write(tmp_path, pcap([(NOON, FIRST), (time, SECOND_FRAME)], order, nano))
    packets, reader = read(path)
    assert packets == [
        Packet(1, NOON, 1, FIRST, len(FIRST)),
        Packet(2, time, 1, SECOND_FRAME, len(SECOND_FRAME)),
    ]
    assert reader.infos == [CaptureInfo(str(path), 2, 2, NOON, time, "Ethernet", False)]
    assert reader.warnings == []


def test_the_longer_record_headers_of_old_linux(tmp_path: Path) -> None:
    record = pcap_record(FIRST, NOON)
    data = pcap_header(magic=0xA1B2CD34) + (record[:16] + bytes(8) + record[16:]) * 2
    packets, _ = read(write(tmp_path, data))
    assert [packet.data for packet in packets] == [FIRST, FIRST]


def test_the_length_on_the_wire_is_kept(tmp_path: Path) -> None:
    data = pcap_header() + pcap_record(FIRST[:54], NOON, length=1_500)
    assert read(write(tmp_path, data))[0] == [Packet(1, NOON, 1, FIRST[:54], 1_500)]


def test_flags_above_the_link_type_are_passed_over(tmp_path: Path) -> None:
    packets, reader = read(write(tmp_path, pcap_header(link_type=0x1400_0001) + pcap_record(FIRST)))
    assert (packets[0].link_type, reader.infos[0].link_type) == (1, "Ethernet")


def test_tcp_segments_are_counted(tmp_path: Path) -> None:
    frames = [
        FIRST,
        UDP_FRAME,
        ethernet(ipv4(tcp(flags=ACK, options=bytes(12)), options=bytes(4)), tags=[0x8100]),
        ethernet(ipv4(tcp(), fragment=0x2000)),
        ethernet(ipv4(b"\x03\x03" + bytes(6) + ipv4(tcp()), protocol=ICMP)),
    ]
    info = read(write(tmp_path, pcap([(NOON, frame) for frame in frames])))[1].infos[0]
    assert (info.packets, info.tcp_segments) == (5, 2)


def test_first_and_last_are_times_not_places(tmp_path: Path) -> None:
    info = read(write(tmp_path, pcap([(NOON, FIRST), (NOON - 5_000, FIRST), (NOON + 5_000, FIRST)])))[1].infos[0]
    assert (info.first, info.last) == (NOON - 5_000, NOON + 5_000)


def test_a_capture_without_packets_is_one(tmp_path: Path) -> None:
    path = write(tmp_path, pcap([]))
    packets, reader = read(path)
    assert (packets, reader.warnings) == ([], [])
    assert reader.infos == [CaptureInfo(str(path))]


def test_records_across_blocks(tmp_path: Path) -> None:
    """More than is read at once, with the largest packets there may be."""
    frames = [bytes([index]) * (MAX_CAPTURED - index) for index in range(9)]
    packets, _ = read(write(tmp_path, pcap([(NOON, frame) for frame in frames])))
    assert [packet.data for packet in packets] == frames


# --- pcapng --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng(order: str, tmp_path: Path) -> None:
    data = section(order) + interface(order=order) + enhanced(FIRST, NOON // 1_000, order=order, length=99)
    packets, reader = read(write(tmp_path, data))
    assert packets == [Packet(1, NOON, 1, FIRST, 99)]
    assert reader.infos[0].link_type == "Ethernet"


@pytest.mark.parametrize(
    ("options", "ticks", "time"),
    [
        (b"", 1_500_000, 1_500_000_000),
        (option(9, b"\x06"), 1_500_000, 1_500_000_000),
        (option(9, b"\x09"), NOON + 1, NOON + 1),
        (option(9, b"\x03"), 1_500, 1_500_000_000),
        (option(9, b"\x00"), 3, 3_000_000_000),
        (option(9, b"\x0c"), 1_500_000_000_999, 1_500_000_000),
        (option(9, b"\x8a"), 1_536, 1_500_000_000),  # 1,024 a second
        (option(9, b"\xa0"), 3 << 31, 1_500_000_000),
        (option(14, struct.pack("<q", 1_795_320_000)), 5, NOON + 5_000),
        (option(14, struct.pack("<q", -2)) + option(9, b"\x09"), 3 * SECOND, SECOND),
        (option(2, b"eth0") + option(1, b"a comment") + option(9, b"\x09") + option(0, b""), 7, 7),
        (option(0, b"") + option(9, b"\x09"), 7, 7_000),  # behind the end of the options
    ],
)
def test_time_stamps_of_an_interface(options: bytes, ticks: int, time: int, tmp_path: Path) -> None:
    packets, _ = read(write(tmp_path, section() + interface(options=options) + enhanced(FIRST, ticks)))
    assert [packet.time for packet in packets] == [time]


def test_several_interfaces_and_sections(tmp_path: Path) -> None:
    """Interfaces are numbered anew in each section, and byte order may change."""
    raw = FIRST[14:]
    data = (
        section()
        + interface(1)
        + interface(101, option(9, b"\x09"))
        + enhanced(FIRST, 1)
        + enhanced(raw, 2, index=1)
        + section(">")
        + interface(113, order=">")
        + enhanced(bytes(14) + b"\x08\0" + raw, 3, order=">")
    )
    packets, reader = read(write(tmp_path, data))
    assert [(packet.number, packet.time, packet.link_type) for packet in packets] == [
        (1, 1_000, 1),
        (2, 2, 101),
        (3, 3_000, 113),
    ]
    info = reader.infos[0]
    assert (info.link_type, info.tcp_segments) == ("Ethernet, Raw IP, Linux cooked v1", 3)


def test_an_interface_whose_only_packet_is_cut_off_is_not_named(tmp_path: Path) -> None:
    data = section() + interface() + interface(101) + enhanced(FIRST) + enhanced(FIRST[14:], index=1)[:-3]
    info = read(write(tmp_path, data))[1].infos[0]
    assert (info.packets, info.link_type, info.truncated) == (1, "Ethernet", True)


def test_simple_and_old_packet_blocks(tmp_path: Path) -> None:
    data = (
        section()
        + interface(snap_length=58)
        + old_packet(FIRST, 4_000_000)
        + simple(FIRST)
        + simple(bytes(58), length=99)
    )
    assert read(write(tmp_path, data))[0] == [
        Packet(1, 4 * SECOND, 1, FIRST, len(FIRST)),
        Packet(2, 4 * SECOND, 1, FIRST, len(FIRST)),
        Packet(3, 4 * SECOND, 1, bytes(58), 99),
    ]


def test_other_blocks_are_passed_over(tmp_path: Path) -> None:
    others = (
        block(4, bytes(20))
        + block(5, bytes(12))
        + block(10, b"secrets")
        + block(0x0BAD, b"custom")
        + block(6 << 8, b"")
    )
    data = section() + others + interface() + others + block(4, bytes(600_000)) + enhanced(FIRST) + others
    assert [packet.data for packet in read(write(tmp_path, data))[0]] == [FIRST]


def test_packets_of_an_unsupported_interface_are_counted_and_passed_over(tmp_path: Path) -> None:
    data = section() + interface(189) + interface(1) + enhanced(b"usb") + enhanced(FIRST, index=1) + enhanced(b"usb")
    packets, reader = read(write(tmp_path, data))
    assert [packet.number for packet in packets] == [2]
    assert (reader.infos[0].packets, reader.infos[0].tcp_segments) == (3, 1)
    (remark,) = reader.warnings
    assert (remark.code, remark.severity.value) == ("packets_skipped", "info")
    assert "2 packets were not read" in remark.summary
    assert "2 of USB of Linux" in remark.summary


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_section_without_ip_is_passed_over(order: tuple[int, int], tmp_path: Path) -> None:
    sections = [
        section() + interface(220) + enhanced(bytes(64), 5_000_000),
        section(">") + interface(order=">") + enhanced(FIRST, 6_000_000, order=">"),
    ]
    packets, reader = read(write(tmp_path, b"".join(sections[index] for index in order)))
    assert [packet.data for packet in packets] == [FIRST]
    assert [warning.code for warning in reader.warnings] == ["packets_skipped"]
    assert (reader.infos[0].first, reader.infos[0].last) == (5 * SECOND, 6 * SECOND)


def test_a_file_with_nothing_but_unsupported_packets_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, section() + interface(220) + enhanced(bytes(64)) + enhanced(bytes(64)))
    assert "link type 220 (USB of Linux, padded) is not supported" in str(refused(path))


def test_custom_and_journal_blocks_are_numbered_like_packets(tmp_path: Path) -> None:
    """As Wireshark does it."""
    custom = block(0x0BAD, bytes(8)) + block(0x4000_0BAD, bytes(8))
    data = section() + custom + interface() + block(9, b"MESSAGE=x\n") + enhanced(FIRST, 4_000_000) + custom
    packets, reader = read(write(tmp_path, data + enhanced(FIRST, 5_000_000)))
    assert [(packet.number, packet.time) for packet in packets] == [(4, 4 * SECOND), (7, 5 * SECOND)]
    info = reader.infos[0]
    assert (info.packets, info.tcp_segments, info.first, info.last) == (7, 2, 4 * SECOND, 5 * SECOND)
    assert reader.warnings == []
    assert info.link_type == "Ethernet"


def test_a_packet_without_a_time_has_that_of_the_one_before(tmp_path: Path) -> None:
    """In the section before, too; where there is none, the capture does not begin in 1970."""
    head = section() + interface()
    data = head + simple(FIRST) + enhanced(FIRST, 4_000_000) + head + simple(FIRST) + enhanced(FIRST, 5_000_000)
    packets, reader = read(write(tmp_path, data))
    assert [packet.time for packet in packets] == [0, 4 * SECOND, 4 * SECOND, 5 * SECOND]
    assert (reader.infos[0].first, reader.infos[0].last) == (4 * SECOND, 5 * SECOND)


# --- where the bytes come from -------------------------------------------------------------------------------------

WHOLE = pcap([(NOON, FIRST), (NOON + 1_000, SECOND_FRAME)])
WHOLE_NG = section() + interface() + enhanced(FIRST, NOON // 1_000) + enhanced(SECOND_FRAME, NOON // 1_000 + 1)


@pytest.mark.parametrize("data", [WHOLE, WHOLE_NG])
def test_compressed_files_are_told_by_content(data: bytes, tmp_path: Path) -> None:
    plain = read(write(tmp_path, data))[0]
    assert len(plain) == 2
    pack = zstandard.ZstdCompressor().compress
    for packed in (
        gzip.compress(data),
        gzip.compress(data[:50]) + gzip.compress(data[50:]),
        pack(data),
        pack(data[:50]) + pack(data[50:]),
        lz4.frame.compress(data),
        lz4.frame.compress(data[:50]) + lz4.frame.compress(data[50:]),
        lzma.compress(data),
        lzma.compress(data[:50]) + lzma.compress(data[50:]),
        bz2.compress(data),
        bz2.compress(data[:50]) + bz2.compress(data[50:]),
    ):
        assert read(write(tmp_path, packed, "named.wrong"))[0] == plain


def test_standard_input_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packet is there as soon as it was written, though the writer goes on."""
    source, sink = os.pipe()
    with open(source, "rb") as file, open(sink, "wb", buffering=0) as writer:  # noqa: PTH123  a pipe without a buffer
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))
        reader = CaptureReader(["-"])
        writer.write(pcap_header() + pcap_record(FIRST, NOON))
        packets = iter(reader)
        watchdog = threading.Timer(10, writer.close)
        watchdog.start()
        assert next(packets).data == FIRST
        writer.write(pcap_record(SECOND_FRAME, NOON)[:20])
        writer.write(pcap_record(SECOND_FRAME, NOON)[20:])
        assert next(packets).data == SECOND_FRAME
        watchdog.cancel()
        writer.close()
        assert list(packets) == []
        assert reader.infos[0].file == "-"
        assert not file.closed


def test_empty_standard_input_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(b""))))
    assert str(refused("-")) == "standard input: the file is empty"


def test_a_ring_of_many_files_is_not_open_at_once(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    paths = [write(tmp_path, pcap([(NOON + index, FIRST)], nano=True), f"{index}") for index in range(200)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 100), hard))
    try:
        assert [packet.number for packet in CaptureReader(paths[::-1])] == list(range(1, 201))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_progress_goes_up_to_the_size_of_all_files(pack: type[bytes], tmp_path: Path) -> None:
    data = pack(pcap([(NOON, os.urandom(60_000)) for _ in range(20)]))
    paths = [write(tmp_path, data, name) for name in ("one", "two")]
    calls: list[tuple[int, int | None]] = []
    list(CaptureReader(paths, lambda done, total: calls.append((done, total))))
    assert len(calls) > 5
    assert calls == sorted(calls)
    assert calls[-1] == (2 * len(data), 2 * len(data))


# --- cut off and damaged -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [1, len(FIRST) - 1, len(FIRST), len(FIRST) + 1, len(FIRST) + 15])
def test_a_file_cut_off_in_its_last_record(missing: int, tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE[:-missing])
    packets, reader = read(path)
    assert [packet.data for packet in packets] == [FIRST]
    assert reader.infos[0].truncated
    (warning,) = reader.warnings
    assert (warning.code, warning.severity.value, warning.time) == ("capture_truncated", "warning", NOON)
    assert str(path) in warning.summary
    assert "packet 2" in warning.summary


def test_a_file_cut_off_between_records_is_whole(tmp_path: Path) -> None:
    packets, reader = read(write(tmp_path, WHOLE[: -len(FIRST) - 16]))
    assert (len(packets), reader.warnings) == (1, [])


def test_a_file_cut_off_in_its_first_record(tmp_path: Path) -> None:
    packets, reader = read(write(tmp_path, WHOLE[:60]))
    assert packets == []
    assert reader.infos[0].truncated


@pytest.mark.parametrize("missing", [1, 4, 5, 60, len(FIRST) + 20])
def test_a_pcapng_file_cut_off_in_its_last_block(missing: int, tmp_path: Path) -> None:
    packets, reader = read(write(tmp_path, WHOLE_NG[:-missing]))
    assert [packet.data for packet in packets] == [FIRST]
    assert (reader.infos[0].truncated, len(reader.warnings)) == (True, 1)


def test_a_compressed_file_cut_off(tmp_path: Path) -> None:
    records = [(NOON, os.urandom(1_000)) for _ in range(500)]
    for packed in (gzip.compress(pcap(records)), zstandard.ZstdCompressor().compress(pcap(records))):
        packets, reader = read(write(tmp_path, packed[: len(packed) // 2]))
        assert 100 < len(packets) < 300
        assert [packet.data for packet in packets] == [data for _, data in records[: len(packets)]]
        assert reader.infos[0].truncated


def test_a_compressed_file_damaged_in_the_middle(tmp_path: Path) -> None:
    records = [(NOON, os.urandom(50_000)) for _ in range(50)]
    packed = bytearray(gzip.compress(pcap(records)))
    packed[len(packed) // 2 : len(packed) // 2 + 2_000] = bytes(range(250)) * 8
    packets, reader = read(write(tmp_path, bytes(packed)))
    assert len(packets) >= 10
    assert reader.infos[0].truncated


@pytest.mark.parametrize("damaged", [-1, -5, -8, 0], ids=["length", "checksum", "last of checksum", "none"])
def test_a_gzip_file_gives_all_that_stands_before_the_damage(damaged: int, tmp_path: Path) -> None:
    """Even where all of it is unpacked in one go: what is wrong is known at the very end only."""
    records = [(NOON, os.urandom(1_000)) for _ in range(10)]
    packed = bytearray(gzip.compress(pcap(records)))
    if damaged:
        packed[damaged] ^= 0xFF
    packets, reader = read(write(tmp_path, bytes(packed)))
    assert [packet.data for packet in packets] == [data for _, data in records]
    assert reader.infos[0].truncated == bool(damaged)


@pytest.mark.parametrize("gap", [0, 1, 70_000])
def test_zeros_between_and_behind_the_members_of_a_gzip_file(gap: int, tmp_path: Path) -> None:
    """A tape or a disk was filled up."""
    data = pcap([(NOON, FIRST), (NOON, SECOND_FRAME)])
    packed = b"".join(gzip.compress(part) + bytes(gap) for part in (data[:50], data[50:]))
    packets, reader = read(write(tmp_path, packed))
    assert ([packet.data for packet in packets], reader.infos[0].truncated) == ([FIRST, SECOND_FRAME], False)


def test_something_else_behind_a_gzip_file_is_damage(tmp_path: Path) -> None:
    packets, reader = read(write(tmp_path, gzip.compress(WHOLE) + bytes(9) + b"more"))
    assert (len(packets), reader.infos[0].truncated) == (2, True)


def test_gzip_comes_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a pipe: nobody waits for more compressed bytes than one packet needs."""
    source, sink = os.pipe()
    with open(source, "rb") as file, open(sink, "wb", buffering=0) as writer:  # noqa: PTH123  a pipe without a buffer
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))
        packer = zlib.compressobj(wbits=31)

        def written(part: bytes) -> None:
            writer.write(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH))

        written(pcap_header() + pcap_record(FIRST, NOON))
        watchdog = threading.Timer(10, writer.close)
        watchdog.start()
        packets = iter(CaptureReader(["-"]))
        assert next(packets).data == FIRST
        written(pcap_record(SECOND_FRAME, NOON))
        assert next(packets).data == SECOND_FRAME
        watchdog.cancel()
        writer.write(packer.flush())
        writer.close()
        assert list(packets) == []


def test_an_impossible_record_ends_the_file_there(tmp_path: Path) -> None:
    data = pcap([(NOON, FIRST)])
    path = write(tmp_path, data + struct.pack("<IIII", 1, 0, MAX_CAPTURED + 1, 60) + bytes(1_000))
    packets, reader = read(path)
    assert len(packets) == 1
    assert reader.infos[0].truncated
    assert f"packet 2, offset {len(data)}" in reader.warnings[0].summary


def test_an_impossible_first_record_is_an_error_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, pcap_header() + b"\xff" * 100)
    error = refused(path)
    assert (error.where, error.offset) == (str(path), 24)
    assert "4294967295 bytes" in error.reason


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", ["empty", "text", "zeros", "pcap header cut", "missing"])
def test_a_file_among_several_that_can_not_be_read_is_a_warning(kind: str, place: int, tmp_path: Path) -> None:
    good = [write(tmp_path, WHOLE, "good"), write(tmp_path, WHOLE_NG, "other")]
    bad = tmp_path / "missing" if kind == "missing" else write(tmp_path, GARBAGE[kind], "bad")
    paths = [*good[:place], bad, *good[place:]]
    packets, reader = read(*paths)
    assert len(packets) == 4
    (warning,) = reader.warnings
    assert (warning.code, warning.severity.value) == ("file_skipped", "warning")
    assert str(bad) in warning.summary
    assert [info.packets for info in reader.infos] == [0 if path == bad else 2 for path in paths]


def test_files_of_which_none_can_be_read_are_an_error(tmp_path: Path) -> None:
    paths = [write(tmp_path, GARBAGE[kind], kind) for kind in ("empty", "text")]
    with pytest.raises(CaptureError, match="empty"):
        list(CaptureReader(paths))


def test_a_file_that_vanishes_among_several_is_a_warning(tmp_path: Path) -> None:
    first = write(tmp_path, pcap([(NOON, FIRST)]), "first")
    second = write(tmp_path, pcap([(NOON + 9_000, FIRST)]), "second")
    reader = CaptureReader([first, second])
    packets = iter(reader)
    assert next(packets).number == 1
    second.unlink()
    assert list(packets) == []
    assert [warning.code for warning in reader.warnings] == ["file_skipped"]


HEAD_NG = section() + interface()
GARBAGE = {
    "empty": b"",
    "short": b"\xd4\xc3",
    "text": b"this is no capture file\n" * 10,
    "zeros": bytes(1_000),
    "pcap header cut": pcap_header()[:20],
    "pcap version": pcap_header()[:4] + b"\x09\0" + pcap_header()[6:],
    "pcap link type": pcap_header(link_type=105),
    "gzip of text": gzip.compress(b"text"),
    "gzip cut": gzip.compress(WHOLE)[:10],
    "zstd broken": b"\x28\xb5\x2f\xfd" + b"\xff" * 100,
    "pcapng without byte order": block(0x0A0D0D0A, bytes(16)),
    "pcapng link type": section() + interface(105) + enhanced(FIRST),
    "pcapng without interface": section() + enhanced(FIRST),
    "pcapng short interface": section() + block(1, bytes(4)),
    "pcapng short packet": HEAD_NG + block(6, bytes(16)),
    "pcapng short old packet": HEAD_NG + block(2, bytes(16)),
    "pcapng short simple packet": HEAD_NG + block(3, b""),
    "pcapng packet longer than its block": HEAD_NG + block(6, struct.pack("<IIIII", 0, 0, 0, 100, 100) + bytes(60)),
    "pcapng packet too long": HEAD_NG + enhanced(bytes(MAX_CAPTURED + 1)),
    "pcapng simple packet too long": HEAD_NG + simple(bytes(MAX_CAPTURED + 1)),
    "pcapng block too long": HEAD_NG + struct.pack("<II", 5, MAX_PCAPNG_BLOCK + 4) + bytes(100),
    "pcapng block too short": HEAD_NG + struct.pack("<II", 5, 8) + bytes(100),
    "pcapng packet block without length": HEAD_NG + enhanced(FIRST)[:4] + bytes(4) + enhanced(FIRST)[8:],
    "pcapng odd block": HEAD_NG + struct.pack("<II", 5, 17) + bytes(100),
    "pcapng block lengths differ": HEAD_NG + block(5, bytes(8))[:-4] + bytes(4),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, GARBAGE[name])
    assert str(refused(path)).startswith(str(path))


def test_an_unsupported_link_type_is_named(tmp_path: Path) -> None:
    for data in (GARBAGE["pcap link type"], GARBAGE["pcapng link type"]):
        assert "link type 105 (IEEE 802.11) is not supported" in str(refused(write(tmp_path, data)))
    nameless = pcap_header(link_type=4711), section() + interface(4711) + enhanced(FIRST, 0)
    for data in nameless:
        assert "link type 4711 is not supported" in str(refused(write(tmp_path, data)))


@pytest.mark.parametrize("size", [0, 6, 30])
def test_frames_with_a_check_sequence(size: int, tmp_path: Path) -> None:
    """It stands behind the datagram, and behind what a short frame is filled up with, and is none of the payload."""
    payload = b"x" * size
    filled = ethernet(ipv4(tcp(payload=payload))).ljust(60, b"\0")
    whole = filled + zlib.crc32(filled).to_bytes(4, "little")
    told = pcap_header(link_type=0x2400_0001) + pcap_record(whole, NOON)
    told_ng = section() + interface(options=option(13, b"\4") + option(0, b"")) + enhanced(whole, NOON // 1_000)
    for capture in (told, told_ng, pcap([(NOON, whole)])):
        packets, reader = read(write(tmp_path, capture))
        segments = [parse(packet) for packet in packets]
        assert [one.payload for one in segments if isinstance(one, Segment)] == [payload]
        assert reader.infos[0].link_type == "Ethernet"


def test_what_can_not_be_opened(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pcap"
    assert str(refused(missing)) == f"{missing}: No such file or directory"
    assert str(refused(tmp_path)) == f"{tmp_path}: Is a directory"
    locked = write(tmp_path, WHOLE, "locked")
    locked.chmod(0)
    if not os.access(locked, os.R_OK):
        assert str(refused(locked)) == f"{locked}: Permission denied"


SAMPLES = [
    WHOLE,
    WHOLE_NG,
    gzip.compress(WHOLE),
    zstandard.ZstdCompressor().compress(WHOLE_NG),
    lz4.frame.compress(WHOLE),
    lzma.compress(WHOLE),
    bz2.compress(WHOLE),
]


@settings(max_examples=300, deadline=None)
@given(draw=st.data())
def test_any_damage_is_an_error_or_a_warning(draw: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    damaged = bytearray(draw.draw(st.sampled_from(SAMPLES)))
    for _ in range(draw.draw(st.integers(0, 3))):
        damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    path = write(tmp_path_factory.getbasetemp(), bytes(damaged[: draw.draw(st.integers(0, len(damaged)))]), "damaged")
    reader = CaptureReader([path])
    packets: list[Packet] = []
    refusal = ""
    try:
        packets += reader
    except CaptureError as error:
        refusal = str(error)
    codes = [warning.code for warning in reader.warnings]
    assert codes.count("capture_truncated") == reader.infos[0].truncated
    unread = "packets_skipped" in codes or ("is not supported" in refusal and reader.infos[0].packets)
    assert len(packets) < reader.infos[0].packets if unread else len(packets) == reader.infos[0].packets


# --- recordings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "packets", "segments"),
    [
        ("engine_ten_tasks.pcap", 567, 567),
        ("h19_many.pcap", 4_029, 4_029),
        ("faults/18_loss3_reorder_router.c.pcap", 296, 294),
        ("faults/04_callback_reject_icmp_port.r.pcap", 25, 15),
    ],
)
def test_recordings_are_counted_as_tshark_counts_them(name: str, packets: int, segments: int, captures: Path) -> None:
    info = read(captures / name)[1].infos[0]
    assert (info.packets, info.tcp_segments) == (packets, segments)
