"""Outcomes by hand: what each fact of a connection and of a task decides, and what comes before what."""

from __future__ import annotations

from typing import Any

import pytest
from parts import HERE, SECOND, THERE, connection, facts, message, record, stuck

from dissector.model import Connection, Mark, Message, Outcome, Role
from dissector.session.life import AnswerState, CommandState
from dissector.session.outcomes import outcome
from dissector.session.task import TaskFacts
from dissector.session.verdict import (
    closed_by,
    end_mark,
    got_through,
    has_hole,
    is_answer_missing,
    is_fin,
    is_incomplete,
    is_refused,
    is_rejected,
    is_unheard,
    may_have_ended,
    one_sided,
    stuck_side,
    stuck_tries,
    unreachables,
    waited,
)
from dissector.traffic import IcmpError, Side

NOW = 300 * SECOND


def icmp(time: int, reason: str = "host unreachable") -> IcmpError:
    return IcmpError(40, time, b"\x0a\1\0\1", reason, b"", 0, b"", 0, 0)


def command_of(made: TaskFacts) -> Connection:
    assert made.record.command is not None
    return made.record.command


# --- connections -----------------------------------------------------------------------------------------------------


def test_the_first_end_counts_and_who_sent_it() -> None:
    one = connection()
    assert (end_mark(one), closed_by(one)) == (None, None)
    for side, kind in ((HERE, "fin"), (HERE, "rst"), (THERE, "fin"), (THERE, "rst")):
        one = connection()
        first = Mark(5, SECOND)
        setattr(one.sides[side], kind, first)
        one.sides[side.other].fin = Mark(6, 0)  # by its number, not by its time
        assert (end_mark(one), closed_by(one)) == (first, side)
        assert is_fin(one, first) is (kind == "fin")
    assert is_fin(one, Mark(6, 0))


@pytest.mark.parametrize("side", [HERE, THERE])
def test_a_reset_from_outside_of_the_stream_ends_nothing(side: Side) -> None:
    one = connection()
    one.sides[side].rst, one.sides[side].rst_outside = Mark(5, SECOND), True
    one.sides[side].fin = Mark(7, SECOND)
    assert end_mark(one) == Mark(7, SECOND)


@pytest.mark.parametrize(("side", "known"), [(HERE, False), (THERE, False), (None, True)])
def test_who_closed_is_not_known_where_one_end_was_not_captured(side: Side | None, known: bool) -> None:
    one = connection()
    one.sides[THERE].fin = Mark(5, SECOND)
    if side is not None:
        one.sides[side].packets = 0
    assert (closed_by(one) is THERE) is known


def test_whoever_refuses_a_syn_closed_it_though_he_sent_no_other_packet() -> None:
    one = connection(syn_acks=[], packets=2)
    one.sides[THERE].rst, one.sides[HERE].packets = Mark(5, SECOND), 0
    assert closed_by(one) is THERE


def test_data_that_a_router_reports_is_stuck_at_once() -> None:
    """With one try; by a word that came since."""
    for tries, time, reason, expected in (
        (1, 10 * SECOND, "host unreachable", HERE),
        (1, 10 * SECOND - 1, "host unreachable", None),
        (1, 10 * SECOND, "fragmentation needed", None),
        (0, 10 * SECOND, "host unreachable", None),
    ):
        one = stuck(tries)
        one.icmp = [icmp(time, reason)]
        assert stuck_side(one, 12 * SECOND) is expected
    assert unreachables(one) == one.icmp


def test_either_end_may_be_stuck() -> None:
    for side in Side:
        one, other = connection(Role.CALLBACK), stuck(3)
        for name in ("sent", "last_data", "retransmitted"):
            setattr(one.sides[side], name, getattr(other.sides[HERE], name))
        assert stuck_side(one, NOW) is side
        assert [mark.number for mark in stuck_tries(one, side, NOW)] == [11, 12, 13]
        one.sides[side.other].acked = 100
        assert stuck_side(one, NOW) is None


def test_a_hole_makes_an_end_stuck() -> None:
    one = stuck(0)
    one.sides[HERE].never_acknowledged = 5
    assert (has_hole(one, HERE, NOW), stuck_side(one, NOW)) == (True, HERE)
    one.sides[HERE].last_data = None
    assert (has_hole(one, HERE, NOW), stuck_tries(one, HERE, NOW)) == (False, [])


