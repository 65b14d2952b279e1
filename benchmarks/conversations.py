"""What tasks say, without what TCP makes of it: taken from recordings, or said by the peers of ``jstrace simulate``.

A conversation has the bytes of each write in order; ``rhythm`` makes segments of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.patterns import COMMAND_PORT, Line, Pattern, payload_of
from dissector.simulate.dialog import SimulatedDialog
from dissector.simulate.drive import Drive
from dissector.simulate.process import Pace, TaskProcess
from dissector.simulate.scenario import Scenario, choose_job, scenario
from dissector.wire import control

_PORT = 50_000
_PROCESS, _PID = 4_711, 4_712
_TIME = "2026-11-22 04:00:00.000"
_KEY = bytes(12)
_HEADER = 4
#: Log lines of a job that writes many.
_LOG_LINES = 60
SCENARIOS = ("shell-job", "api-job", "failing-job", "order-job", "many-logs", "all-variants", "nested", "error-answers")


class Turn(NamedTuple):
    """What ``side`` (0: the client of TCP) writes at once on a connection."""

    line: int
    side: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Conversation:
    """Writes in order, and what is known to be in them."""

    name: str
    lines: Sequence[Line]
    turns: Sequence[Turn]
    frames: int
    tasks: int


def of_pattern(pattern: Pattern) -> Conversation:
    """What is said in a recording."""
    turns = []
    for step in pattern.steps:
        payload = payload_of(step.head + _KEY + step.tail)
        if payload:
            turns.append(Turn(step.flow >> 1, step.flow & 1, payload))
    return Conversation(pattern.name, pattern.lines, turns, pattern.frames, pattern.tasks)


def simulated() -> list[Conversation]:
    """Tasks of the simulated peers, one of each of some scenarios."""
    return [asyncio.run(_simulated(scenario(name))) for name in SCENARIOS]


async def _simulated(chosen: Scenario) -> Conversation:
    kind = "process" if chosen.is_shell else None
    said: list[Turn] = []
    drive = Drive(chosen, 1)
    client = SimulatedDialog(drive.world.serve, drive.script())
    remote = SimulatedDialog(TaskProcess(choose_job, Pace(0.0, _LOG_LINES)).serve)
    ends = _End(said, 0, remote, client), _End(said, 1, client, remote)
    remote.connection_made(ends[0])
    client.connection_made(ends[1])
    if not await client.ended:
        raise RuntimeError(f"{chosen.name}: {client.fault or remote.fault}")
    started = control.ProcessStarted(_PROCESS, None if kind else _PID)
    turns = [
        Turn(0, 0, control.encode_start(control.StartTask(_PORT, kind, chosen.java_options))),
        Turn(0, 1, control.encode_process_answer(started, _TIME)),
        *said,
        Turn(0, 0, control.encode_close(control.CloseTask(_PROCESS))),
        Turn(0, 1, control.encode_ok(_TIME)),
    ]
    frames = sum(_frames(turn.data) for turn in said)
    return Conversation(chosen.name, [Line(False, COMMAND_PORT), Line(True, _PORT)], turns, frames, 1)


def _frames(data: bytes) -> int:
    at = count = 0
    while at < len(data):
        at += _HEADER + int.from_bytes(data[at : at + _HEADER], "big")
        count += 1
    return count


class _End(asyncio.Transport):
    """One end of a callback connection that needs no network: notes what is written and hands it over."""

    def __init__(self, said: list[Turn], side: int, owner: SimulatedDialog, peer: SimulatedDialog) -> None:
        super().__init__()
        self._said = said
        self._side = side
        self._owner = owner
        self._peer = peer

    def write(self, data: Any) -> None:
        self._said.append(Turn(1, self._side, bytes(data)))
        asyncio.get_running_loop().call_soon(self._peer.data_received, bytes(data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ARG002  asyncio's shape
        return self if name == "socket" else ("127.0.0.1", _PORT + self._side)

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        for end in (self._owner, self._peer):
            end.connection_lost(None)

    def shutdown(self, how: int) -> None:
        """As a socket."""

    def setsockopt(self, *option: object) -> None:
        """As a socket."""
