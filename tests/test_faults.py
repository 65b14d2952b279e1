"""Recorded faults of the genuine engine, each seen from both sides of a router: outcome and diagnosis.

``captures/faults/README.md`` tells what was done in each case.  ``NAME.c.pcap`` is the client's side of the router,
``NAME.r.pcap`` the remote scheduler's; what happened is the same, what can be known is not: a SYN that the router
drops is never on the client's side.  The table says what is true and can be known on the side in question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Json = dict[str, Any]
FAULTS = Path(__file__).resolve().parent.parent / "captures" / "faults"

SUCCESS, FAILURE, KILLED, LOST = "success", "failure", "killed", "lost"
REFUSED, NO_CALLBACK, UNREACHABLE = "refused", "no_callback", "unreachable"
#: The callback connection falls silent, then kill_task, which ends nothing: from this side alone both are true.
SILENT_THEN_KILLED = f"{KILLED} or {LOST}"


class Leg(NamedTuple):
    """``outcomes``: one for each task, in order; ``problems``: at least one of these codes has to be there, for each
    set of alternatives."""

    outcomes: tuple[str, ...]
    problems: tuple[str, ...] = ()


def same(*outcomes: str, problems: tuple[str, ...] = ()) -> dict[str, Leg]:
    return {"c": Leg(outcomes, problems), "r": Leg(outcomes, problems)}


# Alternatives of one problem are joined with "|".
EXPECTED: dict[str, dict[str, Leg]] = {
    "01_healthy": same(SUCCESS),
    "01b_healthy_api": same(SUCCESS),
    # The way back is closed: the SYNs are on the remote's side only.
    "02_callback_drop": {
        "c": Leg((NO_CALLBACK,), ("callback_missing",)),
        "r": Leg((NO_CALLBACK,), ("callback_dropped",)),
    },
    "03_callback_reject_rst": {
        "c": Leg((NO_CALLBACK,), ("callback_missing",)),
        "r": Leg((NO_CALLBACK,), ("callback_refused",)),
    },
    "04_callback_reject_icmp_port": {
        "c": Leg((NO_CALLBACK,), ("callback_missing",)),
        "r": Leg((NO_CALLBACK,), ("callback_refused",)),
    },
    "05a_client_nat_rst": {
        "c": Leg((NO_CALLBACK,), ("callback_missing",)),
        "r": Leg((NO_CALLBACK,), ("callback_refused",)),
    },
    "06_client_nat_dnat": same(SUCCESS),
    # Announced 59999; behind the NAT the SYN arrives at 59998.
    "06d_client_nat_wrong_port": {
        "c": Leg((NO_CALLBACK,), ("callback_elsewhere",)),
        "r": Leg((NO_CALLBACK,), ("callback_refused",)),
    },
    "07_remote_multihomed": same(SUCCESS, problems=("callback_other_address",)),
    # The command connection does not come about.
    "08_remote_port_closed": same(UNREACHABLE, problems=("command_refused",)),
    "09_remote_syn_dropped": {"c": Leg((UNREACHABLE,), ("command_unanswered",)), "r": Leg(())},
    "10_allowed_host_excludes": same(REFUSED, problems=("command_rejected",)),
    "11_allowed_host_level_info": same(REFUSED, problems=("start_error",)),
    # A firewall forgets the idle callback connection; on the remote's side this shows before the operator's kill_task.
    "12b_idle_firewall_drop_short_retries": {
        "c": Leg((SILENT_THEN_KILLED,), ("idle_connection_cut|task_killed",)),
        "r": Leg((LOST,), ("idle_connection_cut",)),
    },
    "13_idle_firewall_rst": {
        "c": Leg((SILENT_THEN_KILLED,), ("idle_connection_cut|task_killed",)),
        "r": Leg((LOST,), ("idle_connection_cut",)),
    },
    "13b_idle_firewall_rst_both_ends": same(LOST, problems=("idle_connection_cut|connection_lost",)),
    # Someone dies.
    "14_agent_killed": same(LOST, problems=("connection_lost",)),
    "14b_task_process_killed_api": same(LOST, problems=("connection_lost",)),
    "15_client_killed": same(LOST, problems=("connection_lost|command_lost_first",)),
    # The first task's callback comes when its client is gone and the second task has the port.
    "15d_client_restarted_callback_to_new_listener": {
        "c": Leg((NO_CALLBACK, SUCCESS), ("callback_refused|callback_missing|callback_late",)),
        "r": Leg((NO_CALLBACK, SUCCESS), ("callback_refused|callback_dropped|callback_late",)),
    },
    "16_kill_task_immediately": same(KILLED, problems=("task_killed",)),
    # The command connection goes first: the remote kills the job, nobody asked it to.  In 17c the RST was injected
    # toward the remote, so the client's side has none before the close command.
    "17_command_connection_rst": same(FAILURE, problems=("command_lost_first",)),
    "17c_command_connection_rst_at_r_only": {
        "c": Leg((FAILURE,), ("job_failed",)),
        "r": Leg((FAILURE,), ("command_lost_first",)),
    },
    "17f_command_connection_rst_api": same(LOST, problems=("command_lost_first",)),
    "18_loss3_reorder_router": same(SUCCESS, SUCCESS, problems=("retransmissions",)),
    # A port scanner is taken for the task process; it is never on the remote's side.
    "19_scanner_junk": {
        "c": Leg((NO_CALLBACK,), ("callback_foreign_bytes",)),
        "r": Leg((NO_CALLBACK,), ("callback_refused",)),
    },
    "20_late_callback": {
        "c": Leg((NO_CALLBACK,), ("callback_late",)),
        "r": Leg((NO_CALLBACK,), ("callback_late|callback_dropped",)),
    },
    "21_two_clients": same(*[SUCCESS] * 4),
    "22_eight_per_second": same(*[SUCCESS] * 64),
    # The client's host vanishes: output is sent ten times and never acknowledged.
    "23_no_route_back_from_process": same(LOST, problems=("connection_lost|idle_connection_cut",)),
    # Large segments do not pass: on the client's side sent ten times, on the remote's a hole.
    "26_mtu_black_hole": {
        "c": Leg((LOST,), ("retransmissions|connection_lost",)),
        "r": Leg((SILENT_THEN_KILLED,), ("gap",)),
    },
    "27_max_processes_plateau": same(*[SUCCESS] * 5),
    "28_agent_frozen_20s": same(SUCCESS),
}

#: Cases in which nothing is wrong with the connections and nobody wants to read an error.
QUIET = (
    "01_healthy",
    "01b_healthy_api",
    "06_client_nat_dnat",
    "07_remote_multihomed",
    "18_loss3_reorder_router",
    "21_two_clients",
    "22_eight_per_second",
    "27_max_processes_plateau",
    "28_agent_frozen_20s",
)

LEGS = [(case, leg) for case, legs in EXPECTED.items() for leg in legs]


def outcomes_of(document: Json) -> list[str]:
    return [task["outcome"] for task in document["tasks"]]


def missing(document: Json, leg: Leg) -> Iterator[str]:
    """Problems that should have been told and were not."""
    codes = {problem["code"] for problem in document["problems"]}
    return (wanted for wanted in leg.problems if not codes & set(wanted.split("|")))


def test_no_recording_is_skipped() -> None:
    recorded = {path.name.removesuffix(".pcap") for path in FAULTS.glob("*.pcap")}
    assert recorded == {f"{case}.{leg}" for case, leg in LEGS}
    assert len(recorded) == 66


@pytest.mark.parametrize(("case", "leg"), LEGS, ids=[f"{case}.{leg}" for case, leg in LEGS])
def test_outcome_and_diagnosis(case: str, leg: str, trace: Callable[..., Json]) -> None:
    document = trace(FAULTS / f"{case}.{leg}.pcap")
    expected = EXPECTED[case][leg]
    found = outcomes_of(document)
    assert len(found) == len(expected.outcomes), found
    assert [
        outcome for outcome, right in zip(found, expected.outcomes, strict=True) if outcome not in right.split(" or ")
    ] == [], f"found {found}, expected {expected.outcomes}"
    told = [problem["code"] for problem in document["problems"]]
    assert list(missing(document, expected)) == [], f"told were {told}"


@pytest.mark.parametrize(("case", "leg"), LEGS, ids=[f"{case}.{leg}" for case, leg in LEGS])
def test_problems_have_evidence_and_advice(case: str, leg: str, trace: Callable[..., Json]) -> None:
    """Every problem names packets of the capture, the tasks list what the problems say, and errors come with advice."""
    document = trace(FAULTS / f"{case}.{leg}.pcap")
    packets = sum(capture["packets"] for capture in document["captures"])
    for problem in document["problems"]:
        assert problem["packets"] or problem["code"] == "callback_missing", problem
        assert all(1 <= number <= packets for number in problem["packets"])
        assert problem["packets"] == sorted(problem["packets"])
        assert problem["severity"] in ("info", "warning", "error")
        assert problem["summary"]
        if problem["severity"] != "info":
            assert problem["cause"], problem
            assert problem["remedy"], problem
    for task in document["tasks"]:
        mine = {problem["code"] for problem in document["problems"] if problem["task"] == task["n"]}
        assert set(task["problems"]) == mine


@pytest.mark.parametrize("case", QUIET)
@pytest.mark.parametrize("leg", ["c", "r"])
def test_no_false_alarm(case: str, leg: str, trace: Callable[..., Json]) -> None:
    document = trace(FAULTS / f"{case}.{leg}.pcap")
    assert [problem for problem in document["problems"] if problem["severity"] == "error"] == []


@pytest.mark.parametrize(("case", "leg"), LEGS, ids=[f"{case}.{leg}" for case, leg in LEGS])
def test_a_fault_is_never_silent(case: str, leg: str, trace: Callable[..., Json]) -> None:
    """A task that did not succeed has a warning or an error of its own, but for a kill that was asked for."""
    document = trace(FAULTS / f"{case}.{leg}.pcap")
    for task in document["tasks"]:
        if task["outcome"] not in (SUCCESS, KILLED):
            mine = [problem["severity"] for problem in document["problems"] if problem["task"] == task["n"]]
            assert {"warning", "error"} & set(mine), mine


def test_what_a_killed_job_leaves(trace: Callable[..., Json]) -> None:
    """kill_task and a lost command connection both end the script with SIGKILL; only one of them was asked for."""
    (asked,) = trace(FAULTS / "16_kill_task_immediately.c.pcap")["tasks"]
    (lost,) = trace(FAULTS / "17_command_connection_rst.c.pcap")["tasks"]
    assert (asked["outcome"], lost["outcome"]) == (KILLED, FAILURE)
    assert asked["signal"] == lost["signal"]
    assert str(asked["signal"]) in ("9", "SIGKILL")


def test_both_sides_tell_the_same_task(trace: Callable[..., Json]) -> None:
    """The NAT changes the client's address between the sides, and only that."""
    tasks = [trace(FAULTS / f"06_client_nat_dnat.{leg}.pcap")["tasks"][0] for leg in "cr"]
    assert [task["client"]["ip"] for task in tasks] == ["10.50.1.10", "10.50.2.1"]
    same_keys = ("kind", "process_id", "job", "task_id", "outcome", "exit_code", "counts", "callback")
    assert [tasks[0][key] for key in same_keys] == [tasks[1][key] for key in same_keys]


def test_the_dropped_callback_is_counted(trace: Callable[..., Json]) -> None:
    """Eleven SYNs in 69.7 s, all of them evidence."""
    document = trace(FAULTS / "02_callback_drop.r.pcap")
    (problem,) = [problem for problem in document["problems"] if problem["code"] == "callback_dropped"]
    assert {9, 11, 12, 13, 14, 15, 18, 19, 20, 21, 28} <= set(problem["packets"])
    (task,) = document["tasks"]
    assert task["callback"] == {"port": 59_999, "peer": None}


def test_ports_used_again_within_a_second(trace: Callable[..., Json]) -> None:
    """64 starts in eight seconds on 24 ports: every task has its own two connections."""
    document = trace(FAULTS / "22_eight_per_second.r.pcap")
    ports = {task["callback"]["port"] for task in document["tasks"]}
    assert ports == set(range(59_976, 60_000))
    for task in document["tasks"]:
        roles = sorted(found["role"] for found in document["connections"] if found["task"] == task["n"])
        assert roles == ["callback", "command"]
    assert len({task["task_id"] for task in document["tasks"]}) == 64
