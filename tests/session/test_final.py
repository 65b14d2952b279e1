"""When the records of a capture that is followed become final, and that nothing holds them any longer."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from dissector.model import LogLine, Outcome, Task
from dissector.session.tracer import Event, Tracer
from dissector.sources.capture import CaptureReader

SECOND = 1_000_000_000


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
