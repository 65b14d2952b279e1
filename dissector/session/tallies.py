"""How many there are of something, and of those the first ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dissector.limits import MAX_EVIDENCE
from dissector.model import Message

#: Ports, protocols and tunnels that are told apart; of more there is only the number.
_MOST_KINDS = 1_024

K = TypeVar("K")


@dataclass(slots=True)
class FailedCalls:
    """Calls of one member that failed in the same way: the first one, how many, and the first packets."""

    first: Message
    text: str
    count: int = 0
    packets: list[int] = field(default_factory=list)


def unnamed(message: Message) -> str:
    """What its object is called that has no name."""
    return f"object {message.object_id or 0:016x}"


def add_failure(known: dict[tuple[str, str], FailedCalls], message: Message, text: str) -> None:
    """One more call that failed; ``known`` by object and member, and by the words."""
    owner = message.object_name or message.object_class or unnamed(message)
    key = (f"{owner}.{message.member or 'unknown member'}", text[:200])
    failed = known.get(key)
    if failed is None:
        if len(known) >= MAX_EVIDENCE:
            return
        failed = known[key] = FailedCalls(message, text)
    failed.count += 1
    if len(failed.packets) < MAX_EVIDENCE:
        failed.packets.append(message.packets[-1])


@dataclass(slots=True)
class Occurrences:
    """How many, the time of the first one, and the first packets; ``refused`` of connections."""

    number: int = 0
    time: int = 0
    packets: list[int] = field(default_factory=list)
    refused: int = 0

    def add(self, where: tuple[int, int]) -> None:
        """``where``: time and packet."""
        self.time = self.time if self.number else where[0]
        self.number += 1
        if len(self.packets) < MAX_EVIDENCE:
            self.packets.append(where[1])


class Table(Generic[K]):
    """Tallies by what is counted, so many of them."""

    def __init__(self) -> None:
        self.kinds: dict[K, Occurrences] = {}
        self._more = Occurrences()

    def at(self, kind: K) -> Occurrences:
        tally = self.kinds.get(kind)
        if tally is None:
            if len(self.kinds) >= _MOST_KINDS:
                return self._more
            tally = self.kinds[kind] = Occurrences()
        return tally
