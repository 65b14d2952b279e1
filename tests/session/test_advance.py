"""What a tracer is fed of a block: little of what is foreign, whole runs of a dialog, all of what is out of order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders import ACK, FIN, PSH, RST, SECOND, SYN, ethernet, ipv4, pcap, tcp
from conversation import EPOCH
from kit import CAPTURES, nanoseconds
from stories import LINES, story

from dissector.model import CaptureInfo, Event, Outcome, Task
from dissector.session import advance
from dissector.session import tracer as tracer_module
from dissector.session.advance import _Cursor, _cursors
from dissector.session.run_detection import find_runs
from dissector.session.skim import Skim
from dissector.session.tracer import Tracer
from dissector.sources.blocks import BLOCK
from dissector.sources.capture import CaptureReader
from dissector.stream import fast_path
from dissector.stream.block import Block, Conversation, Stretch
from dissector.traffic import Packet

Records = Sequence[tuple[int, bytes]]
WEB = ("10.0.0.1", 40_000, "10.0.0.2", 80)
#: The port of commands in recordings.
COMMANDS = (4455).to_bytes(2, "big")


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[Packet]:
    """The packets that tracers were fed one by one."""
    found: list[Packet] = []
    take = Tracer.take_packet

    def counted(tracer: Tracer, packet: Packet) -> None:
        found.append(packet)
        take(tracer, packet)

    monkeypatch.setattr(Tracer, "take_packet", counted)
    return found


def write(folder: Path, *files: Records) -> list[Path]:
    paths = [folder / f"{at}.pcap" for at in range(len(files))]
    for path, records in zip(paths, files, strict=True):
        path.write_bytes(pcap(records, nano=True))
    return paths


def followed(*paths: Path, messages: bool = False) -> tuple[Tracer, list[Event], CaptureReader]:
    """A tracer after all blocks, and what it told; the capture is not over for it."""
    tracer, reader = Tracer(messages=messages), CaptureReader(paths)
    events = [event for block in reader.blocks(find_runs) for some in advance.feed(tracer, block) for event in some]
    return tracer, events, reader


def foreign(number: int = 200, ends: tuple[str, int, str, int] = WEB, flags: Sequence[int] = ()) -> list[bytes]:
    """TLS, so many packets of it, between these addresses and ports; then packets without data that have ``flags``."""
    src, sport, dst, dport = ends
    hello = b"\x16\x03\x01\0\x0d" + bytes(13)
    bodies = [tcp(sport, dport, 0, 1, SYN)]
    bodies += [tcp(sport, dport, 1 + 18 * at, 1, PSH | ACK, payload=hello) for at in range(number - 1)]
    bodies += [tcp(sport, dport, 0xFFFFFF00, 1, flag) for flag in flags]
    return [ethernet(ipv4(body, src, dst)) for body in bodies]


# --- what is foreign -------------------------------------------------------------------------------------------------


def test_foreign_packets_are_counted_and_passed_over(fed: list[Packet], tmp_path: Path) -> None:
    """But for the first ones, if the connection begins unlike others; in one file or in several, by their numbers among
    all."""
    told = [(SECOND * (at + 1), data) for at, data in enumerate([*foreign(1), *foreign(199)])]
    for files in ([told], [told[at * 50 : at * 50 + 50] for at in range(4)]):
        paths = write(tmp_path, *files)
        tracer, events, reader = followed(*paths)
        assert events == []
        assert tracer.clock.now == 200 * SECOND
        assert 0 < len(fed) < 30
        assert [packet.number for packet in fed] == list(range(1, len(fed) + 1))
        fed.clear()
        assert reader.infos == [
            CaptureInfo(str(path), len(some), len(some), some[0][0], some[-1][0], "Ethernet", truncated=False)
            for path, some in zip(paths, files, strict=True)
        ]


@pytest.mark.parametrize("ends", [(), (FIN | ACK,), (RST | ACK,), (FIN | ACK, ACK, ACK)], ids=str)
@pytest.mark.parametrize("pages", [1, 200])
def test_the_ports_of_a_foreign_connection_are_used_again(ends: tuple[int, ...], pages: int, tmp_path: Path) -> None:
    """By a task's command; what ended is not kept in mind."""
    packets = [(packet.time, packet.data) for packet in CaptureReader([CAPTURES / "engine_shell_fail.pcap"])]
    command = next(data for _, data in packets if b"start_remote_task" in data)
    before = [data[:26] + command[26:38] + data[38:] for data in foreign(pages, flags=ends)]
    (path,) = write(tmp_path, [*((packets[0][0] - SECOND + at, data) for at, data in enumerate(before)), *packets])
    tracer, events, _ = followed(path)
    outcomes = [event.outcome for event in [*events, *tracer.finish()] if isinstance(event, Task)]
    # A SYN alone to that port is a poll of it: the task begins when it is open.
    assert outcomes == [Outcome.FAILURE]


