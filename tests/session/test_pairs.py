"""Callbacks that no start announced, and connections that are there twice."""

from __future__ import annotations

import struct

import pytest
from conversation import Address, Network, Record
from kit import BEGUN, CAPTURES, CLIENT, MICROSECOND, REMOTE, Found, Story, packets_of, started_answer, trace, with_ttl
from parts import SECOND, connection, facts, message

from dissector.limits import CLOCK_JITTER
from dissector.model import Connection, Endpoint, Mark, Role
from dissector.session.cut import CutStarts
from dissector.session.join import Joiner
from dissector.session.life import JoinState
from dissector.session.opened import OpenTasks
from dissector.session.pairs import Copies, Unannounced
from dissector.session.task import TaskFacts
from dissector.session.timeouts import PAIR_PATIENCE
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader

MOMENT = 0.001
PATIENCE = PAIR_PATIENCE / 1_000_000_000


def calls(story: Story, port: int, at: float, peer_port: int = 50_000) -> None:
    """A task process calls this port of the client, and its task runs."""
    story.callback = story.network.line(Address(REMOTE, peer_port), Address(CLIENT, port))
    story.call_back(at).say(at + 0.01, last=BEGUN)


def commands(found: Found) -> list[tuple[int | None, Endpoint | None]]:
    """The announced or called port of each task, and where its command connection comes from."""
    return [(task.callback_port, task.client if task.command else None) for task in found.tasks]


def test_the_start_s_own_callback_comes_after_the_other() -> None:
    """The first one was started before the capture, so nothing but the second one's port says whose it is."""
    story = Story().start()
    calls(story, 59_990, 0.01)
    calls(story, 59_999, 0.5, 50_001)
    assert commands(story.found()) == [(59_999, Endpoint(CLIENT, 40_000)), (59_990, None)]


@pytest.mark.parametrize(("at", "joined"), [(0.01 + PATIENCE - MOMENT, False), (0.01 + PATIENCE + 0.1, True)])
def test_it_is_waited_for(at: float, joined: bool) -> None:
    """Other messages of the first callback come meanwhile."""
    story = Story().start()
    calls(story, 59_990, 0.01)
    story.say(0.01 + PATIENCE, first=BEGUN, last=BEGUN + 1)
    calls(story, 59_999, at, 50_001)
    first = {task.callback.server.port: task for task in story.found().tasks if task.callback is not None}[59_990]
    assert (first.command is not None) is joined


def answered_only(story: Story) -> Story:
    """The start command itself was lost."""
    story.command.open(0)
    story.command.next[0] += 100
    story.command.send(300 * MICROSECOND, 1, started_answer(story.script))
    return story


def test_one_answer_and_one_callback() -> None:
    story = answered_only(Story())
    calls(story, 59_999, 0.01)
    assert commands(story.found()) == [(59_999, Endpoint(CLIENT, 40_000))]


def test_one_answer_and_two_callbacks() -> None:
    """None is guessed, and it is said."""
    story = answered_only(Story())
    calls(story, 59_999, 0.01)
    calls(story, 59_998, 0.02, 50_001)
    found = story.found()
    assert commands(found) == [(None, Endpoint(CLIENT, 40_000)), (59_999, None), (59_998, None)]
    assert found.codes.count("pair_unclear") == 2


@pytest.mark.parametrize(("ended", "joined"), [(False, False), (True, True)])
def test_a_close_comes_when_the_callback_has_ended(ended: bool, joined: bool) -> None:
    story = Story().start()
    story.call_back().say(0.02)
    if ended:
        story.leave(0.4)
    story.close(0.5)
    late = [packet for packet in packets_of(story.records) if b"start_remote_task" not in packet.data][5:]
    late = [packet._replace(number=number) for number, packet in enumerate(late, 1)]
    without_answer = [packet for packet in late if b"<process process_id" not in packet.data]
    tasks = trace(without_answer).tasks
    assert [task.command is not None for task in tasks if task.callback is not None] == [joined]


