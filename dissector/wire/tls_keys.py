"""The secrets that TLS connections are read with, by what names them on the wire.

Key logs are in NSS's format (https://www.ietf.org/archive/id/draft-ietf-tls-keylogfile-02.html), as browsers, OpenSSL,
Java agents and Wireshark write them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from dissector.limits import MAX_TLS_SECRETS

CLIENT_RANDOM = "CLIENT_RANDOM"
#: Labels of TLS 1.3, for the client's and the server's side.
HANDSHAKE_SECRETS = "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"
TRAFFIC_SECRETS = "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"
_LABELS = frozenset((CLIENT_RANDOM, "PMS_CLIENT_RANDOM", *HANDSHAKE_SECRETS, *TRAFFIC_SECRETS))
_LINE = re.compile(rb"(\w+) +([0-9A-Fa-f]+) +([0-9A-Fa-f]+)[ \t\r]*")
_SESSION = re.compile(rb"RSA +Session-ID:([0-9A-Fa-f]+) +Master-Key:([0-9A-Fa-f]+)[ \t\r]*")
_MASTER = 48
_RANDOM = 32
#: Bytes that secrets can have.
_SIZES = {CLIENT_RANDOM: range(_MASTER, _MASTER + 1), "PMS_CLIENT_RANDOM": range(1, 1_025)}
_TRAFFIC_SIZES = 32, 48
#: Of the encrypted premaster secret so much names it.
_RSA_NAME = 8

_V = TypeVar("_V")
#: Decrypts the premaster secret of an RSA key exchange; None: the key does not fit.
OpenRsa = Callable[[bytes], "bytes | None"]


class Secrets:
    """All secrets that are known, by what names them on the wire."""

    def __init__(self) -> None:
        #: Label -> secret, by client random.
        self._by_random: OrderedDict[bytes, dict[str, bytes]] = OrderedDict()
        #: Master secrets by session id or ticket, premaster secrets by the first bytes of what they are encrypted to.
        self._by_session: OrderedDict[bytes, bytes] = OrderedDict()
        self._by_premaster: OrderedDict[bytes, bytes] = OrderedDict()
        #: RSA keys of servers.
        self.rsa: list[OpenRsa] = []
        #: Brings what a key log that is still written has more; for those that are not known yet.
        self.refresh: Callable[[], object] | None = None
        #: Grows when secrets come.
        self.version = 0
        #: The capture has some of its own: others may stand behind the first packets that they are for.
        self._is_captured = False

    def __bool__(self) -> bool:
        """True when there is anything to decrypt with, or may be soon."""
        return bool(self._by_random or self._by_session or self._by_premaster or self.rsa or self.refresh)

    @property
    def may_grow(self) -> bool:
        """True where it is worth while to wait for secrets that are not known yet."""
        return self._is_captured or self.refresh is not None

    def add_captured(self, data: bytes) -> None:
        """Takes a key log that stands among the packets of a capture."""
        self._is_captured = True
        self.add_log(data)

    def add_log(self, data: bytes) -> int:
        """Takes the lines of a key log; the number of secrets in it.  What is no such line is passed over."""
        found = 0
        for line in data.split(b"\n"):
            found += self._line(line)
        self.version += found > 0
        return found

    def _line(self, line: bytes) -> bool:
        if (match := _SESSION.fullmatch(line)) is not None:
            name, secret = _octets(match[1]), _octets(match[2])
            return _put(self._by_session, name, secret) if name and len(secret) == _MASTER else False
        match = _LINE.fullmatch(line)
        if match is None:
            return False
        label, name, secret = match[1].decode("ascii"), _octets(match[2]), _octets(match[3])
        if label == "RSA" and len(name) == _RSA_NAME and len(secret) == _MASTER:
            return _put(self._by_premaster, name, secret)
        if label not in _LABELS or len(name) != _RANDOM or len(secret) not in _SIZES.get(label, _TRAFFIC_SIZES):
            return False
        known = self._by_random.get(name)
        if known is None:
            known = {}
            _put(self._by_random, name, known)
        known[label] = secret
        return True

    def of(self, client_random: bytes) -> dict[str, bytes]:
        """The secrets of a connection by their labels; empty where none are known."""
        found = self._by_random.get(client_random)
        if found is None and self.refresh is not None:
            self.refresh()
            found = self._by_random.get(client_random)
        return found or {}

    def remember(self, name: bytes, master: bytes) -> None:
        """A session can be resumed by this session id or ticket."""
        if name:
            _put(self._by_session, name, master)

    def of_session(self, name: bytes) -> bytes | None:
        return self._by_session.get(name) if name else None

    def premaster(self, encrypted: bytes) -> bytes | None:
        """The premaster secret of an RSA key exchange."""
        known = self._by_premaster.get(encrypted[:_RSA_NAME])
        if known is not None:
            return known
        for open_rsa in self.rsa:
            if (secret := open_rsa(encrypted)) is not None:
                return secret
        return None


def _put(table: OrderedDict[bytes, _V], name: bytes, secret: _V) -> bool:
    table[name] = secret
    if len(table) > MAX_TLS_SECRETS:
        table.popitem(last=False)
    return True


def _octets(text: bytes) -> bytes:
    return bytes.fromhex(text.decode("ascii")) if len(text) % 2 == 0 else b""
