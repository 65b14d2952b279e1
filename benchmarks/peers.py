"""Peers that are Python libraries, each as the loop that its manual shows: ``python -m benchmarks.peers NAME FILE``.

Each prints the number of packets, and of payload bytes where it tells them, as a sign that it did its work.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path


def scapy(path: str) -> tuple[int, int]:
    """PcapReader with TCPSession, which puts segments of protocols that it knows together."""
    from scapy.layers.inet import TCP
    from scapy.sessions import TCPSession
    from scapy.utils import PcapReader

    session, packets, size = TCPSession(), 0, 0
    with PcapReader(path) as reader:
        for raw in reader:
            packets += 1
            packet = session.process(raw)
            if packet is not None and TCP in packet:
                size += len(packet[TCP].payload)
    return packets, size


def dpkt(path: str) -> tuple[int, int]:
    """Ethernet, IP and TCP of every packet, and the payload bytes of each direction of each connection."""
    import dpkt

    packets, sizes = 0, Counter[tuple[bytes, int, bytes, int]]()
    with Path(path).open("rb") as file:
        for _, data in dpkt.pcap.Reader(file):
            packets += 1
            ip = dpkt.ethernet.Ethernet(data).data
            if isinstance(ip, dpkt.ip.IP) and isinstance(ip.data, dpkt.tcp.TCP):
                sizes[ip.src, ip.data.sport, ip.dst, ip.data.dport] += len(ip.data.data)
    return packets, sizes.total()


def pyshark(path: str) -> tuple[int, int]:
    """Every packet as tshark dissects it, as an object."""
    import pyshark

    packets = size = 0
    with pyshark.FileCapture(path, keep_packets=False) as capture:
        for packet in capture:
            packets += 1
            if "TCP" in packet:
                size += int(packet.tcp.len)
    return packets, size


if __name__ == "__main__":
    print(*{"scapy": scapy, "dpkt": dpkt, "pyshark": pyshark}[sys.argv[1]](sys.argv[2]))
