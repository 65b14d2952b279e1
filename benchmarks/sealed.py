"""Conversations inside of TLS 1.2, with seeded secrets: the same bytes come every time, and a key log opens them.

The handshake is as short as it can be (RSA key exchange, no certificate); records are AES-128-GCM.  tshark, which is
timed on them, judges whether they are right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.conversations import Turn
from dissector.wire.tls import APPLICATION, CHANGE_CIPHER, HANDSHAKE, TLS_1_2
from dissector.wire.tls_derive import MASTER, keys_of_master
from dissector.wire.tls_suites import SUITES

_SUITE = SUITES[0x009C]
_VERSION = b"\3\3"
_LONGEST = 16_384
_FINISHED = b"\x14\0\0\x0c" + bytes(12)


def _secrets(connection: int) -> tuple[bytes, bytes, bytes]:
    """Both randoms, and the master secret."""
    client, server, one, two = (sha256(b"%d %d" % (connection, part)).digest() for part in range(4))
    return client, server, (one + two)[:MASTER]


def key_log(connections: int) -> str:
    """What opens the first so many."""
    found = (_secrets(number) for number in range(1, connections + 1))
    return "".join(f"CLIENT_RANDOM {client.hex()} {master.hex()}\n" for client, _, master in found)


def sealed(turns: Sequence[Turn], lines: int, before: int) -> list[Turn]:
    """The same with TLS around it; ``before``: how many connections there were before the first of these lines."""
    ends = [_Line(before + 1 + line) for line in range(lines)]
    found: list[Turn] = []
    begun: set[int] = set()
    for turn in turns:
        if turn.line not in begun:
            begun.add(turn.line)
            found += [Turn(turn.line, side, data) for side, data in ends[turn.line].handshake()]
        found.append(turn._replace(data=ends[turn.line].records(turn.side, turn.data)))
    return found


class _Line:
    """One connection."""

    def __init__(self, number: int) -> None:
        self._client, self._server, master = _secrets(number)
        keys = keys_of_master(master, _SUITE, TLS_1_2, self._client, self._server)
        self._ciphers = [AESGCM(one.key) for one in keys]
        self._ivs = [one.iv for one in keys]
        self._numbers = [0, 0]

    def handshake(self) -> Iterator[tuple[int, bytes]]:
        suite = _SUITE.number.to_bytes(2, "big")
        hello = _VERSION + self._client + b"\0" + b"\0\2" + suite + b"\1\0"
        yield 0, _record(HANDSHAKE, _message(1, hello))
        answer = _message(2, _VERSION + self._server + b"\0" + suite + b"\0") + _message(14, b"")
        yield 1, _record(HANDSHAKE, answer)
        exchange = _record(HANDSHAKE, _message(16, b"\1\0" + bytes(256)))
        for side, first in ((0, exchange), (1, b"")):
            yield side, first + _record(CHANGE_CIPHER, b"\1") + self._record(side, HANDSHAKE, _FINISHED)

    def records(self, side: int, data: bytes) -> bytes:
        parts = (data[at : at + _LONGEST] for at in range(0, len(data), _LONGEST))
        return b"".join(self._record(side, APPLICATION, part) for part in parts)

    def _record(self, side: int, kind: int, data: bytes) -> bytes:
        number = self._numbers[side].to_bytes(8, "big")
        self._numbers[side] += 1
        about = number + bytes([kind]) + _VERSION + len(data).to_bytes(2, "big")
        return _record(kind, number + self._ciphers[side].encrypt(self._ivs[side] + number, data, about))


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _record(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _VERSION + len(body).to_bytes(2, "big") + body
