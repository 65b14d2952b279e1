"""Each recorded fault with both of its sides at once: the verdict of the side that knows more or a more certain one,
the same in both orders and however wrong the remote side's clock is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from test_faults import EXPECTED, FAULTS
from test_places import written

from dissector.model import Event, Problem, Severity, Task
from dissector.reading import Reading
from dissector.sources import capture, prefetch
from dissector.sources.capture import CaptureReader
from dissector.sources.formats import Pcap
from dissector.traffic import Packet

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Clock(NamedTuple):
    """A clock that is ``ahead`` (ns) at the capture's first packet and gains ``drift`` a nanosecond."""

    ahead: int = 0
    drift: float = 0.0


CLOCKS = {
    "right": Clock(),
    "-2 s": Clock(-2 * SECOND),
    "-30 ms": Clock(-30 * MILLISECOND),
    "+30 ms": Clock(30 * MILLISECOND),
    "+1.5 s": Clock(1_500 * MILLISECOND),
    "+1 h": Clock(3_600 * SECOND),
    "50 ppm": Clock(0, 50e-6),
    "1.5 s, -50 ppm": Clock(1_500 * MILLISECOND, -50e-6),
}
PAIRED = [case for case in EXPECTED if case != "09_remote_syn_dropped"]
#: What only two sides show.
PROVEN = {"lost_between_points", "dropped_at_host", "answered_by_device", "state_lost_in_device"}
#: Which of them are alarms, by case.
ALARMS: dict[str, set[str]] = {
    "02_callback_drop": {"lost_between_points"},
    "03_callback_reject_rst": {"lost_between_points", "answered_by_device"},
    "04_callback_reject_icmp_port": {"lost_between_points", "answered_by_device"},
    "05a_client_nat_rst": {"lost_between_points", "answered_by_device"},
    "12b_idle_firewall_drop_short_retries": {"state_lost_in_device"},
    "13_idle_firewall_rst": {"state_lost_in_device"},
    "13b_idle_firewall_rst_both_ends": {"state_lost_in_device"},
    "17_command_connection_rst": {"answered_by_device"},
    "17c_command_connection_rst_at_r_only": {"answered_by_device"},
    "17f_command_connection_rst_api": {"answered_by_device"},
    "20_late_callback": {"lost_between_points"},
    "23_no_route_back_from_process": {"dropped_at_host"},
    "26_mtu_black_hole": {"lost_between_points"},
}
#: Where one side knows less, whose alarms are those of the pair.
BETTER = {
    "02_callback_drop": "r",
    "03_callback_reject_rst": "r",
    "04_callback_reject_icmp_port": "r",
    "05a_client_nat_rst": "r",
}


def moved(source: Path, target: Path, clock: Clock) -> Path:
    """The capture as a host with another clock would have taken it."""
    packets = list(CaptureReader([source]))
    first = packets[0].time if packets else 0
    form, data = Pcap(), [b""]
    data[0] = form.begin()
    for _, time, link_type, packet, length, *_ in packets:
        time += clock.ahead + round((time - first) * clock.drift)
        data.append(form.packet(time, link_type, packet, length))
    target.write_bytes(b"".join([*data, form.end()]))
    return target


def read(*files: Path) -> list[Event]:
    return list(Reading(files, messages=False, prefetch=False).events())


