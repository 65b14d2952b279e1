"""Segments that were captured before those that they follow wait for these a moment."""

from __future__ import annotations

from itertools import permutations
from operator import itemgetter
from random import Random

import pytest
from builders import ACK, FIN, RST, SYN
from stream_kit import CLIENT, MS, SERVER, Talk, chunk, gap

from dissector.limits import CLOCK_JITTER
from dissector.stream import reorder
from dissector.stream.reassembly import Closed, Opened
from dissector.traffic import NEVER, Chunk, Gap, Segment, StreamEvent


def talk() -> Talk:
    """An open connection, with all that was heard of the next 10 ms."""
    return Talk(patience=CLOCK_JITTER).open()


def said(events: list[StreamEvent]) -> list[StreamEvent]:
    return [event for event in events if isinstance(event, (Chunk, Gap))]


def test_an_answer_waits_for_its_request() -> None:
    one = talk()
    assert not one.table.reorder.has_held
    assert one.b(0, b"tell", acks=3) == []
    assert one.table.reorder.has_held
    assert one.a(0, b"ask", acks=0) == [chunk(CLIENT, 0, b"ask", 5), chunk(SERVER, 0, b"tell", 4)]
    assert one.connection.gaps == 0
    assert one.connection.last_packet == 5


@pytest.mark.parametrize("isn", [(1_000, 9_000_000), (2**32 - 9, 9_000), (2**31 - 6, 2**31 - 4)])
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_any_order_is_the_same(order: tuple[int, ...], isn: tuple[int, int]) -> None:
    """Two requests with their answers."""
    one = Talk(*isn, patience=CLOCK_JITTER).open()
    segments = [
        one.segment(0, 0, b"ask", 0, ACK),
        one.segment(1, 0, b"tell", 3, ACK),
        one.segment(0, 3, b"again", 4, ACK),
        one.segment(1, 4, b"once", 8, ACK),
    ]
    captured = enumerate(itemgetter(*order)(segments), 4)
    events = [event for number, it in captured for event in one.send(it._replace(number=number, time=number * MS))]
    whole = [(CLIENT, 0, b"ask"), (SERVER, 0, b"tell"), (CLIENT, 3, b"again"), (SERVER, 4, b"once")]
    assert [event[:3] for event in said(events)] == whole


@pytest.mark.parametrize(("after", "waits"), [(CLOCK_JITTER - 1, True), (CLOCK_JITTER, False)])
def test_nobody_waits_longer(after: int, waits: bool) -> None:
    one = talk()
    one.b(0, b"tell", acks=3)
    assert one.table.reorder.deadline == one.time + CLOCK_JITTER
    found = [event for _, event in one.table.overdue(one.time + after)]
    assert found == ([] if waits else [gap(CLIENT, 0, 3, 4), chunk(SERVER, 0, b"tell", 4)])
    assert (one.table.reorder.deadline == one.time + CLOCK_JITTER) is waits


def test_a_clock_that_was_set_back_is_none_to_wait_by() -> None:
    one = talk()
    one.time += 10 * CLOCK_JITTER
    one.b(0, b"tell", acks=3)
    one.time -= 2 * CLOCK_JITTER
    assert len(said(one.a(0, acks=0))) == 2


def test_what_is_known_to_be_missing_is_not_awaited() -> None:
    """It was acknowledged a moment ago."""
    one = talk()
    one.b(0, acks=3)
    one.time += CLOCK_JITTER
    assert len(said(one.b(0, b"tell", acks=3))) == 2


def test_acknowledgements_alone_wait_only_with_others() -> None:
    one = talk()
    assert one.b(0, acks=3) == []
    assert one.flow.held == []
    one.b(0, b"tell", acks=3)
    one.b(4, acks=3)
    assert len(one.flow.held) == 2
    one.a(0, b"ask", acks=0)
    assert one.flow.held == []


@pytest.mark.parametrize("said", [b"a", b"ask"])
def test_a_reset_waits_for_what_was_sent_before(said: bytes) -> None:
    one = talk()
    assert one.a(len(said), flags=RST) == []
    assert one.a(0, said) == [chunk(CLIENT, 0, said, 5), Closed("rst", 4, 4 * MS)]


