"""What the README begins with is as the program is: its picture, its columns, and what the container is built of."""

from __future__ import annotations

import re
from html import unescape
from importlib import import_module
from pathlib import Path

from dissector.render.rows import COLUMNS

_PICTURES = import_module("docs.screenshots")
ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_SECTION = "## What the columns mean"


def test_the_picture_is_of_these_commands() -> None:
    picture = (ROOT / "docs" / "first-minute.svg").read_text(encoding="utf-8")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", picture.partition("matrix")[2])
    shown = re.sub(r"\s", "", unescape("".join(texts)).replace("\xa0", ""))
    for command in _PICTURES.FIRST_MINUTE:
        for line in (f"$ {command}", *_PICTURES.printed(command, 100, "never").splitlines()):
            assert re.sub(r"\s", "", line) in shown, line


def test_the_picture_comes_first() -> None:
    assert README.index("docs/first-minute.svg") < README.index("\n## ")


def test_every_column_is_explained() -> None:
    section = README.partition(_SECTION)[2].partition("\n## ")[0]
    explained = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\|([^|]*)\|", section, re.MULTILINE)))
    assert explained == [column.heading for column in COLUMNS]


def test_the_contents_are_there() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([^)]+)\)", README)
    assert len(links) > 15
    assert [link for link in links if link not in anchors] == []


def test_the_container_is_made_of_what_is_there() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    sources = [word for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for word in line.split()]
    assert [name for name in sources if not (ROOT / name).exists()] == []
    assert {"pyproject.toml", "README.md", "LICENSE", "dissector", "jstrace", "man"} == set(sources)
    (version,) = set(re.findall(r"python:(3\.\d+)-slim", text))
    assert f"Python :: {version}" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
