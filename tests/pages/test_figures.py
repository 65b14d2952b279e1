"""Figures that pages give are those of ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")


def row(section: str, name: str) -> list[str]:
    """The cells of a row, the name first."""
    part = re.search(rf"^## {section}.*?(?=^## |\Z)", RESULTS, re.MULTILINE | re.DOTALL)
    assert part is not None
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part[0].splitlines()]
    (found,) = (cells for cells in rows if cells[0] == name)
    return found


def ratio(words: str) -> float:
    """Of a line below the tables."""
    found = re.search(rf"^- {re.escape(words)}: \*\*([\d.]+)\*\*", RESULTS, re.MULTILINE)
    assert found is not None
    return float(found[1])


def seconds(section: str, name: str) -> float:
    return float(row(section, name)[1])


MIXED, DENSE = "Mixed", "Dense"
PLUGIN = "tshark with the plugin"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (r"takes ([\d.]+) s where `tshark -r`", seconds(MIXED, "jstrace read")),
        (r"where `tshark -r` takes ([\d.]+) s", seconds(MIXED, r"tshark (a line a packet)")),
        (r"and (\d+) MB; of 1.56 million", float(row(MIXED, "jstrace read")[7])),
        (r"nothing but tasks ([\d.]+) s", seconds(DENSE, "jstrace read")),
        (r"where tshark takes ([\d.]+) s", seconds(DENSE, r"tshark (a line a packet)")),
        (r"and ([\d.]+) s with the plugin", seconds(DENSE, PLUGIN)),
        (r"as JSON Lines take ([\d.]+) s", seconds(DENSE, "jstrace read --format jsonl --messages")),
        (r"`tshark -T ek` (\d+) s", seconds(DENSE, f"{PLUGIN}, -T ek")),
        (r"4 GB take (\d+) MB", float(row("Growth", "4 GB")[7])),
        (r"1 GB takes (\d+) MB", float(row("Growth", "1 GB")[7])),
    ],
)
def test_the_readme(words: str, value: float) -> None:
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    found = re.search(words, text)
    assert found is not None
    places = len(found[1].partition(".")[2])
    assert found[1] == f"{value:.{places}f}"


@pytest.mark.parametrize(
    ("page", "figure", "cell"),
    [
        ("0001-own-capture-readers", "273 times", f"{float(row(MIXED, 'scapy PcapReader, TCPSession')[6]):.0f} times"),
        ("0003-generated-decoder", "927,282", row("Decode", "generated decoder")[1]),
        ("0003-generated-decoder", "25,808", row("Decode", "construct's interpreter")[1]),
        ("0005-plugin-reads-headers", "2.29 times", f"{ratio('tshark with the plugin / without')} times"),
    ],
)
def test_decisions(page: str, figure: str, cell: str) -> None:
    assert figure == cell
    assert figure in (ROOT / "docs" / "decisions" / f"{page}.md").read_text(encoding="utf-8")
