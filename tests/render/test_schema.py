"""The JSON Schema: whole, closed, and true of what is printed; ``jsonschema`` and the tests' quick checker agree."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import contract_kit
import pytest
from click.testing import Result

from dissector.render.contract import SCHEMA
from dissector.render.schema import schema
from dissector.session.codes import CODES

Json = dict[str, Any]
jsonschema = pytest.importorskip("jsonschema")
MADE = schema()
CHECKER = jsonschema.Draft202012Validator(MADE)
RECORDINGS = sorted((Path(__file__).resolve().parents[2] / "captures").rglob("*.pcap*"))
#: Of a recording's messages so many are shown to the slow checker as well.
_SOME = 25


def is_valid(record: object) -> bool:
    """What both checkers say; they have to agree."""
    try:
        contract_kit.check(record)
        quick = True
    except AssertionError:
        quick = False
    assert bool(CHECKER.is_valid(record)) is quick, record
    return quick


@pytest.fixture(scope="module")
def document(trace: Callable[..., Json], captures: Path) -> Json:
    """Records of every kind, with values, objects, errors and results in them."""
    return trace(captures / "h19_variants.pcap", captures / "h19_errors.pcap", captures / "engine_shell_fail.pcap")


def test_it_is_a_schema_of_its_draft() -> None:
    assert MADE["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(MADE)
    assert MADE["title"] == SCHEMA


def test_the_command_prints_it(jstrace: Callable[..., Result]) -> None:
    printed = jstrace("schema")
    assert printed.exit_code == 0
    assert json.loads(printed.stdout) == MADE
    assert printed.stdout.isascii()


def test_every_record_is_closed_and_whole() -> None:
    for name, definition in MADE["$defs"].items():
        assert definition["type"] == "object", name
        assert definition["additionalProperties"] is False, name
        assert definition["required"] == list(definition["properties"]), name
        assert definition["description"], name


def test_every_reference_leads_somewhere_and_every_record_is_referred_to() -> None:
    text = json.dumps(MADE)
    for name in MADE["$defs"]:
        assert f'"#/$defs/{name}"' in text, name
    assert text.count("#/$defs/") == sum(text.count(f'"#/$defs/{name}"') for name in MADE["$defs"])


@pytest.mark.one_in(8)
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_recordings(path: Path, jstrace: Callable[..., Result]) -> None:
    printed = jstrace("read", path, "--format", "jsonl", "--messages", "--no-progress", "--jobs", "1")
    messages = 0
    for line in printed.stdout.splitlines():
        record = json.loads(line)
        contract_kit.check(record)
        messages += record["record"] == "message"
        if record["record"] != "message" or messages <= _SOME:
            CHECKER.validate(record)


def test_the_whole_and_its_lines(document: Json) -> None:
    assert is_valid(document)
    without = {key: value for key, value in document.items() if key not in ("messages", "exchanges")}
    assert is_valid(without)
    assert not is_valid(document | {"schema": "jstrace/2"})
    assert not is_valid(document | {"more": []})
    for key in without:
        assert not is_valid({name: value for name, value in document.items() if name != key}), key
    for word, key in (("task", "tasks"), ("capture", "captures"), ("message", "messages"), ("problem", "problems")):
        assert is_valid({"record": word, **document[key][0]})
        assert not is_valid(document[key][0])
        assert not is_valid({"record": "odd", **document[key][0]})
    assert not is_valid({"record": "task", **document["connections"][0]})


def _objects(value: Any, path: tuple[object, ...] = ()) -> Iterator[tuple[tuple[object, ...], Json]]:
    """Every object in a record with its place; of a list the first of each shape."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from _objects(inner, (*path, key))
    elif isinstance(value, list):
        shapes = set()
        for index, inner in enumerate(value):
            shape = json.dumps(sorted(inner) if isinstance(inner, dict) else str(type(inner)))
            if shape not in shapes:
                shapes.add(shape)
                yield from _objects(inner, (*path, index))


def _changed(record: Json, path: tuple[object, ...], change: Callable[[Json], object]) -> Json:
    copied: Any = copy.deepcopy(record)
    place = copied
    for part in path:
        place = place[part]
    change(place)
    result: Json = copied
    return result


