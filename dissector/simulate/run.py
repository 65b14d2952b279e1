"""One run: the peers that are wanted, tasks at a rate, a clean end on Ctrl-C and SIGTERM, the summary."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from itertools import cycle
from time import monotonic
from typing import Any, Protocol

from dissector.errors import UsageError
from dissector.model import Endpoint
from dissector.simulate.agent import Agent
from dissector.simulate.client import Client, resolve
from dissector.simulate.master import Master
from dissector.simulate.remote import Remote
from dissector.simulate.report import MetTask, Options, Peers, ServedTask, Summary
from dissector.simulate.scenario import Scenario
from dissector.simulate.signals import until_signal
from dissector.simulate.tls import client_side, server_side
from dissector.simulate.values import DONE
from dissector.wire.decode import encode_frame

#: A recorder sees packets a little later than they are sent.
_LAST_PACKETS = 0.2


def simulate(options: Options) -> Summary:
    """Runs to the end, or until a signal; the summary is there in both cases.

    A run of the remote alone ends after its ``duration`` or with a signal.  When callback ports run out in mid-run, no
    more tasks are started and the summary's ``failure`` says so.

    :raises UsageError: a port can not be had, the remote's name has no address
    """
    encode_frame(DONE)  # reads the grammar, a tenth of a second that the first task's times must not contain
    return asyncio.run(_Run(options).run())


class Runner(Protocol):
    """Who runs tasks on a remote."""

    async def run(self, n: int, scenario: Any) -> MetTask: ...


class _Run:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._summary = Summary.of(options)
        self._stop = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._failure: UsageError | None = None

    async def run(self) -> Summary:
        options, summary = self._options, self._summary
        begun = monotonic()
        remote = self._remote() if options.side is not Peers.CLIENT else None
        with until_signal(self._interrupt), ExitStack() as recording:
            try:
                address = (
                    await remote.start() if remote is not None else await resolve(options.remote or options.listen)
                )
                summary.remote = address
                if options.recorder is not None:
                    recording.enter_context(options.recorder(address, options.callback_ports))
                if options.on_ready is not None:
                    options.on_ready(address)
                if options.side is Peers.REMOTE:
                    await self._wait(options.duration)
                else:
                    await self._drive(_reachable(address))
            finally:
                await self._end_tasks()
                if remote is not None:
                    await remote.stop()
            if options.recorder is not None:
                await asyncio.sleep(_LAST_PACKETS)
        summary.seconds = monotonic() - begun
        if self._failure is not None and not summary.tasks:
            raise self._failure
        return summary

    def _remote(self) -> Remote | Agent:
        options = self._options
        if not options.agent:
            return Remote(options, self._served)
        return Agent(options, self._served, server_side(options.tls) if options.tls is not None else None)

    # --- the client's tasks ----------------------------------------------------------------------------------------

    async def _drive(self, address: Endpoint) -> None:
        options = self._options
        if not options.agent:
            await self._tasks(Client(options, address))
            return
        master = Master(options, address, client_side() if options.tls is not None else None)
        try:
            await self._tasks(master)
        finally:
            await self._end_tasks()
            master.close()

    async def _tasks(self, client: Runner) -> None:
        """Starts tasks at their times, never more at once than allowed; ends when the last one has."""
        options = self._options
        begun = monotonic()
        pace = options.pace
        for n, chosen in enumerate(cycle([options.scenario(name) for name in options.scenarios])):
            wait = begun + n / pace - monotonic() if pace is not None else 0.0
            over = n >= options.wanted or (
                options.duration is not None and monotonic() - begun + max(0.0, wait) >= options.duration
            )
            if over or self._failure is not None:
                break
            if wait > 0:
                await self._wait(wait)
            while len(self._running) >= options.at_once and not self._stop.is_set():
                await self._wait_for_one()
            if self._stop.is_set():
                break
            self._start(client, n + 1, chosen)
        while self._running and not self._stop.is_set():
            await self._wait_for_one()

    def _start(self, client: Runner, n: int, chosen: Scenario) -> None:
        task = asyncio.get_running_loop().create_task(self._task(client, n, chosen))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        self._summary.started += 1
        self._summary.most_parallel = max(self._summary.most_parallel, len(self._running))

    async def _task(self, client: Runner, n: int, chosen: Scenario) -> None:
        try:
            record = await client.run(n, chosen)
        except UsageError as error:
            self._failure, self._summary.failure = error, str(error)
            return
        self._summary.task(record)
        if self._options.on_task is not None:
            self._options.on_task(record)

    async def _wait_for_one(self) -> None:
        """Until a task ends, or the run is stopped."""
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((stop, *self._running), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    async def _end_tasks(self) -> None:
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- around it -------------------------------------------------------------------------------------------------

    def _served(self, record: ServedTask) -> None:
        self._summary.starts_served += 1
        self._summary.served.append(record)
        if self._options.on_served is not None:
            self._options.on_served(record)

    async def _wait(self, seconds: float | None) -> None:
        """So long, or until the run is stopped."""
        if not self._stop.is_set():
            stop = asyncio.ensure_future(self._stop.wait())
            await asyncio.wait((stop,), timeout=seconds)
            stop.cancel()

    def _interrupt(self) -> None:
        self._summary.interrupted = True
        self._stop.set()


def _reachable(address: Endpoint) -> Endpoint:
    """Where to connect to a remote that listens on every address."""
    every = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return address._replace(ip=every.get(address.ip, address.ip))
