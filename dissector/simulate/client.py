"""The client scheduler: a listening port, a command connection and one callback connection a task."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from time import monotonic

from dissector.errors import UsageError
from dissector.model import Endpoint, Outcome
from dissector.simulate.dialog import SimulatedDialog, endpoint, family_of
from dissector.simulate.drive import Drive
from dissector.simulate.ports import Ports
from dissector.simulate.report import MetTask, Options
from dissector.simulate.scenario import Scenario, Twist
from dissector.wire import control

#: An engine gives up after 60 s.  A close that comes much sooner tells a reader that the task did run, unseen; so a
#: client with less patience ends the command connection without one.
_ENGINE_PATIENCE = 55.0
#: The remote answers a close when the process is gone: with a callback that a firewall drops after 135 s.
_CLOSE_PATIENCE = 150.0
#: Longest answer to a command.
MAX_ANSWER = 64 * 1024


class CommandConnection:
    """A command connection, seen from the client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.client = endpoint(writer.get_extra_info("sockname"))

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self, timeout: float) -> control.Document | None:
        """The next answer; None when the connection ends without one, or the time is over."""
        try:
            return await self.hear(timeout)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError, OSError):
            return None

    async def hear(self, timeout: float) -> control.Document:
        """
        :raises asyncio.IncompleteReadError: the connection ends without an answer
        :raises asyncio.LimitOverrunError: it goes on without an end
        :raises asyncio.TimeoutError: nothing comes in so many seconds
        :raises OSError: the connection is lost
        """
        return control.parse_answer(await asyncio.wait_for(self._reader.readuntil(b"\0"), timeout))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), 1.0)

    def abort(self) -> None:
        self._writer.transport.abort()


