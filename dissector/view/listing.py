"""Entries in the order in which they are shown: what is asked at each redraw must not walk over all of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import overload

from dissector.render.filter import Filter
from dissector.view.entry import TaskEntry


def _rank(entry: TaskEntry) -> int:
    return entry.rank


class Listing(Sequence[TaskEntry]):
    """Entries by their ranks."""

    def __init__(self, entries: Iterable[TaskEntry] = ()) -> None:
        self._entries = sorted(entries, key=_rank)

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, place: int) -> TaskEntry: ...
    @overload
    def __getitem__(self, place: slice) -> list[TaskEntry]: ...
    def __getitem__(self, place: int | slice) -> TaskEntry | list[TaskEntry]:
        return self._entries[place]

    def add(self, entry: TaskEntry) -> None:
        place = self._place(entry)
        if self._entries[place : place + 1] != [entry]:
            self._entries.insert(place, entry)

    def discard(self, entry: TaskEntry) -> None:
        place = self._place(entry)
        if self._entries[place : place + 1] == [entry]:
            del self._entries[place]

    def find(self, entry: TaskEntry) -> int | None:
        """Where it stands."""
        place = self._place(entry)
        return place if self._entries[place : place + 1] == [entry] else None

    def _place(self, entry: TaskEntry) -> int:
        return bisect_left(self._entries, entry.rank, key=_rank)


class Picked:
    """The tasks under way, and those of them that a filter lets through: each is asked again when it changed."""

    def __init__(self) -> None:
        self.everything = Listing()
        self._wanted = Filter()
        self._picked = self.everything
        self._changed: dict[TaskEntry, None] = {}

    def choose(self, wanted: Filter) -> None:
        self._wanted = wanted
        self._picked = Listing() if wanted.on_tasks else self.everything
        self._changed = dict.fromkeys(self.everything if wanted.on_tasks else ())

    def add(self, entry: TaskEntry) -> None:
        self.everything.add(entry)
        self.changed(entry)

    def changed(self, entry: TaskEntry) -> None:
        if self._picked is not self.everything:
            self._changed[entry] = None

    def discard(self, entry: TaskEntry) -> None:
        self.everything.discard(entry)
        if self._picked is not self.everything:
            self._picked.discard(entry)
            self._changed.pop(entry, None)

    def listing(self) -> Listing:
        """Those that pass; it goes on changing."""
        changed, self._changed = self._changed, {}
        for entry in changed:
            if self._wanted.task(entry.shown):
                self._picked.add(entry)
            else:
                self._picked.discard(entry)
        return self._picked


class Rows(Sequence[TaskEntry]):
    """All that the table shows: the tasks under way, then those that ended."""

    def __init__(self, under_way: Listing, ended: Sequence[TaskEntry]) -> None:
        self._under_way = under_way
        self._ended = ended
        self._places: dict[TaskEntry, int] | None = None

    def __len__(self) -> int:
        return len(self._under_way) + len(self._ended)

    @overload
    def __getitem__(self, place: int) -> TaskEntry: ...
    @overload
    def __getitem__(self, place: slice) -> list[TaskEntry]: ...
    def __getitem__(self, place: int | slice) -> TaskEntry | list[TaskEntry]:
        above = len(self._under_way)
        if isinstance(place, int):
            place = range(len(self))[place]
            return self._under_way[place] if place < above else self._ended[place - above]
        start, stop, _ = place.indices(len(self))
        below = self._ended[max(start - above, 0) : max(stop - above, 0)]
        return [*self._under_way[start:stop], *below]

    def find(self, entry: TaskEntry) -> int | None:
        """Where it stands."""
        place = self._under_way.find(entry)
        if place is not None:
            return place
        if self._places is None:
            self._places = {one: place for place, one in enumerate(self._ended)}
        place = self._places.get(entry)
        return None if place is None else place + len(self._under_way)
