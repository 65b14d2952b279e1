"""Tasks for tickets: as a whole text, and what a reader of Markdown makes of any text in it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from render_sample import Sample, capture, failing_job, golden

from dissector.model import LogLine
from dissector.render.markdown import MarkdownView, plain
from dissector.render.terminal import Terminal
from dissector.render.text import escape
from dissector.wire.masking import Mask


def page(events: Iterable[Any], seen: int = 1, **options: bool) -> str:
    out = io.StringIO()
    view = MarkdownView(Terminal(out), Mask(), **options)
    for event in events:
        view.add(event)
    view.close([capture()], seen)
    return out.getvalue()


def test_overview() -> None:
    assert page(failing_job().events) == golden("markdown")


def test_whole() -> None:
    assert page(failing_job().events, whole=True) == golden("markdown_whole")


def test_several_tasks_are_counted() -> None:
    second = Sample()
    second.task.n = 2
    assert "\n2 tasks: 1 failure, 1 unknown\n" in page([*failing_job().events, *second.events], 2)
    assert page([], 3).endswith("none of 3 tasks matches\n")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "a|b",
            "<b>x</b>",
            "[x](http://y)",
            "![x](y)",
            "*a* _b_ __c__ **d**",
            "`x`",
            "@all",
            "#12",
            "!12",
            "~~x~~",
            "&amp;",
        ),
        *("http://example.org/", "www.example.org", "$x$", "\\", "a  b", "<!-- x -->", "start_remote_task", "_x_"),
    ],
)
def test_nothing_is_obeyed(text: str) -> None:
    assert _read(f"- x {plain(text)} y") == f"x {text} y"


@given(st.text(st.characters(max_codepoint=0x24F), max_size=30).map(escape))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    assert _read(f"- x{plain(text)}y") == f"x{text}y"
    row = MarkdownIt("gfm-like", {"linkify": False}).render(f"| a |\n|---|\n| x{plain(text)}y |\n")
    assert row.count("<td>") == 1


def _read(source: str) -> str:
    """The text of a list's only item, which must have nothing but text in it."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(source)
    inline = next(token for token in tokens if token.type == "inline")
    assert {child.type for child in inline.children or ()} <= {"text", "text_special"}
    return "".join(child.content for child in inline.children or ())


def test_a_log_stays_in_its_block() -> None:
    sample = failing_job()
    sample.task.log = [LogLine(sample.task.start, "info", "a\n```\n# b", 1)]
    block = page(sample.events, whole=True).rpartition("```text\n")[2]
    assert block == "04:07:04.837 info   a\n` ` `\n# b\n```\n"
