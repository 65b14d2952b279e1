"""The two steps of a connection of others in a block: when it is taken so, and what is noted of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from conversation import MICROSECOND, SYN, Address, Line, Record
from kit import packets_of
from test_differential import write
from test_strangers import GET, HELLO, crowd, followed

from dissector.limits import HALF_OPEN_SECONDS
from dissector.model import Endpoint, Role
from dissector.session.run_detection import find_runs
from dissector.session.sniffer import Sniffer
from dissector.session.strangers import Stranger
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.stream.block import Conversation
from dissector.traffic import Side

SECOND = 1_000_000_000
HERE, THERE = Address("10.8.0.1", 33_000), Address("10.8.0.2", 80)
#: Ports at which callbacks are waited for.
LOW, HIGH = 50_100, 50_199


class Watch:
    """In place of a part of the tracer: the same but for what is said, and the arguments of all calls are kept."""

    def __init__(self, part: object, **answers: object) -> None:
        self.part = part
        self.answers = answers
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        if name in self.answers and not callable(getattr(self.part, name)):
            return self.answers[name]

        def call(*args: Any) -> Any:
            self.calls.append((name, args))
            return self.answers[name] if name in self.answers else getattr(self.part, name)(*args)

        return call

    def said(self, name: str) -> list[tuple[Any, ...]]:
        return [args for one, args in self.calls if one == name]


class Taken:
    """A tracer at the beginning of a block; ``take`` takes the SYN of a conversation."""

    def __init__(self, path: Path, records: list[Record]) -> None:
        packets = packets_of(records)
        self.tracer = Tracer(messages=False, callback_ports=(LOW, HIGH))
        capture = CaptureReader([write(path / "x.pcap", [(one.time, one.data, len(one.data)) for one in packets])])
        self._blocks = capture.blocks(find_runs)
        self.block = next(self._blocks)  # its bytes are there until the next one is asked for
        self.steps = self.tracer.strangers

    @property
    def conversations(self) -> list[Conversation]:
        """In the order of their first packets."""
        return sorted(self.block.conversations, key=lambda one: one.places[0])

    def watch(self, name: str, **answers: object) -> Watch:
        watch = Watch(getattr(self.steps, name), **answers)
        setattr(self.steps, name, watch)
        return watch

    def take(self, number: int = 0) -> Stranger | None:
        return self.steps.begin(self.block, self.conversations[number])


def opened(
    server: Address = THERE,
    data: bytes = GET,
    *,
    client: Address = HERE,
    start: int = 0,
    side: int = 0,
    mss: int = 1_448,
) -> list[Record]:
    records: list[Record] = []
    line = Line(records, client, server, isn=0xFFFF_FFFE)
    line.open(start)
    line.send(start + 100 * MICROSECOND, side, data, mss)
    line.send(start + 300 * MICROSECOND, 1 - side, b"HTTP/1.1 200 OK\r\n\r\n")
    return records


@pytest.fixture
def made(tmp_path: Path) -> Taken:
    taken = Taken(tmp_path, opened())
    taken.steps.enter(taken.block)
    return taken


def ports_of(server: int, tmp_path: Path) -> Stranger | None:
    taken = Taken(tmp_path, opened(Address("10.8.0.2", server)))
    taken.steps.enter(taken.block)
    return taken.take()


def test_what_a_stranger_is(made: Taken) -> None:
    order, early, copies = made.watch("_order"), made.watch("_early"), made.watch("_copies")
    stranger = made.take()
    assert stranger is not None
    assert (stranger.client, stranger.server) == (Endpoint("10.8.0.1", 33_000), Endpoint("10.8.0.2", 80))
    assert (stranger.start, stranger.first_packet) == (made.block.times[0], 1)
    assert (order.said("opened"), early.said("note")) == ([(stranger,)], [(None,)])
    ((one,),) = copies.said("of")
    assert (one.client, one.server, one.start) == (stranger.client, stranger.server, stranger.start)
    assert one.seq == 0xFFFF_FFFE
    data = opened()[0].data
    assert tuple(one.syn) == (1, stranger.start, data[22], int.from_bytes(data[18:20], "big"))


@pytest.mark.parametrize(
    ("port", "is_taken"),
    [(LOW - 1, True), (LOW, False), (LOW + 256, True), (HIGH, False), (HIGH + 1, True), (255, True)],
)
def test_what_goes_where_callbacks_are_waited_for_is_no_stranger(port: int, is_taken: bool, tmp_path: Path) -> None:
    stranger = ports_of(port, tmp_path)
    assert (stranger is not None) is is_taken
    assert stranger is None or stranger.server.port == port


@pytest.mark.parametrize(
    ("part", "answers"),
    [
        ("_connections", {"has_room": False}),
        ("_connections", {"is_full": True}),
        ("_connections", {"find": object()}),
        ("_joiner", {"may_concern": True}),
        ("_copies", {"of": object()}),
    ],
)
def test_what_the_tracer_knows_something_of_is_no_stranger(part: str, answers: dict[str, object], made: Taken) -> None:
    order = made.watch("_order")
    made.watch(part, **answers)
    made.steps.enter(made.block)
    assert made.take() is None
    assert order.calls == []


def test_there_is_room_for_all_of_a_block(tmp_path: Path) -> None:
    syn: list[Record] = []
    Line(syn, HERE, Address("10.8.0.2", 81)).packet(900 * MICROSECOND, 0, SYN)
    odd = opened(client=Address("10.8.0.9", 1))[0]
    odd = odd._replace(data=odd.data[:20] + b"\x20\0" + odd.data[22:])  # a fragment
    taken = Taken(tmp_path, [*opened(), *syn, odd])
    table = taken.watch("_connections")
    taken.steps.enter(taken.block)
    assert table.said("has_room") == [(len(taken.conversations) + len(taken.block.others),)]
    assert len(taken.conversations) > 1
    assert taken.block.others


# --- when the table gives up what is old ------------------------------------------------------------------------------


def several(*starts: int) -> list[Record]:
    return [
        record
        for number, start in enumerate(starts)
        for record in opened(client=Address("10.8.0.1", 33_000 + number), start=start)
    ]


@pytest.mark.parametrize(("before", "is_taken"), [(1, True), (0, False), (-1, False)])
def test_a_syn_at_which_something_is_due_goes_the_usual_way(before: int, is_taken: bool, tmp_path: Path) -> None:
    late = HALF_OPEN_SECONDS * SECOND
    taken = Taken(tmp_path, several(0, late - before))
    table = taken.watch("_connections", next_due=None)
    taken.steps.enter(taken.block)
    assert taken.take(0) is not None
    assert (taken.take(1) is not None) is is_taken
    assert len(table.said("next_due")) == (1 if is_taken else 2)


@pytest.mark.parametrize(("due", "is_taken"), [(0, False), (1, True)])
def test_the_table_is_asked_when_something_is_due(due: int, is_taken: bool, made: Taken) -> None:
    table = made.watch("_connections", next_due=made.block.times[0] + due)
    made.steps.enter(made.block)
    assert (made.take() is not None) is is_taken
    assert len(table.said("next_due")) == 1


def test_the_table_is_asked_once_until_something_is_due(tmp_path: Path) -> None:
    taken = Taken(tmp_path, several(0, 5_000_000, 6_000_000, 9_000_000))
    start = taken.block.times[0]
    table = taken.watch("_connections", next_due=start + 6_000_000)
    taken.steps.enter(taken.block)
    assert [taken.take(number) is not None for number in range(4)] == [True, True, False, False]
    assert len(table.said("next_due")) == 3
    table.answers["next_due"] = None
    taken.steps.enter(taken.block)
    assert [taken.take(number) is not None for number in range(4)] == [True, True, True, True]
    assert len(table.said("next_due")) == 4


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "side", "mss", "is_tls"),
    [
        (HELLO, 0, 1_448, True),
        (HELLO[:2], 0, 1_448, True),
        (HELLO, 0, 1, True),
        (HELLO, 0, 2, True),
        (HELLO, 1, 1_448, False),
        (b"\x16\x04" + HELLO[2:], 0, 1_448, False),
        (b"\x17\x03" + HELLO[2:], 0, 1_448, False),
        (GET, 0, 1_448, False),
    ],
)
def test_tls_that_is_looked_into_is_no_stranger(data: bytes, side: int, mss: int, is_tls: bool, tmp_path: Path) -> None:
    for wants in (True, False):
        # Not the first packets of the block.
        before = opened(start=-SECOND // 10, client=Address("10.9.9.9", 9))
        taken = Taken(tmp_path, [*before, *opened(data=data, side=side, mss=mss)])
        taken.steps.enter(taken.block)
        tls = taken.watch("_tls", wants=wants)
        assert taken.steps._is_tls(taken.block, taken.conversations[1]) is (is_tls and wants)
        assert tls.said("wants") == [(False,)]
        conversation = taken.conversations[1]._replace(foreign_at=0)
        assert taken.steps._is_tls(taken.block, conversation) is False
        assert (taken.take(1) is None) is (is_tls and wants)


# --- the second step --------------------------------------------------------------------------------------------------


def judged(taken: Taken, *, has_tasks: bool) -> Iterator[tuple[Any, Role]]:
    overview, order = taken.watch("_overview", has_tasks=has_tasks), taken.watch("_order")
    conversation = taken.conversations[0]
    stranger = Stranger(Endpoint("10.8.0.1", 33_000), Endpoint("10.8.0.2", 80), 5, 7)
    taken.steps.tell(stranger, taken.block, conversation)
    assert order.said("decided") == [(stranger,)]
    for sniffer, role in overview.said("judged"):
        connection = cast("Sniffer", sniffer).connection
        assert (connection.client, connection.server) == (stranger.client, stranger.server)
        assert (connection.start, connection.first_packet) == (5, 7)
        yield sniffer, role


@pytest.mark.parametrize("side", [0, 1])
def test_what_is_told_of_a_stranger_where_there_are_no_tasks(side: int, tmp_path: Path) -> None:
    taken = Taken(tmp_path, opened(data=b"abc", side=side))
    place = taken.conversations[0].foreign_at
    assert place
    ((sniffer, role),) = judged(taken, has_tasks=False)
    connection = sniffer.connection
    assert role is Role.UNKNOWN
    assert (connection.packets, connection.bytes) == (place + 1, 3)
    packets = [connection.sides[Side.CLIENT].packets, connection.sides[Side.SERVER].packets]
    senders = [one & 1 ^ taken.conversations[0].places[0] & 1 for one in taken.conversations[0].places[: place + 1]]
    assert packets == [senders.count(0), senders.count(1)]
    index = taken.conversations[0].places[place] >> 1
    said = [(one.side, one.data, one.number, one.time) for one in sniffer.events if one.data]
    assert said == [(Side(side), b"abc", index + 1, taken.block.times[index])]
    assert not sniffer.is_command_port


def test_nothing_is_told_of_a_stranger_where_there_are_tasks(made: Taken) -> None:
    assert list(judged(made, has_tasks=True)) == []


@pytest.mark.parametrize("tasks", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_strangers_as_packet_by_packet(seed: int, tasks: bool, tmp_path: Path) -> None:
    """Some of what random examples try."""
    packets = [(one.time, one.data, len(one.data)) for one in packets_of(crowd(random.Random(seed), tasks=tasks))]
    path = write(tmp_path / "x.pcap", packets)
    assert followed(path, by_block=True) == followed(path, by_block=False)
