"""The handshakes of one connection with TLS: what both sides agree on, and the keys that follow from it.

Messages come in the order of the capture, in the clear or deciphered; a renegotiation is one more handshake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissector.errors import ToolError
from dissector.limits import MAX_TLS_HANDSHAKE
from dissector.sides import Mark
from dissector.tlsfacts import TlsFacts
from dissector.traffic import Side
from dissector.wire import tls
from dissector.wire.certificates import certificate_of
from dissector.wire.tls_keys import CLIENT_RANDOM, HANDSHAKE_SECRETS, TRAFFIC_SECRETS, Secrets
from dissector.wire.tls_suites import BLOCKS, SUITES, Suite, suite_name

if TYPE_CHECKING:
    from dissector.wire.tls_cipher import Opener


#: Names of a connection in a key log that are kept: three for each handshake.
_MOST_NAMES = 32


class Messages:
    """The handshake messages of one direction, cut out of its records."""

    __slots__ = ("_buffer", "_skip")

    def __init__(self) -> None:
        self._buffer = bytearray()
        #: Bytes of a message that is too long to be kept which are still to come.
        self._skip = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The types and bodies of the messages that are whole now; of one that is too long the body is empty."""
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        buffer, at = self._buffer, 0
        buffer += data[skipped:]
        found = []
        while len(buffer) - at >= 4:
            size = int.from_bytes(buffer[at + 1 : at + 4], "big")
            end = at + 4 + size
            if size > MAX_TLS_HANDSHAKE:
                found.append((buffer[at], b""))
                self._skip = max(0, end - len(buffer))
                end = min(end, len(buffer))
            elif end > len(buffer):
                break
            else:
                found.append((buffer[at], bytes(buffer[at + 4 : end])))
            at = end
        del buffer[:at]
        return found

    def clear(self) -> None:
        self._buffer.clear()
        self._skip = 0


