"""What pages and templates tell people to type is what jstrace knows: commands and their options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from dissector.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md"), *ROOT.glob("*/README.md"))
)
_FENCED = re.compile(r"^```.*?\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: A line of a terminal, or the last program of a pipe; what is set in is output.
_LINE = re.compile(r"^(?:\S.*\| |\$ |sudo )*jstrace ([a-z][^|\n]*)", re.MULTILINE)
_INLINE = re.compile(r"`(?:[^`\n]*\| |sudo )?jstrace ([a-z][^`|\n]*)")


def typed(text: str) -> list[str]:
    """The commands in a page, without the comments behind them."""
    fenced, rest = "".join(_FENCED.findall(text)), _FENCED.sub("", text)
    return [re.split(r"\s+#|\s{3,}", one)[0].strip() for one in (*_LINE.findall(fenced), *_INLINE.findall(rest))]


def wrong(command: str) -> str | None:
    """What of a command jstrace does not know."""
    try:
        name, *words = shlex.split(command)
    except ValueError:  # a quote that the page's line does not close
        name, *words = command.split()
    known = main.commands.get("view" if name.endswith(".pcap") else name)
    if known is None:
        return f"{command}: no command {name}"
    options = {option for one in known.params if isinstance(one, click.Option) for option in one.opts} | {
        "-h",
        "--help",
    }
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options]
    return f"{command}: no option {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands(page: Path) -> None:
    if page.name == "texts.md":
        pytest.skip("pieces of texts, put together by the program")
    text = page.read_text(encoding="utf-8")
    assert [said for one in typed(text) if (said := wrong(one)) is not None] == []


def test_the_readme_has_many() -> None:
    commands = typed((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(commands) > 25
    assert any("--all-text" in one for one in commands)


@pytest.mark.parametrize("command", ["raed x.pcap", "read x.pcap --taks 3", "redact x y --all-texts"])
def test_what_is_wrong_is_noticed(command: str) -> None:
    assert wrong(command)
    assert typed(f"`jstrace {command}`") == typed(f"```\n$ jstrace {command}   # words\n```\n") == [command]
