"""``jstrace slice``: the packets of some tasks only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dissector.cli.common import exit_codes, filter_option, utc_option
from dissector.cli.masks import mask_options
from dissector.cli.targets import pairs_of
from dissector.cli.tls import secrets, tls_options
from dissector.cli.tracing import Chooser, instead, port_hints
from dissector.numbers import count

if TYPE_CHECKING:
    from dissector.model import Problem, Task
    from dissector.share.capture_index import Hints


@click.command("slice")
@click.argument("files", nargs=-1, required=True, metavar="IN... [OUT]", type=click.Path())
@click.option(
    "--out-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Cut captures of several places at once, each to this folder under its own name.",
)
@click.option("--task", "tasks", multiple=True, type=click.IntRange(1), metavar="N", help="Task N. Repeatable.")
@filter_option
@mask_options
@port_hints
@tls_options
@utc_option
def slice_(
    files: tuple[str, ...],
    out_dir: str | None,
    tasks: tuple[int, ...],
    filters: tuple[str, ...],
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
) -> None:
    """Copy the packets of some tasks of IN to OUT, a pcapng file.

    Comments that Wireshark shows say how each task ended, and what is wrong beside the packets that prove it
    (display filter: frame.comment). OUT is pcap, which has no comments, when its name ends in .pcap, and compressed
    when it ends in .gz or .zst; only its owner may read it. - is standard output.

    Of captures of several places, each gets what was captured there, with what all of them prove among the comments:

    \b
    jstrace slice client.pcap one-task.pcapng --task 7
    jstrace slice client.pcap remote.pcap --out-dir one-task --task 7

    Exit status: 0 done, 2 wrong usage, no such task, or unreadable input.
    """
    from dissector.share.capture_index import Hints

    if not (tasks or filters):
        raise click.UsageError("say which tasks: --task or --filter")
    with exit_codes():
        pairs, hints, chooser = (
            pairs_of(files, out_dir),
            Hints(command_ports, callback_ports, secrets()),
            Chooser(tasks, filters),
        )
        if len(pairs) > 1:
            _cut_sides(pairs, hints, chooser, tasks)
        else:
            _cut_one(*pairs[0], hints, chooser, tasks)


def _cut_one(source: str, target: str, hints: Hints, chooser: Chooser, tasks: tuple[int, ...]) -> None:
    from dissector.outfile import is_stdout, shown
    from dissector.share.capture_index import CaptureIndex
    from dissector.share.files import check_files
    from dissector.share.slice import cut as run

    check_files([source], [target])
    found = CaptureIndex.of(source, hints, messages=chooser.needs_messages, keep=False, on_event=chooser.add)
    chosen = _chosen(source, chooser, tasks, found.instead)
    written = run([source], target, found, chosen)
    click.echo(f"{shown(target)}: {_words(written, len(chosen))}", err=is_stdout(target))


def _cut_sides(pairs: list[tuple[str, str]], hints: Hints, chooser: Chooser, tasks: tuple[int, ...]) -> None:
    """Captures of several places, of which each has its part of the tasks."""
    from dissector.outfile import shown
    from dissector.share.files import check_files
    from dissector.share.slice_sides import Sides

    sources = [source for source, _ in pairs]
    check_files(sources, [target for _, target in pairs])
    found = Sides.of(sources, hints, messages=chooser.needs_messages, on_event=chooser.add)
    chosen = _chosen(", ".join(sources), chooser, tasks, chooser.problems)
    for source, target in pairs:
        click.echo(f"{shown(target)}: {_words(*found.cut(source, target, chosen))}")


def _chosen(name: str, chooser: Chooser, tasks: tuple[int, ...], problems: list[Problem]) -> list[Task]:
    """The tasks to be cut out.

    :raises UsageError: there is none, or not all that were named
    """
    from dissector.errors import UsageError
    from dissector.render.views import refuse_missing

    chosen = sorted(chooser.tasks, key=lambda task: task.n)
    if not chooser.seen:
        raise UsageError(f"{name}: no task: {instead(problems)}")
    refuse_missing(tasks, chooser.seen)
    if not chosen:
        raise UsageError(f"{name}: none of {count(chooser.seen, 'task')} matches")
    return chosen


def _words(packets: int, tasks: int) -> str:
    return f"{count(packets, 'packet')} of {count(tasks, 'task')}"
