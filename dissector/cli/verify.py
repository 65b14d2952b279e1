"""``jstrace verify``: Python against Wireshark."""

from __future__ import annotations

from pathlib import Path

import click

from dissector.cli.common import PROBLEMS, exit_codes
from dissector.cli.masks import mask_options
from dissector.cli.tls import secrets, tls_options, tshark_preferences
from dissector.cli.tracing import port_hints
from dissector.numbers import count


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("-2", "--two-pass", is_flag=True, help="Let tshark go through the capture twice, as Wireshark does.")
@click.option(
    "-o", "preferences", multiple=True, metavar="NAME:VALUE",
    help="A preference for tshark, such as tcp.reassemble_out_of_order:TRUE. Repeatable.",
)  # fmt: skip
@click.option(
    "--max-differences",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    metavar="N",
    help="What to show of each FILE.",
)
@click.option("--tshark", "program", default="tshark", show_default=True, metavar="PATH", help="The tshark to ask.")
@mask_options
@tls_options
@click.option("--plugin", type=click.Path(path_type=Path), metavar="FILE", help="Another plugin than jstrace's own.")
@port_hints
def verify(
    files: tuple[str, ...],
    two_pass: bool,
    preferences: tuple[str, ...],
    max_differences: int,
    program: str,
    plugin: Path | None,
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
) -> None:
    """Check that jstrace and Wireshark agree on captures.

    Decodes each FILE with jstrace and with tshark and the jobscheduler plugin, and compares all messages: names,
    values and bytes of the fields, operation, object, member, nesting, task, links, log lines; and the tasks:
    number, first packet, outcome, how many calls and log lines, and their problems word by word. Of Universal
    Agents it compares the tasks and the messages in their tunnels, over HTTP, and over HTTPS with the secrets that
    are given; commands and heartbeats it does not. tshark runs with its own defaults; preferences and plugins of
    yours play no part. What is masked is compared too, and both sides mask what --mask and --mask-regex add.

    Of captures of several places each is compared by itself: Wireshark reads one file, and knows no places.

    Exit status: 0 equal, 1 differences, 2 unreadable input, no tshark, or the plugin does not work in it.
    """
    from dissector.render.text import escape
    from dissector.stream.tunnels import BY_PORT, vxlan
    from dissector.verify.run import VerifyReport, verify
    from dissector.verify.tshark import Tshark

    def show(report: VerifyReport) -> None:
        found = count(report.count, "difference") if report.count else "equal"
        counts = ", ".join(
            count(number, noun)
            for number, noun in (
                (report.messages, "message"),
                (report.fields, "field"),
                (report.tasks, "task"),
                (report.problems, "problem"),
            )
        )
        click.echo(f"{escape(report.capture)}: {counts}: {found}")
        for difference in report.differences:
            click.echo(f"  {escape(str(difference))}")
        if report.count > len(report.differences):
            click.echo(f"  and {report.count - len(report.differences)} more")

    vxlan_ports = [port for port, layer in BY_PORT.items() if layer is vxlan]
    different, places = 0, []
    with exit_codes():
        tshark = Tshark(program, plugin, two_pass, [*tshark_preferences(), *preferences], vxlan_ports)
        for path in files:
            report = verify(path, tshark, command_ports, callback_ports, max_differences, secrets())
            show(report)
            different += report.count
        if len(files) > 1:
            from dissector.survey import survey

            places = [site.place.name for site in survey(files, None, command_ports, callback_ports)]
    if places:
        names = ", ".join(map(escape, places))
        click.echo(f"of {len(places)} places of capture ({names}): each file by itself, as Wireshark reads one")
    if different:
        raise SystemExit(PROBLEMS)
