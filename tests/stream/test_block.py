"""Packets of a block sorted by connection, and taken out of it again."""

from __future__ import annotations

import pytest
from builders import A, B, ethernet, ipv4, tcp

from dissector.stream.block import NO_PACKET, Block, Conversation, Stretch, conversations_of
from dissector.stream.link import ETHERNET, RAW
from dissector.traffic import Packet

ONE, TWO, OTHER = bytes([10, 1, 0, 1]), bytes([10, 1, 0, 2]), bytes([10, 1, 0, 3])
KEY = ONE + TWO + b"\x9c\x40\x11\x5c"
BACK = TWO + ONE + b"\x11\x5c\x9c\x40"
#: Nearly the same: another port, another host.
NEAR = TWO + ONE + b"\x11\x5d\x9c\x40"
FAR = OTHER + ONE + b"\x11\x5c\x9c\x40"
KEY6, BACK6 = (one[:4] * 4 + two[4:8] * 4 + one[8:] for one, two in ((KEY, KEY), (BACK, BACK)))


def sides(conversation: Conversation) -> dict[bytes, list[int]]:
    """Indices by the key of their direction."""
    found: dict[bytes, list[int]] = {}
    for place in conversation.places:
        found.setdefault(conversation.keys[place & 1], []).append(place >> 1)
    return found


@pytest.mark.parametrize(("key", "back"), [(KEY, BACK), (KEY6, BACK6)])
def test_both_directions_make_a_conversation_in_order(key: bytes, back: bytes) -> None:
    groups = {key: [0, 6, 8], back: [2, 4, 10]}
    (conversation,) = conversations_of(groups, {})
    assert set(conversation.keys) == {key, back}
    assert [place >> 1 for place in conversation.places] == [0, 1, 2, 3, 4, 5]
    assert sides(conversation) == {key: [0, 3, 4], back: [1, 2, 5]}
    assert (conversation.begins, conversation.runs, conversation.foreign_at, groups) == (-1, [], 0, {})


def test_one_direction_alone_and_connections_that_are_nearly_the_same() -> None:
    found = conversations_of({KEY: [0], NEAR: [2], FAR: [4]}, {})
    assert sorted(one.places for one in found) == [[0], [2], [4]]
    assert {one.keys for one in found} >= {(KEY, BACK)}


def test_a_conversation_begins_with_the_last_syn_of_either_side() -> None:
    for syns, all_of_them in (
        ({KEY: [0]}, [0]),
        ({BACK: [1]}, [1]),
        ({KEY: [0, 3], BACK: [1]}, [0, 1, 3]),
        ({NEAR: [5]}, []),
        ({}, []),
    ):
        (found,) = conversations_of({KEY: [0, 6], BACK: [2]}, syns)
        assert (found.syns, found.begins) == (all_of_them, max(all_of_them, default=-1))


def test_packets_of_a_block_come_as_they_were() -> None:
    """Those of link types that can not be read, and records that are no packets, only have numbers."""
    frames = [
        ethernet(ipv4(tcp())),
        ethernet(ipv4(bytes(8), protocol=17)),
        b"radio",
        b"",
        ipv4(tcp(4_444, 40_000), B, A),
    ]
    begins, data = [], b""
    for frame in frames:
        begins.append(len(data) + 16)
        data += bytes(16) + frame
    ends = [begin + len(frame) for begin, frame in zip(begins, frames, strict=True)]
    stretches = [Stretch(0, ETHERNET, 14), Stretch(2, 105, 0), Stretch(3, NO_PACKET, 0), Stretch(4, RAW, 0)]
    conversations = [Conversation((KEY, BACK), [], [0, 9], [])]
    times = [5, 6, 7, 8, 9]
    block = Block(
        data,
        begins,
        ends,
        times,
        True,
        (5, 9),
        stretches,
        {4: 99},
        [],
        [],
        conversations,
        range(41, 41 + len(times)),
    )
    assert list(block.packets()) == [
        Packet(41, 5, ETHERNET, frames[0], 54, KEY, 14),
        Packet(42, 6, ETHERNET, frames[1], 42, None, 14),
        Packet(45, 9, RAW, frames[4], 99, BACK, 0),
    ]
    assert [block.stretch(index).link_type for index in range(5)] == [ETHERNET, ETHERNET, 105, NO_PACKET, RAW]
    assert block.links == [(0, ETHERNET), (2, 105), (3, NO_PACKET), (4, RAW)]
    assert (block.segments, block._replace(other_segments=[1]).segments) == (2, 3)
    assert (block.ip(0), block.ip(4), block.ip_offset) == (begins[0] + 14, begins[4], None)
    assert block._replace(stretches=stretches[:1]).ip_offset == 14
