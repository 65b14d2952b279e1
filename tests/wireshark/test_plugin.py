"""The plugin in real tshark, on genuine captures, on captures made worse, and on traffic of others.

tshark exits with 0 whatever a Lua script does, so every run is searched for complaints (see ``kit.tshark``).
"""

from __future__ import annotations

import random
import shutil
import struct
from collections import Counter
from pathlib import Path

import plugin_kit as kit
import pytest
from retold import retold

from dissector.model import Problem
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader

GENUINE = sorted(path.stem for path in kit.CAPTURES.glob("*.pcap"))
FAULTS = sorted((kit.CAPTURES / "faults").glob("*.pcap"))
MESSAGE = ("frame.number", "jobscheduler.class", "jobscheduler.depth", "jobscheduler.member", "jobscheduler.request_in")
EVERYTHING = (
    *MESSAGE, "jobscheduler.kind", "jobscheduler.operation", "jobscheduler.object.id", "jobscheduler.object.name",
    "jobscheduler.object.class", "jobscheduler.dispid", "jobscheduler.hresult", "jobscheduler.task",
    "jobscheduler.time", "jobscheduler.log.text", "jobscheduler.xml.element", "jobscheduler.variant.bstr",
    "jobscheduler.note",
)  # fmt: skip
#: Messages that only the end of their connection tells: (packet that ended it, the message's own packet, Info column).
TOLD_LATE = {"engine_xml_errors": [(132, 124, "▶ a")]}
SMALL = ("engine_shell_ok", "engine_order", "h19_nested", "engine_xml_errors", "scala113_shell")


def test_tshark_is_there() -> None:
    assert shutil.which("tshark"), "tshark is missing: the plugin can not be tested without it"


def _by_connection(name: str) -> list[list[tuple[str, ...]]]:
    """Messages of each callback connection, connections in the order of their first frames."""
    found: dict[str, list[tuple[str, ...]]] = {}
    on_callbacks = "jobscheduler.class && !jobscheduler.agent.tunnel"
    for stream, *values in kit.rows(
        kit.CAPTURES / f"{name}.pcap", on_callbacks, "tcp.stream", *MESSAGE, "jobscheduler.hresult"
    ):
        found.setdefault(stream, []).append(tuple(values))
    return list(found.values())


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", GENUINE)
def test_genuine_captures_say_what_the_truth_says(name: str) -> None:
    # The truth counts the tunnel token of later releases as an open request; it is none.
    connections = [
        ([one for one in messages if one.get("class") in tuple("SOAEK")], messages[0]["class"] == "{")
        for messages in (connection["messages"] for connection in kit.truth(name))
    ]
    connections.sort(key=lambda connection: connection[0][0]["packets"][1])
    wanted, tokens = [messages for messages, _ in connections], [token for _, token in connections]
    found = _by_connection(name)
    assert [len(one) for one in found] == [len(one) for one in wanted]
    for messages, told, token in zip(found, wanted, tokens, strict=True):
        frame = {one["n"]: row[0] for one, row in zip(told, messages, strict=True)}
        for row, one in zip(messages, told, strict=True):
            if one["operation"] == "undecodable":
                continue
            number, letter, depth, member, request, hresult = row
            assert (letter, depth) == (one["class"], str(one["depth"] - token)), one
            assert int(number) == one["packets"][1]
            assert (member or None) == one.get("member")
            assert request == (frame[one["answers"]] if one.get("answers") is not None else "")
            if one.get("hresult") is not None:
                assert int(hresult, 16) == one["hresult"]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_faults_are_taken_without_a_lua_error(path: Path) -> None:
    assert kit.rows(path, "_ws.lua.error", "frame.number") == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    "options",
    [
        ("-2",),
        ("-o", "tcp.reassemble_out_of_order:TRUE"),
        ("-o", "tcp.desegment_tcp_streams:FALSE"),
        ("-o", "tcp.no_subdissector_on_error:FALSE"),
        ("-o", "tcp.analyze_sequence_numbers:FALSE"),
        ("-o", "tcp.relative_sequence_numbers:FALSE"),
    ],
    ids=" ".join,
)
def test_the_way_of_reading_changes_nothing(name: str, options: tuple[str, ...]) -> None:
    if name in TOLD_LATE and "-2" in options:
        pytest.skip("has a test of its own")
    path = kit.CAPTURES / f"{name}.pcap"
    plain = kit.rows(path, "jobscheduler", *EVERYTHING)
    assert plain
    assert kit.rows(path, "jobscheduler", *EVERYTHING, options=options) == plain


