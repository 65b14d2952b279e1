"""The short cut for the packets that a dialog is made of: the next segment in order, or an acknowledgement.

It does what ``packets.parse`` and ``Connections.feed`` do with such a packet, without the objects and questions that it
does not need, in a quarter of the time.  A packet that is anything else is left to them before anything is changed.
A test runs the two ways side by side.
"""

from __future__ import annotations

from struct import Struct

from dissector.model import Mark
from dissector.stream.blocks import Block, Part, Run
from dissector.stream.direction import Direction
from dissector.stream.flows import Entry
from dissector.traffic import ACK, FIN, RST, SYN, Chunk, Packet

#: Total length, id and TTL of the IP header; sequence and acknowledgement number, offset, flags, window of TCP's.
HEAD = Struct("!HH2xB15xIIBBH").unpack_from
IP, LENGTHS, TCP = 14, 16, 34
TELLING = FIN | SYN | RST | ACK
MASK, HALF = 0xFFFF_FFFF, 0x8000_0000

_new = tuple.__new__  # twice as fast as Mark(...)


def express(entry: Entry, packet: Packet) -> Chunk | bool:
    """What a plain packet (one with a key) brings: a Chunk, or True for nothing; False: it is not for here.

    ``entry`` is the one of the packet's key; its sender has to be ``steady``.
    """
    flow, _, sender, other = entry
    number, time, _, data, _, _ = packet
    total, ip_id, ttl, seq, ack, offset, flags, window = HEAD(data, LENGTHS)
    if seq != sender.expect or flags & TELLING != ACK or not window or not other.window or flow.ignored:
        return False
    behind = (other.expect - ack) & MASK
    start, end = TCP + (offset >> 2 & 0x3C), IP + total
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
    recent.append((seq, length, ip_id, time))
    chunk: Chunk = _new(Chunk, (sender.side, at, data[start:end], number, time))
    return chunk


def payload_of(block: Block, index: int) -> tuple[int, int]:
    """Where the payload of a plain packet begins and ends in its block, if all of it was captured."""
    at = block.begins[index]
    total, _, _, _, _, offset, _, _ = HEAD(block.data, at + LENGTHS)
    return at + TCP + (offset >> 2 & 0x3C), at + IP + total


def fits(entry: Entry, run: Run) -> bool:
    """True when ``express`` would take every segment of a run; ``entry`` is the one of its talk's first key."""
    flow, _, one, two = entry
    return not flow.ignored and _continues(one, run.parts[0]) and _continues(two, run.parts[1])


def _continues(sender: Direction, part: Part) -> bool:
    return sender.steady and sender.expect == part.base and sender.window > 0 and sender.recent is not None


def take(entry: Entry, run: Run) -> tuple[int, int]:
    """What ``express`` does with every segment of a run that ``fits``, but for its chunks; stream offsets of the first
    bytes of either direction."""
    flow, _, one, two = entry
    connection = flow.connection
    silence = run.start[1] - connection.end
    if silence > connection.silence:
        connection.silence, connection.silence_end = silence, Mark(*run.start)
    if run.behind is not None and run.silence > connection.silence:
        connection.silence, connection.silence_end = run.silence, Mark(*run.behind)
    offsets = one.next, two.next
    _continue(one, run.parts[0], offsets[1])
    _continue(two, run.parts[1], offsets[0])
    connection.last_packet, connection.end = max(part.last for part in run.parts)[:2]
    return offsets


def _continue(sender: Direction, part: Part, other: int) -> None:
    connection, facts = sender.connection, sender.facts
    connection.packets += part.packets
    connection.bytes += part.sent
    facts.packets += part.packets
    facts.last = Mark(*part.last)
    acked = other + part.acked
    if facts.acked is None or acked > facts.acked:
        facts.acked = max(0, acked)
    sender.window = part.window
    if part.last_data is not None and sender.recent is not None:
        sender.next += part.sent
        sender.expect = (sender.expect + part.sent) & MASK
        facts.last_data = Mark(*part.last_data)
        facts.sent = max(facts.sent, sender.next)
        facts.bytes += part.sent
        sender.recent.extend(part.recent)
