"""Recordings that are not complete: no verdict is told with confidence that the whole recording does not bear out.

The genuine recordings are cut at random packets, lose packets, a direction or a connection, are cut off by a snap
length, have a clock that jumps, or come twice.  An error that the whole recording does not have has to say that it is
less certain, or to be one of those that the part can not tell from the truth.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from dissector.model import Problem, Severity, Task
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.stream.packets import parse
from dissector.traffic import Packet, Segment

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
Packets = list[Packet]
Damage = Callable[[Packets, random.Random], Packets]
#: Recordings in which nothing is wrong: whatever is told of their parts as an error is not true.
HEALTHY = (
    *(f"faults/{case}.{leg}" for case in ("01_healthy", "01b_healthy_api", "06_client_nat_dnat") for leg in "cr"),
    *(f"faults/{case}.{leg}" for case in ("07_remote_multihomed", "18_loss3_reorder_router") for leg in "cr"),
    *(f"faults/{case}.{leg}" for case in ("21_two_clients", "28_agent_frozen_20s") for leg in "cr"),
    "engine_order",
    "scala19_shell",
)
#: Said of a part in which the rest of the story is missing; what is there is told as it is.
TRUE_OF_THE_PART = {
    # Its callback is not there, nor is anything that would say that it was.
    "callback_missing",
    # A poll of the port before the scheduler was up, whose later success is missing.
    "command_refused",
    "command_unanswered",
}


@lru_cache(maxsize=4)
def packets_of(name: str) -> Packets:
    return list(CaptureReader([str(CAPTURES / f"{name}.pcap")]))


def judge(packets: Packets) -> tuple[list[Task], list[Problem]]:
    tracer = Tracer(messages=False)
    events = [
        event
        for number, packet in enumerate(packets, 1)
        for event in tracer.feed(packet._replace(number=number, key=None))
    ]
    events += tracer.finish()
    return [one for one in events if isinstance(one, Task)], [one for one in events if isinstance(one, Problem)]


def segments(packets: Packets) -> Iterator[tuple[Packet, Segment | None]]:
    for packet in packets:
        record = parse(packet)
        yield packet, record if isinstance(record, Segment) else None


# --- damage --------------------------------------------------------------------------------------------------------


def begin_late(packets: Packets, dice: random.Random) -> Packets:
    return packets[dice.randrange(len(packets)) :]


def end_early(packets: Packets, dice: random.Random) -> Packets:
    return packets[: dice.randrange(len(packets))]


def lose_some(packets: Packets, dice: random.Random) -> Packets:
    return [packet for packet in packets if dice.random() > 0.04]


def lose_a_direction(packets: Packets, dice: random.Random) -> Packets:
    """Everything to one address and port is missing."""
    pairs = list(segments(packets))
    ways = sorted({(one.dst, one.dport) for _, one in pairs if one is not None})
    gone = dice.choice(ways)
    return [packet for packet, one in pairs if one is None or (one.dst, one.dport) != gone]


def lose_a_host(packets: Packets, dice: random.Random) -> Packets:
    """Nothing that one host sends was captured."""
    pairs = list(segments(packets))
    gone = dice.choice(sorted({one.src for _, one in pairs if one is not None}))
    return [packet for packet, one in pairs if one is None or one.src != gone]


def snap(packets: Packets, dice: random.Random) -> Packets:
    size = dice.choice([68, 96, 128, 200])
    return [packet._replace(data=packet.data[:size]) for packet in packets]


def turn_the_clock_back(packets: Packets, dice: random.Random) -> Packets:
    at, by = dice.randrange(len(packets)), dice.choice([3, 60, 3600]) * 1_000_000_000
    return packets[:at] + [packet._replace(time=packet.time - by) for packet in packets[at:]]


def double(packets: Packets, dice: random.Random) -> Packets:
    """Some packets are captured at two interfaces."""
    return [one for packet in packets for one in ([packet] * 2 if dice.random() < 0.3 else [packet])]


DAMAGES: tuple[Damage, ...] = (
    begin_late,
    end_early,
    lose_some,
    lose_a_direction,
    lose_a_host,
    snap,
    turn_the_clock_back,
    double,
)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_wrong_is_told_with_confidence(name: str, damage: Damage) -> None:
    whole = packets_of(name)
    # An earlier try that was refused, or a probe of the port, is in some whole recordings as well.
    known = {problem.code for problem in judge(whole)[1]} | TRUE_OF_THE_PART
    dice = random.Random(name + damage.__name__)
    for _ in range(6):
        tasks, problems = judge(damage(whole, dice))
        confident = [
            (problem.code, problem.summary, problem.cause, [task.outcome.value for task in tasks])
            for problem in problems
            if problem.severity is Severity.ERROR and problem.code not in known and "less certain" not in problem.cause
        ]
        assert confident == []


def test_a_lost_clock_is_named() -> None:
    """Between the command and its end the clock goes back an hour."""
    packets = packets_of("faults/14_agent_killed.c")
    turned = packets[:30] + [packet._replace(time=packet.time - 3_600_000_000_000) for packet in packets[30:]]
    _, problems = judge(turned)
    assert {problem.code for problem in problems} >= {"connection_lost", "clock_backwards"}
    (lost,) = [problem for problem in problems if problem.code == "connection_lost"]
    assert lost.cause.endswith("(less certain: clock_backwards)")


def test_a_result_that_was_not_captured_is_not_a_success() -> None:
    """The answer that tells exit code 5 is cut off; the task is released as always."""
    snapped = [packet._replace(data=packet.data[:110]) for packet in packets_of("engine_shell_fail")]
    (task,), _ = judge(snapped)
    assert (task.outcome.value, task.exit_code) == ("unknown", None)
    (whole,), _ = judge(packets_of("engine_shell_fail"))
    assert (whole.outcome.value, whole.exit_code) == ("failure", 5)


def test_the_result_of_a_step_that_was_asked_before_the_capture() -> None:
    """No other answer has this text, so it is known though its request is not."""
    packets = packets_of("faults/16_kill_task_immediately.c")
    (task,), problems = judge(packets[32:])
    assert (task.outcome.value, task.signal) == ("killed", 9)
    assert task.client is not None
    assert task.remote is not None
    assert (task.client.port, task.remote.port) == (37_912, 4_455)  # of the close command
    assert "command_not_captured" not in {problem.code for problem in problems}


@pytest.mark.parametrize("size", [68, 96])
def test_a_command_that_can_not_be_read_is_there(size: int) -> None:
    snapped = [packet._replace(data=packet.data[:size]) for packet in packets_of("faults/01b_healthy_api.c")]
    (task,), problems = judge(snapped)
    codes = {problem.code for problem in problems}
    assert "command_not_captured" not in codes
    assert "snap_length" in codes
    assert task.remote is not None
    assert task.command is not None
    assert task.command.first_packet == 3


#: A capture, what it lost, and what is told of its tasks then: what the whole one tells, or that it is not known.
LOSSES: tuple[tuple[str, list[int], list[str]], ...] = (
    # Somebody waits for the port to open, which is no task, whatever of that was captured.
    ("engine_shell_ok", [2], ["success"]),
    ("engine_xml_errors", [2], ["unknown", "killed", "no_callback", "refused"]),
    ("engine_xml_errors", [6], ["unknown", "killed", "no_callback", "refused"]),
    ("engine_xml_errors", [7], ["unknown", "killed", "no_callback", "refused"]),
    # A device forgot an idle callback connection; the remote's answer to the kill is missing.
    ("faults/12b_idle_firewall_drop_short_retries.c", [37], ["unknown"]),
    # A classic agent that is asked over HTTP, known by its answer.
    ("agent/c19_kill_all", [2, 3, 4], ["killed"]),
    # A callback of which the one SYN was captured.
    ("engine_xml_errors", [17, 18], ["unknown", "killed", "no_callback", "refused"]),
    # Requests to a tunnel that there is not, whose refusal is missing, with a byte that is no message.
    ("agent/ua113_raw_errors", [56, 57], []),
    ("agent/ua113_raw_errors", [61], []),
)


@pytest.mark.parametrize(("name", "lost", "outcomes"), LOSSES)
def test_lost_packets_make_no_wrong_verdict(name: str, lost: list[int], outcomes: list[str]) -> None:
    packets = [packet for number, packet in enumerate(packets_of(name), 1) if number not in lost]
    tasks = sorted(judge(packets)[0], key=lambda task: task.first_packet)
    assert [task.outcome.value for task in tasks] == outcomes
