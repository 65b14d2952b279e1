"""Command connections: documents and their answers; callbacks that prove to be somebody else's."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from conversation import PROLOG
from kit import CLIENT, REMOTE, Address, Network, framed, trace, xml_answer

from dissector.model import Connection, Endpoint, Exchange, Mark, Message, Role, Task
from dissector.session.commands import Command
from dissector.session.handlers import Callback, Sniffer
from dissector.session.life import JoinState
from dissector.session.task import TaskFacts
from dissector.stream.block import Pairs
from dissector.traffic import Chunk, Gap, Side, StreamProblem

OK = xml_answer("<ok/>")
XML_ERROR = xml_answer('<ERROR code="XML-ERROR" text="junk after document element"/>')
START = f'{PROLOG}<remote_scheduler.start_remote_task tcp_port="59999" kind="process"/>'.encode()
STARTED = xml_answer('<process process_id="7" pid="4711"/>')


class Desk:
    """A tracer that only writes down what it is told, and the conversation with a Command or Callback."""

    def __init__(self) -> None:
        self.connection = Connection(Endpoint(CLIENT, 40_000), Endpoint(REMOTE, 4_455), 0, 1)
        self.messages: list[Message] = []
        self.problems: list[StreamProblem] = []
        self.started: list[TaskFacts] = []
        self.opened: list[Connection] = []
        self.foreign: list[int] = []
        self.decided: list[Connection] = []
        self.stand_ins: list[int] = []
        self.over: set[Task] = set()
        #: What is known of a task whose start was not captured, and whether its kill was asked for.
        self.known: TaskFacts | None = None
        self.killed: list[bool] = []
        self.next_number, self.next_exchange = count(1).__next__, count(1).__next__
        self.exchanges: list[Exchange] = []
        self.handler: Command | Callback = Command(self.connection, self)
        self._packets = count(1)
        self._offsets = [0, 0]

    def tells(self, connection: Connection) -> bool:
        return connection is self.connection

    def message(self, message: Message) -> None:
        self.messages.append(message)

    def exchange(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def is_copy(self, *_: object, last: bool) -> bool:  # noqa: ARG002  a Desk has it
        return False

    def stream_problem(self, problem: StreamProblem, connection: Connection) -> None:
        assert connection is self.connection
        self.problems.append(problem)

    def recognised(self, connection: Connection) -> None:
        self.decided.append(connection)

    def omitted(self, connection: Connection, messages: int) -> None:
        assert connection is self.connection
        self.stand_ins.append(messages)

    def is_open(self, record: Task) -> bool:
        return record not in self.over

    def command_found(self, connection: Connection, packet: int, *, kill: bool) -> TaskFacts | None:
        assert connection is self.connection
        assert packet > 0
        self.killed.append(kill)
        return self.known

    def command_started(self, facts: TaskFacts) -> None:
        self.started.append(facts)

    def callback_opened(self, facts: TaskFacts, connection: Connection) -> TaskFacts:
        self.opened.append(connection)
        return facts

    def callback_foreign(self, facts: TaskFacts, connection: Connection, packet: int) -> None:
        assert connection in self.opened
        assert facts.record.callback is None
        self.foreign.append(packet)

    def client(self, *pieces: bytes) -> None:
        self._send(Side.CLIENT, pieces)

    def server(self, *pieces: bytes) -> None:
        self._send(Side.SERVER, pieces)

    def _send(self, side: Side, pieces: tuple[bytes, ...]) -> None:
        for data in pieces:
            number = next(self._packets)
            self.handler.chunk(Chunk(side, self._offsets[side], data, number, number * 1_000))
            self._offsets[side] += len(data)

    def lose(self, side: Side, size: int) -> None:
        number = next(self._packets)
        self.handler.gap(Gap(side, self._offsets[side], size, number, number * 1_000))
        self._offsets[side] += size

    def close(self) -> list[Message]:
        number = next(self._packets)
        self.handler.closed(number, number * 1_000)
        return self.messages

    def said(self) -> list[tuple[str, str | None, str | None]]:
        """Kind and operation of every message, and the operation of the command that an answer answers."""
        return [(m.kind, m.operation, m.request.operation if m.request else None) for m in self.messages]


# --- commands and answers ------------------------------------------------------------------------------------------


def test_a_command_and_its_answer() -> None:
    desk = Desk()
    desk.client(START)
    assert desk.messages == []  # it waits for its answer
    desk.server(STARTED)
    command, answer = desk.messages
    assert (command.kind, answer.kind) == ("command", "command_answer")
    assert command.operation == answer.operation == "remote_scheduler.start_remote_task"
    assert (command.answered_by, answer.answers, answer.latency) == (answer.n, command.n, 1_000)
    assert (command.to_remote, answer.to_remote) == (True, False)
    (facts,) = desk.started
    assert command.task is answer.task is facts.record
    assert (facts.record.kind, facts.record.callback_port) == ("process", 59_999)
    assert (facts.record.process_id, facts.record.pid) == (7, 4711)


def test_commands_of_an_operator_make_no_task() -> None:
    desk = Desk()
    desk.client(b"<show_state/>")
    desk.server(OK)
    desk.client(b"s\n")
    desk.server(OK)
    assert desk.said() == [
        ("command", "show_state", None),
        ("command_answer", "show_state", "show_state"),
        ("command", "show_state", None),
        ("command_answer", "show_state", "show_state"),
    ]
    assert desk.started == []
    assert all(message.task is None for message in desk.messages)


def test_documents_may_cross_segments() -> None:
    desk = Desk()
    desk.client(*(START[at : at + 1] for at in range(len(START))))
    desk.server(STARTED[:5], STARTED[5:])
    command, answer = desk.messages
    assert (len(command.packets), len(answer.packets)) == (len(START), 2)
    assert (command.raw, answer.raw) == (START, STARTED[:-1])


@pytest.mark.parametrize("blanks", [b" ", b"   ", b"\r\n", b"\n"])
def test_keep_alives_and_pokes_are_no_commands(blanks: bytes) -> None:
    desk = Desk()
    desk.client(START)
    desk.server(STARTED)
    desk.client(blanks, blanks)
    desk.client(b"<remote_scheduler.remote_task.close process_id='7'/>")
    desk.server(OK)
    assert [kind for kind, _, _ in desk.said()] == ["command", "command_answer"] * 2
    assert desk.problems == []


def test_a_broken_command_may_get_no_answer() -> None:
    """The answer belongs to the next command then."""
    desk = Desk()
    desk.client(b"<show_state <a></show_state>")
    desk.client(b"<show_job/>")
    desk.server(OK)
    broken, command, answer = desk.messages
    assert (broken.answered_by, command.answered_by) == (None, answer.n)
    assert broken.note
    assert answer.request is command


def test_an_xml_error_answers_the_broken_command() -> None:
    desk = Desk()
    desk.client(b"<show_state <a></show_state>")
    desk.server(XML_ERROR)
    broken, answer = desk.messages
    assert answer.request is broken


def test_two_commands_in_one_segment_get_one_error() -> None:
    desk = Desk()
    desk.client(b"<show_state/><show_job/>")
    desk.server(XML_ERROR)
    desk.client(b"<show_calendar/>")
    desk.server(OK)
    first, second = desk.messages[:2]
    assert {first.answered_by, second.answered_by} == {3, None}
    assert desk.messages[-1].request is not None
    assert desk.messages[-1].request.operation == "show_calendar"


def test_commands_one_after_the_other_are_answered_in_turn() -> None:
    desk = Desk()
    desk.client(b"<show_state/>", b"<show_job/>")
    desk.server(OK, OK)
    answers = [message for message in desk.messages if message.kind == "command_answer"]
    assert [answer.operation for answer in answers] == ["show_state", "show_job"]


def test_an_answer_to_nothing_stands_alone() -> None:
    desk = Desk()
    desk.server(OK)
    (answer,) = desk.messages
    assert (answer.request, answer.answers, answer.operation) == (None, None, "ok")


def test_commands_without_answer_come_out_at_the_end() -> None:
    desk = Desk()
    desk.client(START)
    (command,) = desk.close()
    assert (command.answered_by, command.task is desk.started[0].record) == (None, True)


def test_half_a_document_is_told_as_such() -> None:
    desk = Desk()
    desk.client(b"<show_state what='")
    (command,) = desk.close()
    assert command.note


def test_a_lost_part_costs_its_document_only() -> None:
    desk = Desk()
    desk.client(b"<show_state wh")
    desk.lose(Side.CLIENT, 10)
    desk.client(b"'/>")
    desk.client(b"<show_job/>")
    desk.server(OK)
    assert [problem.code for problem in desk.problems] == ["gap"]
    assert desk.said() == [("command", "show_job", None), ("command_answer", "show_job", "show_job")]


# --- several tasks on one connection -------------------------------------------------------------------------------


def test_a_tool_may_start_several_tasks() -> None:
    """Each start is a task of its own; close and kill name theirs by the process id."""
    desk = Desk()
    for port, process in ((59_999, 7), (59_998, 8)):
        desk.client(START.replace(b"59999", str(port).encode()))
        desk.server(xml_answer(f'<process process_id="{process}"/>'))
    first, second = desk.started
    assert first.record is not second.record
    assert [facts.record.callback_port for facts in desk.started] == [59_999, 59_998]
    assert (first.record.first_packet, second.record.first_packet) == (1, 3)
    desk.client(b"<remote_scheduler.remote_task.close process_id='7' kill='yes'/>")
    desk.server(OK)
    assert (first.close is not None, first.kill is not None) == (True, True)
    assert (second.close, second.kill) == (None, None)
    desk.client(b"<remote_scheduler.remote_task.kill process_id='8' signal='SIGTERM'/>")
    assert (second.close, second.kill is not None) == (None, True)
    assert desk.messages[-1].task is first.record


#: A process_id beyond 64 bits.
ODD_ID = "9223372036854775808"


def start(desk: Desk, process: int | str) -> TaskFacts:
    desk.client(START)
    desk.server(xml_answer(f'<process process_id="{process}"/>'))
    return desk.started[-1]


def close(process: int | str) -> bytes:
    return f"<remote_scheduler.remote_task.close process_id='{process}'/>".encode()


def command(desk: Desk) -> Command:
    assert isinstance(desk.handler, Command)
    return desk.handler


def test_of_several_tasks_with_one_process_id_the_first_is_meant() -> None:
    desk = Desk()
    first, second, third = start(desk, 7), start(desk, 7), start(desk, 8)
    desk.client(close(7))
    assert (first.close is not None, second.close, third.close) == (True, None, None)


@pytest.mark.parametrize("newest", [8, None])
def test_a_close_of_an_unknown_process_is_about_the_newest_task_unless_its_number_is_known(newest: int | None) -> None:
    desk = Desk()
    first, second = start(desk, 7), start(desk, 8)
    second.record.process_id = newest
    desk.client(close(9))
    assert (first.close, second.close is not None) == (None, newest is None)
    desk.client(close(""))
    desk.client(close(" "))
    assert desk.problems == []


@pytest.mark.parametrize("number", [9, ODD_ID])
def test_the_only_task_is_meant_whatever_its_process_id(number: int | str) -> None:
    desk = Desk()
    only = start(desk, 7)
    desk.client(close(number))
    assert only.close is not None


@pytest.mark.parametrize("text", ["close process_id='{}' kill='yes'", "kill process_id='{}'"])
@pytest.mark.parametrize(
    ("first", "second", "meant"), [(ODD_ID, 8, 0), (7, ODD_ID, 1), (7, 8, None), (ODD_ID, "x", None)]
)
def test_a_number_that_is_none_means_the_only_task_that_has_no_other(
    text: str, first: int | str, second: int | str, meant: int | None
) -> None:
    """Of several tasks on one connection; where more than one is possible, none is claimed."""
    desk = Desk()
    tasks = [start(desk, first), start(desk, second)]
    desk.client(close(7))
    desk.server(OK)
    desk.client(f"<remote_scheduler.remote_task.{text.format(ODD_ID)}/>".encode())
    desk.server(OK)
    assert [index for index, facts in enumerate(tasks) if facts.kill is not None] == ([] if meant is None else [meant])
    assert desk.messages[-1].task is (None if meant is None else tasks[meant].record)
    assert desk.problems[-1].code == "odd_number"


@pytest.mark.parametrize(("tasks", "kept"), [(16, 16), (17, 1)])
def test_tasks_that_are_over_are_forgotten_with_the_seventeenth(tasks: int, kept: int) -> None:
    desk = Desk()
    for number in range(tasks):
        made = start(desk, number)
        if number < tasks - 1:
            desk.over.add(made.record)
    assert len(command(desk).tasks) == kept
    desk.client(close(0))
    assert (desk.started[0].close is not None) is (kept == 16)
    assert (made.close is not None) is (kept != 16)


@pytest.mark.parametrize(("under_way", "forgets_at"), [(7, 17), (8, 17), (9, 19), (16, 33)])
def test_when_tasks_that_are_over_are_looked_for_again(under_way: int, forgets_at: int) -> None:
    """When there are twice as many as were left the last time, but no sooner than at first."""
    desk = Desk()
    for number in range(16):
        made = start(desk, number)
        if number >= under_way:
            desk.over.add(made.record)
    start(desk, 16)
    assert len(command(desk).tasks) == under_way + 1
    desk.over = set(command(desk).tasks)
    number, size = 17, under_way + 1
    while len(command(desk).tasks) >= size:
        size = len(command(desk).tasks)
        start(desk, number)
        number += 1
    assert size + 1 == forgets_at


def test_a_task_is_still_known_by_its_process_id_when_others_were_forgotten() -> None:
    desk = Desk()
    kept = start(desk, 100)
    desk.over = {start(desk, number).record for number in range(16)}
    start(desk, 101)
    desk.client(close(100))
    assert kept.close is not None


def test_other_commands_are_about_no_task() -> None:
    desk = Desk()
    start(desk, 7)
    desk.client(b"<show_state/>")
    desk.server(OK)
    assert [message.task is None for message in desk.messages] == [False, False, True, True]


@pytest.mark.parametrize(
    ("text", "kill"),
    [
        (b"<remote_scheduler.remote_task.close process_id='7'/>", False),
        (b"<remote_scheduler.remote_task.close process_id='7' kill='no'/>", False),
        (b"<remote_scheduler.remote_task.close process_id='7' kill='yes'/>", True),
        (b"<remote_scheduler.remote_task.kill process_id='7'/>", True),
    ],
)
def test_the_task_of_a_close_whose_start_was_not_captured(text: bytes, kill: bool) -> None:
    desk = Desk()
    desk.known = TaskFacts.of_command(desk.connection)
    desk.client(text)
    assert desk.killed == [kill]
    assert (desk.known.kill is not None, list(command(desk).tasks)) == (kill, [desk.known.record])
    desk.client(text)
    assert desk.killed == [kill]  # it is known by now


def test_a_close_of_nobody_s_task() -> None:
    desk = Desk()
    desk.client(close(7))
    desk.server(OK)
    assert (desk.killed, command(desk).tasks, desk.messages[0].task) == ([False], {}, None)
    desk.client(b"<show_state/>")
    assert desk.killed == [False]


def test_a_start_behind_a_close_is_of_another_task() -> None:
    """That of the task that is closed was not captured."""
    desk = Desk()
    desk.known = TaskFacts.of_command(desk.connection)
    desk.client(close(7))
    desk.client(START)
    desk.client(START)
    assert len(desk.started) == 2
    assert desk.known not in desk.started
    assert desk.known.start is None


def test_the_answer_to_a_start_that_was_not_captured_makes_a_task_once() -> None:
    desk = Desk()
    desk.server(STARTED)
    desk.server(STARTED)
    (known,) = desk.started
    assert (known.record.process_id, len(command(desk).tasks)) == (7, 1)
    assert desk.messages[0].task is known.record
    assert desk.messages[1].task is None
    assert desk.decided == [desk.connection]


# --- what the capture lacks, and what is too much ---------------------------------------------------------------------


def test_the_first_cut_of_the_client_counts() -> None:
    desk = Desk()
    desk.handler.gap(Gap(Side.CLIENT, 0, 5, 1, 1_000, snapped=True))
    made = start(desk, 7)
    assert made.cut_command is None  # it was before its start
    desk.handler.gap(Gap(Side.SERVER, 900, 5, 8, 8_000, snapped=True))
    desk.handler.gap(Gap(Side.CLIENT, 900, 5, 8, 8_000, acknowledged=False))
    assert made.cut_command is None
    desk.handler.gap(Gap(Side.CLIENT, 905, 5, 9, 9_000, snapped=True))
    desk.handler.gap(Gap(Side.CLIENT, 910, 5, 9, 10_000, snapped=True))
    assert made.cut_command == 9_000


def test_what_the_capture_lost_of_the_client_was_sent_behind_what_it_has() -> None:
    desk = Desk()
    made = start(desk, 7)
    desk.connection.sides[Side.CLIENT].last_data = Mark(3, 3_000)
    desk.handler.gap(Gap(Side.CLIENT, 900, 5, 8, 8_000))
    assert made.cut_command == 3_000


@pytest.mark.parametrize("last", [None, Mark(9, 9_000)])
def test_what_the_capture_lost_was_sent_before_it_was_acknowledged(last: Mark | None) -> None:
    desk = Desk()
    made = start(desk, 7)
    desk.connection.sides[Side.CLIENT].last_data = last
    desk.handler.gap(Gap(Side.CLIENT, 900, 5, 8, 8_000))
    assert made.cut_command == 8_000


def test_a_command_that_ends_in_the_next_segment_gets_an_error_of_its_own() -> None:
    desk = Desk()
    desk.client(b"<show_state/><show_job", b"/>")
    desk.server(XML_ERROR, XML_ERROR)
    assert [message.request is not None for message in desk.messages if not message.to_remote] == [True, True]


def test_a_poke_and_a_command_in_one_segment() -> None:
    desk = Desk()
    desk.client(b"\n<show_state/>")
    desk.server(OK)
    assert [operation for _, operation, _ in desk.said()] == ["show_state", "show_state"]


@pytest.mark.parametrize("times", [1, 2])
def test_commands_beyond_those_that_wait_are_not_paired(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wait for their answers; the others come out at once, and their answers belong to none."""
    monkeypatch.setattr("dissector.session.commands.MAX_PENDING_COMMANDS", 2)
    desk = Desk()
    for _ in range(times):
        del desk.messages[:]
        desk.client(*[b"<show_state/>"] * 5)
        assert [message.note for message in desk.messages] == ["behind 2 commands without an answer: not paired"] * 3
        desk.server(*[OK] * 5)
        answers = [message.request is not None for message in desk.messages if message.kind == "command_answer"]
        assert answers == [True, True, False, False, False]


