"""A first look at several capture files: which of them were taken at one place, which at others, and their clocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from dissector.errors import UsageError
from dissector.limits import MAX_LOOK
from dissector.model import Problem
from dissector.points.clocks import Clock
from dissector.points.place import Place, place_name
from dissector.points.places import Common, Relation, clock, common, grouped, is_ahead, relation
from dissector.points.sightings import Sightings
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.sources.capture import first_blocks


@dataclass
class Site:
    """A place with the files (by their places in the list) that were taken there."""

    place: Place
    files: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """What the user says: ``names`` of files by their paths, nanoseconds that a named place's clock is ahead."""

    names: Mapping[str, str] = field(default_factory=dict)
    offsets: Mapping[str, int] = field(default_factory=dict)


def survey(
    files: Sequence[str],
    wanted: Wanted | None = None,
    command_ports: Iterable[int] = COMMAND_PORTS,
    callback_ports: tuple[int, int] = CALLBACK_PORTS,
) -> list[Site]:
    """The places in the order of their files; empty where the files are to be read as one stream.

    :raises UsageError: a name or a clock is given for something that is not there
    """
    wanted = wanted or Wanted()
    if len(files) < 2 or not all(Path(file).is_file() for file in files):
        return []
    seen = [_look(file) for file in files]
    names = [wanted.names.get(file) for file in files]
    pairs = list(combinations(range(len(files)), 2))
    apart = {pair for pair in pairs if None not in (these := [names[n] for n in pair]) and these[0] != these[1]}
    shared = {pair: common(seen[pair[0]], seen[pair[1]], is_named=pair in apart) for pair in pairs}
    relations = {pair: relation(seen[pair[0]], seen[pair[1]], found) for pair, found in shared.items()}
    for one, two in pairs:
        if names[one] is not None and names[two] is not None:
            relations[one, two] = Relation.APART if (one, two) in apart else Relation.SAME
    groups = grouped(seen, relations, [Path(file).name for file in files])
    if len(groups) < 2:
        return []
    opens = _opens(frozenset(command_ports), callback_ports)
    sites = _sites(groups, files, wanted)
    between = _between(groups, shared)
    _rank(sites, between, opens)
    _set_clocks(sites, between)
    _set_told(sites, wanted)
    _set_spans(sites, seen)
    return sites


def _look(file: str) -> Sightings:
    found = Sightings()
    for block in first_blocks(file, MAX_LOOK):
        found.add(block)
    return found


def _opens(command_ports: frozenset[int], callback_ports: tuple[int, int]) -> Callable[[bytes], bool | None]:
    def opens(key: bytes) -> bool | None:
        port = int.from_bytes(key[-2:], "big")
        if port in command_ports:
            return True
        return False if callback_ports[0] <= port <= callback_ports[1] else None

    return opens


def _sites(groups: list[list[int]], files: Sequence[str], wanted: Wanted) -> list[Site]:
    sites: list[Site] = []
    for group in groups:
        name = next((wanted.names[files[number]] for number in group if files[number] in wanted.names), None)
        name = name or place_name(files[group[0]])
        if any(site.place.name == name for site in sites):
            name = files[group[0]]
        sites.append(Site(Place(name), group))
    return sites


def _between(groups: list[list[int]], shared: dict[tuple[int, int], Common]) -> dict[tuple[int, int], Common]:
    """What two places have in common: of the files of each those that have most."""
    found: dict[tuple[int, int], Common] = {}
    for one, two in combinations(range(len(groups)), 2):
        packets: list[Common] = []
        for a in groups[one]:
            for b in groups[two]:
                known = shared[min(a, b), max(a, b)]
                packets.append(known if a < b else _turned(known))
        by_content = all(part.by_content or not part.packets for part in packets)
        kept = [triple for part in packets if part.by_content == by_content for triple in part.packets]
        found[one, two] = Common(kept, by_content)
        found[two, one] = _turned(found[one, two])
    return found


def _turned(shared: Common) -> Common:
    return shared._replace(packets=[(b, a, is_timed) for a, b, is_timed in shared.packets])


def _rank(sites: list[Site], between: dict[tuple[int, int], Common], opens: Callable[[bytes], bool | None]) -> None:
    """The places in their order on the path; those of which it is not known by name."""
    ahead = [0] * len(sites)
    for (one, two), shared in between.items():
        ahead[one] += is_ahead(shared, opens) is True
        sites[one].place.by_content |= shared.by_content and bool(shared.packets)
        del two
    order = sorted(range(len(sites)), key=lambda number: (-ahead[number], sites[number].place.name))
    for rank, number in enumerate(order):
        sites[number].place.rank = rank


def _set_clocks(sites: list[Site], between: dict[tuple[int, int], Common]) -> None:
    """Each clock against that of the first place, directly or by way of others."""
    order = sorted(range(len(sites)), key=lambda number: sites[number].place.rank)
    known = {order[0]}
    for number in order[1:]:
        sites[number].place.clock = None
    while True:
        steps = [
            (clock(between[one, two]), one, two)
            for one in sorted(known, key=order.index)
            for two in order
            if two not in known and between[one, two].packets
        ]
        if not steps:
            break
        found, one, two = max(steps, key=lambda step: step[0].is_known)
        base = sites[one].place.clock
        sites[two].place.clock = found if base is None or one == order[0] else base.plus(found)
        known.add(two)
    for site in sites:
        place = site.place
        if place.clock is not None and place.rank:
            ahead, error = place.clock.ahead(place.clock.origin)
            place.moved = ahead if error is None or abs(ahead) > error else 0


def _set_told(sites: list[Site], wanted: Wanted) -> None:
    for name, offset in wanted.offsets.items():
        place = next((site.place for site in sites if site.place.name == name), None)
        if place is None:
            raise UsageError(f"there is no place of capture {name!r}: {', '.join(site.place.name for site in sites)}")
        place.moved, place.is_told = offset, True


def _set_spans(sites: list[Site], seen: list[Sightings]) -> None:
    for site in sites:
        first = [seen[number].first for number in site.files]
        last = [seen[number].last for number in site.files]
        place = site.place
        place.first = min((time for time in first if time is not None), default=None)
        place.last = max((time for time in last if time is not None), default=None)
        if place.first is not None and place.last is not None:
            place.first, place.last = place.first - place.moved, place.last - place.moved


def remarks(sites: Iterable[Site]) -> list[Problem]:
    """What is to be said of clocks that are not known."""
    from dissector.session.case import general

    return [
        general("clock_unknown", f"The clock of {site.place.name} can not be compared.", site.place.first or 0, ())
        for site in sites
        if site.place.rank and not site.place.is_told and not _is_known(site.place.clock)
    ]


def _is_known(one: Clock | None) -> bool:
    return one is not None and one.is_known
