"""Records of TLS opened by the ciphers of the package cryptography, which is asked for only when there are keys.

docs/decisions/0018-tls-records.md says why records are cut and numbered here and deciphered there.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Any

from dissector.errors import ToolError
from dissector.wire.tls import TLS_1_0, TLS_1_3
from dissector.wire.tls_derive import Keys
from dissector.wire.tls_keys import OpenRsa
from dissector.wire.tls_suites import BLOCKS, Suite

MISSING = "decrypting TLS needs the package cryptography: pip install 'jstrace[tls]'"

#: Opens record number ``sequence`` of one side: its type, its version and its bytes behind the header; None where the
#: keys do not fit.
Opener = Callable[[int, int, int, bytes], "bytes | None"]

#: Ciphers that are ready, of those used last: each has 2.5 KB, and connections are many; making one takes microseconds.
_MOST_CIPHERS = 1_024
_SEQUENCE = Struct("!Q").pack
_HEADER = Struct("!QBHH").pack
_AAD_1_3 = Struct("!BHH").pack


def require() -> None:
    """:raises ToolError: the package is not installed"""
    try:
        from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: F401  all that may be needed later
        from cryptography.hazmat.primitives.ciphers import aead, modes  # noqa: F401  likewise
    except ImportError:
        raise ToolError(MISSING) from None


def opener(keys: Keys, suite: Suite, version: int, *, encrypt_then_mac: bool) -> Opener:
    """For the records of one side, which have to be opened in order where the cipher is RC4 or the version TLS 1.0."""
    if suite.is_aead:
        return _aead_1_3(keys, suite) if version == TLS_1_3 else _aead(keys, suite)
    if suite.cipher in BLOCKS:
        return _block(keys, suite, is_chained=version <= TLS_1_0, encrypt_then_mac=encrypt_then_mac)
    return _stream(keys, suite)


def rsa_opener(pem: bytes) -> OpenRsa:
    """:raises ValueError: no RSA key in PEM, or one with a password"""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise ValueError("the key has a password: take it off with openssl rsa -in FILE") from None
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    except ValueError:
        raise ValueError("this is no private key in PEM") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("this is no RSA key, and only an RSA key exchange can be opened by a private key")
    size = (key.key_size + 7) // 8

    def open_rsa(encrypted: bytes) -> bytes | None:
        if len(encrypted) != size:
            return None
        try:
            secret: bytes = key.decrypt(encrypted, padding.PKCS1v15())
        except ValueError:
            return None
        # With a key of another server newer libraries give random bytes instead of an error.
        return secret if len(secret) == 48 and secret[0] == 3 else None

    return open_rsa


@lru_cache(_MOST_CIPHERS)
def _decrypt(cipher: str, key: bytes) -> Callable[[bytes, bytes, bytes], bytes]:
    from cryptography.hazmat.primitives.ciphers import aead

    made: Any
    if cipher == "CHACHA20_POLY1305":
        made = aead.ChaCha20Poly1305(key)
    elif cipher.endswith("GCM"):
        made = aead.AESGCM(key)
    else:
        made = aead.AESCCM(key, 8 if cipher.endswith("CCM_8") else 16)
    decrypt: Callable[[bytes, bytes, bytes], bytes] = made.decrypt
    return decrypt


def _tag_size(suite: Suite) -> int:
    return 8 if suite.cipher.endswith("CCM_8") else 16


def _nonce(iv: int, sequence: int) -> bytes:
    return (iv ^ sequence).to_bytes(12, "big")


def _aead(keys: Keys, suite: Suite) -> Opener:
    """TLS 1.2: a part of the nonce stands before the bytes, but for ChaCha20 (RFC 5288, 6655, 7905)."""
    from cryptography.exceptions import InvalidTag

    cipher, key, tag, implicit = suite.cipher, keys.key, _tag_size(suite), keys.iv
    explicit, whole = (0, int.from_bytes(implicit, "big")) if len(implicit) == 12 else (8, 0)

    def open_record(sequence: int, kind: int, version: int, body: bytes) -> bytes | None:
        size = len(body) - explicit - tag
        if size < 0:
            return None
        nonce = implicit + body[:8] if explicit else _nonce(whole, sequence)
        try:
            plain = _decrypt(cipher, key)(nonce, body[explicit:], _HEADER(sequence, kind, version, size))
        except InvalidTag:
            return None
        return plain

    return open_record


def _aead_1_3(keys: Keys, suite: Suite) -> Opener:
    from cryptography.exceptions import InvalidTag

    cipher, key, iv, tag = suite.cipher, keys.key, int.from_bytes(keys.iv, "big"), _tag_size(suite)

    def open_record(sequence: int, kind: int, version: int, body: bytes) -> bytes | None:
        if len(body) <= tag:
            return None
        try:
            plain = _decrypt(cipher, key)(_nonce(iv, sequence), body, _AAD_1_3(kind, version, len(body)))
        except InvalidTag:
            return None
        return plain

    return open_record


def _block(keys: Keys, suite: Suite, *, is_chained: bool, encrypt_then_mac: bool) -> Opener:
    """``is_chained``: a record begins with what the last one ended with (TLS 1.0), not with an IV of its own."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    block, size, mac, digest = BLOCKS[suite.cipher], suite.mac_size, keys.mac, suite.mac
    algorithm: Any = _triple_des(keys.key) if block == 8 else algorithms.AES(keys.key)
    chain = _Chain(keys.iv)

    def decipher(body: bytes) -> bytes | None:
        """Without IV and padding."""
        iv, body = (chain.before(body), body) if is_chained else (body[:block], body[block:])
        if len(iv) < block or not body or len(body) % block:
            return None
        plain: bytes = Cipher(algorithm, modes.CBC(iv)).decryptor().update(body)
        behind = plain[-1] + 1
        return plain[:-behind] if behind <= len(plain) and plain.endswith(plain[-1:] * behind) else None

    def open_record(sequence: int, kind: int, version: int, body: bytes) -> bytes | None:
        if encrypt_then_mac:
            body, tag = body[:-size], body[-size:]
            plain, header = decipher(body), _HEADER(sequence, kind, version, len(body))
            is_right = hmac.digest(mac, header + body, digest) == tag
            # Behind a hole the MAC is right, and what a chained record begins with is not.
            return plain if is_right and (chain.goes_on(sequence) or not is_chained) else None
        plain = decipher(body)
        return None if plain is None else _checked(plain, size, mac, digest, (sequence, kind, version))

    return open_record


