"""``jstrace report``: one HTML page for a ticket."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dissector.cli.common import exit_codes, filter_option, say, utc_option
from dissector.cli.masks import mask_options
from dissector.cli.tls import secrets, tls_options
from dissector.cli.tracing import port_hints
from dissector.numbers import count

if TYPE_CHECKING:
    from dissector.model import CaptureInfo


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@click.option("-o", "--output", "target", required=True, metavar="OUT", type=click.Path(), help="The page: OUT.html.")
@click.option("--task", "tasks", multiple=True, type=click.IntRange(1), metavar="N", help="Only task N. Repeatable.")
@click.option(
    "--redact",
    "is_redacted",
    is_flag=True,
    help="Replace addresses, names of jobs, scripts, parameters and logs too, as jstrace redact --all-text does.",
)
@click.option(
    "--seed", metavar="TEXT", help="Key of the pseudonyms of --redact: with the same key those of jstrace redact."
)
@filter_option
@mask_options
@port_hints
@tls_options
@utc_option
def report(
    files: tuple[str, ...],
    target: str,
    tasks: tuple[int, ...],
    is_redacted: bool,
    seed: str | None,
    filters: tuple[str, ...],
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
) -> None:
    """Write what was found in FILE to OUT, one HTML page for a ticket.

    The page begins with what went wrong, the packets that prove it, why, and what to do; then come all tasks, and for
    each that failed its ladder and its log. It needs no network and no script, and is private to its owner until it is
    given away. Secrets are masked. Of many tasks the page says what it leaves out. - is standard output.

    \b
    jstrace report client.pcap -o report.html
    jstrace report client.pcap --task 7 -o report.html --redact

    Exit status: 0 done, 2 wrong usage, no such task, or unreadable input.
    """
    from dissector.outfile import OutFile, check_output, is_stdout, shown
    from dissector.reading import Reading
    from dissector.render.filter import parse
    from dissector.render.report.view import ReportView
    from dissector.render.views import Output, refuse_missing
    from dissector.wire.masking import Mask

    if seed is not None and not is_redacted:
        raise click.UsageError("--seed is the key of --redact")
    with exit_codes(), ExitStack() as opened:
        check_output(target, files)
        chosen = parse(filters)
        if is_redacted:
            from tempfile import TemporaryDirectory

            folder = opened.enter_context(TemporaryDirectory(prefix="jstrace-"))
            files = _redacted(files, folder, seed, command_ports, callback_ports)
        out = opened.enter_context(OutFile(target))
        view = ReportView(
            lambda text: out.write(text.encode()), Mask(), chosen=bool(tasks or filters), redacted=is_redacted
        )
        output = Output(view, tasks, chosen)
        reading = Reading(files, command_ports, callback_ports, secrets=secrets())
        output.add(reading.events())
        output.add(reading.warnings)
        refuse_missing(tasks, output.seen)
        infos: list[CaptureInfo] = reading.infos
        output.close(infos)
        out.commit()
        for warning in reading.warnings:
            say(f"warning: {warning.summary}")
        packets = count(sum(info.packets for info in infos), "packet")
        click.echo(f"{shown(target)}: {count(output.seen, 'task')} in {packets}", err=is_stdout(target))


def _redacted(
    files: tuple[str, ...],
    folder: str,
    seed: str | None,
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
) -> tuple[str, ...]:
    """Copies of the captures in ``folder`` (private), without what is to be replaced."""
    from hashlib import blake2b
    from secrets import token_bytes

    from dissector.share.capture_index import Hints
    from dissector.share.redact import redact_all

    key = token_bytes(32) if seed is None else blake2b(seed.encode()).digest()
    pairs = [(file, str(Path(folder) / f"{number}.pcapng")) for number, file in enumerate(files, 1)]
    reports = redact_all(pairs, key, Hints(command_ports, callback_ports), all_text=True)
    for file, done in zip(files, reports, strict=True):
        if done.sealed:
            say(f"warning: {file}: connections with TLS are left out of what is redacted")
        for difference in done.differences:
            say(f"warning: {file}: redacted, {difference}")
    return tuple(copy for _, copy in pairs)
