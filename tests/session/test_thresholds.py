"""Every number of the session that decides something, from both sides: what still is, and what is no more."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from kit import ACK, HEALTHY, RST, SYN, Story, nanoseconds, packets_of, trace
from parts import CLIENT, HERE, MS, REMOTE, SECOND, THERE, connection, facts, lost, message, record, stuck

from dissector.model import Connection, Endpoint, Mark, Outcome, Problem, Role, Severity, Task
from dissector.session import calling, command_loss, detect, rules_startup, running
from dissector.session.case import Case, after_silence
from dissector.session.clock import grain
from dissector.session.dialog import Dialog
from dissector.session.hosts import Hosts
from dissector.session.join import Joiner, is_probe
from dissector.session.life import JoinState, Life, WatchState
from dissector.session.opened import OpenTasks
from dissector.session.outcomes import outcome
from dissector.session.quality import capture, port
from dissector.session.reset_origin import by_device
from dissector.session.rules_disconnect import callback_lost
from dissector.session.slow import SlowCallbacks
from dissector.session.slowness import slowness
from dissector.session.task import TaskFacts
from dissector.session.timers import Timers
from dissector.session.tracer import Tracer
from dissector.session.verdict import has_hole, stuck_side
from dissector.traffic import Frame, Packet, Side
from dissector.wire import messages as wire
from dissector.wire.decode import encode

# --- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("now", "expected"), [(3 * SECOND, Outcome.RUNNING), (3 * SECOND + 1, Outcome.UNREACHABLE)])
def test_patience_with_the_syn_of_a_command(now: int, expected: Outcome) -> None:
    made = facts(callback=False, start=None)
    assert made.record.command is not None
    made.record.command.syns, made.record.command.syn_acks = [Mark(1, 0), Mark(2, 0)], []
    assert outcome(made, now) is expected


@pytest.mark.parametrize(("now", "expected"), [(3 * SECOND, Outcome.RUNNING), (3 * SECOND + 1, Outcome.NO_CALLBACK)])
def test_patience_with_the_syn_of_a_callback(now: int, expected: Outcome) -> None:
    made = facts(callback=False)
    made.attempts.append(connection(Role.CALLBACK, syns=[Mark(4, 0), Mark(5, 0)], syn_acks=[]))
    assert outcome(made, now) is expected


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        (55 * SECOND - 1, Outcome.UNKNOWN),
        (55 * SECOND, Outcome.NO_CALLBACK),
        (75 * SECOND, Outcome.NO_CALLBACK),
        (75 * SECOND + 1, Outcome.UNKNOWN),
    ],
)
def test_when_a_client_gives_up(close: int, expected: Outcome) -> None:
    made = facts(callback=False)
    made.close = message(close)
    assert outcome(made, close) is expected


@pytest.mark.parametrize(("now", "expected"), [(75 * SECOND, Outcome.RUNNING), (75 * SECOND + 1, Outcome.UNKNOWN)])
def test_how_long_a_callback_may_still_come(now: int, expected: Outcome) -> None:
    assert outcome(facts(callback=False), now) is expected


@pytest.mark.parametrize(("kill", "expected"), [(55 * SECOND - 1, Outcome.KILLED), (55 * SECOND, Outcome.NO_CALLBACK)])
def test_a_kill_behind_the_time_is_the_client_giving_up(kill: int, expected: Outcome) -> None:
    made = facts(callback=False)
    made.close = made.kill = message(kill)
    assert outcome(made, kill) is expected


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        (10 * SECOND, 12 * SECOND, Outcome.RUNNING),
        (10 * SECOND, 12 * SECOND + 1, Outcome.LOST),
        (8 * SECOND, 12 * SECOND, Outcome.RUNNING),
        (8 * SECOND - 1, 12 * SECOND, Outcome.LOST),
        (10 * SECOND + 1, 60 * SECOND, Outcome.RUNNING),
    ],
)
def test_patience_with_the_end_of_a_process_that_is_gone(last: int, now: int, expected: Outcome) -> None:
    made = facts()
    made.close = message(9 * SECOND)
    made.close_answer = message(10 * SECOND, request=made.close)
    record(made)[1].end = last
    assert outcome(made, now) is expected


@pytest.mark.parametrize(
    ("tries", "now", "side"),
    [(3, 12 * SECOND, HERE), (2, 12 * SECOND, None), (3, 12 * SECOND - 1, None), (1, 100 * SECOND, None)],
)
def test_when_data_is_stuck(tries: int, now: int, side: Side | None) -> None:
    assert stuck_side(stuck(tries), now) is side


def test_retransmissions_of_earlier_data_are_no_tries() -> None:
    made = stuck(3)
    again = made.sides[HERE].retransmitted[1:]
    made.sides[HERE].retransmitted = (Mark(10, 9 * SECOND), *again)
    assert stuck_side(made, 60 * SECOND) is None
    made.sides[HERE].retransmitted = (Mark(11, 9 * SECOND), *again)
    assert stuck_side(made, 60 * SECOND) is HERE


def test_data_is_stuck_only_where_the_other_end_was_captured() -> None:
    made = stuck(3)
    made.sides[THERE].packets = 0
    assert stuck_side(made, 60 * SECOND) is None
    made.sides[THERE].packets, made.sides[THERE].acked = 1, 100
    assert stuck_side(made, 60 * SECOND) is None


@pytest.mark.parametrize(
    ("lost", "tries", "now", "hole"),
    [
        (1, 0, 20 * SECOND, False),
        (1, 0, 20 * SECOND + 1, True),
        (1, 2, 20 * SECOND + 1, True),
        (1, 3, 20 * SECOND + 1, False),
        (0, 0, 60 * SECOND, False),
    ],
)
def test_when_a_hole_will_not_be_filled(lost: int, tries: int, now: int, hole: bool) -> None:
    made = stuck(tries)
    made.sides[HERE].never_acknowledged = lost
    assert has_hole(made, HERE, now) is hole


@pytest.mark.parametrize(("lost_by", "hole"), [(9, True), (10, False)])
def test_what_the_capture_lacks_of_the_other_end_may_have_acknowledged_it(lost_by: int, hole: bool) -> None:
    made = stuck(0)
    made.sides[HERE].never_acknowledged, made.sides[THERE].lost_by = 1, lost_by
    assert has_hole(made, HERE, 21 * SECOND) is hole


def ended(**fields: object) -> tuple[TaskFacts, Connection]:
    """A task whose process closed its connection at second 9 without a release, in a capture that lacks something."""
    made = facts()
    callback = record(made)[1]
    callback.gaps, callback.sides[HERE].fin = 1, Mark(50, 9 * SECOND)
    for name, value in fields.items():
        setattr(callback if hasattr(callback, name) else made, name, value)
    return made, callback


def test_a_process_that_closed_with_nothing_open_may_have_been_released() -> None:
    made, callback = ended()
    assert outcome(made, 60 * SECOND) is Outcome.UNKNOWN
    made.client_error = message(8 * SECOND)
    assert outcome(made, 60 * SECOND) is Outcome.FAILURE
    made, callback = ended(gaps=0, mid_stream=True)
    assert outcome(made, 60 * SECOND) is Outcome.UNKNOWN
    assert callback.mid_stream


def test_a_process_that_closed_with_something_open_is_lost() -> None:
    assert outcome(ended(release=message(8 * SECOND))[0], 60 * SECOND) is Outcome.LOST
    assert outcome(ended(open_requests=[message(8 * SECOND)])[0], 60 * SECOND) is Outcome.LOST
    assert outcome(ended(gaps=0)[0], 60 * SECOND) is Outcome.LOST
    made, callback = ended()
    callback.sides[HERE].fin, callback.sides[HERE].rst = None, Mark(50, 9 * SECOND)
    assert outcome(made, 60 * SECOND) is Outcome.LOST
    callback.sides[HERE].fin_counted = True
    assert outcome(made, 60 * SECOND) is Outcome.UNKNOWN, "its FIN was not captured"


@pytest.mark.parametrize(("gaps", "expected"), [(0, Outcome.LOST), (1, Outcome.UNKNOWN)])
def test_a_client_that_closed_without_a_release(gaps: int, expected: Outcome) -> None:
    made, callback = ended(gaps=gaps)
    callback.sides[HERE].fin, callback.sides[THERE].rst = None, Mark(50, 9 * SECOND)
    assert outcome(made, 60 * SECOND) is expected


@pytest.mark.parametrize(("kill", "expected"), [(9 * SECOND, Outcome.KILLED), (9 * SECOND + 1, Outcome.UNKNOWN)])
def test_a_kill_counts_until_the_end_of_the_connection(kill: int, expected: Outcome) -> None:
    assert outcome(ended(kill=message(kill))[0], 60 * SECOND) is expected


@pytest.mark.parametrize(("kill", "expected"), [(8 * SECOND, Outcome.KILLED), (8 * SECOND + 1, Outcome.SUCCESS)])
def test_a_kill_counts_until_the_client_left(kill: int, expected: Outcome) -> None:
    """Its release was answered: what it asked for later changed nothing."""
    made, _ = ended(kill=message(kill), released=message(8 * SECOND))
    assert outcome(made, 60 * SECOND) is expected


@pytest.mark.parametrize(
    ("exit_code", "odd", "expected"), [(0, False, "success"), (0, True, "unknown"), (3, False, "failure")]
)
def test_the_result_of_a_job_decides(exit_code: int, odd: bool, expected: str) -> None:
    made, _ = ended(released=message(8 * SECOND), result=message(7 * SECOND), result_odd=odd)
    made.record.exit_code = exit_code
    assert outcome(made, 60 * SECOND).value == expected


def test_milliseconds_of_a_path_are_told_exactly() -> None:
    made = facts()
    _, callback = record(made)
    made.record.outcome, made.record.command = Outcome.SUCCESS, None
    callback.syn_acks, callback.end = [Mark(2, 600 * SECOND)], 700 * SECOND
    made.record.counts.calls = 1
    (problem,) = slowness(Case(made, 700 * SECOND))
    assert " over a path of 600000 ms there and back: about 600.0 s of 700.0 s." in problem.summary


# --- who ended it -----------------------------------------------------------------------------------------------------


def counted(reset_id: int, packets: int = 10, **fields: object) -> tuple[Connection, Mark]:
    """The client has counted its packets from 65,000 to 65,010 and was reset in its name with this IP id."""
    made = connection()
    sender = made.sides[HERE]
    made.syns = [Mark(1, 0, 64, 65_000)]
    sender.packets, sender.first_data, sender.last_data = packets, Mark(4, 1, 64, 65_003), Mark(9, 2, 64, 65_010)
    sender.rst = Mark(20, SECOND, 64, reset_id % 2**16)
    for name, value in fields.items():
        setattr(sender, name, value)
    return made, sender.rst


@pytest.mark.parametrize(
    ("reset_id", "forged"),
    [(65_010, True), (65_011, False), (65_010 + 10 + 256, False), (65_010 + 10 + 257, True), (65_009, True)],
)
def test_how_far_an_ip_id_may_have_gone_on(reset_id: int, forged: bool) -> None:
    made, reset = counted(reset_id)
    assert by_device(made, HERE, reset) is forged


def test_who_does_not_count_or_knows_no_connection_is_not_caught_by_the_ip_id() -> None:
    made, reset = counted(31_000, rst_unknown=True)
    assert not by_device(made, HERE, reset)
    made, reset = counted(31_000)
    made.syns = [Mark(1, 0, 64, 3_000)]
    assert not by_device(made, HERE, reset)
    made, reset = counted(31_000, last_data=None)
    assert not by_device(made, HERE, reset)


@pytest.mark.parametrize(("late", "forged"), [(Mark(21, SECOND, 64, 64_000), True), (Mark(19, 1, 64, 64_000), False)])
def test_data_behind_a_reset_proves_it_forged(late: Mark, forged: bool) -> None:
    made, reset = counted(65_011, late_data=late)
    assert by_device(made, HERE, reset) is forged


def told(made: TaskFacts, now: int = 60 * SECOND) -> list[str]:
    return [problem.code for problem in callback_lost(Case(made, now))]


@pytest.mark.parametrize(("size", "told_of"), [(536, True), (535, False), (None, False)])
def test_how_large_a_segment_is_that_may_not_pass(size: int | None, told_of: bool) -> None:
    assert ("path_mtu" in told(lost(smallest_retransmitted=size))) is told_of


def silent(idle: int, *, alive: bool) -> TaskFacts:
    """The first try of the bytes that nobody acknowledges came so long after the client's last packet."""
    made = lost()
    command, callback = record(made)
    callback.sides[THERE].last = Mark(8, 11 * SECOND - idle)
    if alive:
        command.sides[HERE].last = Mark(15, 11 * SECOND)
    return made


