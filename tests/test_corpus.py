"""Small recordings of simulated peers in a real network with real faults: outcome and exact alarms on both legs.

``tests/corpus/make.py`` made them; ``captures/corpus/README.md`` tells what was done in each case.  The table says what
is true and can be known on the leg in question: ``NAME.c.pcapng`` is the router's side toward the client,
``NAME.r.pcapng`` the one toward the remote.  Every problem above info is in it, none is too many.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Json = dict[str, Any]
CORPUS = Path(__file__).resolve().parent.parent / "captures" / "corpus"

SUCCESS, FAILURE, KILLED, LOST, RUNNING = "success", "failure", "killed", "lost", "running"
REFUSED, NO_CALLBACK, UNREACHABLE, UNKNOWN = "refused", "no_callback", "unreachable", "unknown"


class Leg(NamedTuple):
    """``outcomes`` of the tasks in order, problems as the gravest come first, and remarks that have to be there."""

    outcomes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def same(*outcomes: str, errors: str = "", warnings: str = "", remarks: str = "") -> dict[str, Leg]:
    leg = Leg(outcomes, tuple(errors.split()), tuple(warnings.split()), tuple(remarks.split()))
    return {"c": leg, "r": leg}


def legs(c: Leg, r: Leg) -> dict[str, Leg]:
    return {"c": c, "r": r}


NOTHING = Leg(warnings=("nothing_captured",))
WELL = Leg((SUCCESS,))
#: The SYNs of the callback do not come as far as the client's side.
NO_SYNS = Leg((NO_CALLBACK,), ("callback_missing",))
#: The client waits for an answer that was lost on the other side; it will never know.
WAITS = Leg((RUNNING,))
CUT = Leg((LOST,), ("idle_connection_cut",))
NO_ROOM = Leg((UNREACHABLE,), ("command_refused",))
CALLBACK_REFUSED = Leg((NO_CALLBACK,), ("callback_refused",))
INTRUDER = Leg((NO_CALLBACK,), ("callback_foreign_bytes",))

EXPECTED: dict[str, dict[str, Leg]] = {
    # Nothing is wrong.
    "shell": same(SUCCESS),
    "api": same(SUCCESS),
    "order": same(SUCCESS),
    "nested": same(SUCCESS),
    "variants": same(SUCCESS),
    "keep_alives": same(SUCCESS),
    "silent_9s": same(SUCCESS),
    "parallel": same(*[SUCCESS] * 10),
    "two_clients": same(*[SUCCESS] * 4),
    "low_port": same(SUCCESS, remarks="port_range_low"),
    "nat_forward": same(SUCCESS),
    "firewall_open": same(SUCCESS),
    "multi_homed": same(SUCCESS, remarks="callback_other_address"),
    "scanned_command_port": same(SUCCESS),
    "mtu_icmp": same(SUCCESS),
    # Something is slow, or has to be sent again.
    "delay_150ms": same(SUCCESS, remarks="slow_network"),
    "loss_8": same(SUCCESS, remarks="retransmissions"),
    "reorder_double": same(SUCCESS),
    "late_9s": same(SUCCESS, remarks="slow_start"),
    "remote_frozen_8s": same(SUCCESS, remarks="slow_start"),
    "callback_syns_lost": legs(WELL, Leg((SUCCESS,), remarks=("slow_start",))),
    "client_frozen_4s": same(SUCCESS, remarks="slow_call"),
    "remote_reads_late": same(SUCCESS, remarks="zero_window"),
    # The job fails by itself, or the client wants it to end.
    "exit_5": same(FAILURE, errors="job_failed"),
    "signal_15": same(FAILURE, errors="job_failed"),
    "job_throws": same(FAILURE, errors="error_answer"),
    "killed": same(KILLED, warnings="task_killed"),
    # The command connection does not come about, or brings no task.
    "port_closed": same(UNREACHABLE, errors="command_refused"),
    "command_drop": legs(Leg((UNREACHABLE,), ("command_unanswered",)), NOTHING),
    "command_reset": legs(NO_ROOM, NOTHING),
    "command_icmp_admin": legs(NO_ROOM, NOTHING),
    "remote_down": legs(NO_ROOM, NOTHING),
    "start_refused": same(REFUSED, errors="start_error"),
    "start_rejected": same(REFUSED, errors="command_rejected"),
    "start_not_answered": same(NO_CALLBACK, errors="callback_missing"),
    # The callback does not come, or not through, or not in time.
    "callback_drop": legs(NO_SYNS, Leg((NO_CALLBACK,), ("callback_dropped",))),
    "callback_reset": legs(NO_SYNS, CALLBACK_REFUSED),
    "callback_icmp_port": legs(NO_SYNS, CALLBACK_REFUSED),
    "callback_icmp_admin": legs(NO_SYNS, CALLBACK_REFUSED),
    "callback_icmp_host": legs(NO_SYNS, CALLBACK_REFUSED),
    "nat_reset": legs(NO_SYNS, CALLBACK_REFUSED),
    "nat_drop": legs(NO_SYNS, Leg((NO_CALLBACK,), ("callback_dropped",))),
    "nat_wrong_port": legs(Leg((NO_CALLBACK,), ("callback_elsewhere",)), CALLBACK_REFUSED),
    "process_died": same(NO_CALLBACK, errors="callback_missing"),
    "callback_62s": same(NO_CALLBACK, errors="callback_late"),
    "callback_through_61s": same(NO_CALLBACK, errors="callback_late"),
    "client_killed_early": same(NO_CALLBACK, errors="command_lost_first", remarks="callback_refused"),
    "remote_killed_early": same(NO_CALLBACK, errors="command_lost_first", remarks="callback_missing"),
    # The scanner is on the client's side only; the true callback then finds the port closed.
    "scanner_junk": legs(INTRUDER, CALLBACK_REFUSED),
    "scanner_close": legs(INTRUDER, CALLBACK_REFUSED),
    "scanner_silent": legs(INTRUDER, CALLBACK_REFUSED),
    "scanner_before_start": legs(INTRUDER, CALLBACK_REFUSED),
    # A connection ends before the task does.
    "mtu_black_hole": same(LOST, errors="path_mtu"),
    "client_dies": same(LOST, errors="connection_lost"),
    "client_killed": same(LOST, errors="connection_lost"),
    "remote_killed": same(LOST, errors="connection_lost"),
    "remote_killed_busy": same(*[LOST] * 3, errors="connection_lost connection_lost connection_lost"),
    "process_dies": same(LOST, errors="connection_lost"),
    "client_gone": same(LOST, errors="connection_lost"),
    "callback_cut_reset": same(LOST, errors="connection_lost"),
    "callback_cut_reset_idle": same(LOST, errors="idle_connection_cut"),
    # The remote kills a process whose command connection is lost; the client's close then meets a reset.
    "command_cut_reset": same(LOST, errors="command_lost_first", remarks="connection_lost"),
    "command_cut_reset_remote": same(LOST, errors="command_lost_first", remarks="connection_lost"),
    "both_cut_reset": same(LOST, errors="command_lost_first", remarks="connection_lost"),
    # A firewall forgets: the side that sends first learns of it.
    "idle_conntrack_drop": legs(WAITS, CUT),
    "idle_conntrack_reset": legs(WAITS, CUT),
    "idle_callback_drop": legs(WAITS, CUT),
    "idle_callback_reset": legs(WAITS, CUT),
    "idle_command_drop": legs(Leg((SUCCESS,), ("idle_connection_cut",)), WELL),
    "idle_command_reset": legs(Leg((SUCCESS,), ("idle_connection_cut",)), WELL),
    # The recording is not complete.
    "late_capture": same(SUCCESS, remarks="mid_stream"),
    "command_only": same(UNKNOWN, remarks="callback_not_captured"),
    "callback_only": same(SUCCESS, remarks="command_not_captured"),
    "one_direction": same(UNKNOWN, warnings="one_direction one_direction"),
    "snap_96": same(UNKNOWN, warnings="snap_length snap_length", remarks="snap_length"),
}

#: Recordings that do not show what the peers know.
INCOMPLETE = ("late_capture", "command_only", "callback_only", "one_direction", "snap_96")
LEGS = [(case, leg) for case in EXPECTED for leg in "cr"]
each_leg = pytest.mark.parametrize(("case", "leg"), LEGS, ids=[f"{case}.{leg}" for case, leg in LEGS])


def said(case: str) -> Json:
    """What was done, and what the peers say themselves."""
    content: Json = json.loads((CORPUS / f"{case}.json").read_text(encoding="utf-8"))
    return content


def test_no_recording_is_skipped() -> None:
    assert {path.name for path in CORPUS.glob("*.pcapng")} == {f"{case}.{leg}.pcapng" for case, leg in LEGS}
    assert len(EXPECTED) >= 40
    table = (CORPUS / "README.md").read_text(encoding="utf-8")
    assert [case for case in EXPECTED if f"| {case} |" not in table] == []


def test_recordings_are_small() -> None:
    sizes = [path.stat().st_size for path in CORPUS.iterdir()]
    assert max(sizes) < 100_000
    assert sum(sizes) < 4_000_000


@each_leg
def test_outcome_and_problems(case: str, leg: str, trace: Callable[..., Json]) -> None:
    document = trace(CORPUS / f"{case}.{leg}.pcapng")
    expected = EXPECTED[case][leg]
    told = {
        severity: sorted(problem["code"] for problem in document["problems"] if problem["severity"] == severity)
        for severity in ("error", "warning", "info")
    }
    assert [task["outcome"] for task in document["tasks"]] == list(expected.outcomes), document["problems"]
    assert told["error"] == sorted(expected.errors), document["problems"]
    assert told["warning"] == sorted(expected.warnings), document["problems"]
    assert set(expected.remarks) <= set(told["info"])


@each_leg
def test_problems_have_proof_and_words(case: str, leg: str, trace: Callable[..., Json]) -> None:
    document = trace(CORPUS / f"{case}.{leg}.pcapng")
    packets = sum(capture["packets"] for capture in document["captures"])
    for problem in document["problems"]:
        assert bool(problem["packets"]) is bool(packets), problem
        assert problem["packets"] == sorted(set(problem["packets"]))
        assert all(1 <= number <= packets for number in problem["packets"])
        assert problem["summary"]
        assert problem["cause"]
        assert problem["remedy"]


@pytest.mark.parametrize("case", [case for case in EXPECTED if case not in INCOMPLETE])
def test_what_the_peers_say(case: str, trace: Callable[..., Json]) -> None:
    """Tasks that came to their end are the peers' own, number by number."""
    content = said(case)
    theirs = {
        (event["remote"], event["process_id"]): event
        for event in content.get("client_says", [])
        if event["event"] == "task" and event["outcome"] in (SUCCESS, FAILURE, KILLED)
    }
    tasks = trace(CORPUS / f"{case}.c.pcapng")["tasks"]
    ended = [task for task in tasks if task["outcome"] in (SUCCESS, FAILURE, KILLED)]
    assert len(ended) == len(theirs) or case == "idle_command_drop"  # its client still waits for the close's answer
    for task in ended[: len(theirs)]:
        event = theirs[content["remote"], task["process_id"]]
        assert task["outcome"] == event["outcome"]
        assert (task["job"], task["task_id"], task["kind"]) == (event["job"], event["task_id"], event["kind"])
        assert (task["pid"], task["exit_code"]) == (event.get("pid"), event.get("exit_code"))
        assert task["callback"]["port"] == event["callback_port"]
