"""Runs of a block beside what a plain count of the same packets gives; every oddity ends a run just there."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import cycle, pairwise
from typing import Any, NamedTuple, TypeGuard

import pytest
from builders import A6, B6, ethernet, ipv6
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import ACK, FIN, HEALTHY, PSH, RST, SYN, Address, Line, Record, framed

from dissector.limits import MAX_DECODED_MESSAGE
from dissector.session.run_detection import find_runs
from dissector.session.run_messages import Alignment, may_be_messages
from dissector.session.run_pairs import DONE
from dissector.stream.block import Block, Joined, Pairs, Piece, Run, Stretch, conversations_of
from dissector.wire import messages as m
from dissector.wire.decode import encode

SECOND, MS = 1_000_000_000, 1_000_000
PROCESS, CLIENT = 0, 1
BETWEEN = 16
EMPTY = m.Variant(0, None)
NOBODY = bytes(16)
TEXT = m.Variant(8, "a line")
STEP = m.Call(1, "step", m.DispParams((), ()))


def invoke(*values: m.Variant, names: tuple[int, ...] = (), flags: int = 1) -> bytes:
    return framed(encode(m.Invoke(5, 14, NOBODY, 0, flags, m.DispParams(names, values))))


LOG = invoke(TEXT, m.Variant(3, -7))
DOUBLE = m.Variant(5, m.Double("-1.5e3"))
#: The least of each type of number.
NUMBERS = [(2, -(2**15)), (3, -(2**31)), (6, -(2**63)), (10, -(2**31)), (16, -128), (17, 0), (18, 0), (19, 0)]
NUMBERS += [(20, -(2**63)), (21, 0), (22, -(2**31)), (23, 0)]


def look_up(*names: str) -> bytes:
    return framed(encode(m.GetIdsOfNames(5, NOBODY, 0, names)))


FOUND = framed(b"A" + bytes(8))
STEPPING = framed(encode(STEP))
CREATING = framed(encode(HEALTHY[0][1]))
ANSWER = framed(DONE)
RELEASE, RELEASED = framed(encode(m.Release(5))), framed(b"A")
KEEP_ALIVE = framed(b"K")


Around = Callable[[bytes, int], tuple[bytes, int]]


class Spoken:
    """Packets of one callback connection, 1 ms apart; ``say`` sends one packet."""

    def __init__(self, syn: bool = False, isn: int = 1_000) -> None:
        self.records: list[Record] = []
        self.sides: list[int] = []
        self.line = Line(self.records, Address("10.2.0.10", 50_000), Address("10.1.0.10", 59_999), isn)
        self.time = 5 * SECOND
        if syn:
            self.say(PROCESS, flags=SYN).say(CLIENT, flags=SYN | ACK).say(PROCESS)

    def say(self, side: int, payload: bytes = b"", flags: int = ACK, after: int = MS) -> Spoken:
        self.time += after
        self.line.packet(self.time, side, flags, payload)
        number = len(self.records)
        data = self.records[-1].data
        # A TTL and an IP id of its own for each packet.
        data = data[:18] + struct.pack(">HHB", number, 0x4000, 60 + number % 4) + data[23:]
        self.records[-1] = Record(self.time, data)
        self.sides.append(side)
        return self

    def talk(self, turns: int = 4) -> Spoken:
        """The task process logs lines."""
        for _ in range(turns):
            self.say(PROCESS, LOG, flags=PSH | ACK).say(CLIENT, ANSWER)
        return self

    def change(self, place: int, at: int, value: bytes) -> Spoken:
        """Other bytes in the frame of one packet."""
        time, data = self.records[place]
        self.records[place] = Record(time, data[:at] + value + data[at + len(value) :])
        return self

    def block(self, cut: int = 0, around: Around = lambda data, _: (data, 14)) -> Block:
        """``cut``: so many bytes of the last packet were not captured; ``around`` makes other packets of them, by their
        sides, and tells where their IP headers are."""
        groups: dict[bytes, list[int]] = {}
        syns: dict[bytes, list[int]] = {}
        begins, ends, data = [], [], b""
        stretches: list[Any] = []
        for index, (record, side) in enumerate(zip(self.records, self.sides, strict=True)):
            frame, at = around(record.data, side)
            addresses = at + (12 if frame[at] >> 4 == 4 else 8)
            key = frame[addresses : addresses + (12 if frame[at] >> 4 == 4 else 36)]
            groups.setdefault(key, []).append(2 * index)
            if record.data[47] & SYN:
                syns.setdefault(key, []).append(index)
            data += bytes(BETWEEN) + frame
            begins.append(len(data) - len(frame))
            ends.append(len(data))
            if not stretches or stretches[-1].ip != at:
                stretches.append(Stretch(index, 1, at))
        ends[-1] -= cut
        data += bytes(BETWEEN)
        conversations = conversations_of(dict(reversed(groups.items())), syns)
        times = [record.time for record in self.records]
        span = times[0], times[-1]
        return Block(
            data,
            begins,
            ends,
            times,
            True,
            span,
            stretches,
            {},
            [],
            [],
            conversations,
            range(101, 101 + len(times)),
        )

    def runs(self, **options: Any) -> list[Run]:
        """The runs that are found; what they say of their packets is right."""
        block = self.block(**options)
        find_runs(block)
        (talk,) = block.conversations
        assert [place >> 1 for place in talk.places] == list(range(len(self.records)))
        for run in talk.runs:
            check(block, [place & 1 for place in talk.places], run)
        return talk.runs

    def spans(self, **options: Any) -> list[tuple[int, int]]:
        return [(run.first, run.stop) for run in self.runs(**options)]


class Seen(NamedTuple):
    """One packet."""

    side: int
    mark: tuple[int, int, int, int]
    seq: int
    ack: int
    window: int
    payload: bytes


def seen(block: Block, side: int, index: int) -> Seen:
    data = bytes(block.data[block.ip(index) : block.ends[index]])
    (total, ip_id), size, ttl = struct.unpack_from(">HH", data, 2), 20, data[8]
    if data[0] >> 4 == 6:
        (total, ip_id), size, ttl = (40 + int.from_bytes(data[4:6], "big"), 0), 40, data[7]
    seq, ack, offset, _, window = struct.unpack_from(">IIBBH", data, size + 4)
    mark = index, block.times[index], ttl, ip_id
    return Seen(side, mark, seq, ack, window, data[size + (offset >> 4) * 4 : total])


def signed(distance: int) -> int:
    return (distance + 2**31) % 2**32 - 2**31


def check(block: Block, sides: list[int], run: Run) -> None:
    """Counts the packets of a run one by one."""
    packets = [seen(block, sides[place], place) for place in range(run.first, run.stop)]
    for side, part in enumerate(run.parts):
        mine = [packet for packet in packets if packet.side == side]
        said = [packet for packet in mine if packet.payload]
        assert (part.packets, part.base) == (len(mine), mine[0].seq)
        assert part.sent == sum(len(packet.payload) for packet in mine)
        assert part.acked == max(signed(packet.ack - run.parts[1 - side].base) for packet in mine)
        assert (part.window, part.last) == (mine[-1].window, mine[-1].mark)
        assert part.last_data == (said[-1].mark if said else None)
        assert part.recent == [(p.seq, len(p.payload), p.mark[3], p.mark[1]) for p in said][-16:]
    times = [packet.mark[1] for packet in packets]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert (run.start, run.silence) == (packets[0].mark, max(pauses))
    longest = pauses.index(max(pauses)) + 1
    assert run.behind == (packets[longest].mark if max(pauses) else None)
    found, left = in_order([(packet.side, place, packet.payload) for place, packet in enumerate(packets, run.first)])
    assert [taken(block, piece) for item in run.items for piece in (item[5] if is_pairs(item) else [item])] == found
    for side in (PROCESS, CLIENT):
        parts = [part for part in run.unfinished if part[0] == side]
        assert b"".join(block.data[begin:end] for _, _, begin, end, _ in parts) == left[side]
        sizes = [end - begin for _, _, begin, end, _ in parts]
        begins = [run.parts[side].sent - sum(sizes[at:]) for at in range(len(parts))]
        assert [part[4] for part in parts] == begins
    assert run.unfinished == sorted(run.unfinished, key=lambda part: part[1])


#: Who says it, the indices of its packets, what it is, and the bytes before it.
Taken = tuple[int, tuple[int, ...], bytes, int]


def taken(block: Block, piece: Any) -> Taken:
    if len(piece) == 5:
        side, index, begin, end, before = piece
        return side, (index,), block.data[begin + 4 : end], before
    side, index, (message, indices), before = piece
    assert index == indices[-1]
    return side, indices, message, before


def in_order(payloads: list[tuple[int, int, bytes]]) -> tuple[list[Taken], list[bytes]]:
    """The messages that end in these payloads (side, index, bytes), byte by byte; what is left over of either side."""
    found: list[Taken] = []
    open_bytes: list[list[tuple[int, int]]] = [[], []]
    before = [0, 0]
    for side, index, payload in payloads:
        for byte in payload:
            waiting = open_bytes[side]
            waiting.append((byte, index))
            data = bytes(one for one, _ in waiting)
            if len(data) >= 4 and len(data) == 4 + int.from_bytes(data[:4], "big"):
                found.append((side, tuple(dict.fromkeys(at for _, at in waiting)), data[4:], before[side]))
                before[side] += len(data)
                waiting.clear()
    return found, [bytes(one for one, _ in waiting) for waiting in open_bytes]


def is_pairs(item: Pairs | Piece | Joined) -> TypeGuard[Pairs]:
    return len(item) == 6


def pairs(run: Run) -> list[Pairs]:
    return [item for item in run.items if is_pairs(item)]


# --- where a run is ---------------------------------------------------------------------------------------------------


def test_a_run_is_all_that_is_in_order() -> None:
    talk = Spoken().talk().say(PROCESS).say(CLIENT).say(CLIENT, STEPPING, after=7 * MS).say(PROCESS)
    assert talk.spans() == [(0, 12)]


AROUND: dict[str, Around] = {
    "a tag": lambda data, _: (data[:12] + b"\x81\0\0\1" + data[12:], 18),
    "a tag on one direction": lambda data, side: (data[:12] + b"\x81\0\0\1" * side + data[12:], 14 + 4 * side),
    "nothing": lambda data, _: (data[14:], 0),
    "IPv6": lambda data, side: (ethernet(ipv6(data[34:], (A6, B6)[side], (B6, A6)[side]), 0x86DD), 14),
}


@pytest.mark.parametrize("name", AROUND)
def test_runs_of_other_layers(name: str) -> None:
    talk = Spoken().talk().say(PROCESS).say(CLIENT).say(PROCESS, bytes(4)).talk()
    assert talk.spans(around=AROUND[name]) == [(0, 10), (11, 19)]
    assert Spoken(syn=True).say(CLIENT, CREATING).talk(4).spans(around=AROUND[name]) == [(5, 12)]


def test_numbers_wrap() -> None:
    assert Spoken(isn=2**32 - 100).talk(6).spans() == [(0, 12)]


@pytest.mark.parametrize(("packets", "spans"), [(4, [(0, 4)]), (3, [])])
def test_a_run_has_four_packets(packets: int, spans: list[tuple[int, int]]) -> None:
    talk = Spoken()
    for index in range(packets):
        talk.say(index % 2, KEEP_ALIVE if index % 2 == 0 else b"")
    assert talk.spans() == spans


@pytest.mark.parametrize("side", [PROCESS, CLIENT])
def test_a_run_needs_both_sides(side: int) -> None:
    talk = Spoken()
    for _ in range(9):
        talk.say(side, KEEP_ALIVE)
    assert talk.spans() == []


ODDITIES: dict[str, Callable[[Spoken], object]] = {
    "FIN": lambda talk: talk.say(PROCESS, flags=FIN | ACK),
    "reset": lambda talk: talk.say(PROCESS, flags=RST | ACK),
    "no acknowledgement": lambda talk: talk.say(PROCESS, flags=PSH),
    "window shut": lambda talk: talk.say(PROCESS, LOG).change(8, 48, bytes(2)),
    "one byte early": lambda talk: talk.say(PROCESS, LOG).change(8, 38, struct.pack(">I", talk.line.next[0] - 50)),
    "four bytes": lambda talk: talk.say(PROCESS, bytes(4)),
    "no message behind one": lambda talk: talk.say(PROCESS, LOG + bytes(4)),
    "no message behind a part of one": lambda talk: talk.say(PROCESS, LOG[9:] + b"\xff\xff\xff\xff"),
    "acknowledges what was not sent": lambda talk: talk.say(PROCESS).change(
        8, 42, struct.pack(">I", talk.line.next[1] + 1)
    ),
    "a minute and more": lambda talk: talk.say(PROCESS, LOG, after=60 * SECOND + 1),
}


@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_oddity_ends_a_run(oddity: str) -> None:
    talk = Spoken().talk(4)
    ODDITIES[oddity](talk)
    for _ in range(3):
        talk.say(CLIENT).say(PROCESS)
    assert talk.spans()[0] == (0, 8)


def test_a_pause_of_a_minute_ends_no_run() -> None:
    talk = Spoken().talk(4).say(PROCESS, LOG, after=60 * SECOND)
    assert talk.spans() == [(0, 9)]


def test_a_packet_that_was_cut_ends_a_run() -> None:
    talk = Spoken().talk(4).say(PROCESS, LOG)
    assert talk.spans(cut=1) == [(0, 8)]
    assert talk.spans() == [(0, 9)]


def test_behind_an_oddity_another_run_may_begin_or_with_it() -> None:
    talk = Spoken().talk(4).say(PROCESS, bytes(4)).talk(4)
    assert talk.spans() == [(0, 8), (9, 17)]
    talk = Spoken().talk(4).say(PROCESS, LOG, after=61 * SECOND).say(CLIENT, ANSWER).talk(4)
    assert talk.spans() == [(0, 8), (9, 18)]


def test_an_acknowledgement_may_be_old_but_not_ahead_of_the_first_bytes() -> None:
    """The run begins with one side alone; what it acknowledged is behind the other's first byte, or just before it."""
    talk = Spoken().talk(1)
    talk.say(PROCESS).say(PROCESS).say(CLIENT, STEPPING).say(PROCESS).talk(3)
    assert talk.spans() == [(0, 12)]
    talk = Spoken().say(PROCESS).say(PROCESS).say(CLIENT, STEPPING).talk(3)
    old = talk.records[2].data[38:42]
    talk.change(0, 42, struct.pack(">I", int.from_bytes(old, "big") - 300))
    assert talk.spans() == [(0, 9)]
    # The newest of several old ones, across a carry of its number.
    talk.change(1, 42, struct.pack(">I", int.from_bytes(old, "big") - 177))
    assert talk.spans() == [(0, 9)]
    talk.change(1, 42, struct.pack(">I", int.from_bytes(old, "big") + 1))
    assert talk.spans()[0][0] != 0


