"""Connections of others that begin in a block: in two steps they leave behind what they leave packet by packet."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conversation import ACK, FIN, MICROSECOND, PSH, RST, SYN, Address, Line, Network, Record
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import CLIENT, REMOTE, Story, icmp_error, packets_of, with_ttl
from stories import several
from test_differential import ETHERNET, fast, in_files, pieces, reference, write

from dissector.model import Event, Problem, Role
from dissector.session import advance, detect
from dissector.session.run_detection import find_runs
from dissector.session.strangers import Stranger, Strangers
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader

MS = 1_000_000
HELLO, GET, GREETING = b"\x16\x03\x01\0\x2f" + bytes(40), b"GET / HTTP/1.1\r\n\r\n", b"220 mail ESMTP\r\n"
#: What a connection may begin with, of the client (0) and the server (1).
TALKS: tuple[tuple[tuple[int, bytes], ...], ...] = (
    ((0, HELLO), (1, HELLO), (0, b"\x17\x03\x03\0\1x")),
    ((0, GET), (1, b"HTTP/1.1 200 OK\r\n\r\n")),
    ((1, GREETING), (0, b"EHLO x\r\n")),
    ((0, b"  \r\n"), (0, b"<?xml version='1.0'?>"), (0, b"<stream:stream>"), (1, b"<stream:stream>")),
    ((0, b"<?xml version='1.0'?><remote_scheduler.start_remote_task tcp_port='59990'/>\0"), (1, b"<spooler>")),
    ((0, b"GET /jobscheduler/engine HTTP/1.1\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\n")),
    ((1, b"<spooler><answer time='now'><ok/></answer></spooler>\0"),),
    ((1, b"\0\0\0\x1bS" + bytes(8) + b"C" + bytes(17)), (0, b"\0\0\0\x05A" + bytes(4))),
    ((0, b"\0\0\0\x0aO" + bytes(8) + b"R"), (1, b"\0\0\0\x01A")),
    ((0, b'\0\0\0\x10{"tunnelToken":1}'),),
    ((0, b"\0"), (0, b"\0\0\0xFoo"), (1, b"answer")),
    ((0, b"\x16"), (0, b"\x03"), (1, b"x")),
    ((0, b"kill"), (1, b"no")),
    (),
)
PORTS = (80, 443, 25, 4_455, 59_999, 59_998, 50_001, 8_080)

Twist = Callable[[list[Record], random.Random], list[Record]]


def again(number: int) -> Twist:
    """The packet with this number comes again a little later, as a retransmission or captured twice."""

    def twist(some: list[Record], dice: random.Random) -> list[Record]:
        place = min(number, len(some) - 1)
        return [*some, some[place]._replace(time=some[place].time + dice.choice((1, 30 * MICROSECOND, 60 * MS)))]

    return twist


def lost(number: int) -> Twist:
    return lambda some, _: [*some[:number], *some[number + 1 :]]


def one_side(some: list[Record], dice: random.Random) -> list[Record]:
    source = some[dice.randrange(2) if len(some) > 1 else 0].data[26:30]
    return [one for one in some if one.data[26:30] == source]


def shown_again(some: list[Record], _: random.Random) -> list[Record]:
    """On another leg of a gateway."""
    copies = [with_ttl(one._replace(time=one.time + 1), 63) for one in some]
    return [*some, *(one._replace(data=one.data[:26] + b"\x0a\x63\0\1" + one.data[30:]) for one in copies)]


def unreachable(some: list[Record], _: random.Random) -> list[Record]:
    return [*some, icmp_error(some[0].time + 60 * MICROSECOND, some[0], "10.9.9.9", 1)]


def with_options(some: list[Record], dice: random.Random) -> list[Record]:
    """One packet has IP options: it is not plain."""
    place = dice.randrange(len(some))
    data = some[place].data
    longer = (int.from_bytes(data[16:18], "big") + 4).to_bytes(2, "big")
    odd = data[:14] + b"\x46" + data[15:16] + longer + data[18:34] + b"\1\1\1\1" + data[34:]
    return [*some[:place], some[place]._replace(data=odd), *some[place + 1 :]]


def flags(number: int, value: int) -> Twist:
    """The packet with this number has these flags."""

    def twist(some: list[Record], _: random.Random) -> list[Record]:
        place = min(number, len(some) - 1)
        one = some[place]
        changed = one._replace(data=one.data[:47] + bytes([value]) + one.data[48:])
        return [*some[:place], changed, *some[place + 1 :]]

    return twist


def shifted(number: int, field: int, by: int) -> Twist:
    """Another sequence (38) or acknowledgement number (42)."""

    def twist(some: list[Record], _: random.Random) -> list[Record]:
        place = min(number, len(some) - 1)
        data = some[place].data
        value = (int.from_bytes(data[field : field + 4], "big") + by & 0xFFFF_FFFF).to_bytes(4, "big")
        return [*some[:place], some[place]._replace(data=data[:field] + value + data[field + 4 :]), *some[place + 1 :]]

    return twist


def paused(some: list[Record], dice: random.Random) -> list[Record]:
    place, pause = dice.randrange(len(some)), dice.choice((2, 59, 61, 301, 3_700)) * 1_000 * MS
    return [one if at < place else one._replace(time=one.time + pause) for at, one in enumerate(some)]


TWISTS: tuple[Twist, ...] = (
    *(again(number) for number in (0, 1, 2, 3, 5)),
    *(lost(number) for number in (0, 1, 2, 3)),
    *(flags(number, value) for number in (1, 2, 3) for value in (RST, FIN | ACK, SYN, ACK, PSH)),
    *(shifted(number, field, by) for number in (1, 2, 3) for field in (38, 42) for by in (-1, 1, 700)),
    *(one_side, shown_again, unreachable, with_options, paused),
)


def connection(dice: random.Random, ends: tuple[Address, Address], start: int) -> list[Record]:
    """One of others, as it is or with a twist."""
    records: list[Record] = []
    line = Line(records, *ends, isn=dice.getrandbits(32))
    line.open(start)
    for side, data in dice.choice(TALKS):
        start += dice.choice((100 * MICROSECOND, 100 * MICROSECOND, 7 * MS))
        line.send(start, side, data, mss=dice.choice((1_448, 3)))
    end = dice.randrange(4)
    if end < 2:
        line.finish(start + MS, end)
    elif end == 2:
        line.reset(start + MS, dice.randrange(2))
    if dice.random() < 0.2:  # behind the end
        line.send(start + 3 * MS, dice.randrange(2), b"late")
    return dice.choice(TWISTS)(records, dice) if dice.random() < 0.5 else records


def crowd(dice: random.Random, *, tasks: bool) -> list[Record]:
    """Connections of others at the same time, some of them between the hosts of tasks and with the same ports."""
    told = several() if tasks else Story(Network())
    clients = [Address(host, port) for host in ("10.8.0.1", REMOTE, CLIENT) for port in (33_000, 33_001, 50_000)]
    for _ in range(dice.choice((3, 12, 30))):
        server = Address(dice.choice(("10.8.0.2", "10.8.0.2", CLIENT, REMOTE)), dice.choice(PORTS))
        some = connection(dice, (dice.choice(clients), server), dice.randrange(100) * MS)
        told.records.extend(one for one in some if one.time >= 0)
    return told.records


def state(tracer: Tracer) -> tuple[object, ...]:
    """What a tracer has in mind of connections that are none of its own."""
    table = tracer._connections._table
    copies = [(ends, (one.client, one.server, one.seq, one.syn)) for ends, one in tracer._copies._newest.items()]
    undecided = [(one.start, one.first_packet) for one in tracer._order._undecided]
    return set(table._entries), set(table.foreign) | set(table._gone), copies, undecided, len(tracer._early._flows)


def followed(path: Path, *, by_block: bool) -> tuple[list[tuple[object, ...]], list[Problem]]:
    """States of a tracer after each block, and what it says when there is no task."""
    tracer, states = Tracer(messages=False), []
    for block in CaptureReader([path]).blocks(find_runs):
        events: Sequence[Sequence[Event]] = (
            list(advance.feed(tracer, block))
            if by_block
            else [tracer.feed(packet._replace(key=None)) for packet in block.packets()]
        )
        del events
        states.append(state(tracer))
    tracer.finish()
    return states, list(tracer.overview.problems())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 32), tasks=st.booleans(), size=st.sampled_from([700, 3_000, 1 << 20]))
def test_strangers_leave_behind_what_they_leave_packet_by_packet(seed: int, tasks: bool, size: int) -> None:
    dice = random.Random(seed)
    packets = [(one.time, one.data, len(one.data)) for one in packets_of(crowd(dice, tasks=tasks))]
    with TemporaryDirectory() as folder, pieces(size):
        path = write(Path(folder) / "x.pcap", packets)
        assert followed(path, by_block=True) == followed(path, by_block=False)
        paths = in_files(packets, dice, Path(folder), ETHERNET)
        assert fast(paths, (True, None)) == reference(paths, (True, None))


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("name", "most"), [("HALF_OPEN", 6), ("CONNECTIONS", 40), ("CLOSED", 3)])
def test_strangers_where_connections_are_given_up(
    name: str, most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in ("session.advance", "session.tracer", "stream.flows"):
        monkeypatch.setattr(f"dissector.{module}.MAX_{name}", most, raising=False)
    for seed in range(12):
        crowded = packets_of(crowd(random.Random(seed), tasks=seed % 2 == 0))
        path = write(tmp_path / "x.pcap", [(one.time, one.data, len(one.data)) for one in crowded])
        (by_block, told), (one_by_one, expected) = (followed(path, by_block=flag) for flag in (True, False))
        assert told == expected
        # Which of those that are over are forgotten first depends on when their ends are noted.
        assert [one[0] if name == "CLOSED" else one for one in by_block] == [
            one[0] if name == "CLOSED" else one for one in one_by_one
        ]
        assert fast([path], (True, None)) == reference([path], (True, None))


@pytest.mark.parametrize("tasks", [False, True])
def test_strangers_are_taken_in_two_steps(tasks: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else the test above would compare the reference with itself."""
    taken: list[object] = []
    begin, tell = Strangers.begin, Strangers.tell

    def counted(*args: object) -> object:
        taken.append(begin(*args))  # type: ignore[arg-type]
        return taken[-1]

    def watched(strangers: Strangers, stranger: Stranger, *args: Any) -> None:
        """Meanwhile it may be the first connection of a task."""
        assert stranger in strangers._order._undecided
        tell(strangers, stranger, *args)

    monkeypatch.setattr(Strangers, "begin", counted)
    monkeypatch.setattr(Strangers, "tell", watched)
    for seed in range(20):
        packets = [(one.time, one.data, len(one.data)) for one in packets_of(crowd(random.Random(seed), tasks=tasks))]
        followed(write(tmp_path / "x.pcap", packets), by_block=True)
    assert len([one for one in taken if one is not None]) > 30
    assert None in taken or not tasks


NEARLY_OURS = re.compile(rb"[\0<A-Z ].{3}[SOAEKx].{0,9}", re.DOTALL)


@given(st.one_of(st.binary(min_size=1, max_size=40), st.from_regex(NEARLY_OURS)))
def test_what_a_client_can_not_begin_with(head: bytes) -> None:
    """The short answer is the long one."""
    short = detect._MAY_BE_OURS.match(head) is None
    role = detect.verdict(head, b"", is_command_port=False, mid_stream=False)
    command, callback = detect._command(head, b"", False), detect._callback(head, b"", False)
    assert not short or command is callback is role is Role.UNKNOWN
