"""Every genuine recording, cut as captures are cut: a snap length, a lost packet, a late start, an early end.

What is told of a cut recording is what is told of the whole one, or less: never a success where the job failed or
where what decides is missing, and never a connection, port, direction or number of another task.  The cuts are drawn
anew for each recording, the same in every run; ``JSTRACE_CUTS`` is how many of each kind.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from dissector.model import Connection, Event, Outcome, Problem, Task
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

CAPTURES = Path(__file__).resolve().parent.parent / "captures"
#: Small enough to be traced again and again.
NAMES = sorted(
    path.relative_to(CAPTURES).with_suffix("").as_posix()
    for pattern in ("*.pcap", "faults/*.pcap")
    for path in CAPTURES.glob(pattern)
    if 1_000 < path.stat().st_size < 450_000
)
CUTS = int(os.environ.get("JSTRACE_CUTS", "4"))
SNAP_LENGTHS = (64, 96, 128, 256, 512)
#: Less is known: that is no fault.
WEAKER = {Outcome.UNKNOWN, Outcome.RUNNING}
#: (whole, cut): another failure, which the part shows as it is: that nobody listens any more is seen later.
VISIBLE = {(Outcome.LOST, Outcome.KILLED)}
Packets = list[Packet]


@lru_cache(maxsize=2)
def packets_of(name: str) -> Packets:
    return list(CaptureReader([str(CAPTURES / f"{name}.pcap")]))


def tasks_of(packets: Packets) -> list[Task]:
    return [event for event in events_of(packets) if isinstance(event, Task)]


def events_of(packets: Packets) -> list[Event]:
    """Everything, and what is told where there is no task."""
    tracer = Tracer(messages=False)
    events = [
        event
        for number, packet in enumerate(packets, 1)
        for event in tracer.feed(packet._replace(number=number, key=None))
    ]
    return [*events, *tracer.finish(), *tracer.overview.problems()]


@lru_cache(maxsize=2)
def whole(name: str) -> list[Task]:
    return tasks_of(packets_of(name))


# --- cuts ----------------------------------------------------------------------------------------------------------


def snapped(packets: Packets, _dice: random.Random) -> Iterator[Packets]:
    for size in SNAP_LENGTHS:
        yield [packet._replace(data=packet.data[:size]) for packet in packets]


def losing(packets: Packets, dice: random.Random) -> Iterator[Packets]:
    for lost in drawn(packets, dice):
        yield packets[:lost] + packets[lost + 1 :]


def cut_one(packets: Packets, dice: random.Random) -> Iterator[Packets]:
    """One packet is cut off anywhere behind its headers."""
    for at in drawn(packets, dice):
        whole = packets[at]
        if len(whole.data) > 67:
            size = dice.randrange(67, len(whole.data))
            yield [*packets[:at], whole._replace(data=whole.data[:size]), *packets[at + 1 :]]


def late(packets: Packets, dice: random.Random) -> Iterator[Packets]:
    for first in drawn(packets, dice):
        yield packets[first:]


def early(packets: Packets, dice: random.Random) -> Iterator[Packets]:
    for last in drawn(packets, dice):
        yield packets[:last]


def drawn(packets: Packets, dice: random.Random) -> list[int]:
    return sorted(dice.sample(range(1, len(packets)), min(CUTS, len(packets) - 1)))


# --- comparison ----------------------------------------------------------------------------------------------------


def ends(connection: Connection) -> frozenset[object]:
    return frozenset((connection.client, connection.server))


def same(known: Connection | None, found: Connection) -> bool:
    """The same connection, whichever end is taken for its client."""
    if known is None or ends(known) != ends(found):
        return False
    return known.start <= found.end and found.start <= known.end


def faults(task: Task, known: list[Task]) -> Iterator[str]:
    """What is told of a task of the part that is not true of the whole."""
    callbacks = [one for one in known if task.callback is not None and same(one.callback, task.callback)]
    commands = [one for one in known if task.command is not None and same(one.command, task.command)]
    if task.callback is not None and callbacks and commands and not any(one in commands for one in callbacks):
        yield f"the callback {task.callback.client} has another task's command connection"
    true = callbacks or commands
    if not true:
        return  # of what the whole recording counts to no task
    words = {one.outcome for one in true}
    if task.outcome not in words | WEAKER and not any((word, task.outcome) in VISIBLE for word in words):
        yield f"{task.outcome.value} instead of {[word.value for word in words]}"
    for name in ("callback_port", "process_id", "pid", "job", "task_id", "kind"):
        if getattr(task, name) not in (None, *(getattr(one, name) for one in true)):
            yield f"{name} {getattr(task, name)}"
    for connection, of_task in ((task.callback, "callback"), (task.command, "command")):
        right = [getattr(one, of_task) for one in true if getattr(one, of_task) is not None]
        if connection is not None and right and all(connection.server != one.server for one in right):
            yield f"{of_task} connection to {connection.server}"


#: Recordings in whose parts nothing tells: which end listens, both ports being outside of the usual range; and that the
#: only start which announces the port is not the one that was lost, but that of the restarted client; and that a device
#: in between changed the port that was announced.
UNKNOWABLE = {
    "scala111_keepalive": ("callback",),
    "faults/06d_client_nat_wrong_port.c": ("callback_port 59998",),
    "faults/15d_client_restarted_callback_to_new_listener.c": ("the callback", "process_id", "task_id", "job"),
}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("cut", [snapped, losing, cut_one, late, early])
@pytest.mark.parametrize("name", NAMES)
def test_a_part_tells_the_truth_or_less(name: str, cut: Callable[..., Iterator[Packets]]) -> None:
    dice = random.Random(f"{name} {cut.__name__}")
    for part in cut(packets_of(name), dice):
        told = [fault for task in tasks_of(part) for fault in faults(task, whole(name))]
        unknowable = UNKNOWABLE.get(name, ())
        told = [fault for fault in told if not fault.startswith(unknowable)]
        assert told == []


@pytest.mark.parametrize("size", [67, 79])
def test_a_release_that_was_cut_off_is_no_connection_that_was_lost(size: int) -> None:
    """The client releases the job with packet 40, and closes: of 80 bytes some are missing."""
    packets = packets_of("engine_shell_ok")
    (task,) = tasks_of([*packets[:39], packets[39]._replace(data=packets[39].data[:size]), *packets[40:]])
    assert task.outcome is Outcome.UNKNOWN
    (task,) = tasks_of([*packets[:39], packets[39]._replace(data=packets[39].data[:80]), *packets[40:]])
    assert task.outcome is Outcome.SUCCESS


def test_a_reset_behind_a_fin_that_was_not_captured_is_no_connection_that_was_lost() -> None:
    """The capture begins behind the release, and packet 50 is the client's FIN."""
    packets = packets_of("faults/07_remote_multihomed.c")
    assert [task.outcome for task in tasks_of([*packets[39:49], *packets[50:]])] == [Outcome.UNKNOWN]


