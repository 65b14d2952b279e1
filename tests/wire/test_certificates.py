"""What certificates say, beside what the package cryptography reads in them; and bytes that are none."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.tlsfacts import Certificate
from dissector.wire.certificates import certificate_of

SECOND = 1_000_000_000
CN, ORG, OU, C, L, ST = (b"\x55\x04" + bytes([number]) for number in (3, 10, 11, 6, 7, 8))
SEQUENCE, SET, OID, UTF8, WIDE, UTC, TIME, OCTETS = 0x30, 0x31, 6, 0x0C, 0x1E, 0x17, 0x18, 4


# --- made byte by byte -----------------------------------------------------------------------------------------------


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body).to_bytes(2, "big")
    return bytes([tag]) + (size[1:] if len(body) < 0x80 else b"\x82" + size) + body


def named(*attributes: tuple[bytes, int, bytes]) -> bytes:
    return der(SEQUENCE, *(der(SET, der(SEQUENCE, der(OID, oid), der(tag, text))) for oid, tag, text in attributes))


def extension(*names: bytes, oid: bytes = b"\x55\x1d\x11", tag: int = OCTETS, critical: bool = False) -> bytes:
    flag = der(1, b"\xff") if critical else b""
    return der(SEQUENCE, der(OID, oid), flag, der(tag, der(SEQUENCE, *names)))


NUMBER, ALGORITHM, KEY = der(2, b"\1"), der(SEQUENCE), der(SEQUENCE)
ISSUER, DAY, LATER = named((CN, UTF8, b"issuer")), der(UTC, b"260102030405Z"), der(TIME, b"20270102030405Z")


def signed(
    subject: bytes = b"", before: bytes = DAY, after: bytes = LATER, extensions: bytes = b"", version: bytes = b""
) -> bytes:
    subject = subject or named((CN, UTF8, b"agent"))
    fields = [version, NUMBER, ALGORITHM, ISSUER, der(SEQUENCE, before, after), subject, KEY, extensions]
    return der(SEQUENCE, der(SEQUENCE, *fields))


def read(data: bytes) -> Certificate:
    found = certificate_of(data)
    assert found is not None
    return found


def hosts(*extensions: bytes) -> tuple[str, ...]:
    version, other = der(0xA0, der(2, b"\2")), der(0x81, b"\0")
    return read(signed(extensions=other + der(0xA3, der(SEQUENCE, *extensions)), version=version)).names


def test_the_least_certificate() -> None:
    known = Certificate("CN=agent", "CN=issuer", (), 1_767_323_045 * SECOND, 1_798_859_045 * SECOND)
    assert read(signed()) == known
    assert read(signed(version=der(0xA0, der(2, b"\2")))) == known
    assert certificate_of(der(SET, signed()[2:])) is None
    five = [NUMBER, ALGORITHM, ISSUER, der(SEQUENCE, DAY, LATER), named((CN, UTF8, b"agent"))]
    assert read(der(SEQUENCE, der(SEQUENCE, *five))) == known
    assert certificate_of(der(SEQUENCE, der(SEQUENCE, *five[:4]))) is None


def test_the_parts_of_a_name() -> None:
    parts = [(C, UTF8, b"DE"), (ST, UTF8, b"s"), (L, UTF8, b"l"), (ORG, UTF8, b"o"), (OU, UTF8, b"u"), (CN, UTF8, b"n")]
    assert read(signed(named(*parts, (b"\x55\x04\x05", UTF8, b"7")))).subject == "CN=n, OU=u, O=o, L=l, ST=s, C=DE"
    assert read(signed(named((CN, WIDE, "ä€".encode("utf-16-be"))))).subject == "CN=ä€"
    assert read(signed(named((CN, WIDE - 1, b"ab"), (ORG, WIDE + 1, b"cd")))).subject == "O=cd, CN=ab"
    assert read(signed(named((CN, UTF8, b"a\xff")))).subject == "CN=a\ufffd"


def test_how_much_of_a_name_is_kept() -> None:
    for size in (255, 256, 257):
        assert read(signed(named((CN, UTF8, b"n" * size)))).subject == "CN=" + "n" * min(size, 256)
    wide = "\U0001f600" * 300
    assert read(signed(named((CN, WIDE, wide.encode("utf-16-be"))))).subject == "CN=" + wide[:256]
    assert len(read(signed(named(*[(CN, UTF8, b"n" * 256)] * 5))).subject) == 1_024
    for number in (63, 64, 65):
        assert read(signed(named(*[(CN, UTF8, b"n")] * number))).subject.count("CN") == min(number, 64)


@pytest.mark.parametrize(
    ("tag", "text", "seconds"),
    [
        (UTC, b"500101000000Z", -631_152_000),
        (UTC, b"491231235959Z", 2_524_607_999),
        (TIME, b"20261231235960Z", 1_798_761_599),
        (TIME, b"20261231235958Z", 1_798_761_598),
        (UTC, b"2601020304Z", None),
        (UTC, b"26010203040Z5", None),
        (TIME, b"2026010203040", None),
        (TIME, b"2026010203040\xb2", None),
        (TIME, b"20261301000000Z", None),
        (0x16, b"20260102030405Z", None),
    ],
)
def test_times(tag: int, text: bytes, seconds: int | None) -> None:
    found = read(signed(before=der(tag, text)))
    assert found.not_before == (None if seconds is None else seconds * SECOND)
    assert found.subject == "CN=agent"


def test_alternative_names() -> None:
    name, address = der(0x82, b"a.example"), der(0x87, bytes([10, 2, 0, 10]))
    assert hosts(extension(name, address)) == ("a.example", "10.2.0.10")
    assert hosts(extension(name, critical=True)) == ("a.example",)
    for oid in (b"\x55\x1d\x0e", b"\x55\x1d\x13"):
        assert hosts(extension(name, oid=oid), extension(address)) == ("10.2.0.10",)
    for tag in (OCTETS - 1, OCTETS + 1):
        assert hosts(extension(name, tag=tag), extension(address)) == ("10.2.0.10",)
    assert hosts(der(SEQUENCE, der(OID, b"\x55\x1d\x11")), extension(address)) == ("10.2.0.10",)
    others = [der(tag, b"a@bc") for tag in (0x81, 0x83, 0x86, 0x88)]
    assert hosts(extension(*others, name)) == ("a.example",)
    assert hosts(extension(*(der(0x87, bytes(size)) for size in (3, 4, 5, 15, 16, 17)))) == ("0.0.0.0", "::")


@pytest.mark.parametrize("number", [63, 64, 65])
def test_how_many_alternative_names_are_kept(number: int) -> None:
    assert len(hosts(extension(*[der(0x82, b"a")] * number), extension())) == min(number, 64)


def test_lengths() -> None:
    """Of a certificate's bytes: as long as they are, in up to four bytes, and no child longer than its parent."""
    inner = signed()[2:]
    size = len(inner).to_bytes(4, "big")
    known = read(signed())
    for count, form in ((1, b"\x81"), (2, b"\x82"), (3, b"\x83"), (4, b"\x84")):
        assert read(bytes([SEQUENCE]) + form + size[-count:] + inner) == known
    assert certificate_of(bytes([SEQUENCE]) + b"\x85\0" + size + inner) is None
    assert certificate_of(bytes([SEQUENCE]) + b"\x80" + inner) is None
    assert certificate_of(signed()[:-1]) is None
    assert read(signed() + b"x") == known
    day = der(UTC, b"260102030405Z")
    assert certificate_of(signed(before=day, after=day[:1] + bytes([day[1] + 1]) + day[2:])) is None


