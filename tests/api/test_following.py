"""``jstrace.live`` on loopback, with the simulated peers."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from live_kit import HIGH, LOW, PATIENCE, PORT, QUICK, needs_root, simulate

import jstrace

BOTH = ("--listen", PORT, *QUICK)


@needs_root
def test_tasks_as_they_end() -> None:
    with jstrace.live("lo", tasks=1, command_ports=[PORT], callback_ports=(LOW, HIGH), seconds=PATIENCE) as tasks:
        simulate(*BOTH, "--scenario", "shell-job")
        found = list(tasks)
        assert [task.outcome for task in found] == ["success"]
        assert found[0].to_dict()["callback"]["port"] == found[0].callback_port
        (capture,) = tasks.captures
        assert (capture.file, tasks.dropped, tasks.problems) == ("lo", 0, ())
        assert capture.packets > 0


@needs_root
def test_a_filter_and_what_is_worth_telling() -> None:
    heard: list[str] = []
    tasks = jstrace.live(
        "lo", filter="outcome=failure", command_ports=[PORT], callback_ports=(LOW, HIGH), seconds=PATIENCE,
        slow=0.05, warn=heard.append,
    )  # fmt: skip
    simulate(*BOTH, "--scenario", "shell-job")
    simulate(*BOTH, "--scenario", "failing-job")
    assert next(tasks).outcome == "failure"
    tasks.close()
    assert list(tasks) == []
    assert tuple(heard) == tasks.warnings


@needs_root
def test_it_can_be_stopped_from_elsewhere() -> None:
    tasks = jstrace.live("lo", command_ports=[PORT], callback_ports=(LOW, HIGH))
    begun = time.monotonic()
    threading.Timer(0.3, tasks.stop).start()
    assert list(tasks) == []
    assert time.monotonic() - begun < PATIENCE
    assert [problem.code for problem in tasks.problems] == ["nothing_captured"]


@needs_root
def test_left_early_it_lets_go_of_the_interface() -> None:
    def sockets() -> int:
        """Packet sockets of this process."""
        packet = {line.split()[-1] for line in Path("/proc/net/packet").read_text(encoding="ascii").splitlines()}
        targets = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return sum(target.startswith("socket:") and target[8:-1] in packet for target in targets)

    before = sockets()
    with jstrace.live("lo") as _:
        assert sockets() > before
    assert sockets() == before
    unused = jstrace.live("lo")
    unused.close()
    assert sockets() == before


@needs_root
def test_no_such_interface() -> None:
    with pytest.raises(jstrace.CaptureError) as refused:
        jstrace.live("nonesuch0")
    assert refused.value.where == "nonesuch0"


def test_wrong_usage() -> None:
    with pytest.raises(jstrace.UsageError, match="no interface"):
        jstrace.live()
    with pytest.raises(jstrace.UsageError, match="standard input"):
        jstrace.live("-", "lo")
    with pytest.raises(jstrace.UsageError, match="there is no field"):
        jstrace.live("lo", filter="jbo=x")
