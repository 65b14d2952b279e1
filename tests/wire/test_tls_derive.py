"""Keys of TLS beside those of RFC 8448 and of OpenSSL (``openssl kdf``)."""

from __future__ import annotations

import pytest

from dissector.wire.tls_derive import Keys, keys_of_master, keys_of_secret, master_secret, updated
from dissector.wire.tls_suites import SUITES

AES_128, AES_256, CBC, CHACHA = SUITES[0x1301], SUITES[0xC030], SUITES[0x002F], SUITES[0x1303]
#: An odd number of bytes: the two hashes share the one in the middle.
PREMASTER = bytes(range(17))
CLIENT, SERVER = b"\xaa\xbb", b"\xcc\xdd"
TLS_1_0, TLS_1_1, TLS_1_2 = 0x0301, 0x0302, 0x0303
#: ``openssl kdf -kdfopt digest:MD5-SHA1 -kdfopt hexseed:6d617374657220736563726574aabbccdd ... TLS1-PRF``
BOTH = bytes.fromhex("0f738e9c4462de0d4f2d7794c64f2ed2cd972fb069366ea16ab12a9d7189d4a38fe7b52f8a703457c9eb0a9cbcae5ca7")
#: The same with SHA384.
SHA384 = bytes.fromhex(
    "dedc8604b4c0f11f0d396aad63570770f6e86fc6d5b559c214f9f2c0f439b98ef0566a2ab0de20699412b9101870d2bb"
)
#: ``-keylen 72``, a secret of 48 zeros, ``key expansion`` and the server's random first.
KEY_BLOCK = bytes.fromhex(
    "fd074a7078c55f5e936feab354ec9c083cdf4bb154a04192a7d78d543b6d26447f529453"
    "d1cff22d7781256d9673460bd7399b1c5f1e2f2775d251f269fea6abd1750d2306c04530"
)


def test_master_secrets() -> None:
    assert master_secret(PREMASTER, CBC, TLS_1_0, CLIENT, SERVER, None) == BOTH
    assert master_secret(PREMASTER, CBC, TLS_1_1, CLIENT, SERVER, None) == BOTH
    assert master_secret(PREMASTER, AES_256, TLS_1_2, CLIENT, SERVER, None) == SHA384


@pytest.mark.parametrize("version", [TLS_1_0, TLS_1_2])
def test_an_extended_master_secret_is_made_of_the_handshake(version: int) -> None:
    known = master_secret(PREMASTER, CBC, version, CLIENT, SERVER, b"handshake")
    assert known == master_secret(PREMASTER, CBC, version, SERVER, CLIENT, b"handshake")
    assert known != master_secret(PREMASTER, CBC, version, CLIENT, SERVER, b"other")
    assert known != master_secret(PREMASTER, CBC, version, CLIENT, SERVER, None)
    assert len(known) == 48


@pytest.mark.parametrize(("version", "iv"), [(TLS_1_0, 16), (TLS_1_1, 0), (TLS_1_2, 0)])
def test_how_a_key_block_is_cut(version: int, iv: int) -> None:
    """MACs, keys and IVs, of each the client's first; only TLS 1.0 takes the IV of a block cipher from there."""
    client, server = keys_of_master(bytes(48), CBC, version, CLIENT, SERVER)
    assert [len(part) for part in (*client, *server)] == [20, 16, iv, 20, 16, iv]
    assert len({*client, *server} - {b""}) == (6 if iv else 4)
    assert keys_of_master(bytes(48), CBC, version, SERVER, CLIENT) != (client, server)


def test_a_key_block() -> None:
    client, server = keys_of_master(bytes(48), AES_256, TLS_1_2, CLIENT, SERVER)
    assert (client.mac, server.mac, len(client.key), len(client.iv)) == (b"", b"", 32, 4)
    assert client.key + server.key + client.iv + server.iv == KEY_BLOCK


def test_keys_of_tls_1_3() -> None:
    """RFC 8448 section 3: the server's handshake keys."""
    secret = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
    key, iv = bytes.fromhex("3fce516009c21727d0f2e4e86ee403bc"), bytes.fromhex("5d313eb2671276ee13000b30")
    assert keys_of_secret(secret, AES_128) == Keys(b"", key, iv)
    assert len(keys_of_secret(secret, CHACHA).key) == 32


def test_the_next_secret_of_tls_1_3() -> None:
    """``openssl kdf -kdfopt mode:EXPAND_ONLY ... HKDF``"""
    known = "1c8c2735761dcde34e19a6bba9bb25e96c08c452ed4bcd47ce206cab528016ca"
    assert updated(b"\x11" * 32, AES_128) == bytes.fromhex(known)
    assert len(updated(bytes(48), SUITES[0x1302])) == 48
