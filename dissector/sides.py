"""What one end of a connection sent; a part of ``model``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Mark(NamedTuple):
    """A packet as evidence: its number and time, and the TTL and IP id that tell its true sender."""

    number: int
    time: int
    ttl: int = 0
    ip_id: int = 0


@dataclass(slots=True)
class SideFacts:
    """What one end of a connection sent, as far as the diagnosis needs it.

    Sequences are replaced and never changed, here and in ``Connection``: most stay empty, and thousands of connections
    are remembered, which need no list of their own for each.
    """

    first_seq: int | None = None
    packets: int = 0
    #: Stream bytes captured or cut off by the snap length, each counted once: no retransmissions, no lost bytes.
    bytes: int = 0
    #: Segments with bytes that were captured before; a packet that was captured twice is none.
    retransmissions: int = 0
    #: The first ones of them, and the newest: those tell whether anybody still listens.
    retransmitted: Sequence[Mark] = ()
    #: Nanoseconds between each of these and the try before it, all together.
    repeat_wait: int = 0
    #: Payload (bytes) of the smallest segment that was sent again.
    smallest_retransmitted: int | None = None
    #: Segments with data that were captured twice at the same place.
    duplicates: int = 0
    #: The first segments with new bytes that came behind later ones.
    overtaken: Sequence[Mark] = ()
    #: The maximum segment size (bytes) that its SYN offers; None where it has none or was not captured.
    mss: int | None = None
    first_data: Mark | None = None
    last_data: Mark | None = None
    last: Mark | None = None
    fin: Mark | None = None
    rst: Mark | None = None
    #: The last packet before the reset.
    before_rst: Mark | None = None
    #: The reset's sequence number is nowhere near the stream: a receiver ignores it, so the connection goes on.
    rst_outside: bool = False
    #: The reset carries no acknowledgement: its sender has no such connection (any more).
    rst_unknown: bool = False
    #: The reset was captured at a second place as well, with another TTL.
    rst_again: bool = False
    #: The other side's last packet before the reset.
    rst_answers: Mark | None = None
    #: First new data behind the connection's end: who sends on after "its" reset did not send that reset.
    late_data: Mark | None = None
    zero_windows: Sequence[Mark] = ()
    #: Highest acknowledgement number sent, as a stream offset of the OTHER side; None before the first.
    acked: int | None = None
    #: Stream offset behind the last byte that this side sent, holes included.
    sent: int = 0
    #: Bytes in holes that the other side never acknowledged: lost on the way, not by the capture.
    never_acknowledged: int = 0
    #: Stream offset behind the last bytes that were acknowledged, or stand before the FIN, and were not captured.
    lost_to: int = 0
    #: Nobody acknowledged the last of those: the reset of this side counts them.
    only_counted: bool = False
    #: The reset of this side counts its FIN, which was not captured.
    fin_counted: bool = False
    #: Stream offset one byte behind the tail that the other side acknowledged: that of a FIN that was not captured.
    end_acked: int = 0
    #: Number of the first packet that acknowledged what ``lost_to`` or ``end_acked`` says, the later of both.
    lost_by: int = 0
    #: Time to live of the first packet (0: none seen).
    ttl: int = 0
    #: The two TTLs of a SYN or SYN+ACK that was captured at two places; the larger one is that of the nearer place.
    places: tuple[int, int] | None = None
