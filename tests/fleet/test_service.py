"""What a service manager hears, and entries of the journal: against sockets of the test's own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TextIO

import pytest

from dissector.fleet.service import Journal, ServiceManager, journal_behind
from dissector.model import Outcome, Problem, Severity, Task
from dissector.render.filter import Filter
from dissector.render.live.journal import JournalView
from dissector.wire.masking import Mask

SECOND = 1_000_000_000


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "s"))
        one.settimeout(5)
        yield one


def entry(listener: socket.socket) -> dict[str, str]:
    lines = listener.recv(1 << 16).decode().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_ready_alive_and_at_the_end(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("dissector.fleet.service.time.monotonic", lambda: now[0])
    environment = {
        "NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid()),
    }  # fmt: skip
    manager = ServiceManager(environment)
    assert manager.listens
    manager.ready()
    assert listener.recv(100) == b"READY=1"
    for moment in (100.0, 104.9, 105.0, 105.1):
        now[0] = moment
        manager.running((), 0, lambda _task: None)
    manager.close(())
    assert [listener.recv(100) for _ in range(3)] == [b"WATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]


@pytest.mark.parametrize("watchdog", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}])
def test_no_sign_of_life_that_nobody_asked_for(listener: socket.socket, watchdog: dict[str, str]) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": listener.getsockname(), **watchdog})
    manager.running((), 0, lambda _task: None)
    manager.close(())
    assert listener.recv(100) == b"STOPPING=1"


def test_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        name = f"jstrace-test-{os.getpid()}"
        one.bind(f"\0{name}")
        one.settimeout(5)
        manager = ServiceManager({"NOTIFY_SOCKET": f"@{name}"})
        manager.ready()
        assert one.recv(100) == b"READY=1"
        manager.close(())


@pytest.mark.parametrize("place", ["", "vsock:2:1", "/nowhere/x"])
def test_nobody_to_hear(place: str) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": place} if place else {})
    assert not manager.listens
    manager.ready()


@pytest.fixture
def journal(listener: socket.socket) -> Iterator[Journal]:
    with closing(Journal(listener.getsockname())) as one:
        yield one


def stream_of(out: TextIO) -> dict[str, str]:
    found = os.fstat(out.fileno())
    return {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}


def test_the_journal_is_used_where_the_lines_go_to_it(listener: socket.socket, tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as mine, (tmp_path / "b").open("w") as other:
        journal = journal_behind(mine, stream_of(mine), listener.getsockname())
        assert journal is not None
        journal.close()
        assert journal_behind(mine, stream_of(other), listener.getsockname()) is None
        assert journal_behind(mine, {}, listener.getsockname()) is None
        assert journal_behind(mine, {"JOURNAL_STREAM": "x"}, listener.getsockname()) is None
        assert journal_behind(mine, stream_of(mine), "/nowhere/x") is None


def test_entries_have_fields_and_priorities(listener: socket.socket, journal: Journal) -> None:
    view = JournalView(journal.send, Mask(), Filter(), log=False)
    lost = Task(SECOND, 1, n=3, end=2 * SECOND, job="night\nly", task_id=7, outcome=Outcome.LOST)
    lost.problems.append(Problem("connection_lost", Severity.ERROR, SECOND, (4,), "Reset.\nJSTRACE_TASK=9", task=lost))
    view.add(lost)
    view.add(Task(SECOND, 1, n=4, end=2 * SECOND, job="password=hunter2", outcome=Outcome.SUCCESS))
    view.note("eth0 is down")
    end, problem, success, note = (entry(listener) for _ in range(4))
    about = {"JSTRACE_TASK": "3", "JSTRACE_JOB": "night\\nly:7", "SYSLOG_IDENTIFIER": "jstrace", "PRIORITY": "3"}
    assert end.items() >= {**about, "JSTRACE_OUTCOME": "lost"}.items()
    assert end["MESSAGE"].startswith("task 3  night\\nly:7  lost")
    assert problem.items() >= {**about, "JSTRACE_CODE": "connection_lost", "JSTRACE_SEVERITY": "error"}.items()
    assert "Reset." in problem["MESSAGE"]
    assert success.items() >= {"PRIORITY": "6", "JSTRACE_OUTCOME": "success", "JSTRACE_JOB": "password=***"}.items()
    assert (note["MESSAGE"], note["PRIORITY"]) == ("eth0 is down", "4")


def test_a_value_is_one_field_and_fits(listener: socket.socket, journal: Journal) -> None:
    journal.send({"MESSAGE": "a\nPRIORITY=0\n" + "x" * 50_000})
    assert set(found := entry(listener)) == {"MESSAGE", "SYSLOG_IDENTIFIER"}
    assert len(found["MESSAGE"]) == 8_000


def test_a_journal_without_room_is_not_waited_for(listener: socket.socket, journal: Journal) -> None:
    for _ in range(2_000):
        journal.send({"MESSAGE": "x" * 1_000})
    seen = 0
    listener.setblocking(False)
    try:
        while listener.recv(1 << 16):
            seen += 1
    except BlockingIOError:
        pass
    journal.send({"MESSAGE": "again"})
    assert 0 < seen < 2_000
    assert entry(listener)["JSTRACE_LOST"] == str(2_000 - seen)


def test_a_journal_that_is_begun_anew(listener: socket.socket, journal: Journal) -> None:
    place = listener.getsockname()
    journal.send({"MESSAGE": "one"})
    assert entry(listener)["MESSAGE"] == "one"
    listener.close()
    journal.send({"MESSAGE": "two"})
    Path(place).unlink()
    journal.send({"MESSAGE": "three"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as anew:
        anew.bind(place)
        anew.settimeout(5)
        journal.send({"MESSAGE": "four"})
        assert entry(anew).items() >= {"MESSAGE": "four", "JSTRACE_LOST": "2"}.items()
        journal.send({"MESSAGE": "five"})
        assert "JSTRACE_LOST" not in entry(anew)
