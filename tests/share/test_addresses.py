"""Addresses become others of the same shape; what two have in common at their beginnings stays."""

from __future__ import annotations

import itertools
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.share.addresses import IPV4_TEXT, IPV6_TEXT, AddressMap, packed_text

IPV4 = st.one_of(
    st.binary(min_size=4, max_size=4),
    st.tuples(st.just(10), st.sampled_from((1, 50)), st.integers(0, 3), st.integers(0, 255)).map(bytes),
)
IPV6 = st.binary(min_size=16, max_size=16)
KEYS = st.binary(max_size=64)


def common(a: bytes, b: bytes) -> int:
    return 8 * len(a) - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()


@given(KEYS, st.sets(IPV4, max_size=30))
def test_ipv4(key: bytes, addresses: set[bytes]) -> None:
    table = AddressMap(key, addresses)
    for a, b in itertools.product(addresses, repeat=2):
        assert common(a, b) == common(table.ip(a), table.ip(b))
        text = str(ip_address(a)).encode()
        assert table.text(text) == str(ip_address(table.ip(a))).encode()
        assert len(table.text(text)) == len(text)


@given(KEYS, st.sets(IPV6, max_size=10))
def test_ipv6(key: bytes, addresses: set[bytes]) -> None:
    table = AddressMap(key, addresses)
    for a, b in itertools.product(addresses, repeat=2):
        assert common(a, b) == common(table.ip(a), table.ip(b))


def test_nobody_becomes_somebody_who_was_there() -> None:
    addresses = {bytes((10, 1, 0, last)) for last in range(0, 200, 7)}
    table = AddressMap(b"k", addresses)
    assert table.disjoint
    assert addresses.isdisjoint(map(table.ip, addresses))


@pytest.mark.parametrize("network", ["10.7", "127.0", "192.168", "169.254"])
def test_private_networks_stay_private(network: str) -> None:
    address = ip_address(f"{network}.3.4")
    mapped = ip_address(AddressMap(b"k", [address.packed]).ip(address.packed))
    assert (mapped.is_private, mapped.is_loopback, mapped.is_link_local) == (
        address.is_private,
        address.is_loopback,
        address.is_link_local,
    )
    assert mapped != address


def test_link_layer_addresses() -> None:
    table = AddressMap(b"k", [])
    one, two = bytes.fromhex("02420a320101"), bytes.fromhex("02420a320102")
    assert common(table.mac(one), table.mac(two)) == common(one, two)
    assert table.mac(one) != one
    assert table.mac(one)[0] & 3 == one[0] & 3
    for address in (bytes(6), b"\xff" * 6):
        assert table.mac(address) == address


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"from 10.1.2.3.", [b"10.1.2.3"]),
        (b"10.1.2.3:4444,10.1.2.30", [b"10.1.2.3", b"10.1.2.30"]),
        (b"1.2.3 and 1234.1.1.1", []),
    ],
)
def test_addresses_in_texts(text: bytes, found: list[bytes]) -> None:
    assert [match[0] for match in IPV4_TEXT.finditer(text)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"[fe80::1]:80 2001:db8::2, x", [b"fe80::1", b"2001:db8::2"]),
        (b"sos::scheduler::Com_log std::abc at 04:07:15", []),
    ],
)
def test_ipv6_addresses_in_texts(text: bytes, found: list[bytes]) -> None:
    assert [match[0] for match in IPV6_TEXT.finditer(text) if packed_text(match[0])] == found


def test_texts_that_are_none_stay() -> None:
    table = AddressMap(b"k", [])
    assert table.text(b"1.2.3.999") == b"1.2.3.999"
    assert table.text(b"12:34:56") == b"12:34:56"
    assert len(table.text(b"010.001.002.003")) == 15
