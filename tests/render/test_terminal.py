"""What a stream can show: width, colour and characters."""

from __future__ import annotations

import io

import pytest

from dissector.render.terminal import Terminal, clip, wrap


class Stream(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8", tty: bool = False) -> None:
        self.bytes = io.BytesIO()
        self.tty = tty
        super().__init__(self.bytes, encoding=encoding)

    def isatty(self) -> bool:
        return self.tty

    def text(self) -> str:
        self.flush()
        return self.bytes.getvalue().decode(self.encoding)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def shown(stream: Stream, *spans: tuple[str, str], color: str = "auto") -> str:
    Terminal(stream, color).line(*spans)
    return stream.text()


def test_blanks_at_the_end_are_left_out() -> None:
    assert shown(Stream(), ("a  ", ""), ("b  ", "dim"), ("   ", "")) == "a  b\n"
    assert shown(Stream(), ("   ", "")) == "\n"
    assert shown(Stream()) == "\n"


@pytest.mark.parametrize(
    ("tty", "color", "no_color", "colored"),
    [
        (True, "auto", "", True),
        (True, "auto", "1", False),
        (False, "auto", "", False),
        (True, "never", "", False),
        (False, "always", "", True),
        (False, "always", "1", True),
    ],
)
def test_colour(tty: bool, color: str, no_color: str, colored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    assert ("\x1b[" in shown(Stream(tty=tty), ("bad", "error"), color=color)) is colored


def test_a_dumb_terminal_gets_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert shown(Stream(tty=True), ("bad", "error")) == "bad\n"


def test_lines_are_drawn_with_what_the_encoding_has() -> None:
    line = "├─┼═╪╌▶│◀×┤…µ·"
    assert shown(Stream(), (line, "")) == line + "\n"
    assert shown(Stream("ascii"), (line, "")) == "|-+=+->|<x|~u.\n"
    assert shown(Stream("latin-1"), ("─ü€", "")) == "-ü\\u20ac\n"
    assert shown(Stream(), ("\ud800", "")) == "\\ud800\n"


@pytest.mark.parametrize(("columns", "width", "fixed"), [("90", 90, True), ("3", 20, True), ("x", 160, False)])
def test_width(columns: str, width: int, fixed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    terminal = Terminal(Stream())
    assert (terminal.width, terminal.fixed) == (width, fixed)


def test_a_block_is_wrapped_behind_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    stream = Stream()
    terminal = Terminal(stream)
    terminal.block([(" Cause ", "")], "one two three four five")
    terminal.block([(" a very long heading ", "")], "one two three four")
    terminal.flush()
    assert stream.text().splitlines() == [
        " Cause one two three",
        "       four five",
        " a very long heading",
        "    one two three four",
    ]


def test_clip_and_wrap() -> None:
    assert [clip("abcdef", width) for width in (6, 5, 1, 0)] == ["abcdef", "abcd…", "…", ""]
    assert wrap("", 10) == [""]
    assert wrap("a" * 20, 10) == ["a" * 10] * 2
