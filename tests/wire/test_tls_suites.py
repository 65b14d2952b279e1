"""Suites of TLS beside what OpenSSL says of those that it has."""

from __future__ import annotations

import ssl

import pytest

from dissector.wire.tls_suites import BLOCKS, SUITES, suite_name


def test_suites_are_as_openssl_has_them() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    number = 0
    for known in context.get_ciphers():
        suite = SUITES.get(known["id"] & 0xFFFF)
        if suite is None:
            assert "ARIA" in known["name"] or "CAMELLIA" in known["name"] or not suite_name(known["id"] & 0xFFFF)
            continue
        number += 1
        # Of each byte of a key for DES seven bits count.
        assert suite.key_size * (7 if "3DES" in suite.cipher else 8) == known["alg_bits"]
        assert suite.is_aead is known["aead"]
        assert suite.is_aead or suite.mac == known["digest"]
        assert (suite.key_exchange == "-") is (known["protocol"] == "TLSv1.3")
    assert number > 20


@pytest.mark.parametrize(
    ("number", "facts"),
    [
        (0x0001, ("TLS_RSA_WITH_NULL_MD5", "NULL", 0, 0, "md5", 16, "sha256")),
        (0x0005, ("TLS_RSA_WITH_RC4_128_SHA", "RC4_128", 16, 0, "sha1", 20, "sha256")),
        (0x000A, ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "3DES_EDE_CBC", 24, 0, "sha1", 20, "sha256")),
        (0x002F, ("TLS_RSA_WITH_AES_128_CBC_SHA", "AES_128_CBC", 16, 0, "sha1", 20, "sha256")),
        (0xC027, ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "AES_128_CBC", 16, 0, "sha256", 32, "sha256")),
        (0xC028, ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "AES_256_CBC", 32, 0, "sha384", 48, "sha384")),
        (0xC02F, ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "AES_128_GCM", 16, 4, "sha256", 0, "sha256")),
        (0xC030, ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "AES_256_GCM", 32, 4, "sha384", 0, "sha384")),
        (0xC0AC, ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM", "AES_128_CCM", 16, 4, "sha256", 0, "sha256")),
        (0xC0AD, ("TLS_ECDHE_ECDSA_WITH_AES_256_CCM", "AES_256_CCM", 32, 4, "sha256", 0, "sha256")),
        (0xC0AE, ("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", "AES_128_CCM_8", 16, 4, "sha256", 0, "sha256")),
        (0xC0AF, ("TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", "AES_256_CCM_8", 32, 4, "sha256", 0, "sha256")),
        (0x1302, ("TLS_AES_256_GCM_SHA384", "AES_256_GCM", 32, 4, "sha384", 0, "sha384")),
        (0x1305, ("TLS_AES_128_CCM_8_SHA256", "AES_128_CCM_8", 16, 4, "sha256", 0, "sha256")),
        (0xCCA8, ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305", 32, 12, "sha256", 0, "sha256")),
    ],
)
def test_what_a_suite_needs(number: int, facts: tuple[object, ...]) -> None:
    suite = SUITES[number]
    assert (suite.number, suite_name(number)) == (number, suite.name)
    found = suite.name, suite.cipher, suite.key_size, suite.fixed_iv, suite.mac, suite.mac_size, suite.prf
    assert found == facts


def test_blocks() -> None:
    assert BLOCKS == {"AES_128_CBC": 16, "AES_256_CBC": 16, "3DES_EDE_CBC": 8}


def test_suites_that_can_not_be_read_are_named() -> None:
    assert suite_name(0x0096) == "TLS_RSA_WITH_SEED_CBC_SHA"
    assert suite_name(0xC060) == "TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256"
    assert suite_name(0x00FF) == "0x00FF"
