"""What TCP and capturing do to bytes on their way: each disturbance from literals, then all of them at random."""

from __future__ import annotations

import random
from hashlib import sha256
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

import pytest
from builders import ACK, FIN, PSH, RST, SECOND, SYN, A, B
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_kit import CLIENT, ISN_A, ISN_B, MS, SERVER, Talk, chunk, gap, syn

from dissector import limits
from dissector.limits import CLOCK_JITTER
from dissector.model import Endpoint, Mark
from dissector.sources.capture import CaptureReader
from dissector.stream.framing import FrameReader
from dissector.stream.packets import parse
from dissector.stream.reassembly import Closed, Connections, Flow, Opened, StreamEvent
from dissector.traffic import Chunk, Frame, Gap, IcmpError, Segment, Side, key_of

# --- the ordinary life of a connection -----------------------------------------------------------------------------


def test_a_whole_connection() -> None:
    talk = Talk()
    assert talk.a(-1, acks=None, flags=SYN) == [Opened(1, MS)]
    assert talk.b(-1, acks=0, flags=SYN) == []
    assert talk.a(0) == []
    assert talk.a(0, b"hello", flags=PSH) == [chunk(CLIENT, 0, b"hello", 4)]
    assert talk.b(0, b"yes", acks=5) == [chunk(SERVER, 0, b"yes", 5)]
    assert talk.a(5, flags=FIN, acks=3) == []
    assert talk.b(3, flags=FIN, acks=6) == [Closed("fin", 7, 7 * MS)]
    assert talk.a(6, acks=4) == []
    assert talk.finish() == []
    connection = talk.connection
    assert (connection.client, connection.server) == (Endpoint(A, 40_000), Endpoint(B, 4_444))
    assert (connection.start, connection.end) == (MS, 8 * MS)
    assert (connection.first_packet, connection.last_packet, connection.packets) == (1, 8, 8)
    assert (connection.bytes, connection.gaps, connection.retransmissions) == (8, 0, 0)
    assert (connection.closed, connection.mid_stream, connection.established) == ("fin", False, True)
    assert connection.syns == (Mark(1, MS, 64, 1),)
    assert connection.syn_acks == (Mark(2, 2 * MS, 64, 2),)
    client, server = connection.sides
    assert (client.first_seq, client.packets, client.bytes, client.sent, client.acked) == (ISN_A, 5, 5, 5, 3)
    assert (server.first_seq, server.packets, server.bytes, server.sent, server.acked) == (ISN_B, 3, 3, 3, 5)
    assert client.first_data == client.last_data == Mark(4, 4 * MS, 64, 4)
    assert (client.fin, server.fin) == (Mark(6, 6 * MS, 64, 6), Mark(7, 7 * MS, 64, 7))
    assert (client.ttl, client.last) == (64, Mark(8, 8 * MS, 64, 8))
    assert connection.unacknowledged(CLIENT) == connection.unacknowledged(SERVER) == 0


def test_fin_with_data_and_data_behind_the_fin() -> None:
    talk = Talk().open()
    assert talk.a(0, b"last", flags=FIN) == [chunk(CLIENT, 0, b"last", 4)]
    assert talk.a(5, b"ghost") == []
    assert talk.a(2, b"st and a ghost") == []
    assert talk.b(0, flags=FIN, acks=5) == [Closed("fin", 7, 7 * MS)]
    assert talk.stream(CLIENT) == b"last"


def test_half_closed_the_other_side_goes_on() -> None:
    talk = Talk().open()
    talk.a(0, b"ask", flags=FIN)
    assert talk.b(0, b"answer", acks=4) == [chunk(SERVER, 0, b"answer", 5)]
    assert talk.finish()[-1] == Closed(None, 5, 5 * MS)


def test_simultaneous_fins() -> None:
    talk = Talk().open()
    assert talk.a(0, flags=FIN) == []
    assert talk.b(0, flags=FIN) == [Closed("fin", 5, 5 * MS)]
    assert talk.a(1, acks=1) == talk.b(1, acks=1) == talk.finish() == []


def test_a_fin_ahead_of_its_data_waits() -> None:
    talk = Talk().open()
    talk.a(3, b"def", flags=FIN)
    assert talk.b(0, flags=FIN) == []
    assert talk.a(0, b"abc") == [chunk(CLIENT, 0, b"abc", 6), chunk(CLIENT, 3, b"def", 4), Closed("fin", 6, 6 * MS)]


def test_a_reset_ends_it_and_its_data_is_none() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.time += 30 * SECOND
    assert talk.b(0, b"why", flags=RST, acks=5) == [Closed("rst", 5, 30 * SECOND + 5 * MS)]
    assert talk.stream(SERVER) == b""
    assert talk.connection.closed == "rst"
    assert talk.facts(SERVER).rst == Mark(5, 30 * SECOND + 5 * MS, 64, 5)
    assert not talk.facts(SERVER).rst_outside
    assert talk.connection.idle_before_end == 30 * SECOND + MS
    assert (talk.connection.silence, talk.connection.silence_end) == (30 * SECOND + MS, talk.facts(SERVER).rst)


def test_a_reset_behind_both_fins_does_not_change_how_it_ended() -> None:
    talk = Talk().open()
    talk.a(0, flags=FIN)
    talk.b(0, flags=FIN, acks=1)
    assert talk.a(1, flags=RST) == []
    assert (talk.connection.closed, talk.facts(CLIENT).rst) == ("fin", Mark(6, 6 * MS, 64, 6))


