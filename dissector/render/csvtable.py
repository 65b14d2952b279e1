"""A row of comma-separated values for each task, for spreadsheets and data frames."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from dissector.model import CaptureInfo, Event, Task
from dissector.render.terminal import Terminal
from dissector.render.text import harmless_cell
from dissector.render.times import iso
from dissector.wire.masking import Mask

#: The names of the output contract's task record; what is nested there has a name of its own.
COLUMNS = (
    *("n", "start", "end", "duration", "client", "remote", "callback_port", "callback_peer", "callback_delay"),
    *("kind", "process_id", "pid", "job", "task_id", "outcome", "exit_code", "signal", "via"),
    *("calls", "callbacks", "errors", "log_lines", "bytes", "problems"),
)

Cell = str | int | float | None


class CsvView:
    """Writes the rows at the end, in the order of tasks.  Times are ISO 8601 in UTC, durations seconds."""

    wants_messages = False

    def __init__(self, terminal: Terminal, mask: Mask) -> None:
        self._terminal = terminal
        self._mask = mask
        self._rows: list[tuple[int, list[Cell]]] = []

    def add(self, event: Event) -> None:
        if isinstance(event, Task):
            self._rows.append((event.n, self._row(event)))

    def close(self, captures: Sequence[CaptureInfo], seen: int | None = None) -> None:  # noqa: ARG002  a view's shape
        writer = csv.writer(self, lineterminator="")
        writer.writerow(COLUMNS)
        writer.writerows(row for _, row in sorted(self._rows, key=lambda row: row[0]))
        self._terminal.flush()

    def write(self, line: str) -> None:
        """One line, for ``csv``: no text has a line end in it."""
        self._terminal.line((line, ""))

    def _row(self, task: Task) -> list[Cell]:
        counts, end = task.counts, task.end or task.start
        return [
            *(task.n, iso(task.start), iso(end), max(end - task.start, 0) / 1e9),
            *(str(task.client or ""), str(task.remote or ""), task.callback_port, str(task.callback_peer or "")),
            task.callback_delay / 1e9 if task.callback_delay is not None else None,
            *(task.kind, task.process_id, task.pid, self._text(task.job), task.task_id),
            *(task.outcome.value, task.exit_code, task.signal, task.via),
            *(counts.calls, counts.callbacks, counts.errors, counts.log_lines, counts.bytes),
            " ".join(problem.code for problem in task.problems),
        ]

    def _text(self, text: str | None) -> str | None:
        return None if text is None else harmless_cell(self._mask.text(text))
