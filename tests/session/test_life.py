"""The life of a task: every edge of its tables is walked by a story, and none can go without a story that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

import pytest
from conversation import PROLOG
from hypothesis import given
from hypothesis import strategies as st
from kit import (
    ACK,
    BEGUN,
    CAPTURES,
    CLIENT,
    REMOTE,
    RST,
    SYN,
    Address,
    Found,
    Line,
    Network,
    Story,
    framed,
    nanoseconds,
    packets_of,
    start_command,
    started_answer,
    trace,
    xml_answer,
)
from parts import HERE, THERE, facts, message

from dissector.limits import MAX_EVIDENCE
from dissector.session import life, proof
from dissector.session.case import Case
from dissector.session.life import (
    ANSWERS,
    CALLS,
    COMMANDS,
    JOINS,
    WATCHES,
    AnswerState,
    CallState,
    CommandState,
    JoinState,
    Life,
    LifeEvent,
    Machine,
    WatchState,
)
from dissector.session.oddities import turns
from dissector.session.proof import Proof
from dissector.session.task import TaskFacts
from dissector.session.timeouts import CALLBACK_LINGER
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

MACHINES: dict[str, Machine[Any]] = {
    "commands": COMMANDS,
    "calls": CALLS,
    "joins": JOINS,
    "answers": ANSWERS,
    "watches": WATCHES,
}
SCRIPT = Story().script
START, STARTED, OK = start_command(SCRIPT), started_answer(SCRIPT), xml_answer("<ok/>")
ERROR = xml_answer('<ERROR code="SCHEDULER-121" text="not allowed"/>')
CLOSE = f"{PROLOG}<remote_scheduler.remote_task.close process_id='1'/>".encode()
KILL = f"{PROLOG}<remote_scheduler.remote_task.kill process_id='1'/>".encode()
LINGER = CALLBACK_LINGER / 1_000_000_000
#: A request of the client, and a message of the task process.
ASK, KEEP = framed(b"O" + bytes(8) + b"R"), framed(b"K")


class Edge(NamedTuple):
    machine: str
    state: Enum
    event: LifeEvent


EDGES = [
    Edge(name, state, event) for name, machine in MACHINES.items() for state in machine for event in machine[state]
]


class Steps:
    """In place of ``life.advance``: notes where it goes."""

    def __init__(self) -> None:
        self.taken: list[Edge] = []
        #: Events out of turn, but for answers: of those any may be missing.
        self.odd: list[Edge] = []
        self._names = {id(machine): name for name, machine in MACHINES.items()}

    def __call__(self, machine: Machine[Any], state: Any, event: LifeEvent) -> Any:
        found, edge = machine[state].get(event), Edge(self._names[id(machine)], state, event)
        if found is not None:
            self.taken.append(edge)
        elif machine is not ANSWERS:
            self.odd.append(edge)
        return found


# --- stories -------------------------------------------------------------------------------------------------------


def judged(source: Story | list[Packet] | str) -> tuple[Found, list[TaskFacts]]:
    """What is told of packets, and the facts of its tasks in the order in which they were judged."""
    tracer, known, found = Tracer(), list[TaskFacts](), Found()
    tracer.on_judged = known.append
    packets = packets_of(source.records) if isinstance(source, Story) else source
    for packet in CaptureReader([CAPTURES / source]) if isinstance(source, str) else packets:
        assert isinstance(packet, Packet)
        found.events += tracer.feed(packet)
    found.events += tracer.finish()
    return found, known


def lived(source: Story | list[Packet] | str) -> list[tuple[CommandState, JoinState, WatchState]]:
    """How far the lives of its tasks went, in the order of their numbers; none is told to be odd."""
    found, known = judged(source)
    assert "out_of_turn" not in found.codes
    known.sort(key=lambda facts: facts.record.n)
    return [(one.life.command, one.life.join, one.life.watch) for one in known]


def commanded(*said: tuple[int, bytes]) -> Story:
    """Documents of the client (0) and the remote (1) on the command connection."""
    story = Story()
    story.command.open(0)
    for number, (side, text) in enumerate(said, 1):
        story.command.send(nanoseconds(number / 1_000), side, text)
    story.command.finish(nanoseconds(1), 0)
    return story


def ends(*said: tuple[int, bytes]) -> CommandState:
    ((command, _, _),) = lived(commanded(*said))
    return command


def a_task_is_started_and_closed() -> None:
    assert ends((0, START), (1, STARTED)) is CommandState.STARTED
    assert ends((0, START), (1, STARTED), (0, KILL), (1, OK)) is CommandState.STARTED
    assert ends((0, START), (1, STARTED), (0, CLOSE)) is CommandState.CLOSING
    assert ends((0, START), (1, STARTED), (0, CLOSE), (1, OK)) is CommandState.CLOSED


def a_start_is_refused() -> None:
    assert ends((0, START), (0, KILL)) is CommandState.ASKED
    assert ends((0, START), (0, KILL), (1, ERROR)) is CommandState.REFUSED


def a_close_does_not_wait() -> None:
    assert ends((0, START), (0, CLOSE), (1, STARTED)) is CommandState.CLOSING
    assert ends((0, START), (0, CLOSE), (0, KILL), (0, CLOSE), (1, STARTED)) is CommandState.CLOSING
    assert ends((0, START), (0, CLOSE), (1, STARTED), (1, OK)) is CommandState.CLOSED
    assert ends((0, START), (0, CLOSE), (1, ERROR), (1, OK)) is CommandState.REFUSED


def a_start_was_lost() -> None:
    story = Story()
    story.command.open(0)
    story.command.next[0] += 100
    story.command.send(300_000, 1, STARTED)
    assert lived(story) == [(CommandState.STARTED, JoinState.WAITING, WatchState.OVER)]


def a_capture_begins_late() -> None:
    """With the callback; what the client wants is said on a connection that was there before."""
    for text, state in ((KILL, CommandState.UNREAD), (CLOSE, CommandState.CLOSING)):
        story = Story().call_back().say(0.02).leave(0.2)
        story.command.send(nanoseconds(0.3), 0, text)
        assert lived(story) == [(state, JoinState.CONFIRMED, WatchState.OVER)]


def a_close_comes_once_more() -> None:
    """It is told, and its answer is not."""
    found, (known,) = judged(commanded((0, START), (1, STARTED), (0, CLOSE), (1, OK), (0, CLOSE), (1, OK)))
    assert found.problem("out_of_turn").summary == "There was a close when the task was closed."
    assert found.problem("out_of_turn").packets == (12,)
    assert found.problem("out_of_turn").connection is known.record.command
    assert known.life.command is CommandState.CLOSED


def a_task_runs() -> None:
    assert lived(Story().healthy()) == [(CommandState.CLOSED, JoinState.CONFIRMED, WatchState.OVER)]


def call(story: Story, at: float, port: int = 50_000, to: int = 59_999, of: str = REMOTE) -> Line:
    line = story.network.line(Address(of, port), Address(CLIENT, to))
    line.open(nanoseconds(at))
    return line


def nobody_gets_through() -> None:
    story = Story().start()
    story.callback.packet(nanoseconds(0.1), 0, SYN)
    story.callback.packet(nanoseconds(0.1001), 1, RST | ACK)
    assert lived(story) == [(CommandState.STARTED, JoinState.WAITING, WatchState.OVER)]


def somebody_says_nothing() -> None:
    assert lived(Story().start().call_back().leave(1)) == [(CommandState.STARTED, JoinState.CALLED, WatchState.OVER)]


def stranger(story: Story, at: float) -> None:
    line = call(story, at, 44_444, of="10.66.6.6")
    line.send(nanoseconds(at + 0.1), 0, b"GET / HTTP/1.0\r\n\r\n")
    line.finish(nanoseconds(at + 0.2), 1)


def a_stranger_takes_the_port() -> None:
    stranger(story := Story().start(), 0.01)
    assert [join for _, join, _ in lived(story)] == [JoinState.TAKEN]
    story.call_back(1).say(1.1).leave(1.3).close(1.4)
    assert [join for _, join, _ in lived(story)] == [JoinState.CONFIRMED]


def two_get_through() -> None:
    """Both are listened to before either proves itself."""
    first = call(story := Story().start(), 0.01, 50_001)
    first.send(nanoseconds(0.02), 1, ASK)
    second = call(story, 0.03, 50_002)
    second.send(nanoseconds(0.04), 1, ASK)
    assert [join for _, join, _ in lived(story)] == [JoinState.CALLED]
    first.send(nanoseconds(0.05), 0, KEEP)
    second.send(nanoseconds(0.06), 0, KEEP)
    assert [join for _, join, _ in lived(story)] == [JoinState.CONFIRMED]


def two_starts_fit() -> None:
    """Of a start that was lost, and of several calls that may be its own."""
    story = Story()
    story.command.open(0)
    story.command.next[0] += 100
    story.command.send(300_000, 1, STARTED)
    for number in range(3):
        story.callback = call(story, 0.01 * (number + 1), 50_000 + number, 59_999 - number)
        story.say(0.05 + 0.1 * number, last=BEGUN)
    (_, join, _), *others = lived(story)
    assert join is JoinState.CONTESTED
    assert {join for _, join, _ in others} == {JoinState.CONFIRMED}


def contested(state: JoinState) -> None:
    """Of a start that others called for elsewhere the own callback comes after all."""
    one, went = Life(join=state), list[JoinState]()
    for event in (LifeEvent.RIVAL, LifeEvent.OPENED):
        one.joined(event, 1, 0)
        went.append(one.join)
    assert (went, one.odd) == ([JoinState.CONTESTED, JoinState.CALLED], [])


def a_contested_start_is_called() -> None:
    contested(JoinState.WAITING)


def a_start_whose_port_was_taken_is_contested() -> None:
    contested(JoinState.TAKEN)


def a_port_is_announced_again() -> None:
    """The end of the first task was not captured."""
    network = Network()
    Story(network).start().call_back().say(0.02, last=BEGUN)
    Story(network, command_port=40_001, peer_port=50_001, process_id=2).healthy(1)
    first, second = lived(packets_of(network.records))
    assert (first[2], second[2]) == (WatchState.OVER, WatchState.OVER)
    story = Story(network).later(LINGER + 2)
    first, second = lived(story)
    assert (first[2], second[2]) == (WatchState.END_MISSED, WatchState.OVER)


def there_are_too_many(announced: int) -> None:
    """One task may be under way: of those before, the last ``announced`` with its port."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dissector.session.opened.MAX_OPEN_TASKS", 2)
        network = Network()
        for number in range(3):
            port = 59_999 if number < announced else 59_000 + number
            Story(network, command_port=40_000 + number, process_id=number, callback_port=port).start(number)
        assert next(watch for _, _, watch in lived(packets_of(network.records))) is WatchState.LET_GO