def test_as_long_as_one_is_not_paired_none_behind_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.commands.MAX_PENDING_COMMANDS", 1)
    desk = Desk()
    desk.client(b"<show_state/>", b"<show_job/>")
    desk.server(OK)
    desk.client(b"<show_calendar/>")
    assert desk.messages[-1].operation == "show_calendar"
    desk.server(OK, OK)
    desk.client(b"<show_history/>")
    desk.server(OK)
    assert desk.said()[-2:] == [("command", "show_history", None), ("command_answer", "show_history", "show_history")]


def test_what_is_odd_about_a_command_is_told_rather_than_that_it_is_not_paired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dissector.session.commands.MAX_PENDING_COMMANDS", 0)
    desk = Desk()
    desk.client(b"<show_state <a></show_state>")
    assert desk.messages[0].note
    assert "not paired" not in desk.messages[0].note


def test_half_a_document_that_is_broken_says_why() -> None:
    desk = Desk()
    desk.client(b"<show_state what='")
    (half,) = desk.close()
    desk = Desk()
    desk.client(b"s")
    (typed,) = desk.close()
    desk = Desk()
    desk.client(b"s\n")
    (whole,) = desk.close()
    assert half.note is not None
    assert half.note.startswith("unclosed token")
    assert (typed.note, whole.note) == ("the document is not complete", None)


