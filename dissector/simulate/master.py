"""The master of a Universal Agent: commands, and one tunnel a task (docs/agent.md)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from ssl import SSLContext
from time import monotonic
from typing import Any

from dissector.model import Endpoint, Outcome
from dissector.simulate.agent import PASSWORD, USER
from dissector.simulate.agent_scenarios import FOLDER, AgentScenario, AgentTwist
from dissector.simulate.http_text import Received, basic
from dissector.simulate.master_pool import Pool
from dissector.simulate.master_tunnel import MasterTunnel, TunnelClient
from dissector.simulate.report import MetTask, Options
from dissector.simulate.scenario import Twist

_LICENSE = "SIMULATED-0-KEY"
_Headers = list[tuple[str, str]]


class Master:
    """Runs tasks on the agent at ``address``."""

    def __init__(self, options: Options, address: Endpoint, tls: SSLContext | None = None) -> None:
        self._options = options
        self._pool = Pool(address, tls)
        self._has_key = options.wanted > 1 and options.at_once > 1

    def close(self) -> None:
        self._pool.close()

    async def run(self, n: int, scenario: AgentScenario) -> MetTask:
        kind = "process" if scenario.is_shell else "api"
        record = MetTask(n, scenario.name, FOLDER + scenario.name, n, kind, scenario.outcome, remote=self._pool.address)
        begun = monotonic()
        try:
            record.outcome = await asyncio.wait_for(self._task(record, scenario), self._options.task_timeout)
        except (OSError, asyncio.IncompleteReadError) as error:
            record.error, record.outcome = str(error) or "no connection", Outcome.UNREACHABLE
        except asyncio.TimeoutError:
            record.error = f"no end within {self._options.task_timeout:g} s"
        finally:
            record.client = self._pool.local
            record.seconds = monotonic() - begun
        return record

    async def command(self, headers: _Headers, kind: str, **fields: Any) -> Received:
        return await self._pool.command(headers, kind, **fields)

    def _headers(self, scenario: AgentScenario) -> _Headers:
        """Licence key and credentials, as they stand on commands and on tunnel requests."""
        twist = scenario.agent
        found = []
        if twist in (AgentTwist.CREDENTIALS, AgentTwist.SESSION):
            found.append(("Authorization", basic(USER, PASSWORD)))
        elif twist is AgentTwist.WRONG_CREDENTIALS:
            found.append(("Authorization", basic(USER, "wrong")))
        if self._has_key and twist is not AgentTwist.NO_LICENSE:
            found.append(("X-JobScheduler-LicenseKey", _LICENSE))
        return found

    async def _task(self, record: MetTask, scenario: AgentScenario) -> Outcome:
        headers = self._headers(scenario)
        if scenario.agent is AgentTwist.FILES:
            return await self._file_order_source(headers)
        session: list[tuple[str, str]] = []
        if scenario.agent is AgentTwist.SESSION:
            login = await self.command(headers, "Login")
            session = [("X-JobScheduler-Session", str(login.json["sessionToken"]["secret"]))]
            await self.command(session, "NoOperation")
        outcome = await self._run(record, scenario, headers)
        if session:
            await self.command(session, "Logout")
        return outcome

    async def _start(self, record: MetTask, scenario: AgentScenario, headers: _Headers) -> Received:
        meta = {"job": record.job, "taskId": str(record.task_id)}
        if scenario.is_shell:
            return await self.command(headers, "StartNonApiTask", meta=meta)
        return await self.command(headers, "StartApiTask", javaClasspath="", javaOptions="", meta=meta)

    async def _run(self, record: MetTask, scenario: AgentScenario, headers: _Headers) -> Outcome:
        started = await self._start(record, scenario, headers)
        token = started.json.get("tunnelToken")
        if started.status != 200 or not isinstance(token, dict):
            record.error = str(started.json.get("message") or started.body.decode("utf-8", "replace"))
            return Outcome.REFUSED
        refused = False
        if scenario.agent is AgentTwist.NO_LICENSE:
            second = await self._start(record, scenario, headers)
            record.error, refused = second.body.decode("utf-8", "replace"), second.status != 200
        name = str(started.json["agentTaskId"])
        keys = str(token["id"]), str(token["secret"])
        tunnel = MasterTunnel(
            TunnelClient(self._pool, headers, keys, self._options.heartbeat), scenario, record, self._options
        )
        killed = False
        ending = asyncio.ensure_future(tunnel.run())
        if scenario.twist is Twist.KILL:
            await asyncio.wait((ending,), timeout=self._options.work)
            killed = not ending.done()
        if killed:
            close = asyncio.ensure_future(self.command(headers, "CloseTask", agentTaskId=name, kill=True))
            outcome = await ending
            await close
            return Outcome.KILLED
        outcome = await ending
        with suppress(OSError):
            await self.command(headers, "CloseTask", agentTaskId=name, kill=outcome is Outcome.LOST)
        return Outcome.REFUSED if refused else outcome

    async def _file_order_source(self, headers: _Headers) -> Outcome:
        """A long poll, and the file that it tells of is moved and deleted."""
        directory = "/simulated/in"
        fields: dict[str, Any] = {"directory": directory, "regex": "\\.csv$", "duration": 10.0, "knownFiles": []}
        found = await self.command(headers, "RequestFileOrderSourceContent", **fields)
        files = found.json.get("files") or []
        for file in files:
            await self.command(headers, "MoveFile", path=file["path"], toDirectory="/simulated/done")
            await self.command(headers, "DeleteFile", path="/simulated/done/order.csv")
        return Outcome.SUCCESS if files else Outcome.FAILURE
