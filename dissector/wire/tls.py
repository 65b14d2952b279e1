"""Records and handshake messages of TLS, as far as they are not encrypted (RFC 5246, 8446, 6066, 7366, 7627, 8422).

Whatever is too short or contradicts itself is None: nothing here raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error
from typing import NamedTuple

CHANGE_CIPHER, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
#: Handshake messages.
HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO, NEW_TICKET, END_OF_EARLY_DATA, CERTIFICATE = 0, 1, 2, 4, 5, 11
CERTIFICATE_REQUEST, SERVER_DONE, CLIENT_KEY, FINISHED, KEY_UPDATE = 13, 14, 16, 20, 24
TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 = 0x0301, 0x0302, 0x0303, 0x0304
CLOSE_NOTIFY = 0

_VERSIONS = {
    0x0300: "SSL 3", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3",
}  # fmt: skip
_ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed", 22: "record_overflow",
    30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate", 42: "bad_certificate",
    43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
    47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error",
    70: "protocol_version", 71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback",
    90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension", 110: "unsupported_extension",
    112: "unrecognized_name", 113: "bad_certificate_status_response", 115: "unknown_psk_identity",
    116: "certificate_required", 120: "no_application_protocol",
}  # fmt: skip
#: The random of a server hello that asks for another client hello.
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_SERVER_NAME, _ENCRYPT_THEN_MAC, _EXTENDED_MASTER, _SESSION_TICKET = 0, 22, 23, 35
_EARLY_DATA, _SUPPORTED_VERSIONS = 42, 43
_RANDOM = 32
#: Suites and names that are kept.
_MOST_SUITES, _LONGEST_NAME = 256, 255
#: Certificates of a chain that are looked at.
_MOST_CERTIFICATES = 8

_RECORD_VERSIONS = frozenset((b"\x03\x01", b"\x03\x02", b"\x03\x03"))

_U16 = Struct("!H").unpack_from


def version_name(version: int) -> str:
    return _VERSIONS.get(version, f"0x{version:04X}")


def alert_name(code: int) -> str:
    return _ALERTS.get(code, f"alert {code}")


class ClientHello(NamedTuple):
    """``version`` is the highest that is offered, ``ticket`` that of a session to be resumed; ``early``: the client
    sends before it is answered."""

    version: int
    random: bytes
    session_id: bytes
    suites: tuple[int, ...]
    server_name: str | None
    ticket: bytes
    early: bool


class ServerHello(NamedTuple):
    """``retry``: it asks for another client hello."""

    version: int
    random: bytes
    session_id: bytes
    suite: int
    encrypt_then_mac: bool
    extended_master: bool
    retry: bool


def client_hello(body: bytes) -> ClientHello | None:
    try:
        version, random = _U16(body, 0)[0], body[2 : 2 + _RANDOM]
        session_id, at = _short(body, 2 + _RANDOM)
        suites, at = _long(body, at)
        _, at = _short(body, at)
        extensions = dict(_extensions(body, at))
    except (error, IndexError):
        return None
    numbers = tuple(_U16(suites, place)[0] for place in range(0, min(len(suites) & ~1, 2 * _MOST_SUITES), 2))
    offered = extensions.get(_SUPPORTED_VERSIONS, b"")
    versions = [_U16(offered, place)[0] for place in range(1, len(offered) - 1, 2)]
    highest = max((one for one in versions if one in _VERSIONS), default=version)
    name = _host(extensions.get(_SERVER_NAME, b""))
    ticket = extensions.get(_SESSION_TICKET, b"")
    return ClientHello(highest, random, session_id, numbers, name, ticket, _EARLY_DATA in extensions)


def server_hello(body: bytes) -> ServerHello | None:
    try:
        version, random = _U16(body, 0)[0], body[2 : 2 + _RANDOM]
        session_id, at = _short(body, 2 + _RANDOM)
        suite = _U16(body, at)[0]
        extensions = dict(_extensions(body, at + 3))
    except (error, IndexError):
        return None
    chosen = extensions.get(_SUPPORTED_VERSIONS, b"")
    if len(chosen) == 2:
        version = _U16(chosen, 0)[0]
    return ServerHello(
        version,
        random,
        session_id,
        suite,
        _ENCRYPT_THEN_MAC in extensions,
        _EXTENDED_MASTER in extensions,
        random == _RETRY,
    )


def certificates(body: bytes, *, is_1_3: bool) -> list[bytes]:
    """The certificates of a chain as DER, the sender's own first."""
    found: list[bytes] = []
    try:
        at = 1 + body[0] if is_1_3 else 0
        end = at + 3 + int.from_bytes(body[at : at + 3], "big")
        at += 3
        while at + 3 <= min(end, len(body)) and len(found) < _MOST_CERTIFICATES:
            size = int.from_bytes(body[at : at + 3], "big")
            found.append(body[at + 3 : at + 3 + size])
            at += 3 + size
            if is_1_3:
                at += 2 + _U16(body, at)[0]
    except (error, IndexError):
        pass
    return found


def new_ticket(body: bytes) -> bytes:
    """The ticket that a server of TLS 1.2 hands out."""
    return body[6 : 6 + int.from_bytes(body[4:6], "big")]


def key_exchange(body: bytes) -> bytes:
    """What the client of an RSA key exchange encrypted."""
    return body[2 : 2 + int.from_bytes(body[:2], "big")]


def is_client_hello(head: bytes) -> bool | None:
    """True where the first bytes of a connection begin with a hello of TLS, None where they may."""
    start = b"\x16\x03"
    if len(head) < 6:
        return None if start.startswith(head[:2]) and (len(head) < 3 or head[2] <= 4) else False
    return head[:2] == start and head[2] <= 4 and head[5] == CLIENT_HELLO


def is_record(head: bytes) -> bool:
    """True where the first bytes seen of a connection begin with a record."""
    return len(head) >= 5 and head[0] in range(CHANGE_CIPHER, APPLICATION + 1) and head[1:3] in _RECORD_VERSIONS


def _short(body: bytes, at: int) -> tuple[bytes, int]:
    """Bytes behind a length of one byte, and what is behind them."""
    end = at + 1 + body[at]
    return _within(body, at + 1, end), end


def _long(body: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + _U16(body, at)[0]
    return _within(body, at + 2, end), end


def _within(body: bytes, at: int, end: int) -> bytes:
    if end > len(body):
        raise IndexError
    return body[at:end]


def _extensions(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    if at + 2 > len(body):
        return
    at += 2
    while at + 4 <= len(body):
        kind = _U16(body, at)[0]
        value, at = _long(body, at + 2)
        yield kind, value


def _host(extension: bytes) -> str | None:
    """The first host of a server name extension; what has no place in such a name becomes a question mark."""
    if len(extension) < 5 or extension[2] != 0:
        return None
    name = extension[5 : 5 + _U16(extension, 3)[0]][:_LONGEST_NAME]
    return bytes(one if 0x20 < one < 0x7F else 0x3F for one in name).decode("ascii") or None
