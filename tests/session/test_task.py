"""What the messages of a task say about it."""

from __future__ import annotations

import pytest
from conversation import EMPTY, NULL_GUID, TRUE, bstr, call, variants
from kit import (
    BEGUN,
    CLIENT,
    HEALTHY,
    RELEASED,
    REMOTE,
    STEP_ASKED,
    STEPPED,
    Story,
    nanoseconds,
    packets_of,
    trace,
    xml_answer,
)

from dissector.model import Endpoint, Task
from dissector.session.tracer import Tracer
from dissector.wire import messages as m

SERVER = HEALTHY[BEGUN][1].object_id  # type: ignore[union-attr]
LOG = HEALTHY[STEP_ASKED][1].object_id  # type: ignore[union-attr]
LOGGED_OK = (1, m.InvokeAnswer(0, EMPTY, None))


def log(member_dispid: int, *arguments: m.Variant) -> tuple[int, m.Invoke]:
    return 0, m.Invoke(LOG, member_dispid, NULL_GUID, 0, 1, m.DispParams((), arguments[::-1]))


def lines(*callbacks: tuple[int, m.Body]) -> list[tuple[str, str]]:
    """Level and text of the log lines that these callbacks make."""
    story = Story().start().call_back().say(0.02, last=STEP_ASKED)
    for index, callback in enumerate(callbacks):
        story.talk(0.03 + index / 100, callback, LOGGED_OK)
    return [(line.level, line.text) for line in story.found().task.log]


def started(kind: str | None = None, answer: str = '<process process_id="7" pid="4711"/>') -> Task:
    story = Story(pid=None if kind == "process" else 1)
    return story.start(answer=xml_answer(answer)).found().task


# --- command connection --------------------------------------------------------------------------------------------


def test_a_start_tells_kind_and_port_and_its_answer_the_ids() -> None:
    task = started()
    assert (task.kind, task.callback_port, task.process_id, task.pid) == ("api", 59_999, 7, 4711)
    assert (task.client, task.remote) == (Endpoint(CLIENT, 40_000), Endpoint(REMOTE, 4_455))
    assert started("process", '<process process_id="9"/>').kind == "process"
    assert started("process", '<process process_id="9"/>').pid is None


def test_process_ids_may_be_large() -> None:
    assert started(answer='<process process_id="6148914691236517205"/>').process_id == 6148914691236517205


def test_a_start_without_a_port_starts_nothing() -> None:
    story = Story()
    story.command.open(0)
    story.command.send(100_000, 0, b"<remote_scheduler.start_remote_task/>")
    assert story.found().tasks == []


def test_a_start_whose_port_is_none_is_a_task_with_an_unknown_port() -> None:
    story = Story()
    story.command.open(0)
    story.command.send(100_000, 0, b'<remote_scheduler.start_remote_task tcp_port="x"/>')
    found = story.found()
    assert (found.task.callback_port, found.codes) == (None, ["odd_number"])
    assert found.problems[0].summary.startswith("command connection, the client: tcp_port=")


def test_a_process_whose_number_is_none_is_told_of_the_remote() -> None:
    found = started(answer='<process process_id="1" pid="x"/>')
    (problem,) = [problem for problem in found.problems if problem.code == "odd_number"]
    assert problem.summary.startswith("command connection, the remote: pid=")


# --- construct -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "job", "task_id"),
    [
        (("job=/folder/nightly", "task_id=17"), "/folder/nightly", 17),
        (("task_id=17a", "job="), None, None),
        (("language=shell",), None, None),
        (("job=first", "job=second"), "first", None),
    ],
)
def test_construct_names_the_job(parameters: tuple[str, ...], job: str | None, task_id: int | None) -> None:
    construct = call(SERVER, "Construct", variants(EMPTY, *map(bstr, parameters), EMPTY))
    task = Story().call_back().talk(0.02, *HEALTHY[:2], (1, construct), (0, m.CallAnswer(0, TRUE))).found().task
    assert (task.job, task.task_id) == (job, task_id)


@pytest.mark.parametrize(("language", "kind"), [("shell", "process"), ("Shell", "process"), ("java", "api")])
def test_without_the_start_command_the_language_tells_the_kind(language: str, kind: str) -> None:
    construct = call(SERVER, "construct", variants(bstr(f"language={language}")))
    assert Story().call_back().talk(0.02, *HEALTHY[:2], (1, construct)).found().task.kind == kind


# --- log lines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "level"),
    [(2, "error"), (1, "warn"), (0, "info"), (-1, "debug1"), (-9, "debug9"), (5, "error"), (-10, "debug9")],
)
def test_log_with_a_level(number: int, level: str) -> None:
    assert lines(log(14, m.Variant(3, number), bstr("text"))) == [(level, "text")]


@pytest.mark.parametrize(("dispid", "level"), [(0, "info"), (1, "debug9"), (3, "debug7")])
def test_log_by_the_level_s_own_method(dispid: int, level: str) -> None:
    assert lines(log(dispid, bstr("text"))) == [(level, "text")]


def test_what_is_no_log_line() -> None:
    assert lines(log(14, bstr("text")), log(0, m.Variant(3, 5)), log(999, bstr("text"))) == []


