"""Addresses become others, each always the same one, and what two have in common at their beginning stays in common.

Bit by bit a keyed hash of the bits before decides whether a bit is turned (J. Xu et al., "Prefix-preserving IP address
anonymization", 2002).  An IPv4 address also keeps the number of digits of each of its parts: so its printed form can
take the old one's place inside a message, and the same host has the same name in headers and in texts.  Private and
loopback networks stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from ipaddress import ip_address

#: An IPv4 address as text: no digit before or behind it.
IPV4_TEXT = re.compile(rb"(?<!\d)(?:\d{1,3}\.){3}\d{1,3}(?!\d)")
#: What may be an IPv6 address as text.
IPV6_TEXT = re.compile(rb"(?<![\w:.])(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")

#: An IPv4 address as it is in names of hosts: ip-203-0-113-77, 203-0-113-77.example.com.
IPV4_NAME = re.compile(
    rb"(?<=[A-Za-z][-_.])(?:\d{1,3}(?:-\d{1,3}){3}|\d{1,3}(?:_\d{1,3}){3})(?![\d_-])"
    rb"|(?<![\w-])\d{1,3}(?:-\d{1,3}){3}(?=\.[A-Za-z])"
)
#: A link layer address as text.
MAC_TEXT = re.compile(rb"(?<![\w:-])[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})(?![\w:-])")

#: Parts of IPv4 addresses that stay: they tell private networks and loopback, not whose they are.
_KEPT = frozenset(map(bytes, ((10,), (127,), (169,), (169, 254), (172,), (192,), (192, 168))))
#: First parts that mean something else than a host.
_ODD = frozenset((0, *range(224, 256)))
_TRIES = 64
_CACHED = 65_536
_EUI_FLAGS = 0b11


class AddressMap:
    """``originals`` are the packed IP addresses of the capture and of the texts in it (others are mapped as well, but
    the printed form of an IPv4 address is only promised to be as long for these).  Equal keys and originals give equal
    maps."""

    def __init__(self, key: bytes, originals: Iterable[bytes]) -> None:
        known = frozenset(originals)
        short = sorted(address for address in known if len(address) == 4)
        for attempt in range(_TRIES):
            self._key = blake2b(bytes([attempt]), key=key[:64]).digest()
            self._places = _places(short, self._key)
            self._ip = lru_cache(maxsize=_CACHED)(self._mapped)
            self._mac = lru_cache(maxsize=_CACHED)(self._mapped_mac)
            #: No address becomes one that was there before; of very many in one network that is not possible.
            self.disjoint = not any(self.ip(address) in known for address in known)
            if self.disjoint:
                return

    def ip(self, address: bytes) -> bytes:
        """A packed IPv4 or IPv6 address."""
        return self._ip(address)

    def mac(self, address: bytes) -> bytes:
        """A link layer address; none (all zero) and everybody (all ones) stay."""
        return self._mac(address)

    def _mapped_mac(self, address: bytes) -> bytes:
        if not any(address) or address == b"\xff" * len(address):
            return address
        turned = bytearray(_turned(address, self._key + b"m", 0))
        turned[0] = turned[0] & ~_EUI_FLAGS & 0xFF | address[0] & _EUI_FLAGS
        return bytes(turned)

    def text(self, text: bytes) -> bytes:
        """The address in the printed form ``text``, as long as it; what is no address stays."""
        if b":" in text:
            return self._text6(text)
        parts = text.split(b".")
        numbers = [int(part) for part in parts]
        if max(numbers) > 255:
            return text
        mapped = self.ip(bytes(numbers))
        written = b".".join(str(number).encode().zfill(len(part)) for number, part in zip(mapped, parts, strict=True))
        return written if len(written) == len(text) else b"x" * len(text)

    def mac_text(self, text: bytes) -> bytes:
        """The link layer address in the printed form ``text``, as it is in headers, in the same form."""
        sign = text[2:3]
        mapped = self.mac(bytes.fromhex(text.replace(sign, b"").decode("ascii"))).hex(sign.decode("ascii"))
        return (mapped if text == text.lower() else mapped.upper()).encode()

    def name_text(self, text: bytes) -> bytes:
        """The IPv4 address in a host's name."""
        sign = b"_" if b"_" in text else b"-"
        return self.text(text.replace(sign, b".")).replace(b".", sign)

    def _text6(self, text: bytes) -> bytes:
        """Any printed form of an IPv6 address, digit by digit: mapped addresses are hardly ever as long as theirs."""
        if packed_text(text) is None:
            return text
        digits = blake2b(text.lower(), key=self._key).digest()
        return bytes(one if one == 0x3A else b"123456789abcdef"[digits[at] % 15] for at, one in enumerate(text))

    def _mapped(self, address: bytes) -> bytes:
        if len(address) == 4:
            return bytes(self._octet(address[:at], address[at]) for at in range(4))
        return _turned(address, self._key + b"6", 16 if address[0] in (0, 0xFE, 0xFF) else 8)

    def _octet(self, before: bytes, value: int) -> int:
        place = self._places.get(before, {}).get(value)
        return value if place is None else place


