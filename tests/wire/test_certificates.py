"""What certificates say, beside what the package cryptography reads in them; and bytes that are none."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.tlsfacts import Certificate
from dissector.wire.certificates import certificate_of

x509 = pytest.importorskip("cryptography.x509")
SECOND = 1_000_000_000


def made(name: str, hosts: list[str], addresses: list[str], begin: datetime, end: datetime) -> bytes:
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


ONE = made("agent", ["agent.example"], [], datetime(2_020, 1, 1), datetime(2_030, 1, 1))


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    certificate_of(data)


@given(st.integers(0, len(ONE) - 1), st.integers(0, 255), st.integers(0, len(ONE)))
def test_damaged_ones(place: int, value: int, end: int) -> None:
    damaged = bytearray(ONE)
    damaged[place] = value
    certificate_of(bytes(damaged))
    certificate_of(ONE[:end])
