"""The Wireshark plugin under mutated captures: no Lua error and no hang, whatever the packets say.

Genuine dialogs are damaged (payload bytes, lengths, segments dropped, doubled, swapped, cut), many of them are put
into one capture, each between hosts of its own, and tshark reads that capture with the plugin once in every mode.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from time import monotonic
from typing import NamedTuple

from benchmarks.inputs import timeline, write
from benchmarks.patterns import Keys, Pattern, Step, payload_of, recorded

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = ROOT / "wireshark" / "jobscheduler.lua"
_CAPTURES = ROOT / "captures"
_RECORDINGS = (
    "engine_shell_ok",
    "engine_shell_fail",
    "engine_api_java_ok",
    "engine_api_java_errorcalls",
    "engine_kill_agent",
    "engine_order",
    "engine_xml_errors",
    "engine_xml_keepalive_space",
    "h19_basic",
    "h19_errors",
    "h19_nested",
    "h19_variants",
    "scala111_keepalive",
    "scala19_shell",
)
#: Conversations in one capture, and seconds that tshark may take for all of them.
BATCH = 200
TIMEOUT = 120
_ERROR = re.compile(rb"Lua Error|lua_error|\[Lua|\.lua:\d+:|stack traceback", re.IGNORECASE)
#: Ways through a capture: all printed; twice over, Lua errors alone; twice over, a filter before the second time.
_MODES: tuple[tuple[str, ...], ...] = (
    ("-V",),
    ("-2", "-T", "fields", "-e", "_ws.lua.error", "-Y", "_ws.lua.error"),
    ("-q", "-2", "-R", "jobscheduler", "-z", "io,phs"),
)
_INTERESTING = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\x20\x0c", b"\0\0\0\1")
#: A TCP header behind its ports.
_TCP_REST = 16
_START = 1_790_000_000_000_000_000


class Found(NamedTuple):
    """Conversations that tshark read, the time they took, and captures that broke the plugin with what it said."""

    conversations: int
    seconds: float
    findings: dict[Path, str]


def run(folder: Path, seconds: float, seed: int | None = None) -> Found:
    """Batch after batch until the time is over; without ``seed`` other mutations every time."""
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(seed)
    originals = [recorded(_CAPTURES / f"{name}.pcap") for name in _RECORDINGS]
    begin, conversations = monotonic(), 0
    findings: dict[Path, str] = {}
    while not conversations or monotonic() - begin < seconds:
        batch = [mutated(random, random.choice(originals)) for _ in range(BATCH)]
        conversations += len(batch)
        findings.update(_judged(folder, batch))
    return Found(conversations, monotonic() - begin, findings)


def _judged(folder: Path, batch: Sequence[Pattern]) -> dict[Path, str]:
    """Nothing, or the smallest part of the batch that breaks the plugin, as a file."""
    path = folder / "batch.pcap"
    save(path, batch)
    why = complaint(path)
    if why is None:
        return {}
    while len(batch) > 1:
        halves = batch[: len(batch) // 2], batch[len(batch) // 2 :]
        for half in halves:
            save(path, half)
            if said := complaint(path):
                batch, why = half, said
                break
        else:
            break
    save(path, batch)
    kept = folder / f"finding-{monotonic():.0f}.pcap"
    path.rename(kept)
    return {kept: why}


def save(path: Path, patterns: Iterable[Pattern]) -> None:
    """A capture of all patterns, one beside the other."""
    playings = (
        (_START + number * 10_000_000, pattern, _keys(number, pattern)) for number, pattern in enumerate(patterns)
    )
    write(path, timeline(playings))


def _keys(number: int, pattern: Pattern) -> Keys:
    """Hosts of its own for each conversation; ports stay."""
    hosts = bytes((10, 1)) + number.to_bytes(2, "big"), bytes((10, 2)) + number.to_bytes(2, "big")
    flows: list[bytes] = []
    for index, line in enumerate(pattern.lines):
        opener, other = hosts[line.callback], hosts[not line.callback]
        own, port = (40_000 + index).to_bytes(2, "big"), line.port.to_bytes(2, "big")
        flows += [opener + other + own + port, other + opener + port + own]
    return Keys([*flows, b""], {}, 0)


def complaint(path: Path) -> str | None:
    """What the plugin or tshark complained of; None when all was well."""
    for mode in _MODES:
        command = ["tshark", "-r", str(path), "-X", f"lua_script:{PLUGIN}", *mode]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return f"tshark {' '.join(mode)}: no end within {TIMEOUT} s"
        said = done.stderr + done.stdout
        found = _ERROR.search(said)
        if found or done.returncode:
            start = max(found.start() - 200, 0) if found else 0
            text = said[start : start + 1_000].decode("utf-8", "replace")
            return f"tshark {' '.join(mode)} ended with {done.returncode}: {text}"
        if "_ws.lua.error" in mode and done.stdout.strip():
            return f"tshark {' '.join(mode)}: {done.stdout[:1_000].decode('utf-8', 'replace')}"
    return None


# --- mutations -----------------------------------------------------------------------------------------------------


def mutated(random: Random, pattern: Pattern) -> Pattern:
    """The pattern with a few things wrong."""
    steps = list(pattern.steps)
    for _ in range(random.choice((1, 1, 2, 4, 8, 16))):
        random.choice((_flip, _flip, _overwrite, _overwrite, _drop, _double, _swap, _cut, _spliced))(random, steps)
    delays = sorted(step.delay for step in steps)
    steps = [step._replace(delay=delay) for step, delay in zip(steps, delays, strict=True)]
    size = sum(16 + len(step.head) + 12 + len(step.tail) for step in steps)
    return Pattern(pattern.name, steps, pattern.lines, size)


def _speaking(random: Random, steps: Sequence[Step]) -> tuple[int, int] | None:
    """A step with a payload, and where in its tail that begins."""
    places = []
    for index, step in enumerate(steps):
        whole = len(step.tail) >= _TCP_REST
        payload = payload_of(step.head + bytes(12) + step.tail) if whole else b""
        if payload:
            places.append((index, len(step.tail) - len(payload)))
    return random.choice(places) if places else None


def _changed(random: Random, steps: list[Step], piece: bytes) -> None:
    found = _speaking(random, steps)
    if found:
        index, start = found
        tail = steps[index].tail
        at = random.randrange(start, len(tail))
        steps[index] = steps[index]._replace(tail=(tail[:at] + piece + tail[at + len(piece) :])[: len(tail)])


def _flip(random: Random, steps: list[Step]) -> None:
    _changed(random, steps, random.randbytes(1))


def _overwrite(random: Random, steps: list[Step]) -> None:
    _changed(random, steps, random.choice(_INTERESTING))


def _spliced(random: Random, steps: list[Step]) -> None:
    """Bytes of one segment within another."""
    found = _speaking(random, steps)
    if found:
        tail = steps[found[0]].tail[found[1] :]
        at = random.randrange(len(tail))
        _changed(random, steps, tail[at : at + random.randrange(1, 40)])


def _cut(random: Random, steps: list[Step]) -> None:
    """A packet that the snap length cut: its headers still say how long it was."""
    index = random.randrange(len(steps))
    tail = steps[index].tail
    steps[index] = steps[index]._replace(tail=tail[: random.randrange(len(tail) + 1)])


def _drop(random: Random, steps: list[Step]) -> None:
    if len(steps) > 1:
        del steps[random.randrange(len(steps))]


def _double(random: Random, steps: list[Step]) -> None:
    index = random.randrange(len(steps))
    steps.insert(min(index + random.randrange(4), len(steps)), steps[index])


def _swap(random: Random, steps: list[Step]) -> None:
    index = random.randrange(len(steps))
    other = min(index + random.randrange(1, 4), len(steps) - 1)
    steps[index], steps[other] = steps[other], steps[index]


def main() -> None:
    """``python -m fuzz.lua FOLDER SECONDS`` prints what was found as JSON."""
    found = run(Path(sys.argv[1]), float(sys.argv[2]))
    findings = {str(path): why for path, why in found.findings.items()}
    print(json.dumps({**found._asdict(), "findings": findings}))


if __name__ == "__main__":
    main()
