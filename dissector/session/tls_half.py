"""What is known of one direction of a connection with TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissector.session.tls_handshake import Messages
from dissector.stream.tls_records import RecordFramer
from dissector.traffic import Side

if TYPE_CHECKING:
    from dissector.wire.tls_cipher import Opener


class Half:
    """One direction."""

    # As in what else there is for each connection with TLS: very many may be open at once.
    __slots__ = (
        "expect",
        "failures",
        "first",
        "is_behind",
        "is_protected",
        "messages",
        "offset",
        "opener",
        "overhead",
        "reader",
        "secret",
        "sequence",
        "side",
    )

    def __init__(self, side: Side, *, lost: bool) -> None:
        self.side = side
        self.reader = RecordFramer(lost=lost)
        self.messages = Messages()
        self.is_protected = lost
        self.opener: Opener | None = None
        #: Of TLS 1.3: its handshake is over; what its keys are made of.
        self.is_behind = False
        self.secret: bytes | None = None
        self.sequence = 0
        #: Where the next record begins in the stream, and the next byte of the program in its own.
        self.expect = self.offset = 0
        self.overhead: int | None = None
        self.failures = 0
        self.first = b""

    def took(self, offset: int, size: int, plain: int) -> None:
        """A record at ``offset`` with so many bytes, and so many of the program in it."""
        self.sequence += 1
        self.expect, self.overhead = offset + size, size - plain
        self.offset += plain
