"""Lost callback connections made by hand: which words each fact brings, and which it takes away."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from parts import CLIENT, HERE, REMOTE, SECOND, THERE, connection, facts, lost, message, record

from dissector.model import Connection, Endpoint, Mark, Outcome, Problem
from dissector.session import early_ends
from dissector.session.case import Case
from dissector.session.early_ends import EarlyEnd
from dissector.session.rules_disconnect import callback_lost
from dissector.session.task import TaskFacts
from dissector.traffic import IcmpError, Side

SILENCE_TEXT = "or a firewall forgot both connections in these"
SIZE_TEXT = "or packets of this size do not pass"


def problems(made: TaskFacts, now: int = 200 * SECOND) -> list[Problem]:
    return list(callback_lost(Case(made, now)))


def the(made: TaskFacts, now: int = 200 * SECOND) -> Problem:
    (problem,) = problems(made, now)
    return problem


def unreachable(number: int, time: int, host: int = 1, reason: str = "host unreachable") -> IcmpError:
    sender = IPv4Address(f"10.1.0.{host}").packed
    return IcmpError(number, time, sender, reason, b"", 0, b"", 0, 0)


def ended_at(made: TaskFacts, end: Mark, **fields: object) -> Connection:
    """The callback connection with its end: ``rst`` or ``fin`` of the task process."""
    made.record.outcome = Outcome.LOST
    _, callback = record(made)
    callback.sides[HERE].fin = end
    for name, value in fields.items():
        setattr(callback, name, value)
    return callback


# --- no end is seen --------------------------------------------------------------------------------------------------


def gone(idle: int) -> TaskFacts:
    """The remote says that the process is gone; its connection says nothing."""
    made = facts()
    made.record.outcome = Outcome.LOST
    record(made)[1].end = 10 * SECOND
    made.close = message(10 * SECOND + idle, 20)
    made.close_answer = message(11 * SECOND + idle, 21, request=made.close)
    return made


@pytest.mark.parametrize(
    ("idle", "code", "silence"),
    [
        (0, "connection_lost", ""),
        (5 * SECOND - 1, "connection_lost", " after 5 s of silence"),
        (5 * SECOND, "idle_connection_cut", " after 5 s of silence"),
    ],
)
def test_a_process_that_is_gone_whose_connection_shows_no_end(idle: int, code: str, silence: str) -> None:
    problem = the(gone(idle))
    summary = "The remote reported the process gone, but the callback connection shows no end"
    assert (problem.code, problem.summary, problem.packets) == (code, f"{summary}{silence}.", (21,))
    assert (problem.cause == "the end of the connection was lost on the path, or is not in the capture") is (
        code == "connection_lost"
    )
    assert (problem.remedy == f"capture on {REMOTE} as well") is (code == "connection_lost")


def test_only_a_lost_task_with_a_callback_has_lost_it() -> None:
    made = gone(0)
    made.record.callback = None
    assert problems(made) == []
    made = gone(0)
    made.record.outcome = Outcome.UNKNOWN
    assert problems(made) == []


# --- the close is not heard ------------------------------------------------------------------------------------------


def unheard(idle: int, *, errors: int = 0, kill_only: bool = False) -> TaskFacts:
    """The close of second 50 is retransmitted three times; the remote's last packet came so long before it."""
    made = facts()
    made.record.outcome = Outcome.LOST
    command, callback = record(made)
    sender = command.sides[HERE]
    sender.sent, sender.last_data = 100, Mark(30, 50 * SECOND)
    sender.retransmitted = [Mark(31, 51 * SECOND), Mark(33, 52 * SECOND), Mark(35, 53 * SECOND)]
    command.sides[THERE].last = Mark(3, 50 * SECOND - idle)
    callback.sides[HERE].last = Mark(2, 49 * SECOND - idle)
    command.icmp = [unreachable(40 + index, 54 * SECOND, host=1 + index) for index in range(errors)]
    if kill_only:
        made.kill = message(50 * SECOND, 30)
    else:
        made.close = message(50 * SECOND, 30)
    return made


@pytest.mark.parametrize(("idle", "code"), [(20 * SECOND, "idle_connection_cut"), (20 * SECOND - 1, "connection_lost")])
def test_a_close_that_nobody_hears(idle: int, code: str) -> None:
    problem = the(unheard(idle))
    assert (problem.code, problem.time, problem.packets) == (code, 50 * SECOND, (30, 31, 33, 35))
    assert problem.summary == (
        "The close was retransmitted 3 times without an answer after 20 s of silence; the callback connection is open."
    )
    assert problem.cause == (
        f"the other host or the network between them is gone: nothing came from {REMOTE} any more; "
        f"{SILENCE_TEXT} 20 s of silence"
    )
    assert problem.remedy == (
        f"look at {REMOTE} and at the network path to it at that time: down, restarted, or cut off?"
    )


