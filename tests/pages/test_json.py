"""``docs/json.md`` has every key of every record, and its examples are what the command prints."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from test_readme import played

from dissector.model import Outcome
from dissector.render.schema import schema
from handbook import contract

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def page() -> str:
    return contract.TARGET.read_text(encoding="utf-8")


def test_tables_are_new() -> None:
    assert page() == contract.filled(page()), "python -m handbook json"


def test_every_record_has_a_table() -> None:
    assert contract.tabled(page()) == set(contract.records()) - {"traced"}  # traced_with_messages has its keys too


def test_every_word_and_type_is_explained() -> None:
    for outcome in Outcome:
        assert f"| `{outcome.value}` |" in page()
    for name in schema()["$defs"]["value"]["properties"]["type"]["enum"]:
        assert re.search(rf"^\|.*`{re.escape(name)}`.*\|", page().replace(r"\|", "|"), re.MULTILINE), name


def test_a_key_that_is_missing_is_seen() -> None:
    """The table comes back when it is taken away."""
    emptied = re.sub(r"(<!-- keys of task -->\n).*?(<!-- end -->)", r"\1\2", page(), flags=re.DOTALL)
    assert emptied != page()
    assert contract.filled(emptied) == page()


def test_examples_are_real_output(
    jstrace: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, captures: Path
) -> None:
    monkeypatch.chdir(captures.parent)
    real = _BLOCK.sub(lambda match: f"```console\n{played(match[1], jstrace)}```", page())
    if os.environ.get("UPDATE_GOLDEN"):
        contract.TARGET.write_text(real, encoding="utf-8")
    assert page() == real
    assert "```console" in real
