"""What the options of a TCP header say (RFC 9293, section 3.2)."""

from __future__ import annotations

from dissector.stream.block import Buffer

_END, _PAD, _MSS = 0, 1, 2
_MSS_SIZE = 4


def segment_size(data: Buffer, at: int, end: int) -> int | None:
    """The maximum segment size (bytes) that a SYN with its options in ``data[at:end]`` offers; None: it has none, or
    it was not captured."""
    end = min(end, len(data))
    while at + 1 < end and (kind := data[at]) != _END:
        if kind == _PAD:
            at += 1
            continue
        size = data[at + 1]
        if size < 2:
            return None
        if kind == _MSS and size == _MSS_SIZE and at + size <= end:
            return int.from_bytes(data[at + 2 : at + 4], "big")
        at += size
    return None
