"""What two places prove together: each rule with what makes it speak, and what keeps it silent."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_places import alarms_of, leg, saved, tasks_of, told, written

from dissector.model import Problem, Task
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

MILLISECOND = 1_000_000
CLIENT, REMOTE = bytes((10, 50, 1, 10)), bytes((10, 50, 2, 10))
CALLBACK = 59999


def source_of(packet: Packet) -> bytes:
    return packet.data[26:30]


def ports_of(packet: Packet) -> tuple[int, int]:
    return int.from_bytes(packet.data[34:36], "big"), int.from_bytes(packet.data[36:38], "big")


def is_tcp(packet: Packet) -> bool:
    return packet.data[12:14] == b"\x08\x00" and packet.data[23] == 6


def payload_of(packet: Packet) -> int:
    """Bytes of a TCP segment."""
    return int.from_bytes(packet.data[16:18], "big") - 20 - (packet.data[46] >> 4 << 2)


def only(*files: Path) -> Task:
    """The only task; the same in both orders."""
    (task,), (again,) = (tasks_of(told(*order)) for order in (files, files[::-1]))
    assert [(one.code, one.summary) for one in task.problems] == [(one.code, one.summary) for one in again.problems]
    assert task.outcome is again.outcome
    return task


def problem(task: Task, code: str) -> Problem:
    (found,) = [one for one in task.problems if one.code == code]
    return found


def codes_of(task: Task) -> set[str]:
    return {one.code for one in task.problems}


def test_a_translation_is_shown_as_the_client_and_those_behind_it_have_it() -> None:
    task = only(leg("06_client_nat_dnat", "c"), leg("06_client_nat_dnat", "r"))
    found = [one for one in task.problems if one.code == "rewritten_by_device"]
    assert [one.severity.value for one in found] == ["info"] * 2
    assert "10.50.1.10:59999 is 10.50.2.1:59999 behind the device" in found[1].summary
    first, second = task.points
    assert (str(first.client)[:10], str(second.client)[:9]) == ("10.50.1.10", "10.50.2.1")


def test_what_is_lost_and_sent_again_is_a_remark() -> None:
    tasks = tasks_of(told(leg("18_loss3_reorder_router", "c"), leg("18_loss3_reorder_router", "r")))
    found = problem(tasks[0], "lost_between_points")
    assert found.severity.value == "info"
    assert "2 of 134 packets of the task process on the callback connection" in found.summary


def test_what_comes_more_often_than_it_was_sent_is_a_remark(tmp_path: Path) -> None:
    """Each data segment of the client comes a second time 80 ms later."""
    source = leg("01_healthy", "r")
    form_late: list[Packet] = []

    def twice(packet: Packet) -> Packet | None:
        if is_tcp(packet) and source_of(packet) == CLIENT and payload_of(packet):
            form_late.append(packet._replace(time=packet.time + 80 * MILLISECOND))
        return packet

    written(tmp_path / "once.pcap", source, twice)
    late = iter(form_late)
    again = written(tmp_path / "again.pcap", source, lambda _: next(late, None))
    task = only(leg("01_healthy", "c"), saved(tmp_path / "r.pcap", CaptureReader([source, again])))
    assert "repeated_between_points" in codes_of(task)
    assert task.outcome.value == "success"


def test_a_capture_that_lost_packets_is_not_the_network(tmp_path: Path) -> None:
    """The remote side's capture lacks two segments that were acknowledged; the client's has them."""
    dropped: list[Packet] = []

    def drop(packet: Packet) -> Packet | None:
        is_data = is_tcp(packet) and CALLBACK in ports_of(packet) and source_of(packet) == REMOTE and payload_of(packet)
        if is_data and 60 < packet.number < 80 and len(dropped) < 2:
            dropped.append(packet)
            return None
        return packet

    lacking = written(tmp_path / "r.pcap", leg("01b_healthy_api", "r"), drop)
    assert len(dropped) == 2
    task = only(leg("01b_healthy_api", "c"), lacking)
    assert task.outcome.value == "success"
    assert "lost_by_capture" in codes_of(task)
    assert not {"gap", "lost_between_points"} & codes_of(task)


@pytest.mark.parametrize(("delay", "is_told"), [(900 * MILLISECOND, False), (1_100 * MILLISECOND, True)])
def test_a_packet_that_took_the_network_long(delay: int, is_told: bool, tmp_path: Path) -> None:
    """The remote's last words come late to the client's side."""
    source = leg("01_healthy", "c")
    last = max(_numbers(source))

    def change(packet: Packet) -> Packet:
        is_late = packet.number >= last - 6 and is_tcp(packet) and source_of(packet) == REMOTE
        return packet._replace(time=packet.time + delay) if is_late else packet

    late = written(tmp_path / "c.pcap", source, change)
    task = only(late, leg("01_healthy", "r"))
    assert ("delayed_between_points" in codes_of(task)) is is_told


def _numbers(source: Path) -> list[int]:
    return [packet.number for packet in CaptureReader([source]) if is_tcp(packet)]


def nearer(source: Path, path: Path) -> Path:
    """The same packets one router nearer to the client: what comes from the remote has one hop more behind it."""

    def change(packet: Packet) -> Packet:
        data = bytearray(packet.data)
        if is_tcp(packet):
            data[22] += 1 if source_of(packet) == CLIENT else -1
            data[0:12] = bytes(range(0x20, 0x2C))
        late = 300_000 if source_of(packet) == REMOTE else -300_000
        return packet._replace(data=bytes(data), time=packet.time + late)

    return written(path, source, change)


def test_syns_that_come_and_are_not_answered_were_dropped_behind_the_place(tmp_path: Path) -> None:
    remote = leg("02_callback_drop", "r")
    client = nearer(remote, tmp_path / "client.pcap")
    task = only(client, remote)
    found = problem(task, "dropped_at_host")
    assert "came to client, and nobody answered" in found.summary
    assert "lost_between_points" not in codes_of(task)
    assert "callback_dropped" in codes_of(task)


def test_data_that_come_and_are_not_acknowledged_were_dropped_behind_the_place() -> None:
    task = only(*(leg("23_no_route_back_from_process", side) for side in "cr"))
    assert "came to 23_no_route_back_from_process.c 8 times more" in problem(task, "dropped_at_host").summary


def test_without_a_capture_at_that_time_nothing_is_said_to_be_lost(tmp_path: Path) -> None:
    """The client's side was captured for the first 5 ms only: that the SYN never came there can not be known."""
    client = leg("02_callback_drop", "c")
    first = min(_times(client))
    short = written(tmp_path / "c.pcap", client, lambda one: one if one.time < first + 5 * MILLISECOND else None)
    events = told(short, leg("02_callback_drop", "r"))
    assert alarms_of(events) == {"callback_dropped"}


def _times(source: Path) -> list[int]:
    return [packet.time for packet in CaptureReader([source])]


def test_a_reset_at_both_places_is_the_sender_s_own() -> None:
    task = only(*(leg("14_agent_killed", side) for side in "cr"))
    assert codes_of(task) == {"connection_lost"}


def test_an_icmp_error_of_a_device_is_named() -> None:
    task = only(*(leg("04_callback_reject_icmp_port", side) for side in "cr"))
    assert problem(task, "answered_by_device").summary.startswith("10.50.2.1 answered with ICMP (port unreachable)")


def test_sizes_that_do_not_pass_are_named() -> None:
    task = only(*(leg("26_mtu_black_hole", side) for side in "cr"))
    assert "segments of 1448 bytes and more while smaller ones pass" in problem(task, "lost_between_points").summary


def test_packets_of_both_places_are_numbered_as_one_stream() -> None:
    task = only(*(leg("13b_idle_firewall_rst_both_ends", side) for side in "cr"))
    resets = {packet for one in task.problems if one.code == "state_lost_in_device" for packet in one.packets}
    assert len(resets) == 2
    assert {one.packet for one in task.astray} == resets