def test_a_callback_whose_first_message_is_lost() -> None:
    """Nobody announced its port, and the message that would tell what it is was not captured."""
    story = Story().call_back().say(0.02).leave(0.1)
    lost = next(packet for packet in packets_of(story.records) if b"SC" in packet.data.replace(bytes(8), b""))
    found = trace([packet for packet in packets_of(story.records) if packet.number != lost.number])
    assert (found.task.callback_port, found.task.job) == (59_999, "job")


# --- both legs of a gateway ----------------------------------------------------------------------------------------

GATEWAY = "10.9.9.1"


def with_id(record: Record, number: int) -> Record:
    return Record(record.time, record.data[:18] + struct.pack(">H", number) + record.data[20:])


def legs(delay: float, **how: int) -> Found:
    """A task as its client sees it, and as it goes on behind a gateway that translates the remote's address."""
    network, other = Network(), Network()
    script = Story(network).healthy().script
    Story(other, remote=GATEWAY, peer=REMOTE).healthy()
    same = [one._replace(time=one.time + round(delay * 1_000_000_000)) for one in other.records]
    changed = [with_ttl(one, how.get("ttl", 64)) for one in same]
    records = [with_id(one, how.get("id", 0)) for one in (*network.records, *changed)]
    assert script.remote == REMOTE
    return trace(packets_of(records))


@pytest.mark.parametrize(
    ("delay", "how", "tasks"),
    [
        (0.000_01, {"ttl": 63}, 1),
        (0.000_01, {"id": 7}, 1),
        (0.000_01, {}, 2),
        (0.000_01, {"ttl": 62}, 2),
        (0.05, {"ttl": 63}, 1),
        (0.050_001, {"ttl": 63}, 2),
    ],
)
def test_the_same_connection_with_other_addresses(delay: float, how: dict[str, int], tasks: int) -> None:
    found = legs(delay, **how)
    whole = {task.counts.messages for task in found.tasks if task.counts.messages}
    assert (len(found.tasks), "duplicates" in found.codes) == (tasks, tasks == 1)
    assert whole == {16}


# --- by hand ---------------------------------------------------------------------------------------------------------


def call(start: int = 10 * SECOND, **fields: object) -> Connection:
    return connection(Role.CALLBACK, start=start, **{"end": start, **fields})


def half() -> TaskFacts:
    """A task of the second 10 of which only the answer to the start was read."""
    made = facts(callback=False, start=None)
    made.record.callback_port, made.start_answer = None, message(10 * SECOND)
    return made


def unannounced(*tasks: TaskFacts, announced: TaskFacts | None = None) -> Unannounced:
    opened, joiner = OpenTasks(), Joiner((50_000, 59_999))
    joiner.has_commands = True
    for one in tasks:
        opened.add(one)
    if announced is not None:
        joiner.announce(announced)
    return Unannounced(joiner, opened, CutStarts((50_000, 59_999), Tracer()))


def test_a_callback_that_is_announced_by_now_waits_no_more() -> None:
    """Its start came behind its first bytes."""
    own = facts(callback=False)
    known, one = unannounced(half(), announced=own), call()
    known.strays[one] = half()
    assert not known.waits(one)
    assert known.owner(one) == (own, False)
    assert known.strays == {}


@pytest.mark.parametrize(("age", "waits"), [(CLOCK_JITTER - 1, True), (CLOCK_JITTER, False)])
def test_a_callback_that_fits_nothing_waits_for_a_moment(age: int, waits: bool) -> None:
    """Its start command may stand behind it."""
    one = call()
    one.end = one.start + age
    assert unannounced().waits(one) is waits


@pytest.mark.parametrize(("patience", "halves"), [(CLOCK_JITTER, 0), (PAIR_PATIENCE, 1)])
def test_a_callback_that_falls_silent_waits_no_longer_where_a_capture_is_followed(patience: int, halves: int) -> None:
    one = call()
    known = unannounced(*[half() for _ in range(halves)])
    assert known.waits(one, one.start)
    assert known.settle(one.start + patience - 1) == []
    assert known.settle(one.start + patience) == [one]
    assert known.settle(one.start + patience) == []
    assert not known.waits(one, one.start + patience)
    assert known.waits(one)
    assert known.settle(one.start + patience) == []


