"""Command connections whose start command the snap length cut off, and what their remotes open meanwhile.

What is left of such a command does not tell the port, and mostly not even that it is a start.  A callback tells: its
SYN comes from the remote to the client, to a port in the callback range, within the time that the client waits.  The
two are a pair when no other is possible (as in ``pairs``): one such command was waiting, and one port was called.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from dissector.limits import MAX_ALIKE, MAX_CONNECTIONS
from dissector.model import Connection, Role, Task
from dissector.session import detect
from dissector.session.commands import Command
from dissector.session.desk import Desk
from dissector.session.handlers import Callback, Sniffer
from dissector.session.task import TaskFacts
from dissector.session.timeouts import GIVE_UP_TO, PAIR_PATIENCE
from dissector.session.verdict import is_rejected
from dissector.stream.flows import Flow
from dissector.traffic import Gap


class Starter(Desk, Protocol):
    """What the tracer does with what is found."""

    def take(self, connection: Connection, role: Role, task: Task | None) -> None: ...
    def attempt(self, facts: TaskFacts, connection: Connection) -> Callback: ...
    def linger(self, flow: Flow) -> None: ...


@dataclass(slots=True, eq=False)
class _Cut:
    """A command, cut off at packet ``time``; ``facts`` are those of a task when it is known to be one."""

    flow: Flow
    facts: TaskFacts
    time: int
    #: Only a start command begins with what is left of it.
    is_start: bool
    #: Its port is known for commands, or its bytes are those of one.
    is_command: bool
    is_task: bool = False
    tries: list[Flow] = field(default_factory=list)
    #: A callback may be that of another command.
    is_unclear: bool = False


class CutStarts:
    """``callback_ports`` are the lowest and the highest one."""

    def __init__(self, callback_ports: tuple[int, int], starter: Starter) -> None:
        self._starter = starter
        self._low, self._high = callback_ports
        self._cuts: OrderedDict[Connection, _Cut] = OrderedDict()
        self._between: dict[tuple[str, str], OrderedDict[Connection, _Cut]] = {}

    def __contains__(self, connection: Connection | None) -> bool:
        return connection in self._cuts

    def note(self, flow: Flow, gap: Gap) -> None:
        """The snap length cut off bytes of the client: those of its first document, as far as it may be a start."""
        connection, handler = flow.connection, flow.handler
        if (known := self._cuts.get(connection)) is not None:
            known.facts.cut_command = known.facts.cut_command or gap.time
            return
        if connection.mid_stream or connection.task is not None:
            return
        if not isinstance(handler, (Command, Sniffer)):
            return
        head, is_command = handler.head, isinstance(handler, Command) or handler.is_command_port
        begins = gap.offset == len(head) or isinstance(handler, Command)
        if not (begins and detect.may_start(head) and (head or is_command)):
            return
        cut = _Cut(flow, TaskFacts.of_command(connection), gap.time, detect.is_start(head), is_command)
        connection.task = None  # it is none so far
        self._cuts[connection] = cut
        between = self._between.setdefault(_ends(connection), OrderedDict())
        between[connection] = cut
        if len(between) > MAX_ALIKE:
            self.drop(next(iter(between)))
        if len(self._cuts) > MAX_CONNECTIONS:
            self.drop(next(iter(self._cuts)))

    def drop(self, connection: Connection) -> None:
        """It was read after all, or is something else."""
        if self._cuts.pop(connection, None) is not None:
            between = self._between[_ends(connection)]
            del between[connection]
            if not between:
                del self._between[_ends(connection)]

    def started(self, facts: TaskFacts) -> None:
        """A command connection turned out to be that of a task."""
        command = facts.record.command
        cut = self._cuts.get(command) if command is not None else None
        if cut is None or command is None:
            return
        if facts.start is not None or facts.record.callback is not None:
            self.drop(command)
        else:
            cut.facts, cut.is_task = facts, True

    def opened(self, flow: Flow, half_known: list[TaskFacts]) -> None:
        """A connection that no start announced; it may also be the callback of those ``half_known``."""
        connection = flow.connection
        if connection.mid_stream or any(facts.record.command not in self._cuts for facts in half_known):
            return
        cuts = self._waiting(connection)
        for cut in cuts:
            cut.is_unclear = cut.is_unclear or len(cuts) > 1 or len(cut.tries) == MAX_ALIKE
            cut.tries.append(flow)
            del cut.tries[MAX_ALIKE:]

    def fitting(self, callback: Connection) -> list[TaskFacts]:
        """The tasks, not known so far, whose callback this one can be."""
        return [cut.facts for cut in self._waiting(callback) if not cut.is_task]

    def _waiting(self, callback: Connection) -> list[_Cut]:
        if not self._low <= (callback.server.port or 0) <= self._high:
            return []
        between = self._between.get((callback.server.ip, callback.client.ip), OrderedDict[Connection, _Cut]())
        return [
            cut
            for cut in between.values()
            if cut.time <= callback.start <= cut.time + GIVE_UP_TO and not _is_served(cut, callback)
        ]

    def found(self, facts: TaskFacts | None) -> TaskFacts | None:
        """The task that a callback belongs to; if it was one of those that are ``fitting``, it is one now."""
        cut = self._cuts.get(facts.record.command) if facts is not None and facts.record.command is not None else None
        if cut is not None and cut.facts is facts and not cut.is_task:
            self._start(cut)
        return facts

    def told(self, connection: Connection) -> TaskFacts | None:
        """The client closes or kills a task on the connection: what was cut off was its start."""
        cut = self._cuts.get(connection)
        if cut is not None and not cut.is_task:
            self._start(cut)
        return cut.facts if cut is not None else None

    def ended(self, connection: Connection) -> None:
        """The command connection is over: it is that of a task if one pair is possible, or if it tells so itself."""
        cut = self._cuts.get(connection)
        if cut is None:
            return
        tries = [flow for flow in cut.tries if _is_open_question(flow)]
        talked = sum(flow.connection.bytes > 0 for flow in tries)
        is_one = len({flow.connection.server for flow in tries}) == 1 and talked < 2 and not cut.is_unclear
        if not is_one:
            tries = []
        is_rejection = cut.is_command and not cut.tries and is_rejected(cut.facts)
        if not cut.is_task and (tries or cut.is_start or is_rejection):
            self._start(cut)
        self.drop(connection)
        self._starter.recognised(connection)
        for flow in tries if cut.facts.record.callback is None else ():
            self._join(cut.facts, flow)

    def _start(self, cut: _Cut) -> None:
        """It is a start command."""
        flow, starter = cut.flow, self._starter
        connection, handler, record = flow.connection, flow.handler, cut.facts.record
        starter.take(connection, Role.COMMAND, record)
        command = handler if isinstance(handler, Command) else Command(connection, starter)
        flow.handler = command
        if isinstance(handler, Sniffer):
            handler.replay(command)
        command.begin(cut.facts)
        starter.command_started(cut.facts)

    def _join(self, facts: TaskFacts, flow: Flow) -> None:
        """``flow`` is meant as the callback of the task."""
        connection, sniffer = flow.connection, flow.handler
        assert isinstance(sniffer, Sniffer)
        facts.record.callback_port = connection.server.port
        self._starter.recognised(connection)
        callback = self._starter.attempt(facts, connection)
        flow.handler = callback
        sniffer.replay(callback)
        if connection.over:
            callback.closed(connection.last_packet, connection.end)
            self._starter.linger(flow)


def _is_open_question(flow: Flow) -> bool:
    """Nobody knows what the connection is."""
    return isinstance(flow.handler, Sniffer) and flow.connection.role is Role.UNKNOWN


def _is_served(cut: _Cut, callback: Connection) -> bool:
    """True when another callback of this command was under way for long when ``callback`` began."""
    return any(
        flow.connection is not callback
        and flow.connection.start + PAIR_PATIENCE < callback.start
        and flow.connection.bytes > 0
        and _is_open_question(flow)
        for flow in cut.tries
    )  # fmt: skip


def _ends(command: Connection) -> tuple[str, str]:
    return command.client.ip, command.server.ip
