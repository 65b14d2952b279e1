"""What the HTTP messages of a Universal Agent say."""

from __future__ import annotations

import gzip
import json

import pytest

from dissector.limits import MAX_JSON_DEPTH
from dissector.wire import agent
from dissector.wire.http_message import HttpMessage, parse_http

API = "/jobscheduler/agent/api"
SECOND = 1_000_000_000


def request(line: str, *headers: str, body: bytes = b"") -> HttpMessage:
    head = "\r\n".join([f"{line} HTTP/1.1", *headers, f"Content-Length: {len(body)}"])
    return parse_http(f"{head}\r\n\r\n".encode() + body, is_request=True)


def response(status: int, body: bytes = b"", kind: str = "application/json") -> HttpMessage:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return parse_http(head.encode() + body, is_request=False)


def command(**value: object) -> HttpMessage:
    return request(f"POST {API}/command", body=json.dumps(value).encode())


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (f"{API}/command", agent.Target(None, "", "/command", None)),
        (f"/a/b{API}/tunnel/17", agent.Target(None, "a/b", "/tunnel/17", "17")),
        (f"{API}/tunnel/17/", agent.Target(None, "", "/tunnel/17/", "17")),
        (f"{API}/tunnel/", agent.Target(None, "", "/tunnel/", None)),
        (API, agent.Target(None, "", "", None)),
        (f"{API}/fileExists?file=/x{API}/tunnel/1", agent.Target(None, "", "/fileExists", None)),
        (f"https://host:4446/p{API}/tunnel/1", agent.Target("host:4446", "p", "/tunnel/1", "1")),
        (f"ftp://host{API}/tunnel/1", None),
        (f"http://[::1{API}", None),
        (f"{API}x/command", None),
        ("/jobscheduler/engine/command", None),
        (f"/x?y={API}/command", None),
        ("*", None),
        (None, None),
    ],
)
def test_where_a_request_goes(path: str | None, found: agent.Target | None) -> None:
    assert agent.target_of(path) == found


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (command(x=1), "command"),
        (request(f"GET {API}/command"), "view"),
        (request(f"GET {API}/task/"), "view"),
        (request(f"POST {API}/tunnel/1", body=b"S"), "tunnel"),
        (request(f"POST {API}/tunnel/1", f"{agent.HEARTBEAT_START}: PT10S PT1M", body=b"S"), "tunnel"),
        (request(f"POST {API}/tunnel/1", f"{agent.HEARTBEAT}: PT10S PT1M"), "heartbeat"),
        (request(f"POST {API}/tunnel/1", f"{agent.HEARTBEAT}: PT10S PT1M", body=b"S"), "tunnel"),
        (request(f"POST {API}/tunnel/1", f"{agent.HEARTBEAT_CONTINUE}: U PT10S PT1M"), "continue"),
        (
            request(f"POST {API}/tunnel/1", f"{agent.HEARTBEAT_CONTINUE}: U PT10S PT1M", f"{agent.HEARTBEAT}: x"),
            "continue",
        ),
        (request(f"POST {API}/tunnel/1"), "tunnel"),
        (request(f"GET {API}/tunnel/1"), "view"),
        (request(f"PUT {API}/tunnel/1"), "other"),
        (request(f"PUT {API}/command"), "other"),
        (request(f"POST {API}"), "other"),
        (request(f"POST {API}/x"), "other"),
        (request("POST /jobscheduler/engine/command"), "other"),
    ],
)
def test_what_a_request_is(message: HttpMessage, kind: str) -> None:
    head = agent.head_of(message)
    assert (head.kind if message.body else head.empty_kind) == kind
    assert head.target == agent.target_of(message.path)


@pytest.mark.parametrize("number", ["1", "", "x", "1\tPT1H", "12 PT1H", " 1 PT1H"])
@pytest.mark.parametrize("first", [True, False])
def test_a_head_is_read_whatever_its_number_looks_like(number: str, first: bool) -> None:
    """What stands behind the number is another header, and not a part of it."""
    names = [f"{agent.REQUEST_ID}: {number}", f"{agent.SECRET_HEADER}: s", f"{agent.HEARTBEAT_CONTINUE}: U PT1S PT2S"]
    head = agent.head_of(request(f"POST {API}/tunnel/7", *(names if first else names[::-1])))
    assert (head.secret, head.kind, head.heartbeat) == ("s", "continue", agent.Heartbeat(SECOND, 2 * SECOND))
    assert head.target is not None
    assert head.target.tunnel == "7"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("PT10S", 10 * SECOND),
        ("PT1M", 60 * SECOND),
        ("PT0.5S", SECOND // 2),
        ("PT1.5S", 3 * SECOND // 2),
        ("PT1M4S", 64 * SECOND),
        ("PT1H2M3.000000004S", 3_723 * SECOND + 4),
        ("PT277777H46M39S", 999_999_999 * SECOND),
        ("PT", None),
        ("10", None),
        ("PT1D", None),
        ("PT9999999999H", None),
        ("", None),
    ],
)
def test_durations(text: str, found: int | None) -> None:
    assert agent.nanoseconds(text) == found


def test_what_a_master_announces() -> None:
    beat = agent.heartbeat_of(request("POST /x", f"{agent.HEARTBEAT_CONTINUE}: 8f2c PT10S PT1M"))
    assert beat == agent.Heartbeat(10 * SECOND, 60 * SECOND)
    assert agent.heartbeat_of(request("POST /x", f"{agent.HEARTBEAT}: nonsense")) == agent.Heartbeat(None, None)
    assert agent.heartbeat_of(request("POST /x")) is None
    for text, beat in (("PT1S PT2S PT3S", agent.Heartbeat(SECOND, 2 * SECOND)), ("PT1S", agent.Heartbeat(None, None))):
        assert agent.heartbeat_of(request("POST /x", f"{agent.HEARTBEAT_START}: {text}")) == beat


