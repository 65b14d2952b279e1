"""Calls that are alike, counted: of each kind the first one and where the first ones are."""

from __future__ import annotations

from dataclasses import dataclass, field

from dissector.model import Message


@dataclass(slots=True)
class FailedCalls:
    """Calls of one member that failed in the same way: the first one, how many, and the first packets."""

    first: Message
    text: str
    count: int = 0
    packets: list[int] = field(default_factory=list)
