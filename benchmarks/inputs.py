"""The captures that the figures are taken on, made the same way every time from the recordings in ``captures``.

``mixed``   a busy host: 1,000,000 packets, 740 MB, 5 % of them JobScheduler's
``dense``   nothing but tasks: 1,500,000 packets, 730,000 frames
``growth``  0.1, 1 and 4 GB of the mixed kind

Files stay in ``build/bench`` until something that makes them changes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from heapq import heappop, heappush, heapreplace
from itertools import cycle
from pathlib import Path
from random import Random

from benchmarks import foreign, patterns, segments
from benchmarks.patterns import Keys, Pattern, data_of

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "bench"
MIXED_PACKETS = 1_000_000
#: Of the mixed capture, record headers included.
BYTES_PER_PACKET = 740
DENSE_FRAMES = 730_000
GROWTH_BYTES = (100_000_000, 1_000_000_000, 4_000_000_000)
JOBSCHEDULER_SHARE = 0.05

SECOND = 1_000_000_000
BEGINNING = 1_790_000_000 * SECOND
_MIXED_RATE, _DENSE_RATE = 2_000, 5_000
#: How often each recording is played in a round: many short shell tasks, few long ones.
_ROUND = {
    "engine_shell_ok": 12,
    "engine_order": 4,
    "engine_shell_fail": 6,
    "engine_api_java_ok": 4,
    "engine_ten_tasks": 2,
    "engine_api_java_exception": 2,
    "engine_api_manylog": 2,
    "h19_basic": 2,
    "h19_many": 1,
    "engine_api_sub": 1,
}


@dataclass(frozen=True)
class Made:
    """A capture and what is in it: ``size`` in bytes, ``frames`` of callback connections, ``tasks``."""

    path: str
    packets: int = 0
    size: int = 24
    frames: int = 0
    tasks: int = 0
    jobscheduler: int = 0


@dataclass(slots=True)
class Totals:
    packets: int = 0
    size: int = 24
    frames: int = 0
    tasks: int = 0
    jobscheduler: int = 0

    def count(self, pattern: Pattern) -> None:
        self.packets += len(pattern.steps)
        self.size += pattern.size
        self.frames += pattern.frames
        self.tasks += pattern.tasks
        self.jobscheduler += len(pattern.steps) if pattern.frames else 0


#: A pattern that begins at a time (ns), with the keys of this playing.
Playing = tuple[int, Pattern, Keys]


class Casting:
    """Hands out hosts and ports: some schedulers, forty remotes, and many hosts that have nothing to do with it."""

    def __init__(self, random: Random, schedulers: int = 8, network: int = 0) -> None:
        """More tasks than 4,000 at once need a number of ``schedulers`` that is prime to it, to have ports of their
        own.  ``network`` (0 to 255): the schedulers of each have addresses of their own."""
        self._random = random
        self._network = network
        self._schedulers = schedulers
        self._played = 0
        self._connections = 0

    def dialog(self, pattern: Pattern) -> Keys:
        self._played += 1
        scheduler = bytes((10, 1, self._network, 1 + self._played % self._schedulers))
        remote = bytes((10, 2, 0, 1 + self._played % 40))
        flows: list[bytes] = []
        ports: dict[bytes, bytes] = {}
        for line in pattern.lines:
            self._connections += 1
            own, port = 32_768 + self._connections % 17_000, line.port
            ends = scheduler, remote
            if line.callback:
                ends = remote, scheduler
                port = 59_999 - self._connections % 8_000
                ports[b"%d" % line.port] = b"%d" % port
            flows += _both_ways(*ends, own, port)
        return Keys([*flows, b""], ports, self._played)

    def foreign(self, pattern: Pattern) -> Keys:
        random = self._random
        client = bytes((10, 3, random.randrange(20), random.randrange(1, 250)))
        server = bytes((10, 4, 0, random.randrange(1, 60)))
        flows: list[bytes] = []
        for line in pattern.lines:
            flows += _both_ways(client, server, random.randrange(32_768, 61_000), line.port)
        return Keys([*flows, b""], {}, 0)


def _both_ways(client: bytes, server: bytes, own: int, port: int) -> tuple[bytes, bytes]:
    return (
        client + server + own.to_bytes(2, "big") + port.to_bytes(2, "big"),
        server + client + port.to_bytes(2, "big") + own.to_bytes(2, "big"),
    )


def dense(frames: int = DENSE_FRAMES, folder: Path = FOLDER) -> Made:
    """Genuine dialogs one beside the other, every segment acknowledged at once."""
    return cached(f"dense-{frames}", folder, lambda totals: _dense(totals, frames))


def mixed(packets: int = MIXED_PACKETS, folder: Path = FOLDER) -> Made:
    """Genuine dialogs in the traffic of a busy host."""
    return cached(f"mixed-{packets}", folder, lambda totals: busy(totals, packets))


def _dense(totals: Totals, frames: int) -> Iterator[Playing]:
    casting = Casting(Random(1))
    for pattern in cycle(round_of(quick_acks=True)):
        if totals.frames >= frames:
            return
        yield BEGINNING + totals.packets * SECOND // _DENSE_RATE, pattern, casting.dialog(pattern)
        totals.count(pattern)


def busy(totals: Totals, packets: int) -> Iterator[Playing]:
    random = Random(2)
    casting = Casting(random)
    dialogs = cycle(round_of(quick_acks=False))
    light, heavy = foreign.patterns(random)

    def others() -> Pattern:
        return random.choice(light if totals.size > totals.packets * BYTES_PER_PACKET else heavy)

    yield from filled(totals, packets, casting, dialogs, others)


def filled(
    totals: Totals, packets: int, casting: Casting, dialogs: Iterator[Pattern], others: Callable[[], Pattern]
) -> Iterator[Playing]:
    """Dialogs and other traffic, up to so many packets, of which dialogs have their share."""
    while totals.packets < packets:
        start = BEGINNING + totals.packets * SECOND // _MIXED_RATE
        if totals.jobscheduler <= totals.packets * JOBSCHEDULER_SHARE:
            pattern = next(dialogs)
            yield start, pattern, casting.dialog(pattern)
        else:
            pattern = others()
            yield start, pattern, casting.foreign(pattern)
        totals.count(pattern)


def round_of(quick_acks: bool) -> list[Pattern]:
    """One round of dialogs, short ones first, the same recordings never in a row for long."""
    found = {name: patterns.recorded(ROOT / "captures" / f"{name}.pcap", quick_acks) for name in _ROUND}
    turns = max(_ROUND.values())
    return [found[name] for turn in range(turns) for name, often in _ROUND.items() if often > turn]


# --- writing -------------------------------------------------------------------------------------------------------


Plan = Callable[[Totals], Iterable[Playing]]


def cached(name: str, folder: Path, plan: Plan, sources: Iterable[Path] = ()) -> Made:
    """The capture of this name, made when it is not there or was made by other code (``sources`` too) from other
    recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-{_origin(sources)}"
    note = folder / f"{stem}.json"
    if note.exists():
        return Made(**json.loads(note.read_text(encoding="utf-8")))
    for old in folder.glob(f"{name}-*"):
        old.unlink()
    path = folder / f"{stem}.pcap"
    totals = Totals()
    write(path, timeline(plan(totals)))
    made = Made(str(path), **asdict(totals))
    assert made.size == path.stat().st_size, "the file has the size that its patterns have"
    note.write_text(json.dumps(asdict(made)), encoding="utf-8")
    return made


