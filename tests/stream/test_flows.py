"""When the table of connections lets one go: every bound and every patience from both sides."""

from __future__ import annotations

import pytest
from builders import ACK, FIN, RST, SECOND, SYN
from stream_kit import MS, Talk, syn

from dissector.stream.flows import FlowTable
from dissector.stream.reassembly import Closed, Connections
from dissector.traffic import IcmpError, Segment

HALF_OPEN, IDLE = 300 * SECOND, 3_600 * SECOND


def closed_by(table: Connections, segment: Segment) -> list[int]:
    """First packets of the connections that are given up when this segment comes."""
    return [flow.connection.first_packet for flow, event in table.feed(segment) if isinstance(event, Closed)]


def aged(table: Connections, now: int) -> list[int]:
    return [flow.connection.first_packet for flow, _ in table.age(now)]


def test_patience_with_a_half_open_connection() -> None:
    table = Connections(patience=0)
    list(table.feed(syn(1, 5)))
    assert closed_by(table, syn(2, 5 + HALF_OPEN - 1)) == []
    assert closed_by(table, syn(3, 5 + HALF_OPEN)) == [1]


def test_a_packet_renews_the_patience() -> None:
    table = Connections(patience=0)
    list(table.feed(syn(1, 5)))
    list(table.feed(syn(1, 7)._replace(number=2)))
    assert aged(table, 5 + HALF_OPEN) == []
    # It was looked at a moment ago, and is not looked at again at once.
    assert aged(table, 7 + HALF_OPEN) == []
    assert aged(table, 5 + 2 * HALF_OPEN) == [1]


def test_patience_with_a_connection_that_talked() -> None:
    talk = Talk().open()
    talk.a(0, b"x")
    assert aged(talk.table, 4 * MS + IDLE - 1) == []
    assert aged(talk.table, 4 * MS + IDLE) == [1]
    assert len(talk.table) == 0


def test_a_connection_of_a_task_is_kept_until_the_session_has_heard_its_end() -> None:
    talk = Talk().open()
    talk.a(0, b"x")
    talk.connection.n = 1
    assert aged(talk.table, 4 * MS + IDLE) == []
    talk.connection.over = True
    assert aged(talk.table, 4 * MS + 2 * IDLE) == [1]


def test_a_numbered_connection_without_data_is_not_kept() -> None:
    talk = Talk().open()
    talk.connection.n = 1
    assert aged(talk.table, 3 * MS + HALF_OPEN) == [1]


def test_a_closed_connection_waits_for_late_packets() -> None:
    talk = Talk().open()
    talk.b(0, flags=RST)
    list(talk.table.age(4 * MS + HALF_OPEN - 1))
    assert len(talk.table) == 1
    assert aged(talk.table, 4 * MS + HALF_OPEN) == []
    assert len(talk.table) == 0


def test_four_are_looked_at_a_time() -> None:
    table = Connections(patience=0)
    for index in range(1, 7):
        list(table.feed(syn(index, index)))
    assert aged(table, HALF_OPEN + 100) == [1, 2, 3, 4]
    assert aged(table, HALF_OPEN + 100) == [5, 6]


def test_a_full_shelf_gives_up_its_oldest_though_all_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.flows.MAX_HALF_OPEN", 6)
    table = Connections(patience=0)
    for index in range(1, 7):
        list(table.feed(syn(index, index)))
        list(table.feed(syn(index, 10 + index)))
    # Four had packets since they came and are put behind; the fifth has to go nevertheless.
    assert closed_by(table, syn(7, 20)) == [5]
    assert len(table) == 6


def test_of_a_full_shelf_the_first_without_a_later_packet_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.flows.MAX_HALF_OPEN", 3)
    table = Connections(patience=0)
    for index in range(1, 4):
        list(table.feed(syn(index, index)))
    list(table.feed(syn(1, 9)))
    assert closed_by(table, syn(4, 10)) == [2]


def test_a_shelf_is_full_with_as_many_as_may_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.flows.MAX_HALF_OPEN", 3)
    table = Connections(patience=0)
    for index in range(1, 4):
        assert closed_by(table, syn(index, index)) == []
    assert closed_by(table, syn(4, 4)) == [1]


