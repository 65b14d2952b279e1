"""Strings inside of messages: construct's parameters, scripts, environments and results of genuine recordings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissector.wire.details import (
    ProcessResult,
    SourcePart,
    construct_parameters,
    environment,
    process_result,
    script_source,
    variable_set,
)
from dissector.wire.messages import SafeArray, Variant

PROLOG = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
ENVIRONMENT = (
    f'{PROLOG}<environment count="2" estimated_byte_count="9"><variable name="SCHEDULER_TASK_ID" value="1"/>'
    '<variable name="EMPTY" value=""/></environment>\n'
)
SCRIPT = (
    f'{PROLOG}<source><source_part linenr="10"><![CDATA[echo "a<b"; \nexit 0]]></source_part>'
    '<source_part linenr="20">echo äöü</source_part></source>\n'
)
ELEMENTS = (
    "language=shell",
    "com_class=",
    f"script={SCRIPT}",
    "job=testjob",
    "task_id=4711",
    f"environment={ENVIRONMENT}",
    "process.param_raw=a=b",
    "monitor.language=java",
    "monitor.name=first",
    "monitor.ordering=0",
    "monitor.language=shell",
    "monitor.name=second",
)


def array(*texts: str | None) -> Variant:
    variants = tuple(Variant(0, None) if text is None else Variant(8, text) for text in texts)
    return Variant(0x200C, SafeArray(0x0880, 0, 12, variants))


def test_construct() -> None:
    found = construct_parameters([array(*ELEMENTS, None, None)])
    assert (found.language, found.job, found.task_id) == ("shell", "testjob", "4711")
    assert found.script == (SourcePart(10, 'echo "a<b"; \nexit 0'), SourcePart(20, "echo äöü"))
    assert found.environment == (("SCHEDULER_TASK_ID", "1"), ("EMPTY", ""))
    assert found.get("process.param_raw") == "a=b"
    assert found.get("filename") is None
    assert [monitor.pairs for monitor in found.monitors] == [
        (("language", "java"), ("name", "first"), ("ordering", "0")),
        (("language", "shell"), ("name", "second")),
    ]
    assert [name for name, _ in found.pairs] == [text.partition("=")[0] for text in ELEMENTS]


def test_construct_takes_the_elements_too() -> None:
    strings = Variant(0x2008, SafeArray(0x0110, 0, 8, ELEMENTS))
    assert construct_parameters(ELEMENTS) == construct_parameters([strings]) == construct_parameters([array(*ELEMENTS)])
    assert construct_parameters([]).job is None


@pytest.mark.parametrize(
    ("xml", "parts"),
    [
        (f"{PROLOG}<source/>\n", ()),
        (
            '<source><source_part linenr="1">echo start\nsleep 5\n</source_part></source>',
            ((1, "echo start\nsleep 5\n"),),
        ),
        ("<source>\n text </source>", ((None, "\n text "),)),
        ("<source><source_part>x</source_part></source>", ((None, "x"),)),
        ('<source><source_part linenr="x"></source_part></source>', ((None, ""),)),
        ('<source><part linenr="1">x</part><text linenr="2">y</text></source>', ((None, "x"), (None, "y"))),
        ('<source><part> </part><source_part linenr="3"> </source_part><text> </text></source>', ((3, " "),)),
        ("echo plain > file", ((None, "echo plain > file"),)),
        (" ", ()),
    ],
)
def test_scripts(xml: str, parts: tuple[tuple[int | None, str], ...]) -> None:
    assert script_source(xml) == tuple(SourcePart(*part) for part in parts)


def test_variable_sets() -> None:
    assert variable_set(
        '<sos.spooler.variable_set count="3"><variable value="Grüner Weg 1" name="Straße"/><variable name="b" '
        'hex_value="620180"/><param name="t">text</param><variable name="n"/></sos.spooler.variable_set>'
    ) == (("Straße", "Grüner Weg 1"), ("b", "b\x01\x80"), ("t", "text"), ("n", ""))
    assert variable_set('<params><param name="a" value="1"/><param value="2"/>') == (("a", "1"),)
    assert variable_set('<params><param name="a" hex_value="6g"/></params>') == (("a", ""),)
    assert environment(ENVIRONMENT) == variable_set(ENVIRONMENT)


@pytest.mark.parametrize(
    ("xml", "result"),
    [
        (
            f'{PROLOG}<process.result spooler_process_result="false" exit_code="0" signal="9" state_text="begin"/>',
            ProcessResult(0, "9", "begin", (), False),
        ),
        (
            '<process.result spooler_process_result="true" exit_code="-1073741510"><order.params>'
            '<param name="a" value="1"/></order.params></process.result>',
            ProcessResult(-1073741510, None, None, (("a", "1"),), True),
        ),
        ('<process.result spooler_process_result="true"/>', ProcessResult(None, None, None, (), True)),
        ('<process.result exit_code="five"/>', ProcessResult(None, None, None, ())),
        ('<process.result exit_code="4294967295"/>', ProcessResult(4294967295, None, None, ())),
        ('<process.result exit_code="0"', None),
        (
            '<process.result exit_code="1" state_text="\x1b[0m & <b> &amp;&#33;&#x21;&#xd800;&lt'
            '&#x10ffff;&#x110000;&#xd7ff;&#xdfff;&#xe000;&#0;&#1;"/>',
            ProcessResult(1, None, "\x1b[0m & <b> &!!&#xd800;&lt\U0010ffff&#x110000;\ud7ff&#xdfff;\ue000&#0;\x01", ()),
        ),
        ('<process.result exit_code="1" state_text="a"b"><p>', ProcessResult(1, None, "a", ())),
        ("<process.result exit_code='1' exit_code='2'/>junk", ProcessResult(1, None, None, ())),
        ("<process.results exit_code='1'/>", None),
        ("<other/>", None),
        ("true", None),
        ("", None),
    ],
    ids=range(13),
)
def test_process_results(xml: str, result: ProcessResult | None) -> None:
    assert process_result(xml) == result


TRUTHS = sorted((Path(__file__).resolve().parents[2] / "captures").rglob("*.truth.json"))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def calls(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, dict) and value.get("member") == "construct" and value.get("arguments"):
        yield value["arguments"]
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from calls(item)


@pytest.mark.skipif(not TRUTHS, reason="the recordings' truth files are not there")
def test_every_genuine_construct_is_read() -> None:
    found = [
        construct_parameters(texts(arguments))
        for path in TRUTHS
        for arguments in calls(json.loads(path.read_text(encoding="utf-8")))
    ]
    assert found
    for parameters in found:
        assert parameters.language in ("shell", "java")
        assert parameters.job
        assert (parameters.task_id or "").isdigit()


@given(st.text(max_size=60), st.sampled_from(["{}", "<source>{}</source>", "<process.result exit_code='{}'/>"]))
def test_no_text_raises(text: str, frame: str) -> None:
    xml = frame.format(text)
    script_source(xml)
    variable_set(xml)
    process_result(xml)
    construct_parameters([xml, f"script={xml}", f"environment={xml}"])


def test_what_is_read_may_be_a_key() -> None:
    found = construct_parameters(ELEMENTS)
    assert found.monitors
    assert {found, process_result("<process.result/>"), process_result("<process.result/>")} >= {found}


@pytest.mark.parametrize(("signal", "number"), [("9", 9), ("15", 15), ("0", None), (None, None), ("x", None)])
def test_a_signal_that_ended_a_process(signal: str | None, number: int | None) -> None:
    assert ProcessResult(0, signal, None, ()).signal_number == number
