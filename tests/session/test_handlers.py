"""Command connections: documents and their answers; callbacks that prove to be somebody else's."""

from __future__ import annotations

from itertools import count

import pytest
from conversation import PROLOG
from kit import CLIENT, REMOTE, Address, Network, framed, trace, xml_answer

from dissector.model import Connection, Endpoint, Message, Role
from dissector.session.handlers import Callback, Command, Sniffer
from dissector.session.task import TaskFacts
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
        self.next_number = count(1).__next__
        self.handler: Command | Callback = Command(self.connection, self)
        self._packets = count(1)
        self._offsets = [0, 0]

    def tells(self, connection: Connection) -> bool:
        return connection is self.connection

    def message(self, message: Message) -> None:
        self.messages.append(message)

    def stream_problem(self, problem: StreamProblem, connection: Connection) -> None:
        assert connection is self.connection
        self.problems.append(problem)

    def recognised(self, connection: Connection) -> None:
        self.decided.append(connection)

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


def callback_desk() -> tuple[Desk, TaskFacts]:
    desk = Desk()
    desk.connection = Connection(Endpoint(REMOTE, 50_000), Endpoint(CLIENT, 59_999), 0, 1, syn_acks=[])
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
