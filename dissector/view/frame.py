"""The full screen: all tasks, the table of tasks above a pane (ladder, log, problems), a task alone, a message.

One place is shown at a time (``keys.FLEET`` ... ``keys.MESSAGE``); Enter goes down, Escape up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer, Static

from dissector.errors import JstraceError
from dissector.model import Message, Task
from dissector.render import abilities
from dissector.render.rows import TaskRow, without_date
from dissector.render.text import escape
from dissector.render.times import date
from dissector.view import keys, pages
from dissector.view.ask import Ask
from dissector.view.choice import TaskChoice
from dissector.view.control import Control
from dissector.view.entry import TaskEntry
from dissector.view.fleet import FleetPane
from dissector.view.keys import FLEET, LIST, MESSAGE, TASK
from dissector.view.line import PacedApp
from dissector.view.listing import Listing
from dissector.view.message import MessagePane
from dissector.view.pane import LinesPane
from dissector.view.store import Store
from dissector.view.tasks import ShownTasks, TaskTable
from dissector.view.top import top_line

_PERIOD = 0.25
#: A redraw may take one part in so many of the time.
_SHARE = 4
#: Seconds that the cursor rests on a task before its messages are read once more.
_REST = 0.3
#: Textual's theme of the terminal's own colours, by its names in releases from 8.2.5 on and before.
_PLAIN_THEMES = ("ansi-dark", "textual-ansi")


class ViewFrame(PacedApp):
    """Shows ``store`` as it is every quarter of a second; ``clean`` gives a message's bytes without secrets."""

    CSS = """
    #top { height: 1; background: $primary; color: $text; text-style: bold; }
    #tasks { height: 2fr; min-height: 4; }
    #title { height: 1; background: $panel; color: $text; }
    #panes { height: 3fr; }
    LinesPane { height: 1fr; }
    TaskTable { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    #fleet, #message { display: none; height: 1fr; }
    .fleet #fleet, .message #message { display: block; }
    .fleet #tasks, .task #tasks, .message #tasks, .fleet #panes, .message #panes { display: none; }
    .colorless #top, .colorless #title { text-style: bold reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*keys.bindings()]

    def __init__(
        self, store: Store, control: Control, *, colors: int = 1 << 24, clean: Callable[[Message], bytes] | None = None
    ) -> None:
        """``colors``: how many the terminal has.  Up to 16 are taken as they are: any others would become those that
        look most like them, and a warning could look like an error."""
        super().__init__(**({"ansi_color": True} if colors <= abilities.NAMED_COLORS else {}))
        self.store, self.control = store, control
        self._clean = clean or (lambda message: message.raw)
        self._colors = colors
        self._paused = False
        self.place = LIST if control.is_growing else FLEET
        #: Where Escape leads to from a message.
        self._above = TASK
        self._pane = "ladder"
        self.style_of_ladders = pages.Style()
        self.choice = TaskChoice()
        self._filter = self.choice.filter()
        self.wanted = self._said = self._title = ""
        #: Tasks under way and tasks that ended, as they were when the screen was paused, and those of the former that
        #: are chosen.
        self._frozen: tuple[Sequence[TaskEntry], Sequence[TaskEntry]] | None = None
        self._picked = Listing()
        #: The tasks that ended, and those of them that are chosen.
        self._passed: tuple[Sequence[TaskEntry], Sequence[TaskEntry]] = (), ()
        self._counts = (0, 0)
        self._drawn: tuple[object, ...] = ()
        self._shown: tuple[object, ...] = ()
        self._recalling: TaskEntry | None = None
        #: The task that is about to be saved.
        self._saved: TaskEntry | None = None
        self._now = self._noted = 0
        self._next_draw = 0.0

    def compose(self) -> ComposeResult:
        mask = self.store.mask
        yield Static(id="top", markup=False)
        yield TaskTable(id="tasks")
        yield Static(id="title", markup=False)
        yield FleetPane(mask, id="fleet")
        with ContentSwitcher(initial="ladder", id="panes"):
            yield LinesPane("choose a task", id="ladder")
            yield LinesPane("no log lines", id="log")
            yield LinesPane("no problems so far", id="problems")
        yield MessagePane(mask, self._clean, id="message")
        yield Ask(id="ask")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.set_class(not self._colors, "colorless")
        if self._colors <= abilities.NAMED_COLORS:
            self.theme = next(name for name in _PLAIN_THEMES if name in self.available_themes)
        with self.control.lock:
            self.fill_fleet()
            self.store.on_end = self.fleet.add
        self.go(self.place)
        self.set_interval(_PERIOD, self._tick)
        self._tick()

    # --- its parts -------------------------------------------------------------------------------------------------

    @property
    def table(self) -> TaskTable:
        return self.query_one(TaskTable)

    @property
    def fleet(self) -> FleetPane:
        return self.query_one(FleetPane)

    @property
    def pane(self) -> LinesPane:
        return self.query_one(f"#{self._pane}", LinesPane)

    @property
    def panes(self) -> ContentSwitcher:
        return self.query_one("#panes", ContentSwitcher)

    @property
    def message(self) -> MessagePane:
        return self.query_one(MessagePane)

    @property
    def ask(self) -> Ask:
        return self.query_one(Ask)

    def go(self, place: str) -> None:
        """Shows another place, the cursor in it."""
        for name in (FLEET, TASK, MESSAGE):
            self.set_class(name == place, name)
        self.place = place
        at = {FLEET: self.fleet, LIST: self.table, TASK: self.pane, MESSAGE: self.message.words_pane}
        at[place].focus()
        self.refresh_bindings()
        self.redraw()
        self.call_after_refresh(self._redraw_anew)

    # --- drawing ---------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self.control.over:
            self.exit()
            return
        begun = time.monotonic()
        if not (self._paused or self.held) and begun >= self._next_draw:
            if self.store.notes != self._noted:
                self._noted, self._said = self.store.notes, f" {escape(self.store.note_told)}"
            with suppress(NoMatches):  # while the screen is taken down its parts go one after the other
                self.redraw()
            now = time.monotonic()
            self._next_draw = now + _SHARE * (now - begun) - _PERIOD / 2

    def redraw(self, *, anew: bool = False) -> None:
        """Everything as it is now; while paused, as it was then."""
        with self.control.lock:
            self._counts = self.store.counts
            if not self._paused:
                self._now = self.store.now
            if self.place == FLEET:
                self.fleet.draw(self.store.tally, anew=anew)
            elif self.place == LIST:
                self._draw_table()
        self._draw_top()
        if self.place in (LIST, TASK):
            self.draw_pane(anew=anew)

    def _draw_table(self) -> None:
        frozen = self._frozen
        under_way = self._picked if frozen else self.store.under_way()
        ended = frozen[1] if frozen else self.store.ended()
        self.table.show(ShownTasks(under_way, self._chosen(ended), self.row, self.look_at))

    def _chosen(self, ended: Sequence[TaskEntry]) -> Sequence[TaskEntry]:
        """Those that are chosen, looked at again only when they are others."""
        if self._passed[0] is not ended:
            chosen = [one for one in ended if self._filter.task(one.shown)] if self._filter.on_tasks else ended
            self._passed = ended, chosen
        return self._passed[1]

    def choose(self, choice: TaskChoice) -> None:
        """:raises UsageError: it has a filter that is none"""
        self._filter, self.choice = choice.filter(), choice
        with self.control.lock:
            self._pick()
            self.fill_fleet()
        self.tell("")

    def fill_fleet(self) -> None:
        """The page of all tasks anew, from those that are held."""
        wanted = self._filter.task if self._filter.on_tasks else None
        self.fleet.fill(self.final, wanted)

    def final(self) -> list[Task]:
        """Those whose records are final and held."""
        return [entry.task for entry in self.store.final()]

    def _pick(self) -> None:
        """What is chosen or what is paused is another one."""
        self._passed = (), ()
        self.store.choose(self._filter)
        under_way = self._frozen[0] if self._frozen else ()
        self._picked = Listing(entry for entry in under_way if self._filter.task(entry.shown))

    def look_at(self, entry: TaskEntry) -> None:
        if not self._paused:
            self.store.refresh(entry)

    def row(self, entry: TaskEntry) -> TaskRow:
        """The cells of a task; the date stands where it is another one than today's."""
        row = self.store.row_of(entry, self._now)
        return without_date(row) if date(entry.task.start) == date(self._now) else row

    def _draw_top(self) -> None:
        status, failed = self.control.status(), self.store.failed
        line = top_line(status, self._counts, failed, self._now, self.size.width, paused=self._paused)
        self.query_one("#top", Static).update(line)
        self._draw_title()

    def _draw_title(self) -> None:
        """The pane's title, what is chosen, and what came of the last key."""
        titles = {FLEET: f" All tasks by {self.fleet.group_by}", MESSAGE: self.message.title}
        words = [self._said or titles.get(self.place, self._title)]
        if self.choice.words:
            shown = f"{len(self.table.entries)} shown" if self.place == LIST else ""
            words += [shown, self.choice.words] if shown else [self.choice.words]
        self.query_one("#title", Static).update("   ".join(words))

    def draw_pane(self, *, anew: bool = False) -> None:
        """The pane below, if anything in it changed."""
        entry, pane = self.table.selected, self.pane
        with self.control.lock:
            if entry is not None:
                self.look_at(entry)
            state = (self._pane, pane.size, self.style_of_ladders, *self._state(entry))
            if state == self._drawn and not anew:
                return
            self._drawn = state
            sheet = pages.sheet_of(pane.size.width - 2, self.style_of_ladders)
            self._title = pages.write(sheet, self._pane, self.store, entry, self.style_of_ladders)
        self._draw_title()
        is_other = self._shown != (self._pane, entry)
        self._shown = self._pane, entry
        pane.show(sheet.lines, begin=is_other and entry is not None and entry.running is None, end=is_other)

    def _state(self, entry: TaskEntry | None) -> tuple[object, ...]:
        """Differs when the pane has to be drawn anew."""
        if self._pane == "problems":
            return (self.store.told,)
        if entry is None:
            return ()
        calls = [call.n for call in entry.running.calls] if entry.running is not None else []
        return entry.task.n, entry.changes, len(entry.task.log), calls

    def tell(self, text: str) -> None:
        """What came of a key, until the next one."""
        self._said = text
        self.redraw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._redraw_anew)

    def _redraw_anew(self) -> None:
        with suppress(NoMatches):  # as in a tick
            self.redraw(anew=True)

    # --- what takes a while ----------------------------------------------------------------------------------------

    def in_background(self, work: Callable[[], str]) -> None:
        """Does it in a thread of its own, and tells what it gives or why it failed."""

        def run() -> None:
            try:
                said = work()
            except JstraceError as error:
                said = str(error)
            with suppress(RuntimeError):  # the screen has ended
                self.call_from_thread(self.tell, said)

        Thread(target=run, name="work", daemon=True).start()

    def on_task_table_selected(self) -> None:
        with suppress(NoMatches):  # as in a tick
            self.draw_pane()
            if not self.control.is_growing:
                self.set_timer(_REST, partial(self._recall_later, self.table.selected))

    def _recall_later(self, entry: TaskEntry | None) -> None:
        with suppress(NoMatches):  # as in a tick
            self.recall(entry)

    def recall(self, entry: TaskEntry | None) -> None:
        """Reads a task's messages once more if they are no longer held; one task at a time."""
        is_wanted = entry is not None and entry is self.table.selected and self._recalling is None
        if entry is None or not is_wanted or self.store.is_whole(entry):
            return
        self._recalling = entry
        self.tell(f" Reading the messages of task {entry.task.n} once more …")

        def work() -> str:
            try:
                found = self.control.recall(entry.task, entry.connections)
            finally:
                self._recalling = None
            if found is not None:
                with self.control.lock:
                    self.store.recalled(entry, found)
                self.call_from_thread(self.recall, self.table.selected)
            return ""

        self.in_background(work)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002  textual's shape
        """The palette has what the keys do."""
        for key in keys.all_keys():
            if self.place in key.places and key.action != "command_palette":
                yield SystemCommand(key.words.capitalize(), f"key {key.label}", partial(self.run_action, key.action))
