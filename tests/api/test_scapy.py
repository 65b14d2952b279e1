"""The layers for scapy say what the decoder says, build what they have read, and leave alone what they are not for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.sendrecv import sniff
from scapy.sessions import TCPSession
from scapy.utils import rdpcap

import jstrace
from dissector.model import Message
from dissector.reading import Reading
from dissector.wire import decode as wire
from dissector.wire import messages as m
from jstrace.scapy import JobSchedulerCallback, JobSchedulerCommand, bind

RECORDINGS = (
    "engine_shell_fail", "engine_api_sub", "engine_api_java_errorcalls", "h19_variants", "h19_errors", "h19_nested",
    "scala19_java", "engine_bigscript",
)  # fmt: skip
CALLER = "10.0.0.1"


def frames(path: Path) -> Iterator[Message]:
    """Decoded frames of a recording, in their order."""
    messages = (event for event in Reading([path]).events() if isinstance(event, Message))
    for message in sorted(messages, key=lambda message: message.n):
        if message.connection.role.value == "callback" and message.kind != "undecoded":
            yield message


def values(packet: Packet) -> Iterator[object]:
    """What the fields of a packet and of those in it say, in the order of bytes."""
    for field in packet.fields_desc:
        value = packet.fields.get(field.name)
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, Packet):
                yield from values(one)
            elif one not in (None, b""):
                yield one


def said(message: Message) -> list[object]:
    """The same by the decoder."""
    pending = wire.pending_of(message.request.body) if message.request is not None else None
    leaves = wire.fields(message.raw, pending).leaves()
    return [leaf.value for leaf in leaves if leaf.end > leaf.start and leaf.value != b""]


def forget(packet: Packet) -> None:
    """Scapy keeps the bytes that a packet was read from: without them it has to build."""
    packet.raw_packet_cache = None
    for value in packet.fields.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Packet):
                forget(one)


@pytest.fixture(autouse=True)
def faults_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else scapy makes Raw of what a layer can not read."""
    monkeypatch.setattr(conf, "debug_dissector", True)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", RECORDINGS)
def test_every_frame_says_the_same_and_can_be_built(name: str, captures: Path) -> None:
    seen = 0
    sessions: dict[int, dict[str, Any]] = {}
    for message in frames(captures / f"{name}.pcap"):
        data = len(message.raw).to_bytes(4, "big") + message.raw
        frame = JobSchedulerCallback.tcp_reassemble(data, {}, sessions.setdefault(message.connection.n, {}))
        found = list(values(frame))
        assert found[0] == len(message.raw)
        assert found[1:] == said(message), frame.show(dump=True)
        forget(frame)
        assert bytes(frame) == data
        seen += 1
    assert seen > 10


def test_rdpcap_shows_fields(captures: Path) -> None:
    packets = rdpcap(str(captures / "engine_shell_fail.pcap"))
    shown = packets[23].show(dump=True)
    assert "name_     = 'construct'" in shown
    assert "value     = 'language=shell'" in shown
    answer = packets[24][JobSchedulerCallback]
    assert answer.body.name == "call_answer"
    assert answer.member == "construct"
    assert packets[12][JobSchedulerCommand].element == "remote_scheduler.start_remote_task"
    assert packets[14][JobSchedulerCommand].mysummary() == "JobScheduler process"
    assert "hresult   = S_OK (0x00000000)" in packets[21].show(dump=True)


def test_a_packet_may_be_dissected_again(captures: Path) -> None:
    packets = rdpcap(str(captures / "engine_shell_fail.pcap"))
    for packet in packets:
        if JobSchedulerCallback in packet:
            again = Ether(bytes(packet))
            assert again[JobSchedulerCallback].body == packet[JobSchedulerCallback].body


def test_sessions_put_frames_together(captures: Path) -> None:
    """A script of a megabyte goes over many segments."""
    path = captures / "engine_bigscript.pcap"
    found = sniff(offline=str(path), session=TCPSession)
    assert max(one[JobSchedulerCallback].length for one in found if JobSchedulerCallback in one) > 500_000
    whole = sorted(len(message.raw) for message in frames(path))
    layers: list[int] = []
    for packet in found:
        layer = packet.getlayer(JobSchedulerCallback)
        while isinstance(layer, JobSchedulerCallback):
            assert not isinstance(layer.body, bytes), "every answer has its request"
            layers.append(layer.length)
            layer = layer.payload
    assert sorted(layers) == whole


