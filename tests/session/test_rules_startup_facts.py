"""Starts that failed, made by hand: which fact decides what is said, and which words it brings."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from parts import CLIENT, HERE, REMOTE, SECOND, THERE, connection, facts, message, record

from dissector.model import Connection, Endpoint, Mark, Outcome, Problem, Role
from dissector.session.case import Case
from dissector.session.failed_callbacks import IN_VAIN, Called
from dissector.session.findings import first
from dissector.session.rules_startup import command
from dissector.session.task import TaskFacts
from dissector.session.uncalled import left, missing
from dissector.traffic import IcmpError, Side
from dissector.wire.control import XmlError


def unreachable(number: int = 41, reason: str = "host unreachable", sender: str = "10.1.0.1") -> IcmpError:
    return IcmpError(number, 2 * SECOND, IPv4Address(sender).packed, reason, b"", 0, b"", 0, 0)


def failed(outcome: Outcome = Outcome.UNREACHABLE, **fields: object) -> tuple[TaskFacts, Connection]:
    """A task of which there is only the command connection."""
    made = facts(callback=False, start=None)
    made.record.outcome = outcome
    one = made.record.command
    assert one is not None
    for name, value in fields.items():
        setattr(one, name, value)
    return made, one


def problems(made: TaskFacts) -> list[Problem]:
    return list(command(Case(made, 200 * SECOND)))


def called(case: Case, attempt: Connection) -> Problem:
    """What is said of a callback in vain."""
    (problem,) = first(IN_VAIN, Called(case, attempt))
    return problem


def the(made: TaskFacts) -> Problem:
    (problem,) = problems(made)
    return problem


# --- no connection ---------------------------------------------------------------------------------------------------


def test_only_what_failed_at_the_command_connection_is_told() -> None:
    made, _ = failed(Outcome.NO_CALLBACK)
    assert problems(made) == []
    made, _ = failed()
    made.record.command = None
    assert problems(made) == []


def test_a_connection_that_was_refused() -> None:
    made, one = failed(syn_acks=[])
    one.sides[THERE].rst = Mark(5, SECOND, 64)
    problem = the(made)
    assert problem.summary == f"{REMOTE}:4455 refused the command connection (RST)."
    assert (problem.code, problem.packets) == ("command_refused", (1, 5))
    assert "10.1.0.1" not in problem.cause


@pytest.mark.parametrize(
    ("reason", "sender", "cause"),
    [
        ("host unreachable", "10.1.0.1", f"10.1.0.1 knows no path to {REMOTE}: no route, that host is down"),
        ("port unreachable", REMOTE, f"the packet filter of {REMOTE} itself rejects connections to port 4455"),
        ("administratively prohibited", "10.1.0.1", f"a firewall (10.1.0.1) rejects connections to {REMOTE}:4455"),
    ],
)
def test_a_connection_that_a_router_refused(reason: str, sender: str, cause: str) -> None:
    made, _ = failed(syn_acks=[], icmp=[unreachable(41, reason, sender), unreachable(42, "no route", "10.1.0.2")])
    problem = the(made)
    assert problem.summary == f"{REMOTE}:4455 refused the command connection by {sender} (ICMP: {reason})."
    assert (problem.code, problem.packets) == ("command_refused", (1, 41, 42))
    assert problem.cause.startswith(cause)
    if reason != "host unreachable":
        assert problem.remedy == (f"let new TCP connections from {CLIENT} to port 4455 of {REMOTE} through at {sender}")


def test_lower_ports_are_let_in_for_callbacks_alone() -> None:
    one = connection(Role.CALLBACK, icmp=[unreachable(reason="port unreachable")])
    remedy = called(Case(facts(), 0), one).remedy
    assert remedy == f"let new TCP connections from {REMOTE} to port 59999 and lower of {CLIENT} through at 10.1.0.1"


def test_a_route_that_comes_and_goes() -> None:
    made, _ = failed(syn_acks=[], start=100 * SECOND, icmp=[unreachable()])
    case, other = Case(made, 200 * SECOND), connection()
    other.sides[THERE].last = Mark(1, 50 * SECOND)
    case.hosts.note(other)
    (problem,) = command(case)
    assert problem.cause == (
        f"10.1.0.1 says that there is no path to {REMOTE}, though {REMOTE}:4455 answers other connections at that "
        "time: a route that comes and goes"
    )
    assert problem.remedy == f"look at the route from 10.1.0.1 to {REMOTE}, at that host, and at reject rules"


@pytest.mark.parametrize(("syns", "words"), [(1, "1 SYN to"), (3, "3 SYNs to")])
def test_syns_without_an_answer(syns: int, words: str) -> None:
    marks = [Mark(10 + index, index * 2 * SECOND) for index in range(syns)]
    problem = the(failed(syn_acks=[], syns=marks)[0])
    assert problem.summary == f"{words} {REMOTE}:4455 in {(syns - 1) * 2} s, no answer."
    assert (problem.code, problem.packets) == ("command_unanswered", (10, 11, 12)[:syns])
    assert ("an unanswered SYN is retransmitted" in problem.cause) is (syns == 1)


def test_a_syn_ack_that_is_lost() -> None:
    syns, answers = [Mark(1, 0), Mark(4, 3 * SECOND)], [Mark(2, SECOND), Mark(3, 2 * SECOND)]
    problem = the(failed(syns=syns, syn_acks=answers)[0])
    assert problem.summary == (
        f"The SYN+ACK of {REMOTE}:4455 never arrives at {CLIENT}: 2 SYNs and 2 SYN+ACKs in 3 s, "
        "the command connection is not opened."
    )
    assert (problem.code, problem.packets) == ("syn_ack_lost", (1, 2, 3, 4))
    assert problem.cause.startswith(f"the path from {REMOTE} to {CLIENT} is broken in this direction")
    assert problem.remedy.startswith(f"look at the firewalls and routes from {REMOTE} to {CLIENT}")
    one = connection(Role.CALLBACK, syns=syns, syn_acks=answers)
    assert "the callback is not opened" in called(Case(facts(), 0), one).summary


def dropped(*, last: int | None, other: int | None = None, known: bool = True) -> Problem:
    """A callback of second 5 that nobody answers; when the client was heard on the command connection, or another."""
    made = facts()
    case = Case(made, 200 * SECOND)
    here, _ = record(made)
    here.sides[HERE].last = None if last is None else Mark(30, last)
    if other is not None:
        one = connection(client=Endpoint(CLIENT, 41_000))
        one.sides[HERE].last = Mark(31, other)
        case.hosts.note(one)
    if not known:
        made.record.command = None
    syns = [Mark(20, 5 * SECOND), Mark(21, 6 * SECOND)]
    attempt = connection(Role.CALLBACK, start=5 * SECOND, syns=syns, syn_acks=[])
    found = called(case, attempt)
    assert found.code == "callback_dropped"
    return found


def test_a_client_that_is_down() -> None:
    heard, at, before = 6 * SECOND, 5 * SECOND, 5 * SECOND - 1
    for problem, is_down in (
        (dropped(last=heard), False),
        (dropped(last=at), False),
        (dropped(last=before), True),
        (dropped(last=None), True),
        (dropped(last=before, other=at), False),
        (dropped(last=before, other=before), True),
        (dropped(last=heard, known=False), True),
    ):
        assert problem.cause.endswith(f", or that host is down: nothing came from {CLIENT} since") is is_down
        assert problem.remedy.endswith(f"; look at {CLIENT}") is is_down
        assert "answers other connections" not in problem.cause


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        ("SCHEDULER-121", "no permission", "SCHEDULER-121 no permission"),
        ("SCHEDULER-121", "SCHEDULER-121  no permission", "SCHEDULER-121  no permission"),
        ("SCHEDULER-121", "", "SCHEDULER-121"),
    ],
)
def test_an_error_that_answers_the_start(code: str, text: str, words: str) -> None:
    made, _ = failed(Outcome.REFUSED)
    made.start_error, made.start_answer = XmlError(code, text), message(SECOND, 12)
    problem = the(made)
    assert problem.summary == f"The remote answered the start with an error: {words}"
    assert (problem.code, problem.packets) == ("start_error", (12,))
    assert CLIENT in problem.remedy


def rejected(after: int, *, reset: bool = False, ttl: int = 64, syn_acks: bool = True) -> Problem:
    """The remote left without a byte so long after it had accepted the connection at second 10 (asked at second 9)."""
    made, one = failed(Outcome.REFUSED, start=9 * SECOND)
    one.syn_acks = [Mark(2, 10 * SECOND, 64), Mark(3, 30 * SECOND, 64)] if syn_acks else []
    opened = 10 * SECOND if syn_acks else 9 * SECOND
    setattr(one.sides[THERE], "rst" if reset else "fin", Mark(5, opened + after, ttl))
    return the(made)


@pytest.mark.parametrize("syn_acks", [True, False])
def test_a_remote_that_does_not_know_the_client(syn_acks: bool) -> None:
    problem = rejected(2 * SECOND, syn_acks=syn_acks)
    assert problem.summary == f"{REMOTE}:4455 accepted the command connection and closed it without a byte."
    assert (problem.code, problem.packets) == ("command_rejected", (5,))
    assert rejected(2 * SECOND + 1, syn_acks=syn_acks).code == "start_cut"


@pytest.mark.parametrize(
    ("after", "reset", "ttl", "words"),
    [
        (1, True, 64, f"{REMOTE}:4455 reset the command connection 0 ms after it was opened"),
        (SECOND - 1, True, 64, f"{REMOTE}:4455 reset the command connection 1000 ms after it was opened"),
        (SECOND, True, 64, f"{REMOTE}:4455 reset the command connection 1.0 s after it was opened"),
        (SECOND, True, 254, "A device in between reset the command connection 1.0 s after it was opened"),
        (5 * SECOND, False, 64, f"{REMOTE}:4455 closed the command connection 5.0 s after it was opened"),
    ],
)
def test_a_start_that_was_cut(after: int, reset: bool, ttl: int, words: str) -> None:
    problem = rejected(after, reset=reset, ttl=ttl)
    assert problem.summary == f"{words}, before the start was answered."
    assert (problem.code, problem.packets) == ("start_cut", (5,))
    if ttl == 254:
        assert "its TTL is 254" in problem.cause
        assert problem.remedy.startswith("look at the firewalls")
    else:
        ended = "the remote scheduler ended (killed, crashed, stopped) before it answered, or "
        assert problem.cause == ended + ("a device sent the reset" if reset else "closed the connection")
        assert problem.remedy == (f"see why the remote scheduler on {REMOTE} ended: its own log, and that of its host")


# --- no callback -----------------------------------------------------------------------------------------------------


def silent(*, answered: bool = False, bytes_: int = 0, gaps: int = 0) -> tuple[TaskFacts, Connection]:
    made = facts(callback=False)
    one = made.record.command
    assert one is not None
    one.sides[THERE].bytes, one.gaps = bytes_, gaps
    if not answered:
        made.start_answer = None
    return made, one


def told(made: TaskFacts, now: int = 200 * SECOND) -> Problem:
    (problem,) = missing(Case(made, now))
    return problem


@pytest.mark.parametrize(
    ("answered", "bytes_", "gaps", "summary"),
    [
        (True, 0, 0, "The start was answered, but no callback connection was seen."),
        (True, 5, 1, "The start was answered, but no callback connection was seen."),
        (
            False,
            5,
            0,
            "No callback connection was seen, and the answer to the start is not in the capture or not complete.",
        ),
        (
            False,
            0,
            1,
            "No callback connection was seen, and the answer to the start is not in the capture or not complete.",
        ),
        (False, 0, 0, "The start command was not answered, and no callback connection was seen."),
    ],
)
def test_a_callback_that_nobody_saw(answered: bool, bytes_: int, gaps: int, summary: str) -> None:
    problem = told(silent(answered=answered, bytes_=bytes_, gaps=gaps)[0])
    assert (problem.code, problem.summary, problem.packets) == ("callback_missing", summary, (10,))


def test_a_task_without_a_start_or_a_command_connection() -> None:
    made, _ = silent()
    made.record.command = None
    assert told(made).summary == "The start was answered, but no callback connection was seen."
    made, _ = silent()
    made.start = None
    assert told(made).packets == ()


def test_a_start_that_is_not_acknowledged() -> None:
    made, one = silent()
    one.sides[HERE].sent = 10
    problem = told(made)
    assert problem.summary == "The start command was never acknowledged, and no callback connection was seen."
    assert problem.packets == (10,)
    assert problem.cause == "packets to the remote are lost: its host or a device on the path is gone, or drops them"
    assert problem.remedy == f"look at the path from {CLIENT} to {REMOTE}:4455, and at that host"
    made.start = None
    assert told(made).packets == ()


@pytest.mark.parametrize(("tries", "again"), [(1, "1 retransmission in 2 s"), (3, "3 retransmissions in 4 s")])
def test_a_start_that_is_retransmitted_in_vain(tries: int, again: str) -> None:
    made, one = silent()
    sender = one.sides[HERE]
    sender.sent, sender.last_data = 10, Mark(10, SECOND)
    sender.retransmitted = [Mark(20 + index, (3 + index) * SECOND) for index in range(tries)]
    one.icmp = [unreachable(41), unreachable(42, "no route", "10.1.0.2")]
    problem = told(made)
    assert problem.summary == (
        f"The start command was never acknowledged ({again}), and no callback connection was seen."
    )
    assert problem.packets == (10, *range(20, 20 + tries), 41, 42)
    assert problem.cause.endswith("or drops them; 10.1.0.1 says: host unreachable")


# --- who left --------------------------------------------------------------------------------------------------------


def gone(side: Side = HERE, *, reset: bool = False, ttl: int = 64, at: int = 30 * SECOND) -> TaskFacts:
    made = facts(callback=False)
    one = made.record.command
    assert one is not None
    setattr(one.sides[side], "rst" if reset else "fin", Mark(40, at, ttl))
    return made


@pytest.mark.parametrize(
    ("side", "reset", "how", "host"),
    [(HERE, False, "closed by the client", CLIENT), (THERE, True, "reset by the remote", REMOTE)],
)
@pytest.mark.parametrize("tried", [True, False])
def test_who_left_before_the_callback_came(side: Side, reset: bool, how: str, host: str, tried: bool) -> None:
    made = gone(side, reset=reset)
    made.attempts = [connection(Role.CALLBACK)] * tried
    (problem,) = left(Case(made, 200 * SECOND))
    assert problem.summary == f"The command connection was {how} before the callback came."
    assert (problem.code, problem.packets, problem.time) == ("command_lost_first", (40,), 30 * SECOND)
    assert problem.cause.startswith(f"{how.split(' by ')[1]} scheduler ended or was restarted (on {host}), or a device")
    assert problem.cause.endswith("; or the callback is not in the capture, and the task was running") is not tried
    assert problem.remedy == f"see the log of that scheduler, and why it ended on {host}"


def test_a_device_that_cut_the_connection_before_the_callback_came() -> None:
    (problem,) = left(Case(gone(reset=True, ttl=254), 200 * SECOND))
    assert problem.summary == "The command connection was reset by a device in between before the callback came."
    assert "its TTL is 254" in problem.cause
    assert problem.remedy.startswith("look at the firewalls")


@pytest.mark.parametrize(("at", "told_of"), [(55 * SECOND - 1, True), (55 * SECOND, False)])
def test_who_left_after_his_time_did_not_leave(at: int, told_of: bool) -> None:
    assert bool(list(left(Case(gone(at=at), 200 * SECOND)))) is told_of


def test_nobody_left_where_it_is_not_known() -> None:
    made = gone()
    made.close = message(29 * SECOND)
    assert list(left(Case(made, 200 * SECOND))) == []
    made = gone()
    made.start = None
    assert list(left(Case(made, 200 * SECOND))) == []
    made = gone()
    assert made.record.command is not None
    made.record.command.sides[HERE].fin = None
    assert list(left(Case(made, 20 * SECOND))) == []
    made = gone()
    assert made.record.command is not None
    made.record.command.sides[THERE].packets = 0
    assert list(left(Case(made, 20 * SECOND))) == []
    made.record.command = None
    assert list(left(Case(made, 20 * SECOND))) == []
