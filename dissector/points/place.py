"""A capture point: its name, its clock, where on the path it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from dissector.model import Connection, Endpoint
from dissector.points.clocks import SAME, Clock

_ENDINGS = (".gz", ".zst", ".bz2", ".xz", ".lz4", ".pcapng", ".pcap", ".cap", ".snoop")


#: The two ends of a connection, whoever opened it.
Ends = frozenset[Endpoint]


def place_name(file: str) -> str:
    """What a place is called after a file that was captured there: its name without folders and endings."""
    name = file.replace("\\", "/").rstrip("/").rpartition("/")[2] or file
    for ending in _ENDINGS:
        name = name.removesuffix(ending) or name
    return name


@dataclass(slots=True, eq=False)
class CapturePoint:
    """``rank``: its place on the path, that nearest to the client schedulers first; ``clock``: against that one's,
    None where the two have no packet in common; ``moved``: nanoseconds taken off its times before anything was made of
    them.  ``first`` and ``last``: times of its packets, corrected."""

    name: str
    rank: int = 0
    clock: Clock | None = SAME
    moved: int = 0
    first: int | None = None
    last: int | None = None
    by_content: bool = False
    #: Nanoseconds between two ticks of a coarse clock.
    grain: int = 0
    #: The two ends of connections that an address translation changes, by the ends that they have here: those at the
    #: first place.
    ends: dict[Ends, Ends] = field(default_factory=dict)
    #: The user told what its clock is ahead.
    is_told: bool = False

    def covers(self, time: int) -> bool:
        """True when it was captured here at ``time``."""
        return self.first is not None and self.last is not None and self.first <= time <= self.last

    def ends_of(self, connection: Connection) -> Ends:
        """Those of a connection at the first place."""
        ends = frozenset((connection.client, connection.server))
        return self.ends.get(ends, ends)

    def ahead(self, first: int, last: int) -> tuple[int | None, int | None]:
        """What its clock was ahead between two corrected times (ns), and the bound of that; None: not known."""
        if self.is_told:
            return self.moved, 0
        if self.clock is None:
            return None, None
        return self.clock.ahead(first, last)
