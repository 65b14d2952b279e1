"""Genuine recordings that lose two to four packets in a row near their end, at every place.

What an end acknowledged was sent, captured or not: an answer, a release, a kill, an end.  So what is told is the whole
recording's outcome, or ``unknown``; ``running`` only where the recording just ends earlier.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from dissector.model import Problem, Task
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
#: Tasks on Universal Agents.
AGENTS = (
    "ua110_shell",
    "ua111_api",
    "ua113_shell_ok",
    "ua113_slow_call",
    "ua113_idle",
    "ua113_frozen",
    "ua113_wrong_secret",
)
NAMES = (
    *(f"corpus/{case}.{end}.pcapng" for case in ("callback_only", "low_port", "shell", "exit_5") for end in "cr"),
    *(f"corpus/{case}.c.pcapng" for case in ("client_dies", "idle_command_drop", "callback_62s", "remote_frozen_8s")),
    "engine_shell_ok.pcap",
    "engine_shell_bad_monitor.pcap",
    "engine_kill_task.pcap",
    *(f"agent/{case}.pcap" for case in AGENTS),
)
#: (recording, first and last lost packet): nothing of what is left says that the task is over.
NOTHING_LEFT = {
    ("corpus/idle_command_drop.c.pcapng", 48, 51),
    *(("corpus/client_dies.c.pcapng", first, 35) for first in (32, 33)),
    ("agent/ua113_shell_ok.pcap", 40, 43),
    ("agent/ua113_frozen.pcap", 57, 60),
}


@lru_cache(maxsize=2)
def packets_of(name: str) -> list[Packet]:
    return list(CaptureReader([str(CAPTURES / name)]))


def without(name: str, first: int, last: int) -> tuple[Task, list[Problem]]:
    """The one task of the recording that lacks the packets from ``first`` to ``last``."""
    packets = packets_of(name)
    tracer = Tracer(messages=False)
    events = [event for packet in packets[: first - 1] + packets[last:] for event in tracer.feed(packet)]
    events += tracer.finish()
    (task,) = [one for one in events if isinstance(one, Task)]
    return task, task.problems


@pytest.mark.parametrize("name", NAMES)
def test_two_to_four_lost_packets_make_no_other_outcome(name: str) -> None:
    packets = packets_of(name)
    whole, size = without(name, 1, 0)[0].outcome.value, len(packets)
    for length in (2, 3, 4):
        for first in range(size * 2 // 3 + 1, size - length + 2):
            last = first + length - 1
            if (name, first, last) in NOTHING_LEFT:
                continue
            found = without(name, first, last)[0].outcome.value
            allowed = {whole, "unknown"} | ({"running"} if last == size else set())
            assert found in allowed, f"without {first} to {last}: {found} instead of {whole}"


@pytest.mark.parametrize("end", ["c", "r"])
def test_a_lost_answer_that_was_acknowledged_may_have_been_a_refusal(end: str) -> None:
    task, problems = without(f"corpus/start_rejected.{end}.pcapng", 7, 8)
    assert task.outcome.value == "unknown"
    (missing,) = problems
    assert missing.code == "callback_missing"
    assert "the answer to the start is not in the capture" in missing.summary
    assert missing.cause.endswith("(less certain: gap)")


@pytest.mark.parametrize("end", ["c", "r"])
def test_a_lost_release_that_was_acknowledged_is_no_lost_connection(end: str) -> None:
    task, problems = without(f"corpus/callback_only.{end}.pcapng", 36, 38)
    assert task.outcome.value == "unknown"
    assert {one.code for one in problems} == {"gap", "command_not_captured"}
