"""Follows a capture as it grows: packets into the tracer, what it finds to a listener, an end when one is wanted.

Time is that of the packets; while none come it goes on with this machine's clock.  Whoever looks at what the tracer
found from another thread holds ``lock``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dissector.errors import JstraceError
from dissector.model import CaptureInfo, Event, Look, Message, Problem, Running, Task
from dissector.numbers import count
from dissector.session.advance import feed
from dissector.session.codes import CODES
from dissector.session.final import is_final
from dissector.session.sweeping import Sweeper
from dissector.session.task import TaskFacts
from dissector.session.timers import Timers, running
from dissector.session.tracer import Tracer
from dissector.sources.live import Source
from dissector.sources.ring import CaptureWriter

_SECOND = 1_000_000_000
#: Nanoseconds that a task's number may wait for earlier connections that have not said what they are.
WINDOW = _SECOND
#: Packets arrive a little after their times: a silence counts when it is longer than that.
_LATE = _SECOND // 2
#: Seconds between two looks at what hangs, and the longest wait for a packet.
_PERIOD = 0.25
#: A look takes longer the more is under way: at most one part in so many of the time goes into looking.
_SHARE = 20
#: Tasks over to a look for garbage: whoever asks for metrics waits meanwhile, the longer the more are over.
_MANY_OVER = 2_000
#: Seconds between two remarks about packets that the kernel dropped.
_REMARKS = 10.0
#: Seconds for what waits to be traced at the end.
_PATIENCE = 5.0


class Listener(Protocol):
    """Gets what is found; of a task first ``started``, then ``called_back`` when somebody did, at last ``add``."""

    @property
    def wants_messages(self) -> bool: ...
    def started(self, task: Task) -> None: ...
    def called_back(self, task: Task) -> None: ...
    def add(self, event: Event) -> None:
        """A final record, as ``Tracer`` gives it."""

    def warn(self, problem: Problem) -> None:
        """Something hangs at the moment."""

    def note(self, text: str) -> None:
        """Something happened to the capture itself."""

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:
        """Some times a second: the tasks under way that came, or of which a connection came or went, and those that are
        about to become final; ``look`` tells where any other one stands at ``now``."""

    def close(self, captures: Sequence[CaptureInfo]) -> None: ...


@dataclass(frozen=True)
class Ends:
    """When to stop: after ``seconds``, after ``tasks`` that ended, at the first record for which ``until`` is true; it
    looks at messages if ``on_messages``."""

    seconds: float | None = None
    tasks: int | None = None
    until: Callable[[Event], bool] | None = None
    on_messages: bool = False


class Monitor:
    """``slow``: nanoseconds after which an open call is worth a warning."""

    def __init__(
        self,
        source: Source,
        tracer: Tracer,
        listener: Listener,
        *,
        slow: int,
        recorder: CaptureWriter | None = None,
        ends: Ends | None = None,
    ) -> None:
        self.lock = threading.Lock()
        #: The end is near: set by ``stop``, by what ``ends`` says, or when the source has nothing more.
        self.over = False
        #: ``ends.until`` came true.
        self.happened = False
        #: What ended the run before its time.
        self.error: JstraceError | None = None
        self.source = source
        self._tracer = tracer
        self._listener = listener
        self._recorder = recorder
        self._ends = ends or Ends()
        self._timers = Timers(slow)
        self._sweeper = Sweeper(tracer.under_way, _MANY_OVER)
        self._begun = time.monotonic()
        self._next_look = 0.0
        self._now = self._looked = 0
        self._arrived = 0.0
        self._known: dict[Task, bool] = {}
        #: Tasks that change without a packet: they get a number, or are over and become final, within a second or two.
        self._soon: list[TaskFacts] = []
        self._finished = 0
        self._dropped = self._remarked = 0
        self._next_remark = 0.0
        self._record_failed = False

    @property
    def dropped(self) -> int:
        return self._dropped

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    @property
    def _reached(self) -> bool:
        """What was waited for came; what came behind it does not matter."""
        return self.happened or (self._ends.tasks is not None and self._finished >= self._ends.tasks)

    def stop(self) -> None:
        self.over = True

    def run(self) -> None:
        """Until the end; then everything open becomes final.  What the source raises is in ``error``."""
        for _ in self.steps():
            pass

    def steps(self) -> Generator[None, None, None]:
        """The same, with a pause after each step, so that what was found can be used.  Closed early, it just ends."""
        try:
            try:
                while not self.over:
                    self.step(_PERIOD)
                    yield
            except JstraceError as error:
                self.error = error
            self.over = True
            self._catch_up()
            with self.lock:
                self._finish()
        finally:
            self.over = True
            self.source.close()
            if self._recorder is not None:
                self._recorder.close(self._dropped)

    def step(self, timeout: float) -> None:
        """One wait for packets, and what they bring."""
        if self._ends.seconds is not None:
            timeout = max(0.0, min(timeout, self._ends.seconds - self.seconds))
        blocks = self.source.poll(timeout)
        with self.lock:
            moment = time.monotonic()
            if blocks:
                self._now, self._arrived = max(self._now, blocks[-1].times[-1]), moment
            for block in blocks:
                for events in feed(self._tracer, block):
                    self._pass(events)
                    if self._reached:
                        return
                self._sweeper.passed()
            if not blocks and self._now:
                self._pass(self._tracer.tick(self._clock(moment)))
            if moment >= self._next_look:
                begun = time.monotonic()
                self._look(moment)
                now = time.monotonic()
                self._next_look = now + max(_PERIOD, _SHARE * (now - begun))
            if self.source.over or (self._ends.seconds is not None and self.seconds >= self._ends.seconds):
                self.over = True

    def _catch_up(self) -> None:
        """When somebody ended it: what was captured until then and waits is still traced."""
        begun, stopped = time.monotonic(), time.time_ns()
        by_itself = self._reached or self.error is not None
        while not (by_itself or self.source.over):
            blocks = self.source.poll(_PERIOD / 2)
            with self.lock:
                for block in blocks:
                    for events in feed(self._tracer, block):
                        self._pass(events)
                if not blocks or blocks[-1].times[-1] > stopped:
                    break
                if time.monotonic() - begun >= _PATIENCE:
                    self._listener.note(
                        f"the newest packets are not traced: more waited than {_PATIENCE:.0f} s are enough for"
                    )
                    break

    def _clock(self, moment: float) -> int:
        """Packet time now."""
        return self._now + max(0, int((moment - self._arrived) * _SECOND) - _LATE)

    def _look(self, moment: float) -> None:
        """What hangs, what is under way, what happened to the capture."""
        now = self._looked = self._clock(moment)
        changed = self._changed()
        for facts in changed:
            self._introduce(facts.record)
        changed = self._conclude(changed)
        for problem in self._timers.check(changed, now) if self._now else ():
            self._listener.warn(problem)
        self._listener.running([running(facts, now) for facts in changed], now, self._where)
        for text in self.source.news():
            self._listener.note(text)
        self._dropped = self.source.dropped
        if self._dropped > self._remarked and moment >= self._next_remark:
            news = count(self._dropped - self._remarked, "packet")
            self._listener.note(f"the kernel dropped {news}, {self._dropped} so far")
            self._remarked, self._next_remark = self._dropped, moment + _REMARKS
        if self._recorder is not None:
            self._recorder.flush()
            if self._recorder.failure is not None and not self._record_failed:
                self._record_failed = True
                self._listener.note(f"{self._recorder.files[-1]}: {self._recorder.failure}")
                self.over = self.over or self._recorder.reader_gone

    def _changed(self) -> list[TaskFacts]:
        """The tasks to be told of at this look: with many under way most of them just wait."""
        under_way = self._tracer.under_way
        soon = (facts for facts in self._soon if facts.record in under_way)
        changed = list(dict.fromkeys((*soon, *under_way.news())))
        self._soon = [facts for facts in changed if facts.record.n == 0 or facts.is_through()]
        return sorted(changed, key=lambda facts: facts.rank)

    def _conclude(self, changed: list[TaskFacts]) -> list[TaskFacts]:
        """Ends those of the tasks whose records nothing can change any more; returns the others."""
        ended = [facts for facts in changed if is_final(facts)]
        self._pass(self._tracer.conclude(ended))
        return [facts for facts in changed if facts.record in self._tracer.under_way]

    def _where(self, task: Task) -> Running | None:
        facts = self._tracer.under_way.get(task)
        return running(facts, self._looked) if facts is not None else None

    def _introduce(self, task: Task) -> None:
        """Tells of a task that has a number, and of its callback, once each."""
        if task.n == 0:
            return
        if task not in self._known:
            self._known[task] = False
            self._listener.started(task)
        if task.callback is not None and not self._known[task]:
            self._known[task] = True
            self._listener.called_back(task)

    def _pass(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Task):
                self._introduce(event)
            elif isinstance(event, Message) and event.task is not None:
                self._introduce(event.task)
            self._listener.add(event)
            if isinstance(event, Task):
                self._known.pop(event, None)
                self._timers.forget(event)
                self._finished += 1
            if self._ends.until is not None and not self.happened:
                self.happened = self._ends.until(event)
        self.over = self.over or self._reached

    def _finish(self) -> None:
        self._look(time.monotonic())
        self._pass(self._tracer.finish())
        self._pass(self.source.warnings)
        if self._dropped:
            self._pass([drops(self._dropped, self.source.info)])
        else:  # what was dropped may have been the tasks
            self._pass(list(self._tracer.overview.problems()))
        self._listener.running((), self._now, self._where)
        self._listener.close([self.source.info])


def drops(number: int, info: CaptureInfo) -> Problem:
    entry = CODES["packets_dropped"]
    summary = f"The kernel dropped {count(number, 'packet')} of {info.packets + number}."
    return Problem(
        "packets_dropped", entry.severity, info.last or 0, (), summary, cause=entry.cause, remedy=entry.remedy
    )