def test_only_an_xml_error_belongs_to_a_broken_command() -> None:
    """Another error is the answer to a command that was read."""
    desk = Desk()
    desk.client(b"<show_state <a></show_state>", b"<show_job/>")
    desk.server(xml_answer('<ERROR code="SCHEDULER-161" text="unknown job"/>'))
    broken, asked, answer = desk.messages
    assert (broken.answered_by, answer.request) == (None, asked)


def test_commands_in_several_segments_each_get_their_error() -> None:
    desk = Desk()
    desk.client(b"<show_state/>", b"<show_job/>")
    desk.server(XML_ERROR, XML_ERROR)
    assert [message.request is not None for message in desk.messages if not message.to_remote] == [True, True]


def test_an_odd_number_is_told_where_it_stands() -> None:
    desk = Desk()
    desk.client(START.replace(b"59999", b"no"))
    desk.server(xml_answer('<process process_id="1e9"/>'))
    assert [(one.code, one.side, one.offset, one.number, one.time) for one in desk.problems] == [
        ("odd_number", Side.CLIENT, 0, 1, 1_000),
        ("odd_number", Side.SERVER, 0, 2, 2_000),
    ]
    assert [one.text.split("=")[0] for one in desk.problems] == ["tcp_port", "process_id"]


def test_what_is_wrong_with_somebody_else_s_bytes_is_not_told() -> None:
    for is_ours in (True, False):
        desk = Desk()
        desk.handler = Command(desk.connection, desk, is_ours=is_ours)
        desk.client(b"<a")
        desk.lose(Side.CLIENT, 5)
        assert bool(desk.problems) is is_ours
        desk.client(b"/>")
        desk.server(OK)  # as only engines answer
        desk.server(OK[:20])
        desk.lose(Side.SERVER, 5)
        assert desk.problems


