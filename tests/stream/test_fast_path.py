"""The short cut beside the long way, on every kind of packet that is nearly plain: the same state, or left alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from builders import ACK, FIN, PSH, RST, SECOND, SYN, A, B, ethernet, ipv4, packet, tcp
from dissector.stream.blocks import Part, Run
from dissector.stream.express import express, fits, take

from dissector.model import Mark
from dissector.stream.flows import Entry
from dissector.stream.packets import parse
from dissector.stream.reassembly import Connections, StreamEvent
from dissector.traffic import Chunk, Packet, Segment, Side

MS = 1_000_000
ISN_A, ISN_B = 2**32 - 40, 9_000
#: Of what the client sends.
KEY = bytes([10, 1, 0, 1, 10, 1, 0, 2]) + (40_000).to_bytes(2, "big") + (4_444).to_bytes(2, "big")


class Ways:
    """A connection that both know: ``long`` has every packet parsed, ``short`` tries the short cut first.  The client
    has sent "hello" and the server "yes" when the test begins (packets 1 to 5)."""

    def __init__(self) -> None:
        self.long, self.short = Connections(), Connections()
        self.number = 0
        self.time = 0
        self.a(-1, ack=None, flags=SYN)
        self.b(-1, 0, flags=SYN | ACK)
        self.a(0, 0)
        self.a(0, 0, b"hello")
        self.b(0, 5, b"yes")

    def made(self, side: int, at: int, ack: int | None, payload: bytes, flags: int, **more: int) -> Packet:
        self.number += 1
        self.time += more.pop("after", MS)
        ends, ports = ((A, B), (40_000, 4_444)) if side == 0 else ((B, A), (4_444, 40_000))
        isn = (ISN_A, ISN_B) if side == 0 else (ISN_B, ISN_A)
        ip_id, ttl, window, cut = (
            more.pop("ip_id", self.number),
            more.pop("ttl", 64),
            more.pop("window", 900),
            more.pop("cut", 0),
        )
        options = bytes(more.pop("options", 0))
        number = 0 if ack is None else (isn[1] + 1 + ack) % 2**32
        body = tcp(*ports, (isn[0] + 1 + at) % 2**32, number, flags, window, payload, options)
        data = ethernet(ipv4(body, *ends, ttl=ttl, ip_id=ip_id))
        data = data[:46] + bytes([data[46] | more.pop("reserved", 0)]) + data[47:]
        return packet(data[: len(data) - cut], number=self.number, time=self.time, wire_length=len(data))

    def a(self, at: int, ack: int | None, payload: bytes = b"", flags: int = ACK, **more: int) -> bool:
        return self.send(self.made(0, at, ack, payload, flags, **more))

    def b(self, at: int, ack: int | None, payload: bytes = b"", flags: int = ACK, **more: int) -> bool:
        return self.send(self.made(1, at, ack, payload, flags, **more))

    def send(self, one: Packet) -> bool:
        """True when the short cut was taken; what both have made of the packet has to be the same."""
        segment = parse(one)
        assert isinstance(segment, Segment)
        expected = [event for _, event in self.long.feed(segment)]
        entry = self.short.find(segment.key)
        brought: Chunk | bool = False
        if entry is not None and entry.sender.steady:
            before = self.state(self.short)
            brought = express(entry, one)
            if brought is False:
                assert self.state(self.short) == before
        found: list[StreamEvent]
        if brought is False:
            found = [event for _, event in self.short.feed(segment)]
        else:
            found = [brought] if isinstance(brought, Chunk) else []
        assert found == expected
        assert self.state(self.short) == self.state(self.long)
        return brought is not False

    @property
    def entry(self) -> Entry:
        entry = self.short.find(KEY)
        assert entry is not None
        return entry

    @staticmethod
    def state(table: Connections) -> list[Any]:
        """All that is known of the one connection."""
        entry = table.find(KEY)
        if entry is None:
            return []
        known: list[Any] = [asdict(entry.flow.connection)]
        for direction in entry.flow.directions:
            names = ("expect", "next", "window", "steady", "fin_at", "proof", "recent", "known", "anchored")
            known.append([getattr(direction, name) for name in names])
        return known


def test_data_and_acknowledgements_in_order() -> None:
    ways = Ways()
    assert ways.a(5, 3, b"more", flags=PSH | ACK)
    assert ways.b(3, 9)
    assert ways.b(3, 9, b"fine", window=1)
    assert ways.a(9, 7, ip_id=0, ttl=63, window=65_535)
    # Sequence numbers of the client wrap here.
    assert ways.a(9, 7, bytes(40))
    assert ways.a(49, 7, b"x" * 1_000, options=12)
    # Reserved bits of TCP's header, beside the length of the header.
    assert ways.a(1_049, 7, b"y", reserved=0x0F)
    assert ways.b(7, 1_050, after=3 * SECOND)
    assert ways.b(7, 1_050, after=2 * SECOND)
    assert ways.a(1_050, 7, b"later", after=3 * SECOND + 1)
    connection = ways.entry.flow.connection
    assert (connection.silence, connection.silence_end) == (3 * SECOND + 1, Mark(15, ways.time, 64, 15))
    assert (connection.bytes, connection.sides[Side.CLIENT].sent, connection.packets) == (1_062, 1_055, 15)


def test_an_acknowledgement_that_is_old_changes_nothing() -> None:
    ways = Ways()
    ways.a(5, 3, b"more")
    ways.b(3, 9)
    assert ways.b(3, 5)
    assert ways.b(3, 9)
    assert ways.b(3, -200)
    assert ways.entry.flow.connection.sides[Side.SERVER].acked == 9


@pytest.mark.parametrize(
    ("at", "ack", "payload", "more"),
    [
        (6, 3, b"early", {}),
        (4, 3, b"again", {}),
        (5, 4, b"acks what was not captured", {}),
        (5, 3, b"window shut", {"window": 0}),
        (5, 3, b"", {"flags": FIN | ACK}),
        (5, 3, b"", {"flags": RST | ACK}),
        (5, None, b"no acknowledgement", {"flags": PSH}),
        (5, 3, b"cut", {"cut": 1}),
        (4, 2, b"", {"flags": SYN | ACK}),
    ],
)
def test_what_is_not_plain_is_left_alone(at: int, ack: int | None, payload: bytes, more: dict[str, int]) -> None:
    ways = Ways()
    flags = more.pop("flags", ACK)
    assert not ways.a(at, ack, payload, flags, **more)
    ways.b(3, 5)
    ways.a(5, 3, b"and then")


def test_nothing_is_short_while_the_other_window_is_shut() -> None:
    """Its probes are told apart on the long way only."""
    ways = Ways()
    assert not ways.b(3, 5, window=0)
    assert not ways.a(5, 3, b"p")
    assert not ways.a(5, 3, b"p")
    assert ways.b(3, 5, window=500)
    assert not ways.a(5, 3, b"probably")
    assert ways.a(13, 3, b"!")


def test_an_ignored_connection_is_left_alone() -> None:
    ways = Ways()
    entry = ways.entry
    entry.flow.ignored = True
    assert express(entry, ways.made(0, 5, 3, b"more", ACK)) is False


def test_the_highest_acknowledgement_may_be_one_of_nothing() -> None:
    """The first packet of a side that acknowledges, and less than everything: nothing is acknowledged yet."""
    ways = Ways()
    entry = ways.entry
    entry.sender.facts.acked = None
    assert express(entry, ways.made(0, 5, -7, b"", ACK)) is True
    assert entry.sender.facts.acked == 0


# --- runs -------------------------------------------------------------------------------------------------------------


def run_of(ways: Ways, first: int = 5, second: int = 3) -> tuple[Run, list[tuple[int, int, int, bytes, int]]]:
    """Six segments behind those of ``Ways`` as one run, and what they are: side, offset, acknowledged, bytes, pause."""
    talk = [(0, 5, 3, b"ask", MS), (1, 3, 8, b"", 5 * MS), (1, 3, 8, b"well", 2 * MS), (0, 8, 7, b"", MS)]
    talk += [(0, 8, 7, b"so", MS), (1, 7, 10, b"", MS)]
    number, time = ways.number, ways.time
    marks = []
    for _, _, _, _, pause in talk:
        number, time = number + 1, time + pause
        marks.append((number, time, 64, number))
    base_a, base_b = (ISN_A + 1 + first) % 2**32, ISN_B + 1 + second
    recent_a = [(base_a, 3, marks[0][3], marks[0][1]), ((base_a + 3) % 2**32, 2, marks[4][3], marks[4][1])]
    recent_b = [(base_b, 4, marks[2][3], marks[2][1])]
    parts = (
        Part(3, base_a, 5, 4, 900, marks[4], marks[4], recent_a),
        Part(3, base_b, 4, 5, 900, marks[5], marks[2], recent_b),
    )
    return Run(0, 6, parts, marks[0], 5 * MS, marks[1], [], []), talk


def test_a_run_does_what_its_segments_do_one_by_one() -> None:
    ways = Ways()
    run, talk = run_of(ways)
    entry = ways.entry
    assert fits(entry, run)
    assert take(entry, run) == (5, 3)
    for side, at, ack, payload, pause in talk:
        segment = parse(ways.made(side, at, ack, payload, ACK, after=pause))
        assert isinstance(segment, Segment)
        list(ways.long.feed(segment))
    assert ways.state(ways.short) == ways.state(ways.long)
    connection = entry.flow.connection
    assert (connection.silence, connection.silence_end) == (5 * MS, Mark(*run.behind or ()))
    assert (connection.last_packet, connection.end) == (11, ways.time)


def test_the_silence_before_a_run_counts_and_a_longer_one_stays() -> None:
    ways = Ways()
    run, _ = run_of(ways)
    entry = ways.entry
    number, time, ttl, ip_id = run.start
    late = run._replace(start=(number, time + SECOND, ttl, ip_id))
    take(entry, late)
    connection = entry.flow.connection
    assert (connection.silence, connection.silence_end) == (SECOND + MS, Mark(*late.start))
    assert connection.sides[Side.CLIENT].acked == 7


def test_a_run_that_only_acknowledges() -> None:
    ways = Ways()
    run, _ = run_of(ways)
    quiet = run.parts[0]._replace(sent=0, last_data=None, recent=[], acked=-900)
    entry = ways.entry
    before = entry.sender.facts.last_data
    entry.sender.facts.acked = None
    take(entry, run._replace(parts=(quiet, run.parts[1]), behind=None))
    assert (entry.sender.next, entry.sender.facts.last_data, entry.sender.facts.acked) == (5, before, 0)
    assert entry.flow.connection.silence == MS


@pytest.mark.parametrize("side", [0, 1])
def test_a_run_fits_where_both_directions_stand_and_go_on(side: int) -> None:
    ways = Ways()
    run, _ = run_of(ways)
    entry = ways.entry
    direction = entry.flow.directions[side]
    for name, odd in (("steady", False), ("expect", direction.expect + 1), ("window", 0), ("recent", None)):
        usual = getattr(direction, name)
        setattr(direction, name, odd)
        assert not fits(entry, run)
        setattr(direction, name, usual)
        assert fits(entry, run)
    entry.flow.ignored = True
    assert not fits(entry, run)
