"""The path to a classic remote and back: start a process, wait for its callback, say hello, release it.

What is sent is what a client scheduler sends (docs/protocol.md#life-of-a-task), up to the first answer.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from dissector.errors import UsageError
from dissector.model import Endpoint
from dissector.probe.attempt import ProbeError, connect, greeting, step
from dissector.reports.probe import Attempt, Fault
from dissector.simulate.client import MAX_ANSWER, CommandConnection, accept_one
from dissector.simulate.dialog import family_of
from dissector.simulate.ports import Ports
from dissector.wire import control


class ClassicProbe:
    """``kind`` is that of the start command: process (a shell job's) or None (an API job's, with a Java VM);
    ``timeout`` in seconds, of each step."""

    def __init__(self, remote: Endpoint, kind: str | None, timeout: float) -> None:
        self._remote, self._kind, self._timeout = remote, kind, timeout

    async def run(self, attempt: Attempt, low: int) -> None:
        """With the highest port from ``attempt.port`` down to ``low`` that is free.  No process is left behind,
        cancelled or not, unless the remote does not confirm its end."""
        try:
            listener, attempt.port = Ports(attempt.port or low, low).listen(family_of(self._remote))
        except UsageError:
            attempt.is_busy = True
            return
        try:
            sock = await connect(attempt, self._remote, self._timeout)
            command = CommandConnection(*await asyncio.open_connection(sock=sock, limit=MAX_ANSWER))
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
        with step(attempt, "callback") as one:
            try:
                sock, attempt.peer = await accept_one(listener, self._timeout)
            except asyncio.TimeoutError:
                raise ProbeError(Fault("callback_missing", f"No callback came within {self._timeout:g} s.")) from None
            other = "" if attempt.peer.ip == self._remote.ip else ", another address than the remote's"
            one.text = f"{attempt.peer} to port {attempt.port}{other}"
            return sock

    async def _hello(self, attempt: Attempt, sock: socket.socket) -> None:
        dialog = greeting(attempt)
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
