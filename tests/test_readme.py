"""The README's examples are what the command prints: every ``console`` block is run and compared as whole text.

``UPDATE_GOLDEN=1 pytest tests/test_readme.py`` writes the blocks anew.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_WIDTH = "100"


def played(block: str, jstrace: Callable[..., Result]) -> str:
    """The block with every command's output as it is now."""
    lines = []
    for command in re.findall(r"^\$ jstrace (.*)$", block, re.MULTILINE):
        result = jstrace(*shlex.split(command))
        assert result.exit_code == 0, result.stderr
        lines += [f"$ jstrace {command}", *(line.rstrip() for line in result.stdout.strip("\n").splitlines()), ""]
    return "\n".join(lines[:-1]) + "\n"


def test_examples_are_real_output(jstrace: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", _WIDTH)
    text = README.read_text(encoding="utf-8")
    real = _BLOCK.sub(lambda match: f"```console\n{played(match[1], jstrace)}```", text)
    if os.environ.get("UPDATE_GOLDEN"):
        README.write_text(real, encoding="utf-8")
    assert text.count("```console") >= 3
    assert text == real or os.environ.get("UPDATE_GOLDEN")
