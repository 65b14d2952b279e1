"""Tasks that wait for what another place has of them: not without end, and not without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from test_places import SECOND, leg, tasks_of, told, written

from dissector.limits import MAX_ALIKE
from dissector.model import Connection, Endpoint, Event, Mark, Message, Problem, Task
from dissector.points import joined, pairing
from dissector.points.pairing import Leg, paired
from dissector.points.place import CapturePoint
from dissector.points.unjoined import unjoined
from dissector.reading import Reading
from dissector.session.advance import feed
from dissector.session.task import TaskFacts
from dissector.session.tracer import Tracer
from dissector.sources import blocks, bytestream
from dissector.sources.capture import CaptureReader
from dissector.stream.block import Block
from dissector.traffic import Side

MS = 1_000_000
FILES = leg("22_eight_per_second", "c"), leg("22_eight_per_second", "r")


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("cap", "is_reached"), [(63, True), (64, False), (128, False)])
def test_too_many_that_wait_are_told_alone_and_said_to_be(
    cap: int, is_reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both files are one block each, so the second place comes when all 64 tasks of the first one wait."""
    monkeypatch.setattr(joined, "MAX_WAITING", cap)
    events = told(*FILES)
    reached = [one for one in events if isinstance(one, Problem) and one.code == "limit_reached"]
    tasks = tasks_of(events)
    assert [task.n for task in tasks] == list(range(1, len(tasks) + 1))
    assert {task.task_id for task in tasks} == set(range(1, 65))
    alone = [task for task in tasks if len(task.points) == 1]
    assert (bool(alone), bool(reached)) == (is_reached, is_reached)
    if not is_reached:
        assert len(tasks) == 64
    for problem in reached:
        assert problem.packets
        assert "too many waited" in problem.summary


Told = list[tuple[int, Event]]


def in_pieces(size: int, *files: Path, messages: bool = False) -> tuple[Told, int]:
    """All events with the number of blocks that had been read by then, and of all blocks; so many bytes are one."""
    read = [0]

    def counted(tracer: Tracer, block: Block) -> Iterator[Sequence[Event]]:
        read[0] += 1
        return feed(tracer, block)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytestream, "_BLOCK", size)
        patch.setattr(blocks, "BLOCK", size)
        patch.setattr("dissector.beside.feed", counted)
        events = [(read[0], event) for event in Reading(files, messages=messages, prefetch=False).events()]
    return events, read[0]


