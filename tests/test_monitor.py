"""The monitor's loop, fed by a source that the test makes up."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from dissector import monitor
from dissector.model import CaptureInfo, Look, Problem, Running, Task
from dissector.monitor import Ends, Monitor
from dissector.session.tracer import Event, Tracer
from dissector.sources.live import Recorder
from dissector.stream.block import Block


class Quiet:
    """No packets; more and more drops."""

    def __init__(self) -> None:
        self.info = CaptureInfo("made up")
        self.warnings: list[Problem] = []
        self.over = False
        self.recorder: Recorder | None = None
        self.polls = 0

    @property
    def dropped(self) -> int:
        return 7 * self.polls

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

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:  # noqa: ARG002
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
