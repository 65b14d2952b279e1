"""What a sequence chart of a task shows, line by line, whatever its language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from dissector.model import Severity
from dissector.render.alike import ProblemRow, problem_summary
from dissector.render.steps import LadderStep, Lane
from dissector.render.terminal import clip
from dissector.render.text import duration

#: A longer time without anything is drawn as a pause.
PAUSE = 10**9
#: Characters of a label and of a note: more makes a chart too wide to read.
_LABEL = 70
_NOTE = 400


class Arrow(NamedTuple):
    """``kind``: call, answer, open (a connection is made), lost (it never arrived)."""

    source: Lane
    target: Lane
    text: str
    kind: str
    failed: bool


class Note(NamedTuple):
    """Over all lanes."""

    text: str
    failed: bool


class Wait(NamedTuple):
    """Nothing happens for a while."""

    text: str


Line = Arrow | Note | Wait


def chart_lines(steps: Sequence[LadderStep], problems: Iterable[ProblemRow], *, full: bool) -> Iterator[Line]:
    """The steps in order of time, an answer at its own time; then the problems."""
    timed = sorted(_timed(steps, full), key=lambda one: one[0])
    for index, (time, line) in enumerate(timed):
        if index and time - timed[index - 1][0] >= PAUSE:
            yield Wait(duration(time - timed[index - 1][0]))
        yield line
    for row in problems:
        texts = [problem_summary(row)]
        texts += [f"{word}: {text}" for word, text in (("Cause", row.cause), ("Remedy", row.remedy)) if text]
        text = "\n".join(clip(text, _NOTE) for text in texts)
        yield Note(f"{row.severity.value} {row.code}: {text}", row.severity is Severity.ERROR)


def _timed(steps: Sequence[LadderStep], full: bool) -> Iterator[tuple[int, Line]]:
    for step in steps:
        if step.source is None or step.target is None:
            yield step.time, Note(_numbered(step.packets[-1:], step.label, full), step.style == "error")
            continue
        yield from _arrows(step, full)


def _kind(step: LadderStep) -> str:
    if step.line == "dashed" or step.half:
        return "lost"
    if step.line == "double":
        return "open"
    return "answer" if len(step.messages) == 1 and step.messages[0].answers is not None else "call"


def _arrows(step: LadderStep, full: bool) -> Iterator[tuple[int, Line]]:
    """One arrow, or one there and one back where the step has an answer."""
    assert step.source is not None
    assert step.target is not None
    answered = len(step.messages) == 2 or (not step.messages and step.latency is not None)
    words = [step.label, step.folded if full else ""]
    if not answered:
        words += [step.said.text, f"({duration(step.latency)})" if step.latency is not None else ""]
    failed = step.style == "error" or step.said.failed
    text = _numbered(step.packets[-1:], "  ".join(filter(None, words)), full)
    yield step.time, Arrow(step.source, step.target, text, _kind(step), failed and not answered)
    if answered:
        packets = step.messages[1].packets[-1:] if step.messages else ()
        said = "  ".join(filter(None, (step.said.text or "ok", f"({duration(step.latency or 0)})")))
        back = Arrow(step.target, step.source, _numbered(packets, said, full), "answer", step.said.failed)
        yield step.time + (step.latency or 0), back


def _numbered(packets: Sequence[int], text: str, full: bool) -> str:
    """With the packet that proves it in front."""
    shown = text if full else clip(text.replace("\n", " "), _LABEL)
    return f"[{packets[0]}] {shown}" if packets else shown
