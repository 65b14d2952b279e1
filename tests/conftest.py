"""What tests of the whole program share: the recordings and the command itself, run in this process."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contract_kit
import pytest
from click.testing import CliRunner, Result

#: One object as ``--format json`` prints it.
Json = dict[str, Any]


def pytest_configure() -> None:
    """A terminal of known width in UTC and a Ctrl+C that counts, whatever the tests run in; a test may set another one.

    A shell lets what it starts in the background ignore the signal, and programs that tests start would inherit that.
    Every JSON record is held against its schema.
    """
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
