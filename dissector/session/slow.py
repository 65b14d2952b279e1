"""The callbacks of one member that the client scheduler took long to answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from dissector.model import Message


@dataclass(slots=True)
class SlowCallbacks:
    """``longest`` in nanoseconds.  ``certain`` of them took long even if time stamps are whole seconds."""

    first: Message
    count: int = 0
    certain: int = 0
    longest: int = 0
    packets: list[int] = field(default_factory=list)