def test_what_is_incomplete() -> None:
    assert not is_incomplete(connection())
    flaws: tuple[dict[str, Any], ...] = ({"mid_stream": True}, {"gaps": 1}, {"snapped": 1})
    for flaw in flaws:
        assert is_incomplete(connection(**flaw))
    for side in Side:
        one = connection(bytes=1)
        assert not one_sided(one)
        one.sides[side].packets = 0
        assert one_sided(one)
        assert is_incomplete(one)
        one.bytes = 0
        assert not one_sided(one)


def test_when_a_connection_came_about() -> None:
    one = connection(syn_acks=[Mark(5, SECOND), Mark(6, 2 * SECOND)], first_packet=3, start=7)
    assert got_through(one) == Mark(5, SECOND)
    one.syn_acks = []
    assert got_through(one) == Mark(3, 7)


def test_what_is_refused() -> None:
    assert not is_refused(connection())
    assert is_refused(connection(icmp=[icmp(1)]))
    assert not is_refused(connection(icmp=[icmp(1, "fragmentation needed")]))
    one = connection()
    one.sides[THERE].rst = Mark(5, 1)
    assert is_refused(one)


# --- the start -------------------------------------------------------------------------------------------------------


def test_how_long_a_client_waited() -> None:
    made = facts(callback=False, start=SECOND)
    assert waited(made, 10 * SECOND) == 9 * SECOND
    command = command_of(made)
    command.closed, command.end = "timeout", 7 * SECOND
    assert waited(made, 10 * SECOND) == 6 * SECOND
    command.sides[THERE].fin = Mark(5, 5 * SECOND)
    assert waited(made, 10 * SECOND) == 4 * SECOND
    made.close = message(3 * SECOND)
    assert waited(made, 10 * SECOND) == 2 * SECOND
    made.start = None
    assert waited(made, 10 * SECOND) == 0
    made = facts(callback=False, start=SECOND)
    made.record.command = None
    assert waited(made, 10 * SECOND) == 9 * SECOND


def rejected(*, start: int | None = None, callback: bool = False, side: Side = THERE, **fields: object) -> bool:
    made = facts(callback=callback, start=start)
    command = command_of(made)
    command.sides[side].fin = Mark(5, SECOND)
    for name, value in fields.items():
        setattr(command, name, value)
    return is_rejected(made)


def test_a_remote_that_closed_without_a_byte() -> None:
    assert rejected()
    assert not rejected(side=HERE)
    assert not rejected(gaps=1)
    assert not rejected(callback=True)
    assert not rejected(mid_stream=True)
    assert rejected(mid_stream=True, start=0)
    made = facts(callback=False)
    command_of(made).sides[THERE].fin, command_of(made).sides[THERE].bytes = Mark(5, SECOND), 1
    assert not is_rejected(made)
    made.record.command = None
    assert not is_rejected(made)


def test_an_answer_that_the_capture_may_lack() -> None:
    made = facts(callback=False)
    assert not is_answer_missing(made)  # it is there
    made.start_answer = None
    assert not is_answer_missing(made)  # nothing came
    command_of(made).sides[THERE].bytes = 1
    assert is_answer_missing(made)
    command_of(made).sides[THERE].bytes, command_of(made).gaps = 0, 1
    assert is_answer_missing(made)
    made.record.command = None
    assert not is_answer_missing(made)


def test_a_command_connection_that_was_never_opened() -> None:
    made = facts(callback=False, start=None)
    command = command_of(made)
    command.syn_acks = []
    assert outcome(made, SECOND) is Outcome.RUNNING
    command.sides[THERE].rst, command.packets, command.sides[THERE].packets = Mark(5, SECOND), 2, 1
    assert outcome(made, SECOND) is Outcome.UNREACHABLE
    command.syns = []
    assert outcome(made, SECOND) is Outcome.UNKNOWN


def test_a_refused_start_comes_first() -> None:
    made = facts()
    made.life.command = CommandState.REFUSED
    assert outcome(made, NOW) is Outcome.REFUSED
    made = facts(callback=False)
    command_of(made).sides[THERE].fin = Mark(5, SECOND)
    assert outcome(made, NOW) is Outcome.REFUSED


