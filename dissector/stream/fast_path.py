"""The fast path for the segments that a dialog is made of: the next one in order, or an acknowledgement.

It does what ``packets.parse`` and ``Connections.feed`` do with such a segment, without the objects and questions that
it does not need: one at a time, or all of a run in one operation.  A segment that is anything else is left to them
before anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct

from dissector.model import Mark
from dissector.stream import block as blocks
from dissector.stream.block import Block, Buffer, Conversation, Part, Run
from dissector.stream.direction import KEPT, Direction, keep
from dissector.stream.flows import Entry
from dissector.stream.options import segment_size
from dissector.stream.sequence import HALF, MASK
from dissector.traffic import ACK, FIN, RST, SYN, Chunk, Packet, Segment

#: Of a plain packet from its IP header on: where the datagram ends, IP id and TTL; sequence and acknowledgement number,
#: offset, flags and window of TCP.
Headers = tuple[int, int, int, int, int, int, int, int]
TELLING = FIN | SYN | RST | ACK
_IP4, _IP6, _KEY4 = 20, 40, 12
_HEADERS4 = Struct("!2xHH2xB15xIIBBH").unpack_from
_PORTS = Struct("!HH").unpack_from
_HEADERS6 = Struct("!4xHxB36xIIBBH").unpack_from
#: Where TCP's flags are in its header.
_FLAGS = 13
#: Bytes of TCP's header without options.
_LEAST = 20

_new = tuple.__new__  # twice as fast as Mark(...)


def ip_size(key: bytes) -> int:
    """Bytes of the IP header of a plain packet with this key."""
    return _IP4 if len(key) == _KEY4 else _IP6


def _headers6(data: Buffer, at: int) -> Headers:
    length, hop_limit, seq, ack, offset, flags, window = _HEADERS6(data, at)
    return length + _IP6, 0, hop_limit, seq, ack, offset, flags, window


def reader(size: int) -> Callable[[Buffer, int], Headers]:
    """How the ``Headers`` of plain packets are read whose IP headers have this size."""
    return _HEADERS4 if size == _IP4 else _headers6


def flags_of(block: Block, key: bytes, index: int) -> int:
    """TCP's flags of a packet with this key."""
    return block.data[block.ip(index) + ip_size(key) + _FLAGS]


def payload_of(block: Block, conversation: Conversation, index: int) -> tuple[int, int]:
    """Where the payload of a packet of a conversation begins, and where it ends on the wire."""
    at, size = block.ip(index), ip_size(conversation.keys[0])
    total, _, _, _, _, offset, _, _ = reader(size)(block.data, at)
    return at + size + (offset >> 2 & 0x3C), at + total


def segment_of(packet: Packet, key: bytes) -> Segment:
    """What ``packets.parse`` gives for a plain packet with this key that is in no tunnel."""
    number, time, _, data, _, _, at, _ = packet
    size = ip_size(key)
    total, ip_id, ttl, seq, ack, offset, flags, window = reader(size)(data, at)
    start, end, middle = at + size + (offset >> 2 & 0x3C), at + total, len(key) - 4 >> 1
    sport, dport = _PORTS(key, 2 * middle)
    ends = key[:middle], sport, key[middle : 2 * middle], dport
    mss = segment_size(data, at + size + _LEAST, start) if flags & SYN else None
    rest = seq, ack, flags, window, data[start:end], end - start, ttl, ip_id, (), mss
    segment: Segment = _new(Segment, (number, time, *ends, *rest))
    return segment


def advance(entry: Entry, packet: Packet) -> Chunk | bool:
    """What a plain packet (one with a key) brings: a Chunk, or True for nothing; False: it is not for here.

    ``entry`` is the one of the packet's key; its sender has to be ``steady``.
    """
    _, _, sender, other = entry
    number, time, _, data, _, key, at, _ = packet
    size = ip_size(key) if key is not None else 0
    total, ip_id, ttl, seq, ack, offset, flags, window = reader(size)(data, at)
    if seq != sender.expect or flags & TELLING != ACK or not window or not other.window:
        return False
    behind = (other.expect - ack) & MASK
    start, end = at + size + (offset >> 2 & 0x3C), at + total
    length, recent = end - start, sender.recent
    if behind >= HALF or len(data) < end or recent is None:
        return False
    connection, facts = sender.connection, sender.facts
    mark = _new(Mark, (number, time, ttl, ip_id))
    silence = time - connection.end
    if silence > connection.silence:
        connection.silence, connection.silence_end = silence, mark
    connection.packets += 1
    connection.end, connection.last_packet = time, number
    facts.packets += 1
    facts.last = mark
    acked = other.next - behind
    if facts.acked is None or acked > facts.acked:
        facts.acked = max(0, acked)
    sender.window = window
    if not length:
        return True
    at = sender.next
    sender.next = upto = at + length
    sender.expect = (seq + length) & MASK
    facts.last_data = mark
    if upto > facts.sent:
        facts.sent = upto
    facts.bytes += length
    connection.bytes += length
    keep(recent, (seq, length, ip_id, time))
    chunk: Chunk = _new(Chunk, (sender.side, at, data[start:end], number, time))
    return chunk


def fits(entry: Entry, run: Run) -> bool:
    """True when ``advance`` would take every segment of a run; ``entry`` is the one of its conversation's first key."""
    _, _, one, two = entry
    return _continues(one, run.parts[0]) and _continues(two, run.parts[1])


def _continues(sender: Direction, part: Part) -> bool:
    return sender.steady and sender.expect == part.base and sender.window > 0 and sender.recent is not None


def advance_by_run(entry: Entry, run: Run, numbers: Sequence[int]) -> tuple[int, int]:
    """What ``advance`` does with every segment of a run that ``fits``, but for its chunks; stream offsets of the first
    bytes of either direction.  ``numbers`` are those of the block."""
    flow, _, one, two = entry
    connection = flow.connection
    silence = run.start[1] - connection.end
    if silence > connection.silence:
        connection.silence, connection.silence_end = silence, _mark(run.start, numbers)
    if run.behind is not None and run.silence > connection.silence:
        connection.silence, connection.silence_end = run.silence, _mark(run.behind, numbers)
    offsets = one.next, two.next
    _continue(one, run.parts[0], offsets[1], numbers)
    _continue(two, run.parts[1], offsets[0], numbers)
    connection.last_packet, connection.end = _mark(max(part.last for part in run.parts), numbers)[:2]
    return offsets


def _continue(sender: Direction, part: Part, other: int, numbers: Sequence[int]) -> None:
    connection, facts = sender.connection, sender.facts
    connection.packets += part.packets
    connection.bytes += part.sent
    facts.packets += part.packets
    facts.last = _mark(part.last, numbers)
    acked = other + part.acked
    if facts.acked is None or acked > facts.acked:
        facts.acked = max(0, acked)
    sender.window = part.window
    if part.last_data is not None and sender.recent is not None:
        sender.next += part.sent
        sender.expect = (sender.expect + part.sent) & MASK
        facts.last_data = _mark(part.last_data, numbers)
        facts.sent = max(facts.sent, sender.next)
        facts.bytes += part.sent
        sender.recent.extend(part.recent)
        del sender.recent[:-KEPT]


def _mark(mark: blocks.Mark, numbers: Sequence[int]) -> Mark:
    """One of a run as one of the capture."""
    return Mark(numbers[mark[0]], *mark[1:])
