"""Feeds a tracer with blocks: whole runs where they fit, nothing of what is foreign, the rest packet by packet.

The tracer is in the same state after a block as after its packets one by one, and gives the same events in the same
order: nothing that other packets of the block do depends on how far a run has come.  Only its messages, where they are
wanted, have their places among those of other connections: each is told when its packet is due.  A test runs the two
ways side by side.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heapreplace

from dissector.limits import MAX_CONNECTIONS
from dissector.session.dialog import HEADER
from dissector.session.handlers import Callback
from dissector.session.order import Event
from dissector.session.tracer import Tracer
from dissector.stream.blocks import Block, Piece, Run, Talk
from dissector.stream.express import fits, take
from dissector.stream.flows import Entry
from dissector.traffic import ENDS, FIN, RST, Frame, Packet, Watch

_new = tuple.__new__

#: Where in a plain packet TCP's flags are.
_FLAGS = 47


class _Way:
    """How far one talk of a block has come: the place to go on at, the next run, and what is to be told of the one
    before.  ``certain``: what is foreign stays foreign in this block unless it begins anew."""

    __slots__ = ("at", "certain", "run", "talk", "telling")

    def __init__(self, talk: Talk, certain: bool) -> None:
        self.talk = talk
        self.certain = certain
        self.at = self.run = 0
        self.telling: Iterator[int] | None = None

    def due(self) -> int | None:
        """Index of the next packet that is looked at, None behind the last one; tells the message that was due."""
        if self.telling is not None:
            index = next(self.telling, None)
            if index is not None:
                return index
            self.telling = None
        return self.talk.places[self.at] >> 1 if self.at < len(self.talk.places) else None


def feed(tracer: Tracer, item: Packet | Block) -> Iterator[Sequence[Event]]:
    """The events that a packet or a block makes final, some at a time.  Each has to be used before the next are asked
    for: a connection may still be given late packets."""
    if isinstance(item, Block):
        yield from _feed(tracer, item)
    else:
        yield tracer.feed(item)


def _feed(tracer: Tracer, block: Block) -> Iterator[Sequence[Event]]:
    watch, times = tracer.watch, block.times
    if not block.ordered or times[0] < watch.now:
        yield from (found for packet in block.packets() if (found := tracer.feed(packet)))
        return
    ways = _ways(tracer, block)
    # By the index of the next packet: one entry a talk, and the packets that are in none.
    due = [(way.talk.places[0] >> 1, number) for number, way in enumerate(ways)]
    due += [(index, -1) for index in block.others]
    heapify(due)
    wake_at = bisect_left(times, watch.wake)
    while due:
        index, number = due[0]
        while wake_at < index:
            yield tracer.wake(times[wake_at])
            wake_at = bisect_left(times, watch.wake, wake_at + 1)
        if number < 0:
            yield tracer.feed(block.packet(index, None))
            heappop(due)
        else:
            way = ways[number]
            if way.telling is None and not _run(tracer, block, way) and (found := _step(tracer, block, way, index)):
                yield found
            if (coming := way.due()) is not None:
                heapreplace(due, (coming, number))
            else:
                heappop(due)
            if found := tracer.ready():
                yield found
        if wake_at == index:
            wake_at = bisect_left(times, watch.wake, index)
    while wake_at < len(times):
        yield tracer.wake(times[wake_at])
        wake_at = bisect_left(times, watch.wake, wake_at + 1)
    watch.now = times[-1]


def _ways(tracer: Tracer, block: Block) -> list[_Way]:
    """Talks with something to do."""
    watch = tracer.watch
    # Where the cap on foreign connections is near, one may be forgotten while the block is under way.
    certain = len(watch.foreign) + 2 * len(block.talks) <= 2 * MAX_CONNECTIONS
    ways = []
    for talk in block.talks:
        if certain and _is_foreign(watch, talk, 0):
            _leave(tracer, block, talk)
        else:
            ways.append(_Way(talk, certain))
    return ways


def _leave(tracer: Tracer, block: Block, talk: Talk) -> None:
    """The rest of a foreign talk is of no interest, unless its connection ends with it: FIN, FIN and the last ACK."""
    if any(block.data[block.begins[place >> 1] + _FLAGS] & (FIN | RST) for place in talk.places[-3:]):
        tracer.watch.ended(*talk.keys)


def _is_foreign(watch: Watch, talk: Talk, index: int) -> bool:
    """True when nothing of a talk from packet ``index`` on is of interest."""
    return talk.begins < index and talk.keys[0] in watch.foreign and talk.keys[1] in watch.foreign


def _run(tracer: Tracer, block: Block, way: _Way) -> bool:
    """Takes the run that begins where the talk stands, if there is one and it fits."""
    runs = way.talk.runs
    if way.run == len(runs) or runs[way.run].first != way.at:
        return False
    run = runs[way.run]
    way.run += 1
    found = tracer.callback(way.talk.keys[0], len(block.talks) + len(block.others))
    if found is None or not fits(found[0], run):
        return False
    way.at = run.stop
    way.telling = _tell(*found, run, block, one_by_one=tracer.wants_messages)
    return True


def _tell(entry: Entry, handler: Callback, run: Run, block: Block, *, one_by_one: bool) -> Iterator[int]:
    """Takes a run that fits.  ``one_by_one`` gives the index of each message, which is told when the next one is asked
    for; else all of them are told at once."""
    senders, bases, number = (entry.sender, entry.other), take(entry, run), block.number + 1
    data, times = block.data, block.times

    def tell(piece: Piece) -> None:
        side, index, begin, end, before = piece
        message, packets = data[begin + HEADER : end], (number + index,)
        handler.frame(_new(Frame, (senders[side].side, bases[side] + before, message, packets, times[index])))

    for item in run.items:
        taken = False
        for position, piece in enumerate([item] if len(item) == 5 else item[5]):
            if one_by_one:
                yield piece[1]
            if len(item) == 6 and not position:
                taken = handler.pairs(item, senders[item[0]].side, run.heads)
            if not taken:
                tell(piece)
            elif one_by_one:
                handler.passed(is_answer=position % 2 == 1)
            else:
                break


def _step(tracer: Tracer, block: Block, way: _Way, index: int) -> Sequence[Event]:
    """Takes one packet; what follows a packet of a foreign connection is passed over."""
    talk, watch = way.talk, tracer.watch
    key = talk.keys[talk.places[way.at] & 1]
    way.at += 1
    if key not in watch.foreign or block.data[block.begins[index] + _FLAGS] & ENDS:
        return tracer.feed(block.packet(index, key))
    if way.certain and _is_foreign(watch, talk, index):
        way.at = len(talk.places)
        _leave(tracer, block, talk)
    return ()