def test_what_only_the_end_of_a_connection_tells() -> None:
    """One pass shows such a message where it is told, for its own packet is gone by then; two passes where it lies."""
    for name, late in TOLD_LATE.items():
        path = kit.CAPTURES / f"{name}.pcap"
        for told, packet, text in late:
            for options, number in (((), told), (("-2",), packet)):
                lines = [line for line in kit.tshark(path, *options).splitlines() if line.rstrip().endswith(text)]
                assert [int(line.split()[0]) for line in lines] == [number]


# Without a filter or a field that is asked for, tshark's first pass builds no tree: extracted fields are all nil there,
# and only what the packet's own bytes and pinfo say is known.  That must not cost the messages.
@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", SMALL)
def test_two_passes_without_a_filter(name: str) -> None:
    path = kit.CAPTURES / f"{name}.pcap"
    lines = [line for line in kit.tshark(path).splitlines() if "JobScheduler" in line]
    lines = lines[len(TOLD_LATE.get(name, ())) :]
    again = [line for line in kit.tshark(path, "-2").splitlines() if "JobScheduler" in line]
    assert lines
    assert len(again) == len(lines)
    fields = ("-T", "fields", "-e", "jobscheduler.kind", "-e", "jobscheduler.task")
    one, two = ([line.split("\t") for line in kit.tshark(path, *way, *fields).splitlines()] for way in ((), ("-2",)))
    assert [row for row in one if row[0]] == [row for row in two if row[0]]
    # What a packet without a message belongs to may be known later only.
    assert all(first[1] in ("", second[1]) for first, second in zip(one, two, strict=True))
    assert sum(bool(row[1]) for row in two) > sum(bool(row[0]) for row in two)


@pytest.mark.parametrize("options", [(), ("-2",)], ids=" ".join)
def test_the_table_in_one_and_two_passes(options: tuple[str, ...]) -> None:
    path = kit.CAPTURES / "engine_order.pcap"
    lines = kit.tshark(path, "-q", "-o", "jobscheduler.task_table:TRUE", *options).splitlines()
    assert [line.split()[:5] for line in lines[1:]] == [
        ["1", "9", "orderjob:1", "success", "9+70"],
        ["2", "165", "ordershell:2", "success", "5+11"],
    ]


def test_the_second_pass_knows_the_answer() -> None:
    path = kit.CAPTURES / "engine_shell_ok.pcap"
    found = kit.rows(path, "jobscheduler.kind==request", "frame.number", "jobscheduler.response_in", options=("-2",))
    assert found[:3] == [("20", "22"), ("24", "25"), ("26", "37")]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("name", ["engine_shell_ok", "h19_nested", "engine_xml_keepalive_space"])
def test_segments_of_any_size_make_the_same_messages(tmp_path: Path, name: str, size: int) -> None:
    fields = [
        name for name in EVERYTHING if name not in ("frame.number", "jobscheduler.request_in", "jobscheduler.time")
    ]
    whole = kit.CAPTURES / f"{name}.pcap"
    cut = kit.write(tmp_path / "cut.pcap", kit.recut(kit.records(whole), size))
    wanted = kit.values(whole, *fields)
    assert kit.values(cut, *fields) == wanted
    assert wanted["jobscheduler.kind"]


