"""Connections whose bytes nobody acknowledges any more: a host that is gone, a device that forgot them, an MTU."""

from __future__ import annotations

from dissector.session.findings import Finding, Phrase, Reason
from dissector.session.subjects import error_packets, no, reported
from dissector.session.timeouts import IDLE, LARGE, LONG_IDLE
from dissector.session.unanswered import Stuck, Unanswered, Unheard, other_connection_lives
from dissector.session.verdict import has_hole


def host_talks(one: Unanswered) -> bool:
    """The host that does not answer sends something on connections of other tasks."""
    own = [side for connection in one.case.facts.connections() for side in connection.sides]
    return one.case.hosts.heard(one.host, one.since, *own)


def idle(one: Unanswered) -> bool:
    return one.idle >= IDLE


def long_idle(one: Unanswered) -> bool:
    return one.idle >= LONG_IDLE


def hole(stuck: Stuck) -> bool:
    """What never arrives was captured nowhere: the segments behind it were."""
    return has_hole(stuck.about, stuck.side, stuck.case.now)


def alive(stuck: Stuck) -> bool:
    """The other end talks elsewhere meanwhile."""
    is_heard = stuck.case.hosts.heard(stuck.host, stuck.since, *stuck.about.sides)
    return other_connection_lives(stuck.case.facts, stuck.side.other, stuck.since) or is_heard


def small_ones_pass(stuck: Stuck) -> bool:
    """Something came just before or since, on this connection or another."""
    return alive(stuck) or stuck.idle < IDLE


def large(stuck: Stuck) -> bool:
    return stuck.smallest >= LARGE


def was_heard(stuck: Stuck) -> bool:
    """The other end acknowledged something before."""
    return bool(stuck.about.sides[stuck.side.other].acked)


def forgotten(stuck: Stuck) -> bool:
    """A device forgot the connection in the silence before, as far as that can be known."""
    return not reported(stuck) and ((alive(stuck) and idle(stuck)) or long_idle(stuck))


def try_packets(one: Unanswered) -> list[int]:
    return [mark.number for mark in one.tries]


def asked_packets(unheard: Unheard) -> tuple[int, ...]:
    return unheard.asked.packets


def last_packets(stuck: Stuck) -> list[int]:
    """What came last of those behind a hole."""
    last = stuck.about.sides[stuck.side].last_data
    return [last.number] if last is not None else []


def since(one: Unanswered) -> int:
    return one.since


_SILENT = "the other host or the network between them is gone: nothing came from {host} any more"
_LOOK = "look at {host} and at the network path to it at that time: down, restarted, or cut off?"
#: Nothing comes from a host any more.
GONE: tuple[Reason[Unanswered], ...] = (
    Reason(f"{_SILENT}; {{reporter}} says: {{reports}}", _LOOK, (reported,)),
    Reason(
        "packets of this task to and from {host} are lost, though that host talks on other connections",
        "look at the firewalls and the network on the path to {host}",
        (host_talks,),
    ),
    Reason(_SILENT, _LOOK),
)
#: The other cause that a silence of both connections can have.
_FORGOTTEN = "; or a firewall forgot both connections in these {idle_seconds} s of silence"
_UNHEARD = (
    "The {what} was retransmitted {number} times without an answer{after_silence}; the callback connection "
    "{state}{open_call}."
)
UNHEARD: tuple[Finding[Unheard], ...] = (
    Finding(
        "idle_connection_cut",
        (no(reported), long_idle),
        _UNHEARD,
        (asked_packets, try_packets),
        GONE,
        (Phrase(_FORGOTTEN),),
        since,
    ),
    Finding(
        "connection_lost",
        (),
        _UNHEARD,
        (asked_packets, try_packets, error_packets),
        GONE,
        (Phrase(_FORGOTTEN, (no(reported),)),),
        since,
    ),
)
_STUCK = "{whom}'s data was retransmitted {number} times without an answer{open_call}{after_silence}."
#: Every row that fits tells one.
STUCK: tuple[Finding[Stuck], ...] = (
    Finding(
        "path_mtu",
        (hole,),
        "{missing} of {whom_in_text} never arrived, later small ones did.",
        (last_packets, try_packets),
    ),
    Finding(
        "path_mtu",
        (no(hole), large, small_ones_pass, was_heard, no(reported)),
        "{whom}'s segments of {smallest} bytes never get through, while small ones do.",
        (try_packets,),
        time=since,
    ),
    Finding("idle_connection_cut", (no(hole), forgotten), _STUCK, (try_packets,), time=since),
    Finding(
        "connection_lost",
        (no(hole), no(forgotten)),
        _STUCK,
        (try_packets, error_packets),
        GONE,
        (
            Phrase(_FORGOTTEN, (idle, no(reported))),
            Phrase("; or packets of this size do not pass (see path_mtu)", (large, no(reported))),
        ),
        since,
    ),
)
