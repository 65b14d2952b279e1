"""``import jstrace``: light, lazy, typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import jstrace

ROOT = Path(__file__).resolve().parents[2]
#: What takes long to import and is needed by few.
HEAVY = ("construct", "scapy", "rich", "textual", "click", "pandas", "dataclasses", "dissector.session", "json")
#: Milliseconds; an import that brings the tracer along takes several times as long.
SOON = 60

#: What a user writes, with the words that a type checker must know.
SCRIPT = """
from __future__ import annotations

from datetime import datetime
from pathlib import Path

import jstrace


def failed(path: Path) -> list[tuple[str | None, datetime, float]]:
    with jstrace.trace(path, filter="outcome!=success") as tasks:
        found = [(task.job, task.start, task.duration) for task in tasks if task.outcome == "failure"]
        for problem in tasks.problems:
            print(problem.code, problem.severity, problem.packets[0])
        for capture in tasks.captures:
            print(capture.file, capture.truncated)
    return found


def said(path: str) -> None:
    for message in jstrace.messages(path, task=3):
        for argument in message.arguments or ():
            if isinstance(argument.value, jstrace.Object):
                print(argument.value.class_name, argument.value.id + 1)
        if message.error is not None:
            print(message.error.text.upper())
        record = message.to_dict()
        print(record["direction"], record["packets"][0] + 1)


def everything(path: str) -> None:
    for event in jstrace.events(path, with_messages=True):
        if isinstance(event, jstrace.Task):
            print(event.log[0].level, event.to_dict()["counts"]["calls"])
        elif isinstance(event, jstrace.Connection):
            print(event.client.ip, event.client.port)
        elif isinstance(event, jstrace.Problem):
            print(event.summary)
        else:
            print(event.kind)


def follow() -> None:
    try:
        with jstrace.live("eth0", seconds=60, warn=print) as tasks:
            for task in tasks:
                print(task.outcome, tasks.dropped)
    except jstrace.CaptureError as error:
        print(error.where, error.number, error.offset)


def frame(data: bytes) -> None:
    decoded = jstrace.decode(data)
    print([leaf.text for leaf in decoded.fields.leaves()], decoded.result and decoded.result.value)
    print(jstrace.__version__, jstrace.schema())
"""
#: Mistakes that it must find.
WRONG = """
import jstrace

for task in jstrace.trace("x.pcap"):
    task.outcome == "lsot"
    task.jbo
    task.n = 3
jstrace.tarce("x.pcap")
"""


def test_import_is_light() -> None:
    shown = "import jstrace, sys; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {shown}", *HEAVY],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == []


def test_import_is_quick() -> None:
    """User time of the best of some tries: other processes share the machine."""
    measure = (
        "import os; a = os.times(); import jstrace; b = os.times(); "
        "print(1000 * (b.user + b.system - a.user - a.system))"
    )
    tries = [
        float(subprocess.run([sys.executable, "-c", measure], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(tries) < SOON


def test_every_name_is_there() -> None:
    assert set(jstrace.__all__) <= set(dir(jstrace))
    for name in jstrace.__all__:
        assert getattr(jstrace, name) is not None, name
    with pytest.raises(AttributeError, match="no attribute 'tarce'"):
        jstrace.tarce  # type: ignore[attr-defined]  # noqa: B018  just to ask for it


def test_a_script_is_typed_throughout_and_mistakes_are_found(tmp_path: Path) -> None:
    """One run of mypy looks at both."""
    mypy = pytest.importorskip("mypy").__name__
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    strict = "--strict", "--config-file", "", "--disallow-any-expr", "--follow-imports", "silent"
    done = subprocess.run(
        [sys.executable, "-m", mypy, *strict, "--cache-dir", tmp_path / "c", "script.py", "wrong.py"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={"MYPYPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    found = [line.split(":")[:2] for line in done.stdout.splitlines() if "error" in line.split(": ")[1:2]]
    assert {file for file, _ in found} == {"wrong.py"}, done.stdout
    assert sorted({line for _, line in found}) == list("5678")
