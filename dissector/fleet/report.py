"""A dataset on one HTML page: the page of ``jstrace report``, told of sums instead of packets.

What went wrong by its causes, how each job did, when, at which hosts, and the tasks that failed with their files and
the numbers of their packets there.  Times are in UTC, as everywhere in a dataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from dissector.fleet.dataset import Dataset
from dissector.fleet.query import Asking
from dissector.fleet.views import FAILED
from dissector.model import Outcome
from dissector.numbers import count
from dissector.render.report.html import render
from dissector.render.report.page import Card, FiguresTable, GroupRow, Link, TableRow
from dissector.render.report.view import MAX_CARDS, MAX_GROUPS, Content
from dissector.render.report.words import WORDS
from dissector.render.rows import ranges, tally
from dissector.render.text import duration, escape

#: Hosts, columns of their table, days, and tasks that failed: of one job and outcome, and in all.
MAX_HOSTS, MAX_COLUMNS, MAX_DAYS = 40, 10, 92
TASKS_ALIKE, MAX_TASKS = 5, 100
_NAMES = ("#", "start", "point", "job", "remote", "outcome", "problems", "packets", "file")
_NUMERIC = (False, False, False, False, False, False, False, True, False)

_CAUSES = """
SELECT severity, code, cause, remedy, arg_min(summary, time) AS summary, arg_min(point, time) AS place,
  arg_min(packets, time) AS packets, arg_min(files, time) AS files, count(*) AS times, count(DISTINCT task) AS tasks,
  count(DISTINCT point) AS points, min(time) AS "first", max(time) AS "last"
FROM problems WHERE severity <> 'info' GROUP BY ALL ORDER BY severity, tasks DESC, times DESC, code, cause"""
_JOBS = f"""
SELECT coalesce(job, ''), count(*) AS tasks, count(*) FILTER ({FAILED}) AS failed,
  count(*) FILTER (outcome = 'running') AS running, quantile_disc(duration, 0.5), quantile_disc(duration, 0.95),
  max(duration), quantile_disc(callback_delay, 0.5)
FROM brief_tasks GROUP BY job ORDER BY failed DESC, tasks DESC, job"""
_DAYS = f"""
SELECT day, count(*) AS tasks, count(*) FILTER ({FAILED}) AS failed, count(DISTINCT point) AS points,
  quantile_disc(duration, 0.5), quantile_disc(callback_delay, 0.95)
FROM brief_tasks GROUP BY day ORDER BY day DESC"""
_HOSTS = f"""
SELECT coalesce(remote, ''), day, count(*) AS tasks, count(*) FILTER ({FAILED}) AS failed
FROM brief_tasks GROUP BY ALL"""
_WORST = f"""
WITH worst AS (SELECT id, day FROM (SELECT id, day, start, row_number() OVER (PARTITION BY job, outcome
    ORDER BY start DESC, id) AS place FROM brief_tasks WHERE {FAILED})
  WHERE place <= $alike ORDER BY start DESC, id LIMIT $most)
