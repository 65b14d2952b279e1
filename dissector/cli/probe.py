"""``jstrace probe``: the active test of the path to a remote scheduler or agent, and back."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from dissector.cli.common import PROBLEMS, address, exit_codes, say, seconds
from dissector.cli.tracing import output_options
from dissector.errors import UsageError
from dissector.ports import AGENT_PORT, CALLBACKS_TEXT, COMMAND_PORTS

if TYPE_CHECKING:
    from dissector.model import Endpoint
    from dissector.probe.agent import AgentOptions
    from dissector.probe.run import Recording
    from dissector.reports.probe import ProbeResult

_PASSWORD = "JSTRACE_PASSWORD"


class _Target(NamedTuple):
    end: Endpoint
    is_agent: bool
    is_https: bool = False
    prefix: str = ""


def _target(_context: click.Context, _parameter: click.Parameter, text: str) -> _Target:
    """``HOST[:PORT]``, or the URL of an agent."""
    scheme, found, rest = text.partition("://")
    if found and scheme.lower() not in ("http", "https"):
        raise click.BadParameter(f"{text!r}: an agent's URL begins with http:// or https://")
    host, slash, path = (rest if found else text).partition("/")
    if (slash and not found) or "@" in host:
        raise click.BadParameter(f"{text!r} is neither HOST:PORT nor http[s]://HOST:PORT[/PREFIX]")
    if host.endswith("]") or ":" not in host:
        host = f"{host}:{AGENT_PORT if found else COMMAND_PORTS[0]}"
    end = address(_context, _parameter, host)
    if end is None or not end.ip or not end.port:
        raise click.BadParameter(f"{text!r} has no host or no port")
    prefix = f"/{path.strip('/')}" if path.strip("/") else ""
    return _Target(end, bool(found), scheme.lower() == "https", prefix)


def _range(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Highest and lowest of a port or a range, whichever end is named first."""
    if text is None:
        return None
    from dissector.numbers import PORT, number

    ends = [number(end, PORT) for end in text.split("-")]
    if len(ends) > 2 or None in ends:
        raise click.BadParameter(f"{text!r} is no port and no range such as {CALLBACKS_TEXT}")
    known = [end for end in ends if end is not None]
    return max(known), min(known)


@click.command()
@click.argument("target", callback=_target, metavar="HOST[:PORT]|URL")
@click.option("--yes", is_flag=True, help="Do not ask before a process is started.")
@click.option("--ports", "every", callback=_range, metavar="HIGH-LOW", help="Try each of these callback ports.")
@click.option(
    "--callback-ports", callback=_range, default=CALLBACKS_TEXT, show_default=True, metavar="LOW-HIGH",
    help="Unless --ports is given: the highest free one of these is tried.",
)  # fmt: skip
@click.option(
    "--kind", type=click.Choice(["process", "api"]), default="process", show_default=True,
    help="What a classic remote starts: as for shell jobs, or as for API jobs, with a Java VM.",
)  # fmt: skip
@click.option("--timeout", callback=seconds, default="10s", show_default=True, metavar="TIME", help="Of each step.")
@click.option(
    "--parallel", type=click.IntRange(1, 100), default=4, show_default=True, metavar="N",
    help="With --ports: so many at the same time.",
)  # fmt: skip
@click.option("--user", metavar="ID", help=f"Agents: log in; the password is in {_PASSWORD}, or asked for.")
@click.option(
    "--licence", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
    help="Agents: a file with a licence key; two tasks are tried at the same time.",
)  # fmt: skip
@click.option(
    "--ca", type=click.Path(exists=True, dir_okay=False), metavar="FILE",
    help="HTTPS: the agent's certificate has to be signed by one of these (PEM), or be one of them.",
)  # fmt: skip
@click.option("-w", "path", type=click.Path(), metavar="FILE", help="Keep the packets as pcapng (as root).")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists already.")
@output_options
def probe(target: _Target, **wanted: Any) -> None:
    """Test the path to a remote scheduler and back, or to a Universal Agent, by doing what a scheduler does.

    A classic remote has to start a process, which calls back to this host; it is greeted (create_instance) and
    released. An agent's URL begins with http:// or https://; it is asked for its overview, and for a task. Each step is
    timed. Nothing is left behind: what was started is ended, also after Ctrl-C, and the end is confirmed.

    As root, on Linux, the packets are captured meanwhile, and show what a firewall answered and to whom.

    \b
    jstrace probe HOST:4444
    jstrace probe HOST --ports 59999-59900    every port of the firewall's range
    jstrace probe https://HOST:4445 --ca agent.pem

    Exit status: 0 the path is open, 1 it is not, 2 wrong usage.
    """
    with exit_codes():
        _probe(target, **wanted)


