"""Cipher suites of TLS: numbers, names, and what is needed to read records that are protected with one.

Source: the IANA registry "TLS Cipher Suites".  The table has the suites that Java 8 to 17 offers, and their relatives;
what is not in it is named by its number and can not be read.
"""

from __future__ import annotations

from typing import NamedTuple

#: By cipher and hash: key exchange and number; ``-`` is TLS 1.3, where the suite does not name the key exchange.
_TABLE = """
NULL_MD5 RSA=0001
NULL_SHA RSA=0002 ECDH_ECDSA=C001 ECDHE_ECDSA=C006 ECDH_RSA=C00B ECDHE_RSA=C010 ECDH_anon=C015
NULL_SHA256 RSA=003B
RC4_128_MD5 RSA=0004 DH_anon=0018
RC4_128_SHA RSA=0005 ECDH_ECDSA=C002 ECDHE_ECDSA=C007 ECDH_RSA=C00C ECDHE_RSA=C011 ECDH_anon=C016
3DES_EDE_CBC_SHA RSA=000A DHE_DSS=0013 DHE_RSA=0016 DH_anon=001B ECDH_ECDSA=C003 ECDHE_ECDSA=C008 ECDH_RSA=C00D
3DES_EDE_CBC_SHA ECDHE_RSA=C012 ECDH_anon=C017
AES_128_CBC_SHA RSA=002F DHE_DSS=0032 DHE_RSA=0033 DH_anon=0034 ECDH_ECDSA=C004 ECDHE_ECDSA=C009 ECDH_RSA=C00E
AES_128_CBC_SHA ECDHE_RSA=C013 ECDH_anon=C018
AES_256_CBC_SHA RSA=0035 DHE_DSS=0038 DHE_RSA=0039 DH_anon=003A ECDH_ECDSA=C005 ECDHE_ECDSA=C00A ECDH_RSA=C00F
AES_256_CBC_SHA ECDHE_RSA=C014 ECDH_anon=C019
AES_128_CBC_SHA256 RSA=003C DHE_DSS=0040 DHE_RSA=0067 DH_anon=006C ECDHE_ECDSA=C023 ECDH_ECDSA=C025
AES_128_CBC_SHA256 ECDHE_RSA=C027 ECDH_RSA=C029
AES_256_CBC_SHA256 RSA=003D DHE_DSS=006A DHE_RSA=006B DH_anon=006D
AES_256_CBC_SHA384 ECDHE_ECDSA=C024 ECDH_ECDSA=C026 ECDHE_RSA=C028 ECDH_RSA=C02A
AES_128_GCM_SHA256 RSA=009C DHE_RSA=009E DHE_DSS=00A2 DH_anon=00A6 -=1301 ECDHE_ECDSA=C02B ECDH_ECDSA=C02D
AES_128_GCM_SHA256 ECDHE_RSA=C02F ECDH_RSA=C031
AES_256_GCM_SHA384 RSA=009D DHE_RSA=009F DHE_DSS=00A3 DH_anon=00A7 -=1302 ECDHE_ECDSA=C02C ECDH_ECDSA=C02E
AES_256_GCM_SHA384 ECDHE_RSA=C030 ECDH_RSA=C032
CHACHA20_POLY1305_SHA256 -=1303 ECDHE_RSA=CCA8 ECDHE_ECDSA=CCA9 DHE_RSA=CCAA
AES_128_CCM_SHA256 -=1304
AES_128_CCM_8_SHA256 -=1305
AES_128_CCM RSA=C09C DHE_RSA=C09E ECDHE_ECDSA=C0AC
AES_256_CCM RSA=C09D DHE_RSA=C09F ECDHE_ECDSA=C0AD
AES_128_CCM_8 RSA=C0A0 DHE_RSA=C0A2 ECDHE_ECDSA=C0AE
AES_256_CCM_8 RSA=C0A1 DHE_RSA=C0A3 ECDHE_ECDSA=C0AF
"""
#: Cipher -> bytes of its key, and of the part of its nonce or of its IV that comes from the handshake.
_CIPHERS = {
    "NULL": (0, 0),
    "RC4_128": (16, 0),
    "3DES_EDE_CBC": (24, 0),
    "AES_128_CBC": (16, 0),
    "AES_256_CBC": (32, 0),
    "AES_128_GCM": (16, 4),
    "AES_256_GCM": (32, 4),
    "AES_128_CCM": (16, 4),
    "AES_256_CCM": (32, 4),
    "AES_128_CCM_8": (16, 4),
    "AES_256_CCM_8": (32, 4),
    "CHACHA20_POLY1305": (32, 12),
}
_HASHES = {"MD5": 16, "SHA": 20, "SHA256": 32, "SHA384": 48}


class Suite(NamedTuple):
    """``mac_size`` is 0 where the cipher itself protects the bytes; ``prf`` is the hash of the key derivation
    (a name of hashlib), ``mac`` that of the records' MACs."""

    number: int
    name: str
    key_exchange: str
    cipher: str
    key_size: int
    fixed_iv: int
    mac: str
    mac_size: int
    prf: str

    @property
    def is_aead(self) -> bool:
        return self.mac_size == 0


def _suite(number: int, key_exchange: str, rest: str) -> Suite:
    cipher, _, digest = rest.rpartition("_")
    if digest not in _HASHES:
        cipher, digest = rest, "SHA256"
    key_size, fixed_iv = _CIPHERS[cipher]
    is_aead = fixed_iv > 0
    name = f"TLS_{rest}" if key_exchange == "-" else f"TLS_{key_exchange}_WITH_{rest}"
    mac = "sha1" if digest == "SHA" else digest.lower()
    prf = "sha384" if digest == "SHA384" else "sha256"
    return Suite(number, name, key_exchange, cipher, key_size, fixed_iv, mac, 0 if is_aead else _HASHES[digest], prf)


def _suites() -> dict[int, Suite]:
    found = {}
    for line in _TABLE.strip().splitlines():
        rest, *entries = line.split()
        for entry in entries:
            key_exchange, _, text = entry.partition("=")
            number = int(text, 16)
            found[number] = _suite(number, key_exchange, rest)
    return found


SUITES = _suites()


def suite_name(number: int) -> str:
    """The name of a suite; of one that is not known its number: ``0xC0FF``."""
    suite = SUITES.get(number)
    return suite.name if suite is not None else f"0x{number:04X}"
