"""Command connections that ended, made by hand: which fact decides what is said, and which words it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest
from parts import CLIENT, HERE, REMOTE, SECOND, THERE, facts, message, record

from dissector.model import Connection, Mark, Message, Outcome, Problem
from dissector.session.case import Case
from dissector.session.command_loss import command_cut, command_lost
from dissector.session.task import TaskFacts
from dissector.traffic import IcmpError

KILLED = "; the remote then kills the task's process"


def problems(
    made: TaskFacts, now: int = 200 * SECOND, rule: Callable[[Case], Iterator[Problem]] = command_lost
) -> list[Problem]:
    return list(rule(Case(made, now)))


def the(made: TaskFacts, now: int = 200 * SECOND, rule: Callable[[Case], Iterator[Problem]] = command_lost) -> Problem:
    (problem,) = problems(made, now, rule)
    return problem


def long_message(time: int, *packets: int) -> Message:
    made = message(time)
    made.packets = packets
    return made


# --- while the task ran -----------------------------------------------------------------------------------------------


def left(side: int = HERE, *, reset: bool = False, **fields: object) -> tuple[TaskFacts, Connection, Connection]:
    """One end of the command connection left at second 10 (packet 20); the task's callback connection is open."""
    made = facts()
    made.record.outcome = Outcome.RUNNING
    command, callback = record(made)
    setattr(command.sides[side], "rst" if reset else "fin", Mark(20, 10 * SECOND, 64))
    for name, value in fields.items():
        setattr(command, name, value)
    return made, command, callback


@pytest.mark.parametrize(
    ("side", "reset", "who", "cause"),
    [
        (HERE, False, f"closed by the client ({CLIENT})", "the client scheduler ended"),
        (HERE, True, f"reset by the client ({CLIENT})", "the client scheduler ended"),
        (THERE, False, f"closed by the remote ({REMOTE})", "the remote scheduler ended"),
        (THERE, True, f"reset by the remote ({REMOTE})", "the remote scheduler ended"),
    ],
)
def test_who_left_and_how(side: int, reset: bool, who: str, cause: str) -> None:
    made, _, _ = left(side, reset=reset)
    problem = the(made)
    assert problem.summary == f"The command connection was {who} while the task was running."
    killed = KILLED if side == HERE else ""
    assert problem.cause == f"{cause} (killed, crashed, stopped) or closed the connection{killed}"
    host = CLIENT if side == HERE else REMOTE
    assert problem.remedy == f"see why that scheduler ended: its own log, and that of its host ({host})"
    assert (problem.packets, problem.time) == ((20,), 10 * SECOND)


def test_a_device_that_reset_it() -> None:
    made, command, _ = left(reset=True)
    command.sides[HERE].rst = Mark(20, 10 * SECOND, 254)
    problem = the(made)
    assert problem.summary == "The command connection was reset by a device in between while the task was running."
    assert problem.cause.endswith(f"its TTL is 254, the packets of the client have 64{KILLED}")
    assert problem.remedy.startswith("look at the firewalls")


def test_of_a_task_without_both_connections_or_an_answer_nothing_is_said() -> None:
    for name in ("command", "callback"):
        made, _, _ = left()
        setattr(made.record, name, None)
        assert problems(made) == []
    made, _, _ = left()
    made.start_answer = None
    assert problems(made) == []
    made, command, _ = left()
    command.sides[HERE].fin = None
    assert problems(made) == []


def test_where_the_capture_lacks_something_nobody_left() -> None:
    assert problems(left(gaps=1)[0]) == []
    made, command, _ = left()
    command.sides[THERE].packets = 0
    assert problems(made) == []


@pytest.mark.parametrize(("number", "told"), [(19, False), (21, True)])
def test_a_callback_connection_that_ended_before(number: int, told: bool) -> None:
    made, _, callback = left()
    callback.sides[HERE].fin = Mark(number, 11 * SECOND)
    assert bool(problems(made)) is told


@pytest.mark.parametrize(
    ("outcome", "end", "now", "told"),
    [
        (Outcome.RUNNING, 10, 11, True),
        (Outcome.RUNNING, 20, 10, False),
        (Outcome.UNKNOWN, 11, 10, True),
        (Outcome.UNKNOWN, 10, 20, False),
    ],
)
def test_how_long_the_task_went_on_without_an_end(outcome: Outcome, end: int, now: int, told: bool) -> None:
    """One that runs goes on until now, another one until its last packet."""
    made, _, callback = left()
    made.record.outcome, callback.end = outcome, end * SECOND
    assert bool(problems(made, now * SECOND)) is told


