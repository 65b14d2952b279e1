"""The tasks under way, and the questions about them that must not cost a walk over all of them.

A task is looked at again when it may be due, not at every tick: in a heap by the time at which it will have been silent
for so long.  Packets do not touch the heap: a task found due that had some lately goes back into it.  One that is
silent but not over waits aside until something happens to it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import islice

from dissector.limits import MAX_OPEN_TASKS
from dissector.model import Connection, Task
from dissector.session.pace import CALLBACK_LINGER
from dissector.session.task import TaskFacts
from dissector.session.verdict import end_mark

#: Addresses of the client and of where the callback comes from.
_Pair = tuple[str, str]
#: Tasks between two hosts that are looked at to tell them from each other.
_MOST_ALIKE = 64
#: Entries of tasks that are gone may be so many more than those of others.
_SPARE = 1_024


class OpenTasks:
    """Facts of the tasks under way, in the order in which they were recognised."""

    def __init__(self) -> None:
        self._open: dict[Task, TaskFacts] = {}
        self._ranks: dict[int, TaskFacts] = {}
        self._count = 0
        self._heap: list[tuple[int, int]] = []
        #: Those to which something happened since somebody asked.
        self._news: dict[TaskFacts, None] = {}
        #: Silent for so long, and not over.
        self._aside: OrderedDict[int, None] = OrderedDict()
        #: Whose port is not known, and those without a command connection.
        self._half_known: dict[_Pair, OrderedDict[TaskFacts, None]] = {}
        self._without_command: dict[_Pair, OrderedDict[TaskFacts, None]] = {}
        #: Under which pair a task is in the latter.
        self._pairs: dict[TaskFacts, _Pair] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, record: Task | None) -> bool:
        return record in self._open

    def __iter__(self) -> Iterator[TaskFacts]:
        return iter(list(self._open.values()))

    def get(self, record: Task | None) -> TaskFacts | None:
        return self._open.get(record) if record is not None else None

    def add(self, facts: TaskFacts) -> None:
        self._count += 1
        facts.rank = self._count
        self._open[facts.record] = self._ranks[facts.rank] = facts
        self._push(facts)
        self.changed(facts)

    def remove(self, facts: TaskFacts) -> None:
        del self._open[facts.record], self._ranks[facts.rank]
        self._news.pop(facts, None)
        self._aside.pop(facts.rank, None)
        command = facts.record.command
        if command is not None:
            _drop(self._half_known, _pair_of(command), facts)
        if facts in self._pairs:
            _drop(self._without_command, self._pairs.pop(facts), facts)
        if len(self._heap) > 2 * len(self._open) + _SPARE:
            self._heap = [entry for entry in self._heap if entry[1] in self._ranks]
            heapify(self._heap)

    # --- silence ---------------------------------------------------------------------------------------------------

    def due(self, now: int) -> list[TaskFacts]:
        """Tasks that are over or superseded and have been silent for ``CALLBACK_LINGER``; each is told once."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            facts = self._ranks.get(heappop(self._heap)[1])
            if facts is None:
                continue
            if facts.last_seen() + CALLBACK_LINGER > now:
                self._push(facts)
            elif facts.is_over() or facts.superseded:
                found.append(facts)
            else:
                self._aside[facts.rank] = None
        return sorted(found, key=lambda facts: facts.rank)

    def touched(self, facts: TaskFacts) -> None:
        """Something happened to the task that may make it due: a connection is over or new, or it was superseded."""
        if facts.record in self._open:
            self._news[facts] = None
        if facts.rank in self._aside:
            del self._aside[facts.rank]
            self._push(facts)

    def news(self) -> list[TaskFacts]:
        """The tasks that came, or of which a connection came or went, since this was asked last."""
        found = list(self._news)
        self._news.clear()
        return found

    def too_many(self) -> TaskFacts | None:
        """The task to give up before another one is added."""
        if len(self._open) < MAX_OPEN_TASKS:
            return None
        facts = self._idlest()
        facts.given_up = True
        return facts

    def _idlest(self) -> TaskFacts:
        """The task that has been silent for longest, more or less; there has to be one."""
        while self._aside:
            facts = self._ranks[self._aside.popitem(last=False)[0]]
            if not self._heap or facts.last_seen() + CALLBACK_LINGER <= self._heap[0][0]:
                return facts
            self._push(facts)
        while True:
            time, rank = heappop(self._heap)
            facts_or_none = self._ranks.get(rank)
            if facts_or_none is not None:
                if facts_or_none.last_seen() + CALLBACK_LINGER <= time:
                    return facts_or_none
                self._push(facts_or_none)

    def _push(self, facts: TaskFacts) -> None:
        heappush(self._heap, (facts.last_seen() + CALLBACK_LINGER, facts.rank))

    # --- who may be whose ------------------------------------------------------------------------------------------

    def changed(self, facts: TaskFacts) -> None:
        """The task has other connections than before."""
        record = facts.record
        if record not in self._open:
            return
        self.touched(facts)
        command, client, peer = record.command, record.client, record.callback_peer
        if command is not None and record.callback_port is None and not facts.attempts:
            self._half_known.setdefault(_pair_of(command), OrderedDict())[facts] = None
        known = self._pairs.pop(facts, None)
        if known is not None:
            _drop(self._without_command, known, facts)
        if command is None and client is not None and peer is not None:
            pair = self._pairs[facts] = client.ip, peer.ip
            self._without_command.setdefault(pair, OrderedDict())[facts] = None

    def half_known(self, callback: Connection) -> list[TaskFacts]:
        """The newest two tasks whose port is not known, because only the answer to the start could be read or because
        the port was none, and of which ``callback`` can be the callback."""
        pair = callback.server.ip, callback.client.ip
        found: list[TaskFacts] = []
        for facts in list(islice(reversed(self._half_known.get(pair, {})), _MOST_ALIKE)):
            if facts.record.callback_port is None and not facts.attempts:
                found.append(facts)
            else:
                _drop(self._half_known, pair, facts)
            if len(found) == 2:
                break
        return found

    def lone(self, callback: Connection) -> list[TaskFacts]:
        """The newest tasks without a command connection between the hosts of ``callback``."""
        pair = callback.server.ip, callback.client.ip
        return list(islice(reversed(self._without_command.get(pair, {})), _MOST_ALIKE))

    def without_command(self, command: Connection, *, kill: bool) -> TaskFacts | None:
        """The only task without a command connection that ``command`` can be the one of.  The client sends a close when
        the callback connection has ended, unless it wants to ``kill`` the task."""
        waiting = self._without_command.get(_pair_of(command), ())
        facts = next(iter(waiting)) if len(waiting) == 1 else None
        callback = facts.record.callback if facts is not None else None
        may_be = callback is not None and (kill or callback.over or end_mark(callback) is not None)
        return facts if may_be else None


def _pair_of(command: Connection) -> _Pair:
    return command.client.ip, command.server.ip


def _drop(table: dict[_Pair, OrderedDict[TaskFacts, None]], pair: _Pair, facts: TaskFacts) -> None:
    waiting = table.get(pair)
    if waiting is not None:
        waiting.pop(facts, None)
        if not waiting:
            del table[pair]
