"""The plugin tells problems in the words of `jstrace read`: what happened, why, and what to do, numbers included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conversation import (
    ACK,
    MICROSECOND,
    PSH,
    Address,
    Line,
    Network,
    TaskScript,
    bstr,
    start_command,
    xml_answer,
)
from endings import SCRIPT, called, frame, later, seconds, started
from test_tasks import CORPUS, disagreements, packets_of, written
from verify_kit import PLUGIN, ROOT, WAYS, told_by_python
from verify_kit import disagreements as of_all_ways

from dissector.limits import MAX_DECODED_MESSAGE, MAX_DOCUMENT, MAX_XML_DEPTH
from dissector.verify.records import Found
from dissector.verify.table import rows
from dissector.wire import messages as m
from dissector.wire.decode import encode_frame

#: What a terminal would obey, what has more than one byte in UTF-8, line ends, and a secret.
_TEXT = "a\x1b[31m\n\tb\x9f\xe4\xad\xff; password=Sesam1 &amp; \0"


def _callback(network: Network) -> Line:
    started(network)
    return called(network, 6)


def _says(data: bytes) -> Callable[[Network], None]:
    def play(network: Network) -> None:
        _callback(network).send(seconds(2), 0, data)
        later(network, 9)

    return play


def missing(network: Network) -> None:
    """A message in three segments without its second one, acknowledged."""
    line, data = _callback(network), frame(7) + b"\0" * 4_000
    data = (len(data) - 4).to_bytes(4, "big") + data[4:]
    _three(line, data)
    line.send(seconds(3), 1, frame(6))


def never_acknowledged(network: Network) -> None:
    line, data = _callback(network), frame(7) + b"\0" * 4_000
    _three(line, (len(data) - 4).to_bytes(4, "big") + data[4:])
    line.reset(seconds(20), 0)


def several_missing(network: Network) -> None:
    """Where the hole ends nobody knows which message begins."""
    line = _callback(network)
    line.next[0] += 3_333
    line.send(seconds(2), 0, frame(7))
    line.send(seconds(3), 1, frame(8))


def _three(line: Line, data: bytes) -> None:
    line.packet(seconds(2), 0, PSH | ACK, data[:1_000])
    line.packet(seconds(2) + MICROSECOND, 1, ACK)
    line.next[0] += 1_000
    line.packet(seconds(2) + 2 * MICROSECOND, 0, PSH | ACK, data[2_000:])


def nested(network: Network) -> None:
    command = started(network)
    command.send(seconds(2), 0, b"<a>" * (MAX_XML_DEPTH + 2))


def long_document(network: Network) -> None:
    command = started(network)
    command.send(seconds(2), 1, b"<spooler>" + b"x" * MAX_DOCUMENT, mss=60_000)


def document_with_a_hole(network: Network) -> None:
    command = started(network)
    command.packet(seconds(2), 0, PSH | ACK, b"<remote_scheduler.remote_task.close ")
    command.next[0] += 20
    command.packet(seconds(3), 0, PSH | ACK, b" process_id='1'/>")
    command.send(seconds(4), 1, b"<spooler/>\0")
    command.send(seconds(5), 1, b"<spooler/>\0")


def refused(network: Network) -> None:
    """The text of the remote's error has everything in it."""
    script = TaskScript(peer_port=60_001)
    command = network.line(*_ends(script))
    command.open(0)
    command.send(seconds(1), 0, start_command(script))
    text = "".join(f"&#{ord(one)};" if one.isprintable() else "?" for one in _TEXT)
    command.send(seconds(1.1), 1, xml_answer(f'<ERROR code="X-1" text="X-1  {text} \xe4"/>'))
    command.finish(seconds(1.2), 0)


def _ends(script: TaskScript) -> tuple[Address, Address]:
    return Address(script.client, script.command_port), Address(script.remote, script.remote_port)


def odd_port(network: Network) -> None:
    """More characters than are shown, some of several bytes."""
    command = network.line(*_ends(SCRIPT))
    command.open(0)
    odd = "12\xe4".encode("iso-8859-1") + b"&#8364;" * 30
    command.send(seconds(1), 0, start_command(SCRIPT).replace(b'"59999"', b'"' + odd + b'"'))
    command.send(seconds(1.1), 1, xml_answer("<ok/>"))
    command.finish(seconds(1.2), 0)


def _result(network: Network, attributes: str) -> None:
    line = _callback(network)
    line.send(seconds(2), 1, frame(6))
    line.send(seconds(2.1), 0, encode_frame(m.CallAnswer(0, bstr(f"<process.result {attributes}/>"))))
    for number in range(10, 16):
        line.send(seconds(3) + number * MICROSECOND, int(number in (10, 12, 14)), frame(number))
    line.finish(seconds(4), 1)


def failed_job(network: Network) -> None:
    text = _TEXT.replace("\0", "").replace("\n", "&#10;&#x202e;&nothing;&#0;")
    _result(network, f'exit_code="3" state_text="{text}"')


