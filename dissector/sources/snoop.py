"""Captures of Solaris' snoop: one byte order, records with their own lengths and padding.  Source: RFC 1761."""

from __future__ import annotations

from struct import Struct

from dissector.limits import MAX_CAPTURED
from dissector.numbers import count
from dissector.sources.bytestream import DamagedError
from dissector.stream.block import Buffer
from dissector.stream.link import ETHERNET, is_supported
from dissector.stream.records import RecordWalk

_MAGIC = b"snoop\0\0\0"
_HEADER, _RECORD = Struct(">8sII"), Struct(">IIIIII")
#: Bytes of the file's header.
HEADER = _HEADER.size
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


class SnoopRecords:
    """The records of a file with this header.

    :raises DamagedError: they can not be read
    """

    unit = "record"

    def __init__(self, header: bytes) -> None:
        if len(header) < HEADER:
            raise DamagedError("the file ends inside its header", len(header))
        magic, version, datalink = _HEADER.unpack_from(header)
        if magic != _MAGIC or version not in _VERSIONS:
            raise DamagedError(f"version {version} of the snoop format is unknown", 8)
        self._link_type = _LINK_TYPES.get(datalink, _UNKNOWN)
        if not is_supported(self._link_type):
            raise DamagedError(f"snoop's datalink type {datalink} is not supported", 12)

    def fill(self, walk: RecordWalk, buffer: Buffer, at: int, stop: int) -> tuple[int, int]:
        """As ``Records.fill``."""
        while stop - at >= _RECORD.size:
            length, captured, size, _, seconds, microseconds = _RECORD.unpack_from(buffer, at)
            if not captured <= size - _RECORD.size <= captured + _MOST_PADDING or captured > MAX_CAPTURED:
                raise DamagedError(f"a record can not be {count(size, 'byte')} long", at)
            if stop - at < size:
                return at, size
            begin = at + _RECORD.size
            time = seconds * _SECOND + microseconds * _MICROSECOND
            walk.packet(time, self._link_type, begin, begin + captured, length)
            at += size
        return at, _RECORD.size
