"""Several files as one: the order and the numbers of packets are those of a plain sort, wherever blocks end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from builders import SECOND, SYN, UDP, A, B, ethernet, ipv4, ipv6, pcap_header, pcap_record, tcp
from hypothesis import given, settings
from hypothesis import strategies as st

from dissector.session.run_detection import find_runs
from dissector.sources import blocks, bytestream, capture, merge
from dissector.sources.capture import CaptureReader
from dissector.stream.block import Block, Stretch
from dissector.stream.packets import carries_segment, parse
from dissector.stream.prefilter import Prefilter
from dissector.traffic import Packet, Segment

#: What is in the files, of several connections and none; raw files have it without the Ethernet header.
FRAMES = [
    ethernet(ipv4(tcp(payload=b"hello"))),
    ethernet(ipv4(tcp(flags=SYN))),
    ethernet(ipv4(tcp(4_444, 40_000, flags=SYN | 16), B, A)),
    ethernet(ipv4(tcp(4_444, 40_000, payload=b"yes"), B, A)),
    ethernet(ipv6(tcp(payload=b"six")), 0x86DD),
    ethernet(ipv4(tcp(), options=bytes(4))),
    ethernet(ipv4(bytes(60), protocol=UDP)),
    ethernet(ipv4(tcp(payload=b"tagged")), tags=[0x8100]),
]
ETHERNET, RAW = 1, 101


class File(NamedTuple):
    """Records are times, which of the frames, and how many bytes of it were captured."""

    link_type: int
    records: Sequence[tuple[int, int, int]]

    @property
    def packets(self) -> list[Packet]:
        found = []
        for time, which, size in self.records:
            data = FRAMES[which][14 if self.link_type == RAW else 0 :]
            found.append(Packet(0, SECOND + time, self.link_type, data[:size], len(data)))
        return found

    def write(self, path: Path) -> Path:
        records = (pcap_record(one.data, one.time, unit=1, length=one.wire_length) for one in self.packets)
        path.write_bytes(pcap_header(magic=0xA1B23C4D, link_type=self.link_type) + b"".join(records))
        return path


def expected(files: Sequence[File]) -> list[Packet]:
    """Sorted by the latest time in the file up to the packet, then by file and place."""
    found = []
    for place, file in enumerate(files):
        ages = accumulate((one.time for one in file.packets), max)
        found += [(age, place, at, one) for at, (age, one) in enumerate(zip(ages, file.packets, strict=True))]
    found.sort(key=lambda one: one[:3])
    return [one._replace(number=number) for number, (_, _, _, one) in enumerate(found, 1)]


@contextmanager
def pieces(size: int) -> Iterator[None]:
    """So many bytes of a file are read at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytestream, "_BLOCK", size)
        patch.setattr(capture, "WORTH", 0)
        patch.setattr(blocks, "BLOCK", size)
        yield


def check(files: Sequence[File], size: int, *, processes: int = 1) -> list[Block]:
    """The blocks of the files, when they are right."""
    prepared: list[Block] = []

    def prepare(block: Block) -> None:
        find_runs(block)
        prepared.append(block)

    with TemporaryDirectory() as folder, pieces(size):
        reader = CaptureReader([file.write(Path(folder, str(at))) for at, file in enumerate(files)])
        found: list[Any] = []
        packets: list[Packet] = []
        for block in reader.blocks(prepare, prefetch=processes > 1):
            some = list(block.packets())
            assert block.numbers[0] == len(packets) + 1
            packets += [one._replace(key=None, ip=0) for one in some]
            found.append(block)
            assert not block.ordered or list(block.times) == sorted(block.times)
            assert sum(one.conversations is block.conversations for one in prepared) == 1 or processes > 1
            sorted_in = [place >> 1 for one in block.conversations for place in one.places]
            syns = {index for one in block.conversations for index in one.syns}
            for index, one in enumerate(some):
                segment = parse(one)
                assert (index in sorted_in, index in block.others).count(True) <= 1
                assert (index in sorted_in) is (one.key is not None)
                if isinstance(segment, Segment) and one.key is not None:
                    assert (segment.key, bool(segment.flags & SYN)) == (one.key, index in syns)
                else:
                    assert index in block.others or segment is None
    assert packets == expected(files)
    assert [info.packets for info in reader.infos] == [len(file.records) for file in files]
    assert [info.tcp_segments for info in reader.infos] == [sum(map(carries_segment, one.packets)) for one in files]
    return found


