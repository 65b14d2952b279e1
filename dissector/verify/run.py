"""A capture decoded by both sides, and what they do not agree on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field

from dissector.errors import UsageError
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.verify import python_side
from dissector.verify.compare import compare
from dissector.verify.records import Found, Mismatch, Row
from dissector.verify.tshark import Tshark
from dissector.wire.secrets import extended
from dissector.wire.tls_keys import Secrets


@dataclass(slots=True)
class VerifyReport:
    """``differences`` are the first ones of ``count``; messages, fields, tasks and problems are those that
    both sides have."""

    capture: str
    connections: set[str] = field(default_factory=set)
    messages: int = 0
    fields: int = 0
    tasks: int = 0
    problems: int = 0
    count: int = 0
    differences: list[Mismatch] = field(default_factory=list)


def masking() -> list[str]:
    """The plugin's preferences for what is masked besides: words that names have in them, and one pattern.

    :raises UsageError: a name that the plugin has no way to be told of
    """
    names, patterns = extended()
    if any(re.search(r"[,\s]", name) for name in names):
        raise UsageError("the plugin knows names without commas and blanks only")
    preferences = [f"jobscheduler.mask_names:{','.join(names)}"] if names else []
    if patterns:
        # The first group of each, or all of it, is the first one of all of them (a branch reset group of PCRE2).
        parts = [one.pattern if one.groups else f"({one.pattern})" for one in patterns]
        preferences.append(f"jobscheduler.mask_pattern:(?|{'|'.join(parts)})")
    return preferences


def verify(
    capture: str,
    tshark: Tshark,
    command_ports: Iterable[int],
    callback_ports: tuple[int, int],
    most: int,
    secrets: Secrets | None = None,
) -> VerifyReport:
    """Compares the two sides; keeps the first ``most`` differences.  ``secrets`` are Python's, to decipher TLS with;
    tshark has its own among its preferences.

    :raises CaptureError: the file can not be read
    :raises ToolError: see ``Tshark.read``
    :raises UsageError: see ``masking``
    """
    report = VerifyReport(capture)
    ports = tuple(command_ports)
    low, high = callback_ports
    preferences = (
        f"jobscheduler.command_ports:{','.join(map(str, ports))}",
        f"jobscheduler.callback_ports:{low}-{high}",
        *masking(),
    )
    python = python_side.read(CaptureReader([capture]), Tracer(ports, callback_ports, secrets=secrets))
    with closing(tshark.read(capture, preferences)) as displayed:
        for item in compare(python, displayed, two_pass=tshark.two_pass):
            if isinstance(item, Mismatch):
                report.count += 1
                if len(report.differences) < most:
                    report.differences.append(item)
            elif isinstance(item, Row):
                report.tasks += 1
            elif isinstance(item, Found):
                report.problems += 1
            else:
                report.connections.add(item.connection)
                report.messages += 1
                report.fields += len(item.fields) + len(item.facts)
    return report
