"""Exchanges over HTTP on the message page: request and response, their fields and bytes, without secrets."""

from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from view_kit import opened, play, press, settle, shown, title

from dissector.model import Connection, Endpoint, Exchange, Message
from dissector.render.fields import FieldSpan, print_fields
from dissector.view import exchange as page
from dissector.view import pages
from dissector.view.app import ViewApp
from dissector.view.keys import MESSAGE, TASK
from dissector.view.pane import Sheet
from dissector.wire.http_message import parse_http
from dissector.wire.masking import Mask

REQUEST = b"POST /jobscheduler/agent/api/command HTTP/1.1\r\nContent-Type: application/json\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\n"


def exchange_of(request: bytes, response: bytes | None = None, number: int = 7) -> Exchange:
    ends = Endpoint("10.0.0.1", 40_000), Endpoint("10.0.0.2", 4445)
    connection = Connection(*ends, start=0, first_packet=1)
    made = Exchange(number, connection, 1, (3,), "command", parse_http(request, True), request_raw=request)
    if response is not None:
        made.response, made.response_raw = parse_http(response, False), response
        made.response_packets, made.answered, made.latency = (5,), 9, 8
    return made


def fields_of(message: Message, mask: Mask | None = None) -> list[FieldSpan]:
    sheet = Sheet(200)
    print_fields(sheet, message, mask or Mask(), 0, full=True)
    return [line.subject for line in sheet.lines if isinstance(line.subject, FieldSpan)]


def packed(value: Any) -> bytes:
    body = gzip.compress(json.dumps(value).encode())
    return REQUEST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def is_titled(app: ViewApp, beginning: str) -> bool:
    return title(app).startswith(beginning)


async def enter_start(pilot: Pilot[None], app: ViewApp) -> None:
    await press(pilot, "enter", "enter", "enter")
    await settle(pilot, lambda: app.message.fields_pane.text.strip())


def test_a_command_is_entered_down_to_its_bytes_and_left(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await enter_start(pilot, app)
        assert (app.place, app.message.words_pane.has_focus) == (MESSAGE, True)
        assert title(app).startswith(" HTTP request 1 of task 1, packet 4")
        assert '"job": "/folder/old"' in app.message.words_pane.text  # it was compressed
        await press(pilot, "enter", "down")
        assert app.message.field is not None
        assert app.message.field.text == "Host: 127.0.0.1:4445"
        assert app.message.bytes_pane.marked == b"Host: 127.0.0.1:4445\r\n"
        await press(pilot, "enter")
        assert app.message.bytes_pane.has_focus
        await press(pilot, "escape", "escape", "escape")
        assert (app.place, app.pane.has_focus) == (TASK, True)

    play([captures / "agent" / "ua110_credentials.pcap"], script)


def test_its_response_and_the_next_command(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await enter_start(pilot, app)
        ways = [("a", "response 1"), ("r", "request 1"), ("e", "response 1"), ("e", "request 10"), ("e", "response 10")]
        ways += [("e", "response 10"), ("E", "request 10"), ("E", "response 1"), ("r", "request 1")]
        for key, wanted in ways:
            await press(pilot, key)
            await settle(pilot, partial(is_titled, app, f" HTTP {wanted} of"))
        await press(pilot, "r")
        assert title(app).startswith("no request of this")
        await press(pilot, "e")
        await settle(pilot, partial(is_titled, app, " HTTP response 1 of"))

    play([captures / "agent" / "ua110_credentials.pcap"], script)


def test_a_line_of_the_ladder_knows_its_packets(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter", "colon", "6", "enter")  # the response's
        assert "StartNonApiTask" in app.pane.current.text
        await press(pilot, "a")
        assert "no answer" not in title(app)
        await press(pilot, "c")
        assert app.clipboard == "frame.number in {4, 6}"

    play([captures / "agent" / "ua110_credentials.pcap"], script)


@pytest.mark.parametrize("name", ["ua110_credentials", "ua113_shell_ok", "ua113_kill", "ua113_wrong_secret"])
def test_no_secret_is_shown(captures: Path, name: str) -> None:
    """Neither the tunnel's secret nor the id that a task has on its agent."""
    store, reader = opened(captures / "agent" / f"{name}.pcap")
    reader.run()
    found = [one for entry in store.final() for one in store.events(entry) if isinstance(one, Exchange)]
    values = [one.response.json or {} for one in found if one.response is not None]
    tokens = [value["tunnelToken"]["secret"] for value in values if "tunnelToken" in value]
    secrets = tokens + [value["agentTaskId"] for value in values if "agentTaskId" in value]
    assert len(secrets) >= 2
    for exchange in found:
        for side in page.sides(exchange):
            texts = [page.text_of(side, Mask()), *(field.text for field in fields_of(side))]
            assert not [secret for secret in secrets if any(secret in text for text in texts)]
    start = next(one for one in found if one.response is not None and "tunnelToken" in (one.response.json or {}))
    assert tokens[0] in page.text_of(page.sides(start)[1], Mask(enabled=False))


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"a": [1, "x"]}', '{\n  "a": [\n    1,\n    "x"\n  ]\n}'),
        (b'{"password": "geheim"}', '{\n  "password": "***"\n}'),
        (b"<x password='geheim'/>", "<x password='***'/>"),
        (b"two\r\nlines", "two\nlines"),
        (b'{"cut": ', '{"cut": '),
        (b"\0\1\2\xff", "(4 bytes)"),
        (b"m\xfcde", "m\xfcde"),
        ("m\xfcde".encode(), "m\xfcde"),
        (b'{"half": "\\ud800"}', '{\n  "half": "\\ud800"\n}'),
        (b"\x1b[31mred", r"\x1b[31mred"),
    ],
)
def test_bodies(body: bytes, wanted: str) -> None:
    request, response = page.sides(exchange_of(REQUEST + b"\r\n", RESPONSE + b"\r\n" + body))
    assert page.text_of(request, Mask()) == "POST /jobscheduler/agent/api/command HTTP/1.1"
    assert page.text_of(response, Mask()) == f"HTTP/1.1 200 OK\n\n{wanted}"
    assert (request.answered_by, response.answers, response.latency, response.time) == (7, 7, 8, 9)