class Client:
    """Runs tasks on the remote at ``address``, which is numeric."""

    def __init__(self, options: Options, address: Endpoint) -> None:
        self._options = options
        self._address = address
        self._family = family_of(address)
        self._ports = Ports(*options.callback_ports)

    async def run(self, n: int, scenario: Scenario) -> MetTask:
        """Task number ``n`` from its start to its end; cancelled, it leaves no socket behind.

        :raises UsageError: no callback port can be had
        """
        record = MetTask(
            n,
            scenario.name,
            job=scenario.name,
            task_id=n,
            kind="process" if scenario.is_shell else "api",
            expected=self._expected(scenario),
            remote=self._address,
        )
        begun = monotonic()
        with self._listening() as (listener, port):
            record.callback_port = port
            try:
                record.outcome = await self._task(record, scenario, listener)
            except asyncio.CancelledError:
                record.error = "interrupted"
        record.seconds = monotonic() - begun
        return record

    def _expected(self, scenario: Scenario) -> Outcome:
        late = scenario.name == "late-callback" and self._options.callback_delay >= self._options.callback_timeout
        return Outcome.NO_CALLBACK if late else scenario.outcome

    @contextlib.contextmanager
    def _listening(self) -> Iterator[tuple[socket.socket, int]]:
        listener, port = self._ports.listen(self._family)
        try:
            yield listener, port
        finally:
            listener.close()
            self._ports.free(port)

    async def _task(self, record: MetTask, scenario: Scenario, listener: socket.socket) -> Outcome:
        options = self._options
        try:
            opening = asyncio.open_connection(self._address.ip, self._address.port, limit=MAX_ANSWER)
            command = CommandConnection(*await asyncio.wait_for(opening, options.callback_timeout))
        except (OSError, asyncio.TimeoutError) as error:
            record.error = str(error) or "no answer to the connection"
            return Outcome.UNREACHABLE
        record.client = command.client
        try:
            outcome = await self._commanded(record, scenario, listener, command)
        except BaseException:
            command.abort()
            raise
        await command.close()
        return outcome

    async def _commanded(
        self, record: MetTask, scenario: Scenario, listener: socket.socket, command: CommandConnection
    ) -> Outcome:
        assert record.callback_port is not None
        kind = "process" if scenario.is_shell else None
        command.say(control.encode_start(control.StartTask(record.callback_port, kind, scenario.java_options)))
        answer = await command.answer(self._options.callback_timeout)
        started = control.process_started(answer) if answer is not None else None
        if started is None or started.process_id is None:
            refusal = answer.error.text if answer is not None and answer.error else None
            record.error = refusal or "the remote closed without an answer"
            return Outcome.REFUSED
        record.process_id, record.pid = started.process_id, started.pid
        sock = await self._accept(listener)
        if sock is None:
            record.error = f"no callback within {self._options.callback_timeout:g} s"
            if self._options.callback_timeout >= _ENGINE_PATIENCE:
                await self._confirm_end(command, started.process_id)
            return Outcome.NO_CALLBACK
        return await self._called_back(record, scenario, sock, command)

    async def _accept(self, listener: socket.socket) -> socket.socket | None:
        try:
            return (await accept_one(listener, self._options.callback_timeout))[0]
        except (asyncio.TimeoutError, OSError):
            return None

    async def _called_back(
        self, record: MetTask, scenario: Scenario, sock: socket.socket, command: CommandConnection
    ) -> Outcome:
        drive = Drive(scenario, record.task_id)
        dialog = SimulatedDialog(drive.world.serve, drive.script())
        await asyncio.get_running_loop().connect_accepted_socket(lambda: dialog, sock)
        record.peer = dialog.peer
        try:
            killed = await self._accompany(scenario, dialog, command, record.process_id or 0)
        finally:
            dialog.reset()
            record.log, record.lines = tuple(drive.world.log), drive.world.lines
            record.exit_code, record.signal = drive.exit_code, drive.signal
        if scenario.twist is Twist.DIE:
            return Outcome.LOST
        if killed:
            await command.answer(_CLOSE_PATIENCE)
        else:
            await self._confirm_end(command, record.process_id or 0)
        if not await dialog.ended:
            record.error = dialog.fault or "the callback connection was lost"
            return Outcome.KILLED if killed else Outcome.LOST
        return Outcome.KILLED if killed else Outcome.FAILURE if drive.failed else Outcome.SUCCESS

    async def _accompany(
        self, scenario: Scenario, dialog: SimulatedDialog, command: CommandConnection, process_id: int
    ) -> bool:
        """Until the dialog is over; True when the task was killed."""
        options = self._options
        interval = options.work / 10 if scenario.twist is Twist.KEEP_ALIVE else options.work
        if scenario.twist is Twist.KEEP_ALIVE:
            deadline = monotonic() + options.task_timeout
            while not await _over(dialog, max(interval, 0.01)) and monotonic() < deadline:
                command.say(b" ")
        elif scenario.twist is Twist.KILL and not await _over(dialog, interval):
            command.say(control.encode_close(control.CloseTask(process_id, kill=True)))
            await _over(dialog, options.task_timeout)
            return True
        elif scenario.twist is Twist.DIE:
            await _over(dialog, interval)
        else:
            await _over(dialog, options.task_timeout)
        return False

    async def _confirm_end(self, command: CommandConnection, process_id: int) -> None:
        command.say(control.encode_close(control.CloseTask(process_id)))
        await command.answer(_CLOSE_PATIENCE)


async def accept_one(listener: socket.socket, timeout: float) -> tuple[socket.socket, Endpoint]:
    """Exactly one connection, and who called; then nobody listens any more.

    :raises asyncio.TimeoutError: nobody called in so many seconds
    :raises OSError: it can not be accepted
    """
    try:
        sock, address = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(listener), timeout)
    finally:
        listener.close()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock, endpoint(address)


async def _over(dialog: SimulatedDialog, seconds: float) -> bool:
    """Waits for the dialog's end, so long."""
    await asyncio.wait((dialog.ended,), timeout=seconds)
    return dialog.ended.done()


async def resolve(remote: Endpoint) -> Endpoint:
    """The numeric address of a host name.

    :raises UsageError: there is none
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(remote.ip, remote.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"remote {remote.ip}: {error}") from None
    return endpoint(found[0][4])
