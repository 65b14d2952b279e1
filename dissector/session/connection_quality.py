"""What the capture lacks of a connection, and what the network did to it."""

from __future__ import annotations

from dataclasses import dataclass

from dissector.model import Connection, Severity
from dissector.numbers import count
from dissector.session.case import Case, end_name, span
from dissector.session.findings import Finding
from dissector.session.timeouts import MANY_RETRANSMISSIONS, SECOND
from dissector.session.verdict import one_sided
from dissector.traffic import Side


@dataclass(slots=True)
class Carried:
    """What was captured of a connection, or of one side of it."""

    case: Case
    about: Connection
    side: Side = Side.CLIENT

    @property
    def name(self) -> str:
        return f"The {self.about.role.value} connection"

    @property
    def cut(self) -> str:
        return count(self.about.snapped, "byte")

    @property
    def waited(self) -> str:
        """Seconds that what was sent again came behind the first try."""
        return f"{sum(side.repeat_wait for side in self.about.sides) / SECOND:.1f}"

    @property
    def whom(self) -> str:
        return end_name(self.side, self.about)

    @property
    def times(self) -> str:
        marks = self.about.sides[self.side].zero_windows
        return f"{count(len(marks), 'time')} in {span(marks)}"


def begun_before(carried: Carried) -> bool:
    return carried.about.mid_stream


def half(carried: Carried) -> bool:
    return one_sided(carried.about)


def snapped(carried: Carried) -> bool:
    return carried.about.snapped > 0


def many_retransmissions(carried: Carried) -> bool:
    return carried.about.retransmissions >= MANY_RETRANSMISSIONS


def stopped_sender(carried: Carried) -> bool:
    """The side announced that it takes no more."""
    return bool(carried.about.sides[carried.side].zero_windows)


def begin_packet(carried: Carried) -> list[int]:
    return [carried.about.first_packet]


def repeated_packets(carried: Carried) -> list[int]:
    return [mark.number for side in carried.about.sides for mark in side.retransmitted]


def window_packets(carried: Carried) -> list[int]:
    return [mark.number for mark in carried.about.sides[carried.side].zero_windows]


def window_time(carried: Carried) -> int:
    return carried.about.sides[carried.side].zero_windows[0].time


#: Every row that fits tells one.
CONNECTION: tuple[Finding[Carried], ...] = (
    Finding("mid_stream", (begun_before,), "{name} began before the capture.", (begin_packet,)),
    Finding("one_direction", (half,), "{name} was captured in one direction only.", (begin_packet,)),
    Finding("snap_length", (snapped,), "{name}: the snap length cut off {cut}.", (begin_packet,)),
    Finding(
        "retransmissions",
        (many_retransmissions,),
        "{name}: {about.retransmissions} segments were retransmitted, {waited} s behind the first try.",
        (repeated_packets,),
    ),
)
WINDOWS: tuple[Finding[Carried], ...] = (
    Finding(
        "zero_window",
        (stopped_sender,),
        "{name}: {whom} announced a zero window {times}.",
        (window_packets,),
        time=window_time,
        severity=Severity.INFO,
    ),
)
