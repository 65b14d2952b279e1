"""Steps of a probe, timed, and how one of them fails."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from dissector.model import Endpoint
from dissector.reports.probe import Attempt, Fault, ProbeStep
from dissector.simulate import values as v
from dissector.simulate.dialog import Script, SimulatedDialog, endpoint, family_of
from dissector.simulate.objects import World
from dissector.wire import messages as m


class ProbeError(Exception):
    """The attempt goes no further."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


@contextmanager
def step(attempt: Attempt, name: str) -> Iterator[ProbeStep]:
    """Times what is done meanwhile; it is good unless that fails."""
    one, begun = ProbeStep(name, 0.0, False), monotonic()
    attempt.steps.append(one)
    try:
        yield one
        one.is_good = True
    except ProbeError as error:
        one.text = error.fault.text
        raise
    finally:
        one.seconds = monotonic() - begun


async def connect(attempt: Attempt, remote: Endpoint, timeout: float) -> socket.socket:
    """A connection; ``attempt.client`` is known also where none comes about.

    :raises ProbeError: none comes about
    """
    with step(attempt, "connect") as one:
        sock = socket.socket(family_of(remote))
        try:
            sock.setblocking(False)
            sock.bind(("", 0))
            attempt.client = endpoint(sock.getsockname())
            connecting = asyncio.get_running_loop().sock_connect(sock, (remote.ip, remote.port))
            await asyncio.wait_for(connecting, timeout)
        except (OSError, asyncio.TimeoutError) as error:
            sock.close()
            raise _unreached(error, remote, timeout) from None
        except BaseException:
            sock.close()
            raise
        attempt.client = endpoint(sock.getsockname())
        one.text = f"{attempt.client} to {remote}"
        return sock


def _unreached(error: Exception, remote: Endpoint, seconds: float) -> ProbeError:
    """Why no connection to ``remote`` came about, as far as the socket tells."""
    if isinstance(error, ConnectionRefusedError):
        return ProbeError(Fault("command_refused", f"The connection to {remote} was refused."))
    if isinstance(error, (asyncio.TimeoutError, socket.timeout)):
        return ProbeError(Fault("command_unanswered", f"No answer from {remote} within {seconds:g} s."))
    number = getattr(error, "errno", None)
    reason = os.strerror(number) if number else str(error)
    return ProbeError(Fault("command_unanswered", f"No connection to {remote}: {reason}."))


def greeting(attempt: Attempt) -> SimulatedDialog:
    """The client's end of a dialog of ``create_instance`` and ``release``, the first and the last call of every
    task."""
    return SimulatedDialog(World("probe", 0, {}, None).serve, _hello(attempt))


def _hello(attempt: Attempt) -> Script[None]:
    one, begun = _begin(attempt, "create_instance")
    answer = yield m.CreateInstance(0, v.SERVER_CLSID, v.NULL_REFERENCE, 0, (v.SERVER_IID,))
    one.seconds = monotonic() - begun
    if not isinstance(answer, m.CreateInstanceAnswer) or not answer.results:
        one.text = "answered with an error"
        return
    one.is_good, one.text = True, "the process answers"
    one, begun = _begin(attempt, "release")
    yield m.Release(answer.results[0].object.object_id)
    one.seconds, one.is_good = monotonic() - begun, True


def _begin(attempt: Attempt, name: str) -> tuple[ProbeStep, float]:
    one = ProbeStep(name, 0.0, False)
    attempt.steps.append(one)
    return one, monotonic()
