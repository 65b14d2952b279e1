"""Segments that were captured before those that they follow wait for these a moment."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import permutations

import pytest
from builders import ACK, FIN, RST, SYN, A, B
from hypothesis import given
from hypothesis import strategies as st
from stream_kit import CLIENT, MS, SERVER, Talk, chunk

from dissector.limits import CLOCK_JITTER
from dissector.stream.reassembly import Closed, Opened
from dissector.traffic import Chunk, Gap, IcmpError, Segment, StreamEvent


def talk() -> Talk:
    return Talk(patience=CLOCK_JITTER)


def whole(one: Talk) -> list[Segment]:
    """A connection from its SYN to its end, in order: a request, its answer, and the ends of both sides."""
    return [
        one.segment(0, -1, b"", None, SYN),
        one.segment(1, -1, b"", 0, SYN),
        one.segment(0, 0, b"ask", 0, ACK),
        one.segment(1, 0, b"tell", 3, ACK),
        one.segment(0, 3, b"", 4, FIN),
        one.segment(1, 4, b"", 4, FIN),
        one.segment(0, 4, b"", 5, ACK),
    ]


def said(events: list[StreamEvent]) -> list[tuple[object, ...]]:
    """What a connection said, and how it ended."""
    found: list[tuple[object, ...]] = []
    for event in events:
        if isinstance(event, Chunk):
            found.append((event.side, event.offset, event.data))
        elif isinstance(event, (Gap, Closed)):
            found.append((type(event).__name__,) + ((event.how,) if isinstance(event, Closed) else ()))
    return found


def test_any_order_is_the_same() -> None:
    for order in permutations(range(7)):
        one = talk()
        segments = whole(one)
        for place in order:
            one.send(segments[place])
        one.finish()
        events = [event for _, event in one.events]
        assert said(events) == [(CLIENT, 0, b"ask"), (SERVER, 0, b"tell"), ("Closed", "fin")], order
        connection = one.connection
        assert (connection.mid_stream, connection.gaps, connection.retransmissions) == (False, 0, 0), order
        assert (str(connection.client), str(connection.server)) == ("10.1.0.1:40000", "10.1.0.2:4444")
        assert connection.first_end == connection.sides[CLIENT].fin
        assert sum(isinstance(event, Opened) for event in events[1:]) <= 1, "told again at most once"


def dialog(one: Talk, sizes: list[tuple[int, int]]) -> list[Segment]:
    """A connection in order in which the sides say so many bytes, each segment behind all that it acknowledges."""
    found = [one.segment(0, -1, b"", None, SYN), one.segment(1, -1, b"", 0, SYN)]
    sent = [0, 0]
    for side, size in sizes:
        data = bytes([65 + sum(sent) % 26]) * size
        found.append(one.segment(side, sent[side], data, sent[1 - side], ACK))
        sent[side] += size
    found.append(one.segment(0, sent[0], b"", sent[1], FIN))
    found.append(one.segment(1, sent[1], b"", sent[0] + 1, FIN))
    return [segment._replace(time=MS + at * MS // 10) for at, segment in enumerate(found)]


def in_full(events: list[StreamEvent]) -> list[tuple[object, ...]]:
    """As ``said``, whatever pieces the bytes come in."""
    found: list[tuple[object, ...]] = []
    for what in said(events):
        if found and len(what) == 3 and what[0] is found[-1][0] and isinstance(what[2], bytes):
            *rest, before = found[-1]
            found[-1] = (*rest, before + what[2]) if isinstance(before, bytes) else what
        else:
            found.append(what)
    return found


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), max_size=40),
    st.lists(st.integers(0, CLOCK_JITTER // 2), min_size=44, max_size=44),
    st.booleans(),
)
def test_any_jitter_is_the_same(sizes: list[tuple[int, int]], jitter: list[int], stamped: bool) -> None:
    """By the times of the packets, or by their places alone."""
    expected, found = talk(), talk()
    segments = dialog(expected, sizes)
    for segment in segments:
        expected.send(segment)
    late = [(segment.time + later, place) for place, (segment, later) in enumerate(zip(segments, jitter, strict=False))]
    for number, (time, place) in enumerate(sorted(late), 1):
        found.send(segments[place]._replace(number=number, time=time if stamped else segments[place].time))
    for one in (expected, found):
        one.finish()
    told = [in_full([event for _, event in one.events]) for one in (expected, found)]
    assert told[0] == told[1]
    assert (found.connection.gaps, found.connection.mid_stream) == (0, False)
    assert found.connection.bytes == expected.connection.bytes


def test_in_order_nothing_waits() -> None:
    one = talk()
    for segment in whole(one):
        one.send(segment)
        assert one.flow.held is None


@pytest.mark.parametrize(("pause", "is_told"), [(CLOCK_JITTER - 1, False), (CLOCK_JITTER, True)])
def test_how_long_a_segment_waits(pause: int, is_told: bool) -> None:
    one = talk().open()
    early = one.segment(0, 5, b"later", 0, ACK)
    assert one.send(early) == []
    assert one.send(one.segment(0, 10, b"more", 0, ACK, time=early.time + pause)) == []
    one.table.release(early.time + pause)
    assert (one.flow.held is None or len(one.flow.held) == 1) is is_told, "then it goes on to wait as bytes"


@pytest.mark.parametrize(("pause", "number"), [(CLOCK_JITTER - 1, 0), (CLOCK_JITTER, 1)])
def test_a_reset_that_answers_a_packet_waits_for_it(pause: int, number: int) -> None:
    one = talk().open()
    reset = one.segment(0, 0, b"", None, RST)
    assert one.send(reset) == []
    assert len(list(one.table.release(reset.time + pause))) == number
    found = one.b(0, b"in time", acks=0) if not number else []
    found += one.finish()
    assert said(found) == ([] if number else [(SERVER, 0, b"in time"), ("Closed", "rst")])


@pytest.mark.parametrize(("acks", "at", "waits"), [(0, 0, False), (1, 0, True), (0, 1, True)])
def test_a_reset_waits_for_what_it_says_to_be_missing(acks: int, at: int, waits: bool) -> None:
    one = talk().open()
    assert (said(one.a(at, acks=acks, flags=RST)) == []) is waits
    one.b(0, b"b") if acks else one.a(0, b"a")
    assert said([event for _, event in one.events if not isinstance(event, Chunk)]) == [("Closed", "rst")]
    assert one.connection.bytes == waits


def test_a_refusal_waits_for_nothing() -> None:
    one = talk()
    one.a(-1, acks=None, flags=SYN)
    assert said(one.b(-1, acks=0, flags=RST, seq=0)) == [("Closed", "rst")]


def test_data_behind_its_own_reset_is_late() -> None:
    """So somebody else sent the reset."""
    one = talk().open()
    one.a(0, flags=RST)
    assert one.a(0, b"alive") == []
    assert one.facts(CLIENT).late_data is not None


def test_a_reset_that_stands_behind_data_that_follow_it() -> None:
    one = talk().open()
    one.a(0, b"alive")
    assert said(one.send(one.segment(0, 0, b"", 0, RST))) == [("Closed", "rst")]
    assert one.facts(CLIENT).late_data == one.facts(CLIENT).last_data


@pytest.mark.parametrize("flags", [RST, RST | ACK])
def test_a_reset_before_its_syn(flags: int) -> None:
    one = talk()
    syn, reset = one.segment(0, -1, b"", None, SYN), one.segment(1, -1, b"", 0, RST)
    for segment in (reset._replace(seq=0, flags=flags), syn):
        assert said([event for _, event in one.events]) == []
        one.send(segment)
    assert said([event for _, event in one.events]) == [("Closed", "rst")]
    assert (one.connection.established, one.connection.syns != []) == (False, True)


def test_a_connection_begun_before_the_capture_is_told_in_order() -> None:
    one = talk()
    segments = [one.segment(0, 0, b"ask", 0, ACK), one.segment(1, 0, b"tell", 3, ACK), one.segment(0, 3, b"on", 4, ACK)]
    for segment in segments[::-1]:
        one.send(segment)
    one.finish()
    found = [event.data for _, event in one.events if isinstance(event, Chunk)]
    assert found == [b"ask", b"tell", b"on"]


def test_what_was_lost_is_given_up_as_ever() -> None:
    one = talk().open()
    one.a(3, b"def")
    one.time += CLOCK_JITTER
    one.b(0, b"x", acks=6)
    one.finish()
    assert one.connection.gaps == 1
    assert one.stream(CLIENT) == b"???def"
    assert one.stream(SERVER) == b"x"


@pytest.mark.parametrize(("room", "waits"), [(2 * (512 + 4), True), (2 * (512 + 4) - 1, False)])
def test_how_many_bytes_wait(room: int, waits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.reorder.MAX_EARLY_BYTES", room)
    one = talk().open()
    one.a(4, b"efgh")
    one.a(8, b"ijkl")
    assert (one.flow.held is not None) is waits
    assert [event for event in one.a(0, b"abcd") if isinstance(event, Chunk)] == [
        chunk(CLIENT, 0, b"abcd", 6),
        chunk(CLIENT, 4, b"efgh", 4),
        chunk(CLIENT, 8, b"ijkl", 5),
    ]


@pytest.mark.parametrize(("later", "number"), [(CLOCK_JITTER, 1), (CLOCK_JITTER + 1, 0)])
def test_an_icmp_error_before_its_syn(later: int, number: int) -> None:
    one = talk()
    ends = ip_address(A).packed, 40_000, ip_address(B).packed, 4_444
    one.table.feed_icmp(IcmpError(1, MS, ip_address(B).packed, "port unreachable", *ends, 1_000))
    one.send(one.segment(0, -1, b"", None, SYN, time=MS + later))
    assert len(one.connection.icmp) == number


@pytest.mark.parametrize(("number", "swapped", "is_told"), [(8, False, False), (9, False, True), (9, True, False)])
def test_how_many_segments_in_order_begin_a_connection(number: int, swapped: bool, is_told: bool) -> None:
    one = talk()
    segments = [one.segment(0, place, b"x", 0, ACK, time=MS) for place in range(number)]
    if swapped:
        segments[2], segments[3] = segments[3], segments[2]
    for segment in segments:
        one.send(segment)
    assert any(isinstance(event, Chunk) for _, event in one.events) is is_told
    one.finish()
    assert one.stream(CLIENT) == b"x" * number
