"""``jstrace explain``: every code that can be told is explained, and codes of the engine lead to problem codes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class
from click.testing import Result

from dissector.cli import main
from dissector.errors import UsageError
from dissector.reports.explain import all_codes, explain
from dissector.session.codes import CODES
from dissector.wire.names import error_codes

Command = Callable[..., Result]
PACKAGE = Path(__file__).resolve().parent.parent / "dissector"

#: The codes that programs may rely on.
CONTRACT = re.findall(
    r"\w+",
    """
    command_unanswered command_refused command_rejected start_error callback_dropped callback_refused callback_elsewhere
    callback_late callback_missing callback_other_address callback_foreign_bytes connection_lost idle_connection_cut
    command_lost_first task_killed job_failed error_answer call_failed slow_call open_call retransmissions zero_window
    port_range_low gap mid_stream one_direction undecoded_frame trailing_bytes impossible_length snap_length
    capture_truncated clock_backwards ip_fragment command_not_captured callback_not_captured
    """,
)


def emitted() -> set[str]:
    """First arguments of everything in the package that makes a problem, as far as they are literals."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = str(getattr(node.func, "attr", None) or getattr(node.func, "id", ""))
            arguments = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "code")]
            if re.fullmatch(r"_?(stream_?)?problem|Finding|Problem|StreamProblem|_report", name):
                found |= {
                    one.value
                    for one in arguments
                    if isinstance(one, ast.Constant) and isinstance(one.value, str) and "{" not in one.value
                }
    return found


@pytest.mark.parametrize("code", CONTRACT)
def test_every_code_of_the_contract(code: str) -> None:
    told = explain(code)
    assert told.code == code
    assert told.severity in ("info", "warning", "error")
    assert told.meaning
    assert told.cause
    assert told.remedy
    assert "{" not in told.cause + told.remedy


@pytest.mark.parametrize("code", CODES)
def test_no_word_stands_twice(code: str) -> None:
    """A place that is filled in may have its word in front of it already."""
    told = explain(code)
    for text in (told.meaning, told.tell, told.cause, told.remedy):
        assert re.search(r"\b(\w+(?: \w+)*) \1\b", text) is None, text


def test_every_code_that_is_emitted() -> None:
    assert len(emitted()) > 20
    assert emitted() <= set(CODES)


def test_the_list_is_complete(jstrace: Command) -> None:
    listed = {line.split()[0] for line in jstrace("explain").stdout.splitlines() if line[1:2].strip()}
    assert listed == set(all_codes()) >= set(CODES) | set(error_codes())


def test_codes_of_problems_and_of_the_engine_lead_to_each_other() -> None:
    candidates = {one.code for one in explain("Z-REMOTE-118").candidates}
    assert candidates >= {"command_unanswered", "callback_dropped", "callback_refused", "callback_missing"}
    assert "job_failed" not in candidates
    for code in candidates:
        assert "Z-REMOTE-118" in explain(code).engine
    places = {one.code: one.place for one in explain("SCHEDULER-287").candidates}
    assert places == {"command_rejected": "at the remote"}


def test_candidates_of_one_code_differ_in_what_is_seen() -> None:
    for code in all_codes():
        told = explain(code)
        seen = [one.tell for one in told.candidates]
        assert len(set(seen)) == len(seen)
        assert told.meaning or told.candidates


def test_every_code_of_the_recordings(captures: Path) -> None:
    """Codes in the engine's own logs and answers, as far as they were recorded."""
    pattern = re.compile(r"\b(?:SCHEDULER|Z-REMOTE|Z-JAVA|ERRNO|WINSOCK|COM)-[0-9A-F]{1,8}\b|\bXML-ERROR\b")
    texts = [path.read_text(encoding="utf-8") for path in captures.rglob("*.json")]
    named = {code for text in texts for code in pattern.findall(text)}
    assert len(named) > 20
    for code in named:
        assert explain(code).meaning, code


