"""Who is told of which task, and what becomes of it on the way."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dissector.errors import UsageError
from dissector.fleet import delivery
from dissector.fleet.alarm import Alarm
from dissector.fleet.delivery import MAX_WAITING, Delivery, Notice, RunCommand, Webhook
from dissector.fleet.flood import After
from dissector.model import Event, Outcome, Problem, Severity, Task
from dissector.render.filter import parse

SECOND = 1_000_000_000
NOTICE = Notice('{"record": "task"}\n', {"TASK": "7", "JOB": "nightly"}, 1)


class Heard:
    name = "test"

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def deliver(self, notice: Notice, closing: threading.Event) -> str | None:  # noqa: ARG002  a bearer's shape
        self.notices.append(notice)
        return None


def ended(outcome: Outcome = Outcome.LOST, job: str = "nightly", n: int = 1, *codes: str) -> Task:
    task = Task(SECOND, 1, n=n, end=2 * SECOND, job=job, outcome=outcome)
    task.problems += [Problem(code, Severity.ERROR, 0, (), "x", task=task) for code in codes]
    return task


def heard(expression: str, *events: Event, warnings: tuple[Problem, ...] = ()) -> list[Notice]:
    who = Heard()
    alarm = Alarm(parse((expression,)), [who])
    for problem in warnings:
        alarm.warn(problem)
    for event in events:
        alarm.add(event)
    alarm.close(())
    assert not alarm.remarks
    return who.notices


def test_only_tasks_that_match() -> None:
    (notice,) = heard("outcome=lost", ended(Outcome.SUCCESS), ended(n=2), ended(Outcome.FAILURE))
    record = json.loads(notice.record)
    assert (record["record"], record["n"], record["outcome"]) == ("task", 2, "lost")
    assert notice.record.count("\n") == 1
    assert notice.facts["TASK"] == "2"
    assert notice.facts["OUTCOME"] == "lost"
    assert notice.facts["EVENT"] == "task"


def test_facts_are_harmless_masked_and_short() -> None:
    (notice,) = heard("outcome=lost", ended(job="a\nb\x00c\x1b[2J password=hunter2 " + "x" * 5_000))
    assert notice.facts["JOB"].startswith("a\\nb\\x00c\\x1b[2J password=*** x")
    assert len(notice.facts["JOB"]) == 1_000
    assert "hunter2" not in notice.record
    assert all(value.isprintable() for value in notice.facts.values())


def test_codes_once_each() -> None:
    (notice,) = heard("outcome=lost", ended(Outcome.LOST, "x", 1, "connection_lost", "idle_cut", "connection_lost"))
    assert notice.facts["CODE"] == "connection_lost,idle_cut"


def test_a_task_that_hangs_is_told_for_what_it_hangs_by() -> None:
    task = ended(Outcome.RUNNING)
    hangs = Problem("callback_missing", Severity.WARNING, 0, (), "password=hunter2", task=task)
    (notice,) = heard("problem=callback_missing", warnings=(hangs,))
    assert json.loads(notice.record)["code"] == "callback_missing"
    assert json.loads(notice.record)["record"] == "problem"
    assert "hunter2" not in notice.record
    assert (notice.facts["EVENT"], notice.facts["CODE"]) == ("problem", "callback_missing")
    assert heard("problem=slow_call", warnings=(hangs,)) == []
    assert heard("job=nightly", warnings=(hangs,)) == []
    assert heard("problem=callback_missing and job=other", warnings=(hangs,)) == []
    assert heard("problem=callback_missing", warnings=(Problem("callback_missing", Severity.INFO, 0, (), ""),)) == []


def test_floods_are_told_with_their_number() -> None:
    who, now = Heard(), [0.0]
    alarm = Alarm(parse(("outcome=lost",)), [who], After(3, 60), lambda: now[0])
    for n in range(10):
        alarm.add(ended(n=n + 1))
    now[0] = 60
    alarm.running((), 0, lambda _task: None)
    alarm.add(ended(n=11))
    alarm.close(())
    assert [(notice.facts["TASK"], notice.matches) for notice in who.notices] == [("3", 3), ("10", 7)]
    assert list(alarm.remarks) == ["--notify-after: 1 match since the last notice"]


# --- programs ------------------------------------------------------------------------------------------------------


def python(code: str) -> RunCommand:
    return RunCommand(f"{sys.executable} -c '{code}'")


def test_a_program_gets_record_and_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    out = tmp_path / "out"
    code = f'import os, sys; open("{out}", "w").write(sys.stdin.read() + repr(sorted(os.environ.items())))'
    assert python(code).deliver(NOTICE, threading.Event()) is None
    record, _, environment = out.read_text().partition("\n")
    assert record == '{"record": "task"}'
    for name, value in (("TASK", "7"), ("JOB", "nightly"), ("COUNT", "1")):
        assert f"('JSTRACE_{name}', '{value}')" in environment
    assert "NOTIFY_SOCKET" not in environment


def test_no_shell_sees_the_command(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    assert RunCommand(f"true ; touch {victim} $(touch {victim})").deliver(NOTICE, threading.Event()) is None
    with pytest.raises(UsageError, match="there is no such program"):
        RunCommand(f"true; touch {victim}")
    assert not victim.exists()


def test_what_a_program_does_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert python("import sys; sys.exit(3)").deliver(NOTICE, threading.Event()) == "exit status 3"
    monkeypatch.setattr(delivery, "_RUN_SECONDS", 0.3)
    begun = time.monotonic()
    assert python("import time; time.sleep(60)").deliver(NOTICE, threading.Event()) == "killed after 0 s"
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("command", ["", "  ", "nosuch-program x", "'unbalanced"])
def test_what_is_no_program(command: str) -> None:
    with pytest.raises(UsageError, match="--run "):
        RunCommand(command)


# --- web servers ---------------------------------------------------------------------------------------------------


class Hook:
    """A web server that answers with ``answers``, one after the other."""

    def __init__(self, answers: list[int]) -> None:
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posts.append((self.path, dict(self.headers), body))
                status = answers.pop(0)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                hook.posts.append((self.path, {}, b""))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/secret?x=1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_BACKOFF", (0.01, 0.01, 0.01))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("answers", "reason", "posts"),
    [
        ([200], None, 1),
        ([204], None, 1),
        ([500, 503, 429, 200], None, 4),
        ([500, 500, 500, 500, 200], "HTTP 500, given up", 4),
        ([404, 200], "HTTP 404", 1),
        ([302, 200], "HTTP 302", 1),
    ],
)
def test_a_post_is_tried_again_where_that_may_help(answers: list[int], reason: str | None, posts: int) -> None:
    hook = Hook(answers)
    assert Webhook(hook.url).deliver(NOTICE._replace(matches=5), threading.Event()) == reason
    hook.server.shutdown()
    hook.server.server_close()
    assert len(hook.posts) == posts
    path, headers, body = hook.posts[-1]
    assert path == "/secret?x=1"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Jstrace-Count"] == "5"
    assert json.loads(body) == {"record": "task"}


@pytest.mark.usefixtures("quick")
def test_nobody_listens() -> None:
    hook = Hook([])
    hook.server.shutdown()
    hook.server.server_close()
    webhook = Webhook(hook.url)
    assert webhook.deliver(NOTICE, threading.Event()) == "Connection refused, given up"
    assert webhook.name == "--webhook 127.0.0.1"


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://x/", "file:///etc/passwd", "http://", "http://x/ y", "http://x/\n", "https://u:p@x/"]
)
def test_what_is_no_web_server(url: str) -> None:
    with pytest.raises(UsageError, match="--webhook"):
        Webhook(url)


# --- the way there -------------------------------------------------------------------------------------------------


class Stuck:
    name = "stuck"

    def __init__(self) -> None:
        self.free = threading.Event()

    def deliver(self, notice: Notice, closing: threading.Event) -> str | None:  # noqa: ARG002  a bearer's shape
        self.free.wait(30)
        return None


def test_whoever_sends_never_waits_and_what_is_lost_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_END_SECONDS", 0.2)
    stuck, remarks = Stuck(), list[str]()
    way = Delivery(stuck, remarks.append)
    way.send(NOTICE)
    while way._waiting.qsize():  # the first one is on its way
        time.sleep(0.01)
    begun = time.monotonic()
    for _ in range(MAX_WAITING + 5):
        way.send(NOTICE)
    assert time.monotonic() - begun < 5
    assert way.lost == 5
    assert remarks == ["stuck: notices are lost: 100 wait already"]
    way.close()
    assert way.lost == 5 + MAX_WAITING + 1
    assert remarks[1:] == ["stuck: 106 notices lost, 0 delivered"]
    stuck.free.set()


def test_one_that_is_under_way_at_the_end_is_lost_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_END_SECONDS", 0.2)
    stuck, remarks = Stuck(), list[str]()
    way = Delivery(stuck, remarks.append)
    for _ in range(3):
        way.send(NOTICE)
    way.close()
    assert remarks == ["stuck: 3 notices lost, 0 delivered"]
    stuck.free.set()


def test_the_same_failure_is_said_once() -> None:
    class Fails(Heard):
        def deliver(self, notice: Notice, closing: threading.Event) -> str | None:  # noqa: ARG002  a bearer's shape
            return "exit status 1"

    remarks: list[str] = []
    way = Delivery(Fails(), remarks.append)
    for _ in range(20):
        way.send(NOTICE)
    way.close()
    assert remarks == ["test: exit status 1", "test: 20 notices lost, 0 delivered"]