def test_a_connection_that_the_agent_may_still_answer_is_no_outage() -> None:
    """Packet 11 is the SYN of a connection of somebody else to the agent of the task."""
    packets = packets_of("agent/ua113_wrong_secret")
    for last in (10, 11, 12):
        assert [task.outcome for task in tasks_of(packets[:last])] == [Outcome.RUNNING]


@pytest.mark.parametrize("first", [91, 93, 199])
def test_a_close_is_not_that_of_a_task_whose_callback_goes_on(first: int) -> None:
    """Two tasks end at the same time, the start of neither was captured.  Nor does a callback that began before a start
    belong to it."""
    name = "faults/27_max_processes_plateau.c"
    tasks = tasks_of(packets_of(name)[first - 1 :])
    assert [fault for task in tasks for fault in faults(task, whole(name))] == []


@pytest.mark.parametrize("first", [43, 51])
def test_a_callback_whose_answer_was_not_captured_is_no_connection_that_was_lost(first: int) -> None:
    """What the task process asks first, a log line or a release, has no answer in the capture."""
    packets = packets_of("engine_kill_task")
    (task,) = tasks_of([*packets[first - 1 : first], *packets[first + 1 :]])
    assert task.outcome is Outcome.UNKNOWN


def test_a_poll_of_a_port_that_is_known_for_commands_later_only_is_no_task() -> None:
    """Packet 10 refuses the poll of another remote's port."""
    packets = packets_of("engine_agent_not_reachable")
    assert [task.outcome for task in tasks_of([*packets[:9], *packets[10:]])] == [Outcome.UNREACHABLE]


def test_a_callback_that_was_accepted_and_never_said_a_word_was_not_dropped() -> None:
    """Packet 27 is the task process's FIN."""
    packets = packets_of("engine_xml_keepalive_space")
    outcomes = {task.outcome for task in tasks_of([*packets[:26], *packets[27:]])}
    assert outcomes == {Outcome.LOST, Outcome.REFUSED}


def test_who_was_seen_with_nothing_of_a_task_process_may_be_a_scanner() -> None:
    """Packets 13 and 15 are what the scanner and the client said."""
    packets = packets_of("faults/19_scanner_junk.c")
    for first in range(12, 16):
        assert [task.outcome for task in tasks_of(packets[first - 1 :])] == [Outcome.UNKNOWN]


#: So many tasks of all recordings are found with each snap length, at least; from 512 on two legs of one count once.
FOUND = {64: 66, 96: 117, 128: 116, 256: 124, 512: 123}


@pytest.mark.one_in(5)
@pytest.mark.parametrize("size", SNAP_LENGTHS)
def test_as_many_tasks_are_found_as_the_snap_length_leaves(size: int) -> None:
    found = 0
    for name in NAMES:
        found += len(tasks_of([packet._replace(data=packet.data[:size]) for packet in packets_of(name)]))
    assert found >= FOUND[size]


#: What can not be said of bytes that were cut off: that they were not sent, or are somebody else's.
SILENCE = {"foreign_protocol", "heartbeat_missed", "no_start_command"}
#: One of each writer and each end.
SNAPPED = (
    "engine_shell_fail",
    "engine_ten_tasks",
    "h19_many",
    "scala113_shell",
    "faults/02_callback_drop.c",
    "faults/11_allowed_host_level_info.r",
    "agent/c19_kill",
    "agent/ua113_frozen",
    "agent/ua113_two_tasks",
)


@pytest.mark.parametrize("size", SNAP_LENGTHS)
@pytest.mark.parametrize("name", SNAPPED)
def test_what_was_cut_off_is_unknown_with_the_reason(name: str, size: int) -> None:
    events = events_of([packet._replace(data=packet.data[:size]) for packet in packets_of(name)])
    problems = [event for event in events if isinstance(event, Problem)]
    codes = {problem.code for problem in problems}
    assert not codes & SILENCE
    if any(len(packet.data) > size for packet in packets_of(name)):
        assert "snap_length" in codes
    known = {task.outcome for task in whole(name)}
    for task in events:
        if isinstance(task, Task) and task.outcome is Outcome.UNKNOWN and Outcome.UNKNOWN not in known:
            assert "snap_length" in {problem.code for problem in problems if problem.task in (task, None)}