def test_the_longest_silence_is_the_first_of_its_length() -> None:
    talk = Spoken().talk(2).say(PROCESS, after=9 * MS).say(CLIENT, after=9 * MS).talk(2)
    (run,) = talk.runs()
    assert (run.silence, run.behind and run.behind[0]) == (9 * MS, 4)


# --- which talks are looked at ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("silent", "data", "found"), [(7, b"GET / HTTP/1.1", 0), (8, b"GET / HTTP/1.1", 1), (7, LOG, 1)]
)
def test_what_the_first_data_of_a_talk_says(silent: int, data: bytes, found: int) -> None:
    """Where a talk begins with none of ours nothing is looked for, but only eight packets are looked at."""
    talk = Spoken()
    for index in range(silent):
        talk.say(index % 2)
    talk.say(PROCESS, data).talk(2)
    assert len(talk.runs()) >= found
    assert bool(talk.runs()) is bool(found)


def test_a_first_message_that_was_cut_is_none() -> None:
    talk = Spoken().say(PROCESS).say(CLIENT).say(PROCESS).say(CLIENT).say(PROCESS).say(CLIENT).say(PROCESS, LOG)
    assert talk.spans() == [(0, 7)]
    assert talk.spans(cut=1) == []


def test_a_run_begins_when_both_have_spoken() -> None:
    talk = Spoken(syn=True).say(CLIENT, CREATING).say(PROCESS).say(PROCESS, LOG).say(CLIENT, ANSWER).talk(3)
    assert talk.spans() == [(6, 13)]


