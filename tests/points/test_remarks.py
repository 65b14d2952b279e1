"""What differs between two places and does no harm: each remark with what makes it speak, and what keeps it silent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from test_places import Change, leg, saved, tasks_of, told, written
from test_rules import CALLBACK, CLIENT, REMOTE, codes_of, is_tcp, only, payload_of, ports_of, problem, source_of

from dissector.model import Connection, Task
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

MILLISECOND = 1_000_000
CORPUS = Path(__file__).resolve().parents[2] / "captures" / "corpus"
_FLAGS, _SYN = 47, 0x02
#: The MSS option is the first one of these SYNs.
_MSS = slice(56, 58)


def clamped(size: int, *, of: bytes | None = None) -> Change:
    """SYNs (of this address) with another MSS."""

    def change(packet: Packet) -> Packet:
        if not is_tcp(packet) or not packet.data[_FLAGS] & _SYN or of not in (None, source_of(packet)):
            return packet
        assert packet.data[54:56] == b"\x02\x04"
        data = bytearray(packet.data)
        data[_MSS] = size.to_bytes(2, "big")
        return packet._replace(data=bytes(data))

    return change


@pytest.mark.parametrize(("size", "is_told"), [(1459, True), (1460, False), (1200, True)])
def test_another_mss_behind_a_device_is_told(size: int, is_told: bool, tmp_path: Path) -> None:
    """It changes what comes from either side, so each place has the other side's changed."""
    files = [
        written(tmp_path / f"{side}.pcap", leg("01_healthy", side), clamped(size, of=other))
        for side, other in (("c", REMOTE), ("r", CLIENT))
    ]
    task = only(*files)
    assert ("rewritten_by_device" in codes_of(task)) is is_told
    assert bool(task.rewritten) is is_told
    if not is_told:
        return
    found = problem(task, "rewritten_by_device")
    assert found.severity.value == "info"
    assert f"1460 of the client is {size} behind the device (command connection)" in found.summary
    assert f"1460 of the remote is {size} behind the device (command connection)" in found.summary
    assert f"1460 of the task process is {size} behind the device (callback connection)" in found.summary
    assert "clamps it" in found.cause
    assert len(found.packets) == 8  # SYN and SYN+ACK of both connections at both places
    assert {one.role.value for one in task.rewritten} == {"command", "callback"}


def test_only_the_end_whose_mss_is_changed_is_named(tmp_path: Path) -> None:
    remote = written(tmp_path / "remote.pcap", leg("01_healthy", "r"), clamped(1360, of=CLIENT))
    found = problem(only(leg("01_healthy", "c"), remote), "rewritten_by_device")
    assert found.summary.count("is 1360 behind the device") == 2
    assert "of the remote" not in found.summary
    assert "of the task process" not in found.summary


def test_a_snap_length_that_cuts_options_off_is_no_clamp(tmp_path: Path) -> None:
    def change(packet: Packet) -> Packet:
        is_syn = is_tcp(packet) and packet.data[_FLAGS] & _SYN
        return packet._replace(data=packet.data[:54]) if is_syn else packet

    task = only(leg("01_healthy", "c"), written(tmp_path / "r.pcap", leg("01_healthy", "r"), change))
    assert "rewritten_by_device" not in codes_of(task)


# --- loss ----------------------------------------------------------------------------------------------------------

_RESET = 0x04


def sent_by(address: bytes, source: Path) -> list[Packet]:
    """What an end of the callback connection sends."""
    return [
        one
        for one in CaptureReader([source])
        if is_tcp(one) and CALLBACK in ports_of(one) and source_of(one) == address
    ]


def reset_of_the_client(source: Path) -> Packet:
    return next(one for one in sent_by(CLIENT, source) if one.data[_FLAGS] & _RESET)


def farewell(source: Path) -> list[Packet]:
    """The task process's own FIN behind the client's reset, and the reset that answers it."""
    reset, last = reset_of_the_client(source), [one for one in sent_by(REMOTE, source) if payload_of(one)][-1]
    size = payload_of(last)
    fin = bytearray(last.data[:-size])
    fin[16:18] = (int.from_bytes(fin[16:18], "big") - size).to_bytes(2, "big")
    fin[38:42] = (int.from_bytes(fin[38:42], "big") + size).to_bytes(4, "big")
    fin[_FLAGS] = 0x11
    return [
        last._replace(time=reset.time + 1_000, data=bytes(fin), wire_length=len(fin)),
        reset._replace(time=reset.time + 2_000),
    ]