# --- HTTP ----------------------------------------------------------------------------------------------------------


def test_commands_of_the_classic_agent_over_http() -> None:
    desk = Desk()
    body = START.decode()
    head = f"POST /jobscheduler/engine/command HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    desk.client((head + body).encode())
    content = STARTED[:-1].decode()
    desk.server(
        f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode()
    )
    command, answer = desk.messages
    assert (command.operation, answer.request) == ("POST /jobscheduler/engine/command", command)
    (facts,) = desk.started
    assert (facts.record.callback_port, facts.record.process_id) == (59_999, 7)


# --- callbacks -----------------------------------------------------------------------------------------------------


def callback_desk(**fields: Any) -> tuple[Desk, TaskFacts]:
    desk = Desk()
    desk.connection = Connection(Endpoint(REMOTE, 50_000), Endpoint(CLIENT, 59_999), 0, 1, syn_acks=[], **fields)
    facts = TaskFacts.of_callback(desk.connection)
    desk.handler = Callback(desk.connection, desk, facts)
    return desk, facts


def test_a_stranger_is_not_listened_to() -> None:
    desk, facts = callback_desk()
    desk.client(b"GET / HTTP/1.0\r\n\r\n", framed(b"A\0\0\0\0"))
    desk.server(framed(b"O" + bytes(8) + b"R"))
    assert desk.close() == []
    assert (desk.foreign, desk.problems, facts.confirmed) == ([1], [], False)


