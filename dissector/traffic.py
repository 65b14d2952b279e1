"""Records of what is on the wire: packets, segments, and the bytes and frames that become of them.

They are on the hot path, so they are ``NamedTuple`` (built several times faster than frozen dataclasses and just as
immutable).  Times are integer nanoseconds since the epoch as the capture tells them: a float can not hold them.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

#: Later than any packet.
NEVER = 1 << 100


class Packet(NamedTuple):
    """One record of a capture: ``number`` counts from 1 over all files of a run, ``data`` is what was captured.

    ``key`` is there when somebody looked and saw that the packet is plain: an IP header without options or extensions
    that begins at ``ip`` (in a tunnel if ``tunnelled``), TCP with a whole header and no fragment.  It holds the
    addresses and ports as the packet has them, the sender's first.
    """

    number: int
    time: int
    link_type: int
    data: bytes
    wire_length: int
    key: bytes | None = None
    ip: int = 0
    tunnelled: bool = False


class Via(NamedTuple):
    """A tunnel: its kind, and its network, key, session or label where it has one."""

    kind: str
    number: int | None = None

    def __str__(self) -> str:
        return self.kind if self.number is None else f"{self.kind} {self.number}"


class Segment(NamedTuple):
    """One TCP segment.  Addresses are packed (4 or 16 bytes); ``length`` is the payload's length on the wire, which
    is larger than ``len(payload)`` when the snap length cut the packet.  ``via`` are the tunnels around it, outermost
    first.  ``mss`` is the maximum segment size that a SYN offers."""

    number: int
    time: int
    src: bytes
    sport: int
    dst: bytes
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    payload: bytes
    length: int
    ttl: int
    ip_id: int
    via: tuple[Via, ...] = ()
    mss: int | None = None

    @property
    def key(self) -> bytes:
        """Addresses and ports as a packet has them, the sender's first (12 or 36 bytes): names one direction."""
        return key_of(self.src, self.sport, self.dst, self.dport)


def key_of(src: bytes, sport: int, dst: bytes, dport: int) -> bytes:
    """The key of what ``src`` sends to ``dst``."""
    return src + dst + _PORTS.pack(sport, dport)


_PORTS = Struct("!HH")

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
#: Of packets that begin or end a connection.
ENDS = FIN | SYN | RST


class IcmpError(NamedTuple):
    """An ICMP or ICMPv6 error with the TCP endpoints of the packet that it answers."""

    number: int
    time: int
    sender: bytes
    reason: str
    src: bytes
    sport: int
    dst: bytes
    dport: int
    seq: int


class Fragment(NamedTuple):
    """An IP fragment that may carry TCP, by itself or in a tunnel: the bytes of its datagram from ``offset`` on.

    ``ident`` and ``protocol`` are those of the datagram, ``more`` tells that others follow.  ``is_cut``: the snap
    length cut bytes off.  ``via`` are the tunnels around it.
    """

    number: int
    time: int
    src: bytes
    dst: bytes
    protocol: int
    ident: int
    offset: int
    more: bool
    ttl: int
    payload: bytes
    is_cut: bool = False
    via: tuple[Via, ...] = ()


class Side(IntEnum):
    """An end of a TCP connection: ``CLIENT`` sent the SYN."""

    CLIENT = 0
    SERVER = 1

    @property
    def other(self) -> Side:
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


class Chunk(NamedTuple):
    """Bytes of one direction in stream order.  ``offset`` counts from the byte behind the SYN (or from the first byte
    seen), ``number`` and ``time`` are those of the packet that delivered them."""

    side: Side
    offset: int
    data: bytes
    number: int
    time: int


class Gap(NamedTuple):
    """Bytes of one direction that are not in the capture.  ``number`` and ``time``: the packet that proved it;
    ``snapped``: that packet carried them, and the snap length of the capture cut them off; ``acknowledged`` False: no
    receiver was seen to have them either, and their sender does not count them at its end, so they were lost on their
    way rather than by the capture."""

    side: Side
    offset: int
    size: int
    number: int
    time: int
    snapped: bool = False
    acknowledged: bool = True


class Opened(NamedTuple):
    """First packet of a connection."""

    number: int
    time: int


class Closed(NamedTuple):
    """End of a connection: nothing more will be delivered.  ``how`` is that of ``Connection.closed``."""

    how: str | None
    number: int
    time: int


#: What happens to a connection, in this order: Opened, Chunks and Gaps, Closed.
StreamEvent = Opened | Chunk | Gap | Closed


class Frame(NamedTuple):
    """One message of the callback connection: ``data`` is the message without its length header, ``offset`` the
    header's place in its direction's stream, ``packets`` the packets that carried it (the last one completed it, at
    ``time``)."""

    side: Side
    offset: int
    data: bytes
    packets: tuple[int, ...]
    time: int


class Skipped(NamedTuple):
    """A message of the callback connection that is too long to be decoded: ``head`` are its first bytes behind the
    length header, ``size`` counts all of them; the rest as in Frame."""

    side: Side
    offset: int
    head: bytes
    size: int
    packets: tuple[int, ...]
    time: int
    reason: str


class RawDocument(NamedTuple):
    """One document of the command connection: ``data`` without its terminator (NUL, CR LF), ``offset`` the place of its
    first byte in its direction's stream, ``packets`` the packets that carried it (the last one completed it, at
    ``time``).  ``kind`` is xml, shorthand (a typed command), http (a whole HTTP message) or poke (a lone LF, CR LF or
    0x04); ``complete`` is False for what is left over when the connection ends."""

    side: Side
    offset: int
    data: bytes
    packets: tuple[int, ...]
    time: int
    complete: bool
    kind: str


class StreamProblem(NamedTuple):
    """Bytes that are no frame or document: ``code`` is a problem code of the output contract; ``is_cap``: nothing is
    wrong with them but that there are more of them than jstrace keeps."""

    code: str
    side: Side
    offset: int
    number: int
    time: int
    text: str
    is_cap: bool = False