@pytest.mark.parametrize(
    ("idle", "alive", "code"),
    [
        (5 * SECOND - 1, True, "connection_lost"),
        (5 * SECOND, True, "idle_connection_cut"),
        (20 * SECOND - 1, False, "connection_lost"),
        (20 * SECOND, False, "idle_connection_cut"),
    ],
)
def test_how_long_an_idle_connection_was_silent(idle: int, alive: bool, code: str) -> None:
    assert told(silent(idle, alive=alive)) == [code]


def test_the_other_connection_lives_when_it_speaks_at_the_same_time_or_later() -> None:
    made = silent(5 * SECOND, alive=True)
    record(made)[0].sides[HERE].last = Mark(15, 11 * SECOND - 1)
    assert told(made) == ["connection_lost"]


def ended_by_process(command_end: int, **fields: object) -> list[Problem]:
    """The task process closed the callback at second 30; the remote the command connection at another time."""
    made = facts()
    made.record.outcome = Outcome.LOST
    command, callback = record(made)
    callback.sides[HERE].fin = Mark(50, 30 * SECOND)
    command.sides[THERE].fin = Mark(51 if command_end >= 30 * SECOND else 49, command_end)
    for name, value in fields.items():
        setattr(command, name, value)
    return list(callback_lost(Case(made, 60 * SECOND)))


