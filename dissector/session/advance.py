"""Feeds a tracer with blocks: whole runs where they fit, nothing of what is foreign, the rest packet by packet.

The tracer is in the same state after a block as after its packets one by one, and gives the same events in the same
order: nothing that other packets of the block do depends on how far a run has come.  Only its messages, where they are
wanted, have their places among those of other connections: each is handled when its packet is due.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heapreplace

from dissector.limits import MAX_CONNECTIONS
from dissector.model import Event
from dissector.session.dialog import HEADER
from dissector.session.exchanges import Exchanges
from dissector.session.handlers import Callback
from dissector.session.packet_time import PacketTime
from dissector.session.run_detection import run_from
from dissector.session.strangers import Stranger
from dissector.session.streaks import RunOfExchanges, Schedule
from dissector.session.tls import Tls
from dissector.session.tls_runs import deciphered, taken
from dissector.session.tracer import Tracer
from dissector.stream.block import Block, Conversation, Joined, Piece, Run
from dissector.stream.fast_path import advance_by_run, fits, flags_of
from dissector.stream.flows import Entry
from dissector.traffic import ENDS, FIN, RST, Chunk, Frame

_new = tuple.__new__


class _Cursor:
    """How far one conversation of a block has come: the place to go on at, the next run, and the messages of the one
    before that are still due; ``missed``: a run that began before the connection was ready for one; ``stranger``: it is
    foreign from the next place on.  ``certain``: what is foreign stays foreign in this block unless it begins anew."""

    __slots__ = ("at", "certain", "conversation", "missed", "pending", "run", "stranger")

    def __init__(self, conversation: Conversation, certain: bool) -> None:
        self.conversation = conversation
        self.certain = certain
        self.at = self.run = 0
        self.pending: Iterator[int] | None = None
        self.missed: Run | None = None
        self.stranger: Stranger | None = None

    def due(self) -> int | None:
        """Index of the next packet that is looked at, None behind the last one; handles the message that was due."""
        if self.pending is not None:
            index = next(self.pending, None)
            if index is not None:
                return index
            self.pending = None
        places = self.conversation.places
        return places[self.at] >> 1 if self.at < len(places) else None


def feed(tracer: Tracer, block: Block) -> Iterator[Sequence[Event]]:
    """The events that a block makes final, some at a time.  Each has to be used before the next are asked for: a
    connection may still be given late packets."""
    if not block.conversations:
        tracer.overview.without_tcp(block)
    if not block.ordered or (block.times and block.times[0] < tracer.clock.now):
        yield from (events for packet in block.packets() if (events := tracer.feed(packet)))
    elif block.times:
        yield from _feed(tracer, block)


def events_of(tracer: Tracer, blocks: Iterable[Block]) -> Iterator[Event]:
    """All events of a capture, in blocks, to its end."""
    for block in blocks:
        for events in feed(tracer, block):
            yield from events
    yield from tracer.finish()


def _feed(tracer: Tracer, block: Block) -> Iterator[Sequence[Event]]:
    clock, reorder, times = tracer.clock, tracer.reorder, block.times
    cursors = _cursors(tracer, block)
    # By the index of the next packet: one entry a conversation, and the packets that are in none.
    due = [(cursor.conversation.places[0] >> 1, number) for number, cursor in enumerate(cursors)]
    due += [(index, -1) for index in block.others]
    heapify(due)
    schedule = Schedule(due)
    wake_at = bisect_left(times, clock.wake)
    while due:
        index, number = due[0]
        if wake_at < index:
            schedule.at = wake_at
            yield tracer.wake(times[wake_at])
            wake_at = bisect_left(times, clock.wake, wake_at + 1)
            continue
        schedule.at = index
        if times[index] >= reorder.deadline:
            tracer.catch_up(times[index])
        if number < 0:
            yield tracer.feed(block.packet(index, None))
            heappop(due)
        else:
            cursor = cursors[number]
            if cursor.pending is None and not (
                cursor.conversation.runs and _begin_run(tracer, block, cursor, schedule)
            ):
                _step(tracer, block, cursor, index)
            if (coming := cursor.due()) is not None:
                heapreplace(due, (coming, number))
            else:
                heappop(due)
            if events := tracer.ready():
                yield events
        if wake_at == index:
            wake_at = bisect_left(times, clock.wake, index)
    while wake_at < len(times):
        yield tracer.wake(times[wake_at])
        wake_at = bisect_left(times, clock.wake, wake_at + 1)
    tracer.catch_up(times[-1])
    clock.now = times[-1]


def _cursors(tracer: Tracer, block: Block) -> list[_Cursor]:
    """Those of conversations with something to do."""
    # Where the cap on foreign connections is near, one may be forgotten while the block is under way.
    certain = len(tracer.foreign) + 2 * len(block.conversations) <= 2 * MAX_CONNECTIONS
    cursors = []
    tracer.strangers.enter(block)
    for conversation in block.conversations:
        if certain and _is_foreign(tracer, conversation, 0):
            _leave(tracer, block, conversation)
        else:
            cursors.append(_Cursor(conversation, certain))
    return cursors


def _leave(tracer: Tracer, block: Block, conversation: Conversation) -> None:
    """The rest of a foreign conversation is of no interest, unless its connection ends with it."""
    if _ends(block, conversation):
        tracer.ended(*conversation.keys)


def _ends(block: Block, conversation: Conversation) -> bool:
    """True when a connection ends with a conversation: FIN, FIN and the last ACK, or a reset."""
    key, places = conversation.keys[0], conversation.places
    return any(flags_of(block, key, place >> 1) & (FIN | RST) for place in (*places[-2:], *places[-3:-2]))


def _is_foreign(tracer: Tracer, conversation: Conversation, index: int) -> bool:
    """True when nothing of a conversation from packet ``index`` on is of interest."""
    one, two = conversation.keys
    return conversation.begins < index and one in tracer.foreign and two in tracer.foreign


def _begin_run(tracer: Tracer, block: Block, cursor: _Cursor, schedule: Schedule) -> bool:
    """Takes the run that begins where the conversation stands, if there is one and it fits; of one that began too early
    what is left."""
    runs, at = cursor.conversation.runs, cursor.at
    run = runs[cursor.run] if cursor.run < len(runs) and runs[cursor.run].first == at else None
    missed = cursor.missed if cursor.missed is not None and at < cursor.missed.stop else None
    if run is None and missed is None:
        return False
    cursor.run += run is not None
    key, others = cursor.conversation.keys[0], len(block.conversations) + len(block.others)
    found = tracer.in_step(key, others)
    if found is None:
        cursor.missed = run or missed
        return False
    cursor.missed = None
    entry, handler = found
    run = run or (missed and run_from(block, cursor.conversation, at, missed))
    if run is None or not fits(entry, run):
        return False
    if isinstance(handler, Exchanges) is not bool(run.heard) or isinstance(handler, Tls) is not bool(run.records):
        return False
    if isinstance(handler, Callback):
        cursor.pending = _messages(entry, handler, run, block, one_by_one=tracer.wants_messages)
    else:
        exchanges = _exchanges(entry, handler, run, block, tracer.clock, schedule)
        if exchanges is None:
            return False
        cursor.pending = exchanges.turns()
    cursor.at = run.stop
    while cursor.run < len(runs) and runs[cursor.run].first < run.stop:
        cursor.run += 1
    return True


def _exchanges(
    entry: Entry, handler: Exchanges | Tls, run: Run, block: Block, clock: PacketTime, schedule: Schedule
) -> RunOfExchanges | None:
    """Takes a run that fits, of messages over HTTP or of TLS; None, and nothing done, where that can not be read."""
    number = schedule.due[0][1]
    if isinstance(handler, Exchanges):
        bases = advance_by_run(entry, run, block.numbers)
        return RunOfExchanges(entry, bases, handler, run, block.data, block, clock, schedule, number)
    sides = entry.sender.side, entry.other.side
    plains = deciphered(handler, run, block, sides)
    if plains is None:
        return None
    bases = advance_by_run(entry, run, block.numbers)
    inside, data, bases = taken(handler, run, plains, block, sides, bases)
    return RunOfExchanges(entry, bases, handler.inner.handler, inside, data, block, clock, schedule, number)


def _messages(entry: Entry, handler: Callback, run: Run, block: Block, *, one_by_one: bool) -> Iterator[int]:
    """Takes a run that fits.  ``one_by_one`` gives the index of each message, which is handled when the next one is
    asked for; else all of them are handled at once."""
    numbers = block.numbers
    senders, bases = (entry.sender, entry.other), advance_by_run(entry, run, numbers)
    data, times = block.data, block.times

    def handle(piece: Piece | Joined) -> None:
        packets: tuple[int, ...]
        if len(piece) == 5:
            side, index, begin, end, before = piece
            message, packets = data[begin + HEADER : end], (numbers[index],)
        else:
            side, index, (message, indices), before = piece
            packets = tuple([numbers[one] for one in indices])
        handler.frame(_new(Frame, (senders[side].side, bases[side] + before, message, packets, times[index])))

    for item in run.items:
        taken = False
        for position, piece in enumerate(item[5] if len(item) == 6 else [item]):
            if one_by_one:
                yield piece[1]
            if len(item) == 6 and not position:
                taken = handler.pairs(item, senders[item[0]].side, run.heads, numbers)
            if not taken:
                handle(piece)
            elif one_by_one:
                handler.passed(is_answer=position % 2 == 1)
            else:
                break
    for side, index, begin, end, before in run.unfinished:
        part = data[begin:end]
        handler.chunk(_new(Chunk, (senders[side].side, bases[side] + before, part, numbers[index], times[index])))


def _step(tracer: Tracer, block: Block, cursor: _Cursor, index: int) -> None:
    """Takes one packet; what follows a packet of a foreign connection is passed over."""
    conversation = cursor.conversation
    if cursor.stranger is not None:
        tracer.strangers.tell(cursor.stranger, block, conversation)
        cursor.stranger = None
        is_last = conversation.begins < index
        cursor.at = len(conversation.places) if is_last else cursor.at + 1
        (tracer.ended if is_last and _ends(block, conversation) else tracer.passed)(*conversation.keys)
        return
    if conversation.foreign_at and not cursor.at and cursor.certain:
        cursor.stranger = tracer.strangers.begin(block, conversation)
        if cursor.stranger is not None:
            cursor.at = conversation.foreign_at
            return
    key = conversation.keys[conversation.places[cursor.at] & 1]
    cursor.at += 1
    if key not in tracer.foreign or flags_of(block, key, index) & ENDS:
        tracer.take_packet(block.packet(index, key))
    elif cursor.certain and _is_foreign(tracer, conversation, index):
        cursor.at = len(conversation.places)
        _leave(tracer, block, conversation)
