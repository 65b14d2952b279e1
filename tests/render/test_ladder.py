"""The page of a task, compared as a whole: what is drawn is what a person reads."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from render_sample import (
    EMPTY_ANSWER,
    NULL_GUID,
    TASK,
    Sample,
    at,
    bstr,
    capture,
    failing_job,
    golden,
    log_text,
    params,
)

from dissector.model import Endpoint, Mark, Outcome, Role, Severity
from dissector.render.ladder import LadderView
from dissector.render.terminal import Terminal
from dissector.traffic import IcmpError
from dissector.wire import messages as wire
from dissector.wire.masking import Mask

Page = Callable[..., str]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """``page(events, width, ...)``: what a LadderView prints."""

    def draw(events: list[Any], width: int = 110, **options: Any) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        out = io.StringIO()
        view = LadderView(Terminal(out), Mask(), **options)
        for event in events:
            view.add(event)
        view.close([capture()])
        return out.getvalue()

    return draw


def test_a_call_a_line(page: Page) -> None:
    assert page(failing_job().events) == golden("ladder_110")


def test_narrow(page: Page) -> None:
    assert page(failing_job().events, 72) == golden("ladder_72")


def test_a_message_a_line(page: Page) -> None:
    assert page(failing_job().events, verbose=True) == golden("ladder_verbose_110")


def test_the_order_of_events_does_not_matter(page: Page) -> None:
    assert page(failing_job().events[::-1]) == golden("ladder_110")


@pytest.mark.parametrize("width", [1, 20, 33, 60, 80, 99, 100, 101, 120, 160, 250])
@pytest.mark.parametrize("options", [{}, {"verbose": True}, {"fields": True}])
def test_no_line_is_wider_than_the_screen(page: Page, width: int, options: dict[str, bool]) -> None:
    lines = page(failing_job().events, width, **options).splitlines()
    assert max(map(len, lines)) <= max(width, 60)


def test_full_texts_follow_below(page: Page) -> None:
    drawn = page(failing_job().events, full=True).splitlines()
    place = next(number for number, line in enumerate(drawn) if "├── construct(" in line)
    assert [line.strip() for line in drawn[place + 1 : place + 8]] == [
        "construct(",
        'language="shell"',
        "script=",
        "echo failing",
        "exit 5",
        'job="shell_fail"',
        'task_id="1")',
    ]
    assert "for good" in [line.strip() for line in drawn]
    assert sum("callback connection closed" in line for line in drawn) == 1


def test_a_failed_call_and_one_without_an_answer(page: Page) -> None:
    sample = Sample()
    get = wire.Invoke(TASK, 9, NULL_GUID, 0, 1, params(bstr("x")))
    asked = sample.request(1, 20, False, "invoke", get, "job", 1)
    failure = wire.InvokeFailure(-1, wire.ExcepInfo(0, 0, "Spooler", "SCHEDULER-161  no such job", "", 0, 0))
    sample.answer(2, 21, asked, wire.InvokeAnswer(0x80020009, None, failure))
    asked = sample.request(3, 22, True, "call", wire.Call(7, "step", params()), "step")
    sample.answer(4, 23, asked, wire.ErrorAnswer(("name=COM", "code=COM-80020009", "what=COM-80020009 broken")))
    sample.request(5, 24, True, "call", wire.Call(7, "end", params(wire.Variant(11, True))), "end")
    drawn = page(sample.events, 200)
    assert "spooler_task.job" in drawn
    assert "DISP_E_EXCEPTION  SCHEDULER-161  no such job" in drawn
    assert "COM-80020009 broken" in drawn
    assert "end(true)" in drawn
    assert "no answer" in drawn
    sample.task.outcome = Outcome.RUNNING
    assert "not answered yet" in page(sample.events, 140)


@pytest.mark.parametrize("verbose", [False, True])
def test_an_error_too_long_for_its_line_goes_on_below(page: Page, verbose: bool) -> None:
    sample = Sample()
    asked = sample.request(1, 20, True, "call", wire.Call(7, "begin", params()), "begin")
    what = "COM-80020009 no such class " + "and so on " * 60
    sample.answer(2, 21, asked, wire.ErrorAnswer((f"what={what}end",)))
    lines = page(sample.events, 100, verbose=verbose).splitlines()
    place = next(number for number, line in enumerate(lines) if "COM-80020009" in line and "…" in line)
    below = [line.strip() for line in lines[place + 1 :]]
    assert below[0].startswith("COM-80020009 no such class and so on")
    assert len(below) == 4
    assert "end" not in below[3]
    assert page(sample.events, 100, verbose=verbose, full=True).rstrip().endswith("end")


def test_lookups_that_fail_are_not_folded(page: Page) -> None:
    sample = Sample()
    begin = sample.request(1, 20, True, "call", wire.Call(7, "begin", params()), "begin")
    for number, hresult in enumerate((0, 0x80020006)):
        lookup = wire.GetIdsOfNames(TASK, NULL_GUID, 0, (f"name{number}",))
        asked = sample.request(2 + number, 21, False, "get_ids_of_names", lookup, f"name{number}", 1)
        sample.answer(2.5 + number, 22, asked, wire.GetIdsOfNamesAnswer(hresult, None if hresult else (1,)))
    alive = sample.request(5, 23, False, "keep_alive", wire.KeepAlive(), None, 1)
    sample.answer(5.5, 24, alive, wire.EmptyAnswer())
    sample.answer(6, 25, begin, wire.CallAnswer(0, wire.Variant(11, False)))
    drawn = page(sample.events, 140)
    assert "+ 1 lookup, 1 keep-alive" in drawn
    assert "name0" not in drawn
    assert "get_ids_of_names spooler_task.name1" in drawn
    assert "DISP_E_UNKNOWNNAME" in drawn


def dropped_callback() -> Sample:
    """A firewall drops the callback; the client gives up after a minute."""
    sample = Sample()
    start = sample.say(0, 13, '<remote_scheduler.start_remote_task tcp_port="59999"/>')
    sample.reply(1, 15, start, '<process process_id="1" pid="77"/>')
    close = sample.say(59_400, 50, "<remote_scheduler.remote_task.close process_id='1'/>")
    sample.reply(135_000, 60, close, "<ok/>")
    sample.callback.syn_acks = []
    sample.callback.syns = [Mark(17 + n, at(2 + 1000 * n)) for n in range(11)]
    sample.task.outcome = Outcome.NO_CALLBACK
    sample.task.callback, sample.task.pid = None, 77
    return sample


def test_a_dropped_callback(page: Page) -> None:
    assert page(dropped_callback().events, 116) == golden("ladder_dropped_116")


def test_a_refused_callback(page: Page) -> None:
    sample = dropped_callback()
    sample.callback.syns = sample.callback.syns[:1]
    sample.callback.sides[1].rst = Mark(18, at(3))
    drawn = page(sample.events, 116)
    assert "no answer" not in drawn
    assert "connection refused" in drawn
    sample.callback.sides[1].rst = None
    router = Endpoint("10.0.0.1", None)
    sample.callback.icmp = [IcmpError(18, at(3), b"\x0a\0\0\1", "port unreachable", b"", 0, b"", 0, 0)]
    assert f"ICMP port unreachable from {router}" in page(sample.events, 116)


def test_every_syn_when_verbose(page: Page) -> None:
    assert page(dropped_callback().events, verbose=True).count("SYN to port 59999") == 11


def test_an_unanswered_command_connection(page: Page) -> None:
    sample = Sample()
    sample.command.syn_acks, sample.messages = [], []
    sample.task.outcome = Outcome.UNREACHABLE
    drawn = page([sample.command, sample.task])
    assert "├╌╌ SYN to port 4455 ╌╌" in drawn
    assert "no answer" in drawn


def test_a_lost_connection_names_the_end_that_left(page: Page) -> None:
    sample = failing_job()
    sample.messages = [one for one in sample.messages if one.operation != "release"]
    sample.callback.sides[1].fin = sample.callback.sides[1].rst = None
    sample.callback.sides[0].rst = Mark(51, at(13.9))
    assert "callback connection ended: RST from the task process's side" in page(sample.events)


def test_an_idle_connection_that_was_cut(page: Page) -> None:
    sample = failing_job()
    del sample.messages[14:]
    sample.callback.sides[0].retransmitted = [Mark(50 + n, at(1000 * n + 20)) for n in range(8)]
    sample.callback.sides[1].last = Mark(37, at(3.7))
    drawn = page(sample.events)
    assert drawn.count("retransmitted") == 1
    assert "8 times in 7 s, no answer" in drawn
    assert page(sample.events, verbose=True).count("retransmitted") == 8
    sample.callback.sides[1].last = Mark(99, at(9_000))
    assert "retransmitted" not in page(sample.events)


def test_a_command_connection_that_ends_early(page: Page) -> None:
    sample = failing_job()
    sample.messages = [one for one in sample.messages if one.connection is sample.callback or one.n < 3]
    sample.command.sides[0].rst = Mark(60, at(14.9))
    assert "command connection ended: RST from the client's side" in page(sample.events)


def test_a_stranger_on_the_announced_port(page: Page) -> None:
    sample = dropped_callback()
    sample.callback.role = Role.UNKNOWN
    drawn = page(sample.events)
    assert "10.2.0.10:40004 connects to the announced port 59999" in drawn


def test_several_pages_and_what_belongs_to_no_task(page: Page) -> None:
    first, second, other = failing_job(), failing_job(), Sample()
    second.task.n = 2
    state = other.say(0, 99, "<show_state/>")
    other.reply(1, 100, state, "<state/>")
    for message in other.messages:
        message.task = None
    events = [*second.events, *other.messages, *first.events]
    drawn = page(events)
    heads = [line for line in drawn.splitlines() if line.startswith((" task", " connection"))]
    assert [line.split()[:2] for line in heads] == [["task", "1"], ["task", "2"], ["connection", "1"]]
    assert "show_state" in drawn
    assert page([]) == " no task\n"


def test_problems_of_the_capture_stand_at_the_end(page: Page) -> None:
    sample = failing_job()
    problem = sample.problem("capture_truncated", Severity.WARNING, (), "cut off")
    problem.task = None
    assert page(sample.events).splitlines()[-1].startswith(" warning capture_truncated  cut off")


def test_hostile_text_is_shown_not_obeyed(page: Page) -> None:
    sample = failing_job()
    sample.task.job = "evil\x1b[31m\r\n"
    hostile = sample.request(9, 60, False, "invoke", log_text(0, "\x1b]0;owned\x07\x9b1m"), "log", 1)
    sample.answer(9.1, 61, hostile, EMPTY_ANSWER)
    sample.say(20, 70, '<x y="&#27;[2J"/>')
    for options in ({}, {"verbose": True}, {"full": True}, {"fields": True}):
        drawn = page(sample.events, **options)
        assert not [c for c in drawn if c != "\n" and not c.isprintable()]
        assert r"\x1b]0;owned\x07" in drawn


SECRET = "hunter2hunter2"


@pytest.mark.parametrize("options", [{}, {"verbose": True}, {"full": True}, {"fields": True, "full": True}])
def test_secrets_are_masked_in_every_view(page: Page, options: dict[str, bool]) -> None:
    sample = Sample()
    put = wire.Invoke(TASK, 5, NULL_GUID, 0, 4, params(bstr("db_password"), bstr(SECRET)))
    asked = sample.request(1, 20, False, "invoke", put, "value", 1)
    sample.answer(2, 21, asked, EMPTY_ANSWER)
    get = wire.Invoke(TASK, 5, NULL_GUID, 0, 2, params(bstr("db_password")))
    asked = sample.request(3, 22, False, "invoke", get, "value", 1)
    sample.answer(4, 23, asked, wire.InvokeAnswer(0, bstr(SECRET), None))
    logged = sample.request(5, 24, False, "invoke", log_text(0, f"password={SECRET}"), "log", 1)
    sample.answer(6, 25, logged, EMPTY_ANSWER)
    sample.say(7, 26, f'<x password="{SECRET}"/>')
    broken = sample.request(8, 27, False, "invoke", wire.KeepAlive(), None, 1)
    broken.kind, broken.raw = "undecoded", b"OpasswordX" + SECRET.encode()
    broken.body = wire.Undecoded(broken.raw, "cut off")
    drawn = page(sample.events, 200, **options)
    assert SECRET not in drawn
    assert SECRET.encode().hex(" ")[:20] not in drawn
    assert "***" in drawn


def test_fields(page: Page) -> None:
    sample = Sample()
    sample.request(1, 20, False, "invoke", log_text(1, "ä" * 200), "log", 1)
    drawn = [line.strip() for line in page(sample.events, 100, fields=True).splitlines()]
    assert "0000..0000    class  OBJECT ('O')" in drawn
    assert "0001..0008    object_id  0x9feaa85700000004" in drawn
    assert any(line.endswith("dispid  14") for line in drawn)
    assert any("value  ääää" in line and "…" in line for line in drawn)


def test_fields_of_an_undecoded_message_are_bytes(page: Page) -> None:
    sample = Sample()
    broken = sample.request(1, 20, False, "invoke", wire.KeepAlive())
    raw = b"O" + bytes(7) + b"\x05Cxyz" + bytes(100)
    broken.kind, broken.raw, broken.note, broken.body = "undecoded", raw, "no such command", wire.Undecoded(raw, "")
    drawn = page(sample.events, 100, fields=True)
    assert "undecoded, 113 bytes: no such command" in drawn
    assert "78 79 7a 00" in drawn
    assert "bytes more" in drawn
    assert "bytes more" not in page(sample.events, 100, fields=True, full=True)
