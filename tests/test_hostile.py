"""Bytes that want to stop, fool or fill the program, each beside a healthy task that has to be traced all the same."""

from __future__ import annotations

import json
import os
import re
import struct
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from click.testing import Result
from conversation import (
    ACK,
    ANSWER_TIME,
    PSH,
    SYN,
    Address,
    Line,
    Network,
    Record,
    TaskScript,
    dialog,
    ethernet,
    start_command,
    started_answer,
)

from dissector.limits import MAX_DECODED_MESSAGE
from dissector.model import Task
from dissector.session.tracer import Tracer
from dissector.traffic import Packet
from dissector.wire import control
from dissector.wire.decode import encode_frame

Json = dict[str, Any]
Trace = Callable[..., Json]
ETHERNET = 1
MEGABYTE = 1_000_000
#: Connections of a flood; many times what is remembered, of half-open ones too.
HALF_OPEN = 60_000
HEALTHY = TaskScript(job="healthy", log=("one", "two"), command_port=41_000, callback_port=59_999, peer_port=51_000)
VICTIM = TaskScript(job="victim", command_port=42_000, callback_port=59_998, peer_port=52_000, process_id=2, task_id=2)


def trace_beside(network: Network, tmp_path: Path, trace: Trace) -> Json:
    """What the program says of ``network`` with the healthy task in the midst of it, whose story has to be complete."""
    network.play(HEALTHY, start=0.0005)
    path = tmp_path / "hostile.pcap"
    path.write_bytes(network.capture())
    document = trace(path)
    assert_healthy(document)
    return document


def assert_healthy(document: Json) -> None:
    (task,) = [task for task in document["tasks"] if task["callback"]["port"] == HEALTHY.callback_port]
    assert (task["job"], task["outcome"], task["problems"]) == ("healthy", "success", [])
    assert [(line["level"], line["text"]) for line in task["log"]] == [("info", "one"), ("info", "two")]
    assert task["counts"]["messages"] == 18
    assert sum(message["task"] == task["n"] for message in document["messages"]) == 22


def begun(network: Network, script: TaskScript = VICTIM) -> tuple[Line, int]:
    """A task up to the middle of its first step: the callback connection and the time to go on at."""
    command = network.line(Address(script.client, script.command_port), Address(script.remote, script.remote_port))
    command.open(0)
    command.send(100_000, 0, start_command(script))
    command.send(300_000, 1, started_answer(script))
    callback = network.line(script.peer_address, Address(script.client, script.callback_port))
    callback.open(500_000)
    now = 600_000
    for side, body in islice(dialog(script), 7):
        now += 10_000
        callback.send(now, side, encode_frame(body))
    return callback, now + 10_000


def codes(document: Json, port: int = VICTIM.callback_port) -> set[str]:
    """Problem codes of the task of ``port``."""
    (task,) = [task for task in document["tasks"] if task["callback"]["port"] == port]
    return set(task["problems"])