def test_a_reset_far_outside_is_noted_and_ignored() -> None:
    talk = Talk().open()
    assert talk.b(100_000_000, flags=RST) == []
    assert (talk.facts(SERVER).rst, talk.facts(SERVER).rst_outside) == (Mark(4, 4 * MS, 64, 4), True)
    assert talk.b(0, b"still here") == [chunk(SERVER, 0, b"still here", 5)]
    assert talk.b(10, flags=RST) == [Closed("rst", 6, 6 * MS)]
    assert (talk.facts(SERVER).rst, talk.facts(SERVER).rst_outside) == (Mark(6, 6 * MS, 64, 6), False)


def test_a_refused_syn() -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    assert talk.b(-1, acks=0, flags=RST, seq=0) == [Closed("rst", 2, 2 * MS)]
    assert not talk.connection.established


def test_late_segments_belong_to_what_was_closed() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.b(0, flags=RST)
    assert talk.a(0, b"hello") == talk.a(5, b"more") == talk.a(9) == talk.a(4, b"\0") == []
    assert talk.finish() == []
    assert (talk.connection.packets, talk.connection.last_packet, talk.connection.bytes) == (9, 9, 5)
    assert talk.facts(CLIENT).late_data == Mark(7, 7 * MS, 64, 7)
    assert talk.facts(SERVER).late_data is None


def test_the_rest_of_another_connection_on_the_same_ports_is_not_late() -> None:
    """Its SYN was not captured, but its numbers have nothing to do with the connection that was closed."""
    talk = Talk().open()
    talk.b(0, flags=RST)
    assert talk.a(0, b"new", seq=3_000_000_000) == [Opened(5, 5 * MS), chunk(CLIENT, 0, b"new", 5)]
    assert talk.connection.mid_stream


# --- order, repetition, overlap ------------------------------------------------------------------------------------


def test_out_of_order() -> None:
    talk = Talk().open()
    assert talk.a(3, b"def") == []
    assert talk.a(6, b"ghi") == []
    assert talk.a(0, b"abc") == [chunk(CLIENT, 0, b"abc", 6), chunk(CLIENT, 3, b"def", 4), chunk(CLIENT, 6, b"ghi", 5)]
    assert (talk.connection.retransmissions, talk.connection.gaps) == (0, 0)


def test_retransmission() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    assert talk.a(0, b"hello") == []
    assert talk.a(0, b"HELLO", acks=0) == []
    assert talk.stream(CLIENT) == b"hello"
    facts = talk.facts(CLIENT)
    assert (facts.retransmissions, facts.bytes) == (2, 5)
    assert facts.retransmitted == (Mark(5, 5 * MS, 64, 5), Mark(6, 6 * MS, 64, 6))
    assert facts.last_data == Mark(4, 4 * MS, 64, 4)


def test_of_many_retransmissions_the_first_and_the_newest_are_kept() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    for _ in range(100):
        talk.a(0, b"hello")
    facts = talk.facts(CLIENT)
    assert facts.retransmissions == 100
    assert [mark.number for mark in facts.retransmitted] == [*range(5, 21), *range(89, 105)]


def test_retransmission_with_other_boundaries() -> None:
    talk = Talk().open()
    talk.a(0, b"abc")
    talk.a(3, b"def")
    assert talk.a(0, b"abcdefgh") == [chunk(CLIENT, 6, b"gh", 6)]
    assert talk.a(4, b"efghij") == [chunk(CLIENT, 8, b"ij", 7)]
    assert talk.facts(CLIENT).retransmissions == 2


def test_where_segments_overlap_the_first_bytes_win() -> None:
    talk = Talk().open()
    talk.a(2, b"cd")
    talk.a(6, b"gh")
    assert talk.a(1, b"BCDEFGHIJ") == []
    assert [event.data for event in talk.a(0, b"AXXX") if isinstance(event, Chunk)] == [
        b"A",
        b"B",
        b"cd",
        b"EF",
        b"gh",
        b"IJ",
    ]
    assert talk.stream(CLIENT) == b"ABcdEFghIJ"


def test_a_packet_captured_twice_is_no_retransmission() -> None:
    """As at a mirror port or on the "any" interface: same IP id, a moment later, perhaps one hop on."""
    talk = Talk().open()
    talk.a(0, b"hello", ip_id=77)
    assert talk.a(0, b"hello", ip_id=77, ttl=63) == []
    talk.a(8, b"lo", ip_id=78)
    talk.a(8, b"lo", ip_id=78)
    assert talk.facts(CLIENT).retransmissions == 0
    talk.a(0, b"hello", ip_id=79)
    talk.a(0, b"hello", ip_id=79)
    assert talk.facts(CLIENT).retransmissions == 1


def test_the_places_of_capture_are_known_by_the_handshake() -> None:
    """The larger TTL is that of the nearer place, whichever comes first."""
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN, ip_id=1, ttl=127)
    talk.a(-1, acks=None, flags=SYN, ip_id=1, ttl=128)
    talk.b(-1, acks=0, flags=SYN, ip_id=0)
    talk.b(-1, acks=0, flags=SYN, ip_id=0)
    assert (talk.facts(CLIENT).places, talk.facts(SERVER).places) == ((128, 127), None)
    talk.b(-1, acks=0, flags=SYN, ip_id=9, ttl=63)
    assert talk.facts(SERVER).places is None
    talk.b(-1, acks=0, flags=SYN, ip_id=9, ttl=62)
    assert talk.facts(SERVER).places == (63, 62)
    assert (len(talk.connection.syns), len(talk.connection.syn_acks)) == (1, 2)


