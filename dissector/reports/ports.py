"""Callback ports: what a client used of them when, and the range that a firewall has to let through.

The engine opens 59999, or the next lower port that is free, for every task (docs/protocol.md#callback-ports).  The
vendor counts a port as taken for two minutes after its task, so the range is: most tasks at the same time, and starts
in two minutes.  Times in nanoseconds since the epoch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from dissector.errors import UsageError
from dissector.model import Task
from dissector.numbers import count
from dissector.ports import CALLBACK_PORTS

HIGHEST = CALLBACK_PORTS[1]
#: The engine never opens a port this low.
LOWEST = 1_024
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
#: How long the vendor counts a port as taken after its connection was closed.
HELD = 2 * MINUTE


class Use(NamedTuple):
    """A port that was taken from ``start`` to ``end`` by task ``task``."""

    port: int
    start: int
    end: int
    task: int


class Plan(NamedTuple):
    """A range of ports, ``highest`` down to ``lowest``."""

    parallel: int
    starts: int
    highest: int
    lowest: int

    @property
    def size(self) -> int:
        return self.highest - self.lowest + 1

    def __str__(self) -> str:
        return f"{self.highest}-{self.lowest}"


class PortUse(NamedTuple):
    """What one client used.  ``held`` is the most ports taken at a time when each stays so for two minutes after its
    task, ``reuse_least`` and ``reuse_median`` the time (ns) from a task's end to the next one on its port; ``remotes``
    are the addresses that call back or are commanded, ``remote_ports`` where they are commanded."""

    client: str
    uses: tuple[Use, ...]
    highest: int
    lowest: int
    distinct: int
    parallel: int
    held: int
    starts_per_minute: int
    starts_in_two_minutes: int
    reuse_least: int | None
    reuse_median: int | None
    remotes: tuple[str, ...]
    remote_ports: tuple[int, ...]
    plan: Plan


class AgentUse(NamedTuple):
    """A Universal Agent: all of its tasks come over connections of their masters to one port, and none goes back."""

    agent: str
    port: int
    masters: tuple[str, ...]
    tasks: int
    parallel: int


def agent_uses(tasks: Iterable[Task]) -> list[AgentUse]:
    """The agents, the busiest one first."""
    by_agent: dict[tuple[str, int], list[Task]] = {}
    for task in tasks:
        if task.agent is not None and task.agent.port is not None:
            by_agent.setdefault((task.agent.ip, task.agent.port), []).append(task)
    found = [
        AgentUse(
            *place,
            tuple(sorted({task.client.ip for task in own if task.client is not None})),
            len(own),
            _most([(task.start, max(task.end, task.start)) for task in own]),
        )
        for place, own in by_agent.items()
    ]
    return sorted(found, key=lambda use: (-use.tasks, use.agent, use.port))


def plan(parallel: int, starts_in_two_minutes: int, highest: int = HIGHEST) -> Plan:
    """The vendor's rule.  Raises UsageError when there are not so many ports."""
    lowest = highest - (parallel + starts_in_two_minutes) + 1
    if lowest <= LOWEST:
        need = f"{count(parallel, 'task')} at a time and {count(starts_in_two_minutes, 'start')} in two minutes"
        raise UsageError(f"{need} need more ports than there are between {LOWEST} and {highest}")
    return Plan(parallel, starts_in_two_minutes, highest, lowest)


def port_uses(tasks: Iterable[Task]) -> list[PortUse]:
    """What each client used, the busiest one first; tasks without a callback port do not count."""
    by_client: dict[str, list[Task]] = {}
    for task in tasks:
        if task.client is not None and task.callback_port is not None:
            by_client.setdefault(task.client.ip, []).append(task)
    found = [_port_use(client, tasks) for client, tasks in by_client.items()]
    return sorted(found, key=lambda use: (-len(use.uses), use.client))


def _port_use(client: str, tasks: Sequence[Task]) -> PortUse:
    uses = sorted(map(_use, tasks), key=lambda use: (use.start, use.task))
    ports = [use.port for use in uses]
    starts = [use.start for use in uses]
    parallel = _most([(use.start, use.end) for use in uses])
    in_two = _most([(start, start + HELD) for start in starts])
    pauses = list(_pauses(uses))
    highest = max(HIGHEST, *ports)
    lowest = min(max(highest - (parallel + in_two) + 1, LOWEST + 1), *ports)
    return PortUse(
        client,
        tuple(uses),
        max(ports),
        min(ports),
        len(set(ports)),
        parallel,
        _most([(use.start, use.end + HELD) for use in uses]),
        _most([(start, start + MINUTE) for start in starts]),
        in_two,
        min(pauses, default=None),
        round(median(pauses)) if pauses else None,
        _remotes(tasks),
        tuple(sorted({task.remote.port for task in tasks if task.remote and task.remote.port})),
        Plan(parallel, in_two, highest, lowest),
    )


def _use(task: Task) -> Use:
    """The client listens before it commands, and its end of the callback connection keeps the port."""
    end = task.callback.end if task.callback is not None else task.end
    return Use(task.callback_port or 0, task.start, max(end, task.start), task.n)


def _most(spans: Iterable[tuple[int, int]]) -> int:
    """The most spans that hold at one time; one that ends as another begins does not count with it."""
    changes = Counter[tuple[int, int]]()
    for start, end in spans:
        changes[start, 1] += 1
        changes[max(end, start + 1), 0] -= 1
    most = now = 0
    for moment in sorted(changes):
        now += changes[moment]
        most = max(most, now)
    return most


def _pauses(uses: Iterable[Use]) -> Iterable[int]:
    by_port: dict[int, list[Use]] = {}
    for use in uses:
        by_port.setdefault(use.port, []).append(use)
    for line in by_port.values():
        for earlier, later in pairwise(line):
            yield max(later.start - earlier.end, 0)


def _remotes(tasks: Iterable[Task]) -> tuple[str, ...]:
    found = {end.ip for task in tasks for end in (task.remote, task.callback_peer) if end is not None}
    return tuple(sorted(found))