def test_a_callback_that_was_there_before_waits_for_nothing() -> None:
    one = call()
    assert not unannounced(half()).waits(call(mid_stream=True))
    assert unannounced(half()).owner(call(mid_stream=True)) == (None, False)
    known = unannounced()
    known.strays[one] = facts(callback=False)
    assert known.waits(one)


def test_a_stray_belongs_to_the_start_that_it_fits() -> None:
    for attempts, halves, owner, several in (
        (0, 0, True, False),
        (0, 1, False, True),
        (1, 0, False, False),
        (1, 1, False, True),
    ):
        stray, one = facts(callback=False), call()
        stray.attempts = [call()] * attempts
        known = unannounced(*[half() for _ in range(halves)])
        known.strays[one] = stray
        assert known.owner(one) == (stray if owner else None, several)
        assert known.strays == {}


def test_what_was_held_is_let_go_with_its_owner() -> None:
    known, one = unannounced(task := half()), call()
    assert known.waits(one)
    assert known.owner(one) == (task, False)
    assert not known._held
    assert known.waits(one)
    known.strays[one] = half()
    known.drop(one)
    assert (dict(known._held), known.strays) == ({}, {})


@pytest.mark.parametrize(
    ("fields", "is_rival"),
    [
        ({}, True),
        ({"start": 9 * SECOND}, True),
        ({"start": 9 * SECOND - 1}, False),
        ({"mid_stream": True}, False),
        ({"client": Endpoint("10.9.9.9", 50_001)}, False),
        ({"server": Endpoint("10.9.9.9", 59_999)}, False),
    ],
)
@pytest.mark.parametrize("is_held", [True, False])
def test_another_callback_between_the_hosts_is_a_rival(
    fields: dict[str, object], is_rival: bool, is_held: bool
) -> None:
    """One that is held, or that of a task without a command connection."""
    task, other = half(), call(**fields)  # type: ignore[arg-type]
    lone = TaskFacts.of_callback(other)
    lone.record.callback, lone.record.callback_peer = other, Endpoint(REMOTE, 50_000)
    lone.record.client = Endpoint(CLIENT, None)
    known = unannounced(task) if is_held else unannounced(task, lone)
    if is_held:
        known._held[other] = None
    assert known.owner(call()) == (None if is_rival else task, is_rival)


def test_a_lone_task_without_a_callback_is_no_rival() -> None:
    task, lone = half(), TaskFacts.of_callback(call())
    lone.record.callback, lone.record.callback_peer = None, Endpoint(REMOTE, 50_000)
    lone.record.client = Endpoint(CLIENT, None)
    assert unannounced(task, lone).owner(call()) == (task, False)


def test_when_a_task_was_told_of() -> None:
    """By its start, by the answer to it, or when it began."""
    for start, answer, told in ((7, 9, 7), (None, 9, 9), (None, None, 0)):
        one = half()
        one.start = None if start is None else message(start * SECOND)
        one.start_answer = None if answer is None else message(answer * SECOND)
        known = unannounced(one)
        assert known.owner(call((told - 1) * SECOND))[0] is one
        assert known.owner(call((told - 1) * SECOND - 1)) == (None, False)


def test_a_connection_in_mid_stream_is_no_copy_and_shows_none() -> None:
    copies = Copies()
    for mid_stream, syns in ((True, True), (False, False)):
        one = connection(mid_stream=mid_stream)
        one.sides[0].first_seq = 7
        one.syns = one.syns if syns else []
        assert copies.original(one) is None
        other = connection(client=Endpoint("192.0.2.9", 40_000), syns=[Mark(3, 0, 63, 1)])
        other.sides[0].first_seq = 7
        assert copies.original(other) is None
        other.client = Endpoint("192.0.2.10", 40_000)
        assert copies.original(other) is not None
        copies = Copies()


