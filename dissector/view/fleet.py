"""All tasks on one page: the summary of ``read --summary``, with a cursor on groups, causes and the worst tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from dissector.model import Task
from dissector.render.summary import SummaryPage
from dissector.reports.summary import GROUPS
from dissector.view.pane import LinesPane, Sheet
from dissector.wire.masking import Mask

_ORDERS = ("failed", "count", "max")
#: Groups that are shown.
_TOP = 1_000
#: A redraw may take one part in so many of the time, and comes so often (seconds) at most.
_SHARE, _PERIOD = 20, 0.5


class FleetPane(LinesPane):
    """``add`` takes tasks as they end, from any thread under the capture's lock; ``fill`` has all taken anew."""

    def __init__(self, mask: Mask, *, id: str) -> None:
        super().__init__("no task so far", id=id)
        self._mask = mask
        self.group_by, self._order = "job", _ORDERS[0]
        self._is_wanted: Callable[[Task], bool] = _any
        self._page, self._count = self._fresh(), 0
        #: Gives the tasks that it has to be filled with.
        self._waiting: Callable[[], Iterable[Task]] | None = None
        #: They are those that it has, to be put into other groups.
        self._is_same = False
        self._drawn: tuple[object, ...] = ()
        self._next_draw = 0.0

    def _fresh(self) -> SummaryPage:
        return SummaryPage(Sheet(80), self._mask, group_by=self.group_by, order=self._order, top=_TOP)

    def add(self, task: Task) -> None:
        if self._waiting is None and self._is_wanted(task):
            self._page.add(task)
            self._count += 1

    def fill(self, tasks: Callable[[], Iterable[Task]], is_wanted: Callable[[Task], bool] | None) -> None:
        """When it is drawn next: ``tasks`` gives those that there are then; ``is_wanted`` (None: all) is for these and
        the coming ones."""
        self._waiting, self._is_wanted, self._is_same = tasks, is_wanted or _any, False

    def _catch_up(self) -> None:
        if self._waiting is None:
            return
        tasks, self._waiting = list(filter(self._is_wanted, self._waiting())), None
        self._drawn, self._next_draw = (), 0.0
        if self._is_same and len(tasks) == self._count:
            self._page.regroup(self.group_by, tasks)
            return
        self._page, self._count = self._fresh(), len(tasks)
        for task in tasks:
            self._page.add(task)

    def next_group(self, tasks: Callable[[], Iterable[Task]]) -> None:
        """When it is drawn next: ``tasks`` as of ``fill``.  Only the groups are others, unless some of the tasks that
        it tells of are no longer held."""
        names = list(GROUPS)
        self.group_by = names[(names.index(self.group_by) + 1) % len(names)]
        self._is_same = self._waiting is None
        self._waiting = tasks

    def next_order(self) -> str:
        self._order = _ORDERS[(_ORDERS.index(self._order) + 1) % len(_ORDERS)]
        self._page.sort(self._order)
        return self._order

    def draw(self, heading: str, *, anew: bool = False) -> None:
        """If anything changed, and not too often."""
        self._catch_up()
        state = (self._count, self.size, self.group_by, self._order, heading)
        begun = time.monotonic()
        if state == self._drawn or (begun < self._next_draw and not anew):
            return
        is_first = not self._drawn or self._drawn[0] == 0 or self._drawn[2:4] != state[2:4]
        self._drawn = state
        sheet = Sheet(self.size.width - 2)
        if self._count:
            sheet.line((f" {heading}", "title"))
            self._page.draw(sheet)
        place = self.scroll_offset.y
        self.show(sheet.lines, begin=is_first)
        if not is_first:
            self.scroll_to(y=place, animate=False, immediate=True, force=True)
        now = time.monotonic()
        self._next_draw = now + max(_PERIOD, _SHARE * (now - begun))


def _any(_task: Task) -> bool:
    return True
