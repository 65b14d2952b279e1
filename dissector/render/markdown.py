"""Tasks, problems and (of chosen tasks) the whole story for tickets and wikis that draw Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from dissector.model import CaptureInfo, Event, Problem, Task
from dissector.render.alike import ProblemRow, problem_rows
from dissector.render.by_task import EventsByTask, TaskEvents
from dissector.render.charts.languages import MERMAID
from dissector.render.charts.lines import chart_lines
from dissector.render.charts.view import names_of, title_of
from dissector.render.rows import COLUMNS, capture_line, no_task, tally, task_row
from dissector.render.terminal import Terminal
from dissector.render.text import escape
from dissector.render.times import clock
from dissector.wire.masking import Mask

#: What Markdown, its tables, HTML in it and links that it makes by itself would obey.
_OBEYED = re.compile(r"[\\`*\[\]#|<>&@~$]|(?<![^\W_])_|_(?![^\W_])|!(?=\w)|:(?=//)|(?<=www)\.")
_FENCE = re.compile(r"`{3,}")


class MarkdownView:
    """A table of tasks and their problems; with ``whole`` a chapter for each task with its chart and its log."""

    def __init__(self, terminal: Terminal, mask: Mask, *, whole: bool = False, full: bool = False) -> None:
        self.wants_messages = whole
        self._terminal, self._mask = terminal, mask
        self._whole, self._full = whole, full
        self._all = EventsByTask()

    def add(self, event: Event) -> None:
        self._all.add(event)

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:
        tasks = self._all.tasks()
        for info in captures:
            self._line(f"- {plain(capture_line(info))}")
        self._line()
        self._table([task for task, _ in tasks], seen)
        problems = list(self._all.problems)
        for task, conversation in tasks:
            if self._whole:
                self._chapter(task, conversation)
            else:
                problems += conversation.problems
        self._problems("## Problems", problems, every=self._full)
        self._terminal.flush()

    def _line(self, text: str = "") -> None:
        self._terminal.line((text, ""))

    def _table(self, tasks: Sequence[Task], seen: int | None) -> None:
        if not tasks:
            self._line(no_task(seen).strip())
            return
        rows = [task_row(task, self._mask) for task in tasks]
        columns = [column for column in COLUMNS if any(row.cells[column.key] for row in rows)]
        self._line("| " + " | ".join(plain(column.heading) for column in columns) + " |")
        self._line("|" + "|".join("--:" if column.right else "---" for column in columns) + "|")
        for row in rows:
            self._line("| " + " | ".join(plain(row.cells[column.key]) for column in columns) + " |")
        if len(tasks) > 1:
            self._line()
            self._line(tally(Counter(task.outcome for task in tasks)))

    def _chapter(self, task: Task, conversation: TaskEvents) -> None:
        self._line()
        self._line(f"## {plain(title_of(task, self._mask))}")
        self._problems("### Problems", conversation.problems, every=True)
        steps = conversation.steps(self._mask, full=self._full)
        lines = list(chart_lines(steps, (), full=self._full))
        self._fenced("mermaid", MERMAID.write(title_of(task, self._mask), names_of(task), lines))
        if task.log:
            self._line()
            self._line("### Log")
            texts = [f"{clock(line.time)} {line.level:<6} {self._mask.text(line.text)}" for line in task.log]
            self._fenced("text", (escape(part) for text in texts for part in text.rstrip("\n").split("\n")))

    def _problems(self, heading: str, problems: Iterable[Problem], *, every: bool) -> None:
        rows = problem_rows(problems, self._mask, every)
        if rows:
            self._line()
            self._line(heading)
        for row in rows:
            self._problem(row)

    def _problem(self, row: ProblemRow) -> None:
        self._line()
        where = f"{row.where}: " if row.where else ""
        packets = f" *(packet{'' if row.packets.isdecimal() else 's'} {row.packets})*" if row.packets else ""
        self._line(f"- **{row.severity.value}** {plain(where)}`{row.code}` {plain(row.summary)}{packets}")
        for word, text in (("Cause", row.cause), ("Remedy", row.remedy), ("Logs", row.logs), ("Also", row.others)):
            if text:
                self._line(f"  - {word}: {plain(text)}")

    def _fenced(self, language: str, lines: Iterable[str]) -> None:
        """A block of code; what would end it is broken up."""
        self._line()
        self._line(f"```{language}")
        for line in lines:
            self._line(_FENCE.sub(lambda found: " ".join(found[0]), line))
        self._line("```")


def plain(text: str) -> str:
    """The text, for the middle of a line, as Markdown shows it whatever it says: by numbers what would be obeyed."""
    return _OBEYED.sub(lambda found: f"&#{ord(found[0])};", text)