def test_the_silence_ends_with_the_last_packet_from_there_on_either_connection() -> None:
    made = unheard(30 * SECOND)
    record(made)[1].sides[HERE].last = Mark(2, 40 * SECOND)
    assert "after 10 s of silence" in the(made).summary


def test_a_kill_without_a_close_that_nobody_hears() -> None:
    problem = the(unheard(2 * SECOND, kill_only=True))
    assert problem.summary.startswith("The request to kill the task was retransmitted 3 times")
    assert problem.packets == (30, 31, 33, 35)


@pytest.mark.parametrize(("errors", "times"), [(1, ""), (2, " (2 times)")])
def test_a_router_says_why_nobody_hears(errors: int, times: str) -> None:
    """However long the silence was: that host can not be reached."""
    problem = the(unheard(100 * SECOND, errors=errors))
    assert problem.code == "connection_lost"
    assert problem.cause.endswith(f"nothing came from {REMOTE} any more; 10.1.0.1 says: host unreachable{times}")
    assert problem.packets[4:] == (40, 41)[:errors]


@pytest.mark.parametrize(("end", "heard"), [(49, True), (50, False), (51, False)])
def test_an_end_before_the_close_has_nothing_to_do_with_it(end: int, heard: bool) -> None:
    made = unheard(0)
    record(made)[1].sides[HERE].fin = Mark(60, end * SECOND)
    problem = the(made)
    assert ("The close was retransmitted" in problem.summary) is not heard
    assert ("was open until then" in problem.summary) is not heard


# --- data that is stuck ----------------------------------------------------------------------------------------------


def silent(idle: int, *, alive: bool = False, size: int | None = None, errors: int = 0) -> TaskFacts:
    """The bytes of second 11 that nobody acknowledges came so long after the client's last packet."""
    made = lost(smallest_retransmitted=size)
    command, callback = record(made)
    callback.sides[THERE].last = Mark(8, 11 * SECOND - idle)
    callback.icmp = [unreachable(40 + index, 12 * SECOND, host=1 + index) for index in range(errors)]
    if alive:
        command.sides[HERE].last = Mark(15, 11 * SECOND)
    return made


@pytest.mark.parametrize(("idle", "said"), [(5 * SECOND, True), (5 * SECOND - 1, False)])
def test_which_silence_may_have_made_a_device_forget(idle: int, said: bool) -> None:
    problem = the(silent(idle))
    assert (problem.code, problem.time) == ("connection_lost", 11 * SECOND)
    assert problem.cause.endswith(f"; {SILENCE_TEXT} 5 s of silence") is said
    assert SIZE_TEXT not in problem.cause


def test_a_router_that_reports_leaves_no_doubt() -> None:
    made = silent(30 * SECOND, size=1_448, errors=2)
    problem = the(made)
    assert problem.code == "connection_lost"
    assert problem.cause.endswith("10.1.0.1 says: host unreachable (2 times)")
    assert problem.packets == (11, 12, 13, 40, 41)


@pytest.mark.parametrize(
    ("idle", "alive", "codes"),
    [
        (5 * SECOND - 1, False, ["path_mtu", "connection_lost"]),
        (5 * SECOND, False, ["connection_lost"]),
        (5 * SECOND, True, ["path_mtu", "idle_connection_cut"]),
    ],
)
def test_large_segments_where_small_ones_pass(idle: int, alive: bool, codes: list[str]) -> None:
    found = problems(silent(idle, alive=alive, size=1_448))
    assert [problem.code for problem in found] == codes
    assert (SIZE_TEXT in found[-1].cause) is (codes[-1] == "connection_lost")
    assert {problem.time for problem in found} == {11 * SECOND}


def test_large_segments_where_nothing_was_ever_acknowledged() -> None:
    made = silent(SECOND, size=1_448)
    record(made)[1].sides[THERE].acked = None
    assert [problem.code for problem in problems(made)] == ["connection_lost"]


