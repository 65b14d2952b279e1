"""Verify tells a difference where the plugin has another row, another threshold, or lacks a fact."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_tasks import CORPUS, disagreements, made, packets_of, without_the_question, written
from verify_kit import PLUGIN, ROOT

from dissector.model import Outcome
from dissector.session.outcomes import OUTCOMES

TEXT = PLUGIN.read_text(encoding="utf-8")

#: For each row of the table, in its order, the capture or the ending of a task that it decides; ``|66``: bytes kept of
#: each packet, ``|:10``: the first packets, ``|-8-9``: without these.  The first row decides no capture: a task begins
#: with a SYN, or with bytes.
DECIDED = (
    "", "09_remote_syn_dropped.c|-4-12", "command_drop.c", "engine_agent_not_reachable|:1",
    "start_refused.c", "start_rejected.c", "somebody_else",
    "killed_before_the_callback", "scanner_close.c|66", "engine_xml_errors|-17-18",
    "callback_62s.c", "api.c|:10", "only_the_remote",
    "start_not_heard", "nothing_more", "", "nothing_more_yet", "answer_not_captured", "", "remote_killed_early.c",
    "command_only.c", "closed_late", "callback_drop.c", "one_direction.c", "killed.c",
    "engine_kill_task|-38-39", "exit_5.c", "api.c",
    "result_not_captured", "", "", "sent_again_for_long", "close_not_heard", "odd_process_without_its_start",
    "engine_bigscript|-86-89", "gone_without_an_end",
    "engine_xml_errors|80",
    "12b_idle_firewall_drop_short_retries.c|-37-37", "killed_and_open", "", "", "", "engine_kill_agent|-41-44",
    "12b_idle_firewall_drop_short_retries.c|-36-36", "sent_twice", "killed_and_closed",
    "engine_api_init_false|66", "failed_without_last_words", "last_words_not_captured",
    "failed_and_closed_in_order", "release_before_the_capture", "engine_xml_errors|80",
    "c19_kill_all|-1-45", "19_scanner_junk.c|-1-13", "kill_not_heard",
)  # fmt: skip
#: A place in the plugin, what stands there instead, and where that makes a difference.
CHANGES = [
    ("GIVE_UP_FROM = (55 *", "GIVE_UP_FROM = (0 *", "command_only.c"),
    ("GIVE_UP_TO = (75 *", "GIVE_UP_TO = (750 *", "closed_late"),
    ("GIVE_UP_TO = (75 *", "GIVE_UP_TO = (66 *", "nothing_more_yet"),
    ("GIVE_UP_TO = (75 *", "GIVE_UP_TO = (99 *", "nothing_more"),
    ("SYN_PATIENCE = (3 *", "SYN_PATIENCE = (3000 *", "command_drop.c"),
    ("END_PATIENCE = (2 *", "END_PATIENCE = (3000 *", "gone_without_an_end"),
    ("STUCK_RETRANSMISSIONS = 3", "STUCK_RETRANSMISSIONS = 1", "sent_twice"),
    ("STUCK_RETRANSMISSIONS = 3", "STUCK_RETRANSMISSIONS = 2", "start_not_heard_twice"),
    ("STUCK_RETRANSMISSIONS = 3", "STUCK_RETRANSMISSIONS = 5", "sent_again_for_long"),
    ("STUCK_PATIENCE = (2 *", "STUCK_PATIENCE = (0 *", "sent_again_just_now"),
    ("HOLE_PATIENCE = (10 *", "HOLE_PATIENCE = (3000 *", "mtu_black_hole.r"),
    ("CALLBACK_LINGER = (150 *", "CALLBACK_LINGER = (1500 *", "announced_again"),
    # The life of a task.
    ('"was closed", py.dict(py.joined(', '"was closed", py.dict(py.joined(py.pack(py.pack("a close", "was closed")), ',
     "closed_twice"),
    ('py.pack("its port announced again", "superseded")', 'py.pack("its port announced again", "under way")',
     "announced_again"),
    # What the facts are collected from.
    ("return list(stream.icmp)", "return list()", "a_router_says_unreachable"),
    ('not py.same(error.reason, "fragmentation needed")', "true", "a_router_says_too_large"),
    ("return py.map(function(one) return records:connection(one) end, list(task.attempts))", "return py.pack()",
     "callback_half_open"),
    ("return records:connection(task.intruder)", "return nil", "somebody_else"),
    ('"cut_command", "foreign_packet", ', '"cut_command", ', "somebody_else"),
    ("session_calling.unmask_intruder(facts)", "", "scanner_silent.c"),
    ("session_calling.unmask_intruder(facts)", "", "silent_stranger_found_out"),
    ("session_calling.unmask_intruder(facts)", "", "stranger_leaves"),
    (' start = of_message("start_message"),', "", "nothing_more_yet"),
    (' start_answer = of_message("start_answer"),', "", "remote_killed_early.c"),
    (' close = of_message("close"),', "", "closed_late"),
    (' close_answer = of_message("close_answer"),', "", "gone_without_an_end"),
    (' kill = of_message("kill"),', "", "killed.c"),
    (' released = of_message("released"),', "", "finished_though_killed"),
    (' result = of_message("result_message"),', "", "exit_5.c"),
    ("Proof.of({ state = task.proof.state,", 'Proof.of({ state = "settled",', "result_not_captured"),
    ("bytes = function(stream) return", "bytes = function(stream) return 1 or", "api.c|:10"),
    ("return direction.packets", "return 1", "only_the_client"),
    ('"gaps", "snapped", ', '"snapped", ', "last_words_not_captured"),
    ('"gaps", "snapped", ', '"gaps", ', "engine_api_init_false|66"),
    ("return stream.mid_stream or false", "return false", "release_before_the_capture"),
    ("return list(stream.syns)", "return list()", "command_drop.c"),
    ("return list(stream.syn_acks)", "return list()", "answer_repeated"),
    ("return (stream.over or records.is_over) and true or false", "return false", "killed_while_not_heard"),
    ("return records:messages(task.undecoded)", "return py.pack()", "late_capture.c"),
    ("exit_code = tonumber(task.exit_code)", "exit_code = 0", "exit_5.c"),
    ("if not acked or other.next > acked then facts.acked = other.next end", "", "heard_at_last"),
    ("if not facts.acked or acked > facts.acked then facts.acked = acked end", "", "heard_after_a_silence"),
    ("if not facts.acked or other.next > facts.acked then facts.acked = other.next end", "", "answered_at_last"),
    ("facts.retransmitted = marks", "", "sent_again_for_long"),
    ("self:forget_tries(stream, math.max(self.now, stream.seen))", "", "waits_for_the_port"),
    ("self:result(string.sub(data, at), message)", "", "result"),
    ("or not self:came_to_nothing(stream) or self:is_try(stream) then", "or true then", "command_drop.c"),
    ("one.probed_at = probe.start", "one.probed_at = nil", "engine_shell_ok|-2-2"),
    ('find(server, "\\r\\nContent-Type: text/xml", 1, true)', "nil", "c19_kill_all|-4-4"),
    ("if behind then text = sub(text, behind + 1) end", "", "c19_kill_all|-4-4"),
    ("if self:failed_for_good(task) then", "if true then", "engine_xml_errors|-6-6"),
]  # fmt: skip


def rows() -> list[re.Match[str]]:
    """The outcome words of the table's rows in the plugin."""
    begin = TEXT.index("session_outcomes.OUTCOMES = ")
    return list(re.compile(r'(?<=Row\.new\(")\w+').finditer(TEXT, begin, TEXT.index("\n", begin)))


