"""What is done with the bytes of a connection: one small class for each thing that a connection can be.

    Sniffer   nobody knows yet: keeps the first bytes until they tell, then hands them on
    Command   XML documents, paired with their answers (in ``commands``)
    Exchanges requests and responses over HTTP, of a Universal Agent (in ``exchanges``)
    Callback  frames, paired by a Dialog

A handler gets ``Chunk`` and ``Gap`` in stream order and ``closed`` once; it tells the tracer (through ``Desk``) what it
found.  Detection goes by content; a port is a hint for connections whose bytes say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dissector.model import Connection, Message
from dissector.session import detect
from dissector.session.commands import Command
from dissector.session.desk import Desk
from dissector.session.dialog import Dialog
from dissector.session.exchanges import Exchanges
from dissector.session.life import CallState, LifeEvent
from dissector.session.skim import ANSWER, Skim
from dissector.session.sniffer import Sniffer as Sniffer
from dissector.session.task import TaskFacts
from dissector.stream.block import Pairs
from dissector.stream.framing import FrameReader
from dissector.traffic import Chunk, Frame, Gap, Side, Skipped, StreamProblem

#: By names of their own: they are asked for with each segment.
_CALLING, _OPEN, _PROVED = CallState.CALLING, CallState.OPEN, CallState.PROVED
_FOREIGN, _ENDED = CallState.FOREIGN, CallState.ENDED


class Callback:
    """A callback connection of the task ``facts``; its listening end is the JobScheduler client."""

    def __init__(self, connection: Connection, desk: Desk, facts: TaskFacts) -> None:
        self.connection = connection
        self.facts = facts
        self._desk = desk
        self._dialog = Dialog(connection, Side.SERVER, desk.next_number)
        synced = not connection.mid_stream
        self._readers = (FrameReader(Side.CLIENT, synced=synced), FrameReader(Side.SERVER, synced=synced))
        self._state = _CALLING
        #: The task may be one on a Universal Agent, of which this is another leg: the master's own bridge, or the
        #: agent's connection to the task process.  Its messages are told, and counted there only.
        self.may_be_copy = self._is_named = False
        self._skim = None if desk.tells(connection) else Skim(self._dialog, Side.SERVER)

    def chunk(self, chunk: Chunk) -> None:
        state = self._state
        if state is _PROVED:
            reader = self._readers[chunk[0]]
            frame = reader.whole(chunk)
            if frame is not None:
                self.frame(frame)
            else:
                self._handle(reader.pieces(chunk))
            return
        if state is _FOREIGN or state is _ENDED:
            return
        self._open(chunk.number, chunk.time)
        if (
            not self.facts.confirmed
            and chunk.side is Side.CLIENT
            and chunk.offset == 0
            and not self.connection.mid_stream
            and detect.is_foreign_callback(chunk.data)
        ):
            self._advance(LifeEvent.STRANGER, chunk.number, chunk.time)
            self._desk.callback_foreign(self.facts, self.connection, chunk.number)
            return
        self._handle(self._readers[chunk.side].feed(chunk))

    def frame(self, frame: Frame) -> None:
        """The next message of a connection that is ``in_step``."""
        if self._skim is None or not self._skim.take(frame, self.facts):
            self._frame(frame)
        elif frame[2][0] == ANSWER:
            self._desk.omitted(self.connection, 2)

    @property
    def in_step(self) -> bool:
        """True when whole messages in order are all that is expected, and bring facts about its task that nobody else
        does."""
        alone = len(self.facts.attempts) <= 1 and self.facts.intruder is None
        return alone and self._state is _PROVED and all(reader.in_step for reader in self._readers)

    def pairs(self, pairs: Pairs, asker: Side, heads: list[bytes], numbers: Sequence[int]) -> bool:
        """Skims messages of a run, if ``asker`` may ask now; the connection has to be ``in_step``.  ``numbers`` are
        those of its block."""
        if self._skim is None or not self._skim.may_ask(asker):
            return False
        self._skim.take_pairs(pairs, heads, self.facts, numbers)
        return True

    def passed(self, *, is_answer: bool) -> None:
        """One of the messages that ``pairs`` took comes by."""
        self._desk.next_number()
        if is_answer:
            self._desk.omitted(self.connection, 2)

    def gap(self, gap: Gap) -> None:
        if self._state is not _FOREIGN and self._state is not _ENDED:
            self._open(gap.number, gap.time)
            self.facts.proof.lost(gap.side)
            self._handle(self._readers[gap.side].gap(gap))

    def _open(self, packet: int, time: int) -> None:
        """It got through."""
        if self._state is _CALLING:
            self.facts = self._desk.callback_opened(self.facts, self.connection)
            self._advance(LifeEvent.OPENED, packet, time)
            self.facts.dialog = self._dialog
            self.facts.proof.begins(mid_stream=self.connection.mid_stream)

    def _advance(self, event: LifeEvent, packet: int, time: int) -> None:
        self._state = self.facts.life.called(self._state, event, packet, time)

    def closed(self, number: int, time: int) -> None:
        if self._state is _ENDED:
            return
        if self.connection.established:  # accepted, maybe without a word
            self._open(number, time)
        if self._state is not _FOREIGN:
            for reader in self._readers:
                self._handle(reader.finish(number, time))
        self._advance(LifeEvent.END, number, time)
        self.facts.open_requests = self._dialog.open_requests()
        for message in self.facts.open_requests:
            self._desk.message(message)

    def _handle(self, items: Iterable[Frame | Skipped | StreamProblem]) -> None:
        for item in items:
            if isinstance(item, StreamProblem):
                if item.code != "gap":
                    self.facts.proof.lost(item.side)
                self._desk.stream_problem(item, self.connection)
                continue
            if self._state is _OPEN and item.side is Side.CLIENT:
                self._advance(LifeEvent.FRAME, item.packets[-1], item.time)
            if isinstance(item, Skipped):
                self._skipped(item)
            else:
                self.frame(item)

    def _skipped(self, skipped: Skipped) -> None:
        """A message that is too long to be decoded: whose it is and what it asks for is known all the same."""
        message = self._dialog.skipped(skipped)
        if not message.to_remote:
            self.facts.unread(message)
        self.facts.frame(message)
        message.note = skipped.reason
        self._told(message)

    def _frame(self, frame: Frame) -> None:
        message = self._dialog.feed(frame)
        self.facts.frame(message)
        self._told(message)
        if self.may_be_copy:
            # By the message behind the first answer the agent's response has been captured too.
            last, self._is_named = self._is_named, self.facts.instance is not None
            is_copy = self._desk.is_copy(self.facts, self.connection, message, last=last)
            for request in self._dialog.open_requests() if is_copy else ():
                request.task = self.connection.task
            self.may_be_copy = not is_copy and not last

    def _told(self, message: Message) -> None:
        for told in self._dialog.told(message):
            self._desk.message(told)


Handler = Command | Callback | Exchanges | Sniffer