def test_a_reset_captured_twice_and_what_it_answers() -> None:
    talk = Talk().open()
    talk.b(0, b"done", ip_id=4)
    talk.a(0, b"hello", ip_id=5)
    talk.b(4, flags=RST, ip_id=6)
    facts = talk.facts(SERVER)
    assert facts.rst is not None
    assert facts.rst_answers == talk.facts(CLIENT).last
    assert not facts.rst_again
    talk.b(4, flags=RST, ip_id=6)
    talk.b(4, flags=RST, ip_id=7, ttl=63)
    assert not facts.rst_again
    talk.b(4, ip_id=6, ttl=63)
    assert not facts.rst_again
    talk.b(4, flags=RST, ip_id=6, ttl=63)
    assert facts.rst_again
    assert facts.rst.number == 6


def test_without_ip_ids_time_tells_a_second_capture() -> None:
    talk = Talk().open()
    talk.a(0, b"hello", ip_id=0)
    talk.a(0, b"hello", ip_id=0, time=talk.time + 1_000)
    assert talk.facts(CLIENT).retransmissions == 0
    talk.time += 200 * MS
    talk.a(0, b"hello", ip_id=0)
    assert talk.facts(CLIENT).retransmissions == 1


def test_bytes_farther_away_than_any_window_are_not_of_this_stream() -> None:
    talk = Talk().open()
    assert talk.a(2**30 + 1, b"x") == talk.a(-(2**30) - 1, b"x") == []
    assert talk.a(0, b"abc") == [chunk(CLIENT, 0, b"abc", 6)]
    assert talk.finish() == [Closed(None, 6, 6 * MS)]


def test_sequence_numbers_wrap() -> None:
    talk = Talk(isn_a=2**32 - 3, isn_b=2**32 - 1).open()
    talk.a(0, b"ab")
    talk.a(4, b"ef")
    assert talk.a(2, b"cd") == [chunk(CLIENT, 2, b"cd", 6), chunk(CLIENT, 4, b"ef", 5)]
    talk.a(1, b"bcd")
    assert talk.b(0, b"xyz", acks=6) == [chunk(SERVER, 0, b"xyz", 8)]
    assert talk.stream(CLIENT) == b"abcdef"
    assert (talk.facts(CLIENT).retransmissions, talk.facts(SERVER).acked) == (1, 6)


def test_offsets_go_on_behind_4_gib() -> None:
    talk = Talk().open()
    direction = talk.flow.directions[0]
    direction.next, direction.expect = 2**32 + 10, (ISN_A + 11) % 2**32
    assert talk.a(10, b"far") == [chunk(CLIENT, 2**32 + 10, b"far", 4)]
    assert talk.a(15, b"ther") == []
    assert talk.a(13, b"--") == [chunk(CLIENT, 2**32 + 13, b"--", 6), chunk(CLIENT, 2**32 + 15, b"ther", 5)]


# --- probes and windows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [b"", b"\0"])
def test_a_keep_alive_is_no_data(garbage: bytes) -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.b(0, acks=5)
    assert talk.a(4, garbage) == []
    assert talk.b(-1, garbage, acks=5) == []
    assert talk.a(5, b"go on") == [chunk(CLIENT, 5, b"go on", 8)]
    assert talk.connection.retransmissions == 0


def test_the_last_byte_again_before_its_acknowledgement_is_a_retransmission() -> None:
    """As single spaces, the keep-alive of the command connection, may be sent."""
    talk = Talk().open()
    talk.a(0, b" ")
    talk.a(0, b" ")
    assert talk.facts(CLIENT).retransmissions == 1


def test_zero_window_and_its_probes() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.b(0, acks=5, window=0)
    assert talk.a(5, b"w") == [chunk(CLIENT, 5, b"w", 6)]
    talk.b(0, acks=5, window=0)
    assert talk.a(5, b"w") == []
    talk.b(0, acks=5, window=500)
    assert talk.a(5, b"world") == [chunk(CLIENT, 6, b"orld", 10)]
    assert talk.stream(CLIENT) == b"helloworld"
    assert talk.connection.retransmissions == 0
    assert [mark.number for mark in talk.facts(SERVER).zero_windows] == [5, 7]


# --- what was not captured -----------------------------------------------------------------------------------------


def test_a_lost_segment_is_a_gap_before_the_answer_to_it() -> None:
    talk = Talk().open()
    talk.a(0, b"ask ")
    assert talk.b(0, b"answer", acks=10) == [gap(CLIENT, 4, 6, 5), chunk(SERVER, 0, b"answer", 5)]
    assert talk.a(10, b"next", acks=6) == [chunk(CLIENT, 10, b"next", 6)]
    assert (talk.connection.gaps, talk.connection.gap_marks) == (1, (Mark(5, 5 * MS),))
    assert (talk.connection.bytes, talk.facts(CLIENT).sent) == (14, 14)


