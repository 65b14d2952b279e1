"""One simulated peer on this host: ``python peer.py '{"side": "client", "remote": "10.60.2.10:4455", ...}'``.

The keys are those of ``dissector.simulate.report.Options``.  Prints a JSON object a line: ready, task, served, summary.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import Enum
from typing import Any

from dissector.model import Endpoint
from dissector.simulate import jobs
from dissector.simulate.report import MetTask, Options, Peers, ServedTask, Summary
from dissector.simulate.run import simulate
from dissector.simulate.scenario import SCENARIOS, Scenario, Twist

#: Scripts long enough for several segments; the remote does not need to know their scenarios.
_LONG = (
    Scenario("script-8k", "a script of 8 kB", jobs.ShellJob(), script_bytes=8_000),
    Scenario("script-20k", "a script of 20 kB", jobs.ShellJob(), script_bytes=20_000),
    Scenario(
        "script-8k-kept", "the same, and keep-alives", jobs.ShellJob(), script_bytes=8_000, twist=Twist.KEEP_ALIVE
    ),
)


def _say(event: str, /, **content: Any) -> None:
    print(json.dumps({"event": event, **content}, ensure_ascii=False, default=_plain), flush=True)


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else str(value)


def _record(record: MetTask | ServedTask) -> dict[str, object]:
    """What was, without empty fields; endpoints in their printed form."""
    content = asdict(record)
    for name in ("client", "remote", "peer", "target"):
        if content.get(name) is not None:
            content[name] = str(Endpoint(*content[name]))
    content.pop("log", None)
    content.pop("expected", None)
    return {name: value for name, value in content.items() if value is not None}


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return Endpoint(host, int(port))


def main() -> None:
    for scenario in _LONG:
        SCENARIOS[scenario.name] = scenario
    given = json.loads(sys.argv[1])
    for name in ("listen", "remote"):
        if name in given:
            given[name] = _endpoint(given[name])
    for name in ("scenarios", "callback_ports"):
        if name in given:
            given[name] = tuple(given[name])
    given["side"] = Peers(given["side"])
    options = Options(
        **given,
        on_ready=lambda address: _say("ready", address=str(address)),
        on_task=lambda record: _say("task", **_record(record)),
        on_served=lambda record: _say("served", **_record(record)),
    )
    summary: Summary = simulate(options)
    _say("summary", started=summary.started, starts_served=summary.starts_served, failure=summary.failure)
    for served in summary.served:
        _say("end", **_record(served))


if __name__ == "__main__":
    main()
