"""A task as its master runs it: messages in bodies of POSTs, heartbeats, repetitions (docs/agent.md#tunnel)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from dissector.model import Outcome
from dissector.simulate.agent_drive import AgentDrive
from dissector.simulate.agent_scenarios import AgentScenario, AgentTwist
from dissector.simulate.dialog import SimulatedDialog
from dissector.simulate.http_text import AGENT_API, BYTES, Received
from dissector.simulate.master_pool import Pool
from dissector.simulate.pipe import Pipe
from dissector.simulate.report import MetTask, Options

_FOR_EVER = "PT277777H46M39S"
_TIMEOUT = 60.0
#: A request without a response is repeated so long after its period, and then in such steps.
_REPEAT = 1.0
#: What the master waits at least before its idle heartbeat.
_LEAST_IDLE = 0.05


class TunnelClient:
    """The requests of one tunnel (``token``: its id and secret); ``period`` is that of the heartbeats, in seconds."""

    def __init__(self, pool: Pool, headers: list[tuple[str, str]], token: tuple[str, str], period: float) -> None:
        #: Requests that had a number, and what the agent said instead of an answer.
        self.number, self.error = 0, ""
        self.beat = f"{_duration(period)} {_duration(_TIMEOUT)}"
        self._pool, self._period = pool, period
        self._path = f"{AGENT_API}/tunnel/{token[0]}"
        self._secret = token[1]
        self._headers = [*headers, ("Accept", BYTES)]

    async def exchange(self, message: bytes) -> bytes | None:
        """What the task answers to a message; None when there is no task any more.

        :raises OSError: the agent does not answer
        """
        response = await self._repeated(message, "X-JobScheduler-Heartbeat-Start", self.beat)
        while response.status == 202:
            uuid = response.header("X-JobScheduler-Heartbeat") or ""
            response = await self._repeated(b"", "X-JobScheduler-Heartbeat-Continue", f"{uuid} {self.beat}")
        if response.status != 200:
            self.error = response.body.decode("utf-8", "replace")
            return None
        return response.body

    async def post(self, body: bytes, headers: list[tuple[str, str]], secret: str | None = None) -> Received:
        head = [*self._headers, ("X-JobScheduler-Tunnel-Secret", secret or self._secret), *headers]
        return await self._pool.ask(self._path, head, body, BYTES if body else None)

    async def _repeated(self, body: bytes, name: str, value: str) -> Received:
        """A request with the next number, again and again until a response comes."""
        self.number += 1
        numbered = [("X-JobScheduler-Request-ID", f"{self.number} {_FOR_EVER}"), (name, value)]
        tries: set[asyncio.Future[Received]] = set()
        patience, spent = self._period + _REPEAT, 0.0
        while True:
            tries.add(asyncio.ensure_future(self.post(body, numbered)))
            done, _ = await asyncio.wait(tries, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            good = [one for one in done if one.exception() is None]
            if good:
                await self._settle(tries - set(good))
                return good[0].result()
            tries -= done
            spent += patience
            if spent > _TIMEOUT:
                raise ConnectionResetError("the agent did not answer in time")
            if done:
                await asyncio.sleep(_REPEAT)
            patience = _REPEAT

    async def _settle(self, others: set[asyncio.Future[Received]]) -> None:
        """The responses to repetitions come too."""
        if others:
            with suppress(OSError):
                await asyncio.wait(others, timeout=_REPEAT)


class MasterTunnel:
    """``run`` drives the task through its ``tunnel``; ``record`` gets what is learnt of it."""

    def __init__(self, tunnel: TunnelClient, scenario: AgentScenario, record: MetTask, options: Options) -> None:
        self._tunnel, self._scenario, self._record = tunnel, scenario, record
        self._work, self._period = options.work, options.heartbeat
        self._drive = AgentDrive(scenario, record.task_id)
        self._dialog = SimulatedDialog(self._drive.world.serve, self._drive.script())

    async def run(self) -> Outcome:
        pipe = Pipe(self._dialog)
        try:
            while (message := await self._next(pipe)) is not None:
                answer = await self._tunnel.exchange(message)
                if answer is None:
                    self._record.error = self._tunnel.error
                    self._dialog.reset()
                    return Outcome.LOST
                pipe.hear(answer)
        finally:
            pipe.end()
            drive, record = self._drive, self._record
            record.log, record.lines = tuple(drive.world.log), drive.world.lines
            record.exit_code, record.signal = drive.exit_code, drive.signal
        return Outcome.FAILURE if self._drive.failed else Outcome.SUCCESS

    async def _next(self, pipe: Pipe) -> bytes | None:
        """The next message; a master that is idle says so."""
        tunnel = self._tunnel
        message = await pipe.said()
        if self._scenario.agent is AgentTwist.WRONG_SECRET and tunnel.number == 1:
            await tunnel.post(message or b"", [("X-JobScheduler-Heartbeat-Start", tunnel.beat)], secret="guessed")
        if self._scenario.agent is AgentTwist.IDLE and tunnel.number == 1:
            waited = 0.0
            while waited < self._work:
                pause = max(self._period, _LEAST_IDLE)
                await asyncio.sleep(pause)
                waited += pause
                await tunnel.post(b"", [("X-JobScheduler-Heartbeat", tunnel.beat)])
        return message


def _duration(seconds: float) -> str:
    """As Java writes it."""
    if seconds >= 60 and seconds % 60 == 0:
        return f"PT{seconds / 60:g}M"
    return f"PT{seconds:g}S"
