"""What is known of a connection with TLS: a part of ``model.Connection``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from dissector.sides import Mark
from dissector.traffic import Side


class Certificate(NamedTuple):
    """What a certificate says: ``names`` are the hosts that it is for; times are nanoseconds since the epoch."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: int | None
    not_after: int | None

    @property
    def is_self_signed(self) -> bool:
        return self.subject == self.issuer


class Alert(NamedTuple):
    """``code`` as in RFC 8446 section 6; ``fatal`` by its level."""

    side: Side
    fatal: bool
    code: int
    mark: Mark


@dataclass(slots=True, eq=False)
class TlsFacts:
    """Filled in while the handshake goes by; None and empty: not seen."""

    version: str | None = None
    #: The highest version that the client offers.
    offered: str | None = None
    suite: str | None = None
    #: Numbers of the suites that the client offers, the first ones of many.
    suites: tuple[int, ...] = ()
    server_name: str | None = None
    resumed: bool = False
    certificates: tuple[Certificate, ...] = ()
    #: The server asked for a certificate of the client; how many it sent.
    asks_client: bool = False
    client_certificates: int | None = None
    alerts: list[Alert] = field(default_factory=list)
    renegotiations: int = 0
    #: Packet with the first hello of the client, of the server, with the server's certificates, and with the first
    #: bytes that belong to the program.
    hello: Mark | None = None
    answer: Mark | None = None
    certified: Mark | None = None
    opened: Mark | None = None
    #: What a key log calls it by: random of the client, session id, encrypted premaster secret.
    names: tuple[bytes, ...] = ()
    #: Bytes of the program can be read; else why not.
    decrypted: bool = False
    reason: str | None = None

    @property
    def certificate(self) -> Certificate | None:
        """The server's own."""
        return self.certificates[0] if self.certificates else None
