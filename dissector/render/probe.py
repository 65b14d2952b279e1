"""A probe as text, and as one object for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from dissector.model import Endpoint, Problem
from dissector.numbers import count, verb
from dissector.render.alike import problem_rows
from dissector.render.problems import print_problems
from dissector.render.terminal import Terminal
from dissector.render.text import duration, escape
from dissector.render.values import write_object
from dissector.reports.probe import Attempt, ProbeResult, ProbeStep, port_ranges
from dissector.wire.masking import Mask

_KINDS = {"process": "classic remote", "api": "classic remote", "agent": "Universal Agent"}
_NAMES = len("create_instance")
#: Of what may be left behind.
_SHOWN = 5


def print_probe(terminal: Terminal, result: ProbeResult) -> None:
    """The steps of the one attempt, or what became of each port; then the problems and the sum of it."""
    attempts = result.attempts
    port = f", callback port {attempts[0].port}" if len(attempts) == 1 and attempts[0].port is not None else ""
    at = "" if str(result.remote) == result.target else f" ({result.remote})"
    terminal.line((escape(f" {result.target}{at}"), "title"), (f"  {_KINDS[result.kind]}{port}", "dim"))
    terminal.line()
    if len(attempts) == 1:
        for step in attempts[0].steps:
            terminal.block([(f" {step.name:<{_NAMES}}", ""), (_time(step), "dim"), ("  ", "")], *_said(step))
    else:
        _ports(terminal, attempts)
    print_problems(terminal, problem_rows(result.problems, Mask()))
    terminal.line()
    terminal.block([(" ", "")], *_sum(result))


def _time(step: ProbeStep) -> str:
    return duration(round(step.seconds * 1e9)).rjust(10)


def _said(step: ProbeStep) -> tuple[str, str]:
    return escape(step.text), "" if step.is_good else "error"


def _ports(terminal: Terminal, attempts: Sequence[Attempt]) -> None:
    rows = [(_range(some), state, some) for state, some in port_ranges(attempts)]
    widest = max(len(state) for _, state, _ in rows)
    for ports, state, some in rows:
        style = "" if all(one.is_good for one in some) else "dim" if some[0].is_busy else "error"
        terminal.line((f" {ports:<11}  ", ""), (state.ljust(widest), style), (f"  {_callbacks(some)}", "dim"))


def _range(some: Sequence[Attempt]) -> str:
    return str(some[0].port) if len(some) == 1 else f"{some[0].port}-{some[-1].port}"


def _callbacks(some: Sequence[Attempt]) -> str:
    times = sorted(step.seconds for one in some for step in one.steps if step.name == "callback" and step.is_good)
    ports = count(len(some), "port")
    if not times:
        return ports
    return f"{ports}, callback after {_short(times[len(times) // 2])} (median), {_short(times[-1])} (longest)"


def _short(seconds: float) -> str:
    return duration(round(seconds * 1e9))


def _sum(result: ProbeResult) -> tuple[str, str]:
    if any(one.is_left for one in result.attempts):
        return _left(result), "error"
    if result.is_interrupted:
        return "Interrupted; nothing is left behind.", "error"
    if result.is_good:
        text = f": {_short(result.tried[0].seconds)}" if len(result.tried) == 1 else ""
        return f"The path there and back is open{text}.", "good"
    if not result.tried:
        return "Nothing was tried: the ports are in use on this host.", "error"
    return "The path is not open; nothing is left behind.", "error"


def _left(result: ProbeResult) -> str:
    left = [one for one in result.attempts if one.is_left]
    what = f"{count(len(left), 'end')} {verb(len(left), 'is')} not confirmed: "
    what += ", ".join(str(one.started) for one in left[:_SHOWN]) + (" and more" if len(left) > _SHOWN else "")
    if result.kind == "agent":
        return f"{what} at {result.remote}. The agent kills it when it hears nothing for its timeout (60 s)."
    return (
        f"{what} at {result.remote}. The remote ends it, for its command connection is closed; a process that still "
        "tries to call back gives up within about two minutes."
    )


def print_json(out: TextIO, result: ProbeResult) -> None:
    """One object; times are seconds."""
    record: dict[str, Any] = {
        "schema": "jstrace-probe/1",
        "target": result.target,
        "kind": result.kind,
        "remote": _end(result.remote),
        "ok": result.is_good,
        "interrupted": result.is_interrupted,
        "attempts": list(map(_attempt, result.attempts)),
        "problems": list(map(_problem, result.problems)),
    }
    write_object(out, record)


def _end(end: Endpoint | None) -> dict[str, Any] | None:
    return None if end is None else {"ip": end.ip, "port": end.port}


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "port": one.port,
        "ok": one.is_good,
        "in_use": one.is_busy,
        "client": _end(one.client),
        "callback_from": _end(one.peer),
        "started": one.started,
        "ended": one.has_ended,
        "problem": one.fault.code if one.fault is not None else None,
        "steps": [
            {"step": step.name, "ok": step.is_good, "seconds": round(step.seconds, 6), "text": step.text}
            for step in one.steps
        ],
    }


def _problem(one: Problem) -> dict[str, Any]:
    return {
        "code": one.code,
        "severity": one.severity.value,
        "summary": one.summary,
        "cause": one.cause,
        "remedy": one.remedy,
        "packets": list(one.packets),
    }
