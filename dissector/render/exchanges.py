"""What the ladder of a task on a Universal Agent shows of its exchanges over HTTP.

Its messages have lines of their own; of the exchanges that carry them there are lines only where somebody asks for
them (``--http``), else the commands alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dissector.model import Exchange
from dissector.render.steps import LadderStep, Lane
from dissector.render.text import escape
from dissector.render.words import Said
from dissector.wire.agent import failure_of, heartbeat_of, started_of
from dissector.wire.masking import Mask

_ACCEPTED = 202
_NAMES = {"continue": "goes on waiting", "heartbeat": "heartbeat"}


def exchange_steps(exchanges: Sequence[Exchange], mask: Mask, *, every: bool) -> Iterator[LadderStep]:
    """``every``: those that carry messages and heartbeats too."""
    for exchange in exchanges:
        if has_line(exchange):
            yield _step(exchange, _command(exchange, mask), _answer(exchange, mask))
        elif every:
            yield _step(exchange, _request(exchange, mask), _answer(exchange, mask))


def has_line(exchange: Exchange) -> bool:
    """True for a command, which has a line wherever a task on a Universal Agent is drawn."""
    return exchange.kind == "command" and exchange.type is not None


def _step(exchange: Exchange, label: str, said: Said) -> LadderStep:
    style = "warning" if exchange.repeats is not None else ""
    return LadderStep(
        exchange.time,
        exchange.request_packets,
        label,
        said,
        Lane.CLIENT,
        Lane.REMOTE,
        exchange.latency,
        style=style,
        exchange=exchange,
    )


def _command(exchange: Exchange, mask: Mask) -> str:
    command = exchange.command
    words = [command.job or "", f"task {command.task_id}" if command.task_id else "", command.signal or ""]
    words.append("kill" if command.kill else "")
    told = ", ".join(mask.agent(word) for word in words if word)
    return escape(f"{exchange.type}({told})")


def _request(exchange: Exchange, mask: Mask) -> str:
    request = exchange.request
    name = f"{request.method} {mask.agent(request.path or '')}"
    number = f" #{exchange.request_id}" if exchange.request_id is not None else ""
    again = f", repeats exchange {exchange.repeats}" if exchange.repeats is not None else ""
    words = _NAMES.get(exchange.kind, "")
    return escape(f"{name}{number}{again}" + (f" ({words})" if words else ""))


def _answer(exchange: Exchange, mask: Mask) -> Said:
    response = exchange.response
    if response is None:
        return Said("no response", failed=True)
    failure = failure_of(response)
    if failure is not None:
        return Said(escape(mask.agent(" ".join(f"{response.status} {failure}".split()))), failed=True)
    if response.status == _ACCEPTED:
        beat = heartbeat_of(exchange.request)
        period = f" after {beat.period / 1e9:g} s" if beat is not None and beat.period is not None else ""
        return Said(f"202: not yet{period}")
    started = started_of(response)
    if started is not None:
        return Said(escape(f"=> tunnel {started.tunnel}"))
    return Said("" if exchange.kind == "command" else str(response.status))
