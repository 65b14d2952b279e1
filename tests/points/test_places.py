"""Which files are of one place and which of several: never joined wrongly, and never parted that belong together."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from test_faults import FAULTS

from dissector import looks as module
from dissector.errors import UsageError
from dissector.model import Connection, Event, Problem, Severity, Task
from dissector.points.sightings import Sightings
from dissector.reading import Reading
from dissector.sources.capture import CaptureReader, Only
from dissector.sources.formats import Pcap, Pcapng
from dissector.survey import Site, Wanted, remarks, survey
from dissector.traffic import Packet

CORPUS = Path(__file__).resolve().parents[2] / "captures" / "corpus"
MICROSECOND = 1_000
SECOND = 1_000_000_000
Change = Callable[[Packet], "Packet | None"]


def written(path: Path, source: Path, change: Change) -> Path:
    """A capture with other packets than ``source``."""
    changed = map(change, CaptureReader([source]))
    return saved(path, (packet for packet in changed if packet is not None))


def saved(path: Path, packets: Iterable[Packet]) -> Path:
    """A capture of these packets."""
    form = Pcap()
    data = [form.packet(one.time, one.link_type, one.data, one.wire_length) for one in packets]
    path.write_bytes(b"".join([form.begin(), *data, form.end()]))
    return path


def leg(case: str, side: str) -> Path:
    return FAULTS / f"{case}.{side}.pcap"


def told(*files: Path, wanted: Wanted | None = None) -> list[Event]:
    return list(Reading(files, messages=False, prefetch=False, wanted=wanted).events())


def tasks_of(events: Sequence[Event]) -> list[Task]:
    return sorted((event for event in events if isinstance(event, Task)), key=lambda task: task.n)


def alarms_of(events: Sequence[Event]) -> set[str]:
    return {one.code for one in events if isinstance(one, Problem) and one.severity is not Severity.INFO}


def names_of(*files: Path) -> list[str]:
    return [site.place.name for site in on_the_path(*files)]


def on_the_path(*files: Path) -> list[Site]:
    """The places, that nearest to the client first."""
    return sorted(survey([str(file) for file in files]), key=lambda site: site.place.rank)


# --- one place -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["01_healthy", "02_callback_drop", "22_eight_per_second"])
def test_the_same_capture_twice_is_one_place(case: str, tmp_path: Path) -> None:
    copy = Path(shutil.copy(leg(case, "r"), tmp_path / "copy.pcap"))
    assert names_of(leg(case, "r"), copy) == []
    events, once = told(leg(case, "r"), copy), told(leg(case, "r"))
    assert [task.outcome for task in tasks_of(events)] == [task.outcome for task in tasks_of(once)]
    assert alarms_of(events) == alarms_of(once)


def test_the_same_capture_twice_by_other_clocks_tells_each_task_once(tmp_path: Path) -> None:
    late = written(
        tmp_path / "late.pcap", leg("01_healthy", "c"), lambda one: one._replace(time=one.time + 90 * SECOND)
    )
    events = told(leg("01_healthy", "c"), late)
    (task,) = tasks_of(events)
    assert task.outcome.value == "success"
    assert not alarms_of(events)


@pytest.mark.parametrize("overlap", [0, 10])
def test_parts_of_one_capture_are_one_place(overlap: int, tmp_path: Path) -> None:
    source = leg("22_eight_per_second", "c")
    first = written(tmp_path / "a1.pcap", source, lambda one: one if one.number <= 1_500 + overlap else None)
    second = written(tmp_path / "a2.pcap", source, lambda one: one if one.number > 1_500 else None)
    assert names_of(first, second) == []


def test_command_and_callback_in_a_file_each_are_one_place(tmp_path: Path) -> None:
    """A filter for each: together they are the task."""
    source = leg("01_healthy", "c")

    def with_port(port: int) -> Change:
        return lambda one: one if port.to_bytes(2, "big") in (one.data[34:36], one.data[36:38]) else None

    parts = [written(tmp_path / f"{port}.pcap", source, with_port(port)) for port in (4455, 59999)]
    assert names_of(*parts) == []
    (task,) = tasks_of(told(*parts))
    assert (task.outcome.value, task.callback_delay is not None) == ("success", True)


def test_captures_of_strangers_are_one_stream_as_before() -> None:
    files = leg("01_healthy", "c"), leg("16_kill_task_immediately", "r")
    assert names_of(*files) == []
    assert [task.outcome.value for task in tasks_of(told(*files))] == ["success", "killed"][:: _order(*files)]


def _order(one: Path, two: Path) -> int:
    first, second = (next(iter(CaptureReader([path]))).time for path in (one, two))
    return 1 if first < second else -1


def remarks_of(*files: Path) -> list[tuple[str, str]]:
    found: list[Problem] = []
    survey([str(file) for file in files], on_remark=found.append)
    assert all(one.severity is Severity.INFO for one in found)
    return [(one.code, one.summary) for one in found]


def test_the_same_capture_twice_and_strangers_are_said_to_be_so(tmp_path: Path) -> None:
    one, stranger = leg("01_healthy", "c"), CORPUS / "callback_drop.c.pcapng"
    copy = Path(shutil.copy(one, tmp_path / "copy.pcap"))
    (same,) = remarks_of(one, copy)
    assert same == (
        "same_packets",
        f"{one} and {copy} are of one place: most of the packets of one are in the other too.",
    )
    (strange,) = remarks_of(one, stranger)
    assert strange == ("nothing_in_common", f"{one} and {stranger} have no packet in common.")
    assert [code for code, _ in remarks_of(one, copy, stranger)] == ["same_packets", "nothing_in_common"]
    assert "(2 such pairs of files)" in remarks_of(one, copy, stranger)[1][1]
    events = told(one, stranger)
    assert "nothing_in_common" in {event.code for event in events if isinstance(event, Problem)}
    assert len(tasks_of(events)) == 2


@pytest.mark.parametrize(("kept", "is_said"), [(499, False), (500, True)])
def test_files_that_overlap_by_half_are_said_to_be_of_one_place(kept: int, is_said: bool, tmp_path: Path) -> None:
    """Each has a thousand TCP packets."""
    source = leg("22_eight_per_second", "c")
    tcp = [one.number for one in CaptureReader([source]) if one.data[12:14] == b"\x08\x00" and one.data[23] == 6]
    parts = []
    for start in (0, 1_000 - kept):
        wanted = frozenset(tcp[start : start + 1_000])
        parts.append(written(tmp_path / f"{start}.pcap", source, _of(wanted)))
    assert bool(remarks_of(*parts)) is is_said


def _of(numbers: frozenset[int]) -> Change:
    return lambda one: one if one.number in numbers else None


def test_a_file_for_each_direction_needs_no_remark(tmp_path: Path) -> None:
    source, client = leg("01_healthy", "c"), bytes((10, 50, 1, 10))
    files = [
        written(tmp_path / "to.pcap", source, lambda one: one if one.data[26:30] == client else None),
        written(tmp_path / "from.pcap", source, lambda one: None if one.data[26:30] == client else one),
    ]
    assert not names_of(*files)
    assert not remarks_of(*files)


def test_files_of_a_ring_and_both_sides_of_a_path_need_no_remark(tmp_path: Path) -> None:
    source = leg("22_eight_per_second", "c")
    ring = [written(tmp_path / f"{n}.pcap", source, _between(1_200 * n, 1_200 * (n + 1))) for n in range(3)]
    assert remarks_of(*ring) == []
    assert remarks_of(*ring, leg("22_eight_per_second", "r")) == []
    assert remarks_of(leg("01_healthy", "c"), leg("01_healthy", "r")) == []


# --- several places ------------------------------------------------------------------------------------------------


def _between(low: int, high: int) -> Change:
    return lambda one: one if low < one.number <= high else None


def test_rings_of_both_sides_are_two_places(tmp_path: Path) -> None:
    files = []
    for side in "cr":
        source = leg("22_eight_per_second", side)
        for number in range(3):
            part = written(tmp_path / f"{side}{number}.pcap", source, _between(1_200 * number, 1_200 * (number + 1)))
            files.append(part)
    for order in (files, files[::-1], files[::2] + files[1::2]):
        sites = on_the_path(*order)
        assert [{order[number].name[0] for number in site.files} for site in sites] == [{"c"}, {"r"}]
    events = told(*files)
    assert [task.outcome.value for task in tasks_of(events)] == ["success"] * 64
    assert all(len(task.points) == 2 for task in tasks_of(events))


def farther(source: Path, path: Path, *, lost: Callable[[Packet], bool] = lambda _: False) -> Path:
    """What a place one router farther from the client sees of ``source``'s packets: 0.4 ms later, or before."""

    def change(packet: Packet) -> Packet | None:
        data = bytearray(packet.data)
        if data[12:14] != b"\x08\x00" or data[23] != 6:
            return None
        is_clients = data[26:30] == bytes((10, 50, 1, 10))
        data[0:12] = bytes(range(0x20, 0x2C))
        data[22] += -1 if is_clients else 1
        time = packet.time + (400 if is_clients else -400) * MICROSECOND
        made = packet._replace(data=bytes(data), time=time)
        return None if lost(made) else made

    return written(path, source, change)


