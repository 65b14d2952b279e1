"""Habits of the sources: one meaning for one name, and no rule is set aside without a reason."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path
    for folder in ("dissector", "jstrace", "handbook", "benchmarks", "fuzz", "mutation", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
#: Loops over packets or bytes in which a call would cost too much.
TOO_COMPLEX = {"session/run_detection.py"}
#: Classes that two modules of the package have under one name.
SHARED = {
    # The letter of the protocol, and who reads a command connection.
    "Command": {"wire/enums.py", "session/commands.py"},
    # Numbers of the wire with their names, and a row of the table of problems.
    "Code": {"wire/enums.py", "session/capture_codes.py"},
    # What construct declares, and the same as a node.
    "Repeating": {"wire/grammar.py", "codegen/ir.py"},
    # That a connection was opened, and what is remembered of it; of a run, and of an IP datagram.
    "Opened": {"traffic.py", "session/pairs.py"},
    "Part": {"stream/block.py", "stream/ip.py"},
}

#: A number and a noun in a text, where the number is never 1: limits, and what is said of several alone.
NEVER_ONE = {
    "outfile.py": "{suffix} files",
    "render/text.py": "{lines} lines",
    "render/ports.py": "{ports} ports",
    "render/connections.py": "{len(tries)} connections|{len(marks)} times",
    "render/views.py": "{seen or 'no'} tasks",
    "render/report/view.py": "{tasks} tasks|{bad} tasks",
    "render/points.py": "{len(alike)} times",
    "points/lost.py": "{size} bytes",
    "points/answers.py": "{times} times",
    "session/silent_ends.py": "{number} times|{smallest} bytes",
    "session/unanswered.py": "{len(self.errors)} times",
    "session/exchanges.py": "{MAX_PENDING_COMMANDS} requests",
    "session/bounds.py": "{MAX_OPEN_TASKS} tasks",
    "session/running.py": "{self.failed.count} calls",
    "session/connection_quality.py": "{about.retransmissions} segments",
    "session/no_task.py": "{longest} bytes",
    "session/sights.py": "{number} connections",
    "session/tls_sealed.py": "{sealed.rhythm.turns} requests|{number} times",
    "cli/read.py": "{limits.MAX_JSON_DEPTH} times",
    "sources/bytestream.py": "{MAX_RATIO:,} times",
    "wire/http.py": "{most} bytes",
    "wire/json_text.py": "{MAX_JSON} bytes",
    "reports/diff.py": "{len(found)} tasks|{end_b - head} messages",
    "stream/wrong_bytes.py": "{length} bytes|{MAX_DECODED_MESSAGE} bytes|{MAX_DOCUMENT} bytes",
    "stream/http.py": "{MAX_HTTP_HEAD} bytes",
}


def _classes(path: Path) -> Iterator[str]:
    """Public classes at the top of a module."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def test_one_meaning_for_one_name() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "dissector").rglob("*.py")):
        for name in _classes(path):
            places[name].add(path.relative_to(ROOT / "dissector").as_posix())
    assert {name: found for name, found in places.items() if len(found) > 1} == SHARED


def test_every_exception_from_a_rule_has_a_reason() -> None:
    bare = re.compile(r"#\s*noqa(?!: [A-Z]+\d+(?:, [A-Z]+\d+)* {1,2}\S)", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        if path.name not in ("_decoder.py", "python.py", "test_habits.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert found == []


def test_only_the_innermost_loops_are_complex() -> None:
    package = ROOT / "dissector"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "# noqa: C901  " in path.read_text(encoding="utf-8")
    }
    assert found == TOO_COMPLEX


def test_no_two_modules_of_tests_have_one_name() -> None:
    """pytest knows them by their names alone."""
    names = [path.name for path in SOURCES if path.is_relative_to(ROOT / "tests")]
    assert sorted(set(names)) == sorted(names)


def test_numbers_of_things_are_said_by_one_helper() -> None:
    """``count`` says ``1 packet`` and ``2 packets``."""
    nouns = "packets|frames|tasks|connections|messages|records|bytes|calls|segments|times|lines|files|problems|captures"
    more = "answers|requests|elements|differences|ports|secrets|fields|addresses|starts|callbacks|exchanges"
    said = re.compile(rf"\{{[^{{}}]*\}} (?:more )?(?:{nouns}|{more})\b")
    for path in sorted((ROOT / "dissector").rglob("*.py")):
        text = "".join(line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if '"""' not in line)
        found = {one for one in said.findall(text) if not re.search(r"about\.|other", one.partition(" ")[0])}
        name = path.relative_to(ROOT / "dissector").as_posix()
        assert found <= set(NEVER_ONE.get(name, "").split("|")), name