def essence(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """What is told, whatever the order."""
    tasks = [
        (
            one.n,
            one.task_id,
            one.outcome,
            one.start,
            one.end,
            len(one.points),
            [problem.summary for problem in one.problems],
        )
        for one in events
        if isinstance(one, Task)
    ]
    return sorted(tasks, key=lambda one: str(one[0]))


@pytest.mark.one_in(2)
@pytest.mark.parametrize("files", [FILES, FILES[::-1]], ids=["cr", "rc"])
@pytest.mark.parametrize("size", [4_000, 50_000])
def test_tasks_are_told_as_soon_as_no_place_has_more_of_them(size: int, files: tuple[Path, Path]) -> None:
    whole, _ = in_pieces(1 << 30, *files)
    events, last = in_pieces(size, *files)
    assert essence(event for _, event in events) == essence(event for _, event in whole)
    at = [read for read, event in events if isinstance(event, Task)]
    numbers = [event.n for _, event in events if isinstance(event, Task)]
    assert sorted(numbers) == list(range(1, 65))
    early = [read for read in at if read < last]
    assert len(early) > 16
    assert at == sorted(at)
    connections = [[e for _, e in told if isinstance(e, Connection)] for told in (events, whole)]
    assert len(connections[0]) == len(connections[1])
    assert all(one.point and one.task for one in connections[0])
    assert len({one.n for one in connections[0]}) == len(connections[0])


def test_messages_are_the_same_as_those_told_at_the_end() -> None:
    whole, _ = in_pieces(1 << 30, *FILES, messages=True)
    events, _ = in_pieces(4_000, *FILES, messages=True)

    def said(told: Told) -> list[tuple[object, ...]]:
        found = [event for _, event in told if isinstance(event, Message)]
        by_number = {one.n: one for one in found}
        assert len(by_number) == len(found)
        assert all(by_number[one.answers].answered_by == one.n for one in found if one.answers)
        return sorted((one.task.n if one.task else 0, one.time, one.kind, one.operation or "") for one in found)

    assert said(events) == said(whole)


def test_a_task_of_one_place_only_waits_until_the_others_would_have_had_it(tmp_path: Path) -> None:
    """The client's capture of one task, and both of a later one on another connection."""
    client, remote = FILES
    packets = list(CaptureReader([remote]))
    first = packets[0].time
    late = written(
        tmp_path / "late.r.pcap", remote, lambda packet: packet if packet.time - first > 2 * SECOND else None
    )
    events, _ = in_pieces(4_000, client, late)
    whole, _ = in_pieces(1 << 30, client, late)
    assert essence(event for _, event in events) == essence(event for _, event in whole)


@pytest.mark.parametrize(("room", "is_reached"), [(1 << 30, False), (200_000, True)])
def test_messages_that_wait_need_so_much_memory_at_most(
    room: int, is_reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, "MAX_WAITING_BYTES", room)
    most = [0]
    has_room = joined.Collector._has_room

    def watched(self: joined.Collector, event: Event) -> bool:
        found = has_room(self, event)
        most[0] = max(most[0], self._bytes)
        return found

    monkeypatch.setattr(joined.Collector, "_has_room", watched)
    events = [event for _, event in in_pieces(1 << 30, *FILES, messages=True)[0]]
    reached = [one for one in events if isinstance(one, Problem) and one.code == "limit_reached"]
    assert bool(reached) is is_reached
    assert most[0] <= room + 100_000
    assert {task.task_id for task in tasks_of(events)} == set(range(1, 65))
    for problem in reached:
        assert problem.packets


def test_nothing_that_waits_is_forgotten_in_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[joined.Collector] = []
    begin = joined.Collector.__init__

    def noted(self: joined.Collector, places: Sequence[CapturePoint]) -> None:
        begin(self, places)
        made.append(self)

    monkeypatch.setattr(joined.Collector, "__init__", noted)
    in_pieces(4_000, *FILES, messages=True)
    (collector,) = made
    of_none = collector._parts.pop(None, [])
    assert collector._bytes == sum(joined._size(event) for _, event in of_none)
    assert not collector._tasks or collector._numbers == {}


def leg_at(place: CapturePoint, start: int, number: int = 7) -> Leg:
    """A task with a command connection of one initial number, of a second."""
    command = Connection(Endpoint(f"10.0.0.{place.rank}", 40_000), Endpoint("10.9.9.9", 4_455), start, 0)
    command.syns, command.sides[Side.CLIENT].first_seq = [Mark(1, start)], number
    facts = TaskFacts.of_command(command)
    facts.record.start, facts.record.end, facts.record.first_packet = start, start + SECOND, 1
    return Leg(place, facts)


@pytest.mark.parametrize(
    ("between", "is_told", "groups"),
    [(6 * SECOND, False, 1), (6 * SECOND + 1, False, 2), (3_600 * SECOND, True, 1), (3_600 * SECOND, False, 2)],
)
def test_connections_with_the_same_initial_number_are_one_only_at_one_time(
    between: int, is_told: bool, groups: int
) -> None:
    """In twenty thousand tasks of two places one pair in ten has such numbers by chance."""
    near, far = CapturePoint("near"), CapturePoint("far", 1, is_told=is_told)
    found = paired([leg_at(near, 0), leg_at(far, between)])
    assert len(found) == groups


def of_a_job(place: CapturePoint, start: int, number: int) -> Leg:
    """A task of one job, with the number that those of other client schedulers have too."""
    leg = leg_at(place, start, number)
    leg.record.job, leg.record.task_id = "nightly", 1
    return leg


@pytest.mark.parametrize(("other", "groups"), [(7, 1), (8, 2)])
def test_tasks_of_two_client_schedulers_that_are_alike_are_two(other: int, groups: int) -> None:
    """Each place has missed the other's task."""
    near, far = CapturePoint("near"), CapturePoint("far", 1)
    assert len(paired([of_a_job(near, 0, 7), of_a_job(far, SECOND, other)])) == groups


@pytest.mark.parametrize(
    ("between", "others", "groups"),
    [(0, (), 1), (250 * MS, (), 1), (250 * MS + 1, (), 2), (0, (1,), 3), (0, (0,), 3), (0, (0, 1), 4)],
)
def test_behind_a_proxy_tasks_without_their_start_are_not_joined_by_guess(
    between: int, others: tuple[int, ...], groups: int
) -> None:
    """They are where they begin or end together, and no other task of that job and number does."""
    places = [CapturePoint(name, rank, by_content=True) for rank, name in enumerate(("near", "far"))]
    legs = [of_a_job(places[0], 0, 7), of_a_job(places[1], between, 8)]
    legs[1].record.end += SECOND
    legs += [of_a_job(places[which], 100 * MS, 9 + which) for which in others]
    found = paired(legs)
    assert len(found) == groups
    assert (found[0].unclear is None) is (groups == 1)
    if groups == 2:
        (problem,) = unjoined(found[0], found[0].legs[0])
        assert (problem.code, problem.packets) == ("pair_unclear", (1,))
        assert "captured at far; whether it is this one is not known" in problem.summary


@pytest.mark.parametrize(("other", "groups"), [(b"<start tcp_port='1'/>", 1), (b"<start tcp_port='2'/>", 2)])
def test_behind_a_proxy_tasks_with_other_starts_are_two(other: bytes, groups: int) -> None:
    near, far = CapturePoint("near", by_content=True), CapturePoint("far", 1, by_content=True)
    legs = [of_a_job(near, 0, 7), of_a_job(far, SECOND, 8)]
    for task, raw in zip(legs, (b"<start tcp_port='1'/>", other), strict=True):
        assert task.record.command is not None
        task.facts.start = Message(1, task.record.command, 0, (1,), True, "start", None, None, raw, len(raw))
    assert len(paired(legs)) == groups


def test_of_very_many_that_are_alike_the_nearest_in_time_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of callback connections tell nothing here: those of the command connections are all the same."""
    tasks = 4 * MAX_ALIKE
    places = CapturePoint("near"), CapturePoint("far", 1)
    legs = [of_a_job(place, n * 20 * SECOND + place.rank, 7) for place in places for n in range(tasks)]
    compared, meet = [0], pairing._meet

    def counted(one: Leg, two: Leg) -> bool:
        compared[0] += 1
        return meet(one, two)

    monkeypatch.setattr(pairing, "_meet", counted)
    groups = paired(legs)
    assert [len(group.legs) for group in groups] == [2] * tasks
    assert compared[0] < 4 * len(legs) * MAX_ALIKE
