"""Reports of made tasks, and what is in a page, as a strict parser of HTML reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from render_sample import Sample, capture, failing_job

from dissector import __version__
from dissector.model import Outcome
from dissector.render.report.view import ReportView
from dissector.wire.masking import Mask


def page(events: Iterable[Any], seen: int = 1, **options: bool) -> str:
    """The page of these events."""
    written: list[str] = []
    view = ReportView(written.append, Mask(), **options)
    for event in events:
        view.add(event)
    view.close([capture()], seen)
    (text,) = written
    return text


def parsed(text: str) -> Element:
    """Raises html5lib.html5parser.ParseError for what is not HTML."""
    document: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    return document


def numbered(number: int, *, failed: bool = True) -> Sample:
    """A task like all others."""
    sample = failing_job()
    sample.task.n = number
    if not failed:
        sample.task.outcome = Outcome.SUCCESS
        sample.task.problems.clear()
        sample.problems.clear()
    return sample


def words(element: Element | None) -> str:
    """All text in it, blanks as one."""
    return "" if element is None else " ".join(" ".join(element.itertext()).split())


def of_class(element: Element, name: str) -> list[Element]:
    return [one for one in element.iter() if name in (one.get("class") or "").split()]


def sections(document: Element) -> list[str]:
    """The ids of the tasks that have a ladder."""
    found = [one.find("h2") for one in of_class(document, "task")]
    return [heading.get("id") or "" for heading in found if heading is not None]


def check_golden(text: str, name: str) -> None:
    """The page is the one in ``golden/``, to the last blank; with UPDATE_GOLDEN it is written there."""
    path = Path(__file__).resolve().parent.parent / "golden" / f"{name}.html"
    told = text.replace(f"jstrace {__version__}", "jstrace VERSION")
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(told, encoding="utf-8")
    assert told == path.read_text(encoding="utf-8")
