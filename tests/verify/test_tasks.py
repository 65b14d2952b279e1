"""The task table: both sides tell the same of every task, also where only the end of the capture tells how it went."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from random import Random
from xml.parsers.expat import ExpatError

import pytest
from conversation import Address, Network, dialog
from endings import ENDINGS, SCRIPT, called, seconds, started
from mixing import Slice, pcap
from verify_kit import CAPTURES, PLUGIN, ROOT, TSHARKS, told_by_python

from benchmarks import attacks
from dissector.errors import ToolError
from dissector.limits import MAX_ATTEMPTS, MAX_DECODED_MESSAGE, MAX_OPEN_TASKS, MAX_UNREACHABLE
from dissector.session import opened
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet
from dissector.verify import pdml
from dissector.verify.compare import compare
from dissector.verify.records import Mismatch, Row, Told
from dissector.verify.table import rows
from dissector.verify.tshark import Tshark
from dissector.wire.decode import encode

LIMIT = re.compile(r"^(js\.limits\.open_tasks = )(\d+)", re.MULTILINE)
CORPUS = ROOT / "captures" / "corpus"
SMALL = [path for path in CAPTURES if path.stat().st_size < 200_000]


def disagreements(
    capture: Path, plugin: Path = PLUGIN, program: str = "tshark", *, two_pass: bool = False
) -> list[str]:
    told = compare(told_by_python(capture), Tshark(program, plugin, two_pass).read(str(capture)), two_pass=two_pass)
    return [str(item) for item in told if isinstance(item, Mismatch)]


def packets_of(capture: Path) -> list[Packet]:
    return list(CaptureReader([capture]))


def made(name: str, path: Path) -> Path:
    network = Network()
    next(ending for ending in ENDINGS if ending.__name__ == name)(network)
    path.write_bytes(network.capture())
    return path


def written(path: Path, packets: list[Packet]) -> Path:
    path.write_bytes(pcap(Slice(packet.time, packet.data, packet.wire_length) for packet in packets))
    return path


# --- much of the same ----------------------------------------------------------------------------------------------


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("shape", "n"),
    [
        ("calls to one port", MAX_ATTEMPTS + 2),
        ("unanswered syns", MAX_UNREACHABLE + 2),
        ("silent then starts", 1_100),
        ("starts for one port", 200),
        ("calls elsewhere", 200),
    ],
)
def test_of_very_much_as_much_is_told(shape: str, n: int, tmp_path: Path) -> None:
    assert disagreements(attacks.written(tmp_path / "x.pcap", shape, n)) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("two_pass", [False, True])
@pytest.mark.parametrize(("shape", "n"), [("answers alone", 30), ("gaps", 15), ("early segments", 15)])
def test_what_only_the_end_of_a_capture_decides(shape: str, n: int, two_pass: bool, tmp_path: Path) -> None:
    """Callbacks that are held back for others, documents that do not end, holes that nobody acknowledged twice."""
    path = attacks.written(tmp_path / "x.pcap", shape, n)
    assert any(told.is_late for told in told_by_python(path) if isinstance(told, Told)) is (shape != "early segments")
    assert disagreements(path, two_pass=two_pass) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("shape", ["open tasks", "starts on one connection", "closes alone", "starts for one port"])
@pytest.mark.parametrize("most", [9, 19, 20])
def test_both_give_up_the_same_of_too_many_tasks(
    shape: str, most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(opened, "MAX_OPEN_TASKS", most)
    plugin, path = tmp_path / "few.lua", attacks.written(tmp_path / "x.pcap", shape, 20)
    plugin.write_text(LIMIT.sub(rf"\g<1>{most}", PLUGIN.read_text(encoding="utf-8")), encoding="utf-8")
    assert disagreements(path, plugin) == []
    lines = subprocess.run(
        ["tshark", "-r", str(path), "-X", f"lua_script:{plugin}"], capture_output=True, text=True, check=True
    ).stdout
    assert lines.count(f"more than {most} tasks are under way") == 20 - most


def test_the_plugin_has_the_cap_on_open_tasks() -> None:
    found = LIMIT.search(PLUGIN.read_text(encoding="utf-8"))
    assert found is not None
    assert int(found[2]) == MAX_OPEN_TASKS


# --- equal ---------------------------------------------------------------------------------------------------------


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "name",
    [
        "callback_drop.c", "client_gone.c", "command_drop.c", "command_icmp_admin.c", "command_only.c",
        "idle_callback_drop.r", "idle_conntrack_drop.r", "mtu_black_hole.c", "mtu_black_hole.r", "nat_drop.r",
        "remote_down.c", "remote_killed_early.c", "scanner_silent.c", "start_not_answered.c",
    ],
)  # fmt: skip
@pytest.mark.parametrize("program", [TSHARKS[0], TSHARKS[-1]])
def test_what_the_end_of_a_capture_tells(name: str, program: str) -> None:
    """In a mix something always comes afterwards."""
    assert disagreements(CORPUS / f"{name}.pcapng", program=program) == []


def cuts() -> Iterator[tuple[Path, int, int]]:
    """Captures with the first and the last packet that is left of them."""
    random = Random(5)
    for number in range(24):
        path = random.choice(SMALL)
        count = len(packets_of(path))
        last = random.randint(1, max(1, count))
        yield path, random.randint(0, last - 1) if number % 3 == 0 else 0, last


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("path", "first", "last"), list(cuts()))
def test_a_part_of_a_capture(path: Path, first: int, last: int, tmp_path: Path) -> None:
    part = written(tmp_path / "part.pcap", packets_of(path)[first:last])
    assert disagreements(part, two_pass=last % 2 == 0) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("name", "outcomes"), [(ending.__name__, words) for ending, words in ENDINGS.items()])
def test_endings(name: str, outcomes: list[str], tmp_path: Path) -> None:
    path = made(name, tmp_path / f"{name}.pcap")
    assert [told.outcome for told in told_by_python(path) if isinstance(told, Row)] == outcomes
    assert disagreements(path) == []


def without_the_question(path: Path) -> Path:
    """The end of a shell job, from the packet on that tells how it ended."""
    packets = packets_of(CORPUS / "exit_5.c.pcapng")
    return written(path, packets[next(n for n, one in enumerate(packets) if b"<process.result" in one.data) :])


def test_a_result_is_known_without_its_question(tmp_path: Path) -> None:
    path = without_the_question(tmp_path / "result.pcap")
    assert [told.outcome for told in told_by_python(path) if isinstance(told, Row)] == ["exit 5"]
    assert disagreements(path) == []


# --- reading and comparing -----------------------------------------------------------------------------------------


TABLE = """\
task  packet  job          outcome  calls  logs  kind     remote         callback to  client
   1       5  a  exit 3:1  exit -7    4+2    10  process  10.0.0.2:4455  10.0.0.1:1   10.0.0.1:2
  12      77  ä            lost       0+0     0  ?        ?              10.0.0.1:1   10.0.0.1
