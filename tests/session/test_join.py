"""Which callback belongs to which start: ports are close together, used again, refused, stolen and translated."""

from __future__ import annotations

from typing import Any

import pytest
from kit import (
    ACK,
    CLIENT,
    REMOTE,
    RST,
    STEP_ASKED,
    SYN,
    Address,
    Found,
    Network,
    Story,
    packets_of,
    start_command,
    started_answer,
    trace,
)
from parts import THERE, connection, message

from dissector.model import Connection, Endpoint, Mark, Role, Severity, Task
from dissector.session.join import Joiner
from dissector.session.life import JoinState, WatchState
from dissector.session.task import TaskFacts


def pairs(found: Found) -> dict[int | None, tuple[str, str]]:
    """Task id -> who opened its command connection and its callback."""
    return {
        task.task_id: (str(task.command and task.command.client), str(task.callback and task.callback.client))
        for task in found.tasks
    }


# --- ports ---------------------------------------------------------------------------------------------------------


def test_ten_tasks_on_adjacent_ports_start_in_one_millisecond() -> None:
    network = Network()
    for index in range(10):
        story = Story(
            network,
            task_id=index,
            command_port=40_000 + index,
            callback_port=59_999 - index,
            peer_port=50_000 + index * 7,
            process_id=index + 1,
        )
        at = index / 10_000
        story.start(at).call_back(0.02 - at).say(0.03 + at).leave(0.06 + at).close(0.07 + at)
    found = trace(network)
    assert pairs(found) == {n: (f"{CLIENT}:{40_000 + n}", f"{REMOTE}:{50_000 + n * 7}") for n in range(10)}
    assert [task.n for task in found.tasks] == [*range(1, 11)]
    assert found.codes == []


def test_a_port_is_used_again_while_the_first_command_connection_is_still_closing() -> None:
    network = Network()
    first = Story(network, task_id=1).start(0).call_back(0.01).say(0.02).leave(0.04)
    second = Story(network, task_id=2, command_port=40_001, process_id=2)
    second.callback.next = [7_000_000, 8_000_000]
    second.start(0.05).call_back(0.06).say(0.07).leave(0.09).close(0.1)
    first.close(0.2)
    found = trace(network)
    assert {task.task_id: task.command and task.command.client.port for task in found.tasks} == {1: 40_000, 2: 40_001}
    assert [task.outcome.value for task in found.tasks] == ["success", "success"]


def test_the_same_port_at_two_clients_is_two_ports() -> None:
    network = Network()
    for index, client in enumerate(("10.1.0.10", "10.1.0.11")):
        Story(network, client=client, task_id=index, peer_port=50_001 - index).healthy(index / 1_000)
    assert {task.task_id: task.callback_peer and task.callback_peer.port for task in trace(network).tasks} == {
        0: 50_001,
        1: 50_000,
    }


# --- what takes the place, and what does not -----------------------------------------------------------------------


def test_a_refused_syn_takes_nothing() -> None:
    story = Story().start()
    refused = story.network.line(Address(REMOTE, 49_000), Address(CLIENT, 59_999))
    refused.packet(5_000_000, 0, 2)
    refused.packet(5_100_000, 1, RST | ACK)
    story.call_back(0.02).say(0.03).leave(0.06).close(0.07)
    found = story.found()
    assert found.outcome.value == "success"
    assert found.task.callback_peer == Endpoint(REMOTE, 50_000)
    assert found.task.callback_delay == pytest.approx(19_900_000, abs=1_000)
    assert found.alarms == []


def test_an_unanswered_syn_takes_nothing() -> None:
    story = Story().start()
    story.network.line(Address(REMOTE, 49_000), Address(CLIENT, 59_999)).packet(5_000_000, 0, 2)
    story.call_back(1.0).say(1.1).leave(1.2).close(1.3)
    assert story.found().task.callback_peer == Endpoint(REMOTE, 50_000)


def test_a_client_is_killed_and_its_successor_gets_the_callback() -> None:
    """Both announced 59999; the first one's command connection is gone."""
    network = Network()
    old = Story(network, task_id=1).start(0)
    old.command.reset(20_000_000, 0)
    new = Story(network, task_id=2, command_port=40_001, process_id=2).start(0.05)
    new.call_back(0.06).say(0.07).leave(0.1).close(0.11)
    found = trace(network)
    assert [(task.command and task.command.client.port, task.callback is not None) for task in found.tasks] == [
        (40_000, False),
        (40_001, True),
    ]
    assert [task.outcome.value for task in found.tasks] == ["no_callback", "success"]