def test_what_is_before_the_last_syn_is_left_alone() -> None:
    talk = Spoken().talk(4).say(PROCESS, flags=SYN | ACK).say(CLIENT).say(PROCESS).talk(4)
    assert talk.spans() == [(13, 19)]


def test_nothing_is_found_before_both_have_spoken() -> None:
    talk = Spoken(syn=True).say(CLIENT, CREATING)
    for _ in range(4):
        talk.say(CLIENT, STEPPING).say(PROCESS)
    assert talk.spans() == []


# --- where messages begin ---------------------------------------------------------------------------------------------


def test_a_payload_that_is_one_message() -> None:
    data, made = b"x" + LOG + b"x", Alignment(from_start=False)
    assert made.is_whole(0, data, 1, 1 + len(LOG))
    assert not made.is_whole(0, data, 1, len(LOG))
    assert not made.is_whole(0, data, 1, 2 + len(LOG))
    assert not made.is_whole(0, bytes(4), 0, 4)
    assert not made.is_whole(0, bytes(3), 0, 3)
    assert made.split(0, data, 0, 1) == [(0, 1, False)], "what was whole has shown where messages begin"


def test_what_looks_like_a_message_inside_of_another_is_a_part_of_that() -> None:
    outer = framed(b"O" + bytes(9) + LOG)
    made = Alignment(from_start=True)
    assert made.split(0, outer, 0, 14) == [(0, 14, False)]
    assert not made.is_between
    assert not made.is_whole(0, outer, 14, len(outer))
    assert made.split(0, outer, 14, len(outer)) == [(14, len(outer), True)]
    assert made.is_between
    assert made.is_whole(0, outer, 14, len(outer))