@pytest.mark.parametrize(
    ("windows", "linux"),
    [("10051", "101"), ("10054", "104"), ("10060", "110"), ("10061", "111"), ("10065", "113")],
)
def test_windows_has_other_numbers_for_the_same(windows: str, linux: str) -> None:
    told, same = explain(f"winsock-{windows}"), explain(f"ERRNO-{linux}")
    assert told == explain(windows)
    assert (told.title, told.candidates, told.look_for) == (same.title, same.candidates, same.look_for)
    assert f"ERRNO-{linux}" in told.meaning


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        ("ECONNRESET", "ERRNO-104"),
        ("econnrefused", "ERRNO-111"),
        ("ETIMEDOUT", "ERRNO-110"),
        ("EHOSTUNREACH", "ERRNO-113"),
        ("ENETUNREACH", "ERRNO-101"),
        ("EPIPE", "ERRNO-32"),
        ("WSAECONNRESET", "WINSOCK-10054"),
        ("wsaeconnrefused", "WINSOCK-10061"),
        ("WSAETIMEDOUT", "WINSOCK-10060"),
        ("WSAEHOSTUNREACH", "WINSOCK-10065"),
        ("WSAENETUNREACH", "WINSOCK-10051"),
    ],
)
def test_symbols_of_the_systems(symbol: str, code: str) -> None:
    assert explain(symbol).code == code


def test_a_symbol_that_windows_does_not_have() -> None:
    with pytest.raises(UsageError, match="no code 'WSAEPIPE'"):
        explain("WSAEPIPE")


def test_problems_name_the_codes_of_both_systems() -> None:
    assert "ERRNO-111 or WINSOCK-10061" in ", ".join(explain("callback_refused").engine)


@pytest.mark.parametrize("text", ["0x80020009", "80020009", "com-80020009", "DISP_E_EXCEPTION", "disp_e_exception"])
def test_hresults(text: str) -> None:
    told = explain(text)
    assert (told.code, told.title) == ("COM-80020009", "DISP_E_EXCEPTION")
    assert explain("DISP_E_OVERFLOW").meaning


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("explain z-remote-11", {"Z-REMOTE-115", "Z-REMOTE-118", "Z-REMOTE-119"}),
        ("explain callback_d", {"callback_dropped"}),
        ("simulate --scenario shell-j", {"shell-job"}),
        ("simulate --scenario al", {"all"}),
        ("live l", {"lo"}),
        ("live an", {"any"}),
        ("read --filter outc", {"outcome="}),
        ("slice --filter outc", {"outcome="}),
    ],
)
def test_completion(arguments: str, words: set[str]) -> None:
    complete = get_completion_class("bash")
    assert complete is not None
    *before, begun = arguments.split()
    found = complete(main, {}, "jstrace", "_JSTRACE_COMPLETE").get_completions(before, begun)
    assert {item.value for item in found} >= words


@pytest.mark.parametrize("text", ["Z-REMOTE-118", "z_remote_118", "z remote 118", "118", " z-remote-118 "])
def test_any_way_of_writing(text: str) -> None:
    assert explain(text).code == "Z-REMOTE-118"


def test_several_codes(jstrace: Command) -> None:
    result = jstrace("explain", "callback_dropped", "scheduler-280", "ERRNO-111")
    assert result.exit_code == 0
    for words in ("callback_dropped  error", "Remedy", "SCHEDULER-280", "callback_refused", "59999 and lower"):
        assert words in result.stdout


def test_an_unknown_code(jstrace: Command) -> None:
    result = jstrace("explain", "calback_droped")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "callback_dropped" in result.stderr
    assert jstrace("explain", "xyz").exit_code == 2
    assert len(jstrace("explain", "xyz").stderr.splitlines()) == 1


def test_json(jstrace: Command) -> None:
    document = json.loads(jstrace("explain", "--format", "json").stdout)
    assert [one["code"] for one in document["codes"]] == all_codes()
    (one,) = json.loads(jstrace("explain", "errno-111", "--format", "json").stdout)["codes"]
    assert one["title"] == "connection refused"
    assert [each["code"] for each in one["candidates"]] == ["command_refused", "callback_refused"]
    assert set(one["candidates"][0]) == {"code", "meaning", "tell", "place"}
