"""Captures of all interfaces of a host (``any``, Linux cooked v2): a router's are places, a bond's are one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import Result
from test_places import Change, alarms_of, leg, names_of, of_interfaces, tasks_of, told, written

from dissector.model import Connection
from dissector.sources.capture import CaptureReader, Interfaces
from dissector.sources.formats import Pcap, Pcapng
from dissector.stream.link import ETHERNET, LINUX_SLL2
from dissector.traffic import Packet


def cooked(packet: Packet, index: int) -> Packet:
    """An Ethernet frame as ``any`` has it: protocol, interface, type, direction, address, then what it carries."""
    assert packet.link_type == ETHERNET
    head = packet.data[12:14] + bytes(2) + index.to_bytes(4, "big") + b"\0\1\0\6" + packet.data[6:12] + bytes(2)
    return packet._replace(
        link_type=LINUX_SLL2, data=head + packet.data[14:], wire_length=packet.wire_length - 14 + len(head)
    )


def of_any(path: Path, *sources: tuple[int, Path], form: Pcap | Pcapng | None = None) -> Path:
    """The captures of several interfaces, by their numbers, as one of ``any``."""
    form = form or Pcap()
    packets = [cooked(packet, index) for index, source in sources for packet in CaptureReader([source])]
    in_order = sorted(packets, key=lambda one: one.time)
    data = [form.begin(), *(form.packet(one.time, one.link_type, one.data, one.wire_length) for one in in_order)]
    path.write_bytes(b"".join([*data, form.end()]))
    return path


def verdicts(files: Sequence[Path]) -> list[tuple[str, list[tuple[str, list[int]]]]]:
    return [
        (task.outcome.value, [(one.code, list(one.packets)) for one in task.problems])
        for task in tasks_of(told(*files))
    ]


@pytest.mark.one_in(4)
@pytest.mark.parametrize("form", [Pcap, Pcapng], ids=["pcap", "pcapng"])
@pytest.mark.parametrize("case", ["02_callback_drop", "06_client_nat_dnat", "22_eight_per_second", "26_mtu_black_hole"])
def test_interfaces_of_a_router_are_two_places(case: str, form: type[Pcap | Pcapng], tmp_path: Path) -> None:
    file = of_any(tmp_path / "router.pcap", (3, leg(case, "c")), (7, leg(case, "r")), form=form())
    assert names_of(file) == ["router:if3", "router:if7"]
    assert verdicts([file]) == verdicts([leg(case, "c"), leg(case, "r")])
    assert all(len(task.points) == 2 for task in tasks_of(told(file)))


def test_the_router_beside_one_of_the_hosts(tmp_path: Path) -> None:
    """The client's own capture and ``any`` of a router: the SYNs were lost in the router."""
    client, remote = leg("02_callback_drop", "c"), leg("02_callback_drop", "r")
    router = of_any(tmp_path / "router.pcap", (2, nearer_router(tmp_path)), (3, remote))
    assert names_of(router, client) == ["02_callback_drop.c", "router:if2", "router:if3"]
    (task,) = tasks_of(told(router, client))
    (lost,) = [one for one in task.problems if one.code == "lost_between_points"]
    assert "passed router:if3 and never came to router:if2" in lost.summary


def nearer_router(folder: Path) -> Path:
    """What a router one hop behind the client's place has of it: 0.2 ms later, or before."""

    def change(packet: Packet) -> Packet | None:
        data = bytearray(packet.data)
        if data[12:14] != b"\x08\x00" or data[23] != 6:
            return None
        is_clients = data[26:30] == bytes((10, 50, 1, 10))
        data[22] += 0 if is_clients else 1
        data[0:12] = bytes(range(0x20, 0x2C))
        return packet._replace(data=bytes(data), time=packet.time + (200_000 if is_clients else -200_000))

    return written(folder / "if2.pcap", leg("02_callback_drop", "c"), change)


def shifted(nanoseconds: int) -> Change:
    return lambda one: one._replace(time=one.time + nanoseconds)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", ["01_healthy", "18_loss3_reorder_router", "22_eight_per_second"])
def test_copies_at_one_place_are_counted_and_no_retransmissions(case: str, tmp_path: Path) -> None:
    """A bond and its port have each packet, a moment apart; nothing is routed between them."""
    again = written(tmp_path / "again.pcap", leg(case, "r"), shifted(3_000))
    file = of_any(tmp_path / "bond.pcap", (2, leg(case, "r")), (5, again))
    assert names_of(file) == []
    events, once = told(file), told(leg(case, "r"))
    assert [task.outcome for task in tasks_of(events)] == [task.outcome for task in tasks_of(once)]
    assert alarms_of(events) == alarms_of(once)
    connections, single = ([one for one in of if isinstance(one, Connection)] for of in (events, once))
    assert [one.retransmissions for one in connections] == [one.retransmissions for one in single]
    assert all(one.duplicates for one in connections if one.bytes)


def test_a_port_that_has_half_of_a_bond_is_no_place(tmp_path: Path) -> None:
    """The bond's two ports share its packets."""
    generator, source = random.Random(7), leg("01_healthy", "r")
    first = {packet.number for packet in CaptureReader([source]) if generator.random() < 0.5}
    ports = [
        written(tmp_path / "port1.pcap", source, lambda one: one if one.number in first else None),
        written(tmp_path / "port2.pcap", source, lambda one: None if one.number in first else one),
    ]
    file = of_any(tmp_path / "bond.pcap", (4, source), (2, ports[0]), (3, ports[1]))
    assert names_of(file) == []
    assert alarms_of(told(file)) == set()


