"""Tasks that may be one: a proxy is between their places, and nothing tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Problem
from dissector.points.pairing import Joined, Leg
from dissector.session.case import Case
from dissector.session.findings import Finding, Reason, first


@dataclass(slots=True)
class Unjoined:
    """A task by its ``best`` leg, and the leg of another place that was not joined."""

    best: Leg
    other: Leg

    @property
    def case(self) -> Case:
        return Case(self.best.facts, 0)

    @property
    def about(self) -> Connection | None:
        return self.best.record.callback or self.best.record.command


def both_begin(unjoined: Unjoined) -> list[int]:
    return [unjoined.best.record.first_packet, unjoined.other.record.first_packet]


UNJOINED: tuple[Finding[Unjoined], ...] = (
    Finding(
        "pair_unclear",
        (),
        "A task of the same job and number was captured at {other.place.name}; whether it is this one is not known.",
        (both_begin,),
        (
            Reason(
                "behind a proxy the start commands tell tasks apart, and one is missing in the captures",
                "start the captures before the tasks",
            ),
        ),
    ),
)


def unjoined(group: Joined, best: Leg) -> Iterator[Problem]:
    if group.unclear is not None and all(leg.place is not group.unclear.place for leg in group.legs):
        yield from first(UNJOINED, Unjoined(best, group.unclear))
