"""Ethernet frames and IP packets from literals, for captures that benchmarks and tests make.

Checksums are left zero: nothing here looks at them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address

A, B = "10.1.0.1", "10.1.0.2"
A6, B6 = "fd00::1", "fd00::2"
TCP, UDP = 6, 17


def ipv4(
    payload: bytes,
    src: str = A,
    dst: str = B,
    protocol: int = TCP,
    ttl: int = 64,
    ip_id: int = 1,
    fragment: int = 0x4000,
    options: bytes = b"",
    total: int | None = None,
) -> bytes:
    """``fragment`` is the field with flags and offset (0x4000: don't fragment); ``total`` a length that lies."""
    header = 20 + len(options)
    if total is None:
        total = header + len(payload)
    ends = ip_address(src).packed + ip_address(dst).packed
    fixed = struct.pack(">BBHHHBBH", 0x40 | header // 4, 0, total, ip_id, fragment, ttl, protocol, 0)
    return fixed + ends + options + payload


def ipv6(
    payload: bytes,
    src: str = A6,
    dst: str = B6,
    following: int = TCP,
    length: int | None = None,
    hop_limit: int = 61,
) -> bytes:
    if length is None:
        length = len(payload)
    head = struct.pack(">IHBB", 0x6000_0000, length, following, hop_limit)
    return head + ip_address(src).packed + ip_address(dst).packed + payload


def ethernet(payload: bytes, ethertype: int = 0x0800, tags: Iterable[int] = ()) -> bytes:
    """``tags``: the ethertypes of VLAN tags, outermost first."""
    kinds = b"".join(struct.pack(">HH", tag, 100) for tag in tags)
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01" + kinds + struct.pack(">H", ethertype) + payload
