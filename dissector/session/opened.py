"""The tasks under way, and the questions about them that must not cost a walk over all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

from dissector.limits import MAX_ALIKE, MAX_OPEN_TASKS
from dissector.model import Connection, Task
from dissector.session.silence import Silence
from dissector.session.task import TaskFacts
from dissector.session.verdict import ended_before

#: Addresses of the client and of where the callback comes from.
_Pair = tuple[str, str]


class OpenTasks:
    """Facts of the tasks under way, in the order in which they were recognised."""

    def __init__(self) -> None:
        self._open: dict[Task, TaskFacts] = {}
        self._count = 0
        self._silence = Silence()
        #: Those to which something happened since somebody asked.
        self._news: dict[TaskFacts, None] = {}
        #: Whose port is not known, and those without a command connection.
        self._half_known: dict[_Pair, OrderedDict[TaskFacts, None]] = {}
        self._without_command: dict[_Pair, OrderedDict[TaskFacts, None]] = {}
        #: Under which pair a task is in the latter.
        self._pairs: dict[TaskFacts, _Pair] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def ended(self) -> int:
        """How many tasks are not under way any more."""
        return self._count - len(self._open)

    def __contains__(self, record: Task | None) -> bool:
        return record in self._open

    def __iter__(self) -> Iterator[TaskFacts]:
        return iter(list(self._open.values()))

    def get(self, record: Task | None) -> TaskFacts | None:
        return self._open.get(record) if record is not None else None

    def add(self, facts: TaskFacts) -> None:
        self._count += 1
        facts.rank = self._count
        self._open[facts.record] = facts
        self.changed(facts)

    def remove(self, facts: TaskFacts) -> None:
        del self._open[facts.record]
        self._silence.leave(facts)
        self._news.pop(facts, None)
        command = facts.record.command
        if command is not None:
            _drop(self._half_known, _pair_of(command), facts)
        if facts in self._pairs:
            _drop(self._without_command, self._pairs.pop(facts), facts)

    # --- silence ---------------------------------------------------------------------------------------------------

    def due(self, now: int) -> list[TaskFacts]:
        """Tasks that are over or superseded and have been silent for long enough; each is told once."""
        return self._silence.due(now)

    def touched(self, facts: TaskFacts) -> None:
        """Something happened to the task that may make it due: a connection is over or new, or it was superseded."""
        if facts.record in self._open:
            self._news[facts] = None
            self._silence.note(facts)

    def news(self) -> list[TaskFacts]:
        """The tasks that came, or of which a connection came or went, since this was asked last."""
        found = list(self._news)
        self._news.clear()
        return found

    def too_many(self) -> TaskFacts | None:
        """The task to give up before another one is added."""
        if len(self._open) < MAX_OPEN_TASKS:
            return None
        return self._silence.idlest()

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
        for facts in list(islice(reversed(self._half_known.get(pair, {})), MAX_ALIKE)):
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
        return list(islice(reversed(self._without_command.get(pair, {})), MAX_ALIKE))

    def without_command(self, command: Connection, packet: int, *, kill: bool) -> TaskFacts | None:
        """The only task without a command connection that ``command`` can be the one of.  The client sends a close
        (``packet``) when the callback connection has ended, unless it wants to ``kill`` the task."""
        waiting = self._without_command.get(_pair_of(command), ())
        facts = next(iter(waiting)) if len(waiting) == 1 else None
        callback = facts.record.callback if facts is not None else None
        may_be = callback is not None and (kill or ended_before(callback, packet))
        return facts if may_be else None


def _pair_of(command: Connection) -> _Pair:
    return command.client.ip, command.server.ip


def _drop(table: dict[_Pair, OrderedDict[TaskFacts, None]], pair: _Pair, facts: TaskFacts) -> None:
    waiting = table.get(pair)
    if waiting is not None:
        waiting.pop(facts, None)
        if not waiting:
            del table[pair]
