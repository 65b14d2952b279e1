"""``jstrace ports``: callback ports, and the firewall's range for them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dissector.cli.common import exit_codes, say, utc_option
from dissector.cli.tls import tls_options
from dissector.cli.tracing import Chooser, instead, output_options, port_hints, traced
from dissector.ports import AGENT_PORT

if TYPE_CHECKING:
    from dissector.reports.firewall import Opening
    from dissector.reports.ports import AgentUse, Plan, PortUse


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(allow_dash=True))
@click.option("--plan", "planning", is_flag=True, help="Without a capture: the range for a given load.")
@click.option("--agent", is_flag=True, help="With --plan: for a Universal Agent, which needs one port for any load.")
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
@tls_options
@output_options
@utc_option
def ports(
    files: tuple[str, ...],
    planning: bool,
    agent: bool,
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
    Universal Agents (1.10 and later) call nobody back: the port of the agent is all they need.

    \b
    jstrace ports client.pcap
    jstrace ports client.pcap --rules nftables --side client
    jstrace ports --plan --parallel 30 --starts-per-minute 60
    jstrace ports --plan --agent --rules iptables --client 10.1.0.10

    Exit status: 0 done, 2 wrong usage or unreadable input.
    """
    if planning == bool(files):
        raise click.UsageError("give captures, or --plan with --parallel and --starts-per-minute")
    if agent and not planning:
        raise click.UsageError("--agent is for --plan: captures tell whether there are agents")
    if planning and not agent and (parallel is None or starts_per_minute is None):
        raise click.UsageError("--plan needs --parallel and --starts-per-minute, or --agent")
    if rules_form and form == "json":
        raise click.UsageError("--rules are text")
    with exit_codes():
        _check_addresses((*clients, *remotes))
        from dissector.reports.ports import AgentUse, agent_uses, plan, port_uses

        found: list[PortUse] = []
        agents: list[AgentUse] = []
        rule = None
        if agent:
            agents = [AgentUse("", AGENT_PORT, clients, 0, 0)]
        elif planning:
            rule = plan(parallel or 0, 2 * (starts_per_minute or 0))
        else:
            chooser = Chooser()
            for event in traced(files, command_ports, callback_ports, messages=False):
                chooser.add(event)
            found, agents = port_uses(chooser.tasks), agent_uses(chooser.tasks)
            if not chooser.seen:
                say(f"no task: {instead(chooser.problems)}")
        if rules_form:
            _print_rules(rules_form, _openings(found, agents, rule, side, clients, remotes, command_ports))
        else:
            _print(found, agents, rule, form, color)


def _print(found: list[PortUse], agents: list[AgentUse], rule: Plan | None, form: str, color: str) -> None:
    from dissector.render import ports as view
    from dissector.render.terminal import Terminal

    if form == "json":
        view.print_json(sys.stdout, found, rule, agents)
    elif rule is not None:
        view.print_plan(Terminal(sys.stdout, color), rule)
    elif agents and not agents[0].agent:
        view.print_agent_rule(Terminal(sys.stdout, color), agents[0].port)
    else:
        view.print_uses(Terminal(sys.stdout, color), found, agents)


def _print_rules(form: str, openings: list[Opening]) -> None:
    from dissector.reports.firewall import rules

    sys.stdout.write(rules(openings, form))


def _openings(
    found: list[PortUse],
    agents: list[AgentUse],
    rule: Plan | None,
    side: str,
    clients: tuple[str, ...],
    remotes: tuple[str, ...],
    command_ports: tuple[int, ...],
) -> list[Opening]:
    """What has to be let in where; addresses that are told count before those that were seen."""
    from dissector.errors import UsageError
    from dissector.reports.firewall import agent_opening, client_opening, remote_openings

    chosen = [use for use in found if not clients or use.client in clients]
    reached = [use for use in agents if not clients or not use.agent or set(use.masters) & set(clients)]
    if rule is None and not chosen and not reached:
        raise UsageError("there is no task of such a client")
    if side == "client" and rule is None and not chosen:
        raise UsageError("masters of Universal Agents let nothing in: see --side remote")
    openings: list[Opening] = []
    if side != "remote":
        if rule is not None:
            openings.append(client_opening(remotes, rule.lowest, rule.highest))
        openings += (
            client_opening(remotes or use.remotes, use.plan.lowest, use.plan.highest, f"client {use.client}")
            for use in chosen
        )
    if side != "client" and (rule is not None or chosen):
        seen = sorted({port for use in chosen for port in use.remote_ports})
        openings += remote_openings(clients or tuple(use.client for use in chosen), seen or command_ports)
    if side != "client":
        openings += (agent_opening(clients or use.masters, use.port, f"agent {use.agent}".rstrip()) for use in reached)
    return openings


def _check_addresses(addresses: tuple[str, ...]) -> None:
    from ipaddress import ip_network

    from dissector.errors import UsageError

    try:
        for address in addresses:
            ip_network(address, strict=False)
    except ValueError as error:
        raise UsageError(str(error)) from None