def test_what_waits_behind_an_acknowledged_hole_is_delivered() -> None:
    talk = Talk().open()
    talk.a(3, b"def")
    talk.a(9, b"jkl")
    assert talk.b(0, b"!", acks=12) == [
        gap(CLIENT, 0, 3, 6),
        chunk(CLIENT, 3, b"def", 4),
        gap(CLIENT, 6, 3, 6),
        chunk(CLIENT, 9, b"jkl", 5),
        chunk(SERVER, 0, b"!", 6),
    ]


def test_a_bare_acknowledgement_may_overtake_its_data() -> None:
    """Queues of a network card: the first bare one is only noted, the second one is believed."""
    talk = Talk().open()
    assert talk.b(0, acks=5) == []
    assert talk.a(0, b"hello") == [chunk(CLIENT, 0, b"hello", 5)]
    assert talk.b(0, acks=10) == []
    talk.time += CLOCK_JITTER
    assert talk.b(0, acks=10) == [gap(CLIENT, 5, 5, 7)._replace(time=17 * MS)]
    assert talk.facts(SERVER).acked == 10


def test_later_bytes_prove_an_acknowledged_hole() -> None:
    talk = Talk().open()
    assert talk.b(0, acks=5) == []
    talk.time += CLOCK_JITTER - MS - 1
    assert talk.a(5, b"later") == []
    assert talk.a(10, b"more", time=4 * MS + CLOCK_JITTER) == [
        gap(CLIENT, 0, 5, 6)._replace(time=4 * MS + CLOCK_JITTER),
        chunk(CLIENT, 5, b"later", 5)._replace(time=3 * MS + CLOCK_JITTER + MS - 1),
        chunk(CLIENT, 10, b"more", 6)._replace(time=4 * MS + CLOCK_JITTER),
    ]


def test_an_acknowledged_tail_is_a_gap_at_the_end() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    assert talk.b(0, acks=9) == []
    assert talk.finish() == [gap(CLIENT, 5, 4, 5), Closed(None, 5, 5 * MS)]


def test_a_lost_segment_never_acknowledged_is_a_gap_at_the_end() -> None:
    talk = Talk().open()
    talk.a(0, b"abc")
    assert talk.a(6, b"ghi") == []
    assert talk.finish() == [
        gap(CLIENT, 3, 3, 5, acknowledged=False),
        chunk(CLIENT, 6, b"ghi", 5),
        Closed(None, 5, 5 * MS),
    ]
    assert talk.connection.unacknowledged(CLIENT) == 9


def test_the_acknowledgement_of_a_fin_is_no_gap() -> None:
    talk = Talk().open()
    talk.a(0, b"hello", flags=FIN)
    talk.b(0, b"bye", acks=6)
    talk.b(3, acks=6)
    talk.a(6, acks=4)  # the FIN of B was not captured
    assert talk.finish() == [Closed(None, 7, 7 * MS)]
    assert (talk.connection.gaps, talk.facts(SERVER).acked) == (0, 5)


def test_the_fin_itself_is_not_part_of_the_gap_before_it() -> None:
    talk = Talk().open()
    talk.a(0, b"hello")
    talk.a(8, flags=FIN)
    assert talk.b(0, b"x", acks=9) == [gap(CLIENT, 5, 3, 6), chunk(SERVER, 0, b"x", 6)]
    assert talk.b(1, flags=FIN, acks=9) == [Closed("fin", 7, 7 * MS)]


def test_a_reset_flushes_what_waits() -> None:
    talk = Talk().open()
    talk.a(3, b"def")
    assert talk.b(0, flags=RST) == [
        gap(CLIENT, 0, 3, 5, acknowledged=False),
        chunk(CLIENT, 3, b"def", 4),
        Closed("rst", 5, 5 * MS),
    ]


def test_a_full_reorder_buffer_gives_the_hole_up() -> None:
    talk = Talk().open()
    block = bytes(65_536)
    events: list[StreamEvent] = []
    sent = 0
    while not events:
        events = talk.a(1 + sent * len(block), block)
        sent += 1
    assert len(block) * sent <= limits.MAX_REORDER_BYTES + len(block)
    assert events[0] == gap(CLIENT, 0, 1, talk.number, acknowledged=False)
    assert len(events) == 1 + sent
    assert talk.a(0, b"x") == []


def test_a_flood_of_single_bytes_is_bounded_too() -> None:
    talk = Talk().open()
    for index in range(20_000):
        if talk.a(1 + 2 * index, b"x"):
            break
    assert talk.number < 20_000


def test_bytes_cut_off_by_the_snap_length() -> None:
    talk = Talk().open()
    assert talk.a(0, b"abc", length=10) == [chunk(CLIENT, 0, b"abc", 4), gap(CLIENT, 3, 7, 4, snapped=True)]
    assert talk.a(10, b"", length=4) == [gap(CLIENT, 10, 4, 5, snapped=True)]
    assert talk.a(10, b"", length=4) == []
    assert (talk.connection.snapped, talk.connection.gaps, talk.connection.bytes) == (11, 0, 14)
    assert talk.facts(CLIENT).retransmissions == 1


def test_snapped_bytes_out_of_order() -> None:
    talk = Talk().open()
    talk.a(5, b"f", length=5)
    assert talk.a(0, b"ab", length=5) == [
        chunk(CLIENT, 0, b"ab", 5),
        gap(CLIENT, 2, 3, 5, snapped=True),
        chunk(CLIENT, 5, b"f", 4),
        gap(CLIENT, 6, 4, 4, snapped=True),
    ]