def test_other_tasks_show_that_a_host_lives() -> None:
    """It answers on another connection from the first try on: not before, and not on this one."""
    for heard, code in ((11 * SECOND, "idle_connection_cut"), (11 * SECOND - 1, "connection_lost")):
        made = silent(6 * SECOND)
        case, other = Case(made, 200 * SECOND), connection(client=Endpoint(CLIENT, 41_000))
        other.sides[HERE].last = Mark(70, heard)
        case.hosts.note(other)
        case.hosts.note(record(made)[1])
        (problem,) = callback_lost(case)
        assert problem.code == code


def test_the_client_is_not_heard_where_its_command_connection_was_not_captured() -> None:
    made = silent(6 * SECOND)
    made.record.command = None
    assert the(made).code == "connection_lost"


def test_a_hole_is_shown_by_what_came_behind_it_and_by_what_was_sent_again() -> None:
    made = lost(never_acknowledged=60)
    facts = record(made)[1].sides[HERE]
    facts.retransmitted = facts.retransmitted[:-1]
    problem = the(made)
    assert (problem.code, problem.packets) == ("path_mtu", (10, 11, 12))
    assert problem.summary.startswith("99 bytes of the task process never arrived")


# --- somebody ended it -----------------------------------------------------------------------------------------------


def reset(idle: int, *, here: bool = True, fin: Mark | None = None, **fields: object) -> TaskFacts:
    """The callback connection was reset at second 100 after a silence, in the name of the task process or the client;
    the command connection is open."""
    made = facts()
    made.record.outcome = Outcome.LOST
    _, callback = record(made)
    side = callback.sides[HERE if here else THERE]
    side.rst, side.fin, callback.idle_before_end = Mark(50, 100 * SECOND, 64), fin, idle
    for name, value in fields.items():
        setattr(side, name, value)
    return made


DOUBT = "; or a device that forgot the connection in these 20 s of silence sent the reset"


@pytest.mark.parametrize(("idle", "doubt"), [(20 * SECOND, DOUBT), (20 * SECOND - 1, "")])
def test_a_reset_after_a_long_silence_may_be_a_device_s(idle: int, doubt: str) -> None:
    problem = the(reset(idle))
    assert problem.cause == f"the task process ended (killed, crashed) or closed the connection{doubt}"
    assert problem.time == 100 * SECOND
    assert problem.summary == (
        f"The callback connection was reset by the task process ({REMOTE}) after 20 s of silence."
    )


def test_who_closes_in_order_after_a_long_silence_is_no_device() -> None:
    made = facts()
    ended_at(made, Mark(50, 100 * SECOND), idle_before_end=300 * SECOND)
    problem = the(made)
    assert problem.cause == "the task process ended (killed, crashed) or closed the connection"
    assert problem.summary == (
        f"The callback connection was closed by the task process ({REMOTE}) after 300 s of silence."
    )


def test_a_silence_that_nobody_measured_is_not_told() -> None:
    made = reset(0)
    record(made)[1].idle_before_end = None
    assert the(made).summary.endswith(f"by the task process ({REMOTE}).")


@pytest.mark.parametrize(
    ("idle", "fields", "heard", "code"),
    [
        (5 * SECOND, {"rst_unknown": True}, 100, "idle_connection_cut"),
        (5 * SECOND - 1, {"rst_unknown": True}, 100, "connection_lost"),
        (5 * SECOND, {"rst_unknown": False}, 100, "connection_lost"),
        (5 * SECOND, {"rst_unknown": True}, 99, "connection_lost"),
        (5 * SECOND, {"rst_unknown": True, "fin": Mark(60, 101 * SECOND)}, 100, "connection_lost"),
    ],
)
def test_a_host_that_lives_and_knows_no_such_connection(
    idle: int, fields: dict[str, Any], heard: int, code: str
) -> None:
    made = reset(idle, **fields)
    record(made)[0].sides[THERE].last = Mark(80, heard * SECOND)
    assert the(made).code == code


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2, "it sends on the command connection 2.0 s later (packet 60)"), (0, "the client scheduler ended")],
)
def test_a_client_that_sends_on_behind_its_reset(seconds: int, words: str) -> None:
    made = reset(SECOND, here=False)
    record(made)[0].sides[HERE].last_data = Mark(60, (100 + seconds) * SECOND)
    problem = the(made)
    assert words in problem.cause
    assert problem.code == "connection_lost"
    assert ("for why it closed the connection" in problem.remedy) is bool(seconds)


def test_a_client_that_closes_later_says_how_much_later() -> None:
    made = reset(30 * SECOND, here=False)
    record(made)[0].sides[HERE].fin = Mark(60, 103 * SECOND)
    problem = the(made)
    assert problem.code == "idle_connection_cut"
    assert problem.time == 100 * SECOND
    assert problem.cause == (
        "a firewall or translation forgot the idle connection: the client itself goes on: "
        "it closes the command connection 3.0 s later (packet 60)"
    )


