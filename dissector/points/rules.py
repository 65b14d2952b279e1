"""What two places prove together and neither of them alone, as problems of a task.

    lost      left one place and never came to the other: SYN, data, the end of a connection
    answered  an answer that its sender never sent: a device between the places
    forgotten either of them behind a silence: the device forgot the connection
    arrived   came to the host, and the host does not answer

``remarks`` has what does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dissector.model import Connection, Mark, Problem, Severity, address_text
from dissector.numbers import count
from dissector.points import remarks
from dissector.points.between import Way, ways
from dissector.points.pairing import Joined, Leg
from dissector.points.proof import ANSWERED, FORGOTTEN, LOST, UNHEARD, PathProof, end_of, idle_before, path_of
from dissector.session.case import span
from dissector.session.timeouts import IDLE, LARGE, SECOND, STUCK_RETRANSMISSIONS
from dissector.session.verdict import unreachables
from dissector.traffic import Side


def proven(group: Joined, best: Leg) -> list[Problem]:
    """The problems that no place shows alone; what explains most first."""
    proof, found = PathProof(group, best), list[Problem]()
    ends = list[Problem]()
    for one, two in zip(group.legs, group.legs[1:], strict=False):
        if one.place is two.place:
            continue
        between = list(ways(one, two))
        for rule in _BETWEEN:
            found += [problem for way in between for problem in rule(proof, way)]
        ends += [problem for way in between for problem in _lost_end(proof, way)]
        for remark in remarks.ALL:
            found += remark(proof, between)
    found += _arrived(proof)
    if any(problem.severity is Severity.ERROR for problem in found):
        # That a connection's end does not arrive either follows from what stopped everything else.
        for problem in ends:
            problem.severity = Severity.INFO
    return found + ends


# --- lost on the way -----------------------------------------------------------------------------------------------


def _lost_syn(proof: PathProof, way: Way) -> Iterator[Problem]:
    marks, came = way.lost_syns()
    near = way.near
    if near is None or not marks or (came and marks[-1].time - marks[0].time < IDLE):
        return
    what = "SYN" if way.side is Side.CLIENT else "SYN+ACK"
    target = near.server if way.side is Side.CLIENT else near.client
    how_many = f"{len(marks)} of {count(len(marks) + came, what)}" if came else count(len(marks), what)
    summary = (
        f"{how_many} to {target} in {span(marks)} passed {way.sender.place.name} and never came to "
        f"{way.receiver.place.name}."
    )
    cause = f"a device or link {path_of(way)} drops what {end_of(way)} sends to open the {way.role.value} connection"
    remedy = f"let TCP connections from {near.client.ip} to {near.server} through {path_of(way)}; see the routes too"
    numbers = [mark.number for mark in marks]
    proof.astray(way, marks, f"{what} to {target}")
    yield proof.problem(LOST, way, summary, numbers, time=marks[0].time, cause=cause, remedy=remedy)


def _lost_data(proof: PathProof, way: Way) -> Iterator[Problem]:
    missing, tries = way.lost_data()
    if not missing or way.near is None or way.far is None:
        return
    sender, arrived = way.near.sides[way.side], way.far.sides[way.side]
    first = tries[0] if tries else sender.last_data
    if first is None:
        return
    size = sender.smallest_retransmitted
    is_large = size is not None and size >= LARGE and _small_pass(way, first)
    sizes = f", segments of {size} bytes and more while smaller ones pass" if is_large else ""
    again = f" (sent again {count(len(tries), 'time')} in {span(tries)})" if tries else ""
    summary = (
        f"{count(missing, 'byte')} of {end_of(way)} passed {way.sender.place.name} and never came to "
        f"{way.receiver.place.name}{again}{sizes}."
    )
    packets = [mark.number for mark in (first, *tries, arrived.last) if mark is not None]
    proof.astray(way, tries or [first], count(missing, "byte"))
    code, cause, remedy = LOST, None, None
    idle = _silence(way, first)
    if is_large:
        cause = f"a link {path_of(way)} has a smaller MTU, and the ICMP message that would say so is filtered"
        remedy = f"let ICMP 'fragmentation needed' through {path_of(way)}, or clamp the MSS there"
    elif idle >= IDLE and (_others_pass(way, first) or proof.is_cut_idle()):
        code = FORGOTTEN
        cause = (
            f"a device {path_of(way)} forgot the connection in {idle / SECOND:.0f} s of silence: it drops what comes"
        )
    found = proof.problem(code, way, summary, packets, time=first.time, cause=cause, remedy=remedy)
    if not way.receiver.place.covers(first.time):
        found.cause += f" (less certain: {way.receiver.place.name} has no packet at all since)"
    yield found


def _small_pass(way: Way, first: Mark) -> bool:
    """Something of this end comes to the other place meanwhile, or came just before."""
    far = way.far.sides[way.side].last if way.far is not None else None
    return far is not None and far.time >= first.time - IDLE


def _silence(way: Way, first: Mark) -> int:
    """Nanoseconds without a packet at the other place before ``first`` was sent."""
    sides = way.far.sides if way.far is not None else ()
    heard = [side.last.time for side in sides if side.last is not None and side.last.time < first.time]
    return first.time - max(heard, default=first.time)


def _others_pass(way: Way, first: Mark) -> bool:
    """The task's other connection goes on at both places."""
    return all(
        any(one.end >= first.time for one in leg.facts.connections() if one not in (way.near, way.far))
        for leg in (way.sender, way.receiver)
    )