def test_a_client_that_goes_on() -> None:
    made, _, callback = left()
    callback.sides[THERE].last_data = Mark(30, 12 * SECOND)
    problem = the(made)
    assert problem.cause == (
        "the client scheduler closed the connection, or a device in between sent the end in its name: "
        f"it goes on with the callback connection (packet 30){KILLED}"
    )
    assert problem.remedy.startswith(f"see the log of the client scheduler on {CLIENT}, and look at the firewalls")
    made, _, callback = left(THERE)
    callback.sides[THERE].last_data = Mark(30, 12 * SECOND)
    assert the(made).cause.startswith("the remote scheduler ended")


# --- the close is answered by a reset ---------------------------------------------------------------------------------


def closed(**fields: object) -> tuple[TaskFacts, Connection, Connection]:
    """The close of the packets 18 and 22 meets the reset of packet 20; the job ended by a signal."""
    made, command, callback = left(THERE, reset=True)
    made.close, made.record.signal = long_message(9 * SECOND, 18, 22), 9
    for name, value in fields.items():
        setattr(made.record if hasattr(made.record, name) else made, name, value)
    return made, command, callback


def test_a_close_that_meets_a_reset_after_a_signal() -> None:
    problem = the(closed()[0])
    assert problem.summary == "The remote answered the close with a reset: it had lost the command connection before."
    assert (problem.packets, problem.time) == ((18, 20, 22), 10 * SECOND)


@pytest.mark.parametrize(
    "fields", [{"signal": None}, {"close_answer": message(9 * SECOND)}, {"kill": message(9 * SECOND)}]
)
def test_a_close_that_meets_a_reset_for_another_reason(fields: dict[str, object]) -> None:
    assert problems(closed(**fields)[0]) == []


def test_a_close_behind_the_reset_is_another_story() -> None:
    made, _, _ = closed(close=long_message(11 * SECOND, 21, 22))
    assert "while the task was running" in the(made).summary


def test_a_fin_is_no_answer_to_a_close() -> None:
    made, command, _ = closed()
    command.sides[THERE].fin, command.sides[THERE].rst = command.sides[THERE].rst, None
    assert problems(made) == []


def gone(**fields: object) -> tuple[TaskFacts, Connection, Connection]:
    """The task process had closed the callback connection; the remote knows no command connection any more."""
    made, command, callback = closed(signal=None, outcome=Outcome.LOST, close=long_message(9 * SECOND, 18, 19))
    callback.sides[HERE].fin, command.sides[THERE].rst_unknown = Mark(15, 8 * SECOND, 64), True
    for name, value in fields.items():
        setattr(made.record, name, value)
    return made, command, callback


def test_a_process_was_gone_before_the_close() -> None:
    assert the(gone()[0]).code == "command_lost_first"


def test_what_does_not_prove_that_the_process_was_gone() -> None:
    for outcome in (Outcome.SUCCESS, Outcome.FAILURE):
        assert problems(gone(outcome=outcome)[0]) == []
    made, command, _ = gone()
    command.sides[THERE].rst_unknown = False
    assert problems(made) == []
    made, _, callback = gone()
    callback.sides[HERE].fin, callback.sides[THERE].fin = None, Mark(15, 8 * SECOND)
    assert problems(made) == []
    made, _, callback = gone()
    callback.sides[HERE].fin = None
    assert problems(made) == []
    made, _, callback = gone()
    callback.sides[HERE].fin, callback.sides[HERE].rst = None, Mark(15, 8 * SECOND, 254)
    assert problems(made) == []  # a device
    made, command, _ = gone()
    command.sides[THERE].rst = Mark(20, 10 * SECOND, 254)
    assert problems(made) == []  # a device there


# --- forgotten, and the task was over ---------------------------------------------------------------------------------


