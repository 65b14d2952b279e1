"""The fast ways beside the reference: the same records to the last byte, whatever the capture.

The reference parses each packet by itself and makes each message.  The fast ways are all that a reader may do instead:
blocks with their conversations and runs, the fast path, skimming, a second process, files merged by the block.  The
captures are the recordings and made tasks with everything that a dialog may have; damaged, re-wrapped, cut into files
and read by pieces of any size.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from io import StringIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import packets_of
from stories import STORIES

from benchmarks.encapsulations import ENCAPSULATIONS
from benchmarks.mixes import HTTPS, made
from benchmarks.sealed import key_log
from dissector.model import CaptureInfo, Connection, Event, Exchange, Message, Role
from dissector.render.json import JsonLinesView
from dissector.render.records import Records
from dissector.session import advance
from dissector.session.run_detection import runs_finder
from dissector.session.streaks import RunOfExchanges
from dissector.session.tracer import Tracer
from dissector.session.tunnel import Tunnel
from dissector.sources import blocks, bytestream, capture
from dissector.sources.capture import CaptureReader
from dissector.stream.block import Run
from dissector.stream.fast_path import advance_by_run
from dissector.traffic import Packet
from dissector.wire.masking import Mask
from dissector.wire.tls_keys import Secrets

ROOT = Path(__file__).resolve().parents[2] / "captures"
CAPTURES = sorted(path for folder in (".", "faults", "agent") for path in (ROOT / folder).glob("*.pcap"))
SMALL = {path.stem: path for path in CAPTURES if path.stat().st_size < 100_000}
MANY_LINES = ROOT / "engine_api_manylog.pcap"
ETHERNET, SECOND = 1, 1_000_000_000

#: Whether messages are wanted, and of which callback connections they are made by somebody else.
Wanted = tuple[bool, "Callable[[Connection], bool] | None"]
WANTED: dict[str, Wanted] = {
    "none": (False, None),
    "all": (True, None),
    "half": (True, lambda connection: connection.n % 4 == 2),
}
#: Time, captured bytes, length on the wire.
Raw = tuple[int, bytes, int]


def printed(events: Iterable[Event], infos: Iterable[CaptureInfo], wanted: Wanted) -> str:
    out, (messages, made_by_others) = StringIO(), wanted
    view = JsonLinesView(out, Records(Mask()), messages)
    for event in events:
        if isinstance(event, Exchange) and not messages:
            continue
        if not isinstance(event, Message):
            view.add(event)
        elif messages and (not event.n or (made_by_others is not None and _is_made(event, made_by_others))):
            out.write("a message of somebody else\n")
        elif messages:
            view.add(event)
    view.close(list(infos))
    return out.getvalue()


def _is_made(event: Message, made_by_others: Callable[[Connection], bool]) -> bool:
    return event.connection.role is Role.CALLBACK and made_by_others(event.connection)


def secrets_of(log: bytes) -> Secrets:
    found = Secrets()
    found.add_log(log)
    return found


def reference(paths: Sequence[Path], wanted: Wanted, keys: bytes = b"") -> str:
    reader, tracer = CaptureReader(paths), Tracer(secrets=secrets_of(keys))

    def events() -> Iterator[Event]:
        for packet in reader:
            yield from tracer.feed(packet._replace(key=None))
        yield from tracer.finish()

    return printed(events(), reader.infos, wanted)


def fast(paths: Sequence[Path], wanted: Wanted, keys: bytes = b"", *, processes: int = 1) -> str:
    secrets = secrets_of(keys)
    reader, tracer = CaptureReader(paths), Tracer(messages=wanted[0], made_by_others=wanted[1], secrets=secrets)
    blocks = reader.blocks(runs_finder(secrets), prefetch=processes > 1)
    events = advance.events_of(tracer, blocks)
    return printed(events, reader.infos, wanted)


@contextmanager
def pieces(size: int) -> Iterator[None]:
    """So many bytes are read at once, also by a second process, which is worth its while for any file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytestream, "_BLOCK", size)
        patch.setattr(blocks, "BLOCK", size)
        patch.setattr(capture, "WORTH", 0)
        yield


def write(path: Path, packets: Iterable[Raw], link_type: int = ETHERNET) -> Path:
    header = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, link_type)
    records = (struct.pack("<IIII", *divmod(time, SECOND), len(data), length) + data for time, data, length in packets)
    path.write_bytes(header + b"".join(records))
    return path


# --- the recordings as they are --------------------------------------------------------------------------------------


@pytest.mark.one_in(5)
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_recordings(path: Path) -> None:
    with pieces(random.Random(path.stem).choice((3_000, 40_000, 1 << 20))):
        keys = path.with_suffix(".keys")
        for known in {b"", keys.read_bytes() if keys.exists() else b""}:
            for wanted in WANTED.values():
                assert fast([path], wanted, known) == reference([path], wanted, known)


# --- anything --------------------------------------------------------------------------------------------------------


#: Many tasks at once, of the benchmarks; all of TLS can be deciphered.
AGENTS, KEYS = ("agents", HTTPS), key_log(200).encode()
_MANY = 700


