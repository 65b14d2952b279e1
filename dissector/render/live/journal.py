"""The lines as entries of systemd's journal, with fields to ask for: ``journalctl JSTRACE_OUTCOME=lost``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dissector.model import Task
from dissector.render.filter import Filter
from dissector.render.live.plain import EventLines, job_name
from dissector.render.terminal import StyledText
from dissector.render.text import escape
from dissector.wire.masking import Mask

#: syslog(3)
_PRIORITIES = {
    "error": 3, "warning": 4, "warn": 4, "info": 6,
    "failure": 3, "killed": 3, "lost": 3, "refused": 3, "no_callback": 3, "unreachable": 3,
}  # fmt: skip
_INFO, _WARNING = 6, 4


class JournalView(EventLines):
    """``send`` takes the fields of one entry."""

    def __init__(self, send: Callable[[Mapping[str, str]], object], mask: Mask, chosen: Filter, *, log: bool) -> None:
        super().__init__(mask, chosen, log=log)
        self._send = send

    def note(self, text: str) -> None:
        self._send({"MESSAGE": escape(text), "PRIORITY": str(_WARNING)})

    def _summary(self, text: str) -> None:
        self._send({"MESSAGE": text, "PRIORITY": str(_INFO)})

    def _line(self, time: int, task: Task | None, *words: StyledText, **facts: str) -> None:  # noqa: ARG002  has its own
        about = f"task {task.n}  " if task is not None else ""
        fields = {"MESSAGE": about + "".join(text for text, _ in words)}
        fields["PRIORITY"] = str(min((_PRIORITIES.get(fact, _INFO) for fact in facts.values()), default=_INFO))
        if task is not None:
            fields |= {"JSTRACE_TASK": str(task.n), "JSTRACE_JOB": job_name(task, self._mask)}
        self._send(fields | {f"JSTRACE_{name.upper()}": fact for name, fact in facts.items()})