def _origin(more: Iterable[Path]) -> str:
    """A short digest of all that the inputs depend on."""
    digest = sha256()
    sources = [Path(__file__), *(Path(str(module.__file__)) for module in (patterns, foreign, segments))]
    for path in [*sources, *more, *sorted((ROOT / "captures").glob("*.pcap"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def timeline(playings: Iterable[Playing]) -> Iterator[tuple[int, bytes]]:
    """Time and bytes of all packets in time order; memory depends on what plays at the same time."""
    under_way: list[tuple[int, int, int, Pattern, Keys, int]] = []
    for number, (start, pattern, keys) in enumerate(playings):
        while under_way and under_way[0][0] <= start:
            yield _advance(under_way)
        heappush(under_way, (start + pattern.steps[0].delay, number, 0, pattern, keys, start))
    while under_way:
        yield _advance(under_way)


def _advance(under_way: list[tuple[int, int, int, Pattern, Keys, int]]) -> tuple[int, bytes]:
    time, number, index, pattern, keys, start = under_way[0]
    step = pattern.steps[index]
    index += 1
    if index < len(pattern.steps):
        heapreplace(under_way, (start + pattern.steps[index].delay, number, index, pattern, keys, start))
    else:
        heappop(under_way)
    return time, data_of(step, keys)


def write(path: Path, packets: Iterable[tuple[int, bytes]], link_type: int = 1) -> None:
    header = struct.Struct("<IIII").pack
    with path.open("wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link_type))
        for time, data in packets:
            seconds, rest = divmod(time, SECOND)
            file.write(header(seconds, rest // 1000, len(data), len(data)) + data)