# --- beginnings ----------------------------------------------------------------------------------------------------


def test_a_connection_under_way_begins_with_its_first_bytes() -> None:
    talk = Talk()
    assert talk.a(5_000, b"abc", acks=700) == [Opened(1, MS), chunk(CLIENT, 0, b"abc", 1)]
    assert talk.b(700, b"xyz", acks=5_003) == [chunk(SERVER, 0, b"xyz", 2)]
    assert (talk.connection.mid_stream, talk.connection.established, talk.connection.gaps) == (True, True, 0)
    assert talk.connection.client == Endpoint(A, 40_000)


def test_the_lower_port_is_taken_for_the_server_until_somebody_knows_better() -> None:
    talk = Talk(ports=(4_444, 40_000))
    talk.a(0, b"abc")
    assert talk.connection.client == Endpoint(B, 40_000)
    talk.flow.swap()
    assert talk.connection.client == Endpoint(A, 4_444)
    assert talk.a(3, b"def") == [chunk(CLIENT, 3, b"def", 2)]
    assert talk.b(0, b"xyz") == [chunk(SERVER, 0, b"xyz", 3)]
    assert (talk.facts(CLIENT).bytes, talk.facts(SERVER).bytes) == (6, 3)


def test_a_swap_between_two_events_of_one_segment() -> None:
    talk = Talk(ports=(4_444, 40_000))
    talk.a(0, b"abc")
    talk.a(5, b"fg")
    events = iter(talk.table.feed(talk.segment(1, 0, b"xyz", 7, 0)))
    flow, first = next(events)
    assert isinstance(first, Gap)
    assert first.side is SERVER
    flow.swap()
    assert [event.side for _, event in events if isinstance(event, (Chunk, Gap))] == [CLIENT, SERVER]


@pytest.mark.parametrize("garbage", [b"", b"\0"])
def test_a_keep_alive_as_the_first_packet(garbage: bytes) -> None:
    talk = Talk()
    talk.b(700, acks=5_000)
    talk.a(4_999, garbage, acks=700)
    assert talk.a(5_000, b"abc", acks=700) == [chunk(CLIENT, 0, b"abc", 3)]
    assert talk.connection.gaps == 0


def test_bytes_in_flight_when_the_capture_began_are_no_gap() -> None:
    talk = Talk()
    talk.b(0, acks=1_000)
    assert talk.a(4_000, b"abc") == [chunk(CLIENT, 0, b"abc", 2)]
    assert talk.b(0, acks=3_000) == talk.b(0, acks=4_003) == []
    assert talk.connection.gaps == 0


def test_one_direction_only_has_no_gaps() -> None:
    talk = Talk()
    for index in range(10):
        talk.b(index, b"x", acks=index * 500)
    talk.finish()
    assert talk.connection.gaps == 0
    assert talk.stream(SERVER) == b"x" * 10
    assert talk.facts(CLIENT).packets == 0


def test_syn_retransmissions_are_marks_but_a_second_capture_is_none() -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN, ip_id=5)
    talk.a(-1, acks=None, flags=SYN, ip_id=5)
    talk.time += SECOND
    assert talk.a(-1, acks=None, flags=SYN, ip_id=6) == []
    talk.b(-1, acks=0, flags=SYN, ip_id=0)
    talk.time += SECOND
    talk.b(-1, acks=0, flags=SYN, ip_id=0)
    assert [mark.number for mark in talk.connection.syns] == [1, 3]
    assert [mark.number for mark in talk.connection.syn_acks] == [4, 5]
    assert talk.connection.packets == 5


def test_an_unanswered_syn() -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    assert talk.finish() == [Closed(None, 1, MS)]
    assert not talk.connection.established


def test_only_the_answer_to_the_syn_was_captured() -> None:
    talk = Talk(ports=(4_444, 40_000))
    talk.b(-1, acks=0, flags=SYN)
    assert talk.connection.client == Endpoint(A, 4_444)
    assert talk.a(0, b"abc") == [chunk(CLIENT, 0, b"abc", 2)]
    assert not talk.connection.mid_stream


def test_only_the_syn_was_captured() -> None:
    """The answer to it was not; the client's acknowledgement tells where the server's bytes begin."""
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    talk.a(0, acks=0)
    talk.b(3, b"def")
    assert talk.finish() == [
        gap(SERVER, 0, 3, 3, acknowledged=False),
        chunk(SERVER, 3, b"def", 3),
        Closed(None, 3, 3 * MS),
    ]


def test_data_captured_before_the_syn() -> None:
    talk = Talk()
    talk.a(0, b"abc")
    assert talk.connection.mid_stream
    assert talk.a(-1, acks=None, flags=SYN) == talk.b(-1, acks=0, flags=SYN) == []
    assert not talk.connection.mid_stream
    assert talk.a(3, b"def") == [chunk(CLIENT, 3, b"def", 4)]
    assert len({flow for flow, _ in talk.events}) == 1


def test_a_syn_that_comes_long_behind_the_first_data_begins_a_new_connection() -> None:
    talk = Talk()
    talk.a(0, b"abc")
    talk.time += 5 * SECOND
    assert [type(event) for event in talk.a(-1, acks=None, flags=SYN)] == [Closed, Opened]


