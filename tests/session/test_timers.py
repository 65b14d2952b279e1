"""What is told about tasks that hang, while they hang."""

from __future__ import annotations

from pathlib import Path

import pytest
from parts import REMOTE, THERE, connection, facts, message

from dissector.model import Connection, Event, Mark, Message, Outcome, Problem, Role, Severity, Task
from dissector.session.life import CommandState
from dissector.session.task import TaskFacts
from dissector.session.timers import Timers, running
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.traffic import Packet

SECOND = 1_000_000_000


def fed(path: Path, until: int) -> tuple[Tracer, Packet]:
    """A tracer after the first packets of a recording, and the last one of them."""
    tracer = Tracer(window=1)
    packets = [packet for packet in CaptureReader([path]) if packet.number <= until]
    for packet in packets:
        tracer.feed(packet)
    tracer.tick(packets[-1].time + 1)
    return tracer, packets[-1]


def test_an_open_call_is_told_once(captures: Path) -> None:
    tracer, last = fed(captures / "engine_shell_fail.pcap", 38)
    (facts,) = tracer.running
    state = running(facts, last.time)
    assert (state.doing, state.since, [call.member for call in state.calls]) == ("step", last.time, ["step"])
    assert facts.record.outcome is Outcome.RUNNING
    timers = Timers(slow=10 * SECOND)
    assert timers.check(tracer.running, last.time + 9 * SECOND) == []
    (problem,) = timers.check(tracer.running, last.time + 12 * SECOND)
    assert problem.summary == "step has been without an answer for 12 s."
    assert (problem.code, problem.task, problem.packets) == ("slow_call", facts.record, (38,))
    assert timers.check(tracer.running, last.time + 100 * SECOND) == []


def test_a_callback_that_does_not_come(captures: Path) -> None:
    tracer, last = fed(captures / "engine_shell_fail.pcap", 15)
    (facts,) = tracer.running
    assert running(facts, last.time).doing == "no callback yet"
    timers = Timers(slow=SECOND)
    assert timers.check(tracer.running, last.time + 4 * SECOND) == []
    found = [timers.check(tracer.running, last.time + n * SECOND) for n in (5, 6, 59, 61, 100)]
    assert [[(p.code, p.severity, p.summary) for p in problems] for problems in found] == [
        [("callback_missing", Severity.WARNING, "No callback for 5 s: nobody has called yet.")],
        [],
        [],
        [("callback_missing", Severity.ERROR, "No callback for 60 s: nobody has called yet.")],
        [],
    ]


def test_what_is_over_is_over_at_once(captures: Path) -> None:
    """With the packet that ends it, a second before its record is final; the outcome is the final one."""
    tracer = Tracer(window=SECOND)
    early: list[tuple[Outcome | None, int]] = []
    for packet in CaptureReader([captures / "engine_shell_fail.pcap"]):
        tracer.feed(packet)
        early += [(one.outcome, packet.time) for one in (running(facts, packet.time) for facts in tracer.running)]
    told = [entry for entry in early if entry[0] is not None]
    (task,) = [event for event in tracer.finish() if isinstance(event, Task)]
    assert early[0][0] is None
    assert told[0][0] is Outcome.FAILURE
    assert task.end - told[0][1] < SECOND // 1_000
    assert {found for found, _ in told} == {task.outcome}


def test_a_start_that_was_given_up_is_not_over(captures: Path) -> None:
    """Its callback may still come."""
    path = captures / "faults" / "02_callback_drop.c.pcap"
    last = [packet.number for packet in CaptureReader([path])][-1]
    tracer, packet = fed(path, last)
    states = [running(facts, packet.time) for facts in tracer.running]
    assert [(state.outcome, state.doing) for state in states] in (
        [(None, "given up, a callback may still come")],
        [(Outcome.NO_CALLBACK, "over")],
    )


def test_callbacks_that_are_dropped(captures: Path) -> None:
    tracer, last = fed(captures / "faults" / "02_callback_drop.r.pcap", 14)
    (problem,) = Timers(slow=SECOND).check(tracer.running, last.time + 3 * SECOND)
    assert problem.code == "callback_dropped"
    assert "SYNs to 10.50.1.10:59999" in problem.summary
    assert problem.summary.endswith(", no answer.")


