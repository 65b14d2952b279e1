"""Streaks of exchanges with an agent: what belongs to one, and what a task has to be like for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dissector.session.agent_facts import AgentFacts
from dissector.session.run_exchanges import SHORTEST_STREAK, RunExchanges, _part
from dissector.session.run_pairs import DONE
from dissector.session.timeouts import HEARTBEAT_GRACE, SLOW_CALLBACK
from dissector.wire import messages as m
from dissector.wire.decode import encode

CLIENT, SERVER = 0, 1
API = "/jobscheduler/agent/api/tunnel"
CALL = encode(m.Call(1, "step", m.DispParams((), ())))
LOG = encode(m.Invoke(5, 14, bytes(16), 0, 1, m.DispParams((), (m.Variant(8, "a line"), m.Variant(3, 0)))))


def post(number: int, body: bytes = CALL, tunnel: int = 1, more: str = "") -> bytes:
    lines = f"{more}X-JobScheduler-Request-ID: {number} PT1H\r\nContent-Length: {len(body)}\r\n\r\n"
    return f"POST {API}/{tunnel} HTTP/1.1\r\n{lines}".encode() + body


def answer(body: bytes = DONE, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nDate: Wed, 25 Nov 2026 22:58:52 GMT\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def found(said: list[tuple[int, bytes, int]]) -> RunExchanges:
    """The run of such messages: side, bytes, time."""
    data = b"".join(part for _, part, _ in said)
    run, at = RunExchanges(data, {}), 0
    for index, (side, part, time) in enumerate(said):
        assert run.payload((side, index, at, at + len(part), 0), time)
        at += len(part)
    run.finish()
    return run


def exchanges(number: int) -> list[tuple[int, bytes, int]]:
    return [one for at in range(number) for one in ((CLIENT, post(at + 1), 10 * at), (SERVER, answer(), 10 * at + 1))]


def places(said: list[tuple[int, bytes, int]]) -> list[tuple[int, int]]:
    return [streak[:2] for streak in found(said).streaks]


def test_whole_exchanges_in_a_row_are_a_streak() -> None:
    assert places(exchanges(SHORTEST_STREAK // 2 - 1)) == []
    assert places(exchanges(SHORTEST_STREAK // 2)) == [(0, SHORTEST_STREAK)]
    assert places(exchanges(5)) == [(0, 10)]
    assert places(exchanges(5)[:9]) == [(0, 8)], "a request at the end waits"
    assert places(exchanges(5)[1:]) == [(1, 9)], "a response at the beginning belongs to another"


@pytest.mark.parametrize(("late", "expected"), [(HEARTBEAT_GRACE, [(0, 8)]), (HEARTBEAT_GRACE + 1, [(0, 4), (4, 8)])])
def test_a_request_that_may_come_too_late_begins_another(late: int, expected: list[tuple[int, int]]) -> None:
    said = exchanges(4)
    said[4:] = [(side, data, 10 + late + max(0, time - 20)) for side, data, time in said[4:]]
    assert places(said) == expected


ODD: dict[str, Callable[[int], tuple[int, bytes]]] = {
    "another number": lambda number: (CLIENT, post(number + 1)),
    "once more": lambda number: (CLIENT, post(number - 1)),
    "another tunnel": lambda number: (CLIENT, post(number, tunnel=2)),
    "the other side": lambda number: (SERVER, post(number)),
    "no message": lambda number: (CLIENT, post(number, b"x")),
    "nothing": lambda number: (CLIENT, post(number, b"")),
    "goes on waiting": lambda number: (CLIENT, post(number, more="X-JobScheduler-Heartbeat-Continue: U PT1S PT2S\r\n")),
    "compressed": lambda number: (CLIENT, post(number, more="Content-Encoding: gzip\r\n")),
    "a command": lambda number: (CLIENT, post(number).replace(b"tunnel/1", b"command")),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_request_ends_a_streak(odd: str) -> None:
    said = exchanges(3)
    side, data = ODD[odd](4)
    assert places([*said, (side, data, 30), (SERVER, answer(), 31)]) == [(0, 6)]


@pytest.mark.parametrize(
    "data",
    [answer(status="202 Accepted"), answer(status="500 X"), answer(b""), answer(b"x"), post(3)],
)
def test_an_odd_response_ends_a_streak(data: bytes) -> None:
    assert places([*exchanges(2), (CLIENT, post(3), 20), (SERVER, data, 21)]) == [(0, 4)]


def test_a_response_of_the_side_that_asks_ends_a_streak() -> None:
    assert places([*exchanges(2), (CLIENT, post(3), 20), (CLIENT, answer(), 21)]) == [(0, 4)]


def test_callbacks_in_a_streak_are_told_by_where_they_begin() -> None:
    said = [(CLIENT, post(1), 0), (SERVER, answer(LOG), 1)]
    for number in range(2, 5):
        said += [(CLIENT, post(number, DONE), 10 * number), (SERVER, answer(LOG), 10 * number + 1)]
    said += [(CLIENT, post(5, DONE), 10 * 5), (SERVER, answer(), 51)]
    ((first, stop, many, heads),) = found(said).streaks
    assert (first, stop, len(heads)) == (0, 10, 1)
    ((at, (asker, number, size, lines, time, pieces)),) = many
    assert (at, asker, number, size, pieces) == (1, SERVER, 4, 4 * (len(LOG) + len(DONE)), [])
    assert [line[0] for line in lines] == [1, 21, 31, 41]
    assert time == 19 + 3 * 9


@pytest.mark.parametrize(("took", "number"), [(SLOW_CALLBACK - 1, 1), (SLOW_CALLBACK, 0)])
def test_a_callback_that_took_long_is_none_of_many(took: int, number: int) -> None:
    said = [(CLIENT, post(1), 0), (SERVER, answer(LOG), 1), (CLIENT, post(2, DONE), 1 + took)]
    ((first, stop, many, _),) = found([*said, (SERVER, answer(), 2 + took)]).streaks
    assert (first, stop, len(many)) == (0, 4, number)


@pytest.mark.parametrize(
    ("number", "late", "expected"),
    [(4, 0, True), (4, HEARTBEAT_GRACE, True), (4, HEARTBEAT_GRACE + 1, False), (3, 0, False), (5, 0, False)],
)
def test_a_streak_begins_with_the_next_request_in_time(number: int, late: int, expected: bool) -> None:
    about = AgentFacts(0)
    assert not about.may_go_on(1, 0), "nobody asked so far"
    about.went_on(3, 100, 200)
    assert (about.asked, about.heard) == (100, 200)
    assert about.may_go_on(number, 100 + late) is expected


@pytest.mark.parametrize(
    ("body", "is_streak"), [(DONE, True), (b"", False), (b"<a/>", False), (b"\0", False), (b"Z", False)], ids=range(5)
)
def test_what_is_no_message_is_in_no_streak(body: bytes, is_streak: bool) -> None:
    said = exchanges(4)
    said[3] = (SERVER, answer(body), said[3][2])
    assert places(said) == ([(0, 8)] if is_streak else [(4, 8)])


@pytest.mark.parametrize(
    ("status", "is_streak"), [("200 OK", True), ("201 X", False), ("202 X", False), ("500 X", False)]
)
def test_only_what_was_answered_well_is_in_a_streak(status: str, is_streak: bool) -> None:
    said = exchanges(4)
    said[3] = (SERVER, answer(status=status), said[3][2])
    assert places(said) == ([(0, 8)] if is_streak else [(4, 8)])


@pytest.mark.parametrize(
    ("request_", "part"),
    [
        (post(1).partition(b"\r\nContent")[0], 1),
        (post(1, more="X-JobScheduler-Heartbeat-Continue: U PT1S PT2S\r\n").partition(b"\r\nContent")[0], 0),
        (b"POST /jobscheduler/agent/api/command HTTP/1.1", 0),
        (b"GET /jobscheduler/agent/api HTTP/1.1", 0),
        (b"POST /x HTTP/1.1", 0),
        (post(1, more="Content-Encoding: gzip\r\n").partition(b"\r\nContent-L")[0], 0),
    ],
)
def test_which_requests_ask_in_a_streak(request_: bytes, part: int) -> None:
    assert _part(request_, is_answer=False) == part
