"""What a capture file does not need: warnings about tasks that hang, while they hang.

What is warned about is not final: when the task is over, its problems say what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from dissector.model import Problem, Running, Severity, Task
from dissector.session.case import Case, call_name, refusals, span
from dissector.session.final import is_certain, judged_at
from dissector.session.outcomes import outcome
from dissector.session.task import TaskFacts
from dissector.session.timeouts import SECOND
from dissector.session.verdict import is_refused

#: A callback takes milliseconds; after the second time the client has given up.
CALLBACK_AFTER = (5 * SECOND, 60 * SECOND)


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
        elif not now < self._due.get(record, 0) <= due:
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
                yield -passed[-1], _no_callback(Case(facts, now), passed[-1])
            return
        call = next(reversed(facts.open_calls()), None)
        if call is not None and now - call.time >= self._slow:
            time = (now - call.time) // SECOND
            summary = f"{call_name(call)} has been without an answer for {time} s."
            case = Case(facts, now)
            yield call.n, case.problem("slow_call", summary, call.packets, facts.record.callback, time=now)


def _waits_since(facts: TaskFacts) -> int | None:
    """Since when the task waits for its callback; None when it does not."""
    if facts.record.callback is not None or facts.start is None or facts.start_error is not None:
        return None
    return facts.start.time


def _no_callback(case: Case, limit: int) -> Problem:
    facts = case.facts
    record = facts.record
    start = facts.start.packets if facts.start else ()
    severity = Severity.WARNING if limit == CALLBACK_AFTER[0] else Severity.ERROR
    waited = f"No callback for {limit // SECOND} s"
    attempt = facts.attempts[0] if facts.attempts else None
    if attempt is None:
        words, code, packets = "nobody has called yet", "callback_missing", list(start)
    else:
        packets = [mark.number for mark in attempt.syns] + refusals(attempt)
        if attempt.syn_ack_lost:
            words, code = f"the SYN+ACK of {attempt.server} never arrives at {attempt.client.ip}", "syn_ack_lost"
            packets += [mark.number for mark in attempt.syn_acks]
        elif is_refused(attempt):
            words, code = f"{attempt.server} refuses it", "callback_refused"
        else:
            count = len(attempt.syns)
            words = f"{count} SYN{'' if count == 1 else 's'} to {attempt.server} in {span(attempt.syns)}, no answer"
            code = "callback_dropped"
    summary = f"{waited}: {words}."
    return case.problem(code, summary, packets, attempt or record.command, time=case.now, severity=severity)
