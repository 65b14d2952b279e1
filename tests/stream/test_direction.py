"""The thresholds of one direction, each from both sides, and the counts that are told of it."""

from __future__ import annotations

import pytest
from builders import ACK, FIN, RST, SYN
from stream_kit import CLIENT, ISN_A, MS, SERVER, Talk, chunk, gap

from dissector.limits import CLOCK_JITTER
from dissector.model import Mark
from dissector.stream.reassembly import Closed, Opened
from dissector.traffic import Chunk, Gap

WINDOW = 2**30


# --- how far away bytes may be ----------------------------------------------------------------------------------------


def test_bytes_as_far_ahead_as_the_largest_window_wait() -> None:
    talk = Talk().open()
    assert talk.a(WINDOW, b"x") == []
    assert talk.finish() == [
        gap(CLIENT, 0, WINDOW, 4, acknowledged=False),
        chunk(CLIENT, WINDOW, b"x", 4),
        Closed(None, 4, 4 * MS),
    ]
    assert talk.facts(CLIENT).never_acknowledged == WINDOW


def test_bytes_farther_ahead_do_not_count_as_sent() -> None:
    talk = Talk().open()
    assert talk.a(WINDOW + 1, b"x") == []
    assert talk.finish() == [Closed(None, 4, 4 * MS)]
    assert talk.facts(CLIENT).sent == 0


@pytest.mark.parametrize(("behind", "counted"), [(WINDOW, 1), (WINDOW + 1, 0)])
def test_bytes_as_far_behind_as_the_largest_window_are_retransmitted(behind: int, counted: int) -> None:
    talk = Talk().open()
    talk.a(-behind, b"xy")
    assert talk.facts(CLIENT).retransmissions == counted


@pytest.mark.parametrize(("ahead", "missing"), [(WINDOW, [gap(CLIENT, 0, WINDOW, 4)]), (WINDOW + 1, [])])
def test_acknowledged_bytes_are_at_most_a_window_ahead(ahead: int, missing: list[Gap]) -> None:
    talk = Talk().open()
    assert talk.b(0, b"!", acks=ahead) == [*missing, chunk(SERVER, 0, b"!", 4)]


# --- captured twice, or retransmitted ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ip_id", "later", "counted"),
    [(77, 50_000_000, 0), (77, 50_000_001, 1), (0, 1_000_000, 0), (0, 1_000_001, 1)],
)
def test_how_soon_a_second_capture_comes(ip_id: int, later: int, counted: int) -> None:
    talk = Talk().open()
    talk.a(0, b"hello", ip_id=ip_id)
    talk.a(0, b"hello", ip_id=ip_id, time=talk.time + later)
    assert talk.facts(CLIENT).retransmissions == counted


def test_a_second_capture_has_the_same_ip_id_and_length() -> None:
    talk = Talk().open()
    talk.a(0, b"hello", ip_id=77)
    talk.a(0, b"hello", ip_id=78)
    talk.a(0, b"hell", ip_id=77)
    talk.a(1, b"ello", ip_id=77)
    assert talk.facts(CLIENT).retransmissions == 3


@pytest.mark.parametrize(("others", "counted"), [(15, 0), (16, 1)])
def test_the_last_sixteen_segments_are_known_again(others: int, counted: int) -> None:
    talk = Talk().open()
    for index in range(others + 1):
        talk.a(index, b"x", ip_id=100 + index, acks=0)
    talk.a(0, b"x", ip_id=100)
    assert talk.facts(CLIENT).retransmissions == counted


def test_how_long_a_retransmission_took_and_how_small_it_was() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.a(5, b"you")
    talk.time += 200 * MS
    talk.a(0, b"hello")
    talk.time += 400 * MS
    talk.a(0, b"hello")
    facts = talk.facts(CLIENT)
    assert (facts.retransmissions, facts.repeat_wait, facts.smallest_retransmitted) == (2, 603 * MS, 5)
    talk.time += 100 * MS
    talk.a(5, b"you")
    talk.a(1, b"ello")
    assert (facts.retransmissions, facts.repeat_wait, facts.smallest_retransmitted) == (4, (603 + 703) * MS, 3)


