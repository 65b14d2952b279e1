"""Callbacks that did not get through, made by hand: which fact decides what is said, and which words it brings."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from parts import CLIENT, HERE, REMOTE, SECOND, THERE, connection, facts, message, record

from dissector.model import Connection, Endpoint, Mark, Outcome, Problem, Role
from dissector.session.calling import callback, unmask_intruder
from dissector.session.case import Case
from dissector.session.life import JoinState
from dissector.session.task import TaskFacts
from dissector.traffic import IcmpError

NEVER = 300 * SECOND


def tried(*syns: int, reset: Mark | None = None, **fields: object) -> Connection:
    """A callback whose SYNs (seconds) were not answered, or by a reset."""
    made = connection(Role.CALLBACK, syn_acks=[], **fields)
    made.syns = [Mark(20 + index, time * SECOND, 64) for index, time in enumerate(syns)]
    made.sides[THERE].rst, made.sides[THERE].packets = reset, int(reset is not None)
    return made


def no_callback(attempt: Connection, **fields: object) -> TaskFacts:
    made = facts(callback=False)
    made.record.outcome, made.attempts = Outcome.NO_CALLBACK, [attempt]
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def command_of(made: TaskFacts) -> Connection:
    assert made.record.command is not None
    return made.record.command


def problems(made: TaskFacts, now: int = NEVER) -> list[Problem]:
    return list(callback(Case(made, now)))


def the(made: TaskFacts, now: int = NEVER) -> Problem:
    (problem,) = problems(made, now)
    return problem


# --- somebody else's connection ---------------------------------------------------------------------------------------


def stranger(**fields: object) -> TaskFacts:
    """A silent connection from a foreign address has the announced port, and another attempt was refused."""
    made = facts()
    _, taken = record(made)
    taken.client = Endpoint("10.9.9.9", 50_000)
    made.record.callback_peer = taken.client
    made.attempts.append(tried(1, reset=Mark(40, 2 * SECOND, 64)))
    for name, value in fields.items():
        setattr(taken, name, value)
    return made


def is_unmasked(made: TaskFacts) -> bool:
    taken = made.record.callback
    unmask_intruder(made)
    if made.intruder is None:
        return False
    assert made.intruder is taken
    assert taken not in made.attempts
    assert (made.record.callback, made.record.callback_peer) == (None, None)
    return True


def test_a_silent_stranger_is_unmasked_when_another_one_was_refused() -> None:
    assert is_unmasked(stranger())
    made = stranger()
    made.attempts[1].sides[THERE].rst = None
    assert not is_unmasked(made)


def test_whoever_is_refused_himself_does_not_unmask_himself() -> None:
    made = stranger()
    made.attempts.pop()
    record(made)[1].sides[THERE].rst = Mark(40, 2 * SECOND)
    assert not is_unmasked(made)


@pytest.mark.parametrize(("side", "unmasked"), [(HERE, True), (THERE, False)])
def test_a_silent_stranger_is_unmasked_when_he_leaves(side: int, unmasked: bool) -> None:
    made = stranger()
    made.attempts.pop()
    record(made)[1].sides[side].fin = Mark(40, 2 * SECOND)
    assert is_unmasked(made) is unmasked


@pytest.mark.parametrize(
    "fields",
    [
        {"client": Endpoint(REMOTE, 50_000)},
        {"mid_stream": True},
    ],
)
def test_who_may_be_the_task_process_is_no_stranger(fields: dict[str, object]) -> None:
    assert not is_unmasked(stranger(**fields))


def test_who_spoke_or_was_heard_in_part_is_no_stranger() -> None:
    made = stranger()
    record(made)[1].sides[HERE].bytes = 1
    assert not is_unmasked(made)
    made = stranger(bytes=1)
    record(made)[1].sides[HERE].packets = 0
    assert not is_unmasked(made)
    made = stranger()
    made.life.join = JoinState.CONFIRMED
    assert not is_unmasked(made)


def test_one_stranger_is_enough_and_of_a_callback_alone_nothing_is_foreign() -> None:
    made, other = stranger(), connection(Role.CALLBACK)
    made.intruder = other
    unmask_intruder(made)
    assert made.intruder is other
    assert made.record.callback is not None
    made = stranger()
    made.record.remote = None
    assert not is_unmasked(made)
    made = stranger()
    made.record.callback = None
    unmask_intruder(made)
    assert made.intruder is None


@pytest.mark.parametrize(("packet", "words"), [(None, "never sent a byte"), (33, "sent bytes that are no answer")])
def test_what_a_stranger_did(packet: int | None, words: str) -> None:
    made = facts()
    made.intruder, made.foreign_packet = connection(Role.CALLBACK, first_packet=30), packet
    problem = the(made)
    assert problem.summary == f"{REMOTE}:50000 took the announced port 59999 and {words}."
    assert (problem.code, problem.packets) == ("callback_foreign_bytes", (packet or 30,))


# --- which attempt, and whether there was one -------------------------------------------------------------------------


def test_the_first_attempt_tells() -> None:
    made = no_callback(tried(1, 2, 5))
    made.attempts.append(tried(6, reset=Mark(40, 7 * SECOND, 64)))
    assert the(made).code == "callback_dropped"
    made.record.outcome = Outcome.UNKNOWN
    assert the(made).code == "callback_dropped"
    made.record.outcome = Outcome.RUNNING
    assert problems(made) == []


def test_a_task_that_was_called_back_has_no_failed_attempt() -> None:
    made = facts()
    made.record.outcome = Outcome.UNKNOWN
    assert problems(made) == []


def unanswered(now: int, **fields: object) -> list[str]:
    """Codes of a task without a callback, of whose command connection the capture lacks the answer to the start."""
    made = facts(callback=False)
    made.record.outcome, made.start_answer = Outcome.UNKNOWN, None
    command_of(made).gaps = 1
    for name, value in fields.items():
        setattr(made, name, value)
    return [problem.code for problem in problems(made, now)]


def test_a_start_that_may_have_been_refused() -> None:
    assert unanswered(55 * SECOND) == ["callback_missing"]
    assert unanswered(55 * SECOND - 1) == []
    assert unanswered(60 * SECOND, close=message(58 * SECOND)) == []
    assert unanswered(60 * SECOND, start=None) == []
    assert unanswered(60 * SECOND, start_answer=message(SECOND)) == []


@pytest.mark.parametrize(
    ("ip", "port", "code"),
    [
        (CLIENT, 59_999, "callback_dropped"),
        (CLIENT, 59_998, "callback_elsewhere"),
        ("10.1.0.11", 59_999, "callback_elsewhere"),
    ],
)
def test_another_place_than_the_announced_one_was_called(ip: str, port: int, code: str) -> None:
    problem = the(no_callback(tried(1, 2, server=Endpoint(ip, port))))
    assert (problem.code, problem.packets) == (code, (20, 21))


# --- late -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "code"), [(55 * SECOND, "callback_dropped"), (55 * SECOND + 1, "callback_late")])
def test_from_when_on_a_callback_is_too_late(first: int, code: str) -> None:
    attempt = tried(0)
    attempt.syns = (Mark(20, first), *attempt.syns[1:])
    assert the(no_callback(attempt)).code == code


def retried(reset: int, close: int | None, *, syns: int = 2, end: int | None = None) -> Problem:
    """SYNs from the second 1 on, refused at last; the client closes or its command connection ends."""
    made = no_callback(tried(*range(1, 1 + syns), reset=Mark(40, reset, 64)))
    made.close = None if close is None else message(close, 35)
    if end is not None:
        command_of(made).sides[HERE].fin = Mark(36, end)
    return the(made)


@pytest.mark.parametrize(
    ("reset", "close", "end", "syns", "code"),
    [
        (60 * SECOND + 1, 60 * SECOND, None, 2, "callback_late"),
        (60 * SECOND, 60 * SECOND, None, 2, "callback_refused"),
        (60 * SECOND + 1, 60 * SECOND, None, 1, "callback_refused"),
        (56 * SECOND, 55 * SECOND, None, 2, "callback_late"),
        (56 * SECOND, 55 * SECOND - 1, None, 2, "callback_refused"),
        (60 * SECOND + 1, None, 60 * SECOND, 2, "callback_late"),
        (60 * SECOND, None, None, 2, "callback_refused"),
    ],
)
def test_when_a_refused_callback_is_late(reset: int, close: int | None, end: int | None, syns: int, code: str) -> None:
    assert retried(reset, close, end=end, syns=syns).code == code


def test_the_words_of_a_late_callback() -> None:
    problem = retried(61 * SECOND, 60 * SECOND, syns=3)
    assert problem.summary == (
        f"The callback reached {CLIENT}:59999 3 s after the start, when the client had given up."
    )
    assert problem.cause == (
        "2 earlier SYNs in 2 s were not answered: a firewall dropped them on the return path, or packets were lost"
    )
    assert problem.packets == (20, 21, 22, 40)


@pytest.mark.parametrize(("open_", "came"), [(False, "was still sent to"), (True, "reached")])
def test_a_late_callback_that_nobody_refused(open_: bool, came: str) -> None:
    made = no_callback(tried(62))
    if open_:
        made.attempts[0].syn_acks = [Mark(21, 62 * SECOND)]
    problem = the(made)
    assert problem.summary == (
        f"The callback {came} {CLIENT}:59999 62 s after the start, when the client had given up."
    )


@pytest.mark.parametrize(
    ("latency", "busy"), [(55 * SECOND, False), (55 * SECOND + 1, True), (None, False), (-1, True)]
)
def test_a_late_callback_of_a_busy_remote(latency: int | None, busy: bool) -> None:
    """-1: the start was never answered."""
    made = no_callback(tried(62))
    made.start_answer = None if latency == -1 else message(60 * SECOND, latency=latency)
    assert ("took that long to answer the start" in the(made).cause) is busy


def test_an_attempt_of_which_no_syn_was_captured_is_not_late() -> None:
    assert the(no_callback(tried(reset=Mark(40, 90 * SECOND, 64)))).code == "callback_refused"


# --- refused ----------------------------------------------------------------------------------------------------------


def refused(*, ttl: int = 64, client_ttl: int = 64, close: int | None = None) -> TaskFacts:
    """A single SYN, answered by a reset at second 70 (packet 40)."""
    made = no_callback(tried(2, reset=Mark(40, 70 * SECOND, ttl)))
    command = command_of(made)
    command.sides[HERE].first_data = Mark(4, 1, client_ttl)
    made.close = None if close is None else message(close * SECOND, 35)
    return made


def test_a_device_that_refuses() -> None:
    problem = the(refused(ttl=61))
    assert problem.cause == (
        "a device in between sent the reset (TTL 61, the client's packets have 64): "
        "a firewall that rejects, or an address translation without a port forward"
    )
    assert problem.remedy == (
        f"let new TCP connections from {REMOTE} to port 59999 and lower through at that device; "
        f"behind an address translation (NAT) forward these ports of {CLIENT} to the client"
    )
    assert "63 and 64" in the(refused(ttl=61, client_ttl=63)).cause


@pytest.mark.parametrize(("ttl", "client_ttl"), [(0, 64), (64, 64)])
def test_a_reset_that_may_be_the_client_s(ttl: int, client_ttl: int) -> None:
    assert "a device in between" not in the(refused(ttl=ttl, client_ttl=client_ttl)).cause


def test_a_client_whose_ttl_nobody_knows() -> None:
    made = refused(ttl=61, client_ttl=0)
    command = command_of(made)
    command.syns, command.sides[HERE].ttl = [], 0
    assert "a device in between" not in the(made).cause


def test_packets_of_a_client_on_several_paths_leave_a_doubt() -> None:
    made = refused()
    command_of(made).sides[HERE].last_data = Mark(5, 2, 62)
    assert the(made).cause.endswith("have TTLs 62 and 64, as on several paths or at several places of capture)")


def test_a_client_that_had_given_up() -> None:
    problem = the(refused(close=60))
    assert problem.cause == "the client had given up 60 s after the start and does not listen any more"
    assert problem.remedy == (
        "see why the callback came so late: the load of the remote, or SYNs that were lost before"
    )


@pytest.mark.parametrize(("close", "waits"), [(70, True), (71, True), (69, False)])
def test_a_client_that_still_waits(close: int, waits: bool) -> None:
    cause = the(refused(close=close)).cause
    assert cause.startswith(f"{CLIENT} refused it while the client still waited") is waits


@pytest.mark.parametrize(
    ("number", "side", "close", "restarted"),
    [(39, HERE, None, True), (41, HERE, None, False), (39, THERE, None, False), (39, HERE, 20, False)],
)
def test_a_client_that_had_ended(number: int, side: int, close: int | None, restarted: bool) -> None:
    made = refused(close=close)
    command_of(made).sides[side].fin = Mark(number, 30 * SECOND)
    problem = problems(made)[-1]
    assert problem.cause.startswith(f"the client scheduler on {CLIENT} had ended or was restarted") is restarted
    if restarted:
        assert f"(packet {number})" in problem.cause
        assert f"the client scheduler on {CLIENT} ended" in problem.remedy


def test_nobody_listens_and_nobody_knows_why() -> None:
    problem = the(refused())
    assert problem.cause.startswith(f"nobody listens on {CLIENT}:59999 (any more)")
    assert problem.remedy.startswith("see whether the client ended its side first")


def test_a_refusal_without_a_command_connection_has_the_general_words() -> None:
    made = refused()
    made.record.command = None
    problem = the(made)
    assert problem.code == "callback_refused"
    assert problem.cause
    assert "nobody listens on" not in problem.cause


def test_a_router_that_refuses_is_named_without_doubt() -> None:
    made = no_callback(tried(2))
    router = IPv4Address("10.1.0.1").packed
    made.attempts[0].icmp = [IcmpError(41, 2 * SECOND, router, "host unreachable", b"", 0, b"", 0, 0)]
    command_of(made).sides[HERE].first_data, command_of(made).sides[HERE].last_data = Mark(4, 1, 64), Mark(5, 2, 62)
    problem = the(made)
    assert (problem.code, problem.packets) == ("callback_refused", (20, 41))
    assert problem.cause.startswith("10.1.0.1 knows no path to")
    assert "less certain" not in problem.cause


# --- slow -------------------------------------------------------------------------------------------------------------


def slow(latency: int | None, *, syns: int = 1, known: bool = True) -> Problem:
    """A callback that got through at second 8, the start being of second 2."""
    made = facts(start=2 * SECOND)
    _, came = record(made)
    came.syns = [Mark(20 + index, (3 + index) * SECOND) for index in range(syns)]
    came.syn_acks = [Mark(30, 8 * SECOND), Mark(31, 20 * SECOND)]
    came.first_packet, came.start = 29, 7 * SECOND
    made.start_answer = message(5 * SECOND, latency=latency) if known else None
    return the(made)


@pytest.mark.parametrize(("latency", "busy"), [(3 * SECOND + 1, True), (3 * SECOND, False), (None, False)])
def test_a_slow_start_of_a_busy_remote(latency: int | None, busy: bool) -> None:
    problem = slow(latency)
    assert problem.summary == "The callback came 6.0 s after the start."
    assert (problem.cause == "the remote scheduler answered the start only after 3.0 s: it was busy or stopped") is busy
    assert (problem.packets, problem.time) == ((20, 30), 3 * SECOND)


def test_a_slow_start_whose_answer_was_not_captured() -> None:
    cause = "the task process took that long to start (Java start, load of the remote host)"
    assert slow(None, known=False).cause == slow(SECOND).cause == cause


def test_a_slow_start_whose_syns_were_lost() -> None:
    assert slow(SECOND, syns=2).cause == "2 SYNs in 1 s: the first ones were lost or dropped"


def test_a_slow_start_whose_handshake_was_not_captured() -> None:
    made = facts()
    _, came = record(made)
    came.syns, came.syn_acks, came.first_packet, came.start = [], [], 29, 7 * SECOND
    problem = the(made)
    assert (problem.packets, problem.time) == ((29,), 7 * SECOND)
    assert problem.summary == "The callback came 7.0 s after the start."
    made.start = None
    assert problems(made) == []
