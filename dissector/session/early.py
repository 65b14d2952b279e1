"""Callbacks that a capture has before the start command: a network card with several queues hands over what each of
them has, so that packets stand some milliseconds out of order (see ``stream.reorder``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from dissector.limits import CLOCK_JITTER
from dissector.model import Endpoint, Role
from dissector.session.sniffer import Sniffer
from dissector.session.task import TaskFacts
from dissector.stream.flows import Flow
from dissector.traffic import NEVER

#: A start stands so far behind its callback (ns), and waits as long for what stands before it.
BEHIND = 2 * CLOCK_JITTER
#: So many connections that began lately are kept in mind.
_NEWEST = 32


class Early:
    """Connections that began a moment ago, and of which nobody knows so far what they are."""

    def __init__(self) -> None:
        self._flows: deque[Flow | None] = deque(maxlen=_NEWEST)
        self._waiting: dict[Flow, None] = {}

    def note(self, flow: Flow | None) -> None:
        """A connection that nobody waited for; None: one of which all is known already."""
        self._flows.append(flow)

    def near(self, time: int) -> list[Flow]:
        """Those that began at that time, more or less, with a SYN."""
        return [
            flow
            for flow in filter(None, self._flows)
            if abs(flow.connection.start - time) <= CLOCK_JITTER
            and not flow.connection.mid_stream
            and is_open_question(flow)
        ]

    def open_questions(self) -> list[Flow]:
        """Those of which nobody knows so far what they are."""
        return [flow for flow in filter(None, self._flows) if is_open_question(flow)]

    def wait(self, flow: Flow) -> None:
        """A callback whose start may stand behind it."""
        self._waiting.setdefault(flow)

    @property
    def deadline(self) -> int:
        """When the next one is due."""
        return next(iter(self._waiting)).connection.start + BEHIND + 1 if self._waiting else NEVER

    def due(self, now: int) -> list[Flow]:
        """Those for whose start nobody has to wait any more at ``now``."""
        found = []
        while self._waiting and (flow := next(iter(self._waiting))).connection.start + BEHIND < now:
            del self._waiting[flow]
            if is_open_question(flow):
                found.append(flow)
        found.sort(key=lambda flow: flow.connection.first_packet)
        return found

    def callbacks(self, facts: TaskFacts) -> Iterator[Flow]:
        """Those that go to the port which the start command of ``facts`` announces, and began when it was sent."""
        record, start = facts.record, facts.start
        if start is None or record.client is None or record.remote is None:
            return
        target = Endpoint(record.client.ip, record.callback_port)
        for flow in self.near(start.time):
            if flow.connection.server == target:
                self._flows.remove(flow)
                yield flow


def is_open_question(flow: Flow) -> bool:
    """Nobody knows what the connection is."""
    return isinstance(flow.handler, Sniffer) and flow.connection.role is Role.UNKNOWN
