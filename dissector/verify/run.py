"""A capture decoded by both sides, and what they do not agree on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field

from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.verify import python_side
from dissector.verify.compare import compare
from dissector.verify.records import Difference, Row
from dissector.verify.tshark import Tshark


@dataclass(slots=True)
class Report:
    """``differences`` are the first ones of ``count``; messages, fields and tasks are those that both sides have."""

    capture: str
    connections: set[str] = field(default_factory=set)
    messages: int = 0
    fields: int = 0
    tasks: int = 0
    count: int = 0
    differences: list[Difference] = field(default_factory=list)


def verify(
    capture: str, tshark: Tshark, command_ports: Iterable[int], callback_ports: tuple[int, int], most: int
) -> Report:
    """Compares the two sides; keeps the first ``most`` differences.

    :raises CaptureError: the file can not be read
    :raises ToolError: see ``Tshark.read``
    """
    report = Report(capture)
    ports = tuple(command_ports)
    low, high = callback_ports
    preferences = (
        f"jobscheduler.command_ports:{','.join(map(str, ports))}",
        f"jobscheduler.callback_ports:{low}-{high}",
    )
    python = python_side.read(CaptureReader([capture]), Tracer(ports, callback_ports))
    with closing(tshark.read(capture, preferences)) as displayed:
        for item in compare(python, displayed, two_pass=tshark.two_pass):
            if isinstance(item, Difference):
                report.count += 1
                if len(report.differences) < most:
                    report.differences.append(item)
            elif isinstance(item, Row):
                report.tasks += 1
            else:
                report.connections.add(item.connection)
                report.messages += 1
                report.fields += len(item.fields) + len(item.facts)
    return report