def _without(key: str, place: Json) -> None:
    del place[key]


def _samples(document: Json) -> Iterator[Json]:
    """A record of each kind; of messages one with each set of keys that are there."""
    for word, key in (
        ("task", "tasks"),
        ("connection", "connections"),
        ("problem", "problems"),
        ("capture", "captures"),
    ):
        yield {"record": word, **document[key][-1]}
    seen = set()
    for message in document["messages"]:
        shape = message["kind"], *(key for key, value in message.items() if value is not None)
        if shape not in seen:
            seen.add(shape)
            yield {"record": "message", **message}


def test_a_key_too_many_or_too_few_is_refused(document: Json) -> None:
    tried = 0
    for record in _samples(document):
        for path, found in _objects(record):
            assert not is_valid(_changed(record, path, lambda place: place.update(more=1))), path
            for key in found:
                assert not is_valid(_changed(record, path, partial(_without, key))), (path, key)
                tried += 1
    assert tried > 500


@pytest.mark.parametrize(
    ("word", "key", "wrong"),
    [
        ("task", "n", 0),
        ("task", "n", "1"),
        ("task", "outcome", "ended"),
        ("task", "kind", "shell"),
        ("task", "start", "2026-11-22T04:07:04Z"),
        ("task", "start", None),
        ("task", "duration", -1),
        ("task", "duration", None),
        ("task", "problems", None),
        ("task", "callback", None),
        ("task", "client", "10.0.0.1"),
        ("connection", "role", "https"),
        ("task", "via", "udp"),
        ("message", "exchange", 0),
        ("connection", "closed", "timeout"),
        ("connection", "gaps", 1.5),
        ("connection", "via", None),
        ("problem", "severity", "fatal"),
        ("problem", "packets", [0]),
        ("problem", "code", "Job failed"),
        ("problem", "cause", None),
        ("capture", "truncated", 0),
        ("message", "direction", "client"),
        ("message", "hresult", -1),
        ("message", "hresult", 1 << 32),
        ("message", "flags", "METHOD"),
        ("message", "bytes", None),
    ],
)
def test_a_wrong_value_is_refused(document: Json, word: str, key: str, wrong: object) -> None:
    record = {"record": word, **document[f"{word}s"][0]}
    assert is_valid(record)
    assert not is_valid(record | {key: wrong})


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("EMPTY", [None], [0, ""]),
        ("I4", [0, -5, None], [1.5, "5", True]),
        ("UI8", ["18446744073709551615", None], [5, "0x5", "", "1.0"]),
        ("CY", ["-1.2345", None], ["1.23", 1, "1.23456"]),
        ("R8", [1.5, 2, "nan", "-inf", None], ["1.5", "Infinity", True]),
        ("BOOL", [True, None], [0, "true"]),
        ("BSTR", ["", "x"], [None, 5]),
        ("DISPATCH", [None, {"id": "0x0000000000000001", "new": False, "name": None, "class": None}], ["0x1", {}, []]),
        ("ARRAY|VARIANT", [[], [{"type": "I4", "value": 1}]], [None, [1], [{"type": "I4", "value": "1"}]]),
        ("ARRAY|UI1", ["", "00ff"], ["0", "FF", None, "zz"]),
        ("ODD", [], [None, 1, "x"]),
    ],
)
def test_values(document: Json, kind: str, right: list[object], wrong: list[object]) -> None:
    record = {"record": "message", **document["messages"][0]}
    for value in right:
        assert is_valid(record | {"arguments": [{"type": kind, "value": value}]}), value
    for value in wrong:
        assert not is_valid(record | {"result": {"type": kind, "value": value}}), value


def test_every_problem_code_is_possible(document: Json) -> None:
    record = {"record": "problem", **document["problems"][0]}
    assert all(is_valid(record | {"code": code}) for code in CODES)


def test_records_of_the_tests_are_watched() -> None:
    """A record that breaks the contract fails the test that makes it."""
    from dissector.model import CaptureInfo
    from dissector.render.records import Records
    from dissector.wire.masking import Mask

    with pytest.raises(AssertionError, match="packets"):
        Records(Mask()).capture(CaptureInfo("x.pcap", packets=-1))