def _codes(events: list[Event]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Outcome and problems of each task."""
    return [
        (task.outcome.value, [(one.code, one.severity.value, one.remedy) for one in task.problems])
        for task in sorted((event for event in events if isinstance(event, Task)), key=lambda task: task.n)
    ]


@pytest.fixture(scope="module")
def remote_side(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The remote side's capture of a case by a clock, each made once."""
    folder = tmp_path_factory.mktemp("moved")

    def made(case: str, clock: str) -> Path:
        path = folder / str(list(CLOCKS).index(clock)) / f"{case}.r.pcap"
        path.parent.mkdir(exist_ok=True)
        return path if path.exists() else moved(FAULTS / f"{case}.r.pcap", path, CLOCKS[clock])

    return made


@pytest.mark.parametrize("case", PAIRED)
def test_verdict_of_both_sides(case: str) -> None:
    """Each task once; the alarms of the side that knows more, and what only both sides prove."""
    events = read(*(FAULTS / f"{case}.{side}.pcap" for side in "cr"))
    tasks = [event for event in events if isinstance(event, Task)]
    leg = EXPECTED[case][BETTER.get(case, "c")]
    assert [task.outcome.value for task in sorted(tasks, key=lambda task: task.n)] == list(leg.outcomes)
    assert all(len(task.points) == 2 for task in tasks)
    problems = [event for event in events if isinstance(event, Problem) and event.severity is not Severity.INFO]
    alarms = {problem.code for problem in problems}
    assert alarms - PROVEN == set(leg.alarms)
    assert alarms & PROVEN == ALARMS.get(case, set())
    assert not any("less certain" in problem.cause for problem in problems if alarms & PROVEN)


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("case", "clock"), list(product(PAIRED, CLOCKS)))
def test_same_whatever_the_order_and_the_clock(case: str, clock: str, remote_side: Callable[[str, str], Path]) -> None:
    expected = read(*(FAULTS / f"{case}.{side}.pcap" for side in "cr"))
    client, remote = FAULTS / f"{case}.c.pcap", remote_side(case, clock)
    for files in ((client, remote), (remote, client)):
        events = read(*files)
        assert _codes(events) == _codes(expected)
        _check_offsets(events, case, CLOCKS[clock])


@pytest.mark.parametrize("is_awaited", [True, False])
@pytest.mark.parametrize("clock", ["right", "1.5 s, -50 ppm"])
def test_same_where_other_processes_read_ahead(
    clock: str, is_awaited: bool, remote_side: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sorts the packets of large captures, their times are corrected once."""
    files = FAULTS / "20_late_callback.c.pcap", remote_side("20_late_callback", clock)
    expected = _codes_and_times(read(*files))
    for module in (capture, prefetch):
        monkeypatch.setattr(module, "WORTH", 0)
    monkeypatch.setattr(prefetch.SharedBuffers, "is_awaited", is_awaited)
    assert _codes_and_times(list(Reading(files, messages=False, prefetch=True).events())) == expected


def test_same_where_files_of_one_place_overlap(remote_side: Callable[[str, str], Path], tmp_path: Path) -> None:
    """Packets of two queues of the remote's network card, a file each."""
    client, remote = FAULTS / "20_late_callback.c.pcap", remote_side("20_late_callback", "1.5 s, -50 ppm")
    queues = [
        written(tmp_path / name, remote, partial(_queued, number))
        for number, name in enumerate((remote.name, "queue1.pcap"))
    ]
    assert _codes_and_times(read(client, *queues)) == _codes_and_times(read(client, remote))


def _queued(number: int, packet: Packet) -> Packet | None:
    """The packet, where it is in this one of two queues."""
    return packet if packet.number % 2 == number else None


def _codes_and_times(events: list[Event]) -> list[object]:
    found: list[Task | Problem] = [event for event in events if isinstance(event, Task | Problem)]
    times = [(one.start, one.end) if isinstance(one, Task) else (one.code, one.time) for one in found]
    return [*_codes(events), *times]


def _check_offsets(events: list[Event], case: str, clock: Clock) -> None:
    """The offset that is told is right within its bound, at the beginning and at the end of each task."""
    first = next(iter(CaptureReader([FAULTS / f"{case}.r.pcap"]))).time
    tasks = [event for event in events if isinstance(event, Task)]
    assert tasks
    for task in tasks:
        near, far = task.points
        assert (near.name, near.clock_offset) == (f"{case}.c", 0)
        assert far.clock_offset is not None
        assert far.clock_error is not None
        for time in (task.start, task.end):
            ahead = clock.ahead + (time - first) * clock.drift
            assert abs(far.clock_offset - ahead) <= far.clock_error + 1_000
