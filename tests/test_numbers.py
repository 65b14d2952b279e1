"""Texts of the wire that say numbers: within their bounds they are read, and else unknown, which is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conversation import Network, TaskScript
from retold import retold

from dissector.numbers import (
    EXIT_CODE,
    INT64,
    PID,
    PORT,
    SIGNAL,
    TASK_ID,
    Bounds,
    count,
    hexadecimal,
    is_odd,
    number,
    verb,
)
from dissector.stream.http import HttpReader
from dissector.traffic import Chunk, Side, StreamProblem
from dissector.wire.http_message import parse_http

Json = dict[str, Any]
DIGITS = "9" * 5_000
#: Texts that are no task's number, whatever reads them.
ODD = {
    "5000 digits": DIGITS,
    "5000 digits below zero": f"-{DIGITS}",
    "2^63": str(1 << 63),
    "2^64": str(1 << 64),
    "negative": "-1",
    "exponent": "1e9",
    "point": "1.0",
    "hex": "0x10",
    "underscore": "1_0",
    "superscript": "\xb2",
    "two signs": "+-5",
    "sign alone": "+",
    "inner blank": "1 2",
    "word": "five",
    "no-break space": "\xa05",
    "unit separator": "\x1f5",
}
READ = {
    "0": 0,
    "7": 7,
    "007": 7,
    "0" * 5_000 + "7": 7,
    "+5": 5,
    " 5 ": 5,
    "-0": 0,
    "\t5\n": 5,
    str((1 << 63) - 1): (1 << 63) - 1,
}


@pytest.mark.parametrize(("text", "value"), READ.items(), ids=[text[:25].strip() for text in READ])
def test_numbers(text: str, value: int) -> None:
    assert number(text, TASK_ID) == value
    assert not is_odd(text, TASK_ID)


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_no_numbers(text: str) -> None:
    assert number(text, TASK_ID) is None
    assert is_odd(text, TASK_ID)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_what_is_not_there_is_not_odd(text: str | None) -> None:
    assert number(text, TASK_ID) is None
    assert not is_odd(text, TASK_ID)


@pytest.mark.parametrize("bounds", [INT64, PORT, PID, TASK_ID, EXIT_CODE, SIGNAL])
def test_bounds(bounds: Bounds) -> None:
    assert number(str(bounds.least), bounds) == bounds.least
    assert number(str(bounds.greatest), bounds) == bounds.greatest
    assert number(str(bounds.least - 1), bounds) is None
    assert number(str(bounds.greatest + 1), bounds) is None


def test_digits_of_other_scripts() -> None:
    assert number("\u0661\u0662", INT64) is None
    assert number("\uff11", INT64) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ff", 255),
        ("0" * 100 + "A", 10),
        ("f" * 15, 16**15 - 1),
        ("f" * 16, None),
        ("", None),
        ("0x1", None),
        ("-1", None),
    ],
)
def test_hexadecimal(text: str, value: int | None) -> None:
    assert hexadecimal(text) == value


# --- in conversations ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def genuine(captures: Path) -> Callable[[str, str], bytes]:
    """The recording of a failing shell job with another text somewhere."""
    return lambda old, new: retold(captures / "engine_shell_fail.pcap", old, new)


#: A text of the recording, what stands where the number does, and what the task is then: path and value.
PLACES = {
    "task_id": ("task_id=1", "task_id={}", "task_id", 1),
    "exit_code": ('exit_code="5"', 'exit_code="{}"', "exit_code", 5),
    "process_id": ('<process process_id="1"', '<process process_id="{}"', "process_id", 1),
    "tcp_port": ('tcp_port="59999"', 'tcp_port="{}"', "port", 59999),
}


def told(document: Json, path: str) -> object:
    (task,) = [task for task in document["tasks"] if task["job"] == "shell_fail"]
    return task["callback"]["port"] if path == "port" else task[path]


@pytest.mark.parametrize("name", PLACES)
def test_the_recording_itself(
    name: str, genuine: Callable[..., bytes], tmp_path: Path, trace: Callable[..., Json]
) -> None:
    old, _, path, value = PLACES[name]
    (tmp_path / "x.pcap").write_bytes(genuine(old, old))
    document = trace(tmp_path / "x.pcap")
    assert told(document, path) == value
    assert "odd_number" not in [problem["code"] for problem in document["problems"]]


@pytest.mark.parametrize("odd", ["5000 digits", "2^63", "exponent", "superscript", "5000 digits below zero", "word"])
@pytest.mark.parametrize("name", PLACES)
def test_what_is_no_number_is_unknown_and_said(
    name: str, odd: str, genuine: Callable[..., bytes], tmp_path: Path, trace: Callable[..., Json]
) -> None:
    old, form, path, value = PLACES[name]
    (tmp_path / "x.pcap").write_bytes(genuine(old, form.format(ODD[odd])))
    document = trace(tmp_path / "x.pcap")
    # The port is known from the callback; all else is not.
    assert told(document, path) == (value if name == "tcp_port" else None)
    (problem,) = [problem for problem in document["problems"] if problem["code"] == "odd_number"]
    assert f'{name}="' in problem["summary"]
    assert len(problem["summary"]) < 200
    assert problem["severity"] == "info"
    (task,) = [task for task in document["tasks"] if task["job"] == "shell_fail"]
    assert task["outcome"] == ("unknown" if name == "exit_code" else "failure")
    assert "odd_number" in task["problems"]
    assert [task["callback"]["peer"] is not None, task["client"]["port"]] == [True, 47406]


@pytest.mark.parametrize(
    "view", [("-v",), ("--bytes",), ("--task", "1", "-v", "--full"), ("--format", "jsonl", "--messages")]
)
@pytest.mark.parametrize("signal", [DIGITS, "\xb2", "-9", "256"])
def test_a_signal_that_is_none(
    signal: str, view: tuple[str, ...], tmp_path: Path, genuine: Callable[..., bytes], jstrace: Callable[..., Any]
) -> None:
    """Neither a success nor the end of jstrace."""
    (tmp_path / "x.pcap").write_bytes(genuine('exit_code="5"', f'exit_code="0" signal="{signal}"'))
    result = jstrace("read", tmp_path / "x.pcap", *view, "--filter", "job=shell_fail")
    assert result.exit_code == 0
    table = jstrace("read", tmp_path / "x.pcap").stdout
    assert "  unknown  " in table
    assert "odd_number" in table


def test_a_signal(tmp_path: Path, genuine: Callable[..., bytes], trace: Callable[..., Json]) -> None:
    (tmp_path / "x.pcap").write_bytes(genuine('exit_code="5"', 'exit_code="0" signal="+009"'))
    (task,) = [task for task in trace(tmp_path / "x.pcap")["tasks"] if task["job"] == "shell_fail"]
    assert (task["signal"], task["outcome"]) == (9, "failure")


def test_a_made_conversation_says_nothing_of_numbers(tmp_path: Path, trace: Callable[..., Json]) -> None:
    network = Network()
    network.play(TaskScript())
    (tmp_path / "x.pcap").write_bytes(network.capture())
    assert trace(tmp_path / "x.pcap")["problems"] == []


# --- HTTP ----------------------------------------------------------------------------------------------------------


def http(data: bytes) -> list[str]:
    reader = HttpReader(Side.CLIENT)
    found = reader.feed(Chunk(Side.CLIENT, 0, data, 1, 0))
    return [one.text if isinstance(one, StreamProblem) else one.data.decode("latin-1") for one in found]


@pytest.mark.parametrize("length", [DIGITS, "-1", "1e3", "\xb2", "0x5", "5 5", ""])
def test_a_length_that_is_none(length: str) -> None:
    message = f"POST /x HTTP/1.1\r\nContent-Length: {length}\r\n\r\nhello"
    assert http(message.encode("latin-1")) == ["HTTP Content-Length is no number that is possible there"]


@pytest.mark.parametrize("length", ["5", "005", "0" * 5_000 + "5", "5  "])
def test_lengths(length: str) -> None:
    message = f"POST /x HTTP/1.1\r\nContent-Length: {length}\r\n\r\nhello"
    assert http(message.encode("latin-1")) == [message]


@pytest.mark.parametrize(
    ("size", "good"), [("5", True), ("0" * 40 + "5", True), ("1" + "0" * 15, False), ("f" * 5_000, False)]
)
def test_sizes_of_chunks(size: str, good: bool) -> None:
    head = "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    message = f"{head}{size}\r\nhello\r\n0\r\n\r\n"
    assert http(message.encode()) == [message if good else "HTTP chunk without a size that is possible"]
    assert parse_http(message.encode(), is_request=True).body == (b"hello" if good else b"")


# --- arguments -----------------------------------------------------------------------------------------------------


def test_arguments(captures: Path, jstrace: Callable[..., Any]) -> None:
    path = captures / "engine_shell_ok.pcap"
    for arguments in (
        ("read", path, "--callback-ports", f"1-{DIGITS}"),
        ("read", path, "--callback-ports", "1-2-3"),
        ("read", path, "--filter", f"task={DIGITS}"),
        ("read", path, "--filter", "task=\u0661"),
        ("read", path, "--task", DIGITS),
        ("simulate", "--listen", f"x:{DIGITS}"),
        ("explain", f"SCHEDULER-{DIGITS}"),
    ):
        assert jstrace(*arguments).exit_code == 2, arguments


@pytest.mark.parametrize(
    ("amount", "packets", "addresses", "verbs"),
    [
        (0, "0 packets", "0 addresses", "are were belong"),
        (1, "1 packet", "1 address", "is was belongs"),
        (2, "2 packets", "2 addresses", "are were belong"),
    ],
)
def test_one_thing_and_several(amount: int, packets: str, addresses: str, verbs: str) -> None:
    assert count(amount, "packet") == packets
    assert count(amount, "address", "addresses") == addresses
    assert [verb(amount, one) for one in ("is", "was", "belongs")] == verbs.split()