def the_idlest_is_let_go() -> None:
    there_are_too_many(0)


def a_superseded_task_is_let_go() -> None:
    there_are_too_many(2)


def a_leg_of_an_agent_s_task() -> None:
    """Its own callback connection on the agent's host is no task."""
    with pytest.MonkeyPatch.context() as patch:
        known = list[Life]()
        watched = Life.watched

        def watch(one: Life, event: LifeEvent, packet: int, time: int) -> None:
            watched(one, event, packet, time)
            known.append(one)

        patch.setattr(Life, "watched", watch)
        trace("agent/ua110_shell_all")
        assert WatchState.COPY in {one.watch for one in known}


# --- answers -------------------------------------------------------------------------------------------------------


def asked(one: Proof, operation: str = "call") -> None:
    one.asked(message(1, operation=operation), operation)


def reply(one: Proof, *, is_step: bool = False) -> None:
    one.answered(one.asking, is_step=is_step)


def begun(state: AnswerState) -> Proof:
    one = Proof()
    if state in (AnswerState.UNSETTLED, AnswerState.ASKING_UNSETTLED):
        one.lost(HERE)
        assert one.state is AnswerState.UNSETTLED
    if state in (AnswerState.ASKING, AnswerState.ASKING_UNSETTLED):
        asked(one)
    assert one.state is state
    return one