def source(name: str, tmp_path: Path) -> Path:
    """A capture, an ending, or what is left of one."""
    name, _, rest = name.partition("|")
    captures = ROOT / "captures"
    places = (
        CORPUS / f"{name}.pcapng",
        captures / f"{name}.pcap",
        captures / "agent" / f"{name}.pcap",
        captures / "faults" / f"{name}.pcap",
    )
    recorded = [path for path in places if path.exists()]
    path = tmp_path / f"{name}.pcap"
    found = recorded[0] if recorded else without_the_question(path) if name == "result" else made(name, path)
    if not rest:
        return found
    packets = packets_of(found)
    if rest.startswith(":"):
        return written(path, packets[: int(rest[1:])])
    if rest.startswith("-"):
        first, last = map(int, rest[1:].split("-"))
        return written(path, packets[: first - 1] + packets[last:])
    return written(path, [packet._replace(data=packet.data[: int(rest)]) for packet in packets])


def seen(text: str, name: str, tmp_path: Path) -> list[str]:
    changed = tmp_path / "changed.lua"
    changed.write_text(text, encoding="utf-8")
    return disagreements(source(name, tmp_path), changed)


def test_every_row_has_its_example() -> None:
    assert [word[0] for word in rows()] == [row.outcome.value for row in OUTCOMES]
    assert len(DECIDED) == len(OUTCOMES)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("index", [index for index, name in enumerate(DECIDED) if name])
def test_another_outcome_is_seen(index: int, tmp_path: Path) -> None:
    word = rows()[index]
    found = seen(TEXT[: word.start()] + "other" + TEXT[word.end() :], DECIDED[index], tmp_path)
    assert any(f"Python {OUTCOMES[index].outcome.value}" in one and "tshark other" in one for one in found) or (
        OUTCOMES[index].outcome is Outcome.FAILURE and found
    )


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("old", "new", "name"), CHANGES)
def test_a_change_is_seen(old: str, new: str, name: str, tmp_path: Path) -> None:
    assert TEXT.count(old) == 1
    found = seen(TEXT.replace(old, new), name, tmp_path)
    assert found
    assert all("task" in difference for difference in found)
