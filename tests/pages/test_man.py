"""``man/jstrace.1`` is what the commands say now, whole, and no formatter has anything to remark on it."""

from __future__ import annotations

import re
import shutil
import subprocess

import click
import pytest

from dissector.cli import main
from dissector.render.filter.guide import guide
from handbook import man
from handbook.commands import Paragraph, commands, paragraphs

PAGE = man.TARGET


def printed(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    )


def test_the_page_is_new() -> None:
    assert PAGE.read_text(encoding="utf-8") == man.text(), "python -m handbook man"


def test_paragraphs() -> None:
    assert list(paragraphs("One\n    two.\n\n    \b\n    a   b\n      c\n\n    Three.")) == [
        Paragraph("One two.", False),
        Paragraph("a   b\n  c", True),
        Paragraph("Three.", False),
    ]


def test_every_option_of_every_help() -> None:
    """By what ``--help`` prints, which this program's layout has no part in."""
    page = PAGE.read_text(encoding="utf-8").replace(r"\-", "-")
    parts = dict(zip(*[iter(re.split(r'^\.SS "jstrace (\w+)"$', page, flags=re.MULTILINE)[1:])] * 2, strict=True))
    assert set(parts) == set(main.commands)
    root = click.Context(main, info_name="jstrace", **main.context_settings)
    for name, command in main.commands.items():
        shown = command.get_help(click.Context(command, info_name=name, parent=root))
        names = re.findall(r"^  (?:(-\w), )?(--[\w-]+)", shown.partition("Options:")[2], re.MULTILINE)
        assert len(names) >= 1
        for short, long in names:
            assert rf"\fB{long}\fR" in parts[name]
            assert not short or rf"\fB{short}\fR, \fB{long}\fR" in parts[name]


def test_no_word_of_an_option_is_lost() -> None:
    """Filled text has its own line breaks."""
    page = re.sub(r"\s+", " ", PAGE.read_text(encoding="utf-8").replace(r"\-", "-").replace(r"\(aq", "'"))
    words = [one.words.replace("^", r"\(ha").replace("~", r"\(ti") for part in commands() for one in part.options]
    assert len(words) > 60
    assert [one for one in words if " ".join(one.split()) not in page] == []


@pytest.mark.parametrize(
    ("text", "roff"),
    [
        (".TH at the beginning", r"\&.TH at the beginning"),
        (r"a\nb", r"a\enb"),
        ("it's --task N", r"it\(aqs \-\-task N"),
        ("…", r"\[u2026]"),
    ],
)
def test_nothing_of_a_text_is_a_request(text: str, roff: str) -> None:
    assert list(man._filled(text)) == [roff]


def test_mandoc_has_no_remark() -> None:
    done = printed("mandoc", "-Tlint", str(PAGE))
    assert done.stdout + done.stderr == ""


def test_groff_has_no_remark() -> None:
    done = printed("groff", "-man", "-ww", "-Tutf8", str(PAGE))
    assert (done.returncode, done.stderr) == (0, "")


def test_man_shows_it() -> None:
    done = printed("man", "-l", str(PAGE))
    text = re.sub(r".\x08", "", done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("jstrace - trace the remote tasks", "--fail-on", "EXIT STATUS", "~/.config/jstrace/mask.conf"):
        assert words in text
    missing = [line for line in guide() if line.strip() and line.strip() not in text]
    assert missing == []
