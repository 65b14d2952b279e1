"""One end of a callback connection: frames in, frames out, and scripts that say what comes next.

A script is a generator.  It yields a request (and is sent the answer), ``Pause`` or ``Vanish``, and returns what it was
asked for.  Each request of the other side that needs more than one answer at once starts a script of its own, on top
of the ones that wait: whoever is asked may ask back, so the scripts are a stack, see docs/protocol.md#dialog.

    the other side's request   push its script, run it
    an answer                  sent into the script on top
    a script returns           pop; what it returned is the answer (the drive, at the bottom: the dialog is over)
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from dissector.errors import DecodeError
from dissector.limits import MAX_DECODED_MESSAGE, MAX_DIALOG_DEPTH
from dissector.model import Endpoint
from dissector.numbers import count
from dissector.wire import messages as m
from dissector.wire.decode import Pending, decode, encode_frame, pending_of


class Pause(NamedTuple):
    """Say nothing for so long, or until ``SimulatedDialog.wake``."""

    seconds: float


class Vanish(NamedTuple):
    """Die: the connection is reset, as the kernel does for a killed process."""


Result = TypeVar("Result")
Act = m.Request | Pause | Vanish
#: What a script is sent: the answer to its request, None after a pause.
Script = Generator[Act, Any, Result]
#: The answer to a request, or the script that will find it.
Served = m.Answer | Script[m.Answer]

_HEADER = 4
_REQUESTS = frozenset(b"SOK")
#: Linger on, for no time: closing sends RST.
_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _Turn:
    script: Script[Any]
    is_drive: bool = False
    pending: Pending | None = None


class SimulatedDialog(asyncio.Protocol):
    """``serve`` answers the other side's requests, ``drive`` (the client scheduler's end only) makes the first ones.

    ``ended`` tells how it went once the connection is gone: True when the drive came to its end.  ``fault`` says what
    the other side did wrong, if anything.
    """

    def __init__(self, serve: Callable[[m.Request], Served], drive: Script[None] | None = None) -> None:
        self.ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.fault: str | None = None
        self.local: Endpoint | None = None
        self.peer: Endpoint | None = None
        self._serve = serve
        self._drive = drive
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._stack: list[_Turn] = []
        self._timer: asyncio.TimerHandle | None = None
        self._through = False

    # --- asyncio's side --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.local = endpoint(transport.get_extra_info("sockname"))
        self.peer = endpoint(transport.get_extra_info("peername"))
        if self._drive is not None:
            self._stack.append(_Turn(self._drive, is_drive=True))
            self._advance(None)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _HEADER and self._transport is not None:
            length = int.from_bytes(buffer[:_HEADER], "big")
            if not 0 < length <= MAX_DECODED_MESSAGE:
                self._break(f"a frame of {count(length, 'byte')}")
                return
            end = _HEADER + length
            if len(buffer) < end:
                return
            message = bytes(buffer[_HEADER:end])
            del buffer[:end]
            self._message(message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's shape
        self._transport = None
        self._stop_timer()
        for turn in reversed(self._stack):
            turn.script.close()
        self._stack.clear()
        if not self.ended.done():
            self.ended.set_result(self._through)

    # --- from outside ----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Ends the pause under way, if any."""
        if self._timer is not None:
            self._stop_timer()
            self._advance(None)

    def reset(self) -> None:
        """Ends the connection by RST; nothing happens when it is over."""
        self._close(fin=False)

    # --- the dialog ------------------------------------------------------------------------------------------------

    def _message(self, message: bytes) -> None:
        top = self._stack[-1] if self._stack else None
        try:
            if message[0] in _REQUESTS:
                self._request(decode(message, None).body)
            elif top is None or top.pending is None:
                self._break("an answer that nobody asked for")
            else:
                pending, top.pending = top.pending, None
                self._advance(decode(message, pending).body)
        except DecodeError as error:
            self._break(str(error))

    def _request(self, body: m.Body) -> None:
        if len(self._stack) >= MAX_DIALOG_DEPTH or self._timer is not None:
            self._break("too many calls inside each other" if self._timer is None else "a call out of turn")
            return
        served = self._serve(body)  # type: ignore[arg-type]  # its class says that it is a request
        if isinstance(served, Generator):
            self._stack.append(_Turn(served))
            self._advance(None)
        else:
            self._send(served)

    def _advance(self, value: Any) -> None:
        """Runs the script on top until it waits for something."""
        turn = self._stack[-1]
        try:
            act = turn.script.send(value)
        except StopIteration as stop:
            self._stack.pop()
            if turn.is_drive:
                self._through = True
                self._close(fin=True)
            else:
                self._send(stop.value)
            return
        if isinstance(act, Pause):
            self._timer = asyncio.get_running_loop().call_later(act.seconds, self._pause_over)
        elif isinstance(act, Vanish):
            self.reset()
        else:
            turn.pending = pending_of(act)
            self._send(act)

    def _pause_over(self) -> None:
        self._timer = None
        self._advance(None)

    def _send(self, body: m.Body) -> None:
        if self._transport is not None:
            self._transport.write(_frame(body) if _recurs(body) else encode_frame(body))

    def _break(self, fault: str) -> None:
        self.fault = self.fault or fault
        self.reset()

    def _close(self, *, fin: bool) -> None:
        """As the engine ends it: FIN and at once RST, without lingering (docs/protocol.md#how-connections-end)."""
        transport, self._transport = self._transport, None
        self._stop_timer()
        if transport is None or transport.is_closing():
            return
        sock = transport.get_extra_info("socket")
        try:
            if fin:
                sock.shutdown(socket.SHUT_WR)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        except OSError:  # the other side was faster
            pass
        transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def family_of(end: Endpoint) -> socket.AddressFamily:
    """Of a numeric address."""
    return socket.AF_INET6 if ":" in end.ip else socket.AF_INET


def endpoint(address: tuple[Any, ...]) -> Endpoint:
    """A socket's address (IPv6 ones have four parts)."""
    return Endpoint(address[0], address[1])


@lru_cache(maxsize=512)
def _frame(body: m.Body) -> bytes:
    """construct builds a frame in about a hundred microseconds, and most frames of a run are alike."""
    return encode_frame(body)


def _recurs(body: m.Body) -> bool:
    """False for what differs from task to task or may be large."""
    match body:
        case m.Call():
            return body.name != "construct"
        case (
            m.InvokeAnswer(result=m.Variant(value=m.SafeArray())) | m.CallAnswer(result=m.Variant(value=m.SafeArray()))
        ):
            return False
        case m.InvokeAnswer(result=m.Variant(value=str(text))) | m.CallAnswer(result=m.Variant(value=str(text))):
            return len(text) <= 1_000
        case _:
            return True