def test_a_copy_without_ip_ids_needs_another_ttl() -> None:
    for ip_id, ttl, is_copy in ((0, 64, False), (0, 63, True), (5, 64, True), (5, 50, True), (6, 50, False)):
        copies, one = Copies(), connection(syns=[Mark(1, 0, 64, 5 if ip_id else 0)])
        other = connection(client=Endpoint("192.0.2.9", 40_000), syns=[Mark(3, 0, ttl, ip_id)])
        one.sides[0].first_seq = other.sides[0].first_seq = 7
        assert copies.original(one) is None
        assert (copies.original(other) is not None) is is_copy


# --- a port that its client has left --------------------------------------------------------------------------------


def taken_over(left: float = 1.2, side: int = 0, successors: int = 1, begun: float = 1.5) -> Found:
    """A client ends its command connection before anybody calls; others start on its port, and the start of these was
    not captured."""
    first = Story().start()
    first.command.finish(round(left * SECOND), side)
    others = []
    for number in range(successors):
        other = Story(first.network, command_port=40_001 + number, peer_port=50_001, process_id=2 + number)
        others.append(other.start(begun + number / 10))
    start = [record for record in first.records if b"start_remote_task" in record.data]
    others[0].call_back(2.3).say(2.4, last=BEGUN)
    first.network.records[:] = [record for record in first.records if record not in start[1:]]
    return first.found()


def callers(found: Found) -> list[tuple[int | None, bool]]:
    """The port of each task's command connection, and whether it was called."""
    return [(task.client.port if task.client else None, task.callback is not None) for task in found.tasks]


def test_who_came_behind_a_client_that_left_was_called() -> None:
    found = taken_over()
    assert callers(found) == [(40_000, False), (40_001, True)]
    assert [task.callback_port for task in found.tasks] == [59_999, 59_999]


def test_of_two_that_came_behind_none_is_claimed() -> None:
    found = taken_over(successors=2)
    assert callers(found) == [(40_000, False), (40_001, False), (40_002, False), (None, True)]
    assert "pair_unclear" in found.codes


@pytest.mark.parametrize(
    ("left", "side", "begun"),
    [(1.2, 1, 1.5), (2.3, 0, 1.5), (1.5, 0, 1.2)],
    ids=["the remote left it", "it left when it was called", "the other one came before"],
)
def test_otherwise_who_announced_the_port_was_called(left: float, side: int, begun: float) -> None:
    assert (40_000, True) in callers(taken_over(left, side, begun=begun))


@pytest.mark.parametrize(("left", "called"), [(2.3, 40_000), (2.299_999_999, 40_001)])
def test_when_it_left(left: float, called: int) -> None:
    assert (called, True) in callers(taken_over(left, begun=left))


@pytest.mark.parametrize(("begun", "called"), [(1.2, 40_001), (1.199_999_999, 40_000)])
def test_when_the_other_one_came(begun: float, called: int) -> None:
    assert (called, True) in callers(taken_over(1.2, begun=begun))


def test_a_restarted_client_whose_start_was_lost() -> None:
    path = CAPTURES / "faults" / "15d_client_restarted_callback_to_new_listener.c.pcap"
    packets = list(CaptureReader([path]))
    whole, cut = trace(packets), trace(packet for packet in packets if packet.number != 16)
    for found in (whole, cut):
        assert callers(found) == [(42_976, False), (33_162, True)]
        assert [task.outcome.value for task in found.tasks] == ["no_callback", "success"]


def test_what_several_may_have_got_is_nobody_s_later_either() -> None:
    """The other callback is over and forgotten when this one has to be decided."""
    task = half()
    known = unannounced(task)
    task.life.join = JoinState.CONTESTED
    assert known.owner(call()) == (None, True)
    one, other = half(), half()
    assert unannounced(one, other).owner(call()) == (None, True)
    assert one.life.join is other.life.join is JoinState.CONTESTED


def test_a_callback_waits_for_no_start_where_a_capture_has_no_commands() -> None:
    one, known = call(), unannounced()
    assert known.waits(one, one.start)
    known._joiner.has_commands = False
    assert not known.waits(one, one.start)