def failed_call(network: Network) -> None:
    line = _callback(network)
    line.send(seconds(2), 1, frame(6))
    line.send(seconds(2.1), 0, frame(7))
    line.send(seconds(2.2), 1, encode_frame(m.InvokeAnswer(0x8000_4005, None, _failure())))


def _failure() -> m.InvokeFailure:
    return m.InvokeFailure(-1, m.ExcepInfo(0, 0, "source", _TEXT, "", 0, 0))


def failed_with_an_error(network: Network) -> None:
    line = _callback(network)
    line.send(seconds(2), 1, frame(6))
    line.send(seconds(2.1), 0, frame(7))
    line.send(seconds(2.2), 1, encode_frame(m.ErrorAnswer((f"what={_TEXT}",))))


CASES: dict[str, Callable[[Network], None]] = {
    "gap missing": missing,
    "gap never acknowledged": never_acknowledged,
    "gap several": several_missing,
    "impossible_length 0": _says(bytes(4) + frame(7)),
    "impossible_length negative": _says(b"\xff\xff\xff\xff" + frame(7)),
    "undecoded_frame long": _says((MAX_DECODED_MESSAGE + 1).to_bytes(4, "big") + frame(7)[4:]),
    "undecoded_frame nested": nested,
    "undecoded_frame document": long_document,
    "gap document": document_with_a_hole,
    "start_error text": refused,
    "odd_number port": odd_port,
    "job_failed text": failed_job,
    "error_answer text": _says(encode_frame(m.ErrorAnswer(("COM-80020009", f"what={_TEXT}")))),
    "call_failed text": failed_call,
    "error_answer client": failed_with_an_error,
    "odd_number signal": lambda network: _result(network, 'exit_code="3" signal="\xe4\x9f&#8364;x" state_text="x"'),
}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", CASES)
def test_made(case: str, tmp_path: Path) -> None:
    network = Network()
    CASES[case](network)
    path = tmp_path / "made.pcap"
    path.write_bytes(network.capture())
    code = case.split()[0]
    assert code in {one.code for one in told_by_python(path) if isinstance(one, Found)}
    assert disagreements(path) == []
    assert disagreements(path, two_pass=True) == []


def test_every_tshark(tmp_path: Path) -> None:
    """Of one capture with some of it."""
    network = Network()
    failed_job(network)
    path = tmp_path / "made.pcap"
    path.write_bytes(network.capture())
    assert list(of_all_ways(path, WAYS)) == []


@pytest.mark.parametrize("kept", [66, 90, 200])
def test_cut_off(kept: int, tmp_path: Path) -> None:
    packets = packets_of(CORPUS / "api.c.pcapng")
    path = written(tmp_path / "cut.pcap", [packet._replace(data=packet.data[:kept]) for packet in packets])
    assert any("cut off by the snap length" in one.summary for one in told_by_python(path) if isinstance(one, Found))
    assert disagreements(path) == []


# --- a difference is told ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (" not captured and never", " not caught and never", "summary of gap"),
        ("they were lost in the network, not by", "they were lost, not by", "cause of gap"),
        ("see whether larger segments pass at all, and", "see", "remedy of gap"),
    ],
)
def test_other_words_are_seen(old: str, new: str, place: str, tmp_path: Path) -> None:
    text = PLUGIN.read_text(encoding="utf-8")
    assert text.count(old) == 1
    changed = tmp_path / "changed.lua"
    changed.write_text(text.replace(old, new), encoding="utf-8")
    found = disagreements(CORPUS / "mtu_black_hole.r.pcapng", changed)
    assert len(found) == 1
    assert f"{place} of task 1: Python " in found[0]


def test_the_table_tells_cause_from_remedy() -> None:
    lines = ["task 3  warning  gap  packets 4,5", "    cause: that is a summary", "    remedy: do this", ""]
    head = "task  packet  job  outcome  calls  logs\n   3       1  x    running  1+0        0\n\n"
    found = list(rows(head + "\n".join(lines[:3])))[-1]
    assert found == Found(3, "gap", "warning", (4, 5), "cause: that is a summary", "", "do this")


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("name", "kept"), [("ua113_frozen", 512), ("ua113_two_tasks", 512), ("ua110_credentials", 512), ("ua113_idle", 400)]
)
def test_http_messages_that_are_cut_off(name: str, kept: int, tmp_path: Path) -> None:
    """Nobody knows what a cut message says, nor what is answered behind it; how much is missing is told of its task."""
    packets = packets_of(ROOT / "captures" / "agent" / f"{name}.pcap")
    path = written(tmp_path / "cut.pcap", [packet._replace(data=packet.data[:kept]) for packet in packets])
    told = [one.summary for one in told_by_python(path) if isinstance(one, Found)]
    assert any("of an HTTP message are missing" in one for one in told)
    assert disagreements(path, two_pass=True) == []
