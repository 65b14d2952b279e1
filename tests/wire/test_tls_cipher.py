"""Records of TLS that are sealed here by hand, opened: every cipher, its limits, and what does not fit."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import pytest

from dissector.wire import tls_cipher
from dissector.wire.tls_cipher import Opener, opener
from dissector.wire.tls_derive import Keys
from dissector.wire.tls_suites import SUITES, Suite

pytest.importorskip("cryptography")
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes

KIND, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 = 23, 0x0301, 0x0302, 0x0303, 0x0304
EXPLICIT, IV = bytes(range(8)), bytes(range(100, 112))
NULL, CBC, CBC_256 = SUITES[0x0002], SUITES[0x002F], SUITES[0xC028]
try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4, TripleDES
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import ARC4, TripleDES


def header(sequence: int, size: int, version: int = TLS_1_2) -> bytes:
    return sequence.to_bytes(8, "big") + bytes([KIND]) + version.to_bytes(2, "big") + size.to_bytes(2, "big")


def keys(suite: Suite, iv: int = 0) -> Keys:
    return Keys(b"m" * suite.mac_size, bytes(range(suite.key_size)), IV[: suite.fixed_iv] or bytes(range(iv)))


def made(suite: Suite, version: int = TLS_1_2, *, iv: int = 0, encrypt_then_mac: bool = False) -> Opener:
    return opener(keys(suite, iv), suite, version, encrypt_then_mac=encrypt_then_mac)


# --- ciphers that protect the bytes themselves -----------------------------------------------------------------------

SEALS: dict[int, tuple[Callable[[bytes], Any], int]] = {
    0xC02F: (aead.AESGCM, 16),
    0xC030: (aead.AESGCM, 16),
    0xC0AC: (aead.AESCCM, 16),
    0xC0AE: (lambda key: aead.AESCCM(key, 8), 8),
    0xCCA8: (aead.ChaCha20Poly1305, 16),
    0x1301: (aead.AESGCM, 16),
    0x1303: (aead.ChaCha20Poly1305, 16),
    0x1304: (aead.AESCCM, 16),
    0x1305: (lambda key: aead.AESCCM(key, 8), 8),
}


def counted(iv: bytes, sequence: int) -> bytes:
    return iv[:4] + bytes(one ^ two for one, two in zip(iv[4:], sequence.to_bytes(8, "big"), strict=True))


def sealed(number: int, sequence: int, plain: bytes) -> bytes:
    algorithm, tag = SEALS[number]
    seal = algorithm(bytes(range(SUITES[number].key_size))).encrypt
    if number < 0x1400:
        return bytes(seal(counted(IV, sequence), plain, header(0, len(plain) + tag)[8:]))
    if number == 0xCCA8:
        return bytes(seal(counted(IV, sequence), plain, header(sequence, len(plain))))
    return EXPLICIT + bytes(seal(IV[:4] + EXPLICIT, plain, header(sequence, len(plain))))


def opened(number: int) -> Opener:
    suite, version = SUITES[number], TLS_1_3 if number < 0x1400 else TLS_1_2
    return opener(
        Keys(b"", bytes(range(suite.key_size)), IV if number < 0x1400 else IV[: suite.fixed_iv]),
        suite,
        version,
        encrypt_then_mac=False,
    )


@pytest.mark.parametrize("number", SEALS)
@pytest.mark.parametrize("plain", [b"", b"a", b"the plain text"])
def test_ciphers_that_protect_the_bytes(number: int, plain: bytes) -> None:
    body, open_record = sealed(number, 300, plain), opened(number)
    assert open_record(300, KIND, TLS_1_2, body) == (plain if plain or number > 0x1400 else None)
    assert open_record(301, KIND, TLS_1_2, body) is None
    assert open_record(300, KIND - 1, TLS_1_2, body) is None
    assert open_record(300, KIND, TLS_1_1, body) is None
    assert open_record(300, KIND, TLS_1_2, body[:-1]) is None
    for size in range(26):
        assert open_record(300, KIND, TLS_1_2, bytes(size)) is None


def test_ciphers_that_are_ready_are_bounded_and_made_again() -> None:
    """Each keeps kilobytes, and very many connections may be open."""
    first, number = opened(0xC02F), 0xC02F
    assert first(1, KIND, TLS_1_2, sealed(number, 1, b"one")) == b"one"
    for key in range(1_100):
        other = Keys(b"", key.to_bytes(16, "big"), IV[:4])
        opener(other, SUITES[number], TLS_1_2, encrypt_then_mac=False)(1, KIND, TLS_1_2, bytes(40))
    assert tls_cipher._decrypt.cache_info().currsize == tls_cipher._MOST_CIPHERS == 1_024
    assert first(2, KIND, TLS_1_2, sealed(number, 2, b"two")) == b"two"


# --- blocks ----------------------------------------------------------------------------------------------------------


def enciphered(suite: Suite, iv: bytes, plain: bytes, padding: bytes = b"") -> bytes:
    """``plain`` behind the least padding, or that one."""
    size = len(iv)
    least = size - 1 - len(plain) % size
    key = bytes(range(suite.key_size))
    algorithm = TripleDES(key) if size == 8 else algorithms.AES(key)
    return bytes(Cipher(algorithm, modes.CBC(iv)).encryptor().update(plain + (padding or bytes([least]) * (least + 1))))


def proved(suite: Suite, sequence: int, plain: bytes, version: int = TLS_1_2) -> bytes:
    return hmac.digest(b"m" * suite.mac_size, header(sequence, len(plain), version) + plain, suite.mac)


BLOCK_SUITES = [SUITES[number] for number in (0x002F, 0x0035, 0xC028, 0x000A)]


@pytest.mark.parametrize("suite", BLOCK_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("plain", [b"", b"x", b"the plain text of a record"])
def test_blocks(suite: Suite, plain: bytes) -> None:
    iv = b"iv" * (4 if "3DES" in suite.cipher else 8)
    body = iv + enciphered(suite, iv, plain + proved(suite, 7, plain))
    open_record = made(suite)
    assert open_record(7, KIND, TLS_1_2, body) == plain
    assert open_record(8, KIND, TLS_1_2, body) is None
    assert open_record(7, KIND, TLS_1_2, body[:-1]) is None
    for size in (0, 1, len(iv) - 1, len(iv), len(iv) + 1, 2 * len(iv)):
        assert open_record(7, KIND, TLS_1_2, body[:size]) is None


@pytest.mark.parametrize(
    ("padding", "is_right"),
    [
        ("0B" * 12, True),
        ("1B" * 28, True),
        ("0A" * 12, False),
        ("0C" + "0B" * 11, False),
        ("00" * 11 + "0C", False),
        ("FF" * 12, False),
    ],
)
def test_padding(padding: str, is_right: bool) -> None:
    iv = bytes(16)
    plain = proved(CBC, 0, b"")
    body = iv + enciphered(CBC, iv, plain, bytes.fromhex(padding))
    assert made(CBC)(0, KIND, TLS_1_2, body) == (b"" if is_right else None)


def test_nothing_but_padding() -> None:
    iv = bytes(16)
    body = enciphered(CBC, iv, b"", b"\x0f" * 16)
    assert made(CBC, encrypt_then_mac=True)(0, KIND, TLS_1_2, with_mac(CBC, 0, iv + body)) == b""


def with_mac(suite: Suite, sequence: int, body: bytes, version: int = TLS_1_2) -> bytes:
    return body + proved(suite, sequence, body, version)


@pytest.mark.parametrize("suite", BLOCK_SUITES, ids=lambda suite: suite.name)
def test_blocks_with_the_mac_behind_them(suite: Suite) -> None:
    iv = bytes(range(8 if "3DES" in suite.cipher else 16))
    body, open_record = with_mac(suite, 7, iv + enciphered(suite, iv, b"plain")), made(suite, encrypt_then_mac=True)
    assert open_record(7, KIND, TLS_1_2, body) == b"plain"
    assert open_record(9, KIND, TLS_1_2, body) is None
    assert open_record(7, KIND, TLS_1_2, body[:-1] + b"?") is None


@pytest.mark.parametrize("encrypt_then_mac", [False, True])
def test_a_record_of_tls_1_0_begins_with_the_end_of_the_one_before(encrypt_then_mac: bool) -> None:
    """Behind a hole one record is not to be opened; asking twice for the same one, with another number, is."""
    iv, bodies = bytes(range(16)), []
    for sequence, plain in enumerate((b"one", b"two", b"three", b"four")):
        if encrypt_then_mac:
            last = enciphered(CBC, iv, plain)
            bodies.append(with_mac(CBC, sequence, last, TLS_1_0))
        else:
            last = enciphered(CBC, iv, plain + proved(CBC, sequence, plain, TLS_1_0))
            bodies.append(last)
        iv = last[-16:]
    for at, known in (([0, 1, 2, 3], [b"one", b"two", b"three", b"four"]), ([0, 2, 3], [b"one", None, b"four"])):
        open_record = made(CBC, TLS_1_0, iv=16, encrypt_then_mac=encrypt_then_mac)
        assert [open_record(one, KIND, TLS_1_0, bodies[one]) for one in at] == known
    open_record = made(CBC, TLS_1_0, iv=16, encrypt_then_mac=encrypt_then_mac)
    assert open_record(5, KIND, TLS_1_0, bodies[0]) is None
    assert open_record(0, KIND, TLS_1_0, bodies[0]) == b"one"


def test_which_versions_have_an_iv_in_each_record() -> None:
    for version, has_one in ((TLS_1_0, False), (TLS_1_1, True), (TLS_1_2, True)):
        iv = bytes(range(16))
        body = enciphered(CBC, iv, b"x" + proved(CBC, 0, b"x", version))
        assert made(CBC, version, iv=16)(0, KIND, version, (iv if has_one else b"") + body) == b"x"


# --- one byte after the other ----------------------------------------------------------------------------------------


def test_streams() -> None:
    suite = SUITES[0x0005]
    update, open_record = Cipher(ARC4(bytes(range(16))), None).encryptor().update, made(suite)
    for sequence, plain in enumerate((b"one", b"", b"three")):
        body = update(plain + proved(suite, sequence, plain))
        assert open_record(sequence, KIND, TLS_1_2, body) == plain


def test_no_cipher_at_all() -> None:
    body, open_record = with_mac(NULL, 1, b"plain"), made(NULL)
    assert open_record(1, KIND, TLS_1_2, body) == b"plain"
    assert open_record(2, KIND, TLS_1_2, body) is None
    assert open_record(1, KIND, TLS_1_2, body[1:]) is None
    assert open_record(1, KIND, TLS_1_2, b"") is None
