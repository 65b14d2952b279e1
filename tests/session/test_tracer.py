"""The whole floor: packets in, events out, each once and final, in bounded memory."""

from __future__ import annotations

import copy
import dataclasses
import struct
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

import pytest
from kit import (
    ACK,
    CAPTURES,
    CLIENT,
    ETHERNET,
    LOGGED,
    PSH,
    REMOTE,
    RST,
    SECOND,
    STEP_ASKED,
    SYN,
    Address,
    Line,
    Network,
    Record,
    Story,
    framed,
    nanoseconds,
    packets_of,
    trace,
)
from parts import connection, facts

from dissector.limits import HALF_OPEN_SECONDS, MAX_HALF_OPEN, MAX_UNREACHABLE
from dissector.model import Connection, Event, Message, Problem, Role, Task
from dissector.session.life import JoinState
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet, key_of


def test_a_session_of_two_connections_from_bytes() -> None:
    """A task that is created, steps with exit code 3, and is released: nothing but literals."""
    records: list[Record] = []
    command = Line(records, Address("10.1.0.10", 40_000), Address("10.2.0.10", 4_455))
    callback = Line(records, Address("10.2.0.10", 50_000), Address("10.1.0.10", 59_999))
    server = b"\0\0\0\x2a\0\0\0\1"
    result = b'<process.result exit_code="3"/>'
    command.open(0)
    command.send(100, 0, b'<remote_scheduler.start_remote_task tcp_port="59999" kind="process"/>')
    command.send(200, 1, b'<spooler><answer><process process_id="1"/></answer></spooler>\n\0')
    callback.open(1_000)
    for side, message in (
        (1, b"S" + bytes(8) + b"C" + bytes(16) + bytes(9) + bytes(4) + b"\0\0\0\1" + bytes(16)),
        (0, b"A" + bytes(4) + bytes(4) + server + b"\1" + bytes(4) + bytes(16) + bytes(4)),
        (1, b"O" + server + b"A" + b"\0\0\0\4step" + bytes(8)),
        (0, b"A" + bytes(4) + b"\0\0\0\x08" + struct.pack(">i", len(result)) + result),
        (1, b"O" + server + b"R"),
        (0, b"A"),
    ):
        callback.send(records[-1].time + 1_000, side, framed(message))
    callback.reset(100_000, 1)
    command.send(110_000, 0, b"<remote_scheduler.remote_task.close process_id='1'/>")
    command.send(120_000, 1, b"<spooler><answer><ok/></answer></spooler>\0")
    command.finish(130_000, 0)

    found = trace(packets_of(records))
    task = found.task
    assert (task.outcome.value, task.exit_code, task.process_id, task.counts.messages) == ("failure", 3, 1, 6)
    assert [m.operation for m in found.messages if m.kind == "request"] == ["create_instance", "call", "release"]
    assert found.alarms == ["job_failed"]


# --- events --------------------------------------------------------------------------------------------------------


def events_of(packets: Iterable[Packet]) -> Iterator[tuple[int, Event]]:
    """Events with the number of the packet that made them final (0: the end)."""
    tracer = Tracer()
    for packet in packets:
        for event in tracer.feed(packet):
            yield packet.number, event
    for event in tracer.finish():
        yield 0, event


RECORDINGS = ["engine_shell_ok", "engine_ten_tasks", "h19_keepalive_many", "engine_kill_agent", "scala113_shell"]


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_event_comes_once(name: str) -> None:
    found = trace(name)
    assert max(Counter(map(id, found.events)).values()) == 1
    assert sorted(message.n for message in found.messages) == [*range(1, len(found.messages) + 1)]
    assert [task.n for task in found.tasks] == [*range(1, len(found.tasks) + 1)]
    assert len({connection.n for connection in found.connections}) == len(found.connections)
    assert {id(problem) for task in found.tasks for problem in task.problems} <= set(map(id, found.problems))


def snapshot(event: Event) -> list[object]:
    """What a view would show of an event."""
    skipped = ("connection", "request", "objects", "command", "callback")
    names = [field.name for field in dataclasses.fields(event) if field.name not in skipped]
    values = (getattr(event, name) for name in names if name != "task")
    return [copy.deepcopy(value) if not isinstance(value, (Connection, Task)) else None for value in values]


