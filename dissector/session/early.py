"""Callbacks that a capture has before the start command: a network card with several queues hands over what each of
them has, so that packets stand some milliseconds out of order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from dissector.limits import CLOCK_JITTER
from dissector.model import Connection, Endpoint, Role
from dissector.session.sniffer import Sniffer
from dissector.session.task import TaskFacts
from dissector.stream.flows import Flow
from dissector.traffic import Side

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
                self._take_reset(connection)
                yield flow

    def _take_reset(self, connection: Connection) -> None:
        """The answer to its SYN may stand before it: as a connection of its own, that began with a reset."""
        for other in (flow.connection for flow in filter(None, self._flows)):
            between = {connection.client, connection.server} == {other.client, other.server}
            side = next((side for side in other.sides if side.rst is not None), None)
            near = abs(other.start - connection.start) <= CLOCK_JITTER
            if between and side is not None and other.packets == 1 and near:
                server = connection.sides[Side.SERVER]
                server.rst = server.rst or side.rst
