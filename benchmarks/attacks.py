"""Captures in which one thing grows, as somebody makes them who wants jstrace to stand still.

Each function gives the packets of ``n`` such things; ``written`` makes the file.  Time and memory must grow no faster
than the file, whatever grows: see ``growing`` for how that is measured.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.inputs import write
from dissector.wire import control
from dissector.wire import messages as m
from dissector.wire.decode import encode_frame

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
#: A packet: nanoseconds and an Ethernet frame.
Packets = Iterator[tuple[int, bytes]]
_BEGINNING = 1_790_000_000_000_000_000
_MILLISECOND = 1_000_000
_IP = struct.Struct(">BBHHHBBHII")
_TCP = struct.Struct(">HHIIBBHHH")
_CLIENT, _REMOTE = 0x0A01_000A, 0x0A02_000A
_ENGINE = bytes.fromhex("6c1b11d88103000476ee8afb")
_SERVER_CLSID, _SERVER_IID = bytes.fromhex("feee47a3") + _ENGINE, bytes.fromhex("feee47a2") + _ENGINE
_NULL = bytes(16)
_TIME = "2026-11-22 04:00:00.000"
_SESSION, _LOG = 1 << 32, 2 << 32


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


def _clocked(packets: Iterator[bytes], step: int = _MILLISECOND) -> Packets:
    time = _BEGINNING
    for data in packets:
        time += step
        yield time, data


def _start(port: int) -> bytes:
    return control.encode_start(control.StartTask(port, "process"))


def _started(number: int) -> bytes:
    return control.encode_process_answer(control.ProcessStarted(number, None), _TIME)


def _command(number: int, client: int = _CLIENT, remote: int = _REMOTE) -> Line:
    return Line((client + (number // 60_000 << 8), 1_024 + number % 60_000), (remote, 4_444))


def _callback(number: int, port: int, remote: int = _REMOTE) -> Line:
    return Line((remote + (number // 60_000 << 8), 1_024 + number % 60_000), (_CLIENT, port))


def _opening(line: Line) -> Iterator[bytes]:
    """A callback connection up to begin, which gives the log its name."""
    title = "sos::scheduler::com_objects::Com_"
    yield from line.open()
    yield from line.send(1, encode_frame(m.CreateInstance(0, _SERVER_CLSID, m.Reference(0, None), 0, (_SERVER_IID,))))
    instance = m.Reference(_SESSION, m.NewObject("sos::scheduler::Com_remote_module_instance_server", _NULL, ()))
    yield from line.send(0, encode_frame(m.CreateInstanceAnswer(0, (m.InterfaceResult(0, instance),))))
    log = m.Variant(9, m.Reference(_LOG, m.NewObject(f"{title}log", _NULL, ())))
    names = _variants(m.Variant(8, "spooler_log"))
    yield from line.send(1, encode_frame(m.Call(_SESSION, "begin", m.DispParams((), (names, _variants(log))))))
    yield from line.send(0, encode_frame(m.CallAnswer(0, m.Variant(11, True))))
    yield from line.send(1, encode_frame(m.Call(_SESSION, "step", m.DispParams((), ()))))


def _variants(*elements: m.Variant) -> m.Variant:
    return m.Variant(0x200C, m.SafeArray(0x0880, 0, 12, elements))


def _logged(text: str) -> bytes:
    values = m.Variant(8, text), m.Variant(3, 0)
    return encode_frame(m.Invoke(_LOG, 14, _NULL, 0, 1, m.DispParams((), values)))


_DONE = encode_frame(m.InvokeAnswer(0, m.Variant(0, None), None))


# --- tasks ---------------------------------------------------------------------------------------------------------


def open_tasks(n: int) -> Packets:
    """Starts that are answered and never closed."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = _command(number)
            yield from line.open()
            yield from line.send(0, _start(59_999 - number % 30_000))
            yield from line.send(1, _started(number))

    return _clocked(packets(), 3 * _MILLISECOND)


def closing_tasks(n: int) -> Packets:
    """Starts whose connections close, so that only the callback is waited for, all in the same millisecond."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = _command(number)
            yield from line.open()
            yield from line.send(0, _start(59_999 - number % 30_000))
            yield from line.send(1, _started(number))
            yield from line.finish()

    return _clocked(packets(), 0)


def starts_on_one_connection(n: int) -> Packets:
    def packets() -> Iterator[bytes]:
        line = _command(0)
        yield from line.open()
        for number in range(n):
            yield from line.send(0, _start(59_999 - number % 30_000))
            yield from line.send(1, _started(number))
        for number in range(n):
            yield from line.send(0, control.encode_close(control.CloseTask(number)))
            yield from line.send(1, control.encode_ok(_TIME))

    return _clocked(packets())


def starts_without_answer(n: int) -> Packets:
    def packets() -> Iterator[bytes]:
        line = _command(0)
        yield from line.open()
        for number in range(n):
            yield from line.send(0, _start(59_999 - number % 30_000))

    return _clocked(packets())


def starts_for_one_port(n: int) -> Packets:
    """Every start announces the same port, which is called once for each."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = _command(number)
            yield from line.open()
            yield from line.send(0, _start(59_999))
        for number in range(n):
            yield _callback(number, 59_999).packet(0, SYN)

    return _clocked(packets())


