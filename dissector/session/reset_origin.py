"""Resets that their sender's other packets do not fit to: a device in between sent them in its name."""

from __future__ import annotations

from dissector.model import Connection, Mark, SideFacts
from dissector.session.case import end_name
from dissector.session.timeouts import ANSWERED, IP_ID_STEP
from dissector.traffic import Side

_IDS = 0x1_0000
#: The TTLs that systems send with; the last one is that of network devices, hosts have none of it for TCP.
_INITIAL = (32, 64, 128, 255)


def by_device(connection: Connection, side: Side, end: Mark) -> bool:
    """True when ``end`` is a reset in the name of ``side`` that somebody else sent."""
    return bool(forgery(connection, side, end))


def forgery(connection: Connection, side: Side, end: Mark) -> str:
    """What proves that somebody else sent the reset ``end`` in the name of ``side``; empty when nothing does."""
    sender = connection.sides[side]
    if sender.rst is not end:
        return ""
    name = end_name(side, connection).lower()
    usual = ttls(connection, side)
    # One that goes on with the IP id came from the sender itself, by another path.
    if usual and end.ttl and end.ttl not in usual and _is_foreign(connection, side, end):
        return f"its TTL is {end.ttl}, the packets of {name} have {' and '.join(map(str, sorted(usual)))}"
    if asked := stopped(connection, side):
        return f"packet {asked.number}, which it answers, was captured before that device and not behind it"
    last, late = sender.last_data, sender.late_data
    # Data with an IP id right before the reset's was only overtaken by it.
    if late is not None and late.number > end.number and not _follows(late, end, sender):
        return f"the data of {name} go on behind it (packet {late.number})"
    if last is not None and _breaks_off(connection, side, end):
        return f"its IP id is {end.ip_id}, the packets of {name} have counted up to {last.ip_id}"
    return ""


def stopped(connection: Connection, side: Side) -> Mark | None:
    """In a capture at two places with a device between them: the packet that the reset in the name of ``side`` answers,
    where it never came to the place near ``side``.  The reset was captured at the other place, and a packet of ``side``
    would have another TTL there."""
    sender, peer = connection.sides[side], connection.sides[side.other]
    end, asked, last = sender.rst, sender.rst_answers, peer.last
    own, others = _places(connection, side), _places(connection, side.other)
    if end is None or asked is None or last is None or own is None or others is None or sender.rst_again:
        return None
    if last.ip_id == asked.ip_id and last.ttl != asked.ttl:
        return None
    is_here = end.ttl == own[0] and asked.ttl == others[0] and end.time - asked.time <= ANSWERED
    return asked if is_here else None


def _places(connection: Connection, side: Side) -> tuple[int, int] | None:
    """TTLs of an end's packets at the nearer and at the farther place of capture."""
    other = _other(connection)
    return connection.sides[side].places or (other.sides[side.other].places if other is not None else None)


def ttls(connection: Connection, side: Side) -> set[int]:
    """All TTLs that packets of an end had as far as they are remembered, resets aside: its first one may be of a device
    that answers SYNs in its name, and paths change.  Those of its host on the task's other connection count too."""
    found = _ttls(connection, side)
    other = _other(connection)
    if other is not None and (connection.client.ip, connection.server.ip) == (other.server.ip, other.client.ip):
        found |= _ttls(other, side.other)
    return found - {0}


def _ttls(connection: Connection, side: Side) -> set[int]:
    sender = connection.sides[side]
    last = sender.before_rst if sender.rst is not None else sender.last
    marks = [sender.first_data, sender.last_data, sender.late_data, sender.fin, last]
    marks += connection.syns if side is Side.CLIENT else connection.syn_acks
    marks += [*sender.retransmitted, *sender.zero_windows]
    found = {mark.ttl for mark in marks if mark is not None}
    # The first packet of an end of which only a reset was seen is that reset.
    return found | {sender.ttl} if sender.packets > 1 or sender.rst is None else found