def test_a_retransmission_captured_before_its_original_took_no_time() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.a(0, b"hello", time=talk.time - 100 * MS)
    assert (talk.facts(CLIENT).retransmissions, talk.facts(CLIENT).repeat_wait) == (1, 0)


def test_an_early_segment_again_is_a_retransmission() -> None:
    talk = Talk().open()
    assert talk.a(3, b"def") == talk.a(3, b"def") == []
    assert talk.facts(CLIENT).retransmissions == 1
    assert talk.a(2, b"cde") == []
    assert talk.facts(CLIENT).retransmissions == 2
    assert talk.a(0, b"ab") == [chunk(CLIENT, 0, b"ab", 7), chunk(CLIENT, 2, b"c", 6), chunk(CLIENT, 3, b"def", 4)]
    assert talk.facts(CLIENT).retransmissions == 2


# --- probes -----------------------------------------------------------------------------------------------------------


def test_two_bytes_again_are_no_keep_alive() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.b(0, acks=5)
    talk.a(3, b"lo")
    talk.a(3, b"l")
    assert talk.facts(CLIENT).retransmissions == 2


def test_a_byte_behind_an_open_window_is_no_probe() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.a(5, b"w")
    talk.a(5, b"world")
    assert talk.facts(CLIENT).retransmissions == 1


def test_two_bytes_into_a_closed_window_are_no_probe() -> None:
    talk = Talk().open()
    talk.b(0, window=0)
    talk.a(0, b"wo")
    talk.b(0, window=500)
    talk.a(1, b"orld")
    talk.a(0, b"wo")
    assert talk.facts(CLIENT).retransmissions == 2


def test_bytes_from_before_a_probe_are_retransmitted() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.b(0, acks=5, window=0)
    talk.a(5, b"w")
    talk.b(0, acks=5, window=500)
    assert talk.a(4, b"oworld") == [chunk(CLIENT, 6, b"orld", 8)]
    assert talk.facts(CLIENT).retransmissions == 1


# --- what waits behind a hole -----------------------------------------------------------------------------------------