@pytest.mark.parametrize(("length", "more"), [(page._MOST, 0), (page._MOST + 1, 1)])
def test_a_long_body_is_cut(length: int, more: int) -> None:
    _, response = page.sides(exchange_of(REQUEST + b"\r\n", RESPONSE + b"\r\n" + b"y" * length))
    text = page.text_of(response, Mask())
    assert text.count("y") == length - more
    assert text.endswith("\n… 1 character more") is bool(more)


def test_a_body_that_can_not_be_read_is_told() -> None:
    broken = REQUEST + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
    (request,) = page.sides(exchange_of(broken))
    assert request.answered_by is None
    assert request.body.reason in page.text_of(request, Mask())
    assert fields_of(request)[-1].text == "5 bytes, compressed"


@pytest.mark.parametrize("body", [b"plain text\r\n", b"<xml/>\n\0", b"\0\1binary", b"", b"\x1b[31m"])
def test_fields_cover_every_byte(body: bytes) -> None:
    raw = RESPONSE + b"X-Password: geheim\r\n\r\n" + body
    _, response = page.sides(exchange_of(REQUEST + b"\r\n", raw))
    found = fields_of(response)
    assert b"".join(raw[one.start : one.end] for one in found) == raw
    assert "geheim" not in " ".join(one.text for one in found)
    assert (found[-1].name == "body") is (body[:1] in (b"\0", b"\x1b"))


def test_of_a_compressed_body_the_fields_tell_its_length() -> None:
    raw = packed({"$TYPE": "CloseTask", "kill": True})
    (request,) = page.sides(exchange_of(raw))
    last = fields_of(request)[-1]
    assert (last.name, last.end) == ("body", len(raw))
    assert raw[last.start : last.start + 2] == b"\x1f\x8b"
    assert '"kill": true' in page.text_of(request, Mask())


def test_messages_and_exchanges_of_one_number_are_not_mixed(captures: Path) -> None:
    async def script(app: ViewApp, pilot: Pilot[None]) -> None:
        entry = app.store.final()[0]
        messages = pages.messages_of(app.store, entry)
        sides = pages.messages_like(app.store, entry, page.sides(exchange_of(REQUEST))[0])
        assert {one.n for one in sides} & {one.n for one in messages}
        assert all(one.kind in page.KINDS for one in sides)
        assert pages.messages_like(app.store, entry, messages[0]) == messages
        await press(pilot, "enter", "enter", "enter")
        assert "HTTP request 1" in title(app)
        assert "HTTP request 1" in shown(app)

    play([captures / "agent" / "ua113_shell_ok.pcap"], script)
