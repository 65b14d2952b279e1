"""Start commands that were cut off, made by hand: which of them wait, for which callbacks, and how it ends."""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import count

import pytest
from parts import CLIENT, HERE, REMOTE, SECOND, THERE, connection, facts, message

from dissector.model import Connection, Exchange, Mark, Message, Role, Task
from dissector.session.commands import Command
from dissector.session.cut import CutStarts
from dissector.session.handlers import Callback, Sniffer
from dissector.session.task import TaskFacts
from dissector.stream.flows import Flow, FlowTable
from dissector.traffic import SYN, Chunk, Gap, Segment, Side, StreamProblem

START = b"<remote_scheduler.start_remote_task"
PATIENCE = 2 * SECOND
_numbers = count(1)


def flow(src: str, sport: int, dst: str, dport: int, time: int) -> Flow:
    ends = IPv4Address(src).packed, sport, IPv4Address(dst).packed, dport
    segment = Segment(next(_numbers), time, *ends, 1, 0, SYN, 1, b"", 0, 64, 1)
    made, _ = FlowTable().add(segment, from_client=True, mid_stream=False)
    made.handler = Sniffer(made.connection, is_command_port=True)
    return made


def callback(time: int = SECOND, port: int = 59_999, *, bytes_: int = 0, sport: int = 50_000) -> Flow:
    made = flow(REMOTE, sport, CLIENT, port, time)
    made.connection.bytes = bytes_
    return made


