"""A first look at several capture files: which of them were taken at one place, which at others, and their clocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

from dissector.errors import UsageError
from dissector.looks import Sighted, looked_farther, related, remarks_on, sources_of
from dissector.model import Endpoint, Problem, address_text
from dissector.points.clocks import Clock, grain_of
from dissector.points.place import CapturePoint, Ends
from dissector.points.places import Common, Relation, clock, common, grouped, is_ahead
from dissector.points.sightings import Sightings, ends_of
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.sources.capture import Interfaces, Only

#: Clocks that tick so rarely (ns) are coarse.
_COARSE = 1_000_000


@dataclass
class Site:
    """A place with the files (by their places in the list) that were taken there."""

    place: CapturePoint
    files: list[int] = field(default_factory=list)
    #: For each of them the interfaces that are of this place, None: all.
    interfaces: list[Only] = field(default_factory=list)


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
    on_remark: Callable[[Problem], object] | None = None,
) -> list[Site]:
    """The places in the order of their files; empty where the files are to be read as one stream.  ``on_remark`` gets
    what is to be said of files that are no places.

    :raises UsageError: a name or a clock is given for something that is not there
    """
    wanted = wanted or Wanted()
    if not all(Path(file).is_file() for file in files):
        return []
    sources = list(sources_of(files))
    if len(sources) < 2:
        return []
    names = [wanted.names.get(files[source.file]) for source in sources]
    pairs = list(combinations(range(len(sources)), 2))
    apart = {pair for pair in pairs if None not in (these := [names[n] for n in pair]) and these[0] != these[1]}
    shared: dict[tuple[int, int], Common] = {}
    relations: dict[tuple[int, int], Relation] = {}

    def compare(some: Iterable[tuple[int, int]]) -> None:
        for a, b in some:
            shared[a, b] = common(sources[a].seen, sources[b].seen, is_named=(a, b) in apart)
            relations[a, b] = related(sources[a], sources[b], shared[a, b])

    compare(pairs)
    compare(looked_farther(sources, relations))
    if on_remark is not None:
        for remark in remarks_on(sources, relations, shared):
            on_remark(remark)
    for one, two in pairs:
        if names[one] is not None and names[two] is not None and sources[one].file != sources[two].file:
            relations[one, two] = Relation.APART if (one, two) in apart else Relation.SAME
    groups = grouped([source.seen for source in sources], relations, [source.name for source in sources])
    if len(groups) < 2:
        return []
    tell = _from_client(frozenset(command_ports), callback_ports)
    sites = _sites(groups, sources, names)
    between = _between(groups, shared)
    _rank(sites, between, tell)
    _set_clocks(sites, between)
    _set_told(sites, wanted)
    _set_ends(sites, between)
    _set_spans(sites, [[sources[number].seen for number in group] for group in groups])
    return sites


def _from_client(command_ports: frozenset[int], callback_ports: tuple[int, int]) -> Callable[[bytes], bool | None]:
    """Tells by the ports of a packet's key whether a client scheduler sent it; None where they do not say."""
    low, high = callback_ports

    def tell(key: bytes) -> bool | None:
        source, target = int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big")
        if target in command_ports or source in command_ports:
            return target in command_ports
        if low <= target <= high or low <= source <= high:
            return not low <= target <= high
        return None

    return tell


def _sites(groups: list[list[int]], sources: Sequence[Sighted], names: Sequence[str | None]) -> list[Site]:
    sites: list[Site] = []
    for group in groups:
        name = next((names[number] for number in group if names[number] is not None), None)
        first = sources[group[0]]
        name = first.name if name is None or first.interfaces is not None else name
        if any(site.place.name == name for site in sites):
            name = f"{name} ({len(sites) + 1})"
        files = list(dict.fromkeys(sources[number].file for number in group))
        only = [_union(sources[number].interfaces for number in group if sources[number].file == one) for one in files]
        sites.append(Site(CapturePoint(name), files, only))
    _complete(sites)
    return sites


def _union(parts: Iterable[Only]) -> Only:
    found = list(parts)
    some = [part for part in found if part is not None]
    if len(some) < len(found):
        return None
    return replace(some[0], numbers=frozenset().union(*(part.numbers for part in some)))


def _complete(sites: list[Site]) -> None:
    """Interfaces of which nothing was seen so far belong to the first place of their file."""
    known: dict[int, list[tuple[Site, int, Interfaces]]] = {}
    for site in sites:
        for at, (file, part) in enumerate(zip(site.files, site.interfaces, strict=True)):
            if part is not None:
                known.setdefault(file, []).append((site, at, part))
    for (site, at, part), *others in known.values():
        numbers = frozenset[int]().union(*(other.numbers for _, _, other in others))
        site.interfaces[at] = replace(part, numbers=numbers, but=True)


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


def _rank(
    sites: list[Site], between: dict[tuple[int, int], Common], from_client: Callable[[bytes], bool | None]
) -> None:
    """The places in their order on the path; those of which it is not known by name."""
    ahead = [0] * len(sites)
    for (one, _), shared in between.items():
        ahead[one] += is_ahead(shared, from_client) is True
        sites[one].place.by_content |= shared.by_content and bool(shared.packets)
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


def _set_ends(sites: list[Site], between: dict[tuple[int, int], Common]) -> None:
    """Which connection is which behind an address translation."""
    order = sorted(range(len(sites)), key=lambda number: sites[number].place.rank)
    for one, two in combinations(order, 2):
        first, second, shared = sites[one].place.ends, sites[two].place.ends, between[one, two]
        if shared.by_content:
            continue
        for here, there in {(a.key, b.key) for a, b, _ in shared.packets if a.key != b.key}:
            ends = _ends(here)
            second.setdefault(_ends(there), first.get(ends, ends))


def _ends(key: bytes) -> Ends:
    return frozenset(Endpoint(address_text(ip), int.from_bytes(port, "big")) for ip, port in ends_of(key))


def _set_told(sites: list[Site], wanted: Wanted) -> None:
    for name, offset in wanted.offsets.items():
        place = next((site.place for site in sites if site.place.name == name), None)
        if place is None:
            raise UsageError(f"there is no place of capture {name!r}: {', '.join(site.place.name for site in sites)}")
        place.moved, place.is_told = offset, True


def _set_spans(sites: list[Site], seen: list[list[Sightings]]) -> None:
    for site, parts in zip(sites, seen, strict=True):
        first, last = [part.first for part in parts], [part.last for part in parts]
        place = site.place
        place.first = min((time for time in first if time is not None), default=None)
        place.last = max((time for time in last if time is not None), default=None)
        grain = grain_of([one.time for part in parts for one in part.seen.values()])
        place.grain = grain if grain >= _COARSE else 0
        if place.first is not None and place.last is not None:
            place.first, place.last = place.first - place.moved, place.last - place.moved


def remarks(sites: Iterable[Site]) -> list[Problem]:
    """What is to be said of clocks that are not known."""
    from dissector.session.case import problem

    return [
        problem("clock_unknown", f"The clock of {site.place.name} can not be compared.", (), time=site.place.first or 0)
        for site in sites
        if site.place.rank and not site.place.is_told and not _is_known(site.place.clock)
    ]


def _is_known(one: Clock | None) -> bool:
    return one is not None and one.is_known
