"""HTTP as it may come to a Universal Agent: odd framing, bombs, what is beyond the caps; each named, beside a task."""

from __future__ import annotations

import gzip
import json
import zlib
from email.utils import formatdate

import pytest
from agent_kit import API, Plan, Pool, answer, bodies, close, play, post, refusal, request, response, start, started
from conversation import RST, SECOND, Address, Record
from kit import Found, packets_of, trace

from dissector.limits import MAX_HTTP_HEAD, MAX_JSON, MAX_JSON_DEPTH, MAX_PENDING_COMMANDS
from dissector.model import Connection, Endpoint, Exchange, Message, Outcome, Role
from dissector.session.case import end_name
from dissector.traffic import Side

JSON = "Content-Type: application/json"
COMMAND = f"{API}/command"
NO_OPERATION = b'{"$TYPE": "NoOperation"}'


def found(records: list[Record]) -> Found:
    return trace(packets_of(records))


def beside_a_task(*data: bytes, replies: bytes = b"") -> Found:
    """A connection with these bytes, and a healthy task on others."""
    pool = Pool(mss=1_448)
    for one in data:
        pool.ask(one, line=9)
    if replies:
        pool.reply(replies, line=9)
    events = found(play(Plan(), pool))
    (task,) = events.tasks
    assert (task.outcome, task.exit_code, task.problems) == (Outcome.SUCCESS, 0, [])
    return events


def told(events: Found) -> dict[str, str]:
    return {problem.code: problem.summary for problem in events.problems}


def exchanges(events: Found) -> list[Exchange]:
    return [one for one in events.events if isinstance(one, Exchange) and one.connection.client.port == 40_009]


def packed(body: bytes) -> bytes:
    return request(COMMAND, gzip.compress(body, mtime=0), "Content-Encoding: gzip", JSON)


def chunked(*chunks: bytes, more: str = "") -> bytes:
    sizes = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), more.encode(), chunk) for chunk in chunks)
    return f"POST {COMMAND} HTTP/1.1\r\n{JSON}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + sizes + b"0\r\n\r\n"


# --- what is beyond the caps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapper", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_a_body_that_unpacks_to_much(wrapper: object) -> None:
    """A bomb inside: the first level unpacks to 100 MB."""
    assert callable(wrapper)
    name = "gzip" if wrapper is gzip.compress else "deflate"
    body = wrapper(NO_OPERATION + b" " * 100_000_000)
    events = beside_a_task(request(COMMAND, body, f"Content-Encoding: {name}", JSON), replies=answer({}))
    assert "the body unpacks to more than" in told(events)["limit_reached"]
    assert "which jstrace does not read" in told(events)["limit_reached"]
    assert [one.status for one in exchanges(events)] == [200]


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH, MAX_JSON_DEPTH + 1, 1_000, 1_000_000])
def test_json_that_is_deep(depth: int) -> None:
    body = b'{"$TYPE": "NoOperation", "x": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    events = beside_a_task(request(COMMAND, body, JSON), replies=answer({}))
    (one,) = exchanges(events)
    if depth == MAX_JSON_DEPTH:
        assert (one.type, told(events)) == ("NoOperation", {})
    else:
        assert one.type is None
        assert f"JSON nested deeper than {MAX_JSON_DEPTH} is not read" in told(events)["limit_reached"]


def test_brackets_in_texts_are_no_depth() -> None:
    body = json.dumps({"$TYPE": "NoOperation", "x": '[{"' * 500}).encode()
    events = beside_a_task(request(COMMAND, body, JSON), replies=answer({}))
    assert (exchanges(events)[0].type, told(events)) == ("NoOperation", {})


@pytest.mark.parametrize("size", [MAX_JSON, MAX_JSON + 1])
def test_json_that_is_long(size: int) -> None:
    """A huge text in it, up to what an agent takes."""
    head = b'{"$TYPE": "NoOperation", "x": "'
    body = head + b"x" * (size - len(head) - 2) + b'"}'
    assert len(body) == size
    events = beside_a_task(request(COMMAND, body, JSON), replies=answer({}))
    if size == MAX_JSON:
        assert (exchanges(events)[0].type, told(events)) == ("NoOperation", {})
    else:
        assert f"JSON of more than {MAX_JSON} bytes is not read" in told(events)["limit_reached"]


