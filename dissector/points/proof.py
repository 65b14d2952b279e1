"""A task of several places before the judge, and the words that the rules share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dissector.model import Astray, Connection, Mark, Outcome, Problem, Role, Severity
from dissector.points.between import Way
from dissector.points.pairing import Joined, Leg
from dissector.session.case import Case
from dissector.session.timeouts import LAST_TRY
from dissector.traffic import Side

LOST, ANSWERED, FORGOTTEN, UNHEARD = (
    "lost_between_points",
    "answered_by_device",
    "state_lost_in_device",
    "dropped_at_host",
)


_BAD = (Outcome.LOST, Outcome.NO_CALLBACK, Outcome.UNREACHABLE)


@dataclass(slots=True)
class PathProof:
    """``best`` is the leg that knows most."""

    group: Joined
    best: Leg

    @property
    def is_alarming(self) -> bool:
        """Something is wrong with the task."""
        problems = self.best.record.problems
        return any(problem.severity is Severity.ERROR for problem in problems) or self.best.record.outcome in _BAD

    def is_cut_idle(self) -> bool:
        """The best place saw that a connection was cut after a silence."""
        return any(problem.code == "idle_connection_cut" for problem in self.best.record.problems)

    def problem(
        self,
        code: str,
        way: Way,
        summary: str,
        packets: Iterable[int],
        *,
        time: int,
        cause: str | None = None,
        remedy: str | None = None,
        severity: Severity | None = None,
    ) -> Problem:
        """A problem of the task; what does no harm is a remark."""
        if severity is None and not self.is_alarming:
            severity = Severity.INFO
        connection = (way.near if way.sender is self.best else way.far) or way.near or way.far
        return Case(self.best.facts, 0).problem(
            code, summary, packets, connection, time=time, cause=cause, remedy=remedy, severity=severity
        )

    def astray(self, way: Way, marks: Iterable[Mark], what: str, *, is_forged: bool = False) -> None:
        """For the ladder."""
        near, far = way.sender.place.name, way.receiver.place.name
        self.best.record.astray += [
            Astray(mark.number, mark.time, what, way.role, way.side, near, far, is_forged) for mark in marks
        ]


def end_of(way: Way, side: Side | None = None) -> str:
    """The name of an end of a connection: of that which sends."""
    side = way.side if side is None else side
    if way.role is Role.COMMAND:
        return "the client" if side is Side.CLIENT else "the remote"
    return "the task process" if side is Side.CLIENT else "the client"


def path_of(way: Way) -> str:
    return f"between {way.sender.place.name} and {way.receiver.place.name}"


def idle_before(connection: Connection, end: Mark) -> int:
    """Nanoseconds of silence before a reset and what it answers."""
    broken = connection.silence_end
    if broken is not None and end.time - broken.time < LAST_TRY:
        return connection.silence
    return connection.idle_before_end or 0
