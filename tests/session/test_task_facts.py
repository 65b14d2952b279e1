"""What each message says about a task, one by one and made by hand."""

from __future__ import annotations

import pytest
from conversation import EMPTY, NULL_GUID, bstr, call
from parts import CLIENT, HERE, MS, REMOTE, SECOND, THERE, connection, facts, message

from dissector.limits import MAX_EVIDENCE
from dissector.model import Connection, Endpoint, Mark, Message, Role, Task
from dissector.session.bodies import error_text
from dissector.session.life import CommandState, Life
from dissector.session.run_pairs import USUAL_FAILURES
from dissector.session.task import TaskFacts
from dissector.tlsfacts import TlsFacts
from dissector.wire import control
from dissector.wire import messages as m
from dissector.wire.http_message import parse_http

SERVER, LOG = 0xA, 0xB
RESULT = "<process.result exit_code='5'/>"


def said(body: object, *, here: bool = False, **fields: object) -> Message:
    """A message of the task process (or of the client: ``here``) with this body."""
    given = {"kind": "request", "body": body, "to_remote": here, "raw": b"O", "size": 10, "packets": (6, 7), **fields}
    return message(SECOND, 7, **given)


def command(text: str, **fields: object) -> Message:
    return message(SECOND, 7, body=control.parse_command(text.encode()), **fields)


def answer(text: str, **fields: object) -> Message:
    body = control.parse_answer(f"<spooler><answer>{text}</answer></spooler>".encode())
    return message(2 * SECOND, 8, body=body, **fields)


def new() -> TaskFacts:
    return TaskFacts(Task(0, 1))


# --- how it is told to begin -----------------------------------------------------------------------------------------

START = "<remote_scheduler.start_remote_task tcp_port='59999'/>"


def test_which_way_a_start_comes() -> None:
    """Over HTTP as a body of a request; in TLS or not."""
    http = parse_http(f"POST /x HTTP/1.1\r\n\r\n{START}".encode(), is_request=True)
    for body, tls, via in (
        (control.parse_command(START.encode()), None, "tcp"),
        (http, None, "http"),
        (http, TlsFacts(), "https"),
    ):
        made = new()
        made.command(message(SECOND, 7, body=body, connection=connection(tls=tls)))
        assert made.record.via == via
        assert made.record.callback_port == 59_999


def test_what_a_command_of_several_packets_says_is_of_the_last_one() -> None:
    """As where it is out of turn: a task is started twice."""
    made = new()
    for packets in ((4, 5, 6), (7, 8)):
        made.command(command(START, packets=packets))
    (odd,) = made.life.odd
    assert (odd.packet, odd.time) == (8, SECOND)


# --- where a task begins ---------------------------------------------------------------------------------------------


def test_a_connection_belongs_to_the_first_task_that_it_starts() -> None:
    one = connection(start=5, first_packet=3)
    first = TaskFacts.of_command(one)
    second = TaskFacts.of_command(one, message(9, 12))
    assert one.task is first.record
    assert (first.record.start, first.record.first_packet) == (5, 3)
    assert (second.record.start, second.record.first_packet) == (9, 12)
    assert second.record.command is one


def test_a_task_that_only_the_answer_to_its_start_tells_of() -> None:
    one, told = connection(), answer('<process process_id="7" pid="12"/>')
    made = TaskFacts.of_answer(one, told)
    assert made is not None
    assert (made.start_answer, told.task, made.record.process_id, made.record.pid) == (told, made.record, 7, 12)
    for text in ("<ok/>", '<process pid="12"/>'):
        assert TaskFacts.of_answer(connection(), answer(text)) is None
    assert TaskFacts.of_answer(connection(), message(1)) is None


def test_a_task_that_only_its_callback_tells_of() -> None:
    made = TaskFacts.of_callback(connection(Role.CALLBACK, start=5, first_packet=3))
    record = made.record
    assert (record.client, record.callback_port) == (Endpoint(CLIENT, None), 59_999)
    assert (record.start, record.first_packet) == (5, 3)
    one = connection()
    made.adopt(one)
    assert (record.command, record.client, record.remote, one.task) == (one, one.client, one.server, record)


# --- the command connection ------------------------------------------------------------------------------------------