def calls_elsewhere(n: int) -> Packets:
    """Starts that wait for their callbacks, and as many connections of their remote to a port that none announced."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = _command(number)
            yield from line.open()
            yield from line.send(0, _start(59_000 - number % 100))
        for number in range(n):
            yield _callback(number, 59_500).packet(0, SYN)

    return _clocked(packets())


def calls_to_one_port(n: int) -> Packets:
    """One start, and connections to its port that are refused."""

    def packets() -> Iterator[bytes]:
        line = _command(0)
        yield from line.open()
        yield from line.send(0, _start(59_999))
        for number in range(n):
            line = _callback(number, 59_999)
            yield line.packet(0, SYN)
            yield line.packet(1, RST | ACK)

    return _clocked(packets(), 5 * _MILLISECOND)


def answers_alone(n: int) -> Packets:
    """Only the answers to the starts, then only callbacks, which may belong to any of them."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            line = _command(number)
            yield from line.open()
            yield from line.send(1, _started(number))
        for number in range(n):
            yield from _opening(_callback(number, 59_999 - number % 30_000))

    return _clocked(packets())


def closes_alone(n: int) -> Packets:
    """Only callbacks, then only closes, which may belong to any of them."""

    def packets() -> Iterator[bytes]:
        for number in range(n):
            yield from _opening(_callback(number, 59_999 - number % 30_000))
        for number in range(n):
            line = _command(number)
            yield from line.open()
            yield from line.send(0, control.encode_close(control.CloseTask(number)))

    return _clocked(packets())


def silent_then_starts(n: int) -> Packets:
    """A connection that may become a task's first one, and starts that have to wait for it with their numbers."""

    def packets() -> Iterator[bytes]:
        yield from _command(0, client=_CLIENT + 7).open()
        for number in range(n):
            line = _command(number)
            yield from line.open()
            yield from line.send(0, _start(59_999 - number % 30_000))

    return _clocked(packets(), 1_000)


def unanswered_syns(n: int) -> Packets:
    return _clocked((_command(number).packet(0, SYN) for number in range(n)), 2 * _MILLISECOND)


def half_open(n: int) -> Packets:
    """Connections to the command port that are accepted and never say a word."""
    return _clocked(data for number in range(n) for data in _command(number).open())


# --- one connection ------------------------------------------------------------------------------------------------


def pending_commands(n: int) -> Packets:
    """Documents without an end, none of them answered."""

    def packets() -> Iterator[bytes]:
        line = _command(0)
        yield from line.open()
        yield from line.send(0, b"<remote_scheduler.a/>")
        yield from line.send(0, b"<s/>" * (40 * n))

    return _clocked(packets())


def log_lines(n: int) -> Packets:
    def packets() -> Iterator[bytes]:
        line = _callback(0, 59_999)
        yield from _opening(line)
        for number in range(4 * n):
            yield from line.send(0, _logged(f"line {number} password={number}"))
            yield from line.send(1, _DONE)

    return _clocked(packets())


def objects(n: int) -> Packets:
    """Each call brings an object that nobody knew."""

    def packets() -> Iterator[bytes]:
        line = _callback(0, 59_999)
        yield from _opening(line)
        for number in range(n):
            new = m.Variant(9, m.Reference(number + 9 << 32, m.NewObject(f"Obj{number}", _NULL, ())))
            yield from line.send(0, encode_frame(m.Invoke(_LOG, 99, _NULL, 0, 1, m.DispParams((), (new,)))))
            yield from line.send(1, _DONE)

    return _clocked(packets())


def names(n: int) -> Packets:
    """Each lookup brings a name that nobody knew."""

    def packets() -> Iterator[bytes]:
        line = _callback(0, 59_999)
        yield from _opening(line)
        for number in range(n):
            yield from line.send(0, encode_frame(m.GetIdsOfNames(_LOG, _NULL, 0, (f"name{number}",))))
            yield from line.send(1, encode_frame(m.GetIdsOfNamesAnswer(0, (number,))))

    return _clocked(packets())


def calls_without_answer(n: int) -> Packets:
    def packets() -> Iterator[bytes]:
        line = _callback(0, 59_999)
        yield from _opening(line)
        for number in range(n):
            yield from line.send(0, _logged(f"line {number}"))

    return _clocked(packets())