def test_three_places_on_a_path_tell_between_which_two_it_was_lost(tmp_path: Path) -> None:
    """The callback's SYNs pass the remote's side and the one before it, and not the client's."""
    client, remote = leg("02_callback_drop", "c"), leg("02_callback_drop", "r")
    beyond = farther(remote, tmp_path / "beyond.pcap")
    for order in ((client, remote, beyond), (beyond, client, remote)):
        events = told(*order)
        (task,) = tasks_of(events)
        assert [point.name for point in task.points] == ["02_callback_drop.c", "02_callback_drop.r", "beyond"]
        lost = [one for one in task.problems if one.code == "lost_between_points"]
        assert [("02_callback_drop.r and never came to 02_callback_drop.c" in one.summary) for one in lost] == [True]


def test_three_places_with_the_loss_behind_the_middle_one(tmp_path: Path) -> None:
    """What the client sends passes its own side and the middle, and the last place never has any of it from 7 s on."""
    client = leg("12b_idle_firewall_drop_short_retries", "c")
    first = next(iter(CaptureReader([client]))).time
    middle = farther(client, tmp_path / "middle.pcap")

    def is_lost(packet: Packet) -> bool:
        return packet.time > first + 7 * SECOND and 59999 in (
            int.from_bytes(packet.data[34:36], "big"),
            int.from_bytes(packet.data[36:38], "big"),
        )

    last = farther(middle, tmp_path / "last.pcap", lost=is_lost)
    assert names_of(last, client, middle) == [client.name.removesuffix(".pcap"), "middle", "last"]


