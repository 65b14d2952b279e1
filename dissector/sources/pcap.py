"""Classic capture files: both byte orders, times in microseconds or nanoseconds, and Kuznetzov's longer records.

Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html; the third magic is that of the patched libpcap
of old Red Hat Linux, whose record headers have 8 more bytes.  Before version 2.3 the two lengths of a record stood the
other way round, and in some files of that version they do (libpcap's own notes on its savefile format).
"""

from __future__ import annotations

from struct import Struct

from dissector.limits import MAX_CAPTURED
from dissector.numbers import count
from dissector.sources.bytestream import DamagedError
from dissector.stream.block import Buffer
from dissector.stream.link import ETHERNET, is_supported, numbered_link_type
from dissector.stream.records import RecordLayout, RecordWalk

_SECOND = 1_000_000_000
#: Bytes of the file's header.
HEADER = 24
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


class PcapRecords:
    """The records of a file with this header.

    :raises DamagedError: they can not be read
    """

    unit = "record"

    def __init__(self, header: bytes) -> None:
        if len(header) < HEADER:
            raise DamagedError("the file ends inside its header", len(header))
        order = "<" if int.from_bytes(header[:4], "little") in _MAGICS else ">"
        magic, major, minor, _, _, _, link_type = Struct(f"{order}IHHiIII").unpack_from(header)
        if major not in (2, _DG_UX):
            raise DamagedError(f"version {major}.{minor} of the format is unknown", 4)
        link_type &= _LINK_TYPE
        fraction, self._size = _MAGICS[magic]
        if (major, minor) == _AIX and link_type in _AIX_LINK_TYPES:
            link_type, fraction = _AIX_LINK_TYPES[link_type], 1
        if not is_supported(link_type):
            raise DamagedError(f"{numbered_link_type(link_type)} is not supported", 20)
        fields = f"{order}0s0s0sIIII{self._size - _RECORD}x"
        self._layout = RecordLayout(fields, self._size, link_type, _SECOND, fraction)
        self._unpack = Struct(f"{order}IIII").unpack_from
        #: Whether the two lengths of a record changed places; None: where the first one is larger than the second.
        self._swapped = None if (major, minor) == (2, 3) else major == _DG_UX or minor < 3

    def fill(self, walk: RecordWalk, buffer: Buffer, at: int, stop: int) -> tuple[int, int]:
        """As ``Records.fill``."""
        size, link_type = self._size, self._layout.link_type
        if self._swapped is False:
            at = walk.records(at, stop, self._layout)
        while stop - at >= size:
            seconds, fraction, captured, length = self._unpack(buffer, at)
            if self._swapped or (self._swapped is None and captured > length):
                captured, length = length, captured
            if captured > MAX_CAPTURED:
                raise DamagedError(f"a record can not be {count(captured, 'byte')} long", at)
            begin, end = at + size, at + size + captured
            if end > stop:
                return at, size + captured
            time = seconds * _SECOND + fraction * self._layout.lower
            walk.packet(time, link_type, begin, end, length)
            at = end
        return at, size
