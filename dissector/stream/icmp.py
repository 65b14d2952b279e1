"""ICMP and ICMPv6 errors: why a router or host refused a TCP packet.

Types and codes: RFC 792, RFC 1122, RFC 1812, RFC 4443 and the IANA registries.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

_PROHIBITED = "administratively prohibited"
_UNREACHABLE: Mapping[int, str] = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    5: "source route failed",
    6: "network unknown",
    7: "host unknown",
    8: "source host isolated",
    9: f"network {_PROHIBITED}",
    10: f"host {_PROHIBITED}",
    11: "network unreachable for type of service",
    12: "host unreachable for type of service",
    13: _PROHIBITED,
    14: "host precedence violation",
    15: "precedence cutoff",
}
_UNREACHABLE_6: Mapping[int, str] = {
    0: "no route to destination",
    1: _PROHIBITED,
    2: "beyond scope of source address",
    3: "host unreachable",
    4: "port unreachable",
    5: "source address failed policy",
    6: "rejected by route",
}
_EXCEEDED: Mapping[int, str] = {0: "time to live exceeded", 1: "fragment reassembly time exceeded"}
_TABLE: Mapping[int, tuple[str, Mapping[int, str]]] = {
    3: ("destination unreachable", _UNREACHABLE),
    11: ("time exceeded", _EXCEEDED),
}
_TABLE_6: Mapping[int, tuple[str, Mapping[int, str]]] = {
    1: ("destination unreachable", _UNREACHABLE_6),
    2: ("fragmentation needed", {0: "fragmentation needed"}),
    3: ("time exceeded", _EXCEEDED),
}

#: Source port, destination port and sequence number: all of a TCP header that RFC 792 promises to quote.
TCP_QUOTE = Struct("!HHI")


def reason(version: int, kind: int, code: int) -> str | None:
    """Words for an ICMP (version 4) or ICMPv6 (version 6) error; None for a message that is no such error."""
    entry = (_TABLE if version == 4 else _TABLE_6).get(kind)
    if entry is None:
        return None
    general, codes = entry
    return codes.get(code) or f"{general} (code {code})"
