"""What a cooked socket has of packets with several VLAN tags."""

from __future__ import annotations

import pytest

from dissector.sources.afpacket import begins_with_tag

IP4, IP6 = b"\x08\0", b"\x86\xdd"
#: Of 40 bytes, and of 2,048: there the length is what the ethertype is behind a tag.
SMALL = bytes.fromhex("45000028000100004006") + bytes(30)
LARGE = bytes.fromhex("45000800000100004006") + bytes(2_038)
SIX = bytes.fromhex("60000000001406ff") + bytes(52)


@pytest.mark.parametrize(
    ("protocol", "data", "told"),
    [
        (IP4, b"\0\x08\x08\0" + SMALL, True),
        (IP4, b"\0\x08\x81\0\0\x09\x08\0" + SMALL, True),
        (IP4, b"\0\x08\x88\xa8\0\x09\x08\0" + SMALL, True),
        (IP6, b"\0\x08\x86\xdd" + SIX, True),
        # A tag with a priority that looks like the beginning of an IP header.
        (IP4, b"\x45\x08\x08\0" + SMALL, True),
        (IP6, b"\x60\x08\x86\xdd" + SIX, True),
        (IP4, SMALL, False),
        (IP4, LARGE, False),
        (IP4, LARGE[:4] + b"\x45" + LARGE[5:], False),
        (IP4, LARGE[:4] + b"\x45" + LARGE[5:2_047], True),
        (IP6, SIX, False),
        (IP4, b"\0\x08\x08\x06" + SMALL, False),
        (IP4, b"\0\x08\x08\0" + SIX, False),
        (b"\x08\x06", b"\0\x08\x08\x06" + SMALL, False),
        (IP4, b"\0\x08\x08\0", False),
        (IP4, b"", False),
    ],
)
def test_only_what_begins_with_a_tag(protocol: bytes, data: bytes, told: bool) -> None:
    assert begins_with_tag(protocol, data) is told
