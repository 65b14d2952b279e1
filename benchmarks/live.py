"""``jstrace live`` over minutes: simulated peers on loopback, what the monitor weighs and misses as time goes on.

``python -m benchmarks live`` (as root; ten minutes): ``jstrace simulate`` runs 100,000 tasks at 167 a second over real
sockets, client, remote and task processes in one asyncio process, while ``jstrace live lo --format jsonl`` follows them
in another one on the same machine and writes its records to a file.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

TASKS, RATE = 100_000, 167.0
PORT, PORTS = 24_444, (22_000, 23_999)
_CALLBACKS = ("--callback-ports", f"{PORTS[0]}-{PORTS[1]}")
#: Where the peers are.
ON_LOOPBACK = ("lo", "--command-port", str(PORT), *_CALLBACKS)
_JSTRACE = (sys.executable, "-m", "dissector")
_SAMPLES = 10


class Sample(NamedTuple):
    """``memory`` is the monitor's own (megabytes), ``ring`` what it shares with the kernel and with other processes;
    the processor's seconds of the monitor and of the peers; tasks seen so far."""

    seconds: float
    memory: float
    ring: float
    live: float
    peers: float
    tasks: int


@dataclass
class Run:
    samples: list[Sample] = field(default_factory=list)
    seconds: float = 0.0
    #: Tasks that ran, those that the monitor saw, and what it says about drops.
    ran: int = 0
    seen: int = 0
    succeeded: int = 0
    packets: str = ""
    drops: str = "none"


def run(tasks: int = TASKS, rate: float = RATE) -> Run:
    """Plays and follows so many tasks."""
    every = max(2.0, tasks / rate / _SAMPLES)
    found = Run()
    command = peers_of(tasks, rate)
    with (
        TemporaryFile() as out,
        Path(f"/proc/self/fd/{out.fileno()}").open("rb") as reader,
        started(out) as live,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as peers,
    ):
        begun, counter = time.monotonic(), _Counter(reader)
        while not _ended(peers, every - (time.monotonic() - begun) % every):
            seconds = time.monotonic() - begun
            memory = resident(live.pid, "RssAnon"), resident(live.pid, "RssFile")
            found.samples.append(Sample(seconds, *memory, used(live.pid), used(peers.pid), counter.tasks()))
        found.seconds = time.monotonic() - begun
        assert peers.stdout is not None
        found.ran = next(int(line.split()[0]) for line in peers.stdout if " tasks in " in line)
        time.sleep(2)
        live.terminate()
        live.wait()
        found.seen = counter.tasks()
        found.succeeded, found.packets, found.drops = counter.succeeded, counter.packets, counter.drops
    return found


def peers_of(tasks: int, rate: float, *options: str) -> list[str]:
    """The command that plays them."""
    return [*_JSTRACE, "simulate", "--listen", str(PORT), *_CALLBACKS, "--rate", str(rate), "--tasks", str(tasks),
            "--parallel", "500", "-q", *options]  # fmt: skip


@contextmanager
def started(out: IO[bytes], *options: str, where: Sequence[str] = ON_LOOPBACK) -> Iterator[subprocess.Popen[str]]:
    """``jstrace live`` that captures already."""
    command = [*_JSTRACE, "live", *where, "--format", "jsonl", *options]
    with ExitStack() as stack:
        said = stack.enter_context(TemporaryFile("w+"))
        live = stack.enter_context(subprocess.Popen(command, stdout=out, stderr=said, text=True))
        stack.callback(live.kill)
        while not said.seek(0) and "capturing on" not in (text := said.read()):
            if live.poll() is not None:
                raise SystemExit(text)
            time.sleep(0.1)
        try:
            yield live
        finally:
            said.seek(len(text.encode()))
            print(said.read(), end="")


class _Counter:
    """Reads the monitor's records as they grow."""

    def __init__(self, reader: IO[bytes]) -> None:
        self._reader = reader
        self._rest = b""
        self._tasks = self.succeeded = 0
        self.packets, self.drops = "", "none"

    def tasks(self) -> int:
        """How many there are by now."""
        while block := self._reader.read(1 << 20):
            *lines, self._rest = (self._rest + block).split(b"\n")
            for line in lines:
                self._line(line)
        return self._tasks

    def _line(self, line: bytes) -> None:
        if line.startswith(b'{"record": "task"'):
            self._tasks += 1
            self.succeeded += b'"outcome": "success"' in line
        elif line.startswith(b'{"record": "capture"'):
            self.packets = line.decode().partition('"packets": ')[2].partition(",")[0]
        elif b'"packets_dropped"' in line:
            self.drops = line.decode().partition('"summary": "')[2].partition('"')[0]


def _ended(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def resident(process: int, kind: str) -> float:
    """Megabytes of a kind of resident memory."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) * 1024 / 1e6


def used(process: int) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
