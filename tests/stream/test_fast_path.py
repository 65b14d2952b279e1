"""The fast path beside the long way, on every kind of packet that is nearly plain: the same state, or left alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

import pytest
from builders import A6, ACK, B6, FIN, PSH, RST, SECOND, SYN, A, B, ethernet, ipv4, ipv6, packet, tcp
from prefilter_kit import filtered

from benchmarks.encapsulations import ENCAPSULATIONS
from dissector.model import Mark
from dissector.stream.block import Part, Run
from dissector.stream.fast_path import advance, advance_by_run, fits, flags_of, payload_of
from dissector.stream.flows import Entry
from dissector.stream.packets import parse
from dissector.stream.reassembly import Connections, StreamEvent
from dissector.traffic import Chunk, Packet, Segment, Side

MS = 1_000_000
ISN_A, ISN_B = 2**32 - 40, 9_000
#: Of the packets of a block.
NUMBERS = range(6, 100)


class Kind(NamedTuple):
    """IPv4 or IPv6, and what is around it."""

    version: int = 4
    around: str = "Ethernet"

    def packet(self, side: int, body: bytes, ttl: int, ip_id: int) -> Packet:
        """One from the client (0) or the server (1), as a block has it."""
        src, dst = ((A, B), (A6, B6))[self.version == 6][:: 1 - 2 * side]
        frame = ethernet(ipv4(body, src, dst, ttl=ttl, ip_id=ip_id))
        if self.version == 6:
            frame = ethernet(ipv6(body, src, dst, hop_limit=ttl), 0x86DD)
        link_type, wrap, _ = ENCAPSULATIONS.get(self.around, (1, bytes, ()))
        (one,) = filtered([packet(wrap(frame), link_type)]).packets()
        assert one.key
        return one


KINDS = [Kind(), Kind(6), Kind(4, "VXLAN"), Kind(6, "raw"), Kind(6, "Geneve"), Kind(4, "802.1ad")]
kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


class Ways:
    """A connection that both know: ``long`` has every packet parsed, ``short`` tries the fast path first.  The client
    has sent "hello" and the server "yes" when the test begins (packets 1 to 5)."""

    def __init__(self, kind: Kind = KINDS[0]) -> None:
        self.kind = kind
        self.long, self.short = Connections(), Connections()
        self.number = 0
        self.time = 0
        self.key = b""
        self.a(-1, ack=None, flags=SYN)
        self.b(-1, 0, flags=SYN | ACK)
        self.a(0, 0)
        self.a(0, 0, b"hello")
        self.b(0, 5, b"yes")

    def made(self, side: int, at: int, ack: int | None, payload: bytes, flags: int, **more: int) -> Packet:
        self.number += 1
        self.time += more.pop("after", MS)
        ports = (40_000, 4_444) if side == 0 else (4_444, 40_000)
        isn = (ISN_A, ISN_B) if side == 0 else (ISN_B, ISN_A)
        ip_id, ttl, window, cut, reserved = (
            more.pop(name, usual)
            for name, usual in (("ip_id", self.number), ("ttl", 64), ("window", 900), ("cut", 0), ("reserved", 0))
        )
        options = bytes(more.pop("options", 0))
        number = 0 if ack is None else (isn[1] + 1 + ack) % 2**32
        body = tcp(*ports, (isn[0] + 1 + at) % 2**32, number, flags, window, payload, options)
        one = self.kind.packet(side, body[:12] + bytes([body[12] | reserved]) + body[13:], ttl, ip_id)
        self.key = self.key or one.key or b""
        return one._replace(number=self.number, time=self.time, data=one.data[: len(one.data) - cut])

    def a(self, at: int, ack: int | None, payload: bytes = b"", flags: int = ACK, **more: int) -> bool:
        return self.send(self.made(0, at, ack, payload, flags, **more))

    def b(self, at: int, ack: int | None, payload: bytes = b"", flags: int = ACK, **more: int) -> bool:
        return self.send(self.made(1, at, ack, payload, flags, **more))

    def send(self, one: Packet) -> bool:
        """True when the fast path was taken; what both have made of the packet has to be the same."""
        segment = parse(one)
        assert isinstance(segment, Segment)
        expected = [event for _, event in self.long.feed(segment)]
        entry = self.short.find(segment.key)
        brought: Chunk | bool = False
        if entry is not None and entry.sender.steady:
            before = self.state(self.short)
            brought = advance(entry, one)
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
        entry = self.short.find(self.key)
        assert entry is not None
        return entry

    def mark(self, number: int, time: int) -> Mark:
        """That of a packet as ``made``."""
        return Mark(number, time, 64, number if self.kind.version == 4 else 0)

    def state(self, table: Connections) -> list[Any]:
        """All that is known of the one connection."""
        entry = table.find(self.key)
        if entry is None:
            return []
        known: list[Any] = [asdict(entry.flow.connection)]
        for direction in entry.flow.directions:
            names = ("expect", "next", "window", "steady", "fin_at", "proof", "recent", "known", "anchored")
            known.append([getattr(direction, name) for name in names])
        return known


@kinds
def test_data_and_acknowledgements_in_order(kind: Kind) -> None:
    ways = Ways(kind)
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
    assert (connection.silence, connection.silence_end) == (3 * SECOND + 1, ways.mark(15, ways.time))
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
@pytest.mark.parametrize("kind", KINDS[:2], ids=str)
def test_what_is_not_plain_is_left_alone(
    kind: Kind, at: int, ack: int | None, payload: bytes, more: dict[str, int]
) -> None:
    ways = Ways(kind)
    assert not ways.a(at, ack, payload, **more)
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


def test_the_highest_acknowledgement_may_be_one_of_nothing() -> None:
    """The first packet of a side that acknowledges, and less than everything: nothing is acknowledged yet."""
    ways = Ways()
    entry = ways.entry
    entry.sender.facts.acked = None
    assert advance(entry, ways.made(0, 5, -7, b"", ACK)) is True
    assert entry.sender.facts.acked == 0


# --- runs -------------------------------------------------------------------------------------------------------------


def run_of(ways: Ways) -> tuple[Run, list[tuple[int, int, int, bytes, int]]]:
    """Six segments behind those of ``Ways`` as one run, and what they are: side, offset, acknowledged, bytes, pause."""
    said = [(0, 5, 3, b"ask", MS), (1, 3, 8, b"", 5 * MS), (1, 3, 8, b"well", 2 * MS), (0, 8, 7, b"", MS)]
    said += [(0, 8, 7, b"so", MS), (1, 7, 10, b"", MS)]
    time, marks = ways.time, []
    for index, (_, _, _, _, pause) in enumerate(said):
        time += pause
        marks.append((index, *ways.mark(ways.number + 1 + index, time)[1:]))
    base_a, base_b = (ISN_A + 6) % 2**32, ISN_B + 4
    recent_a = [(base_a, 3, marks[0][3], marks[0][1]), ((base_a + 3) % 2**32, 2, marks[4][3], marks[4][1])]
    recent_b = [(base_b, 4, marks[2][3], marks[2][1])]
    parts = (
        Part(3, base_a, 5, 4, 900, marks[4], marks[4], recent_a),
        Part(3, base_b, 4, 5, 900, marks[5], marks[2], recent_b),
    )
    return Run(0, 6, parts, marks[0], 5 * MS, marks[1], [], [], []), said


@kinds
def test_a_run_does_what_its_segments_do_one_by_one(kind: Kind) -> None:
    ways = Ways(kind)
    run, said = run_of(ways)
    entry = ways.entry
    assert fits(entry, run)
    assert advance_by_run(entry, run, NUMBERS) == (5, 3)
    for side, at, ack, payload, pause in said:
        segment = parse(ways.made(side, at, ack, payload, ACK, after=pause))
        assert isinstance(segment, Segment)
        list(ways.long.feed(segment))
    assert ways.state(ways.short) == ways.state(ways.long)
    connection = entry.flow.connection
    assert (connection.silence, connection.silence_end) == (5 * MS, ways.mark(7, 11 * MS))
    assert (connection.last_packet, connection.end) == (11, ways.time)


def test_the_silence_before_a_run_counts_and_a_longer_one_stays() -> None:
    ways = Ways()
    run, _ = run_of(ways)
    entry = ways.entry
    index, time, ttl, ip_id = run.start
    advance_by_run(entry, run._replace(start=(index, time + SECOND, ttl, ip_id)), NUMBERS)
    connection = entry.flow.connection
    assert (connection.silence, connection.silence_end) == (SECOND + MS, Mark(6, time + SECOND, ttl, ip_id))
    assert connection.sides[Side.CLIENT].acked == 7


def test_a_run_that_only_acknowledges() -> None:
    ways = Ways()
    run, _ = run_of(ways)
    quiet = run.parts[0]._replace(sent=0, last_data=None, recent=[], acked=-900)
    entry = ways.entry
    before = entry.sender.facts.last_data
    entry.sender.facts.acked = None
    advance_by_run(entry, run._replace(parts=(quiet, run.parts[1]), behind=None), NUMBERS)
    facts = entry.sender.facts
    assert (entry.sender.next, facts.last_data, facts.acked) == (5, before, 0)
    assert entry.flow.connection.silence == MS


def test_an_acknowledgement_of_a_run_that_is_old_changes_nothing() -> None:
    ways = Ways()
    run, _ = run_of(ways)
    facts = ways.entry.sender.facts
    facts.acked = 100
    advance_by_run(ways.entry, run, NUMBERS)
    assert facts.acked == 100


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


# --- packets where they lie in a block --------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("options", [0, 12])
def test_flags_and_payload_of_a_packet_in_a_block(kind: Kind, options: int) -> None:
    """The payload ends where the IP header says, not with padding."""
    one = kind.packet(0, tcp(flags=PSH | ACK, payload=b"hello", options=bytes(options)), 64, 1)
    block = filtered([one, one._replace(data=one.data + bytes(20))])
    (conversation,) = block.conversations
    for index in range(2):
        begin, end = payload_of(block, conversation, index)
        assert (flags_of(block, one.key or b"", index), block.data[begin:end]) == (PSH | ACK, b"hello")