def test_the_client_speaks_first_and_the_task_process_proves_itself() -> None:
    desk, facts = callback_desk()
    desk.server(framed(b"O" + bytes(8) + b"R"))
    assert not facts.confirmed
    desk.client(framed(b"A"))
    assert (facts.confirmed, desk.foreign, len(desk.messages)) == (True, [], 2)
    assert desk.opened == [desk.connection]


def test_a_task_process_once_known_may_say_anything() -> None:
    desk, _ = callback_desk()
    desk.server(framed(b"O" + bytes(8) + b"R"))
    desk.client(framed(b"A"), b"\x7f\xff\xff\xff")
    assert desk.foreign == []
    assert [problem.code for problem in desk.problems] == ["impossible_length"]


def test_requests_come_out_with_their_answers_or_at_the_end() -> None:
    desk, facts = callback_desk()
    release = framed(b"O" + bytes(8) + b"R")
    desk.server(release)
    desk.client(framed(b"K"))
    assert desk.messages == []
    desk.server(framed(b"A"))
    assert [message.kind for message in desk.messages] == ["keep_alive", "answer"]
    outer = desk.close()[-1]
    assert (outer.to_remote, outer.answered_by) == (True, None)
    assert facts.open_requests == [outer]


ASK, ANSWER = framed(b"O" + bytes(8) + b"R"), framed(b"A")


