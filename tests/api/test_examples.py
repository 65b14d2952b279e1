"""The examples in the public package's docstrings are what happens: run as doctests, on the recordings."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import jstrace

ROOT = Path(__file__).resolve().parents[2]
MODULES = ["jstrace", *(f"jstrace.{path.stem}" for path in sorted((ROOT / "jstrace").glob("[a-z]*.py")))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = doctest.testmod(import_module(name), extraglobs={"jstrace": jstrace})
    assert done.failed == 0


@pytest.mark.parametrize(
    "function",
    [jstrace.trace, jstrace.messages, jstrace.exchanges, jstrace.events, jstrace.decode, jstrace.schema],
)
def test_every_function_has_one(function: object) -> None:
    assert doctest.DocTestFinder(recurse=False).find(function)[0].examples