def test_every_connection_has_its_place() -> None:
    connections = [one for one in told(leg("01_healthy", "c"), leg("01_healthy", "r")) if isinstance(one, Connection)]
    assert sorted((one.point, one.role.value) for one in connections) == [
        (f"01_healthy.{side}", role) for side in "cr" for role in ("callback", "command")
    ]
    assert sorted(one.n for one in connections) == [1, 2, 3, 4]


# --- what the user says --------------------------------------------------------------------------------------------


def test_names_decide() -> None:
    files = [str(leg("01_healthy", side)) for side in "cr"]
    named = survey(files, Wanted({files[0]: "client", files[1]: "remote"}))
    assert [site.place.name for site in named] == ["client", "remote"]
    assert survey(files, Wanted({files[0]: "same", files[1]: "same"})) == []


def test_a_clock_that_the_user_names_counts() -> None:
    files = [str(leg("01_healthy", side)) for side in "cr"]
    _, remote = survey(files, Wanted({files[1]: "r"}, {"r": 5 * SECOND}))
    assert remote.place.ahead(0, 1) == (5 * SECOND, 0)
    with pytest.raises(UsageError, match="no place of capture 'nobody'"):
        survey(files, Wanted({}, {"nobody": 1}))


def test_packets_of_one_direction_leave_the_clock_open(tmp_path: Path) -> None:
    def from_client(packet: Packet) -> Packet | None:
        return packet if packet.data[26:30] == bytes((10, 50, 1, 10)) else None

    one_way = written(tmp_path / "one_way.pcap", leg("01_healthy", "r"), from_client)
    sites = survey([str(leg("01_healthy", "c")), str(one_way)])
    (problem,) = remarks(sites)
    assert (problem.code, problem.severity.value) == ("clock_unknown", "warning")
    (task,) = tasks_of(told(leg("01_healthy", "c"), one_way))
    assert (task.outcome.value, task.points[1].clock_error) == ("success", None)


# --- interfaces of one file ----------------------------------------------------------------------------------------