@pytest.mark.parametrize(
    ("size", "behind", "begins"),
    [(5, b"O", True), (4, b"O", False), (3, b"O", False), (5, b"X", False), (6, b"O", True)],
)
def test_a_message_begins_with_a_length_and_a_class(size: int, behind: bytes, begins: bool) -> None:
    """Where nobody knows yet where one does: both have to be there."""
    data = b"\0\0\0\x20" + behind + bytes(40)
    assert (Alignment(from_start=False).split(0, data, 0, size) is not None) is begins
    assert Alignment(from_start=True).split(0, data, 0, size) == [(0, size, False)]


@pytest.mark.parametrize(
    ("length", "fits"), [(0, False), (1, True), (MAX_DECODED_MESSAGE, True), (MAX_DECODED_MESSAGE + 1, False)]
)
def test_how_long_a_message_may_be(length: int, fits: bool) -> None:
    data = struct.pack(">I", length) + b"K"
    for is_known in (False, True):
        assert (Alignment(from_start=is_known).split(0, data, 0, 5) is not None) is fits
    assert may_be_messages(data, 0, 5) is (fits and data[0] == 0)
    assert may_be_messages(data, 0, 4) is (data[0] == 0)


def test_the_two_directions_know_nothing_of_each_other() -> None:
    made = Alignment(from_start=True)
    assert made.split(1, LOG, 0, 2) == [(0, 2, False)]
    assert made.split(0, LOG, 0, 5) == [(0, 5, False)]
    assert made.split(1, LOG, 2, len(LOG)) == [(2, len(LOG), True)]
    assert not made.is_between
    made.lose(0)
    assert made.is_between
    assert made.split(0, LOG, 5, 9) is None
    assert made.split(1, LOG + LOG[:6], 0, len(LOG) + 6) == [(0, len(LOG), True), (len(LOG), len(LOG) + 6, False)]