SELECT id, start, point, coalesce(job, ''), coalesce(remote.ip, ''), outcome, problems, first_packet, last_packet, files
FROM tasks WHERE id IN (SELECT id FROM worst) AND day IN (SELECT day FROM worst) ORDER BY start DESC, id"""


def write_report(dataset: Dataset, name: str, write: Callable[[str], object]) -> int:
    """Writes the page of the dataset that the user calls ``name``; how many tasks are in it."""
    asking = Asking(dataset)
    outcomes = Counter[Outcome]()
    for outcome, number in asking.answer("SELECT outcome, count(*) FROM brief_tasks GROUP BY ALL").rows:
        outcomes[Outcome(outcome)] += number
    causes, jobs = list(asking.answer(_CAUSES).rows), list(asking.answer(_JOBS).rows)
    hosts = _by_host(list(asking.answer(_HOSTS).rows))
    days, worst = list(asking.answer(_DAYS).rows), list(_worst(asking))
    tasks, points = outcomes.total(), len(dataset.manifest.points)
    content = Content(
        f"{escape(name)}: {count(tasks, 'task')} at {count(points, 'point')}{_span(days)}",
        (f"{escape(name)}: {count(len(dataset.manifest.captures), 'capture')}, times in UTC",),
        tally(outcomes),
        str(causes[0][0]) if causes else "good" if outcomes.keys() == {Outcome.SUCCESS} else "info",
        tuple(_card(*row) for row in causes[:MAX_CARDS]),
        tuple(_group(*row) for row in jobs[:MAX_GROUPS]),
        _NAMES,
        _NUMERIC,
        tuple(worst),
        (),
        tuple(_left_out(len(causes), len(jobs), days, hosts, sum(row[2] for row in jobs), len(worst))),
        WORDS,
        tuple(one for one in (hosts, _by_day(days)) if one.rows),
    )
    write(render(content))
    return tasks


def _span(days: Sequence[Any]) -> str:
    return f", {days[-1][0]} to {days[0][0]}" if len(days) > 1 else f", {days[0][0]}" if days else ""


def _card(*row: Any) -> Card:
    severity, code, cause, remedy, summary, place, packets, files, times, tasks, points, first, last = row
    where = f"{count(tasks, 'task')} at {count(points, 'point')}" if tasks else count(points, "point")
    span = f"{_time(first)} to {_time(last)}" if times > 1 else _time(first)
    found = f"{count(times, 'time')}, {span}; shown is the first one, at {escape(place)} in {_file_names(files)}"
    links = (Link(ranges(packets)),) if packets else ()
    texts = (_text(summary), _text(cause), _text(remedy), "", found)
    return Card(severity, code, Link(where), *texts, links)


def _group(name: str, tasks: int, failed: int, running: int, *times: float | None) -> GroupRow:
    return GroupRow(escape(name) or "-", tasks, _share(failed, tasks), running, *map(_took, times))


def _by_day(days: Sequence[Any]) -> FiguresTable:
    names = ("day", "tasks", "failed", "points", "median", "callback p95")
    rows = (
        (str(day), str(tasks), _share(failed, tasks), str(points), _took(median), _took(delay))
        for day, tasks, failed, points, median, delay in days[:MAX_DAYS]
    )
    return FiguresTable("days", "By day", names, tuple(rows))


def _by_host(rows: Sequence[tuple[str, date, int, int]]) -> FiguresTable:
    """A line for each remote, those of the most failures first, with some days in a column."""
    first, last = min((row[1] for row in rows), default=date.min), max((row[1] for row in rows), default=date.min)
    width = -(-((last - first).days + 1) // MAX_COLUMNS)
    columns = -(-((last - first).days + 1) // width)
    tasks, failed = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
    for host, day, number, bad in rows:
        for column in ((day - first).days // width, columns):  # the last one has all
            tasks[host, column] += number
            failed[host, column] += bad
    hosts = sorted({row[0] for row in rows}, key=lambda host: (-failed[host, columns], -tasks[host, columns], host))
    names = ("remote", *(f"{first + timedelta(days=width * at):%m-%d}" for at in range(columns)), "all")
    cells = (
        (escape(host) or "-", *(_of(failed[host, at], tasks[host, at]) for at in range(columns + 1)))
        for host in hosts[:MAX_HOSTS]
    )
    each = "of a day" if width == 1 else f"of {count(width, 'day')} from the day in its head on"
    title = f"By host: tasks that failed / tasks, each column {each}"
    return FiguresTable("hosts", title, names, tuple(cells), len(hosts))


def _worst(asking: Asking) -> Iterator[TableRow]:
    for row in asking.answer(_WORST, {"alike": TASKS_ALIKE, "most": MAX_TASKS}).rows:
        found, start, point, job, remote, outcome, problems, first, last, files = row
        texts = _time(start), escape(point), escape(job), remote, outcome, " ".join(problems)
        yield TableRow(Link(found), (*texts, f"{first}-{last}", _file_names(files)), outcome, "error")


def _left_out(
    causes: int, jobs: int, days: Sequence[Any], hosts: FiguresTable, failed: int, worst: int
) -> Iterator[str]:
    yield "Packets are numbered over the files that stand beside them, as jstrace read FILES --one-stream numbers them."
    yield "jstrace query OUT --task ID shows a task in its packets."
    if failed > worst:
        yield f"Tasks that failed: {worst} of {failed}, the newest {TASKS_ALIKE} of each job and outcome."
    for what, shown, there in (
        ("Problems", MAX_CARDS, causes),
        ("Jobs", MAX_GROUPS, jobs),
        ("Hosts", MAX_HOSTS, hosts.there),
        ("Days", MAX_DAYS, len(days)),
    ):
        if there > shown:
            yield f"{what}: {shown} of {there}. jstrace query OUT --list has questions that tell of all."


def _share(failed: int, tasks: int) -> str:
    return f"{failed} ({failed / tasks:.0%})" if failed else "0"


def _of(failed: int, tasks: int) -> str:
    return f"{failed}/{tasks}" if failed else str(tasks or "")


def _took(seconds: float | None) -> str:
    return "" if seconds is None else duration(round(seconds * 1e9))


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _text(text: str | None) -> str:
    return escape(text or "")


def _file_names(files: Sequence[str]) -> str:
    """The first one, and how many follow."""
    if not files:
        return ""
    return escape(files[0]) + (f" and {len(files) - 1} more" if len(files) > 1 else "")