# --- made by others --------------------------------------------------------------------------------------------------


def made(name: str, hosts: list[str], addresses: list[str], begin: datetime, end: datetime) -> bytes:
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Exämple"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(end)
    names = [*map(x509.DNSName, hosts), *(x509.IPAddress(ip_address(one)) for one in addresses)]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    data: bytes = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return data


@pytest.mark.parametrize("year", [1_970, 1_999, 2_026, 2_049, 2_050, 9_999])
def test_all_of_it(year: int) -> None:
    begin = datetime(year, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
    end = min(begin + timedelta(days=300), datetime(9_999, 12, 31, 23, 59, 59, tzinfo=timezone.utc))
    found = certificate_of(made("agent", ["agent.example", "*.example"], ["10.2.0.10", "2001:db8::1"], begin, end))
    assert found == Certificate(
        "CN=agent, O=Exämple, C=DE",
        "CN=issuer",
        ("agent.example", "*.example", "10.2.0.10", "2001:db8::1"),
        int(begin.timestamp()) * SECOND,
        int(end.timestamp()) * SECOND,
    )
    assert not found.is_self_signed


def test_an_old_one_without_other_names() -> None:
    found = certificate_of(made("agent", [], [], datetime(2_020, 1, 1), datetime(2_030, 1, 1)))
    assert found is not None
    assert found.names == ()


ONE = signed(extensions=der(0xA3, der(SEQUENCE, extension(der(0x82, b"agent.example"), der(0x87, bytes(4))))))


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    certificate_of(data)


@given(st.integers(0, len(ONE) - 1), st.integers(0, 255), st.integers(0, len(ONE)))
def test_damaged_ones(place: int, value: int, end: int) -> None:
    damaged = bytearray(ONE)
    damaged[place] = value
    certificate_of(bytes(damaged))
    certificate_of(ONE[:end])
