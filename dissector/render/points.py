"""What a task's page shows of several places of capture: how each has it, and what passed one of them only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from dissector.model import Astray, Rewritten, Role, Task, TaskPoint
from dissector.render.arrows import Columns
from dissector.render.steps import LadderStep, Lane
from dissector.render.text import duration, escape
from dissector.render.words import Said
from dissector.traffic import Side

#: Cells between two places that an arrow's end between them needs.
_LEAST_GAP = 5


def point_lines(task: Task) -> Iterator[str]:
    """A line for each place, where there are several: addresses as they are there, and its clock."""
    width = max((len(escape(point.name)) for point in task.points), default=0)
    for point in task.points if len(task.points) > 1 else ():
        parts = [
            f"{name} {fact}"
            for name, fact in (
                ("client", point.client),
                ("remote", point.remote),
                ("callback port", point.callback_port),
                ("clock", _clock(point)),
            )
            if fact is not None
        ]
        mark = "   (shown here)" if point.name == task.point else ""
        yield f"point {escape(point.name).ljust(width)}   {'   '.join(parts)}{mark}"


def _clock(point: TaskPoint) -> str | None:
    if point.clock_offset is None or point.clock_error is None:
        return "not known"
    if abs(point.clock_offset) <= point.clock_error:
        return None if not point.clock_error else f"right (within {duration(point.clock_error)})"
    way = "ahead" if point.clock_offset > 0 else "behind"
    return f"{duration(abs(point.clock_offset))} {way} (within {duration(point.clock_error)})"


def columns_of(task: Task, end: int) -> Columns:
    """A column for each place, where they differ in what they have of a task; ``end``: the remote host's cell."""
    names = list(dict.fromkeys(point.name for point in task.points))
    if len(names) < 2 or not (task.astray or task.rewritten) or end < _LEAST_GAP * (len(names) + 1):
        return Columns()
    return Columns.along([escape(name) for name in names], end)


def with_differences(task: Task, steps: Sequence[LadderStep]) -> list[LadderStep]:
    """The steps with those for packets that passed one place only (an arrow that ends, or begins, half way), and a
    remark where a device rewrites a connection."""
    numbers = {one.packet for one in task.astray}
    forged = {one.packet for one in task.astray if one.is_forged}
    kept = [
        step for step in steps if step.messages or not {*step.packets} & (forged if step.source is None else numbers)
    ]
    for _, alike in groupby(task.astray, key=lambda one: one._replace(packet=0, time=0)):
        kept += _arrows(list(alike))
    return [*(_remark(one, task.start) for one in task.rewritten), *kept]


def _remark(one: Rewritten, start: int) -> LadderStep:
    label = f"{one.role.value}: {one.how} (between {one.near} and {one.far})"
    return LadderStep(max(one.time, start), (one.packet,), escape(label), style="info")


def _arrows(alike: Sequence[Astray]) -> Iterator[LadderStep]:
    """The first one and the last one of many."""
    first = alike[0]
    source, target = _lanes(first)
    if first.is_forged:
        words = f"not from {first.near}: a device sent it"
    else:
        words = f"never came to {first.far}"
        words = f"{len(alike)} times, {words}" if len(alike) > 1 else words
    for one in _ends(alike):
        yield LadderStep(
            one.time,
            (one.packet,),
            escape(one.what),
            Said(escape(words) if one is first else "", failed=True),
            source,
            target,
            line="solid" if one.is_forged else "dashed",
            style="error",
            half="begin" if one.is_forged else "end",
            between=(escape(one.near), escape(one.far)),
        )


def _ends(alike: Sequence[Astray]) -> Iterable[Astray]:
    return alike if len(alike) < 3 else (alike[0], alike[-1])


def _lanes(one: Astray) -> tuple[Lane, Lane]:
    other = Lane.REMOTE if one.role is Role.COMMAND else Lane.PROCESS
    is_clients = (one.side is Side.CLIENT) is (one.role is Role.COMMAND)
    return (Lane.CLIENT, other) if is_clients else (other, Lane.CLIENT)