def test_another_answer_to_the_syn_counts_before_data_and_begins_a_new_connection_behind() -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    talk.b(-1, acks=0, flags=SYN, seq=77)
    assert talk.b(-1, acks=0, flags=SYN) == []
    assert talk.b(0, b"data") == [chunk(SERVER, 0, b"data", 4)]
    assert [type(event) for event in talk.b(-1, acks=0, flags=SYN, seq=77)] == [Closed, Opened]


@pytest.mark.parametrize(("first", "client"), [(b"", (A, 4_444)), (b"abc", (B, 40_000))])
def test_a_late_syn_tells_who_is_the_client_unless_bytes_were_delivered(first: bytes, client: tuple[str, int]) -> None:
    """Those bytes have a side already; the connection stays marked as a guess."""
    talk = Talk(ports=(4_444, 40_000))
    talk.a(0, first)
    assert talk.connection.client == Endpoint(B, 40_000)
    talk.a(-1, acks=None, flags=SYN)
    assert talk.connection.client == Endpoint(*client)
    assert talk.connection.mid_stream is bool(first)


def test_the_answer_to_the_syn_captured_behind_the_acknowledgement() -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    talk.a(0)
    talk.b(0, b"early", acks=0)
    talk.b(-1, acks=0, flags=SYN)
    assert talk.b(5, b" bird") == [chunk(SERVER, 5, b" bird", 5)]
    assert len({flow for flow, _ in talk.events}) == 1


def test_a_syn_with_data() -> None:
    talk = Talk()
    assert talk.a(-1, b"fast", acks=None, flags=SYN) == [Opened(1, MS), chunk(CLIENT, 0, b"fast", 1)]
    talk.b(-1, acks=4, flags=SYN)
    assert talk.a(4, b"er") == [chunk(CLIENT, 4, b"er", 3)]


def test_a_port_used_again_makes_a_new_connection() -> None:
    talk = Talk().open()
    talk.a(0, b"old")
    talk.a(9, b"waits")
    old = talk.flow
    talk.isn = (ISN_A + 70_000, ISN_B + 70_000)
    assert talk.a(-1, acks=None, flags=SYN) == [
        gap(CLIENT, 3, 6, 5, acknowledged=False),
        chunk(CLIENT, 9, b"waits", 5),
        Closed(None, 5, 5 * MS),
        Opened(6, 6 * MS),
    ]
    talk.b(-1, acks=0, flags=SYN)
    assert talk.a(0, b"new") == [chunk(CLIENT, 0, b"new", 8)]
    assert talk.flow is not old
    assert (old.connection.bytes, talk.connection.bytes) == (8, 3)
    assert (old.connection.last_packet, talk.connection.first_packet) == (5, 6)


def test_a_port_used_again_behind_a_close_from_the_other_side() -> None:
    talk = Talk().open()
    talk.a(0, flags=FIN)
    talk.b(0, flags=FIN, acks=1)
    old = talk.flow
    talk.isn = (ISN_A + 5, ISN_B + 5)
    assert talk.b(-1, acks=None, flags=SYN) == [Opened(6, 6 * MS)]
    assert talk.flow is not old
    assert talk.connection.client == Endpoint(B, 4_444)


def test_handler_and_connection_stay_with_their_flow() -> None:
    talk = Talk().open()
    talk.flow.handler = "mine"
    talk.a(0, b"abc")
    assert {flow.handler for flow, _ in talk.events} == {"mine"}
    assert len(talk.table) == 1


# --- ICMP ----------------------------------------------------------------------------------------------------------


def test_an_icmp_error_comes_to_the_connection_that_it_quotes() -> None:
    talk = Talk()
    talk.a(-1, acks=None, flags=SYN)
    src, dst = ip_address(A).packed, ip_address(B).packed
    error = IcmpError(2, 2 * MS, dst, "port unreachable", src, 40_000, dst, 4_444, ISN_A)
    assert talk.table.feed_icmp(error) is talk.flow
    assert talk.connection.icmp == (error,)
    assert talk.table.feed_icmp(error._replace(dport=4_445)) is None


# --- foreign connections and bounds --------------------------------------------------------------------------------


def test_an_ignored_connection_says_nothing_more() -> None:
    talk = Talk().open()
    talk.a(0, b"GET /")
    old = talk.flow
    talk.table.ignore(old)
    assert talk.b(0, b"HTTP", acks=5) == talk.a(5, b"more") == talk.b(100, b"x") == []
    assert talk.a(5, flags=FIN) == talk.b(5, flags=RST) == talk.finish() == []
    assert len(talk.table) == 0
    talk.isn = (5, 6)
    assert [type(event) for event in talk.a(-1, acks=None, flags=SYN)] == [Opened]
    assert talk.a(0, b"abc") != []
    assert talk.flow is not old


def test_half_open_connections_are_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.flows.MAX_HALF_OPEN", 500)
    table = Connections()
    given_up = [
        flow.connection.first_packet
        for index in range(1, 2_001)
        for flow, event in table.feed(syn(index, index))
        if isinstance(event, Closed)
    ]
    assert len(table) == 500
    assert given_up == list(range(1, 1_501))


def test_a_flood_of_syns_does_not_drive_out_who_talks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.flows.MAX_HALF_OPEN", 500)
    talk = Talk().open()
    talk.a(0, b"abc")
    for index in range(1, 1_000):
        list(talk.table.feed(syn(index, talk.time + index)))
    assert talk.a(3, b"def") == [chunk(CLIENT, 3, b"def", 5)]


