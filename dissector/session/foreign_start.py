"""Finds the connections of a block that begin there and are foreign by their first bytes.

What is told here from the bytes alone is just the usual: SYN, SYN+ACK and ACK, segments in order that acknowledge
nothing unseen, and first data that is none of JobScheduler's on a port that is not known for commands.  Whether it is
one of those, and whether anybody waits for the connection, is asked when it begins (see ``strangers``).
"""

from __future__ import annotations

from bisect import bisect_left

from dissector.limits import MAX_SNIFF
from dissector.model import Role
from dissector.session import detect
from dissector.stream.block import Block, Conversation
from dissector.stream.fast_path import TELLING, ip_size, reader
from dissector.stream.sequence import HALF, MASK
from dissector.traffic import ACK, SYN

#: Of a connection that says nothing clear in so many packets, or takes so long for it (ns), nothing is told.
_LOOKS, _PATIENCE = 16, 60_000_000_000
#: In the place of a sequence number.
_UNKNOWN = -1


def foreign_at(block: Block, conversation: Conversation, ip_at: int | None) -> int:
    """The place of the segment that tells that a connection, which begins with a conversation, is foreign; 0 for any
    other conversation.  ``ip_at`` is the block's ``ip_offset``."""
    data, begins, (key, _), places = block.data, block.begins, conversation.keys, conversation.places
    size = ip_size(key)
    headers, client = reader(size), places[0] & 1
    expect, heads, latest = [_UNKNOWN, _UNKNOWN], [b"", b""], block.times[places[0] >> 1] + _PATIENCE
    for stop, place in enumerate(places[:_LOOKS]):
        index, side = place >> 1, place & 1
        at = block.ip(index) if ip_at is None else begins[index] + ip_at
        total, _, _, seq, ack, offset, flags, _ = headers(data, at)
        begin, end = at + size + (offset >> 2 & 0x3C), at + total
        mine, theirs = expect[side], expect[1 - side]
        if mine < 0:
            if end > begin or flags & TELLING != (SYN | ACK if stop else SYN) or (stop and ack != theirs):
                return 0
            expect[side] = seq + 1 & MASK
        elif flags & TELLING != ACK or seq != mine or theirs < 0 or (ack != theirs and (theirs - ack) & MASK >= HALF):
            return 0
        elif begin != end:
            if end > block.ends[index]:
                return 0
            expect[side] = (seq + end - begin) & MASK
            heads[side] += data[begin : min(end, begin + MAX_SNIFF - len(heads[side]))]
            role = detect.verdict(heads[client], heads[1 - client], is_command_port=False, mid_stream=False)
            if role is not None:
                is_alone = not block.others or _is_alone(block, places[0] >> 1, index)
                return stop if role is Role.UNKNOWN and is_alone and block.times[index] < latest else 0
    return 0


def _is_alone(block: Block, first: int, last: int) -> bool:
    """True when nothing comes in between that may be of the same connection or about it."""
    at = bisect_left(block.others, first)
    return at == len(block.others) or block.others[at] > last
