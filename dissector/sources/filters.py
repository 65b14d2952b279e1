"""The kernel's filter: what a live capture lets through.

Carriers of tunnels pass whole: what is in them is looked at by who reads the packets.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable

from dissector.sources import bpf
from dissector.stream import ip, tunnels
from dissector.stream.link import ETHERNET

#: An ICMP or ICMPv6 message that quotes a packet which could not be delivered.
_ICMP_ERRORS = (
    "(icmp and (icmp[0] == 3 or icmp[0] == 11))",
    "(icmp6 and ip6[40] >= 1 and ip6[40] <= 3)",
)
#: MPLS, PPPoE, 802.1ah, FabricPath, VN-tag, E-tag, TRILL, jumbo LLC, Cisco metadata, HSR, NSH, and the tag that is
#: none to libpcap.
_ETHERTYPES = (
    *(0x8847, 0x8848, 0x8864, 0x88E7, 0x8903, 0x8926, 0x893F, 0x22F3, 0x8870, 0x8909, 0x892F, 0x894F, 0x9200),
)
#: What is signed only.
_MACSEC = "(ether proto 0x88e5 and ether[14] & 0x0c == 0)"
#: LLC's service access points of SNAP and of IP; libpcap takes numbers so small for these.
_ACCESS_POINTS = (0xAA, 0x06)
_FRAGMENTS = "(ip[6:2] & 0x3fff != 0)"
#: Headers between IPv6's and what it carries, fragments among them.
_EXTENSIONS = (ip.HOP_BY_HOP, ip.ROUTING, ip.FRAGMENT, ip.DESTINATION, ip.SHIM6)
#: The kernel takes off the outermost tag of what it receives, but not of what it sends.
_TAGS = 3

#: Words of a filter that are about VLAN tags.
_ABOUT_TAGS = re.compile(r"\bvlan\b")


def port_filter(command_ports: Iterable[int], callback_ports: tuple[int, int]) -> str:
    """For both connections of every task outside of tunnels, and for ICMP errors that answer them."""
    ports = [f"port {port}" for port in command_ports] + [f"portrange {callback_ports[0]}-{callback_ports[1]}"]
    return " or ".join([f"(tcp and ({' or '.join(ports)}))", *_ICMP_ERRORS])


def carrier_filter() -> str:
    """For the tunnels that can be read, and for IP fragments, whose ports are not known."""
    ports = [port for port, layer in tunnels.BY_PORT.items() if layer is not tunnels.SEALED_PORTS.get(port)]
    protocols = [ip.AUTHENTICATION, *(tunnels.BY_PROTOCOL.keys() - tunnels.SEALED_PROTOCOLS.keys())]
    return " or ".join(
        [
            f"(udp and ({' or '.join(f'port {port}' for port in sorted(ports))}))",
            _FRAGMENTS,
            _MACSEC,
            *(f"proto {number}" for number in sorted(protocols)),
            *(f"ip6 proto {number}" for number in _EXTENSIONS),
            *(f"ether proto {number:#x}" for number in (*_ETHERTYPES, *_ACCESS_POINTS)),
        ]
    )


def _behind_tags(text: str) -> str:
    """The same filter also for packets with VLAN tags in their bytes: ``vlan`` moves all that is behind the word."""
    whole = f"({text})"
    for _ in range(_TAGS):
        whole = f"({text}) or (vlan and ({whole}))"
    return whole


def attach(own: socket.socket, text: str, narrow: str | None, link_type: int) -> None:
    """From now on the socket gets what passes ``text`` and, if given, ``narrow``: the user's, which is tried behind
    tags too, unless it has a word on them itself.

    :raises UsageError: libpcap does not understand the filter, or packets of this link type have not what it asks for
    """
    told = narrow or text
    if narrow is not None and _ABOUT_TAGS.search(narrow):
        program = bpf.both(bpf.compiled(_behind_tags(text), told), bpf.with_tags(bpf.compiled(narrow, told), told))
    else:
        program = bpf.compiled(_behind_tags(f"({text}) and ({narrow})" if narrow else text), told)
    bpf.attach(own, program if link_type == ETHERNET else bpf.cooked(program, told))