def test_what_waits_is_counted_with_256_bytes_of_overhead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fit exactly; what was delivered makes room again."""
    monkeypatch.setattr("dissector.stream.direction.MAX_REORDER_BYTES", 300 * (256 + 2))
    talk = Talk().open()
    for begin in (0, 601):
        for index in range(300):
            assert talk.a(begin + 1 + 2 * index, b"xy") == []
        assert len(talk.a(begin, b"-")) == 301


def test_what_is_behind_a_fin_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.direction.MAX_REORDER_BYTES", 4 * 258)
    talk = Talk().open()
    for index in range(4):
        assert talk.a(1 + 3 * index, b"xy") == []
    assert talk.a(9, flags=FIN) == []
    assert talk.a(3, b"z") == []
    assert [type(event) for event in talk.a(6, b"z")] == [Gap, *[Chunk] * 5]


def test_one_byte_more_than_may_wait_gives_the_oldest_hole_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.direction.MAX_REORDER_BYTES", 3 * 257)
    talk = Talk().open()
    for index in range(3):
        assert talk.a(5 + 2 * index, b"x") == []
    assert talk.a(11, b"x") == [gap(CLIENT, 0, 5, 7, acknowledged=False), chunk(CLIENT, 5, b"x", 4)]
    assert talk.a(13, b"x") == [gap(CLIENT, 6, 1, 8, acknowledged=False), chunk(CLIENT, 7, b"x", 5)]
    assert talk.facts(CLIENT).never_acknowledged == 6


def test_a_fin_cuts_what_waits() -> None:
    talk = Talk().open()
    talk.a(2, b"cdef")
    talk.a(8, b"ij")
    assert talk.a(4, flags=FIN) == []
    assert talk.a(0, b"ab") == [chunk(CLIENT, 0, b"ab", 7), chunk(CLIENT, 2, b"cd", 4)]
    assert talk.b(0, flags=FIN) == [Closed("fin", 8, 8 * MS)]


def test_a_fin_behind_what_was_delivered_ends_there() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.a(3, flags=FIN)
    assert talk.facts(CLIENT).sent == 5
    assert talk.b(0, flags=FIN) == [Closed("fin", 6, 6 * MS)]


def test_only_the_first_fin_tells_the_end() -> None:
    talk = Talk().open()
    talk.a(0, b"hello", flags=FIN)
    talk.a(9, flags=FIN)
    assert talk.facts(CLIENT).fin == Mark(4, 4 * MS, 64, 4)
    assert talk.b(0, flags=FIN) == [Closed("fin", 6, 6 * MS)]


# --- acknowledgements of what was not captured ------------------------------------------------------------------------


def test_one_acknowledged_byte_is_a_fin_unless_more_waits_behind_it() -> None:
    talk = Talk().open()
    assert talk.b(0, b"!", acks=1) == [chunk(SERVER, 0, b"!", 4)]
    assert talk.b(1, b"!", acks=1) == [chunk(SERVER, 1, b"!", 5)]
    talk.a(1, b"x")
    assert talk.b(2, b"!", acks=1) == [gap(CLIENT, 0, 1, 7), chunk(CLIENT, 1, b"x", 6), chunk(SERVER, 2, b"!", 7)]


def test_two_acknowledged_bytes_are_a_gap() -> None:
    talk = Talk().open()
    assert talk.b(0, b"!", acks=2) == [gap(CLIENT, 0, 2, 4), chunk(SERVER, 0, b"!", 4)]


def test_the_farthest_acknowledgement_is_the_proof() -> None:
    talk = Talk().open()
    assert talk.b(0, acks=9) == []
    talk.time += CLOCK_JITTER
    assert [(event.offset, event.size) for event in talk.b(0, acks=5) if isinstance(event, Gap)] == [(0, 5)]
    assert talk.finish() == [gap(CLIENT, 5, 4, 4), Closed(None, 5, 15 * MS)]
    assert talk.facts(CLIENT).never_acknowledged == 0


def test_a_later_and_farther_acknowledgement_is_the_proof() -> None:
    talk = Talk().open()
    assert talk.b(0, acks=4) == []
    talk.time += CLOCK_JITTER - MS - 1
    assert talk.b(0, acks=9) == []
    assert [
        (event.offset, event.size) for event in talk.b(0, acks=9, time=talk.time + 1) if isinstance(event, Gap)
    ] == [(0, 9)]


def test_nothing_is_missing_behind_a_fin() -> None:
    talk = Talk().open()
    talk.a(2, flags=FIN)
    assert talk.b(0, b"!", acks=9) == [gap(CLIENT, 0, 2, 5), chunk(SERVER, 0, b"!", 5)]
    assert talk.facts(SERVER).acked == 2


def test_holes_are_counted_beyond_those_that_are_listed() -> None:
    talk = Talk().open()
    for index in range(33):
        talk.b(index, b"!", acks=2 * index + 2)
    assert talk.connection.gaps == 33
    assert talk.connection.gap_marks == tuple(Mark(number, number * MS) for number in range(4, 36))


def test_an_acknowledgement_from_before_the_first_byte_is_one_of_nothing() -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    talk.b(-1, acks=-10, flags=0)
    assert talk.facts(SERVER).acked == 0


# --- the first bytes without a SYN ------------------------------------------------------------------------------------


def test_a_byte_before_the_acknowledged_ones_is_a_keep_alive_and_two_are_data() -> None:
    talk = Talk()
    talk.b(700, acks=5_000)
    assert talk.a(4_999, b"\0", acks=700) == []
    assert talk.a(4_998, b"ab", acks=700) == [chunk(CLIENT, 0, b"ab", 3)]
    assert talk.facts(CLIENT).retransmissions == 0


def test_a_byte_behind_the_acknowledged_ones_is_data() -> None:
    talk = Talk()
    talk.b(700, acks=5_000)
    assert talk.a(5_001, b"x", acks=700) == [chunk(CLIENT, 0, b"x", 2)]


def test_bytes_before_what_was_acknowledged_begin_the_stream_behind_a_syn_too() -> None:
    """The answer to the SYN was not captured, and the client's first packet acknowledges what it has already."""
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    talk.a(0, acks=6)
    assert talk.b(2, b"later") == [chunk(SERVER, 0, b"later", 3)]


