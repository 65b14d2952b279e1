"""Secrets of TLS behind all packets of a pcapng file, as programs leave them that learn them while they record.

A block's length is told at its end too, so a file can be walked from there back to its last packet.
"""

from __future__ import annotations

import stat
from os import SEEK_END
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from dissector.limits import MAX_PCAPNG_BLOCK
from dissector.sources.bytestream import STANDARD_INPUT, open_file
from dissector.sources.pcapng import PACKETS, SECRETS, SECTION, SHORTEST, byte_order, key_log_in
from dissector.sources.remote import is_remote

_START = 12
#: So many blocks, and bytes of secrets, may stand behind the last packet.
_MOST_BLOCKS, _MOST_BYTES = 1_024, 16 << 20


def secrets_behind(path: str) -> bytes:
    """The lines of TLS key logs behind the last packet of a file; empty for one that is no pcapng file, is compressed,
    or is read as it comes."""
    try:
        if path == STANDARD_INPUT or not (is_remote(path) or stat.S_ISREG(Path(path).stat().st_mode)):
            return b""
        with open_file(path) as opened:
            return _found(opened)
    except (OSError, ValueError):
        return b""


def _found(file: BinaryIO) -> bytes:
    """Raises ValueError where the file begins with no section."""
    start = file.read(_START)
    if start[:4] != SECTION:
        return b""
    order = byte_order(start[8:]).order
    heads, tail = Struct(order + "II"), Struct(order + "I")
    logs: list[bytes] = []
    end, size = file.seek(0, SEEK_END), 0
    for _ in range(_MOST_BLOCKS):
        if end < 2 * SHORTEST:
            break
        file.seek(end - tail.size)
        (length,) = tail.unpack(file.read(tail.size))
        if length < SHORTEST or length % 4 or length > min(end, MAX_PCAPNG_BLOCK):
            break
        file.seek(end - length)
        kind, again = heads.unpack(file.read(heads.size))
        if again != length or kind in PACKETS:
            break
        if kind == SECRETS:
            size += length
            if size > _MOST_BYTES:
                break
            logs.append(key_log_in(file.read(length - SHORTEST), order))
        end -= length
    return b"\n".join(reversed(logs))