@pytest.mark.parametrize("name", ["engine_shell_ok", "engine_api_java_ok", "h19_nested"])
def test_what_was_handed_out_does_not_change_any_more(name: str) -> None:
    packets = list(recorded(name))
    handed = [(event, snapshot(event)) for _, event in events_of(packets) if not isinstance(event, Task)]
    assert [(event, seen) for event, seen in handed if snapshot(event) != seen] == []


def recorded(name: str) -> Iterable[Packet]:
    return CaptureReader([CAPTURES / f"{name}.pcap"])


def test_a_request_comes_with_its_answer() -> None:
    story = Story().healthy()
    seen: set[int] = set()
    for _, event in events_of(packets_of(story.records)):
        if isinstance(event, Message):
            seen.add(event.n)
            if event.answered_by is not None:
                assert event.kind in ("request", "keep_alive", "command")
            if event.request is not None:
                assert event.request.n in seen
                assert event.request.answered_by == event.n


def test_events_come_as_soon_as_they_are_final() -> None:
    """The start's answer completes two messages; nothing waits for the end."""
    story = Story().healthy().later(5.0)
    by_kind = {type(event).__name__: number for number, event in reversed(list(events_of(packets_of(story.records))))}
    assert by_kind["Message"] == 6
    assert 0 < by_kind["Task"] <= len(story.records)
    assert 0 < by_kind["Connection"] <= len(story.records)


def test_open_requests_come_at_the_end() -> None:
    found = Story().start().call_back().say(0.02, last=STEP_ASKED + 1).found()
    pending = [message for message in found.messages if message.kind == "request" and message.answered_by is None]
    assert [(message.member, message.depth) for message in pending] == [("step", 0), ("log", 1)]
    assert found.outcome.value == "running"


def test_a_request_whose_answer_was_lost_comes_with_the_outer_answer() -> None:
    story = Story().healthy()
    lost = next(index for index, record in enumerate(story.records) if b"hello" in record.data) + 2
    story.network.records = story.records[:lost] + story.records[lost + 1 :]
    found = story.found()
    (log,) = [message for message in found.messages if message.member == "log"]
    assert (log.kind, log.answered_by) == ("request", None)
    assert found.outcome.value == "success"
    assert found.codes.count("gap") == 1


def test_a_connection_comes_with_its_final_figures() -> None:
    story = Story().healthy()
    late = story.callback
    late.packet(nanoseconds(0.3), 0, RST)  # a late answer to the client's reset
    found = story.found()
    (callback,) = [connection for connection in found.connections if connection.role is Role.CALLBACK]
    mine = [record for record in story.records if b"\xea\x5f" in (record.data[34:36], record.data[36:38])]
    assert callback.packets == len(mine)
    assert callback.bytes == sum(len(record.data) - 54 for record in mine)
    assert callback.end - callback.start == nanoseconds(0.29)
    assert (callback.task, callback.gaps, callback.retransmissions) == (found.task, 0, 0)


def test_a_task_comes_behind_its_messages_and_problems() -> None:
    kinds = [type(event) for event in Story(exit_code=1).healthy().found().events]
    assert kinds.index(Task) > max(index for index, kind in enumerate(kinds) if kind in (Message, Problem))


def test_running_tasks_are_there_for_a_live_view() -> None:
    tracer = Tracer(window=2 * SECOND)
    for packet in packets_of(Story().start().call_back().say(0.02, last=LOGGED).records):
        tracer.feed(packet)
    (task,) = tracer.running
    assert (task.record.job, task.record.n) == ("job", 1)
    tracer.finish()
    assert tracer.running == []


def test_a_task_ends_in_a_live_view_too() -> None:
    tracer = Tracer(window=2 * SECOND)
    events: list[Event] = []
    for packet in packets_of(Story().healthy().later(10.0).records):
        events += tracer.feed(packet)
    assert [event.outcome.value for event in events if isinstance(event, Task)] == ["success"]
    assert tracer.running == []


@pytest.mark.parametrize("story", [Story().healthy(), Story().start(), Story().start().call_back().say(0.02, last=9)])
def test_finishing_twice_does_no_harm(story: Story) -> None:
    tracer = Tracer()
    for packet in packets_of(story.records):
        tracer.feed(packet)
    assert tracer.finish() != [] or tracer.running == []
    assert tracer.finish() == []