# --- messages that segments cut anyhow --------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    turns=st.lists(st.sampled_from([(LOG, ANSWER), (RELEASE, RELEASED), (KEEP_ALIVE, RELEASED), (b"", STEPPING)])),
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=20),
    flush=st.sampled_from([True, True, False]),
)
def test_messages_in_segments_of_any_size(turns: list[tuple[bytes, bytes]], sizes: list[int], flush: bool) -> None:
    """What waits to be sent is sent before the other one speaks, or later."""
    talk, size, waiting = Spoken().talk(2), cycle(sizes), [b"", b""]
    for turn in turns:
        for side in (PROCESS, CLIENT):
            waiting[side] += turn[side]
            while waiting[side] and (flush or len(waiting[side]) > 60):
                talk.say(side, waiting[side][: (cut := next(size))])
                waiting[side] = waiting[side][cut:]
    assert talk.say(CLIENT).say(PROCESS).spans() == [(0, len(talk.records))]


@pytest.mark.parametrize(
    ("segments", "number"),
    [
        ([LOG[:1], LOG[1:]], 3),
        ([LOG[:4], LOG[4:20], LOG[20:]], 3),
        ([LOG[:-1], LOG[-1:]], 3),
        ([RELEASE[:3], RELEASE[3:]], 2),
    ],
)
def test_a_request_in_several_segments_is_one_of_a_pair(segments: list[bytes], number: int) -> None:
    talk = Spoken().talk(2)
    for segment in segments:
        talk.say(PROCESS, segment)
    (run,) = talk.say(CLIENT, ANSWER[:5]).say(CLIENT, ANSWER[5:]).talk(1).runs()
    assert pairs(run)[0][1] == (4 if number == 3 else 2)
    if number == 3:
        assert [line[1] for line in pairs(run)[0][3]] == [0, 2, 4, 6 + len(segments)]


