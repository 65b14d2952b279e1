"""Capture files as they are written: what the reader reads is what was written, at the edges of what can be told."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import block, enhanced, option, pcap_header, pcap_record, section
from click.testing import Result

from dissector.sources.capture import CaptureReader
from dissector.sources.formats import Pcap, Pcapng, fits_pcap
from dissector.sources.ring import CaptureWriter
from dissector.traffic import Packet

Command = Callable[..., Result]
SECOND = 1_000_000_000
ALL_TICKS = (1 << 64) - 1
GREATEST, LEAST = (1 << 63) - 1, -(1 << 63)
TIMES = {
    "1970": 0,
    "before 1970": -1,
    "long before": -123_456_789_012_345_678_901,
    "last of 64 bits": ALL_TICKS,
    "first beyond": ALL_TICKS + 1,
    "last of a stride": (1 << 33) * SECOND - 1,
    "2107": (1 << 32) * SECOND,
    "least offset": LEAST * SECOND,
    "greatest offset": GREATEST * SECOND + ALL_TICKS,
    "microseconds": GREATEST * SECOND + ALL_TICKS * 1_000,
    "milliseconds": GREATEST * SECOND + ALL_TICKS * 1_000_000,
    "seconds": GREATEST * SECOND + ALL_TICKS * SECOND,
}


@pytest.mark.parametrize("time", TIMES.values(), ids=TIMES.keys())
def test_times_of_pcapng(time: int, tmp_path: Path) -> None:
    form, path = Pcapng(), tmp_path / "x.pcapng"
    times = [1_700_000_000 * SECOND, time, 1_700_000_001 * SECOND, time]
    path.write_bytes(form.begin() + b"".join(form.packet(one, 1, bytes(60), 60) for one in times) + form.end())
    assert [packet.time for packet in CaptureReader([path])] == times


def test_wireshark_reads_a_time_before_1970(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("needs tshark")
    form, path = Pcapng(), tmp_path / "x.pcapng"
    path.write_bytes(form.begin() + form.packet(-2 * SECOND + 5, 1, bytes(60), 60) + form.packet(7, 1, bytes(60), 60))
    command = ["tshark", "-r", str(path), "-T", "fields", "-e", "frame.time_epoch"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert [float(line) for line in out.split()] == [pytest.approx(-2.0, abs=1e-6), pytest.approx(7e-9)]


@pytest.mark.parametrize(
    ("time", "fits"), [(0, True), (-1, False), (2**32 * SECOND - 1, True), (2**32 * SECOND, False)]
)
def test_times_of_pcap(time: int, fits: bool, tmp_path: Path) -> None:
    assert fits_pcap(time) is fits
    form, path = Pcap(), tmp_path / "x.pcap"
    if not fits:
        with pytest.raises(ValueError, match="name it"):
            form.packet(time, 1, b"", 0)
        return
    path.write_bytes(form.begin() + form.packet(time, 1, bytes(60), 60) + form.end())
    assert [packet.time for packet in CaptureReader([path])] == [time]


def test_pcap_has_one_link_type(tmp_path: Path) -> None:
    form, path = Pcap(nano=False), tmp_path / "x.pcap"
    data = form.begin() + form.packet(5_999, 113, bytes(60), 60)
    with pytest.raises(ValueError, match="one link type only"):
        form.packet(6_000, 1, bytes(60), 60)
    path.write_bytes(data + form.end())
    assert [(packet.time, packet.link_type) for packet in CaptureReader([path])] == [(5_000, 113)]
    assert Pcap().end()[20:24] == b"\1\0\0\0"


def test_a_comment_of_any_characters() -> None:
    form = Pcapng()
    data = form.begin(["a\udcffb", "ä" * 40_000])
    assert b"a?b" in data
    assert "ä".encode() * 32_500 in data
    assert "ä".encode() * 32_501 not in data


# --- the commands --------------------------------------------------------------------------------------------------


def shifted(source: Path, ticks: int, resolution: int, offset: int) -> bytes:
    """The capture with its times from ``ticks`` of an interface's clock on."""
    clock = [option(9, bytes([resolution])), option(14, struct.pack("<q", offset)), option(0, b"")]
    described = block(1, struct.pack("<HHI", 1, 0, 0) + b"".join(clock))
    packets = [enhanced(packet.data, ticks + packet.number) for packet in CaptureReader([source])]
    return b"".join([section(), described, *packets])


CLOCKS = {
    "before 1970": (0, 6, -(1 << 40)),
    "beyond": (ALL_TICKS - 1_000, 6, 0),
    "far": (ALL_TICKS - 1_000, 0, GREATEST),
}


@pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS.keys())
@pytest.mark.parametrize("ending", ["pcapng", "other"])
@pytest.mark.parametrize("command", ["slice", "redact"])
def test_copies_keep_their_times(
    command: str, ending: str, clock: tuple[int, int, int], captures: Path, tmp_path: Path, jstrace: Command
) -> None:
    source, target = tmp_path / "in.pcapng", tmp_path / f"out.{ending}"
    source.write_bytes(shifted(captures / "engine_shell_fail.pcap", *clock))
    options = ["--filter", "job=shell_fail"] if command == "slice" else []
    result = jstrace(command, source, target, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    times = [packet.time for packet in CaptureReader([source])]
    written = [packet.time for packet in CaptureReader([target])]
    assert len(written) >= 49
    assert set(written) <= set(times)
    refused = jstrace(command, source, tmp_path / "x.pcap", *options)
    assert refused.exit_code == 2
    assert "no place for times before 1970" in refused.stderr
    assert not (tmp_path / "x.pcap").exists()


def test_a_pcap_file_whose_fractions_go_beyond_its_seconds(captures: Path, tmp_path: Path, jstrace: Command) -> None:
    """A fraction of more than a second is read as what it is; the copy gets a format that has a place for the sum."""
    packets = list(CaptureReader([captures / "engine_shell_fail.pcap"]))
    records = [pcap_record(packet.data, packet.number)[8:] for packet in packets]
    last = struct.pack("<II", 0xFFFF_FFFF, 0xFFFF_FFFF)
    source, target = tmp_path / "in.pcap", tmp_path / "out"
    source.write_bytes(pcap_header() + b"".join(last + record for record in records))
    assert jstrace("redact", source, target).exit_code == 0
    assert {packet.time for packet in CaptureReader([target])} == {0xFFFF_FFFF * (SECOND + 1_000)}


def test_what_is_recorded_from_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    writer = CaptureWriter(str(path))
    for time in TIMES.values():
        writer.write(Packet(1, time, 1, bytes(60), 60), "-")
    writer.close(check=True)
    assert [packet.time for packet in CaptureReader([path])] == list(TIMES.values())
    assert writer.failure is None


def test_what_a_pcap_file_has_no_place_for_ends_the_writing_only(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    writer = CaptureWriter(str(path))
    writer.write(Packet(1, 5, 1, bytes(60), 60), "-")
    writer.write(Packet(2, -5, 1, bytes(60), 60), "-")
    writer.write(Packet(3, 6, 1, bytes(60), 60), "-")
    writer.close()
    assert writer.failure is not None
    assert "name it .pcapng; nothing more is written" in writer.failure
    assert [packet.time for packet in CaptureReader([path])] == [5]