def test_segments_that_come_too_late_are_put_in_order(tmp_path: Path) -> None:
    packets = list(kit.recut(kit.records(kit.CAPTURES / "h19_nested.pcap"), 9))
    data = [index for index, one in enumerate(packets) if len(kit.payload(one.data)) == 9]
    for first in data[::4]:
        if first + 1 in data:
            packets[first], packets[first + 1] = packets[first + 1], packets[first]
    path = kit.write(tmp_path / "swapped.pcap", packets)
    wanted = kit.rows(kit.CAPTURES / "h19_nested.pcap", "jobscheduler.class", *MESSAGE[1:4])
    for option in ("FALSE", "TRUE"):
        found = kit.rows(
            path, "jobscheduler.class", *MESSAGE[1:4], options=("-o", f"tcp.reassemble_out_of_order:{option}")
        )
        assert ";".join(one[0] for one in found) == ";".join(one[0] for one in wanted)


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("slower", "options"), [(1, ("-2",)), (100, ("-2",)), (100, ())])
def test_a_lost_segment_costs_its_message_only(tmp_path: Path, slower: int, options: tuple[str, ...]) -> None:
    """What follows it waits for some milliseconds, as the lost one may yet come; one pass does not show what waited."""
    packets = kit.records(kit.CAPTURES / "h19_basic.pcap")
    lost = next(index for index in range(40, len(packets)) if len(kit.payload(packets[index].data)) > 60)
    second = packets[0].seconds
    times = [((packet.seconds - second) * 1_000_000 + packet.micros) * slower for packet in packets]
    slow = [
        packet._replace(seconds=second + time // 1_000_000, micros=time % 1_000_000)
        for packet, time in zip(packets, times, strict=True)
    ]
    path = kit.write(tmp_path / "lost.pcap", slow[:lost] + slow[lost + 1 :])
    whole = kit.rows(kit.CAPTURES / "h19_basic.pcap", "jobscheduler.class", "frame.number")
    found = kit.rows(path, "jobscheduler.class", "frame.number", options=options)
    assert len(found) >= len(whole) - (2 if options else 3)
    assert len(kit.rows(path, "jobscheduler.expert.gap", "frame.number", options=options)) == 1


@pytest.mark.one_in(5)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["h19_variants", "engine_order", "engine_xml_errors", "scala113_http_tunnel"])
def test_no_bytes_make_a_lua_error(tmp_path: Path, name: str, seed: int) -> None:
    path = kit.write(tmp_path / "hostile.pcap", kit.mutated(kit.records(kit.CAPTURES / f"{name}.pcap"), seed))
    assert "Lua" not in kit.tshark(path, "-V")
    assert kit.rows(path, "_ws.lua.error", "frame.number", options=("-2",)) == []


def test_a_capture_may_begin_with_a_packet_without_bytes(tmp_path: Path) -> None:
    packets = kit.records(kit.CAPTURES / "engine_shell_ok.pcap")
    path = kit.write(tmp_path / "empty.pcap", [packets[0]._replace(data=b""), *packets])
    found = kit.rows(path, '_ws.lua.error || jobscheduler.member == "step"', "frame.number", "_ws.lua.error")
    assert [error for _, error in found] == ["", ""]


# --- traffic of others -----------------------------------------------------------------------------------------------


