"""``jstrace redact``: a capture that may be given away."""

from __future__ import annotations

import click

from dissector.cli.common import PROBLEMS, exit_codes, say
from dissector.cli.tracing import port_hints


@click.command()
@click.argument("source", metavar="IN", type=click.Path())
@click.argument("target", metavar="OUT", type=click.Path())
@click.option(
    "--all-text",
    is_flag=True,
    help="Scripts, environment, parameters, logs and names of jobs too: all that is not the protocol's own.",
)
@click.option(
    "--seed",
    metavar="TEXT",
    help="Become the same every time; without it, something new in every run. Keep it to yourself.",
)
@port_hints
def redact(
    source: str,
    target: str,
    all_text: bool,
    seed: str | None,
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
) -> None:
    """Copy the JobScheduler connections of IN to OUT without addresses and secrets.

    Every address becomes another one, the same one everywhere, in headers and in texts; addresses of one network stay
    in one network. Secrets become asterisks. Lengths, times and checksums stay right, so OUT can be traced like IN.
    Other traffic is left out. OUT has the format of IN (pcap or pcapng), and is read again to see that its tasks are
    those of IN.

    Exit status: 0 done, 1 OUT tells something else than IN, 2 wrong usage or unreadable input.
    """
    from hashlib import blake2b
    from secrets import token_bytes

    from dissector.share.found import Hints
    from dissector.share.redact import redact as run

    key = token_bytes(32) if seed is None else blake2b(seed.encode()).digest()
    with exit_codes():
        report = run(source, target, key, Hints(command_ports, callback_ports), all_text=all_text)
        click.echo(
            f"{target}: {report.written} of {report.packets} packets, {_count(report.tasks, 'task')}; "
            f"{_count(report.addresses, 'address')} and {_count(report.secrets, 'secret')} replaced"
        )
        if report.left:
            say(f"warning: {_count(report.left, 'secret')} left where the same word is the protocol's own")
        for difference in report.differences:
            say(f"warning: read again, {difference}")
        if report.differences:
            raise SystemExit(PROBLEMS)


def _count(number: int, word: str) -> str:
    return f"{number} {word if number == 1 else word + ('es' if word.endswith('s') else 's')}"
