"""When the records of a capture that is followed become final, and that nothing holds them any longer."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest
from kit import CAPTURES
from parts import HERE, SECOND, THERE, facts, message, record

from dissector.model import Endpoint, Event, LogLine, Mark, Outcome, Task
from dissector.session.final import is_certain, is_final, judged_at
from dissector.session.life import CommandState, JoinState
from dissector.session.task import TaskFacts
from dissector.session.timers import running
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader


def followed(path: Path, seconds: int) -> tuple[Tracer, list[Event]]:
    """A tracer so long after the last packet of a recording, and what it told until then."""
    tracer = Tracer(window=1)
    events: list[Event] = []
    for packet in CaptureReader([path]):
        events += tracer.feed(packet)
    return tracer, events + tracer.tick(packet.time + seconds * SECOND)


@pytest.mark.parametrize("name", ["02_callback_drop.r", "02_callback_drop.c", "20_late_callback.r"])
def test_an_answered_close_ends_a_task_without_callback(captures: Path, name: str) -> None:
    """The remote answers it when the process is gone: nobody can call back any more."""
    tracer, events = followed(captures / "faults" / f"{name}.pcap", 2)
    assert [event.outcome for event in events if isinstance(event, Task)] == [Outcome.NO_CALLBACK]
    assert tracer.running == []


def test_a_callback_is_waited_for_while_the_process_may_live(captures: Path) -> None:
    """Nobody answered the close: the kernel of the remote may still send its SYN."""
    tracer = Tracer(window=1)
    packets = list(CaptureReader([captures / "faults" / "02_callback_drop.c.pcap"]))
    closing = next(i for i, packet in enumerate(packets) if b"remote_task.close" in packet.data)
    for packet in packets[: closing + 2]:
        tracer.feed(packet)
    tracer.tick(packet.time + 60 * SECOND)
    assert len(tracer.running) == 1


def test_what_is_final_is_not_held(captures: Path) -> None:
    """The connections are remembered for late packets, their tasks and logs are not."""
    gc.collect()
    before = [sum(isinstance(thing, kind) for thing in gc.get_objects()) for kind in (Task, LogLine)]
    tracer, events = followed(captures / "engine_ten_tasks.pcap", 2)
    assert sum(isinstance(event, Task) for event in events) == 10
    del events
    gc.collect()
    assert [sum(isinstance(thing, kind) for thing in gc.get_objects()) for kind in (Task, LogLine)] == before
    assert tracer.running == []


def test_a_task_whose_end_was_missed_does_not_run_for_ever(captures: Path) -> None:
    """Its client announces its port again, which it skips as long as it holds it, and nothing more comes."""
    tracer = Tracer(window=1)
    for packet in list(CaptureReader([captures / "engine_order.pcap"]))[:121]:
        tracer.feed(packet)
    (facts,) = tracer.running
    missed, cut = facts.record, packet
    assert missed not in tracer.tick(cut.time + 1_000 * SECOND)
    following = list(CaptureReader([captures / "engine_shell_ok.pcap"]))
    shift = cut.time + 1_000 * SECOND - following[0].time
    events: list[Event] = []
    for packet in following:
        events += tracer.feed(packet._replace(number=cut.number + packet.number, time=packet.time + shift))
    events += tracer.tick(packet.time + shift + 2 * SECOND)
    assert tracer.running == []
    assert sorted((e.n, e.callback_port, e.outcome) for e in events if isinstance(e, Task)) == [
        (1, 59_999, Outcome.UNKNOWN),
        (2, 59_999, Outcome.SUCCESS),
    ]


def test_a_task_that_is_silent_for_long_goes_on(captures: Path) -> None:
    """Nobody took its port, so it may still be at work."""
    packets = list(CaptureReader([captures / "engine_order.pcap"]))
    tracer = Tracer(window=1)
    events: list[Event] = []
    for packet in packets:
        late = 0 if packet.number <= 121 else 8_000 * SECOND
        events += tracer.feed(packet._replace(time=packet.time + late))
        if packet.number == 121:
            events += tracer.tick(packet.time + 7_900 * SECOND)
    events += tracer.tick(packet.time + late + 2 * SECOND)
    assert {event.outcome for event in events if isinstance(event, Task)} == {Outcome.SUCCESS}


def verdict(task: Task) -> tuple[object, ...]:
    said = [(one.code, one.severity, one.summary, one.cause, one.remedy, one.packets) for one in task.problems]
    return task.n, task.start, task.outcome, task.exit_code, task.callback_port, said


def whole(path: Path) -> list[Task]:
    """The tasks of a recording that is read to its end."""
    tracer = Tracer()
    events = [event for packet in CaptureReader([path]) for event in tracer.feed(packet)] + tracer.finish()
    return sorted((event for event in events if isinstance(event, Task)), key=lambda task: task.n)


@dataclass
class Early:
    """What was told of a task, and when, in nanoseconds behind its last packet so far."""

    outcome: Outcome | None = None
    certain: int | None = None
    final: int | None = None


def ended_early(path: Path) -> tuple[list[Task], dict[Task, Early]]:
    """The same as it grows, where each packet is followed by a look at what is over."""
    tracer, told = Tracer(window=SECOND), dict[Task, Early]()
    events: list[Event] = []
    for packet in CaptureReader([path]):
        events += tracer.feed(packet)
        for known in tracer.running:
            early = told.setdefault(known.record, Early())
            state = running(known, packet.time)
            if state.outcome is not None and early.outcome is None:
                early.outcome, early.certain = state.outcome, packet.time - known.last_seen()
            if is_final(known):
                early.final = packet.time - known.last_seen()
                events += tracer.conclude([known])
    events += tracer.finish()
    return sorted((event for event in events if isinstance(event, Task)), key=lambda task: task.n), told


RECORDINGS = sorted(path.relative_to(CAPTURES) for path in CAPTURES.rglob("*.pcap*") if ".r.pcap" not in path.name)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("folder", ["corpus", "faults", "field", "."])
def test_what_is_told_at_once_is_what_is_told_in_the_end(folder: str) -> None:
    count = early_ones = 0
    for name in RECORDINGS:
        if name.parts[0] == folder or (folder == "." and len(name.parts) == 1):
            tasks, told = ended_early(CAPTURES / name)
            assert [verdict(task) for task in tasks] == [verdict(task) for task in whole(CAPTURES / name)], name
            for task in tasks:
                early = told.get(task, Early())
                assert early.outcome in (None, task.outcome), (name, task.n)
                count, early_ones = count + 1, early_ones + (early.final == 0)
    assert early_ones > count // 2 > 0


@pytest.mark.parametrize(
    ("name", "certain", "final"),
    [
        ("engine_shell_ok.pcap", True, True),
        ("engine_shell_fail.pcap", True, True),
        ("faults/16_kill_task_immediately.c.pcap", True, True),
        ("faults/11_allowed_host_level_info.c.pcap", True, True),
        ("faults/10_allowed_host_excludes.c.pcap", True, True),
        ("faults/02_callback_drop.c.pcap", True, True),
        # data behind the reset may tell that a device sent it
        ("faults/14b_task_process_killed_api.c.pcap", True, False),
        # a stranger took the port: the callback may come yet
        ("corpus/scanner_close.c.pcapng", False, False),
    ],
)
def test_what_late_packets_can_change_waits_for_them(name: str, certain: bool, final: bool) -> None:
    tasks, told = ended_early(CAPTURES / name)
    early = told[tasks[0]]
    assert (early.certain == 0, early.final == 0) == (certain, final)


def test_a_close_tells_which_command_connection_it_was(captures: Path) -> None:
    """A task of which only the callback was captured waits for it."""
    path = captures / "engine_shell_ok.pcap"
    (task,) = whole(path)
    assert task.command is not None
    tracer, events = Tracer(window=1), list[Event]()
    for packet in CaptureReader([path]):
        if b"start_remote_task" in packet.data or packet.number <= task.command.first_packet + 2:
            continue
        events += tracer.feed(packet)
        events += tracer.conclude([facts for facts in tracer.running if is_final(facts)])
    events += tracer.finish()
    (seen,) = [event for event in events if isinstance(event, Task)]
    assert seen.command is not None
    assert seen.command.client == task.command.client


# --- by hand ---------------------------------------------------------------------------------------------------------


def over(*, callback: bool = True, **fields: object) -> TaskFacts:
    """A task whose connections are over."""
    made = facts(callback=callback)
    made.life.join = JoinState.CONFIRMED if callback else JoinState.WAITING
    for connection in made.connections():
        connection.over = True
    for name, value in fields.items():
        owner = made.life if isinstance(value, Enum) else made.record if hasattr(made.record, name) else made
        setattr(owner, name, value)
    return made


def test_a_task_is_judged_when_the_tracer_would() -> None:
    made = over(callback=False)
    assert made.record.command is not None
    made.record.command.end = 5 * SECOND
    assert judged_at(made, 6 * SECOND) == judged_at(made, 0) == 6 * SECOND
    assert judged_at(made, 6 * SECOND + 1) == 6 * SECOND + 1


def test_when_nobody_else_can_be_the_callback() -> None:
    assert is_certain(over())
    made = over()
    record(made)[1].over = False
    assert not is_certain(made)
    made = over(join=JoinState.CALLED)
    assert is_certain(made)  # it comes from the remote
    record(made)[1].client = Endpoint("10.9.9.9", 50_000)
    assert not is_certain(made)
    made.record.remote = None
    assert not is_certain(made)


@pytest.mark.parametrize(
    ("fields", "certain"),
    [
        ({"command": CommandState.REFUSED, "callback_port": None}, True),
        ({"start_answer": None}, False),
        ({"command": CommandState.CLOSED, "close_answer": message(SECOND)}, True),
        ({"command": CommandState.CLOSED, "close_answer": message(SECOND), "callback_port": None}, False),
        ({}, False),
    ],
)
def test_when_no_callback_can_come(fields: dict[str, object], certain: bool) -> None:
    assert is_certain(over(callback=False, **fields)) is certain


def test_after_a_rejection_no_callback_can_come() -> None:
    made = over(callback=False, start_answer=None)
    assert made.record.command is not None
    made.record.command.sides[THERE].fin = Mark(5, SECOND)
    assert is_certain(made)


@pytest.mark.parametrize(
    ("kind", "size", "final"), [("rst", 5, False), ("rst", 0, True), ("fin", 5, True), (None, 5, True)]
)
@pytest.mark.parametrize("which", [0, 1])
def test_data_may_go_on_behind_a_reset(kind: str | None, size: int, final: bool, which: int) -> None:
    made = over()
    one = record(made)[which]
    one.bytes = size
    if kind is not None:
        setattr(one.sides[HERE], kind, Mark(5, SECOND))
    assert is_final(made) is final
    made.release = message(SECOND)  # of that connection the reset is normal
    assert is_final(made) is (final or which == 1)


def test_a_task_whose_command_connection_is_not_known_is_not_final() -> None:
    made = over(command=None)
    assert is_certain(made)
    assert not is_final(made)
    made = over()
    record(made)[0].over = False
    assert not is_final(made)