def test_a_fin_alone_begins_a_direction_at_its_end() -> None:
    talk = Talk()
    talk.a(7_000, b"", acks=None, flags=FIN)
    assert talk.b(300, b"", acks=7_001, flags=FIN) == [Closed("fin", 2, 2 * MS)]
    assert talk.connection.gaps == 0


def test_the_first_fin_of_a_direction_under_way_is_no_gap() -> None:
    talk = Talk()
    talk.b(0, acks=1_000)
    talk.a(4_000, flags=FIN, acks=0)
    assert [event for event in talk.finish() if isinstance(event, (Chunk, Gap))] == []
    assert talk.facts(CLIENT).sent == 0


# --- beginnings and ends ----------------------------------------------------------------------------------------------

NEAR = 2**24


@pytest.mark.parametrize("sign", [1, -1])
def test_a_reset_is_of_the_connection_up_to_16_mib_away(sign: int) -> None:
    talk = Talk().open()
    assert talk.b(sign * (NEAR + 1), flags=RST) == []
    assert talk.facts(SERVER).rst_outside
    lost = [Gap(SERVER, 0, NEAR, 5, 5 * MS)] if sign > 0 else []
    assert talk.b(sign * NEAR, flags=RST) == [*lost, Closed("rst", 5, 5 * MS)]
    assert not talk.facts(SERVER).rst_outside
    assert talk.facts(SERVER).rst == Mark(5, 5 * MS, 64, 5)


@pytest.mark.parametrize(("ahead", "lost"), [(0, 0), (1, 0), (2, 2), (NEAR, NEAR)])
def test_a_reset_counts_what_its_sender_sent(ahead: int, lost: int) -> None:
    """One byte more may be the FIN that it stands behind."""
    talk = Talk().open()
    talk.b(0, b"hello")
    found = talk.b(5 + ahead, flags=RST)
    assert found == [*([Gap(SERVER, 5, lost, 5, 5 * MS)] if lost else []), Closed("rst", 5, 5 * MS)]
    facts = talk.facts(SERVER)
    assert (facts.lost_to, facts.only_counted) == ((5 + lost, True) if lost else (0, False))
    assert facts.fin_counted is (ahead == 1)


def test_a_fin_that_was_captured_is_not_counted() -> None:
    talk = Talk().open()
    talk.b(0, b"hello")
    talk.b(5, flags=FIN)
    talk.b(6, flags=RST)
    assert not talk.facts(SERVER).fin_counted


def test_a_reset_acknowledges_what_the_other_end_sent() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    assert talk.b(0, flags=RST, acks=12) == [Gap(CLIENT, 5, 7, 5, 5 * MS), Closed("rst", 5, 5 * MS)]
    assert (talk.facts(CLIENT).lost_to, talk.facts(CLIENT).only_counted) == (12, False)


def test_a_reset_outside_does_not_hide_the_first_one() -> None:
    talk = Talk().open()
    talk.b(NEAR + 1, flags=RST)
    talk.b(NEAR + 9, flags=RST, acks=None)
    facts = talk.facts(SERVER)
    assert (facts.rst, facts.rst_outside, facts.rst_unknown) == (Mark(4, 4 * MS, 64, 4), True, False)


def test_a_reset_without_acknowledgement_is_from_who_knows_nothing() -> None:
    talk = Talk().open()
    talk.b(0, flags=RST, acks=None)
    assert talk.facts(SERVER).rst_unknown
    assert talk.connection.idle_before_end == MS


@pytest.mark.parametrize("sign", [1, -1])
def test_late_data_is_of_the_closed_connection_up_to_16_mib_away(sign: int) -> None:
    talk = Talk().open()
    talk.b(0, flags=RST)
    assert talk.a(sign * NEAR, b"late") == []
    assert [type(event) for event in talk.a(sign * (NEAR + 1), b"new")] == [Opened, Chunk]


def test_late_packets_without_data_are_never_a_new_connection() -> None:
    talk = Talk().open()
    talk.b(0, flags=RST)
    assert talk.a(NEAR + 1) == talk.a(NEAR + 1, flags=RST) == []
    assert (talk.connection.packets, talk.facts(CLIENT).rst_outside) == (6, True)