def _lost_end(proof: PathProof, way: Way) -> Iterator[Problem]:
    mark = way.lost_end()
    if mark is None or way.near is None or way.lost_data()[0]:
        return
    flag = "reset" if mark is way.near.sides[way.side].rst else "FIN"
    summary = (
        f"The {flag} of {end_of(way)} on the {way.role.value} connection passed {way.sender.place.name} "
        f"and never came to {way.receiver.place.name}."
    )
    proof.astray(way, [mark], flag)
    yield proof.problem(LOST, way, summary, [mark.number], time=mark.time)


# --- answered by somebody else -------------------------------------------------------------------------------------


def _reset(proof: PathProof, way: Way) -> Iterator[Problem]:
    reset, far = way.forged_reset(), way.far
    if far is None or reset is None:
        return
    name, usual = end_of(way), far.sides[way.side].ttl if far.sides[way.side].packets > 1 else 0
    summary = (
        f"The reset in the name of {name} that came to {way.receiver.place.name} never passed "
        f"{way.sender.place.name}: {name} did not send it."
    )
    proof.astray(way, [reset], "RST", is_forged=True)
    cause = f"a device {path_of(way)} sent it"
    if usual and usual != reset.ttl:
        cause += f" (its TTL is {reset.ttl}, that of the others {usual})"
    idle = idle_before(far, reset)
    if far.established and far.bytes and idle >= IDLE:
        cause += f": it forgot the connection in {idle / SECOND:.0f} s of silence"
        yield proof.problem(FORGOTTEN, way, summary, [reset.number], time=reset.time, cause=cause)
        return
    yield proof.problem(ANSWERED, way, summary, [reset.number], time=reset.time, cause=cause, remedy=_remedy(way, far))


def _icmp(proof: PathProof, way: Way) -> Iterator[Problem]:
    errors, far = way.foreign_icmp() if way.side is Side.SERVER else [], way.far
    if not errors or far is None:
        return
    sender = address_text(errors[0].sender)
    summary = (
        f"{sender} answered with ICMP ({errors[0].reason}) at {way.receiver.place.name}; nothing of it passed "
        f"{way.sender.place.name}."
    )
    cause = f"{sender}, a device {path_of(way)}, answers in place of {end_of(way)}"
    packets = [error.number for error in errors]
    yield proof.problem(ANSWERED, way, summary, packets, time=errors[0].time, cause=cause, remedy=_remedy(way, far))


def _remedy(way: Way, far: Connection) -> str:
    remedy = f"look at the firewalls and address translations {path_of(way)}"
    return remedy if far.established else f"{remedy}: let TCP connections from {far.client.ip} to {far.server} through"


# --- arrived, and nothing came back --------------------------------------------------------------------------------


def _arrived(proof: PathProof) -> Iterator[Problem]:
    """At the places nearest to the two hosts."""
    legs = proof.group.legs
    if len({leg.place for leg in legs}) < 2:
        return
    for way in ways(legs[0], legs[-1]):
        if way.near is None or way.far is None:
            continue
        if way.side is Side.CLIENT and _is_unanswered(way.far):
            yield _syn_unheard(proof, way, way.far)
        elif tries := _unacknowledged(way, way.far):
            yield _data_unheard(proof, way, way.far, tries)


def _is_unanswered(connection: Connection) -> bool:
    is_silent = not connection.sides[Side.SERVER].packets and not unreachables(connection)
    return is_silent and len(connection.syns) > 1


def _syn_unheard(proof: PathProof, way: Way, far: Connection) -> Problem:
    marks, place, server = far.syns, way.receiver.place.name, far.server
    summary = f"{count(len(marks), 'SYN')} to {server} came to {place}, and nobody answered."
    cause = f"behind {place}: the packet filter of {server.ip} drops them, or that host is down"
    remedy = f"look at {server.ip}: its packet filter, and whether it runs"
    packets = [mark.number for mark in marks]
    return proof.problem(UNHEARD, way, summary, packets, time=marks[0].time, cause=cause, remedy=remedy)


def _unacknowledged(way: Way, far: Connection) -> list[Mark]:
    """The retransmissions of what came last, of which the receiver acknowledges nothing at its own place."""
    sender, heard = far.sides[way.side], far.sides[way.side.other].last
    tries = [mark for mark in sender.retransmitted if sender.last_data is None or mark.number > sender.last_data.number]
    if len(tries) < STUCK_RETRANSMISSIONS or not far.unacknowledged(way.side):
        return []
    return tries if heard is None or heard.time <= tries[0].time else []


def _data_unheard(proof: PathProof, way: Way, far: Connection, tries: list[Mark]) -> Problem:
    place, host = way.receiver.place.name, (far.client, far.server)[way.side.other].ip
    summary = (
        f"Data of {end_of(way)} came to {place} {len(tries)} times more in {span(tries)}, "
        f"and {end_of(way, way.side.other)} never acknowledged it."
    )
    cause = f"behind {place}: {host} is down or gone, or its packet filter drops them"
    remedy = f"look at {host}: whether it runs, its network, its packet filter"
    packets = [mark.number for mark in tries]
    return proof.problem(UNHEARD, way, summary, packets, time=tries[0].time, cause=cause, remedy=remedy)


_BETWEEN: tuple[Callable[[PathProof, Way], Iterator[Problem]], ...] = (_lost_syn, _lost_data, _reset, _icmp)
