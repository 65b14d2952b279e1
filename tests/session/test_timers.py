"""What is told about tasks that hang, while they hang."""

from __future__ import annotations

from pathlib import Path

from dissector.model import Outcome, Problem, Severity, Task
from dissector.session.timers import Timers, running
from dissector.session.tracer import Event, Tracer
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