def frame(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


# --- lengths, counts and depths that lie ---------------------------------------------------------------------------


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("length", [0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1000 * 1024 * 1024 + 1, 0])
def test_impossible_length(length: int, side: int, tmp_path: Path, trace: Trace) -> None:
    network = Network()
    callback, now = begun(network)
    callback.send(now, side, struct.pack(">I", length) + b"A" * 200)
    document = trace_beside(network, tmp_path, trace)
    assert "impossible_length" in codes(document)


def test_a_length_that_is_allowed_but_never_comes(tmp_path: Path, trace: Trace) -> None:
    """900 MB announced, 200 bytes sent: nothing is set aside for the rest."""
    network = Network()
    callback, now = begun(network)
    callback.send(now, 0, struct.pack(">I", 900 * 1024 * 1024) + b"A" * 200)
    tracemalloc.start()
    try:
        trace_beside(network, tmp_path, trace)
        assert tracemalloc.get_traced_memory()[1] < 50 * MEGABYTE
    finally:
        tracemalloc.stop()


def nested_variant(depth: int) -> bytes:
    """An array of one variant, which is an array of one variant, ..."""
    layer = struct.pack(">IHHIII", 0x200C, 1, 0x0880, 1, 0, 12)
    return layer * depth + struct.pack(">I", 0)


def invoke_with(argument: bytes) -> bytes:
    return b"O" + bytes(8) + b"I" + bytes(4 + 16 + 4) + struct.pack(">III", 1, 1, 0) + argument


@pytest.mark.parametrize("depth", [1_000, pytest.param(700_000, marks=pytest.mark.dear)])
def test_nested_variants(depth: int, tmp_path: Path, trace: Trace) -> None:
    """Up to 14 MB of arrays in arrays: refused at the cap of depth, and the next frame is found."""
    network = Network()
    callback, now = begun(network)
    message = invoke_with(nested_variant(depth))
    callback.send(now, 0, frame(message), mss=60_000)
    callback.send(now + 10_000, 1, frame(b"E" + struct.pack(">I", 5) + b"what="))
    document = trace_beside(network, tmp_path, trace)
    assert "undecoded_frame" in codes(document)
    mine = [found["kind"] for found in document["messages"] if found["bytes"] == len(message) + 4]
    assert mine == ["undecoded"]
    assert sum(found["kind"] == "error" for found in document["messages"]) == 1


@pytest.mark.parametrize("size", [17 << 20, MAX_DECODED_MESSAGE - 100, MAX_DECODED_MESSAGE])
def test_a_long_message(size: int, tmp_path: Path, trace: Trace) -> None:
    """Up to the cap it is read; beyond it the cap is named, and nobody is blamed."""
    network = Network()
    callback, now = begun(network)
    message = invoke_with(struct.pack(">II", 8, size) + b"x" * size)
    callback.send(now, 0, frame(message), mss=60_000)
    document = trace_beside(network, tmp_path, trace)
    mine = [found["operation"] for found in document["messages"] if found["bytes"] == len(message) + 4]
    told = [problem for problem in document["problems"] if problem["code"] == "undecoded_frame"]
    if len(message) <= MAX_DECODED_MESSAGE:
        assert (mine, told) == (["invoke"], [])
        return
    (problem,) = told
    assert mine == ["invoke"]
    assert (
        f"a message of {len(message)} bytes is skipped: jstrace decodes messages of up to 67108864 bytes"
        in problem["summary"]
    )
    assert "a cap of jstrace itself" in problem["cause"]
    assert "damaged" not in problem["cause"] + problem["remedy"]


@pytest.mark.parametrize(
    "argument",
    [
        struct.pack(">II", 8, 0x7FFF_FFFF) + b"short",  # a string of 2 GB
        struct.pack(">II", 8, 0xFFFF_FFFF) + b"short",  # a string of -1 bytes
        struct.pack(">IHHIII", 0x200C, 1, 0x0880, 0x7FFF_FFFF, 0, 12),  # an array of 2 G variants
        struct.pack(">IHHIII", 0x2011, 1, 0x0090, 0xFFFF_FFFF, 0, 17),  # an array of -1 bytes
        struct.pack(">IHHIII", 0x200C, 2, 0x0880, 1, 0, 12),  # two dimensions
        struct.pack(">I", 0x4008) + bytes(8),  # BYREF
        struct.pack(">IBB", 5, 0x73, 200) + b"1.0",  # a double of 200 characters
        struct.pack(">IBB", 5, 0x73, 3) + b"abc",  # a double that is no number
        struct.pack(">IQB", 9, 5, 1)
        + struct.pack(">I", 0)
        + bytes(16)
        + struct.pack(">I", 0x7FFF_FFFF),  # 2 G properties
    ],
)
def test_values_that_lie(argument: bytes, tmp_path: Path, trace: Trace) -> None:
    network = Network()
    callback, now = begun(network)
    callback.send(now, 0, frame(invoke_with(argument)))
    callback.send(now + 10_000, 1, frame(b"E" + struct.pack(">I", 5) + b"what="))
    document = trace_beside(network, tmp_path, trace)
    assert "undecoded_frame" in codes(document)


def test_calls_that_are_never_answered(tmp_path: Path, trace: Trace) -> None:
    """10000 callbacks in callbacks: the dialog's depth is bounded."""
    network = Network()
    callback, now = begun(network)
    request = frame(b"O" + bytes(8) + b"A" + struct.pack(">I", 4) + b"deep" + bytes(8))
    for turn in range(100):
        callback.send(now + turn * 1_000, turn % 2, request * 100)
    document = trace_beside(network, tmp_path, trace)
    depths = [message["depth"] for message in document["messages"] if message["member"] == "deep"]
    assert len(depths) == 10_000
    assert max(depths) <= 64


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")

# --- streams without end: fed, not stored --------------------------------------------------------------------------


class Finished(NamedTuple):
    """What is kept of a task that came out: its events hold connections and messages."""

    job: str | None
    outcome: str


def feed(tracer: Tracer, records: Iterator[Record]) -> list[Finished]:
    """Feeds packets one by one; the tasks of the healthy port that came out."""
    finished: list[Finished] = []
    for number, (time, data) in enumerate(records, 1):
        packet = Packet(number, 1_795_320_000_000_000_000 + time, ETHERNET, data, len(data))
        finished += healthy_tasks(tracer.feed(packet))
    return finished + healthy_tasks(tracer.finish())


def healthy_tasks(events: Iterable[object]) -> list[Finished]:
    tasks = (event for event in events if isinstance(event, Task))
    return [Finished(task.job, task.outcome.value) for task in tasks if task.callback_port == HEALTHY.callback_port]


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def watched(records: Iterator[Record], peak: list[int]) -> Iterator[Record]:
    """``records``, with the most memory in use while they go by in ``peak``."""
    for number, record in enumerate(records):
        if number % 100 == 0:
            peak[0] = max(peak[0], resident())
        yield record


def endless_document(head: bytes, filling: bytes, size: int) -> Iterator[Record]:
    """A command connection with ``head`` and then ``size`` bytes of ``filling``, the healthy task behind it."""
    records: list[Record] = []
    line = Line(records, Address("10.1.0.66", 43_000), Address("10.2.0.10", 4_455))
    line.open(0)
    line.send(100_000, 0, head)
    for turn in range(size // len(filling)):
        yield from records
        records.clear()
        line.send(200_000 + turn * 10_000, 0, filling, mss=60_000)
    yield from records
    network = Network()
    network.play(HEALTHY, start=30)
    yield from network.ordered()


START = b'<remote_scheduler.start_remote_task tcp_port="59990"'


@pytest.mark.one_in(5)
@needs_proc
@pytest.mark.parametrize(
    ("head", "filling", "megabytes"),
    [
        (START + b' java_options="', b"a", 100),
        (START + b"><!--", b"- ", 100),
        (START + b"><![CDATA[", b"]]", 100),
        (START + b">", b"<", 20),
        (START + b">", b"<x>", 100),
        (b"s" * 10, b"s", 100),
    ],
    ids=["attribute", "comment", "cdata", "tag", "elements", "shorthand"],
)
def test_a_document_without_end(head: bytes, filling: bytes, megabytes: int) -> None:
    """Kept is at most what ``MAX_DOCUMENT`` allows (16 MB, and a copy while it grows)."""
    before = resident()
    peak = [before]
    piece = filling * (60_000 // len(filling))
    tasks = feed(Tracer(), watched(endless_document(head, piece, megabytes * MEGABYTE), peak))
    assert peak[0] - before < 64 * MEGABYTE
    assert tasks == [Finished("healthy", "success")]


def half_open(count: int) -> Iterator[Record]:
    """SYNs, each of a connection of its own, 10 us apart, to ports that look like ours; the healthy task in between."""
    network = Network()
    network.play(HEALTHY, start=count * 10e-6 / 2)
    healthy = network.ordered()
    template = bytearray(ethernet(Address("66.0.0.0", 1), Address("10.1.0.10", 59_990), 1, 0, SYN))
    for number in range(count):
        while healthy and healthy[0].time <= number * 10_000:
            yield healthy.pop(0)
        struct.pack_into(">I", template, 26, 0x4200_0000 + number // 60_000)
        struct.pack_into(">HH", template, 34, 1_025 + number % 60_000, (4_455, 59_990, 80)[number % 3])
        yield Record(number * 10_000, bytes(template))
    yield from healthy


@pytest.mark.dear
@needs_proc
def test_half_open_connections_without_end() -> None:
    """A flood of SYNs: what is remembered of them is bounded."""
    before = resident()
    peak = [before]
    tasks = feed(Tracer(), watched(half_open(HALF_OPEN), peak))
    assert peak[0] - before < 120 * MEGABYTE
    assert tasks == [Finished("healthy", "success")]


# --- XML -----------------------------------------------------------------------------------------------------------

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a0 "aaaaaaaaaaaaaaaa">'
    + b"".join(b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 16) for level in range(1, 10))
    + b']><remote_scheduler.start_remote_task tcp_port="59990" kind="&a9;"/>'
)
FILE_ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
    b'<remote_scheduler.start_remote_task tcp_port="59990" kind="&f;"/>'
)


@pytest.mark.parametrize("document", [BOMB, FILE_ENTITY], ids=["bomb", "file"])
def test_entities_are_never_expanded(document: bytes, tmp_path: Path, trace: Trace) -> None:
    network = Network()
    client, server = Address("10.1.0.66", 43_000), Address("10.2.0.10", 4_455)
    network.say(client, server, (0, document), (1, control.encode_ok(ANSWER_TIME)))
    found = trace_beside(network, tmp_path, trace)
    assert "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" not in json.dumps(found)
    hostname = Path("/etc/hostname")
    if hostname.exists():
        kinds = [task["kind"] for task in found["tasks"]]
        assert hostname.read_text().strip() not in kinds


@pytest.mark.parametrize(
    "text",
    [
        b"<" * 5_000,
        b"<a>" * 5_000,
        b"<remote_scheduler.start_remote_task tcp_port='x'/>",
        b"<remote_scheduler.start_remote_task tcp_port='99999999999999999999'/>",
        b"<remote_scheduler.start_remote_task tcp_port='-1'/>",
        b"<remote_scheduler.start_remote_task/>",
        b"<remote_scheduler.remote_task.close process_id='" + b"9" * 5_000 + b"'/>",
        b"<\0\0\0>",
        b"\xff\xfe<\0a\0/\0>\0",
        b"\x04",
        b"\n\r\n\n",
    ],
)
def test_odd_commands(text: bytes, tmp_path: Path, trace: Trace) -> None:
    network = Network()
    network.say(
        Address("10.1.0.66", 43_000), Address("10.2.0.10", 4_455), (0, text), (1, control.encode_ok(ANSWER_TIME))
    )
    trace_beside(network, tmp_path, trace)


# --- text that talks to the terminal -------------------------------------------------------------------------------

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\x90q\x9c\x08\x7f\r[bold red]x[/] [/nothing] {curly} %s \\x41"
#: C0 but for line feed, DEL and C1.
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@pytest.mark.parametrize(
    "view",
    [[], ["--task", "2"], ["--task", "2", "-v"], ["--task", "2", "--log"]],
    ids=["table", "ladder", "frames", "log"],
)
def test_no_byte_of_the_wire_reaches_the_terminal(
    view: list[str], tmp_path: Path, jstrace: Callable[..., Result]
) -> None:
    network = Network()
    network.play(HEALTHY)
    network.play(
        TaskScript(job=f"evil{ESCAPES}", log=(f"log{ESCAPES}", "next"), command_port=42_000, callback_port=59_998),
        start=0.5,
    )
    path = tmp_path / "escapes.pcap"
    path.write_bytes(network.capture())
    result = jstrace("read", path, *view)
    assert result.exit_code == 0, result.stderr
    assert CONTROLS.findall(result.stdout) == []
    assert "evil" in result.stdout or "log" in result.stdout


def test_escapes_survive_in_json(tmp_path: Path, trace: Trace) -> None:
    """Programs get what was on the wire, spelled in ASCII-safe JSON or as Unicode, never raw control characters."""
    network = Network()
    script = TaskScript(
        job=f"evil{ESCAPES}", log=(ESCAPES,), command_port=42_000, callback_port=59_998, peer_port=52_000
    )
    network.play(script)
    document = trace_beside(network, tmp_path, trace)
    evil = next(task for task in document["tasks"] if task["callback"]["port"] == 59_998)
    assert evil["job"] == f"evil{ESCAPES}"
    assert [line["text"] for line in evil["log"]] == [ESCAPES]


def test_escapes_in_an_answer_of_the_remote(tmp_path: Path, jstrace: Callable[..., Result]) -> None:
    network = Network()
    error = control.encode_error(control.XmlError("SCHEDULER-121", "TEXT"), ANSWER_TIME)
    error = error.replace(b"TEXT", b"\x9b31m&#155;31m [/bold]")
    client, server = Address("10.1.0.10", 42_000), Address("10.2.0.10", 4_455)
    network.say(client, server, (0, start_command(VICTIM)), (1, error))
    path = tmp_path / "escapes.pcap"
    path.write_bytes(network.capture())
    result = jstrace("read", path)
    assert result.exit_code == 0
    assert CONTROLS.findall(result.stdout) == []
    assert "SCHEDULER-121" in result.stdout


# --- files ---------------------------------------------------------------------------------------------------------


def whole_file() -> bytes:
    network = Network()
    network.play(HEALTHY)
    network.play(TaskScript(job="second", command_port=42_000, callback_port=59_997), start=0.5)
    return network.capture()


@pytest.mark.parametrize("missing", [1, 30, 69])
def test_a_capture_cut_in_its_last_record(
    missing: int, tmp_path: Path, trace: Trace, jstrace: Callable[..., Result]
) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole_file()[:-missing])
    document = trace(path)
    (capture,) = document["captures"]
    assert capture["truncated"] is True
    assert "capture_truncated" in {problem["code"] for problem in document["problems"]}
    assert [task["job"] for task in document["tasks"]] == ["healthy", "second"]
    assert str(path) in jstrace("read", path).stderr


