"""Blocks change nothing but the time that reading takes, in one process or two, in one file or several.

Each capture is traced packet by packet and in blocks; what is printed has to be the same to the last byte.  Reads are
made small, so that borders fall everywhere.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from dissector.session.runs import find_runs
from dissector.stream.blocks import Block, Run
from test_short_cuts import SMALL, Raw, corrupt, cut, lose, printed, raw_packets, shuffle, traced

from dissector.model import CaptureInfo, Connection, Task
from dissector.session import blocks
from dissector.session.order import Event
from dissector.session.tracer import Tracer
from dissector.sources import ahead, bytestream, pcap
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

ROOT = Path(__file__).resolve().parent.parent / "captures"
CAPTURES = sorted([*ROOT.glob("*.pcap"), *sorted(ROOT.glob("faults/*.pcap"))[::5]])
MANY_LINES = ROOT / "engine_api_manylog.pcap"
SECOND = 1_000_000_000
OUTCOME = '"outcome": "failure"'

#: Arguments of a Tracer: whether messages are wanted, and of which callback connections they are made elsewhere.
Wanted = tuple[bool, "Callable[[Connection], bool] | None"]

#: Nothing of messages; all of them; all but those that somebody else has, for whom there are stand-ins.
WITHOUT: Wanted = (False, None)
ALL: Wanted = (True, None)
HALF: Wanted = (True, lambda connection: connection.n % 4 == 2)


def one_by_one(*paths: Path, wanted: Wanted = WITHOUT) -> str:
    reader, tracer = CaptureReader(paths), Tracer(messages=wanted[0], elsewhere=wanted[1])
    return printed(traced(tracer, reader), reader.infos, messages=wanted[0])


def in_blocks(*paths: Path, jobs: int = 1, wanted: Wanted = WITHOUT) -> str:
    reader, tracer = CaptureReader(paths), Tracer(messages=wanted[0], elsewhere=wanted[1])

    def events() -> Iterator[Event]:
        for item in reader.blocks(tracer.watch, find_runs, ahead=jobs > 1):
            for found in blocks.feed(tracer, item):
                yield from found
        yield from tracer.finish()

    return printed(events(), reader.infos, messages=wanted[0])


@pytest.fixture(params=[3_000, 40_000, 1 << 20])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that are read at once."""
    size: int = request.param
    monkeypatch.setattr(bytestream, "_BLOCK", size)
    monkeypatch.setattr(pcap, "BLOCK", size)
    return size


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
@pytest.mark.parametrize("wanted", [WITHOUT, ALL, HALF], ids=["without", "all", "half"])
def test_genuine_captures(path: Path, wanted: Wanted) -> None:
    assert in_blocks(path, wanted=wanted) == one_by_one(path, wanted=wanted)


@pytest.mark.parametrize("damage", [lose, shuffle, corrupt, cut])
def test_damaged_captures(damage: Callable[[list[Raw], random.Random], list[Raw]], size: int, tmp_path: Path) -> None:
    for path in SMALL[::3]:
        damaged = write(tmp_path / "x.pcap", damage(raw_packets(path), random.Random(f"{size} {path.stem}")))
        for wanted in (WITHOUT, ALL, HALF):
            assert in_blocks(damaged, wanted=wanted) == one_by_one(damaged, wanted=wanted), path.stem


def write(path: Path, packets: Sequence[Raw]) -> Path:
    header = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)
    records = (struct.pack("<IIII", *divmod(time, SECOND), len(data), length) + data for time, data, length in packets)
    path.write_bytes(header + b"".join(records))
    return path


