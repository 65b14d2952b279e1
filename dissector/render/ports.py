"""Ports of clients: figures, a picture of ports over time, and the range for the firewall."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from dissector.numbers import count
from dissector.render.terminal import Terminal
from dissector.render.text import duration
from dissector.render.times import axis, iso
from dissector.render.values import write_object
from dissector.reports.ports import HELD, AgentUse, Plan, PortUse, Use

_MOST_ROWS = 16
_MOST_COLUMNS = 72
_MARGIN = 8
_TAKEN, _HELD, _FREE = "█", "░", "·"
#: A time (ns) that is short enough to be drawn at all.
_SHORTEST = 1_000_000


def plan_record(plan: Plan) -> dict[str, Any]:
    return {
        "range": str(plan),
        "highest": plan.highest,
        "lowest": plan.lowest,
        "ports": plan.size,
        "parallel": plan.parallel,
        "starts_in_two_minutes": plan.starts,
    }


def print_json(
    out: TextIO, clients: Sequence[PortUse] = (), plan: Plan | None = None, agents: Sequence[AgentUse] = ()
) -> None:
    """One object: ``clients`` and ``agents``, or the ``plan`` that was asked for.  Durations are seconds."""
    record: dict[str, Any] = {"schema": "jstrace-ports/1"}
    if plan is not None:
        record["plan"] = plan_record(plan)
    elif agents and not agents[0].agent:
        record["plan"] = {"port": agents[0].port}
    else:
        record["clients"] = list(map(_client_record, clients))
        record["agents"] = [{**use._asdict(), "masters": list(use.masters)} for use in agents]
    write_object(out, record)


def _client_record(use: PortUse) -> dict[str, Any]:
    return {
        "client": use.client,
        "tasks": len(use.uses),
        "highest": use.highest,
        "lowest": use.lowest,
        "distinct": use.distinct,
        "parallel": use.parallel,
        "held": use.held,
        "starts_per_minute": use.starts_per_minute,
        "starts_in_two_minutes": use.starts_in_two_minutes,
        "reuse_least": None if use.reuse_least is None else use.reuse_least / 1e9,
        "reuse_median": None if use.reuse_median is None else use.reuse_median / 1e9,
        "remotes": list(use.remotes),
        "remote_ports": list(use.remote_ports),
        "plan": plan_record(use.plan),
        "uses": [
            {"port": one.port, "start": iso(one.start), "end": iso(one.end), "task": one.task} for one in use.uses
        ],
    }


def print_uses(terminal: Terminal, clients: Sequence[PortUse], agents: Sequence[AgentUse]) -> None:
    """A paragraph with a picture for each client, and one for each agent."""
    if not clients and not agents:
        terminal.line((" no task with a callback port", "title"))
    for number, use in enumerate(clients):
        if number:
            terminal.line()
        terminal.line((f" client {use.client}", "title"))
        for line in _figures(use):
            terminal.block([(" ", "")], line)
        terminal.line()
        _draw(terminal, use.uses)
        terminal.line()
        print_plan(terminal, use.plan, use.lowest)
    for number, agent in enumerate(agents):
        if number or clients:
            terminal.line()
        print_agent(terminal, agent)
    terminal.flush()


def print_agent(terminal: Terminal, use: AgentUse) -> None:
    """The one rule that is needed."""
    tasks = count(use.tasks, "task")
    terminal.line((f" agent {use.agent}", "title"))
    terminal.block([(" ", "")], f"{tasks}, at most {use.parallel} at a time, of {', '.join(use.masters)}")
    print_agent_rule(terminal, use.port)


def print_agent_rule(terminal: Terminal, port: int) -> None:
    rule = "  one port: master to agent; nothing is opened the other way"
    terminal.block([(" rule for the firewall  ", ""), (str(port), "title")], rule)


def print_plan(terminal: Terminal, plan: Plan, lowest_seen: int | None = None) -> None:
    """The range, and where it comes from."""
    rule = f"{count(plan.parallel, 'task')} at a time + {count(plan.starts, 'start')} in two minutes"
    if plan.size > plan.parallel + plan.starts and lowest_seen is not None:
        rule += f", down to {lowest_seen}, which was used"
    terminal.block([(" range for the firewall  ", ""), (str(plan), "title")], f"  {count(plan.size, 'port')}: {rule}")


def _figures(use: PortUse) -> Iterable[str]:
    tasks = count(len(use.uses), "task")
    ports = f"{use.highest} down to {use.lowest}" if use.distinct > 1 else str(use.highest)
    yield f"{tasks} on {count(use.distinct, 'port')}: {ports}"
    yield f"at most {use.parallel} at a time; at most {count(use.starts_per_minute, 'start')} a minute"
    yield f"at most {count(use.held, 'port')} taken when each is counted for two minutes after its task"
    if use.reuse_least is not None and use.reuse_median is not None:
        yield f"a port was taken again {duration(use.reuse_least)} after its task (median {duration(use.reuse_median)})"


def _draw(terminal: Terminal, uses: Sequence[Use]) -> None:
    """Ports downwards, time to the right; a row may be of several ports when there are many."""
    first, last = min(use.start for use in uses), max(use.end for use in uses)
    top, bottom = max(use.port for use in uses), min(use.port for use in uses)
    columns = max(min(terminal.width - _MARGIN - 2, _MOST_COLUMNS), 8)
    step = max((last - first) // columns + 1, _SHORTEST)
    columns = min(columns, (last - first) // step + 1)
    ports = -(-(top - bottom + 1) // _MOST_ROWS)
    for high in range(top, bottom - 1, -ports):
        row = [use for use in uses if high - ports < use.port <= high]
        cells = "".join(_cell(row, first + at * step, first + (at + 1) * step) for at in range(columns))
        terminal.line((f" {high:>{_MARGIN - 2}} ", "dim"), ("│", "lane"), (cells, "callback"))
    terminal.line((" " * (_MARGIN + 1) + axis(first, last, columns), "dim"))
    several = f"; {ports} ports a row" if ports > 1 else ""
    terminal.line(
        (" " * (_MARGIN + 1) + f"{_TAKEN} taken  {_HELD} within two minutes behind  {_FREE} free{several}", "dim")
    )


def _cell(row: Sequence[Use], start: int, end: int) -> str:
    if any(use.start < end and use.end >= start for use in row):
        return _TAKEN
    return _HELD if any(use.start < end and use.end + HELD >= start for use in row) else _FREE
