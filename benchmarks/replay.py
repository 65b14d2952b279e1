"""A made capture played over a cable of this machine: a live monitor sees its tasks, and peers cost next to nothing.

``tcpreplay`` sends some packets at a time: in their own rhythm it would need a processor for waiting.  The cable is in
a network namespace that goes with the process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.archive import Size, make
from benchmarks.inputs import SECOND
from dissector.sources.capture import CaptureReader

#: Where packets go in and where they come out.
NEAR, FAR = "jstrace0", "jstrace1"
_INSIDE = "JSTRACE_BENCHMARK_NETWORK"
#: Recordings from loopback have large segments.
_MTU = 65_535
#: Packets at a time.
_BURST = 20


def in_a_network_of_its_own(module: str, arguments: Sequence[str]) -> None:
    """Begins ``python -m module`` anew there (as root), unless this is it; the cable is laid and loopback works."""
    if os.environ.get(_INSIDE) is None:
        os.environ[_INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", module, *arguments])
    link = "ip", "link"
    subprocess.run([*link, "set", "lo", "up"], check=True)
    subprocess.run([*link, "add", NEAR, "type", "veth", "peer", "name", FAR], check=True)
    for end in (NEAR, FAR):
        Path(f"/proc/sys/net/ipv6/conf/{end}/disable_ipv6").write_text("1", encoding="ascii")
        subprocess.run([*link, "set", end, "mtu", str(_MTU), "up"], check=True)


def capture_of(folder: Path, tasks: int, seconds: float) -> Path:
    """A capture in which so many tasks begin in so many seconds, as the archives have them."""
    make(folder, Size(1, 1, tasks, 1), span=int(seconds * SECOND))
    (path,) = folder.rglob("*.pcap")
    return path


def play(capture: Path, seconds: float) -> str:
    """Sends it within ``seconds``, and gives what the program says of that."""
    program = shutil.which("tcpreplay")
    if program is None:
        raise SystemExit("tcpreplay is missing; as root: apt-get install tcpreplay")
    rate = sum(1 for _ in CaptureReader([str(capture)])) / seconds
    pace = "--timer", "nano", "--pps", f"{rate:.0f}", "--pps-multi", str(_BURST)
    command = [program, "--intf1", NEAR, *pace, "--preload-pcap", str(capture)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return next(" ".join(line.split()) for line in done.stdout.splitlines() if line.startswith("Actual"))
