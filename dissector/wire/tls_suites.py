"""Cipher suites of TLS: numbers, names, and what is needed to read records that are protected with one.

Source: the IANA registry "TLS Cipher Suites".  The tables have the suites that Java 8 to 17 and OpenSSL offer, and
their relatives; what is in none of them is named by its number and can not be read.
"""

from __future__ import annotations

from collections.abc import Iterator
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
NULL_SHA PSK=002C DHE_PSK=002D RSA_PSK=002E ECDHE_PSK=C039
NULL_SHA256 PSK=00B0 DHE_PSK=00B4 RSA_PSK=00B8 ECDHE_PSK=C03A
NULL_SHA384 PSK=00B1 DHE_PSK=00B5 RSA_PSK=00B9 ECDHE_PSK=C03B
AES_128_CBC_SHA PSK=008C DHE_PSK=0090 RSA_PSK=0094 ECDHE_PSK=C035 SRP_SHA=C01D SRP_SHA_RSA=C01E SRP_SHA_DSS=C01F
AES_256_CBC_SHA PSK=008D DHE_PSK=0091 RSA_PSK=0095 ECDHE_PSK=C036 SRP_SHA=C020 SRP_SHA_RSA=C021 SRP_SHA_DSS=C022
AES_128_CBC_SHA256 PSK=00AE DHE_PSK=00B2 RSA_PSK=00B6 ECDHE_PSK=C037
AES_256_CBC_SHA384 PSK=00AF DHE_PSK=00B3 RSA_PSK=00B7 ECDHE_PSK=C038
AES_128_GCM_SHA256 PSK=00A8 DHE_PSK=00AA RSA_PSK=00AC
AES_256_GCM_SHA384 PSK=00A9 DHE_PSK=00AB RSA_PSK=00AD
CHACHA20_POLY1305_SHA256 PSK=CCAB ECDHE_PSK=CCAC DHE_PSK=CCAD RSA_PSK=CCAE
AES_128_CCM PSK=C0A4 DHE_PSK=C0A6
AES_256_CCM PSK=C0A5 DHE_PSK=C0A7
AES_128_CCM_8 PSK=C0A8 PSK_DHE=C0AA
AES_256_CCM_8 PSK=C0A9 PSK_DHE=C0AB
"""
#: The same of suites that can not be read.
_NAMED = """
SEED_CBC_SHA RSA=0096 DHE_DSS=0099 DHE_RSA=009A DH_anon=009B
IDEA_CBC_SHA RSA=0007
DES_CBC_SHA RSA=0009 DHE_DSS=0012 DHE_RSA=0015 DH_anon=001A
CAMELLIA_128_CBC_SHA RSA=0041 DHE_DSS=0044 DHE_RSA=0045 DH_anon=0046
CAMELLIA_256_CBC_SHA RSA=0084 DHE_DSS=0087 DHE_RSA=0088 DH_anon=0089
CAMELLIA_128_CBC_SHA256 RSA=00BA DHE_DSS=00BD DHE_RSA=00BE DH_anon=00BF ECDHE_ECDSA=C072 ECDHE_RSA=C076
CAMELLIA_128_CBC_SHA256 PSK=C094 DHE_PSK=C096 RSA_PSK=C098 ECDHE_PSK=C09A
CAMELLIA_256_CBC_SHA256 RSA=00C0 DHE_DSS=00C3 DHE_RSA=00C4 DH_anon=00C5
CAMELLIA_256_CBC_SHA384 ECDHE_ECDSA=C073 ECDHE_RSA=C077 PSK=C095 DHE_PSK=C097 RSA_PSK=C099 ECDHE_PSK=C09B
ARIA_128_GCM_SHA256 RSA=C050 DHE_RSA=C052 DHE_DSS=C056 ECDHE_ECDSA=C05C ECDHE_RSA=C060 PSK=C06A DHE_PSK=C06C
ARIA_128_GCM_SHA256 RSA_PSK=C06E
ARIA_256_GCM_SHA384 RSA=C051 DHE_RSA=C053 DHE_DSS=C057 ECDHE_ECDSA=C05D ECDHE_RSA=C061 PSK=C06B DHE_PSK=C06D
ARIA_256_GCM_SHA384 RSA_PSK=C06F
"""
#: Cipher -> bytes of its key, and of the part of its nonce that comes from the handshake; and of its blocks.
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
BLOCKS = {"AES_128_CBC": 16, "AES_256_CBC": 16, "3DES_EDE_CBC": 8}
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
    mac = "sha1" if digest == "SHA" else digest.lower()
    prf = "sha384" if digest == "SHA384" else "sha256"
    mac_size = 0 if is_aead else _HASHES[digest]
    return Suite(number, _name(key_exchange, rest), key_exchange, cipher, key_size, fixed_iv, mac, mac_size, prf)


def _name(key_exchange: str, rest: str) -> str:
    return f"TLS_{rest}" if key_exchange == "-" else f"TLS_{key_exchange}_WITH_{rest}"


def _entries(table: str) -> Iterator[tuple[int, str, str]]:
    """Number, key exchange, and what is behind ``WITH``."""
    for line in table.strip().splitlines():
        rest, *entries = line.split()
        for entry in entries:
            key_exchange, _, text = entry.partition("=")
            yield int(text, 16), key_exchange, rest


SUITES = {entry[0]: _suite(*entry) for entry in _entries(_TABLE)}
_NAMES = {number: _name(key_exchange, rest) for number, key_exchange, rest in _entries(_NAMED)}


def suite_name(number: int) -> str:
    """The name of a suite; of one that is not known its number: ``0xC0FF``."""
    suite = SUITES.get(number)
    return suite.name if suite is not None else _NAMES.get(number, f"0x{number:04X}")
