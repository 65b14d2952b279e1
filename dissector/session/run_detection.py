"""Finds the runs of a block: stretches of callback connections whose segments the fast path would take one by one, told
from the bytes alone.

A run begins where messages begin in both directions, and claims only what its own packets show; whether its connection
is a callback that stands where the run begins is asked when it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dissector.session.foreign_start import foreign_at
from dissector.session.run_exchanges import RunExchanges, asks_agent, is_http
from dissector.session.run_messages import Alignment, RunMessages, may_be_messages
from dissector.session.run_pairs import InvokeShapes
from dissector.session.run_records import RunRecords
from dissector.stream.block import Block, Buffer, Conversation, Mark, Part, Run
from dissector.stream.direction import KEPT
from dissector.stream.fast_path import TELLING, ip_size, payload_of, reader
from dissector.stream.sequence import HALF, MASK
from dissector.stream.tls_records import is_program, is_record
from dissector.traffic import ACK
from dissector.wire.tls_keys import Secrets

_new = tuple.__new__
#: A shorter run is not worth the trouble; of a connection without a message in its first data nothing is.
_SHORTEST, _LOOKS = 4, 8
#: A longer silence (ns) ends a run: the tracer gives nothing up sooner, so it need not know how far a run has come.
_PAUSE = 60_000_000_000
_NOTHING, _FRAMES, _HTTP, _TLS = 0, 1, 2, 3


def runs_finder(secrets: Secrets | None) -> Callable[[Block], None]:
    """``find_runs`` for who deciphers TLS with ``secrets``, as soon as there are some: packets may bring them."""

    def find(block: Block) -> None:
        find_runs(block, wants_tls=bool(secrets))

    return find


def find_runs(block: Block, *, wants_tls: bool = False) -> None:
    """Fills in the runs of all conversations that have some, and where those that begin as foreign tell so."""
    shapes: InvokeShapes = {}
    conversations, ip_at = block.conversations, block.ip_offset
    for number, conversation in enumerate(conversations):
        keys, syns, places, runs, _ = conversation
        at = foreign_at(block, conversation, ip_at) if syns and syns[0] == places[0] >> 1 else 0
        if at:
            conversations[number] = _new(Conversation, (keys, syns, places, runs, at))
        if len(places) < _SHORTEST or (at and not wants_tls):
            continue
        speech = _speaks(block, conversation, wants_tls)
        if speech == _TLS:
            _find_others(block, conversation, partial(RunRecords, block.data), is_program)
        elif speech == _HTTP and not at:
            _find_others(block, conversation, partial(RunExchanges, block.data, shapes), is_http)
        elif speech == _FRAMES and not at:
            _find(block, conversation, shapes)


def _speaks(block: Block, conversation: Conversation, wants_tls: bool) -> int:
    """What some of the first data there may begin: a message, one over HTTP to an agent, or a record of TLS; false
    without."""
    has_data = False
    for place in conversation.places[:_LOOKS]:
        begin, end = payload_of(block, conversation, place >> 1)
        if end > begin:
            has_data = True
            if end > block.ends[place >> 1]:
                continue
            if may_be_messages(block.data, begin, end):
                return _FRAMES
            if asks_agent(block.data, begin, end):
                return _HTTP
            if wants_tls and is_record(block.data, begin, end):
                return _TLS
    return _NOTHING if has_data else _FRAMES


def _find(block: Block, conversation: Conversation, shapes: InvokeShapes) -> None:
    """Runs begin where no message is under way, and where both sides have spoken: before, nobody knows yet what the
    connection is."""
    places, begins = conversation.places, conversation.begins
    alignment, silent = Alignment(from_start=begins >= 0), {0, 1} if begins >= 0 else set()
    expect: list[int | None] = [None, None]
    at = 0
    while at + _SHORTEST <= len(places):
        if alignment.is_between and not silent:
            at = _run(block, conversation, at, RunMessages(block.data, shapes, alignment), expect)
        is_behind = at < len(places) and places[at] >> 1 > begins
        if is_behind and _pass(block, conversation, places[at], alignment, expect):
            silent.discard(places[at] & 1)
        at += 1


def _find_others(
    block: Block,
    conversation: Conversation,
    begin_run: Callable[[], RunExchanges | RunRecords],
    may_be_before: Callable[[Buffer, int, int], bool],
) -> None:
    """Runs of messages over HTTP begin where both sides have spoken, of TLS where the program did on both."""
    places, begins = conversation.places, conversation.begins
    silent = {0, 1} if begins >= 0 else set()
    at = 0
    while at + _SHORTEST <= len(places):
        if not silent:
            at = _run(block, conversation, at, begin_run(), [None, None])
        elif places[at] >> 1 > begins:
            begin, end = payload_of(block, conversation, places[at] >> 1)
            if end > begin and may_be_before(block.data, begin, end):
                silent.discard(places[at] & 1)
        at += 1


def run_from(block: Block, conversation: Conversation, first: int, like: Run) -> Run | None:
    """A run of the same kind as ``like``, which could not be taken, from a place on where no message is under way."""
    runs = conversation.runs
    number, data = len(runs), block.data
    messages: RunMessages | RunExchanges | RunRecords
    if like.heard:
        messages = RunExchanges(data, {})
    else:
        messages = RunRecords(data) if like.records else RunMessages(data, {}, Alignment(from_start=True))
    _run(block, conversation, first, messages, [None, None])
    return runs.pop() if len(runs) > number else None


def _pass(block: Block, conversation: Conversation, place: int, alignment: Alignment, expect: list[int | None]) -> bool:
    """A segment that is in no run; True when it has data."""
    index, side = place >> 1, place & 1
    begin, end = payload_of(block, conversation, index)
    if begin == end:
        return False
    seq = reader(ip_size(conversation.keys[0]))(block.data, block.ip(index))[3]
    if (
        expect[side] not in (None, seq)
        or end > block.ends[index]
        or alignment.split(side, block.data, begin, end) is None
    ):
        alignment.lose(side)
    expect[side] = (seq + end - begin) & MASK
    return True


def _run(  # noqa: C901  a question for each way to be odd
    block: Block,
    conversation: Conversation,
    first: int,
    messages: RunMessages | RunExchanges | RunRecords,
    sequence: list[int | None],
) -> int:
    """Looks for a run from place ``first`` on and adds it; returns the place of what does not fit."""
    data, begins, ends, times = block.data, block.begins, block.ends, block.times
    size, ip_at = ip_size(conversation.keys[0]), block.ip_offset
    headers = reader(size)
    places = conversation.places
    base: list[int | None] = [None, None]
    expect: list[int | None] = [None, None]
    packets, sent, acked, windows = [0, 0], [0, 0], [-HALF, -HALF], [0, 0]
    last: dict[int, Mark] = {}
    last_data: list[Mark | None] = [None, None]
    recent: tuple[list[Mark], list[Mark]] = ([], [])
    lone: list[int] = []  # acknowledgements before the other side said anything
    silence = before = 0
    start: Mark | None = None
    behind_mark: Mark | None = None
    stop = first
    for stop in range(first, len(places)):
        index, side = places[stop] >> 1, places[stop] & 1
        other = 1 - side
        at = block.ip(index) if ip_at is None else begins[index] + ip_at
        total, ip_id, ttl, seq, ack, offset, flags, window = headers(data, at)
        begin, end = at + size + (offset >> 2 & 0x3C), at + total
        length = end - begin
        mine, theirs = expect[side], expect[other]
        if flags & TELLING != ACK or not window or end > ends[index]:
            break
        if seq != mine and (mine is not None or any((seq - one) & MASK >= HALF for one in lone)):
            break
        ahead = -HALF
        if theirs is not None:
            behind = (theirs - ack) & MASK
            if behind >= HALF:
                break
            ahead = sent[other] - behind
        time = times[index]
        if start is not None and time - before > _PAUSE:
            break
        if length and not messages.payload((side, index, begin, end, sent[side]), time):
            break
        mark = (index, time, ttl, ip_id)
        if start is None:
            start = mark
        elif time - before > silence:
            silence, behind_mark = time - before, mark
        before = time
        if mine is None:
            base[side] = seq
            for one in lone:
                acked[other] = max(acked[other], -((seq - one) & MASK))
        if theirs is None:
            lone.append(ack)
        elif ahead > acked[side]:
            acked[side] = ahead
        packets[side] += 1
        windows[side] = window
        last[side] = mark
        if length:
            last_data[side] = mark
            recent[side].append((seq, length, ip_id, time))
            sent[side] += length
        expect[side] = (seq + length) & MASK
    else:
        stop = len(places)
    if stop - first >= _SHORTEST and start and base[0] is not None and base[1] is not None:
        one, two = base[0], base[1]
        parts = (
            Part(packets[0], one, sent[0], acked[0], windows[0], last[0], last_data[0], recent[0][-KEPT:]),
            Part(packets[1], two, sent[1], acked[1], windows[1], last[1], last_data[1], recent[1][-KEPT:]),
        )
        heads = list(messages.heads)
        items, unfinished = messages.finish()
        found = Run(first, stop, parts, start, silence, behind_mark, heads, items, unfinished)
        conversation.runs.append(
            found._replace(heard=messages.heard, streaks=messages.streaks, records=messages.records)
        )
    sequence[:] = [one if one is not None else before for one, before in zip(expect, sequence, strict=True)]
    return stop
