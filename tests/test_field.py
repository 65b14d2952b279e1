"""Recordings in the shapes that operators bring: what is told, and what must not be.

Made from recordings of the genuine engine (``captures/README.md`` lists them): packets changed, left out or added.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Json = dict[str, Any]
FIELD = Path(__file__).resolve().parent.parent / "captures" / "field"


class Told(NamedTuple):
    """``outcome`` of the only task, codes of all alarms, words that have to be there, and words that must not be."""

    outcome: str
    alarms: tuple[str, ...]
    words: tuple[str, ...]
    not_told: tuple[str, ...]


EXPECTED = {
    # The handshake of the callback connection was answered by a device in the client's name.
    "01_synproxy_client_killed": Told(
        "lost", ("connection_lost",), ("the client scheduler ended", "10.50.1.10"), ("device", "firewall")
    ),
    "10_reset_after_start_device": Told(
        "refused", ("start_cut",), ("device", "its TTL is 254, the packets of the remote have 63"), ("allowed_host",)
    ),
    "31_start_never_acked_fin": Told(
        "no_callback", ("callback_missing",), ("never acknowledged", "10.50.2.10"), ("its system acknowledged",)
    ),
    "26_synack_lost": Told("no_callback", ("syn_ack_lost",), ("SYN+ACK", "never arrives"), ("scanner",)),
    "reorder_reject": Told(
        "no_callback",
        ("callback_refused",),
        ("was refused (RST)", "TTL 64, the client's packets have 63"),
        ("ended at its start",),
    ),
    "running_multihomed_called_scanner": Told(
        "running", (), ("callback came from 10.50.2.11",), ("scanner", "took the announced port")
    ),
    "snap512_failure_as_success": Told("failure", ("snap_length", "error_answer"), ("NoClassDefFoundError",), ()),
    "snap96_no_task": Told(
        "no_callback",
        ("callback_dropped", "snap_length"),
        ("11 SYNs to 10.50.1.10:59999", "the snap length cut off 300 bytes"),
        ("command_lost_first",),
    ),
    "snap128_failure_as_success": Told("unknown", ("snap_length", "snap_length"), ("snap length",), ()),
    "lost_begin_failure_as_success": Told("unknown", ("gap",), ("503 bytes are missing",), ()),
    "exitcode_lost_control_byte": Told("failure", ("job_failed",), ("exit code 1", "FAILED"), ()),
    "nat_gateway_log_doubled": Told("success", (), ("of two legs of a gateway", "10.50.2.10:4455"), ()),
    "hang_then_foreign_120s": Told("running", ("open_call",), ("without an answer for 119 s",), ("lost",)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_told(name: str, trace: Callable[..., Json]) -> None:
    document, expected = trace(FIELD / f"{name}.pcap"), EXPECTED[name]
    assert [task["outcome"] for task in document["tasks"]] == [expected.outcome]
    alarms = [problem["code"] for problem in document["problems"] if problem["severity"] != "info"]
    assert tuple(alarms) == expected.alarms
    text = " ".join(problem[key] for problem in document["problems"] for key in ("summary", "cause", "remedy"))
    assert [word for word in expected.words if word not in text] == []
    assert [word for word in expected.not_told if word in text] == []


def test_a_connection_on_two_legs_is_told_once(trace: Callable[..., Json]) -> None:
    (task,) = trace(FIELD / "nat_gateway_log_doubled.pcap")["tasks"]
    assert (task["counts"]["messages"], len(task["log"])) == (32, 3)


def test_the_listener_is_in_the_callback_range(trace: Callable[..., Json]) -> None:
    """Its SYN was not captured, and the port of the task process is lower."""
    task = trace(FIELD / "midstream_port_invented.pcap")["tasks"][0]
    assert task["callback"] == {"port": 59_999, "peer": {"ip": "127.0.0.1", "port": 33_976}}
    assert (task["counts"]["calls"], task["counts"]["callbacks"]) == (4, 10)


def test_tasks_do_not_swap_where_a_start_is_lost(trace: Callable[..., Json]) -> None:
    """The callback to the port that nobody announced fits two starts, so it gets none."""
    document = trace(FIELD / "lost_start_tasks_swapped.pcap")
    told = {(task["client"]["port"], task["callback"]["port"]): task for task in document["tasks"]}
    assert (told[43_198, 59_998]["job"], told[43_198, 59_998]["outcome"]) == ("api", "failure")
    assert (told[None, 59_997]["job"], told[None, 59_997]["callback"]["peer"]["port"]) == ("shell_long", 40_338)
    assert "pair_unclear" in told[None, 59_997]["problems"]


def test_a_start_that_was_cut_off_is_told_by_its_callback(trace: Callable[..., Json]) -> None:
    (task,) = trace(FIELD / "snap96_no_task.pcap")["tasks"]
    assert task["client"] == {"ip": "10.50.1.10", "port": 52_522}
    assert task["remote"] == {"ip": "10.50.2.10", "port": 4_455}
    assert task["callback"] == {"port": 59_999, "peer": None}
    dropped = next(one for one in trace(FIELD / "snap96_no_task.pcap")["problems"] if one["code"] == "callback_dropped")
    assert dropped["packets"] == [9, 11, 12, 13, 14, 15, 18, 19, 20, 21, 28]