# --- two processes -------------------------------------------------------------------------------------------------


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read ahead too, in small blocks."""
    monkeypatch.setattr(pcap, "WORTH", 0)
    monkeypatch.setattr(ahead, "BLOCK", 70_000)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("path", CAPTURES[::2], ids=lambda path: path.stem)
def test_two_processes(path: Path) -> None:
    for wanted in (WITHOUT, ALL):
        assert in_blocks(path, jobs=2, wanted=wanted) == one_by_one(path, wanted=wanted)


# --- several files -------------------------------------------------------------------------------------------------


def ten_copies(packets: Sequence[Raw], later: int = 0) -> list[Raw]:
    """A talk between ten pairs of hosts at once, packet by packet by turns, each begun so many packets ``later`` than
    the one before; nobody looks at checksums."""

    def copy(data: bytes, number: int) -> bytes:
        ends = bytes(one ^ number for one in data[26:34])
        # Equal numbers would be those of one connection on two legs of a gateway.
        seq, ack = ((one + (number << 24)) & 0xFFFF_FFFF for one in struct.unpack_from(">II", data, 38))
        return data[:26] + ends + data[34:38] + struct.pack(">II", seq, ack) + data[46:]

    turns = sorted((at + later * number, number, at) for at in range(len(packets)) for number in range(10))
    return [(SECOND + turn * 1_000_000, copy(packets[at][1], number), packets[at][2]) for turn, number, at in turns]


def test_messages_of_many_connections_keep_their_places(tmp_path: Path) -> None:
    path = write(tmp_path / "x.pcap", ten_copies(raw_packets(MANY_LINES)[:600]))
    for wanted in (WITHOUT, ALL, HALF):
        assert in_blocks(path, wanted=wanted) == one_by_one(path, wanted=wanted)
    assert in_blocks(path, wanted=ALL).count('"kind": "answer"') > 500


@pytest.mark.parametrize("most", [4, 12, 30])
def test_connections_that_are_given_up_under_way(most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There are twenty and room for fewer."""
    for module in ("session.blocks", "session.tracer", "stream.flows"):
        monkeypatch.setattr(f"dissector.{module}.MAX_CONNECTIONS", most)
    path = write(tmp_path / "x.pcap", ten_copies(raw_packets(MANY_LINES)[:600], later=50))
    for wanted in (WITHOUT, ALL, HALF):
        assert in_blocks(path, wanted=wanted) == one_by_one(path, wanted=wanted)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_ring(jobs: int, tmp_path: Path) -> None:
    """Files one behind the other, named in another order."""
    for path in SMALL[::4]:
        packets = raw_packets(path)
        borders = [0, len(packets) // 5, len(packets) // 2, len(packets)]
        parts = [
            write(tmp_path / f"{at}.pcap", packets[begin:end]) for at, (begin, end) in enumerate(pairwise(borders))
        ]
        assert in_blocks(*reversed(parts), jobs=jobs) == one_by_one(*reversed(parts)), path.stem


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("jobs", [1, 2])
def test_files_that_overlap(jobs: int, tmp_path: Path) -> None:
    """One file alone, then both by turns, then the other one alone."""
    for path in SMALL[::4]:
        packets, dice = raw_packets(path), random.Random(path.stem)
        third = len(packets) // 3
        first = {at for at in range(2 * third) if at < third or dice.random() < 0.5}
        parts = [
            write(tmp_path / "first.pcap", [one for at, one in enumerate(packets) if at in first]),
            write(tmp_path / "second.pcap", [one for at, one in enumerate(packets) if at not in first]),
        ]
        for wanted in (WITHOUT, ALL):
            assert in_blocks(*parts, jobs=jobs, wanted=wanted) == one_by_one(*parts, wanted=wanted), path.stem


def test_a_ring_is_skipped_through_like_one_file(tmp_path: Path) -> None:
    """Foreign packets of all files are passed over, and counted."""
    talk = [(SECOND * at, data, len(data)) for at, data in enumerate(foreign_talk())]
    parts = [write(tmp_path / f"{at}.pcap", talk[at * 50 : at * 50 + 50]) for at in range(4)]
    reader, tracer = CaptureReader(parts), Tracer()
    numbers = []
    for packet in reader.relevant(tracer.watch):
        numbers.append(packet.number)
        tracer.feed(packet)
        tracer.watch.wake = packet.time + 60 * SECOND
    assert len(numbers) < 30
    assert [info.packets for info in reader.infos] == [50] * 4
    # The first packets of each file are seen, by their numbers among all.
    assert numbers == sorted(numbers)
    assert numbers[-1] > 150


@pytest.mark.parametrize("ends", [b"", b"\x11", b"\x14", b"\x11\x10\x10"], ids=["open", "fin", "reset", "late"])
@pytest.mark.parametrize("pages", [1, 200])
def test_the_ports_of_a_foreign_connection_are_used_again(ends: bytes, pages: int, tmp_path: Path) -> None:
    """By a task's command; what ended is not kept in mind."""
    packets = raw_packets(ROOT / "engine_shell_fail.pcap")
    command = next(data for _, data, _ in packets if b"start_remote_task" in data)
    before = [
        *foreign_talk(pages, (command[26:34], command[34:38])),
        *foreign_ends(ends, (command[26:34], command[34:38])),
    ]
    first = packets[0][0] - SECOND
    path = write(tmp_path / "x.pcap", [*((first + at, data, len(data)) for at, data in enumerate(before)), *packets])
    assert one_by_one(path).count(OUTCOME) == one_by_one(ROOT / "engine_shell_fail.pcap").count(OUTCOME) == 1
    for wanted in (WITHOUT, ALL):
        assert in_blocks(path, wanted=wanted) == one_by_one(path, wanted=wanted)


@pytest.mark.usefixtures("size")
def test_foreign_connections_that_ended_are_not_kept(tmp_path: Path) -> None:
    talks: list[bytes] = []
    for port in range(1, 100):
        ends = bytes((10, 0, 0, 1, 10, 0, 0, 2)), struct.pack(">HH", 40_000 + port, 80)
        talks += [*foreign_talk(5 + port, ends), *foreign_ends(b"\x11\x10"[: 1 + port % 2], ends)]
    path = write(tmp_path / "x.pcap", [(SECOND + at, data, len(data)) for at, data in enumerate(talks)])
    for prepare in (find_runs, None):
        reader, tracer = CaptureReader([path]), Tracer()
        for item in reader.blocks(tracer.watch, prepare):
            assert [event for found in blocks.feed(tracer, item) for event in found] == []
        assert len(tracer.watch.foreign) <= 2


def foreign_ends(flags: bytes, ends: tuple[bytes, bytes]) -> list[bytes]:
    """Packets without data, each with one of these flags."""
    one = next(foreign_talk(1, ends))
    return [one[:38] + b"\xff\xff\xff" + one[41:47] + bytes((flag,)) + one[48:] for flag in flags]


def foreign_talk(
    number: int = 200, ends: tuple[bytes, bytes] = (bytes((10, 0, 0, 1, 10, 0, 0, 2)), struct.pack(">HH", 40_000, 80))
) -> Iterator[bytes]:
    """TLS, so many packets of it, between these addresses and ports."""
    ethernet = bytes(12) + b"\x08\0"
    seq = 0
    for at in range(number):
        payload = b"\x16\x03\x01\0\x0d" + bytes(13) if at else b""
        flags = 0x18 if at else 0x02
        tcp = ends[1] + struct.pack(">IIBBHHH", seq, 1, 0x50, flags, 500, 0, 0) + payload
        yield ethernet + struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), at, 0, 64, 6, 0) + ends[0] + tcp
        seq += len(payload) or 1