def test_commands_of_a_task() -> None:
    made = new()
    made.command(message(1))  # no document
    made.command(command("<show_state/>"))
    assert (made.start, made.close, made.kill) == (None, None, None)
    start = command("<remote_scheduler.start_remote_task tcp_port='59999' kind='process'/>")
    made.command(start)
    assert (made.start, made.record.kind, made.record.callback_port) == (start, "process", 59_999)
    made.command(command("<remote_scheduler.start_remote_task tcp_port='59998'/>"))
    assert (made.record.kind, made.record.callback_port) == ("api", 59_998)
    close = command("<remote_scheduler.remote_task.close process_id='7'/>")
    made.command(close)
    assert (made.close, made.kill) == (close, None)


@pytest.mark.parametrize(
    "text",
    [
        "<remote_scheduler.remote_task.close process_id='7' kill='yes'/>",
        "<remote_scheduler.remote_task.kill process_id='7'/>",
    ],
)
def test_the_first_kill_counts(text: str) -> None:
    made, first = new(), command(text)
    made.command(first)
    made.command(command(text))
    assert made.kill is first
    assert (made.close is not None) is ("close" in text)


def test_the_answer_to_the_start() -> None:
    made = new()
    made.command_answer(answer('<process process_id="7"/>'))  # to nothing that was seen
    assert (made.start_answer, made.record.process_id) == (None, None)
    made.start = start = message(1)
    made.command_answer(message(2, request=start))  # no document
    made.command_answer(answer("<ok/>", request=message(1)))
    assert (made.start_answer, made.close_answer) == (None, None)
    first = answer('<process process_id="7" pid="12"/>', request=start)
    made.command_answer(first)
    assert (made.start_answer, made.start_error, made.record.process_id, made.record.pid) == (first, None, 7, 12)
    made.command_answer(answer('<process process_id="8"/>', request=start))
    assert (made.start_answer, made.record.process_id) == (first, 7)


def test_an_error_that_answers_the_start() -> None:
    made = new()
    made.start = start = message(1)
    made.command_answer(answer('<ERROR code="Z-1" text="no"/>', request=start))
    assert made.start_error is not None
    assert made.start_error.code == "Z-1"
    assert made.record.process_id is None


def test_the_answer_to_the_close() -> None:
    made = new()
    made.close = close = message(1)
    other, told = answer("<ok/>", request=message(1)), answer("<ok/>", request=close)
    made.command_answer(other)
    assert made.close_answer is None
    made.command_answer(told)
    found: object = made.close_answer
    assert found is told
    assert made.start_answer is None


# --- frames ----------------------------------------------------------------------------------------------------------


def test_what_is_counted() -> None:
    made = new()
    for body, kind, here in (
        (m.Release(1), "request", True),
        (m.Release(1), "request", False),
        (m.Release(1), "request", False),
        (m.KeepAlive(), "keep_alive", False),
        (m.EmptyAnswer(), "answer", True),
        (m.ErrorAnswer(("what=x",)), "error", True),
        (m.InvokeAnswer(0x8002_0009, None, None), "answer", True),
        (m.InvokeAnswer(1, EMPTY, None), "answer", True),
    ):
        made.frame(said(body, kind=kind, here=here))
    counts = made.record.counts
    assert (counts.messages, counts.bytes, counts.calls, counts.callbacks) == (8, 80, 1, 2)
    assert (counts.errors, counts.keep_alives) == (2, 1)


def test_odd_messages_are_kept_by_what_is_odd() -> None:
    made = new()
    undecoded, trailing = said(None, kind="undecoded", note="x"), said(m.Release(1), note="x")
    made.frame(undecoded)
    made.frame(trailing)
    made.frame(said(m.Release(1)))
    assert (made.undecoded, made.trailing) == ([undecoded], [trailing])


@pytest.mark.parametrize(("here", "kind", "settled"), [(False, "undecoded", False), (True, "undecoded", True)])
def test_an_answer_that_could_not_be_decoded_is_no_proof(here: bool, kind: str, settled: bool) -> None:
    made = new()
    made.frame(said(None, kind=kind, here=here, note="x", raw=b"A"))
    assert made.proof.settled is settled
    made = new()
    made.frame(said(m.Release(1), kind="request", note="trailing", raw=b"A"))
    assert made.proof.settled


