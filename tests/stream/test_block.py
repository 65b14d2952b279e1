"""Packets of a block sorted by connection, and taken out of it again."""

from __future__ import annotations

from builders import A, B, ethernet, ipv4, tcp
from dissector.stream.blocks import Block, Talk, talks_of

from dissector.traffic import Packet

ONE, TWO, OTHER = bytes([10, 1, 0, 1]), bytes([10, 1, 0, 2]), bytes([10, 1, 0, 3])
KEY = ONE + TWO + b"\x9c\x40\x11\x5c"
BACK = TWO + ONE + b"\x11\x5c\x9c\x40"
#: Nearly the same: another port, another host.
NEAR = TWO + ONE + b"\x11\x5d\x9c\x40"
FAR = OTHER + ONE + b"\x11\x5c\x9c\x40"


def sides(talk: Talk) -> dict[bytes, list[int]]:
    """Indices by the key of their direction."""
    found: dict[bytes, list[int]] = {}
    for place in talk.places:
        found.setdefault(talk.keys[place & 1], []).append(place >> 1)
    return found


def test_both_directions_make_a_talk_in_order() -> None:
    groups = {KEY: [0, 6, 8], BACK: [2, 4, 10]}
    (talk,) = talks_of(groups, {})
    assert set(talk.keys) == {KEY, BACK}
    assert [place >> 1 for place in talk.places] == [0, 1, 2, 3, 4, 5]
    assert sides(talk) == {KEY: [0, 3, 4], BACK: [1, 2, 5]}
    assert (talk.begins, talk.runs, groups) == (-1, [], {})


def test_one_direction_alone_and_connections_that_are_nearly_the_same() -> None:
    talks = talks_of({KEY: [0], NEAR: [2], FAR: [4]}, {})
    assert sorted(talk.places for talk in talks) == [[0], [2], [4]]
    assert {talk.keys for talk in talks} >= {(KEY, BACK)}


def test_a_talk_begins_with_the_last_syn_of_either_side() -> None:
    for syns, begins in (({KEY: 0}, 0), ({BACK: 1}, 1), ({KEY: 3, BACK: 1}, 3), ({NEAR: 5}, -1), ({}, -1)):
        (talk,) = talks_of({KEY: [0, 6], BACK: [2]}, dict(syns))
        assert talk.begins == begins


def test_packets_of_a_block_come_as_they_were() -> None:
    frames = [ethernet(ipv4(tcp())), ethernet(ipv4(bytes(8), protocol=17)), ethernet(ipv4(tcp(4_444, 40_000), B, A))]
    begins, data = [16], b""
    for frame in frames:
        data += bytes(16) + frame
        begins.append(begins[-1] + len(frame) + 16)
    talk = Talk((KEY, BACK), -1, [0, 5], [])
    block = Block(data + bytes(16), begins, 16, [5, 6, 7], True, {2: 99}, 2, [], [talk], 40)
    expected = [
        Packet(41, 5, 1, frames[0], 54, KEY),
        Packet(42, 6, 1, frames[1], 42, None),
        Packet(43, 7, 1, frames[2], 99, BACK),
    ]
    assert list(block.packets()) == expected
    later = block.renumbered(100)
    assert [packet.number for packet in later.packets()] == [141, 142, 143]
    assert (later.talks[0].runs, later.data is block.data) == ([], True)