def test_json_with_very_many_keys() -> None:
    body = json.dumps({"$TYPE": "NoOperation", **{f"k{at}": 0 for at in range(400_000)}}).encode()
    events = beside_a_task(request(COMMAND, body, JSON), replies=answer({}))
    assert (exchanges(events)[0].type, told(events)) == ("NoOperation", {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("9" * 40, int("9" * 40)),
        ("9" * 41, "9" * 41),
        ("9" * 5_000, "9" * 5_000),
        ("-1e308", -1e308),
        ("1e309", "1e309"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_numbers_that_nobody_can_hold(text: str, value: object) -> None:
    body = b'{"$TYPE": "StartNonApiTask", "meta": {"job": "/x", "taskId": %b}}' % text.encode()
    pool = Pool()
    pool.exchange(request(COMMAND, body, JSON), started())
    events = found(pool.end())
    (one,) = (event for event in events.events if isinstance(event, Exchange))
    assert one.request.json["meta"]["taskId"] == value
    (task,) = events.tasks
    assert (task.job, task.task_id) == ("/x", 7 if text == "7" else None)


def test_ids_of_five_thousand_digits() -> None:
    """They are ids like others; of longer ones the first 8,192 characters are kept."""
    for digits in (5_000, 20_000):
        tunnel = "7" * digits
        pool = Pool()
        pool.exchange(start(), started(tunnel))
        for number, (asked, answered) in enumerate(bodies(), 1):
            pool.exchange(post(number, asked, tunnel), response(200, answered))
        pool.exchange(close(tunnel), answer({}))
        tasks = found(pool.end()).tasks
        assert tasks[0].job == "/folder/shell"
        assert len(tasks[0].agent.agent_task_id or "") <= 8_192  # type: ignore[union-attr]
        if digits == 5_000:
            assert [task.outcome for task in tasks] == [Outcome.SUCCESS]


@pytest.mark.parametrize("lines", [1, 3_000])
def test_a_head_without_an_end(lines: int) -> None:
    filling = (
        b"x" * (2 * MAX_HTTP_HEAD) if lines == 1 else b"".join(b"X-%d: y\r\n" % number for number in range(20_000))
    )
    events = beside_a_task(f"POST {COMMAND} HTTP/1.1\r\nX: ".encode() + filling)
    assert f"jstrace reads heads of up to {MAX_HTTP_HEAD} bytes" in told(events)["undecoded_frame"]


@pytest.mark.parametrize("size", [MAX_HTTP_HEAD, MAX_HTTP_HEAD + 1])
def test_a_long_head_that_ends(size: int) -> None:
    first, last = f"POST {COMMAND} HTTP/1.1\r\nX: ".encode(), b"\r\nContent-Length: 0\r\n\r\n"
    events = beside_a_task(first + b"x" * (size - len(first) - len(last)) + last, replies=answer({}))
    assert ("undecoded_frame" in told(events)) is (size > MAX_HTTP_HEAD)
    assert len(exchanges(events)) == (size <= MAX_HTTP_HEAD)


def test_more_requests_than_are_kept() -> None:
    """Pipelined, ten times as many as wait: all are told, the first ones with their responses, and so is the cap."""
    get, many = request(f"{API}/task", method="GET"), 10 * MAX_PENDING_COMMANDS
    events = beside_a_task(get * many, replies=response(200, b"1") * many)
    assert len(exchanges(events)) == many
    assert sum(one.status == 200 for one in exchanges(events)) == MAX_PENDING_COMMANDS
    assert f"more than {MAX_PENDING_COMMANDS} requests wait for responses" in told(events)["limit_reached"]


# --- framing -------------------------------------------------------------------------------------------------------


def test_chunked_bodies() -> None:
    for data in (
        chunked(NO_OPERATION),
        chunked(*(NO_OPERATION[at : at + 1] for at in range(len(NO_OPERATION)))),
        chunked(NO_OPERATION, more=";name=" + "v" * 5_000),
    ):
        events = beside_a_task(data, replies=answer({}))
        assert [(one.type, one.status) for one in exchanges(events)] == [("NoOperation", 200)]
        assert told(events) == {}


@pytest.mark.parametrize("size", [b"fffffffffffffff", b"7fffffff"])
def test_a_chunk_that_never_comes(size: bytes) -> None:
    head = f"POST {COMMAND} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    events = beside_a_task(head + size + b"\r\n", *[b"x" * 1_000_000] * 18)
    assert "documents of up to" in told(events)["undecoded_frame"]


def test_a_chunk_line_that_is_long() -> None:
    head = f"POST {COMMAND} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;".encode()
    events = beside_a_task(head + b"e" * (MAX_HTTP_HEAD + 10) + b"\r\nx\r\n0\r\n\r\n")
    assert "its first line has more than" in told(events)["undecoded_frame"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (["Content-Length: 24", "Content-Length: 24"], None),
        (["Content-Length: 24, 24"], None),
        (["Content-Length: 24", "Content-Length: 5"], "undecoded_frame"),
        (["Content-Length: -1"], "undecoded_frame"),
        (["Content-Length: 99999999999999999999"], "undecoded_frame"),
        (["Content-Length: x"], "undecoded_frame"),
        (["Content-Length: 3", "Transfer-Encoding: chunked"], "http_ambiguous"),
    ],
)
def test_lengths_that_contradict_themselves(headers: list[str], code: str | None) -> None:
    body = b"18\r\n" + NO_OPERATION + b"\r\n0\r\n\r\n" if code == "http_ambiguous" else NO_OPERATION
    head = "\r\n".join([f"POST {COMMAND} HTTP/1.1", JSON, *headers, "", ""]).encode()
    events = beside_a_task(head + body, replies=answer({}))
    assert set(told(events)) == ({code} if code else set())
    if code != "undecoded_frame":
        assert [one.type for one in exchanges(events)] == ["NoOperation"]


def test_continue_comes_before_the_answer() -> None:
    pool = Pool()
    data = packed(NO_OPERATION).replace(b"Host:", b"Expect: 100-continue\r\nHost:")
    head, _, body = data.partition(b"\r\n\r\n")
    pool.ask(head + b"\r\n\r\n")
    pool.reply(b"HTTP/1.1 100 Continue\r\n\r\n")
    pool.ask(body)
    pool.reply(answer({}))
    (one,) = (event for event in found(pool.end()).events if isinstance(event, Exchange))
    assert (one.type, one.status) == ("NoOperation", 200)


def test_a_task_through_a_proxy_and_below_a_prefix() -> None:
    """Absolute URIs, a path prefix and another port."""
    pool = Pool()
    there = f"http://agent.example:4445/a/b{API}".encode()

    def through(data: bytes) -> bytes:
        return data.replace(API.encode(), there, 1)

    pool.exchange(through(start()), started())
    for number, (asked, answered) in enumerate(bodies(), 1):
        pool.exchange(through(post(number, asked)), response(200, answered))
    pool.exchange(through(close()), answer({}))
    (task,) = found(pool.end()).tasks
    assert (task.outcome, task.job) == (Outcome.SUCCESS, "/folder/shell")
    assert task.agent is not None
    assert task.agent.prefix == "a/b"


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (502, "Bad Gateway", "proxy_error"),
        (503, "Service Unavailable", "proxy_error"),
        (504, "Gateway Timeout", "proxy_error"),
        (407, "Proxy Authentication Required", "proxy_error"),
        (403, "HTML form POST is forbidden", "agent_unauthorized"),
        (
            404,
            "You are trying to access this Universal Agent as a JobScheduler or Classic Agent.",
            "agent_wrong_target",
        ),
    ],
)
def test_answers_that_are_no_agents(status: int, text: str, code: str) -> None:
    pool = Pool()
    pool.exchange(start(), refusal(status, text))
    (task,) = found(pool.end()).tasks
    assert task.outcome is Outcome.REFUSED
    assert [problem.code for problem in task.problems] == [code]


