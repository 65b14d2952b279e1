"""Why nobody knows how a task ended, where nothing else that is told of it says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Outcome, Problem
from dissector.session.case import Case
from dissector.session.findings import Finding, first
from dissector.session.subjects import no
from dissector.session.verdict import end_unseen
from dissector.traffic import Side

#: Codes that say what the capture lacks, or could not be read.  ``command_not_captured`` is none of them: it says that
#: a kill can not be known of, and what else is missing is told as well.
SAYS_WHY = frozenset(
    {
        "callback_missing",
        "callback_not_captured",
        "clock_backwards",
        "command_unreadable",
        "gap",
        "limit_reached",
        "mid_stream",
        "one_direction",
        "pair_unclear",
        "snap_length",
        "undecoded_frame",
    }
)


@dataclass(slots=True)
class Unexplained:
    """A task without a known outcome; ``about`` is a connection of it whose end is not in the capture."""

    case: Case
    about: Connection | None

    @property
    def name(self) -> str:
        return f"The {self.about.role.value} connection" if self.about is not None else "A connection"


def lost_requests(task: Unexplained) -> bool:
    about = task.case.facts.agent
    return about is not None and about.missing_in > 0


def begun_before(task: Unexplained) -> bool:
    about = task.case.facts.agent
    return about is not None and about.start is None


def end_is_lost(task: Unexplained) -> bool:
    return task.about is not None


def without_commands(task: Unexplained) -> bool:
    facts = task.case.facts
    return facts.record.command is None and facts.agent is None


def missing_packet(task: Unexplained) -> list[int]:
    about = task.case.facts.agent
    return [about.missing_in] if about is not None else []


def first_packet(task: Unexplained) -> list[int]:
    return [task.case.facts.record.first_packet]


def telling_packet(task: Unexplained) -> list[int]:
    about = task.about
    return [max(about.sides[side].lost_by for side in Side)] if about is not None else []


UNEXPLAINED: tuple[Finding[Unexplained], ...] = (
    Finding(
        "gap",
        (lost_requests,),
        "Requests or responses about the task are missing in the capture: how it ended is not known.",
        (missing_packet,),
    ),
    Finding(
        "mid_stream",
        (begun_before,),
        "The start of the task is not in the capture, nor all that decides how it ended.",
        (first_packet,),
    ),
    Finding(
        "gap",
        (end_is_lost,),
        "{name}: more was acknowledged than the capture shows, its end may be among it.",
        (telling_packet,),
    ),
    Finding(
        "gap",
        (no(without_commands),),
        "Not all that decides how the task ended is in the capture.",
        (first_packet,),
    ),
)


def why(case: Case, found: list[Problem]) -> Iterator[Problem]:
    """The reason for an ``unknown`` for which none of ``found`` is one."""
    record = case.facts.record
    is_told = any(problem.code in SAYS_WHY for problem in found)
    if record.outcome is not Outcome.UNKNOWN or is_told:
        return
    unseen = [one for one in (record.callback, record.command) if one is not None and end_unseen(one)]
    yield from first(UNEXPLAINED, Unexplained(case, unseen[0] if unseen else None))