def _http() -> kit.Talk:
    talk = kit.Talk(40_001, 8_080)
    talk.client(b"GET /index.html HTTP/1.1\r\nHost: example\r\n\r\n")
    talk.server(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Type: text/xml\r\n\r\n<a></a>")
    return talk


def _tls() -> kit.Talk:
    talk = kit.Talk(40_002, 59_999)
    talk.client(
        b"\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03" + bytes(range(32)) + b"\x00\x00\x02\x13\x01\x01\x00\x00\x01"
    )
    talk.server(b"\x16\x03\x03\x00\x04\x02\x00\x00\x00")
    return talk


def _dns() -> kit.Talk:
    talk = kit.Talk(40_003, 53)
    talk.client(b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01")
    talk.server(b"\x00\x0c\x12\x34\x81\x83\x00\x00\x00\x00\x00\x00\x00\x00")
    return talk


def _postgresql() -> kit.Talk:
    talk = kit.Talk(40_004, 59_998)
    startup = b"\x00\x03\x00\x00user\x00joe\x00database\x00S\x00\x00"
    talk.client(struct.pack("!I", len(startup) + 4) + startup)
    talk.server(b"R\x00\x00\x00\x08\x00\x00\x00\x00S\x00\x00\x00\x16application_name\x00\x00Z\x00\x00\x00\x05I")
    talk.client(b"Q\x00\x00\x00\x0dselect 1\x00")
    return talk


def _random() -> kit.Talk:
    talk, chance = kit.Talk(40_005, 59_999), random.Random(5)
    for _ in range(20):
        talk.client(chance.randbytes(chance.randrange(1, 400)))
        talk.server(chance.randbytes(chance.randrange(1, 400)))
    return talk


def _xml() -> kit.Talk:
    talk = kit.Talk(40_006, 9_000)
    talk.client(b'<?xml version="1.0"?><order><item/></order>')
    talk.server(b'<?xml version="1.0"?><answer><ok/></answer>\0')
    return talk


@pytest.mark.one_in(5)
@pytest.mark.parametrize("make", [_http, _tls, _dns, _postgresql, _random, _xml])
@pytest.mark.parametrize("middle", [False, True], ids=["whole", "mid-stream"])
def test_traffic_of_others_is_not_claimed(tmp_path: Path, make: object, middle: bool) -> None:
    talk = make()  # type: ignore[operator]
    talk.close()
    path = kit.write(tmp_path / "foreign.pcap", talk.records[3 if middle else 0 :])
    assert kit.rows(path, "jobscheduler", "frame.number") == []


def test_a_callback_is_found_on_any_port_and_in_mid_stream(tmp_path: Path) -> None:
    packets = kit.records(kit.CAPTURES / "h19_basic.pcap")
    path = kit.write(tmp_path / "middle.pcap", packets[30:])
    # It waits for its SYN first, longer than this recording lasts: who reads once gets all on the last packet.
    assert len(kit.rows(path, "jobscheduler.class", "frame.number", options=("-2",))) > 100
    off = ("-o", "jobscheduler.heuristic:FALSE", "-o", "jobscheduler.callback_ports:1-2")
    assert kit.rows(path, "jobscheduler", "frame.number", options=off) == []


# --- tasks, names, secrets -------------------------------------------------------------------------------------------


def test_a_filter_on_the_task_shows_both_connections() -> None:
    path = kit.CAPTURES / "engine_ten_tasks.pcap"
    said, every = "jobscheduler.kind && jobscheduler.task==", "jobscheduler.task=="
    numbers = {task: len(kit.rows(path, f"{said}{task}", "tcp.stream")) for task in (1, 10, 11)}
    assert numbers == {1: 36, 10: 36, 11: 0}
    streams = Counter(row[0] for row in kit.rows(path, "tcp", "tcp.stream"))
    for task in (1, 10):
        found = Counter(row[0] for row in kit.rows(path, f"{every}{task}", "tcp.stream", options=("-2",)))
        assert len(found) == 2
        assert found.items() <= streams.items()


def test_command_and_callback_are_linked() -> None:
    path = kit.CAPTURES / "engine_shell_ok.pcap"
    assert kit.rows(path, "jobscheduler.callback_in", "frame.number", "jobscheduler.callback_in", options=("-2",)) == [
        ("13", "17")
    ]
    assert {row[0] for row in kit.rows(path, "jobscheduler.class", "jobscheduler.command_in")} == {"13"}


def test_info_column_and_log() -> None:
    path = kit.CAPTURES / "engine_shell_ok.pcap"
    found = kit.rows(path, "jobscheduler.log.level==info", "_ws.col.Info", "jobscheduler.log.text")
    assert found[-1][0] == '· ▶ spooler_log.info("err")'
    assert "umlaut" not in found[0][1]


def test_the_task_table_at_the_end() -> None:
    text = kit.tshark(kit.CAPTURES / "engine_ten_tasks.pcap", "-q", "-o", "jobscheduler.task_table:TRUE")
    lines = text.splitlines()
    assert (
        lines[0]
        == "task  packet  job            outcome  calls  logs  kind     remote          callback to      client"
    )
    assert lines[1] == (
        "   1       9  shell_long:1   success   5+11     3  process  127.0.0.1:4455  127.0.0.1:59997  127.0.0.1:50308"
    )
    assert [line.split()[0] for line in lines[1:]] == [str(number) for number in range(1, 11)]
    assert {len(line) for line in lines[1:]} == {len(lines[1])}


def _secret_talk() -> kit.Talk:
    talk = kit.Talk(40_007, 4_444)
    talk.client(b'<modify_order><params><param name="db_password" value="hunter2"/></params></modify_order>')
    talk.server(b"<spooler><answer><ok/></answer></spooler>\0")
    return talk


@pytest.mark.parametrize(("show", "seen"), [("FALSE", False), ("TRUE", True)])
def test_secrets_are_masked_unless_wanted(tmp_path: Path, show: str, seen: bool) -> None:
    path = kit.write(tmp_path / "secret.pcap", _secret_talk().records)
    for options in (("-O", "jobscheduler"), ()):
        text = kit.tshark(path, "-o", f"jobscheduler.show_secrets:{show}", *options)
        assert "JobScheduler" in text
        if options or not seen:
            assert ("hunter2" in text) is seen


def test_strings_are_latin_1(tmp_path: Path) -> None:
    talk = kit.Talk(40_008, 4_444)
    talk.client("<add_order title='größer'/>".encode("iso-8859-1"))
    path = kit.write(tmp_path / "umlaut.pcap", talk.records)
    assert kit.rows(path, "jobscheduler", "jobscheduler.xml.attribute") == [("title=größer",)]


def test_documents_share_segments_and_keep_alives_are_skipped(tmp_path: Path) -> None:
    talk = kit.Talk(40_009, 4_444)
    talk.client(b"  <show_state/>  <show_jobs/>")
    talk.server(b"<spooler><answer><state/></answer></spooler>\0<spooler><answer><jobs/></answer></spooler>\0")
    path = kit.write(tmp_path / "two.pcap", talk.records)
    assert kit.rows(path, "jobscheduler", "jobscheduler.xml.element", "jobscheduler.request_in") == [
        ("show_state;show_jobs", ""), ("state;jobs", "4;4"),
    ]  # fmt: skip


def test_expert_information(tmp_path: Path) -> None:
    talk = kit.Talk(40_010, 4_444)
    talk.client(b"<remote_scheduler.start_remote_task tcp_port='59999'/>")
    talk.server(b'<spooler><answer><ERROR code="SCHEDULER-121" text="SCHEDULER-121 no"/></answer></spooler>\0')
    path = kit.write(tmp_path / "refused.pcap", talk.records)
    assert kit.rows(path, "jobscheduler.expert.xml_error", "jobscheduler.xml.error.code") == [("SCHEDULER-121",)]
    killed = kit.CAPTURES / "engine_kill_agent.pcap"
    assert len(kit.rows(killed, "jobscheduler.expert.connection_lost", "frame.number")) == 1
    healthy = kit.CAPTURES / "engine_shell_ok.pcap"
    assert kit.rows(healthy, "jobscheduler && _ws.expert.severity >= 0x400000", "frame.number") == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("task_id=1", "task_id=1e9", "task_id"),
        ('exit_code="5"', 'exit_code="4294967296"', "exit_code"),
        ('exit_code="5"', 'exit_code="0" signal="256"', "signal"),
        ('<process process_id="1"', '<process process_id="9223372036854775808"', "process_id"),
        ('tcp_port="59999"', 'tcp_port="65536"', "tcp_port"),
    ],
)
def test_numbers_that_are_none_are_told(old: str, new: str, words: str, tmp_path: Path) -> None:
    """On both connections, with the packet that has them, once; verify finds the same outcomes."""
    path = tmp_path / "odd.pcap"
    path.write_bytes(retold(kit.CAPTURES / "engine_shell_fail.pcap", old, new))
    (row,) = kit.rows(path, "jobscheduler.expert.odd_number", "frame.number", "_ws.expert.message")
    assert words in row[1]
    tracer = Tracer()
    problems = [one for packet in CaptureReader([path]) for one in tracer.feed(packet)] + tracer.finish()
    (told,) = [one for one in problems if isinstance(one, Problem) and one.code == "odd_number"]
    assert str(told.packets[-1]) == row[0]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", ["engine_shell_ok", "engine_ten_tasks", "faults/02_callback_drop.r"])