@pytest.mark.parametrize(
    ("status", "text", "cause"),
    [
        (403, "HTML form POST is forbidden", "Content-Type of a web form"),
        (403, "Unknown SessionToken", "tokens do not outlive it"),
        (404, "You are trying to access this Universal Agent as a JobScheduler or Classic Agent. Use", "of 1.8 or 1.9"),
    ],
)
def test_what_the_text_of_an_error_tells(status: int, text: str, cause: str) -> None:
    """Of a start, and of a request of no task."""
    pool = Pool()
    pool.exchange(start(), refusal(status, text))
    pool.exchange(request(COMMAND, NO_OPERATION, JSON), refusal(status, text))
    events = found(pool.end())
    assert [cause in problem.cause for problem in events.problems] == [True, True]
    assert all("{" not in problem.cause + problem.remedy for problem in events.problems)


def test_a_universal_master_at_a_classic_agent() -> None:
    """Its Jetty knows no such page."""
    pool = Pool()
    pool.exchange(start(), response(404, b"<html>Not Found</html>", kind="text/html"))
    (task,) = found(pool.end()).tasks
    assert (task.outcome, [problem.code for problem in task.problems]) == (Outcome.REFUSED, ["agent_wrong_target"])


def test_a_classic_master_at_a_universal_agent() -> None:
    pool = Pool()
    xml = b'<remote_scheduler.start_remote_task tcp_port="59999" kind="process"/>'
    hint = "You are trying to access this Universal Agent as a JobScheduler or Classic Agent. Use this ..."
    pool.exchange(request("/jobscheduler/engine/command", xml, "Content-Type: text/xml"), refusal(404, hint))
    (task,) = found(pool.end()).tasks
    assert (task.outcome, [problem.code for problem in task.problems]) == (Outcome.REFUSED, ["agent_wrong_target"])
    assert "a master of 1.8 or 1.9" in task.problems[0].cause


