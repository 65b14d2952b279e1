"""Who does not belong there: a program that connects to a port of someone else, and a device that resets connections.

    python intruder.py scan 10.60.1.10 59999 junk|close|silent
    python intruder.py reset INTERFACE LOW-HIGH SECONDS client|remote|both

``scan`` tries until the port opens.  ``reset`` watches the connections to ports LOW-HIGH and, so many seconds after
their first packet, sends RSTs with the right numbers from the router: toward ``client`` (10.60.1.x), ``remote``
(10.60.2.x) or both.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conversation import ACK, RST, Address, ethernet

from dissector.model import address_text
from dissector.stream.packets import parse
from dissector.traffic import FIN, SYN, Packet, Segment

_ALL = 0x0003  # ETH_P_ALL
_ETHERNET = 1
_PATIENCE = 30.0
_HOLD = 120.0


def scan(host: str, port: int, what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and not _visit(host, port, what):
        time.sleep(0.05)


def _visit(host: str, port: int, what: str) -> bool:
    """False when nobody listens yet."""
    try:
        sock = socket.create_connection((host, port), timeout=2.0)
    except OSError:
        return False
    with sock:
        if what == "junk":
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            sock.recv(1)
            time.sleep(0.5)
        elif what == "silent":
            time.sleep(_HOLD)
    return True


def reset(interface: str, ports: range, seconds: float, toward: str) -> None:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    wire.bind((interface, _ALL))
    deadline = float("inf")
    #: By source and target: the next sequence number, and the other side's as this one knows it.
    streams: dict[tuple[Address, Address], tuple[int, int]] = {}
    while time.monotonic() < deadline:
        if not select.select([wire], [], [], 0.05)[0]:
            continue
        data = wire.recv(65_536)
        segment = parse(Packet(1, 0, _ETHERNET, data, len(data)))
        if isinstance(segment, Segment) and not {segment.sport, segment.dport}.isdisjoint(ports):
            deadline = min(deadline, time.monotonic() + seconds)
            ends = Address(address_text(segment.src), segment.sport), Address(address_text(segment.dst), segment.dport)
            after = segment.seq + segment.length + bool(segment.flags & (SYN | FIN))
            streams[ends] = after, segment.ack
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    networks = {"client": ("10.60.1.",), "remote": ("10.60.2.",), "both": ("10.60.1.", "10.60.2.")}[toward]
    for (source, target), (seq, ack) in streams.items():
        if target.ip.startswith(networks):
            sender.sendto(ethernet(source, target, seq, ack, RST | ACK)[14:], (target.ip, 0))


def main() -> None:
    what, *words = sys.argv[1:]
    if what == "scan":
        scan(words[0], int(words[1]), words[2])
    else:
        low, high = words[1].split("-")
        reset(words[0], range(int(low), int(high) + 1), float(words[2]), words[3])


if __name__ == "__main__":
    main()
