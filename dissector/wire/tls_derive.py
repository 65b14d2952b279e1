"""The keys of TLS, made of its secrets.

That is putting hashes of the standard library together as RFC 2246 and RFC 5246 section 5, RFC 7627 and RFC 8446
section 7 say;
ciphers and RSA are those of a library (``tls_cipher``).
"""

from __future__ import annotations

import hmac
from functools import reduce
from hashlib import new as new_hash
from operator import xor
from typing import NamedTuple

from dissector.wire.tls import TLS_1_0, TLS_1_2
from dissector.wire.tls_suites import BLOCKS, Suite

#: Bytes of a master secret.
MASTER = 48
#: Before TLS 1.2 both at once, whatever the suite.
_BOTH = "md5", "sha1"


class Keys(NamedTuple):
    """What one side protects its records with; ``mac`` is empty where the cipher itself protects them."""

    mac: bytes
    key: bytes
    iv: bytes


def master_secret(
    premaster: bytes, suite: Suite, version: int, client_random: bytes, server_random: bytes, handshake: bytes | None
) -> bytes:
    """``handshake``: all messages up to the key exchange, where both sides agreed on an extended master secret."""
    label, seed = b"master secret", client_random + server_random
    digests = _digests(suite, version)
    if handshake is not None:
        label = b"extended master secret"
        seed = b"".join(new_hash(one, handshake, usedforsecurity=False).digest() for one in digests)
    return _prf(premaster, label + seed, digests, MASTER)


def keys_of_master(
    master: bytes, suite: Suite, version: int, client_random: bytes, server_random: bytes
) -> tuple[Keys, Keys]:
    """The client's and the server's, up to TLS 1.2."""
    iv = BLOCKS.get(suite.cipher, 0) if version <= TLS_1_0 else suite.fixed_iv
    sizes = [size for size in (suite.mac_size, suite.key_size, iv) for _ in range(2)]
    block = _prf(master, b"key expansion" + server_random + client_random, _digests(suite, version), sum(sizes))
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


def _digests(suite: Suite, version: int) -> tuple[str, ...]:
    """The hashes of the key derivation."""
    return (suite.prf,) if version >= TLS_1_2 else _BOTH


def _prf(secret: bytes, seed: bytes, digests: tuple[str, ...], size: int) -> bytes:
    """Each of two hashes has a half of the secret, which share the byte in the middle."""
    half = -(-len(secret) // len(digests))
    parts = zip((secret[:half], secret[-half:]), digests, strict=False)
    found = [int.from_bytes(_expanded(part, seed, digest, size), "big") for part, digest in parts]
    return reduce(xor, found).to_bytes(size, "big")


def _expanded(secret: bytes, seed: bytes, digest: str, size: int) -> bytes:
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