def test_fail_over_to_the_next_agent() -> None:
    """The first agent of the process class is being stopped: two starts, the second one runs."""
    pool = Pool()
    pool.exchange(start(), refusal(400, "Agent is terminating and does no longer accept task starts"))
    other = Pool(pool.network, agent=Address("10.2.0.11", 4_445), now=pool.now)
    other.exchange(start(), started())
    for number, (asked, answered) in enumerate(bodies(), 1):
        other.exchange(post(number, asked), response(200, answered))
    other.exchange(close(), answer({}))
    other.end()
    one, two = found(pool.end()).tasks
    assert (one.outcome, one.problems[0].code) == (Outcome.REFUSED, "agent_terminating")
    assert (two.outcome, two.problems, two.job) == (Outcome.SUCCESS, [], one.job)


def test_a_long_poll_is_no_hanging_call() -> None:
    """A file order source waits for as long as it says; nothing is told of it, answered or not."""
    pool = Pool()
    poll = {"$TYPE": "RequestFileOrderSourceContent", "directory": "/in", "regex": "", "duration": 60, "knownFiles": []}
    pool.ask(request(COMMAND, json.dumps(poll).encode(), JSON))
    pool.wait(60)
    pool.reply(answer({"files": []}))
    pool.ask(request(COMMAND, json.dumps(poll).encode(), JSON))
    pool.wait(20)
    events = found(pool.end())
    assert (events.tasks, events.problems) == ([], [])
    assert [one.type for one in events.events if isinstance(one, Exchange)] == ["RequestFileOrderSourceContent"] * 2


