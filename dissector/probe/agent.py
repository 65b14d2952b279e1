"""The path to a Universal Agent: connect, TLS, overview, licence, start a task, say hello, close it.

What is sent is what a master sends (docs/agent.md#order-of-events), up to the first answer, and the GET of a view.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from dissector.errors import UsageError
from dissector.model import Endpoint
from dissector.probe.attempt import ProbeError, connect, greeting, step
from dissector.reports.probe import Attempt, Fault, refusal
from dissector.simulate.http_text import AGENT_API, basic
from dissector.simulate.master_pool import Pool
from dissector.simulate.master_tunnel import TunnelClient
from dissector.simulate.pipe import Pipe

_META = {"job": "/jstrace-probe", "taskId": "0"}
_PERIOD = 10.0
_OK = 200
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """``credentials``: id and password; ``licence``: a key, with which two tasks are tried at the same time; ``ca``: a
    PEM file with the certificates that are trusted, None: whatever the agent shows is taken."""

    prefix: str = ""
    is_https: bool = False
    credentials: tuple[str, str] | None = None
    licence: str | None = None
    ca: str | None = None
    timeout: float = 10.0


class AgentProbe:
    def __init__(self, remote: Endpoint, host: str, options: AgentOptions) -> None:
        """``host`` is the name that the certificate has to have.

        :raises UsageError: the file of certificates can not be used
        """
        self._remote, self._host, self._options = remote, host, options
        self._timeout = options.timeout
        self._tls = _context(options.ca) if options.is_https else None
        self._pool = Pool(remote, self._tls, options.prefix, host)
        self._headers = _headers(options)

    async def run(self, attempt: Attempt) -> None:
        """No task is left behind, cancelled or not, unless the agent does not confirm its end."""
        try:
            await self._connect(attempt)
            await self._overview(attempt)
            tasks: list[str] = []
            try:
                tunnel = await self._start(attempt, "start", tasks)
                if self._options.licence is not None:
                    await self._start(attempt, "licence", tasks)
                await self._hello(attempt, tunnel)
            finally:
                if tasks:
                    await self._close(attempt, tasks)
        except ProbeError as error:
            attempt.fault = error.fault
        finally:
            self._pool.close()

    # --- the path there ----------------------------------------------------------------------------------------------

    async def _connect(self, attempt: Attempt) -> None:
        """On a connection of its own, so that TCP and TLS have their own times."""
        sock = await connect(attempt, self._remote, self._timeout)
        try:
            if self._tls is not None:
                sock.settimeout(self._timeout)
                await asyncio.get_running_loop().run_in_executor(None, self._handshake, attempt, sock, self._tls)
        finally:
            sock.close()

    def _handshake(self, attempt: Attempt, sock: socket.socket, context: ssl.SSLContext) -> None:
        with step(attempt, "tls") as one:
            try:
                with context.wrap_socket(sock, server_hostname=self._host) as sealed:
                    cipher = sealed.cipher()
                    suite = f", {cipher[0]}" if cipher else ""
                    trust = "" if self._options.ca is not None else ", certificate not checked (--ca FILE checks it)"
                    one.text = f"{sealed.version()}{suite}{trust}"
            except ssl.SSLCertVerificationError as error:
                text = f"The certificate of {self._remote} is not trusted: {error.verify_message}."
                raise ProbeError(Fault("tls_handshake_failed", text)) from None
            except ssl.SSLError as error:
                is_plain = error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
                text = "" if is_plain else f"The handshake failed: {(error.reason or str(error)).lower()}."
                raise ProbeError(Fault("tls_unexpected" if is_plain else "tls_handshake_failed", text)) from None
            except OSError as error:
                is_late = isinstance(error, socket.timeout)
                reason = f"nothing came for {self._timeout:g} s" if is_late else error.strerror or error
                text = f"The handshake was not finished: {reason}."
                raise ProbeError(Fault("tls_handshake_failed", text)) from None

    async def _overview(self, attempt: Attempt) -> None:
        with step(attempt, "overview") as one:
            asked = self._pool.ask(
                f"{AGENT_API}/overview", [*self._headers, ("Accept", "application/json")], method="GET"
            )
            got = await self._answered(asked, "agent_wrong_target")
            if got.status != _OK or not got.json:
                raise ProbeError(refusal(got.head, got.body, "agent_wrong_target"))
            version, running = got.json.get("version"), got.json.get("currentTaskCount")
            one.text = f"release {version}, tasks under way: {running}"
            if got.json.get("isTerminating") is True:
                raise ProbeError(Fault("agent_terminating", ""))

    # --- a task ----------------------------------------------------------------------------------------------------

    async def _start(self, attempt: Attempt, name: str, tasks: list[str]) -> TunnelClient:
        with step(attempt, name) as one:
            if attempt.started is None:
                attempt.started = "a task, if the agent started one"
            got = await self._answered(
                self._pool.command(self._headers, "StartNonApiTask", meta=_META), "agent_refused_start"
            )
            token, task = got.json.get("tunnelToken"), got.json.get("agentTaskId")
            if got.status != _OK or not isinstance(token, dict) or not isinstance(task, str):
                attempt.started = attempt.started if tasks else None
                raise ProbeError(refusal(got.head, got.body, "agent_refused_start"))
            tasks.append(task)
            number = task.partition("-")[0]
            attempt.started = f"task {number}" if len(tasks) == 1 else f"{attempt.started} and {number}"
            one.text = f"task {number}" + (", a second one at the same time" if len(tasks) > 1 else "")
            keys = str(token.get("id")), str(token.get("secret"))
            return TunnelClient(self._pool, self._headers, keys, _PERIOD)

    async def _hello(self, attempt: Attempt, tunnel: TunnelClient) -> None:
        dialog = greeting(attempt)
        pipe = Pipe(dialog)
        try:
            while (message := await pipe.said()) is not None:
                answer = await self._answered(tunnel.exchange(message), "task_process_lost")
                if answer is None:
                    raise ProbeError(Fault("task_process_lost", " ".join(tunnel.error.split())))
                pipe.hear(answer)
        finally:
            pipe.end()
        if dialog.fault or not attempt.steps[-1].is_good:
            text = dialog.fault or "create_instance was answered with an error"
            raise ProbeError(Fault("error_answer", f"The task process: {text}."))

    async def _close(self, attempt: Attempt, tasks: list[str]) -> None:
        with step(attempt, "close") as one:
            is_good = all(one.is_good for one in attempt.steps[:-1])
            attempt.has_ended = True
            for task in tasks:
                kill = not is_good or task is not tasks[0]
                try:
                    closing = self._pool.command(self._headers, "CloseTask", agentTaskId=task, kill=kill)
                    ended = (await asyncio.wait_for(closing, self._timeout)).status == _OK
                except (OSError, asyncio.TimeoutError, asyncio.CancelledError):
                    ended = False
                attempt.has_ended = attempt.has_ended and ended
            one.text = "the task has ended" if attempt.has_ended else "the agent does not confirm the end"

    async def _answered(self, asking: Awaitable[_Result], otherwise: str) -> _Result:
        try:
            return await asyncio.wait_for(asking, self._timeout)
        except asyncio.TimeoutError:
            raise ProbeError(Fault("open_call", f"No answer within {self._timeout:g} s.")) from None
        except OSError as error:
            text = f"{self._remote} gave no answer of an agent: {error.strerror or error}."
            raise ProbeError(Fault(otherwise, text)) from None


def _headers(options: AgentOptions) -> list[tuple[str, str]]:
    found = []
    if options.credentials is not None:
        found.append(("Authorization", basic(*options.credentials)))
    if options.licence is not None:
        found.append(("X-JobScheduler-LicenseKey", options.licence))
    return found


def _context(ca: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    try:
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{ca}: {error.strerror or error}") from None
    return context