def test_several_frames_in_a_segment() -> None:
    data = wire.encode_frame(m.Release(1)) + wire.encode_frame(m.Release(2))
    packet = IP(bytes(IP(dst=CALLER) / TCP(dport=59_999) / (data + b"\x00\x00")))
    first = packet[JobSchedulerCallback]
    assert first.body.object_id == 1
    assert first.payload.body.object_id == 2
    assert bytes(packet[TCP].payload) == data + b"\x00\x00"


def test_building_fills_in_lengths_and_counts() -> None:
    body = m.Call(7, "begin", m.DispParams((), (m.Variant(8, "text"), m.Variant(9, m.Reference(5, None)))))
    data = wire.encode_frame(body)
    frame = JobSchedulerCallback(data)
    frame.length = None
    params = frame.body.request.params
    params.arg_count = None
    params.arguments[0].value = "another text"
    changed = jstrace.decode(bytes(frame))
    assert changed.arguments is not None
    assert changed.arguments[1] == jstrace.Value("BSTR", "another text")
    del params.arguments[1]
    assert jstrace.decode(bytes(frame)).arguments == (jstrace.Value("BSTR", "another text"),)


def test_an_answer_without_its_request_keeps_its_bytes() -> None:
    data = wire.encode_frame(m.CallAnswer(0, m.Variant(8, "done")))
    assert JobSchedulerCallback(data).body == data[5:]


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x05O", b"hello", b"\x00\x00\x00\x01Q", b"\xff\xff\xff\xffO1", b"\x00"])
def test_what_is_no_whole_frame_stays_raw(data: bytes) -> None:
    packet = IP(bytes(IP(dst=CALLER) / TCP(dport=59_999) / data))
    assert packet[TCP].payload.__class__ is Raw


def test_what_breaks_the_grammar_stays_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "debug_dissector", False)
    good = wire.encode_frame(m.Invoke(7, 14, bytes(16), 0, 1, m.DispParams((), (m.Variant(3, 1),))))
    for data in (good[:13] + b"?" + good[14:], good[:-20], b"\x00\x00\x00\x0aO" + bytes(8) + b"?"):
        size = (len(data) - 4).to_bytes(4, "big")
        packet = IP(bytes(IP(dst=CALLER) / TCP(dport=59_999) / (size + data[4:])))
        assert packet[TCP].payload.__class__ is Raw
        assert bytes(packet[TCP].payload) == size + data[4:]


@given(data=st.binary(max_size=200))
def test_no_bytes_do_harm(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conf, "debug_dissector", False)
        message = b"O" + data
        packet = IP(bytes(IP(dst=CALLER) / TCP(dport=59_999) / (len(message).to_bytes(4, "big") + message)))
        assert bytes(packet[TCP].payload)[5:] == data


def test_ports() -> None:
    data = wire.encode_frame(m.Release(1))
    segment = bytes(IP(dst=CALLER) / TCP(sport=40_000, dport=7_000) / data)
    assert JobSchedulerCallback not in IP(segment)
    before = list(TCP.payload_guess)
    try:
        bind((7_001,), (7_000, 7_000))
        assert JobSchedulerCallback in IP(segment)
        command = bytes(
            IP(dst=CALLER) / TCP(sport=7_001, dport=40_000) / b"<spooler><answer><ok/></answer></spooler>\0"
        )
        assert IP(command)[JobSchedulerCommand].element == "ok"
        typed = bytes(IP(dst=CALLER) / TCP(sport=40_000, dport=7_001) / b"show_state")
        assert IP(typed)[TCP].payload.__class__ is Raw
    finally:
        TCP.payload_guess = before


def test_a_new_session_on_the_same_ports_starts_anew() -> None:
    """An answer that never came does not wait for the next task's."""

    def sent(body: m.Body, seq: int, sport: int, dport: int) -> Any:
        layers = IP(src=CALLER, dst=CALLER) / TCP(sport=sport, dport=dport, seq=seq) / wire.encode_frame(body)
        return IP(bytes(layers))[JobSchedulerCallback]

    sent(m.Call(7, "step", m.DispParams((), ())), 1, 50_500, 3_000)
    sent(m.CreateInstance(0, bytes(16), m.Reference(0, None), 0, (bytes(16),)), 2, 50_500, 3_000)
    answer = sent(m.CreateInstanceAnswer(0, (m.InterfaceResult(0, m.Reference(5, None)),)), 1, 3_000, 50_500)
    assert answer.body.results[0].object.object_id == 5


def test_import_of_the_package_does_not_import_scapy() -> None:
    assert "scapy" in jstrace.__all__
    assert jstrace.scapy.JobSchedulerCallback is JobSchedulerCallback
