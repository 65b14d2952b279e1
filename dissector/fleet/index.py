"""``jstrace index``: captures into a dataset, point by point, each of them committed when it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from dissector.errors import UsageError
from dissector.fleet.briefs import shortened
from dissector.fleet.captures import FileAtPoint, KnownCapture
from dissector.fleet.dataset import Dataset, Manifest, PartFile, PointState, part_path
from dissector.fleet.parquet import Written
from dissector.fleet.plan import Planned, Planner, PointPlan
from dissector.fleet.tracing import HowToTrace, UnitDone, UnitOfWork
from dissector.fleet.workers import done_units
from dissector.render.times import iso
from dissector.sources.remote import is_remote

#: Is told each point that is done, and how many there are.
OnPoint = Callable[[UnitDone, int], object]


@dataclass
class Indexed:
    """What a run did: ``captures`` are new, ``known`` were indexed before; ``tasks`` and ``points`` are all there are.
    ``peak``: the most memory that a process had, in bytes."""

    captures: int = 0
    known: int = 0
    tasks: int = 0
    points: int = 0
    warnings: list[str] = field(default_factory=list)
    peak: int = 0


def index(
    dataset: Dataset,
    places: Sequence[FileAtPoint],
    how: HowToTrace,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    retain: int | None = None,
    on_point: OnPoint | None = None,
) -> Indexed:
    """``retain``: how many days are kept up to the newest one, None for all.

    :raises UsageError: nothing can be read, or the dataset is made in another way
    :raises ToolError: see ``done_units``
    """
    if dataset.name.startswith("memory://") and (jobs > 1 or cluster is not None):
        raise UsageError(f"{dataset.name}: every process has a memory of its own: --jobs 1")
    done = Indexed()
    with dataset.locked():
        if dataset.is_new:
            dataset.commit(Manifest(messages=how.messages))
        elif how.messages and not dataset.manifest.messages:
            raise UsageError(f"{dataset.name} was made without --messages: index into another one")
        how = how._replace(messages=dataset.manifest.messages).with_process()
        planned = Planner(dataset).plan(places)
        _refuse_nothing(planned)
        done.known = planned.nothing_new
        done.warnings += [one.error or "" for one in planned.unreadable] + planned.warnings
        _work(dataset, planned, how, jobs, cluster, done, on_point)
        if retain is not None:
            _forget(dataset, retain)
    done.tasks = sum(part.rows for part in dataset.manifest.parts if part.table == "tasks")
    done.points = len(dataset.manifest.points)
    return done


def _refuse_nothing(planned: Planned) -> None:
    if planned.unreadable and not (planned.points or planned.nothing_new):
        raise UsageError(planned.unreadable[0].error or "")


def _work(
    dataset: Dataset,
    planned: Planned,
    how: HowToTrace,
    jobs: int,
    cluster: str | None,
    done: Indexed,
    on_point: OnPoint | None,
) -> None:
    plans = {plan.point: plan for plan in sorted(planned.points, key=lambda one: (-one.size, one.point))}
    units = [_unit(dataset, plan, how) for plan in plans.values() if plan.paths]
    for plan in plans.values():
        if not plan.paths:
            _commit(dataset, plan, UnitDone(plan.point, [], [], "", 0, []))
    failed = []
    for result in done_units(units, jobs, cluster):
        plan = plans[result.point]
        done.warnings += result.warnings
        done.peak = max(done.peak, result.peak)
        if result.error:
            failed.append(result.error)
        else:
            done.captures += len(plan.known) - len(_known(dataset, plan.point) & {one.digest for one in plan.known})
            _commit(dataset, plan, result)
        if on_point is not None:
            on_point(result, len(units))
    if failed and len(failed) == len(plans) and not done.known:
        raise UsageError(failed[0])
    done.warnings += failed


def _known(dataset: Dataset, point: str) -> set[str]:
    return {one.digest for one in dataset.manifest.captures if one.point == point}


def _unit(dataset: Dataset, plan: PointPlan, how: HowToTrace) -> UnitOfWork:
    replaced: list[tuple[str, str]] = []
    briefs: list[tuple[str, str]] = []
    for part in _replaced(dataset, plan):
        (briefs if part.is_brief else replaced).append((part.table, dataset.path_of(part)))
    day = iso(plan.since)[:10]
    without = not briefs and any(part.point == plan.point and part.day < day for part in dataset.manifest.parts)
    return UnitOfWork(
        *(plan.point, plan.paths, _work_place(dataset), how, plan.since, tuple(plan.told), tuple(replaced)),
        briefs=None if without else tuple(briefs),
    )


def _work_place(dataset: Dataset) -> str:
    """A folder that whoever does the work sees as well, or where the dataset is."""
    return dataset.name if is_remote(dataset.name) else str(dataset.storage.work_folder())


def _replaced(dataset: Dataset, plan: PointPlan) -> list[PartFile]:
    """Files with something from then on, and those of that day: so a day does not get a file with every run; and the
    point's briefs."""
    day = iso(plan.since)[:10]
    parts = (part for part in dataset.manifest.parts if part.point == plan.point)
    return [part for part in parts if part.is_brief or part.day >= day]


def _commit(dataset: Dataset, plan: PointPlan, result: UnitDone) -> None:
    manifest = dataset.manifest
    gone = set(_replaced(dataset, plan)) if result.files else set()
    parts = [part for part in manifest.parts if part not in gone]
    parts += [_placed(dataset, plan.point, made) for made in result.written]
    others = [one for one in manifest.captures if one.point != plan.point]
    points = dict(manifest.points)
    if result.tail or plan.point not in points:
        points[plan.point] = PointState(plan.point, result.tail)
    changed = replace(manifest, points=points, captures=[*others, *_with_facts(plan.known, result)], parts=parts)
    dataset.commit(changed)


def _placed(dataset: Dataset, point: str, made: Written) -> PartFile:
    path = part_path(made.table, made.day, point, made.digest)
    dataset.storage.put(made.path, path)
    return PartFile(made.table, made.day, point, path, made.rows, made.size, made.last)


def _with_facts(captures: Sequence[KnownCapture], result: UnitDone) -> list[KnownCapture]:
    """The captures with what is known of them since they were read."""
    read = {one.path: one for one in result.files}
    return [
        one if (facts := read.get(one.path)) is None else one._replace(last=facts.last, packets=facts.packets)
        for one in captures
    ]


def _forget(dataset: Dataset, days: int) -> None:
    manifest = dataset.manifest
    newest = max((part.day for part in manifest.parts), default="")
    if not newest:
        return
    first = (date.fromisoformat(newest) - timedelta(days=days)).isoformat()
    old = {part.point for part in manifest.parts if not part.is_brief and part.day <= first}
    kept = [part for part in manifest.parts if part.day > first or (part.is_brief and part.point not in old)]
    for part in manifest.parts:
        if part.is_brief and part.point in old:
            made = shortened(dataset.storage.work_folder(), part.table, dataset.path_of(part), first)
            kept += [_placed(dataset, part.point, one) for one in made]
    if old:
        dataset.commit(replace(manifest, parts=kept))
