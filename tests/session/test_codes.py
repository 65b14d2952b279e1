"""Every problem code has its words, and no code is made up on the way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import dissector
from dissector.model import Severity
from dissector.session.codes import CODES

PACKAGE = Path(dissector.__file__).parent

#: The codes of the output contract: scripts rely on them, so none is ever renamed.
CONTRACT = """
    command_unanswered command_refused command_rejected start_error callback_dropped callback_refused callback_elsewhere
    callback_late callback_missing callback_other_address callback_foreign_bytes connection_lost idle_connection_cut
    command_lost_first task_killed job_failed error_answer call_failed slow_call open_call retransmissions zero_window
    port_range_low gap mid_stream one_direction undecoded_frame trailing_bytes impossible_length snap_length
    capture_truncated clock_backwards ip_fragment command_not_captured callback_not_captured
""".split()  # noqa: SIM905  reads like the contract

#: What makes a problem; its first argument or its keyword ``code`` is the code.
MAKERS = {"problem", "_problem", "Problem", "Finding", "StreamProblem"}
#: What a rule fills in.
WORDS = {"client": "10.1.0.10", "remote": "10.2.0.10:4455", "port": 59_999}


def literals(node: ast.expr | None) -> Iterator[str]:
    """String literals that an argument may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


def emitted(path: Path) -> Iterator[tuple[str, int]]:
    """Codes in one module with their lines: arguments of makers, and what is assigned to a variable ``code``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        candidates: list[ast.expr | None] = []
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            if name in MAKERS:
                candidates += node.args[:1]
                candidates += [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        elif isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == ["code"]:
            candidates.append(node.value)
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Tuple) and isinstance(node.iter, ast.Tuple):
            rows = [row.elts[0] for row in node.iter.elts if isinstance(row, ast.Tuple)]
            candidates += rows if getattr(node.target.elts[0], "id", None) == "code" else []
        for candidate in candidates:
            for code in literals(candidate):
                if not code.startswith("{"):  # a row that names a fact
                    yield code, getattr(node, "lineno", 0)


ALL_EMITTED = {
    code: f"{path.relative_to(PACKAGE)}:{line}"
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parts[-2] in ("session", "stream", "sources")
    for code, line in emitted(path)
}


def test_the_contract_s_codes_are_all_there() -> None:
    assert len(CONTRACT) == len(set(CONTRACT)) == 35
    assert [code for code in CONTRACT if code not in CODES] == []


def test_every_code_that_is_emitted_is_in_the_table() -> None:
    assert {code: place for code, place in ALL_EMITTED.items() if code not in CODES} == {}
    assert len(ALL_EMITTED) > 25  # the walk found what it looks for


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_words_that_fit_every_task(code: str) -> None:
    entry = CODES[code]
    assert isinstance(entry.severity, Severity)
    assert entry.meaning.endswith(".")
    for text in (entry.cause, entry.remedy):
        assert text
        fields = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
        assert fields <= WORDS.keys()
        assert "{" not in text.format(**WORDS)
    assert all(isinstance(word, str) and word for word in entry.engine)


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_one_line_of_plain_words(code: str) -> None:
    for text in CODES[code][1:4]:
        assert text.isprintable()
        assert text == text.strip()
        assert "  " not in text


@pytest.mark.parametrize("code", ["gap", "impossible_length", "mid_stream", "undecoded_frame"])
def test_problems_of_the_bytes_need_no_task(code: str) -> None:
    """They are told as they stand, without a task to fill in the words."""
    assert "{" not in CODES[code].cause + CODES[code].remedy
