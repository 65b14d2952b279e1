"""Genuine recordings as several queues of a network card, or several interfaces in one file, hand them over.

Packets of callback connections stand up to 5 ms out of order, by their times or in the file.  What is told may not
change, but for packet numbers and times.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import pcap

from dissector.ports import COMMAND_PORTS
from dissector.sources.capture import CaptureReader
from dissector.stream.packets import parse
from dissector.traffic import ENDS, Packet, Segment

Json = dict[str, Any]
Records = list[tuple[int, bytes]]
CAPTURES = Path(__file__).resolve().parent.parent / "captures"
JITTER = 5_000_000
#: Too large to be read some times more.  HTTP is taken in the order of the capture (see ``stream.reorder``).
NAMES = sorted(
    path.name
    for path in CAPTURES.glob("*.pcap")
    if 1_000 < path.stat().st_size < 150_000 and "http_tunnel" not in path.name
)
#: Keys of what follows from the times and places of packets.
VARYING = {"packets", "first_packet", "time", "latency", "start", "end", "duration", "callback_delay", "n"}
_TIMES = re.compile(r"\(?packets? [\d, -]+(and \d+)?|\d+(\.\d+)?( ?(ms|s|min|h))?\b")


def delayed(packets: list[Packet], dice: random.Random) -> list[int]:
    """When packets are handed over: those of callbacks up to 5 ms late, but before their connection ends."""
    segments = [parse(packet) for packet in packets]
    ends: dict[frozenset[tuple[bytes, int]], int] = {}
    found: list[int] = []
    for packet, segment in reversed(list(zip(packets, segments, strict=True))):
        time = packet.time
        if isinstance(segment, Segment) and not {segment.sport, segment.dport} & {*COMMAND_PORTS}:
            pair = frozenset(((segment.src, segment.sport), (segment.dst, segment.dport)))
            if segment.flags & ENDS:
                ends[pair] = time
            else:
                time = min(time + dice.randint(0, JITTER), ends.get(pair, 1 << 62))
        found.append(time)
    return found[::-1]


def later(packets: list[Packet], dice: random.Random) -> Records:
    """The packets with these times, and by them."""
    times = delayed(packets, dice)
    return sorted(((time, packet.data) for time, packet in zip(times, packets, strict=True)), key=lambda one: one[0])


def displaced(packets: list[Packet], dice: random.Random) -> Records:
    """The order of these times, but the times of the recording."""
    times = delayed(packets, dice)
    return [(packets[place].time, packets[place].data) for place in sorted(range(len(times)), key=times.__getitem__)]


def story(document: Json) -> Json:
    """What a document tells, with connections in the place of numbers."""
    ends = {one["n"]: str((one["client"], one["server"], one["start"][:17])) for one in document["connections"]}
    tasks: dict[int | None, str] = {}
    for one in document["connections"]:
        tasks[one["task"]] = tasks.get(one["task"], "") + str((one["client"], one["server"]))
    places: dict[int, str] = {}
    for message in document["messages"]:
        place = sum(name.startswith(ends[message["connection"]]) for name in places.values())
        places[message["n"]] = f"{ends[message['connection']]} {place}"
    numbers = {"task": tasks, "connection": ends, "answers": places, "answered_by": places}

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: plain(inner, name) for name, inner in value.items() if name not in VARYING}
        if isinstance(value, list):
            found = [plain(inner) for inner in value]
            return sorted(found, key=str) if key == "problems" else found
        if key in numbers:
            return numbers[key].get(value)
        return _TIMES.sub("#", value) if key in ("summary", "cause", "remedy") else value

    told = {
        "messages": {places[message["n"]]: plain(message) for message in document["messages"]},
        **{name: sorted((plain(one) for one in document[name]), key=str) for name in ("tasks", "connections")},
    }
    # How long the network and the schedulers took is what the times say.
    problems = [
        {**one, "summary": "" if one["code"] == "slow_call" else one["summary"]} for one in document["problems"]
    ]
    told["problems"] = sorted((plain(one) for one in problems if one["code"] != "slow_network"), key=str)
    for task in told["tasks"]:
        task["problems"] = [code for code in task["problems"] if code != "slow_network"]
    return told


def written(path: Path, content: Records, link_type: int) -> Path:
    path.write_bytes(pcap(content, nano=True, link_type=link_type))
    return path


@pytest.mark.one_in(5)
@pytest.mark.parametrize("disturb", [later, displaced])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_changes(
    name: str,
    seed: int,
    disturb: Callable[[list[Packet], random.Random], Records],
    trace: Callable[..., Json],
    tmp_path: Path,
) -> None:
    packets = list(CaptureReader([CAPTURES / name]))
    disturbed = disturb(packets, random.Random(f"{name}{seed}"))
    link_type = packets[0].link_type
    recorded = written(tmp_path / "recorded.pcap", [(packet.time, packet.data) for packet in packets], link_type)
    assert story(trace(written(tmp_path / "disturbed.pcap", disturbed, link_type))) == story(trace(recorded))


#: Told by the order of several connections alone: whether the kill came before the end, and whose a callback is where
#: several starts announce one port.
UNKNOWABLE = {"engine_kill_task.pcap", "engine_xml_errors.pcap"}


def outcomes(document: Json) -> list[tuple[object, ...]]:
    """What is told of tasks, but for how long things took."""
    found = [
        (
            task["job"] or "",
            task["outcome"],
            task["exit_code"] is None or task["exit_code"],
            task["counts"]["messages"],
            task["counts"]["log_lines"],
            sorted(code for code in task["problems"] if not code.startswith("slow")),
        )
        for task in document["tasks"]
    ]
    return sorted(found)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("by_time", [True, False])
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("engine") and name not in UNKNOWABLE])
def test_no_packet_is_safe(name: str, by_time: bool, trace: Callable[..., Json], tmp_path: Path) -> None:
    """Beginnings, ends and refusals too, and the order of command connections and their callbacks."""
    packets, dice = list(CaptureReader([CAPTURES / name])), random.Random(name)
    times = [packet.time + dice.randint(0, JITTER) for packet in packets]
    order = sorted(range(len(times)), key=times.__getitem__)
    content = [(times[place] if by_time else packets[place].time, packets[place].data) for place in order]
    recorded = written(tmp_path / "recorded.pcap", [(one.time, one.data) for one in packets], packets[0].link_type)
    disturbed = written(tmp_path / "disturbed.pcap", content, packets[0].link_type)
    assert outcomes(trace(disturbed)) == outcomes(trace(recorded))