def test_a_silent_connection_that_was_accepted_got_through() -> None:
    desk, facts = callback_desk()
    desk.close()
    assert (desk.opened, facts.dialog) == ([], None)
    desk, facts = callback_desk()
    desk.connection.syn_acks = [Mark(2, 2)]
    desk.close()
    assert desk.opened == [desk.connection]
    assert facts.dialog is not None


@pytest.mark.parametrize("mid_stream", [False, True])
def test_of_a_connection_under_way_nothing_is_settled(mid_stream: bool) -> None:
    desk, facts = callback_desk(mid_stream=mid_stream)
    desk.server(ASK)
    assert facts.proof.settled is not mid_stream


@pytest.mark.parametrize(
    ("first", "mid_stream", "lost", "foreign"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", False, 0, True),
        (b"GET / HTTP/1.0\r\n\r\n", True, 0, False),
        (b"GET / HTTP/1.0\r\n\r\n", False, 5, False),
        (b"\0\0", False, 0, False),
    ],
)
def test_who_is_a_stranger(first: bytes, mid_stream: bool, lost: int, foreign: bool) -> None:
    """His first bytes tell, if they are the first ones."""
    desk, _ = callback_desk(mid_stream=mid_stream)
    if lost:
        desk.lose(Side.CLIENT, lost)
    desk.client(first)
    assert bool(desk.foreign) is foreign