def test_a_connection_before_the_start_is_nobody_s_callback() -> None:
    network = Network()
    early = network.line(Address(REMOTE, 49_000), Address(CLIENT, 59_999))
    early.open(0)
    found = Story(network).healthy(0.01).found()
    assert found.task.callback_peer == Endpoint(REMOTE, 50_000)


def test_a_scanner_that_comes_first_takes_the_only_place() -> None:
    story = Story().start()
    scanner = story.network.line(Address("10.66.6.6", 44_444), Address(CLIENT, 59_999))
    scanner.open(5_000_000)
    scanner.send(6_000_000, 0, b"GET / HTTP/1.0\r\n\r\n")
    scanner.reset(7_000_000, 1)
    story.callback.packet(10_000_000, 0, 2)
    story.callback.packet(10_100_000, 1, RST | ACK)
    story.close(1.0)
    found = story.found()
    assert (found.outcome.value, found.task.callback_peer) == ("no_callback", None)
    problem = found.problem("callback_foreign_bytes")
    assert "10.66.6.6:44444" in problem.summary
    assert problem.severity is Severity.ERROR
    assert found.alarms == ["callback_foreign_bytes"]
    (intruder,) = [seen for seen in found.connections if seen.client.ip == "10.66.6.6"]
    assert intruder.role is Role.UNKNOWN


def test_the_callback_may_come_from_another_address() -> None:
    found = Story(peer="10.9.9.9").healthy().found()
    assert (found.outcome.value, found.alarms) == ("success", [])
    assert found.task.callback_peer == Endpoint("10.9.9.9", 50_000)
    assert "10.9.9.9" in found.problem("callback_other_address").summary


@pytest.mark.parametrize("target", [Address(CLIENT, 59_990), Address("10.1.99.99", 59_999)], ids=["port", "address"])
def test_a_callback_to_a_place_that_nobody_announced(target: Address) -> None:
    story = Story().start()
    line = story.network.line(Address(REMOTE, 50_000), target)
    line.packet(10_000_000, 0, 2)
    line.packet(10_100_000, 1, RST | ACK)
    found = story.close(60.0).found()
    assert found.outcome.value == "no_callback"
    problem = found.problem("callback_elsewhere")
    assert f"{target.ip}:{target.port}" in problem.summary
    assert "Port 59999 of 10.1.0.10" in problem.summary
    assert found.alarms == ["callback_elsewhere"]


def test_a_translated_callback_that_gets_through_is_the_task_s() -> None:
    story = Story().start()
    story.callback = story.network.line(Address(REMOTE, 50_000), Address(CLIENT, 59_990))
    found = story.call_back().say(0.02).leave(0.04).close(0.05).found()
    assert found.outcome.value == "success"
    assert found.task.command is not None
    assert found.task.callback_peer == Endpoint(REMOTE, 50_000)


def test_other_traffic_of_the_remote_is_no_callback() -> None:
    """The remote calls the client's web server, on a port that no start announces."""
    story = Story().start()
    story.network.say(Address(REMOTE, 49_000), Address(CLIENT, 80), (0, b"GET / HTTP/1.1\r\n\r\n"), start=0.005)
    found = story.call_back().say(0.02).leave(0.04).close(0.05).found()
    assert (found.outcome.value, found.codes) == ("success", [])


def test_a_late_callback() -> None:
    story = Story().start().close(60.1)
    story.callback.packet(61_000_000_000, 0, 2)
    story.callback.packet(61_000_100_000, 1, RST | ACK)
    found = story.found()
    assert (found.outcome.value, found.alarms) == ("no_callback", ["callback_late"])


# --- one of the two connections ------------------------------------------------------------------------------------


def test_only_the_callback_was_captured() -> None:
    found = Story().call_back().say(0.02).leave(0.04).found()
    task = found.task
    assert (task.client, task.remote, task.command) == (Endpoint(CLIENT, None), None, None)
    assert (task.callback_port, task.callback_peer) == (59_999, Endpoint(REMOTE, 50_000))
    assert (task.outcome.value, task.job, task.kind, task.callback_delay) == ("success", "job", "process", None)
    assert (found.codes, found.alarms) == (["command_not_captured"], [])