def test_every_packet_of_a_task_has_its_number(name: str) -> None:
    path = kit.CAPTURES / f"{name}.pcap"
    command = ("-2", "-Y", "tcp", "-T", "fields", "-e", "tcp.stream", "-e", "jobscheduler.task")
    tasks: dict[str, set[str]] = {}
    for line in kit.tshark(path, *command).splitlines():
        stream, _, task = line.partition("\t")
        tasks.setdefault(stream, set()).add(task)
    assert all(len(found) == 1 for found in tasks.values()), tasks
    assert {task for found in tasks.values() for task in found} - {""}


def test_syns_that_nobody_answered_are_in_the_task_and_prove_its_problem() -> None:
    path = kit.CAPTURES / "faults" / "02_callback_drop.r.pcap"
    syns = kit.tshark(
        path, "-2", "-Y", "tcp.flags.syn == 1 && tcp.dstport == 59999", "-T", "fields", "-e", "jobscheduler.task",
        "-e", "jobscheduler.problem",
    ).splitlines()  # fmt: skip
    assert len(syns) > 1
    assert syns == ["1\t"] * (len(syns) - 1) + ["1\tcallback_dropped"]


def test_icmp_errors_are_in_the_task_and_prove_its_problem() -> None:
    path = kit.CAPTURES / "faults" / "04_callback_reject_icmp_port.r.pcap"
    found = kit.tshark(
        path, "-2", "-Y", "icmp", "-T", "fields", "-e", "jobscheduler.task", "-e", "jobscheduler.problem"
    ).splitlines()
    assert found
    assert set(found) == {"1\t", "1\tcallback_refused"}
    assert found[-1] == "1\tcallback_refused"


def test_problems_have_cause_and_remedy() -> None:
    path = kit.CAPTURES / "faults" / "02_callback_drop.r.pcap"
    fields = ("jobscheduler.problem.cause", "jobscheduler.problem.remedy")
    (row,) = kit.rows(path, "jobscheduler.problem", *fields, options=("-2",))
    assert "a firewall drops the SYNs" in row[0]
    assert "let new TCP connections" in row[1]
