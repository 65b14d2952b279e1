"""``live --keep-failed`` and ``--metrics`` over minutes: what is kept is what ``slice`` cuts out of the whole capture.

    python -m benchmarks.flight [--seconds 600] [--rate 50] [--replay]

As root.  A tenth of the tasks fails.  A real Prometheus scrapes once a second where one is installed.  Exit status 1
when a packet is missing or too many, or a scrape failed or took a second, which is Prometheus' limit there.

Simulated peers need more of a processor than the monitor: with ``--replay`` recorded tasks are sent over a cable.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import replay
from benchmarks.live import ON_LOOPBACK, PORT, PORTS, peers_of, resident, started, used
from benchmarks.patterns import CALLBACK_PORTS, COMMAND_PORT
from benchmarks.scraping import Scrapes, prometheus
from dissector.reports.summary import has_failed
from dissector.share.capture_index import CaptureIndex, Hints
from dissector.share.slice import packets_of
from dissector.sources.capture import CaptureReader

_FAILING = ("failing-job", "lost-task")
_MIX = [word for name in (*["shell-job"] * 9 * len(_FAILING), *_FAILING) for word in ("--scenario", name)]
_QUICK = ("--work", "0.2", "--callback-timeout", "1s")
_METRICS, _PROMETHEUS = "127.0.0.1:29464", "127.0.0.1:29465"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flight", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=50, help="tasks that start in a second")
    parser.add_argument("--replay", action="store_true", help="send recorded tasks by tcpreplay")
    chosen = parser.parse_args()
    if chosen.replay:
        replay.in_a_network_of_its_own("benchmarks.flight", sys.argv[1:])
    tasks = int(chosen.seconds * chosen.rate)
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        return _run(folder, _recorded(folder, tasks, chosen.rate) if chosen.replay else _simulated(tasks, chosen.rate))


class _Traffic(NamedTuple):
    """``where``: interface and ports for the monitor; ``play`` says what it did."""

    where: Sequence[str]
    hints: Hints
    play: Callable[[], str]


def _simulated(tasks: int, rate: float) -> _Traffic:
    def play() -> str:
        command = peers_of(tasks, rate, *_QUICK, *_MIX)
        begun = time.monotonic()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        seconds = time.monotonic() - begun
        return f"{done.stdout.strip().splitlines()[-1]}; {tasks / seconds:.1f} a second for {seconds:.0f} s"

    return _Traffic(ON_LOOPBACK, Hints((PORT,), PORTS), play)


def _recorded(folder: Path, tasks: int, rate: float) -> _Traffic:
    capture, ports = replay.capture_of(folder / "made", tasks, tasks / rate), (CALLBACK_PORTS[0], CALLBACK_PORTS[-1])
    where = replay.FAR, "--command-port", str(COMMAND_PORT), "--callback-ports", f"{ports[0]}-{ports[1]}"
    return _Traffic(where, Hints((COMMAND_PORT,), ports), lambda: replay.play(capture, tasks / rate))


def _run(folder: Path, traffic: _Traffic) -> int:
    whole, kept = folder / "whole.pcapng", folder / "kept"
    options = "--keep-failed", str(kept), "--keep-failed-max", "100GB", "-w", str(whole), "--metrics", _METRICS
    with (
        (folder / "records").open("w+b") as out,
        started(out, "--user", "root", *options, where=traffic.where) as live,
        prometheus(folder, _METRICS, _PROMETHEUS) as asked,
    ):
        timed = Scrapes(_METRICS)
        timed.start()
        print(traffic.play())
        time.sleep(3)
        latencies = timed.stop()
        scrapes = asked("count_over_time(up[20m])"), asked("sum_over_time(up[20m])")
        counted = asked("sum(jstrace_tasks_total)")
        if live.poll() is not None:
            raise SystemExit(f"the monitor ended by itself: {live.returncode}")
        print(f"monitor: {resident(live.pid, 'RssAnon'):.0f} MB, {used(live.pid):.0f} s of processor time")
        live.terminate()
        live.wait()
        out.seek(0)
        told = [record for record in map(json.loads, out) if record["record"] == "task"]
    outcomes = Counter(task["outcome"] for task in told)
    print(f"told by the monitor: {dict(outcomes)}")
    print(f"scrapes: {scrapes[0]:.0f}, {scrapes[1]:.0f} of them answered; tasks they tell of: {counted:.0f}")
    median, late, longest = (latencies[int(part * (len(latencies) - 1))] * 1000 for part in (0.5, 0.99, 1))
    print(f"{len(latencies)} more, timed: median {median:.0f} ms, 99 % in {late:.0f} ms, longest {longest:.0f} ms")
    answered = scrapes[0] == scrapes[1] and not timed.failed and longest < 1000
    return int(not (_is_exact(whole, kept, traffic.hints) and answered))


def _is_exact(whole: Path, kept: Path, hints: Hints) -> bool:
    """All packets of failed tasks, each as often as it belongs to one of them, in a file for each task."""
    index = CaptureIndex.of(str(whole), hints, messages=False)
    failed = [task for task in index.tasks if has_failed(task)]
    files = list(kept.iterdir())
    found: Counter[tuple[int, bytes]] = Counter()
    for file in files:
        found.update((packet.time, packet.data) for packet in CaptureReader([str(file)]))
    wanted = {(packet.time, packet.data) for packet in packets_of([str(whole)], index, failed)}
    packets = sum(1 for _ in CaptureReader([str(whole)]))
    same = found.keys() == wanted and len(files) == len(failed)
    print(f"found in the capture: {dict(Counter(task.outcome.value for task in index.tasks))}")
    print(f"{len(index.tasks):,} tasks of {packets:,} packets, {len(failed):,} failed; {len(files):,} files with")
    print(f"{found.total():,} packets, {len(wanted - found.keys())} missing, {len(found.keys() - wanted)} too many")
    return same


if __name__ == "__main__":
    sys.exit(main())