"""
ROWS = [Row(1, 5, "exit -7", "4+2", "10"), Row(12, 77, "lost", "0+0", "0")]


def test_the_rows_of_a_table() -> None:
    assert list(rows(TABLE)) == ROWS
    assert list(rows("")) == []
    assert list(rows(TABLE.splitlines()[0])) == []


@pytest.mark.parametrize("text", ["task packet\n1 5", "x\n" + TABLE, TABLE + "\nnothing", TABLE.replace("77", "x")])
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(ToolError, match=r"no line of a (task table|problem)"):
        list(rows(text))


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_the_table_stands_behind_the_document(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdml, "_READ_SIZE", size)
    document = '<?xml version="1.0"?>\n<pdml><packet>\n</packet>\n</pdml>\n'
    assert list(pdml.read(BytesIO((document + TABLE).encode()))) == ROWS
    assert list(pdml.read(BytesIO(document.encode()))) == []
    with pytest.raises(ExpatError):
        list(pdml.read(BytesIO(document[:-9].encode())))


def test_each_difference_between_tasks() -> None:
    def differences(python: list[Row], tshark: list[Row]) -> list[str]:
        told: list[Told | Row] = [*python]
        return [str(item) for item in compare(told, tshark, two_pass=True) if isinstance(item, Mismatch)]

    assert differences(ROWS, ROWS) == []
    assert differences(ROWS, ROWS[:1]) == ["packet 77: task 12: Python lost, tshark nothing"]
    assert differences(ROWS[1:], ROWS) == ["packet 5: task 1: Python nothing, tshark exit -7"]
    assert differences(ROWS[1:], [ROWS[1]._replace(outcome="killed", logs="1")]) == [
        "packet 77: outcome of task 12: Python lost, tshark killed",
        "packet 77: logs of task 12: Python 0, tshark 1",
    ]


def test_a_message_that_is_too_long_to_be_decoded(tmp_path: Path) -> None:
    """Its answer is its own, and what its head says is known to both."""
    network, size = Network(), MAX_DECODED_MESSAGE + 1
    started(network)
    callback = called(network, 7)
    log, answer = (encode(body) for _, body in list(dialog(SCRIPT))[7:9])
    callback.send(seconds(2), 0, size.to_bytes(4, "big") + log[:38] + bytes(size - 38), mss=60_000)
    callback.send(seconds(6), 1, len(answer).to_bytes(4, "big") + answer)
    path = tmp_path / "long.pcap"
    path.write_bytes(network.capture())
    told = [one for one in told_by_python(path) if isinstance(one, Told)]
    assert [one.facts["member"] for one in told[-2:]] == [("log",)] * 2
    assert told[-1].facts["request_in"] == (str(told[-2].packet),)
    assert disagreements(path) == []


def test_a_restarted_client_whose_start_was_lost(tmp_path: Path) -> None:
    """What calls its port is the one of its new start, though that was not captured."""
    packets = packets_of(ROOT / "captures" / "faults" / "15d_client_restarted_callback_to_new_listener.c.pcap")
    path = written(tmp_path / "lost.pcap", [packet for packet in packets if packet.number != 16])
    assert [told.outcome for told in told_by_python(path) if isinstance(told, Row)] == ["no_callback", "success"]
    assert disagreements(path) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("size", [96, 120, 128, 140, 160, 200])
def test_kills_behind_starts_that_were_cut_off(size: int, tmp_path: Path) -> None:
    for name in ("engine_xml_errors", "engine_kill_task"):
        packets = packets_of(ROOT / "captures" / f"{name}.pcap")
        path = written(tmp_path / f"{name}.pcap", [packet._replace(data=packet.data[:size]) for packet in packets])
        assert disagreements(path) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("corpus/client_gone.r.pcapng", 80),
        ("corpus/delay_150ms.c.pcapng", 128),
        ("corpus/nested.c.pcapng", 96),
        ("engine_api_java_ok.pcap", 96),
        ("engine_api_manylog.pcap", 160),
        ("faults/15d_client_restarted_callback_to_new_listener.c.pcap", 200),
        ("faults/18_loss3_reorder_router.r.pcap", 96),
    ],
)
def test_snapped_captures_in_one_pass(name: str, size: int, tmp_path: Path) -> None:
    packets = packets_of(ROOT / "captures" / name)
    assert disagreements(written(tmp_path / "x.pcap", [one._replace(data=one.data[:size]) for one in packets])) == []


def test_a_refusal_before_its_start_is_known_at_any_time(tmp_path: Path) -> None:
    packets = packets_of(ROOT / "captures" / "field" / "reorder_reject.pcap")
    for last in (3, 6, 7, 10, 13):
        assert disagreements(written(tmp_path / "x.pcap", packets[:last])) == []
    assert [told.outcome for told in told_by_python(tmp_path / "x.pcap") if isinstance(told, Row)] == ["no_callback"]


def talk(path: Path, *said: tuple[int, bytes]) -> Path:
    """A connection to a command port that is open at the end of the capture: what its client (0) and server (1) say."""
    network = Network()
    line = network.line(Address("10.1.0.10", 40_000), Address("10.2.0.10", 4_444))
    line.open(0)
    for number, (side, data) in enumerate(said, 1):
        line.send(seconds(number / 10), side, data)
    path.write_bytes(network.capture())
    return path


MAIL = b"Subject: x\r\n\r\n<html><p>a</p></html>\r\n<html>\r\n"


@pytest.mark.one_in(5)
@pytest.mark.parametrize("two_pass", [False, True])
@pytest.mark.parametrize("begins", [b"EHLO GP\r\n", b"STARTTLS\r\n", b"A\nB"])
def test_another_program_s_text_on_a_command_port(begins: bytes, two_pass: bool, tmp_path: Path) -> None:
    """It begins with a capital letter, as HTTP does, and elements in it are no commands."""
    path = talk(
        tmp_path / "mail.pcap", (1, b"220 x ESMTP\r\n"), (0, begins), (1, b"250 x\r\n"), (0, MAIL), (1, b"250 Ok\r\n")
    )
    assert disagreements(path, two_pass=two_pass) == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("two_pass", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        ((0, b"<show_state"), (0, b" what='x'")),
        ((0, b"<show_state/>"), (1, b"<spooler><answer>")),
        ((0, b"show_state"),),
        ((0, b"POST /jobscheduler/x HTTP/1.1\r\nContent-Length: 30\r\n\r\n"), (0, b"<show_state/>")),
    ],
)
def test_what_has_not_ended_when_the_capture_does(
    said: tuple[tuple[int, bytes], ...], two_pass: bool, tmp_path: Path
) -> None:
    assert disagreements(talk(tmp_path / "open.pcap", *said), two_pass=two_pass) == []


def test_a_second_pass_shows_what_only_the_end_tells(tmp_path: Path) -> None:
    path = talk(tmp_path / "open.pcap", (0, b"<show_state/>"), (1, b"<spooler><answer>"))
    for two_pass, count in ((False, 1), (True, 2)):
        shown = [one for one in Tshark("tshark", PLUGIN, two_pass).read(str(path)) if isinstance(one, Told)]
        assert len(shown) == count


# --- out of order --------------------------------------------------------------------------------------------------


@pytest.mark.one_in(5)
@pytest.mark.parametrize("two_pass", [False, True])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["engine_order", "scala111_keepalive"])
def test_packets_that_are_some_milliseconds_out_of_order(name: str, seed: int, two_pass: bool, tmp_path: Path) -> None:
    """SYNs behind the first bytes too, so that it is not known at first who is the client."""
    rng = Random(seed)
    packets = [
        (one.time + rng.choice([0, 0, 0, 3_000_000, 7_000_000]), one)
        for one in packets_of(ROOT / "captures" / f"{name}.pcap")
    ]
    path = written(tmp_path / "mixed.pcap", [one for _, one in sorted(packets, key=lambda pair: pair[0])])
    assert disagreements(path, two_pass=two_pass) == []
