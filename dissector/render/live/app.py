"""The full screen: tasks above, one of ladder, log and problems below, keys at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.widgets import ContentSwitcher, Footer, Static

from dissector.errors import JstraceError
from dissector.model import Problem, Task
from dissector.numbers import count
from dissector.render import abilities
from dissector.render.alike import problem_rows
from dissector.render.filter import Filter, parse
from dissector.render.ladder import LadderView
from dissector.render.live.ask import Ask
from dissector.render.live.entry import TaskEntry
from dissector.render.live.help import HelpScreen
from dissector.render.live.line import PacedApp
from dissector.render.live.listing import Listing
from dissector.render.live.pane import LinesPane, Sheet
from dissector.render.live.questions import ask_file, ask_filter, ask_search, refusal
from dissector.render.live.store import Status, Store
from dissector.render.live.tasks import ShownTasks, TaskTable
from dissector.render.log import LogView
from dissector.render.problems import print_problems
from dissector.render.rows import TaskRow, without_date
from dissector.render.text import duration, escape
from dissector.render.times import date, zone

_PERIOD = 0.25
#: Textual's theme of the terminal's own colours, by its names in releases from 8.2.5 on and before.
_PLAIN_THEMES = ("ansi-dark", "textual-ansi")


class Control(Protocol):
    """The capture that the screen shows; its records may be looked at under ``lock`` only."""

    @property
    def lock(self) -> AbstractContextManager[object]: ...
    @property
    def over(self) -> bool: ...
    def status(self) -> Status: ...
    def save(self, task: Task, path: str) -> tuple[int, bool]:
        """Writes a task's packets: how many, and whether none of the first ones is missing.

        :raises CaptureError: the file can not be written
        """


class LiveApp(PacedApp):
    """Shows ``store`` as it is every quarter of a second."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #top { height: 1; background: $primary; color: $text; text-style: bold; }
    #tasks { height: 2fr; min-height: 4; }
    #title { height: 1; background: $panel; color: $text; }
    #panes { height: 3fr; }
    LinesPane { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    TaskTable { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    .zoomed #tasks { display: none; }
    .colorless #top, .colorless #title { text-style: bold reverse; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l", "pane('ladder')", "Ladder"),
        Binding("o", "pane('log')", "Log"),
        Binding("p", "pane('problems')", "Problems"),
        Binding("s", "sort", "Sort"),
        Binding("S", "reverse", "Reverse", show=False),
        Binding("f", "ask('filter')", "Filter", priority=True),
        Binding("slash", "ask('search')", "Search", key_display="/", priority=True),
        Binding("n", "again(1)", "Next", show=False),
        Binding("N", "again(-1)", "Previous", show=False),
        Binding("z", "zoom", "Zoom", show=False),
        Binding("space", "pause", "Pause", key_display="␣"),
        Binding("w", "ask('save')", "Save", priority=True),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("ctrl+z", "suspend_process", "", show=False, priority=True),
        Binding("q,ctrl+c", "quit", "Quit", key_display="q"),
        Binding("tab", "other", "", show=False, priority=True),
        Binding("escape", "leave", "", show=False),
    ]

    def __init__(self, store: Store, control: Control, *, colors: int = 1 << 24) -> None:
        """``colors``: how many the terminal has.  Up to 16 are taken as they are: any others would become those that
        look most like them, and a warning could look like an error."""
        super().__init__(**({"ansi_color": True} if colors <= abilities.NAMED_COLORS else {}))
        self._store = store
        self._control = control
        self._colors = colors
        self._paused = False
        self._pane = "ladder"
        self._filter = Filter()
        self._filter_text = self._wanted = self._said = self._title = ""
        #: Tasks under way and tasks that ended, as they were when the screen was paused, and those of the former that
        #: the filter lets through.
        self._frozen: tuple[Sequence[TaskEntry], Sequence[TaskEntry]] | None = None
        self._picked = Listing()
        #: The tasks that ended, and those of them that the filter lets through.
        self._passed: tuple[Sequence[TaskEntry], Sequence[TaskEntry]] = (), ()
        self._counts = (0, 0)
        self._drawn: tuple[object, ...] = ()
        self._shown: tuple[str, TaskEntry | None] = ("", None)
        #: The task whose packets are about to be saved.
        self._saved: TaskEntry | None = None
        self._now = 0

    def compose(self) -> ComposeResult:
        yield Static(id="top", markup=False)
        yield TaskTable(id="tasks")
        yield Static(id="title", markup=False)
        with ContentSwitcher(initial="ladder", id="panes"):
            yield LinesPane("choose a task", id="ladder")
            yield LinesPane("no log lines", id="log")
            yield LinesPane("no problems so far", id="problems")
        yield Ask(id="ask")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.set_class(not self._colors, "colorless")
        if self._colors <= abilities.NAMED_COLORS:
            self.theme = next(name for name in _PLAIN_THEMES if name in self.available_themes)
        self.table.focus()
        self.set_interval(_PERIOD, self._tick)
        self._tick()

    @property
    def table(self) -> TaskTable:
        return self.query_one(TaskTable)

    @property
    def pane(self) -> LinesPane:
        return self.query_one(f"#{self._pane}", LinesPane)

    # --- drawing ---------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._control.over:
            self.exit()
        elif not (self._paused or self.held):
            with suppress(NoMatches):  # while the screen is taken down its parts go one after the other
                self.redraw()

    def redraw(self) -> None:
        """Everything as it is now; while paused, as it was then."""
        with self._control.lock:
            self._counts = self._store.counts
            if not self._paused:
                self._now = self._store.now
            frozen = self._frozen
            under_way = self._picked if frozen else self._store.under_way()
            ended = frozen[1] if frozen else self._store.ended()
            self.table.show(ShownTasks(under_way, self._chosen(ended), self._row, self._refresh))
        self._draw_top()
        self._draw_pane()

    def _chosen(self, ended: Sequence[TaskEntry]) -> Sequence[TaskEntry]:
        """Those that the filter lets through, looked at again only when they are others."""
        if self._passed[0] is not ended:
            chosen = [one for one in ended if self._filter.task(one.shown)] if self._filter.on_tasks else ended
            self._passed = ended, chosen
        return self._passed[1]

    def _pick(self) -> None:
        """The filter or what is paused is another one."""
        self._passed = (), ()
        self._store.choose(self._filter)
        under_way = self._frozen[0] if self._frozen else ()
        self._picked = Listing(entry for entry in under_way if self._filter.task(entry.shown))

    def _refresh(self, entry: TaskEntry) -> None:
        if not self._paused:
            self._store.refresh(entry)

    def _row(self, entry: TaskEntry) -> TaskRow:
        """The cells of a task; the date stands where it is another one than today's."""
        row = self._store.row_of(entry, self._now)
        return without_date(row) if date(entry.task.start) == date(self._now) else row

    def _draw_top(self) -> None:
        status = self._control.status()
        running, ended = self._counts
        words = [
            escape(status.source),
            f"{running} running, {ended} ended",
            count(status.packets, "packet"),
            f"{status.dropped} dropped",
            duration(int(status.seconds) * 10**9),
            *([zone(self._now)] if self._now else []),
        ]
        if self._paused:
            words.insert(0, "PAUSED")
        elif len("  ".join([" jstrace", *words])) <= self.size.width:
            words.insert(0, "jstrace")
        self.query_one("#top", Static).update(" " + "  ".join(words))
        self._draw_title()

    def _draw_title(self) -> None:
        """The pane's title, the filter, and what came of the last key."""
        words = [self._said or self._title]
        if self._filter_text:
            words.append(f"filter {self._filter_text}")
        self.query_one("#title", Static).update("   ".join(words))

    def _draw_pane(self, *, anew: bool = False) -> None:
        """The pane below, if anything in it changed."""
        entry, pane = self.table.selected, self.pane
        with self._control.lock:
            if entry is not None:
                self._refresh(entry)
            state = (self._pane, pane.size, *self._state(entry))
            if state == self._drawn and not anew:
                return
            self._drawn = state
            sheet = Sheet(pane.size.width - 2)
            self._title = self._write(sheet, entry)
        self._draw_title()
        is_other = self._shown != (self._pane, entry)
        self._shown = self._pane, entry
        pane.show(sheet.lines, begin=is_other and entry is not None and entry.running is None, end=is_other)

    def _state(self, entry: TaskEntry | None) -> tuple[object, ...]:
        """Differs when the pane has to be drawn anew."""
        if self._pane == "problems":
            return (self._store.told,)
        if entry is None:
            return ()
        calls = [call.n for call in entry.running.calls] if entry.running is not None else []
        return entry.task.n, entry.changes, len(entry.task.log), calls

    def _write(self, sheet: Sheet, entry: TaskEntry | None) -> str:
        """Writes what the pane shows; its title."""
        mask = self._store.mask
        if self._pane == "problems":
            for news in self._store.news:
                if isinstance(news, Problem):
                    print_problems(sheet, problem_rows([news], mask))
                else:
                    sheet.line((f" {escape(news)}", "warning"))
            return " Problems of all tasks"
        if entry is None:
            return f" {self._pane.capitalize()}"
        if self._pane == "log":
            view = LogView(sheet, mask)
            view.add(entry.task)
            view.close(())
            return f" Log of task {entry.task.n}"
        ladder = LadderView(sheet, mask)
        for event in self._store.events(entry):
            ladder.add(event)
        ladder.close(())
        return f" Ladder of task {entry.task.n}"

    def on_task_table_selected(self) -> None:
        self._draw_pane()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw_pane, anew=True)

    # --- keys ------------------------------------------------------------------------------------------------------

    def action_pane(self, name: str) -> None:
        focused = self.pane.has_focus
        self._pane = name
        self.query_one("#panes", ContentSwitcher).current = name
        if focused:
            self.pane.focus()
        self.call_after_refresh(self._draw_pane, anew=True)

    def action_other(self) -> None:
        (self.pane if self.table.has_focus else self.table).focus()
        if self.table.has_focus:
            self.remove_class("zoomed")

    def action_zoom(self) -> None:
        self.toggle_class("zoomed")
        (self.pane if self.has_class("zoomed") else self.table).focus()
        self.call_after_refresh(self._draw_pane, anew=True)

    def action_pause(self) -> None:
        self._paused = not self._paused
        with self._control.lock:
            self._frozen = (list(self._store.all_under_way()), self._store.ended()) if self._paused else None
            self._pick()
        self._draw_top()

    def action_sort(self) -> None:
        self.table.next_sort()
        self._tell(f"sorted by {self.table.sort}")

    def action_reverse(self) -> None:
        self.table.reverse = not self.table.reverse
        self._tell(f"sorted by {self.table.sort}")

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def action_leave(self) -> None:
        self.query_one(Ask).leave()
        self._tell("")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  textual's shape
        """Keys that are bound with priority are meant for what has the screen or asks for a text, if anything does."""
        return action not in ("ask", "other") or (len(self.screen_stack) == 1 and not self.query_one(Ask).is_open)

    def action_ask(self, question: str) -> None:
        """Opens the line for a filter, a text or a file name."""
        task = self.table.selected
        if question == "save" and task is None:
            self._tell("choose a task")
            return
        self._saved = task
        if question == "save":
            asked = ask_file(task.task.n if task else 0)
        else:
            asked = ask_filter(self._filter_text) if question == "filter" else ask_search(self._wanted)
        self.query_one(Ask).ask(asked)

    def on_ask_answered(self, event: Ask.Answered) -> None:
        if event.question == "filter":
            self._set_filter(event.text)
        elif event.question == "search":
            self._wanted = event.text
            self._find(1, in_pane=isinstance(event.before, LinesPane))
        else:
            self._save(event.text)

    def _set_filter(self, text: str) -> None:
        if why := refusal(text):
            self._tell(f"filter {text!r}: {why}")
            return
        self._filter, self._filter_text = parse((text,)), text
        with self._control.lock:
            self._pick()
        self._tell("")

    def action_again(self, step: int) -> None:
        self._find(step, in_pane=self.pane.has_focus)

    def _find(self, step: int, *, in_pane: bool) -> None:
        if not self._wanted:
            return
        found = self.pane.search(self._wanted, step) if in_pane else self._search_table(step)
        self._tell("" if found else f"no {self._wanted!r} here")

    def _search_table(self, step: int) -> bool:
        entries, selected = self.table.entries, self.table.selected
        start = next((i for i, entry in enumerate(entries) if entry is selected), 0)
        wanted = self._wanted.casefold()
        for distance in range(1, len(entries) + 1):
            entry = entries[(start + step * distance) % len(entries)]
            with self._control.lock:
                self._refresh(entry)
            if wanted in " ".join(self._store.row_of(entry, self._now).cells.values()).casefold():
                self.table.select(entry)
                return True
        return False

    def _save(self, path: str) -> None:
        entry = self._saved
        if entry is None or not path:
            return
        try:
            packets, whole = self._control.save(entry.task, path)
        except JstraceError as error:
            self._tell(str(error))
            return
        lost = "" if whole else "; earlier ones are no longer in memory"
        self._tell(f"{count(packets, 'packet')} in {path}{lost}")

    def _tell(self, text: str) -> None:
        self._said = text
        self.redraw()
