"""A task of the Universal Agent: the tunnel to its task process (docs/agent.md#tunnel)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from uuid import uuid4

from dissector.simulate.agent_scenarios import AgentScenario, AgentTwist
from dissector.simulate.dialog import SimulatedDialog
from dissector.simulate.http_text import BYTES, Received, failure, response
from dissector.simulate.pipe import Pipe
from dissector.simulate.process import Job, Pace, TaskProcess
from dissector.simulate.report import Options
from dissector.wire.agent import nanoseconds

_TITLE = "RemoteModuleInstanceServer"
_CLOSED = (
    "com.sos.scheduler.engine.tunnel.server.TunnelConnectionClosedException: Connector(simulated): Peer has closed the "
    "connection while expecting a response"
)
#: Answers that are remembered for repetitions.
_REMEMBERED = 64
#: A kill is answered when the task server has ended, or so much later.
_KILL_PATIENCE = 10.0
_REQUEST, _ANSWER, _COMMAND_AT, _RELEASE = b"O", b"A", 9, b"R"


class AgentTunnel:
    """``post`` answers a master's request; ``id``, ``secret`` and ``agent_task_id`` are what the start told."""

    def __init__(self, name: str, scenario: AgentScenario, choose: Callable[[str, str], Job], options: Options) -> None:
        self.id, self.secret = name, secrets.token_urlsafe(18)
        self.agent_task_id = f"{name}-{secrets.randbits(63)}"
        self._twist, self._work = scenario.agent, options.work
        self._process = TaskProcess(choose, Pace(options.work, options.log_lines), _TITLE)
        self._dialog = SimulatedDialog(self._process.serve)
        self._pipe = Pipe(self._dialog)
        self._message: asyncio.Future[bytes | None] | None = None
        self._heartbeat = ""
        self._answers: dict[int, asyncio.Task[bytes]] = {}
        #: The master has let go of the task's object; what is called then are releases.
        self._leaves = False
        self._released = asyncio.Event()

    def kill(self) -> None:
        self._process.killed = True
        if not self._answers:  # nobody has spoken to it, so there is nothing that it could end with
            self.end()
        self._dialog.wake()

    async def released(self) -> None:
        """The task server has ended."""
        if self._dialog.ended.done():
            return
        try:
            await asyncio.wait_for(self._released.wait(), _KILL_PATIENCE)
        except asyncio.TimeoutError:
            self.end()

    def end(self) -> None:
        self._pipe.end()
        self._released.set()
        for task in self._answers.values():
            task.cancel()

    def restarts(self, request: Received) -> bool:
        """True when the agent begins anew instead of answering this request."""
        return self._twist is AgentTwist.RESTART and _is_step(request.body)

    async def post(self, request: Received) -> bytes:
        if request.header("X-JobScheduler-Heartbeat") is not None:
            return response(200) if not request.body else failure(400, "Heartbeat with payload?")
        number = _number(request)
        if number is None:
            return failure(400, "X-JobScheduler-Request-ID is missing")
        if number not in self._answers:
            self._answers[number] = asyncio.ensure_future(self._first(request))
            if len(self._answers) > _REMEMBERED:
                del self._answers[min(self._answers)]
        try:
            return await asyncio.shield(self._answers[number])
        except asyncio.CancelledError:
            return failure(500, _CLOSED)

    async def _first(self, request: Received) -> bytes:
        """The answer to a request that repeats no other."""
        going_on = request.header("X-JobScheduler-Heartbeat-Continue")
        if going_on is not None:
            uuid = going_on.split()[0]
            if uuid != self._heartbeat:
                return failure(400, f"Unknown or expired HeartbeatId({uuid})")
            return await self._waited(_period(going_on))
        body = request.body
        self._message = asyncio.ensure_future(self._pipe.said())
        self._pipe.hear(body)
        period = _period(request.header("X-JobScheduler-Heartbeat-Start"))
        if self._twist is AgentTwist.FROZEN and _is_step(body):
            await asyncio.sleep(period + self._work)  # answers what is overdue by then at once
            return self._not_yet()
        self._leaves = self._leaves or (body[:1] == _REQUEST and body[_COMMAND_AT : _COMMAND_AT + 1] == _RELEASE)
        return await self._waited(period)

    async def _waited(self, period: float) -> bytes:
        """The message that the master waits for, or word that there is none yet."""
        if self._message is None:
            return failure(400, "nothing is waited for")
        await asyncio.wait((self._message,), timeout=period)
        if not self._message.done():
            return self._not_yet()
        message = self._message.result()
        if self._leaves and message is not None and message[:1] == _ANSWER:
            self._released.set()
        return response(200, message, BYTES) if message is not None else failure(500, _CLOSED)

    def _not_yet(self) -> bytes:
        self._heartbeat = str(uuid4())
        return response(202, headers=[("X-JobScheduler-Heartbeat", self._heartbeat)])


def _is_step(body: bytes) -> bool:
    return body[:1] == _REQUEST and body[_COMMAND_AT + 5 : _COMMAND_AT + 9] == b"step"


def _number(request: Received) -> int | None:
    words = (request.header("X-JobScheduler-Request-ID") or "").split()
    return int(words[0]) if words and words[0].isdigit() and len(words[0]) < 10 else None


def _period(header: str | None) -> float:
    """Seconds of the first duration in a heartbeat's header."""
    times = [nanoseconds(word) for word in (header or "").split() if word.startswith("PT")]
    return (times[0] if times and times[0] is not None else 10 * 10**9) / 1e9