def packed_text(text: bytes) -> bytes | None:
    """The packed form of a printed address; None for text that is none."""
    try:
        return ip_address(text.decode("ascii")).packed
    except ValueError:
        return None


def _turned(address: bytes, key: bytes, kept: int) -> bytes:
    """The address with every bit behind the first ``kept`` ones turned or not, as key and bits before it say."""
    size = len(address) * 8
    number = int.from_bytes(address, "big")
    mask = 0
    for at in range(kept, size):
        prefix = number >> size - at
        word = blake2b(bytes([at]) + prefix.to_bytes(16, "big"), key=key[:64], digest_size=1).digest()[0]
        mask = mask << 1 | word & 1
    return (number ^ mask).to_bytes(len(address), "big")


# --- IPv4 ----------------------------------------------------------------------------------------------------------


def _places(addresses: Iterable[bytes], key: bytes) -> dict[bytes, dict[int, int]]:
    """For each beginning of an address (0 to 3 bytes) what the next byte becomes."""
    following: dict[bytes, set[int]] = {}
    for address in addresses:
        for at in range(4):
            following.setdefault(address[:at], set()).add(address[at])
    places = {}
    for before, values in following.items():
        bits = int.from_bytes(blake2b(b"4" + before, key=key[:64], digest_size=32).digest(), "big")
        places[before] = _Octet(before, bits).place(sorted(values))
    return places


class _Octet:
    """The bytes behind ``before``: a tree of eight levels, at each node of which the two halves may change places.

    ``bits`` has the wish of each node; it is followed where all bytes below can keep their number of digits.
    """

    def __init__(self, before: bytes, bits: int) -> None:
        self._before = before
        self._bits = bits

    def place(self, values: list[int]) -> dict[int, int]:
        """What each value becomes; there is always a way, since all may stay what they are."""
        return self._node(values, 1, 0x80, 0) or {value: value for value in values}

    def _node(self, values: list[int], node: int, bit: int, image: int) -> dict[int, int] | None:
        if not bit:
            return {values[0]: image} if self._fits(values[0], image) else None
        digits = range(len(str(image)), len(str(image + 2 * bit - 1)) + 1)
        if len(str(values[0])) not in digits or len(str(values[-1])) not in digits:
            return None
        halves = [value for value in values if not value & bit], [value for value in values if value & bit]
        wish = self._bits >> node & 1
        for turned in (wish, 1 - wish):
            found: dict[int, int] | None = {}
            for side, half in enumerate(halves):
                if half and found is not None:
                    below = self._node(half, 2 * node + side, bit >> 1, image | bit * (side ^ turned))
                    found = None if below is None else found | below
            if found is not None:
                return found
        return None

    def _fits(self, value: int, image: int) -> bool:
        if len(str(value)) != len(str(image)):
            return False
        special = any(self._before + bytes([one]) in _KEPT for one in (value, image))
        if not self._before:
            special = special or value in _ODD or image in _ODD
        return value == image or not special