def test_interfaces_of_strangers_are_one_stream(tmp_path: Path) -> None:
    file = of_any(tmp_path / "any.pcap", (1, leg("01_healthy", "c")), (2, leg("16_kill_task_immediately", "r")))
    assert names_of(file) == []
    assert len(tasks_of(told(file))) == 2


def test_more_interfaces_than_are_compared_are_one_stream(tmp_path: Path) -> None:
    for count, is_split in ((8, True), (9, False)):
        others = [(10 + n, leg("01_healthy", "c")) for n in range(count - 2)]
        pair = [(3, leg("02_callback_drop", "c")), (4, leg("02_callback_drop", "r"))]
        assert bool(names_of(of_any(tmp_path / f"{count}.pcap", *pair, *others))) is is_split


@pytest.mark.parametrize("kind", ["cooked", "described"])
def test_an_interface_that_comes_late_is_read_too(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a third interface there is nothing in the first look; its task is there all the same."""
    monkeypatch.setattr("dissector.looks.MAX_LOOK", 1)
    monkeypatch.setattr("dissector.sources.blocks.BLOCK", 30_000)
    late = written(tmp_path / "late.pcap", leg("16_kill_task_immediately", "r"), shifted(86_400 * 10**9))
    pair = leg("22_eight_per_second", "c"), leg("22_eight_per_second", "r")
    if kind == "cooked":
        file = of_any(tmp_path / "any.pcap", (2, pair[0]), (3, pair[1]), (4, late))
    else:
        file = of_interfaces(tmp_path / "any.pcapng", a=pair[0], b=pair[1], c=late)
    tasks = tasks_of(told(file))
    assert [len(task.points) for task in tasks] == [2] * 64 + [1]
    assert tasks[-1].outcome.value == "killed"


def test_packets_of_other_interfaces_are_numbered_and_none(tmp_path: Path) -> None:
    source = leg("02_callback_drop", "c"), leg("02_callback_drop", "r")
    file = of_any(tmp_path / "any.pcap", (2, source[0]), (3, source[1]))
    whole = list(CaptureReader([file]))
    for index, side in zip((2, 3), source, strict=True):
        reader = CaptureReader([file], interfaces=[Interfaces(frozenset((index,)), by_kernel=True)])
        packets, alone = list(reader), CaptureReader([side])
        assert [one.data[20:] for one in packets] == [one.data[14:] for one in alone]
        assert all(whole[one.number - 1].data == one.data for one in packets)
        assert (reader.infos[0].packets, reader.infos[0].tcp_segments) == (len(whole), alone.infos[0].tcp_segments)


def test_headers_that_were_cut_off_do_no_harm(tmp_path: Path) -> None:
    """Packets of which the snap length left less than the header."""
    form, data = Pcap(), list[bytes]()
    for packet in CaptureReader([leg("01_healthy", "c")]):
        one = cooked(packet, 2)
        for length in (0, 5, 7):
            data.append(form.packet(one.time, one.link_type, one.data[:length], one.wire_length))
    path = tmp_path / "cut.pcap"
    path.write_bytes(b"".join([form.begin(), *data, form.end()]))
    assert names_of(path) == []
    assert tasks_of(told(path)) == []
    assert list(CaptureReader([path], interfaces=[Interfaces(frozenset((3,)), by_kernel=True)]))


def test_a_slice_has_both_sides_of_a_router_that_translates(jstrace: Callable[..., Result], tmp_path: Path) -> None:
    case = "06_client_nat_dnat"
    for name, file in (
        ("any", of_any(tmp_path / "any.pcap", (2, leg(case, "c")), (3, leg(case, "r")))),
        ("ng", of_interfaces(tmp_path / "ng.pcapng", a=leg(case, "c"), b=leg(case, "r"))),
    ):
        out = tmp_path / f"{name}.out.pcapng"
        result = jstrace("slice", file, out, "--task", 1)
        assert result.exit_code == 0, result.stderr
        (task,), (whole,) = tasks_of(told(out)), tasks_of(told(file))
        assert len(task.points) == 2
        assert [one.how for one in task.rewritten] == [one.how for one in whole.rewritten]


@pytest.mark.parametrize("more", [(), ("--all-text",)], ids=["secrets", "all texts"])
@pytest.mark.parametrize("case", ["06_client_nat_dnat", "05a_client_nat_rst"])
def test_a_redacted_capture_of_a_router_has_both_of_its_sides(
    case: str, more: tuple[str, ...], jstrace: Callable[..., Result], tmp_path: Path
) -> None:
    for name, file in (
        ("any", of_any(tmp_path / "any.pcap", (2, leg(case, "c")), (3, leg(case, "r")))),
        ("ng", of_interfaces(tmp_path / "ng.pcapng", a=leg(case, "c"), b=leg(case, "r"))),
    ):
        out = tmp_path / f"{name}.out.pcapng"
        result = jstrace("redact", file, out, *more)
        assert result.exit_code == 0, result.stderr
        assert "read again" not in result.stderr
        (task,), (whole,) = tasks_of(told(out)), tasks_of(told(file))
        assert len(task.rewritten) == len(whole.rewritten) > 0
        assert [one.code for one in task.problems] == [one.code for one in whole.problems]
        assert len(task.points) == len(whole.points) == 2
        assert task.counts == whole.counts
        for ip in ((10, 50, 1, 10), (10, 50, 2, 10), (10, 50, 2, 1)):
            assert bytes(ip) not in out.read_bytes()
            assert ".".join(map(str, ip)).encode() not in out.read_bytes()
