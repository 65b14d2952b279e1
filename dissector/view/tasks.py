"""The table of tasks: those under way on top, then those that ended; only the rows that are seen are drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message as Event
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dissector.model import RANK, Task
from dissector.render.cells import column_at, column_widths, heading_spans, row_spans, widest
from dissector.render.rows import COLUMNS, Column, TaskRow
from dissector.view import keys
from dissector.view.entry import TaskEntry
from dissector.view.listing import Listing, Rows
from dissector.view.pane import CURSOR, styled

#: A column that the table is sorted by, and how.
SORTS: dict[str, Callable[[Task], Any]] = {
    "n": lambda task: task.n,
    "start": lambda task: task.start,
    "took": lambda task: task.end - task.start,
    "job": lambda task: ((task.job or "").casefold(), task.n),
    "task_id": lambda task: (task.task_id or 0, task.n),
    "kind": lambda task: (task.kind or "", task.n),
    "outcome": lambda task: (task.outcome.value, task.n),
    "client": lambda task: (str(task.client or ""), task.n),
    "remote": lambda task: (str(task.remote or ""), task.n),
    "port": lambda task: (task.callback_port or 0, task.n),
    "callback": lambda task: task.callback_delay or -1,
    "calls": lambda task: task.counts.calls + task.counts.callbacks,
    "problems": lambda task: (-min((RANK[p.severity] for p in task.problems), default=9), task.n),
}
#: Those that begin with the most.
_MOST_FIRST = ("n", "start", "took", "callback", "calls", "problems")
_UP, _DOWN = "▲", "▼"


class ShownTasks(NamedTuple):
    """What the table is about to show; ``refresh`` is called with the entries that are seen, then ``row`` gives their
    cells.  ``ended`` is sorted again when it is another list than before."""

    under_way: Listing
    ended: Sequence[TaskEntry]
    row: Callable[[TaskEntry], TaskRow]
    refresh: Callable[[TaskEntry], None]


class TaskTable(ScrollView, can_focus=True):
    """The cursor stays on its task while rows move; at the top it stays at the top."""

    BINDINGS = keys.moves()

    class Selected(Event):
        """Another task is under the cursor."""

    class Entered(Event):
        """The task under the cursor was clicked twice."""

    class Sorted(Event):
        """By a click on a heading."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._entries = Rows(Listing(), ())
        #: What was sorted last, and how.
        self._sorted: tuple[Sequence[TaskEntry], str, bool] | None = None
        self._ended: Sequence[TaskEntry] = ()
        self._row: Callable[[TaskEntry], TaskRow] | None = None
        self._widest: dict[str, int] = {}
        self._widths: dict[Column, int] = {}
        self._selected: TaskEntry | None = None
        self._cursor = 0
        #: Lines as they were drawn last.
        self._drawn: dict[int, Strip] = {}
        self.sort = "n"
        self.reverse = True
        self.wanted = ""

    @property
    def selected(self) -> TaskEntry | None:
        return self._selected

    @property
    def entries(self) -> Sequence[TaskEntry]:
        """What is shown, in order."""
        return self._entries

    def show(self, shown: ShownTasks) -> None:
        under_way, ended = shown.under_way, shown.ended
        known = self._sorted
        if known is None or known[0] is not ended or known[1:] != (self.sort, self.reverse):
            key = SORTS[self.sort]
            self._sorted = ended, self.sort, self.reverse
            self._ended = sorted(ended, key=lambda entry: key(entry.shown), reverse=self.reverse)
        self._entries = Rows(under_way, self._ended)
        self._row = shown.row
        self.virtual_size = Size(max(self.size.width - 2, 1), len(self._entries) + 1)
        self._keep_cursor()
        for entry in self._seen():
            shown.refresh(entry)
        self._refresh_changed()

    def _refresh_changed(self) -> None:
        """Most rows stay as they are, and a line to the terminal may be slow."""
        for y in range(self.size.height):
            if self._drawn.get(y) != self._line(y):
                self.refresh(Region(0, y, self.size.width, 1))

    def _seen(self) -> list[TaskEntry]:
        top = self.scroll_offset.y
        return self._entries[top : top + self.size.height]

    def _keep_cursor(self) -> None:
        before = self._selected
        stays = self._entries[self._cursor : self._cursor + 1] == [before]
        if before is not None and self._cursor > 0 and not stays:
            place = self._entries.find(before)
            self._cursor = self._cursor if place is None else place
            self._into_view()
        self._cursor = max(0, min(self._cursor, len(self._entries) - 1))
        self._select()

    def _select(self) -> None:
        now = self._entries[self._cursor] if len(self._entries) else None
        if now is not self._selected:
            self._selected = now
            self.post_message(self.Selected())

    def select(self, entry: TaskEntry) -> None:
        """Puts the cursor on it."""
        self._cursor = self._entries.find(entry) or 0
        self._select()
        self._into_view()
        self.refresh()

    def action_move(self, rows: int) -> None:
        self._cursor = max(0, min(self._cursor + rows, len(self._entries) - 1))
        self._select()
        self._into_view()
        self.refresh()

    def seek(self, step: int, is_wanted: Callable[[TaskEntry], bool]) -> bool:
        """Goes to the next task (``step`` 1) that is wanted, or the one before (-1)."""
        count = len(self._entries)
        for distance in range(1, count + 1):
            place = (self._cursor + step * distance) % count
            if is_wanted(self._entries[place]):
                self.action_move(place - self._cursor)
                return True
        return False

    @property
    def row_text(self) -> str:
        """The cells of the chosen task, with tabs between them."""
        entry = self._selected
        return "\t".join(self._row(entry).cells.values()) if entry is not None and self._row is not None else ""

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - 2))

    def _into_view(self) -> None:
        room = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, immediate=True, force=True)
        elif self._cursor >= top + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False, immediate=True, force=True)

    def action_sideways(self, cells: int) -> None:
        """All columns that there is room for are shown."""

    def next_sort(self) -> None:
        """By the next one of the columns that are shown."""
        names = [column.key for column in self._widths if column.key in SORTS] or list(SORTS)
        at = names.index(self.sort) if self.sort in names else -1
        self.sort_by(names[(at + 1) % len(names)])

    def sort_by(self, column: str) -> None:
        """By a column; by the same one again: the other way round."""
        self.reverse = not self.reverse if column == self.sort else column in _MOST_FIRST
        self.sort = column

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            if (column := column_at(self._widths, event.x)) in SORTS:
                self.sort_by(column)
                self.post_message(self.Sorted())
            return
        place = self.scroll_offset.y + event.y - 1
        if place < len(self._entries):
            self.action_move(place - self._cursor)
            if event.chain == 2:
                self.post_message(self.Entered())

    # --- drawing ---------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        strip = self._drawn[y] = self._line(y)
        return strip

    def _line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            self._measure(width)
            return self._strip(heading_spans(self._widths, self.sort, _DOWN if self.reverse else _UP), width)
        place = self.scroll_offset.y + y - 1
        if place >= len(self._entries) or self._row is None:
            return Strip.blank(width, self.rich_style)
        row = self._row(self._entries[place])
        here = place == self._cursor and self.has_focus
        return self._strip(row_spans(self._widths, row), width, here=here)

    def _measure(self, width: int) -> None:
        """Columns as wide as the rows seen so far need: they may grow, but do not jump while one scrolls."""
        if self._row is None:
            return
        for key, cells in widest(COLUMNS, (self._row(entry).cells for entry in self._seen())).items():
            self._widest[key] = max(cells, self._widest.get(key, 0))
        if any(self._widest.values()):
            heading = next(len(column.heading) for column in COLUMNS if column.key == self.sort)
            needed = {**self._widest, self.sort: max(self._widest[self.sort], heading + 1)}
            self._widths = column_widths(COLUMNS, needed, width)

    def _strip(self, spans: Sequence[tuple[str, str]], width: int, *, here: bool = False) -> Strip:
        strip = Strip(styled(spans, self.wanted, here=here)).adjust_cell_length(width)
        return strip.apply_style(self.rich_style + (CURSOR if here else Style()))
