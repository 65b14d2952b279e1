"""Two captures of which one has less than it could: each task once, and nothing that the whole ones do not say too."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from test_places import SECOND, leg, tasks_of, told, written
from test_rules import CLIENT, REMOTE, is_tcp, source_of

from dissector.model import Severity, Task
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

Damage = Callable[[list[Packet]], list[Packet]]


def late(percent: int) -> Damage:
    return lambda packets: packets[len(packets) * percent // 100 :]


def early(percent: int) -> Damage:
    return lambda packets: packets[: len(packets) * (100 - percent) // 100]


def dropping(percent: int, seed: int) -> Damage:
    def drop(packets: list[Packet]) -> list[Packet]:
        chance = random.Random(seed)
        return [one for one in packets if chance.random() * 100 >= percent]

    return drop


def of(*senders: bytes) -> Damage:
    return lambda packets: [one for one in packets if not is_tcp(one) or source_of(one) in senders]


def in_seconds(packets: list[Packet]) -> list[Packet]:
    return [one._replace(time=one.time // SECOND * SECOND) for one in packets]


def pair(case: str, side: str, damage: Damage, folder: Path) -> list[Task]:
    """The tasks of both captures, that of one side damaged; the same in both orders."""
    packets = {one.number: one for one in damage(list(CaptureReader([leg(case, side)])))}
    other = leg(case, "r" if side == "c" else "c")
    files = written(folder / f"{case}.{side}.pcap", leg(case, side), lambda one: packets.get(one.number)), other
    tasks, again = (tasks_of(told(*order)) for order in (files, files[::-1]))
    assert [
        (task.outcome, [(one.code, one.summary, one.cause) for one in task.problems], len(task.points))
        for task in tasks
    ] == [
        (task.outcome, [(one.code, one.summary, one.cause) for one in task.problems], len(task.points))
        for task in again
    ]
    return tasks


#: What a capture may lack, and what one side alone says of it.
HARMLESS = {"gap", "lost_by_capture", "mid_stream", "snap_length", "one_direction", "retransmissions"}


@pytest.mark.parametrize(
    ("case", "side", "damage"),
    [
        ("01_healthy", "c", early(30)),
        ("01_healthy", "r", late(30)),
        ("01_healthy", "c", dropping(5, 3)),
        ("01_healthy", "c", of(REMOTE)),
        ("01_healthy", "r", of(CLIENT)),
        ("06_client_nat_dnat", "r", late(30)),
        ("10_allowed_host_excludes", "c", late(30)),
        ("17c_command_connection_rst_at_r_only", "r", of(REMOTE)),
        ("17_command_connection_rst", "c", in_seconds),
        ("27_max_processes_plateau", "c", of(CLIENT)),
        ("07_remote_multihomed", "c", of(REMOTE)),
    ],
)
def test_what_a_capture_lacks_is_not_blamed_on_the_network(
    case: str, side: str, damage: Damage, tmp_path: Path
) -> None:
    whole, tasks = tasks_of(told(leg(case, "c"), leg(case, "r"))), pair(case, side, damage, tmp_path)
    assert [task.outcome for task in tasks] == [task.outcome for task in whole]
    for task, known in zip(tasks, whole, strict=True):
        codes = {(one.code, one.severity) for one in known.problems} | {(code, Severity.INFO) for code in HARMLESS}
        found = {(one.code, one.severity) for one in task.problems if "less certain" not in one.cause}
        assert found <= codes | {("gap", Severity.WARNING)}
        assert len(task.points) == 2


def test_that_nobody_called_is_not_certain_of_a_capture_that_ended_before(tmp_path: Path) -> None:
    (task,) = pair("02_callback_drop", "r", lambda packets: packets[:9], tmp_path)
    (found,) = [one for one in task.problems if one.code == "callback_missing"]
    assert "or its SYNs do not pass this capture point" in found.cause