def forgotten(idle: int = 5 * SECOND, **fields: object) -> tuple[TaskFacts, Connection]:
    """The close of second 50 is retransmitted three times; the start was answered so long before it."""
    made = facts()
    command, _ = record(made)
    made.close, made.released = message(50 * SECOND, 30), message(49 * SECOND)
    made.start_answer = message(50 * SECOND - idle)
    sender = command.sides[HERE]
    sender.sent, sender.last_data = 100, Mark(30, 50 * SECOND)
    sender.retransmitted = [Mark(31, 51 * SECOND), Mark(33, 52 * SECOND), Mark(35, 53 * SECOND)]
    for name, value in fields.items():
        setattr(made.record if hasattr(made.record, name) else made, name, value)
    return made, command


@pytest.mark.parametrize(
    ("idle", "code"), [(5 * SECOND, "idle_connection_cut"), (5 * SECOND - 1, "command_lost_first")]
)
def test_a_close_that_is_never_acknowledged(idle: int, code: str) -> None:
    problem = the(forgotten(idle)[0], rule=command_cut)
    assert (problem.code, problem.packets, problem.time) == (code, (31, 33, 35), 50 * SECOND)
    assert problem.summary == (
        "The close of the task is retransmitted without an answer after 5 s of silence on the command connection."
    )
    if code == "command_lost_first":
        assert (
            problem.cause == f"the remote scheduler's host ({REMOTE}), or the path to it, was gone when the task ended"
        )
        assert problem.remedy == f"look at {REMOTE} and at the network path to it at that time"
    else:
        assert problem.cause.startswith("a firewall or translation between the schedulers forgot")
        assert problem.remedy.startswith("raise the idle timeout")


def test_a_router_says_why_the_close_is_not_acknowledged() -> None:
    made, command = forgotten(100 * SECOND)
    command.icmp = [
        IcmpError(36 + index, 53 * SECOND, IPv4Address(f"10.1.0.{index + 1}").packed, reason, b"", 0, b"", 0, 0)
        for index, reason in enumerate(("host unreachable", "net unreachable"))
    ]
    problem = the(made, rule=command_cut)
    assert problem.code == "command_lost_first"
    assert problem.cause.endswith("was gone when the task ended: 10.1.0.1 says: host unreachable")
    assert problem.packets == (31, 33, 35, 36, 37)


def test_of_a_start_whose_answer_was_not_captured_no_silence_is_told() -> None:
    problem = the(forgotten(start_answer=None)[0], rule=command_cut)
    assert (problem.code, "silence" in problem.summary) == ("command_lost_first", False)


@pytest.mark.parametrize(
    "fields",
    [
        {"command": None},
        {"close": None},
        {"close_answer": message(51 * SECOND)},
        {"released": None},
        {"signal": 9},
    ],
)
def test_what_was_not_forgotten_by_a_device(fields: dict[str, Any]) -> None:
    assert problems(forgotten(**fields)[0], rule=command_cut) == []


def test_a_signal_that_somebody_asked_for_has_nothing_to_do_with_it() -> None:
    assert the(forgotten(signal=9, kill=message(40 * SECOND))[0], rule=command_cut).code == "idle_connection_cut"


@pytest.mark.parametrize(("time", "told"), [(50 * SECOND, True), (50 * SECOND - 1, False), (None, False)])
def test_a_close_that_is_answered_by_a_reset(time: int | None, told: bool) -> None:
    made, command = forgotten(300 * SECOND)
    command.sides[HERE].retransmitted = []
    command.sides[THERE].rst = None if time is None else Mark(32, time)
    found = problems(made, rule=command_cut)
    assert bool(found) is told
    if found:
        assert (found[0].code, found[0].packets) == ("idle_connection_cut", (30, 32))
        assert found[0].summary == (
            "The close of the task was answered by a reset after 300 s of silence on the command connection."
        )


def test_a_reset_right_behind_the_start_is_a_device_s_as_well() -> None:
    """The host is there: it, or somebody in its name, answered."""
    made, command = forgotten(SECOND)
    command.sides[HERE].retransmitted, command.sides[THERE].rst = [], Mark(32, 51 * SECOND)
    assert the(made, rule=command_cut).code == "idle_connection_cut"


def test_data_of_the_remote_that_is_stuck_is_not_the_close() -> None:
    made, command = forgotten()
    sender = command.sides[THERE]
    sender.sent, sender.last_data = 100, Mark(40, 60 * SECOND)
    sender.retransmitted = [Mark(41, 61 * SECOND), Mark(42, 62 * SECOND), Mark(43, 63 * SECOND)]
    command.sides[HERE].sent = 0
    assert problems(made, rule=command_cut) == []
