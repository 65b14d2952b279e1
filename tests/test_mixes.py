"""The mixes, writers and forms of the benchmarks are what they claim, and their goals are judged by figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks import conversations, disturb, pairs, patterns, tables
from benchmarks.__main__ import main
from benchmarks.bench import Bench
from benchmarks.forms import FORMS, as_ipv6
from benchmarks.inputs import ROOT
from benchmarks.measure import Contender, Figures, Run
from benchmarks.mixes import HTTPS, MIXES, OPEN_TASKS, PACKETS, WRITERS, made
from benchmarks.report import Report
from benchmarks.rhythm import LOOPBACK, Acks, Rhythm, paced
from benchmarks.sealed import key_log
from benchmarks.segments import ACK, FIN, RST, SYN
from dissector.sources.capture import CaptureReader

Trace = Callable[..., dict[str, Any]]
SIZE = 8_000
SHELL = patterns.recorded(ROOT / "captures" / "engine_shell_ok.pcap")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mixes")


def secrets(name: str, folder: Path) -> list[str]:
    """What a mix or writer is read with."""
    if name != HTTPS:
        return []
    path = folder / "https.keys"
    path.write_text(key_log(SIZE // 10), encoding="ascii")
    return ["--tls-keylog", str(path)]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", [*MIXES, *WRITERS])
def test_tasks_are_found_in_each(name: str, folder: Path, trace: Trace) -> None:
    source = made(name, SIZE, folder)
    document = trace(source.path, *secrets(name, folder))
    (capture,) = document["captures"]
    assert capture["packets"] == source.packets >= SIZE
    if name == "begun before":  # of some too little is left
        assert source.tasks // 2 <= len(document["tasks"]) <= source.tasks
    else:
        assert len(document["tasks"]) == source.tasks
        assert sum(task["counts"]["messages"] for task in document["tasks"]) == source.frames
    assert source.tasks >= 3
    assert (source.jobscheduler == source.packets) is (name in WRITERS)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", [*MIXES, *WRITERS])
def test_without_messages_the_same_is_told(name: str, folder: Path, trace: Trace, jstrace: Callable[..., Any]) -> None:
    path = made(name, SIZE, folder).path
    keys = secrets(name, folder)
    with_messages = trace(path, *keys)
    assert with_messages.pop("messages")
    with_messages.pop("exchanges")
    without = json.loads(jstrace("read", path, "--format", "json", *keys).stdout)
    assert without == with_messages


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", [*MIXES, *WRITERS])
def test_the_same_bytes_every_time(name: str, folder: Path, tmp_path: Path) -> None:
    first, second = made(name, SIZE, folder), made(name, SIZE, tmp_path)
    assert Path(first.path).read_bytes() == Path(second.path).read_bytes()


def test_open_tasks_are_open_at_once(folder: Path, trace: Trace) -> None:
    tasks = trace(made("open tasks", SIZE, folder).path)["tasks"]
    assert len(tasks) == OPEN_TASKS * SIZE // PACKETS
    assert max(task["start"] for task in tasks) < min(task["end"] for task in tasks)


def test_short_connections_have_about_twenty_packets(folder: Path) -> None:
    packets = Counter(
        frozenset((packet.data[26:30] + packet.data[34:36], packet.data[30:34] + packet.data[36:38]))
        for packet in CaptureReader([Path(made("short connections", SIZE, folder).path)])
        if packet.data[26] == 10 and packet.data[27] > 2
    )
    assert len(packets) > 200
    assert 15 < sum(packets.values()) / len(packets) < 25


def test_long_transfers_are_long() -> None:
    from benchmarks import foreign

    for pattern in foreign.long(Random(1)):
        assert 700 < len(pattern.steps) < 8_000


def payloads(pattern: patterns.Pattern) -> dict[int, dict[int, bytes]]:
    """By flow and sequence number."""
    found: dict[int, dict[int, bytes]] = {}
    for step in pattern.steps:
        size = disturb.payload_size(step)
        if size:
            found.setdefault(step.flow, {})[int.from_bytes(step.tail[:4], "big")] = step.tail[-size:]
    return found


def test_losses_are_repeated() -> None:
    lossy = disturb.lossy(SHELL, Random(3), loss=0.3, reordered=0.0)
    assert payloads(lossy) == payloads(SHELL)
    assert [step.delay for step in lossy.steps] == sorted(step.delay for step in lossy.steps)
    counts = Counter((step.flow, step.tail[:4]) for step in lossy.steps if disturb.payload_size(step))
    twice = sum(number > 1 for number in counts.values())
    moved = sum(one.tail != two.tail for one, two in zip(lossy.steps, SHELL.steps, strict=False))
    assert twice > 1, "some were captured before they were lost"
    assert moved > 10
    assert lossy.size == sum(16 + len(step.head) + 12 + len(step.tail) for step in lossy.steps)


def test_nothing_is_acknowledged_while_it_is_missing() -> None:
    for seed in range(20):
        missing: dict[int, int] = {}
        lossy = disturb.lossy(SHELL, Random(seed), loss=0.2, reordered=0.0)
        last = {(step.flow, step.tail[:4]): at for at, step in enumerate(lossy.steps) if disturb.payload_size(step)}
        for at, step in enumerate(lossy.steps):
            if disturb.payload_size(step) and last[step.flow, step.tail[:4]] > at:
                missing[step.flow] = int.from_bytes(step.tail[:4], "big")
            elif disturb.payload_size(step):
                missing.pop(step.flow, None)
            ack = int.from_bytes(step.tail[4:8], "big")
            assert ack <= missing.get(step.flow ^ 1, ack)


def test_segments_overtake_each_other() -> None:
    random = Random(4)
    long = paced(conversations.of_pattern(SHELL), Rhythm(5, Acks.CARRIED), random)
    other = disturb.lossy(long, random, loss=0.0, reordered=0.5)
    assert other.steps != long.steps
    assert payloads(other) == payloads(long)
    assert [step.delay for step in other.steps] == [step.delay for step in long.steps]


def test_late_captures_have_no_handshake() -> None:
    for seed in range(20):
        late = disturb.late(SHELL, Random(seed))
        assert 0 < len(late.steps) < len(SHELL.steps)
        assert late.steps[0].delay == 0
        assert late.steps[-1].tail == SHELL.steps[-1].tail


# --- rhythm --------------------------------------------------------------------------------------------------------


def streams(pattern: patterns.Pattern) -> dict[int, bytes]:
    return {flow: b"".join(parts.values()) for flow, parts in payloads(pattern).items()}


@pytest.mark.parametrize("acks", Acks)
@pytest.mark.parametrize("pieces", [0, 1, 4])
def test_rhythms_say_the_same(acks: Acks, pieces: int) -> None:
    said = conversations.of_pattern(SHELL)
    pattern = paced(said, Rhythm(pieces, acks, mss=536), Random(5))
    assert streams(pattern) == streams(SHELL)
    data = [step for step in pattern.steps if disturb.payload_size(step)]
    alone = [step for step in pattern.steps if not disturb.payload_size(step) and not step.tail[9] & (SYN | FIN | RST)]
    assert max(map(disturb.payload_size, data)) <= 536
    handshakes = len(said.lines)
    if acks is Acks.AT_ONCE:
        assert len(alone) == len(data) + handshakes + 1
    elif acks is Acks.DELAYED:
        assert handshakes + 1 <= len(alone) <= len(data)
    else:
        assert len(alone) == handshakes + 1, "the last one is that of a FIN"
    behind = sum(unacknowledged(pattern))
    assert (behind > 0) is (acks is Acks.LAGGING)


def unacknowledged(pattern: patterns.Pattern) -> list[bool]:
    """For each packet whether it acknowledges less than the other side has sent."""
    sent: dict[int, int] = {}
    found = []
    for step in pattern.steps:
        seq, ack = int.from_bytes(step.tail[:4], "big"), int.from_bytes(step.tail[4:8], "big")
        flags = step.tail[9]
        found.append(bool(flags & ACK) and ack < sent.get(step.flow ^ 1, 0))
        sent[step.flow] = seq + disturb.payload_size(step) + bool(flags & (SYN | FIN))
    return found


def test_messages_are_cut_at_their_headers_or_anywhere() -> None:
    said = conversations.of_pattern(SHELL)
    apart = paced(said, Rhythm(0, Acks.CARRIED), Random(6))
    assert sum(disturb.payload_size(step) == 4 for step in apart.steps) >= said.frames
    sizes = {disturb.payload_size(step) for step in paced(said, Rhythm(5, Acks.CARRIED), Random(6)).steps}
    assert len(sizes) > 20


def test_simulated_peers_say_the_same_every_time() -> None:
    one, two = conversations.simulated(), conversations.simulated()
    assert one == two
    assert [talk.name for talk in one] == list(conversations.SCENARIOS)
    assert all(talk.frames == len(talk.turns) - 4 for talk in one)
    assert paced(one[0], LOOPBACK, Random(1)) == paced(two[0], LOOPBACK, Random(1))


# --- pairs ---------------------------------------------------------------------------------------------------------


@pytest.mark.one_in(2)
@pytest.mark.parametrize("form", pairs.FORMS)
def test_pairs_are_joined(form: str, folder: Path, trace: Trace) -> None:
    """Each task has both places, its connections are those of both, and the clock that is told is right."""
    sides = pairs.made(form, SIZE, folder)
    document = trace(*(side.path for side in sides))
    assert [capture["packets"] for capture in document["captures"]] == [side.packets for side in sides]
    assert all(side.packets >= SIZE * 0.9 for side in sides)
    offset, error = (document["captures"][1][f"clock_{name}"] for name in ("offset", "error"))
    assert abs(offset - 1.5) <= error < 0.02
    tasks = document["tasks"]
    assert len(tasks) == sides[0].tasks == sides[1].tasks
    for task in tasks:
        client, remote = (point["client"]["ip"] for point in task["points"])
        assert (client != remote) is pairs.FORMS[form].translated
    lost = [problem for problem in document["problems"] if problem["code"] == "lost_between_points"]
    assert lost or pairs.FORMS[form].share < 1
    assert sum(side.jobscheduler for side in sides) < sum(side.packets for side in sides) * (
        0.3 if pairs.FORMS[form].share < 1 else 1.1
    )


def test_nothing_arrives_before_it_was_sent_and_nothing_is_answered_before_it_came() -> None:
    for seed in range(5):
        client, remote = pairs.both_sides(SHELL, Random(seed))
        for side in (client, remote):
            assert [step.delay for step in side.steps] == sorted(step.delay for step in side.steps)
        sent = {(step.flow, step.head[18:20], step.tail): step for step in client.steps}
        for step in remote.steps:
            other = sent.get((step.flow, step.head[18:20], step.tail))
            if other is not None:
                assert abs(step.delay - other.delay) >= 10_000_000
                assert (step.delay > other.delay) is (step.head[22] < other.head[22])
        assert len(sent) == len(client.steps)


# --- forms ---------------------------------------------------------------------------------------------------------


def test_forms_tell_the_same(folder: Path, tmp_path: Path, trace: Trace) -> None:
    source = Path(made("busy host", SIZE, folder).path)
    expected = [(task["outcome"], task["counts"], task["start"]) for task in trace(source)["tasks"]]
    for name, make in FORMS.items():
        files = make(source, tmp_path)
        # Patterns are played again with the numbers that they had: places are taken by hand.
        document = trace(*files, *(("--one-stream",) if len(files) > 1 else ()))
        found = [(task["outcome"], task["counts"], task["start"]) for task in document["tasks"]]
        assert found == expected, name
        assert len(files) == (3 if name == "three files" else 1)
        hosts = {task["client"]["ip"] for task in document["tasks"]}
        assert all((":" in host) is (name == "ipv6") for host in hosts)
        tunnels = {via for connection in document["connections"] for via in connection["via"]}
        assert tunnels == ({"vxlan 42"} if name == "vxlan" else set())


@pytest.mark.dear
def test_three_files_split_a_tasks_connections(folder: Path, tmp_path: Path, trace: Trace) -> None:
    source = Path(made("recordings", SIZE, folder).path)
    paths = FORMS["three files"](source, tmp_path)
    counts = [len(trace(path)["connections"]) for path in paths]
    assert all(counts)
    assert sum(counts) == len(trace(source)["connections"])


def test_what_is_not_ipv4_stays() -> None:
    arp = b"\x02" * 12 + b"\x08\x06" + bytes(28)
    assert as_ipv6(arp) == arp


# --- sections ------------------------------------------------------------------------------------------------------


@pytest.mark.dear
def test_the_section_of_mixes_runs(folder: Path) -> None:
    out = folder / "mixes.md"
    arguments = ["mixes", "--only", "short connections", "simulate", "--packets", "1000", "--repeat", "1"]
    assert main([*arguments, "--folder", str(folder), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert "- short connections: tshark -r / task table: **" in text
    assert "(at least 4)" in text
    assert "- simulate: tshark -r / task table: **" in text
    assert "(at least 1.8)" in text
    assert "long transfers" not in text


def test_the_section_of_pairs_runs(folder: Path) -> None:
    out = folder / "pairs.md"
    arguments = ["pairs", "--only", "translated", "--packets", "3000", "--repeat", "1"]
    assert main([*arguments, "--folder", str(folder), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert "- translated: CPU of both sides / of each alone: **" in text
    assert "(at most 1.3)" in text
    assert "routed" not in text


@pytest.mark.dear
def test_the_section_of_forms_runs(folder: Path) -> None:
    out = folder / "forms.md"
    arguments = ["formats", "--only", "tasks", "pcap", "three files", "read", "slice", "--packets", "3000"]
    assert main([*arguments, "--repeat", "1", "--folder", str(folder), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    rows = {tuple(cell.strip() for cell in line.split("|")[1:3]) for line in text.splitlines() if line[:2] == "| "}
    assert {("pcap", "tshark -r"), ("pcap", "read"), ("pcap", "slice"), ("three files", "read")} <= rows
    assert ("three files", "slice") not in rows
    assert "- tasks, pcap: tshark -r / read: **" in text
    assert "- tasks, slice / read, worst as pcap: **" in text
    assert not [path for path in folder.iterdir() if path.is_dir() and path.name != "home"], "forms do not stay"


def judged(kind: str, seconds: dict[tuple[str, str], float]) -> dict[str, str]:
    """Met or missed by the text of each goal, of commands that took so long."""
    figures = {key: Figures(Contender(" ".join(key), ()), [Run(one, one, 1, None)]) for key, one in seconds.items()}
    report = Report("test", judge=True)
    tables._judge(Bench(report, 1, 1, Path()), kind, figures)
    lines = [line[2:] for line in report.text.splitlines() if line.startswith("- ")]
    return {line.partition(": **")[0]: line.rpartition(": ")[2].rstrip(")") for line in lines}


@pytest.mark.parametrize(
    ("kind", "form", "most"),
    [("mixed", "pcap", 2.0), ("mixed", "vlan", 2.0), ("mixed", "vxlan", 2.5), ("tasks", "vxlan", 10 / 1.8)],
)
def test_reading_is_judged_beside_tshark(kind: str, form: str, most: float) -> None:
    goal = f"{kind}, {form}: tshark -r / read"
    for seconds, verdict in ((most * 0.999, "met"), (most * 1.001, "MISSED")):
        assert judged(kind, {(form, "tshark -r"): 10.0, (form, "read"): seconds})[goal] == verdict


@pytest.mark.parametrize(("form", "most"), [("pcapng", 1.2), ("gz", 1.2), ("vxlan", 1.5)])
def test_forms_are_judged_beside_pcap(form: str, most: float) -> None:
    for seconds, verdict in ((most * 0.999, "met"), (most * 1.001, "MISSED")):
        times = {(one, name): 1.0 for one in ("pcap", form) for name in ("tshark -r", "read", "lines")}
        assert (
            judged("mixed", times | {(form, "lines"): seconds})[f"mixed, {form}: CPU / pcap's, worst in lines"]
            == verdict
        )


@pytest.mark.parametrize("command", ["ports", "slice", "diff"])
def test_commands_are_judged_beside_read(command: str) -> None:
    for seconds, verdict in ((1.299, "met"), (1.301, "MISSED")):
        times = {(form, name): 1.0 for form in ("pcap", "vlan") for name in ("tshark -r", "read", command)}
        found = judged("mixed", times | {("vlan", command): seconds})
        assert found[f"mixed, {command} / read, worst as vlan"] == verdict
