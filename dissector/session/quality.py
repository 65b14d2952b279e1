"""What the capture lacks of a task, and its odd ports and addresses: problems that weaken a verdict, or explain one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Outcome, Problem
from dissector.session.case import Case, lack
from dissector.session.connection_quality import CONNECTION, WINDOWS, Carried
from dissector.session.findings import Finding, every, first
from dissector.session.subjects import no
from dissector.session.task import TaskFacts
from dissector.session.timeouts import LOW_PORTS_FROM, LOW_PORTS_TO
from dissector.session.verdict import end_unseen, is_answer_missing, one_sided
from dissector.traffic import Side

#: Codes of what is wrong with the capture itself.
FLAWS = frozenset({"clock_backwards", "gap", "mid_stream", "one_direction", "snap_length"})


def doubts(facts: TaskFacts, clock_steps: tuple[int, int] | None) -> list[str]:
    """What makes a verdict about the task less certain: the flaws of its connections' capture."""
    record, connections = facts.record, facts.connections()
    last = max((connection.last_packet for connection in connections), default=record.first_packet)
    found = {
        "clock_backwards": clock_steps is not None and record.first_packet <= clock_steps[1] and clock_steps[0] <= last,
        "gap": any(
            connection.gaps > _lost_on_the_way(connection) or end_unseen(connection) for connection in connections
        ),
        "mid_stream": any(connection.mid_stream for connection in connections),
        "one_direction": any(one_sided(connection) for connection in connections),
        "snap_length": any(connection.snapped for connection in connections),
    }
    return [flaw for flaw, holds in found.items() if holds]


def _lost_on_the_way(connection: Connection) -> int:
    """1 when the only hole was never acknowledged: it is none of the capture."""
    return int(connection.gaps == 1 and any(side.never_acknowledged for side in connection.sides))


# --- the task ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Seen:
    """What was captured of a task; ``about`` is a connection of it."""

    case: Case
    about: Connection | None

    @property
    def lack(self) -> str:
        """Why a command could not be read."""
        return lack(self.about) if self.about is not None else ""


def from_elsewhere(seen: Seen) -> bool:
    """The callback came from another address than the remote's: legal, and good to know for a firewall."""
    peer, remote = seen.case.facts.record.callback_peer, seen.case.facts.record.remote
    return peer is not None and remote is not None and peer.ip != remote.ip


def low(seen: Seen) -> bool:
    """Ports are given from 59999 down: a low one tells of many tasks at a time, or of ports that are not free again."""
    port = seen.case.facts.record.callback_port or 0
    return seen.case.facts.start is not None and LOW_PORTS_FROM <= port < LOW_PORTS_TO


def unclear(seen: Seen) -> bool:
    return seen.case.facts.pair_unclear


def unread(seen: Seen) -> bool:
    """There is a command connection of these hosts without a command."""
    return seen.about is not None


def on_agent(seen: Seen) -> bool:
    return seen.case.facts.agent is not None


def first_packet(seen: Seen) -> list[int]:
    record = seen.case.facts.record
    return [seen.about.first_packet if seen.about is not None else record.first_packet]


def task_packet(seen: Seen) -> list[int]:
    return [seen.case.facts.record.first_packet]


def start_packets(seen: Seen) -> tuple[int, ...]:
    start = seen.case.facts.start
    return start.packets if start is not None else ()


ADDRESS: tuple[Finding[Seen], ...] = (
    Finding(
        "callback_other_address",
        (from_elsewhere,),
        "The callback came from {case.facts.record.callback_peer.ip}, the remote is {case.facts.record.remote.ip}.",
        (first_packet,),
    ),
)
PORT: tuple[Finding[Seen], ...] = (
    Finding(
        "port_range_low",
        (low,),
        "The client announced callback port {case.facts.record.callback_port}.",
        (start_packets,),
    ),
)
#: Of a task without a command connection.
NO_COMMAND: tuple[Finding[Seen], ...] = (
    Finding(
        "pair_unclear",
        (unclear,),
        "More than one start fits this callback connection, so it was joined to none.",
        (task_packet,),
    ),
    Finding(
        "command_unreadable",
        (unread,),
        "A command connection of these hosts is captured, but no start command: {lack}.",
        (first_packet,),
    ),
    Finding(
        "command_not_captured",
        (no(on_agent),),
        "The command connection of this task is not in the capture.",
        (task_packet,),
    ),
)
NO_CALLBACK: tuple[Finding[Seen], ...] = (
    Finding(
        "callback_not_captured",
        (),
        "The callback connection of this task is not in the capture.",
        (start_packets,),
    ),
)


def address(case: Case) -> Iterator[Problem]:
    callback = case.facts.record.callback
    if callback is not None:
        yield from first(ADDRESS, Seen(case, callback))


def port(case: Case) -> Iterator[Problem]:
    yield from first(PORT, Seen(case, case.facts.record.command))


def capture(case: Case) -> Iterator[Problem]:
    """What the capture lacks, and what the network did."""
    facts = case.facts
    record = facts.record
    if record.command is None:
        about = record.callback if facts.pair_unclear else facts.unread_command
        yield from first(NO_COMMAND, Seen(case, about))
    elif record.callback is None and record.outcome is Outcome.UNKNOWN and facts.start and not _may_be_refused(facts):
        yield from first(NO_CALLBACK, Seen(case, record.command))
    for connection in (record.command, record.callback):
        if connection is not None:
            yield from every(CONNECTION, Carried(case, connection))
            for side in Side:
                yield from first(WINDOWS, Carried(case, connection, side))


def _may_be_refused(facts: TaskFacts) -> bool:
    """There may have been no callback at all."""
    return facts.close is None and is_answer_missing(facts)