class _Chain:
    """What stands before each record in the cipher of one side; behind a hole nobody knows it for one record."""

    def __init__(self, iv: bytes) -> None:
        self._iv, self._size = iv, len(iv)
        self._body: bytes | None = None
        self._next = 0

    def goes_on(self, sequence: int) -> bool:
        """True where the record that is known to have this number follows the last one."""
        follows, self._next = sequence == self._next, sequence + 1
        return follows

    def before(self, body: bytes) -> bytes:
        """``body`` is the next record, or once more the last one, with another number."""
        if self._body is not None and body != self._body:
            self._iv = self._body[-self._size :]
        self._body = body
        return self._iv


def _stream(keys: Keys, suite: Suite) -> Opener:
    size, mac, digest = suite.mac_size, keys.mac, suite.mac
    update = _rc4(keys.key) if suite.cipher == "RC4_128" else bytes

    def open_record(sequence: int, kind: int, version: int, body: bytes) -> bytes | None:
        return _checked(update(body), size, mac, digest, (sequence, kind, version))

    return open_record


def _checked(plain: bytes, size: int, mac: bytes, digest: str, about: tuple[int, int, int]) -> bytes | None:
    """The bytes before their MAC, if it is right."""
    plain, tag = plain[:-size], plain[-size:]
    header = _HEADER(*about, len(plain))
    return plain if hmac.digest(mac, header + plain, digest) == tag else None


def _triple_des(key: bytes) -> Any:
    try:
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    except ImportError:  # before 43
        from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
    return TripleDES(key)


def _rc4(key: bytes) -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives.ciphers import Cipher

    try:
        from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
    except ImportError:  # before 43
        from cryptography.hazmat.primitives.ciphers.algorithms import ARC4
    update: Callable[[bytes], bytes] = Cipher(ARC4(key), None).decryptor().update
    return update
