"""What a capture file does not need: warnings about tasks that hang, while they hang.

What is warned about is not final: when the task is over, its problems say what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from dissector.model import Problem, Running, Task
from dissector.session import overdue
from dissector.session.case import Case, call_name
from dissector.session.final import is_certain, judged_at
from dissector.session.life import CommandState
from dissector.session.outcomes import outcome
from dissector.session.task import TaskFacts
from dissector.session.timeouts import CALLBACK_AFTER


def running(facts: TaskFacts, now: int) -> Running:
    """Where the task stands at packet time ``now``."""
    record, calls = facts.record, facts.open_calls()
    if is_certain(facts):
        return Running(record, "over", facts.last_seen(), (), outcome(facts, judged_at(facts, now)))
    if facts.is_over():
        return Running(record, "given up, a callback may still come", facts.last_seen())
    if calls:
        return Running(record, call_name(calls[-1]).rpartition("::")[2], calls[-1].time, tuple(calls))
    if record.callback is None and facts.start is not None:
        return Running(record, "no callback yet", facts.start.time)
    return Running(record, "no open call", facts.last_seen())


class Timers:
    """Warns once for each thing; ``slow``: nanoseconds after which an open call is one.

    A task is looked at when there may be something to say: when something happened to it, and when it is due in a heap.
    """

    def __init__(self, slow: int) -> None:
        self._slow = slow
        self._told: dict[Task, set[int]] = {}
        #: When each task is due, and a heap of it; entries of the heap that are not in it are void.
        self._due: dict[Task, int] = {}
        self._heap: list[tuple[int, int, TaskFacts]] = []

    def check(self, changed: Iterable[TaskFacts], now: int) -> list[Problem]:
        """What became overdue; ``changed``: the tasks that came, or of which a connection came or went, since the last
        time.  Those without a number are none yet."""
        looked_at = {facts.record.n: facts for facts in changed if facts.record.n}
        while self._heap and self._heap[0][0] <= now:
            due, n, facts = heappop(self._heap)
            if self._due.get(facts.record) == due:
                looked_at[n] = facts
        return [problem for _, facts in sorted(looked_at.items()) for problem in self._look(facts, now)]

    def forget(self, record: Task) -> None:
        """The task is over."""
        self._told.pop(record, None)
        self._due.pop(record, None)

    def _look(self, facts: TaskFacts, now: int) -> Iterator[Problem]:
        record = facts.record
        told = self._told.setdefault(record, set())
        for key, problem in self._overdue(facts, now):
            if key not in told:
                told.add(key)
                yield problem
        due = self._next(facts, now)
        if due is None:
            self._due.pop(record, None)
        elif due != self._due.get(record):
            self._due[record] = due
            heappush(self._heap, (due, record.n, facts))

    def _next(self, facts: TaskFacts, now: int) -> int | None:
        """When there may be something to say, unless something happens to the task before; None: never."""
        if facts.is_over():
            return None
        begun = _waits_since(facts)
        if begun is not None:
            return next((begun + limit for limit in CALLBACK_AFTER if begun + limit > now), None)
        call = next(reversed(facts.open_calls()), None)
        if call is not None and call.time + self._slow > now:
            return call.time + self._slow
        # The next call that may be overdue is one that comes now.
        return now + self._slow if facts.record.callback is not None else None

    def _overdue(self, facts: TaskFacts, now: int) -> Iterator[tuple[int, Problem]]:
        """Problems with keys that tell one from another."""
        if facts.is_over():
            return
        begun = _waits_since(facts)
        if begun is not None:
            passed = [limit for limit in CALLBACK_AFTER if now - begun >= limit]
            if passed:
                yield -passed[-1], overdue.callback(Case(facts, now), passed[-1])
            return
        call = next(reversed(facts.open_calls()), None)
        if call is not None and now - call.time >= self._slow:
            yield call.n, overdue.call(Case(facts, now), call)


def _waits_since(facts: TaskFacts) -> int | None:
    """Since when the task waits for its callback; None when it does not."""
    if facts.record.callback is not None or facts.start is None or facts.life.command is CommandState.REFUSED:
        return None
    return facts.start.time
