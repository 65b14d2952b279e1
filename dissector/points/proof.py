"""A task of several places before the judge, and what the rows about it share (see ``session.findings``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from dissector.model import Astray, Connection, Mark, Outcome, Problem, Role, Severity
from dissector.points.between import Way
from dissector.points.pairing import Joined, Leg
from dissector.session.case import Case
from dissector.session.findings import Finding, first
from dissector.traffic import Side

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


@dataclass(slots=True)
class Crossing:
    """What one end of a connection sends from one place to the other.  ``marks``: the packets that prove the problem,
    the first of them first.  Where ``what`` has a word for them, the ladder shows ``strays``: those that did not come,
    or (``is_forged``) came without having been sent."""

    proof: PathProof
    way: Way

    @property
    def case(self) -> Case:
        return Case(self.proof.best.facts, 0)

    @property
    def about(self) -> Connection | None:
        """The connection as the best place has it, if it has."""
        return (self.way.near if self.way.sender is self.proof.best else self.way.far) or self.way.near or self.way.far

    @property
    def marks(self) -> Sequence[Mark]:
        return ()

    @property
    def strays(self) -> Sequence[Mark]:
        return self.marks

    @property
    def what(self) -> str:
        return ""

    @property
    def is_forged(self) -> bool:
        return False

    # --- words ---

    @property
    def sender(self) -> str:
        return self.way.sender.place.name

    @property
    def receiver(self) -> str:
        return self.way.receiver.place.name

    @property
    def path(self) -> str:
        return f"between {self.sender} and {self.receiver}"

    @property
    def end(self) -> str:
        """Who sends."""
        return end_of(self.way)

    @property
    def role(self) -> str:
        return self.way.role.value


@dataclass(slots=True)
class Together(Crossing):
    """Of several connections the same, told once; ``way`` names the path."""

    ways: Sequence[Way]


def proving(crossing: Crossing) -> list[int]:
    return [mark.number for mark in crossing.marks]


def begun(crossing: Crossing) -> int:
    return crossing.marks[0].time


C = TypeVar("C", bound=Crossing)


def judged(rows: tuple[Finding[C], ...], subject: C) -> list[Problem]:
    """What the first row says that fits; then the ladder shows what went astray."""
    found, way, what = list(first(rows, subject)), subject.way, subject.what
    if found and what:
        near, far, is_forged = subject.sender, subject.receiver, subject.is_forged
        subject.proof.best.record.astray += [
            Astray(mark.number, mark.time, what, way.role, way.side, near, far, is_forged) for mark in subject.strays
        ]
    return found


def first_of(connection: Connection) -> Mark:
    return Mark(connection.first_packet, connection.start)


def end_of(way: Way, side: Side | None = None) -> str:
    """The name of an end of a connection: of that which sends."""
    side = way.side if side is None else side
    if way.role is Role.COMMAND:
        return "the client" if side is Side.CLIENT else "the remote"
    return "the task process" if side is Side.CLIENT else "the client"