@pytest.mark.parametrize(
    ("end", "together"),
    [(35 * SECOND, True), (35 * SECOND + 1, False), (25 * SECOND, True), (25 * SECOND - 1, False)],
)
def test_how_close_the_ends_of_a_scheduler_that_ended_are(end: int, together: bool) -> None:
    (problem,) = ended_by_process(end)
    assert ("both connections ended with it" in problem.cause) is together


def test_a_command_connection_with_holes_tells_nothing_of_its_end() -> None:
    (problem,) = ended_by_process(30 * SECOND, gaps=1)
    assert "both connections" not in problem.cause


def cut(idle: int, *, end: int = 100 * SECOND, **fields: object) -> list[Problem]:
    """The callback connection was reset in the client's name after a silence; its other packets know better."""
    made = facts()
    made.record.outcome = Outcome.LOST
    command, callback = record(made)
    callback.sides[THERE].rst, callback.idle_before_end = Mark(50, end), idle
    for name, value in fields.items():
        setattr(command.sides[HERE], name, value)
    return list(callback_lost(Case(made, 200 * SECOND)))


@pytest.mark.parametrize(("idle", "code"), [(20 * SECOND, "idle_connection_cut"), (20 * SECOND - 1, "connection_lost")])
def test_a_reset_after_a_long_silence_of_who_goes_on(idle: int, code: str) -> None:
    (problem,) = cut(idle, last_data=Mark(60, 100 * SECOND + 1))
    assert problem.code == code


def test_who_sent_nothing_behind_the_reset_does_not_go_on() -> None:
    (problem,) = cut(20 * SECOND, last_data=Mark(40, 100 * SECOND))
    assert problem.code == "connection_lost"


@pytest.mark.parametrize(("later", "code"), [(SECOND, "idle_connection_cut"), (SECOND - 1, "connection_lost")])
def test_who_closes_in_order_a_second_later_has_not_ended(later: int, code: str) -> None:
    (problem,) = cut(20 * SECOND, fin=Mark(60, 100 * SECOND + later))
    assert problem.code == code


