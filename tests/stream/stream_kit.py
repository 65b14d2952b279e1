"""Segments of one connection, scripted, and what the table of connections makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from builders import ACK, SYN, A, B

from dissector.model import Connection, SideFacts
from dissector.stream.reassembly import Connections, Flow, Opened, StreamEvent
from dissector.traffic import Chunk, Gap, Segment, Side

CLIENT, SERVER = Side.CLIENT, Side.SERVER
MS = 1_000_000
ISN_A, ISN_B = 1_000, 9_000_000


class Talk:
    """Segments between client A:40000 and server B:4444, and what the table makes of them.

    ``a`` and ``b`` send one segment of that side: ``at`` is the offset of its first byte in that side's stream (-1: the
    SYN), ``acks`` the offset of the other side that it acknowledges.  Each packet is 1 ms later than the one before.
    """

    def __init__(
        self, isn_a: int = ISN_A, isn_b: int = ISN_B, ports: tuple[int, int] = (40_000, 4_444), patience: int = 0
    ) -> None:
        self.table = Connections(patience=patience)
        self.isn = (isn_a, isn_b)
        self.ports = ports
        self.events: list[tuple[Flow, StreamEvent]] = []
        self.number = 0
        self.time = 0

    def segment(self, side: int, at: int, data: bytes, acks: int | None, flags: int, **others: Any) -> Segment:
        self.number += 1
        self.time += MS
        ends = (ip_address(A).packed, self.ports[0]), (ip_address(B).packed, self.ports[1])
        ack = 0 if acks is None else (self.isn[1 - side] + 1 + acks) % 2**32
        found = Segment(
            self.number,
            self.time,
            *ends[side],
            *ends[1 - side],
            (self.isn[side] + 1 + at) % 2**32,
            ack,
            flags if acks is None else flags | ACK,
            1_000,
            data,
            len(data),
            64,
            self.number,
        )
        return found._replace(**others)

    def send(self, segment: Segment) -> list[StreamEvent]:
        found = list(self.table.feed(segment))
        self.events += found
        return [event for _, event in found]

    def a(self, at: int, data: bytes = b"", acks: int | None = 0, flags: int = 0, **others: int) -> list[StreamEvent]:
        return self.send(self.segment(0, at, data, acks, flags, **others))

    def b(self, at: int, data: bytes = b"", acks: int | None = 0, flags: int = 0, **others: int) -> list[StreamEvent]:
        return self.send(self.segment(1, at, data, acks, flags, **others))

    def open(self) -> Talk:
        self.a(-1, acks=None, flags=SYN)
        self.b(-1, acks=0, flags=SYN)
        self.a(0)
        return self

    def finish(self) -> list[StreamEvent]:
        found = list(self.table.finish())
        self.events += found
        return [event for _, event in found]

    @property
    def flow(self) -> Flow:
        """Of the newest connection."""
        return [flow for flow, event in self.events if isinstance(event, Opened)][-1]

    @property
    def connection(self) -> Connection:
        return self.flow.connection

    def facts(self, side: Side) -> SideFacts:
        return self.connection.sides[side]

    def stream(self, side: Side) -> bytes:
        """Bytes of a side, with ``?`` for those in a gap; offsets have to fit."""
        found = b""
        for event in plain(self.events):
            if isinstance(event, (Chunk, Gap)) and event.side is side:
                assert event.offset == len(found)
                found += event.data if isinstance(event, Chunk) else b"?" * event.size
        return found


def plain(events: Iterable[tuple[Flow, StreamEvent]]) -> list[StreamEvent]:
    return [event for _, event in events]


def chunk(side: Side, offset: int, data: bytes, number: int) -> Chunk:
    return Chunk(side, offset, data, number, number * MS)


def gap(side: Side, offset: int, size: int, number: int, snapped: bool = False, acknowledged: bool = True) -> Gap:
    return Gap(side, offset, size, number, number * MS, snapped, acknowledged)


def syn(index: int, time: int) -> Segment:
    """The first packet of a connection of its own."""
    return Segment(
        index, time, index.to_bytes(4, "big"), 1_024, b"\x0a\0\0\1", 80, index, 0, SYN, 100, b"", 0, 64, index
    )
