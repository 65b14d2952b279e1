"""Packet time, as the tracer and what it asks see it."""

from __future__ import annotations


class PacketTime:
    """``now``: time (ns) of the latest packet; at ``wake`` somebody wants to be asked again."""

    __slots__ = ("now", "wake")

    def __init__(self) -> None:
        self.now = self.wake = 0