@cache
def packets(name: str) -> tuple[Raw, ...]:
    if name in AGENTS:
        with TemporaryDirectory() as folder:
            made_here = CaptureReader([made(name, _MANY, Path(folder)).path])
            return tuple((packet.time, packet.data, packet.wire_length) for packet in made_here)
    if name in STORIES:
        told: Iterable[Packet] = packets_of(sorted(STORIES[name]().records, key=lambda record: record.time))
    elif name == "ten at once":
        return tuple(ten_copies(packets(MANY_LINES.stem)[:300]))
    else:
        told = CaptureReader([SMALL.get(name, MANY_LINES)])
    return tuple((packet.time, packet.data, packet.wire_length) for packet in told)


def ten_copies(one: Sequence[Raw], later: int = 0) -> list[Raw]:
    """A conversation between ten pairs of hosts at once, packet by packet by turns, each begun so many packets
    ``later`` than the one before; nobody looks at checksums."""

    def copy(data: bytes, number: int) -> bytes:
        ends = bytes(byte ^ number for byte in data[26:34])
        # Equal numbers would be those of one connection on two legs of a gateway.
        seq, ack = ((one + (number << 24)) & 0xFFFF_FFFF for one in struct.unpack_from(">II", data, 38))
        return data[:26] + ends + data[34:38] + struct.pack(">II", seq, ack) + data[46:]

    turns = sorted((at + later * number, number, at) for at in range(len(one)) for number in range(10))
    return [(SECOND + turn * 1_000_000, copy(one[at][1], number), one[at][2]) for turn, number, at in turns]


Damage = Callable[[list[Raw], random.Random], list[Raw]]


def lose(some: list[Raw], dice: random.Random) -> list[Raw]:
    kept = [packet for packet in some if dice.random() > 0.03]
    return [copy for packet in kept for copy in [packet] * (2 if dice.random() < 0.03 else 1)]


def shuffle(some: list[Raw], dice: random.Random) -> list[Raw]:
    """Some packets a few places later; often the beginning is missing."""
    places = [(at + (dice.uniform(0, 4) if dice.random() < 0.2 else 0), at) for at in range(len(some))]
    return [some[at] for _, at in sorted(places)][dice.choice((0, 0, 5, 20)) :]


def corrupt(some: list[Raw], dice: random.Random) -> list[Raw]:
    result = []
    for time, data, length in some:
        changed = bytearray(data)
        if dice.random() < 0.04:
            changed[dice.randrange(len(data))] = dice.choice((0, 1, 0x41, 0xFF, dice.randrange(256)))
        result.append((time, bytes(changed), length))
    return result


def snap(some: list[Raw], dice: random.Random) -> list[Raw]:
    size, share = dice.choice((60, 80, 200)), dice.choice((0.05, 1))
    return [(time, data[:size] if dice.random() < share else data, length) for time, data, length in some]