# --- no callback -----------------------------------------------------------------------------------------------------


def stuck_command(made: TaskFacts) -> TaskFacts:
    """The client's last command is retransmitted three times from second 10 on."""
    sender, other = command_of(made).sides[HERE], stuck(3).sides[HERE]
    sender.sent, sender.last_data, sender.retransmitted = other.sent, other.last_data, other.retransmitted
    return made


def test_who_is_unheard() -> None:
    made = facts()
    assert not is_unheard(made, NOW)
    assert is_unheard(stuck_command(made), NOW)
    made = facts()
    sender, other = command_of(made).sides[THERE], stuck(3).sides[HERE]
    sender.sent, sender.last_data, sender.retransmitted = other.sent, other.last_data, other.retransmitted
    assert not is_unheard(made, NOW)
    made.record.command = None
    assert not is_unheard(made, NOW)


def test_before_a_callback_comes() -> None:
    made = facts(callback=False)
    made.intruder = connection(Role.CALLBACK)
    assert outcome(made, SECOND) is Outcome.NO_CALLBACK
    made = facts(callback=False, start=None)
    assert outcome(made, SECOND) is Outcome.UNKNOWN
    made = stuck_command(facts(callback=False))
    assert outcome(made, 60 * SECOND) is Outcome.NO_CALLBACK
    made.kill = message(20 * SECOND)
    assert outcome(made, 30 * SECOND) is Outcome.NO_CALLBACK  # nobody heard it
    made = facts(callback=False)
    made.kill = message(20 * SECOND)
    assert outcome(made, 30 * SECOND) is Outcome.KILLED
    made.close = message(60 * SECOND)
    assert outcome(made, 90 * SECOND) is Outcome.NO_CALLBACK


def attempt(syn: int | None = 0, *, reset: bool = False) -> Connection:
    one = connection(Role.CALLBACK, syn_acks=[])
    one.syns = [] if syn is None else [Mark(20, syn)]
    one.sides[THERE].rst = Mark(21, SECOND) if reset else None
    return one


@pytest.mark.parametrize(
    ("tries", "word"),
    [
        ([attempt(NOW)], Outcome.RUNNING),
        ([attempt(NOW), attempt(NOW - 4 * SECOND)], Outcome.NO_CALLBACK),
        ([attempt(NOW), attempt(NOW, reset=True)], Outcome.NO_CALLBACK),
        ([attempt(None)], Outcome.RUNNING),
    ],
)
def test_one_hopeless_attempt_is_enough(tries: list[Connection], word: Outcome) -> None:
    made = facts(callback=False)
    made.attempts = tries
    assert outcome(made, NOW) is word


@pytest.mark.parametrize(
    ("cut", "kill", "word"),
    [
        (55 * SECOND, False, Outcome.UNKNOWN),
        (55 * SECOND + 1, False, Outcome.NO_CALLBACK),
        (None, False, Outcome.NO_CALLBACK),
        (SECOND, True, Outcome.NO_CALLBACK),
    ],
)
def test_what_the_snap_length_cut_off_may_have_been_a_kill(cut: int | None, kill: bool, word: Outcome) -> None:
    made = facts(callback=False)
    made.attempts, made.cut_command = [attempt(reset=True)], cut
    made.kill = message(60 * SECOND) if kill else None
    assert outcome(made, NOW) is word


def test_who_left_without_a_callback() -> None:
    """By the end of the command connection; the answer to the start may be what the capture lacks."""
    made = facts(callback=False)
    command_of(made).sides[HERE].fin = Mark(20, 20 * SECOND)
    assert outcome(made, NOW) is Outcome.NO_CALLBACK
    made.start_answer, command_of(made).gaps = None, 1
    assert outcome(made, NOW) is Outcome.UNKNOWN
    made.close = message(60 * SECOND)
    assert outcome(made, NOW) is Outcome.NO_CALLBACK
    made.close = message(30 * SECOND)
    assert outcome(made, NOW) is Outcome.UNKNOWN


# --- with a callback -------------------------------------------------------------------------------------------------


def with_end(side: Side = HERE, **fields: object) -> tuple[TaskFacts, Connection]:
    """The callback connection was closed at second 9 by one side."""
    made = facts()
    _, callback = record(made)
    callback.sides[side].fin = Mark(50, 9 * SECOND)
    for name, value in fields.items():
        setattr(callback if hasattr(callback, name) else made, name, value)
    return made, callback


