"""The rules and what follows from what, row by row: each one is needed by an example here that names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from parts import facts, message, record

from dissector.model import Problem, Severity
from dissector.session import diagnosis, timeouts
from dissector.session.case import Case
from dissector.session.codes import CODES
from dissector.session.life import CommandState, LifeEvent, WatchState
from dissector.session.task import TaskFacts
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "captures" / "corpus"
FIELD = ROOT / "captures" / "field"
#: Rule -> a recording with a problem that nothing else tells, and its code.
RECORDED = {
    "rules_agent.problems": (ROOT / "captures" / "agent" / "ua111_task_killed.pcap", "task_process_lost"),
    "rules_startup.command": (CORPUS / "command_drop.c.pcapng", "command_unanswered"),
    "calling.callback": (CORPUS / "callback_drop.r.pcapng", "callback_dropped"),
    "rules_disconnect.callback_lost": (CORPUS / "mtu_black_hole.c.pcapng", "path_mtu"),
    "command_loss.command_lost": (CORPUS / "both_cut_reset.c.pcapng", "command_lost_first"),
    "command_loss.command_cut": (CORPUS / "idle_command_drop.c.pcapng", "idle_connection_cut"),
    "running.killed": (CORPUS / "killed.c.pcapng", "task_killed"),
    "running.failure": (CORPUS / "exit_5.c.pcapng", "job_failed"),
    "running.calls": (CORPUS / "job_throws.c.pcapng", "call_failed"),
    "running.open_call": (FIELD / "hang_then_foreign_120s.pcap", "open_call"),
    "slowness.slowness": (CORPUS / "delay_150ms.c.pcapng", "slow_network"),
    "quality.address": (CORPUS / "multi_homed.c.pcapng", "callback_other_address"),
    "quality.port": (CORPUS / "low_port.c.pcapng", "port_range_low"),
    "oddities.frames": (CORPUS / "late_capture.c.pcapng", "undecoded_frame"),
    "quality.capture": (CORPUS / "callback_only.c.pcapng", "command_not_captured"),
}


def odd() -> TaskFacts:
    made = facts()
    made.odd_numbers["pid"] = (message(0), "pid is no number")
    return made


def given_up() -> TaskFacts:
    made = facts()
    made.life.watch = WatchState.LET_GO
    return made


def out_of_turn() -> TaskFacts:
    made = facts()
    made.life.command = CommandState.CLOSED
    made.life.commanded(LifeEvent.CLOSE, 9, 0)
    return made


MADE = {
    "oddities.numbers": (odd, "odd_number"),
    "oddities.turns": (out_of_turn, "out_of_turn"),
    "bounds.reached": (given_up, "limit_reached"),
}
#: Code -> what explains it.
CONSEQUENCES = {
    "connection_lost": {"command_lost_first", "path_mtu"},
    "job_failed": {"command_lost_first"},
    "callback_refused": {"command_lost_first"},
    "callback_missing": {"command_lost_first"},
    "retransmissions": {"connection_lost", "idle_connection_cut", "path_mtu"},
    "gap": {"path_mtu"},
    "task_killed": {"idle_connection_cut", "path_mtu"},
}


def name_of(rule: object) -> str:
    module, name = getattr(rule, "__module__", ""), getattr(rule, "__name__", "")
    return f"{module.rpartition('.')[2]}.{name}"


def codes(name: str) -> list[str]:
    if name in MADE:
        made = MADE[name][0]()
        diagnosis.judge(made, timeouts.SECOND)
        return [problem.code for problem in made.record.problems]
    tracer = Tracer()
    events = [event for packet in CaptureReader([str(RECORDED[name][0])]) for event in tracer.feed(packet)]
    return [event.code for event in (*events, *tracer.finish()) if isinstance(event, Problem)]


def code_of(name: str) -> str:
    return MADE[name][1] if name in MADE else RECORDED[name][1]


def test_every_rule_has_its_example() -> None:
    assert sorted(map(name_of, diagnosis.RULES)) == sorted([*RECORDED, *MADE])


@pytest.mark.parametrize("name", [*RECORDED, *MADE])
def test_no_rule_can_go(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code = code_of(name)
    assert code in codes(name)
    monkeypatch.setattr(diagnosis, "RULES", tuple(rule for rule in diagnosis.RULES if name_of(rule) != name))
    assert code not in codes(name)


@pytest.mark.parametrize("code", CONSEQUENCES)
def test_what_follows_from_another_problem_says_so(code: str) -> None:
    for reason in CODES:
        found = [Problem(one, Severity.ERROR, 0, (), "", "a cause") for one in (code, reason)]
        diagnosis._demote_consequences(found, was_ended=True)
        follows = reason in CONSEQUENCES[code] and reason != code
        assert (found[0].severity is Severity.INFO) is follows, reason
        assert found[0].cause.startswith(f"follows from {reason}: ") is follows


def test_nothing_else_follows_from_another_problem() -> None:
    assert set(diagnosis._CONSEQUENCES) == set(CONSEQUENCES)


def test_every_code_is_used() -> None:
    """A code that nobody names any more has no row."""
    tables = ("codes.py", "capture_codes.py")
    paths = [path for path in (ROOT / "dissector").rglob("*.py") if path.name not in tables]
    text = "".join(path.read_text() for path in paths)
    assert [code for code in CODES if f'"{code}"' not in text] == []


# --- thresholds ----------------------------------------------------------------------------------------------------


def test_a_threshold_stands_in_one_place() -> None:
    names = {name for name in vars(timeouts) if name.isupper()}
    again = re.compile(r"^_?([A-Z_]+) = ", re.MULTILINE)
    for path in sorted((ROOT / "dissector" / "session").glob("*.py")):
        if path.name != "timeouts.py":
            assert not names & set(again.findall(path.read_text())), path


def test_the_plugin_has_no_times_of_its_own() -> None:
    """Its pieces name the thresholds of Python, in nanoseconds; none is written a second time."""
    for path in sorted((ROOT / "dissector" / "codegen" / "lua").glob("*.lua")):
        text = re.sub(r'"[^"\n]*"', "", path.read_text())
        assert not re.search(
            r"--[^\n]*\b(?:nano|milli)?seconds\b", re.sub(r"--- [^\n]*|^--[^\n]*", "", text, flags=re.M)
        ), path
        assert not re.search(r"local [A-Z_, ]*(?:PATIENCE|LINGER|WINDOW|GIVE_UP|TWICE|JITTER)[A-Z_]* = [\d.]+", text), (
            path
        )


def test_a_case_without_a_problem_has_none() -> None:
    made = facts()
    record(made)
    assert [problem for rule in diagnosis.RULES for problem in rule(Case(made, timeouts.SECOND))] == []
