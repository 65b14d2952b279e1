"""Classic capture files: both byte orders, times in microseconds or nanoseconds, and Kuznetzov's longer records.

Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html; the third magic is that of the patched libpcap
of old Red Hat Linux, whose record headers have 8 more bytes.  Before version 2.3 the two lengths of a record stood the
other way round, and in some files of that version they do (libpcap's own notes on its savefile format).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from struct import Struct

from dissector.limits import MAX_CAPTURED
from dissector.sources.ahead import WORTH, ReadAhead, available
from dissector.sources.blocks import BLOCK, Layout, count, gather
from dissector.sources.bytestream import ByteStream, DamagedError
from dissector.stream.blocks import Block
from dissector.stream.link import ETHERNET, is_supported, link_type_name
from dissector.stream.packets import WHOLE, carries_segment, may_carry
from dissector.stream.sift import IPV4, LEAST, LOOK, SHORTEST, TCP, Record, Sift
from dissector.traffic import ENDS, Packet, Watch

_SECOND = 1_000_000_000
_new = tuple.__new__  # three times as fast as Packet(...)

_HEADER = 24
_RECORD, _LONG_RECORD = 16, 24
#: Magic number -> nanoseconds of one unit of the fraction, length of a record's header.
_MAGICS = {0xA1B2C3D4: (1_000, _RECORD), 0xA1B23C4D: (1, _RECORD), 0xA1B2CD34: (1_000, _LONG_RECORD)}
#: The version of DG/UX' tcpdump.
_DG_UX = 543
#: AIX writes nanoseconds, and numbers of interface types (RFC 1573) in place of link types.
_AIX, _AIX_LINK_TYPES = (2, 2), {6: ETHERNET, 9: 6, 15: 10, 24: 0}
#: The upper half of the link type field tells about frame check sequences.
_LINK_TYPE = 0xFFFF


def is_pcap(start: bytes) -> bool:
    """True when a file that begins so (4 bytes at least) is a classic capture file."""
    return any(int.from_bytes(start[:4], order) in _MAGICS for order in ("big", "little"))


def read_pcap(stream: ByteStream, buffer: bytes, sift: Sift) -> Iterator[Packet | Block]:
    """The packets of a capture file that pass ``sift``; ``buffer`` is its beginning, ``stream`` has the rest.
    Where blocks are wanted (``sift.prepare``), most of them are in blocks.

    Raises DamagedError where it can not be read on: at the end of the records, all before were given.
    """
    buffer = stream.more(buffer, _HEADER)
    if len(buffer) < _HEADER:
        raise DamagedError("the file ends inside its header", len(buffer))
    layout = _layout(buffer)
    is_fast = layout.link_type == ETHERNET and layout.swapped is False
    at = _HEADER
    if sift.ahead and sift.prepare is not None and is_fast and stream.size >= WORTH and available():
        buffer = yield from _read_ahead(stream, buffer, layout, sift, sift.prepare)
        at = 0
    while True:
        if sift.watch is not None and is_fast:
            if sift.prepare is None:
                at = yield from _quickly(buffer, at, layout, sift, sift.watch)
            else:
                block, at = gather(buffer, at, len(buffer), layout)
                if block.times:
                    block = block._replace(number=sift.number)
                    count(sift.info, block)
                    sift.prepare(block)
                    yield block
        records, at, need = _walk(buffer, at, layout)
        yield from sift.feed(records)
        if need > layout.size + MAX_CAPTURED:
            where = stream.total - len(buffer) + at
            raise DamagedError(f"a record can not be {need - layout.size} bytes long", where)
        wanted = max(need, BLOCK) if sift.prepare is not None and stream.size else need
        buffer, at = stream.more(buffer[at:], wanted), 0
        if len(buffer) < need:
            if buffer or stream.broken:
                raise DamagedError(stream.broken or "it ends inside a record", stream.total, cut=True)
            return


def _layout(header: bytes) -> Layout:
    """What a file's header says of its records.  Raises DamagedError when they can not be read."""
    order = "<" if int.from_bytes(header[:4], "little") in _MAGICS else ">"
    magic, major, minor, _, _, _, link_type = Struct(f"{order}IHHiIII").unpack_from(header)
    if major not in (2, _DG_UX):
        raise DamagedError(f"version {major}.{minor} of the format is unknown", 4)
    link_type &= _LINK_TYPE
    unit, size = _MAGICS[magic]
    if (major, minor) == _AIX and link_type in _AIX_LINK_TYPES:
        link_type, unit = _AIX_LINK_TYPES[link_type], 1
    if not is_supported(link_type):
        raise DamagedError(f"link type {link_type} ({link_type_name(link_type)}) is not supported", 20)
    return Layout(link_type, order, unit, size, swapped=_swapped(major, minor))