def of_interfaces(path: Path, **sources: Path) -> Path:
    """A pcapng file of several interfaces, packets in the order of time."""
    form = Pcapng()
    packets = [(packet.time, name, packet) for name, source in sources.items() for packet in CaptureReader([source])]
    data = [form.begin()]
    for time, name, packet in sorted(packets, key=lambda one: one[0]):
        data.append(form.packet(time, packet.link_type, packet.data, packet.wire_length, interface=name))
    path.write_bytes(b"".join([*data, form.end()]))
    return path


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", ["02_callback_drop", "06_client_nat_dnat", "22_eight_per_second"])
def test_both_interfaces_of_a_router_are_two_places(case: str, tmp_path: Path) -> None:
    file = of_interfaces(tmp_path / "router.pcapng", eth1=leg(case, "c"), eth2=leg(case, "r"))
    assert names_of(file) == ["router:eth1", "router:eth2"]
    events, apart = told(file), told(leg(case, "c"), leg(case, "r"))
    assert [(one.outcome, [two.code for two in one.problems]) for one in tasks_of(events)] == [
        (one.outcome, [two.code for two in one.problems]) for one in tasks_of(apart)
    ]
    assert [one.packets for task in tasks_of(events) for one in task.problems] == [
        one.packets for task in tasks_of(apart) for one in task.problems
    ]


def test_interfaces_that_see_different_packets_are_one_stream(tmp_path: Path) -> None:
    strangers = {"eth1": leg("01_healthy", "c"), "eth2": leg("16_kill_task_immediately", "r")}
    file = of_interfaces(tmp_path / "two.pcapng", **strangers)
    assert names_of(file) == []
    assert len(tasks_of(told(file))) == 2


def test_one_interface_is_one_stream(tmp_path: Path) -> None:
    assert names_of(of_interfaces(tmp_path / "one.pcapng", eth1=leg("01_healthy", "c"))) == []


def test_a_router_beside_the_remote(tmp_path: Path) -> None:
    """Three places in two files."""
    remote = leg("02_callback_drop", "r")
    router = of_interfaces(tmp_path / "router.pcapng", eth1=leg("02_callback_drop", "c"), eth2=remote)
    host = farther(remote, tmp_path / "host.pcap")
    assert names_of(host, router) == ["router:eth1", "router:eth2", "host"]
    (task,) = tasks_of(told(host, router))
    (lost,) = [one for one in task.problems if one.code == "lost_between_points"]
    assert "passed router:eth2 and never came to router:eth1" in lost.summary


# --- a capture that began long before the other ----------------------------------------------------------------------


def _looks(monkeypatch: pytest.MonkeyPatch, first: int, far: int) -> list[int | None]:
    """Small looks; the sizes of those that are made."""
    made: list[int | None] = []
    look = module._look

    def counted(file: str, interfaces: Only = None, size: int | None = None) -> Sightings:
        made.append(size)
        return look(file, interfaces, size)

    monkeypatch.setattr("dissector.sources.blocks.BLOCK", 20_000)
    monkeypatch.setattr(module, "MAX_LOOK", first)
    monkeypatch.setattr(module, "MAX_FAR_LOOK", far)
    monkeypatch.setattr(module, "_look", counted)
    return made


@pytest.mark.parametrize(("far", "is_found"), [(400_000, True), (100_000, False)])
def test_where_the_first_look_tells_nothing_more_is_looked_at(
    far: int, is_found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remote's side was captured from the middle on: some 200,000 bytes of the client's are before it."""
    late = written(tmp_path / "late.pcap", leg("22_eight_per_second", "r"), _between(1_800, 10_000))
    _looks(monkeypatch, 40_000, far)
    files = leg("22_eight_per_second", "c"), late
    for order in (files, files[::-1]):
        assert bool(names_of(*order)) is is_found


def test_files_of_a_ring_are_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = leg("22_eight_per_second", "c")
    ring = [written(tmp_path / f"{n}.pcap", source, _between(1_200 * n, 1_200 * (n + 1))) for n in range(3)]
    made = _looks(monkeypatch, 40_000, 10_000_000)
    assert names_of(*ring) == []
    assert made == [None] * 3


def test_captures_of_strangers_are_looked_at_again_where_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    files = CORPUS / "callback_drop.c.pcapng", leg("22_eight_per_second", "c")
    made = _looks(monkeypatch, 40_000, 80_000)
    assert names_of(*files) == []
    assert made == [None, None, 80_000]  # the first one is small
