"""One end of a dialog without a network: scripts, nesting, and what a peer may not do."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dissector.simulate import values as v
from dissector.simulate.dialog import Pause, Script, Served, SimulatedDialog, Vanish
from dissector.simulate.process import Pace, TaskProcess
from dissector.simulate.scenario import SCENARIOS, choose_job
from dissector.wire import messages as m
from dissector.wire.decode import encode_frame
from dissector.wire.enums import InvokeFlag

STEP = v.call(1, "step")
NAME = v.lookup(2, "info")
FOUND = m.GetIdsOfNamesAnswer(0, (7,))


def no_service(_request: m.Request) -> Served:
    raise AssertionError("nothing was to be served")


def talk(body: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(body())


class FakeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 1), "peername": ("127.0.0.1", 2), "socket": socket.socket()})
        self.written = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def abort(self) -> None:
        self.aborted = True
        self.get_extra_info("socket").close()

    def is_closing(self) -> bool:
        return self.aborted


def connect(dialog: SimulatedDialog) -> FakeTransport:
    transport = FakeTransport()
    dialog.connection_made(transport)
    return transport


def frames(*bodies: m.Body) -> bytes:
    return b"".join(encode_frame(body) for body in bodies)


def test_a_callback_inside_a_call() -> None:
    async def run() -> None:
        def serve(_request: m.Request) -> Script[m.Answer]:
            answer = yield NAME
            return m.CallAnswer(0, v.i4(answer.dispids[0]))

        dialog = SimulatedDialog(serve)
        transport = connect(dialog)
        dialog.data_received(frames(STEP))
        assert transport.written == frames(NAME)
        dialog.data_received(frames(FOUND))
        assert transport.written == frames(NAME, m.CallAnswer(0, v.i4(7)))
        dialog.reset()

    talk(run)


def test_frames_byte_by_byte() -> None:
    async def run() -> None:
        dialog = SimulatedDialog(lambda _request: v.DONE)
        transport = connect(dialog)
        for byte in frames(m.Release(1), m.KeepAlive()):
            dialog.data_received(bytes([byte]))
        assert transport.written == frames(v.DONE, v.DONE)
        dialog.reset()

    talk(run)


def test_a_drive_ends_the_connection() -> None:
    async def run() -> None:
        def drive() -> Script[None]:
            answer = yield STEP
            assert answer == m.CallAnswer(0, v.FALSE)

        dialog = SimulatedDialog(no_service, drive())
        transport = connect(dialog)
        dialog.data_received(frames(m.CallAnswer(0, v.FALSE)))
        assert transport.aborted
        dialog.connection_lost(None)
        assert await dialog.ended is True

    talk(run)


def test_a_lost_connection_is_no_end_of_the_drive() -> None:
    async def run() -> None:
        def drive() -> Script[None]:
            yield STEP

        dialog = SimulatedDialog(no_service, drive())
        transport = connect(dialog)
        dialog.connection_lost(None)
        assert await dialog.ended is False
        transport.abort()

    talk(run)


def test_a_pause_ends_early() -> None:
    async def run() -> None:
        def serve(_request: m.Request) -> Script[m.Answer]:
            yield Pause(3_600)
            return m.CallAnswer(0, v.TRUE)

        dialog = SimulatedDialog(serve)
        transport = connect(dialog)
        dialog.wake()
        dialog.data_received(frames(STEP))
        assert transport.written == b""
        dialog.wake()
        assert transport.written == frames(m.CallAnswer(0, v.TRUE))
        dialog.reset()

    talk(run)


def test_vanishing() -> None:
    async def run() -> None:
        def serve(_request: m.Request) -> Script[m.Answer]:
            yield Vanish()
            return v.DONE

        dialog = SimulatedDialog(serve)
        transport = connect(dialog)
        dialog.data_received(frames(STEP, STEP))
        assert (transport.aborted, transport.written) == (True, b"")

    talk(run)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (struct.pack(">i", 0), "a frame of 0 bytes"),
        (struct.pack(">i", -1), "a frame of 4294967295 bytes"),
        (struct.pack(">i", 64 * 1024 * 1024 + 1), "a frame of 67108865 bytes"),
        (frames(v.DONE), "an answer that nobody asked for"),
        (b"\0\0\0\x02O\0", "at offset"),
    ],
)
def test_faults_of_the_other_side(data: bytes, fault: str) -> None:
    async def run() -> None:
        dialog = SimulatedDialog(no_service)
        transport = connect(dialog)
        dialog.data_received(data)
        assert transport.aborted
        assert fault in (dialog.fault or "")

    talk(run)


def test_calls_without_end_are_cut_off() -> None:
    async def run() -> None:
        def serve(_request: m.Request) -> Script[m.Answer]:
            yield NAME
            return v.DONE

        dialog = SimulatedDialog(serve)
        transport = connect(dialog)
        for _ in range(65):
            assert not transport.aborted
            dialog.data_received(frames(STEP))
        assert transport.aborted
        assert dialog.fault == "too many calls inside each other"

    talk(run)


def test_a_call_while_one_is_worked_on_is_out_of_turn() -> None:
    async def run() -> None:
        def serve(_request: m.Request) -> Script[m.Answer]:
            yield Pause(3_600)
            return v.DONE

        dialog = SimulatedDialog(serve)
        connect(dialog)
        dialog.data_received(frames(STEP, STEP))
        assert dialog.fault == "a call out of turn"

    talk(run)


JOBS = st.sampled_from(sorted(SCENARIOS))
REQUESTS: st.SearchStrategy[m.Body] = st.sampled_from(
    [
        m.CreateInstance(0, v.SERVER_CLSID, v.NULL_REFERENCE, 0, (v.SERVER_IID,)),
        m.CreateInstance(0, bytes(16), v.NULL_REFERENCE, 0, ()),
        v.call(v.object_id(1, 2), "construct", v.variants(v.bstr("job=api-job"), v.EMPTY)),
        v.call(v.object_id(1, 2), "begin", v.variants(v.dispatch(m.Reference(9, None))), v.variants(v.bstr("x"))),
        v.call(v.object_id(1, 2), "begin"),
        v.call(v.object_id(1, 2), "step"),
        v.call(v.object_id(1, 2), "call", v.bstr("spooler_nested(²)V")),
        v.call(v.object_id(1, 2), "nonsense"),
        m.Release(v.object_id(1, 2)),
        m.QueryInterface(1, bytes(16)),
        m.KeepAlive(),
        m.EmptyAnswer(),
        FOUND,
        v.error("no"),
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    job=JOBS, talk_of=st.lists(st.one_of(REQUESTS.map(encode_frame), st.binary(max_size=40)), max_size=12)
)  # fmt: skip
def test_a_task_process_survives_any_client(job: str, talk_of: list[bytes]) -> None:
    """Whatever comes, a dialog goes on or ends with a fault; no exception leaves it."""

    async def run() -> None:
        process = TaskProcess(lambda _name, language: choose_job(job, language), Pace(work=0.0, log_lines=3))
        dialog = SimulatedDialog(process.serve)
        transport = connect(dialog)
        for data in talk_of:
            dialog.data_received(data)
        dialog.reset()
        assert transport.aborted

    talk(run)


def test_put_and_get_arguments_are_in_wire_order() -> None:
    """A put of ``history_field("hf") = "v"`` sends -3, "v", "hf"."""
    put = v.invoke(1, 9, InvokeFlag.PROPERTYPUT, v.bstr("hf"), v.bstr("v"))
    assert put.params == m.DispParams((-3,), (v.bstr("v"), v.bstr("hf")))
    method = v.invoke(1, 14, InvokeFlag.METHOD, v.i4(0), v.bstr("text"))
    assert method.params == m.DispParams((), (v.bstr("text"), v.i4(0)))
