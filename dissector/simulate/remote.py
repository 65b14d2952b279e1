"""The remote scheduler: an XML port, and task processes that call back to whoever sent the start command."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import datetime, timezone
from itertools import count

from dissector.errors import UsageError
from dissector.model import Endpoint
from dissector.ports import COMMAND_PORTS
from dissector.simulate.dialog import SimulatedDialog, endpoint
from dissector.simulate.process import Pace, TaskProcess
from dissector.simulate.report import Options, ServedTask
from dissector.simulate.scenario import Start, asked_for, choose_job
from dissector.wire import control

#: Longest command; the engine's own are a few hundred bytes.
_MAX_COMMAND = 64 * 1024
_MAX_PROCESSES = 10_000
_NOT_ALLOWED = control.XmlError("SCHEDULER-121", "SCHEDULER-121  The security settings do not allow this operation")


class RemoteProcess:
    """A started process, from the start command to its end; ``when_gone`` callbacks run once at that end."""

    def __init__(self, task: TaskProcess, record: ServedTask) -> None:
        self.record = record
        self._task = task
        self._dialog: SimulatedDialog | None = None
        self._gone = False
        self._waiting: list[Callable[[], None]] = []

    async def call_back(self, delay: float, source: str | None) -> None:
        """Connects to the client and serves it until the connection ends; one try, as the engine."""
        record = self.record
        try:
            if delay:
                await asyncio.sleep(delay)
            connecting = asyncio.get_running_loop().create_connection(
                lambda: SimulatedDialog(self._task.serve),
                record.target.ip,
                record.target.port or 0,
                local_addr=(source, 0) if source else None,
            )
            _, self._dialog = await connecting
            record.peer = self._dialog.local
            await self._dialog.ended
            record.error = self._dialog.fault
        except OSError as error:
            record.error = str(error)
        finally:
            if self._dialog is not None:
                self._dialog.reset()
            record.job = self._task.job_name
            self.end()

    def end(self) -> None:
        self._gone = True
        for callback in self._waiting:
            callback()
        self._waiting.clear()

    def when_gone(self, callback: Callable[[], None]) -> None:
        if self._gone:
            callback()
        else:
            self._waiting.append(callback)

    def kill(self) -> None:
        """A shell job's script is killed and its task server says so; an API job's process is gone at once."""
        self._task.killed = True
        if self._dialog is None:
            return
        if self.record.pid is None:
            self._dialog.wake()
        else:
            self._dialog.reset()

    def abandon(self) -> None:
        """The command connection is gone: SCHEDULER-850."""
        if self._dialog is not None:
            self._dialog.reset()


class CommandPeer(asyncio.Protocol):
    """A command connection, seen from the remote."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._processes: dict[int, RemoteProcess] = {}
        self._client = Endpoint("", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._client = endpoint(transport.get_extra_info("peername"))
        self._remote.peers.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer = (self._buffer + data).lstrip(b" \r\n\0")
        if not self._buffer.rstrip().endswith(b">"):
            self._refuse_endless()
            return
        document = control.parse_command(self._buffer)
        if document.form != "xml":
            self._refuse_endless()
            return
        self._buffer = b""
        self._command(document)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's shape
        self._transport = None
        self._remote.peers.discard(self)
        for process in self._processes.values():
            process.abandon()
        self._processes.clear()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _refuse_endless(self) -> None:
        if len(self._buffer) > _MAX_COMMAND:
            self.abort()

    def _say(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    # --- commands --------------------------------------------------------------------------------------------------

    def _command(self, document: control.Document) -> None:
        if (start := control.start_task(document)) is not None:
            self._start(start)
        elif (close := control.close_task(document)) is not None:
            self._close(close)
        elif (kill := control.kill_task(document)) is not None and (process := self._process(kill.process_id)):
            process.kill()
            self._say(control.encode_ok(_now()))
        else:
            text = f"LIBXML2-007  XML document does not conform to schema [Element '{document.element}']"
            self._say(control.encode_error(control.XmlError("LIBXML2-007", text), _now()))

    def _start(self, start: control.StartTask) -> None:
        scenario = asked_for(start.java_options)
        way = scenario.start if scenario else Start.OBEY
        process_id = pid = None
        if way not in (Start.REFUSE, Start.REJECT):
            process_id = next(self._remote.process_ids)
            pid = None if start.kind == "process" else os.getpid()
        target = Endpoint(self._client.ip, start.tcp_port)
        record = ServedTask(process_id, pid, scenario.name if scenario else None, self._client, target)
        self._remote.served(record)
        if process_id is None or len(self._processes) >= _MAX_PROCESSES:
            self._refuse(way)
            return
        self._say(control.encode_process_answer(control.ProcessStarted(process_id, pid), _now()))
        process = RemoteProcess(TaskProcess(choose_job, self._remote.pace), record)
        self._processes[process_id] = process
        if way is Start.FORGET:
            process.end()
            return
        options = self._remote.options
        delay = options.callback_delay if way is Start.DELAY else 0.0
        source = options.callback_address if way is Start.OTHER_ADDRESS else None
        self._remote.spawn(process.call_back(delay, source))

    def _refuse(self, way: Start) -> None:
        if way is Start.REJECT and self._transport is not None:
            self._transport.close()
        else:
            self._say(control.encode_error(_NOT_ALLOWED, _now()))

    def _close(self, close: control.CloseTask) -> None:
        process = self._process(close.process_id)
        if process is None or close.process_id is None:
            operation = "sos::scheduler::Communication::Operation_connection::get_task_process"
            text = f"{operation}   [unknown process id] [{close.process_id}]"
            self._say(control.encode_error(control.XmlError("sos::scheduler::Communic", text), _now()))
            return
        if close.kill:
            process.kill()
        process_id = close.process_id
        process.when_gone(lambda: self._closed(process_id))

    def _process(self, process_id: int | None) -> RemoteProcess | None:
        return None if process_id is None else self._processes.get(process_id)

    def _closed(self, process_id: int) -> None:
        if self._processes.pop(process_id, None) is not None:
            self._say(control.encode_ok(_now()))


class Remote:
    """Listens until ``stop``; ``served`` is called with each start command's record, which is filled in later."""

    def __init__(self, options: Options, served: Callable[[ServedTask], None]) -> None:
        self.options = options
        self.served = served
        self.pace = Pace(options.work, options.log_lines)
        self.process_ids = count(1)
        self.peers: set[CommandPeer] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> Endpoint:
        """Listens; returns where.

        :raises UsageError: the port can not be had
        """
        listen = self.options.listen
        ports = (*COMMAND_PORTS, 0) if listen.port is None else (listen.port,)
        for port in ports:
            try:
                self._server = await self._listen(listen.ip, port)
                break
            except (OSError, UnicodeError) as error:
                if port == ports[-1]:
                    raise UsageError(f"can not listen on {listen}: {error}") from None
        assert self._server is not None
        return endpoint(self._server.sockets[0].getsockname())

    async def _listen(self, ip: str, port: int) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(lambda: CommandPeer(self), ip or None, port)

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Closes every socket."""
        if self._server is not None:
            self._server.close()
        for peer in list(self.peers):
            peer.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # aborted transports close their sockets in the next turn


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