class Tracer:
    """What the tracer is told."""

    def __init__(self) -> None:
        self.started: list[TaskFacts] = []
        self.joined: list[tuple[TaskFacts, Connection]] = []
        self.lingering: list[Flow] = []
        self.decided: list[Connection] = []
        self.problems: list[StreamProblem] = []
        self.owners: list[Connection] = []
        self.next_number = self.next_exchange = count(1).__next__
        self.exchanges: list[Exchange] = []
        self.cuts = CutStarts((50_000, 59_999), self)

    def exchange(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def is_copy(self, *_: object, last: bool) -> bool:  # noqa: ARG002  a Desk has it
        return False

    def take(self, connection: Connection, role: Role, task: Task | None) -> None:
        connection.role, connection.task = role, task

    def attempt(self, facts: TaskFacts, connection: Connection) -> Callback:
        self.joined.append((facts, connection))
        return Callback(connection, self, facts)

    def linger(self, flow: Flow) -> None:
        self.lingering.append(flow)

    def tells(self, connection: Connection) -> bool:
        return bool(connection)

    def omitted(self, connection: Connection, messages: int) -> None:
        raise NotImplementedError

    def message(self, message: Message) -> None:
        raise NotImplementedError

    def stream_problem(self, problem: StreamProblem, connection: Connection) -> None:
        self.problems.append(problem)
        self.owners.append(connection)

    def recognised(self, connection: Connection) -> None:
        self.decided.append(connection)

    def command_found(self, connection: Connection, packet: int, *, kill: bool) -> TaskFacts | None:
        raise NotImplementedError

    def command_started(self, facts: TaskFacts) -> None:
        self.started.append(facts)

    def is_open(self, record: Task) -> bool:
        return record in [one.record for one in self.started]

    def callback_opened(self, facts: TaskFacts, connection: Connection) -> TaskFacts:
        facts.record.callback = connection
        return facts

    def callback_foreign(self, facts: TaskFacts, connection: Connection, packet: int) -> None:
        raise NotImplementedError

    def cut(self, head: bytes = START, time: int = SECOND, sport: int = 40_000, **fields: object) -> Flow:
        """A command connection whose start command is cut off at this time."""
        made = flow(CLIENT, sport, REMOTE, 4_455, 0)
        for name, value in fields.items():
            setattr(made.connection, name, value)
        assert isinstance(made.handler, Sniffer)
        if head:
            made.handler.chunk(Chunk(HERE, 0, head, 3, time))
        gap = Gap(HERE, len(head), 50, 3, time, snapped=True)
        self.cuts.note(made, gap)
        made.handler.gap(gap)
        return made


# --- which commands wait ---------------------------------------------------------------------------------------------


def noted(head: bytes, *, offset: int | None = None, is_command_port: bool = True, **fields: object) -> bool:
    tracer, made = Tracer(), flow(CLIENT, 40_000, REMOTE, 4_455, 0)
    for name, value in fields.items():
        setattr(made.connection, name, value)
    sniffer = made.handler = Sniffer(made.connection, is_command_port=is_command_port)
    if head:
        sniffer.chunk(Chunk(HERE, 0, head, 3, SECOND))
    at = len(head) if offset is None else offset
    tracer.cuts.note(made, Gap(HERE, at, 50, 3, SECOND, snapped=True))
    assert made.connection.task is fields.get("task")
    return made.connection in tracer.cuts


def test_which_commands_may_be_a_start() -> None:
    assert noted(START)
    assert noted(START, is_command_port=False)
    assert noted(b"")
    assert not noted(b"", is_command_port=False)
    assert not noted(b"<show_state")
    assert not noted(START, offset=len(START) + 1)
    assert not noted(START, offset=len(START) - 1)
    assert not noted(START, mid_stream=True)
    assert not noted(START, task=Task(0, 1))


def test_a_command_connection_that_is_known_is_cut_anywhere() -> None:
    tracer, made = Tracer(), flow(CLIENT, 40_000, REMOTE, 4_455, 0)
    made.handler = Command(made.connection, tracer, START)
    tracer.cuts.note(made, Gap(HERE, 500, 50, 3, SECOND, snapped=True))
    assert made.connection in tracer.cuts
    other = flow(CLIENT, 40_001, REMOTE, 4_455, 0)
    other.handler = None
    tracer.cuts.note(other, Gap(HERE, 0, 50, 3, SECOND, snapped=True))
    assert other.connection not in tracer.cuts


def test_the_first_cut_behind_the_start_is_remembered() -> None:
    tracer = Tracer()
    made = tracer.cut()
    for time in (7, 9):
        tracer.cuts.note(made, Gap(HERE, 500, 50, 4, time * SECOND, snapped=True))
    tracer.cuts.opened(callback(2 * SECOND), [])
    (fitting,) = tracer.cuts.fitting(callback(2 * SECOND).connection)
    assert fitting.cut_command == 7 * SECOND


@pytest.mark.parametrize(("others", "known"), [(63, True), (64, False)])
def test_how_many_commands_between_two_hosts_wait(others: int, known: bool) -> None:
    tracer = Tracer()
    first = tracer.cut()
    for index in range(others):
        tracer.cut(sport=41_000 + index)
    assert (first.connection in tracer.cuts) is known


@pytest.mark.parametrize(("others", "known"), [(2, True), (3, False)])
def test_how_many_commands_wait(others: int, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.cut.MAX_CONNECTIONS", 3)
    tracer = Tracer()
    first = tracer.cut()
    for index in range(others):
        tracer.cut(sport=41_000 + index)
    assert (first.connection in tracer.cuts) is known


def test_what_is_dropped_leaves_nothing_behind() -> None:
    tracer = Tracer()
    made, other = tracer.cut(), tracer.cut(sport=41_000)
    for one in (made, made, other):
        tracer.cuts.drop(one.connection)
    assert not tracer.cuts._between
    assert not tracer.cuts._cuts


# --- tasks that were found in another way ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "called", "dropped"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_a_command_that_was_read_after_all(start: bool, called: bool, dropped: bool) -> None:
    """Of a task known by the answer to its start the port is still to be found."""
    tracer = Tracer()
    made = tracer.cut()
    known = TaskFacts.of_command(made.connection)
    known.start = message(SECOND) if start else None
    known.record.callback = connection(Role.CALLBACK) if called else None
    tracer.cuts.started(known)
    assert (made.connection not in tracer.cuts) is dropped
    if not dropped:
        assert tracer.cuts.fitting(callback().connection) == []  # it is a task already
        tracer.cuts.opened(callback(), [])
        tracer.cuts.ended(made.connection)
        assert tracer.started == []
        assert [one for one, _ in tracer.joined] == [known]


def test_a_task_of_another_connection_changes_nothing() -> None:
    tracer = Tracer()
    made = tracer.cut()
    tracer.cuts.started(facts())
    other = facts()
    other.record.command = None
    tracer.cuts.started(other)
    assert made.connection in tracer.cuts
    assert tracer.cuts.found(None) is None
    assert tracer.cuts.found(other) is other
    assert tracer.cuts.found(facts()) is not None
    assert tracer.started == []


def test_the_owner_of_a_callback_is_a_task_from_then_on() -> None:
    tracer = Tracer()
    made = tracer.cut()
    (fitting,) = tracer.cuts.fitting(callback().connection)
    assert tracer.cuts.found(fitting) is fitting
    assert (tracer.started, made.connection.role) == ([fitting], Role.COMMAND)
    assert isinstance(made.handler, Command)
    assert list(made.handler.tasks) == [fitting.record]
    assert [problem.code for problem in tracer.problems] == ["gap"]  # what it had said is told


# --- which callbacks fit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "port", "fits"),
    [
        (SECOND, 59_999, True),
        (SECOND - 1, 59_999, False),
        (76 * SECOND, 59_999, True),
        (76 * SECOND + 1, 59_999, False),
        (SECOND, 50_000, True),
        (SECOND, 49_999, False),
        (SECOND, 60_000, False),
    ],
)
def test_where_and_when_a_callback_fits(time: int, port: int, fits: bool) -> None:
    tracer = Tracer()
    tracer.cut()
    assert bool(tracer.cuts.fitting(callback(time, port).connection)) is fits


@pytest.mark.parametrize(
    ("later", "bytes_", "fits"),
    [(PATIENCE, 1, True), (PATIENCE + 1, 1, False), (PATIENCE + 1, 0, True), (0, 1, True)],
)
def test_a_command_whose_callback_talks_waits_for_no_other(later: int, bytes_: int, fits: bool) -> None:
    tracer = Tracer()
    tracer.cut()
    first = callback(SECOND, bytes_=bytes_)
    tracer.cuts.opened(first, [])
    assert bool(tracer.cuts.fitting(callback(SECOND + later, sport=50_001).connection)) is fits
    assert tracer.cuts.fitting(first.connection)
    first.handler = None  # it is something else
    assert tracer.cuts.fitting(callback(SECOND + later, sport=50_001).connection)


# --- how it ends -----------------------------------------------------------------------------------------------------


def joined(*calls: Flow, half_known: list[TaskFacts] | None = None, head: bytes = START) -> list[int | None]:
    """The ports of the callbacks that the task gets when its command connection ends."""
    tracer = Tracer()
    made = tracer.cut(head)
    for call in calls:
        tracer.cuts.opened(call, half_known or [])
    tracer.cuts.ended(made.connection)
    tracer.cuts.ended(made.connection)
    assert tracer.decided.count(made.connection) == 1
    assert made.connection not in tracer.cuts
    return [one.server.port for _, one in tracer.joined]


def test_calls_of_one_port_are_its_callback() -> None:
    assert joined(callback()) == [59_999]
    assert joined(callback(), callback(sport=50_001)) == [59_999, 59_999]
    assert joined(callback(), callback(port=59_998)) == []
    assert joined(callback(bytes_=1), callback(sport=50_001)) == [59_999, 59_999]
    assert joined(callback(bytes_=1), callback(sport=50_001, bytes_=1)) == []
    assert joined() == []


def test_what_is_known_for_something_else_is_no_callback() -> None:
    for change in ("handler", "role"):
        call = callback(port=59_998)
        tracer = Tracer()
        made = tracer.cut()
        tracer.cuts.opened(call, [])
        tracer.cuts.opened(callback(), [])
        if change == "handler":
            call.handler = None
        else:
            call.connection.role = Role.CALLBACK
        tracer.cuts.ended(made.connection)
        assert [one.server.port for _, one in tracer.joined] == [59_999]


def test_a_callback_that_others_may_have_called_is_not_noted() -> None:
    assert joined(callback(), half_known=[facts()]) == []
    call = callback()
    call.connection.mid_stream = True
    assert joined(call) == []


def test_a_callback_that_two_commands_may_have_called_is_neither_s() -> None:
    tracer = Tracer()
    first, second = tracer.cut(), tracer.cut(sport=41_000)
    tracer.cuts.opened(callback(), [])
    tracer.cuts.ended(second.connection)
    tracer.cuts.opened(callback(sport=50_001), [])  # the first one alone waits, but is unclear for good
    tracer.cuts.ended(first.connection)
    assert tracer.joined == []


@pytest.mark.parametrize(("calls", "ports"), [(64, 64), (65, 0)])
def test_how_many_calls_are_kept(calls: int, ports: int) -> None:
    assert len(joined(*(callback(sport=50_000 + index) for index in range(calls)))) == ports


@pytest.mark.parametrize(
    ("head", "called", "rejected", "is_task"),
    [
        (START, False, False, True),
        (b"<remote_scheduler.", False, False, False),
        (b"<remote_scheduler.", True, False, True),
        (b"<remote_scheduler.", False, True, True),
    ],
)
def test_what_makes_a_command_that_was_cut_a_task(head: bytes, called: bool, rejected: bool, is_task: bool) -> None:
    tracer = Tracer()
    made = tracer.cut(head)
    if called:
        tracer.cuts.opened(callback(), [])
    if rejected:
        for side in Side:
            made.connection.sides[side].packets = 1
        made.connection.sides[THERE].fin = Mark(9, 2 * SECOND)
    tracer.cuts.ended(made.connection)
    assert len(tracer.started) == is_task


def test_who_closed_after_a_call_did_not_reject() -> None:
    """What was called is not clear, so that nothing is."""
    tracer = Tracer()
    made = tracer.cut(b"<remote_scheduler.")
    tracer.cuts.opened(callback(), [])
    tracer.cuts.opened(callback(port=59_998), [])
    for side in Side:
        made.connection.sides[side].packets = 1
    made.connection.sides[THERE].fin = Mark(9, 2 * SECOND)
    tracer.cuts.ended(made.connection)
    assert tracer.started == []


def test_a_task_that_has_its_callback_gets_no_other() -> None:
    tracer = Tracer()
    made = tracer.cut()
    (fitting,) = tracer.cuts.fitting(callback().connection)
    tracer.cuts.opened(callback(), [])
    fitting.record.callback = connection(Role.CALLBACK)
    tracer.cuts.ended(made.connection)
    assert (tracer.started, tracer.joined) == ([fitting], [])


@pytest.mark.parametrize("over", [True, False])
def test_a_callback_that_is_over_lingers(over: bool) -> None:
    tracer = Tracer()
    made, call = tracer.cut(), callback()
    assert isinstance(call.handler, Sniffer)
    call.handler.gap(Gap(HERE, 0, 9, 8, 2 * SECOND, snapped=True))
    call.connection.over = over
    call.connection.syn_acks, call.connection.bytes = [Mark(7, SECOND)], 9
    tracer.cuts.opened(call, [])
    tracer.cuts.ended(made.connection)
    assert tracer.lingering == [call] * over
    assert isinstance(call.handler, Callback)
    assert tracer.owners == [made.connection, call.connection]
    assert tracer.joined[0][0].record.callback_port == 59_999
    assert call.connection in tracer.decided