@pytest.mark.parametrize(("header", "found"), [("3 PT277777H46M39S", 3), ("3", 3), ("x", None), ("", None)])
def test_numbers_of_requests(header: str, found: int | None) -> None:
    assert agent.request_id(request("POST /x", f"{agent.REQUEST_ID}: {header}")) == found


def test_what_a_command_asks_for() -> None:
    start = agent.command_of(command(meta={"job": "/f/j", "taskId": "7"}, **{"$TYPE": "StartApiTask"}))
    assert (start.type, start.job, start.task_id) == ("StartApiTask", "/f/j", "7")
    numeric = agent.command_of(command(meta={"taskId": 7}, **{"$TYPE": "StartApiTask"}))
    assert (numeric.job, numeric.task_id) == (None, "7")
    close = agent.command_of(command(agentTaskId="1-22", kill=True, **{"$TYPE": "CloseTask"}))
    assert (close.agent_task_id, close.kill) == ("1-22", True)
    odd = agent.command_of(command(meta=[1], agentTaskId=5, kill="yes", signal={}))
    assert odd == agent.AgentCommand(None)


def test_how_much_of_a_text_is_kept() -> None:
    for size in (8_191, 8_192, 8_193):
        job = agent.command_of(command(meta={"job": "j" * size})).job
        assert job == "j" * min(size, 8_192)


def test_bodies_are_unpacked() -> None:
    body = gzip.compress(b'{"$TYPE": "NoOperation"}')
    assert agent.command_of(request(f"POST {API}/command", "Content-Encoding: gzip", body=body)).type == "NoOperation"


def test_the_answer_to_a_start() -> None:
    body = b'{"agentTaskId":"1-4211","tunnelToken":{"id":"1","secret":"abc"}}'
    assert agent.started_of(response(200, body)) == agent.Started("1-4211", "1", "abc")
    for other in (b'{"agentTaskId":"1-4211"}', b'{"tunnelToken":{"id":"1"}}', b"{}", b"[]", b'{"tunnelToken":[]}'):
        assert agent.started_of(response(200, other)) is None


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (response(200, b"{}"), None),
        (response(202), None),
        (response(200, b'{"$TYPE":"StartTaskFailed","message":"no disk"}'), "no disk"),
        (response(200, b'{"$TYPE":"StartTaskFailed"}'), "StartTaskFailed"),
        (response(400, b" no \n", "text/plain; charset=UTF-8"), "no"),
        (response(502, b"<html>", "text/html"), "HTTP 502"),
        (response(410), "HTTP 410"),
        (response(299), None),
        (response(300), "HTTP 300"),
    ],
)
def test_why_a_request_failed(message: HttpMessage, text: str | None) -> None:
    assert agent.failure_of(message) == text


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        (b'{"tunnelToken":{"id":"1","secret":"s"}}', "s"),
        (b'{"tunnelToken":{"id":"1","secret":5}}', None),
        (b'{"tunnelToken":5}', None),
        (b"{}", None),
        (b"{", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_secret_that_a_task_process_begins_with(data: bytes, secret: str | None) -> None:
    assert agent.token_secret(data) == secret


def test_json_counts_only_where_it_is_said_to_be_json() -> None:
    assert agent.json_of(response(200, b"[1, {}]")) == [1, {}]
    assert agent.json_of(response(200, b"true")) is True
    assert agent.json_of(response(200, b"{}\n", "text/plain")) is None
    assert agent.json_of(response(200, b"{")) is None
    assert agent.json_of(response(200, b"[" * 100_000)) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Wed, 25 Nov 2026 22:58:52 GMT", 1_795_647_532),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1),
        ("Sun, 31 Dec 2000 23:59:59 GMT", 978_307_199),
        ("Sun, 01 Foo 2000 00:00:00 GMT", None),
        ("Sun, 01 Jan 0000 00:00:00 GMT", None),
        ("2026-11-25", None),
    ],
)
def test_the_clock_of_who_answers(text: str, seconds: int | None) -> None:
    reply = parse_http(f"HTTP/1.1 200 OK\r\nDate: {text}\r\n\r\n".encode(), is_request=False)
    assert agent.date_of(reply) == (seconds and seconds * SECOND)


def test_who_answers_without_a_date() -> None:
    assert agent.date_of(response(200)) is None


@pytest.mark.parametrize(
    ("body", "is_told"),
    [
        (b"[" * (MAX_JSON_DEPTH + 1) + b"]" * (MAX_JSON_DEPTH + 1), True),
        (b" {" + b'"a":[' * (MAX_JSON_DEPTH + 1), True),
        (b"[" * MAX_JSON_DEPTH + b"]" * MAX_JSON_DEPTH, False),
        (b"O" + b"[" * (MAX_JSON_DEPTH + 1), False),
        (b"x" + b"[" * (MAX_JSON_DEPTH + 1), False),
        (b"[" + b"[]," * MAX_JSON_DEPTH + b"[]]", False),
        (b"", False),
        (b'{"a":', False),
    ],
)
def test_only_json_that_is_more_than_is_read_is_told_of(body: bytes, is_told: bool) -> None:
    assert (agent.unread(response(200, body)) is not None) is is_told