def unsteady(some: list[Raw], dice: random.Random) -> list[Raw]:
    """A clock that steps back, or one of whole seconds, or long silences."""
    kind, late, result = dice.randrange(3), 0, []
    for time, data, length in some:
        late += 61 * SECOND if kind == 2 and dice.random() < 0.02 else 0
        step = dice.choice((0, 0, 0, 0, 0, 0, 5_000_000, 50_000_000)) if kind == 0 else 0
        result.append((time // SECOND * SECOND if kind == 1 else time + late - step, data, length))
    return result


def tag(some: list[Raw], dice: random.Random) -> list[Raw]:
    """A tag on one packet of ten, or on those of one direction."""
    way = dice.choice((None, *(data[26:30] for _, data, _ in some[:2])))
    return [
        (time, data[:12] + b"\x81\0\0\1" + data[12:], length + 4)
        if (dice.random() < 0.1 if way is None else data[26:30] == way)
        else (time, data, length)
        for time, data, length in some
    ]


DAMAGES: tuple[Damage, ...] = (lose, shuffle, corrupt, snap, unsteady, tag)


def in_files(some: list[Raw], dice: random.Random, folder: Path, link_type: int) -> list[Path]:
    """All in one, a ring, or packets by turns."""
    number, by_turns = dice.choice((1, 1, 2, 3)), dice.random() < 0.5
    if by_turns:
        where = [dice.randrange(number) for _ in some]
        parts = [[packet for packet, file in zip(some, where, strict=True) if file == at] for at in range(number)]
    else:
        borders = [0, *sorted(dice.randrange(len(some) + 1) for _ in range(number - 1)), len(some)]
        parts = [some[begin:end] for begin, end in pairwise(borders)]
    paths = [write(folder / f"{at}.pcap", part, link_type) for at, part in enumerate(parts)]
    return paths[::-1] if dice.random() < 0.3 else paths


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from([*SMALL, *STORIES, *STORIES, "ten at once", *AGENTS * 8]),
    damages=st.lists(st.sampled_from(DAMAGES), max_size=2, unique=True),
    around=st.sampled_from(["Ethernet"] * 3 + sorted(ENCAPSULATIONS)),
    size=st.sampled_from([700, 3_000, 20_000, 1 << 20]),
    processes=st.sampled_from([1, 1, 1, 2]),
    seed=st.integers(0, 1 << 32),
)
def test_anything(name: str, damages: list[Damage], around: str, size: int, processes: int, seed: int) -> None:
    dice, some, link_type = random.Random(seed), list(packets(name)), ETHERNET
    for damage in damages:
        some = damage(some, dice)
    if around != "Ethernet":
        link_type, wrap, _ = ENCAPSULATIONS[around]
        some = [(time, wrapped, max(len(wrapped), length)) for time, data, length in some for wrapped in [wrap(data)]]
    with TemporaryDirectory() as folder, pieces(size):
        paths = in_files(some, dice, Path(folder), link_type)
        keys = KEYS if name == HTTPS else b""
        for wanted in WANTED.values():
            assert fast(paths, wanted, keys, processes=processes) == reference(paths, wanted, keys)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("size", [3_000, 20_000, 1 << 20])
@pytest.mark.parametrize("name", AGENTS)
def test_many_tasks_on_agents(name: str, size: int, tmp_path: Path) -> None:
    path, keys = write(tmp_path / "x.pcap", packets(name)), KEYS if name == HTTPS else b""
    with pieces(size):
        for wanted in WANTED.values():
            assert fast([path], wanted, keys) == reference([path], wanted, keys)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.pcap", packets(name))
    for wanted in WANTED.values():
        assert fast([path], wanted) == reference([path], wanted)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("most", [4, 12, 30])
def test_connections_that_are_given_up_under_way(most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There are twenty and room for fewer."""
    for module in ("session.advance", "session.tracer", "stream.flows"):
        monkeypatch.setattr(f"dissector.{module}.MAX_CONNECTIONS", most)
    path = write(tmp_path / "x.pcap", ten_copies(packets(MANY_LINES.stem)[:100], later=50))
    for wanted in WANTED.values():
        assert fast([path], wanted) == reference([path], wanted)


# --- the fast ways are taken -----------------------------------------------------------------------------------------


class Counted:
    """Runs that are taken, and packets that are not in any."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: list[Run] = []
        self.packets: list[Packet] = []
        by_run, one = advance_by_run, Tracer.take_packet

        def counted_run(entry: object, run: Run, number: int) -> tuple[int, int]:
            self.runs.append(run)
            return by_run(entry, run, number)  # type: ignore[arg-type]

        def counted_packet(tracer: Tracer, packet: Packet) -> None:
            self.packets.append(packet)
            one(tracer, packet)

        monkeypatch.setattr(advance, "advance_by_run", counted_run)
        monkeypatch.setattr(Tracer, "take_packet", counted_packet)

    @property
    def in_runs(self) -> int:
        return sum(run.stop - run.first for run in self.runs)


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("around", ["Ethernet", "VXLAN", "Linux cooked v2"])
def test_most_packets_of_a_dialog_are_in_runs(
    around: str, wanted: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else the tests above would compare the reference with itself."""
    counted = Counted(monkeypatch)
    link_type, wrap, _ = ENCAPSULATIONS[around] if around != "Ethernet" else (ETHERNET, lambda data: data, ())
    some = [(time, wrap(data), len(wrap(data))) for time, data, _ in packets(MANY_LINES.stem)]
    fast([write(tmp_path / "x.pcap", some, link_type)], WANTED[wanted])
    assert counted.in_runs > 5 * len(counted.packets)
    assert any(len(item) > 5 for run in counted.runs for item in run.items), "requests with their answers, many at once"


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("name", ["ua113_api_java", "ua113_two_tasks"])
def test_most_packets_to_an_agent_are_in_runs(name: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    fast([SMALL[name]], WANTED[wanted])
    assert counted.in_runs > 2 * len(counted.packets)
    assert all(run.heard for run in counted.runs)


@pytest.mark.parametrize("name", AGENTS)
def test_most_messages_to_agents_are_handled_together(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In streaks, of which some are looked at before they end."""
    together: list[int] = []
    alone: list[int] = []
    looks: list[RunOfExchanges] = []
    feed, one, look = RunOfExchanges._feed_all, RunOfExchanges._one, RunOfExchanges.look

    def counted_feed(run: RunOfExchanges, tunnel: Tunnel, end: int) -> None:
        together.append(end - run._at)
        feed(run, tunnel, end)

    def counted_one(run: RunOfExchanges, at: int) -> None:
        alone.append(at)
        one(run, at)

    def counted_look(run: RunOfExchanges) -> None:
        looks.append(run)
        look(run)

    monkeypatch.setattr(RunOfExchanges, "_feed_all", counted_feed)
    monkeypatch.setattr(RunOfExchanges, "_one", counted_one)
    monkeypatch.setattr(RunOfExchanges, "look", counted_look)
    keys = KEYS if name == HTTPS else b""
    fast([write(tmp_path / "x.pcap", packets(name))], WANTED["none"], keys)
    assert sum(together) > 2 * len(alone)
    assert looks