def test_a_result_whose_request_was_not_captured() -> None:
    text = b"A\0\0<process.result exit_code='5' state_text='\xe4'/>"
    for here, raw, code in ((False, text, 5), (True, text, None), (False, b"A", None)):
        made = new()
        made.frame(said(None, kind="undecoded", here=here, raw=raw))
        assert made.record.exit_code == code
    made = new()
    made.frame(said(m.Release(1), kind="request", raw=text))
    assert made.record.exit_code is None


def test_the_client_s_release_is_that_of_the_instance() -> None:
    for instance, object_id, here, counts in (
        (None, SERVER, True, True),
        (SERVER, SERVER, True, True),
        (SERVER, LOG, True, False),
        (SERVER, SERVER, False, False),
    ):
        made, release = new(), said(m.Release(object_id), here=here)
        made.instance = instance
        made.frame(release)
        assert (made.release is release) is counts


def test_the_answer_to_the_release() -> None:
    made, release = new(), said(m.Release(SERVER), here=True)
    made.frame(said(m.EmptyAnswer(), kind="answer"))
    assert made.released is None
    made.frame(release)
    made.frame(said(m.EmptyAnswer(), kind="answer", request=said(m.Release(LOG), here=True)))
    assert made.released is None
    made.frame(told := said(m.EmptyAnswer(), kind="answer", request=release))
    assert made.released is told


def test_the_first_object_that_is_created_is_the_instance() -> None:
    made = new()
    for results in (None, (), (m.InterfaceResult(0, m.Reference(0, None)),)):
        made.frame(said(m.CreateInstanceAnswer(0, results), kind="answer"))
        assert made.instance is None
    for object_id in (SERVER, LOG):
        result = (m.InterfaceResult(0, m.Reference(object_id, None)), m.InterfaceResult(0, m.Reference(99, None)))
        made.frame(said(m.CreateInstanceAnswer(0, result), kind="answer"))
        assert made.instance == SERVER


# --- calls -----------------------------------------------------------------------------------------------------------


def asked(made: TaskFacts, body: object, **fields: object) -> Message:
    """An outermost call of the client."""
    request = said(body, here=True, **fields)
    made.frame(request)
    return request


def test_only_the_client_s_outermost_calls_are_asked() -> None:
    made = new()
    request = asked(made, call(SERVER, "begin"))
    assert made.proof.asking is request
    asked(made, call(SERVER, "begin"), depth=1)
    made.frame(said(call(SERVER, "begin")))
    assert made.proof.asking is request


@pytest.mark.parametrize(
    ("member", "value", "lost", "refused"),
    [
        ("begin", False, 0, True),
        ("Begin", False, 0, True),
        ("begin", True, 0, False),
        ("begin", 0, 0, False),
        ("end", False, 0, False),
        ("begin", False, 1, False),
        (None, False, 0, False),
    ],
)
def test_a_begin_that_was_refused(member: str | None, value: object, lost: int, refused: bool) -> None:
    made = new()
    request = asked(made, call(SERVER, "begin"))
    for _ in range(lost):
        made.proof.lost(HERE)
        made.proof.lost(THERE)
    told = said(m.CallAnswer(0, m.Variant(11, value)), kind="answer", member=member, request=request)  # type: ignore[arg-type]
    made.frame(told)
    assert made.begin_refused is (told if refused else None)


def test_an_answer_to_another_call_than_the_one_under_way_is_certain() -> None:
    made = new()
    asked(made, call(SERVER, "begin"))
    made.proof.lost(HERE)
    made.proof.lost(THERE)
    made.frame(said(m.CallAnswer(0, m.Variant(11, False)), kind="answer", member="begin"))
    assert made.begin_refused is not None


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [("step", RESULT, 5), ("Step", RESULT, 5), ("step", 5, None), ("end", RESULT, None)],
)
def test_what_step_answers(member: str, value: object, code: int | None) -> None:
    made = new()
    told = said(m.CallAnswer(0, m.Variant(8, value)), kind="answer", member=member)  # type: ignore[arg-type]
    made.frame(told)
    assert (made.record.exit_code, made.result) == (code, told if code else None)


def test_a_result_with_a_number_that_is_none() -> None:
    made = new()
    for text in ("<process.result exit_code='x'/>", "<process.result exit_code='y'/>"):
        made.frame(said(m.CallAnswer(0, bstr(text)), kind="answer", member="step"))
    assert made.result_odd
    ((first, words),) = made.odd_numbers.values()
    assert 'exit_code="x"' in words
    assert first.member == "step"