def test_a_reset_that_acknowledges_nothing_waits_for_its_own_side_only() -> None:
    """The number 0 may be near where the other side stands."""
    one = Talk(isn_b=2**32 - 20, patience=CLOCK_JITTER).open()
    assert one.a(0, acks=None, flags=RST) == [Closed("rst", 4, 4 * MS)]


def test_a_reset_that_acknowledges_nothing_is_the_last_of_what_waits() -> None:
    one = talk()
    assert one.b(0, b"tell", acks=3) == []
    assert one.b(4, b"more", acks=3) == []
    assert one.b(8, acks=None, flags=RST) == []
    found = one.a(0, b"ask")
    assert [type(event) for event in found] == [Chunk, Chunk, Chunk, Closed]


def test_what_the_other_side_said_before_the_capture_is_not_awaited() -> None:
    """Where its SYN did not come in time."""
    one = Talk(isn_b=100, patience=CLOCK_JITTER)
    assert one.a(0, b"ask", acks=50) == []
    assert one.table.reorder.deadline == one.time + CLOCK_JITTER
    (_, opened), *rest = one.table.overdue(one.time + CLOCK_JITTER)
    assert opened == Opened(1, MS)
    assert [event for _, event in rest] == [chunk(CLIENT, 0, b"ask", 1)]
    assert one.a(3, b"again", acks=50) == [chunk(CLIENT, 3, b"again", 2)]


def whole(one: Talk) -> list[Segment]:
    """A connection from its SYN to its last acknowledgement."""
    return [
        one.segment(0, -1, b"", None, SYN),
        one.segment(1, -1, b"", 0, SYN),
        one.segment(0, 0, b"", 0, ACK),
        one.segment(0, 0, b"ask", 0, ACK),
        one.segment(1, 0, b"tell", 3, ACK),
        one.segment(1, 4, b"", 3, FIN),
        one.segment(0, 3, b"", 5, FIN),
    ]


