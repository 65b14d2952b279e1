"""``jstrace ports``: callback ports, and the firewall's range for them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dissector.cli.common import exit_codes, say, utc_option
from dissector.cli.tracing import Chooser, instead, output_options, port_hints, traced

if TYPE_CHECKING:
    from dissector.reports.firewall import Opening
    from dissector.reports.ports import Plan, PortUse


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(allow_dash=True))
@click.option("--plan", "planning", is_flag=True, help="Without a capture: the range for a given load.")
@click.option("--parallel", type=click.IntRange(1, 60_000), metavar="N", help="With --plan: most tasks at a time.")
@click.option(
    "--starts-per-minute", type=click.IntRange(0, 30_000), metavar="N", help="With --plan: most starts in a minute."
)
@click.option(
    "--rules",
    "rules_form",
    type=click.Choice(["nftables", "iptables", "netsh"]),
    help="Only print rules for this packet filter; nftables: for nft -f.",
)
@click.option(
    "--side",
    type=click.Choice(["client", "remote", "both"]),
    default="both",
    show_default=True,
    help="With --rules: those for this host.",
)
@click.option("--client", "clients", multiple=True, metavar="ADDRESS", help="With --rules: a client. Repeatable.")
@click.option("--remote", "remotes", multiple=True, metavar="ADDRESS", help="With --rules: a remote. Repeatable.")
@port_hints
@output_options
@utc_option
def ports(
    files: tuple[str, ...],
    planning: bool,
    parallel: int | None,
    starts_per_minute: int | None,
    rules_form: str | None,
    side: str,
    clients: tuple[str, ...],
    remotes: tuple[str, ...],
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
    form: str,
    color: str,
) -> None:
    """Show which callback ports clients used when, and the range that a firewall has to let through.

    The vendor's rule: as many ports as tasks at a time, and one more for each start in two minutes, from 59999 down.

    \b
    jstrace ports client.pcap
    jstrace ports client.pcap --rules nftables --side client
    jstrace ports --plan --parallel 30 --starts-per-minute 60

    Exit status: 0 done, 2 wrong usage or unreadable input.
    """
    if planning == bool(files):
        raise click.UsageError("give captures, or --plan with --parallel and --starts-per-minute")
    if planning and (parallel is None or starts_per_minute is None):
        raise click.UsageError("--plan needs --parallel and --starts-per-minute")
    if rules_form and form == "json":
        raise click.UsageError("--rules are text")
    with exit_codes():
        _check_addresses((*clients, *remotes))
        from dissector.reports.ports import plan, port_uses

        found: list[PortUse] = []
        rule = None
        if planning:
            rule = plan(parallel or 0, 2 * (starts_per_minute or 0))
        else:
            chooser = Chooser()
            for event in traced(files, command_ports, callback_ports, messages=False):
                chooser.add(event)
            found = port_uses(chooser.tasks)
            if not chooser.seen:
                say(f"no task: {instead(chooser.problems)}")
        if rules_form:
            _print_rules(rules_form, _openings(found, rule, side, clients, remotes, command_ports))
        else:
            _print(found, rule, form, color)


def _print(found: list[PortUse], rule: Plan | None, form: str, color: str) -> None:
    from dissector.render import ports as view
    from dissector.render.terminal import Terminal

    if form == "json":
        view.print_json(sys.stdout, found, rule)
    elif rule is not None:
        view.print_plan(Terminal(sys.stdout, color), rule)
    else:
        view.print_clients(Terminal(sys.stdout, color), found)


def _print_rules(form: str, openings: list[Opening]) -> None:
    from dissector.reports.firewall import rules

    sys.stdout.write(rules(openings, form))


def _openings(
    found: list[PortUse],
    rule: Plan | None,
    side: str,
    clients: tuple[str, ...],
    remotes: tuple[str, ...],
    command_ports: tuple[int, ...],
) -> list[Opening]:
    """What has to be let in where; addresses that are told count before those that were seen."""
    from dissector.errors import UsageError
    from dissector.reports.firewall import client_opening, remote_openings

    chosen = [use for use in found if not clients or use.client in clients]
    if rule is None and not chosen:
        raise UsageError("there is no task of such a client")
    openings: list[Opening] = []
    if side != "remote":
        if rule is not None:
            openings.append(client_opening(remotes, rule.lowest, rule.highest))
        openings += (
            client_opening(remotes or use.remotes, use.plan.lowest, use.plan.highest, f"client {use.client}")
            for use in chosen
        )
    if side != "client":
        seen = sorted({port for use in chosen for port in use.remote_ports})
        openings += remote_openings(clients or tuple(use.client for use in chosen), seen or command_ports)
    return openings


def _check_addresses(addresses: tuple[str, ...]) -> None:
    from ipaddress import ip_network

    from dissector.errors import UsageError

    try:
        for address in addresses:
            ip_network(address, strict=False)
    except ValueError as error:
        raise UsageError(str(error)) from None
