"""Packet time, as the tracer and what it asks see it."""

from __future__ import annotations

from dissector.traffic import NEVER


class PacketTime:
    """``now``: time (ns) of the latest packet; at ``wake`` somebody wants to be asked again; at ``due`` something that
    waits for other packets goes on without them, before any packet of that time."""

    __slots__ = ("due", "now", "wake")

    def __init__(self) -> None:
        self.now = self.wake = 0
        self.due = NEVER
