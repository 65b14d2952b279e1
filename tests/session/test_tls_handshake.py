"""Handshakes of TLS 1.2 message by message: which secret their keys are made of."""

from __future__ import annotations

import pytest

from dissector.limits import MAX_TLS_HANDSHAKE
from dissector.session.tls_handshake import Handshake
from dissector.sides import Mark
from dissector.tlsfacts import TlsFacts
from dissector.traffic import Side
from dissector.wire import tls
from dissector.wire.tls_keys import Secrets
from dissector.wire.tls_suites import SUITES

pytest.importorskip("cryptography")
RANDOM, PREMASTER, ENCRYPTED = bytes(range(32)), b"\3\3" + bytes(46), b"encrypted"
AES_RSA, AES_ECDHE_RSA = b"\0\x2f", b"\xc0\x13"
EXTENDED = b"\0\4\0\x17\0\0"


def shaken(secrets: Secrets, suite: bytes = AES_RSA, extensions: bytes = b"", more: int = 0) -> Handshake:
    """Up to the client's key, behind a certificate of ``more`` bytes."""
    made = Handshake(TlsFacts(), secrets)
    messages = [
        (Side.CLIENT, tls.CLIENT_HELLO, b"\3\3" + RANDOM + b"\0\0\2" + suite + b"\1\0"),
        (Side.SERVER, tls.SERVER_HELLO, b"\3\3" + RANDOM[::-1] + b"\0" + suite + b"\0" + extensions),
        (Side.SERVER, tls.CERTIFICATE, bytes(more)),
        (Side.CLIENT, tls.CLIENT_KEY, len(ENCRYPTED).to_bytes(2, "big") + ENCRYPTED),
    ]
    for number, (side, kind, body) in enumerate(messages, 1):
        made.message(side, kind, body, Mark(number, number))
    return made


def known(premaster: bytes = PREMASTER) -> Secrets:
    secrets = Secrets()
    secrets.add_log(f"PMS_CLIENT_RANDOM {RANDOM.hex()} {premaster.hex()}".encode())
    return secrets


@pytest.mark.parametrize(("suite", "is_opened"), [(AES_RSA, True), (AES_ECDHE_RSA, False)])
def test_a_key_of_a_server_opens_an_rsa_key_exchange_only(suite: bytes, is_opened: bool) -> None:
    secrets, asked = Secrets(), list[bytes]()

    def open_rsa(encrypted: bytes) -> bytes:
        asked.append(encrypted)
        return PREMASTER

    secrets.rsa = [open_rsa]
    assert (shaken(secrets, suite).openers() is not None) is is_opened
    assert asked == ([ENCRYPTED] if is_opened else [])


def test_a_premaster_secret_that_is_known_is_enough() -> None:
    assert shaken(known()).openers() is not None
    assert shaken(known(), AES_ECDHE_RSA).openers() is not None
    assert shaken(Secrets()).openers() is None


@pytest.mark.parametrize(("extensions", "needs_all"), [(b"", False), (EXTENDED, True)])
def test_an_extended_master_secret_needs_the_whole_handshake(extensions: bytes, needs_all: bool) -> None:
    assert shaken(known(), extensions=extensions).openers() is not None
    made = shaken(known(), extensions=extensions, more=MAX_TLS_HANDSHAKE + 1)
    assert (made.openers() is None) is needs_all


@pytest.mark.parametrize("is_extended", [True, False])
def test_a_session_is_remembered_by_its_ticket(is_extended: bool) -> None:
    """Whether that comes before its secret is known or behind it."""
    for is_late in (False, True):
        secrets = known()
        made = shaken(secrets, extensions=EXTENDED if is_extended else b"")
        assert not is_late or made.openers() is not None
        made.message(Side.SERVER, tls.NEW_TICKET, b"life\0\6ticket", Mark(9, 9))
        assert is_late or made.openers() is not None
        assert secrets.of_session(b"ticket") is not None


@pytest.mark.parametrize(
    ("suite", "versions"),
    [
        (None, {tls.TLS_1_0, tls.TLS_1_1, tls.TLS_1_2}),
        (0x0005, {tls.TLS_1_0, tls.TLS_1_1, tls.TLS_1_2}),
        (0x002F, {tls.TLS_1_0}),
        (0x009C, set[int]()),
    ],
    ids=["none", "stream", "blocks", "aead"],
)
def test_which_records_can_only_be_opened_in_a_row(suite: int | None, versions: set[int]) -> None:
    made = Handshake(TlsFacts(), Secrets())
    made.suite = None if suite is None else SUITES[suite]
    for version in (tls.TLS_1_0, tls.TLS_1_1, tls.TLS_1_2):
        made._version = version
        assert made.is_chained is (version in versions), hex(version)