def test_a_run_begins_where_messages_begin_and_may_end_within() -> None:
    talk = Spoken().say(PROCESS, LOG[9:]).talk(3).say(PROCESS, LOG[:9]).say(CLIENT, ANSWER[:2])
    (run,) = talk.runs()
    assert (run.first, run.stop) == (1, 9)
    assert [(side, index) for side, index, *_ in run.unfinished] == [(PROCESS, 7), (CLIENT, 8)]


# --- requests with their answers --------------------------------------------------------------------------------------


def asked(*requests: bytes, answers: tuple[bytes, ...] = (), after: int = MS, more: int = 3) -> list[Pairs]:
    """The pairs of a run: requests of the task process, each with its answer, between others that are pairs."""
    talk = Spoken()
    for index, request in enumerate(requests):
        talk.say(PROCESS, request).say(CLIENT, answers[index] if answers else ANSWER, after=after)
    for _ in range(more):
        talk.say(PROCESS).say(CLIENT)
    (run,) = talk.runs()
    return pairs(run)


def test_lines_of_a_log_are_pairs() -> None:
    (found,) = asked(LOG, LOG, LOG, after=5 * MS)
    side, number, size, lines, time, pieces = found
    assert (side, number, size, time, len(pieces)) == (PROCESS, 3, 3 * len(LOG + ANSWER), 15 * MS, 6)
    assert [line[1:4] for line in lines] == [
        (0, 0, (-7, "a line")),
        (2, 0, (-7, "a line")),
        (4, 0, (-7, "a line")),
    ]
    assert [line[0] for line in lines] == [5 * SECOND + MS, 5 * SECOND + 7 * MS, 5 * SECOND + 13 * MS]