def problems(n: int) -> Packets:
    """Messages of length 0."""

    def packets() -> Iterator[bytes]:
        line = _callback(0, 59_999)
        yield from _opening(line)
        yield from line.send(0, bytes(40 * n))

    return _clocked(packets())


def gaps(n: int, port: int = 4_444) -> Packets:
    """Every second segment is missing, on a connection that belongs to no task."""

    def packets() -> Iterator[bytes]:
        line = Line((_CLIENT, 2_000), (_REMOTE, port))
        yield from line.open()
        yield from line.send(0, b"<remote_scheduler.a>")
        for _ in range(n):
            line._next[0] += 10
            yield from line.send(0, b"<a>")
            yield line.packet(1, ACK)

    return _clocked(packets())


def early_segments(n: int) -> Packets:
    """Segments behind a hole, in pieces that do not touch, the last one first."""

    def packets() -> Iterator[bytes]:
        line = _command(0)
        yield from line.open()
        yield from line.send(0, b"<remote_scheduler.a>")
        for number in range(n):
            yield line.packet(0, ACK, b"x", skip=2 * (n - number))

    return _clocked(packets())


def covered_segments(n: int) -> Packets:
    """Small pieces behind a hole, and segments over all of them again and again, cut off by the snap length."""

    def packets() -> Iterator[bytes]:
        line = _command(0)
        yield from line.open()
        yield from line.send(0, b"<remote_scheduler.a>")
        for number in range(n):
            yield line.packet(0, ACK, b"x", skip=2 + number)
        for _ in range(n):
            yield line.packet(0, ACK, b"x", skip=2, length=60_000)

    return _clocked(packets())


def fragments(n: int) -> Packets:
    line = _command(0)
    data = bytearray(line.packet(0, ACK, b"x" * 8))
    data[20] = 0x20
    return _clocked(bytes(data) for _ in range(n))


def small_segments(n: int) -> Packets:
    """A connection that could still become anything, a byte a segment."""

    def packets() -> Iterator[bytes]:
        data = b"\0\0\0\1K" * 800
        for number in range(0, n, len(data)):
            line = Line((_REMOTE, 1_024 + number // len(data)), (_CLIENT, 50_123))
            yield line.packet(0, ACK)
            for at in range(min(n - number, len(data))):
                yield line.packet(0, ACK, data[at : at + 1])

    return _clocked(packets())


def http_chunks(n: int) -> Packets:
    """An HTTP request whose body comes in chunks of a byte."""

    def packets() -> Iterator[bytes]:
        line = _command(0)
        yield from line.open()
        yield from line.send(0, b"POST /jobscheduler/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(n):
            yield from line.send(0, b"1\r\nx\r\n")

    return _clocked(packets())


SHAPES: dict[str, Callable[[int], Packets]] = {
    shape.__name__.replace("_", " "): shape
    for shape in (
        *(open_tasks, closing_tasks, starts_on_one_connection, starts_without_answer, starts_for_one_port),
        *(calls_elsewhere, calls_to_one_port, answers_alone, closes_alone, silent_then_starts),
        *(unanswered_syns, half_open, pending_commands, log_lines, objects, names, calls_without_answer),
        *(problems, gaps, early_segments, covered_segments, fragments, small_segments, http_chunks),
    )
}


def written(path: Path, shape: str, n: int) -> Path:
    """The capture of ``n`` things of a shape."""
    if shape in SHAPES:
        write(path, SHAPES[shape](n))
    else:
        path.write_bytes(FILES[shape](n))
    return path


# --- files that are odd themselves ---------------------------------------------------------------------------------


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


_SECTION = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def _described(n: int, link_type: Callable[[int], int]) -> bytes:
    """``n`` interface descriptions and a packet of each of the first 65,536."""
    blocks = [_SECTION, _block(1, struct.pack("<HHI", 1, 0, 0))]
    blocks += [_block(1, struct.pack("<HHI", link_type(number), 0, 0)) for number in range(n)]
    blocks += [_block(6, struct.pack("<IIIII", number, 0, 0, 0, 0)) for number in range(n)]
    return b"".join(blocks)


def known_interfaces(n: int) -> bytes:
    return _described(n, lambda _: 1)


def unknown_interfaces(n: int) -> bytes:
    """Of one unknown link type, among them one that can be read."""
    return _described(n, lambda _: 147)


def many_link_types(n: int) -> bytes:
    return _described(n, lambda number: 300 + number % 60_000)


FILES: dict[str, Callable[[int], bytes]] = {
    shape.__name__.replace("_", " "): shape for shape in (known_interfaces, unknown_interfaces, many_link_types)
}
