"""The short cuts for common packets and messages change nothing but the time that reading takes.

Each capture is read twice: with every packet parsed and every message made, and with all short cuts.  What is printed
has to be the same to the last byte, on genuine captures and on damaged ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from dissector.stream.sift import Sift

from dissector.model import CaptureInfo, Message
from dissector.render.json import JsonLinesView
from dissector.render.records import Records
from dissector.session import glance as glance_module
from dissector.session import tracer as tracer_module
from dissector.session.order import Event
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.stream.link import ETHERNET
from dissector.traffic import Packet
from dissector.wire.masking import Mask

ROOT = Path(__file__).resolve().parent.parent / "captures"
CAPTURES = sorted([*ROOT.glob("*.pcap"), *ROOT.glob("faults/*.pcap")])
SMALL = [path for path in CAPTURES if path.stat().st_size < 200_000]
SEEDS = (1, 2)

Raw = tuple[int, bytes, int]


def printed(events: Iterable[Event], infos: Iterable[CaptureInfo], messages: bool) -> str:
    out = StringIO()
    view = JsonLinesView(out, Records(Mask()), messages)
    for event in events:
        if messages or not isinstance(event, Message):
            view.add(event)
    view.close(list(infos))
    return out.getvalue()


def traced(tracer: Tracer, packets: Iterable[Packet]) -> Iterator[Event]:
    for packet in packets:
        yield from tracer.feed(packet)
    yield from tracer.finish()


def long_way(path: Path, messages: bool) -> str:
    reader = CaptureReader([path])
    return printed(traced(Tracer(), reader), reader.infos, messages)


def short_way(path: Path, messages: bool) -> str:
    reader, tracer = CaptureReader([path]), Tracer(messages=messages)
    return printed(traced(tracer, reader.relevant(tracer.watch)), reader.infos, messages)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_genuine_captures(path: Path) -> None:
    assert short_way(path, messages=True) == long_way(path, messages=True)
    assert short_way(path, messages=False) == long_way(path, messages=False)


# --- damage --------------------------------------------------------------------------------------------------------


def raw_packets(path: Path) -> list[Raw]:
    return [(packet.time, packet.data, packet.wire_length) for packet in CaptureReader([path])]


def lose(packets: list[Raw], dice: random.Random) -> list[Raw]:
    kept = [packet for packet in packets if dice.random() > 0.03]
    return [copy for packet in kept for copy in [packet] * (2 if dice.random() < 0.03 else 1)]


def shuffle(packets: list[Raw], dice: random.Random) -> list[Raw]:
    """Some packets a few places later; often the beginning is missing."""
    places = [(at + (dice.uniform(0, 4) if dice.random() < 0.2 else 0), at) for at in range(len(packets))]
    return [packets[at] for _, at in sorted(places)][dice.choice((0, 0, 5, 20)) :]


def corrupt(packets: list[Raw], dice: random.Random) -> list[Raw]:
    result = []
    for time, data, length in packets:
        changed = bytearray(data)
        if dice.random() < 0.04:
            changed[dice.randrange(12, len(data))] = dice.choice((0, 1, 0x41, 0xFF, dice.randrange(256)))
        result.append((time, bytes(changed), length))
    return result


def cut(packets: list[Raw], dice: random.Random) -> list[Raw]:
    """Some packets as a snap length leaves them, some with a VLAN tag, some with a clock that steps."""
    snap, tag = dice.choice((60, 80, 200)), b"\x81\0\0\1"
    result = []
    for time, data, length in packets:
        kept = data[:snap] if dice.random() < 0.05 else data
        kept = kept[:12] + tag + kept[12:] if dice.random() < 0.1 else kept
        result.append((time - dice.choice((0, 0, 0, 0, 0, 0, 5_000_000, 50_000_000)), kept, length))
    return result


@pytest.mark.parametrize("damage", [lose, shuffle, corrupt, cut])
@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_captures(damage: Any, seed: int) -> None:
    for path in SMALL:
        packets = damage(raw_packets(path), random.Random(f"{seed} {path.stem}"))
        for messages in (True, False):
            assert over(packets, messages, short=True) == over(packets, messages, short=False), path.stem


def over(raw: list[Raw], messages: bool, *, short: bool) -> str:
    info = CaptureInfo("damaged")
    tracer = Tracer(messages=messages or not short)
    sift = Sift(info, tracer.watch if short else None)
    records = [(time, ETHERNET, data, length) for time, data, length in raw]
    return printed(traced(tracer, sift.feed(records)), [info], messages)


# --- the short cuts are taken --------------------------------------------------------------------------------------


def test_most_packets_and_messages_take_the_short_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests above would compare one way with itself."""
    taken: dict[str, list[bool]] = {"express": [], "glance": []}
    express, take = tracer_module.express, glance_module.Glance.take

    def counted_express(*arguments: Any) -> Any:
        taken["express"].append((brought := express(*arguments)) is not False)
        return brought

    def counted_take(*arguments: Any) -> bool:
        taken["glance"].append(took := take(*arguments))
        return took

    monkeypatch.setattr(tracer_module, "express", counted_express)
    monkeypatch.setattr(glance_module.Glance, "take", counted_take)
    short_way(ROOT / "engine_api_manylog.pcap", messages=False)
    for answers in taken.values():
        assert len(answers) > 100
        assert sum(answers) > 0.8 * len(answers)
