"""The path to a classic remote and back: start a process, wait for its callback, say hello, release it.

What is sent is what a client scheduler sends (docs/protocol.md#life-of-a-task), up to the first answer.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from time import monotonic

from dissector.errors import UsageError
from dissector.model import Endpoint
from dissector.probe.attempt import ProbeError, connect, step
from dissector.reports.probe import Attempt, Fault, ProbeStep
from dissector.simulate import values as v
from dissector.simulate.client import CommandConnection
from dissector.simulate.dialog import Script, SimulatedDialog, endpoint
from dissector.simulate.objects import World
from dissector.simulate.ports import Ports
from dissector.wire import control
from dissector.wire import messages as m

#: Longest answer to a command.
_MAX_ANSWER = 64 * 1024


class ClassicProbe:
    """``kind`` is that of the start command: process (a shell job's) or None (an API job's, with a Java VM);
    ``timeout`` in seconds, of each step."""

    def __init__(self, remote: Endpoint, kind: str | None, timeout: float) -> None:
        self._remote, self._kind, self._timeout = remote, kind, timeout
        self._family = socket.AF_INET6 if ":" in remote.ip else socket.AF_INET

    async def run(self, attempt: Attempt, low: int) -> None:
        """With the highest port from ``attempt.port`` down to ``low`` that is free.  No process is left behind,
        cancelled or not, unless the remote does not confirm its end."""
        try:
            listener, attempt.port = Ports(attempt.port or low, low).listen(self._family)
        except UsageError:
            attempt.is_busy = True
            return
        try:
            sock = await connect(attempt, self._remote, self._timeout)
            command = CommandConnection(*await asyncio.open_connection(sock=sock, limit=_MAX_ANSWER))
            try:
                await self._there_and_back(attempt, command, listener)
            finally:
                await command.close()
        except ProbeError as error:
            attempt.fault = error.fault
        finally:
            listener.close()

    async def _there_and_back(self, attempt: Attempt, command: CommandConnection, listener: socket.socket) -> None:
        process_id = await self._start(attempt, command)
        is_released = False
        try:
            sock = await self._called_back(attempt, listener)
            await self._hello(attempt, sock)
            is_released = True
        finally:
            with step(attempt, "close") as one:
                attempt.has_ended = await self._close(command, process_id, kill=not is_released)
                one.text = "the process has ended" if attempt.has_ended else "the remote does not confirm the end"

    async def _start(self, attempt: Attempt, command: CommandConnection) -> int:
        with step(attempt, "start") as one:
            attempt.started = "a process, if the remote started one"
            command.say(control.encode_start(control.StartTask(attempt.port, self._kind)))
            answer = await self._answer(attempt, command)
            started = control.process_started(answer)
            if started is None or started.process_id is None:
                attempt.started = None
                error = answer.error or control.XmlError("", answer.text)
                raise ProbeError(Fault("start_error", f"The remote answered: {error.text}", error))
            pid = f", pid {started.pid}" if started.pid is not None else ""
            attempt.started = one.text = f"process {started.process_id}{pid}"
            return started.process_id

    async def _answer(self, attempt: Attempt, command: CommandConnection) -> control.Document:
        try:
            return await command.hear(self._timeout)
        except asyncio.TimeoutError:
            fault = Fault("open_call", f"The start is without an answer after {self._timeout:g} s.")
        except asyncio.IncompleteReadError as error:
            code = "command_rejected" if not error.partial else "start_cut"
            attempt.started = None
            fault = Fault(code, f"{self._remote} closed the connection without an answer.")
        except asyncio.LimitOverrunError:
            fault = Fault("undecoded_frame", f"{self._remote} answered with something that has no end.")
        except OSError as error:
            fault = Fault("start_cut", f"The connection to {self._remote} was lost: {error.strerror or error}.")
        raise ProbeError(fault)

    async def _called_back(self, attempt: Attempt, listener: socket.socket) -> socket.socket:
        """One connection; then nobody listens any more, as at the genuine client."""
        with step(attempt, "callback") as one:
            accepting = asyncio.get_running_loop().sock_accept(listener)
            try:
                sock, address = await asyncio.wait_for(accepting, self._timeout)
            except asyncio.TimeoutError:
                raise ProbeError(Fault("callback_missing", f"No callback came within {self._timeout:g} s.")) from None
            finally:
                listener.close()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            attempt.peer = endpoint(address)
            other = "" if attempt.peer.ip == self._remote.ip else ", another address than the remote's"
            one.text = f"{attempt.peer} to port {attempt.port}{other}"
            return sock

    async def _hello(self, attempt: Attempt, sock: socket.socket) -> None:
        world = World("probe", 0, {}, None)
        dialog = SimulatedDialog(world.serve, hello(attempt))
        await asyncio.get_running_loop().connect_accepted_socket(lambda: dialog, sock)
        try:
            is_through = await asyncio.wait_for(asyncio.shield(dialog.ended), self._timeout)
        except asyncio.TimeoutError:
            attempt.steps[-1].text = text = f"No answer within {self._timeout:g} s."
            raise ProbeError(Fault("open_call", text)) from None
        finally:
            dialog.reset()
        if not is_through:
            text = dialog.fault or "the connection was lost"
            attempt.steps[-1].text = text
            code = "callback_foreign_bytes" if dialog.fault else "connection_lost"
            raise ProbeError(Fault(code, f"On the callback connection from {attempt.peer}: {text}."))
        if not attempt.steps[-1].is_good:
            raise ProbeError(Fault("error_answer", "create_instance was answered with an error."))

    async def _close(self, command: CommandConnection, process_id: int, *, kill: bool) -> bool:
        """True when the remote says that the process has ended."""
        command.say(control.encode_close(control.CloseTask(process_id, kill=kill)))
        with suppress(asyncio.CancelledError):
            answer = await command.answer(self._timeout)
            return answer is not None and answer.error is None
        return False


def hello(attempt: Attempt) -> Script[None]:
    """``create_instance`` and ``release``, the first and the last call of every task."""
    one, begun = _begin(attempt, "create_instance")
    answer = yield m.CreateInstance(0, v.SERVER_CLSID, v.NULL_REFERENCE, 0, (v.SERVER_IID,))
    one.seconds = monotonic() - begun
    if not isinstance(answer, m.CreateInstanceAnswer) or not answer.results:
        one.text = "answered with an error"
        return
    one.is_good, one.text = True, "the process answers"
    one, begun = _begin(attempt, "release")
    yield m.Release(answer.results[0].object.object_id)
    one.seconds, one.is_good = monotonic() - begun, True


def _begin(attempt: Attempt, name: str) -> tuple[ProbeStep, float]:
    one = ProbeStep(name, 0.0, False)
    attempt.steps.append(one)
    return one, monotonic()
