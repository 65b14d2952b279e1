"""The keys of TLS, made of its secrets.

That is putting hashes of the standard library together as RFC 5246 section 5, RFC 7627 and RFC 8446 section 7 say;
ciphers and RSA are those of a library (``tls_cipher``).
"""

from __future__ import annotations

import hmac
from hashlib import new as new_hash
from typing import NamedTuple

from dissector.wire.tls_suites import Suite

#: Bytes of a master secret.
MASTER = 48


class Keys(NamedTuple):
    """What one side protects its records with; ``mac`` is empty where the cipher itself protects them."""

    mac: bytes
    key: bytes
    iv: bytes


def master_secret(
    premaster: bytes, suite: Suite, client_random: bytes, server_random: bytes, handshake: bytes | None
) -> bytes:
    """``handshake``: all messages up to the key exchange, where both sides agreed on an extended master secret."""
    label, seed = b"master secret", client_random + server_random
    if handshake is not None:
        label, seed = b"extended master secret", new_hash(suite.prf, handshake).digest()
    return _prf(premaster, label + seed, suite.prf, MASTER)


def keys_of_master(master: bytes, suite: Suite, client_random: bytes, server_random: bytes) -> tuple[Keys, Keys]:
    """The client's and the server's, of TLS 1.2."""
    sizes = [size for size in (suite.mac_size, suite.key_size, suite.fixed_iv) for _ in range(2)]
    block = _prf(master, b"key expansion" + server_random + client_random, suite.prf, sum(sizes))
    parts, at = [], 0
    for size in sizes:
        parts.append(block[at : at + size])
        at += size
    return Keys(*parts[::2]), Keys(*parts[1::2])


def keys_of_secret(secret: bytes, suite: Suite) -> Keys:
    """Of a traffic secret of TLS 1.3."""
    key = _expand_label(secret, b"key", suite.prf, suite.key_size)
    return Keys(b"", key, _expand_label(secret, b"iv", suite.prf, 12))


def updated(secret: bytes, suite: Suite) -> bytes:
    """The traffic secret behind a key update."""
    return _expand_label(secret, b"traffic upd", suite.prf, len(secret))


def _prf(secret: bytes, seed: bytes, digest: str, size: int) -> bytes:
    found, link = b"", seed
    while len(found) < size:
        link = hmac.digest(secret, link, digest)
        found += hmac.digest(secret, link + seed, digest)
    return found[:size]


def _expand_label(secret: bytes, label: bytes, digest: str, size: int) -> bytes:
    """HKDF-Expand-Label with an empty context."""
    full = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + b"\0"
    found, link, count = b"", b"", 1
    while len(found) < size:
        link = hmac.digest(secret, link + info + bytes([count]), digest)
        found, count = found + link, count + 1
    return found[:size]
