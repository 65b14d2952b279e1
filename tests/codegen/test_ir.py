"""The grammar as nodes: what generators may rely on."""

from __future__ import annotations

import construct as c
import pytest
from construct import this

from dissector.codegen import from_construct, ir
from dissector.wire import grammar as g

GRAMMAR = from_construct.grammar()


def places(group: ir.Group, name: str = "") -> dict[str, ir.Node]:
    return {place.path: place.node for place in ir.places(group, name)}


def test_paths_name_every_field() -> None:
    paths = places(GRAMMAR.root)
    assert list(paths)[:6] == ["class", "object_id", "command", "invoke", "invoke.dispid", "invoke.iid"]
    assert list(paths)[-1] == "trailing"
    assert paths["invoke.params.arguments[]"] == ir.Recursive(32)
    assert paths["create_instance_answer.results[].object.new.title"] == ir.Text(4)
    assert not [path for path in paths if "_request" in path or "_body" in path]
    assert set(places(GRAMMAR.recursive, "variant")) >= {"variant.vt", "variant.value.elements[]", "variant.value.text"}


def test_leaves_tell_size_sign_and_table() -> None:
    paths = places(GRAMMAR.root)
    assert paths["class"] == ir.Integer(1, False, "message_class")
    assert paths["session_id"] == ir.Integer(8, True)
    assert paths["invoke.dispid"] == ir.Integer(4, True, "dispid")
    assert paths["invoke.flags"] == ir.Integer(4, False, "invoke_flags")
    assert paths["invoke.iid"] == ir.Blob(ir.Constant(16), "guid")
    assert paths["invoke_answer.failure.excepinfo.scode"] == ir.Integer(4, True, "hresult")
    assert paths["trailing"] == ir.Rest()


def test_conditions_counts_and_parameters() -> None:
    paths = places(GRAMMAR.root)
    failed = paths["invoke_answer.failure"]
    assert isinstance(failed, ir.Maybe)
    assert failed.condition == ir.Compare(">=", ir.Name("hresult"), ir.Constant(0x80000000))
    found = paths["get_ids_of_names_answer.dispids"]
    assert isinstance(found, ir.Maybe)
    assert found.node == ir.Repeat(ir.Param("count"), ir.Integer(4, True, "dispid"), 4)
    assert paths["error_answer.strings"] == ir.Repeat(None, ir.Text(4), 0)


def test_codes_of_one_layout_share_a_case() -> None:
    value = places(GRAMMAR.recursive)["value"]
    assert isinstance(value, ir.Choice)
    assert value.key == ir.Name("vt")
    codes = [case.codes for case in value.cases]
    assert (3, 22) in codes
    assert (0, 1) in codes
    assert 0x200C in codes[-1]
    assert sum(map(len, codes)) == 21 + 20


def test_records_name_their_dataclass_and_its_members() -> None:
    params = places(GRAMMAR.root)["invoke.params"]
    assert isinstance(params, ir.Group)
    assert (params.record, params.members) == ("DispParams", ("named", "arguments"))
    assert [item.reason for item in params.items if isinstance(item, ir.Check)] == [
        "more than 100 arguments",
        "more named arguments than arguments",
    ]


def test_smallest_elements_are_what_the_grammar_says() -> None:
    found = 0
    for group in (GRAMMAR.root, GRAMMAR.recursive):
        for place in ir.places(group):
            node = place.node.node if isinstance(place.node, ir.Maybe) else place.node
            if isinstance(node, ir.Repeat) and node.count is not None:
                assert node.at_least == ir.least(node.element), place.path
                found += 1
    assert found >= 8
    assert ir.least(GRAMMAR.recursive) == ir.least(ir.Recursive(1)) == 4


@pytest.mark.parametrize(
    ("layout", "complaint"),
    [
        (c.Struct("a" / c.Struct("b" / c.VarInt)), r"^a\.b: no generator knows <VarInt"),
        (c.Struct("a" / c.Switch(this.b, {1: c.Byte})), r"^a: no generator knows .*Switch"),
        (c.Struct("a" / c.PascalString(c.Byte, "utf8")), r"^a: no generator knows"),
        (c.Struct("a" / c.If(this.b + 1, c.Byte)), r"^a: no generator knows the expression this\['b'\] \+ 1"),
        (c.Struct("a" / c.If(this._.b > 1, c.Byte)), r"^a: no generator knows the expression"),
        (c.Struct("a" / g.Counted(this.n, c.VarInt, 1)), r"^a\[\]: no generator knows"),
        (c.Struct(c.Byte), r"nameless"),
        (c.Struct("a" / c.Byte), "one recursive type"),
    ],
)
def test_what_is_not_known_is_refused_with_its_path(layout: c.Construct, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        from_construct.grammar(layout)
