"""Genuine recordings that lose two to four packets in a row near their end, at every place.

What an end acknowledged was sent, captured or not: an answer, a release, a kill, an end.  So what is told is the whole
recording's outcome, or ``unknown``; ``running`` only where the recording just ends earlier.
"""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path

import pytest

from dissector.model import Outcome, Problem, Task
from dissector.session.tracer import Tracer
from dissector.session.unexplained import SAYS_WHY
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

#: What may be said where an outcome is not known.
REASONS = SAYS_WHY | {"command_not_captured"}
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
}


#: All recordings of one or more tasks that are small enough.
GENUINE = sorted(
    path.relative_to(CAPTURES).as_posix()
    for path in [*CAPTURES.glob("*.pcap"), *CAPTURES.glob("agent/*.pcap")]
    if path.stat().st_size < 60_000 and "tls_" not in path.name
)
#: Places drawn of each, and behind those the last ones.
DRAWN, LAST = 10, 6


@lru_cache(maxsize=2)
def packets_of(name: str) -> list[Packet]:
    return list(CaptureReader([str(CAPTURES / name)]))


def tasks_without(name: str, first: int, last: int) -> list[Task]:
    """The tasks of the recording that lacks the packets from ``first`` to ``last``."""
    packets = packets_of(name)
    tracer = Tracer(messages=False)
    events = [event for packet in packets[: first - 1] + packets[last:] for event in tracer.feed(packet)]
    events += tracer.finish()
    return [one for one in events if isinstance(one, Task)]


def without(name: str, first: int, last: int) -> tuple[Task, list[Problem]]:
    """The same, where there is one task."""
    (task,) = tasks_without(name, first, last)
    return task, task.problems


def wrong(task: Task, whole: set[Outcome], *, at_end: bool) -> str | None:
    """What is wrong with a task of a part: another outcome, or none without a reason."""
    found, codes = task.outcome, {problem.code for problem in task.problems}
    if found is Outcome.UNKNOWN:
        return None if codes & REASONS else f"unknown, told with {codes}"
    unopened = task.command is not None and not task.command.established
    if found in whole or (unopened and not task.callback):
        return None
    return None if found is Outcome.RUNNING and (at_end or codes & REASONS) else f"{found.value}, told with {codes}"


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", GENUINE)
def test_what_packets_that_are_lost_anywhere_make_of_a_task(name: str) -> None:
    size, dice = len(packets_of(name)), random.Random(name)
    whole = {task.outcome for task in tasks_without(name, 1, 0)}
    places = {dice.randrange(1, size) for _ in range(DRAWN)} | set(range(max(1, size - LAST), size + 1))
    told = []
    for first in sorted(places):
        last = min(first + dice.randrange(4), size)
        found = [wrong(task, whole, at_end=last == size) for task in tasks_without(name, first, last)]
        told += [f"without {first} to {last}: {what}" for what in found if what is not None]
    assert told == []


#: (recording, packets that are lost, outcome, codes that say why): what only the reset counts, a response that is that
#: to another request, a kill that may be behind a broken tunnel, a release whose answer and end are lost, a stranger's
#: tunnel.
KINDS: tuple[tuple[str, int, int, list[str], set[str]], ...] = (
    ("h19_nested.pcap", 64, 66, ["unknown"], {"gap", "command_not_captured"}),
    ("agent/c19_kill.pcap", 8, 9, ["unknown"], {"gap", "callback_not_captured"}),
    ("agent/ua113_shell_ok.pcap", 40, 43, ["unknown"], {"gap"}),
    ("agent/ua113_shell_ok.pcap", 6, 8, ["success"], {"gap"}),
    ("agent/ua113_startfail.pcap", 10, 11, ["refused", "unknown"], {"agent_refused_start", "gap"}),
    ("agent/ua111_task_killed.pcap", 22, 25, ["unknown"], {"gap"}),
    ("agent/ua113_kill.pcap", 1, 27, ["unknown"], {"job_failed", "undecoded_frame"}),
    ("agent/ua113_kill.pcap", 35, 35, ["unknown"], {"gap", "job_failed"}),
    ("agent/ua113_wrong_secret.pcap", 18, 18, ["success"], set()),
    ("engine_order.pcap", 207, 210, ["success", "unknown"], {"gap"}),
    ("engine_kill_task.pcap", 38, 39, ["unknown"], {"gap", "job_failed"}),
    ("engine_shell_ok.pcap", 52, 55, ["unknown"], {"gap"}),
)


@pytest.mark.parametrize(("name", "first", "last", "outcomes", "codes"), KINDS)
def test_what_is_told_of_a_loss(name: str, first: int, last: int, outcomes: list[str], codes: set[str]) -> None:
    tasks = tasks_without(name, first, last)
    assert [task.outcome.value for task in tasks] == outcomes
    assert {problem.code for task in tasks for problem in task.problems} == codes


@pytest.mark.one_in(5)
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
