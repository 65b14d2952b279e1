"""Frames a second: the generated decoder beside construct's own parse, on frames of the recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from benchmarks.inputs import ROOT
from benchmarks.measure import alternate
from dissector.model import Message, Role
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.wire.decode import Pending, decode, pending_of, reference_decode

#: Bytes of a message that still counts as small: log lines, property reads and their answers.
SMALL = 256
_RECORDINGS = ("engine_api_sub", "engine_api_manylog", "engine_order", "engine_ten_tasks", "h19_many", "h19_basic")

Sample = tuple[bytes, "Pending | None"]


class Speeds(NamedTuple):
    """Frames a second."""

    frames: int
    decoder: float
    construct: float


def messages(path: Path) -> list[Message]:
    """All messages of a recording."""
    tracer = Tracer()
    events: list[object] = []
    for packet in CaptureReader([path]):
        events += tracer.feed(packet)
    events += tracer.finish()
    return [event for event in events if isinstance(event, Message)]


def samples(names: Iterable[str] = _RECORDINGS) -> list[Sample]:
    """Frames of callback connections with the requests that they answer."""
    return [
        (message.raw, pending_of(message.request.body) if message.request else None)
        for name in names
        for message in messages(ROOT / "captures" / f"{name}.pcap")
        if message.connection.role is Role.CALLBACK
    ]


def speeds(repetitions: int, rounds: int) -> Speeds:
    """Medians on small frames; construct gets a part of the frames, it needs so much longer."""
    small = [sample for sample in samples() if len(sample[0]) <= SMALL]
    part = small[:: max(1, 20 // max(1, rounds))]

    def generated() -> float:
        return _speed(decode, small, rounds)

    def interpreted() -> float:
        return _speed(reference_decode, part, 1)

    return Speeds(len(small), *alternate((generated, interpreted), repetitions))


def _speed(function: Callable[[bytes, Pending | None], object], frames: list[Sample], rounds: int) -> float:
    begin = perf_counter()
    for _ in range(rounds):
        for data, pending in frames:
            function(data, pending)
    return rounds * len(frames) / (perf_counter() - begin)
