"""What attacks are made of: TCP connections without a capture's truth, and the messages on them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dissector.wire import control
from dissector.wire import messages as m
from dissector.wire.decode import encode_frame

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
#: A packet: nanoseconds and an Ethernet frame.
Packets = Iterator[tuple[int, bytes]]
_BEGINNING = 1_790_000_000_000_000_000
MILLISECOND = 1_000_000
_IP = struct.Struct(">BBHHHBBHII")
_TCP = struct.Struct(">HHIIBBHHH")
CLIENT, REMOTE = 0x0A01_000A, 0x0A02_000A
_ENGINE = bytes.fromhex("6c1b11d88103000476ee8afb")
_SERVER_CLSID, _SERVER_IID = bytes.fromhex("feee47a3") + _ENGINE, bytes.fromhex("feee47a2") + _ENGINE
NULL = bytes(16)
TIME = "2026-11-22 04:00:00.000"
_SESSION, LOG = 1 << 32, 2 << 32


class Line:
    """A TCP connection from ``client`` to ``server`` (address, port); each method gives one packet."""

    def __init__(self, client: tuple[int, int], server: tuple[int, int]) -> None:
        self._ends = client, server
        self._next = [1_000, 9_000]

    def packet(self, side: int, flags: int, payload: bytes = b"", *, skip: int = 0, length: int | None = None) -> bytes:
        """A packet of ``side`` (0: the client), ``skip`` bytes farther than the next one; ``length`` is what the header
        tells of the payload."""
        (src, sport), (dst, dport) = self._ends[side], self._ends[1 - side]
        size = len(payload) if length is None else length
        ip = _IP.pack(0x45, 0, 40 + size, 0, 0x4000, 64, 6, 0, src, dst)
        seq, ack = (self._next[side] + skip) % 2**32, self._next[1 - side] % 2**32 if flags & ACK else 0
        tcp = _TCP.pack(sport, dport, seq, ack, 0x50, flags, 64_240, 0, 0)
        if not skip:
            self._next[side] += size + bool(flags & (SYN | FIN))
        return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\x00" + ip + tcp + payload

    def open(self) -> Iterator[bytes]:
        yield self.packet(0, SYN)
        yield self.packet(1, SYN | ACK)
        yield self.packet(0, ACK)

    def send(self, side: int, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), 1_400):
            yield self.packet(side, ACK, data[start : start + 1_400])

    def finish(self) -> Iterator[bytes]:
        yield self.packet(0, FIN | ACK)
        yield self.packet(1, FIN | ACK)
        yield self.packet(0, ACK)


def clocked(packets: Iterator[bytes], step: int = MILLISECOND) -> Packets:
    time = _BEGINNING
    for data in packets:
        time += step
        yield time, data


def start(port: int) -> bytes:
    return control.encode_start(control.StartTask(port, "process"))


def started(number: int) -> bytes:
    return control.encode_process_answer(control.ProcessStarted(number, None), TIME)


def command(number: int, client: int = CLIENT, remote: int = REMOTE) -> Line:
    return Line((client + (number // 60_000 << 8), 1_024 + number % 60_000), (remote, 4_444))


def callback(number: int, port: int, remote: int = REMOTE) -> Line:
    return Line((remote + (number // 60_000 << 8), 1_024 + number % 60_000), (CLIENT, port))


def opening(line: Line) -> Iterator[bytes]:
    """A callback connection up to begin, which gives the log its name."""
    title = "sos::scheduler::com_objects::Com_"
    yield from line.open()
    yield from line.send(1, encode_frame(m.CreateInstance(0, _SERVER_CLSID, m.Reference(0, None), 0, (_SERVER_IID,))))
    instance = m.Reference(_SESSION, m.NewObject("sos::scheduler::Com_remote_module_instance_server", NULL, ()))
    yield from line.send(0, encode_frame(m.CreateInstanceAnswer(0, (m.InterfaceResult(0, instance),))))
    log = m.Variant(9, m.Reference(LOG, m.NewObject(f"{title}log", NULL, ())))
    names = _variants(m.Variant(8, "spooler_log"))
    yield from line.send(1, encode_frame(m.Call(_SESSION, "begin", m.DispParams((), (names, _variants(log))))))
    yield from line.send(0, encode_frame(m.CallAnswer(0, m.Variant(11, True))))
    yield from line.send(1, encode_frame(m.Call(_SESSION, "step", m.DispParams((), ()))))


def _variants(*elements: m.Variant) -> m.Variant:
    return m.Variant(0x200C, m.SafeArray(0x0880, 0, 12, elements))


def logged(text: str) -> bytes:
    values = m.Variant(8, text), m.Variant(3, 0)
    return encode_frame(m.Invoke(LOG, 14, NULL, 0, 1, m.DispParams((), values)))


DONE = encode_frame(m.InvokeAnswer(0, m.Variant(0, None), None))
