"""What packets carry that are of no interest: their names, for captures that hold nothing else.

Numbers are those of IANA (protocols, ports, ICMP types) and of the IEEE (ethertypes).
"""

from __future__ import annotations

import struct

from dissector.stream import ip, layers
from dissector.stream.layers import Step
from dissector.stream.packets import unwrap
from dissector.traffic import Packet

#: A question for the link layer address of a host, and its answer.
ARP_REQUEST, ARP_REPLY = "ARP requests", "ARP replies"
SOLICITATION, ADVERTISEMENT = "IPv6 neighbour solicitations", "IPv6 neighbour advertisements"
_ARP = 0x0806
_ETHERTYPES = {
    _ARP: "ARP",
    0x8035: "RARP",
    0x8137: "IPX",
    0x8809: "link aggregation",
    0x8863: "PPPoE discovery",
    0x888E: "EAPOL",
    0x8892: "PROFINET",
    0x88A4: "EtherCAT",
    0x88CC: "LLDP",
    0x88E1: "HomePlug",
    0x88F7: "PTP",
    0x8906: "FCoE",
    0x9000: "Ethernet loopback",
}
_PROTOCOLS = {2: "IGMP", 33: "DCCP", 46: "RSVP", 88: "EIGRP", 89: "OSPF", 103: "PIM", 112: "VRRP", 132: "SCTP"}
_PORTS = {
    53: "DNS",
    67: "DHCP",
    68: "DHCP",
    69: "TFTP",
    111: "portmapper",
    123: "NTP",
    137: "NetBIOS names",
    138: "NetBIOS datagrams",
    161: "SNMP",
    162: "SNMP traps",
    443: "QUIC",
    514: "syslog",
    546: "DHCPv6",
    547: "DHCPv6",
    1900: "SSDP",
    2049: "NFS",
    3702: "WS-Discovery",
    5353: "mDNS",
    5355: "LLMNR",
}
_ICMP = {0: "pings", 8: "pings", 3: "ICMP unreachable", 5: "ICMP redirects", 11: "ICMP time exceeded"}
_ICMP6 = {
    1: "ICMPv6 unreachable",
    3: "ICMPv6 time exceeded",
    128: "pings",
    129: "pings",
    130: "multicast listeners",
    131: "multicast listeners",
    132: "multicast listeners",
    133: "IPv6 router solicitations",
    134: "IPv6 router advertisements",
    135: SOLICITATION,
    136: ADVERTISEMENT,
    137: "IPv6 redirects",
    143: "multicast listeners",
}
_LLC_NAMES = {b"\x42\x42": "spanning tree", b"\xe0\xe0": "IPX", b"\xf0\xf0": "NetBEUI", b"\xfe\xfe": "IS-IS"}
_CISCO = b"\x00\x00\x0c"
_SHORTS = struct.Struct("!HH").unpack_from


def kind_of(packet: Packet) -> str:
    """``UDP port 53 DNS``, ``ARP requests``; never raises, whatever the bytes."""
    path: list[Step] = []
    try:
        head, _ = unwrap(packet, path)
        return _without_ip(packet.data, path) if head is None else _of_ip(packet.data, head)
    except (IndexError, ValueError, struct.error):
        return "damaged packets"


def _without_ip(data: bytes, path: list[Step]) -> str:
    for step in path:
        if step.kind == layers.LLC:
            owner = data[step.at + 3 : step.at + 6]
            return "Cisco discovery" if owner == _CISCO else _LLC_NAMES.get(data[step.at : step.at + 2], "802.2")
    kind, at, _ = path[-1]
    if kind == _ARP:
        return {1: ARP_REQUEST, 2: ARP_REPLY}.get(_SHORTS(data, at + 6)[0], _ETHERTYPES[kind])
    if kind <= layers.NOTHING:
        return "packets without IP"
    return _ETHERTYPES.get(kind, f"ethertype 0x{kind:04x}")


def _of_ip(data: bytes, head: ip.Header) -> str:
    if head.part is not None:
        return "IP fragments"
    if head.protocol == ip.UDP:
        port = min(_SHORTS(data, head.payload), key=lambda one: (one not in _PORTS, one))
        return f"UDP port {port} {_PORTS.get(port, '')}".rstrip()
    if head.protocol in (ip.ICMP, ip.ICMP6):
        names, other = (_ICMP, "ICMP") if head.version == 4 else (_ICMP6, "ICMPv6")
        return names.get(data[head.payload], other)
    return _PROTOCOLS.get(head.protocol, f"IP protocol {head.protocol}")
