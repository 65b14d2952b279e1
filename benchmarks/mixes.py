"""Mixes of traffic, and tasks of several writers: what decides how fast a capture is read.

``MIXES``    what other traffic a host has, one in twenty packets a task's (of open tasks: one in four)
``WRITERS``  nothing but tasks, by who wrote the packets

All are made from the recordings, the simulated peers and seeded chance: the same bytes every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random

from benchmarks import agents, conversations, disturb, foreign, inputs, rhythm, sealed, segments
from benchmarks.inputs import BEGINNING, SECOND, Casting, Made, Playing, Totals, filled, round_of
from benchmarks.patterns import Pattern

PACKETS = 400_000
#: Tasks that are open at once in a mix of ``PACKETS``, and how many packets that mix has for each of those.
OPEN_TASKS, _OPEN_FACTOR = 5_000, 2.5
_BURSTS = 8
HTTPS = "agents over HTTPS"

Source = Callable[[Totals, int], Iterator[Playing]]


def made(name: str, packets: int, folder: Path) -> Made:
    """The capture of a mix or writer with about so many packets."""
    sources = [Path(str(module.__file__)) for module in (agents, conversations, disturb, rhythm, sealed, segments)]
    sources += sorted(agents.ROOT.glob("ua*.pcap"))
    sources += [Path(__file__), *sorted((inputs.ROOT / "dissector" / "simulate").glob("*.py"))]
    source = (MIXES | WRITERS)[name]
    stem = f"{name.replace(' ', '-')}-{packets}"
    return inputs.cached(stem, folder, lambda totals: source(totals, packets), sources)


# --- mixes ---------------------------------------------------------------------------------------------------------


def _long(totals: Totals, packets: int) -> Iterator[Playing]:
    random = Random(11)
    choose = partial(random.choice, foreign.long(random))
    yield from filled(totals, packets, Casting(random), _dialogs(), choose)


def _short(totals: Totals, packets: int) -> Iterator[Playing]:
    random = Random(12)
    choose = partial(random.choice, foreign.short(random))
    yield from filled(totals, packets, Casting(random), _dialogs(), choose)


def _begun(totals: Totals, packets: int) -> Iterator[Playing]:
    """Every other connection was there before the capture, and every other task."""
    random = Random(13)
    light, heavy = foreign.patterns(random)
    whole = [pattern for pattern in light + heavy if len(pattern.steps) > 20]
    dialogs = (disturb.late(one, random) if n % 2 else one for n, one in enumerate(_dialogs()))
    yield from filled(totals, packets, Casting(random), dialogs, lambda: disturb.late(random.choice(whole), random))


def _lossy(totals: Totals, packets: int) -> Iterator[Playing]:
    random = Random(14)
    light, heavy = foreign.patterns(random)
    dialogs = (disturb.lossy(one, random) for one in _dialogs())
    choose = partial(random.choice, light + heavy)
    yield from filled(totals, packets, Casting(random), dialogs, lambda: disturb.lossy(choose(), random))


def _open(totals: Totals, packets: int) -> Iterator[Playing]:
    """Tasks that begin in the first fifth and end in the last one, among other traffic."""
    random, wanted = Random(15), round(packets * _OPEN_FACTOR)
    tasks = round(OPEN_TASKS * packets / PACKETS)
    light, heavy = foreign.patterns(random)
    seconds = max(60, wanted // 2_000)
    short = [one for one in round_of(quick_acks=False) if len(one.steps) < 60]
    slow = [disturb.spread(one, seconds * 4 // 5, _BURSTS) for one in short]
    casting, others = Casting(random, schedulers=7), Casting(random)
    begins = [seconds * SECOND // 5 * number // tasks for number in range(tasks)]
    step = seconds * SECOND // wanted
    left = wanted - sum(len(slow[number % len(slow)].steps) for number in range(tasks))
    now, number = 0, 0
    while totals.packets < wanted:
        while number < tasks and begins[number] <= now:
            dialog = slow[number % len(slow)]
            yield BEGINNING + begins[number], dialog, casting.dialog(dialog)
            totals.count(dialog)
            number += 1
        pattern = random.choice(light + heavy)
        yield BEGINNING + now, pattern, others.foreign(pattern)
        totals.count(pattern)
        now += len(pattern.steps) * step * wanted // max(left, 1)


# --- writers -------------------------------------------------------------------------------------------------------


def _recorded(totals: Totals, packets: int) -> Iterator[Playing]:
    """The recordings, every segment acknowledged at once."""
    yield from _played(totals, packets, cycle(round_of(quick_acks=True)))


def _simulated(totals: Totals, packets: int) -> Iterator[Playing]:
    """What ``jstrace simulate`` says on loopback."""
    random, said = Random(21), cycle(conversations.simulated())
    yield from _played(totals, packets, (rhythm.paced(one, rhythm.LOOPBACK, random) for one in said))


def _any_rhythm(totals: Totals, packets: int) -> Iterator[Playing]:
    """The same conversations and those of the recordings, each task with a rhythm of its own."""
    random = Random(22)
    recorded = {one.name: conversations.of_pattern(one) for one in round_of(quick_acks=False)}
    short = [one for one in recorded.values() if one.frames < 500]
    said = cycle([*conversations.simulated(), *short])
    yield from _played(totals, packets, (rhythm.paced(one, rhythm.any_rhythm(random), random) for one in said))


def _agents(totals: Totals, packets: int, *, https: bool = False) -> Iterator[Playing]:
    """Tasks on Universal Agents: exchanges over HTTP."""
    for pattern, keys in agents.Masters(Random(23), https=https).plays():
        if totals.packets >= packets:
            return
        yield BEGINNING + totals.packets * SECOND // agents.DENSE_RATE, pattern, keys
        totals.count(pattern)


def _played(totals: Totals, packets: int, dialogs: Iterator[Pattern]) -> Iterator[Playing]:
    casting = Casting(Random(20))
    while totals.packets < packets:
        pattern = next(dialogs)
        yield BEGINNING + totals.packets * SECOND // agents.DENSE_RATE, pattern, casting.dialog(pattern)
        totals.count(pattern)


def _dialogs() -> Iterator[Pattern]:
    return cycle(round_of(quick_acks=False))


MIXES: dict[str, Source] = {
    "busy host": inputs.busy,
    "long transfers": _long,
    "short connections": _short,
    "begun before": _begun,
    "loss and reordering": _lossy,
    "open tasks": _open,
}
WRITERS: dict[str, Source] = {
    "recordings": _recorded,
    "simulate": _simulated,
    "random rhythm": _any_rhythm,
    "agents": _agents,
    HTTPS: partial(_agents, https=True),
}
