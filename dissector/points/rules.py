"""What two places prove together and neither of them alone, as problems of a task.

The tables of rows (``session.findings``) stand in:

lost, answers            what does harm
changes, counted, delays what does none by itself: remarks on the task
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dissector.model import Problem, Severity
from dissector.points import answers, changes, counted, delays, lost
from dissector.points.between import Way, ways
from dissector.points.pairing import Joined, Leg
from dissector.points.proof import PathProof

_BETWEEN: tuple[Callable[[PathProof, Way], Iterator[Problem]], ...] = (
    lost.syns,
    lost.data,
    answers.resets,
    answers.reports,
)
_REMARKS: tuple[Callable[[PathProof, Sequence[Way]], Iterator[Problem]], ...] = (
    changes.changed,
    changes.clamped,
    counted.repeated,
    counted.reordered,
    delays.delayed,
    delays.far,
    counted.missed,
)


def proven(group: Joined, best: Leg) -> list[Problem]:
    """The problems that no place shows alone; what explains most first.  Of a task that nothing is wrong with they are
    remarks."""
    proof, found, ends = PathProof(group, best), list[Problem](), list[Problem]()
    for one, two in zip(group.legs, group.legs[1:], strict=False):
        if one.place is two.place:
            continue
        between = list(ways(one, two))
        for rule in _BETWEEN:
            found += [problem for way in between for problem in rule(proof, way)]
        ends += [problem for way in between for problem in lost.end(proof, way)]
        for remark in _REMARKS:
            found += remark(proof, between)
    if len({leg.place for leg in group.legs}) > 1:
        # At the places nearest to the two hosts.
        found += [problem for way in ways(group.legs[0], group.legs[-1]) for problem in answers.unheard(proof, way)]
    if not proof.is_alarming:
        harmless = found + ends
    else:
        # That a connection's end does not arrive either follows from what stopped everything else.
        harmless = ends if any(problem.severity is Severity.ERROR for problem in found) else []
    for problem in harmless:
        problem.severity = Severity.INFO
    return found + ends