@pytest.mark.parametrize("idle", [20, 59])
def test_a_proxy_that_buffers(idle: int) -> None:
    """Responses come late: the messages are those that were said, and only their times are other ones."""
    pool = Pool()
    pool.exchange(start(), started())
    for number, (asked, answered) in enumerate(bodies(), 1):
        pool.ask(post(number, asked))
        if number == 3:
            pool.wait(idle)
        pool.reply(response(200, answered))
    pool.exchange(close(), answer({}))
    (task,) = found(pool.end()).tasks
    assert (task.outcome, task.exit_code) == (Outcome.SUCCESS, 0)


def test_a_connection_that_was_cut_while_idle() -> None:
    """A firewall forgot it: RST at the next request, which the master repeats on another connection."""
    pool = Pool()
    pool.exchange(start(), started())
    said = bodies()
    for number, (asked, answered) in enumerate(said[:3], 1):
        pool.exchange(post(number, asked), response(200, answered))
    pool.wait(9)
    pool.ask(post(4, said[3][0]))
    pool.lines[0].packet(pool.now + 1_000, 1, RST)
    pool.wait(1)
    pool.exchange(post(4, said[3][0]), response(200, said[3][1]), line=1)
    for number, (asked, answered) in enumerate(said[4:], 5):
        pool.exchange(post(number, asked), response(200, answered), line=1)
    pool.exchange(close(), answer({}), line=1)
    (task,) = found(pool.network.ordered()).tasks
    assert (task.outcome, task.exit_code) == (Outcome.SUCCESS, 0)
    assert [problem.code for problem in task.problems] == ["request_repeated"]


def test_commands_of_a_classic_agent_behind_the_cap_are_exchanges_too() -> None:
    xml = b"<remote_scheduler.remote_task.close process_id='1'/>"
    data = request("/jobscheduler/engine/command", xml, "Content-Type: text/xml")
    pool = Pool()
    pool.ask(data * (MAX_PENDING_COMMANDS + 2))
    events = found(pool.end()).events
    told_of = {one.n: one.connection for one in events if isinstance(one, Exchange)}
    assert len(told_of) == MAX_PENDING_COMMANDS + 2
    assert {one.exchange for one in events if isinstance(one, Message)} == set(told_of)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, None),
        (60, None),
        (-60, None),
        (62, "62 s ahead of"),
        (-61, "60 s behind"),
        (-62, "61 s behind"),
        (86_400, "86400 s ahead of"),
    ],
)
def test_an_agent_whose_clock_is_wrong(seconds: int, words: str | None) -> None:
    pool = Pool()
    usual = found(play(Plan(), Pool()))
    at = next(one.answered for one in usual.events if isinstance(one, Exchange)) or 0
    date = formatdate(at // SECOND + seconds, usegmt=True)
    reply = started().replace(b"Content-Type", f"Date: {date}\r\nContent-Type".encode())
    pool.exchange(start(), reply)
    for number, (asked, answered) in enumerate(bodies(), 1):
        pool.exchange(post(number, asked), response(200, answered))
    pool.exchange(close(), answer({}))
    (task,) = found(pool.end()).tasks
    assert task.outcome is Outcome.SUCCESS
    summaries = [problem.summary for problem in task.problems]
    assert summaries == ([f"The agent's clock is {words} the clock of the capture."] if words else [])


@pytest.mark.parametrize("date", ["", "yesterday", "Wed, 25 Xyz 2026 22:58:52 GMT", "Wed, 99 Nov 9999 99:99:99 GMT"])
def test_dates_that_are_none(date: str) -> None:
    pool = Pool()
    pool.exchange(start(), started().replace(b"Content-Type", f"Date: {date}\r\nContent-Type".encode()))
    assert [one.code for one in found(pool.end()).tasks[0].problems if one.code == "clock_skew"] in ([], ["clock_skew"])


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (Role.HTTP, ["The master", "The agent"]),
        (Role.COMMAND, ["The client", "The remote"]),
        (Role.CALLBACK, ["The task process", "The client"]),
    ],
)
def test_what_the_ends_are_called(role: Role, names: list[str]) -> None:
    one = Connection(Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2), 0, 1, role=role)
    assert [end_name(side, one) for side in Side] == names
