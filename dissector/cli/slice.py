"""``jstrace slice``: the packets of some tasks only."""

from __future__ import annotations

import click

from dissector.cli.common import exit_codes, filter_option, utc_option
from dissector.cli.masks import mask_options
from dissector.cli.tls import secrets, tls_options
from dissector.cli.tracing import Chooser, instead, port_hints


@click.command("slice")
@click.argument("source", metavar="IN", type=click.Path())
@click.argument("target", metavar="OUT", type=click.Path())
@click.option("--task", "tasks", multiple=True, type=click.IntRange(1), metavar="N", help="Task N. Repeatable.")
@filter_option
@mask_options
@port_hints
@tls_options
@utc_option
def slice_(
    source: str,
    target: str,
    tasks: tuple[int, ...],
    filters: tuple[str, ...],
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
) -> None:
    """Copy the packets of some tasks of IN to OUT, a pcapng file.

    Comments that Wireshark shows say how each task ended, and what is wrong beside the packets that prove it
    (display filter: frame.comment). OUT is pcap, which has no comments, when its name ends in .pcap, and compressed
    when it ends in .gz or .zst; only its owner may read it. - is standard output.

    Exit status: 0 done, 2 wrong usage, no such task, or unreadable input.
    """
    from dissector.errors import UsageError
    from dissector.outfile import is_stdout, shown
    from dissector.render.views import refuse_missing
    from dissector.share.capture_index import CaptureIndex, Hints
    from dissector.share.files import check_files
    from dissector.share.slice import cut as run

    if not (tasks or filters):
        raise click.UsageError("say which tasks: --task or --filter")
    with exit_codes():
        check_files([source], [target])
        chooser = Chooser(tasks, filters)
        found = CaptureIndex.of(
            source,
            Hints(command_ports, callback_ports, secrets()),
            messages=chooser.needs_messages,
            keep=False,
            on_event=chooser.add,
        )
        chosen = sorted(chooser.tasks, key=lambda task: task.n)
        if not chooser.seen:
            raise UsageError(f"{source}: no task: {instead(found.instead)}")
        refuse_missing(tasks, chooser.seen)
        if not chosen:
            raise UsageError(f"{source}: none of {chooser.seen} tasks matches")
        written = run(source, target, found, chosen)
        words = f"{written} packets of {len(chosen)} {'task' if len(chosen) == 1 else 'tasks'}"
        click.echo(f"{shown(target)}: {words}", err=is_stdout(target))