class Handshake:
    """``secrets`` are what the user gave."""

    __slots__ = (
        "_client",
        "_exchange",
        "_facts",
        "_openers",
        "_secrets",
        "_server",
        "_ticket",
        "_transcript",
        "_used",
        "_version",
        "hopeless",
        "is_1_3",
        "is_chosen",
        "suite",
    )

    def __init__(self, facts: TlsFacts, secrets: Secrets) -> None:
        self._facts, self._secrets = facts, secrets
        self.suite: Suite | None = None
        self.is_1_3 = False
        self._version = tls.TLS_1_2
        #: True once the server chose version and suite.
        self.is_chosen = False
        #: Nobody ever can decipher it: why.
        self.hopeless: str | None = None
        self._client: tls.ClientHello | None = None
        self._server: tls.ServerHello | None = None
        #: The messages from the client's hello to its key exchange, while they may be needed.
        self._transcript: bytearray | None = bytearray()
        #: What the client sent of its key exchange.
        self._exchange: bytes | None = None
        self._ticket = b""
        #: The master secret, once it is known.
        self._used: bytes | None = None
        self._openers: tuple[Opener, Opener] | None = None

    @property
    def sends_early(self) -> bool:
        """The client says something before it is answered, with keys of an earlier session: that is not deciphered."""
        return self._client is not None and self._client.early

    @property
    def is_chained(self) -> bool:
        """A record can only be opened once, and behind the one before it."""
        suite = self.suite
        return suite is None or not (suite.is_aead or (suite.cipher in BLOCKS and self._version > tls.TLS_1_0))

    @property
    def client_random(self) -> bytes | None:
        return self._client.random if self._client is not None else None

    def message(self, side: Side, kind: int, body: bytes, mark: Mark) -> None:
        """The next message of ``side``."""
        if kind == tls.CLIENT_HELLO and side is Side.CLIENT:
            self._begin(body, mark)
        self._note(kind, body)
        if kind == tls.SERVER_HELLO and side is Side.SERVER:
            self._chosen(body, mark)
        elif kind == tls.CERTIFICATE:
            self._certified(side, body, mark)
        elif kind == tls.CERTIFICATE_REQUEST:
            self._facts.asks_client = True
        elif kind == tls.NEW_TICKET and not self.is_1_3:
            self._ticket = tls.new_ticket(body)
            if self._used is not None:
                self._secrets.remember(self._ticket, self._used)
        elif kind == tls.CLIENT_KEY:
            self._exchanged(body)

    def _begin(self, body: bytes, mark: Mark) -> None:
        hello, facts = tls.client_hello(body), self._facts
        if hello is None:
            return
        if facts.hello is not None and self.is_chosen and not self.is_1_3:
            facts.renegotiations += 1
        facts.hello = facts.hello or mark
        facts.offered, facts.suites = tls.version_name(hello.version), hello.suites
        facts.server_name = facts.server_name or hello.server_name
        facts.names = (*facts.names[:_MOST_NAMES], hello.random)
        self._client, self._server, self.is_chosen = hello, None, False
        self._exchange, self._ticket = None, b""
        self._openers, self._used, self._transcript = None, None, bytearray()

    def _note(self, kind: int, body: bytes) -> None:
        """Keeps what an extended master secret is made of."""
        transcript = self._transcript
        if transcript is None or self._exchange is not None or kind == tls.HELLO_REQUEST:
            return
        if len(transcript) + len(body) > MAX_TLS_HANDSHAKE:
            self._transcript = None
            return
        transcript += bytes([kind]) + len(body).to_bytes(3, "big") + body

    def _chosen(self, body: bytes, mark: Mark) -> None:
        hello, facts = tls.server_hello(body), self._facts
        if hello is None or hello.retry:
            return
        facts.answer = facts.answer or mark
        self._server, self.is_chosen = hello, True
        self.is_1_3 = hello.version == tls.TLS_1_3
        if self.is_1_3:
            self.forget()
        self.suite = SUITES.get(hello.suite)
        facts.names = (*facts.names[:_MOST_NAMES], hello.session_id)
        facts.version, facts.suite = tls.version_name(hello.version), suite_name(hello.suite)
        self._version = hello.version
        if not tls.TLS_1_0 <= hello.version <= tls.TLS_1_3:
            self.hopeless = f"{facts.version} is not deciphered, only TLS 1.0 to 1.3 are"
        elif self.suite is None or (self.suite.is_aead and hello.version < tls.TLS_1_2):
            self.hopeless = f"cipher suite {facts.suite} of {facts.version} is not one that can be deciphered"

    def _certified(self, side: Side, body: bytes, mark: Mark) -> None:
        facts = self._facts
        found = tls.certificates(body, is_1_3=self.is_1_3)
        if side is Side.CLIENT:
            facts.client_certificates = len(found)
        elif not facts.certificates:
            facts.certificates = tuple(filter(None, map(certificate_of, found)))
            facts.certified = mark

    def _exchanged(self, body: bytes) -> None:
        self._exchange = body
        self._facts.names = (*self._facts.names[:_MOST_NAMES], bytes(tls.key_exchange(body)[:8]))

    def switched(self, side: Side) -> None:
        """Of TLS 1.2: what ``side`` sends from here on is protected."""
        if side is Side.SERVER and self._exchange is None and self.is_chosen:
            self._facts.resumed = True

    def forget(self) -> None:
        """The secret of this handshake is known, or will never be: what it is made of is not needed."""
        self._transcript = None

    # --- keys ------------------------------------------------------------------------------------------------------

    def openers(self) -> tuple[Opener, Opener] | None:
        """Up to TLS 1.2, what opens the client's and the server's records behind this handshake; None: no secret."""
        client, server, suite = self._client, self._server, self.suite
        if self._openers is not None or client is None or server is None or suite is None or self.hopeless:
            return self._openers
        master = self._master(client, server, suite)
        if master is None or not self._can_open():
            return None
        from dissector.wire.tls_cipher import opener
        from dissector.wire.tls_derive import keys_of_master

        self._used = master
        self.forget()
        for name in (server.session_id, self._ticket):
            self._secrets.remember(name, master)
        keys = keys_of_master(master, suite, self._version, client.random, server.random)
        one, two = (opener(each, suite, self._version, encrypt_then_mac=server.encrypt_then_mac) for each in keys)
        self._openers = one, two
        return self._openers

    def _can_open(self) -> bool:
        """False where the package that deciphers is not there."""
        from dissector.wire.tls_cipher import require

        try:
            require()
        except ToolError as error:
            self.hopeless = str(error)
            return False
        return True

    def _master(self, client: tls.ClientHello, server: tls.ServerHello, suite: Suite) -> bytes | None:
        known = self._secrets.of(client.random)
        if (master := known.get(CLIENT_RANDOM)) is not None:
            return master
        premaster = known.get("PMS_CLIENT_RANDOM")
        if premaster is None and self._exchange is not None and suite.key_exchange == "RSA":
            premaster = self._secrets.premaster(tls.key_exchange(self._exchange))
        if premaster is None:
            return self._secrets.of_session(server.session_id) or self._secrets.of_session(client.ticket)
        if server.extended_master and self._transcript is None:
            return None
        from dissector.wire.tls_derive import master_secret

        handshake = bytes(self._transcript or b"") if server.extended_master else None
        return master_secret(premaster, suite, self._version, client.random, server.random, handshake)

    def secret(self, side: Side, *, handshake: bool) -> bytes | None:
        """Of TLS 1.3, the traffic secret of a side, that of the handshake or the first one behind it."""
        labels = HANDSHAKE_SECRETS if handshake else TRAFFIC_SECRETS
        random = self.client_random
        return self._secrets.of(random).get(labels[side]) if random is not None else None

    def opener_of(self, secret: bytes) -> Opener | None:
        """Of TLS 1.3."""
        if self.suite is None or not self.suite.is_aead or not self._can_open():
            return None
        from dissector.wire.tls_cipher import opener
        from dissector.wire.tls_derive import keys_of_secret

        return opener(keys_of_secret(secret, self.suite), self.suite, tls.TLS_1_3, encrypt_then_mac=False)

    def updated(self, secret: bytes) -> bytes:
        """Of TLS 1.3, the traffic secret behind a key update."""
        from dissector.wire.tls_derive import updated

        assert self.suite is not None
        return updated(secret, self.suite)
