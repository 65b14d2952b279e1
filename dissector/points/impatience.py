"""What could not wait (any longer) for what another place has of it, because too much waited (see ``limits``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dissector.limits import MAX_WAITING_BYTES
from dissector.numbers import count, verb
from dissector.session.findings import Finding


@dataclass(slots=True)
class Hurried:
    """How many tasks, or messages, these are, and of the first one when it was and its packets."""

    number: int = 0
    time: int = 0
    packets: Sequence[int] = ()
    case: None = None
    about: None = None

    def add(self, number: int, time: int, packets: Sequence[int]) -> None:
        if not self.number:
            self.time, self.packets = time, packets
        self.number += number

    @property
    def tasks(self) -> str:
        return f"{count(self.number, 'task')} {verb(self.number, 'was')}"

    @property
    def messages(self) -> str:
        return f"{count(self.number, 'message')} {verb(self.number, 'is')}"


def some(hurried: Hurried) -> bool:
    return bool(hurried.number)


def first_packets(hurried: Hurried) -> Sequence[int]:
    return hurried.packets


def first_time(hurried: Hurried) -> int:
    return hurried.time


ALONE: tuple[Finding[Hurried], ...] = (
    Finding(
        "limit_reached",
        (some,),
        "{tasks} shown without what another place has of them: too many waited.",
        (first_packets,),
        time=first_time,
    ),
)
UNSHOWN: tuple[Finding[Hurried], ...] = (
    Finding(
        "limit_reached",
        (some,),
        f"{{messages}} not shown: more than {MAX_WAITING_BYTES >> 20} MiB waited for what another place has.",
        (first_packets,),
        time=first_time,
    ),
)