def behind(state: AnswerState, *said: Callable[[Proof], object]) -> list[AnswerState]:
    """Where what is said leads, one after the other."""
    one, went = begun(state), list[AnswerState]()
    for each in said:
        each(one)
        went.append(one.state)
    return went


def joined(one: Proof) -> None:
    one.begins(mid_stream=True)


def seen(one: Proof) -> None:
    one.begins(mid_stream=False)


def stray(one: Proof) -> None:
    one.unread(None, to_remote=False)


def created(one: Proof) -> None:
    asked(one, "create_instance")


def between_calls() -> None:
    settled, unsettled = AnswerState.SETTLED, AnswerState.UNSETTLED
    assert behind(settled, joined, seen, stray) == [unsettled, settled, unsettled]
    for state in (AnswerState.SETTLED, AnswerState.UNSETTLED):
        asked(one := begun(state), "create_instance")
        assert one.state is AnswerState.ASKING
    asked(one := begun(AnswerState.SETTLED))
    assert one.state is AnswerState.ASKING
    asked(one := begun(AnswerState.UNSETTLED))
    assert one.state is AnswerState.ASKING_UNSETTLED


def while_a_call_is_under_way() -> None:
    asking, unsettled = AnswerState.ASKING, AnswerState.ASKING_UNSETTLED
    assert behind(asking, joined, seen, asked, created, stray) == [unsettled, asking, unsettled, asking, unsettled]


