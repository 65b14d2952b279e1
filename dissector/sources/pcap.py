"""Classic capture files: both byte orders, times in microseconds or nanoseconds, and Kuznetzov's longer records.

Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html; the third magic is that of the patched libpcap
of old Red Hat Linux, whose record headers have 8 more bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from dissector.limits import MAX_CAPTURED
from dissector.sources.bytestream import ByteStream, DamagedError
from dissector.stream.link import is_supported, link_type_name
from dissector.traffic import Block, Record

_HEADER = 24
_RECORD, _LONG_RECORD = 16, 24
#: Magic number -> nanoseconds of one unit of the fraction, length of a record's header.
_MAGICS = {0xA1B2C3D4: (1_000, _RECORD), 0xA1B23C4D: (1, _RECORD), 0xA1B2CD34: (1_000, _LONG_RECORD)}
#: The upper half of the link type field tells about frame check sequences.
_LINK_TYPE = 0xFFFF


def is_pcap(start: bytes) -> bool:
    """True when a file that begins so (4 bytes at least) is a classic capture file."""
    return any(int.from_bytes(start[:4], order) in _MAGICS for order in ("big", "little"))


def read_pcap(stream: ByteStream, buffer: bytes) -> Iterator[Block]:
    """The records of a capture file; ``buffer`` is its beginning, ``stream`` has the rest.

    Raises DamagedError where it can not be read on: at the end of the records, all before were given.
    """
    buffer = stream.more(buffer, _HEADER)
    if len(buffer) < _HEADER:
        raise DamagedError("the file ends inside its header", len(buffer))
    order = "<" if int.from_bytes(buffer[:4], "little") in _MAGICS else ">"
    magic, major, minor, _, _, _, link_type = Struct(f"{order}IHHiIII").unpack_from(buffer)
    if major != 2:
        raise DamagedError(f"version {major}.{minor} of the format is unknown", 4)
    link_type &= _LINK_TYPE
    if not is_supported(link_type):
        raise DamagedError(f"link type {link_type} ({link_type_name(link_type)}) is not supported", 20)
    unit, size = _MAGICS[magic]
    unpack = Struct(f"{order}IIII").unpack_from
    at = _HEADER
    while True:
        records: list[Record] = []
        last, need = len(buffer) - size, size
        while at <= last:
            seconds, fraction, captured, length = unpack(buffer, at)
            start = at + size
            end = start + captured
            if end > len(buffer) or captured > MAX_CAPTURED:
                need = size + captured
                break
            records.append((seconds * 1_000_000_000 + fraction * unit, link_type, start, end, length))
            at = end
        yield buffer, records
        if need > size + MAX_CAPTURED:
            raise DamagedError(f"a record can not be {need - size} bytes long", stream.total - len(buffer) + at)
        buffer, at = stream.more(buffer[at:], need), 0
        if len(buffer) < need:
            if buffer or stream.broken:
                raise DamagedError(stream.broken or "it ends inside a record", stream.total, cut=True)
            return