# --- blocks are of use ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [WITHOUT, ALL, HALF], ids=["without", "all", "half"])
def test_most_packets_of_a_dialog_are_in_runs(wanted: Wanted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests above would compare one way with itself."""
    taken: list[Run] = []
    fed: list[Packet] = []
    take, feed = blocks.take, Tracer.feed

    def counted_take(entry: object, run: Run) -> tuple[int, int]:
        taken.append(run)
        return take(entry, run)  # type: ignore[arg-type]

    def counted_feed(tracer: Tracer, packet: Packet) -> Sequence[Event]:
        fed.append(packet)
        return feed(tracer, packet)

    monkeypatch.setattr(blocks, "take", counted_take)
    monkeypatch.setattr(Tracer, "feed", counted_feed)
    in_blocks(MANY_LINES, wanted=wanted)
    assert sum(run.stop - run.first for run in taken) > 5 * len(fed)
    assert any(len(item) > 5 for run in taken for item in run.items), "requests with their answers, many at once"


def test_a_long_silence_ends_a_run(tmp_path: Path) -> None:
    """What the tracer gives up after a while must not seem younger than it is."""
    packets = raw_packets(MANY_LINES)
    middle = len(packets) // 2
    path = write(tmp_path / "x.pcap", [*packets[:middle], *((t + 100 * SECOND, d, n) for t, d, n in packets[middle:])])
    found: list[Block] = []

    def prepare(block: Block) -> None:
        find_runs(block)
        found.append(block)

    tracer = Tracer(messages=False)
    for _ in CaptureReader([path]).blocks(tracer.watch, prepare):
        pass
    spans = [
        (block.times[talk.places[run.first] >> 1], block.times[talk.places[run.stop - 1] >> 1])
        for block in found
        for talk in block.talks
        for run in talk.runs
    ]
    border = packets[middle][0]
    assert spans
    assert not any(begin < border < end for begin, end in spans)
    assert in_blocks(path) == one_by_one(path)


def test_packets_out_of_order_are_fed_one_by_one(tmp_path: Path) -> None:
    packets = raw_packets(MANY_LINES)
    packets[10], packets[300] = packets[300], packets[10]
    path = write(tmp_path / "x.pcap", packets)
    assert in_blocks(path) == one_by_one(path)


def test_infos_count_what_blocks_pass_over(tmp_path: Path) -> None:
    talk = [(SECOND + at, data, len(data) + 7) for at, data in enumerate(foreign_talk())]
    reader, tracer = CaptureReader([write(tmp_path / "x.pcap", talk)]), Tracer(messages=False)
    for item in reader.blocks(tracer.watch, find_runs):
        for found in blocks.feed(tracer, item):
            assert not any(isinstance(event, Task) for event in found)
    assert reader.infos == [
        CaptureInfo(str(tmp_path / "x.pcap"), 200, 200, SECOND, SECOND + 199, "Ethernet", truncated=False)
    ]
