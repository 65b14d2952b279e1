"""Which captures are of the same place, and which are of several places that the same connections pass.

Two captures of one place (overlapping files of a ring, the same capture twice) have the same packets with the same
headers at the same times; they are one stream.  At another place a packet has another time, and behind a router another
TTL and another link header.  What has no packet in common may be parts of one capture (files of a ring, a filter for
each) or have nothing to do with each other; that makes no difference, and stays one stream as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import combinations
from typing import NamedTuple

from dissector.points.clocks import Clock, Pair, estimate
from dissector.points.sightings import Print, Sighting, Sightings, address_size, is_drawn, is_weak
from dissector.traffic import ACK, SYN

#: Packets in common that are no accident where addresses or ports differ.
_ENOUGH = 2
#: How many of all they have to be where two tries of one look alike.
_SOME = 0.3
#: Payloads in common that are no accident, how many of all they have to be, and how much (ns) their times may differ.
_ENOUGH_SAID, _NEARLY_ALL, _SAME_PACE = 6, 0.8, 2_000_000_000
#: Times of one packet captured twice at one place differ by so much at most (ns).
_SAME_TIME = 1_000_000


class Relation(Enum):
    NONE = "none"
    #: The same place, or one capture twice.
    SAME = "same"
    #: Other places on one path.
    APART = "apart"


class Common(NamedTuple):
    """What two captures have in common: packets as each of them has seen it, and whether they say when it came by;
    ``by_content``: a proxy is between them, and only what was said is the same."""

    packets: list[tuple[Sighting, Sighting, bool]]
    by_content: bool = False


def common(one: Sightings, two: Sightings, *, is_named: bool = False) -> Common:
    """The packets that both have seen; ``is_named``: the user says that they are of two places."""
    found: list[tuple[Sighting, Sighting, bool]] = []
    small, large = sorted((one.seen, two.seen), key=len)
    # Traffic that a tool plays again, with other addresses, has the same numbers too, but not at the same pace.
    changed, shared = list[int](), list[Print]()
    for known in small:
        if known not in large:
            continue
        here, there = one.seen[known], two.seen[known]
        if here.key != there.key:
            if not _may_be_translated(known, here, there):
                continue
            changed.append(there.time - here.time)
        shared.append(known)
        found.append((here, there, known not in one.twice and known not in two.twice))
    is_translated = len(changed) >= _ENOUGH and max(changed) - min(changed) <= _SAME_PACE
    if (len(found) > len(changed) or is_translated) and _is_enough(one, two, shared):
        return Common(found)
    said = [(a, b, True) for text, a in one.said.items() if a and (b := two.said.get(text))]
    return Common(said if is_named or _is_handed_on(one, two, said) else [], by_content=True)


def _is_enough(one: Sightings, two: Sightings, shared: list[Print]) -> bool:
    """Without IP ids a packet and its retransmission are alike: the end of one file of a ring and the beginning of the
    next may have both, but most of the packets only captures of two places have."""
    if not all(map(is_weak, shared)):
        return True
    least = min(sum(map(is_weak, place.seen)) for place in (one, two))
    return len(shared) >= max(_ENOUGH, least * _SOME)


def _is_handed_on(one: Sightings, two: Sightings, said: list[tuple[Sighting, Sighting, bool]]) -> bool:
    """Nearly all that is said at one place is said at the other, each after the same time: tasks of one job say much
    that is alike, but not all of it, and not at the same pace."""
    least = min(sum(1 for one in place.said.values() if one) for place in (one, two))
    if len(said) < _ENOUGH_SAID or len(said) < least * _NEARLY_ALL:
        return False
    differences = [there.time - here.time for here, there, _ in said]
    return max(differences) - min(differences) <= _SAME_PACE


def _may_be_translated(known: Print, here: Sighting, there: Sighting) -> bool:
    """A translation leaves an address or a port as it was, and systems draw sequence numbers."""
    if len(here.key) != len(there.key) or not is_drawn(known):
        return False
    half = address_size(here.key)
    return any(
        here.key[part] == there.key[part]
        for part in (slice(half), slice(half, 2 * half), slice(-4, -2), slice(-2, None))
    )


def relation(one: Sightings, two: Sightings, shared: Common, *, is_one_host: bool = False) -> Relation:
    """What two captures are to each other; ``is_one_host``: two interfaces of one system, which is one place unless it
    routes between them."""
    if not shared.packets:
        return Relation.NONE
    if shared.by_content:
        return Relation.APART
    timed = [(a, b) for a, b, is_timed in shared.packets if is_timed] or [(a, b) for a, b, _ in shared.packets]
    if is_one_host:
        is_routed = any((a.ttl, a.key) != (b.ttl, b.key) for a, b in timed)
        return Relation.APART if is_routed else Relation.SAME
    if any((a.ttl, a.link, a.key) != (b.ttl, b.link, b.key) for a, b in timed):
        return Relation.APART
    if any(abs(b.time - a.time) > _SAME_TIME for a, b in timed):
        return Relation.APART
    return Relation.APART if _is_missed(one, two) or _is_missed(two, one) else Relation.SAME


def _is_missed(one: Sightings, two: Sightings) -> bool:
    """A packet of a connection that both have seen is in the first one only, though the second one was taken then: it
    was lost between them."""
    if not (one.is_whole and two.is_whole) or two.first is None or two.last is None:
        return False
    keys = {sighting.key for sighting in two.seen.values()}
    return any(
        known not in two.seen and sighting.key in keys and two.first <= sighting.time <= two.last
        for known, sighting in one.seen.items()
    )


def pairs(shared: Common) -> list[Pair]:
    """The packets of two captures for the clocks, each with its direction.

    The TTL tells it.  Where no router is between the places, the two ends of a connection send in opposite directions:
    which is which shows by the times, as no packet arrives before it was sent.
    """
    timed = [(a, b) for a, b, is_timed in shared.packets if is_timed]
    if not shared.by_content and any(a.ttl != b.ttl for a, b in timed):
        return [Pair(a.time, b.time - a.time, a.ttl > b.ttl) for a, b in timed if a.ttl != b.ttl]
    sides = _sides([a.key for a, _ in timed])
    tries = [
        [Pair(a.time, b.time - a.time, sides[_source(a.key)] is forward) for a, b in timed] for forward in (True, False)
    ]
    return max(tries, key=_room)


def _source(key: bytes) -> bytes:
    return key[: address_size(key)]


def _sides(keys: Sequence[bytes]) -> dict[bytes, bool]:
    """Hosts by the side of the path on which they are: the two of a connection are on different ones."""
    sides: dict[bytes, bool] = {}
    for key in sorted(keys):
        half = address_size(key)
        source, target = key[:half], key[half : 2 * half]
        side = sides.get(source, not sides.get(target, False))
        sides.setdefault(source, side)
        sides.setdefault(target, not side)
    return sides


def _room(tries: Sequence[Pair]) -> int:
    """Nanoseconds that are left for the delays of both directions; negative where the directions are wrong."""
    forward = [pair.difference for pair in tries if pair.forward]
    backward = [pair.difference for pair in tries if not pair.forward]
    return min(forward) - max(backward) if forward and backward else 0


def clock(shared: Common) -> Clock:
    """The second one's clock against the first one's."""
    return estimate(pairs(shared))


def is_ahead(shared: Common, from_client: Callable[[bytes], bool | None]) -> bool | None:
    """True when the first place is nearer to the client schedulers than the second one; None where nothing tells.
    ``from_client`` tells of a packet's key whether a client scheduler sent it, or a remote (None: not known)."""
    votes = 0
    for (here, _, _), forward in zip(shared.packets, _directions(shared), strict=True):
        tells = shared.by_content or here.flags & (SYN | ACK) == SYN
        by_client = from_client(here.key) if tells else None
        if by_client is not None and forward is not None:
            votes += 1 if forward is by_client else -1
    return None if not votes else votes > 0