def test_time_without_packets_makes_things_final(captures: Path) -> None:
    tracer = Tracer(window=1)
    events: list[Event] = []
    for packet in CaptureReader([captures / "engine_shell_fail.pcap"]):
        events += tracer.feed(packet)
    assert not any(isinstance(event, Task) for event in events)
    events = tracer.tick(packet.time + 2 * SECOND)
    assert [event.outcome for event in events if isinstance(event, Task)] == [Outcome.FAILURE]
    assert [event.code for event in events if isinstance(event, Problem)] == ["job_failed"]
    assert tracer.tick(packet.time) == []  # time does not go back
    assert tracer.running == []


def test_a_callback_whose_answer_never_arrives(captures: Path) -> None:
    tracer, last = fed(captures / "field" / "26_synack_lost.pcap", 14)
    (problem,) = Timers(slow=SECOND).check(tracer.running, last.time + 6 * SECOND)
    assert problem.code == "syn_ack_lost"
    assert problem.summary == "No callback for 5 s: the SYN+ACK of 10.50.1.10:59999 never arrives at 10.50.2.10."
    assert problem.packets == (9, 10, 11, 12, 13, 14)


# --- by hand ---------------------------------------------------------------------------------------------------------


def numbered(number: int = 1, start: int = 0) -> TaskFacts:
    """A task that waits for its callback since ``start``."""
    made = facts(callback=False, start=start)
    made.record.n = number
    return made


class Open:
    """A dialog with these open requests."""

    def __init__(self, *requests: Message) -> None:
        self.requests = list(requests)

    def open_requests(self) -> list[Message]:
        return self.requests


def called(*requests: Message, number: int = 1) -> tuple[TaskFacts, Open]:
    """A task with its callback and open requests."""
    made, dialog = facts(), Open(*requests)
    made.record.n, made.dialog = number, dialog  # type: ignore[assignment]
    return made, dialog


def said(timers: Timers, now: int, *changed: TaskFacts) -> list[tuple[int, str]]:
    return [(one.task.n if one.task else 0, one.summary) for one in timers.check(changed, now)]


def attempt(*syns: int, acked: int = 0, reset: bool = False) -> Connection:
    made = connection(Role.CALLBACK, syn_acks=[Mark(40 + index, 9 * SECOND) for index in range(acked)])
    made.syns = [Mark(20 + index, time * SECOND) for index, time in enumerate(syns)]
    made.sides[THERE].rst = Mark(30, 9 * SECOND) if reset else None
    return made


@pytest.mark.parametrize(
    ("tried", "code", "words", "packets"),
    [
        (None, "callback_missing", "nobody has called yet", (10,)),
        (attempt(1), "callback_dropped", "1 SYN to 10.1.0.10:59999 in 0 s, no answer", (20,)),
        (attempt(1, 3), "callback_dropped", "2 SYNs to 10.1.0.10:59999 in 2 s, no answer", (20, 21)),
        (attempt(1, reset=True), "callback_refused", "10.1.0.10:59999 refuses it", (20, 30)),
        (
            attempt(1, acked=2),
            "syn_ack_lost",
            f"the SYN+ACK of 10.1.0.10:59999 never arrives at {REMOTE}",
            (20, 40, 41),
        ),
    ],
)
def test_what_became_of_a_callback(tried: Connection | None, code: str, words: str, packets: tuple[int, ...]) -> None:
    made = numbered()
    made.attempts = [tried, attempt(7, reset=True)] if tried is not None else []
    (problem,) = Timers(SECOND).check([made], 5 * SECOND)
    assert (problem.code, problem.packets, problem.time) == (code, packets, 5 * SECOND)
    assert problem.summary == f"No callback for 5 s: {words}."
    assert problem.connection is (made.record.command if tried is None else tried)


def test_a_task_that_does_not_wait_is_not_told_of() -> None:
    made = numbered()
    made.life.command = CommandState.REFUSED
    assert said(Timers(SECOND), 90 * SECOND, made) == []
    made = numbered()
    made.start = None
    assert said(Timers(SECOND), 90 * SECOND, made) == []


def test_a_task_is_looked_at_when_it_is_due() -> None:
    """Nobody says that anything happened to it."""
    timers = Timers(SECOND)
    assert said(timers, SECOND, numbered()) == []
    assert said(timers, 5 * SECOND - 1) == []
    assert said(timers, 5 * SECOND) == [(1, "No callback for 5 s: nobody has called yet.")]
    assert said(timers, 60 * SECOND - 1) == []
    assert said(timers, 60 * SECOND) == [(1, "No callback for 60 s: nobody has called yet.")]
    assert not timers._heap
    assert not timers._due


def test_who_comes_late_is_told_the_last_only() -> None:
    timers, made = Timers(SECOND), numbered()
    assert said(timers, 61 * SECOND, made) == [(1, "No callback for 60 s: nobody has called yet.")]
    assert said(timers, 62 * SECOND, made) == []