def test_each_kind_of_request_has_its_head() -> None:
    talk = Spoken().talk(2)
    talk.say(PROCESS, invoke(TEXT)).say(CLIENT, ANSWER).say(PROCESS, LOG).say(CLIENT, ANSWER)
    (run,) = talk.runs()
    (found,) = pairs(run)
    assert [line[2:3] for line in found[3]] == [(0,), (0,), (1,), (0,)]
    assert run.heads == [LOG[4:50], invoke(TEXT)[4:50]]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (LOG, ANSWER),
        (invoke(), ANSWER),
        (invoke(EMPTY), ANSWER),
        (invoke(m.Variant(1, None)), ANSWER),
        (invoke(m.Variant(11, True)), ANSWER),
        (invoke(m.Variant(8, "")), ANSWER),
        (invoke(TEXT, TEXT, TEXT), ANSWER),
        (invoke(TEXT, names=(-3,), flags=4), ANSWER),
        *((invoke(m.Variant(vt, number)), ANSWER) for vt, number in NUMBERS),
        *((LOG, framed(encode(m.InvokeAnswer(0, m.Variant(vt, number), None)))) for vt, number in NUMBERS),
        *((invoke(m.Variant(vt, m.Double("-1.5e3"))), ANSWER) for vt in (4, 5, 7)),
        (LOG, framed(encode(m.InvokeAnswer(0, TEXT, None)))),
        (LOG, framed(encode(m.InvokeAnswer(0x7FFF_FFFF, m.Variant(3, 1), None)))),
        (LOG, framed(encode(m.InvokeAnswer(1, EMPTY, None)))),
        (LOG, framed(DONE[:5] + b"\0\0\0\1" + DONE[9:])),
        (RELEASE, RELEASED),
        (look_up("a"), FOUND),
        (look_up("a", "bcd"), framed(b"A" + bytes(12))),
        (look_up("a" * 474), FOUND),
        (look_up("a"), framed(b"A\x80\2\0\6")),
        (look_up("a"), framed(b"A\x80\2\0\3")),
        (look_up("a"), framed(b"A\x7f\xff\xff\xff" + bytes(4))),
    ],
)
def test_what_is_a_pair(request_: bytes, answer: bytes) -> None:
    (found,) = asked(request_, request_, request_, answers=(answer,) * 3)
    assert (found[1], found[2]) == (3, 3 * len(request_ + answer))


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (KEEP_ALIVE, RELEASED),
        (STEPPING, ANSWER),
        (RELEASE, ANSWER),
        (LOG, RELEASED),
        (LOG, framed(DONE[:-1])),
        (LOG, framed(DONE + b"\0")),
        (LOG, framed(b"E" + DONE[1:])),
        (LOG, framed(b"A\x80" + DONE[2:])),
        (LOG, framed(b"A" + bytes(4) + b"\0\0\0\x09" + bytes(8))),
        (framed(LOG[4:-1]), ANSWER),
        (framed(LOG[4:] + b"\0"), ANSWER),
        (framed(b"S" + LOG[5:]), ANSWER),
        (framed(LOG[4:13] + b"G" + LOG[14:]), ANSWER),
        (framed(RELEASE[4:13] + b"G"), RELEASED),
        (framed(RELEASE[4:13] + b"S"), RELEASED),
        (framed(b"S" + RELEASE[5:]), RELEASED),
        (framed(invoke(m.Variant(11, True))[4:-1] + b"\x02"), ANSWER),
        (framed(LOG[4:42] + struct.pack(">II", 2, 3) + LOG[50:]), ANSWER),
        (framed(LOG[4:42] + struct.pack(">II", 101, 0) + bytes(404)), ANSWER),
        (invoke(m.Variant(9, m.Reference(0, None))), ANSWER),
        (invoke(m.Variant(0x2008, m.SafeArray(0, 0, 8, ()))), ANSWER),
        (LOG, framed(encode(m.InvokeAnswer(0, m.Variant(9, m.Reference(0, None)), None)))),
        *((framed(invoke(m.Variant(vt, number))[4:-1]), ANSWER) for vt, number in NUMBERS),
        *((framed(invoke(m.Variant(vt, number))[4:] + b"\0"), ANSWER) for vt, number in NUMBERS),
        (framed(invoke(DOUBLE)[4:-1]), ANSWER),
        (framed(invoke(DOUBLE)[4:-1] + b"x"), ANSWER),
        (framed(invoke(DOUBLE)[4:-1] + b"\xb2"), ANSWER),
        (framed(invoke(DOUBLE)[4:].replace(b"s", b"t")), ANSWER),
        (framed(LOG[4:42] + struct.pack(">II", 1, 0) + b"\0\0\0\5s"), ANSWER),
        (look_up(), framed(b"A" + bytes(4))),
        (look_up("a" * 475), FOUND),
        (look_up("a"), framed(DONE + b"\0")),
        (look_up("a"), framed(b"A" + bytes(7))),
        (look_up("a"), framed(b"A" + bytes(3))),
        (look_up("a"), framed(b"E" + bytes(8))),
        (look_up("a"), framed(b"A\x80\2\0\7")),
        (look_up("a"), framed(b"A\x80\2\0\6\0")),
        (framed(look_up("a")[4:-1]), FOUND),
        (framed(look_up("a")[4:] + b"\0"), FOUND),
        (framed(look_up("a")[4:34] + b"\0\0\0\2" + look_up("a")[38:]), FOUND),
        (framed(look_up("a")[4:34] + b"\xff" * 4 + look_up("a")[38:]), FOUND),
        (framed(encode(m.JavaQueryInterface(5, 5, NOBODY))), framed(b"A" + bytes(4))),
        (invoke(m.Variant(11, True)).replace(b"\0\0\0\x0b", b"\0\0\0\x0c"), ANSWER),
    ],
)
def test_what_is_none(request_: bytes, answer: bytes) -> None:
    """Between others that are; all messages are there nevertheless, as ``check`` looks after."""
    found = asked(LOG, request_, LOG, answers=(ANSWER, answer, ANSWER))
    assert [one[1] for one in found] == [1, 1]