@pytest.mark.parametrize("size", [3_000, 40_000, BLOCK])
def test_foreign_connections_that_ended_are_not_kept(
    size: int, fed: list[Packet], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("dissector.sources.blocks.BLOCK", size)
    monkeypatch.setattr("dissector.sources.bytestream._BLOCK", size)
    talks: list[bytes] = []
    for port in range(1, 100):
        talks += foreign(5 + port, ("10.0.0.1", 40_000 + port, "10.0.0.2", 80), (FIN | ACK, ACK)[: 1 + port % 2])
    (path,) = write(tmp_path, [(SECOND + at, data) for at, data in enumerate(talks)])
    tracer, events, _ = followed(path)
    assert events == []
    assert len(tracer.foreign) <= 2
    assert len(fed) < len(talks) / 5


def of_keys(*pairs: tuple[bytes, bytes], syns: Sequence[int] = ()) -> Block:
    conversations = [Conversation(pair, list(syns), [], []) for pair in pairs]
    return Block(b"", [0], [0], [1], True, (1, 1), [Stretch(0, 1, 14)], {}, [], [], conversations)


@pytest.mark.parametrize(("known", "left"), [(2, 0), (3, 2)])
def test_foreign_conversations_are_left_out_unless_one_may_be_forgotten(
    known: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three connections are remembered at most; the two of the block could push out the ones that are known."""
    monkeypatch.setattr(advance, "MAX_CONNECTIONS", 4)
    keys = [(bytes([index]) * 12, bytes([100 + index]) * 12) for index in range(known)]
    tracer = Tracer()
    tracer.foreign.update((key, None) for pair in keys for key in pair)
    assert len(_cursors(tracer, of_keys(*keys[:2]))) == left


def test_a_conversation_that_begins_anew_is_looked_at() -> None:
    pair = (bytes(12), bytes([1]) * 12)
    tracer = Tracer()
    tracer.foreign.update(dict.fromkeys(pair))
    assert len(_cursors(tracer, of_keys(pair))) == 0
    assert len(_cursors(tracer, of_keys(pair, syns=[0]))) == 1
    del tracer.foreign[pair[1]]
    assert len(_cursors(tracer, of_keys(pair))) == 1


# --- what is ours ----------------------------------------------------------------------------------------------------


def test_packets_out_of_order_are_fed_one_by_one(fed: list[Packet], tmp_path: Path) -> None:
    packets = [(packet.time, packet.data) for packet in CaptureReader([CAPTURES / "engine_api_manylog.pcap"])][:500]
    followed(*write(tmp_path, packets))
    assert len(fed) < 100
    fed.clear()
    packets[10], packets[300] = packets[300], packets[10]
    followed(*write(tmp_path, packets))
    assert len(fed) == 500


@pytest.mark.parametrize("prepare", [find_runs, id])
def test_lines_of_a_run_are_kept_with_their_times(prepare: Any, tmp_path: Path) -> None:
    records = sorted(story(LINES).records, key=lambda record: record.time)
    (path,) = write(tmp_path, [(EPOCH * SECOND + record.time, record.data) for record in records])
    tracer = Tracer(messages=False)
    blocks = CaptureReader([path]).blocks(prepare)
    events = [event for block in blocks for some in advance.feed(tracer, block) for event in some] + tracer.finish()
    (task,) = [event for event in events if isinstance(event, Task)]
    assert [line.text for line in task.log] == [f"line {index}" for index in range(12)]
    assert {line.level for line in task.log} == {"warn"}
    assert task.log[1].time - task.log[0].time == nanoseconds(0.002)
    assert task.log[0].time == EPOCH * SECOND + nanoseconds(0.03)
    assert [line.packet for line in task.log] == [
        next(number for number, one in enumerate(records, 1) if f"line {index}".encode() in one.data)
        for index in range(12)
    ]
    assert (task.counts.log_lines, task.counts.callbacks) == (12, 12 + 2)


def test_most_packets_that_are_in_no_run_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """And most of their messages are skimmed."""
    taken: dict[str, list[bool]] = {"fast": [], "skimmed": []}
    fast, take = fast_path.advance, Skim.take

    def counted_fast(*arguments: Any) -> Any:
        taken["fast"].append((brought := fast(*arguments)) is not False)
        return brought

    def counted_take(*arguments: Any) -> bool:
        taken["skimmed"].append(took := take(*arguments))
        return took

    monkeypatch.setattr(tracer_module, "advance", counted_fast)
    monkeypatch.setattr(Skim, "take", counted_take)
    tracer = Tracer(messages=False)
    for block in CaptureReader([CAPTURES / "engine_api_manylog.pcap"]).blocks():
        list(advance.feed(tracer, block))
    for answers in taken.values():
        assert len(answers) > 100
        assert sum(answers) > 0.8 * len(answers)


@pytest.mark.parametrize("messages", [False, True])
def test_a_run_that_came_too_early_is_taken_from_where_it_can_be(
    messages: bool, fed: list[Packet], tmp_path: Path
) -> None:
    """A callback whose start is not there waits for it, where there are commands; one long run comes meanwhile."""
    commands, callback = (
        [one for one in CaptureReader([CAPTURES / name]) if one.key and (COMMANDS in one.key[-4:]) is wanted]
        for name, wanted in (("engine_shell_ok.pcap", True), ("engine_api_manylog.pcap", False))
    )
    late = max(one.time for one in commands) - callback[0].time + SECOND
    records = [(one.time, one.data) for one in commands] + [(one.time + late, one.data) for one in callback]
    paths = write(tmp_path, records)
    _, events, _ = followed(*paths, messages=messages)
    assert len(callback) > 1_000
    assert len(fed) < len(commands) + len(callback) / 10
    fed.clear()
    tracer = Tracer(messages=messages)
    one_by_one = [event for packet in CaptureReader(paths) for event in tracer.feed(packet)]
    assert len(fed) == len(records)
    assert [type(one) for one in events] == [type(one) for one in one_by_one]


# --- what is kept of segments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("packets", [60, 90, 200])
def test_as_many_segments_are_known_again_behind_runs(packets: int, tmp_path: Path) -> None:
    """The newest sixteen of each direction, as packet by packet: a retransmission is told by them."""
    read = islice(CaptureReader([CAPTURES / "engine_api_manylog.pcap"]), packets)
    paths = write(tmp_path, [(packet.time, packet.data) for packet in read])
    (fast, _, _), one_by_one = followed(*paths), Tracer(messages=False)
    keys = set()
    for packet in CaptureReader(paths):
        one_by_one.feed(packet)
        if packet.key is not None:
            keys.add(packet.key)
    entries = [[tracer._connections.find(key) for key in sorted(keys)] for tracer in (fast, one_by_one)]
    kept = [[entry.sender.recent for entry in some if entry is not None] for some in entries]
    assert kept[0] == kept[1]
    assert max(len(recent or ()) for recent in kept[0]) == 16


# --- the end of what is foreign ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [FIN, RST, RST | ACK, ACK | PSH, SYN])
@pytest.mark.parametrize(("place", "counts"), [(0, False), (1, False), (2, True), (3, True), (4, True)])
def test_a_conversation_ends_with_one_of_its_last_three_packets(
    place: int, counts: bool, flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advance, "flags_of", lambda _, key, index: flags if (key, index) == (b"k", place) else ACK)
    conversation = Conversation((b"k", b"l"), [], [2 * index + index % 2 for index in range(5)], [])
    is_end = bool(flags & (FIN | RST))
    assert advance._ends(cast("Block", None), conversation) is (counts and is_end)
    alone = conversation._replace(places=conversation.places[place : place + 1])
    assert advance._ends(cast("Block", None), alone) is is_end


@pytest.mark.parametrize("is_end", [True, False])
@pytest.mark.parametrize(("begins", "is_last"), [(6, True), (7, False), (8, False)])
def test_what_follows_a_stranger_is_passed_over_up_to_the_next_beginning(
    begins: int, is_last: bool, is_end: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, object]] = []
    monkeypatch.setattr(advance, "_ends", lambda *_: is_end)
    strangers = SimpleNamespace(tell=lambda *args: told.append(("tell", args[0])))
    tracer = SimpleNamespace(
        strangers=strangers,
        ended=lambda *keys: told.append(("ended", keys)),
        passed=lambda *keys: told.append(("passed", keys)),
    )
    cursor = _Cursor(Conversation((b"k", b"l"), [0, begins], [0, 3, 14, 17, 18], [], 2), True)
    cursor.at, cursor.stranger = 2, cast("Any", "stranger")
    advance._step(cast("Tracer", tracer), cast("Block", None), cursor, 7)
    assert (cursor.at, cursor.stranger) == (5 if is_last else 3, None)
    assert told == [("tell", "stranger"), ("ended" if is_last and is_end else "passed", (b"k", b"l"))]