@pytest.mark.parametrize(
    ("name", "argument", "failed"),
    [("call", "?spooler_exit()V", False), ("call", "spooler_exit()V", True), ("step", None, True)],
)
def test_an_error_that_answers_the_client(name: str, argument: str | None, failed: bool) -> None:
    made = new()
    request = asked(made, call(SERVER, name, *([bstr(argument)] if argument else [])))
    error = said(m.ErrorAnswer(("what=x",)), kind="error", request=request)
    made.frame(error)
    assert made.client_error is (error if failed else None)
    made.frame(said(m.ErrorAnswer(("what=y",)), kind="error"))
    assert made.client_error is not None
    if failed:
        assert made.client_error is error  # the first one


def test_an_error_that_may_answer_another_call_fails_the_task() -> None:
    made = new()
    request = asked(made, call(SERVER, "call", bstr("?spooler_exit()V")))
    made.proof.lost(HERE)
    made.proof.lost(THERE)
    made.frame(said(m.ErrorAnswer(("what=x",)), kind="error", request=request))
    assert made.client_error is not None


def test_an_error_to_a_question_that_is_not_under_way_any_more() -> None:
    made, request = new(), said(call(SERVER, "call", bstr("?spooler_exit()V")), here=True)
    made.frame(said(m.ErrorAnswer(("what=x",)), kind="error", request=request))
    assert made.client_error is None


# --- failed calls ----------------------------------------------------------------------------------------------------


def failure(text: str = "oh") -> m.InvokeAnswer:
    return m.InvokeAnswer(0x8002_0009, None, m.InvokeFailure(-1, m.ExcepInfo(0, 0, "", text, "", 0, 0)))


def failed(made: TaskFacts, body: object, **fields: object) -> None:
    made.frame(said(body, here=True, kind="answer", **fields))


def test_failed_calls_are_counted_by_member_and_words() -> None:
    made = new()
    for name, text in (("a", "oh"), ("a", "oh"), ("b", "oh"), ("a", "no")):
        failed(made, failure(text), object_name="spooler", member=name)
    assert {key: one.count for key, one in made.failed_calls.items()} == {
        ("spooler.a", "oh"): 2,
        ("spooler.b", "oh"): 1,
        ("spooler.a", "no"): 1,
    }
    assert made.failed_calls["spooler.a", "oh"].packets == [7, 7]


def test_what_a_failed_call_is_called() -> None:
    for fields, name in (
        ({"object_name": "spooler", "object_class": "Com_spooler", "member": "a"}, "spooler.a"),
        ({"object_class": "Com_spooler"}, "Com_spooler.unknown member"),
        ({"object_id": 0xAB}, "object 00000000000000ab.unknown member"),
        ({}, "object 0000000000000000.unknown member"),
    ):
        made = new()
        failed(made, failure(), **fields)
        assert [key[0] for key in made.failed_calls] == [name]


def test_words_that_are_equal_in_their_first_200_letters_are_one() -> None:
    made = new()
    for text in ("x" * 200 + "a", "x" * 200 + "b", "x" * 199 + "a"):
        failed(made, failure(text))
    assert [len(key[1]) for key in made.failed_calls] == [200, 200]


@pytest.mark.parametrize("number", [MAX_EVIDENCE, MAX_EVIDENCE + 1])
def test_how_many_failed_calls_are_kept(number: int) -> None:
    made = new()
    for index in range(number):
        failed(made, failure(), member=str(index))
        failed(made, failure(), member="0")
    assert len(made.failed_calls) == MAX_EVIDENCE
    first = next(iter(made.failed_calls.values()))
    assert (first.count, len(first.packets)) == (number + 1, MAX_EVIDENCE)