@pytest.mark.parametrize(("tried", "said"), [(1, "after 30 s of silence"), (0, ".")])
def test_a_last_try_right_before_a_reset_does_not_end_the_silence(tried: int, said: str) -> None:
    made = facts()
    made.record.outcome = Outcome.LOST
    _, callback = record(made)
    callback.sides[HERE].rst, callback.idle_before_end = Mark(50, 100 * SECOND), 0
    callback.silence, callback.silence_end = 30 * SECOND, Mark(49, 99 * SECOND + tried)
    (problem,) = callback_lost(Case(made, 200 * SECOND))
    assert problem.summary.endswith(f"{said}." if tried else said)
    assert ("silence" in problem.summary) is bool(tried)


# --- the start, and the end of the command connection ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "reset", "code"),
    [(2 * SECOND, False, "command_rejected"), (2 * SECOND + 1, False, "start_cut"), (SECOND, True, "start_cut")],
)
def test_how_soon_a_remote_rejects(end: int, reset: bool, code: str) -> None:
    """Counted from the answer to the SYN, which came at 1,000 ns."""
    made = facts(callback=False, start=None)
    assert made.record.command is not None
    made.record.outcome = Outcome.REFUSED
    server, mark = made.record.command.sides[THERE], Mark(5, end + 1_000, 64, 2)
    if reset:
        server.rst = mark
    else:
        server.fin = mark
    (problem,) = rules_startup.command(Case(made, end))
    assert problem.code == code
    assert ("1.0 s after it was opened" in problem.summary) is reset


@pytest.mark.parametrize(("ago", "answers"), [(60 * SECOND, True), (60 * SECOND + 1, False)])
def test_how_lately_a_port_answered_that_is_not_down(ago: int, answers: bool) -> None:
    made = facts(callback=False, start=None)
    command = made.record.command
    assert command is not None
    made.record.outcome, command.syn_acks, command.start = Outcome.UNREACHABLE, [], 100 * SECOND
    case = Case(made, 200 * SECOND)
    other = connection()
    other.sides[THERE].last = Mark(1, 100 * SECOND - ago)
    case.hosts.note(other)
    (problem,) = rules_startup.command(case)
    assert ("answers other connections" in problem.cause) is answers


@pytest.mark.parametrize(("late", "codes"), [(5 * SECOND, ["slow_start"]), (5 * SECOND - 1, [])])
def test_from_when_on_a_callback_came_late(late: int, codes: list[str]) -> None:
    made = facts()
    record(made)[1].syn_acks = [Mark(2, late)]
    assert [problem.code for problem in calling.callback(Case(made, late))] == codes
    assert list(calling.callback(Case(made, late, grain=1))) == []


@pytest.mark.parametrize(("now", "codes"), [(70 * SECOND, ["open_call"]), (70 * SECOND - 1, [])])
def test_from_when_on_an_open_call_is_told_of(now: int, codes: list[str]) -> None:
    made = facts()
    made.record.outcome = Outcome.RUNNING
    made.open_requests = [message(10 * SECOND)]
    assert [problem.code for problem in running.open_call(Case(made, now))] == codes