def test_log_lines_tell_time_and_packet() -> None:
    story = Story().start().call_back().say(0.02)
    found = story.found()
    (line,) = found.task.log
    (callback,) = [message for message in found.messages if message.member == "log" and message.kind == "request"]
    assert (line.time, line.packet) == (callback.time, callback.packets[0])


def test_log_lines_beyond_the_limit_are_counted_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.task.MAX_LOG_LINES", 3)
    task = Story(log=tuple("abcdef")).healthy().found().task
    assert ([line.text for line in task.log], task.counts.log_lines) == (["a", "b", "c"], 6)


# --- figures -------------------------------------------------------------------------------------------------------


def test_counts_of_a_healthy_task() -> None:
    story = Story().healthy()
    found = story.found()
    frames = [message for message in found.messages if message.connection is found.task.callback]
    counts = found.task.counts
    assert counts.messages == len(frames) == RELEASED
    assert (counts.calls, counts.callbacks) == (5, 3)  # create, construct, begin, step, release; log and two releases
    assert (counts.errors, counts.keep_alives, counts.log_lines) == (0, 0, 1)
    assert counts.bytes == sum(message.size for message in frames)
    assert found.task.callback is not None
    assert counts.bytes == found.task.callback.bytes


def test_keep_alives_are_no_callbacks() -> None:
    story = Story().start().call_back().say(0.02, last=STEP_ASKED).talk(0.03, (0, b"K"), (1, b"A"))
    counts = story.found().task.counts
    assert (counts.keep_alives, counts.callbacks, counts.calls) == (1, 0, 4)


def test_errors_are_error_answers_and_failed_hresults() -> None:
    story = Story().start().call_back().say(0.02, last=STEP_ASKED)
    failure = m.InvokeFailure(-1, m.ExcepInfo(0, 0, "spooler", "no such job", "", 0, 0))
    story.talk(0.03, HEALTHY[STEP_ASKED], (1, m.InvokeAnswer(0x8002_0009, None, failure)))
    story.talk(0.04, HEALTHY[STEP_ASKED], (1, m.ErrorAnswer(("what=oh",))))
    story.talk(0.05, HEALTHY[STEP_ASKED], (1, m.InvokeAnswer(1, EMPTY, None)))  # S_FALSE
    assert story.found().task.counts.errors == 2


# --- results -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "exit_code", "signal", "state_text"),
    [
        ('<process.result spooler_process_result="true" exit_code="0"/>', 0, None, None),
        ('<process.result exit_code="5" state_text="half done"/>', 5, None, "half done"),
        ('<process.result exit_code="-1" signal="9"/>', -1, 9, None),
        ('<process.result exit_code="0" signal="0"/>', 0, None, None),
        ("no xml", None, None, None),
        ("<something.else exit_code='1'/>", None, None, None),
    ],
)
def test_a_shell_job_s_result(result: str, exit_code: int | None, signal: int | None, state_text: str | None) -> None:
    story = Story().start().call_back().say(0.02, last=STEP_ASKED)
    task = story.talk(0.03, (0, m.CallAnswer(0, bstr(result)))).found().task
    assert (task.exit_code, task.signal, task.state_text) == (exit_code, signal, state_text)


def test_an_api_job_has_no_exit_code() -> None:
    story = Story().start().call_back().say(0.02, last=STEP_ASKED)
    assert story.talk(0.03, (0, m.CallAnswer(0, TRUE))).found().task.exit_code is None


def test_times_of_a_task() -> None:
    task = Story().healthy(at=1.0).found().task
    assert task.end - task.start == pytest.approx(nanoseconds(0.0504), abs=100_000)
    assert task.callback_delay == nanoseconds(0.01) - 100_000


# --- genuine -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "exit_code", "outcome"),
    [
        ("engine_shell_ok", "process", 0, "success"),
        ("engine_shell_fail", "process", 5, "failure"),
        ("engine_api_java_ok", "api", None, "success"),
        ("engine_api_java_exception", "api", None, "failure"),
        ("engine_api_init_false", "api", None, "failure"),
        ("engine_kill_task", "process", None, "killed"),
        ("scala19_shell", "process", 7, "failure"),
    ],
)
def test_genuine_tasks(name: str, kind: str, exit_code: int | None, outcome: str) -> None:
    task = trace(name).task
    assert (task.kind, task.outcome.value) == (kind, outcome)
    assert exit_code is None or task.exit_code == exit_code
    assert task.counts.messages > 15
    assert STEPPED < RELEASED


@pytest.mark.parametrize(("lost", "through"), [(0, False), (1, False), (138, True)])
def test_an_answer_that_was_not_captured_whole_is_an_answer(lost: int, through: bool) -> None:
    """A callback may come though the answer to the start is not known; ``lost``: bytes of it that are not captured."""
    story = Story().start(answer=b"")
    answer = xml_answer('<process process_id="1"/>')
    story.command.send(nanoseconds(0.1), 1, answer[: max(0, len(answer) - lost)])
    story.command.finish(nanoseconds(0.2), 0)
    tracer = Tracer(window=1)
    for packet in packets_of(story.records):
        tracer.feed(packet)
    assert [facts.is_through() for facts in tracer.running] == [through]
