"""``jstrace diff``: the same job in two captures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dissector.cli.common import exit_codes
from dissector.cli.masks import mask_options
from dissector.cli.tls import tls_options
from dissector.cli.tracing import output_options, port_hints, traced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissector.model import Connection, Event, Message, Task
    from dissector.reports.diff import Recording


@click.command()
@click.argument("a", metavar="A", type=click.Path())
@click.argument("b", metavar="B", type=click.Path())
@click.option(
    "--also-a",
    multiple=True,
    metavar="FILE",
    type=click.Path(),
    help="A's capture at another place. Repeatable.",
)
@click.option("--also-b", multiple=True, metavar="FILE", type=click.Path(), help="The same of B's. Repeatable.")
@click.option("--task", "number_a", type=click.IntRange(1), metavar="N", help="Task N of A (and of B).")
@click.option("--task-b", "number_b", type=click.IntRange(1), metavar="M", help="Task M of B, where it is another one.")
@click.option("--job", metavar="NAME", help="The first task of this job in each.")
@click.option("--full", is_flag=True, help="Every message, and every row of the table of times.")
@click.option("--show-secrets", is_flag=True, help="Do not mask passwords and the like.")
@mask_options
@port_hints
@tls_options
@output_options
def diff(
    a: str,
    b: str,
    also_a: tuple[str, ...],
    also_b: tuple[str, ...],
    number_a: int | None,
    number_b: int | None,
    job: str | None,
    full: bool,
    show_secrets: bool,
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
    form: str,
    color: str,
) -> None:
    """Compare a task in capture A (a good run) with one in capture B (a bad run).

    Shows where their messages part, which calls were answered otherwise, and in which calls the time went. A and B may
    be the same file. Without --task and --job each has to have one task only.

    Exit status: 0 compared, 2 wrong usage, no such task, or unreadable input.
    """
    from dissector.render.diff import DiffView, print_json
    from dissector.render.terminal import Terminal
    from dissector.reports.diff import compare
    from dissector.wire.masking import Mask

    mask = Mask(not show_secrets)
    if number_b is None:
        number_b = number_a
    with exit_codes():
        hints = command_ports, callback_ports
        wanted = _Wanted((a, *also_a), number_a, job), _Wanted((b, *also_b), number_b, job)
        for files in dict.fromkeys(one.files for one in wanted):
            _recordings([one for one in wanted if one.files == files], files, hints)
        found = compare(*(one.recording() for one in wanted))
        if form == "json":
            print_json(sys.stdout, found, mask)
        else:
            DiffView(Terminal(sys.stdout, color), mask, full=full).show(found)


class _Wanted:
    """Finds one task in what is traced, and keeps its messages: task ``number``, else the first one of ``job``, else
    the only one."""

    def __init__(self, files: tuple[str, ...], number: int | None, job: str | None) -> None:
        self.files, self._number, self._job = files, number, job
        self._tasks: list[Task] = []
        self._messages: dict[Task, list[Message]] = {}

    def may_be(self, task: Task | None) -> bool:
        """False for a task that is certainly another one."""
        if task is None:
            return True
        if self._number is not None:
            return task.n in (0, self._number)
        if self._job is not None and task.job is not None and task.job.casefold() != self._job.casefold():
            return False
        # A later one is not the first.
        return all(task.n <= other.n for other in self._messages) if self._job is not None else task.n <= 1

    def add(self, event: Event) -> None:
        from dissector.model import Message, Task

        if isinstance(event, Task):
            self._tasks.append(event)
        elif isinstance(event, Message) and event.task is not None and event.n and self.may_be(event.task):
            self._messages.setdefault(event.task, []).append(event)

    def recording(self) -> Recording:
        """:raises UsageError: there is no such task, or more than one"""
        from dissector.reports.diff import Recording, choose

        tasks = sorted(self._tasks, key=lambda one: one.n)
        task = choose(tasks, self.files[0], self._number, self._job)
        return Recording(self.files[0], task, sorted(self._messages.get(task, ()), key=lambda one: one.n))


def _recordings(
    wanted: Sequence[_Wanted], files: tuple[str, ...], hints: tuple[tuple[int, ...], tuple[int, int]]
) -> None:
    """Looks for all of them in one file, or those of several places."""

    def is_other(connection: Connection) -> bool:
        return not any(one.may_be(connection.task) for one in wanted)

    for event in traced(files, *hints, made_by_others=is_other):
        for one in wanted:
            one.add(event)
