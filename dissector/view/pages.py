"""What the pane below the table shows of a task: its ladder, its log; and the problems of all tasks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

from dissector.model import Exchange, Message, Problem
from dissector.render.alike import problem_rows
from dissector.render.exchanges import has_line
from dissector.render.ladder import LadderView, TimeColumn
from dissector.render.log import LogView
from dissector.render.problems import print_problems
from dissector.render.steps import LadderStep
from dissector.render.text import escape
from dissector.view import exchange
from dissector.view.entry import TaskEntry
from dissector.view.pane import Sheet
from dissector.view.store import Store

#: Long texts are cut, whole on lines of their own, or whole on a page so wide that one goes sideways.
Texts = Literal["cut", "whole", "sideways"]
_Name = TypeVar("_Name")
#: Cells of a page that one goes over sideways.
_WIDE = 600
_WORDS = {"start": "since the start", "delta": "since the line before", "clock": "of day"}


@dataclass(frozen=True)
class Style:
    """How ladders are drawn."""

    verbose: bool = False
    texts: Texts = "cut"
    times: TimeColumn = "start"

    def toggled(self) -> Style:
        """A line a message, or a line a call again."""
        return replace(self, verbose=not self.verbose)

    def next_texts(self) -> Style:
        return replace(self, texts=_next(get_args(Texts), self.texts))

    def next_times(self) -> Style:
        return replace(self, times=_next(get_args(TimeColumn), self.times))

    @property
    def time_words(self) -> str:
        return f"times {_WORDS[self.times]}"


def _next(names: tuple[_Name, ...], name: _Name) -> _Name:
    return names[(names.index(name) + 1) % len(names)]


def sheet_of(width: int, style: Style) -> Sheet:
    return Sheet(_WIDE if style.texts == "sideways" else width)


def write(sheet: Sheet, pane: str, store: Store, entry: TaskEntry | None, style: Style) -> str:
    """Writes what a pane (ladder, log, problems) shows; its title."""
    if pane == "problems":
        _problems(sheet, store)
        return " Problems of all tasks"
    if entry is None:
        return f" {pane.capitalize()}"
    if pane == "log":
        view = LogView(sheet, store.mask)
        view.add(entry.task)
        view.close(())
        return f" Log of task {entry.task.n}"
    ladder = LadderView(sheet, store.mask, verbose=style.verbose, full=style.texts == "whole", times=style.times)
    for event in store.events(entry):
        ladder.add(event)
    ladder.close(())
    missing = "" if store.is_whole(entry) else ", without its first messages"
    return f" Ladder of task {entry.task.n}{missing}"


def _problems(sheet: Sheet, store: Store) -> None:
    for news in store.news:
        sheet.about(news)
        if isinstance(news, Problem):
            print_problems(sheet, problem_rows([news], store.mask))
        else:
            sheet.line((f" {escape(news)}", "warning"))
    sheet.about(None)


def messages_of(store: Store, entry: TaskEntry) -> list[Message]:
    """The messages of a task that there are, by their numbers."""
    found = [event for event in store.events(entry) if isinstance(event, Message)]
    return sorted(found, key=lambda message: message.n)


def messages_like(store: Store, entry: TaskEntry, shown: Message | None) -> list[Message]:
    """Those among which one goes on from ``shown``: of HTTP its requests and responses, else the messages."""
    if shown is None or shown.kind not in exchange.KINDS:
        return messages_of(store, entry)
    found = sorted((one for one in store.events(entry) if isinstance(one, Exchange)), key=lambda one: one.n)
    return [side for one in found if has_line(one) for side in exchange.sides(one)]


def messages_behind(subject: object) -> tuple[Message, ...]:
    """What a line of a ladder shows; the one that it begins with in front."""
    if not isinstance(subject, LadderStep):
        return ()
    return subject.messages or (exchange.sides(subject.exchange) if subject.exchange is not None else ())
