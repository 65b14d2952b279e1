"""``jstrace live`` and ``jstrace simulate`` as processes, alone or in network namespaces that a test makes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
from contract_kit import check_lines

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "dissector"]
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
#: Ports of this worker, below those that the kernel takes for outgoing connections, above those of other tests.
PORT = 25_000 + 400 * WORKER
LOW, HIGH = PORT + 100, PORT + 399
PORTS = ("--command-port", str(PORT), "--callback-ports", f"{LOW}-{HIGH}")
QUICK = ("--callback-ports", f"{LOW}-{HIGH}", "--work", "0.2", "--callback-timeout", "1s", "--callback-delay", "0.2")
PATIENCE = 60

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="capturing needs root")
needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("iptables") is None,
    reason="network namespaces need root, iproute2 and iptables",
)


class Live:
    """A running ``jstrace live``; ``end`` gives its standard output."""

    def __init__(self, process: subprocess.Popen[str], out: Path, errors: Path) -> None:
        self.process = process
        #: Standard error up to when it captured, then up to its end.
        self.errors = ""
        self._out = out
        self._errors = errors

    def listening(self) -> None:
        """Waits until it says that it captures."""
        eventually(lambda: "\n" in self._errors.read_text() or self.process.poll() is not None)
        self.errors = self._errors.read_text(encoding="utf-8")
        assert "capturing on" in self.errors, self.errors

    @property
    def text(self) -> str:
        """Standard output so far."""
        return self._out.read_text(encoding="utf-8")

    def until(self, word: str) -> None:
        """Waits until standard output has this word."""
        eventually(lambda: word in self.text or self.process.poll() is not None)
        assert word in self.text

    def end(self, number: int | None = signal.SIGINT, status: int = 0) -> str:
        """Ends it with a signal, or waits for its own end."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.errors = self._errors.read_text(encoding="utf-8")
        assert self.process.returncode == status, self.errors
        assert "Traceback" not in self.errors, self.errors
        if "jsonl" in self.process.args:  # type: ignore[operator]  # a list of texts
            check_lines(self.text)
        return self.text


@contextmanager
def live(*arguments: object, inside: Sequence[str] = (), **options: Any) -> Iterator[Live]:
    """``jstrace live`` that captures already; ``inside`` is put before the command."""
    command = [*inside, *COMMAND, "live", *map(str, arguments)]
    with (
        NamedTemporaryFile() as out,
        NamedTemporaryFile() as errors,
        subprocess.Popen(command, stdout=out, stderr=errors, text=True, cwd=ROOT, **options) as process,
    ):
        try:
            running = Live(process, Path(out.name), Path(errors.name))
            running.listening()
            yield running
        finally:
            if process.poll() is None:
                process.kill()


def simulate(*arguments: object, status: int = 0, inside: Sequence[str] = ()) -> str:
    """Runs peers on this worker's ports to the end; standard output."""
    command = [*inside, *COMMAND, "simulate", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def sh(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


def inside(namespace: str) -> list[str]:
    return ["ip", "netns", "exec", namespace]


def records(lines: str, kind: str) -> list[dict[str, Any]]:
    """Those of JSON lines."""
    found = [json.loads(line) for line in lines.splitlines()]
    return [{k: v for k, v in one.items() if k != "record"} for one in found if one["record"] == kind]


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