def test_tasks_are_told_of_by_their_numbers() -> None:
    timers = Timers(SECOND)
    assert [n for n, _ in said(timers, 5 * SECOND, numbered(2), numbered(1), numbered(0), numbered(3))] == [1, 2, 3]


def test_a_task_that_is_over_or_forgotten_is_told_of_no_more() -> None:
    for forgotten in (True, False):
        timers, made = Timers(SECOND), numbered()
        said(timers, SECOND, made)
        assert made.record.command is not None
        if forgotten:
            timers.forget(made.record)
        else:
            made.record.command.over = True
        assert said(timers, 5 * SECOND) == []
        assert (not timers._told) is forgotten
        assert not timers._due


def test_calls_are_told_of_one_by_one() -> None:
    first = message(SECOND, 12, n=7, member="step")
    made, dialog = called(first)
    timers = Timers(10 * SECOND)
    assert said(timers, 2 * SECOND, made) == []
    assert said(timers, 11 * SECOND - 1) == []
    (problem,) = timers.check([], 11 * SECOND)
    assert (problem.code, problem.packets, problem.time) == ("slow_call", (12,), 11 * SECOND)
    assert problem.summary == "step has been without an answer for 10 s."
    assert problem.connection is made.record.callback
    assert said(timers, 12 * SECOND, made) == []
    dialog.requests.append(message(15 * SECOND, 13, n=8, member="log", object_name="spooler_log"))
    assert said(timers, 25 * SECOND - 1, made) == []
    assert said(timers, 25 * SECOND, made) == [(1, "spooler_log.log has been without an answer for 10 s.")]
    dialog.requests.pop()
    assert said(timers, 90 * SECOND, made) == []  # the first one was told of


def test_a_call_that_comes_later_is_seen_without_a_sign() -> None:
    """Messages are none; so the task is looked at again and again."""
    made, dialog = called()
    timers = Timers(10 * SECOND)
    assert said(timers, SECOND, made) == []
    dialog.requests.append(message(2 * SECOND, 12, n=7, member="step"))
    assert said(timers, 11 * SECOND) == []
    assert said(timers, 12 * SECOND - 1) == []
    assert said(timers, 12 * SECOND) == [(1, "step has been without an answer for 10 s.")]


def test_of_each_task_one_entry_waits() -> None:
    made, _ = called(message(SECOND, 12, n=7, member="step"))
    timers = Timers(10 * SECOND)
    for now in range(1, 9):
        said(timers, now * SECOND, made)
    assert len(timers._heap) == 1
    assert timers._due == {made.record: 11 * SECOND}


def test_what_is_due_sooner_than_it_was_gets_another_entry() -> None:
    made, dialog = called()
    timers = Timers(10 * SECOND)
    said(timers, 20 * SECOND, made)
    assert timers._due == {made.record: 30 * SECOND}
    dialog.requests.append(message(15 * SECOND, 12, n=7, member="step"))
    said(timers, 21 * SECOND, made)
    assert timers._due == {made.record: 25 * SECOND}
    assert said(timers, 25 * SECOND) == [(1, "step has been without an answer for 10 s.")]
    assert said(timers, 30 * SECOND) == []
    assert timers._due == {made.record: 35 * SECOND}


def test_where_a_task_stands() -> None:
    made = numbered(start=3 * SECOND)
    assert made.record.command is not None
    made.record.command.end = 7 * SECOND
    assert running(made, 9 * SECOND)[1:] == ("no callback yet", 3 * SECOND, (), None)
    made.start_answer = None
    (start,) = made.open_calls()
    start.member, start.object_class = "m", "sos::scheduler::Com_x"
    assert running(made, 9 * SECOND)[1:] == ("Com_x.m", 3 * SECOND, (start,), None)
    made, _ = called()
    assert made.record.callback is not None
    made.record.callback.end = 8 * SECOND
    assert running(made, 9 * SECOND)[1:] == ("no open call", 8 * SECOND, (), None)
    made = numbered()
    made.start, made.start_answer = None, None
    assert running(made, 9 * SECOND).doing == "no open call"


def test_the_newest_open_call_is_what_a_task_does() -> None:
    made, _ = called(message(SECOND, member="step"), message(2 * SECOND, member="log"))
    state = running(made, 9 * SECOND)
    assert (state.doing, state.since, [one.member for one in state.calls]) == ("log", 2 * SECOND, ["step", "log"])
