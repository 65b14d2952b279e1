"""Recorded faults of the genuine engine, each seen from both sides of a router: outcome and diagnosis.

``captures/faults/README.md`` tells what was done in each case.  ``NAME.c.pcap`` is the client's side of the router,
``NAME.r.pcap`` the remote scheduler's; what happened is the same, what can be known is not: a SYN that the router
drops is never on the client's side.  The table says what is true and can be known on the side in question.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Json = dict[str, Any]
FAULTS = Path(__file__).resolve().parent.parent / "captures" / "faults"

SUCCESS, FAILURE, KILLED, LOST = "success", "failure", "killed", "lost"
REFUSED, NO_CALLBACK, UNREACHABLE = "refused", "no_callback", "unreachable"


class Leg(NamedTuple):
    """``outcomes``: one for each task, in order; ``alarms``: every problem that is more than a remark; ``remarks``:
    some that have to be there."""

    outcomes: tuple[str, ...]
    alarms: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def same(*outcomes: str, alarms: tuple[str, ...] = (), remarks: tuple[str, ...] = ()) -> dict[str, Leg]:
    return {"c": Leg(outcomes, alarms, remarks), "r": Leg(outcomes, alarms, remarks)}


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
    "07_remote_multihomed": same(SUCCESS, remarks=("callback_other_address",)),
    # The command connection does not come about.
    "08_remote_port_closed": same(UNREACHABLE, alarms=("command_refused",)),
    "09_remote_syn_dropped": {"c": Leg((UNREACHABLE,), ("command_unanswered",)), "r": Leg((), ("nothing_captured",))},
    "10_allowed_host_excludes": same(REFUSED, alarms=("command_rejected",)),
    "11_allowed_host_level_info": same(REFUSED, alarms=("start_error",)),
    # A firewall forgets the idle callback connection; on the remote's side this shows before the operator's kill_task.
    "12b_idle_firewall_drop_short_retries": {
        "c": Leg((LOST,), ("idle_connection_cut",)),
        "r": Leg((LOST,), ("idle_connection_cut",)),
    },
    "13_idle_firewall_rst": {
        "c": Leg((LOST,), ("idle_connection_cut",)),
        "r": Leg((LOST,), ("idle_connection_cut",)),
    },
    "13b_idle_firewall_rst_both_ends": same(LOST, alarms=("idle_connection_cut",)),
    # Someone dies.
    "14_agent_killed": same(LOST, alarms=("connection_lost",)),
    "14b_task_process_killed_api": same(LOST, alarms=("connection_lost",)),
    "15_client_killed": same(LOST, alarms=("connection_lost",)),
    # The first task's callback comes when its client is gone and the second task has the port.
    "15d_client_restarted_callback_to_new_listener": {
        "c": Leg((NO_CALLBACK, SUCCESS), ("command_lost_first",)),
        "r": Leg((NO_CALLBACK, SUCCESS), ("command_lost_first",)),
    },
    "16_kill_task_immediately": same(KILLED, alarms=("task_killed",)),
    # The command connection goes first: the remote kills the job, nobody asked it to.  In 17c the RST was injected
    # toward the remote, so the client's side has none before the close command.
    "17_command_connection_rst": same(FAILURE, alarms=("command_lost_first",), remarks=("job_failed", "slow_call")),
    "17c_command_connection_rst_at_r_only": {
        "c": Leg((FAILURE,), ("command_lost_first",), ("job_failed",)),
        "r": Leg((FAILURE,), ("command_lost_first",), ("job_failed",)),
    },
    "17f_command_connection_rst_api": same(LOST, alarms=("command_lost_first",), remarks=("connection_lost",)),
    "18_loss3_reorder_router": same(SUCCESS, SUCCESS, remarks=("retransmissions",)),
    # A port scanner is taken for the task process; it is never on the remote's side.
    "19_scanner_junk": {
        "c": Leg((NO_CALLBACK,), ("callback_foreign_bytes",)),
        "r": Leg((NO_CALLBACK,), ("callback_refused",)),
    },
    "20_late_callback": {
        "c": Leg((NO_CALLBACK,), ("callback_late",)),
        "r": Leg((NO_CALLBACK,), ("callback_late",)),
    },
    "21_two_clients": same(*[SUCCESS] * 4),
    "22_eight_per_second": same(*[SUCCESS] * 64),
    # The client's host vanishes: output is sent ten times and never acknowledged.
    "23_no_route_back_from_process": same(LOST, alarms=("connection_lost",)),
    # Large segments do not pass: on the client's side sent ten times, on the remote's a hole.
    "26_mtu_black_hole": {
        "c": Leg((LOST,), ("path_mtu",)),
        "r": Leg((LOST,), ("path_mtu",), ("gap",)),
    },
    "27_max_processes_plateau": same(*[SUCCESS] * 5),
    "28_agent_frozen_20s": same(SUCCESS, remarks=("slow_start",)),
}

LEGS = [(case, leg) for case, legs in EXPECTED.items() for leg in legs]


def outcomes_of(document: Json) -> list[str]:
    return [task["outcome"] for task in document["tasks"]]


def test_no_recording_is_skipped() -> None:
    recorded = {path.name.removesuffix(".pcap") for path in FAULTS.glob("*.pcap")}
    assert recorded == {f"{case}.{leg}" for case, leg in LEGS}
    assert len(recorded) == 66


@pytest.mark.parametrize(("case", "leg"), LEGS, ids=[f"{case}.{leg}" for case, leg in LEGS])
def test_outcome_and_diagnosis(case: str, leg: str, trace: Callable[..., Json]) -> None:
    document = trace(FAULTS / f"{case}.{leg}.pcap")
    expected = EXPECTED[case][leg]
    assert outcomes_of(document) == list(expected.outcomes), document["problems"]
    told = [problem["code"] for problem in document["problems"] if problem["severity"] != "info"]
    assert sorted(told) == sorted(expected.alarms), document["problems"]
    remarks = {problem["code"] for problem in document["problems"] if problem["severity"] == "info"}
    assert set(expected.remarks) <= remarks


@pytest.mark.parametrize(("case", "leg"), LEGS, ids=[f"{case}.{leg}" for case, leg in LEGS])
def test_problems_have_evidence_and_advice(case: str, leg: str, trace: Callable[..., Json]) -> None:
    """Every problem names packets of the capture, the tasks list what the problems say, and errors come with advice."""
    document = trace(FAULTS / f"{case}.{leg}.pcap")
    packets = sum(capture["packets"] for capture in document["captures"])
    for problem in document["problems"]:
        assert problem["packets"] or problem["code"] in ("callback_missing", "nothing_captured"), problem
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


@pytest.mark.parametrize(("case", "leg"), LEGS, ids=[f"{case}.{leg}" for case, leg in LEGS])
def test_a_fault_is_never_silent(case: str, leg: str, trace: Callable[..., Json]) -> None:
    """A task that did not succeed has a warning or an error of its own, but for a kill that was asked for."""
    document = trace(FAULTS / f"{case}.{leg}.pcap")
    for task in document["tasks"]:
        if task["outcome"] not in (SUCCESS, KILLED):
            mine = [problem["severity"] for problem in document["problems"] if problem["task"] == task["n"]]
            assert {"warning", "error"} & set(mine), mine


#: The alarm's proof, and what its cause says.
CAUSES = {
    "03_callback_reject_rst.r": ([9, 10], "a device in between sent the reset (TTL 64, the client's packets have 63)"),
    "04_callback_reject_icmp_port.r": ([9, 10, 12, 13], "a firewall (10.50.2.1) rejects connections to"),
    "05a_client_nat_rst.r": ([9, 10], "an address translation without a port forward"),
    "06d_client_nat_wrong_port.r": ([9, 11], "refused it while the client still waited"),
    "13b_idle_firewall_rst_both_ends.c": ([36], "a firewall or translation between the schedulers forgot"),
    "14_agent_killed.r": (
        [36],
        "the remote scheduler ended (killed, crashed, stopped): both connections ended with it",
    ),
    "14b_task_process_killed_api.c": ([1140], "the remote scheduler lives"),
    "15_client_killed.r": ([37], "the client scheduler ended"),
    "15d_client_restarted_callback_to_new_listener.r": ([12], "the client scheduler ended or was restarted"),
    "17_command_connection_rst.c": ([37], "sent the reset: its TTL is 61, the packets of the remote have 63"),
    "17f_command_connection_rst_api.r": ([1315], "sent the reset: its TTL is 61, the packets of the client have 63"),
    "19_scanner_junk.r": ([9, 13, 14, 15], "somebody else took the only connection that it accepts"),
}


@pytest.mark.parametrize("recording", CAUSES)
def test_proof_and_cause(recording: str, trace: Callable[..., Json]) -> None:
    problems = trace(FAULTS / f"{recording}.pcap")["problems"]
    (alarm,) = [problem for problem in problems if problem["severity"] != "info"]
    packets, words = CAUSES[recording]
    assert alarm["packets"] == packets
    assert words in alarm["cause"]


@pytest.mark.parametrize("case", ["05a_client_nat_rst", "06d_client_nat_wrong_port", "03_callback_reject_rst"])
@pytest.mark.parametrize("leg", ["c", "r"])
def test_what_a_problem_is_of_is_listed(case: str, leg: str, trace: Callable[..., Json]) -> None:
    """Calls that were refused, to the announced port or to another one, are connections as well."""
    found = trace(FAULTS / f"{case}.{leg}.pcap")
    known = {one["n"] for one in found["connections"]}
    assert {one["connection"] for one in found["problems"]} - {None} <= known
    assert {one["task"] for one in found["problems"]} - {None} <= {one["n"] for one in found["tasks"]}


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