@pytest.mark.parametrize(
    ("body", "operation", "kept"),
    [
        (m.GetIdsOfNamesAnswer(0x8002_0006, None), "get_ids_of_names", False),
        (m.GetIdsOfNamesAnswer(0x8002_0003, None), "get_ids_of_names", False),
        (m.GetIdsOfNamesAnswer(0x8002_0009, None), "get_ids_of_names", True),
        (m.InvokeAnswer(0x8002_0006, None, None), "invoke", True),
        (m.QueryInterfaceAnswer(0x8000_4002, None), "query_interface", False),
    ],
)
def test_which_failures_are_usual(body: object, operation: str, kept: bool) -> None:
    made = new()
    failed(made, body, operation=operation)
    assert (bool(made.failed_calls), made.record.counts.errors) == (kept, 1)
    if kept:
        assert [key[1] for key in made.failed_calls] == [f"hresult {body.hresult:08X}"]  # type: ignore[attr-defined]


def test_an_error_answer_to_a_callback_is_a_failed_call() -> None:
    made = new()
    made.frame(said(m.ErrorAnswer(("name=n", "code=c", "what=w")), kind="error", here=True, member="a"))
    assert list(made.failed_calls) == [("object 0000000000000000.a", "w")]
    assert made.client_error is None


@pytest.mark.parametrize(
    ("strings", "text"),
    [
        (("name=n", "code=c", "what=w"), "w"),
        (("name=n", "code=c", "what="), "c"),
        (("name=n", "code="), "n"),
        (("x",), ""),
    ],
)
def test_the_words_of_an_error(strings: tuple[str, ...], text: str) -> None:
    assert error_text(said(m.ErrorAnswer(strings))) == text
    assert error_text(said(failure("oh"))) == "oh"
    assert error_text(said(m.InvokeAnswer(0, EMPTY, None))) == ""
    assert 0x8002_0006 in USUAL_FAILURES


# --- times -----------------------------------------------------------------------------------------------------------


def took(latency: int, *, here: bool, depth: int, member: str = "log") -> Message:
    return said(m.EmptyAnswer(), kind="answer", here=here, depth=depth, latency=latency, member=member)


def test_whose_time_an_answer_took() -> None:
    made = new()
    made.frame(took(100, here=True, depth=1))  # the client was asked
    assert (made.callback_time, made.call_time) == (100, 0)
    made.frame(took(30, here=False, depth=2))  # and asked back meanwhile
    assert (made.callback_time, made.call_time) == (70, 0)
    longest = took(500, here=False, depth=0)
    for one in (took(400, here=False, depth=0), longest, took(500, here=False, depth=0)):
        made.frame(one)
    assert (made.callback_time, made.call_time, made.longest_call) == (70, 1_400, longest)


def test_the_first_of_the_longest_calls_is_kept() -> None:
    made, calls = new(), [took(latency, here=False, depth=0) for latency in (0, 0, 1, 1)]
    for index, longest in enumerate((0, 0, 2, 2)):
        made.frame(calls[index])
        assert made.longest_call is calls[longest]


def test_slow_callbacks_are_counted_by_member() -> None:
    made = new()
    for latency, member in ((900 * MS, "log"), (2 * SECOND, "log"), (900 * MS - 1, "log"), (SECOND, "other")):
        made.frame(took(latency, here=True, depth=1, member=member))
    assert {key: (one.count, one.longest, one.packets) for key, one in made.slow_callbacks.items()} == {
        "None.log": (2, 2 * SECOND, [7, 7]),
        "None.other": (1, SECOND, [7]),
    }


# --- logs ------------------------------------------------------------------------------------------------------------


def test_only_the_task_s_own_calls_of_the_log_are_lines() -> None:
    body = m.Invoke(LOG, 0, NULL_GUID, 0, 1, m.DispParams((), (bstr("text"),)))
    for here, name, member, lines in (
        (False, "spooler_log", "info", 1),
        (False, "spooler_log", "INFO", 1),
        (True, "spooler_log", "info", 0),
        (False, "spooler", "info", 0),
        (False, "spooler_log", None, 0),
    ):
        made = new()
        made.frame(said(body, here=here, object_name=name, member=member))
        assert [line.packet for line in made.record.log] == [6] * lines


