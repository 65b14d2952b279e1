"""How messages leave the session: as they are, as stand-ins, or not at all (see ``tracer.Tracer``)."""

from __future__ import annotations

from collections.abc import Callable

from dissector.model import Connection, Message
from dissector.session.numbering import Sequencer


class Teller:
    """``order`` brings events into theirs; messages of connections ``made_by_others`` are made by somebody else."""

    def __init__(
        self, order: Sequencer, wants_messages: bool, made_by_others: Callable[[Connection], bool] | None
    ) -> None:
        self.wants_messages = wants_messages
        self._order = order
        self._made_by_others = made_by_others

    def message(self, message: Message) -> None:
        if self.wants_messages:
            self._order.emit(message)
        else:
            self._order.omit(message.task)

    def tells(self, connection: Connection) -> bool:
        return self.wants_messages and not (self._made_by_others is not None and self._made_by_others(connection))

    def omitted(self, connection: Connection, messages: int) -> None:
        if self.wants_messages:
            self._order.stand_in(connection, messages)
        else:
            self._order.omit(connection.task, messages)

    def recognised(self, connection: Connection) -> None:
        self._order.decided(connection)
