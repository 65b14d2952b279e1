"""Runs a probe: its attempts, as many at the same time as are wanted, and what a signal leaves of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager

from dissector.model import Endpoint
from dissector.probe.agent import AgentOptions, AgentProbe
from dissector.probe.classic import ClassicProbe
from dissector.reports.probe import Attempt, ProbeResult
from dissector.simulate.client import resolve
from dissector.simulate.signals import until_signal
from dissector.simulate.values import DONE
from dissector.wire.decode import encode_frame

#: Entered with the remote's numeric address before the first packet, left after the last one.
Recording = Callable[[Endpoint], AbstractContextManager[object]]
#: A recorder sees packets a little later than they are sent.
_LAST_PACKETS = 0.2


def probe_classic(
    target: Endpoint,
    ports: tuple[int, int],
    *,
    every: bool,
    kind: str | None,
    timeout: float,
    parallel: int,
    recording: Recording,
) -> ProbeResult:
    """``ports``: the highest and the lowest; ``every``: each of them is tried, else the first one that is free.

    :raises UsageError: the host has no address
    """
    high, low = ports
    attempts = [Attempt(port) for port in range(high, low - 1, -1)] if every else [Attempt(high)]

    async def run(remote: Endpoint) -> None:
        probe, room = ClassicProbe(remote, kind, timeout), asyncio.Semaphore(parallel)

        async def one(attempt: Attempt) -> None:
            async with room:
                await probe.run(attempt, attempt.port or low if every else low)

        await asyncio.gather(*map(one, attempts))

    return asyncio.run(_run(target, kind or "api", attempts, run, recording))


def probe_agent(target: Endpoint, options: AgentOptions, recording: Recording) -> ProbeResult:
    """
    :raises UsageError: the host has no address, or the file of certificates can not be used
    """
    attempts = [Attempt()]

    async def run(remote: Endpoint) -> None:
        await AgentProbe(remote, target.ip, options).run(attempts[0])

    return asyncio.run(_run(target, "agent", attempts, run, recording))


async def _run(
    target: Endpoint,
    kind: str,
    attempts: list[Attempt],
    run: Callable[[Endpoint], Coroutine[object, object, None]],
    recording: Recording,
) -> ProbeResult:
    remote = await resolve(target)
    result = ProbeResult(str(target), kind, remote, attempts)
    encode_frame(DONE)  # reads the grammar, a tenth of a second that no step's time may contain
    with recording(remote):
        work = asyncio.ensure_future(run(remote))

        def interrupt() -> None:
            result.is_interrupted = True
            work.cancel()

        with until_signal(interrupt):
            try:
                await work
            except asyncio.CancelledError:
                if not result.is_interrupted:
                    raise
        await asyncio.sleep(_LAST_PACKETS)
    return result