@pytest.mark.parametrize(("size", "kept"), [(5, 1), (4, 1), (3, 0)])
def test_how_much_of_a_log_is_kept(size: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.task.MAX_LOG_BYTES", size)
    made = new()
    made.logged(1, 1, "info", ["text"])
    made.logged(1, 1, "info", ["te"])
    assert [len(line.text) for line in made.record.log] == [4][:kept] + [2] * (size == 3)
    assert made.record.counts.log_lines == 2
    assert made.more["log line"] == 1


def test_log_lines_that_are_no_text_are_counted_only() -> None:
    made = new()
    made.logged(1, 1, "info", [m.Double("1")])
    made.logged(1, 1, "no_level", ["text"])
    assert (made.record.log, made.more["log line"]) == ([], 0)


# --- where it stands -------------------------------------------------------------------------------------------------


def attempt(*, end: int = 0, over: bool = False, start: int = 0, acked: int | None = None) -> Connection:
    one = connection(Role.CALLBACK, end=end, over=over, start=start, syn_acks=[])
    one.sides[HERE].acked = acked
    return one


def test_the_last_packet_of_any_connection() -> None:
    made = facts(callback=False)
    assert made.record.command is not None
    made.record.command.end = 5
    assert made.last_seen() == 5
    made.attempts = [attempt(end=9), attempt(end=7)]
    assert made.last_seen() == 9
    made.intruder = attempt(end=11)
    assert (made.last_seen(), len(made.connections())) == (11, 4)
    assert TaskFacts(Task(3, 1)).last_seen() == 3


def test_when_a_task_is_over() -> None:
    made = facts(callback=False)
    assert made.record.command is not None
    made.attempts = [attempt(over=True)]
    assert not made.is_over()
    made.record.command.over = True
    assert made.is_over()
    made.attempts.append(attempt())
    assert not made.is_over()


def test_an_end_that_was_missed() -> None:
    made = facts(callback=False)
    silent, accepted, later = attempt(), attempt(acked=1), attempt(acked=1)
    made.attempts, made.intruder = [silent, accepted, later], attempt(acked=1)
    made.end_missed()
    assert (made.record.callback, made.record.callback_peer) == (accepted, accepted.client)
    assert made.is_over()
    made = facts(callback=False)
    made.intruder = attempt(acked=1)
    made.end_missed()
    assert made.record.callback is None
    made = facts(callback=False)
    assert made.record.command is not None
    made.record.command.sides[HERE].acked = 1  # the command connection is none
    made.end_missed()
    assert made.record.callback is None


@pytest.mark.parametrize(
    ("command_over", "attempt_over", "start", "through"),
    [(True, True, 99, True), (True, False, 1_999, True), (True, False, 2_000, False), (False, True, 0, False)],
)
def test_a_close_that_was_answered_ends_the_wait_for_a_callback(
    command_over: bool, attempt_over: bool, start: int, through: bool
) -> None:
    """But for connections that began since."""
    made = facts(callback=False)
    assert made.record.command is not None
    made.record.command.over, made.close_answer = command_over, message(2_000)
    made.attempts = [attempt(over=attempt_over, start=start)]
    assert made.is_through() is through
    made.attempts[0].syn_acks = [Mark(3, start)]
    assert made.is_through() is (command_over and attempt_over)


@pytest.mark.parametrize(
    ("fields", "through"),
    [
        ({}, False),
        ({"start": None}, True),
        ({"life": Life(CommandState.REFUSED)}, True),
        ({"start_answer": None}, True),
    ],
)
def test_a_start_that_was_obeyed_may_still_get_its_callback(fields: dict[str, object], through: bool) -> None:
    made = facts(callback=False)
    assert made.record.command is not None
    made.record.command.over = True
    for name, value in fields.items():
        setattr(made, name, value)
    assert made.is_through() is through
    made.record.command.over = False
    assert not made.is_through()


def test_a_task_with_its_callback_is_through_when_all_is_over() -> None:
    made = facts()
    assert made.record.command is not None
    assert made.record.callback is not None
    made.record.command.over = True
    made.close_answer = message(2_000)
    assert not made.is_through()
    made.record.callback.over = True
    assert made.is_through()


def test_a_close_that_was_answered_on_a_connection_that_was_not_captured() -> None:
    made = facts(callback=False)
    made.record.command, made.close_answer = None, message(2_000)
    made.attempts = [attempt(start=99)]
    assert not made.is_through()


def test_what_a_task_waits_for() -> None:
    made = facts()
    assert made.open_calls() == []
    made.start_answer = None
    assert made.open_calls() == [made.start]
    made.start = None
    assert made.open_calls() == []


def test_where_the_remote_is() -> None:
    assert facts().record.remote == Endpoint(REMOTE, 4_455)
