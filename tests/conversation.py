"""Whole conversations from a script: tasks to packets to a capture file, with the writer's own list of what is in it.

A ``TaskScript`` says what a task is; ``Network`` plays it on two TCP connections, at any time and beside other tasks,
and remembers the packets; ``capture()`` is the file.  Everything is deterministic.

    network = Network()
    network.play(TaskScript(job="backup", callback_port=59_999, log=("one", "two")), start=0.5)
    path.write_bytes(network.capture())
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import NamedTuple

from dissector.wire import control
from dissector.wire import messages as m
from dissector.wire.decode import encode_frame

#: 2026-11-22 04:00:00 UTC, when every conversation begins.
EPOCH = 1_795_320_000
ANSWER_TIME = "2026-11-22 04:00:00.000"
SECOND = 1_000_000_000
MICROSECOND = 1_000
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

PROLOG = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
ENGINE_ID_TAIL = bytes.fromhex("6c1b11d88103000476ee8afb")
SERVER_CLSID = bytes.fromhex("feee47a3") + ENGINE_ID_TAIL
SERVER_IID = bytes.fromhex("feee47a2") + ENGINE_ID_TAIL
LOG_PROXY = bytes.fromhex("feee47a6") + ENGINE_ID_TAIL
NULL_GUID = bytes(16)

EMPTY = m.Variant(0, None)
TRUE = m.Variant(11, True)


# --- packets -------------------------------------------------------------------------------------------------------


class Address(NamedTuple):
    ip: str
    port: int


class Record(NamedTuple):
    """One packet: nanoseconds since ``EPOCH`` and an Ethernet frame."""

    time: int
    data: bytes


def checksum(data: bytes) -> int:
    """The ones' complement sum of IP and TCP."""
    words: tuple[int, ...] = struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(src: Address, dst: Address, seq: int, ack: int, flags: int, payload: bytes = b"") -> bytes:
    """An Ethernet frame with one TCP segment over IPv4, checksums right."""
    source, target = IPv4Address(src.ip).packed, IPv4Address(dst.ip).packed
    seq, ack = seq % 2**32, ack % 2**32
    tcp = struct.pack(">HHIIBBHHH", src.port, dst.port, seq, ack if flags & ACK else 0, 0x50, flags, 64_240, 0, 0)
    pseudo = source + target + struct.pack(">BBH", 0, 6, len(tcp) + len(payload))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp + payload)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp) + len(payload), 0, 0x4000, 64, 6, 0, source, target)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\x00" + ip + tcp + payload