@pytest.mark.parametrize("seed", range(60))
def test_a_connection_that_begins_out_of_order_is_the_same(seed: int) -> None:
    """Its SYN may be the last of its packets: it is told when it is known how it began."""
    one = Talk(patience=CLOCK_JITTER)
    segments = whole(one)
    Random(seed).shuffle(segments)
    for number, segment in enumerate(segments, 1):
        one.send(segment._replace(number=number, time=MS + number * MS // 10))
    one.finish()
    events = [event for _, event in one.events]
    assert [event[:3] for event in said(events)] == [(CLIENT, 0, b"ask"), (SERVER, 0, b"tell")]
    assert [type(event) for event in events if event not in said(events)] == [Opened, Closed]
    connection = one.connection
    assert (connection.client.port, connection.closed, connection.gaps) == (40_000, "fin", 0)
    assert (connection.first_packet, connection.packets, len(connection.syns)) == (1, 7, 1)
    assert len({flow for flow, _ in one.events}) == 1


@pytest.mark.parametrize(("after", "is_one"), [(CLOCK_JITTER - 1, True), (CLOCK_JITTER, False)])
def test_a_refusal_waits_for_its_syn(after: int, is_one: bool) -> None:
    one = Talk(patience=CLOCK_JITTER)
    assert one.send(one.segment(1, -1, b"", 0, RST | ACK)._replace(time=MS)) == []
    found = [event for _, event in one.table.overdue(MS + after)]
    assert [type(event) for event in found] == ([] if is_one else [Opened, Closed])
    events = one.send(one.segment(0, -1, b"", None, SYN)._replace(number=2, time=MS + after))
    assert [type(event) for event in events] == ([Opened, Closed] if is_one else [Opened])
    assert one.connection.established is False
    assert one.connection.mid_stream is False


def test_a_reset_of_which_nothing_is_known_is_told_at_the_end() -> None:
    one = Talk(patience=CLOCK_JITTER)
    assert one.b(0, acks=None, flags=RST) == []
    assert [type(event) for event in one.finish()] == [Opened, Closed]
    assert one.connection.mid_stream is True


def test_what_is_captured_of_one_side_only_waits_at_its_beginning_only() -> None:
    one = Talk(patience=CLOCK_JITTER)
    one.a(-1, acks=None, flags=SYN)
    assert said(one.a(0, b"ask", acks=0)) == []
    one.time += CLOCK_JITTER
    list(one.table.overdue(one.time))
    assert [event[:3] for event in said(one.a(3, b"again", acks=9))] == [(CLIENT, 3, b"again")]


def test_each_connection_has_its_own_deadline() -> None:
    table, talks = None, []
    for port in (40_000, 40_001, 40_002):
        one = Talk(ports=(port, 4_444), patience=CLOCK_JITTER)
        one.table = table = table or one.table
        one.time = MS * (port - 40_000)
        talks.append(one.open())
        one.b(0, b"tell", acks=3)
    first, second, third = (one.time + CLOCK_JITTER for one in talks)
    for deadline, following in ((first, second), (second, third), (third, NEVER)):
        assert talks[0].table.reorder.deadline == deadline
        assert len([*talks[0].table.overdue(deadline)]) == 2
        assert talks[0].table.reorder.deadline == following


def test_the_second_end_waits_for_the_first() -> None:
    one = talk()
    assert one.b(0, acks=1, flags=FIN) == []
    assert len(one.flow.held) == 1
    one.a(0, acks=0, flags=FIN)
    assert one.facts(CLIENT).fin is not None
    assert one.connection.closed == "fin"


def test_what_acknowledges_one_byte_more_does_not_wait() -> None:
    """A FIN that was not captured."""
    one = talk()
    assert one.b(0, b"tell", acks=1) == [chunk(SERVER, 0, b"tell", 4)]
    one = talk()
    assert one.b(0, b"tell", acks=2) == []
    assert len(one.flow.held) == 1


def test_data_behind_a_hole_of_its_own_side_does_not_wait_here() -> None:
    one = talk()
    one.a(3, b"more")
    assert one.flow.held == []


@pytest.mark.parametrize("data", [b"HTTP/1.1 200 OK\r\n", b"POST / HTTP/1.1\r\n", b"\x17\x03\x03\0\1x"])
def test_http_keeps_its_place(data: bytes) -> None:
    """A task on an agent is many connections."""
    one = talk()
    assert said(one.b(0, data, acks=3))[-1] == chunk(SERVER, 0, data, 4)


def test_at_the_end_nobody_waits() -> None:
    one = talk()
    one.b(0, b"tell", acks=3)
    assert said(one.finish()) == [gap(CLIENT, 0, 3, 4), chunk(SERVER, 0, b"tell", 4)]


def test_a_foreign_connection_waits_for_nothing() -> None:
    one = talk()
    one.b(0, b"tell", acks=3)
    one.table.ignore(one.flow)
    assert list(one.table.overdue(one.time + CLOCK_JITTER)) == []
    assert one.flow.held == []


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    one = talk()
    size = 4 + 512
    monkeypatch.setattr(reorder, "MAX_REORDER_BYTES", 2 * size)
    assert one.b(0, b"tell", acks=3) == one.b(4, b"tell", acks=3) == []
    assert len(said(one.b(8, b"tell", acks=3))) == 4
    assert one.flow.held == []


def far(one: Talk, ahead: int) -> Segment:
    return one.segment(1, 0, b"tell", ahead, ACK)


@pytest.mark.parametrize(("ahead", "waits"), [(1 << 24, True), ((1 << 24) + 1, False)])
def test_what_is_far_away_is_not_awaited(ahead: int, waits: bool) -> None:
    one = talk()
    assert (one.send(far(one, ahead)) == []) is waits


@pytest.mark.parametrize(("size", "waits"), [(1 << 13, True), ((1 << 13) + 1, False)])
def test_what_has_come_far_was_there_before(size: int, waits: bool) -> None:
    """A transfer under way does not wait for a SYN."""
    one = Talk(patience=CLOCK_JITTER)
    one.a(0, b"x" * size)
    assert len(said(one.a(size, b"y"))) == (0 if waits else 2)