@pytest.mark.parametrize(("most", "last"), [(64, 64), (64, 65)])
def test_of_foreign_connections_some_are_forgotten_at_a_time(
    most: int, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many: it, and one in 64 keys more."""
    monkeypatch.setattr("dissector.stream.flows.MAX_CONNECTIONS", most)
    table = Connections(patience=0)
    for index in range(1, last + 1):
        for flow, _ in table.feed(syn(index, index)):
            table.ignore(flow)
        list(table.feed(syn(index, index)._replace(flags=ACK)))
    assert len(table.foreign) == (2 * most if last == most else 2 * most - 2)


def test_what_is_given_up_before_it_is_known_to_be_foreign_is_not_kept_in_mind() -> None:
    """A new connection with the same ports may be under way."""
    table = FlowTable()
    first = syn(1, 1)
    old, _ = table.add(first, from_client=True, mid_stream=False)
    table.remove(old)
    new, _ = table.add(first, from_client=True, mid_stream=False)
    table.ignore(old)
    assert (len(table), table.foreign) == (1, {})
    new.over = True
    table.ignore(new)
    assert (len(table), table.foreign, set(table._gone)) == (0, {}, set(new.keys))


def test_when_a_flow_is_due_and_whether_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = Talk().open()
    table = talk.table._table
    assert table.next_due() == talk.connection.start + HALF_OPEN
    talk.a(0, b"abc")
    assert table.next_due() == talk.connection.end + IDLE
    talk.b(0, flags=RST)
    assert table.next_due() == talk.connection.end + HALF_OPEN
    assert FlowTable().next_due() is None
    for name in ("HALF_OPEN", "CONNECTIONS"):
        with monkeypatch.context() as patch:
            patch.setattr(f"dissector.stream.flows.MAX_{name}", 4)
            assert table.has_room(3)
            assert not table.has_room(4)
    for most in (1, 2):
        monkeypatch.setattr("dissector.stream.flows.MAX_CLOSED", most)
        assert table.is_full() is (most == 1)


def test_an_ended_foreign_connection_moves_from_one_list_to_the_other() -> None:
    table = FlowTable()
    first = syn(1, 1)
    flow, index = table.add(first, from_client=True, mid_stream=False)
    assert (index, len(table)) == (0, 1)
    table.ignore(flow)
    assert (set(table.foreign), len(table)) == (set(flow.keys), 0)
    assert table.ignores(first._replace(flags=FIN | ACK))
    assert table.foreign == {}
    # A bare acknowledgement comes late, data goes on.
    assert table.ignores(first._replace(flags=ACK))
    assert table.foreign == {}
    assert table.ignores(first._replace(flags=ACK, length=1))
    assert set(table.foreign) == set(flow.keys)
    assert not table.ignores(first)
    assert table.foreign == {}
    assert not table.ignores(first._replace(flags=ACK))


def test_a_flow_that_was_replaced_takes_nothing_away_with_it() -> None:
    table = FlowTable()
    old, _ = table.add(syn(1, 1), from_client=True, mid_stream=False)
    new, _ = table.add(syn(1, 2), from_client=True, mid_stream=False)
    table.remove(old)
    entries = [table.find(key) for key in new.keys]
    assert [entry.flow for entry in entries if entry] == [new, new]
    table.remove(new)
    assert [table.find(key) for key in new.keys] == [None, None]


def test_unfinished_flows_come_by_their_first_packets() -> None:
    table = FlowTable()
    flows = [table.add(syn(index, index), from_client=True, mid_stream=False)[0] for index in (1, 2, 3)]
    table.talks(flows[0])
    table.close(flows[1])
    assert table.unfinished() == [flows[0], flows[2]]
    table.talks(flows[1])
    assert table.unfinished() == [flows[0], flows[2]]


def test_a_connection_goes_on_as_usual_only_with_all_known_and_no_end_in_sight() -> None:
    talk = Talk()

    def steady() -> list[bool]:
        return [direction.steady for direction in talk.flow.directions]

    talk.a(-1, acks=None, flags=SYN)
    talk.b(-1, acks=0, flags=SYN)
    talk.a(0)
    assert steady() == [False, False]
    talk.a(0, b"ask")
    assert steady() == [True, False]
    talk.b(0, b"answer", acks=3)
    assert steady() == [True, True]
    talk.a(4, b"early", acks=6)
    assert steady() == [False, True]
    talk.a(3, b"-", acks=6)
    assert steady() == [True, True]
    talk.a(9, flags=FIN, acks=6)
    assert steady() == [False, False]


def test_nothing_goes_on_as_usual_while_one_side_is_unknown() -> None:
    talk = Talk()
    talk.a(0, b"ask", acks=None)
    assert [direction.steady for direction in talk.flow.directions] == [False, False]


def test_a_flow_that_is_forgotten_keeps_who_and_when() -> None:
    talk = Talk().open()
    talk.a(0, b"ask")
    old = talk.connection
    talk.flow.forget()
    new = talk.connection
    assert new is not old
    assert (new.client, new.server, new.start, new.first_packet, new.end) == (
        old.client,
        old.server,
        old.start,
        old.first_packet,
        old.end,
    )
    assert (new.over, new.mid_stream, new.bytes) == (True, False, 0)
    talk.a(3, b"more")
    assert (old.bytes, old.packets) == (3, 4)


def test_icmp_errors_are_listed_up_to_a_bound_and_not_for_foreign_connections() -> None:
    talk = Talk()
    segment = talk.segment(0, -1, b"", None, SYN)
    talk.send(segment)
    error = IcmpError(
        2, 2 * MS, segment.dst, "port unreachable", segment.src, segment.sport, segment.dst, segment.dport, 0
    )
    for _ in range(33):
        assert talk.table.feed_icmp(error) is talk.flow
    assert len(talk.connection.icmp) == 32
    talk.table.ignore(talk.flow)
    assert talk.table.feed_icmp(error) is None