def a_call_is_answered() -> None:
    for state, after in (
        (AnswerState.ASKING, AnswerState.SETTLED),
        (AnswerState.ASKING_UNSETTLED, AnswerState.UNSETTLED),
    ):
        reply(one := begun(state))
        assert one.state is after
        reply(one := begun(state), is_step=True)
        assert one.state is AnswerState.SETTLED
        one = begun(state)
        one.lost(HERE)
        one.lost(THERE)
        reply(one, is_step=True)
        assert one.state is AnswerState.UNSETTLED
        one = begun(state)
        one.unread(one.asking, to_remote=True)
        assert one.state is AnswerState.UNSETTLED


STORIES: tuple[Callable[[], None], ...] = (
    a_leg_of_an_agent_s_task,
    a_task_is_started_and_closed,
    a_start_is_refused,
    a_close_does_not_wait,
    a_start_was_lost,
    a_capture_begins_late,
    a_close_comes_once_more,
    a_task_runs,
    nobody_gets_through,
    somebody_says_nothing,
    a_stranger_takes_the_port,
    two_get_through,
    two_starts_fit,
    a_contested_start_is_called,
    a_start_whose_port_was_taken_is_contested,
    a_port_is_announced_again,
    the_idlest_is_let_go,
    a_superseded_task_is_let_go,
    between_calls,
    while_a_call_is_under_way,
    a_call_is_answered,
)
#: What is told to be out of turn, and by which story.
TOLD = {a_close_comes_once_more: [Edge("commands", CommandState.CLOSED, LifeEvent.CLOSE)]}


def steps_of(story: Callable[[], None]) -> Steps:
    steps = Steps()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(life, "advance", steps)
        patch.setattr(proof, "advance", steps)
        story()
    return steps


@cache
def walks() -> dict[Edge, Callable[[], None]]:
    """The last story that walks each edge: those that look closer stand behind whole tasks."""
    return {edge: story for story in STORIES for edge in steps_of(story).taken}


# --- tests ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_story_keeps_the_order(story: Callable[[], None]) -> None:
    assert steps_of(story).odd == TOLD.get(story, [])


def test_every_edge_is_walked() -> None:
    assert [edge for edge in EDGES if edge not in walks()] == []


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge.machine}-{edge.state.name}-{edge.event.name}")
def test_no_edge_can_go(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    story = walks()[edge]
    monkeypatch.delitem(MACHINES[edge.machine][edge.state], edge.event)
    with pytest.raises(AssertionError):
        story()


@pytest.mark.parametrize(
    "name", ["engine_shell_ok", "engine_shell_fail", "engine_api_java_ok", "engine_kill_task", "engine_ten_tasks"]
)
def test_recordings_keep_the_order(name: str) -> None:
    assert {command for command, _, _ in lived(f"{name}.pcap")} == {CommandState.CLOSED}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_state_can_be_reached(machine: Machine[Any]) -> None:
    first: Enum = next(iter(machine))
    behind = {state for edges in machine.values() for state in edges.values()}
    assert {first, *behind} == set(machine) == set(type(first))


def events() -> Iterator[LifeEvent]:
    for machine in MACHINES.values():
        for edges in machine.values():
            yield from edges


def test_every_event_is_one_of_a_table() -> None:
    assert set(events()) == set(LifeEvent)


@given(st.lists(st.sampled_from(list(LifeEvent)), max_size=40))
def test_whatever_happens_is_an_oddity_at_most(happened: list[LifeEvent]) -> None:
    one, call = Life(), CallState.CALLING
    for number, event in enumerate(happened):
        edges: tuple[object, ...] = (COMMANDS[one.command].get(event), WATCHES[one.watch].get(event))
        before = len(one.odd)
        one.commanded(event, number, 0)
        one.watched(event, number, 0)
        assert len(one.odd) == min(before + edges.count(None), MAX_EVIDENCE)
        expected = CALLS[call].get(event, call)
        call = one.called(call, event, number, 0)
        assert call is expected


def test_several_oddities_are_told_as_one() -> None:
    made = facts()
    made.life.command = CommandState.REFUSED
    made.life.commanded(LifeEvent.KILL, 7, 5)
    made.life.commanded(LifeEvent.CLOSE, 9, 6)
    (problem,) = turns(Case(made, 0))
    assert problem.summary == "There was a kill when the task was refused, and 1 more event out of turn."
    assert (problem.packets, problem.time) == ((7, 9), 5)
    assert list(turns(Case(facts(), 0))) == []