def test_the_busiest_of_too_many_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old connections that go on are not given up for new ones that fell silent."""
    monkeypatch.setattr("dissector.stream.flows.MAX_CONNECTIONS", 50)
    talk = Talk().open()
    for index in range(1, 500):
        talk.a(index - 1, b"x")
        start = syn(index, talk.time)
        list(talk.table.feed(start))
        list(talk.table.feed(start._replace(seq=index + 1, flags=ACK, payload=b"y", length=1)))
    assert len({flow for flow, _ in talk.events}) == 1
    assert len(talk.table) <= 60


def test_foreign_connections_are_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.flows.MAX_CONNECTIONS", 64)
    table = Connections()
    for index in range(1, 1_000):
        start = syn(index, index)
        for flow, _ in table.feed(start):
            table.ignore(flow)
        assert list(table.feed(start._replace(flags=ACK))) == []
        assert len(table.foreign) <= 128
    assert len(table.foreign) > 120
    latest = [syn(index, index) for index in range(1_000 - len(table.foreign) // 2, 1_000)]
    assert set(table.foreign) == {key for one in latest for key in (one.key, key_of(one.dst, 80, one.src, 1_024))}


def test_of_foreign_connections_that_are_over_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.flows.MAX_CLOSED", 64)
    table = Connections()
    for index in range(1, 1_000):
        start = syn(index, index)
        for flow, _ in table.feed(start):
            table.ignore(flow)
        for flags in (ACK, FIN | ACK, ACK):
            assert list(table.feed(start._replace(flags=flags))) == []
    assert (len(table), table.foreign) == (0, {})
    assert len(table._table._gone) <= 128
    late = syn(999, 999)._replace(flags=ACK, payload=b"x", length=1)
    assert list(table.feed(late)) == []


def test_a_foreign_connection_that_goes_on_behind_a_fin_is_not_over() -> None:
    talk = Talk().open()
    talk.a(0, b"GET /")
    talk.table.ignore(talk.flow)
    talk.a(5, b"more")
    keys = set(talk.table.foreign)
    assert len(keys) == 2
    assert talk.a(9, flags=FIN) == talk.b(0, acks=10) == []
    assert talk.table.foreign == {}
    assert talk.b(0, b"a long page") == []
    assert set(talk.table.foreign) == keys
    assert talk.b(11, flags=RST) == []
    talk.isn = (5, 6)
    assert [type(event) for event in talk.a(-1, acks=None, flags=SYN)] == [Opened]


def test_silent_connections_are_forgotten_by_and_by() -> None:
    table = Connections()
    for index in range(1, 5):
        list(table.feed(syn(index, index)))
    later = limits.HALF_OPEN_SECONDS * SECOND + 10
    events = [event for _, event in table.feed(syn(9, later))]
    assert events == [*(Closed(None, index, index) for index in range(1, 5)), Opened(9, later)]
    assert len(table) == 1


@pytest.mark.parametrize(("number", "kept"), [(0, False), (1, True)])
def test_idle_connections_are_forgotten_unless_the_session_numbered_them(number: int, kept: bool) -> None:
    talk = Talk().open()
    talk.a(0, b"abc")
    talk.connection.n = number
    closed = [
        event
        for turn in (1, 2)
        for _, event in talk.table.feed(syn(turn, turn * limits.IDLE_SECONDS * SECOND + SECOND))
        if isinstance(event, Closed) and event.number == 4
    ]
    assert closed == ([] if kept else [Closed(None, 4, 4 * MS)])


def test_closed_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.stream.flows.MAX_CLOSED", 10)
    table = Connections()
    for index in range(1, 101):
        list(table.feed(syn(index, index)))
        reset = syn(index, index)._replace(flags=RST)
        assert [type(event) for _, event in table.feed(reset)] == [Closed]
    assert len(table) <= 11


# --- everything at once --------------------------------------------------------------------------------------------

MESSAGES = st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=60)), min_size=1, max_size=8)


def segments_of(talk: Talk, messages: list[tuple[bool, bytes]], rng: random.Random) -> list[list[Segment]]:
    """Messages as frames cut anywhere, one list a message, cuts repeated and out of order."""
    sent = [0, 0]
    turns = []
    for from_server, body in messages:
        side = int(from_server)
        data = len(body).to_bytes(4, "big") + body
        cuts = sorted({0, len(data), *(rng.randrange(len(data)) for _ in range(rng.randrange(6)))})
        pieces = list(pairwise(cuts))
        for _ in range(rng.randrange(4)):
            low, high = sorted(rng.sample(range(len(data) + 1), 2))
            pieces.append((low, high))
        rng.shuffle(pieces)
        turns.append(
            [talk.segment(side, sent[side] + low, data[low:high], sent[1 - side], PSH) for low, high in pieces]
        )
        sent[side] += len(data)
    return turns


@settings(max_examples=200, deadline=None)
@given(MESSAGES, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_any_disorder_gives_the_same_frames(
    messages: list[tuple[bool, bytes]], isn_a: int, isn_b: int, rng: random.Random
) -> None:
    talk = Talk(isn_a, isn_b).open()
    readers = FrameReader(CLIENT), FrameReader(SERVER)
    frames: list[tuple[bool, bytes]] = []
    for turn in segments_of(talk, messages, rng):
        for segment in turn:
            for event in talk.send(segment):
                assert isinstance(event, Chunk)
                for item in readers[event.side].feed(event):
                    assert isinstance(item, Frame)
                    assert item.packets == tuple(sorted(set(item.packets)))
                    frames.append((item.side is SERVER, item.data))
    assert frames == messages
    assert talk.connection.gaps == 0
    assert talk.connection.bytes == sum(4 + len(body) for _, body in messages)
    assert talk.finish() == [Closed(None, talk.connection.last_packet, talk.connection.end)]


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.randoms(use_true_random=False))
def test_loss_gives_gaps_and_never_other_bytes(data: bytes, rng: random.Random) -> None:
    talk = Talk().open()
    cuts = sorted({0, len(data), *(rng.randrange(len(data)) for _ in range(10))})
    pieces = [piece for piece in pairwise(cuts) if rng.random() < 0.7]
    rng.shuffle(pieces)
    seen: set[int] = set()
    for low, high in pieces:
        seen.update(range(low, high))
        talk.a(low, data[low:high])
    talk.b(0, b"ok", acks=len(data))
    talk.finish()
    expected = bytes(byte if index in seen else ord("?") for index, byte in enumerate(data))
    stream = talk.stream(CLIENT)
    lost_tail_byte = stream == expected[:-1] and len(data) - 1 not in seen
    assert stream == expected or lost_tail_byte
    assert talk.facts(CLIENT).bytes == len(seen)


FLAGS = st.sampled_from([0, ACK, SYN, SYN | ACK, FIN, FIN | ACK, RST, RST | ACK, PSH | ACK, 0xFF])
NUMBERS = st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), NUMBERS, NUMBERS, FLAGS, st.binary(max_size=9), st.integers(0, 3)), max_size=40
    )
)
def test_any_segments_give_streams_without_holes(turns: list[tuple[int, int, int, int, bytes, int]]) -> None:
    """Whatever comes: each flow is opened first and closed once, and the bytes of each side are without a step."""
    talk = Talk()
    for side, seq, ack, flags, data, cut in turns:
        segment = talk.segment(side, 0, data, None, flags, seq=seq, ack=ack, window=ack % 3, length=len(data) + cut)
        talk.send(segment)
    talk.finish()
    for flow in {flow for flow, _ in talk.events}:
        events = [event for other, event in talk.events if other is flow]
        assert isinstance(events[0], Opened)
        assert isinstance(events[-1], Closed)
        assert [type(event) for event in events[1:-1] if not isinstance(event, (Chunk, Gap))] == []
        for direction in Side:
            at = 0
            for event in events:
                if isinstance(event, (Chunk, Gap)) and event.side is direction:
                    assert event.offset == at
                    at += len(event.data) if isinstance(event, Chunk) else event.size


# --- recordings ----------------------------------------------------------------------------------------------------


def test_recordings_have_neither_gaps_nor_damaged_packets(captures: Path) -> None:
    paths = sorted(captures.glob("*.pcap"))
    assert paths
    for path in paths:
        table = Connections()
        reports: list[tuple[Flow, StreamEvent]] = []
        for found in CaptureReader([path]):
            segment = parse(found)
            assert isinstance(segment, Segment), path.name
            reports += table.feed(segment)
        reports += table.finish()
        assert not any(isinstance(event, Gap) for _, event in reports), path.name


#: Of each connection in order: bytes of the client and of the server with the first 16 digits of their SHA-256, as
#: tshark 4.0 follows them (tcp,raw).
FOLLOWED = {
    "engine_bigscript.pcap": [
        (0, "e3b0c44298fc1c14", 0, "e3b0c44298fc1c14"),
        (0, "e3b0c44298fc1c14", 0, "e3b0c44298fc1c14"),
        (165, "c90bdcbe5b24dcc7", 255, "ea48e5c72718a53b"),
        (750, "9ad1a648ed60506f", 1122019, "4c9075d859cb95e5"),
        (46, "348142027dea5844", 118, "46400f5cc7352bb4"),
    ],
    "h19_two.pcap": [
        (3733, "e685b71cb6abfcbe", 2162, "6f8b7e5c79972150"),
        (3733, "6df9b9918c83a0c8", 2162, "7445c1844ded0d70"),
    ],
    "faults/18_loss3_reorder_router.c.pcap": [
        (165, "bfc4dd75625d2d28", 255, "89a92cddc4571942"),
        (151175, "16538241153d3b7c", 2382, "e5cc77f974a72bbf"),
        (165, "a8967f9ab842ebc6", 255, "5c132f41f4b14784"),
        (813, "13a28426032e55bf", 2072, "81f838af36c8e5ae"),
    ],
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_streams_are_those_that_tshark_follows(name: str, captures: Path) -> None:
    table = Connections()
    streams: dict[Flow, list[bytearray]] = {}
    for found in CaptureReader([captures / name]):
        segment = parse(found)
        if isinstance(segment, Segment):
            for flow, event in table.feed(segment):
                sides = streams.setdefault(flow, [bytearray(), bytearray()])
                if isinstance(event, Chunk):
                    sides[event.side] += event.data
    digests = [[(len(data), sha256(data).hexdigest()[:16]) for data in sides] for sides in streams.values()]
    assert [(*client, *server) for client, server in digests] == FOLLOWED[name]
