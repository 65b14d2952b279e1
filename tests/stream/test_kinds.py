"""What packets of no interest are called."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest

from dissector.stream.kinds import kind_of
from dissector.traffic import Packet

ETHERNET = 1
MACS = bytes(12)


def kind(data: bytes) -> str:
    return kind_of(Packet(1, 0, ETHERNET, data, len(data)))


def ip4(protocol: int, payload: bytes, part: int = 0) -> bytes:
    addresses = ip_address("10.0.0.1").packed + ip_address("10.0.0.2").packed
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, part, 64, protocol, 0)
    return MACS + b"\x08\0" + head + addresses + payload


def ip6(protocol: int, payload: bytes) -> bytes:
    addresses = ip_address("fd00::1").packed + ip_address("fd00::2").packed
    return MACS + b"\x86\xdd" + struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + addresses + payload


@pytest.mark.parametrize(
    ("ethertype", "name"),
    [
        (0x8035, "RARP"),
        (0x8137, "IPX"),
        (0x8809, "link aggregation"),
        (0x8863, "PPPoE discovery"),
        (0x888E, "EAPOL"),
        (0x8892, "PROFINET"),
        (0x88A4, "EtherCAT"),
        (0x88CC, "LLDP"),
        (0x88E1, "HomePlug"),
        (0x88F7, "PTP"),
        (0x8906, "FCoE"),
        (0x9000, "Ethernet loopback"),
        (0x9001, "ethertype 0x9001"),
        (0x0807, "ethertype 0x0807"),
    ],
)
def test_ethertypes(ethertype: int, name: str) -> None:
    assert kind(MACS + ethertype.to_bytes(2, "big") + bytes(46)) == name


@pytest.mark.parametrize(
    ("operation", "name"), [(1, "ARP requests"), (2, "ARP replies"), (0, "ARP"), (3, "ARP"), (0x0101, "ARP")]
)
def test_arp(operation: int, name: str) -> None:
    data = MACS + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation)
    assert kind(data + b"\xff" * 20) == name
    assert kind(data[:-1]) == "damaged packets"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x42\x42\x03", "spanning tree"),
        (b"\xe0\xe0\x03", "IPX"),
        (b"\xf0\xf0\x03", "NetBEUI"),
        (b"\xfe\xfe\x03", "IS-IS"),
        (b"\x42\xe0\x03", "802.2"),
        (b"\xaa\xaa\x03\0\0\x0c\x20\0", "Cisco discovery"),
        (b"\xaa\xaa\x03\0\0\x0d\x20\0", "802.2"),
        (b"\xaa\xaa\x03\0\1\x0c\x20\0", "802.2"),
    ],
)
def test_what_has_a_length_in_place_of_a_type(head: bytes, name: str) -> None:
    assert kind(MACS + b"\0\x26" + head + bytes(40)) == name


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        (2, "IGMP"),
        (33, "DCCP"),
        (46, "RSVP"),
        (88, "EIGRP"),
        (89, "OSPF"),
        (103, "PIM"),
        (112, "VRRP"),
        (132, "SCTP"),
        (3, "IP protocol 3"),
        (255, "IP protocol 255"),
    ],
)
def test_protocols(protocol: int, name: str) -> None:
    assert kind(ip4(protocol, bytes(20))) == name
    assert kind(ip6(protocol, bytes(20))) == name
    assert kind(ip4(protocol, bytes(8), part=0x2000)) in (name, "IP fragments")


@pytest.mark.parametrize(
    ("port", "name"),
    [
        (53, "DNS"),
        (67, "DHCP"),
        (68, "DHCP"),
        (69, "TFTP"),
        (111, "portmapper"),
        (123, "NTP"),
        (137, "NetBIOS names"),
        (138, "NetBIOS datagrams"),
        (161, "SNMP"),
        (162, "SNMP traps"),
        (443, "QUIC"),
        (514, "syslog"),
        (546, "DHCPv6"),
        (547, "DHCPv6"),
        (1900, "SSDP"),
        (2049, "NFS"),
        (3702, "WS-Discovery"),
        (5353, "mDNS"),
        (5355, "LLMNR"),
    ],
)
def test_ports_of_udp(port: int, name: str) -> None:
    """A port with a name counts, wherever it stands and whatever the other one is."""
    for other in (1, 40_000):
        for ports in ((port, other), (other, port)):
            assert kind(ip4(17, struct.pack(">HHHH", *ports, 16, 0) + bytes(8))) == f"UDP port {port} {name}"


@pytest.mark.parametrize(("ports", "name"), [((9, 7), "7"), ((7, 9), "7"), ((53, 123), "53 DNS"), ((54, 40_000), "54")])
def test_the_lower_port_of_udp_counts_among_equals(ports: tuple[int, int], name: str) -> None:
    assert kind(ip4(17, struct.pack(">HHHH", *ports, 16, 0) + bytes(8))) == f"UDP port {name}"


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "pings"),
        (8, "pings"),
        (3, "ICMP unreachable"),
        (5, "ICMP redirects"),
        (11, "ICMP time exceeded"),
        (12, "ICMP"),
        (1, "ICMP"),
    ],
)
def test_types_of_icmp(number: int, name: str) -> None:
    assert kind(ip4(1, bytes([number, 1]) + bytes(6))) == name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "ICMPv6 unreachable"),
        (3, "ICMPv6 time exceeded"),
        (128, "pings"),
        (129, "pings"),
        (130, "multicast listeners"),
        (131, "multicast listeners"),
        (132, "multicast listeners"),
        (133, "IPv6 router solicitations"),
        (134, "IPv6 router advertisements"),
        (135, "IPv6 neighbour solicitations"),
        (136, "IPv6 neighbour advertisements"),
        (137, "IPv6 redirects"),
        (143, "multicast listeners"),
        (2, "ICMPv6"),
        (0, "ICMPv6"),
        (255, "ICMPv6"),
    ],
)
def test_types_of_icmp_for_ipv6(number: int, name: str) -> None:
    assert kind(ip6(58, bytes([number, 1]) + bytes(6))) == name
