"""What is noted of a Universal Agent's task: requests in order, repeated and skipped; who is found by what; outages."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kit import HEALTHY

from dissector.limits import MAX_ATTEMPTS, MAX_EVIDENCE
from dissector.model import AgentPlace, Connection, Endpoint, Exchange, Mark, Message, Task
from dissector.session.agent_errors import AnsweredExchange
from dissector.session.agent_facts import AgentFacts
from dissector.session.outages import Outages
from dissector.session.task import TaskFacts
from dissector.session.timeouts import SYN_PATIENCE
from dissector.session.tunnel import Directory, Key, Tunnel, carry, key_of, place_of
from dissector.traffic import Side
from dissector.wire.agent import Heartbeat, Target
from dissector.wire.decode import encode
from dissector.wire.http_message import parse_http

SECOND = 1_000_000_000
MASTER, AGENT = Endpoint("10.1.0.10", 40_000), Endpoint("10.2.0.10", 4_000)


def connection(client: Endpoint = MASTER, server: Endpoint = AGENT, packet: int = 1) -> Connection:
    return Connection(client, server, 0, packet)


def exchange(request_id: int | None, n: int = 1, time: int = 0, on: Connection | None = None) -> Exchange:
    return Exchange(n, on or connection(), time, (n,), "tunnel", None, request_id=request_id)


class Desk:
    """What a tunnel tells of."""

    def __init__(self, *, wants_messages: bool = True) -> None:
        self.wants_messages = wants_messages
        self.next_number = count(1).__next__
        self.messages: list[Message] = []
        self.omitted: list[tuple[Task, int]] = []

    def message(self, message: Message) -> None:
        self.messages.append(message)

    def omitted_of(self, task: Task, messages: int) -> None:
        self.omitted.append((task, messages))


def tunnel(heard: int = 0, on: Connection | None = None, tunnel_id: str = "1", desk: Desk | None = None) -> Tunnel:
    line = on or connection()
    place = AgentPlace(line.server.ip, line.server.port, "", tunnel_id, None)
    record = Task(start=heard, first_packet=1, client=line.client, remote=line.server, via="http", agent=place)
    about = AgentFacts(heard)
    return Tunnel(TaskFacts(record, agent=about), about, line, cast("Any", desk or Desk()))


# --- requests ---------------------------------------------------------------------------------------------------------


def test_the_next_request_is_the_one_with_the_next_number() -> None:
    about = AgentFacts(0)
    assert [about.is_next(exchange(number)) for number in (0, 2, None, 1, 1, 2, 4, 3)] == [
        False,
        False,
        False,
        True,
        False,
        True,
        False,
        True,
    ]


def test_a_request_skips_those_that_were_not_captured() -> None:
    about = AgentFacts(0)
    assert [about.skips(exchange(number)) for number in (None, 0, 1, 2, 3)] == [False, False, False, True, True]
    assert about.is_next(exchange(1))
    assert [about.skips(exchange(number)) for number in (1, 2, 3)] == [False, False, True]


def test_a_repetition_names_the_exchange_that_was_first() -> None:
    about = AgentFacts(0)
    assert about.is_next(exchange(1, n=7))
    assert about.first(exchange(5, n=8))
    for number, repeats in ((1, 7), (5, 8), (3, None)):
        one = exchange(number, n=9)
        assert not about.first(one)
        assert one.repeats == repeats
    unnumbered = exchange(None)
    assert about.first(unnumbered)
    assert unnumbered.repeats is None
    assert about.first(exchange(6))


@pytest.mark.parametrize(("others", "repeats"), [(63, 1), (64, None)])
def test_how_many_requests_are_remembered(others: int, repeats: int | None) -> None:
    about = AgentFacts(0)
    for number in range(1, others + 2):
        assert about.is_next(exchange(number, n=number))
    again = exchange(1, n=99)
    assert not about.first(again)
    assert again.repeats == repeats


def test_a_repetition_says_how_long_the_first_one_waited() -> None:
    about = AgentFacts(0)
    about.repeat(exchange(1, time=99))
    assert (about.repeated, about.longest_wait, len(about.repetitions)) == (1, 0, 1)
    about.waiting = exchange(1, time=10)
    for time in (15, 30, 20):
        about.repeat(exchange(1, time=time))
    assert (about.repeated, about.longest_wait, len(about.repetitions)) == (4, 20, 4)
    for _ in range(MAX_EVIDENCE):
        about.repeat(exchange(1))
    assert (about.repeated, len(about.repetitions)) == (4 + MAX_EVIDENCE, MAX_EVIDENCE)


def test_an_impostor_repeated_nothing() -> None:
    about, one, other = AgentFacts(0), exchange(1), exchange(1)
    one.repeats = other.repeats = 3
    about.repeat(one)
    about.not_the_master(other)
    assert (about.repeated, about.repetitions, other.repeats) == (1, [one], 3)
    about.not_the_master(one)
    assert (about.repeated, about.repetitions, one.repeats) == (0, [], None)  # type: ignore[comparison-overlap]


def test_which_response_delivers() -> None:
    about = AgentFacts(0)
    assert not about.delivers(exchange(1), is_first=False)
    assert about.delivers(exchange(1), is_first=True)
    assert not about.delivers(exchange(1), is_first=True)
    about.waiting = exchange(2)
    assert not about.delivers(exchange(1), is_first=False)
    assert about.delivers(exchange(2), is_first=False)
    assert not about.delivers(exchange(2), is_first=True)
    assert about.delivers(exchange(None), is_first=False)
    about.waiting = None
    assert not about.delivers(exchange(None), is_first=False)
    assert about.delivers(exchange(None), is_first=True)


@pytest.mark.parametrize(
    ("failed", "kill", "expected"),
    [(None, None, False), (5, None, False), (None, 5, False), (5, 5, True), (5, 6, True), (6, 5, False)],
)
def test_a_tunnel_that_failed_before_the_kill(failed: int | None, kill: int | None, expected: bool) -> None:
    about = AgentFacts(0)
    if failed is not None:
        about.failed = exchange(1)
        about.failed.answered = failed
    if kill is not None:
        about.kill = exchange(2, time=kill)
    assert about.failed_before_kill is expected


def test_a_failure_of_unknown_time_was_before_the_kill() -> None:
    about = AgentFacts(0)
    about.failed, about.kill = exchange(1), exchange(2, time=0)
    assert about.failed_before_kill


@pytest.mark.parametrize(
    ("beat", "expected"),
    [(None, 60), (Heartbeat(10 * SECOND, None), 60), (Heartbeat(None, 90 * SECOND), 90)],
)
def test_how_long_both_wait_for_each_other(beat: Heartbeat | None, expected: int) -> None:
    made = tunnel(heard=5)
    made.about.heartbeat = beat
    assert made.about.timeout == expected * SECOND
    assert made.deadline == 5 + 2 * expected * SECOND


# --- who is found by what ---------------------------------------------------------------------------------------------


def test_an_agent_is_the_host_that_a_proxy_is_asked_for() -> None:
    line = connection()
    one = exchange(1, on=line)
    assert key_of(one, Target(None, "", "/x", None), "3") == Key(AGENT, "3")
    line.asked_for = "agent:1"
    assert key_of(one, Target(None, "", "/x", None), "3") == Key("agent:1", "3")
    assert key_of(one, Target("other:2", "", "/x", None), "3") == Key("other:2", "3")
    assert place_of(line) == (MASTER.ip, AGENT)


def test_a_connection_is_of_the_first_task_that_it_carried() -> None:
    line, one, two = connection(), tunnel().facts.record, tunnel().facts.record
    carry(line, one)
    carry(line, two)
    assert line.task is one
    assert (list(one.carriers), list(two.carriers)) == ([line], [line])
    for _ in range(MAX_ATTEMPTS + 1):
        carry(connection(), one)
    assert len(one.carriers) == MAX_ATTEMPTS


def test_what_a_directory_knows_of_a_task_is_gone_with_it() -> None:
    known, one, two = Directory(), tunnel(), tunnel(tunnel_id="2")
    line, key = connection(), Key(AGENT, "1")
    known.add(one)
    assert known.only_nameless(one.place) is one
    known.add(two)
    assert known.only_nameless(one.place) is None
    assert known.only_nameless(("elsewhere", AGENT)) is None
    assert one.facts.record.agent is not None
    one.facts.record.agent = one.facts.record.agent._replace(agent_task_id="1-5")
    one.head = cast("Any", object())
    known.named(one, key, "secret", "1-5")
    assert (one.key, one.about.secret, one.head) == (key, "secret", None)
    assert known.only_nameless(two.place) is two
    known.named(two, Key(AGENT, "2"), None, None)
    assert known.only_nameless(two.place) is None
    assert (known.by_secret, known.by_name) == ({"secret": one}, {"1-5": one})
    known.carry(line, one)
    known.carry(line, one)
    assert (known.carried(line), list(one.connections)) == (one, [line])
    known.carry(line, two)
    assert (known.carried(line), list(one.connections), list(two.connections)) == (two, [], [line])
    known.left(line)
    known.left(line)
    assert (known.carried(line), list(two.connections)) == (None, [])
    known.carry(line, one)
    one.facts.instance = 99
    known.by_instance[99] = one
    known.remove(one)
    assert known.carried(line) is None
    assert (known.by_task, known.by_key) == ({two.facts.record: two}, {Key(AGENT, "2"): two})
    assert [len(table) for table in (known.by_name, known.by_secret, known.by_instance)] == [0, 0, 0]


def test_what_names_another_task_by_now_stays() -> None:
    known, one, two = Directory(), tunnel(), tunnel()
    for made in (one, two):
        known.add(made)
        known.named(made, Key(AGENT, "1"), "secret", "1-5")
    known.remove(one)
    assert known.by_key == {Key(AGENT, "1"): two}
    assert (known.by_secret, known.by_name) == ({"secret": two}, {"1-5": two})


# --- outages ----------------------------------------------------------------------------------------------------------


LATER = SYN_PATIENCE + 1


def unanswered(packet: int = 1) -> Connection:
    made = connection(packet=packet)
    made.syns = [Mark(packet, 0)]
    return made


@pytest.mark.parametrize(
    ("now", "is_refused", "is_outage"), [(LATER - 1, False, False), (LATER, False, True), (0, True, True)]
)
def test_a_try_that_may_still_be_answered_is_no_outage(now: int, is_refused: bool, is_outage: bool) -> None:
    outages, one, tried = Outages(), tunnel(), unanswered()
    tried.sides[Side.SERVER].rst = Mark(2, 0) if is_refused else None
    outages.add(one)
    assert outages.failed(tried, now) is one.facts.record
    assert bool(outages) is is_outage


def test_an_outage_is_of_the_tasks_that_wait_for_the_agent() -> None:
    outages, one, two = Outages(), tunnel(), tunnel()
    elsewhere = tunnel(on=connection(server=Endpoint("10.2.0.11", 4_000)))
    assert outages.failed(unanswered(), LATER) is None
    for made in (one, two, elsewhere):
        outages.add(made)
    refused, silent = unanswered(5), unanswered(6)
    refused.sides[Side.SERVER].packets = 1
    assert outages.failed(refused, LATER) is one.facts.record
    assert outages.failed(silent, LATER) is one.facts.record
    outages.remove(one)
    assert outages.failed(silent, LATER) is two.facts.record
    outages.remove(two)
    found = one.about.outage
    assert found is not None
    assert found is two.about.outage
    assert (found.server, found.count, found.unanswered, found.packets) == (AGENT, 3, 2, [5, 6, 6])
    outages.remove(elsewhere)
    assert elsewhere.about.outage is None
    later = tunnel()
    outages.add(later)
    outages.remove(later)
    assert later.about.outage is None


def test_an_outage_is_over_when_the_agent_is_spoken_to() -> None:
    outages, one = Outages(), tunnel()
    outages.add(one)
    outages.failed(unanswered(), LATER)
    outages.heard(connection(server=Endpoint("10.2.0.11", 4_000)))
    outages.failed(unanswered(), LATER)
    outages.heard(connection(client=Endpoint(MASTER.ip, 40_009)))
    for number in range(MAX_EVIDENCE + 2):
        outages.failed(unanswered(number), LATER)
    outages.remove(one)
    assert one.about.outage is not None
    assert one.about.outage.count == MAX_EVIDENCE + 2
    assert one.about.outage.packets == list(range(MAX_EVIDENCE))


def test_when_tasks_are_due() -> None:
    outages, one, two, over = Outages(), tunnel(heard=0), tunnel(heard=10), tunnel(heard=0)
    for made in (one, over, two):
        outages.add(made)
    outages.remove(over)
    end = 120 * SECOND
    assert outages.due(end - 1) == []
    assert outages.due(end) == [one]
    assert outages.due(end + 9) == []
    two.about.heard = 20
    assert outages.due(end + 10) == []
    assert outages.due(end + 19) == []
    assert outages.due(end + 20) == [two]
    assert outages.due(end + 99) == []


def test_a_task_that_is_over_hides_no_other_that_is_due() -> None:
    outages, over, one = Outages(), tunnel(heard=0), tunnel(heard=0)
    for made in (over, one):
        outages.add(made)
    outages.remove(over)
    assert outages.due(120 * SECOND) == [one]


# --- its messages -----------------------------------------------------------------------------------------------------


def exchanged(made: Tunnel, messages: int) -> None:
    """The first messages of a healthy task, all on one connection but the last."""
    for number, (side, body) in enumerate(HEALTHY[:messages], 1):
        one = exchange(1, n=number, on=connection(packet=number))
        made.feed(one.connection, one.n, (Side.CLIENT, Side.SERVER)[side], encode(body), (10 * number,), number)


@pytest.mark.parametrize("messages", range(1, len(HEALTHY) + 1))
def test_messages_of_a_tunnel_are_told_or_counted(messages: int) -> None:
    wanted, counted = Desk(), Desk(wants_messages=False)
    one, other = tunnel(desk=wanted), tunnel(desk=counted)
    exchanged(one, messages)
    exchanged(other, messages)
    assert wanted.omitted == []
    assert counted.messages == []
    assert {task for task, _ in counted.omitted} <= {other.facts.record}
    assert sum(number for _, number in counted.omitted) == len(wanted.messages)
    assert all(number for _, number in counted.omitted)
    assert all(told.packets == (10 * (told.exchange or 0),) for told in wanted.messages)
    sizes = [len(encode(body)) for _, body in HEALTHY]
    assert all(told.exchange and told.size == sizes[told.exchange - 1] for told in wanted.messages)
    assert all(told.connection.first_packet == told.exchange for told in wanted.messages)
    counts = [made.facts.record.counts for made in (one, other)]
    assert counts[0] == counts[1]
    assert counts[0].bytes == sum(sizes[:messages])
    for made, desk in ((one, wanted), (other, counted)):
        before = len(desk.messages)
        made.end()
        assert desk.messages[before:] == made.facts.open_requests
        told = before if desk is wanted else sum(number for _, number in counted.omitted)
        assert told + len(made.facts.open_requests) == messages


@pytest.mark.parametrize("wants_messages", [False, True])
@pytest.mark.parametrize("may_ask", [False, True])
def test_a_streak_is_skimmed_where_its_side_may_ask(may_ask: bool, wants_messages: bool) -> None:
    made, taken = tunnel(desk=Desk(wants_messages=wants_messages)), list[object]()
    if made._skim is not None:
        skim = SimpleNamespace(may_ask=lambda _: may_ask, take_pairs=lambda *args: taken.append(args[0]))
        made._skim = cast("Any", skim)
    assert made.skims(cast("Any", "pairs"), Side.CLIENT, [], ()) is (may_ask and not wants_messages)
    assert taken == (["pairs"] if may_ask and not wants_messages else [])


def test_an_error_outside_of_a_task_has_no_open_call() -> None:
    response = parse_http(b"HTTP/1.1 500 X\r\n\r\n", is_request=False)
    assert AnsweredExchange(None, connection(), response, "http_error", exchange(1)).open_call == ""
