"""Markdown as the site's generator reads it: texts that stay what they are, sections, links."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
_HEADING = re.compile(r"^(#{1,6}) +(.+?)(?: +#+)?$")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~^])")


class Section(NamedTuple):
    """``text`` is what stands below the heading; headings below it have one # less than in the page."""

    title: str
    text: str


def plain(words: str) -> str:
    """Words of which nothing means anything to Markdown."""
    return _SPECIAL.sub(r"\\\1", words.replace("&", "&amp;"))


def code(words: str) -> str:
    """``words`` as code within a line; also in a table."""
    edge = "``" if "`" in words else "`"
    return f"{edge}{words}{edge}"


def block(lines: str, language: str = "text") -> str:
    return f"```{language}\n{lines.rstrip()}\n```\n"


def anchor(heading: str) -> str:
    """What Python-Markdown calls a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def outside_of_code(text: str) -> Iterator[tuple[str, bool]]:
    """Lines, and whether they are text; those of fenced code are not."""
    edge = ""
    for line in text.splitlines():
        match = _FENCE.match(line)
        is_edge = match is not None and (not edge or match[1].startswith(edge))
        yield line, not edge and not is_edge
        if match is not None and is_edge:
            edge = "" if edge else match[1]


def headings(text: str) -> Iterator[tuple[int, str]]:
    """Level and words."""
    for line, is_text in outside_of_code(text):
        if is_text and (match := _HEADING.match(line)):
            yield len(match[1]), match[2]


def sections(text: str) -> list[Section]:
    """What stands before the first heading of the second level, under the page's title; then one a heading of it."""
    title, lines, found = next(words for _, words in headings(text)), list[str](), list[Section]()
    for line, is_text in outside_of_code(text):
        match = _HEADING.match(line) if is_text else None
        if match is not None and len(match[1]) == 2:
            found.append(Section(title, "\n".join(lines)))
            title, lines = match[2], []
        elif match is None:
            lines.append(line)
        elif len(match[1]) > 2:
            lines.append(line[1:])
    return [*found, Section(title, "\n".join(lines))]


def relinked(text: str, change: Callable[[str], str | None]) -> str:
    """The text with other targets of its links; of a link whose target is None the words stay.

    Addresses of the web are not asked for.
    """

    def changed(match: re.Match[str]) -> str:
        if re.match(r"[a-z]+:", match[3]):
            return match[0]
        target = change(match[3])
        return match[2] if target is None else f"{match[1]}[{match[2]}]({target})"

    return "\n".join(_LINK.sub(changed, line) if is_text else line for line, is_text in outside_of_code(text)) + "\n"