def test_of_one_direction_nothing_is_known() -> None:
    made, callback = with_end(released=message(8 * SECOND), bytes=1)
    callback.sides[THERE].packets = 0
    assert outcome(made, NOW) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("side", "ended", "word"),
    [(THERE, True, Outcome.SUCCESS), (HERE, True, Outcome.LOST), (THERE, False, Outcome.RUNNING)],
)
def test_a_release_that_was_not_answered_counts_when_the_client_left(side: Side, ended: bool, word: Outcome) -> None:
    made, callback = with_end(side, release=message(8 * SECOND))
    if not ended:
        callback.sides[side].fin = None
    assert outcome(made, NOW) is word


def test_a_kill_counts_until_the_release() -> None:
    for time, word in ((8 * SECOND, Outcome.KILLED), (8 * SECOND + 1, Outcome.SUCCESS)):
        made, _ = with_end(THERE, release=message(8 * SECOND), kill=message(time))
        assert outcome(made, NOW) is word
    made, _ = with_end(THERE, release=message(8 * SECOND), kill=message(7 * SECOND))
    assert outcome(stuck_command(made), NOW) is Outcome.SUCCESS  # nobody heard it


def test_a_kill_that_nobody_heard_killed_nothing() -> None:
    made, _ = with_end(kill=message(8 * SECOND))
    assert outcome(made, NOW) is Outcome.KILLED
    assert outcome(stuck_command(made), NOW) is Outcome.LOST
    made, callback = with_end(kill=message(8 * SECOND))
    callback.sides[HERE].sent, callback.sides[HERE].last_data = 100, Mark(10, 8 * SECOND)
    callback.sides[HERE].retransmitted = [Mark(number, 8 * SECOND) for number in (11, 12, 13)]
    assert outcome(made, NOW) is Outcome.LOST  # its data did not get through


@pytest.mark.parametrize(
    ("snapped", "calls", "word"), [(1, 0, Outcome.UNKNOWN), (1, 1, Outcome.LOST), (0, 0, Outcome.LOST)]
)
def test_of_a_callback_that_was_cut_off_the_release_is_not_known(snapped: int, calls: int, word: Outcome) -> None:
    made, _ = with_end(snapped=snapped)
    made.record.counts.calls = calls
    assert outcome(made, NOW) is word


@pytest.mark.parametrize(("snapped", "word"), [(1, Outcome.UNKNOWN), (0, Outcome.LOST)])
def test_of_an_answer_whose_request_was_cut_off_the_release_is_not_known(snapped: int, word: Outcome) -> None:
    made, _ = with_end(snapped=snapped, undecoded=[message(8 * SECOND)])
    made.record.counts.calls = 1
    assert outcome(made, NOW) is word


@pytest.mark.parametrize(
    ("side", "gaps", "word"),
    [(THERE, 1, Outcome.UNKNOWN), (THERE, 0, Outcome.LOST), (HERE, 1, Outcome.UNKNOWN), (HERE, 0, Outcome.LOST)],
)
def test_of_a_callback_with_holes_the_release_is_not_known(side: Side, gaps: int, word: Outcome) -> None:
    assert outcome(with_end(side, gaps=gaps)[0], NOW) is word
    if gaps:
        assert outcome(with_end(side, gaps=gaps, begin_refused=message(SECOND))[0], NOW) is Outcome.FAILURE


@pytest.mark.parametrize(("cut", "word"), [(9 * SECOND, Outcome.UNKNOWN), (9 * SECOND + 1, Outcome.LOST)])
def test_a_lost_callback_behind_a_cut_command_may_have_been_killed(cut: int, word: Outcome) -> None:
    assert outcome(with_end(cut_command=cut)[0], NOW) is word


