"""``jstrace diff``: the same job in two captures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dissector.cli.common import exit_codes
from dissector.cli.masks import mask_options
from dissector.cli.tracing import output_options, port_hints, traced

if TYPE_CHECKING:
    from dissector.model import Message, Task
    from dissector.reports.diff import Recording


@click.command()
@click.argument("a", metavar="A", type=click.Path())
@click.argument("b", metavar="B", type=click.Path())
@click.option("--task", "number_a", type=click.IntRange(1), metavar="N", help="Task N of A (and of B).")
@click.option("--task-b", "number_b", type=click.IntRange(1), metavar="M", help="Task M of B, where it is another one.")
@click.option("--job", metavar="NAME", help="The first task of this job in each.")
@click.option("--full", is_flag=True, help="Every message, and every row of the table of times.")
@click.option("--show-secrets", is_flag=True, help="Do not mask passwords and the like.")
@mask_options
@port_hints
@output_options
def diff(
    a: str,
    b: str,
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
        found = compare(_recording(a, number_a, job, hints), _recording(b, number_b, job, hints))
        if form == "json":
            print_json(sys.stdout, found, mask)
        else:
            DiffView(Terminal(sys.stdout, color), mask, full=full).show(found)


def _recording(
    path: str, number: int | None, job: str | None, hints: tuple[tuple[int, ...], tuple[int, int]]
) -> Recording:
    from dissector.model import Message, Task
    from dissector.reports.diff import Recording, choose

    tasks: list[Task] = []
    messages: list[Message] = []
    for event in traced([path], *hints):
        if isinstance(event, Task):
            tasks.append(event)
        elif isinstance(event, Message):
            messages.append(event)
    task = choose(sorted(tasks, key=lambda one: one.n), path, number, job)
    return Recording(path, task, sorted((one for one in messages if one.task is task), key=lambda one: one.n))
