"""construct's traps are closed: every fork has a way out, no read is greedy but two, every count is bounded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import construct as c
import pytest

from dissector.limits import MAX_ARGUMENTS, MAX_VARIANT_DEPTH
from dissector.wire import grammar as g
from dissector.wire import messages as m
from dissector.wire.enums import Operation


def parts(sc: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """Every construct object that the grammar is made of."""
    seen = set() if seen is None else seen
    if id(sc) in seen:
        return
    seen.add(id(sc))
    yield sc
    below = list(getattr(sc, "subcons", ()))
    below += [value for name in ("subcon", "target", "then", "otherwise", "thensubcon", "elsesubcon", "default")
              if isinstance(value := sc.__dict__.get(name), c.Construct)]  # fmt: skip
    if isinstance(sc, c.Switch):
        below += sc.cases.values()
    for part in below:
        yield from parts(part, seen)


ALL = list(parts(g.MESSAGE))


def test_every_switch_refuses_what_it_does_not_know() -> None:
    switches = [sc for sc in ALL if isinstance(sc, c.Switch)]
    assert len(switches) == 6
    assert all(isinstance(sc, g.Fork) and isinstance(sc.default, g.Unknown) for sc in switches)


def test_the_top_bit_of_an_hresult_says_that_it_failed() -> None:
    results = [c.Container(hresult=number) for number in (0x7FFF_FFFF, 0x8000_0000)]
    assert [g.OK(one) for one in results] == [True, False]
    assert [g.FAILED(one) for one in results] == [False, True]


def test_nothing_is_greedy_but_trailing_bytes_and_the_inside_of_texts() -> None:
    assert not [sc for sc in ALL if isinstance(sc, (c.GreedyRange, c.RepeatUntil, c.Select, c.LazyBound))]
    owners = [sc for sc in ALL if sc.__dict__.get("subcon") is c.GreedyBytes]
    assert {sc.name or type(sc).__name__ for sc in owners} == {"trailing", "Prefixed"}


def test_every_array_is_counted_or_runs_to_the_end_of_an_error_answer() -> None:
    assert not [sc for sc in ALL if isinstance(sc, c.Array)]
    assert [type(sc) for sc in ALL if isinstance(sc, g.Counted) and sc.count is None] == [g.ToEnd]
    assert g.ERROR_ANSWER.strings.subcon.subcon is g.STRING


def test_records_take_every_field_from_themselves_or_the_struct_around() -> None:
    around = {"object_id", "session_id"}
    for sc in ALL:
        if isinstance(sc, g.Record):
            declared = {member.name for member in sc.subcons if member.name}
            assert set(sc.names) - declared <= around, sc.record


def test_every_message_has_its_record_in_the_grammar() -> None:
    made = {sc.record for sc in ALL if isinstance(sc, g.Record)}
    wanted = {*get_args(m.Request), *get_args(m.Answer)}
    assert wanted <= made


def test_limits_are_those_of_the_limits_module() -> None:
    assert g.VARIANT.depth == MAX_VARIANT_DEPTH
    (check,) = [sc for sc in ALL if isinstance(sc, g.Require) and "more than" in sc.reason]
    assert repr(check.condition) == f"(this['arg_count'] <= {MAX_ARGUMENTS})"


def test_every_operation_has_an_answer() -> None:
    assert set(g.ANSWERS) == set(Operation)


@pytest.mark.parametrize("layout", [g.STRING, g.VARIANT, g.REFERENCE, g.DISP_PARAMS, g.EXCEP_INFO])
def test_parts_can_be_parsed_alone(layout: Any) -> None:
    value = layout.parse(bytes(40))
    assert layout.parse(layout.build(value)) == value


def test_errors_keep_their_place_without_a_special_stream() -> None:
    with pytest.raises(g.GrammarError) as caught:
        g.DISP_PARAMS.parse(bytes.fromhex("00000002 00000000 00000000"))
    assert caught.value.offset == 8
    assert caught.value.path == "(parsing) -> arguments"
    assert caught.value.reason == "2 elements can not be in the 4 bytes left"


def test_decoding_does_not_load_construct() -> None:
    program = "import sys, dissector.wire.decode as d; d.decode(b'K', None); print('construct' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
