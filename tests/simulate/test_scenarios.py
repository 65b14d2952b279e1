"""Every scenario over real sockets: what the tracer reads off the wire is what the writer says it did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from recording import QUICK, Trace, play, record, trace

from dissector.model import Message, Outcome, Task
from dissector.simulate.report import MetTask
from dissector.simulate.scenario import SCENARIOS
from dissector.simulate.values import every_variant
from dissector.traffic import Side
from dissector.wire import messages as m

START = ("info", "SCHEDULER-987  Starting process: '/bin/sh' '-c' '\"/var/temp/sos.simulated\"'")
SHELL = (START, ("info", "hello from shell\na=1 u=äöü"), ("info", "err"))


class Told(NamedTuple):
    """What a scenario has to show."""

    outcome: str
    log: tuple[tuple[str, str], ...] = SHELL
    exit_code: int | None = 0
    signal: int | None = None
    codes: tuple[str, ...] = ()


TOLD = {
    "shell-job": Told("success"),
    "api-job": Told(
        "success",
        (
            ("info", "init: Grüße aus ApiJob äöüß"),
            ("debug1", "a debug line"),
            ("debug9", "finest detail"),
            ("warn", "a warning"),
            ("info", "open"),
            ("info", "host=localhost job=api-job title=Simulated api-job"),
            ("info", "a=1 umlaut=äöü names=umlaut;a"),
            ("info", "close"),
            ("info", "exit"),
        ),
        None,
    ),
    "order-job": Told(
        "success",
        (("info", "order id=order-1 state=first title=Auftrag ü priority=7"), ("info", "p1=v1")),
        None,
    ),
    "failing-job": Told("failure", (START, ("info", "failing")), 5, codes=("job_failed",)),
    "signal-job": Told("failure", (START, ("info", "before the signal")), 0, 15, ("job_failed",)),
    "killed-task": Told("killed", (START, ("info", "begin")), 0, 9, ("task_killed",)),
    "lost-task": Told("lost", (("info", "about to die"),), None, codes=("connection_lost",)),
    "client-lost": Told("lost", (START,), None, codes=("connection_lost",)),
    "refused-start": Told("refused", (), None, codes=("start_error",)),
    "rejected": Told("refused", (), None, codes=("command_rejected",)),
    # The impatient client leaves before the engine would give up, so that it is told that the client left.
    "no-callback": Told("no_callback", (), None, codes=("callback_missing", "command_lost_first")),
    "late-callback": Told("success"),
    "callback-other-address": Told("success", codes=("callback_other_address",)),
    "keep-alives": Told("success", (START, ("info", "half way"), ("info", "kept alive"))),
    "big-script": Told("success"),
    "all-variants": Told(
        "success", (("info", f"{len(every_variant())} of {len(every_variant())} values came back"),), None
    ),
    "error-answers": Told(
        "failure",
        (
            ("warn", "caught 1: SCHEDULER-161  There is no Job '/not_existing' (Calling Spooler.Spooler.job)"),
            ("warn", "caught 2: Z-REMOTE-102   [D1447812.0000004D]"),
        ),
        None,
        codes=("error_answer", "call_failed", "error_answer"),
    ),
    "nested": Told("success", (("info", "nested 3"), ("info", "nested 2"), ("info", "nested 1")), None),
    "slow-job": Told(
        "success", (START, *(("info", f"line {n} of 4") for n in (1, 2, 3, 4)), ("info", "done"))
    ),
    "many-logs": Told(
        "success", (START, *(("info", f"line {n}") for n in range(1, 41)), ("info", "done"))
    ),
    "idle": Told("success", (START, ("info", "awake"))),
    "parallel": Told("success", (START, ("info", "one of many"))),
}  # fmt: skip


def agree(task: Task, written: MetTask) -> None:
    """The tracer's task is the writer's, field for field."""
    called_back = written.peer is not None
    assert task.outcome is written.outcome
    assert (task.job, task.task_id) == ((written.job, written.task_id) if called_back else (None, None))
    assert (task.client, task.remote) == (written.client, written.remote)
    assert (task.callback_port, task.callback_peer) == (written.callback_port, written.peer)
    assert (task.process_id, task.pid, task.kind) == (written.process_id, written.pid, written.kind)
    assert (task.exit_code, task.signal) == (written.exit_code, written.signal)
    assert tuple((line.level, line.text) for line in task.log) == written.log
    assert task.counts.log_lines == written.lines


def undecoded(traced: Trace) -> list[tuple[int, str | None]]:
    return [(message.n, message.note) for message in traced.messages if message.kind == "undecoded" or message.note]


def test_every_scenario_has_a_literal() -> None:
    assert list(TOLD) == list(SCENARIOS)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", TOLD)
def test_scenario(tmp_path: Path, name: str) -> None:
    told = TOLD[name]
    summary, traced = play(tmp_path, name, tasks=2)
    assert (summary.started, summary.unexpected, summary.interrupted, summary.failure) == (2, 0, False, None)
    assert summary.outcomes == {Outcome(told.outcome): 2}
    written = sorted(summary.tasks, key=lambda record: record.n)
    assert [record.n for record in written] == [1, 2]
    assert {(record.log, record.exit_code, record.signal) for record in written} == {
        (told.log, told.exit_code, told.signal)
    }
    by_id = {record.client: record for record in written}
    assert len(traced.tasks) == 2
    for task in traced.tasks:
        agree(task, by_id[task.client])
    assert sorted(traced.codes) == sorted(told.codes * 2)
    assert undecoded(traced) == []


def test_many_tasks_at_a_rate(tmp_path: Path) -> None:
    names = ("shell-job", "api-job", "failing-job", "order-job", "error-answers", "nested")
    summary, traced = play(tmp_path, *names, tasks=150, rate=100.0)
    assert (summary.started, len(summary.tasks), summary.unexpected) == (150, 150, 0)
    assert summary.seconds >= 149 / 100
    by_task_id = {record.task_id: record for record in summary.tasks}
    assert sorted(task.task_id or 0 for task in traced.tasks) == list(range(1, 151))
    for task in traced.tasks:
        agree(task, by_task_id[task.task_id or 0])
    assert undecoded(traced) == []


def test_callback_later_than_the_client_waits(tmp_path: Path) -> None:
    summary, traced = play(tmp_path, "late-callback", callback_timeout=0.3, callback_delay=0.5)
    assert summary.outcomes == {Outcome.NO_CALLBACK: 1}
    assert summary.unexpected == 0
    (task,) = traced.tasks
    assert task.outcome is Outcome.NO_CALLBACK


def test_a_patient_client_confirms_the_end_as_the_engine_does(tmp_path: Path) -> None:
    """A second of the run is stretched to a minute, which makes the times those of the engine."""
    stretch = 60
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dissector.simulate.client._ENGINE_PATIENCE", 0.5)
        summary, packets = record(tmp_path, replace(QUICK, scenarios=("no-callback",)))
    begun = packets[0].time
    traced = trace([packet._replace(time=begun + (packet.time - begun) * stretch) for packet in packets])
    (task,) = traced.tasks
    assert summary.outcomes == {Outcome.NO_CALLBACK: 1}
    assert task.outcome is Outcome.NO_CALLBACK
    assert [message.operation for message in traced.messages if message.kind == "command"] == [
        "remote_scheduler.start_remote_task",
        "remote_scheduler.remote_task.close",
    ]


# --- like the engine -----------------------------------------------------------------------------------------------


def line(direction: str, letter: str, operation: str | None, member: str | None, depth: int) -> tuple[object, ...]:
    return direction, letter, operation, member, depth


def lines_of(messages: list[Message]) -> list[tuple[object, ...]]:
    way = {True: "client->remote", False: "remote->client"}
    return [
        line(way[message.to_remote], chr(message.raw[0]), message.operation, message.member, message.depth)
        for message in messages
        if message.kind not in ("command", "command_answer")
    ]


@pytest.mark.parametrize(
    ("name", "recording"),
    [("shell-job", "engine_shell_ok"), ("killed-task", "engine_kill_task"), ("failing-job", "engine_shell_fail")],
)
def test_message_flow_is_the_engines(tmp_path: Path, captures: Path, name: str, recording: str) -> None:
    truth = json.loads((captures / f"{recording}.truth.json").read_text(encoding="utf-8"))
    (connection,) = truth["callback_connections"]
    engine = [
        line(e["direction"], e["class"], e["operation"], e.get("member"), e["depth"]) for e in connection["messages"]
    ]
    _, traced = play(tmp_path, name)
    ours = lines_of(traced.messages)
    if name == "failing-job":  # how much it wrote is the job's own affair
        engine, ours = ([e for e in side if e[3] != "log"] for side in (engine, ours))
    assert ours == engine


def test_ends_are_the_engines(tmp_path: Path) -> None:
    """The client ends the callback connection by FIN and RST, its command connection by FIN."""
    _, traced = play(tmp_path, "shell-job")
    callback, command = sorted(traced.connections, key=lambda c: c.role.value)
    assert (callback.role.value, command.role.value) == ("callback", "command")
    client = callback.sides[Side.SERVER]
    assert client.fin is not None
    assert client.rst is not None or callback.sides[Side.CLIENT].fin is not None
    assert command.sides[Side.CLIENT].fin is not None
    assert command.closed == "fin"


def test_construct_is_the_engines(tmp_path: Path) -> None:
    _, traced = play(tmp_path, "shell-job")
    (construct,) = (message.body for message in traced.messages if message.member == "construct" and message.to_remote)
    assert isinstance(construct, m.Call)
    (array,) = construct.params.arguments
    assert isinstance(array.value, m.SafeArray)
    texts = [element.value for element in array.value.elements if isinstance(element, m.Variant)]
    keys = [text.partition("=")[0] if isinstance(text, str) else text for text in texts]
    assert keys == [
        "language", "com_class", "filename", "java_class", "java_options", "java_class_path", "recompile", "script",
        "job", "task_id", "environment", "process.filename", "process.param_raw", "process.log_filename",
        "process.ignore_error", "process.ignore_signal", None, None,
    ]  # fmt: skip


# --- what single scenarios are there for ---------------------------------------------------------------------------


def test_all_variant_types_go_both_ways(tmp_path: Path) -> None:
    _, traced = play(tmp_path, "all-variants")
    there = [m_.body for m_ in traced.messages if isinstance(m_.body, m.Invoke) and m_.body.params.named]
    back = [
        m_.body.result
        for m_ in traced.messages
        if m_.member == "var" and isinstance(m_.body, m.InvokeAnswer) and m_.body.result is not None
    ]
    sent = [body.params.arguments[0] for body in there]
    assert sent == [value for _, value in every_variant()]
    assert back[1::2] == sent
    assert {value.vt for value in sent} == {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16, 17, 18, 19, 20, 21, 22, 23, 0x2011, 0x2008, 0x200C,
    }  # fmt: skip


def test_nested_calls_are_seven_deep(tmp_path: Path) -> None:
    _, traced = play(tmp_path, "nested")
    assert max(message.depth for message in traced.messages) == 7


def test_keep_alives_of_both_kinds(tmp_path: Path) -> None:
    summary, packets = record(tmp_path, replace(QUICK, scenarios=("keep-alives",)))
    (task,) = trace(packets).tasks
    assert task.counts.keep_alives == 4
    command = summary.tasks[0].client
    assert command is not None
    assert command.port is not None
    port = command.port.to_bytes(2, "big")
    spaces = [packet for packet in packets if packet.data[34:36] == port and packet.data[66:] == b" "]
    assert len(spaces) >= 4


def test_a_big_script_is_a_megabyte(tmp_path: Path) -> None:
    _, traced = play(tmp_path, "big-script")
    assert max(message.size for message in traced.messages) > 1_000_000


def test_another_address_is_told_apart(tmp_path: Path) -> None:
    summary, _ = play(tmp_path, "callback-other-address")
    (task,) = summary.tasks
    assert task.peer is not None
    assert task.remote is not None
    assert (task.remote.ip, task.peer.ip) == ("127.0.0.1", "127.0.0.2")
