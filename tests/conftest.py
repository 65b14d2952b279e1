"""What tests of the whole program share: the recordings and the command itself, run in this process."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contract_kit
import pytest
from click.testing import CliRunner, Result

#: One object as ``--format json`` prints it.
Json = dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--everything", action="store_true", help="run all cases of the tests that have many dear ones")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of tests with ``one_in(number)`` one in so many of the cases that were asked for is run, always the same ones; of
    ``dear`` ones none, unless nothing else was asked for."""
    if config.getoption("everything"):
        return
    cases: Counter[str] = Counter()
    left_out = [item for item in items if item.get_closest_marker("dear")]
    if len(left_out) == len(items):
        return
    for item in items:
        if (mark := item.get_closest_marker("one_in")) is not None:
            test = item.nodeid.partition("[")[0]
            if cases[test] % mark.args[0]:
                left_out.append(item)
            cases[test] += 1
    gone = set(left_out)
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=left_out)


def pytest_configure(config: pytest.Config) -> None:
    """A terminal of known width in UTC and a Ctrl+C that counts, whatever the tests run in; a test may set another one.

    A shell lets what it starts in the background ignore the signal, and programs that tests start would inherit that.
    Every JSON record is held against its schema.
    """
    config.addinivalue_line("markers", "one_in(number): without --everything one in so many of its cases is run")
    config.addinivalue_line("markers", "dear: is run with --everything, or alone")
    os.environ.update(COLUMNS="140", LINES="50", TZ="UTC")
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    contract_kit.watch()


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of recordings."""
    return Path(__file__).resolve().parent.parent / "captures"


@pytest.fixture(scope="session")
def jstrace() -> Callable[..., Result]:
    """The command: ``jstrace("read", path, ...)`` gives exit code, standard output and standard error."""
    from dissector.cli import main

    def run(*arguments: object) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture(scope="session")
def trace(jstrace: Callable[..., Result]) -> Callable[..., Json]:
    """``trace(path, ...)``: what ``jstrace read path ... --format json --messages`` prints, read back."""

    def read(*arguments: object) -> Json:
        result = jstrace("read", *arguments, "--format", "json", "--messages")
        assert result.exit_code == 0, result.stderr
        document: Json = json.loads(result.stdout)
        contract_kit.check(document)
        return document

    return read


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal that the tests happen to run in must not show in what they compare."""
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
