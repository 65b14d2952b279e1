"""What is readable of TLS, byte by byte: hellos, chains, tickets; the first bytes of a connection."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest

from dissector.wire import tls

RANDOM, SESSION = bytes(range(32)), b"session"
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def sized(data: bytes, size: int = 2) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, value: bytes) -> bytes:
    return kind.to_bytes(2, "big") + sized(value)


def asked(*extensions: bytes, suites: bytes = b"\xc0\x2f\x00\x35", version: bytes = b"\x03\x03") -> bytes:
    """A client hello; without extensions it has no place for them."""
    behind = sized(b"".join(extensions)) if extensions else b""
    return version + RANDOM + sized(SESSION, 1) + sized(suites) + b"\1\0" + behind


def answered(*extensions: bytes, random: bytes = RANDOM) -> bytes:
    return b"\x03\x03" + random + sized(SESSION, 1) + b"\xc0\x2f\0" + sized(b"".join(extensions))


def client(*extensions: bytes, suites: bytes = b"") -> tls.ClientHello:
    found = tls.client_hello(asked(*extensions, suites=suites))
    assert found is not None
    return found


def server(*extensions: bytes, random: bytes = RANDOM) -> tls.ServerHello:
    found = tls.server_hello(answered(*extensions, random=random))
    assert found is not None
    return found


# --- names -----------------------------------------------------------------------------------------------------------


def test_alerts_have_the_names_that_others_give_them() -> None:
    others = {"user_cancelled": "user_canceled"}
    unknown = {"certificate_unobtainable", "bad_certificate_hash_value"}
    for alert in ssl.AlertDescription:
        name = alert.name.removeprefix("ALERT_DESCRIPTION_").lower()
        expected = f"alert {alert.value}" if name in unknown else others.get(name, name)
        assert tls.alert_name(alert.value) == expected
    more = {21: "decryption_failed", 41: "no_certificate", 86: "inappropriate_fallback", 109: "missing_extension"}
    for code, name in {**more, 116: "certificate_required", 120: "no_application_protocol", 1: "alert 1"}.items():
        assert tls.alert_name(code) == name


def test_versions_have_their_names() -> None:
    for version in ssl.TLSVersion:
        if version.value > 0:
            name = version.name.replace("SSLv3", "SSL 3").replace("TLSv1_", "TLS 1.").replace("TLSv1", "TLS 1.0")
            assert tls.version_name(version.value) == name
    assert tls.version_name(0x0305) == "0x0305"
    assert [tls.TLS_1_0, tls.TLS_1_1, tls.TLS_1_2, tls.TLS_1_3] == [0x0301, 0x0302, 0x0303, 0x0304]


def test_the_numbers_of_records_and_messages() -> None:
    """Those of RFC 8446, appendix B, whose names are longer."""
    assert [tls.CHANGE_CIPHER, tls.ALERT, tls.HANDSHAKE, tls.APPLICATION] == [20, 21, 22, 23]
    assert [tls.HELLO_REQUEST, tls.CLIENT_HELLO, tls.SERVER_HELLO, tls.NEW_TICKET] == [0, 1, 2, 4]
    assert [tls.END_OF_EARLY_DATA, tls.CERTIFICATE, tls.CERTIFICATE_REQUEST, tls.SERVER_DONE] == [5, 11, 13, 14]
    assert [tls.CLIENT_KEY, tls.FINISHED, tls.KEY_UPDATE, tls.CLOSE_NOTIFY] == [16, 20, 24, 0]


# --- hellos ----------------------------------------------------------------------------------------------------------


def test_a_hello_without_extensions() -> None:
    assert tls.client_hello(asked()) == (0x0303, RANDOM, SESSION, (0xC02F, 0x0035), None, b"", False)
    assert tls.server_hello(answered()[:-2]) == (0x0303, RANDOM, SESSION, 0xC02F, False, False, False)


@pytest.mark.parametrize(
    ("read", "hello", "least", "two"),
    [
        (tls.client_hello, asked(), len(asked()), asked(extension(35, b"tick"), extension(42, b"x"))),
        (tls.server_hello, answered()[:-2], len(answered()) - 3, answered(extension(22, b"tick"), extension(23, b"x"))),
    ],
    ids=["client", "server"],
)
def test_a_hello_that_is_cut(read: Callable[[bytes], object], hello: bytes, least: int, two: bytes) -> None:
    """All but its extensions is there, and of these all that begin; a server's compression is not looked at."""
    first = len(hello) + 2 + 8
    for end in range(len(two)):
        is_whole = least <= end < len(hello) + 2 + 4 or first <= end < first + 4
        assert (read(two[:end]) is not None) is is_whole, end
    assert read(two) is not None


def test_how_many_suites_are_kept() -> None:
    assert client(suites=b"\0\x2f\0").suites == (0x2F,)
    for number in (255, 256, 257):
        assert len(client(suites=b"\0\x2f" * number).suites) == min(number, 256)