def _swapped(major: int, minor: int) -> bool | None:
    """Whether the two lengths of a record changed places; None: where the first one is larger than the second."""
    if (major, minor) == (2, 3):
        return None
    return major == _DG_UX or minor < 3


def _read_ahead(
    stream: ByteStream, buffer: bytes, layout: Layout, sift: Sift, prepare: Callable[[Block], object]
) -> Generator[Block, None, bytes]:
    """All of a file that can be had in blocks, from another process; returns what is left."""
    reader = ReadAhead(stream, buffer, _HEADER, layout, sift.number, prepare)
    try:
        for block in reader:
            if stream.on_read is not None:
                stream.on_read(reader.used)
                reader.used = 0
            count(sift.info, block)
            yield block
    finally:
        reader.close()
    stream.over, stream.total, stream.broken = True, reader.total, reader.broken
    return reader.rest


def _walk(buffer: bytes, at: int, layout: Layout) -> tuple[list[Record], int, int]:
    """The whole records from ``at`` on, where they end, and how many bytes the next one needs from there."""
    link_type, order, unit, size, swapped = layout
    unpack = Struct(f"{order}IIII").unpack_from
    records: list[Record] = []
    while len(buffer) - at >= size:
        seconds, fraction, captured, length = unpack(buffer, at)
        if swapped or (swapped is None and captured > length):
            captured, length = length, captured
        end = at + size + captured
        if end > len(buffer) or captured > MAX_CAPTURED:
            return records, at, size + captured
        records.append((seconds * _SECOND + fraction * unit, link_type, buffer[at + size : end], length))
        at = end
    return records, at, size


def _quickly(buffer: bytes, at: int, layout: Layout, sift: Sift, watch: Watch) -> Generator[Packet, None, int]:
    """``_walk`` and ``Sift.feed`` in one, for Ethernet: half of the time of reading goes here.  Returns where it ended,
    which is before records that are too near to the end of the buffer for a look."""
    link_type, order, unit, size, _ = layout
    unpack = Struct(f"{order}IIII{size - _RECORD}x{LOOK}")
    look, last, stop = unpack.unpack_from, len(buffer) - unpack.size, len(buffer)
    info, before = sift.info, sift.before
    foreign, now, wake = watch.foreign, watch.now, min(watch.wake, watch.limit)
    number, segments, first, latest = info.packets, info.tcp_segments, info.first, info.last or 0
    skipped = 0
    while at <= last:
        seconds, fraction, captured, length, kind, total, fragment, protocol, key, offset, flags = look(buffer, at)
        start = at + size
        end = start + captured
        if end > stop or captured > MAX_CAPTURED:
            break
        at = end
        number += 1
        time = seconds * _SECOND + fraction * unit
        plain = None
        if kind == IPV4 and captured >= SHORTEST:
            if protocol == TCP:
                if fragment in WHOLE and total >= LEAST[offset]:
                    segments += 1
                    if key in foreign and now <= time < wake and not flags & ENDS:
                        now = skipped = time
                        continue
                    plain = key
            elif now <= time < wake and not may_carry(protocol, fragment, key):
                now = skipped = time
                continue
        packet: Packet = _new(Packet, (before + number, time, link_type, buffer[start:end], length, plain))
        if plain is None and carries_segment(packet):
            segments += 1
        if first is None or time < first:
            info.first = first = time
            info.link_type = link_type_name(link_type)
        latest = max(latest, skipped, time)
        info.packets, info.tcp_segments, info.last = number, segments, latest
        watch.now = max(watch.now, now)
        yield packet
        now, wake = watch.now, min(watch.wake, watch.limit)
    if number > info.packets:
        info.packets, info.tcp_segments, info.last = number, segments, max(latest, skipped)
        watch.now = max(watch.now, now)
    return at
