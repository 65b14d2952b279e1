"""The kernel's filter: what a live capture lets through, compiled by libpcap (through scapy) and attached to a socket.

Carriers of tunnels pass whole: what is in them is looked at by who reads the packets.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from dissector.errors import UsageError
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

#: BPF_RET with a constant: how much of a packet that passes is captured.
_RETURN = 0x06
_SNAP_LENGTH = 1 << 18
#: BPF_LD and BPF_LDX (bits 0 to 2) of packet bytes (bits 5 to 7): at a place, at one relative to X, and BPF_MSH.
_LOADS = frozenset({(0, 0x20), (0, 0x40), (1, 0xA0)})
_TYPE_AT, _ETHERNET_HEADER = 12, 14
#: SKF_AD_OFF + SKF_AD_PROTOCOL: the ethertype as the kernel knows it.
_PROTOCOL = 0xFFFFF000


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
    """From now on the socket gets what passes ``text`` and, if given, ``narrow``.

    :raises UsageError: libpcap does not understand the filter, or packets of this link type have not what it asks for
    """
    from scapy.arch.common import free_filter
    from scapy.arch.linux import SO_ATTACH_FILTER
    from scapy.libs.structures import sock_fprog

    program = _compiled(_behind_tags(f"({text}) and ({narrow})" if narrow else text), narrow or text)
    try:
        for instruction in program.bf_insns[: program.bf_len]:
            if instruction.code == _RETURN and instruction.k:
                instruction.k = _SNAP_LENGTH  # scapy's is too short for the segments of loopback and of network cards
            elif link_type != ETHERNET and (instruction.code & 0x07, instruction.code & 0xE0) in _LOADS:
                instruction.k = _cooked_place(instruction.k, narrow or text)
        own.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, sock_fprog(program.bf_len, program.bf_insns))
    finally:
        free_filter(program)


def _compiled(whole: str, told: str) -> Any:
    """scapy's ``bpf_program`` for Ethernet; an error names the part ``told``."""
    from scapy.arch.common import compile_filter
    from scapy.error import Scapy_Exception

    try:
        return compile_filter(whole, linktype=ETHERNET)
    except Scapy_Exception as error:
        raise UsageError(f"capture filter: {str(error).rpartition(' (')[2].rstrip(')')}: {told}") from None
    except (ImportError, OSError):
        raise UsageError("libpcap is needed to filter packets; as root: apt-get install libpcap0.8") from None


def _cooked_place(at: int, told: str) -> int:
    """Where a cooked socket has what an Ethernet frame has at ``at``: it sees packets from behind that header on."""
    if at == _TYPE_AT:
        return _PROTOCOL
    if at < _ETHERNET_HEADER:
        raise UsageError(f"capture filter: this interface, or any, has no Ethernet addresses to filter by: {told}")
    return at - _ETHERNET_HEADER