@pytest.mark.parametrize(
    ("reset", "went_on", "codes"),
    [
        (False, SECOND // 2, ["command_lost_first"]),
        (False, SECOND // 2 - 1, []),
        (True, 0, ["command_lost_first"]),
        (True, -1, []),
    ],
)
def test_how_long_a_task_goes_on_without_a_command_connection_that_was_lost_first(
    reset: bool, went_on: int, codes: list[str]
) -> None:
    made = facts()
    command, callback = record(made)
    mark = Mark(20, 10 * SECOND, 64, 1)
    if reset:
        command.sides[HERE].rst = mark
    else:
        command.sides[HERE].fin = mark
    callback.sides[HERE].fin = Mark(21, 10 * SECOND + went_on)
    assert [problem.code for problem in command_loss.command_lost(Case(made, 60 * SECOND))] == codes


@pytest.mark.parametrize(("later", "goes_on"), [(SECOND // 2, True), (SECOND // 2 - 1, False)])
def test_a_client_that_goes_on_with_the_callback_has_not_ended(later: int, goes_on: bool) -> None:
    made = facts()
    command, callback = record(made)
    command.sides[HERE].fin, callback.end = Mark(20, 10 * SECOND, 64, 1), 30 * SECOND
    callback.sides[THERE].last_data = Mark(25, 10 * SECOND + later)
    (problem,) = command_loss.command_lost(Case(made, 60 * SECOND))
    assert ("it goes on with the callback connection (packet 25)" in problem.cause) is goes_on


@pytest.mark.parametrize(("idle", "words"), [(SECOND, " after 1 s of silence"), (SECOND - 1, "")])
def test_which_silence_is_worth_telling(idle: int, words: str) -> None:
    assert after_silence(idle) == words


# --- joining ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pause", "same"), [(0, True), (2 * SECOND, True), (2 * SECOND + 1, False), (-1, False)])
def test_how_soon_a_probe_tries_again(pause: int, same: bool) -> None:
    failed, probe = connection(end=10 * SECOND), connection(start=10 * SECOND + pause)
    assert is_probe(failed, probe) is same


def test_a_probe_is_of_the_same_host_to_the_same_port() -> None:
    failed = connection(end=10)
    assert is_probe(failed, connection(start=10, client=Endpoint(CLIENT, 40_001)))
    for other in ("10.1.0.11", "10.1.0.09"):
        assert not is_probe(failed, connection(start=10, client=Endpoint(other, 40_000)))
    assert not is_probe(failed, connection(start=10, server=Endpoint(REMOTE, 4_444)))


def waiting(**fields: object) -> Joiner:
    """One start, of the second 1, with port 59,999."""
    made = facts(callback=False, start=SECOND)
    for name, value in fields.items():
        setattr(made, name, value)
    joiner = Joiner((50_000, 59_999))
    joiner.announce(made)
    return joiner


def called(joiner: Joiner, host: str = CLIENT, number: int | None = 55_000, time: int = SECOND) -> bool:
    """True when a connection from the remote to another place is taken for the callback."""
    to = Endpoint(host, number)
    return joiner.elsewhere(connection(Role.CALLBACK, server=to, start=time)) is not None


@pytest.mark.parametrize(
    ("host", "number", "fits"),
    [
        (CLIENT, 50_000, True),
        (CLIENT, 59_999, True),
        (CLIENT, 49_999, False),
        (CLIENT, 60_000, False),
        (CLIENT, None, False),
        ("10.9.9.9", 59_999, True),
        ("10.9.9.9", 59_998, False),
    ],
)
def test_which_places_a_callback_may_go_to(host: str, number: int | None, fits: bool) -> None:
    assert called(waiting(), host, number) is fits


def test_a_callback_comes_behind_its_start() -> None:
    assert not called(waiting(), time=SECOND - 1)
    assert called(waiting(), time=SECOND)


def test_a_start_that_has_its_callback_or_was_tried_or_not_read_waits_for_none_elsewhere() -> None:
    assert not called(waiting(life=Life(join=JoinState.CONFIRMED)))
    assert not called(waiting(attempts=[connection(Role.CALLBACK)]))
    assert not called(waiting(start=None))


def test_of_two_starts_that_fit_none_is_taken() -> None:
    joiner = waiting()
    joiner.announce(facts(callback=False, start=SECOND))
    assert not called(joiner)


def test_a_command_connection_is_between_the_client_and_who_called() -> None:
    known = Task(0, 1, client=Endpoint(CLIENT, None), callback_peer=Endpoint(REMOTE, 50_000))
    known.callback = connection()
    tasks, made = OpenTasks(), TaskFacts(known)
    tasks.add(made)
    assert tasks.without_command(connection(), 9, kill=True) is made
    assert tasks.without_command(connection(client=Endpoint("10.1.0.11", 1)), 9, kill=True) is None
    assert tasks.without_command(connection(server=Endpoint("10.2.0.11", 4_455)), 9, kill=True) is None
    other = TaskFacts(Task(0, 1, client=Endpoint(CLIENT, None), callback_peer=Endpoint(REMOTE, 50_001)))
    tasks.add(other)
    assert tasks.without_command(connection(), 9, kill=True) is None  # one of two
    other.record.callback_peer = None
    tasks.changed(other)
    assert tasks.without_command(connection(), 9, kill=True) is made
    tasks.remove(made)
    assert tasks.without_command(connection(), 9, kill=True) is None


@pytest.mark.parametrize(("starts", "waits"), [(64, True), (65, False)])
def test_how_many_starts_with_one_port_are_told_apart(starts: int, waits: bool) -> None:
    joiner = Joiner((50_000, 59_999))
    made = [facts(callback=False) for _ in range(starts)]
    for one in made:
        one.record.callback_port = 59_000
        joiner.announce(one)
    assert [one.life.watch is WatchState.SUPERSEDED for one in made] == [True] * (starts - 1) + [False]
    for one in made[1:]:
        one.life.join = JoinState.CONFIRMED
    call = connection(Role.CALLBACK, server=Endpoint(CLIENT, 59_000), start=SECOND)
    assert joiner.announced(call) is (made[0] if waits else None)


# --- when things are final --------------------------------------------------------------------------------------------


def fed(story: Story) -> tuple[Tracer, Packet, list[object]]:
    tracer = Tracer(window=1)
    events: list[object] = []
    packets = packets_of(story.records)
    for packet in packets:
        events += tracer.feed(packet)
    return tracer, packets[-1], events


def finals(events: Iterable[object]) -> list[Outcome]:
    return [event.outcome for event in events if isinstance(event, Task)]


def test_a_connection_is_final_a_second_after_its_last_packet_and_its_task_with_the_first() -> None:
    story = Story().start().call_back().say(0.02).leave(1.0)
    story.close(1.5)
    tracer, last, events = fed(story)
    left = last.time - nanoseconds(0.5) - 440_000 + 5_000
    assert finals(events) == finals(tracer.tick(left + SECOND - 1)) == []
    assert finals(tracer.tick(left + SECOND)) == [Outcome.SUCCESS]
    assert tracer.tick(last.time + SECOND - 1) == []
    assert [type(event) for event in tracer.tick(last.time + SECOND)] == [Connection]


def test_a_refused_command_is_final_two_seconds_later() -> None:
    story = Story()
    story.command.packet(0, 0, SYN)
    story.command.packet(MS, 1, RST | ACK)
    tracer, last, events = fed(story)
    assert finals(events) == finals(tracer.tick(last.time + 2 * SECOND - 1)) == []
    assert finals(tracer.tick(last.time + 2 * SECOND)) == [Outcome.UNREACHABLE]


def test_a_task_without_a_callback_is_final_150_seconds_later() -> None:
    story = Story().start()
    story.command.finish(nanoseconds(60.0), 0)
    tracer, last, events = fed(story)
    assert finals(events) == finals(tracer.tick(last.time + 150 * SECOND - 1)) == []
    assert finals(tracer.tick(last.time + 150 * SECOND)) == [Outcome.NO_CALLBACK]


@pytest.mark.parametrize(("back", "told_of"), [(10 * MS, False), (10 * MS + 1, True)])
def test_how_far_a_clock_may_go_back(back: int, told_of: bool) -> None:
    story = Story().healthy().later(1.0)
    *packets, last = packets_of(story.records)
    found = trace([*packets, last._replace(time=packets[-1].time - back)])
    assert ("clock_backwards" in found.codes) is told_of


@pytest.mark.parametrize(("latency", "slow"), [(900 * MS, 1), (900 * MS - 1, 0)])
def test_from_when_on_a_callback_is_slow(latency: int, slow: int) -> None:
    made = facts()
    made.frame(message(SECOND, kind="answer", latency=latency))
    assert (len(made.slow_callbacks), made.callback_time) == (slow, latency)


@pytest.mark.parametrize(("latency", "certain"), [(1_900 * MS, 1), (1_900 * MS - 1, 0)])
def test_from_when_on_a_callback_is_slow_whatever_the_time_stamps(latency: int, certain: int) -> None:
    made = facts()
    made.frame(message(SECOND, kind="answer", latency=latency))
    assert [slow.certain for slow in made.slow_callbacks.values()] == [certain]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1, 2, 3, 4], SECOND),
        ([1, 2, 3], 0),
        ([1, 2, 3, 4.1], SECOND // 10),
        ([1, 2, 3, 4.11], SECOND // 100),
        ([1, 2, 3, 4.111], 0),
    ],
)
def test_how_coarse_time_stamps_are(times: list[float], expected: int) -> None:
    made = facts(callback=False)
    assert made.record.command is not None
    made.record.command.syns = [Mark(n, round(time * SECOND)) for n, time in enumerate(times)]
    made.record.command.syn_acks = []
    assert grain(made) == expected


# --- timers -----------------------------------------------------------------------------------------------------------


def warnings(made: TaskFacts, *times: int) -> list[list[Severity]]:
    made.record.n = 1
    timers = Timers(slow=10 * SECOND)
    return [[problem.severity for problem in timers.check([made], now)] for now in times]


def test_when_a_missing_callback_is_told() -> None:
    times = (5 * SECOND - 1, 5 * SECOND, 60 * SECOND - 1, 60 * SECOND, 61 * SECOND)
    assert warnings(facts(callback=False), *times) == [[], [Severity.WARNING], [], [Severity.ERROR], []]


def test_when_an_open_call_is_told() -> None:
    made = facts()
    made.start_answer = None
    made.record.callback = connection(Role.CALLBACK)
    made.dialog = Dialog(made.record.callback, THERE, iter(range(1, 99)).__next__)
    made.dialog.feed(Frame(THERE, 0, encode(HEALTHY[0][1]), (7,), SECOND))
    assert warnings(made, 11 * SECOND - 1, 11 * SECOND, 50 * SECOND) == [[], [Severity.INFO], []]


def test_of_a_task_without_a_number_or_that_is_over_nothing_is_told() -> None:
    assert Timers(slow=SECOND).check([facts(callback=False)], 90 * SECOND) == []
    made = facts(callback=False)
    record_ = made.record.command
    assert record_ is not None
    record_.over = True
    assert warnings(made, 90 * SECOND) == [[]]


# --- who was slow -----------------------------------------------------------------------------------------------------


def busy(total: int, *, client: int = 0, job: int = 0, trip: int = 0, calls: int = 0) -> list[str]:
    """Codes of a task that ran so long, with so much of it for the client, the job, and each trip."""
    made = facts()
    made.record.outcome = Outcome.SUCCESS
    _, callback = record(made)
    callback.end, callback.syn_acks = total, [Mark(2, trip, 64, 1)]
    made.record.command = None
    made.record.counts.calls = calls
    made.callback_time, made.call_time = client, client + job
    made.longest_call = message(SECOND, latency=job, member="step")
    return [problem.code for problem in slowness(Case(made, total))]


@pytest.mark.parametrize(
    ("total", "client", "codes"),
    [
        (10 * SECOND, 5 * SECOND, ["slow_call"]),
        (10 * SECOND, 5 * SECOND - 1, []),
        (6 * SECOND, 5 * SECOND - 1, []),
        (20 * SECOND, 10 * SECOND, ["slow_call"]),
        (20 * SECOND, 10 * SECOND - 1, []),
    ],
)
def test_from_when_on_the_client_took_the_most(total: int, client: int, codes: list[str]) -> None:
    assert busy(total, client=client) == codes


@pytest.mark.parametrize(
    ("total", "trip", "codes"),
    [
        (10 * SECOND, SECOND // 2, ["slow_network"]),
        (10 * SECOND, SECOND // 2 - 1, []),
        (6 * SECOND, SECOND // 2 - 1, []),
        (20 * SECOND, SECOND, ["slow_network"]),
        (20 * SECOND, SECOND - 1, []),
    ],
)
def test_from_when_on_the_network_took_the_most(total: int, trip: int, codes: list[str]) -> None:
    assert busy(total, trip=trip, calls=10) == codes


@pytest.mark.parametrize(
    ("total", "job", "codes"),
    [
        (1_200 * SECOND, 600 * SECOND, ["slow_job"]),
        (1_200 * SECOND, 600 * SECOND - 1, []),
        (700 * SECOND, 600 * SECOND - 1, []),
        (2_000 * SECOND, 1_000 * SECOND, ["slow_job"]),
        (2_000 * SECOND, 1_000 * SECOND - 1, []),
    ],
)
def test_from_when_on_the_job_took_the_most(total: int, job: int, codes: list[str]) -> None:
    assert busy(total, job=job) == codes


@pytest.mark.parametrize(
    ("number", "longest", "polls"),
    [(3, 1_200 * MS - 1, True), (2, 1_200 * MS - 1, False), (3, 1_200 * MS, False)],
)
def test_when_slow_callbacks_are_the_polling_of_a_client(number: int, longest: int, polls: bool) -> None:
    made = facts()
    made.slow_callbacks["log"] = SlowCallbacks(message(SECOND, member="log"), number, number, longest, [10])
    (problem,) = [one for one in slowness(Case(made, 9 * SECOND)) if one.code == "slow_call"]
    assert ("polls once a second" in problem.cause) is polls


def test_the_three_slowest_members_are_named() -> None:
    made = facts()
    for index in range(4):
        made.slow_callbacks[str(index)] = SlowCallbacks(
            message(SECOND, member=f"member{index}"), 1, 1, (index + 1) * SECOND, [index]
        )
    (problem,) = [one for one in slowness(Case(made, 9 * SECOND)) if one.code == "slow_call"]
    assert [f"member{index}" in problem.summary for index in range(4)] == [False, True, True, True]
    assert problem.summary.index("member3") < problem.summary.index("member1")


# --- quality of the capture -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("here", "there", "told_of"), [(3, 0, True), (1, 2, True), (1, 1, False), (2, 0, False)])
def test_how_many_retransmissions_are_worth_a_word(here: int, there: int, told_of: bool) -> None:
    made = facts()
    command, _ = record(made)
    command.sides[HERE].retransmissions, command.sides[THERE].retransmissions = here, there
    assert ("retransmissions" in [problem.code for problem in capture(Case(made, 0))]) is told_of


@pytest.mark.parametrize(("number", "low"), [(49_999, False), (50_000, True), (58_999, True), (59_000, False)])
def test_which_callback_ports_are_low(number: int, low: bool) -> None:
    made = facts()
    made.record.callback_port = number
    assert bool(list(port(Case(made, 0)))) is low


def test_the_eight_newest_connections_of_a_host_are_remembered() -> None:
    hosts = Hosts()
    made = [connection(server=Endpoint(REMOTE, 4_000 + index)) for index in range(9)]
    for index, one in enumerate(made):
        one.sides[THERE].last = Mark(index, (100 if index == 0 else 1) * SECOND)
        hosts.note(one)
        assert hosts.heard(REMOTE, 50 * SECOND) is (index < 8)


def test_a_host_is_heard_from_the_very_time_on_and_not_by_the_connection_itself() -> None:
    hosts, one = Hosts(), connection()
    one.sides[THERE].last = Mark(5, SECOND)
    hosts.note(one)
    hosts.note(one)
    assert hosts.heard(REMOTE, SECOND)
    assert not hosts.heard(REMOTE, SECOND + 1)
    assert not hosts.heard(REMOTE, SECOND, one.sides[THERE])
    assert hosts.answers(one, SECOND) == 0
    other = connection()
    other.sides[THERE].last = Mark(6, SECOND)
    hosts.note(other)
    assert hosts.answers(one, SECOND) == 1


# --- what a connection is ---------------------------------------------------------------------------------------------


def verdict(
    client: bytes, server: bytes = b"", *, port_is_known: bool = False, mid_stream: bool = False
) -> Role | None:
    return detect.verdict(client, server, is_command_port=port_is_known, mid_stream=mid_stream)


@pytest.mark.parametrize(("size", "role"), [(200, Role.COMMAND), (201, None)])
def test_how_long_a_prolog_may_be(size: int, role: Role | None) -> None:
    assert verdict(b"<?xml" + b" " * size + b"?><remote_scheduler.start_remote_task") is role


@pytest.mark.parametrize(("size", "role"), [(1_024, Role.COMMAND), (1_025, Role.UNKNOWN)])
def test_how_long_the_path_before_jobscheduler_may_be(size: int, role: Role) -> None:
    assert verdict(b"POST " + b"/" * size + b"/jobscheduler/") is role


@pytest.mark.parametrize(("size", "role"), [(256, None), (257, Role.UNKNOWN)])
def test_how_much_an_answer_may_say_before_it_is_none(size: int, role: Role | None) -> None:
    assert verdict(b"<a/>", b"  " + b"<" + b"a" * (size - 1)) is role


@pytest.mark.parametrize(("size", "role"), [(4_095, None), (4_096, Role.UNKNOWN)])
def test_how_many_bytes_are_looked_at(size: int, role: Role | None) -> None:
    assert verdict(b"<" + b"a" * (size - 1)) is role
    assert verdict(b"", b" " * size) is role


@pytest.mark.parametrize(("size", "role"), [(2_048, None), (2_049, Role.UNKNOWN)])
def test_how_many_bytes_are_looked_at_in_the_middle_of_a_stream(size: int, role: Role | None) -> None:
    """Of both directions together, where only one can be nothing of ours yet."""
    assert verdict(b" " * 2_047, b" " * size, mid_stream=True) is None
    assert verdict(b"\xff" * 2_047, b" " * size, mid_stream=True) is role


# --- dialogs ----------------------------------------------------------------------------------------------------------


def asked(times: int, **fields: object) -> Dialog:
    """The client asks again and again without an answer."""
    dialog = Dialog(connection(Role.CALLBACK, **fields), THERE, iter(range(1, 999)).__next__)
    for number in range(1, times + 1):
        dialog.feed(Frame(THERE, 0, encode(wire.Release(number)), (number,), number))
    return dialog


@pytest.mark.parametrize(("times", "given_up"), [(64, 0), (65, 1), (66, 2)])
def test_how_many_requests_may_be_open(times: int, given_up: int) -> None:
    dialog = asked(times)
    assert [message.n for message in dialog.given_up()] == list(range(1, given_up + 1))
    assert len(dialog.open_requests()) == min(times, 64)


@pytest.mark.parametrize(("fields", "is_open"), [({}, 2), ({"gaps": 1}, 1), ({"snapped": 1}, 1)])
def test_nobody_asks_twice_where_bytes_are_missing(fields: dict[str, object], is_open: int) -> None:
    """An answer was among the missing bytes; where nothing is missing, both may be open."""
    dialog = asked(2, **fields)
    assert len(dialog.open_requests()) == is_open
    assert [message.n for message in dialog.given_up()] == ([] if is_open == 2 else [1])


def test_the_other_side_may_ask_back_where_bytes_are_missing() -> None:
    dialog = asked(1, gaps=1)
    dialog.feed(Frame(HERE, 0, encode(wire.Release(7)), (2,), 2))
    assert (len(dialog.open_requests()), dialog.given_up()) == (2, [])


# --- caps -------------------------------------------------------------------------------------------------------------


def remembered(monkeypatch: pytest.MonkeyPatch, path: str, cap: int) -> None:
    monkeypatch.setattr(f"dissector.session.{path}", cap)


@pytest.mark.parametrize(("connections", "known"), [(3, True), (4, False)])
def test_how_many_unread_command_connections_are_remembered(
    connections: int, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered(monkeypatch, "join.MAX_CONNECTIONS", 3)
    joiner = Joiner((50_000, 59_999))
    first = connection(gaps=1)
    joiner.command(first)
    for _ in range(connections - 1):
        joiner.command(connection(server=Endpoint("10.7.0.1", 4_455), gaps=1))
    task = Task(0, 1, client=Endpoint(CLIENT, None), callback_peer=Endpoint(REMOTE, 50_000))
    task.callback = connection(Role.CALLBACK, last_packet=2)
    assert joiner.unread(task) is (first if known else None)


@pytest.mark.parametrize(("hosts", "heard"), [(1, True), (2, False)])
def test_how_many_hosts_are_remembered(hosts: int, heard: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three entries a connection; the oldest is that of the first port."""
    remembered(monkeypatch, "hosts.MAX_CONNECTIONS", 3)
    table = Hosts()
    for number in range(hosts):
        one = connection(server=Endpoint(REMOTE, 4_000 + number))
        one.sides[THERE].last = Mark(5, SECOND)
        table.note(one)
    assert (table.answers(connection(server=Endpoint(REMOTE, 4_000)), SECOND) == 1) is heard


@pytest.mark.parametrize(("lines", "kept"), [(3, 3), (4, 3)])
def test_how_many_log_lines_are_kept(lines: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered(monkeypatch, "task.MAX_LOG_LINES", 3)
    made = facts()
    for number in range(lines):
        made.logged(number, number, "info", ["text"])
    assert (len(made.record.log), made.record.counts.log_lines) == (kept, lines)


@pytest.mark.parametrize(("number", "kept"), [(32, 32), (33, 32)])
def test_how_much_evidence_is_kept(number: int, kept: int) -> None:
    """Of messages that were not decoded, of slow callbacks by member, and of one member's."""
    made, other = facts(), facts()
    for index in range(number):
        made.frame(message(index, kind="undecoded", note="odd"))
        made.frame(message(index, kind="answer", note="odd", latency=SECOND, object_name=str(index)))
        other.frame(message(index, kind="answer", latency=SECOND, object_name="log"))
    assert (len(made.undecoded), len(made.trailing), len(made.slow_callbacks)) == (kept, kept, kept)
    (slow,) = other.slow_callbacks.values()
    assert (slow.count, len(slow.packets)) == (number, kept)


@pytest.mark.parametrize(("number", "told_one_by_one"), [(3, 3), (4, 3)])
def test_how_many_unreachable_commands_become_tasks(
    number: int, told_one_by_one: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered(monkeypatch, "unreached.MAX_UNREACHABLE", 3)
    story = Story()
    for index in range(number):
        Story(story.network, command_port=40_001 + index).command.packet(index * SECOND, 0, SYN)
    found = trace(story)
    assert len(found.tasks) == told_one_by_one
    assert found.codes.count("connection_flood") == number - told_one_by_one


@pytest.mark.parametrize(("objects", "first"), [(3, 1), (4, 2)])
def test_how_many_objects_are_remembered(objects: int, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered(monkeypatch, "dialog.MAX_OBJECTS", 3)
    dialog = Dialog(connection(Role.CALLBACK), THERE, iter(range(1, 99)).__next__)
    for number in range(1, objects + 1):
        new = wire.Reference(number, wire.NewObject("Com_log", bytes(16), ()))
        body = wire.Call(99, "take", wire.DispParams((), (wire.Variant(9, new),)))
        dialog.feed(Frame(THERE, 0, encode(body), (number,), number))
    assert list(dialog.objects) == list(range(first, objects + 1))
