"""Words of problems that no other test is about: what weakens a cause, caps that were met, agents that fell silent."""

from __future__ import annotations

import pytest
from agent_kit import Pool, bodies, post, refusal, response, start, started
from kit import packets_of, trace
from parts import CLIENT, HERE, REMOTE, SECOND, THERE, connection, facts, record

from dissector.limits import MAX_EVIDENCE
from dissector.model import Endpoint, Exchange, Mark, Outcome, Problem, Role, Severity
from dissector.session.agent_errors import refused
from dissector.session.bounds import reached
from dissector.session.calling import callback
from dissector.session.case import Case, by_whom, problem
from dissector.session.life import WatchState
from dissector.session.rules_disconnect import callback_lost
from dissector.session.rules_startup import command
from dissector.session.uncalled import left
from dissector.traffic import IcmpError
from dissector.wire.http_message import parse_http

ONCE = " (less certain: an unanswered SYN is retransmitted, so an answer may not be captured)"


@pytest.mark.parametrize(("syns", "once"), [(1, ONCE), (2, "")])
def test_one_syn_to_a_busy_remote_is_less_certain(syns: int, once: str) -> None:
    made = facts(callback=False, start=None)
    made.record.outcome = Outcome.UNREACHABLE
    one = made.record.command
    assert one is not None
    one.syns, one.syn_acks = [Mark(1 + index, index * SECOND) for index in range(syns)], []
    case, other = Case(made, 200 * SECOND), connection(client=Endpoint(CLIENT, 41_000))
    other.sides[THERE].last = Mark(9, SECOND)
    case.hosts.note(other)
    (problem,) = command(case)
    assert problem.cause == (
        f"{REMOTE}:4455 answers other connections at that time: the remote scheduler is too busy to accept more, "
        f"packets are lost, or a firewall drops those of {CLIENT}{once}"
    )


@pytest.mark.parametrize(("syns", "once"), [(1, ONCE), (2, "")])
def test_one_syn_to_a_client_that_lives_is_less_certain(syns: int, once: str) -> None:
    made = facts(callback=False)
    made.record.outcome = Outcome.NO_CALLBACK
    marks = [Mark(20 + index, 5 * SECOND) for index in range(syns)]
    made.attempts = [connection(Role.CALLBACK, start=5 * SECOND, syns=marks, syn_acks=[])]
    assert made.record.command is not None
    made.record.command.sides[HERE].last = Mark(30, 6 * SECOND)
    (problem,) = callback(Case(made, 200 * SECOND))
    assert problem.cause == f"a firewall drops the SYNs from the remote to {CLIENT}:59999{once}"


@pytest.mark.parametrize("called", [True, False])
def test_a_device_that_cuts_the_start_may_hide_the_callback(called: bool) -> None:
    made = facts(callback=False)
    assert made.record.command is not None
    made.record.command.sides[HERE].rst = Mark(40, 30 * SECOND, 254)
    made.attempts = [connection(Role.CALLBACK)] * called
    (problem,) = left(Case(made, 200 * SECOND))
    assert problem.cause.endswith("; or the callback is not in the capture, and the task was running") is not called


@pytest.mark.parametrize(("ttl", "doubted"), [(62, True), (64, False)])
def test_packets_of_several_paths_weaken_who_reset(ttl: int, doubted: bool) -> None:
    made = facts()
    made.record.outcome = Outcome.LOST
    _, one = record(made)
    sender = one.sides[HERE]
    sender.first_data, sender.last_data = Mark(10, SECOND, 64), Mark(11, 2 * SECOND, ttl)
    sender.rst = Mark(40, 3 * SECOND, 64)
    (problem,) = callback_lost(Case(made, 200 * SECOND))
    assert ("less certain: packets of the task process have TTLs 62 and 64" in problem.cause) is doubted


def test_words_that_are_not_given_come_from_the_table() -> None:
    usual = problem("gap", "words", (), connection(start=5))
    assert (usual.time, bool(usual.cause), bool(usual.remedy)) == (5, True, True)
    for cause, remedy in (("why", None), (None, "what"), ("", "what")):
        made = problem("gap", "words", (), connection(start=5), cause=cause, remedy=remedy)
        assert made.cause == (usual.cause if cause is None else cause)
        assert made.remedy == (usual.remedy if remedy is None else remedy)


def test_a_problem_of_nothing_has_no_time() -> None:
    assert problem("gap", "words", ()).time == 0
    assert problem("gap", "words", (), connection(start=5), time=0).time == 0
    made = facts()
    made.record.start = 9
    assert problem("gap", "words", (), connection(start=5), case=Case(made, 20)).time == 9