def end_of_the_callback(file: Path) -> str | None:
    (found,) = [one for one in told(file) if isinstance(one, Connection) and one.server.port == CALLBACK]
    return found.closed


def test_what_is_lost_is_told_though_one_place_saw_the_end_as_a_reset_and_the_other_as_two_fins(tmp_path: Path) -> None:
    """The first reset of the client was lost as well: the task process's FIN came before the second one there."""
    client, remote = leg("18_loss3_reorder_router", "c"), leg("18_loss3_reorder_router", "r")
    lost = reset_of_the_client(remote).number
    files = (
        in_order(tmp_path / "c.pcap", [*CaptureReader([client]), *farewell(client)]),
        in_order(
            tmp_path / "r.pcap", [*(one for one in CaptureReader([remote]) if one.number != lost), *farewell(remote)]
        ),
    )
    assert [end_of_the_callback(one) for one in files] == ["rst", "fin"]
    found = problem(only_first(*files), "lost_between_points")
    assert "2 of 135 packets of the task process on the callback connection" in found.summary


# --- order ---------------------------------------------------------------------------------------------------------


def data_of_the_task(source: Path) -> list[Packet]:
    return [one for one in sent_by(REMOTE, source) if payload_of(one) > 1000]


def swapped(first: Packet, second: Packet) -> Change:
    """One packet comes right behind a later one."""
    times = {first.number: second.time + 1_000}
    return lambda one: one._replace(time=times.get(one.number, one.time))


def in_order(path: Path, packets: Iterable[Packet]) -> Path:
    """Packets by their times."""
    return saved(path, sorted(packets, key=lambda one: one.time))


def pair_in_flight(source: Path) -> tuple[Packet, Packet]:
    """Two segments that were sent one right after the other."""
    packets = data_of_the_task(source)
    return next((one, two) for one, two in pairwise(packets) if two.number == one.number + 1)


def test_packets_that_others_overtake_are_told(tmp_path: Path) -> None:
    client, remote = leg("18_loss3_reorder_router", "c"), leg("18_loss3_reorder_router", "r")
    before = only_first(client, remote)
    assert "reordered_between_points" not in codes_of(before)  # what was sent again fills holes too
    one, two = pair_in_flight(client)
    mixed = written(tmp_path / "mixed.pcap", client, swapped(one, two))
    task = only_first(in_order(tmp_path / "c.pcap", CaptureReader([mixed])), remote)
    found = problem(task, "reordered_between_points")
    assert found.severity.value == "info"
    assert "1 packet of the task process on the callback connection" in found.summary
    assert len(found.packets) == 2


def test_disorder_that_both_places_have_is_not_of_the_way_between(tmp_path: Path) -> None:
    files = []
    for side in "cr":
        source = leg("18_loss3_reorder_router", side)
        one, two = pair_in_flight(source)
        mixed = written(tmp_path / f"mixed.{side}.pcap", source, swapped(one, two))
        files.append(in_order(tmp_path / f"{side}.pcap", CaptureReader([mixed])))
    assert "reordered_between_points" not in codes_of(only_first(*files))


def only_first(*files: Path) -> Task:
    return tasks_of(told(*files))[0]


# --- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["c", "r"])
@pytest.mark.parametrize("case", ["01_healthy", "22_eight_per_second"])
def test_a_capture_with_everything_twice_is_no_network_that_repeats(case: str, side: str, tmp_path: Path) -> None:
    """A mirror port has each packet of both directions twice, a moment apart."""
    source = leg(case, side)
    again = written(tmp_path / "again.pcap", source, lambda one: one._replace(time=one.time + 2_000))
    double = in_order(tmp_path / f"{case}.{side}.pcap", [*CaptureReader([source]), *CaptureReader([again])])
    other = leg(case, "r" if side == "c" else "c")
    tasks = tasks_of(told(double, other))
    assert all(task.outcome.value == "success" and len(task.points) == 2 for task in tasks)
    assert not {"repeated_between_points", "lost_between_points"} & set().union(*map(codes_of, tasks))


