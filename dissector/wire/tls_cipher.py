"""Records of TLS opened by the ciphers of the package cryptography, which is asked for only when there are keys.

docs/decisions/0018-tls-records.md says why records are cut and numbered here and deciphered there.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from struct import Struct
from typing import Any

from dissector.errors import ToolError
from dissector.wire.tls_derive import Keys
from dissector.wire.tls_keys import OpenRsa
from dissector.wire.tls_suites import Suite

MISSING = "decrypting TLS needs the package cryptography: pip install 'jstrace[tls]'"

#: Opens record number ``sequence`` of one side: its type, its version and its bytes behind the header; None where the
#: keys do not fit.
Opener = Callable[[int, int, int, bytes], "bytes | None"]

_SEQUENCE = Struct("!Q").pack
_HEADER = Struct("!QBHH").pack
_AAD_1_3 = Struct("!BHH").pack
_BLOCKS = {"AES_128_CBC": 16, "AES_256_CBC": 16, "3DES_EDE_CBC": 8}


def require() -> None:
    """:raises ToolError: the package is not installed"""
    try:
        from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: F401  all that may be needed later
        from cryptography.hazmat.primitives.ciphers import aead, modes  # noqa: F401  likewise
    except ImportError:
        raise ToolError(MISSING) from None


def opener(keys: Keys, suite: Suite, *, is_1_3: bool, encrypt_then_mac: bool) -> Opener:
    """For the records of one side, which have to be opened in order where the cipher is RC4."""
    if suite.is_aead:
        return _aead_1_3(keys, suite) if is_1_3 else _aead(keys, suite)
    if suite.cipher in _BLOCKS:
        return _block(keys, suite, encrypt_then_mac=encrypt_then_mac)
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


def _algorithm(suite: Suite, key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers import aead

    if suite.cipher == "CHACHA20_POLY1305":
        return aead.ChaCha20Poly1305(key)
    if suite.cipher.endswith("GCM"):
        return aead.AESGCM(key)
    return aead.AESCCM(key, 8 if suite.cipher.endswith("CCM_8") else 16)


def _tag_size(suite: Suite) -> int:
    return 8 if suite.cipher.endswith("CCM_8") else 16


def _nonce(iv: int, sequence: int) -> bytes:
    return (iv ^ sequence).to_bytes(12, "big")


def _aead(keys: Keys, suite: Suite) -> Opener:
    """TLS 1.2: a part of the nonce stands before the bytes, but for ChaCha20 (RFC 5288, 6655, 7905)."""
    from cryptography.exceptions import InvalidTag

    decrypt, tag, implicit = _algorithm(suite, keys.key).decrypt, _tag_size(suite), keys.iv
    explicit, whole = (0, int.from_bytes(implicit, "big")) if len(implicit) == 12 else (8, 0)

    def open_record(sequence: int, kind: int, version: int, body: bytes) -> bytes | None:
        size = len(body) - explicit - tag
        if size < 0:
            return None
        nonce = implicit + body[:8] if explicit else _nonce(whole, sequence)
        try:
            plain: bytes = decrypt(nonce, body[explicit:], _HEADER(sequence, kind, version, size))
        except InvalidTag:
            return None
        return plain

    return open_record


def _aead_1_3(keys: Keys, suite: Suite) -> Opener:
    from cryptography.exceptions import InvalidTag

    decrypt, iv, tag = _algorithm(suite, keys.key).decrypt, int.from_bytes(keys.iv, "big"), _tag_size(suite)

    def open_record(sequence: int, kind: int, version: int, body: bytes) -> bytes | None:
        if len(body) <= tag:
            return None
        try:
            plain: bytes = decrypt(_nonce(iv, sequence), body, _AAD_1_3(kind, version, len(body)))
        except InvalidTag:
            return None
        return plain

    return open_record


def _block(keys: Keys, suite: Suite, *, encrypt_then_mac: bool) -> Opener:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    block, size, mac, digest = _BLOCKS[suite.cipher], suite.mac_size, keys.mac, suite.mac
    algorithm: Any = _triple_des(keys.key) if block == 8 else algorithms.AES(keys.key)

    def decipher(body: bytes) -> bytes | None:
        """Without IV and padding."""
        if len(body) < 2 * block or len(body) % block:
            return None
        plain: bytes = Cipher(algorithm, modes.CBC(body[:block])).decryptor().update(body[block:])
        behind = plain[-1] + 1
        return plain[:-behind] if behind <= len(plain) and plain.endswith(plain[-1:] * behind) else None

    def open_record(sequence: int, kind: int, version: int, body: bytes) -> bytes | None:
        if encrypt_then_mac:
            body, tag = body[:-size], body[-size:]
            header = _HEADER(sequence, kind, version, len(body))
            return decipher(body) if hmac.digest(mac, header + body, digest) == tag else None
        plain = decipher(body)
        return None if plain is None else _checked(plain, size, mac, digest, (sequence, kind, version))

    return open_record


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
