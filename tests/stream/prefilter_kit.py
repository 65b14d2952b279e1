"""Packets through the prefilter, and what it may say of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from builders import pcap_record

from dissector.stream.block import Block
from dissector.stream.fast_path import segment_of
from dissector.stream.link import is_supported
from dissector.stream.packets import carries_segment, parse, unwrap
from dissector.stream.prefilter import PADDING, Prefilter
from dissector.stream.records import RecordLayout, RecordWalk
from dissector.traffic import SYN, Packet, Segment

SECOND = 1_000_000_000


def layout(link_type: int = 1) -> RecordLayout:
    """That of records as ``filtered`` writes them: headers of 16 bytes, nanoseconds."""
    return RecordLayout(">0s0s0sIIII", 16, link_type, SECOND, 1)


def filtered(packets: Sequence[Packet], prefilter: Prefilter | None = None, *, one_by_one: bool = False) -> Block:
    """The block of these packets, from whole records or one by one."""
    walk = RecordWalk()
    records = [pcap_record(one.data, one.time, ">", 1, one.wire_length) for one in packets]
    walk.begin(b"".join(records) + PADDING)
    at = 0
    for link_type, some in groupby(zip(packets, records, strict=True), key=lambda pair: pair[0].link_type):
        if one_by_one:
            for packet, record in some:
                walk.packet(packet.time, link_type, at + 16, at + len(record), packet.wire_length)
                at += len(record)
        else:
            stop = at + sum(len(record) for _, record in some)
            assert walk.records(at, stop, layout(link_type)) == stop
            at = stop
    return (prefilter or Prefilter()).sort(walk.located())


def plain(block: Block) -> dict[int, bytes]:
    """Keys of the plain packets by their indices."""
    return {place >> 1: one.keys[place & 1] for one in block.conversations for place in one.places}


def innermost(packet: Packet) -> int:
    """Where the innermost IP header begins."""
    path: list[tuple[int, int, object]] = []
    unwrap(packet, path)  # type: ignore[arg-type]
    return path[-1][1]


def check(packets: Sequence[Packet], *, one_by_one: bool = False) -> Block:
    """The block of the packets, when all that it says of them is what ``parse`` says."""
    block = filtered(packets, one_by_one=one_by_one)
    keys, others = plain(block), set(block.others)
    syns = {index for one in block.conversations for index in one.syns}
    segments = 0
    for index, packet in enumerate(packets):
        if not is_supported(packet.link_type):
            assert index not in keys
            assert index not in others
            continue
        odd: list[object] = []
        found = parse(packet, odd.append, lambda _, name: odd.append(name))  # noqa: B023  called before the next round
        segments += carries_segment(packet)
        if index in keys:
            assert isinstance(found, Segment), packet
            assert (keys[index], block.ip(index) - block.begins[index]) == (found.key, innermost(packet)), packet
            assert (index in syns) is bool(found.flags & SYN)
            quick = block.packet(index, keys[index])
            assert quick.tunnelled is bool(found.via)
            if not found.via:
                assert segment_of(quick, keys[index]) == found._replace(number=index + 1)
        elif index not in others:
            assert (found, odd) == (None, []), packet
    assert not keys.keys() & others
    assert block.segments == segments
    assert [one[:5] for one in block.packets()] == [
        (number, *one[1:5]) for number, one in enumerate(packets, 1) if is_supported(one.link_type)
    ]
    return block


def flipped(data: bytes, first: int, stop: int) -> Iterable[bytes]:
    """The same with each single bit of ``data[first:stop]`` changed."""
    for place in range(first, stop):
        for bit in range(8):
            yield data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
