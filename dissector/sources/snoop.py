"""Captures of Solaris' snoop: one byte order, records with their own lengths and padding.  Source: RFC 1761."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from dissector.limits import MAX_CAPTURED
from dissector.sources.bytestream import ByteStream, DamagedError
from dissector.stream.link import ETHERNET, is_supported
from dissector.stream.sift import Record, Sift
from dissector.traffic import Packet

_MAGIC = b"snoop\0\0\0"
_HEADER, _RECORD = Struct(">8sII"), Struct(">IIIIII")
_VERSIONS = (2, 3, 4)
#: Datalink types of snoop as link types of libpcap; the others have none here.
_LINK_TYPES = {0: ETHERNET, 2: 6, 4: ETHERNET, 8: 10}
_UNKNOWN = 1 << 16
_SECOND, _MICROSECOND = 1_000_000_000, 1_000
#: Padding and what else a record may have behind its packet.
_MOST_PADDING = 4_096


def is_snoop(start: bytes) -> bool:
    """True when a file that begins so (4 bytes at least) is a capture of snoop."""
    return start[:4] == _MAGIC[:4]


def read_snoop(stream: ByteStream, buffer: bytes, sift: Sift) -> Iterator[Packet]:
    """The packets of a capture file that pass ``sift``; ``buffer`` is its beginning, ``stream`` has the rest.

    Raises DamagedError where it can not be read on; all packets before that place were given.
    """
    buffer = stream.more(buffer, _HEADER.size)
    if len(buffer) < _HEADER.size:
        raise DamagedError("the file ends inside its header", len(buffer))
    magic, version, datalink = _HEADER.unpack_from(buffer)
    if magic != _MAGIC or version not in _VERSIONS:
        raise DamagedError(f"version {version} of the snoop format is unknown", 8)
    link_type = _LINK_TYPES.get(datalink, _UNKNOWN)
    if not is_supported(link_type):
        raise DamagedError(f"snoop's datalink type {datalink} is not supported", 12)
    at = _HEADER.size
    while True:
        records: list[Record] = []
        need = _RECORD.size
        while len(buffer) - at >= need:
            length, captured, size, _, seconds, microseconds = _RECORD.unpack_from(buffer, at)
            if not captured <= size - _RECORD.size <= captured + _MOST_PADDING or captured > MAX_CAPTURED:
                yield from sift.feed(records)
                raise DamagedError(f"a record can not be {size} bytes long", stream.total - len(buffer) + at)
            if len(buffer) - at < size:
                need = size
                break
            start = at + _RECORD.size
            time = seconds * _SECOND + microseconds * _MICROSECOND
            records.append((time, link_type, buffer[start : start + captured], length))
            at, need = at + size, _RECORD.size
        yield from sift.feed(records)
        buffer, at = stream.more(buffer[at:], need), 0
        if not buffer and not stream.broken:
            return
        if len(buffer) < need:
            raise DamagedError(stream.broken or "it ends inside a record", stream.total, cut=True)
