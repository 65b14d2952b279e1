"""The process that reads a file: it ends whatever happens, and what is wrong with a file is told as without it."""

from __future__ import annotations

import gzip
import mmap
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import block, enhanced, interface, option, pcap_header, section
from process_kit import PATIENCE, bytes_read, children, eventually, is_gone

from dissector.errors import CaptureError
from dissector.session.run_detection import find_runs
from dissector.sources import blocks, capture, prefetch
from dissector.sources.bytestream import ByteStream
from dissector.sources.capture import CaptureReader
from dissector.stream.block import Block
from dissector.traffic import Packet

pytestmark = pytest.mark.skipif(not prefetch.available(), reason="no fork here")

RECORDING = Path(__file__).parents[2] / "captures" / "engine_api_manylog.pcap"
RECORDS = RECORDING.read_bytes()[24:]
HEADER = pcap_header()
#: pcapng of two interfaces, and snoop; an IPv6 packet, one of another link type and one that was cut are among them.
PACKETS = [(packet.time, packet.data) for packet in CaptureReader([RECORDING])]
HEAD_NG = section() + interface() + interface(101, option(9, b"\x09"))
NG = b"".join(
    enhanced(data, time // 1_000) if at % 7 else enhanced(data[14:], time, 1, length=len(data) - (at % 2))
    for at, (time, data) in enumerate(PACKETS)
)
SNOOP = struct.pack(">8sII", b"snoop\0\0\0", 2, 4) + b"".join(
    struct.pack(">IIIIII", len(data), len(data), 24 + len(data), 0, *divmod(time // 1_000, 1_000_000)) + data
    for time, data in PACKETS
)
#: More than a piece of shared memory has room for.
LARGE = block(5, bytes(blocks.ROOM))


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small files are read so too; nobody is left behind."""
    monkeypatch.setattr(capture, "WORTH", 0)
    monkeypatch.setattr(blocks, "BLOCK", 70_000)
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def read(path: Path, *, both: bool) -> tuple[list[Packet], CaptureReader, str]:
    """The packets, and the error if there is one."""
    reader, error = CaptureReader([path]), ""
    packets: list[Packet] = []
    try:
        for one in reader.blocks(find_runs, prefetch=both):
            assert isinstance(one.data, bytes) is (len(one.data) > blocks.ROOM)
            packets += one.packets()
    except CaptureError as raised:
        error = str(raised)
    return packets, reader, error


FIRST_BAD = struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30)
FILES = {
    "whole": HEADER + RECORDS * 3,
    "header only": HEADER,
    "cut off in a record": HEADER + (RECORDS * 3)[:-5],
    "cut off in a record's header": HEADER + RECORDS * 2 + RECORDS[:9],
    "impossible record": HEADER + RECORDS * 2 + FIRST_BAD + RECORDS * 3,
    "impossible first record": HEADER + FIRST_BAD + RECORDS,
    "compressed": gzip.compress(HEADER + RECORDS * 3),
    "compressed, cut off": gzip.compress(HEADER + RECORDS * 3)[:-2000],
    "compressed, damaged": gzip.compress(HEADER + RECORDS * 3)[:-9] + b"damaged!!",
    "another link type": HEADER[:20] + struct.pack("<I", 113) + RECORDS,
    "unknown link type": HEADER[:20] + struct.pack("<I", 105) + RECORDS,
    "pcapng": HEAD_NG + NG,
    "pcapng, cut off": HEAD_NG + NG[:-3],
    "pcapng, several sections": (HEAD_NG + NG) * 2,
    "pcapng, impossible block": HEAD_NG + NG + struct.pack("<II", 6, 13) + bytes(99),
    "pcapng, block without length": HEAD_NG + NG + struct.pack("<II", 6, 0) + NG,
    "pcapng, two lengths": HEAD_NG + NG[:-4] + bytes(4) + NG,
    "pcapng, unknown interface": HEAD_NG + NG + enhanced(b"x", index=2) + NG,
    "pcapng, interface that can not be read": HEAD_NG + interface(105) + NG + enhanced(bytes(60), index=2) * 9 + NG,
    "pcapng, times far ahead": section() + interface(options=option(14, b"\xff" * 7 + b"\x7f")) + NG,
    "pcapng, large block": HEAD_NG + NG + LARGE + NG,
    "pcapng, large blocks": HEAD_NG + LARGE * 2 + NG + LARGE,
    "pcapng, large block cut off": HEAD_NG + NG + LARGE[:-9],
    "pcapng, secrets alone in a piece": HEAD_NG + NG + LARGE + block(10, struct.pack("<II", 0x544C534B, 1) + b"x   "),
    "snoop": SNOOP,
    "snoop, cut off": SNOOP[:-9],
    "snoop, impossible record": SNOOP + bytes(24),
}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("is_awaited", [True, False])
@pytest.mark.parametrize("name", FILES)
def test_files_in_any_state(name: str, is_awaited: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever of the two sorts the packets: the one that reads them, or the one that waits for them."""
    monkeypatch.setattr(prefetch.SharedBuffers, "is_awaited", is_awaited)
    path = tmp_path / "x.pcap"
    path.write_bytes(FILES[name])
    (packets, alone, error), (same, both, error_of_both) = read(path, both=False), read(path, both=True)
    assert same == packets
    assert (both.infos, both.warnings, error_of_both) == (alone.infos, alone.warnings, error)


def test_who_has_little_to_do_is_waiting(tmp_path: Path) -> None:
    """Up to one block before the last one; of bytes that go through the pipe nobody knows."""
    path = tmp_path / "x.pcap"
    path.write_bytes(bytes(500_000))
    read, write = os.pipe()
    with (
        ByteStream(str(path)) as stream,
        os.fdopen(read, "rb", buffering=0) as tokens,
        os.fdopen(write, "wb", buffering=0) as returned,
    ):
        buffers = prefetch.SharedBuffers(stream, [mmap.mmap(-1, blocks.ROOM) for _ in range(4)], tokens)
        found, slots = [], []
        for _ in range(4):
            buffers.next(b"", 1)
            found.append(buffers.is_awaited)
            slots.append(buffers.sent())
        assert found == [True, True, False, False]
        returned.write(bytes(slots[:3]))
        buffers.next(b"", 1)
        assert buffers.is_awaited
        buffers.next(b"", blocks.LARGEST + 1)
        assert not buffers.is_awaited


def test_progress_goes_up_to_the_size_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + RECORDS * 3)
    told: list[tuple[int, int | None]] = []
    reader = CaptureReader([path], lambda done, total: told.append((done, total)))
    for _ in reader.blocks(find_runs, prefetch=True):
        pass
    size = path.stat().st_size
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_it_ends_with_whoever_listens(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + RECORDS * 50)
    items = iter(CaptureReader([path]).blocks(find_runs, prefetch=True))
    assert isinstance(next(items), Block)
    (pid,) = children(os.getpid())
    items.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_its_death_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(HEADER + RECORDS * 50)
    items = iter(CaptureReader([path]).blocks(find_runs, prefetch=True))
    next(items)
    (pid,) = children(os.getpid())
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(CaptureError, match="the process that read it was ended"):
        list(items)


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes some seconds."""
    path = tmp_path_factory.mktemp("prefetch") / "large.pcap"
    path.write_bytes(HEADER + RECORDS * 300)
    return path


def start(path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dissector", "read", str(path), "--jobs", "2"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    assert eventually(lambda: running.poll() is not None or children(running.pid))
    assert running.poll() is None
    return running


def test_control_c_ends_both_and_shows_what_was_found(large: Path) -> None:
    with start(large) as running:
        (reader,) = children(running.pid)
        # More than may wait between the two: there is something to show.
        assert eventually(lambda: bytes_read(reader) > (prefetch._SLOTS + 4) << 20)
        os.killpg(running.pid, signal.SIGINT)
        out, error = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert b"large.pcap" in out, error
    assert b"Traceback" not in error
    assert is_gone(-running.pid)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_it_does_not_survive_the_command(number: int, status: int, large: Path) -> None:
    with start(large) as running:
        os.kill(running.pid, number)
        running.communicate(timeout=PATIENCE)
    assert running.returncode == status
    assert is_gone(-running.pid)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("arguments", [[], ["--format", "json"], ["--format", "jsonl", "--filter", "job=x"]])
def test_the_result_is_the_same(arguments: list[str], large: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(large.read_bytes()[: 6 << 20])
    outputs = [
        subprocess.run(
            [sys.executable, "-m", "dissector", "read", str(path), "--jobs", jobs, *arguments],
            capture_output=True,
            check=True,
        )
        for jobs in ("1", "2")
    ]
    assert outputs[0].stdout == outputs[1].stdout
    assert outputs[0].stderr == outputs[1].stderr
    assert outputs[0].stdout