@pytest.mark.parametrize("value", [b"\0\0\0\x0b", b"\0\0\0\x03\0\0\0", b"\0\0\0\x08\0\0\0", b"\0\0\0"])
def test_an_argument_that_ends_with_the_file(value: bytes) -> None:
    """A truth value, a number, a text and a type that are not all there, in the last bytes of all."""
    request_ = framed(LOG[4:42] + struct.pack(">II", 1, 0) + value)
    talk = Spoken().talk(3).say(PROCESS, request_)
    block = talk.block()
    block = block._replace(data=block.data[: block.ends[-1]])
    find_runs(block)
    (run,) = block.conversations[0].runs
    assert [is_pairs(item) for item in run.items] == [True, False]


def test_numbers_of_lines_are_read_as_signed_as_they_are() -> None:
    for vt, number in [*NUMBERS, (17, 255), (18, 65_535), (19, 2**32 - 1), (21, 2**64 - 1), (23, 2**32 - 1)]:
        (found,) = asked(*[invoke(TEXT, m.Variant(vt, number))] * 3)
        assert [line[3] for line in found[3] if len(line) == 4] == [(number, "a line")] * 3


def test_look_ups_are_handed_over_among_the_lines() -> None:
    (found,) = asked(LOG, look_up("a"), LOG, answers=(ANSWER, FOUND, ANSWER))
    assert [len(line) for line in found[3]] == [4, 2, 4]
    assert found[3][1] == (look_up("a")[4:], FOUND[4:])


def test_an_invoke_may_have_a_hundred_arguments() -> None:
    most = framed(LOG[4:42] + struct.pack(">II", 100, 0) + bytes(400))
    (found,) = asked(most, most, most)
    assert found[1] == 3
    assert found[3] == []


@pytest.mark.parametrize(("after", "number"), [(900 * MS - 1, 3), (900 * MS, 0)])
def test_a_slow_answer_is_looked_at_closely(after: int, number: int) -> None:
    found = asked(LOG, LOG, LOG, after=after)
    assert sum(one[1] for one in found) == number


def test_the_pairs_of_an_item_have_one_asker() -> None:
    """What comes between a request and its answer is handed over as it is."""
    talk = Spoken().talk(2).say(CLIENT, LOG).say(PROCESS, ANSWER).say(PROCESS, LOG).say(PROCESS, LOG)
    talk.say(CLIENT, ANSWER).say(CLIENT, ANSWER)
    (run,) = talk.runs()
    assert [item[:2] if is_pairs(item) else "one" for item in run.items] == [
        (PROCESS, 2), (CLIENT, 1), "one", (PROCESS, 1), "one",
    ]  # fmt: skip


def test_a_release_by_the_client_does_not_hide_the_pairs_behind_it() -> None:
    """The process asks while it waits for its answer, as it does at the end of each task."""
    talk = Spoken().talk(1).say(CLIENT, RELEASE).talk(3).say(PROCESS, RELEASED)
    (run,) = talk.runs()
    found = [item[:2] if is_pairs(item) else "one" for item in run.items]
    assert found == [(PROCESS, 1), "one", (PROCESS, 3), "one"]


def test_a_request_that_waits_at_the_end_is_there() -> None:
    (run,) = Spoken().talk(3).say(PROCESS, LOG).runs()
    assert [is_pairs(item) for item in run.items] == [True, False]


def test_of_many_segments_the_last_sixteen_of_a_side_are_kept() -> None:
    (run,) = Spoken().talk(20).runs()
    assert [len(part.recent) for part in run.parts] == [16, 16]