def test_the_client_s_bytes_make_nobody_a_stranger() -> None:
    desk, _ = callback_desk()
    desk.server(b"GET / HTTP/1.0\r\n\r\n")
    assert desk.foreign == []


def test_a_stranger_is_no_more_listened_to_when_another_one_has_proved_himself() -> None:
    desk, facts = callback_desk()
    desk.client(b"GET / HTTP/1.0\r\n\r\n")
    facts.life.join = JoinState.CONFIRMED
    desk.client(framed(b"K"))
    desk.lose(Side.CLIENT, 5)
    desk.server(ASK)
    callback = desk.handler
    assert isinstance(callback, Callback)
    assert not callback.in_step
    assert (desk.close(), desk.problems, facts.proof.settled) == ([], [], True)


def test_a_task_that_another_connection_has_confirmed_has_its_callback_opened_all_the_same() -> None:
    desk, facts = callback_desk()
    facts.life.join = JoinState.CONFIRMED
    callback = desk.handler
    assert isinstance(callback, Callback)
    assert not callback.in_step
    desk.server(ASK)
    assert desk.opened == [desk.connection]
    assert not callback.in_step
    desk.client(ANSWER)
    assert callback.in_step


def test_when_a_callback_is_in_step() -> None:
    desk, _ = callback_desk()
    callback = desk.handler
    assert isinstance(callback, Callback)
    desk.server(ASK)
    assert not callback.in_step  # nothing proves that it is the task process
    desk.client(ANSWER)
    assert callback.in_step
    desk.client(ANSWER[:2])
    assert not callback.in_step
    desk.client(ANSWER[2:])
    assert callback.in_step
    desk.server(ASK[:2])
    assert not callback.in_step


@pytest.mark.parametrize(("side", "settled"), [(Side.CLIENT, False), (Side.SERVER, True)])
def test_what_is_lost_unsettles_a_task(side: Side, settled: bool) -> None:
    desk, facts = callback_desk()
    desk.lose(side, 5)
    assert (desk.opened, facts.proof.settled) == ([desk.connection], settled)
    desk.client(framed(b"A"))
    desk.server(ASK)
    assert (facts.proof.task_lost, facts.proof.client_lost) == (1 - settled, int(settled))


