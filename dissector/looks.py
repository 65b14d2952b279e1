"""A first look at capture files: what is in them, and what each is to each other one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from dissector.limits import MAX_FAR_LOOK, MAX_LOOK
from dissector.model import Problem
from dissector.points.place import place_name
from dissector.points.places import Common, Relation, common, relation
from dissector.points.sightings import Sightings, ends_of
from dissector.session.case import problem
from dissector.sources.capture import Only, first_blocks, interfaces_of

#: Interfaces of a file that are compared with each other.
_MOST_INTERFACES = 8
#: Two sources by their places in the list.
Pair = tuple[int, int]


class Sighted(NamedTuple):
    """A file (by its place in the list), or some interfaces of it."""

    file: int
    path: str
    name: str
    seen: Sightings
    interfaces: Only = None


def sources_of(files: Sequence[str]) -> Iterator[Sighted]:
    """The files; of one whose interfaces see the same packets each of these."""
    for number, file in enumerate(files):
        found = interfaces_of(file, MAX_LOOK)
        parts = [
            Sighted(number, file, f"{place_name(file)}:{name}", seen, interface)
            for name, interface in (found if 1 < len(found) <= _MOST_INTERFACES else ())
            if (seen := _look(file, interface)).seen
        ]
        if any(related(one, two, common(one.seen, two.seen)) is Relation.APART for one, two in combinations(parts, 2)):
            yield from parts
        elif len(files) > 1:
            yield Sighted(number, file, place_name(file), _look(file))


def related(one: Sighted, two: Sighted, shared: Common) -> Relation:
    """Where the kernel has a packet at several of its interfaces without routing it (a bridge, a bond), that is one
    place; of several hosts an interface of each may be in a file that programs have put together."""
    is_one_host = one.file == two.file and one.interfaces is not None and one.interfaces.by_kernel
    return relation(one.seen, two.seen, shared, is_one_host=is_one_host)


def looked_farther(sources: list[Sighted], relations: Mapping[Pair, Relation]) -> list[Pair]:
    """Of captures of different hosts without a packet in common more is looked at: one may have begun long before the
    other.  Files of one ring have senders in common.  The pairs that have to be compared again."""
    strange = _strangers(sources, relations)
    more = {number for pair in strange for number in pair if sources[number].seen.bytes >= MAX_LOOK}
    for number in more:
        source = sources[number]
        sources[number] = source._replace(seen=_look(source.path, source.interfaces, MAX_FAR_LOOK))
    return [pair for pair in strange if more.intersection(pair)]


def _strangers(sources: Sequence[Sighted], relations: Mapping[Pair, Relation]) -> list[Pair]:
    """Pairs of files with TCP without a packet or a sender in common."""
    return [
        (a, b)
        for (a, b), kind in relations.items()
        if kind is Relation.NONE
        and sources[a].file != sources[b].file
        and sources[a].seen.seen
        and sources[b].seen.seen
        and not sources[a].seen.senders & sources[b].seen.senders
    ]


def remarks_on(
    sources: Sequence[Sighted],
    relations: Mapping[Pair, Relation],
    shared: Mapping[Pair, Common],
) -> Iterator[Problem]:
    """What files are to each other that are of no two places."""
    same = [
        (a, b)
        for (a, b), kind in relations.items()
        if kind is Relation.SAME
        and sources[a].file != sources[b].file
        and 2 * len(shared[a, b].packets) >= min(len(sources[n].seen.seen) for n in (a, b))
    ]
    # One direction in each file is no stranger.
    strange = [
        (a, b)
        for a, b in _strangers(sources, relations)
        if _connections(sources[a].seen).isdisjoint(_connections(sources[b].seen))
    ]
    words = "are of one place: most of the packets of one are in the other too"
    for code, pairs, verb in (
        ("same_packets", same, words),
        ("nothing_in_common", strange, "have no packet in common"),
    ):
        if pairs:
            first = [sources[number] for number in pairs[0]]
            more = f" ({len(pairs)} such pairs of files)" if len(pairs) > 1 else ""
            summary = f"{' and '.join(place.path for place in first)} {verb}{more}."
            yield problem(code, summary, (), time=min(place.seen.first or 0 for place in first))


def _connections(seen: Sightings) -> set[frozenset[tuple[bytes, bytes]]]:
    """The two ends of each, address and port."""
    return {frozenset(ends_of(key)) for key in {sighting.key for sighting in seen.seen.values()}}


def _look(file: str, interfaces: Only = None, size: int | None = None) -> Sightings:
    found = Sightings()
    for block in first_blocks(file, MAX_LOOK if size is None else size, interfaces):
        found.add(block)
    return found
