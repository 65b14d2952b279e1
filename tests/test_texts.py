"""Every text that a user may read, in one file: ``docs/texts.md``, which is read as one and compared here.

``UPDATE_GOLDEN=1 pytest tests/test_texts.py`` writes it anew.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dissector.session.codes import CODES

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ROOT / "docs" / "texts.md"
#: Rooms whose texts are for people; the others have names of fields and formats.
ROOMS = (
    "cli",
    "fleet",
    "monitor.py",
    "outfile.py",
    "points",
    "probe",
    "render",
    "view",
    "reports",
    "session",
    "share",
    "simulate",
    "sources",
    "verify",
)
PAGES = (
    "README.md", "CONTRIBUTING.md", "SECURITY.md", "captures/README.md", "wireshark/README.md",
    *sorted(
        path.relative_to(ROOT).as_posix()
        for folder in ("docs", ".github")
        for path in (ROOT / folder).rglob("*.md")
        if path != TEXTS
    ),
)  # fmt: skip

#: What nobody says, and what people who work with networks say instead.
UNUSUAL = {
    r"\bthe way\b(?! back| that| it| they)": "the path, the network",
    r"\bway back\b": "return path",
    r"\bon the way\b": "in the network, on the path",
    r"\bsent again\b": "retransmitted",
    r"\btold\b": "reported, shown, said",
    r"\btells\b": "says, shows",
    r"\bended hard\b": "was killed",
    r"\bas wanted\b": "as requested",
    r"\bwithout any right\b": "without privileges",
    r"\bbecome others\b": "are replaced",
    r"\bhad no room\b": "dropped",
    r"\bno room for\b": "zero window, dropped",
    r"\bgive up rights\b|\brights are given up\b": "drop privileges",
}
#: What a sentence needs: a letter, a space, a letter.
_WORDS = re.compile(r"[A-Za-z]{2}.* .*[A-Za-z]{2}", re.DOTALL)


def _docstrings(nodes: list[ast.AST]) -> set[int]:
    """Ids of the nodes that are docstrings."""
    found = set()
    for node in nodes:
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(id(first.value))
    return found


def _is_command(node: ast.AST) -> bool:
    """True for a function whose docstring is the help of a command."""
    if not isinstance(node, ast.FunctionDef):
        return False
    return any("command" in ast.unparse(one) or "group" in ast.unparse(one) for one in node.decorator_list)


def _template(node: ast.JoinedStr) -> str:
    parts = []
    for one in node.values:
        if isinstance(one, ast.Constant):
            parts.append(str(one.value))
        elif isinstance(one, ast.FormattedValue):
            parts.append("{" + ast.unparse(one.value) + "}")
    return "".join(parts)


def texts_of(path: Path) -> Iterator[str]:
    """The texts of a module in the order in which they stand there."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    skipped = _docstrings(nodes)
    for node in nodes:
        if _is_command(node) and isinstance(node, ast.FunctionDef):
            skipped.discard(id(node.body[0].value))  # type: ignore[attr-defined]
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in ast.walk(node) if part is not node)
    found = []
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append((node.lineno, node.col_offset, node.value))
        elif isinstance(node, ast.JoinedStr):
            found.append((node.lineno, node.col_offset, _template(node)))
    for _, _, text in sorted(found):
        if _WORDS.search(text):
            yield " ".join(text.replace("\b", "").split())


@cache
def collected() -> str:
    parts = [
        "# Every text that a user may read",
        "Made by `tests/test_texts.py`: to be read as one. In braces stands what is filled in.",
        "## Problems",
    ]
    for code, row in CODES.items():
        parts.append(f"### {code}\n\n{row.meaning}\n\n- cause: {row.cause}\n- remedy: {row.remedy}")
    for room in ROOMS:
        root = ROOT / "dissector" / room
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            if path.name == "codes.py":
                continue
            lines = list(dict.fromkeys(texts_of(path)))
            if lines:
                name = path.relative_to(ROOT).as_posix()
                parts.append(f"## {name}\n\n" + "\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts) + "\n"


def test_the_page_is_what_the_program_says() -> None:
    page = collected()
    if os.environ.get("UPDATE_GOLDEN"):
        TEXTS.write_text(page, encoding="utf-8")
    assert TEXTS.read_text(encoding="utf-8") == page


def test_words_that_nobody_else_uses() -> None:
    pages = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGES}
    pages["docs/texts.md"] = collected()
    for name, page in pages.items():
        for line in page.splitlines():
            text = re.sub(r"\{[^{}]*\}", "{}", line)
            found = [pattern for pattern in UNUSUAL if re.search(pattern, text)]
            assert not found, f"{name}: say {UNUSUAL[found[0]]!r}: {line}"
