"""Callbacks that a capture has before the start command: a network card with several queues hands over what each of
them has, so that packets stand some milliseconds out of order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from dissector.limits import CLOCK_JITTER
from dissector.model import Endpoint, Role
from dissector.session.sniffer import Sniffer
from dissector.session.task import TaskFacts
from dissector.stream.flows import Flow

#: So many connections that began lately are kept in mind.
_NEWEST = 32


class Early:
    """Connections that began a moment ago."""

    def __init__(self) -> None:
        self._flows: deque[Flow | None] = deque(maxlen=_NEWEST)

    def note(self, flow: Flow | None) -> None:
        """A connection that nobody waited for; None: one of which all is known already."""
        self._flows.append(flow)

    def callbacks(self, facts: TaskFacts) -> Iterator[Flow]:
        """Those that go to the port which the start command of ``facts`` announces, began in the same moment, and did
        not tell yet what they are."""
        record, start = facts.record, facts.start
        if start is None or record.client is None or record.remote is None:
            return
        target = Endpoint(record.client.ip, record.callback_port)
        for flow in list(filter(None, self._flows)):
            connection = flow.connection
            if connection.server != target:
                continue
            is_open = connection.role is Role.UNKNOWN and bool(connection.syns)
            is_undecided = isinstance(flow.handler, Sniffer) or not connection.bytes
            if is_open and is_undecided and abs(connection.start - start.time) <= CLOCK_JITTER:
                self._flows.remove(flow)
                yield flow