GARBAGE = {
    "empty": b"",
    "text": b"this is no capture\n" * 100,
    "zeros": bytes(10_000),
    "random": Random(7).randbytes(10_000),
    "half a header": whole_file()[:20],
    "gzip of nothing": b"\x1f\x8b\x08\0\0\0\0\0\0\0",
    "pcapng with a lying block": struct.pack("<III", 0x0A0D0D0A, 0xFFFF_FFFC, 0x1A2B3C4D) + bytes(100),
    "unknown link type": whole_file()[:20] + struct.pack("<I", 147) + whole_file()[24:],
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_refused_in_one_line(name: str, tmp_path: Path, jstrace: Callable[..., Result]) -> None:
    path = tmp_path / "garbage.pcap"
    path.write_bytes(GARBAGE[name])
    result = jstrace("read", path, "--format", "json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.strip().splitlines()) == 1
    assert str(path) in result.stderr


def test_what_is_no_file(tmp_path: Path, jstrace: Callable[..., Result]) -> None:
    for path in (tmp_path, tmp_path / "missing.pcap"):
        result = jstrace("read", path, "--format", "json")
        assert (result.exit_code, result.stdout) == (2, "")
        assert path.name in result.stderr


def test_lying_record_lengths(tmp_path: Path, trace: Trace) -> None:
    """A record that claims 4 GB ends the capture there; what came before is traced."""
    path = tmp_path / "lying.pcap"
    path.write_bytes(whole_file() + struct.pack("<IIII", 1_795_320_100, 0, 0xFFFF_FFF0, 0xFFFF_FFF0) + bytes(100))
    document = trace(path)
    assert_healthy(document)
    assert document["captures"][0]["truncated"] is True


def test_packets_that_are_none(tmp_path: Path, trace: Trace) -> None:
    """Headers that lie about lengths, cut anywhere: skipped, each of them."""
    network = Network()
    whole = ethernet(Address("10.1.0.66", 1_234), Address("10.2.0.10", 4_455), 1, 1, PSH | ACK, b"<s/>")
    for size in range(len(whole)):
        network.records.append(Record(size, whole[:size]))
    for place in range(12, 54):
        for value in (0, 0xFF):
            network.records.append(Record(1_000 + place, whole[:place] + bytes([value]) + whole[place + 1 :]))
    trace_beside(network, tmp_path, trace)


# --- other people's traffic ----------------------------------------------------------------------------------------

RANDOM = Random(11)
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + RANDOM.randbytes(194)
DNS_QUERY = bytes.fromhex("001d123401000001000000000000076578616d706c6503636f6d0000010001")
FOREIGN: dict[str, list[tuple[int, bytes]]] = {
    "http": [
        (0, b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"),
        (1, b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<html></html>"),
    ],
    "soap": [
        (0, b"POST /service HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: 21\r\n\r\n<soap:Envelope a='b'/>"),
        (1, b"HTTP/1.1 500 Oops\r\n\r\n"),
    ],
    "tls": [(0, TLS_HELLO), (1, bytes.fromhex("160303007a020000760303") + RANDOM.randbytes(116))],
    "dns": [(0, DNS_QUERY), (1, DNS_QUERY)],
    "postgresql": [
        (0, struct.pack(">II", 8, 80_877_103)),
        (1, b"N"),
        (0, struct.pack(">II", 40, 196_608) + b"user\0postgres\0database\0postgres\0\0"),
        (1, b"R" + struct.pack(">II", 8, 0) + b"Z" + struct.pack(">I", 5) + b"I"),
    ],
    "ssh": [(1, b"SSH-2.0-OpenSSH_9.2\r\n"), (0, b"SSH-2.0-OpenSSH_9.6\r\n")],
    "xmpp": [(0, b"<?xml version='1.0'?><stream:stream to='a.b' xmlns='jabber:client'>"), (1, b"<stream:features/>")],
    "redis": [(0, b"*1\r\n$4\r\nPING\r\n"), (1, b"+PONG\r\n")],
    "framed": [(0, frame(b"Answer me")), (1, frame(b"Once more")), (0, frame(b"Agreed"))],
    "random": [(side % 2, RANDOM.randbytes(300)) for side in range(20)],
    "nothing": [],
}


@pytest.mark.parametrize("port", [59_990, 59_998, 8_080])
@pytest.mark.parametrize("name", FOREIGN)
def test_no_task_is_made_of_foreign_traffic(name: str, port: int, tmp_path: Path, trace: Trace) -> None:
    network = Network()
    network.say(Address("10.2.0.10", 43_000), Address("10.1.0.77", port), *FOREIGN[name])
    network.say(Address("10.2.0.99", 43_001), Address("10.1.0.10", port), *FOREIGN[name], start=0.002)
    document = trace_beside(network, tmp_path, trace)
    assert [task["job"] for task in document["tasks"]] == ["healthy"]
    assert len(document["messages"]) == 22
    assert document["problems"] == []


@pytest.mark.parametrize("name", ["tls", "dns", "postgresql", "random"])
def test_foreign_traffic_on_the_command_port(name: str, tmp_path: Path, trace: Trace) -> None:
    network = Network()
    network.say(Address("10.1.0.66", 43_000), Address("10.2.0.10", 4_455), *FOREIGN[name])
    document = trace_beside(network, tmp_path, trace)
    assert [task["job"] for task in document["tasks"]] == ["healthy"]


def test_a_foreign_caller_on_the_announced_port(tmp_path: Path, trace: Trace) -> None:
    """A scanner takes the only accept of a waiting task: the task has no callback, and the strange bytes are told."""
    network = Network()
    command = network.line(Address(VICTIM.client, VICTIM.command_port), Address(VICTIM.remote, VICTIM.remote_port))
    command.open(0)
    command.send(100_000, 0, start_command(VICTIM))
    command.send(300_000, 1, started_answer(VICTIM))
    scanner = Address("10.3.0.66", 44_000), Address(VICTIM.client, VICTIM.callback_port)
    network.say(*scanner, (0, b"GET / HTTP/1.0\r\n\r\n"), start=0.0004)
    document = trace_beside(network, tmp_path, trace)
    victim = next(task for task in document["tasks"] if task["callback"]["port"] == VICTIM.callback_port)
    assert victim["outcome"] in ("no_callback", "running")
    assert victim["callback"]["peer"] is None
    assert "callback_foreign_bytes" in victim["problems"]
