"""What the comparisons share: the tsharks, the captures, and a comparison that decodes with Python once only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from tshark_kit import TSHARKS as TSHARKS

from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.session.tracer import Tracer
from dissector.sources.capture import CaptureReader
from dissector.verify import python_side
from dissector.verify.compare import compare
from dissector.verify.records import Found, Mismatch, Row, Told
from dissector.verify.tshark import Tshark

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = sorted(path for path in (ROOT / "captures").rglob("*.pcap*") if path.suffix in (".pcap", ".pcapng"))
#: Without those of agents: in one pass the plugin numbers what it does not follow otherwise.
MIXED = [path for path in CAPTURES if path.parent.name != "agent"]
PLUGIN = ROOT / "wireshark" / "jobscheduler.lua"

_OUT_OF_ORDER = "tcp.reassemble_out_of_order:"


class Way(NamedTuple):
    """One way of running a tshark."""

    program: str
    two_pass: bool
    preference: str

    def __str__(self) -> str:
        return f"{self.program}{' -2' if self.two_pass else ''} -o {self.preference}"


WAYS = [
    Way(program, two_pass, _OUT_OF_ORDER + state)
    for program, two_pass, state in product(TSHARKS, (False, True), ("FALSE", "TRUE"))
]
#: Each tshark, and each of the passes and preferences, with half of the runs.
SOME_WAYS = [way for number, way in enumerate(WAYS) if number % 4 in (0, 3)]


def told_by_python(capture: Path) -> list[Told | Row | Found]:
    return list(python_side.read(CaptureReader([capture]), Tracer(COMMAND_PORTS, CALLBACK_PORTS)))


def messages(told: Iterable[object]) -> int:
    return sum(isinstance(one, Told) for one in told)


def disagreements(capture: Path, ways: Iterable[Way], least: int = 1) -> Iterator[str]:
    """What the tsharks say differently, the first ones of each way; at least ``least`` messages must be compared."""
    python = told_by_python(capture)
    for way in ways:
        tshark = Tshark(way.program, PLUGIN, way.two_pass, (way.preference,))
        found = list(compare(python, tshark.read(str(capture)), two_pass=way.two_pass))
        differences = [item for item in found if isinstance(item, Mismatch)]
        compared = messages(found)
        if compared < least:
            yield f"{way}: only {compared} messages were compared"
        for difference in differences[:10]:
            yield f"{way}: {difference}"
