"""What the commands share that trace a file before they do their own work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dissector.cli.common import color_option, port_range, say
from dissector.ports import CALLBACKS_TEXT, COMMAND_PORTS

if TYPE_CHECKING:
    from dissector.model import Connection, Event, Problem, Task

_F = TypeVar("_F", bound=Callable[..., Any])

_COMMAND_PORT = click.option(
    "--command-port",
    "command_ports",
    multiple=True,
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    default=COMMAND_PORTS,
    show_default=True,
    help="Ports of remote schedulers, where their bytes do not show it. Repeatable.",
)
_CALLBACK_PORTS = click.option(
    "--callback-ports",
    callback=port_range,
    default=CALLBACKS_TEXT,
    show_default=True,
    metavar="LOW-HIGH",
    help="Ports that clients open for their task processes, where their bytes do not show it.",
)
_COLOR = color_option()
_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs.",
)


def _expect_vxlan(_context: click.Context, _parameter: click.Parameter, ports: tuple[int, ...]) -> None:
    from dissector.stream.tunnels import expect_vxlan

    expect_vxlan(ports)


#: ``--vxlan-port``, for commands that read packets.
vxlan_option = click.option(
    "--vxlan-port",
    multiple=True,
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    expose_value=False,
    callback=_expect_vxlan,
    help="UDP on this port is VXLAN too (4789 and 8472 are). Repeatable.",
)


def port_hints(command: _F) -> _F:
    """Options ``command_ports`` and ``callback_ports``, and ``vxlan_option``."""
    return _COMMAND_PORT(_CALLBACK_PORTS(vxlan_option(command)))


def processors() -> int:
    """How many there are for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def output_options(command: _F) -> _F:
    """Options ``form`` (text, json) and ``color``."""
    return _FORMAT(_COLOR(command))


def traced(
    files: Iterable[str],
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
    *,
    messages: bool = True,
    made_by_others: Callable[[Connection], bool] | None = None,
) -> Iterator[Event]:
    """All that the files tell, with messages or without; ``made_by_others`` as that of ``Tracer``."""
    from dissector.cli.tls import secrets
    from dissector.reading import Reading

    reading = Reading(
        files, command_ports, callback_ports, messages=messages, made_by_others=made_by_others, secrets=secrets()
    )
    yield from reading.events()
    for warning in reading.warnings:
        say(f"warning: {warning.summary}")


def instead(problems: Iterable[Problem]) -> str:
    """What there is in the place of tasks, and what to do about it, in one line."""
    from dissector.render.text import escape

    words = [f"{escape(problem.summary)} ({problem.code}: {escape(problem.remedy)})" for problem in problems]
    return " ".join(words) or "no connection of a JobScheduler"


class Chooser:
    """Picks the tasks with these numbers that match these filters out of all that is found; ``seen`` counts these.
    ``needs_messages``: it has to see them."""

    def __init__(self, numbers: tuple[int, ...] = (), filters: tuple[str, ...] = ()) -> None:
        from dissector.render.filter import parse
        from dissector.render.views import Sieve

        self.tasks: list[Task] = []
        self.seen = 0
        #: Of no task.
        self.problems: list[Problem] = []
        chosen = parse(filters)
        self.needs_messages = bool(chosen.on_messages)
        self._sieve = Sieve(numbers, chosen, wants_messages=False)

    def add(self, event: Event) -> None:
        from dissector.model import Problem, Task

        self.seen += isinstance(event, Task)
        if isinstance(event, Problem) and event.task is None:
            self.problems.append(event)
        self.tasks += (passed for passed in self._sieve.feed(event) if isinstance(passed, Task))
