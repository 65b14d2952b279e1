"""The monitor's loop, fed by a source that the test makes up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest

from dissector import monitor
from dissector.model import CaptureInfo, Connection, Event, Look, Problem, Running, Severity, Task
from dissector.monitor import Ends, Monitor
from dissector.render.filter import parse
from dissector.render.live.plain import PlainView
from dissector.render.terminal import Terminal
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.sources.live import Recorder
from dissector.stream.block import Block
from dissector.wire.masking import Mask

SECOND = 1_000_000_000


class Quiet:
    """No packets; more and more drops."""

    loses = 7

    def __init__(self) -> None:
        self.info = CaptureInfo("made up")
        self.warnings: list[Problem] = []
        self.over = False
        self.recorder: Recorder | None = None
        self.polls = 0

    @property
    def dropped(self) -> int:
        return self.loses * self.polls

    def poll(self, timeout: float) -> list[Block]:
        time.sleep(min(timeout, 0.02))
        self.polls += 1
        return []

    def news(self) -> list[str]:
        return []

    def close(self) -> None:
        self.over = True


class Listener:
    wants_messages = False

    def __init__(self, pause: float = 0.0) -> None:
        self.notes: list[str] = []
        self.events: list[Event] = []
        self.looks = 0
        self._pause = pause

    def started(self, task: Task) -> None: ...
    def called_back(self, task: Task) -> None: ...
    def warn(self, problem: Problem) -> None: ...
    def add(self, event: Event) -> None:
        self.events.append(event)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:  # noqa: ARG002  a listener's shape
        self.looks += 1
        time.sleep(self._pause)

    def close(self, captures: Sequence[CaptureInfo]) -> None: ...


def follow(listener: Listener, seconds: float) -> Quiet:
    source = Quiet()
    Monitor(source, Tracer(window=1), listener, slow=10**10, ends=Ends(seconds)).run()
    return source


def test_drops_are_told_now_and_then_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "_PERIOD", 0.05)
    monkeypatch.setattr(monitor, "_REMARKS", 0.4)
    listener = Listener()
    source = follow(listener, 1.0)
    assert 2 <= len(listener.notes) <= 3
    counts = [[int(word) for word in note.split() if word.isdecimal()] for note in listener.notes]
    assert all(note.startswith("the kernel dropped ") and note.endswith(" so far") for note in listener.notes)
    assert sum(new for new, _ in counts) == counts[-1][1]
    (problem,) = [event for event in listener.events if isinstance(event, Problem)]
    assert (problem.code, problem.summary) == (
        "packets_dropped", f"The kernel dropped {source.dropped} packets of {source.dropped}.",
    )  # fmt: skip


def test_looking_at_much_that_is_under_way_leaves_time_for_packets() -> None:
    listener = Listener(pause=0.04)
    follow(listener, 1.5)
    assert listener.looks <= 4  # the first one, one 20 times as long later, and two at the end; else eight


def test_what_still_waits_at_the_end_is_said(captures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than can be traced then; packets of a recording come again and again."""
    (block,) = CaptureReader([str(captures / "engine_shell_fail.pcap")]).blocks()

    class Endless(Quiet):
        def poll(self, timeout: float) -> list[Block]:  # noqa: ARG002  a source's shape
            return [block]

    listener = Listener()
    monkeypatch.setattr(monitor, "_PATIENCE", 0.1)
    Monitor(Endless(), Tracer(), listener, slow=10**10, ends=Ends(0.0)).run()
    assert listener.notes == ["the newest packets are not traced: more waited than 0 s are enough for"]


class Recorded(Quiet):
    """The packets of a recording, all at once, then nothing more."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._blocks = [block._replace(data=bytes(block.data)) for block in CaptureReader([path]).blocks()]

    loses = 0

    def poll(self, timeout: float) -> list[Block]:
        super().poll(timeout)
        blocks, self._blocks = self._blocks, []
        return blocks


def lines(path: Path, seconds: float, *chosen: str) -> list[list[str]]:
    """What the plain lines said when the listener was told of the end, and all they said."""
    out, told = StringIO(), list[str]()

    class Watched(PlainView):
        def close(self, captures: Sequence[CaptureInfo]) -> None:
            super().close(captures)
            told.append(out.getvalue())

    view = Watched(Terminal(out, "never"), Mask(), parse(chosen), log=False)
    follower = Monitor(Recorded(path), Tracer(window=SECOND), view, slow=10**10, ends=Ends(seconds))
    finish = follower._finish

    def before_the_end() -> None:
        told.append(out.getvalue())
        finish()

    follower._finish = before_the_end  # type: ignore[method-assign]
    follower.run()
    return [text.splitlines() for text in told]


def ends(said: list[str], words: str) -> int:
    return sum(words in line for line in said)


@pytest.mark.parametrize("chosen", [(), ("outcome=failure",)])
def test_an_end_is_told_at_once(chosen: tuple[str, ...], captures: Path) -> None:
    """With its problems: what comes late can not change them."""
    early, late = lines(captures / "engine_shell_fail.pcap", 0.6, *chosen)
    for said in (early, late):
        assert ends(said, "task 1  shell_fail:1  failure, exit 5  took 15.1 ms") == 1
        assert ends(said, "error job_failed") == 1


def test_an_end_is_told_before_its_causes(captures: Path) -> None:
    """Packets behind a reset may still show who sent it."""
    path = captures / "faults" / "14b_task_process_killed_api.c.pcap"
    early, late = lines(path, 0.6)
    assert (ends(early, "  lost  took "), ends(early, "error connection_lost")) == (1, 0)
    assert (ends(late, "  lost  took "), ends(late, "error connection_lost")) == (1, 1)
    assert late[: len(early)] == early
    in_time, _ = lines(path, 2.2)
    assert ends(in_time, "error connection_lost") == 1


def test_a_filter_knows_an_end_when_it_is_final(captures: Path) -> None:
    path = captures / "faults" / "14b_task_process_killed_api.c.pcap"
    early, late = lines(path, 0.6, "problem=connection_lost")
    assert ends(early, "task 1") == 0
    assert (ends(late, "  lost  took "), ends(late, "error connection_lost")) == (1, 1)


def test_records_come_as_soon_as_they_are_final(captures: Path) -> None:
    listener = Listener()
    begun = time.monotonic()
    Monitor(
        Recorded(captures / "engine_ten_tasks.pcap"),
        Tracer(window=SECOND),
        listener,
        slow=10**10,
        ends=Ends(seconds=5, tasks=10),
    ).run()
    assert time.monotonic() - begun < 1
    assert sum(isinstance(event, Task) for event in listener.events) == 10
    assert sum(isinstance(event, Connection) for event in listener.events) == 20


def test_a_line_tells_no_time_of_what_has_none() -> None:
    """Where nothing was captured there is no day."""
    out = StringIO()
    view = PlainView(Terminal(out, "never"), Mask(), parse(""), log=False)
    view.warn(Problem("nothing_captured", Severity.WARNING, 0, (), "The capture has no packet.", cause="", remedy=""))
    view.warn(Problem("x", Severity.WARNING, 1_790_000_000 * 10**9, (), "y", cause="", remedy=""))
    lines = out.getvalue().splitlines()
    assert lines[0] == "warning nothing_captured  The capture has no packet."
    assert lines[1].startswith("2026-09-2")