def _probe(
    target: _Target, *, yes: bool, form: str, color: str, path: str | None, overwrite: bool, **wanted: Any
) -> None:
    from dissector.cli.probe_packets import probe_packets
    from dissector.reports.probe import problems_of

    if path is not None:
        from dissector.outfile import check_output

        check_output(path)
    agent = _agent_options(target, wanted) if target.is_agent else None
    every = wanted["every"]
    if agent is not None and every is not None:
        raise UsageError("--ports is for classic remotes: nobody calls back from an agent")
    if not yes:
        _ask(target, 1 if every is None else every[0] - every[1] + 1, wanted["parallel"])
    with probe_packets(path, every or wanted["callback_ports"], overwrite=overwrite) as packets:
        result = _run(target, agent, wanted, packets.recording)
        if not result.is_good:
            result.problems = packets.problems(result) or problems_of(result, time.time_ns())
    if not result.is_good and packets.why:
        say(f"without packets: {packets.why}")
    _show(result, form, color)
    if not result.is_good:
        sys.exit(PROBLEMS)


def _show(result: ProbeResult, form: str, color: str) -> None:
    from dissector.render import probe as pages
    from dissector.render.terminal import Terminal

    if form == "json":
        pages.print_json(sys.stdout, result)
    else:
        pages.print_probe(Terminal(sys.stdout, color), result)


def _run(target: _Target, agent: AgentOptions | None, wanted: dict[str, Any], recording: Recording) -> ProbeResult:
    from dissector.probe.run import probe_agent, probe_classic

    if agent is not None:
        return probe_agent(target.end, agent, recording)
    every = wanted["every"]
    return probe_classic(
        target.end,
        every or wanted["callback_ports"],
        every=every is not None,
        kind="process" if wanted["kind"] == "process" else None,
        timeout=wanted["timeout"],
        parallel=wanted["parallel"],
        recording=recording,
    )


def _ask(target: _Target, times: int, parallel: int) -> None:
    what = "a task" if target.is_agent else "a process" if times == 1 else f"{times} processes, {parallel} at a time"
    if not sys.stdin.isatty():
        raise UsageError(f"starts {what} at {target.end}: say --yes")
    click.confirm(f"Start {what} at {target.end} and end it?", abort=True, err=True)


def _agent_options(target: _Target, wanted: dict[str, Any]) -> AgentOptions:
    from dissector.probe.agent import AgentOptions

    credentials = None
    if (user := wanted["user"]) is not None:
        if target.is_https and wanted["ca"] is None:
            raise UsageError("--user over https needs --ca: a password is not given to whoever answers")
        password = os.environ.get(_PASSWORD)
        if password is None:
            password = click.prompt(f"Password of {user}", hide_input=True, err=True)
        credentials = user, str(password)
    licence = None
    if wanted["licence"] is not None:
        with open(wanted["licence"], encoding="utf-8", errors="replace") as file:  # noqa: PTH123  pathlib takes time to load
            licence = file.readline(1_000).strip()
    return AgentOptions(target.prefix, target.is_https, credentials, licence, wanted["ca"], wanted["timeout"])
