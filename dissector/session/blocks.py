"""Feeds a tracer with blocks: whole runs where they fit, nothing of what is foreign, the rest packet by packet.

The tracer is in the same state after a block as after its packets one by one, and gives the same events in the same
order: a run gives none, and nothing that other packets of the block do depends on how far it has come.  A test runs
the two ways side by side.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heapreplace

from dissector.limits import MAX_CONNECTIONS
from dissector.session.handlers import Callback
from dissector.session.order import Event
from dissector.session.tracer import Tracer
from dissector.stream.blocks import Block, Run, Talk
from dissector.stream.express import fits, payload_of, sequence_of, take
from dissector.stream.flows import Entry
from dissector.traffic import SYN, Chunk, Packet, Watch

#: Where in a plain packet TCP's flags are.
_FLAGS = 47


class _Way:
    """How far one talk of a block has come: the place to go on at, and the next run.  ``certain``: what is foreign
    stays foreign in this block unless it begins anew."""

    __slots__ = ("at", "certain", "run", "talk")

    def __init__(self, talk: Talk, certain: bool) -> None:
        self.talk = talk
        self.certain = certain
        self.at = self.run = 0


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
            if not _run(tracer, block, way) and (found := _step(tracer, block, way, index)):
                yield found
            if way.at < len(way.talk.places):
                heapreplace(due, (way.talk.places[way.at] >> 1, number))
            else:
                heappop(due)
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
    return [_Way(talk, certain) for talk in block.talks if not (certain and _is_foreign(watch, talk, 0))]


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
    found = tracer.callback(way.talk.keys[0])
    if found is None or not fits(found[0], run):
        return False
    way.at = run.stop
    _take(*found, run, block, way.talk)
    return True


def _take(entry: Entry, handler: Callback, run: Run, block: Block, talk: Talk) -> None:
    """All of a run that fits."""
    senders, bases, number = (entry.sender, entry.other), take(entry, run), block.number + 1

    def tell(side: int, index: int, begin: int, end: int, before: int) -> None:
        offset, data = bases[side] + before, block.data[begin:end]
        handler.chunk(Chunk(senders[side].side, offset, data, number + index, block.times[index]))

    for item in run.items:
        if len(item) == 5:
            tell(*item)
        elif not handler.pairs(item, senders[item[0]].side, run.heads):
            for place in talk.places[item[3] : item[4]]:
                side, index = place & 1, place >> 1
                begin, end = payload_of(block, index)
                if end > begin:
                    tell(side, index, begin, end, (sequence_of(block, index) - run.parts[side].base) & 0xFFFF_FFFF)


def _step(tracer: Tracer, block: Block, way: _Way, index: int) -> Sequence[Event]:
    """Takes one packet; what follows a packet of a foreign connection is passed over."""
    talk, watch = way.talk, tracer.watch
    key = talk.keys[talk.places[way.at] & 1]
    way.at += 1
    if key not in watch.foreign or block.data[block.begins[index] + _FLAGS] & SYN:
        return tracer.feed(block.packet(index, key))
    if way.certain and _is_foreign(watch, talk, index):
        way.at = len(talk.places)
    return ()
