"""The network interfaces of this machine."""

from __future__ import annotations

from typing import NamedTuple

from dissector.sources.support import has_interfaces

#: The name that stands for all interfaces, those that come later included.
ANY = "any"
_UP = 0x1


class Interface(NamedTuple):
    """``kind`` is the ARPHRD number of its link layer (Linux, if_arp.h)."""

    name: str
    kind: int
    is_up: bool
    addresses: tuple[str, ...]


def interfaces() -> list[Interface]:
    """All interfaces, in the kernel's order; none where they can not be captured on."""
    if not has_interfaces():
        return []
    import scapy.arch.linux  # noqa: F401  (fills conf.ifaces)
    from scapy.config import conf

    conf.ifaces.reload()
    return [
        Interface(one.name, one.type, bool(one.flags & _UP), tuple(one.ips[4] + one.ips[6]))
        for one in conf.ifaces.values()
    ]
