"""Every place that names a page, or a section of one, names one that is there: docstrings, comments and the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: Where sources name pages.
SOURCES = ("dissector", "jstrace", "tests", "benchmarks", "fuzz", "mutation", "handbook")
PAGES = (
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob(".github/**/*.md"),
    ROOT / "captures" / "README.md",
    ROOT / "wireshark" / "README.md",
)

_NAMED = re.compile(r"docs/[\w/-]+\.md(?:#[\w-]+)?")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.MULTILINE)
#: A source or a folder of sources, as pages write it: `dissector/wire/grammar.py`, `tests/verify/`.
_FILE = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|lua|json|toml)|(?:dissector|tests|captures|sources|stream)/[\w/]*)`")
#: A recording by its name, without its ending.
_RECORDING = re.compile(r"`((?:faults/|field/|(?:engine|h19|scala\d+)_)\w+)`")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchor(heading: str) -> str:
    """What GitHub calls a heading."""
    return re.sub(r"[^\w -]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    """Where links may lead: what Python-Markdown, which makes one of separators that meet, calls the same."""
    headings = _HEADING.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))
    return frozenset(one for one in map(anchor, headings) if "--" not in one)


def named() -> Iterator[tuple[Path, str]]:
    """Files and the pages that they name."""
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*")):
            if path.suffix in (".py", ".lua") and path != Path(__file__):
                for reference in _NAMED.findall(path.read_text(encoding="utf-8")):
                    yield path, reference


def missing(reference: str, folder: Path = ROOT, page: Path | None = None) -> str | None:
    """What of ``FILE#ANCHOR`` is not there; an anchor alone is one of ``page``."""
    name, _, section = reference.partition("#")
    target = (folder / name).resolve() if name else page
    if target is None or not target.exists():
        return f"{reference}: no such file"
    if section and section not in anchors(target):
        return f"{reference}: no such section"
    return None


def test_pages_that_sources_name() -> None:
    found = list(named())
    assert len({path for path, _ in found}) > 15
    assert [f"{path.relative_to(ROOT)}: {wrong}" for path, name in found if (wrong := missing(name))] == []


def test_a_page_or_section_that_is_not_there_is_noticed() -> None:
    assert missing("docs/protocol.md") is missing("docs/protocol.md#framing") is None
    assert missing("docs/protocol.txt")
    assert missing("docs/protocol.md#framin")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_pages(page: Path) -> None:
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    local = [link for link in _LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    assert [wrong for link in local if (wrong := missing(link, page.parent, page))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_pages_name(page: Path) -> None:
    """From the root, from the package, from where the page lies, or beside the file named before."""
    if page.name in ("texts.md", "CHANGELOG.md"):
        pytest.skip("of its time")
    if page == ROOT / "wireshark" / "README.md":
        pytest.skip("names files of Wireshark")
    beside, lost = ROOT, []
    for name in _FILE.findall(page.read_text(encoding="utf-8")):
        places = (ROOT / name, ROOT / "dissector" / name, page.parent / name, beside / name)
        found = next((place for place in places if place.exists()), None)
        if found is None:
            lost.append(name)
        else:
            beside = found if found.is_dir() else found.parent
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_recordings_that_pages_name(page: Path) -> None:
    names = set(_RECORDING.findall(page.read_text(encoding="utf-8")))
    assert [name for name in sorted(names) if not list((ROOT / "captures").glob(f"{name}*.pcap"))] == []
