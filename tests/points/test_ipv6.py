"""Pairs over IPv6, whose packets have no IP ids, and other packets that nothing tells from their retransmissions."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_faults import EXPECTED
from test_places import leg, names_of, tasks_of, told, written
from test_rules import is_tcp, only

from dissector.model import Event, Severity
from dissector.points.between import _arrived
from dissector.sides import Mark
from dissector.traffic import Packet

_PREFIX = bytes.fromhex("fd0000000000000000000000")
#: Without ICMP, which is another one there, an answer of a device is none that both sides can tell of.
CASES = [case for case in EXPECTED if case not in {"04_callback_reject_icmp_port", "09_remote_syn_dropped"}]


def over_ipv6(packet: Packet) -> Packet | None:
    """The same TCP with another header in front of it."""
    if not is_tcp(packet):
        return None
    data = packet.data
    tcp = data[34 : 14 + int.from_bytes(data[16:18], "big")]
    head = b"\x60\0\0\0" + len(tcp).to_bytes(2, "big") + b"\x06" + data[22:23]
    ends = _PREFIX + data[26:30] + _PREFIX + data[30:34]
    made = data[:12] + b"\x86\xdd" + head + ends + tcp
    return packet._replace(data=made, wire_length=len(made))


def verdicts(events: list[Event]) -> list[tuple[str, int, set[str]]]:
    return [
        (task.outcome.value, len(task.points), {one.code for one in task.problems if one.severity is not Severity.INFO})
        for task in tasks_of(events)
    ]


#: Without IP ids these resets, two hops longer on their way, may have come from the ends themselves.
UNPROVEN = "13b_idle_firewall_rst_both_ends"


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", CASES)
def test_the_same_verdict_over_ipv6(case: str, tmp_path: Path) -> None:
    files = [written(tmp_path / f"{case}.{side}.pcap", leg(case, side), over_ipv6) for side in "cr"]
    expected = verdicts(told(leg(case, "c"), leg(case, "r")))
    if case == UNPROVEN:
        expected = [
            (word, seen, codes - {"idle_connection_cut"} | {"connection_lost"}) for word, seen, codes in expected
        ]
    for order in (files, files[::-1]):
        events = told(*order)
        assert verdicts(events) == expected
        for task in tasks_of(events):
            assert all(point.clock_error is not None for point in task.points)


@pytest.mark.parametrize("case", ["01_healthy", "22_eight_per_second"])
def test_parts_of_one_capture_over_ipv6_are_one_place(case: str, tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.pcap", leg(case, "c"), over_ipv6)
    first = written(tmp_path / "a1.pcap", whole, lambda one: one if one.number <= 30 else None)
    second = written(tmp_path / "a2.pcap", whole, lambda one: one if one.number > 20 else None)
    assert names_of(first, second) == []


def test_which_of_several_syns_came_without_ids(tmp_path: Path) -> None:
    """The last of eleven: ten were lost, and these are the evidence."""
    files = [written(tmp_path / f"{side}.pcap", leg("20_late_callback", side), over_ipv6) for side in "cr"]
    lost = next(one for one in only(*files).problems if one.code == "lost_between_points" and "SYNs" in one.summary)
    with_ids = problem_of_syns("20_late_callback")
    assert lost.summary.partition(" to ")[0] == with_ids == "10 of 11 SYNs"


def problem_of_syns(case: str) -> str:
    task = only(leg(case, "c"), leg(case, "r"))
    found = [one for one in task.problems if one.code == "lost_between_points" and "SYNs" in one.summary]
    return found[0].summary.partition(" to ")[0]


def marks(*times: int, ids: tuple[int, ...] = ()) -> list[Mark]:
    return [Mark(n, time, 64, ids[n] if ids else 0) for n, time in enumerate(times)]


@pytest.mark.parametrize(
    ("sent", "came", "numbers"),
    [
        (marks(0, 10, 30), marks(31), [2]),
        (marks(0, 10, 30), marks(9), [1]),
        (marks(0, 10, 30), marks(1, 31), [0, 2]),
        (marks(0, 10), marks(1, 11, 12), [0, 1]),
        (marks(0, 10, ids=(7, 8)), marks(3, ids=(8,)), [1]),
        (marks(0, 10, ids=(7, 8)), marks(3), []),
        (marks(0, 10), [], []),
    ],
)
def test_what_came_of_what_was_sent(sent: list[Mark], came: list[Mark], numbers: list[int]) -> None:
    assert sorted(one.number for one in _arrived(sent, came)) == numbers
