"""Runs on loopback, recorded by dumpcap and read back by the tracer.

Every xdist worker has ports of its own, below the range from which the kernel takes ports for outgoing connections.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dissector.model import Connection, Endpoint, Event, Message, Problem, Task
from dissector.session.tracer import Tracer
from dissector.simulate.report import Options, Summary
from dissector.simulate.run import simulate
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
BASE = 21_000 + 300 * WORKER
LISTEN = Endpoint("127.0.0.1", BASE)
CALLBACK_PORTS = (BASE + 250, BASE + 100)
_MARKER_PORT = BASE + 1
_PATIENCE = 20.0

#: Short times, so that a scenario takes a part of a second.
QUICK = Options(
    listen=LISTEN,
    callback_ports=CALLBACK_PORTS,
    work=0.2,
    callback_timeout=1.0,
    callback_delay=0.2,
    log_lines=40,
)


@dataclass(frozen=True)
class Trace:
    """What the tracer read."""

    events: list[Event]

    @property
    def tasks(self) -> list[Task]:
        return sorted((e for e in self.events if isinstance(e, Task)), key=lambda task: task.n)

    @property
    def messages(self) -> list[Message]:
        return sorted((e for e in self.events if isinstance(e, Message)), key=lambda message: message.n)

    @property
    def connections(self) -> list[Connection]:
        return [e for e in self.events if isinstance(e, Connection)]

    @property
    def codes(self) -> list[str]:
        return [e.code for e in self.events if isinstance(e, Problem)]


@contextmanager
def dumpcap(path: Path) -> Iterator[None]:
    """Records this worker's ports on loopback; at the end waits for what was sent last.

    Not tcpdump, which hands packets on once a second, or else keeps room for 64 packets only (``--immediate-mode``).
    """
    ports = f"portrange {BASE}-{BASE + 299}"
    command = ["dumpcap", "-q", "-P", "-B", "64", "-i", "lo", "-f", ports, "-w", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        told = [process.stderr.readline(), process.stderr.readline()]
        assert told[1].startswith(b"File:"), told
        try:
            yield
            _wait_for_marker(path)
        finally:
            process.terminate()
            process.communicate()


def _wait_for_marker(path: Path) -> None:
    """Packets arrive in order: with this one in the file all earlier ones are."""
    marker = b"the end of the recording"
    deadline = time.monotonic() + _PATIENCE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(marker, ("127.0.0.1", _MARKER_PORT))
    while marker not in path.read_bytes():
        assert time.monotonic() < deadline, "the recording never ended"
        time.sleep(0.02)


def trace(packets: list[Packet], options: Options = QUICK) -> Trace:
    high, low = options.callback_ports
    tracer = Tracer(command_ports=(BASE,), callback_ports=(low, high))
    events = [event for packet in packets for event in tracer.feed(packet)]
    return Trace([*events, *tracer.finish()])


def record(tmp_path: Path, options: Options) -> tuple[Summary, list[Packet]]:
    """Runs, and gives the summary and the packets."""
    path = tmp_path / "run.pcap"
    with dumpcap(path):
        summary = simulate(options)
    return summary, list(CaptureReader([path]))


def play(tmp_path: Path, *scenarios: str, **changes: object) -> tuple[Summary, Trace]:
    """Runs scenarios with short times and traces them."""
    options = replace(QUICK, scenarios=scenarios, **changes)  # type: ignore[arg-type]
    summary, packets = record(tmp_path, options)
    return summary, trace(packets, options)