records = st.tuples(st.integers(0, 30), st.integers(0, len(FRAMES) - 1), st.sampled_from([200, 200, 200, 56, 40, 0]))
in_order = st.lists(records, max_size=40).map(sorted)


@settings(max_examples=200, deadline=None)
@given(
    files=st.lists(
        st.builds(File, st.sampled_from([ETHERNET, ETHERNET, RAW]), st.lists(records, max_size=20) | in_order),
        min_size=2,
        max_size=4,
    ),
    size=st.sampled_from([100, 300, 1_000, 1 << 20]),
    processes=st.sampled_from([1, 1, 1, 2]),
)
def test_any_files(files: list[File], size: int, processes: int) -> None:
    check(files, size, processes=processes)


def of(times: Sequence[int], which: int = 0, link_type: int = ETHERNET) -> File:
    return File(link_type, [(time, which, 200) for time in times])


FILES: dict[str, list[File]] = {
    "a ring, named backwards": [of(range(20, 30)), of(range(10, 20)), of(range(10))],
    "a ring that meets": [of(range(10)), of(range(9, 20)), of(range(19, 30))],
    "by turns": [of(range(0, 90, 2)), of(range(1, 90, 2), 3)],
    "all at once": [of([5] * 30), of([5] * 40, 3), of([5] * 10, 1)],
    "one within the other": [of(range(90)), of(range(40, 50), 3)],
    "steps back": [of([9, 3, 12, 4, 4, 30, 2]), of([1, 9, 10, 12, 30, 3, 31], 3)],
    "steps back between blocks": [of([9] * 5 + [3] * 5 + [12] * 5), of([2, 9, 9, 9, 12, 12, 13] * 3, 3)],
    "link types": [of(range(40)), of(range(20, 60), 3, RAW)],
    "cut": [File(ETHERNET, [(at, 0, 40 + at) for at in range(30)]), File(RAW, [(at, 3, 30 + at) for at in range(30)])],
    "empty": [of([]), of([3, 4]), of([])],
    "SYNs": [File(ETHERNET, [(at, 1 if at in (1, 20) else 0, 200) for at in range(30)]), of(range(0, 30, 3), 3)],
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", [100, 800, 1 << 20])
def test_files(name: str, size: int) -> None:
    check(FILES[name], size)


def test_a_block_of_a_file_that_is_alone_passes_as_it_is() -> None:
    """Those of two files of which one begins where the other one ends stay two; of two by turns one is made."""
    assert [len(block.times) for block in check(FILES["a ring, named backwards"], 1 << 20)] == [10, 10, 10]
    assert len(check(FILES["by turns"], 1 << 20)[0].times) > 45


def block_of(times: list[int]) -> Block:
    """With nothing in it but for the times of its packets."""
    at = [0] * len(times)
    span, stretches, others = (times[0], times[-1]), [Stretch(0, ETHERNET, 14)], list(range(len(times)))
    return Block(b"", at, at, times, True, span, stretches, {}, [], others, [])


def test_a_prepared_block_of_a_file_that_is_alone_is_not_made_anew() -> None:
    alone, late = block_of([1, 2]), block_of([9, 9])
    opened = [iter([alone]), iter([late, block_of([10])])]
    counted: list[tuple[int, int]] = []
    found = list(
        merge.merged(
            [(1, 0), (9, 1)],
            lambda place, _: opened[place],
            Prefilter().sort,
            lambda *some: counted.append(some),
            prefetch=True,
        )
    )
    assert [list(one.numbers) for one in found] == [[1, 2], [3, 4], [5]]
    assert found[0].conversations is alone.conversations
    assert found[1].conversations is late.conversations
    assert counted == [(0, 0), (1, 0), (1, 0)]


def test_a_merged_block_of_one_shape_is_one_stretch() -> None:
    (first, *_) = check(FILES["by turns"], 1 << 20)
    assert first.ip_offset == 14
    assert len(first.conversations) == 1
    mixed = check(FILES["link types"], 1 << 20)
    assert any(len(block.stretches) > 10 for block in mixed)