def test_bytes_that_are_no_frame_are_lost_as_well() -> None:
    desk, facts = callback_desk()
    desk.server(ASK)
    desk.client(ANSWER, b"\x7f\xff\xff\xff")
    assert (facts.proof.task_lost, facts.proof.client_lost) == (1, 0)
    desk.server(b"\x7f\xff\xff\xff")
    assert (facts.proof.task_lost, facts.proof.client_lost) == (1, 1)


def test_bytes_without_a_frame_are_told_at_the_end() -> None:
    desk, _ = callback_desk(mid_stream=True)
    desk.client(b"\xff" * 20)
    assert desk.problems == []
    desk.close()
    assert [(problem.code, problem.side) for problem in desk.problems] == [("mid_stream", Side.CLIENT)]


def unseen() -> tuple[Desk, Callback]:
    """A callback whose messages nobody wants to see."""
    desk, _ = callback_desk()
    desk.connection, own = Connection(Endpoint(REMOTE, 50_000), Endpoint(CLIENT, 59_999), 0, 1), desk.connection
    desk.handler = callback = Callback(own, desk, TaskFacts.of_callback(own))
    desk.connection = own
    desk.server(framed(b"S" + bytes(8) + b"C" + bytes(16) + bytes(9) + bytes(4) + b"\0\0\0\1" + bytes(16)))
    desk.client(framed(b"A" + bytes(4) + bytes(4) + b"\0\0\0\x2a\0\0\0\1\1" + bytes(4) + bytes(16) + bytes(4)))
    return desk, callback


def test_messages_that_nobody_wants_leave_stand_ins_pair_by_pair() -> None:
    desk, _ = unseen()
    before = len(desk.messages)
    desk.client(ASK)
    assert desk.stand_ins == []
    desk.server(ANSWER)
    assert (desk.stand_ins, len(desk.messages)) == ([2], before)


def test_messages_of_a_run_that_nobody_wants() -> None:
    desk, callback = unseen()
    number = desk.next_number()
    callback.passed(is_answer=False)
    assert desk.stand_ins == []
    callback.passed(is_answer=True)
    assert (desk.stand_ins, desk.next_number()) == ([2], number + 3)


def test_who_may_ask_in_a_run() -> None:
    _, callback = unseen()
    pairs: Pairs = (Side.CLIENT, 0, 0, [], 0, [])
    assert callback.pairs(pairs, Side.CLIENT, [], (1,))
    assert not callback.pairs(pairs, Side.SERVER, [], (1,))
    seen, _ = callback_desk()
    assert isinstance(seen.handler, Callback)
    assert not seen.handler.pairs(pairs, Side.CLIENT, [], (1,))


def test_a_sniffer_keeps_everything() -> None:
    connection = Connection(Endpoint(REMOTE, 50_000), Endpoint(CLIENT, 59_999), 0, 1)
    sniffer = Sniffer(connection, is_command_port=False)
    pieces: list[Chunk | Gap] = [
        Chunk(Side.SERVER, 0, b"\0\0", 1, 1),
        Gap(Side.CLIENT, 0, 5, 2, 2),
        Chunk(Side.SERVER, 2, b"\0", 3, 3),
    ]
    for piece in pieces:
        if isinstance(piece, Chunk):
            sniffer.chunk(piece)
        else:
            sniffer.gap(piece)
    assert (sniffer.events, sniffer.verdict(), sniffer.swapped) == (pieces, None, False)


# --- genuine -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["engine_xml_errors", "engine_xml_keepalive_space"])
def test_a_genuine_agent_s_answers_all_belong_to_commands(name: str) -> None:
    found = trace(name)
    answers = [message for message in found.messages if message.kind == "command_answer"]
    assert len(answers) > 3
    assert all(answer.request is not None and answer.request.answered_by == answer.n for answer in answers)
    assert all((answer.latency or 0) > 0 for answer in answers)


def test_a_command_on_a_port_that_nobody_knows() -> None:
    network = Network()
    network.say(Address(CLIENT, 40_000), Address(REMOTE, 7_777), (0, START), (1, STARTED))
    found = trace(network)
    assert found.task.remote == Endpoint(REMOTE, 7_777)
    assert [seen.role for seen in found.connections] == [Role.COMMAND]