def doubt(connection: Connection, side: Side) -> str:
    """Words that weaken a claim about who sent a reset, where an end's packets take several paths or were captured at
    several places: there one TTL more or less tells nothing.  A handshake that a device answers does not count, and a
    reset that was captured at two places itself crossed what is between them."""
    sender = connection.sides[side]
    if sender.rst_again:
        return ""
    last = sender.before_rst if sender.rst is not None else sender.last
    marks = [sender.first_data, sender.last_data, last]
    found = sorted({mark.ttl for mark in marks if mark is not None and mark.ttl})
    if len(found) < 2 or sender.first_data is None:
        return ""
    name = end_name(side, connection).lower()
    seen = " and ".join(map(str, found))
    return f" (less certain: packets of {name} have TTLs {seen}, as on several paths or at several places of capture)"


def _other(connection: Connection) -> Connection | None:
    """The task's other connection; it runs in the opposite direction."""
    task = connection.task
    return None if task is None else task.callback if connection is task.command else task.command


def _is_foreign(connection: Connection, side: Side, end: Mark) -> bool:
    """A TTL that no path from the sender gives: a path that changes, or a device that answers only the handshake in its
    name, explains no such one.  It began at another number than all others; or its sender is on the network of the
    capture, which they came to from elsewhere; or its IP id does not go on either."""
    begins = _begins_at(end.ttl)
    if _goes_on(connection, side, end) or not (_heard_itself(connection, side) or begins == _INITIAL[-1]):
        return False
    known = _own_ttls(connection, side) or ttls(connection, side)
    alike = [ttl for ttl in known if _begins_at(ttl) == begins]
    return not alike or end.ttl == begins or _breaks_off(connection, side, end)


def _begins_at(ttl: int) -> int:
    """With which TTL a packet was sent."""
    return next(one for one in _INITIAL if ttl <= one)


def _heard_itself(connection: Connection, side: Side) -> bool:
    """More than the handshake is known of an end, or of its host on the task's other connection."""
    other = _other(connection)
    return _speaks(connection, side) or (other is not None and _speaks(other, side.other))


def _speaks(connection: Connection, side: Side) -> bool:
    """An end sent data, or more packets than the handshake and a reset."""
    sender = connection.sides[side]
    others = sender.packets if sender.rst is None else sender.packets - 1
    return sender.first_data is not None or others > (2 if side is Side.CLIENT else 1)


def _own_ttls(connection: Connection, side: Side) -> set[int]:
    """Those of an end's data, which no device sends in its name."""
    sender = connection.sides[side]
    marks = (sender.first_data, sender.last_data, sender.late_data)
    return {mark.ttl for mark in marks if mark is not None and mark.ttl}


def _breaks_off(connection: Connection, side: Side, end: Mark) -> bool:
    """The reset's IP id is none that comes next, of a sender that counts."""
    sender = connection.sides[side]
    last = sender.last_data
    if last is None or sender.rst_unknown:
        return False
    return _counts(connection, side) and not _follows(last, end, sender)


def _goes_on(connection: Connection, side: Side, end: Mark) -> bool:
    """The reset has the IP id that comes next, of a sender that counts."""
    before = connection.sides[side].before_rst
    return before is not None and _counts(connection, side) and _follows(before, end, connection.sides[side])


def _counts(connection: Connection, side: Side) -> bool:
    """Systems that count the packets of a connection in the IP id count their resets of it as well (but for one without
    an acknowledgement, which belongs to no connection).  Either connection of the task shows whether this one does."""
    other = _other(connection)
    pairs = [(connection.sides[side], connection.syns if side is Side.CLIENT else [])]
    if other is not None:
        pairs.append((other.sides[side.other], other.syns if side.other is Side.CLIENT else []))
    for sender, syns in pairs:
        first, last = syns[0] if syns else sender.first_data, sender.last_data
        if first is not None and last is not None and first is not last and _follows(first, last, sender):
            return True
    return False


def _follows(earlier: Mark, later: Mark, sender: SideFacts) -> bool:
    return 0 < (later.ip_id - earlier.ip_id) % _IDS <= sender.packets + IP_ID_STEP
