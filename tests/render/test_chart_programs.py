"""The programs that draw charts take ours, and show what they say, whatever that is."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tshark_kit import CACHE

from dissector.render.charts.languages import LANGUAGES
from dissector.render.charts.lines import Arrow, Line, Note, Wait
from dissector.render.steps import Lane
from dissector.render.text import escape

_MERMAID = CACHE / "mermaid" / "package" / "dist" / "mermaid.esm.min.mjs"
#: Only the parser: the rest of mermaid needs a browser.
_READ_MERMAID = """
const mermaid = (await import(process.argv[2])).default;
const text = (await import('fs')).readFileSync(process.argv[3], 'utf8');
console.log((await mermaid.parse(text)).diagramType);
"""
#: What the languages have a meaning for.
NASTY = (
    *("end", "x; y", "a # b", "#35;", "%% comment", "loop", "a->>b: c", "<br/>", "<script>alert(1)</script>", "&lt;"),
    *(
        '"',
        "\\",
        "\\n",
        'a\\" ];',
        "}",
        "[label=1]",
        "//it//",
        "**bold**",
        "__u__",
        "~~x~~",
        "--s--",
        "<b>x</b>",
        "<U+0041>",
    ),
    *(
        "@enduml",
        "!include /etc/passwd",
        "%date()",
        "$x",
        "'comment",
        "||",
        "...",
        "==",
        "note left: x",
        "\u20ac µ ü",
        "日本",
    ),
    *(
        "http://example.org/x",
        "[[http://x]]",
        "<&x>",
        "<:smile:>",
        "\\u0041",
        "&#65;",
        "`x`",
        "$$x$$",
        ":::",
        "/' x '/",
    ),
)


def chart(language: str, texts: list[str]) -> str:
    """Each text as the label of a call, of an answer that failed and as a note."""
    lines: list[Line] = [Wait("3 s")]
    for text in texts:
        lines.append(Arrow(Lane.CLIENT, Lane.PROCESS, f"[1] {text}", "call", False))
        lines.append(Arrow(Lane.REMOTE, Lane.CLIENT, f"[1] {text}", "answer", True))
        lines.append(Note(f"[1] {text}", False))
    return "\n".join(LANGUAGES[language].write("title", ("client", "remote", "process"), lines)) + "\n"


def _needs(program: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not to be had here: make charts")
    return program


def _svg(path: Path) -> str:
    """The texts of a picture, without blanks: programs break lines."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))
    return re.sub(r"\s|\u00a0", "", unescape("".join(texts)))


def mscgen(tmp_path: Path, texts: list[str]) -> str:
    source, drawn = tmp_path / "x.msc", tmp_path / "x.svg"
    source.write_text(chart("mscgen", texts), encoding="utf-8")
    subprocess.run([_needs("mscgen"), "-T", "svg", "-i", source, "-o", drawn], check=True, capture_output=True)
    return _svg(drawn)


def plantuml(tmp_path: Path, texts: list[str]) -> str:
    source = tmp_path / "x.plantuml"
    source.write_text(chart("plantuml", texts), encoding="utf-8")
    command: list[str | Path] = [_needs("plantuml"), "-charset", "UTF-8", "-failfast2", "-tsvg", source]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return _svg(tmp_path / "x.svg")


def mermaid(tmp_path: Path, texts: list[str]) -> str:
    if not _MERMAID.exists():
        pytest.skip("mermaid is not to be had here: make charts")
    source, program = tmp_path / "x.mermaid", tmp_path / "read.mjs"
    source.write_text(chart("mermaid", texts), encoding="utf-8")
    program.write_text(_READ_MERMAID, encoding="utf-8")
    command: list[str | Path] = [_needs("node"), program, _MERMAID, source]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout == "sequence\n", done.stderr[-2_000:]
    shown = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), source.read_text(encoding="utf-8"))
    return re.sub(r"\s", "", shown)


Draw = Callable[[Path, list[str]], str]
DRAW: dict[str, Draw] = {"mscgen": mscgen, "plantuml": plantuml, "mermaid": mermaid}


def expected(text: str) -> str:
    return re.sub(r"\s", "", f"[1] {text}".replace("\\", "⧵"))


@pytest.mark.one_in(5)
@pytest.mark.parametrize("language", DRAW)
def test_texts_are_shown_as_they_are(language: str, tmp_path: Path) -> None:
    drawn = DRAW[language](tmp_path, list(NASTY)).replace("\\", "⧵")
    missing = [text for text in NASTY if drawn.count(expected(text)) < 3]
    assert missing == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("language", DRAW)
def test_any_text(language: str, tmp_path: Path) -> None:
    texts: list[str] = []

    @settings(max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.text(st.characters(max_codepoint=0x24F, exclude_categories=["Mn", "Me"]), min_size=1, max_size=40))
    def make(text: str) -> None:
        texts.append(escape(text))

    make()
    drawn = DRAW[language](tmp_path, texts).replace("\\", "⧵")
    missing = [text for text in texts if expected(text) not in drawn]
    assert missing == []