def released(**fields: object) -> TaskFacts:
    made, _ = with_end(THERE, released=message(8 * SECOND))
    for name, value in fields.items():
        setattr(made.record if hasattr(made.record, name) else made, name, value)
    return made


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, Outcome.SUCCESS),
        ({"exit_code": 1}, Outcome.FAILURE),
        ({"exit_code": 0}, Outcome.SUCCESS),
        ({"signal": 9}, Outcome.FAILURE),
        ({"client_error": message(SECOND)}, Outcome.FAILURE),
        ({"begin_refused": message(SECOND)}, Outcome.FAILURE),
        ({"result": message(SECOND)}, Outcome.UNKNOWN),
        ({"result": message(SECOND), "exit_code": 0}, Outcome.SUCCESS),
        ({"result": message(SECOND), "exit_code": 0, "result_odd": True}, Outcome.UNKNOWN),
        ({"kill": message(SECOND), "exit_code": 1}, Outcome.KILLED),
    ],
)
def test_how_a_job_went(fields: dict[str, object], word: Outcome) -> None:
    assert outcome(released(**fields), NOW) is word


def test_a_job_whose_proof_does_not_hold() -> None:
    made = released()
    made.proof.state = AnswerState.UNSETTLED
    assert outcome(made, NOW) is Outcome.UNKNOWN


# --- not ended -------------------------------------------------------------------------------------------------------


def test_what_runs() -> None:
    assert outcome(facts(), NOW) is Outcome.RUNNING
    made = facts()
    made.kill = message(SECOND)
    assert outcome(made, NOW) is Outcome.KILLED
    assert outcome(stuck_command(made), NOW) is Outcome.LOST
    made = facts()
    made.close = message(SECOND)
    assert outcome(made, NOW) is Outcome.RUNNING
    assert outcome(stuck_command(made), NOW) is Outcome.LOST
    made = stuck_command(facts())
    assert outcome(made, NOW) is Outcome.RUNNING  # nobody asked for its end


def closed_at(close: Message | None, answer: Message | None, end: int) -> Outcome:
    made = facts()
    made.close, made.close_answer = close, answer
    record(made)[1].end = end
    return outcome(made, NOW)


def test_a_process_that_is_gone_without_an_end() -> None:
    close, other = message(9 * SECOND), message(9 * SECOND)
    answer = message(10 * SECOND, request=close)
    assert closed_at(close, answer, 10 * SECOND) is Outcome.LOST
    assert closed_at(close, answer, 10 * SECOND + 1) is Outcome.RUNNING
    assert closed_at(other, answer, 10 * SECOND) is Outcome.RUNNING
    assert closed_at(close, None, 10 * SECOND) is Outcome.RUNNING


@pytest.mark.parametrize(
    ("cut", "ended", "word"),
    [(SECOND, True, Outcome.UNKNOWN), (SECOND, False, Outcome.RUNNING), (None, True, Outcome.RUNNING)],
)
def test_a_remote_that_left_behind_a_cut_command(cut: int | None, ended: bool, word: Outcome) -> None:
    made = facts()
    made.cut_command = cut
    command_of(made).sides[THERE].fin = Mark(20, 2 * SECOND) if ended else None
    assert outcome(made, NOW) is word


@pytest.mark.parametrize(
    ("sent", "lost_to", "end_acked", "answer", "may"),
    [
        (10, 0, 11, None, True),  # one byte more than was captured: a FIN
        (11, 0, 11, None, False),  # it came later
        (10, 10, 0, None, True),  # the last bytes
        (11, 10, 0, None, False),  # others came behind them
        (0, 0, 0, None, False),
        (10, 0, 11, 6, True),  # the other end said something before ...
        (10, 0, 11, 7, False),  # ... or goes on
    ],
)
def test_an_end_that_was_acknowledged(sent: int, lost_to: int, end_acked: int, answer: int | None, may: bool) -> None:
    made = connection()
    side = made.sides[THERE]
    side.sent, side.lost_to, side.end_acked, side.lost_by = sent, lost_to, end_acked, 7
    made.sides[HERE].last_data = None if answer is None else Mark(answer, 0)
    assert may_have_ended(made, THERE) is may
    side.fin = Mark(9, 0)
    assert not may_have_ended(made, THERE)


@pytest.mark.parametrize(("packet", "closer"), [(6, HERE), (7, None)])
def test_who_closed_is_open_when_the_other_end_may_have(packet: int, closer: int | None) -> None:
    made = connection()
    made.sides[HERE].fin = Mark(packet, 0)
    made.sides[THERE].end_acked, made.sides[THERE].lost_by = 1, 7
    assert closed_by(made) == closer