def test_nothing_in_nothing_out() -> None:
    assert trace([]).events == []
    assert trace([Packet(1, 0, ETHERNET, b"", 0), Packet(2, 0, 999, bytes(60), 60)]).events == []


def test_ports_are_only_hints() -> None:
    """A connection that says nothing is a task's only on a port that is known for it."""
    story = Story()
    story.command.packet(0, 0, SYN)
    assert len(story.found().tasks) == 1
    assert story.found(command_ports=[4_444]).tasks == []


def test_two_runs_give_the_same() -> None:
    def told() -> list[tuple[int, str | None]]:
        return [(message.n, message.operation) for message in trace("engine_ten_tasks").messages]

    assert told() == told()


def test_a_hundred_tasks_leave_nothing_behind() -> None:
    network = Network()
    for index in range(100):
        Story(network, command_port=40_000 + index, peer_port=50_000 + index, process_id=index).healthy(index * 3.0)
    tracer = Tracer()
    events = [event for packet in packets_of(network.records) for event in tracer.feed(packet)]
    events += tracer.finish()
    assert sum(isinstance(event, Task) for event in events) == 100
    assert not tracer.under_way
    assert not tracer._unannounced.strays
    assert not tracer._unannounced._held
    assert not tracer._closing
    assert not tracer._unreached.due(None)
    assert not tracer._joiner._waiting
    assert not tracer._order._held
    assert not tracer._order._undecided


# --- floods --------------------------------------------------------------------------------------------------------


def flood(count: int, port: int) -> Iterator[Packet]:
    """SYNs of as many clients to one port."""
    template = bytearray(syn(port))
    for index in range(count):
        template[26:30] = struct.pack(">I", 0x0A00_0000 + index)
        yield Packet(index + 1, index * 100_000, ETHERNET, bytes(template), len(template))


def syn(port: int) -> bytes:
    records: list[Record] = []
    Line(records, Address(CLIENT, 33_333), Address(REMOTE, port)).packet(0, 0, SYN)
    return records[0].data


def test_more_half_open_connections_than_there_is_room_for() -> None:
    tracer = Tracer()
    events = [event for packet in flood(MAX_HALF_OPEN + 5_000, 8_080) for event in tracer.feed(packet)]
    assert len(tracer._connections) <= MAX_HALF_OPEN + 10
    assert len(tracer._order._undecided) <= MAX_HALF_OPEN + 10
    assert events == tracer.finish() == []


def test_a_flood_on_the_command_port_is_quick() -> None:
    """Every SYN is a command connection that never was: the first ones are told one by one, all others are counted."""
    began = time.process_time()
    found = trace(flood(10_000, 4_455))
    assert time.process_time() - began < 15
    assert len(found.tasks) == MAX_UNREACHABLE
    assert {task.outcome.value for task in found.tasks} <= {"unreachable", "running"}
    assert found.problem("connection_flood").summary.startswith("9000 more connections")


def test_foreign_packets_cost_next_to_nothing() -> None:
    line = Line([], Address("10.3.0.1", 41_000), Address("10.3.0.2", 443))
    line.open(0)
    line.packet(100_000, 0, PSH | ACK, b"\x16\x03\x01" + bytes(300))
    line.packet(200_000, 1, PSH | ACK, b"\x16\x03\x03" + bytes(300))
    line.packet(300_000, 1, PSH | ACK, bytes(1_000))
    packets = packets_of(line.records)
    tracer, last = Tracer(), packets[-1]
    for packet in packets:
        tracer.feed(packet)
    began = time.process_time()
    for number in range(300_000):
        tracer.feed(last._replace(number=number + 10))
    assert time.process_time() - began < 10
    assert len(tracer._connections) == 0
    assert tracer.finish() == []


def test_messages_do_not_wait_for_a_port_that_was_only_probed() -> None:
    """The recording begins with a refused connection of somebody who waits for the port; it holds back nothing."""
    tracer = Tracer()
    events = [event for packet in CaptureReader([CAPTURES / "engine_shell_ok.pcap"]) for event in tracer.feed(packet)]
    assert len([event for event in events if isinstance(event, Message)]) == 36