def _directions(shared: Common) -> Iterator[bool | None]:
    """Of each packet whether it goes from the first place to the second one."""
    if not shared.by_content and any(a.ttl != b.ttl for a, b, _ in shared.packets):
        for a, b, _ in shared.packets:
            yield None if a.ttl == b.ttl else a.ttl > b.ttl
        return
    sides = _sides([a.key for a, _, _ in shared.packets])
    known = pairs(shared)
    timed = [a for a, _, is_timed in shared.packets if is_timed]
    right = next((pair.forward is sides[_source(a.key)] for pair, a in zip(known, timed, strict=True)), True)
    for a, _, _ in shared.packets:
        yield sides[_source(a.key)] is right


def grouped(
    sources: Sequence[Sightings], relations: dict[tuple[int, int], Relation], names: Sequence[str]
) -> list[list[int]]:
    """The sources by place, each place once; a single place where no two of them are apart."""
    everything = [list(range(len(sources)))]
    if Relation.APART not in relations.values():
        return everything
    groups = [{number} for number in range(len(sources))]
    # First what is one place for certain, then what looks like it; files of a ring have like names.
    wanted = [pair for pair, kind in relations.items() if kind is Relation.SAME]
    alike = [
        pair
        for pair in combinations(range(len(sources)), 2)
        if relations.get(pair, Relation.NONE) is Relation.NONE and sources[pair[0]].senders & sources[pair[1]].senders
    ]
    wanted += sorted(alike, key=lambda pair: _stem(names[pair[0]]) != _stem(names[pair[1]]))
    for a, b in wanted:
        first, second = (next(group for group in groups if number in group) for number in (a, b))
        if first is second or any(
            relations.get((min(x, y), max(x, y))) is Relation.APART for x in first for y in second
        ):
            continue
        first |= second
        groups.remove(second)
    return sorted(map(sorted, groups)) if len(groups) > 1 else everything


def _stem(name: str) -> str:
    return "".join(letter for letter in name if not letter.isdigit())


__all__ = ["Common", "Relation", "clock", "common", "grouped", "is_ahead", "pairs", "relation"]