def test_a_client_that_had_closed_the_callback_in_order_is_no_device() -> None:
    """Its FIN came behind the reset, if in another order than they were sent."""
    made = reset(30 * SECOND, here=False, fin=Mark(51, 100 * SECOND))
    record(made)[0].sides[HERE].last_data = Mark(60, 102 * SECOND)
    assert the(made).code == "connection_lost"


def test_of_a_callback_alone_nobody_knows_who_lives() -> None:
    for here, words in ((True, "the task process ended"), (False, "the client scheduler ended")):
        made = reset(SECOND, here=here)
        made.record.command = None
        assert the(made).cause.startswith(words)


def test_a_process_that_ended_may_have_been_killed_before_the_capture() -> None:
    words = "; or the client asked the remote to kill the task, before the capture began"
    for here in (True, False):
        made = reset(SECOND, here=here)
        made.start = made.start_answer = made.record.command = None
        assert made.record.callback is not None
        made.record.start, made.record.callback.mid_stream = 95 * SECOND, True
        assert the(made).cause.endswith(words) is here
        made.record.outcome = Outcome.UNKNOWN
        assert [one.code for one in problems(made)] == ["connection_lost"] * here


def test_the_remote_lives_when_it_is_heard_from_the_reset_on() -> None:
    for heard, lives in ((100 * SECOND, True), (100 * SECOND - 1, False)):
        made = reset(SECOND)
        record(made)[0].sides[THERE].last = Mark(80, heard)
        assert the(made).cause.endswith("; the remote scheduler lives") is lives


# --- the process, and the end of the command connection ---------------------------------------------------------------

FOLLOWS = "the remote does that when it loses the command connection"


@pytest.mark.parametrize(("number", "side", "follows"), [(49, HERE, True), (51, HERE, False), (49, THERE, False)])
def test_a_process_that_follows_the_client_s_end_of_the_command_connection(
    number: int, side: int, follows: bool
) -> None:
    made = reset(SECOND)
    record(made)[0].sides[side].fin = Mark(number, 90 * SECOND)
    assert (FOLLOWS in the(made).cause) is follows


def test_a_command_connection_of_one_direction_tells_nothing() -> None:
    made = reset(SECOND)
    command, _ = record(made)
    command.sides[HERE].packets, command.sides[THERE].fin = 0, Mark(49, 99 * SECOND)
    assert the(made).cause.startswith("the task process ended")


@pytest.mark.parametrize(
    ("close", "unknown", "follows"),
    [(None, True, False), (55, True, False), (54, True, True), (54, False, False)],
)
def test_a_remote_that_knows_no_command_connection_when_it_is_to_close_it(
    close: int | None, unknown: bool, follows: bool
) -> None:
    made = reset(SECOND)
    server = record(made)[0].sides[THERE]
    server.rst, server.rst_unknown = Mark(55, 101 * SECOND, 64), unknown
    made.close = None if close is None else message(100 * SECOND, close)
    assert (FOLLOWS in the(made).cause) is follows


@pytest.mark.parametrize("answered", [True, False])
def test_a_remote_that_answered_the_close_did_not_end_with_the_process(answered: bool) -> None:
    made = reset(SECOND)
    record(made)[0].sides[THERE].fin = Mark(55, 101 * SECOND)
    made.close_answer = message(100 * SECOND, 54) if answered else None
    assert ("both connections ended with it" in the(made).cause) is not answered


# --- the command connection before that ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "side", "seen", "is_lost"),
    [
        (None, HERE, 1, False),
        (9, HERE, 1, True),
        (10, HERE, 1, False),
        (11, HERE, 1, False),
        (9, THERE, 1, False),
        (9, HERE, 0, False),
    ],
)
def test_a_command_connection_that_the_client_ended_before(
    number: int | None, side: Side, seen: int, is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("by_device", "answers_close"):
        monkeypatch.setattr(early_ends, other, lambda *_: False)
    made = facts()
    command, callback = record(made)
    command.sides[side].fin = None if number is None else Mark(number, SECOND)
    command.sides[side.other].packets = seen
    early = EarlyEnd(Case(made, 2 * SECOND), callback, Mark(10, SECOND), HERE)
    assert early_ends.command_was_lost(early) is is_lost
    made.record.command = None
    assert not early_ends.command_was_lost(early)