def test_a_request_that_can_not_be_decoded_is_told_once() -> None:
    """With its answer, like any other request: not on arrival and then again."""
    story = Story().start().call_back().say(0.02, last=STEP_ASKED)
    story.talk(0.05, (0, b"O" + bytes(8) + b"I" + b"\1"), (1, b"A" + bytes(8)))
    messages = [event for _, event in events_of(packets_of(story.records)) if isinstance(event, Message)]
    assert len({message.n for message in messages}) == len(messages)
    broken, answer = [message for message in messages if message.kind == "undecoded"]
    assert (broken.answered_by, answer.answers) == (answer.n, broken.n)


# --- what is looked after, and when ----------------------------------------------------------------------------------


def fed(story: Story, **options: object) -> Tracer:
    tracer = Tracer(**options)  # type: ignore[arg-type]
    for packet in packets_of(story.records):
        tracer.feed(packet)
    return tracer


def test_the_tracer_looks_after_things_four_times_a_second() -> None:
    tracer = Tracer()
    assert tracer.wake(7) == []
    assert (tracer.clock.now, tracer.clock.wake) == (7, 7 + SECOND // 4)


def test_time_goes_on_with_the_latest_packet() -> None:
    story = Story().start()
    *packets, last = packets_of(story.records)
    tracer = Tracer()
    for packet in [*packets, last, packets[0]._replace(number=99)]:
        tracer.feed(packet)
    assert tracer.clock.now == last.time
    assert tracer.tick(last.time - 1) == []
    assert tracer.clock.now == last.time


def whole_callback(story: Story | None = None) -> Story:
    """A callback in step: create_instance and its answer were all that was said."""
    return (story or Story()).start().call_back().say(0.02, last=4)


CALLBACK = key_of(IPv4Address(REMOTE).packed, 50_000, IPv4Address(CLIENT).packed, 59_999)
COMMAND = key_of(IPv4Address(CLIENT).packed, 40_000, IPv4Address(REMOTE).packed, 4_455)


def test_which_packets_may_be_taken_at_a_glance() -> None:
    tracer = fed(whole_callback())
    found = tracer.in_step(CALLBACK, 0)
    assert found is not None
    entry, handler = found
    assert handler is entry.flow.handler
    assert tracer.in_step(COMMAND, 0) is None
    assert tracer.in_step(CALLBACK[::-1], 0) is None
    assert fed(Story().start().call_back()).in_step(CALLBACK, 0) is None  # nothing was said


def test_a_task_that_others_may_write_about_is_not_taken_at_a_glance() -> None:
    for change in ("attempt", "intruder", "stray"):
        tracer = fed(whole_callback())
        (task,) = tracer.running
        other = connection(Role.CALLBACK)
        if change == "attempt":
            task.attempts.append(other)
        elif change == "intruder":
            task.intruder = other
        else:
            tracer._unannounced.strays[other] = task
        assert tracer.in_step(CALLBACK, 0) is None


@pytest.mark.parametrize(("others", "taken"), [(3, True), (4, False)])
def test_a_callback_that_may_be_given_up_is_not_taken_at_a_glance(
    others: int, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dissector.session.tracer.MAX_CONNECTIONS", 5)
    assert (fed(whole_callback()).in_step(CALLBACK, others) is not None) is taken


def test_a_task_without_a_number_has_its_messages_in_their_order() -> None:
    """Unless somebody wants them: then they wait themselves."""
    for messages in (True, False):
        story = Story()
        story.network.line(Address("10.9.9.1", 1_000), Address("10.9.9.2", 8_000)).open(0)  # may be the first task's
        story.command.open(1_000)
        story.command.next = [1_000, 1_000 ^ 0x5555_0000]
        story.records[:] = story.records[:3]
        whole_callback(story)
        tracer = fed(story, messages=messages)
        (task,) = tracer.running
        assert task.record.n == 0
        assert (tracer.in_step(CALLBACK, 0) is not None) is messages


@pytest.mark.parametrize(("most", "final"), [(2, 0), (1, 1)])
def test_how_many_closed_connections_linger(most: int, final: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback's, and then the command's."""
    monkeypatch.setattr("dissector.session.tracer.MAX_CLOSED", most)
    tracer = Tracer()
    events: list[Event] = []
    for packet in packets_of(Story().healthy().records):
        events += tracer.feed(packet)
    connections = [event for event in events if isinstance(event, Connection)]
    assert [one.role for one in connections] == [Role.CALLBACK][:final]
    events += tracer.finish()
    assert sum(isinstance(event, Connection) for event in events) == 2


@pytest.mark.parametrize("bytes_", [b"", b"x"])
def test_a_probe_of_a_command_port_and_what_is_none(bytes_: bytes) -> None:
    """Who says something was none, even if nobody knows what he said."""
    story = Story()
    story.command.packet(0, 0, SYN)
    story.command.packet(1_000, 1, RST | ACK)
    probe = Story(story.network)
    probe.command.ends = (Address(CLIENT, 40_001), probe.command.ends[1])
    probe.command.open(nanoseconds(0.5))
    if bytes_:
        probe.command.send(nanoseconds(0.55), 1, bytes_)
    probe.command.finish(nanoseconds(0.6), 0)
    assert len(story.found().tasks) == len(bytes_)


def test_a_callback_s_delay_is_that_of_the_first_attempt_until_one_gets_through() -> None:
    tracer, made = Tracer(), facts(callback=False, start=3)
    first, second = (connection(Role.CALLBACK, start=start) for start in (10, 15))
    tracer.attempt(made, first)
    tracer.attempt(made, second)
    assert (made.record.callback_delay, made.attempts) == (7, [first, second])
    assert (first.role, first.n, first.task) == (Role.CALLBACK, 1, made.record)
    assert tracer.callback_opened(made, second) is made
    assert (made.record.callback_delay, made.record.callback, made.record.callback_peer) == (12, second, second.client)
    tracer, made = Tracer(), facts(callback=False, start=None)
    tracer.attempt(made, first)
    tracer.callback_opened(made, first)
    assert made.record.callback_delay is None
    assert first.n == 1  # it keeps its number


def test_a_task_process_calls_once() -> None:
    """What says something else on a task's port later is a task of its own."""
    tracer, made = Tracer(), facts()
    made.life.join = JoinState.CONFIRMED
    assert made.record.callback is not None
    assert tracer.callback_opened(made, made.record.callback) is made
    other = connection(Role.CALLBACK)
    tracer.attempt(made, other)
    lone = tracer.callback_opened(made, other)
    assert lone is not made
    assert (lone.attempts, lone.record.callback, other.task) == ([other], other, lone.record)
    assert made.attempts == [made.record.callback]


def test_the_bytes_tell_the_ends_of_a_callback_under_way() -> None:
    """Its ports look the other way round, and nobody announced them."""
    story = Story(callback_port=50_000, peer_port=59_000).call_back().say(0.02)
    (found,) = trace(packets_of(story.records)[3:]).connections
    assert (str(found.client), str(found.server)) == (f"{REMOTE}:59000", f"{CLIENT}:50000")


@pytest.mark.parametrize("announced", [True, False])
def test_an_announcement_tells_the_ends_of_a_callback_under_way(announced: bool) -> None:
    """Either end may release objects."""
    story = Story(callback_port=50_000, peer_port=59_000)
    if announced:
        story.start()
    story.talk(0.5, (1, b"O" + bytes(8) + b"R"), (0, b"A"))
    (found,) = [one for one in story.found().connections if one.role is Role.CALLBACK]
    assert str(found.client) == (f"{REMOTE}:59000" if announced else f"{CLIENT}:50000")


def test_a_connection_that_nobody_answers_is_over_when_nothing_more_comes() -> None:
    story = Story()
    story.command.packet(0, 0, SYN)
    (syn_,) = packets_of(story.records)
    tracer = Tracer(window=1)
    tracer.feed(syn_)
    over = syn_.time + HALF_OPEN_SECONDS * SECOND + 1
    events = [*tracer.tick(over - 2), *tracer.tick(over), *tracer.tick(over + 2 * SECOND)]
    assert [event.outcome.value for event in events if isinstance(event, Task)] == ["unknown"]


def test_packets_of_a_connection_that_is_nobody_s_need_not_be_fed() -> None:
    line = Line([], Address("10.3.0.1", 41_000), Address("10.3.0.2", 443))
    line.open(0)
    tracer = Tracer()
    key = key_of(IPv4Address("10.3.0.1").packed, 41_000, IPv4Address("10.3.0.2").packed, 443)
    for said in (b"", b"\x16\x03\x01" + bytes(300)):
        if said:
            line.send(100_000, 0, said)
        for packet in packets_of(line.records):
            tracer.feed(packet)
        assert (key in tracer.foreign) is bool(said)
