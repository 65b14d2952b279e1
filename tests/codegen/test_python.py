"""The generated decoder is what the grammar says, and follows the grammar when that changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dissector
from dissector.codegen import __main__ as command
from dissector.codegen import from_construct, ir
from dissector.codegen.python import generate
from dissector.errors import DecodeError
from dissector.wire.fields import Reader

DECODER = Path(dissector.__file__).parent / "wire" / "_decoder.py"


def run(text: str) -> dict[str, Any]:
    """The names of a generated module."""
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(text, "generated", "exec"), names)
    return names


def test_the_committed_file_is_the_generated_one() -> None:
    assert DECODER.read_text(encoding="utf-8") == generate()


def test_generating_twice_gives_the_same_text() -> None:
    assert generate(from_construct.grammar()) == generate(from_construct.grammar())


def changed(group: ir.Group, name: str, node: ir.Node) -> ir.Group:
    """``group`` with another node for the field ``name``."""
    items = tuple(
        ir.Field(name, node) if isinstance(item, ir.Field) and item.name == name else item for item in group.items
    )
    assert items != group.items
    return replace(group, items=items)


def test_a_changed_field_changes_the_file_and_what_is_decoded() -> None:
    grammar = from_construct.grammar()
    wide = ir.Grammar(grammar.root, changed(grammar.recursive, "vt", ir.Integer(2, False, "vartype")))
    text = generate(wide)
    assert text != generate(grammar)
    module = run(text)
    message = bytes.fromhex("41 00000000 0003 00000007")
    body, end = module["decode_message"](message, "invoke", 0)
    assert (body.result.vt, body.result.value, end) == (3, 7, len(message))
    reader = Reader(message, keep=True)
    module["walk_message"](reader, "invoke", 0)
    assert [(leaf.path, leaf.start, leaf.end) for leaf in reader.root.leaves()] == [
        ("class", 0, 1),
        ("invoke_answer.hresult", 1, 5),
        ("invoke_answer.result.vt", 5, 7),
        ("invoke_answer.result.value", 7, 11),
    ]


def test_both_halves_cap_the_depth_that_the_grammar_names() -> None:
    module = run(generate().replace(", 32)", ", 1)"))
    array = bytes.fromhex("41 00000000 0000200c 0001 0880 00000001 00000000 0000000c 00000000")
    with pytest.raises(ValueError, match=r"^$"):
        module["decode_message"](array, "invoke", 0)
    with pytest.raises(DecodeError, match="nested deeper than 1"):
        module["walk_message"](Reader(array, keep=False), "invoke", 0)


def test_command_writes_and_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "TARGETS", {"a.py": lambda: "one\n"})
    assert command.main(["--check"]) == 1
    assert command.main([]) == 0
    assert (tmp_path / "a.py").read_text() == "one\n"
    assert command.main(["--check"]) == 0
    (tmp_path / "a.py").write_text("two\n")
    assert command.main(["--check"]) == 1
    assert "python -m dissector.codegen" in capsys.readouterr().err
    assert command.main(["--wrong"]) == 2