def test_a_reset_that_a_device_sent_is_not_counted_as_repeated() -> None:
    for case in ("idle_callback_reset", "idle_command_reset", "both_cut_reset"):
        task = only(*(CORPUS / f"{case}.{side}.pcapng" for side in "cr"))
        assert {"state_lost_in_device", "answered_by_device"} & codes_of(task)
        assert "repeated_between_points" not in codes_of(task)


# --- time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "is_told"), [(0.45, True), (0.28, True), (0.275, False)])
def test_a_long_way_that_every_call_goes_is_of_the_network(part: float, is_told: bool, tmp_path: Path) -> None:
    """The path takes 300 ms there and back, 51 times in 17 s. A second place is off by a part each way."""
    source = CORPUS / "delay_150ms.r.pcapng"
    trip = 150 * MILLISECOND * 2
    client = bytes((10, 60, 1, 10))

    def change(packet: Packet) -> Packet | None:
        if not is_tcp(packet):
            return None
        data = bytearray(packet.data)
        is_clients = source_of(packet) == client
        data[22] += 1 if is_clients else -1
        data[0:12] = bytes(range(0x20, 0x2C))
        moved = int(trip * part)
        return packet._replace(data=bytes(data), time=packet.time + (-moved if is_clients else moved))

    near = in_order(tmp_path / "client.pcap", CaptureReader([written(tmp_path / "moved.pcap", source, change)]))
    task = only(near, source)
    assert ("delayed_between_points" in codes_of(task)) is is_told
    if is_told:
        found = problem(task, "delayed_between_points")
        assert f"{2 * part * 300:.0f} ms there and back between" in found.summary
        assert len(found.packets) >= 4


# --- evidence ------------------------------------------------------------------------------------------------------


def test_every_remark_has_packets_of_both_places(tmp_path: Path) -> None:
    """Numbers are those of both captures together: of each there is one whose packet is of the other."""
    pairs: dict[str, tuple[str, Callable[[Path], Change] | None]] = {
        "lost_between_points": ("18_loss3_reorder_router", None),
        "rewritten_by_device": ("06_client_nat_dnat", None),
        "delayed_between_points": ("01_healthy", late_words),
        "lost_by_capture": ("01b_healthy_api", without_two),
    }
    for code, (case, change) in pairs.items():
        client, remote = leg(case, "c"), leg(case, "r")
        if change is not None and change is late_words:
            late = written(tmp_path / "late.pcap", client, change(client))
            client = in_order(tmp_path / f"{case}.c.pcap", CaptureReader([late]))
        elif change is not None:
            remote = written(tmp_path / f"{case}.r.pcap", remote, change(remote))
        found = next(one for one in only_first(client, remote).problems if one.code == code)
        sides = {packets_of(client, remote)[number - 1] for number in found.packets}
        assert sides == {"c", "r"}, code


def packets_of(client: Path, remote: Path) -> list[str]:
    """The place of each packet in the order in which they are numbered: the clocks of these pairs are the same."""
    both = [(one.time, side) for side, file in (("c", client), ("r", remote)) for one in CaptureReader([file])]
    return [side for _, side in sorted(both, key=lambda one: one[0])]


def late_words(source: Path) -> Change:
    """The remote's last words come late."""
    last = max(one.number for one in CaptureReader([source]) if is_tcp(one))

    def change(packet: Packet) -> Packet:
        is_late = packet.number >= last - 6 and is_tcp(packet) and source_of(packet) == REMOTE
        return packet._replace(time=packet.time + 1_100 * MILLISECOND) if is_late else packet

    return change


def without_two(source: Path) -> Change:
    """Two segments of the task process were not captured."""
    data = [
        one.number
        for one in CaptureReader([source])
        if is_tcp(one) and CALLBACK in ports_of(one) and source_of(one) == REMOTE and payload_of(one)
    ]
    dropped = set([number for number in data if 60 < number < 80][:2])
    return lambda one: None if one.number in dropped else one
