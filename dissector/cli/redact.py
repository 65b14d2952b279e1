"""``jstrace redact``: captures that may be given away."""

from __future__ import annotations

import click

from dissector.cli.common import PROBLEMS, exit_codes, say
from dissector.cli.masks import mask_options
from dissector.cli.targets import pairs_of
from dissector.cli.tracing import port_hints
from dissector.numbers import count


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="IN... [OUT]", type=click.Path())
@click.option(
    "--out-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Write several captures to this folder, under their own names (compressed when those end in .gz or .zst) and "
    "with the same pseudonyms.",
)
@click.option(
    "--all-text",
    is_flag=True,
    help="Replace scripts, environment, parameters, logs and names of jobs too: all that is not the protocol's own.",
)
@click.option(
    "--seed",
    metavar="TEXT",
    help="Key of the pseudonyms: with the same key they are the same in every run. Keep it secret.",
)
@mask_options
@port_hints
def redact(
    files: tuple[str, ...],
    out_dir: str | None,
    all_text: bool,
    seed: str | None,
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
) -> None:
    """Copy the JobScheduler connections of IN to OUT without addresses and secrets.

    Every address becomes another one, the same one everywhere, in headers and in texts; addresses of one network stay
    in one network. Secrets become asterisks. Lengths, times and checksums stay right, so OUT can be traced like IN.
    Other traffic is left out, and so are connections with TLS and the secrets that a pcapng file has for them. OUT has
    the format of IN (pcap or pcapng) unless its name ends in .pcap or .pcapng, and is compressed when it ends in .gz
    or .zst; only its owner may read it. - is standard output. OUT is read again to see that its tasks are those of IN.

    \b
    jstrace redact client.pcap for-support.pcap
    jstrace redact client.pcap remote.pcap --out-dir for-support

    Exit status: 0 done, 1 OUT does not show what IN shows, 2 wrong usage or unreadable input.
    """
    from hashlib import blake2b
    from secrets import token_bytes

    from dissector.outfile import is_stdout, shown
    from dissector.share.capture_index import Hints
    from dissector.share.redact import redact_all

    key = token_bytes(32) if seed is None else blake2b(seed.encode()).digest()
    with exit_codes():
        pairs = pairs_of(files, out_dir)
        reports = redact_all(pairs, key, Hints(command_ports, callback_ports), all_text=all_text)
        for (_, target), report in zip(pairs, reports, strict=True):
            click.echo(
                f"{shown(target)}: {report.written} of {count(report.packets, 'packet')}, "
                f"{count(report.tasks, 'task')}; "
                f"{count(report.addresses, 'address', 'addresses')} and {count(report.secrets, 'secret')} replaced",
                err=is_stdout(target),
            )
            if report.sealed:
                say(f"warning: {count(report.sealed, 'connection')} with TLS left out: what is encrypted stays unread")
            if report.left:
                say(f"warning: {count(report.left, 'secret')} left where the same word is the protocol's own")
            for difference in report.differences:
                say(f"warning: {shown(target)}: read again, {difference}")
        if any(report.differences for report in reports):
            raise SystemExit(PROBLEMS)
