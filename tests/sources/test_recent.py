"""The newest packets in memory: what is found by its connection, and what is forgotten."""

from __future__ import annotations

import gc
import marshal
import tracemalloc
from ipaddress import ip_address
from mmap import mmap
from pathlib import Path

from builders import block_of_one, ethernet, ipv4, tcp
from rewrapping import fragmented

from dissector.model import Connection, Endpoint
from dissector.session.run_detection import find_runs
from dissector.sources.blocks import block_of
from dissector.sources.capture import CaptureReader
from dissector.sources.piped import packed_block, unpacked_block
from dissector.sources.recent import _OVERHEAD, Recent
from dissector.stream.ip import header
from dissector.stream.prefilter import PADDING, Prefilter
from dissector.traffic import Packet

FRAME = ethernet(ipv4(tcp(40_000, 4_444, payload=bytes(200))))
PIECES = list(fragmented(FRAME, 64, 7))


def found(recent: Recent, first: int, last: int) -> list[int]:
    """Numbers of the packets of a connection with the ends of ``FRAME``."""
    head = header(FRAME, 14, len(FRAME))
    assert head is not None
    client, server = (Endpoint(str(ip_address(ip)), port) for ip, port in ((head.src, 40_000), (head.dst, 4_444)))
    return [packet.number for packet, _ in recent.find([Connection(client, server, 0, first, last_packet=last)])]


def filled(frames: list[bytes], room: int = 1_000_000) -> Recent:
    recent = Recent(room)
    for number, frame in enumerate(frames, 1):
        recent.record(block_of_one(Packet(number, number, 1, frame, len(frame))), ["lo"])
    return recent


def room(frames: list[bytes]) -> int:
    return sum(len(frame) + _OVERHEAD for frame in frames)


def test_a_datagram_is_found_whole_by_its_last_fragment() -> None:
    recent = filled([FRAME, *PIECES, FRAME])
    last = 1 + len(PIECES)
    assert found(recent, 1, last + 1) == list(range(1, last + 2))
    assert found(recent, last, last) == list(range(2, last + 1))
    assert found(recent, 1, last - 1) == [1]


def test_a_datagram_that_is_never_whole_is_nobodys() -> None:
    recent = filled([FRAME, *PIECES[:-1], FRAME])
    assert found(recent, 1, 100) == [1, 1 + len(PIECES)]


def test_of_a_datagram_the_fragments_that_are_still_there() -> None:
    frames = [*PIECES, FRAME]
    assert found(filled(frames, room(frames)), 1, 100) == list(range(1, len(frames) + 1))
    assert found(filled(frames, room(frames) - 1), 1, 100) == list(range(2, len(frames) + 1))
    assert found(filled(frames, room([FRAME])), 1, 100) == [len(frames)]


def test_what_is_forgotten_is_forgotten_everywhere() -> None:
    frames = [one for number in range(20) for one in (*fragmented(FRAME, 64, number), FRAME)]
    recent = filled(frames, room([*PIECES, FRAME]))
    assert found(recent, 1, 1_000) == list(range(len(frames) - len(PIECES), len(frames) + 1))
    assert len(recent._blocks) == len(PIECES) + 1
    assert len(recent._odd) == len(PIECES), "what the block knows is not parsed again"
    assert len(recent._fragments) == 1
    recent = filled([*frames, *[ethernet(b"")] * 100], 10 * (_OVERHEAD + 14))
    assert len(recent._blocks) == 10
    assert (recent._by_key, recent._fragments) == ({}, {})


def test_packets_of_a_block_are_found_one_by_one() -> None:
    back = ethernet(ipv4(tcp(4_444, 40_000), src="10.1.0.2", dst="10.1.0.1"))
    frames = [FRAME, back, ethernet(ipv4(tcp(40_001, 4_444))), FRAME, *PIECES, back]
    block = block_of(Prefilter(), [(number, 1, frame, len(frame)) for number, frame in enumerate(frames)])
    recent = Recent(1_000_000)
    recent.record(block._replace(numbers=range(11, 11 + len(frames))), ["lo"] * len(frames))
    wanted = [11, 12, 14, *range(15, 16 + len(PIECES))]
    assert found(recent, 1, 100) == wanted
    assert found(recent, 12, 14) == [12, 14]
    assert recent.has_begin_of([])


def test_a_block_outlives_the_memory_that_it_came_in() -> None:
    block = block_of_one(Packet(1, 1, 1, FRAME, len(FRAME)))
    memory = mmap(-1, len(block.data))
    memory[:] = bytes(block.data)
    recent = Recent(10_000)
    recent.record(block._replace(data=memory), ["lo"])
    memory[:] = bytes(len(memory))
    assert found(recent, 1, 1) == [1]
    assert recent._blocks[0].packet(0)[0].data == FRAME


def test_it_holds_no_more_than_it_says(captures: Path) -> None:
    """Of blocks as the process sends them that captures, with their runs."""
    blocks = []
    for block in CaptureReader([captures / "engine_ten_tasks.pcap"]).blocks(find_runs):
        found = marshal.dumps(packed_block(block)), block.data[: block.ends[-1] + len(PADDING)]
        blocks += [found] * 50
    tracemalloc.start()
    try:
        recent = Recent(100_000_000)
        for parts, data in blocks:
            recent.record(unpacked_block(marshal.loads(parts), bytes(bytearray(data))), ["eth0"] * len(block.times))
        gc.collect()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < 100_000_000 - recent._room