def test_the_packets_of_a_problem_are_in_order_and_bounded() -> None:
    assert problem("gap", "words", (3, 1, 3, 2)).packets == (1, 2, 3)
    assert len(problem("gap", "words", range(MAX_EVIDENCE + 1)).packets) == MAX_EVIDENCE


def test_who_says_that_nothing_arrives() -> None:
    made = connection()
    assert by_whom(made) == " (RST)"
    for sender, reason in ((9, "fragmentation needed"), (1, "host unreachable"), (2, "port unreachable")):
        address = bytes([10, 0, 0, sender])
        made.icmp = (*made.icmp, IcmpError(1, 1, address, reason, address, 1, address, 2, 0))
    assert by_whom(made) == " by 10.0.0.1 (ICMP: host unreachable)"


def test_a_task_that_was_let_go() -> None:
    made = facts()
    made.life.watch = WatchState.LET_GO
    (problem,) = reached(Case(made, 0))
    assert problem.summary == "More than 12000 tasks were under way: this one was let go, with its connections."
    assert (problem.code, problem.severity, problem.packets) == ("limit_reached", Severity.WARNING, (1,))


@pytest.mark.parametrize(
    ("noun", "words"),
    [
        ("connection", "1 more connection to port 59999, behind the first 64: counted only."),
        ("problem", "1 more problem of its bytes, behind the first 200: counted only."),
        ("log line", "1 more log line behind the first 200000 or 64 MiB: counted only."),
    ],
)
def test_what_was_counted_only(noun: str, words: str) -> None:
    made = facts()
    made.more[noun] = 1
    (problem,) = reached(Case(made, 0))
    assert problem.summary == words
    assert (problem.code, problem.severity, problem.packets) == ("limit_reached", Severity.INFO, (1,))


# --- agents --------------------------------------------------------------------------------------------------------


def silence(*, waits: bool) -> Problem:
    """A task of which nothing came any more: its request waits, or its master said nothing new."""
    pool = Pool()
    pool.exchange(start(), started())
    asked, answered = bodies()[0]
    if waits:
        pool.ask(post(1, asked))
    else:
        pool.exchange(post(1, asked), response(200, answered))
    pool.wait(90)
    pool.exchange(start(task_id="78"), started("2"), line=7)
    (problem,) = next(task for task in trace(packets_of(pool.network.ordered())).tasks if task.task_id == 77).problems
    return problem


def test_a_request_that_nobody_answers() -> None:
    problem = silence(waits=True)
    assert problem.code == "heartbeat_missed"
    assert problem.summary.startswith("The agent did not answer request 1")
    assert problem.cause == "the network between them failed, or one of the two was frozen or overloaded"


def test_a_master_that_says_nothing_more() -> None:
    problem = silence(waits=False)
    assert problem.code == "heartbeat_missed"
    assert problem.summary == "The master said nothing more about the task for 90 s."
    assert problem.cause.startswith("the master ended or was cut off")


def test_a_proxy_that_asks_for_credentials() -> None:
    pool = Pool()
    pool.exchange(start(), refusal(407, "Proxy Authentication Required"))
    (task,) = trace(packets_of(pool.end())).tasks
    (problem,) = task.problems
    assert problem.code == "proxy_error"
    assert problem.cause == "the proxy asks for a name and a password, which no master has for it"


def test_a_proxy_that_does_not_connect() -> None:
    one = Exchange(1, connection(), 0, (4,), "other", parse_http(b"CONNECT a:1 HTTP/1.1\r\n\r\n", is_request=True))
    one.response, one.status = parse_http(b"HTTP/1.1 500 No\r\n\r\n", is_request=False), 500
    problem = refused(one)
    assert (problem.code, problem.packets) == ("proxy_error", (4,))
    assert problem.summary.startswith(f"{REMOTE}:4455 answered CONNECT a:1 with 500: ")


def test_who_is_not_the_task_s_master() -> None:
    one = Exchange(1, connection(), 0, (4,), "other", parse_http(b"GET /a HTTP/1.1\r\n\r\n", is_request=True))
    said = b"HTTP/1.1 500 No\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\nWrong tunnel secret"
    one.response, one.status = parse_http(said, is_request=False), 500
    problem = refused(one)
    assert problem.code == "tunnel_unknown"
    assert problem.cause.startswith("whoever asked is not the task's master")
