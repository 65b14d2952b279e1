"""Tells somebody when a task ends as a filter says, or hangs so.

A notice is the record of ``--format jsonl``: of the task, or of the problem while the task hangs.  Secrets in it are
masked whatever else is shown: it leaves this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from dissector.fleet.company import Companion
from dissector.fleet.delivery import Bearer, Delivery, Notice
from dissector.fleet.flood import After, FloodGate
from dissector.model import CaptureInfo, Event, Look, Problem, Running, Severity, Task
from dissector.numbers import count
from dissector.render.filter import Filter
from dissector.render.json import record_line
from dissector.render.records import Records
from dissector.render.views import Sieve
from dissector.wire.harmless import escape
from dissector.wire.masking import Mask

#: Characters of a fact.
_MAX_FACT = 1_000


class Alarm(Companion):
    """``chosen`` says which tasks; ``clock`` gives seconds."""

    def __init__(
        self,
        chosen: Filter,
        bearers: Sequence[Bearer],
        after: After | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.wants_messages = bool(chosen.on_messages)
        self._chosen, self._clock = chosen, clock
        self._sieve = Sieve((), chosen, wants_messages=False)
        self._mask = Mask()
        self._records = Records(self._mask)
        # What it loads when it is first used may be where only root can read.
        self._records.task(Task(0, 1, n=1, job="x"))
        self._records.problem(Problem("job_failed", Severity.INFO, 0, (), "x"))
        self._deliveries = [Delivery(bearer, self.remark) for bearer in bearers]
        self._gate = FloodGate(after) if after is not None else None
        self._last: Notice | None = None

    def add(self, event: Event) -> None:
        for passed in self._sieve.feed(event):
            if isinstance(passed, Task):
                self._ended(passed)

    def warn(self, problem: Problem) -> None:
        """It matches by this problem, not by what the task is anyway: that is told at its end."""
        task = problem.task
        if task is None or self.wants_messages or self._chosen.task(task):
            return
        if self._chosen.task(replace(task, problems=[*task.problems, problem])):
            facts = self._facts(task) | {"EVENT": "problem", "CODE": problem.code}
            self._matched(Notice(record_line("problem", self._records.problem(problem)), facts, 1))

    def running(self, changed: Sequence[Running], now: int, look: Look) -> None:  # noqa: ARG002  a listener's shape
        if self._gate is not None and self._last is not None:
            self._tell(self._last, self._gate.due(self._clock()))

    def close(self, captures: Sequence[CaptureInfo]) -> None:  # noqa: ARG002  a listener's shape
        for delivery in self._deliveries:
            delivery.close()
        if self._gate is not None and self._gate.untold:
            self.remark(f"--notify-after: {count(self._gate.untold, 'match', 'matches')} since the last notice")

    def _ended(self, task: Task) -> None:
        codes = ",".join(dict.fromkeys(problem.code for problem in task.problems))
        facts = self._facts(task) | {"EVENT": "task", "CODE": codes}
        self._matched(Notice(record_line("task", self._records.task(task)), facts, 1))

    def _facts(self, task: Task) -> dict[str, str]:
        facts = {
            "TASK": task.n,
            "JOB": task.job and self._mask.text(task.job),
            "TASK_ID": task.task_id,
            "OUTCOME": task.outcome.value,
            "EXIT_CODE": task.exit_code,
            "CLIENT": task.client,
            "REMOTE": task.remote,
        }
        return {name: "" if fact is None else escape(str(fact))[:_MAX_FACT] for name, fact in facts.items()}

    def _matched(self, notice: Notice) -> None:
        self._last = notice
        self._tell(notice, self._gate.matched(self._clock()) if self._gate is not None else 1)

    def _tell(self, notice: Notice, number: int) -> None:
        if number:
            for delivery in self._deliveries:
                delivery.send(notice._replace(matches=number))