def test_late_data_behind_what_was_sent_is_noted_once() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.b(0, flags=RST)
    talk.a(4, b"o")
    assert talk.facts(CLIENT).late_data is None
    talk.a(5, b"more")
    talk.a(9, b"more")
    assert talk.facts(CLIENT).late_data == Mark(7, 7 * MS, 64, 7)


def test_a_late_fin_is_noted_once() -> None:
    talk = Talk().open()
    talk.b(0, flags=RST)
    talk.a(0, flags=FIN)
    talk.a(0, flags=FIN)
    talk.a(0, flags=RST)
    talk.a(0, flags=RST)
    assert talk.facts(CLIENT).fin == Mark(5, 5 * MS, 64, 5)
    assert talk.facts(CLIENT).rst == Mark(7, 7 * MS, 64, 7)


@pytest.mark.parametrize(("age", "flows"), [(999_999_999, 1), (1_000_000_000, 2)])
def test_a_syn_behind_its_data_comes_within_a_second(age: int, flows: int) -> None:
    talk = Talk()
    talk.a(0, b"abc")
    talk.a(-1, acks=None, flags=SYN, time=MS + age)
    assert len({flow for flow, _ in talk.events}) == flows


def test_a_syn_that_does_not_fit_the_data_begins_a_new_connection() -> None:
    talk = Talk()
    talk.a(0, b"abc")
    talk.a(-2, acks=None, flags=SYN)
    assert len({flow for flow, _ in talk.events}) == 2


@pytest.mark.parametrize(("later", "marks"), [(50_000_000, 1), (50_000_001, 2)])
def test_how_soon_a_second_capture_of_a_syn_comes(later: int, marks: int) -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN, ip_id=5)
    talk.a(-1, acks=None, flags=SYN, ip_id=5, time=MS + later)
    assert len(talk.connection.syns) == marks


def test_of_repeated_packets_thirty_two_are_listed() -> None:
    talk = Talk()
    for _ in range(33):
        talk.a(-1, acks=None, flags=SYN)
    assert [mark.number for mark in talk.connection.syns] == list(range(1, 33))
    for _ in range(33):
        talk.b(-1, acks=0, flags=SYN)
    assert [mark.number for mark in talk.connection.syn_acks] == list(range(34, 66))
    for _ in range(33):
        talk.b(0, window=0)
    assert [mark.number for mark in talk.facts(SERVER).zero_windows] == list(range(67, 99))


def test_the_answer_to_a_syn_acknowledges_just_the_syn() -> None:
    """One of another connection on the same ports begins that one."""
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    talk.b(-1, acks=1, flags=SYN)
    assert len({flow for flow, _ in talk.events}) == 1
    talk.a(0, b"abc")
    assert [type(event) for event in talk.b(-1, acks=7, flags=SYN, seq=99)] == [Closed, Opened]


@pytest.mark.parametrize(("acks", "flows"), [(0, 1), (1, 2), (-1, 2)])
def test_a_late_answer_has_to_acknowledge_just_the_syn(acks: int, flows: int) -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    talk.time += 2_000 * MS
    talk.b(-1, acks=acks, flags=SYN)
    assert len({flow for flow, _ in talk.events}) == flows


def test_an_answer_behind_data_of_its_sender_is_another_connection_s() -> None:
    talk = Talk().open()
    talk.b(0, b"data")
    talk.b(-1, acks=0, flags=SYN, seq=77)
    assert len({flow for flow, _ in talk.events}) == 2


def test_a_second_syn_of_the_same_side_begins_a_new_connection() -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    assert [type(event) for event in talk.a(-1, acks=None, flags=SYN, seq=ISN_A + 1)] == [Closed, Opened]


def test_silence_is_the_longest_one_with_the_packet_behind_it() -> None:
    talk = Talk().open()
    talk.time += 500 * MS
    talk.a(0, b"x")
    talk.time += 500 * MS
    talk.b(0, acks=1)
    assert (talk.connection.silence, talk.connection.silence_end) == (501 * MS, Mark(4, 504 * MS, 64, 4))


def test_how_long_nothing_came_before_the_first_end_of_both() -> None:
    talk = Talk().open()
    talk.time += 9 * MS
    talk.a(0, flags=FIN)
    talk.time += 70 * MS
    talk.b(0, flags=FIN | ACK)
    assert talk.connection.idle_before_end == 10 * MS
