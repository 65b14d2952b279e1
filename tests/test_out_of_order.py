"""Genuine recordings as several queues of a network card, or several interfaces in one file, hand them over.

Packets stand up to 5 ms out of order, by their times or in the file.  What is told may not change, but for packet
numbers and times.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import pcap

from dissector.sources.capture import CaptureReader

Json = dict[str, Any]
Records = list[tuple[int, bytes]]
CAPTURES = Path(__file__).resolve().parent.parent / "captures"
JITTER = 5_000_000
#: Too large to be read three times more, or (of the corpus) without anything that another one does not have.
NAMES = sorted(
    path.relative_to(CAPTURES).as_posix()
    for pattern in ("*.pcap", "faults/*.pcap", "field/*.pcap", "corpus/*_reset*.pcapng", "corpus/*icmp*.pcapng")
    for path in CAPTURES.glob(pattern)
    if 1_000 < path.stat().st_size < 150_000
)
#: What only the order of packets tells: which leg of a gateway is the first one, which of two resets that a device sent
#: in one moment, and which of several segments was the first one and which was cut anew.
UNKNOWABLE = {
    "field/nat_gateway_log_doubled.pcap",
    "corpus/both_cut_reset.c.pcapng",
    "corpus/both_cut_reset.r.pcapng",
    "corpus/command_cut_reset_remote.r.pcapng",
    "corpus/mtu_icmp.c.pcapng",
    "field/snap128_failure_as_success.pcap",
}
#: Keys of what follows from the times and places of packets.
VARYING = {"packets", "time", "latency", "start", "end", "duration", "callback_delay", "n"}
_TIMES = re.compile(r"\(?packets? [\d, -]+(and \d+)?|\d+(\.\d+)?( ?(ms|s|min|h))?\b")


def later(records: Records, dice: random.Random) -> Records:
    """Times that are up to 5 ms late, and the packets by their times."""
    return sorted(late(records, dice), key=lambda record: record[0])


def late(records: Records, dice: random.Random) -> Records:
    """The same in the order of the recording."""
    return [(time + dice.randint(0, JITTER), data) for time, data in records]


def displaced(records: Records, dice: random.Random) -> Records:
    """The order of such times, but the times of the recording."""
    places = sorted(range(len(records)), key=lambda place: records[place][0] + dice.randint(0, JITTER))
    return [records[place] for place in places]


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


#: Each of them with a seed of its own, and what an engine wrote with some more.
SEEDS = [(name, seed) for name in NAMES for seed in (0, 1, 4)[: 1 if "/" in name else 3]]


@pytest.mark.parametrize("disturb", [later, late, displaced])
@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_nothing_changes(
    name: str,
    seed: int,
    disturb: Callable[[Records, random.Random], Records],
    trace: Callable[..., Json],
    tmp_path: Path,
) -> None:
    packets = list(CaptureReader([CAPTURES / name]))
    records, link_type = [(packet.time, packet.data) for packet in packets], packets[0].link_type
    disturbed = disturb(records, random.Random(f"{name}{seed or ''}"))
    expected = trace(written(tmp_path / "recorded.pcap", records, link_type))
    found = trace(written(tmp_path / "disturbed.pcap", disturbed, link_type))
    outcomes = [sorted(task["outcome"] for task in document["tasks"]) for document in (expected, found)]
    if name in UNKNOWABLE:
        assert len(found["tasks"]) >= len(expected["tasks"])
        assert set(outcomes[1]) <= {*outcomes[0], "unknown"}
    else:
        assert story(found) == story(expected)


@pytest.mark.parametrize("step", [1_000, 200_000])
@pytest.mark.parametrize("name", [name for name in NAMES if "/" not in name and name != "engine_xml_errors.pcap"])
def test_what_takes_less_than_the_window_is_told_as_well(
    name: str, step: int, trace: Callable[..., Json], tmp_path: Path
) -> None:
    """Packets that come one right behind the other: nothing of them waits, so that connections keep their order."""
    packets = list(CaptureReader([CAPTURES / name]))
    begin = packets[0].time
    quick = [(begin + at * step, packet.data) for at, packet in enumerate(packets)]
    found = trace(written(tmp_path / "quick.pcap", quick, packets[0].link_type))
    expected = trace(CAPTURES / name)
    told = [[(task["job"], task["outcome"], task["counts"]) for task in one["tasks"]] for one in (expected, found)]
    assert told[0] == told[1]
