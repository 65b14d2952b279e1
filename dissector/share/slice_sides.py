"""Some tasks out of captures of several places: what each place has of them, in a capture of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from dissector.beside import Beside
from dissector.errors import UsageError
from dissector.model import Connection, Endpoint, Event, Problem, Task
from dissector.share.capture_index import CaptureIndex, Hints
from dissector.share.slice import cut, verdicts
from dissector.survey import Site, survey
from dissector.traffic import Side

_Ends = tuple[Endpoint, Endpoint, "int | None"]


@dataclass
class Sides:
    """What captures of several places hold together."""

    hints: Hints
    connections: dict[Task, list[Connection]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def of(cls, sources: Sequence[str], hints: Hints, *, messages: bool, on_event: Callable[[Event], object]) -> Sides:
        """``on_event`` gets all of it.

        :raises UsageError: the captures are one stream
        :raises CaptureError: as ``CaptureReader``
        """
        sites = survey(sources, None, hints.command_ports, hints.callback_ports)
        if not sites:
            raise UsageError("these captures are not of several places: cut each of them by itself")
        found = cls(hints)
        for event in _beside(sources, sites, hints, messages=messages).events():
            on_event(event)
            if isinstance(event, Connection) and event.task is not None:
                found.connections.setdefault(event.task, []).append(event)
            elif isinstance(event, Problem):
                found.problems.append(event)
        return found

    def cut(self, source: str, target: str, tasks: Collection[Task]) -> tuple[int, int]:
        """Writes what one capture has of ``tasks``; how many packets, of how many tasks."""
        wanted = {_ends(one) for task in tasks for one in self.connections.get(task, ())}
        index = CaptureIndex.of(source, self.hints, messages=False, keep=False)
        mine = {one.task: None for one in index.connections if one.task is not None and _ends(one) in wanted}
        chosen = sorted(mine, key=lambda task: task.n)
        together = verdicts(tasks, [problem for problem in self.problems if problem.task in set(tasks)])
        return cut([source], target, index, chosen, _together(together)), len(chosen)


def _beside(sources: Sequence[str], sites: Sequence[Site], hints: Hints, *, messages: bool) -> Beside:
    ports = hints.command_ports, hints.callback_ports
    return Beside(sources, sites, *ports, messages=messages, secrets=hints.secrets)


def _together(words: Iterable[str]) -> list[str]:
    return [f"All places together: {one}" for one in words]


def _ends(connection: Connection) -> _Ends:
    return connection.client, connection.server, connection.sides[Side.CLIENT].first_seq
