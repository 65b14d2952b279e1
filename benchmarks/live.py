"""Memory of a long ``jstrace live``: simulated tasks on loopback, the monitor's size as it goes on.

``python -m benchmarks.live [SECONDS [PER_SECOND]]``; 600 seconds at 167 a second are 100,000 tasks.  As root.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryFile

PORT, LOW, HIGH = 24_444, 22_000, 23_999
JSTRACE = [sys.executable, "-m", "dissector"]
_LINES = 12


def main() -> None:
    given = [float(text) for text in sys.argv[1:3]]
    seconds, rate = (*given, *(600.0, 167.0)[len(given) :])
    ports = ("--callback-ports", f"{LOW}-{HIGH}")
    with (
        TemporaryFile("w+") as out,
        subprocess.Popen(
            [*JSTRACE, "live", "lo", "--command-port", str(PORT), *ports, "--format", "jsonl"],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        ) as live,
    ):
        assert live.stderr is not None
        live.stderr.readline()
        load = subprocess.Popen(
            [*JSTRACE, "simulate", "--listen", str(PORT), *ports, "--for", f"{seconds}s", "--rate", str(rate),
             "--tasks", str(10**9), "--parallel", "500", "-q"],
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        begun = time.monotonic()
        print("seconds   resident MB   CPU s")
        while load.poll() is None:
            time.sleep(max(1.0, seconds / _LINES))
            print(f"{time.monotonic() - begun:7.0f} {resident(live.pid):13.1f} {used(live.pid):7.1f}", flush=True)
        assert load.stdout is not None
        print(load.stdout.read().strip())
        time.sleep(2)
        live.terminate()
        live.wait()
        out.seek(0)
        found = [json.loads(line) for line in out]
        drops = [one["summary"] for one in found if one["record"] == "problem" and one["code"] == "packets_dropped"]
        print(f"{sum(one['record'] == 'task' for one in found)} tasks seen live; {drops or 'no drops'}")


def resident(process: int) -> float:
    """Megabytes, the ring that it shares with the kernel included once touched."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


def used(process: int) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
