"""``jstrace simulate``: peers that speak the protocol, for trying, training and testing ways through firewalls."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from dissector.cli.common import PROBLEMS, address, exit_codes, port_range, say, seconds
from dissector.cli.recording import interface_of, recorder
from dissector.errors import UsageError
from dissector.numbers import count
from dissector.ports import AGENT_PORT, CALLBACK_PORTS, CALLBACKS_TEXT, COMMAND_PORTS, COMMANDS_TEXT

if TYPE_CHECKING:
    from dissector.model import Endpoint
    from dissector.simulate.report import MetTask, ServedTask, Summary

_SIDES = ("both", "client", "remote")


def _complete(_context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
    from dissector.simulate.agent_scenarios import AGENT_SCENARIOS
    from dissector.simulate.scenario import SCENARIOS

    return [name for name in (*SCENARIOS, *AGENT_SCENARIOS, "all") if name.startswith(text)]


@click.command()
@click.argument("side", type=click.Choice(_SIDES), default="both")
@click.option("--list", "listing", is_flag=True, help="What scenarios there are.")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="NAME",
    shell_complete=_complete,
    help="What the tasks do; all is every scenario once. Repeatable: they take turns. "
    "Unless given, shell-job, or agent-shell with --agent.",
)
@click.option("--agent", is_flag=True, help="The remote is a Universal Agent: all goes over HTTP.")
@click.option(
    "--tls",
    type=click.Path(),
    metavar="FILE",
    help="With --agent: HTTPS; FILE has certificate and key (PEM). SSLKEYLOGFILE names a file that gets the secrets.",
)
@click.option(
    "--heartbeat", callback=seconds, default="10s", show_default=True, metavar="TIME",
    help="With --agent: the period of the master's heartbeats.",
)  # fmt: skip
@click.option("--tasks", type=click.IntRange(1), metavar="N", help="How many; without it as the scenario says.")
@click.option("--rate", type=float, metavar="PER_SECOND", help="How many start in a second.")
@click.option("--parallel", type=int, default=100, show_default=True, help="Most tasks at the same time.")
@click.option(
    "--for", "duration", callback=seconds, metavar="TIME", help="Start tasks for so long, such as 60s or 10min."
)
@click.option(
    "--listen",
    callback=address,
    metavar="[HOST:]PORT",
    help=f"Where the remote listens; unless given, on loopback, the first free port of {COMMANDS_TEXT}; side remote on "
    f"all addresses, port {COMMAND_PORTS[0]}.",
)
@click.option("--remote", callback=address, metavar="HOST:PORT", help="Where the client finds the remote.")
@click.option(
    "--callback-ports", callback=port_range, default=CALLBACKS_TEXT, show_default=True, metavar="LOW-HIGH",
    help="Ports that the client opens for callbacks, from the highest down.",
)  # fmt: skip
@click.option(
    "--callback-timeout", callback=seconds, default="60s", show_default=True, metavar="TIME",
    help="How long the client waits for a callback.",
)  # fmt: skip
@click.option(
    "--callback-delay", callback=seconds, default="2s", show_default=True, metavar="TIME",
    help="How late the callback of late-callback is.",
)  # fmt: skip
@click.option(
    "--callback-address", default="127.0.0.2", show_default=True, metavar="IP",
    help="Where the callback of callback-other-address comes from.",
)  # fmt: skip
@click.option(
    "--work", callback=seconds, default="1s", show_default=True, metavar="TIME", help="How long jobs that wait do so."
)
@click.option("--log-lines", type=int, default=500, show_default=True, metavar="N", help="Lines of many-logs.")
@click.option(
    "-w", "path", type=click.Path(), metavar="FILE", help="Record the run as pcapng (as root); - is standard output."
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists already.")
@click.option("-q", "--quiet", is_flag=True, help="No line for each task.")
def simulate(side: str, listing: bool, path: str | None, overwrite: bool, quiet: bool, **wanted: Any) -> None:
    """Run a client scheduler and a remote scheduler with task processes that speak the protocol over real sockets.

    SIDE both (the default) runs the two in one process on loopback; client and remote run one of them, on different
    hosts if you like. Tasks end as their scenario says, or something is wrong with the network in between.

    \b
    jstrace simulate --scenario all                      every scenario once
    jstrace simulate --scenario shell-job --tasks 500 --rate 50
    jstrace simulate remote                              on the host of the remote ...
    jstrace simulate client --remote HOST:4444           ... and the firewall between is tested
    jstrace simulate --agent --scenario all --work 3s    tasks on a Universal Agent, over HTTP

    Exit status: 0 all tasks ended as they should, 1 some did not, 2 wrong usage.
    """
    with exit_codes():
        if listing:
            _list(agent=wanted["agent"])
        else:
            _simulate(side, path, overwrite, quiet, wanted)


def _list(*, agent: bool) -> None:
    from dissector.simulate.agent_scenarios import AGENT_SCENARIOS
    from dissector.simulate.scenario import SCENARIOS

    listed = AGENT_SCENARIOS if agent else SCENARIOS
    width = max(map(len, listed))
    for one in listed.values():
        print(f"{one.name:<{width}}  {one.outcome.value:<11}  {one.summary}")


def _simulate(side: str, path: str | None, overwrite: bool, quiet: bool, wanted: dict[str, Any]) -> None:
    from dissector.model import Endpoint
    from dissector.outfile import check_output, is_stdout
    from dissector.simulate.agent_scenarios import AGENT_SCENARIOS
    from dissector.simulate.report import LOOPBACK, Options, Peers
    from dissector.simulate.run import simulate as run
    from dissector.simulate.scenario import SCENARIOS

    if path is not None:
        check_output(path)
    lines = _Lines(sys.stderr if path is not None and is_stdout(path) else sys.stdout)
    low, high = wanted.pop("callback_ports")
    agent = wanted["agent"]
    wanted["scenarios"] = wanted["scenarios"] or ("agent-shell" if agent else "shell-job",)
    if "all" in wanted["scenarios"]:
        wanted["scenarios"] = tuple(AGENT_SCENARIOS if agent else SCENARIOS)
    usual = AGENT_PORT if agent else COMMAND_PORTS[0]
    listen = wanted.pop("listen") or Endpoint("", usual if side == "remote" else None)
    if not listen.ip:
        listen = listen._replace(ip="0.0.0.0" if side == "remote" else LOOPBACK)
    if (remote := wanted["remote"]) is not None and not remote.ip:
        raise UsageError("--remote is the remote's HOST:PORT")
    options = Options(
        side=Peers(side),
        listen=listen,
        callback_ports=(high, low),
        recorder=recorder(path, overwrite) if path is not None else None,
        on_ready=lambda remote: lines.ready(remote, side, (low, high)),
        on_task=None if quiet else lines.task,
        on_served=lines.served if side == "remote" and not quiet else None,
        **wanted,
    )
    summary = run(options)
    lines.summary(summary, side)
    if summary.unexpected or summary.failure is not None:
        sys.exit(PROBLEMS)


class _Lines:
    """What a run says; what a peer sent may be anything, so no line of it reaches the terminal as it is."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def ready(self, remote: Endpoint, side: str, callback_ports: tuple[int, int]) -> None:
        if side != "client":
            self._print(f"remote listens on {remote}")
        self._print(f"to follow it: {_live(remote, callback_ports)}")

    def task(self, record: MetTask) -> None:
        odd = "" if record.as_expected else f"  EXPECTED {record.expected.value}"
        error = f"  {record.error}" if record.error else ""
        seconds = f"{record.seconds:.3f} s"
        self._print(f"task {record.n}  {record.scenario}  {record.outcome.value}  {seconds}{odd}{error}")

    def served(self, task: ServedTask) -> None:
        error = f"  {task.error}" if task.error else ""
        callback = f"  callback to {task.target}" if task.target != task.client else ""
        self._print(f"{task.client}  {task.scenario or task.job or 'task'}{callback}{error}")

    def summary(self, summary: Summary, side: str) -> None:
        if side == "remote":
            self._print(f"{count(summary.starts_served, 'start')} in {summary.seconds:.1f} s")
            return
        outcomes = ", ".join(f"{times} {outcome.value}" for outcome, times in summary.outcomes.items())
        self._print(f"{count(summary.started, 'task')} in {summary.seconds:.1f} s: {outcomes or 'none ended'}")
        if summary.unexpected:
            self._print(f"{summary.unexpected} did not end as their scenario says")
        if summary.failure is not None:
            from dissector.wire.secrets import mask_text

            say(mask_text(summary.failure))

    def _print(self, text: str) -> None:
        from dissector.render.text import escape
        from dissector.wire.secrets import mask_text

        print(escape(mask_text(text)), file=self._out, flush=True)


def _live(remote: Endpoint, callback_ports: tuple[int, int]) -> str:
    """The command that shows these tasks, on this host."""
    words = ["jstrace live", interface_of(remote)]
    if remote.port not in COMMAND_PORTS:
        words.append(f"--command-port {remote.port}")
    if callback_ports != CALLBACK_PORTS:
        words.append(f"--callback-ports {callback_ports[0]}-{callback_ports[1]}")
    return " ".join(words)