def pcap(records: Iterable[Record]) -> bytes:
    """A classic capture file with nanosecond times, Ethernet."""
    head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)
    body = (
        struct.pack("<IIII", EPOCH + time // SECOND, time % SECOND, len(data), _size(data)) + data
        for time, data in records
    )
    return head + b"".join(body)


def _size(data: bytes) -> int:
    """As many bytes as the frame had before it was cut off: its IPv4 header says so."""
    said = 14 + int.from_bytes(data[16:18], "big") if data[12:14] == b"\x08\x00" else 0
    return max(said, len(data))


class Line:
    """One TCP connection: every method adds its packets to ``records`` and moves the clock a little."""

    def __init__(self, records: list[Record], client: Address, server: Address, isn: int = 1_000) -> None:
        self.records = records
        self.ends = (client, server)
        self.next = [isn, isn ^ 0x5555_0000]

    def packet(self, time: int, side: int, flags: int, payload: bytes = b"") -> None:
        """A packet of ``side`` (0: who opened, 1: the other) at its next sequence number."""
        source, target = self.ends[side], self.ends[1 - side]
        data = ethernet(source, target, self.next[side], self.next[1 - side], flags, payload)
        self.records.append(Record(time, data))
        self.next[side] += len(payload) + bool(flags & (SYN | FIN))

    def open(self, time: int) -> None:
        self.packet(time, 0, SYN)
        self.packet(time + 20 * MICROSECOND, 1, SYN | ACK)
        self.packet(time + 40 * MICROSECOND, 0, ACK)

    def send(self, time: int, side: int, data: bytes, mss: int = 1_448) -> None:
        """``data`` in segments of ``mss`` and the other side's acknowledgement."""
        for start in range(0, len(data), mss):
            self.packet(time, side, PSH | ACK, data[start : start + mss])
        self.packet(time + 10 * MICROSECOND, 1 - side, ACK)

    def reset(self, time: int, side: int) -> None:
        self.packet(time, side, RST | ACK)

    def finish(self, time: int, side: int) -> None:
        """Both sides close, ``side`` first."""
        self.packet(time, side, FIN | ACK)
        self.packet(time + 20 * MICROSECOND, 1 - side, FIN | ACK)
        self.packet(time + 40 * MICROSECOND, side, ACK)


# --- a task --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TaskScript:
    """A shell task as the engine runs it; also the writer's record of what has to be found."""

    job: str = "job"
    client: str = "10.1.0.10"
    remote: str = "10.2.0.10"
    #: Address that the task process calls from; another one than ``remote`` on a multi-homed host.
    peer: str | None = None
    command_port: int = 40_000
    remote_port: int = 4_455
    callback_port: int = 59_999
    peer_port: int = 50_000
    task_id: int = 1
    process_id: int = 1
    pid: int | None = None
    log: tuple[str, ...] = ("hello",)
    exit_code: int = 0
    #: Seconds from the start command to the callback, and between messages.
    delay: float = 0.001
    pace: float = 0.001

    @property
    def peer_address(self) -> Address:
        return Address(self.peer or self.remote, self.peer_port)


def bstr(text: str) -> m.Variant:
    return m.Variant(8, text)


def variants(*elements: m.Variant) -> m.Variant:
    return m.Variant(0x200C, m.SafeArray(features=0x0880, lower_bound=0, element_vt=12, elements=elements))


def new_object(object_id: int, title: str, proxy: bytes = NULL_GUID, *properties: m.Property) -> m.Reference:
    return m.Reference(object_id, m.NewObject(title, proxy, properties))


def call(object_id: int, name: str, *arguments: m.Variant) -> m.Call:
    return m.Call(object_id, name, m.DispParams((), arguments[::-1]))


def log_line(object_id: int, text: str) -> m.Invoke:
    """``spooler_log.log(0, text)`` as shell output comes: dispid 14, never looked up."""
    return m.Invoke(object_id, 14, NULL_GUID, 0, 1, m.DispParams((), (bstr(text), m.Variant(3, 0))))


def dialog(script: TaskScript) -> Iterator[tuple[int, m.Body]]:
    """The callback connection's messages in order: (1 from the client, 0 from the task process, message)."""
    salt = (script.peer_port << 48) | (script.callback_port << 32)
    # Each id has one owner.
    server, spooler, log = salt | 1, salt | 0x8000_0001, salt | 0x8000_0002
    title = "sos::scheduler::com_objects::Com_"
    yield 1, m.CreateInstance(0, SERVER_CLSID, m.Reference(0, None), 0, (SERVER_IID,))
    instance = new_object(server, "sos::scheduler::Com_remote_module_instance_server")
    yield 0, m.CreateInstanceAnswer(0, (m.InterfaceResult(0, instance),))
    settings = ("language=shell", f"job={script.job}", f"task_id={script.task_id}")
    yield 1, call(server, "construct", variants(*map(bstr, settings), EMPTY, EMPTY))
    yield 0, m.CallAnswer(0, TRUE)
    objects = variants(
        m.Variant(9, new_object(spooler, f"{title}spooler")),
        m.Variant(9, new_object(log, f"{title}log", LOG_PROXY, m.Property("level", m.Variant(3, 0)))),
    )
    yield 1, call(server, "begin", objects, variants(bstr("spooler"), bstr("spooler_log")))
    yield 0, m.CallAnswer(0, TRUE)
    yield 1, call(server, "step")
    for text in script.log:
        yield 0, log_line(log, text)
        yield 1, m.InvokeAnswer(0, EMPTY, None)
    result = (
        f'<process.result spooler_process_result="{str(not script.exit_code).lower()}" exit_code="{script.exit_code}"/>'
    )
    yield 0, m.CallAnswer(0, bstr(PROLOG + result))
    yield 1, m.Release(server)
    for object_id in (spooler, log):
        yield 0, m.Release(object_id)
        yield 1, m.EmptyAnswer()
    yield 0, m.EmptyAnswer()


def xml_answer(content: str, end: str = "\n") -> bytes:
    """An answer with any content, well-formed or not."""
    text = f'{PROLOG}<spooler><answer time="{ANSWER_TIME}">{content}</answer></spooler>{end}'
    return text.encode("iso-8859-1") + b"\0"


def start_command(script: TaskScript) -> bytes:
    return control.encode_start(control.StartTask(script.callback_port, None if script.pid else "process"))


def started_answer(script: TaskScript) -> bytes:
    return control.encode_process_answer(control.ProcessStarted(script.process_id, script.pid), ANSWER_TIME)


def close_command(script: TaskScript) -> bytes:
    return control.encode_close(control.CloseTask(script.process_id))


@dataclass
class Network:
    """All that is on the wire: packets in the order of their times, tasks in the order of their starts."""

    records: list[Record] = field(default_factory=list)
    tasks: list[tuple[int, TaskScript]] = field(default_factory=list)
    lines: int = 0

    def line(self, client: Address, server: Address) -> Line:
        """A connection with a start of numbering of its own."""
        self.lines += 1
        return Line(self.records, client, server, isn=self.lines * 0x0123_4567 % 2**32)

    def play(self, script: TaskScript, start: float = 0.0, mss: int = 1_448) -> int:
        """The whole life of a task from ``start`` (seconds) on; the time of its last packet in nanoseconds."""
        now, pace = round(start * SECOND), round(script.pace * SECOND)
        self.tasks.append((now, script))
        command = self.line(Address(script.client, script.command_port), Address(script.remote, script.remote_port))
        command.open(now)
        command.send(now + 100 * MICROSECOND, 0, start_command(script))
        command.send(now + 300 * MICROSECOND, 1, started_answer(script))
        callback = self.line(script.peer_address, Address(script.client, script.callback_port))
        now += 500 * MICROSECOND + round(script.delay * SECOND)
        callback.open(now)
        for side, body in dialog(script):
            now += pace
            callback.send(now, side, encode_frame(body), mss)
        now += 50 * MICROSECOND
        callback.packet(now, 1, FIN | ACK)
        callback.reset(now + 5 * MICROSECOND, 1)
        command.send(now + 100 * MICROSECOND, 0, close_command(script))
        command.send(now + 400 * MICROSECOND, 1, control.encode_ok(ANSWER_TIME))
        command.finish(now + 500 * MICROSECOND, 0)
        return now + 540 * MICROSECOND

    def say(self, client: Address, server: Address, *talk: tuple[int, bytes], start: float = 0.0) -> None:
        """A connection of something else: ``talk`` is (0 from the client, 1 from the server, bytes) in order."""
        line, now = self.line(client, server), round(start * SECOND)
        line.open(now)
        for side, data in talk:
            now += 100 * MICROSECOND
            line.send(now, side, data)
        line.finish(now + 100 * MICROSECOND, 0)

    def ordered(self) -> list[Record]:
        """Packets by time; those of the same time stay as they were written."""
        return sorted(self.records, key=lambda record: record.time)

    def capture(self) -> bytes:
        return pcap(self.ordered())

    def expected(self) -> list[TaskScript]:
        """Tasks by the time of their first packet."""
        return [script for _, script in sorted(self.tasks, key=lambda task: task[0])]