def test_only_the_command_was_captured() -> None:
    found = Story().start().close(5.0).found()
    assert (found.outcome.value, found.task.callback, found.task.callback_port) == ("unknown", None, 59_999)
    assert (found.codes, found.alarms) == (["callback_not_captured"], [])


def test_a_callback_captured_before_its_start_command() -> None:
    """Two queues of a network card: the SYN overtakes."""
    story = Story()
    story.command.open(0)
    story.call_back(0.0004)
    story.command.send(600_000, 0, start_command(story.script))
    story.command.send(700_000, 1, started_answer(story.script))
    found = story.say(0.02).leave(0.04).close(0.05).found()
    assert (found.outcome.value, found.task.process_id) == ("success", 1)


def test_the_start_was_before_the_capture() -> None:
    """The command connection is seen from its close on: the task is one, known by its callback."""
    story = Story().healthy()
    late = [packet for packet in packets_of(story.records) if packet.number > 8]
    found = trace(late)
    assert [task.outcome.value for task in found.tasks][:1] == ["success"]


def test_ten_genuine_tasks() -> None:
    found = trace("engine_ten_tasks")
    assert len(found.tasks) == 10
    for task in found.tasks:
        assert task.command is not None
        assert task.callback is not None
        assert task.callback.server.port == task.callback_port
        assert task.command.start <= task.callback.start
        assert task.command.task is task.callback.task is task
    assert len({task.callback_port for task in found.tasks}) == 10
    assert found.alarms == []


# --- the table -----------------------------------------------------------------------------------------------------


def facts(start: int, port: int = 59_999) -> TaskFacts:
    record = Task(start, 1, client=Endpoint(CLIENT, 40_000), remote=Endpoint(REMOTE, 4_455), callback_port=port)
    return TaskFacts(record)


def syn(start: int, port: int = 59_999) -> Connection:
    return Connection(Endpoint(REMOTE, 50_000), Endpoint(CLIENT, port), start, 9)


def test_the_newest_start_wins_until_a_task_process_has_proved_itself() -> None:
    joiner, old, new = Joiner((50_000, 59_999)), facts(1), facts(5)
    joiner.announce(old)
    joiner.announce(new)
    assert joiner.announced(syn(3)) is old  # the new one was not there yet
    assert joiner.announced(syn(7)) is new
    new.life.join = JoinState.CONFIRMED
    assert joiner.announced(syn(7)) is old
    old.life.join = JoinState.CONFIRMED
    assert joiner.announced(syn(7)) is None


def test_what_is_over_is_forgotten() -> None:
    joiner, task = Joiner((50_000, 59_999)), facts(1)
    joiner.announce(task)
    joiner.forget(task)
    joiner.forget(task)
    assert joiner.announced(syn(7)) is None
    assert not joiner._waiting
    assert not joiner._expected


def test_a_stray_fits_one_start_or_none() -> None:
    joiner = Joiner((50_000, 59_999))
    one, other = facts(1, 59_999), facts(1, 59_998)
    for task in (one, other):
        task.start = object()  # type: ignore[assignment]
    joiner.announce(one)
    one.start = None
    assert joiner.elsewhere(syn(7, 59_000)) is None  # it did not start yet
    assert joiner.elsewhere(syn(7, 80)) is None


def test_a_callback_in_mid_stream_finds_its_start() -> None:
    story = Story().start().call_back().say(0.02, last=STEP_ASKED)
    found = trace(packets_of(story.records)[:7] + packets_of(story.records)[10:])
    assert found.task.command is not None
    assert found.task.callback is not None


def test_somebody_connects_before_the_start_command() -> None:
    """The client listens before it sends the start command, and speaks to whoever connected after it."""
    story = Story()
    stranger = story.network.line(Address("10.9.9.9", 40_404), Address(CLIENT, 59_999))
    stranger.open(0)
    story.start(0.01)
    own, story.callback = story.callback, stranger
    story.say(0.02, last=1)
    story.callback = own
    story.callback.packet(4_000_000_000, 0, SYN)
    story.callback.packet(4_000_100_000, 1, RST | ACK)
    found = story.found()
    assert (found.outcome.value, found.alarms) == ("no_callback", ["callback_foreign_bytes"])


