"""``jstrace.trace``, ``messages`` and ``events``: what ``jstrace read`` prints, as objects, one by one."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Iterable
from dataclasses import FrozenInstanceError
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import jstrace
from dissector.model import Outcome, Role, Severity

Json = dict[str, Any]
ORDER, FAIL, TEN = "engine_order.pcap", "engine_shell_fail.pcap", "engine_ten_tasks.pcap"


def records(found: Iterable[Any], kind: type) -> list[Json]:
    return [json.loads(one.to_json()) for one in found if type(one) in (kind,)]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("files", [[FAIL], [TEN], [ORDER, FAIL], ["h19_variants.pcap"], ["engine_api_sub.pcap"]])
def test_records_are_those_of_the_command(files: list[str], captures: Path, trace: Callable[..., Json]) -> None:
    paths = [captures / name for name in files]
    printed = trace(*paths)
    found = jstrace.events(*paths, with_messages=True)
    everything = list(found)
    for key, kind in (
        ("tasks", jstrace.Task), ("connections", jstrace.Connection), ("messages", jstrace.Message),
    ):  # fmt: skip
        assert sorted(records(iter(everything), kind), key=lambda record: record["n"]) == printed[key]
    problems = records(iter(everything), jstrace.Problem)
    assert sorted(map(json.dumps, problems)) == sorted(map(json.dumps, printed["problems"]))
    assert [one.to_dict() for one in found.captures] == printed["captures"]
    tasks = jstrace.trace(*paths)
    assert sorted((one.to_dict() for one in tasks), key=lambda record: record["n"]) == printed["tasks"]
    assert [one.to_dict() for one in jstrace.messages(*paths)] == records(iter(everything), jstrace.Message)


def test_a_task_says_the_same_as_its_record(captures: Path) -> None:
    (task,) = jstrace.trace(captures / FAIL)
    record = task.to_dict()
    for name in ("n", "job", "task_id", "outcome", "exit_code", "signal", "duration", "callback_delay", "kind", "pid"):
        assert getattr(task, name) == dict(record)[name]
    assert task.client is not None
    assert (task.client.ip, task.client.port) == ("127.0.0.1", 47406)
    assert (task.callback_port, str(task.callback_peer)) == (59999, "127.0.0.1:40004")
    assert task.start == datetime(2026, 11, 22, 4, 7, 4, 837098, tzinfo=timezone.utc)
    assert (task.end - task.start).total_seconds() == task.duration
    assert task.counts.bytes == record["counts"]["bytes"]
    assert [line.text for line in task.log] == [line["text"] for line in record["log"]]
    assert [problem.code for problem in task.problems] == record["problems"] == ["job_failed"]
    assert str(task.problems[0]).startswith("error job_failed: The job's process ended")
    assert task.problems[0].packets == (39,)
    assert task.problems[0].task == 1


def test_a_message_says_the_same_as_its_record(captures: Path) -> None:
    for message in jstrace.messages(captures / "h19_variants.pcap"):
        record = message.to_dict()
        for name in ("n", "kind", "operation", "member", "dispid", "hresult", "depth", "latency", "xml", "bytes"):
            assert getattr(message, name) == dict(record)[name]
        assert message.packets == tuple(record["packets"])
        assert [value.type for value in message.arguments or ()] == [one["type"] for one in record["arguments"] or []]
        if message.object is not None and record["object"] is not None:
            assert f"0x{message.object.id:016x}" == record["object"]["id"]
            assert message.object.new is None


def test_exchanges_are_those_of_the_command(captures: Path, trace: Callable[..., Json]) -> None:
    path = captures / "agent" / "ua113_frozen.pcap"
    printed = trace(path)
    found = list(jstrace.exchanges(path))
    assert [one.to_dict() for one in found] == printed["exchanges"]
    everything = jstrace.events(path, with_messages=True)
    assert records(everything, jstrace.Exchange) == [one.to_dict() for one in found]
    for one, record in zip(found, printed["exchanges"], strict=True):
        assert (one.n, one.task, one.status, one.kind) == tuple(record[key] for key in ("n", "task", "status", "kind"))
        assert (one.request, one.response, one.error) == (record["request"], record["response"], record["error"])
        assert (one.repeats, one.request_id, one.latency) == (
            record["repeats"],
            record["request_id"],
            record["latency"],
        )
    assert [one.repeats for one in found if one.repeats] == [4, 4, 4]
    (task,) = jstrace.trace(path)
    assert (task.via, task.agent) == ("http", jstrace.Agent("127.0.0.1", 4445, "", "7", "***"))
    carried = {message.exchange for message in jstrace.messages(path)}
    assert carried <= {one.n for one in found}
    assert None not in carried


def test_exchanges_of_tasks_and_their_secrets(captures: Path) -> None:
    path = captures / "agent" / "ua113_two_tasks.pcap"
    assert {one.task for one in jstrace.exchanges(path, task=2)} == {2}
    (start,) = (one for one in jstrace.exchanges(path, task=2, show_secrets=True) if one.type == "StartNonApiTask")
    assert isinstance(start.response, dict)
    assert str(start.response["agentTaskId"]).startswith("13-")
    (start,) = (one for one in jstrace.exchanges(path, task=2) if one.type == "StartNonApiTask")
    assert isinstance(start.response, dict)
    assert start.response["agentTaskId"] == "***"
    assert list(jstrace.exchanges(captures / TEN)) == []


def test_records_can_not_be_changed_and_can_be_kept(captures: Path) -> None:
    for one in jstrace.events(captures / FAIL, with_messages=True):
        with pytest.raises((FrozenInstanceError, TypeError)):
            one.n = 3  # type: ignore[misc, union-attr]
        assert pickle.loads(pickle.dumps(one)) == one
        assert len({one, one}) == 1


def test_tasks_come_as_they_are_final(captures: Path) -> None:
    with jstrace.trace(captures / TEN) as tasks:
        first = next(tasks)
        assert first.outcome == "success"
        assert tasks.captures[0].file == str(captures / TEN)
        tasks.close()
        assert list(tasks) == []


def test_nothing_is_opened_before_somebody_asks(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    tasks = jstrace.trace(pipe)  # to open it would wait for a writer
    assert tasks.captures[0].packets == 0
    tasks.close()
    assert list(tasks) == []


def test_files_are_closed_however_it_ends(captures: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    leaving: tuple[Callable[[jstrace.Trace[jstrace.Task]], object], ...] = (
        lambda tasks: tasks.close(),
        list,
        lambda tasks: tasks.__exit__(None, None, None),
    )
    for leave in leaving:
        tasks = jstrace.trace(captures / TEN)
        next(tasks)
        leave(tasks)
        assert open_files() == before


def test_filters_are_those_of_the_command(captures: Path, trace: Callable[..., Json]) -> None:
    for filters in (["outcome=failure"], ["job=order*", "took<1s"], ["member=spooler_log.*"], ["latency>1ms"]):
        options = [option for text in filters for option in ("--filter", text)]
        printed = trace(captures / ORDER, captures / FAIL, *options)
        paths = captures / ORDER, captures / FAIL
        tasks = list(jstrace.trace(*paths, filter=filters))
        assert sorted(task.n for task in tasks) == [task["n"] for task in printed["tasks"]]
        found = jstrace.messages(*paths, filter=filters)
        assert sorted(message.n for message in found) == [message["n"] for message in printed["messages"]]
    assert [task.n for task in jstrace.trace(*paths, filter="outcome=failure")] == [1]


def test_tasks_by_their_numbers(captures: Path) -> None:
    assert [task.n for task in jstrace.trace(captures / TEN, task=3)] == [3]
    assert sorted(task.n for task in jstrace.trace(captures / TEN, task=(3, 10))) == [3, 10]
    assert {message.task for message in jstrace.messages(captures / TEN, task=3)} == {3}
    with pytest.raises(jstrace.UsageError, match="there is no task 11: there are 10 tasks"):
        list(jstrace.trace(captures / TEN, task=[1, 11]))


def test_a_filter_that_makes_no_sense_is_said_at_once(captures: Path) -> None:
    with pytest.raises(jstrace.UsageError, match="there is no field 'jbo'"):
        jstrace.trace(captures / TEN, filter="jbo=x")
    with pytest.raises(jstrace.UsageError, match="no capture file"):
        jstrace.trace()


def test_what_can_not_be_read_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(jstrace.CaptureError) as missing:
        list(jstrace.trace(tmp_path / "none.pcap"))
    assert missing.value.where == str(tmp_path / "none.pcap")
    assert (missing.value.number, missing.value.offset) == (None, None)
    broken = tmp_path / "broken.pcapng"
    broken.write_bytes(bytes.fromhex("0a0d0d0a 00000000 4d3c2b1a") + bytes(40))
    with pytest.raises(jstrace.JstraceError) as refused:
        list(jstrace.messages(broken))
    assert isinstance(refused.value, jstrace.CaptureError)
    assert refused.value.offset is not None


def test_what_can_be_read_in_part_is_a_warning(captures: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes((captures / FAIL).read_bytes()[:-20])
    tasks = jstrace.trace(cut)
    (task,) = tasks
    assert task.job == "shell_fail"
    assert [warning.code for warning in tasks.warnings] == ["capture_truncated"]
    assert tasks.captures[0].truncated
    assert set(tasks.warnings) <= set(tasks.problems)
    both = jstrace.trace(captures / FAIL, tmp_path / "none.pcap")
    assert [one.n for one in both] == [1]
    assert [warning.code for warning in both.warnings] == ["file_skipped"]


def test_what_there_is_instead_of_tasks_is_a_problem(tmp_path: Path, captures: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes((captures / FAIL).read_bytes()[:24])
    tasks = jstrace.trace(empty)
    assert list(tasks) == []
    assert [problem.code for problem in tasks.problems] == ["nothing_captured"]


def test_secrets_are_masked_unless_asked_for(captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = captures / FAIL
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "jstrace").mkdir()
    (tmp_path / "jstrace" / "mask.conf").write_text("regex shell_f(ai)l\n")
    assert [task.job for task in jstrace.trace(path)] == ["shell_f***l"]
    assert [task.job for task in jstrace.trace(path, show_secrets=True)] == ["shell_fail"]
    (tmp_path / "jstrace" / "mask.conf").write_text("regexx\n")
    with pytest.raises(jstrace.UsageError, match=r"mask\.conf: line 1"):
        jstrace.trace(path)


def test_words_are_those_of_the_tracer() -> None:
    """The public types list every word that there is."""
    definitions: Any = jstrace.schema()["$defs"]
    assert definitions["task"]["properties"]["outcome"]["enum"] == [one.value for one in Outcome]
    assert definitions["problem"]["properties"]["severity"]["enum"] == [one.value for one in Severity]
    assert definitions["connection"]["properties"]["role"]["enum"] == [one.value for one in Role]


HTTPS = Path(__file__).resolve().parents[2] / "captures" / "agent" / "ua113_https_rsa.pcap"


def test_https_is_deciphered() -> None:
    path = HTTPS
    log, key = path.with_suffix(".keys"), path.with_suffix(".server.key")
    for found in (jstrace.trace(path, tls_keylog=log), jstrace.trace(path, tls_key=[key])):
        (task,) = found
        assert (task.job, task.outcome) == ("/folder/shell", "success")
    assert list(jstrace.trace(path)) == []
    with pytest.raises(jstrace.UsageError, match="no TLS key log"):
        jstrace.trace(path, tls_keylog=path.with_suffix(".server.key"))


def test_what_is_known_of_tls() -> None:
    path = HTTPS
    (connection,) = [one for one in jstrace.events(path) if isinstance(one, jstrace.Connection)]
    assert connection.role == "tls"
    assert connection.tls is not None
    assert (connection.tls.version, connection.tls.decrypted) == ("TLS 1.2", False)
    (certificate,) = connection.tls.certificates
    assert certificate.names == ("127.0.0.1",)
    assert certificate.not_after is not None
    assert certificate.not_after.year == 2036
    record = connection.to_dict()["tls"]
    assert record is not None
    assert record["alerts"] == []