@pytest.mark.parametrize(
    ("offered", "version"),
    [
        ("0303", 0x0303),
        ("0303 0304", 0x0304),
        ("0304 0301", 0x0304),
        ("0301 0302", 0x0302),
        ("0A0A 0304 7F1C", 0x0304),
        ("0A0A", 0x0303),
        ("", 0x0303),
        ("0301 03", 0x0301),
    ],
)
def test_the_highest_version_that_is_offered(offered: str, version: int) -> None:
    assert client(extension(43, sized(bytes.fromhex(offered), 1))).version == version


@pytest.mark.parametrize(("chosen", "version"), [("0304", 0x0304), ("03", 0x0303), ("030405", 0x0303), ("", 0x0303)])
def test_the_version_that_is_chosen(chosen: str, version: int) -> None:
    assert server(extension(43, bytes.fromhex(chosen))).version == version


def test_what_clients_and_servers_want_beside_that() -> None:
    assert (client(extension(35, b"tick")).ticket, client(extension(36, b"tick")).ticket) == (b"tick", b"")
    assert [client(extension(kind, b"")).early for kind in (41, 42, 43)] == [False, True, False]
    assert [server(extension(kind, b"")).encrypt_then_mac for kind in (21, 22, 23)] == [False, True, False]
    assert [server(extension(kind, b"")).extended_master for kind in (22, 23, 24)] == [False, True, False]
    assert (server(random=RETRY).retry, server().retry) == (True, False)


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (b"\0" + sized(b"agent.example"), "agent.example"),
        (b"\0\0\5agent.example", "agent"),
        (b"\0" + sized(b"a") + b"\0" + sized(b"b"), "a"),
        (b"\1" + sized(b"agent.example"), None),
        (b"\0" + sized(b""), None),
        (b"\0\0", None),
        (b"\0" + sized(b"\x1f\x20\x21\x7e\x7f\x80"), "??!~??"),
        (b"\0" + sized(b"a" * 255), "a" * 255),
        (b"\0" + sized(b"a" * 256), "a" * 255),
    ],
)
def test_the_name_of_the_server(names: bytes, host: str | None) -> None:
    assert client(extension(0, sized(names))).server_name == host
    assert client(extension(1, sized(names))).server_name is None


# --- other messages --------------------------------------------------------------------------------------------------

ONE, TWO = sized(b"one", 3), sized(b"certificate two", 3)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (sized(ONE + TWO, 3), [b"one", b"certificate two"]),
        (sized(ONE, 3) + TWO, [b"one"]),
        (sized(ONE + b"\0\0", 3), [b"one"]),
        (sized(ONE + b"\0\0", 3) + b"\0", [b"one"]),
        (sized(ONE + b"\0\0\0", 3), [b"one", b""]),
        (sized(ONE + TWO, 3)[:-4], [b"one", b"certificate"]),
        (sized(ONE + TWO, 3)[:11], [b"one"]),
        (bytes(3), []),
        (b"\0", []),
        (b"", []),
    ],
)
def test_chains(body: bytes, found: list[bytes]) -> None:
    assert tls.certificates(body, is_1_3=False) == found


@pytest.mark.parametrize("context", [b"", b"context"])
def test_chains_of_tls_1_3(context: bytes) -> None:
    more = ONE + sized(b"more") + TWO + sized(b"")
    body = sized(context, 1) + sized(more, 3)
    assert tls.certificates(body, is_1_3=True) == [b"one", b"certificate two"]
    assert tls.certificates(body[: -len(TWO) - 3], is_1_3=True) == [b"one"]
    assert tls.certificates(b"", is_1_3=True) == []


@pytest.mark.parametrize("number", [7, 8, 9])
def test_how_many_certificates_are_looked_at(number: int) -> None:
    assert len(tls.certificates(sized(ONE * number, 3), is_1_3=False)) == min(number, 8)


def test_tickets_and_keys() -> None:
    assert tls.new_ticket(b"life" + sized(b"ticket") + b"x") == b"ticket"
    assert tls.new_ticket(b"life") == b""
    assert tls.key_exchange(sized(b"key") + b"x") == b"key"


# --- the first bytes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("", None),
        ("16", None),
        ("15", False),
        ("1603", None),
        ("1602", False),
        ("160300", None),
        ("160304", None),
        ("160305", False),
        ("1603010000", None),
        ("160301000001", True),
        ("160304000001FF", True),
        ("160305000001", False),
        ("160301000002", False),
        ("160301000000", False),
        ("150301000001", False),
        ("160201000001", False),
    ],
)
def test_what_begins_with_a_hello(head: str, found: bool | None) -> None:
    assert tls.is_client_hello(bytes.fromhex(head)) is found


def test_what_begins_with_a_record() -> None:
    assert [kind for kind in range(256) if tls.is_record(bytes([kind, 3, 3, 0, 0]))] == [20, 21, 22, 23]
    assert [minor for minor in range(256) if tls.is_record(bytes([22, 3, minor, 0, 0]))] == [1, 2, 3]
    assert not tls.is_record(bytes([22, 2, 1, 0, 0]))
    assert not tls.is_record(bytes([22, 3, 3, 0]))
