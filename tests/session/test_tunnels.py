"""Tasks on Universal Agents: many connections, repetitions, loss, agents that begin anew or are gone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import parts
import pytest
from agent_kit import (
    AGENT,
    API,
    STEP,
    Plan,
    Pool,
    answer,
    begun,
    bodies,
    close,
    command,
    gone_on_twice,
    idle,
    play,
    post,
    refusal,
    request,
    response,
    start,
    started,
)
from conversation import ACK, RST, SECOND, SYN, Address, Record
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import CLIENT, Found, packets_of, trace

from dissector.limits import MAX_PENDING_COMMANDS
from dissector.model import Exchange, Outcome, Task
from dissector.session.tracer import Tracer
from dissector.session.tunnels import Tunnels

LINES = st.lists(st.integers(0, 3), min_size=1, max_size=8)
PLACES = st.frozensets(st.integers(0, len(bodies()) - 1), max_size=4)
PLANS = st.builds(Plan, LINES, PLACES, PLACES)


def facts(task: Task) -> tuple[object, ...]:
    counts = task.counts
    seen = counts.messages, counts.calls, counts.callbacks, counts.log_lines, [line.text for line in task.log]
    return task.job, task.task_id, task.kind, task.outcome, task.exit_code, seen


def found(records: list[Record]) -> Found:
    return trace(packets_of(records))


def only(records: list[Record]) -> Task:
    (task,) = found(records).tasks
    return task


def codes(task: Task) -> list[str]:
    return [problem.code for problem in task.problems]


USUAL = facts(only(play(Plan())))


def test_a_healthy_task() -> None:
    task = only(play(Plan()))
    assert (task.job, task.task_id, task.kind) == ("/folder/shell", 77, "process")
    assert (task.outcome, task.exit_code, codes(task)) == (Outcome.SUCCESS, 0, [])
    assert task.counts.messages == 2 * len(bodies())
    assert task.agent is not None
    assert (task.agent.tunnel, task.agent.agent_task_id) == ("1", "1-421142114211")


@settings(max_examples=60, deadline=None)
@given(PLANS, st.integers(40, 1_448))
def test_the_same_task_over_any_connections(plan: Plan, mss: int) -> None:
    task = only(play(plan, Pool(mss=mss)))
    assert facts(task) == USUAL
    assert ("request_repeated" in codes(task)) is bool(plan.repeated)


@settings(max_examples=60, deadline=None)
@given(PLANS, st.data())
def test_what_was_not_captured_is_never_a_success(plan: Plan, data: st.DataObject) -> None:
    """One packet is missing in the capture: the task is as it was, or its outcome is not known."""
    records = play(plan, Pool(mss=200))
    lost = data.draw(st.integers(0, len(records) - 1))
    tasks = found(records[:lost] + records[lost + 1 :]).tasks
    assert len(tasks) == 1
    assert tasks[0].outcome in (Outcome.SUCCESS, Outcome.UNKNOWN, Outcome.RUNNING)
    if tasks[0].outcome is Outcome.SUCCESS:
        assert tasks[0].exit_code in (0, None)


@settings(max_examples=30, deadline=None)
@given(PLANS, st.data())
def test_a_capture_that_begins_late(plan: Plan, data: st.DataObject) -> None:
    """What is left is one task at most, and its outcome is right or not known."""
    records = play(plan)
    tasks = found(records[data.draw(st.integers(1, len(records) - 1)) :]).tasks
    assert len(tasks) <= 1
    assert {task.outcome for task in tasks} <= {Outcome.SUCCESS, Outcome.UNKNOWN, Outcome.RUNNING}


def test_retransmissions_and_order_of_segments() -> None:
    records = play(Plan(lines=(0, 1)), Pool(mss=100))
    again = [Record(record.time + 1_000, record.data) for record in records[::3]]
    assert facts(only(sorted(records + again, key=lambda record: record.time))) == USUAL


def test_exchanges_come_in_their_order() -> None:
    events = found(play(Plan(slow=frozenset([2]), repeated=frozenset([4])))).events
    exchanges = sorted((one for one in events if isinstance(one, Exchange)), key=lambda one: one.n)
    assert [one.n for one in exchanges] == list(range(1, len(exchanges) + 1))
    assert [one.kind for one in exchanges].count("continue") == 1
    (repetition,) = (one for one in exchanges if one.repeats is not None)
    assert exchanges[repetition.repeats - 1].request_id == repetition.request_id  # type: ignore[operator]


# --- how it ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (
            answer({"$TYPE": "StartTaskFailed", "message": "java.nio.file.NoSuchFileException: /x"}),
            "agent_refused_start",
        ),
        (refusal(400, "License key required for 'Universal Agent' (1 unreleased tasks)"), "agent_license"),
        (refusal(400, "Agent is terminating and does no longer accept task starts"), "agent_terminating"),
        (refusal(401, "The resource requires authentication"), "agent_unauthorized"),
        (refusal(403, "Unknown SessionToken"), "agent_unauthorized"),
        (refusal(404, "The requested resource could not be found."), "agent_wrong_target"),
        (refusal(413, "Request Entity Too Large"), "body_too_large"),
        (refusal(500, "java.lang.OutOfMemoryError"), "agent_refused_start"),
        (refusal(502, "Bad Gateway"), "proxy_error"),
        (refusal(504, "Gateway Timeout"), "proxy_error"),
        (refusal(407, "Proxy Authentication Required"), "proxy_error"),
        (response(302, b"", "Location: https://agent:4446/"), "agent_wrong_target"),
        (response(200, b"<html>Log in</html>", kind="text/html"), "agent_wrong_target"),
        (answer({}), "agent_wrong_target"),
    ],
)
def test_a_start_that_is_refused(reply: bytes, code: str) -> None:
    pool = Pool()
    pool.exchange(start(), reply)
    task = only(pool.end())
    assert (task.outcome, codes(task)) == (Outcome.REFUSED, [code])


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refusal(500, "…TunnelConnectionClosedException: Peer has closed the connection"), "task_process_lost"),
        (refusal(410, "The resource requested is no longer available"), "task_process_lost"),
        (refusal(500, "NoSuchTunnelException: Unknown tunnel/1"), "tunnel_unknown"),
        (refusal(413, ""), "body_too_large"),
        (refusal(504, ""), "proxy_error"),
    ],
)
def test_a_tunnel_that_breaks(reply: bytes, code: str) -> None:
    pool = Pool()
    number = begun(pool)
    pool.exchange(post(number, bodies()[3][0]), reply)
    pool.exchange(close(kill=True), answer({}))
    task = only(pool.end())
    assert task.outcome is Outcome.LOST  # the kill cleans up behind it
    assert codes(task)[0] == code


def test_a_task_that_is_killed() -> None:
    pool = Pool()
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    pool.exchange(close(kill=True), answer({}), line=1)
    task = only(pool.end())
    assert (task.outcome, codes(task)) == (Outcome.KILLED, ["task_killed"])


def test_an_agent_that_is_gone() -> None:
    """Connections that are refused while a task waits are no tasks of their own."""
    pool = Pool()
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    for port in range(50_000, 50_005):
        pool.wait(1)
        line = pool.network.line(Address(CLIENT, port), AGENT)
        line.packet(pool.now, 0, SYN)
        line.packet(pool.now + 1_000, 1, RST | ACK)
    task = only(pool.network.ordered())
    assert task.outcome is Outcome.LOST
    (problem,) = task.problems
    assert problem.code == "heartbeat_missed"
    assert "refused 5 connections" in problem.summary


@pytest.mark.parametrize(
    ("refused", "silent", "words", "cause"),
    [
        (1, 4, "refused 5 connections", "the agent ended"),
        (0, 5, "Nothing answered 5 connections", "the agent's host went down, or the network"),
    ],
)
def test_an_agent_that_nothing_reaches(refused: int, silent: int, words: str, cause: str) -> None:
    """Where nobody refuses a connection, it is the network or the host and not the agent alone."""
    pool = Pool()
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    for port in range(50_000, 50_000 + refused + silent):
        pool.wait(1)
        line = pool.network.line(Address(CLIENT, port), AGENT)
        line.packet(pool.now, 0, SYN)
        if port < 50_000 + refused:
            line.packet(pool.now + 1_000, 1, RST | ACK)
    pool.wait(4)  # somebody else's packet: the capture goes on until nothing is answered any more
    pool.network.line(Address(CLIENT, 49_999), Address("10.9.9.9", 80)).packet(pool.now, 0, SYN)
    task = only(pool.network.ordered())
    (problem,) = task.problems
    assert (task.outcome, problem.code) == (Outcome.LOST, "heartbeat_missed")
    assert words in problem.summary
    assert problem.cause.startswith(cause)


@pytest.mark.parametrize("how", ["FIN", "RST"])
@pytest.mark.parametrize(
    ("side", "words"), [(1, "10.2.0.10:4445 ended the connection without an answer"), (0, "before")]
)
def test_a_start_whose_connection_ends_instead_of_an_answer(how: str, side: int, words: str) -> None:
    pool = Pool()
    pool.ask(start())
    end = pool.lines[0].finish if how == "FIN" else pool.lines[0].reset
    end(pool.now + STEP, side)
    (problem,) = [one for one in found(pool.network.ordered()).problems if one.code == "agent_refused_start"]
    assert words in problem.summary
    assert problem.connection is not None


def test_a_start_without_an_answer_is_no_fault_where_bytes_are_missing_or_the_capture_ends() -> None:
    pool = Pool()
    pool.ask(start())
    assert found(pool.network.ordered()).problems == []
    pool.reply(started())
    records = pool.end()
    without_answer = [one for one in records if b"agentTaskId" not in one.data]
    assert "agent_refused_start" not in {one.code for one in found(without_answer).problems}


def test_refused_connections_without_a_task_are_tasks() -> None:
    pool = Pool()
    line = pool.network.line(Address(CLIENT, 50_000), AGENT)
    line.packet(0, 0, SYN)
    line.packet(1_000, 1, RST | ACK)
    assert only(pool.network.ordered()).outcome is Outcome.UNREACHABLE


@pytest.mark.parametrize(("seconds", "outcome"), [(59, Outcome.RUNNING), (61, Outcome.LOST)])
def test_how_long_silence_is_no_loss(seconds: int, outcome: Outcome) -> None:
    pool = Pool()
    number = begun(pool)
    pool.ask(post(number, bodies()[3][0]))
    pool.wait(seconds)
    pool.exchange(request(f"{API}/task", method="GET"), answer([]), line=7)
    assert only(pool.network.ordered()).outcome is outcome


@pytest.mark.parametrize(("seconds", "told"), [(11, False), (13, True)])
def test_a_master_that_forgets_its_heartbeat(seconds: int, told: bool) -> None:
    """It announced a word every ten seconds."""
    pool = Pool()
    begun(pool)
    pool.wait(seconds)
    pool.exchange(idle(), response(200))
    pool.exchange(close(), answer({}))
    assert ("heartbeat_missed" in codes(only(pool.end()))) is told


def test_a_start_without_its_answer_and_the_tunnel_behind_it() -> None:
    pool = Pool()
    pool.ask(start())
    pool.lines[0].finish(pool.now + STEP, 0)
    for number, (asked, answered) in enumerate(bodies(), 1):
        pool.exchange(post(number, asked), response(200, answered), line=1)
    task = only(pool.network.ordered())
    assert (task.job, task.outcome, task.counts.messages) == ("/folder/shell", Outcome.SUCCESS, 2 * len(bodies()))


def test_an_agent_that_began_anew_counts_from_one_again() -> None:
    pool = Pool()
    begun(pool)
    begun(pool, len(bodies()), secret="other")
    one, two = found(pool.end()).tasks
    assert (one.outcome, two.outcome) == (Outcome.RUNNING, Outcome.SUCCESS)


def test_a_wrong_secret_is_not_the_task() -> None:
    pool = Pool()
    number = begun(pool)
    pool.exchange(post(number, b"S", secret="guessed"), refusal(500, "Wrong tunnel secret"))
    events = found(pool.end())
    (task,) = events.tasks
    assert (task.counts.messages, codes(task)) == (6, [])
    assert "tunnel_unknown" in [problem.code for problem in events.problems]


@pytest.mark.parametrize("guesses", [1, 3])
def test_who_guesses_the_secret_repeats_nothing(guesses: int) -> None:
    """Where secrets were taken out, all are alike, and only the agent tells who asked."""
    pool = Pool()
    number = begun(pool, secret="******")
    for line in range(1, guesses + 1):
        pool.exchange(post(number - 1, b"S", secret="******"), refusal(500, "Wrong tunnel secret"), line)
    events = found(pool.end())
    (task,) = events.tasks
    assert (task.counts.messages, codes(task)) == (6, [])
    problems = [problem.code for problem in events.problems]
    assert problems.count("tunnel_unknown") == guesses


def test_two_agents_and_two_masters() -> None:
    pool = Pool()
    begun(pool, len(bodies()))
    other = Pool(pool.network, agent=Address("10.2.0.11", 4_445), now=pool.now)
    begun(other, len(bodies()))
    other.end()
    assert [task.outcome for task in found(pool.end()).tasks] == [Outcome.SUCCESS] * 2


def test_signals_and_other_commands_are_no_tasks() -> None:
    pool = Pool()
    number = begun(pool)
    pool.exchange(
        command(**{"$TYPE": "SendProcessSignal", "agentTaskId": "1-421142114211", "signal": "SIGTERM"}), answer({})
    )
    pool.exchange(command(**{"$TYPE": "RequestFileOrderSourceContent", "directory": "/x"}), answer({"files": []}))
    pool.exchange(command(**{"$TYPE": "CloseTask", "agentTaskId": "9-1"}), refusal(500, "Unknown AgentTaskId(9-1)"))
    for place, (asked, answered) in enumerate(bodies()[3:]):
        pool.exchange(post(number + place, asked), response(200, answered))
    task = only(pool.end())
    assert task.outcome is Outcome.SUCCESS


def test_pipelined_requests_are_answered_in_order_and_bounded() -> None:
    pool = Pool()
    get = request(f"{API}/task", method="GET")
    many = MAX_PENDING_COMMANDS + 3
    pool.ask(get * many)
    pool.reply(response(200, b"1") * many)
    events = found(pool.end()).events
    exchanges = [one for one in events if isinstance(one, Exchange)]
    assert len(exchanges) == many
    assert sum(one.status is None for one in exchanges) == 3


def test_a_task_of_which_nothing_is_heard_ends_in_a_live_view() -> None:
    pool = Pool()
    begun(pool)
    tracer = Tracer(window=SECOND)
    packets = packets_of(pool.network.ordered())
    for packet in packets:
        tracer.feed(packet)
    assert len(tracer.running) == 1
    tracer.tick(packets[-1].time + 119 * SECOND)
    assert len(tracer.running) == 1
    tracer.tick(packets[-1].time + 121 * SECOND)
    assert not tracer.running


def test_going_on_twice_counts_once() -> None:
    """Repetitions of a request for more get the same answer."""
    pool = Pool()
    gone_on_twice(pool)
    task = only(pool.end())
    assert task.counts.messages == 8
    assert codes(task) == ["request_repeated"]


def test_another_leg_of_a_task_has_the_tunnel_s_secret_or_the_same_object() -> None:
    tunnels, leg, message = Tunnels(cast("Any", None)), parts.facts(), parts.message(0)
    by_secret, by_instance = parts.facts(), parts.facts()
    tunnels._known.by_secret.update({one: cast("Any", SimpleNamespace(facts=by_secret)) for one in ("secret", "***")})
    tunnels._known.by_instance[7] = cast("Any", SimpleNamespace(facts=by_instance))
    found = []
    for leg.token, leg.instance in (("secret", 7), ("***", None), (None, 7), ("other", 7), (None, 8)):
        found.append(tunnels.original(leg, message))
    assert found == [by_secret, None, by_instance, by_instance, None]
