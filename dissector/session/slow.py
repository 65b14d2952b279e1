"""The callbacks of one member that the client scheduler took long to answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from dissector.limits import MAX_EVIDENCE
from dissector.model import Message
from dissector.session.timeouts import COARSE, SLOW_CALLBACK


@dataclass(slots=True)
class SlowCallbacks:
    """``longest`` in nanoseconds.  ``certain`` of them took long even if time stamps are whole seconds."""

    first: Message
    count: int = 0
    certain: int = 0
    longest: int = 0
    packets: list[int] = field(default_factory=list)


def add_slow(known: dict[str, SlowCallbacks], answer: Message, latency: int) -> None:
    """The client's answer to a callback (or to a keep-alive) came late; ``known`` by object and member."""
    key = f"{answer.object_name}.{answer.member}"
    if key not in known and len(known) >= MAX_EVIDENCE:
        return
    slow = known.setdefault(key, SlowCallbacks(answer))
    slow.count += 1
    slow.certain += int(latency >= SLOW_CALLBACK + COARSE)
    slow.longest = max(slow.longest, latency)
    if len(slow.packets) < MAX_EVIDENCE:
        slow.packets.append(answer.packets[-1])
