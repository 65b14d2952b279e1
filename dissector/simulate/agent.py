"""The Universal Agent: its HTTP port, the commands, and the tasks that it runs."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from itertools import count
from ssl import SSLContext
from typing import Any

from dissector.errors import UsageError
from dissector.model import Endpoint
from dissector.ports import AGENT_PORT
from dissector.simulate.agent_scenarios import AgentTwist, agent_job, of_job
from dissector.simulate.agent_tunnel import AgentTunnel
from dissector.simulate.dialog import endpoint
from dissector.simulate.http_text import (
    AGENT_API,
    HttpFaultError,
    Received,
    answer,
    basic,
    failure,
    receive,
)
from dissector.simulate.report import Options, ServedTask

#: What the peers of a run agree upon.
USER, PASSWORD = "simulated", "secret"
_STARTS = ("StartNonApiTask", "StartApiTask")
_REFUSED_LOGIN_DELAY = 1.0
_HINT = (
    "You are trying to access this Universal Agent as a JobScheduler or Classic Agent. "
    "Use this Universal Agent with JobScheduler 1.10 or newer."
)
_NOT_FOUND = "The requested resource could not be found."
_LICENSE = (
    "LicenseKeyParameterIsMissingException: License key required for 'Universal Agent' (No license key provided by "
    "master to execute jobs in parallel ({} unreleased tasks: {}))"
)
_CREDENTIALS = "The resource requires authentication, which was not supplied with the request"
_FORM = "HTML form POST is forbidden"
_MAX_TASKS = 10_000


class Agent:
    """Listens and serves masters; ``served`` gets a record of each start."""

    def __init__(self, options: Options, served: Callable[[ServedTask], None], tls: SSLContext | None = None) -> None:
        self._options, self._served, self._tls = options, served, tls
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._ids = count(1)
        self._tunnels: dict[str, AgentTunnel] = {}
        self._sessions: set[str] = set()
        self._commands: dict[str, Callable[[Received], Any]] = {
            "CloseTask": self._close,
            "SendProcessSignal": self._signal,
            "RequestFileOrderSourceContent": self._files,
            "MoveFile": _done,
            "DeleteFile": _done,
            "NoOperation": _done,
            "Login": self._login,
            "Logout": self._logout,
        }

    async def start(self) -> Endpoint:
        """:raises UsageError: the port can not be had"""
        host, wanted = self._options.listen
        ports = (AGENT_PORT, 0) if wanted is None else (wanted,)
        error: OSError | None = None
        for port in ports:
            try:
                self._server = await asyncio.start_server(self._connection, host, port, ssl=self._tls)
            except OSError as refused:  # noqa: PERF203  two ports at most
                error = refused
            else:
                return endpoint(self._server.sockets[0].getsockname())
        raise UsageError(f"{host}:{ports[0]}: {error.strerror if error else ''}")

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for tunnel in self._tunnels.values():
            tunnel.end()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (request := await receive(reader)) is not None:
                writer.write(await self._answer(request, endpoint(writer.get_extra_info("peername"))))
                await writer.drain()
        except HttpFaultError as fault:
            writer.write(failure(413 if "MiB" in str(fault) else 400, str(fault)))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # asyncio tells of a handler that was cancelled as of an error
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, request: Received, client: Endpoint) -> bytes:
        method, target, _ = request.start
        path = target if target.startswith("/") else "/" + target.partition("://")[2].partition("/")[2]
        if path.startswith("/jobscheduler/engine"):
            return failure(404, _HINT)
        if not path.startswith(AGENT_API):
            return failure(404, _NOT_FOUND)
        rest = path[len(AGENT_API) :].partition("?")[0]
        if method == "GET":
            return self._view(rest)
        if method != "POST":
            return failure(405, "HTTP method not allowed, supported methods: GET, POST")
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        if rest == "/command":
            return await self._command(request, client)
        if rest.startswith("/tunnel/"):
            return await self._tunnel(request, rest.removeprefix("/tunnel/").rstrip("/"))
        return failure(404, _NOT_FOUND)

    async def _refusal(self, request: Received) -> bytes | None:
        """401 and 403; without credentials plain HTTP is open to everybody."""
        given = request.header("Authorization")
        if given is not None and given != basic(USER, PASSWORD):
            await asyncio.sleep(_REFUSED_LOGIN_DELAY)
            return failure(401, _CREDENTIALS, [("WWW-Authenticate", 'Basic realm="JobScheduler Agent"')])
        session = request.header("X-JobScheduler-Session")
        if session is not None and session not in self._sessions:
            return failure(403, "Unknown SessionToken")
        if (request.header("Content-Type") or "").startswith(("text/plain", "application/x-www-form", "multipart/")):
            return failure(403, _FORM)
        return None

    def _view(self, rest: str) -> bytes:
        running = len(self._tunnels)
        views: dict[str, object] = {
            "": {"version": "simulated", "currentTaskCount": running, "isTerminating": False},
            "/task": {"currentTaskCount": running, "totalTaskCount": running},
            "/task/": [{"id": one.agent_task_id, "tunnelId": one.id} for one in self._tunnels.values()],
            "/tunnel": {"tunnelCount": running},
        }
        views["/"] = views["/overview"] = views[""]
        return answer(views[rest]) if rest in views else failure(404, _NOT_FOUND)

    # --- commands --------------------------------------------------------------------------------------------------

    async def _command(self, request: Received, client: Endpoint) -> bytes:
        kind = request.json.get("$TYPE")
        if kind in _STARTS:
            return self._start_task(request, client)
        if kind not in self._commands:
            return failure(400, f"The request content was malformed:\n{kind}")
        found = self._commands[kind](request)
        result: bytes = await found if asyncio.iscoroutine(found) else found
        return result

    def _start_task(self, request: Received, client: Endpoint) -> bytes:
        meta = request.json.get("meta")
        job = str(meta.get("job")) if isinstance(meta, dict) else ""
        scenario = of_job(job)
        record = ServedTask(None, None, scenario.name, client, client, job=job)
        self._served(record)
        if scenario.agent is AgentTwist.START_FAILS:
            text = "java.nio.file.NoSuchFileException: /simulated/task.log"
            return answer({"$TYPE": "StartTaskFailed", "message": text})
        if scenario.agent is AgentTwist.TERMINATING:
            return failure(400, "Agent is terminating and does no longer accept task starts")
        running = [tunnel.agent_task_id for tunnel in self._tunnels.values()]
        if (running and request.header("X-JobScheduler-LicenseKey") is None) or len(running) >= _MAX_TASKS:
            return failure(400, _LICENSE.format(len(running), ", ".join(running)))
        tunnel = AgentTunnel(str(next(self._ids)), scenario, agent_job, self._options)
        self._tunnels[tunnel.id] = tunnel
        token = {"id": tunnel.id, "secret": tunnel.secret}
        return answer({"agentTaskId": tunnel.agent_task_id, "tunnelToken": token})

    def _of(self, request: Received) -> AgentTunnel | None:
        name = request.json.get("agentTaskId")
        tunnel = self._tunnels.get(str(name).partition("-")[0])
        return tunnel if tunnel is not None and tunnel.agent_task_id == name else None

    async def _close(self, request: Received) -> bytes:
        tunnel = self._of(request)
        if tunnel is None:
            return _unknown_task(request)
        if request.json.get("kill") is True:
            tunnel.kill()
            await tunnel.released()
        self._tunnels.pop(tunnel.id, None)
        tunnel.end()
        return answer({})

    def _signal(self, request: Received) -> bytes:
        tunnel = self._of(request)
        if tunnel is None:
            return _unknown_task(request)
        tunnel.kill()
        return answer({})

    async def _files(self, request: Received) -> bytes:
        """A long poll: the file comes after a while, unless the master knows it."""
        directory, known = request.json.get("directory"), request.json.get("knownFiles") or []
        path = f"{directory}/order.csv"
        duration = request.json.get("duration")
        most = float(duration) if isinstance(duration, (int, float)) else 0.0
        await asyncio.sleep(min(self._options.work, most))
        files = [] if path in known else [{"path": path, "lastModifiedTime": 1_795_647_531_000}]
        return answer({"files": files})

    def _login(self, request: Received) -> bytes:
        self._sessions.discard(request.header("X-JobScheduler-Session") or "")
        session = secrets.token_urlsafe(18)
        self._sessions.add(session)
        return answer({"sessionToken": {"secret": session}})

    def _logout(self, request: Received) -> bytes:
        session = request.header("X-JobScheduler-Session")
        if session is None:
            return failure(500, "java.lang.IllegalArgumentException: Logout without SessionToken")
        self._sessions.discard(session)
        return answer({})

    # --- tunnels ---------------------------------------------------------------------------------------------------

    async def _tunnel(self, request: Received, name: str) -> bytes:
        tunnel = self._tunnels.get(name)
        if tunnel is None:
            return failure(500, f"com.sos.scheduler.engine.tunnel.server.NoSuchTunnelException: Unknown tunnel/{name}")
        if request.header("X-JobScheduler-Tunnel-Secret") != tunnel.secret:
            return failure(500, "java.lang.IllegalArgumentException: Wrong tunnel secret")
        if tunnel.restarts(request):
            for other in self._tunnels.values():
                other.end()
            self._tunnels.clear()
            self._ids = count(1)
            return await self._tunnel(request, name)
        return await tunnel.post(request)


def _done(_request: Received) -> bytes:
    return answer({})


def _unknown_task(request: Received) -> bytes:
    name = request.json.get("agentTaskId")
    return failure(
        500, f"com.sos.scheduler.engine.agent.task.TaskHandler$UnknownTaskException: Unknown AgentTaskId({name})"
    )