# --- command connections without a start -----------------------------------------------------------------------------


def caller(**fields: object) -> Task:
    """A task without a command connection, whose callback's last packet was number 20."""
    made = Task(0, 1, client=Endpoint(CLIENT, None), callback_peer=Endpoint(REMOTE, 50_000))
    made.callback = connection(Role.CALLBACK, last_packet=20)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"gaps": 1}, True),
        ({}, False),
        ({"gaps": 1, "first_packet": 19}, True),
        ({"gaps": 1, "first_packet": 20}, False),
        ({"mid_stream": True, "first_packet": 30}, True),
        ({"gaps": 1, "client": Endpoint("10.1.0.11", 40_000)}, False),
        ({"gaps": 1, "server": Endpoint("10.2.0.11", 4_455)}, False),
    ],
)
def test_a_command_connection_that_may_be_the_one_of_a_lone_callback(fields: dict[str, Any], found: bool) -> None:
    joiner, one = Joiner((50_000, 59_999)), connection(**fields)
    joiner.command(one)
    assert joiner.unread(caller()) is (one if found else None)


@pytest.mark.parametrize("name", ["client", "callback", "callback_peer"])
def test_of_a_task_that_was_not_called_back_no_command_connection_is_looked_for(name: str) -> None:
    joiner = Joiner((50_000, 59_999))
    joiner.command(connection(gaps=1))
    assert joiner.unread(caller(**{name: None})) is None


def test_a_command_connection_whose_start_was_read_is_its_own_task_s() -> None:
    joiner, one, other = Joiner((50_000, 59_999)), connection(gaps=1), connection(gaps=1)
    joiner.command(one)
    joiner.command(other)
    task = facts(1)
    task.record.command = one
    joiner.announce(task)
    assert joiner.unread(caller()) is other
    task.record.command, task.record.callback_port = other, None  # also when its port is none
    joiner.announce(task)
    assert joiner.unread(caller()) is None
    joiner.announce(task)


@pytest.mark.parametrize(("others", "known"), [(63, True), (64, False)])
def test_how_many_command_connections_between_two_hosts_are_remembered(others: int, known: bool) -> None:
    joiner, first = Joiner((50_000, 59_999)), connection(gaps=1)
    joiner.command(first)
    for _ in range(others):
        joiner.command(connection())
    assert joiner.unread(caller()) is (first if known else None)


@pytest.mark.parametrize(("others", "known"), [(2, True), (3, False)])
def test_how_many_servers_are_remembered(others: int, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.join.MAX_CONNECTIONS", 3)
    joiner = Joiner((50_000, 59_999), [4_444])
    joiner.command(connection())
    for number in range(others):
        joiner.command(connection(server=Endpoint(REMOTE, 5_000 + number)))
    assert joiner.is_server(Endpoint(REMOTE, 4_455)) is known
    assert joiner.is_server(Endpoint(REMOTE, 5_000 + others - 1))
    assert joiner.is_server(Endpoint("10.9.9.9", 4_444))
    assert not joiner.is_server(Endpoint("10.9.9.9", 4_455))


# --- starts with one port --------------------------------------------------------------------------------------------


def test_a_start_supersedes_the_newest_one_with_its_port_once() -> None:
    joiner, tasks = Joiner((50_000, 59_999)), [facts(1), facts(2), facts(3)]
    assert joiner.announce(tasks[0]) is None
    assert joiner.announce(tasks[1]) is tasks[0]
    joiner.forget(tasks[1])
    assert joiner.announce(tasks[2]) is None  # that one is superseded already
    assert [task.life.watch is WatchState.SUPERSEDED for task in tasks] == [True, False, False]
    assert joiner.announce(facts(4, 59_998)) is None


@pytest.mark.parametrize("name", ["client", "remote", "callback_port"])
def test_a_start_of_which_something_is_unknown_waits_for_nobody(name: str) -> None:
    joiner, task = Joiner((50_000, 59_999)), facts(1)
    setattr(task.record, name, None)
    task.start = object()  # type: ignore[assignment]
    assert joiner.announce(task) is None
    joiner.expect(task)
    joiner.forget(task)
    assert not joiner._waiting
    assert not joiner._expected
    assert not joiner.is_announced(Endpoint(CLIENT, None))
    assert joiner.announced(Connection(Endpoint(REMOTE, 50_000), Endpoint(CLIENT, None), 7, 9)) is None


def test_what_is_announced() -> None:
    joiner = Joiner((50_000, 59_999))
    joiner.announce(facts(1))
    assert joiner.is_announced(Endpoint(CLIENT, 59_999))
    assert not joiner.is_announced(Endpoint(CLIENT, 59_998))
    assert not joiner.is_announced(Endpoint(REMOTE, 59_999))


def test_a_start_that_is_over_is_not_expected_again() -> None:
    joiner, task = Joiner((50_000, 59_999)), facts(1)
    joiner.expect(task)
    assert not joiner._expected
    joiner.announce(task)
    joiner.forget(task)
    joiner.expect(task)
    assert not joiner._expected


def test_of_starts_with_one_port_the_one_with_an_open_command_connection_is_called() -> None:
    for closed, expected in ((None, 1), ("fin", 0)):
        joiner, tasks = Joiner((50_000, 59_999)), [facts(1), facts(2)]
        tasks[0].record.command = connection()
        tasks[1].record.command = connection(closed=closed)
        for task in tasks:
            joiner.announce(task)
        assert joiner.announced(syn(7)) is tasks[expected]
        tasks[1].record.command = None
        assert joiner.announced(syn(7)) is tasks[0]


@pytest.mark.parametrize(("start", "fits"), [(5, True), (6, False)])
def test_a_start_is_called_when_it_is_there(start: int, fits: bool) -> None:
    """By the first byte of either side, if there is one."""
    joiner = Joiner((50_000, 59_999))
    joiner.announce(facts(start))
    call = syn(5)
    assert (joiner.announced(call) is not None) is fits
    call = syn(1)
    call.sides[THERE].first_data = Mark(10, 5)
    assert (joiner.announced(call) is not None) is fits
    call.sides[0].first_data = Mark(11, 9)
    assert (joiner.announced(call) is not None) is fits
    call.mid_stream = True
    assert (joiner.announced(call) is not None) is fits


# --- called elsewhere ------------------------------------------------------------------------------------------------


def expecting(number: int) -> tuple[Joiner, list[TaskFacts]]:
    """Starts of one remote with ports from 59,999 down, each of another client."""
    joiner, tasks = Joiner((50_000, 59_999)), [facts(1, 59_999 - index) for index in range(number)]
    for task in tasks:
        task.start = message(1)
        joiner.announce(task)
    return joiner, tasks


@pytest.mark.parametrize("mid_stream", [False, True])
def test_who_was_there_before_the_capture_was_not_called_elsewhere(mid_stream: bool) -> None:
    joiner, (task,) = expecting(1)
    call = syn(7, 59_000)
    call.mid_stream = mid_stream
    assert joiner.elsewhere(call) is (None if mid_stream else task)
    call = Connection(Endpoint(REMOTE, 50_000), Endpoint(CLIENT, None), 7, 9)
    assert joiner.elsewhere(call) is None


def test_a_start_that_both_places_lead_to_is_one() -> None:
    """Its own port, of another address of the client."""
    joiner, (task,) = expecting(1)
    call = syn(7)
    assert joiner.elsewhere(call) is task
    assert joiner.elsewhere(Connection(Endpoint("10.2.0.11", 50_000), call.server, 7, 9)) is None


def test_starts_that_were_called_are_looked_at_once() -> None:
    joiner, tasks = expecting(3)
    for task in tasks[:2]:
        task.life.join = JoinState.CONFIRMED
    assert joiner.elsewhere(syn(7, 59_000)) is tasks[2]
    assert len(joiner._expected[REMOTE, CLIENT]) == 1
    tasks[2].attempts = [syn(7)]
    assert joiner.elsewhere(syn(7, 59_000)) is None
    assert (REMOTE, CLIENT) not in joiner._expected
    tasks[2].attempts = []
    joiner.expect(tasks[2])
    assert joiner.elsewhere(syn(7, 59_000)) is tasks[2]


@pytest.mark.parametrize(("others", "found"), [(63, True), (64, False)])
def test_how_many_starts_are_looked_at(others: int, found: bool) -> None:
    joiner, tasks = expecting(others + 1)
    for task in tasks[:-1]:
        task.start = None
    assert joiner.elsewhere(syn(7, 59_000 - 5)) is (tasks[-1] if found else None)
