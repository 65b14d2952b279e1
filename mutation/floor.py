"""Tries the mutants of one floor, each in a process of its own that is forked when all tests are collected.

    python -m mutation.floor FLOOR INPUT OUTPUT     in a copy of the project

``INPUT`` has mutants as JSON, ``OUTPUT`` gets those that were killed or not, a line each.  All tests run once, to see
which of them run which lines; a mutant has to pass those that run its line, the quickest first.  Where only the import
runs it, they are those that use what it makes, or name it.  Slow tests that are left after ``ENOUGH`` seconds have no
vote: a score is at least what is printed.  A single test that takes longer than ``LONGEST`` has none either.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from time import process_time

import pytest
from coverage import Coverage

from mutation.mutants import Mutant
from mutation.patch import patch
from mutation.uses import Line, names_in, users

#: What belongs to the tests of a floor besides its folder: of the tests of the whole program those that are about it.
MORE = {
    "session": ("tests/test_faults.py", "tests/test_doubts.py"),
    "sources": (),
    "stream": ("tests/sources/test_capture.py",),
    "wire": ("tests/codegen", "tests/session/test_psk.py", "tests/session/test_tls.py", "tests/test_truth.py"),
}
#: A mutant may take so many times as long as the original and so many seconds more (of CPU), and so much memory.
SLACK, EXTRA, MEMORY = 5, 10, 4 << 30
#: The tests of a mutant take at most so many seconds (of CPU, with the original).
ENOUGH, LONGEST = 6.0, 2.0
#: Tests that measure time.
TIMED = ("linear", "is_quick", "hundred_thousand", "next_to_nothing", "searched_twice", "without_end")
_OPTIONS = ("-x", "-q", "--no-header", "--tb=no", "-p", "no:xdist", "-p", "mutation.examples")


class Trials:
    """For pytest: instead of its loop over the tests."""

    def __init__(self, mutants: list[Mutant], out: Path) -> None:
        self.mutants = mutants
        self.out = out
        self.failed = self.anew_checked = self.measures = False
        self.items: dict[str, pytest.Item] = {}
        self.lines: dict[str, dict[int, set[str]]] = {}
        self.seconds: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A test that measures time fails by chance: no vote for it."""
        items[:] = [item for item in items if not any(word in item.name for word in TIMED)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        if self.measures:
            signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            return (yield)
        finally:
            if self.measures:
                signal.setitimer(signal.ITIMER_PROF, 0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed |= report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        with tempfile.NamedTemporaryFile("r", suffix=".json") as file:
            if not _forked(lambda: self._measure(Path(file.name)), 0):
                raise RuntimeError("the tests do not run")
            lines, self.seconds = json.load(file)
        self.items = {name: item for name, item in self.items.items() if name in self.seconds}
        self.lines = {module: {int(line): set(tests) for line, tests in of.items()} for module, of in lines.items()}
        with self.out.open("w") as out:
            for mutant in self.mutants:
                out.write(json.dumps([mutant, not self._survives(mutant)]) + "\n")
                out.flush()
        return True

    # --- which test runs what ----------------------------------------------------------------------------------------

    def _measure(self, found: Path) -> bool:
        modules = {module for mutant in self.mutants for module, _ in _lines(mutant) | _users(mutant)[0]}
        coverage = Coverage(data_file=None, include=[str(Path(module).resolve()) for module in modules])
        coverage.start()
        self.measures = True
        signal.signal(signal.SIGPROF, _too_long)
        seconds = {}
        for name in self.items:
            coverage.switch_context(name)
            begin = process_time()
            if self._passes([name]):
                seconds[name] = process_time() - begin
            else:
                os.write(2, f"{name} fails or takes long without any mutant, so it has no vote\n".encode())
                self.failed = False
        coverage.stop()
        data = coverage.get_data()
        lines = {module: data.contexts_by_lineno(str(Path(module).resolve())) for module in modules}
        found.write_text(json.dumps([lines, seconds]))
        return True

    def _tests(self, mutant: Mutant) -> list[str]:
        found = self._running(_lines(mutant))
        if not found:
            lines, names = _users(mutant)
            found = self._running(lines) | {name for name in self.seconds if names & _named(self.items[name])}
        # Where nothing tells: anybody may notice, who runs anything else of the module first of all.
        near = found or set().union(*self.lines.get(mutant.module, {}).values())
        tests = sorted(found or self.items, key=lambda name: (name not in near, self.seconds[name]))
        ends = accumulate(self.seconds[name] for name in tests)
        return [name for name, end in zip(tests, ends, strict=True) if end < ENOUGH or name == tests[0]]

    def _running(self, lines: set[Line]) -> set[str]:
        """Tests with a vote that run one of these lines."""
        found = set().union(*(self.lines.get(module, {}).get(line, ()) for module, line in lines))
        return found & self.seconds.keys()

    # --- one mutant --------------------------------------------------------------------------------------------------

    def _passes(self, names: list[str]) -> bool:
        items = [self.items[name] for name in names]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                return False
        return True

    def _survives(self, mutant: Mutant) -> bool:
        before, after = mutant.sources()
        tests = self._tests(mutant)
        patience = EXTRA + SLACK * sum(self.seconds[name] for name in tests)
        module = mutant.module.removesuffix(".py").replace("/", ".")
        fits = _forked(lambda: patch(module, before, after), EXTRA)
        if fits:
            return _forked(lambda: patch(module, before, after) and self._passes(tests), patience)
        if not self.anew_checked and not _anew(tests):
            raise RuntimeError("a test fails in a new process without any mutant")
        self.anew_checked = True
        path = Path(mutant.module)
        path.write_text(after, encoding="utf-8")
        try:
            return _forked(lambda: _anew(tests), patience)
        finally:
            path.write_text(before, encoding="utf-8")


def _lines(mutant: Mutant) -> set[Line]:
    return {(mutant.module, line) for line in range(mutant.start[0], mutant.end[0] + 1)}


def _users(mutant: Mutant) -> tuple[set[Line], set[str]]:
    found = [users(module, line) for module, line in _lines(mutant)]
    return set().union(*(lines for lines, _ in found)), set().union(*(names for _, names in found))


def _named(item: pytest.Item) -> set[str]:
    """The names that a test's own function has."""
    return names_in(item.function.__code__) if isinstance(item, pytest.Function) else set()


def _anew(tests: list[str]) -> bool:
    """Runs tests in a process that imports everything anew."""
    Path("tests.txt").write_text("\n".join(tests))
    command = [sys.executable, "-m", "pytest", *_OPTIONS, "@tests.txt"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, check=False, capture_output=True).returncode == 0


def _too_long(*_: object) -> None:
    raise TimeoutError


def _forked(work: Callable[[], bool], seconds: float) -> bool:
    """Does ``work`` in another process; False also when it takes longer (0: it may), or ends with an exception."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    status = 1
    try:
        if seconds:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 5, int(seconds) + 5))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        status = 0 if work() else 1
    finally:
        os._exit(status)


def main(floor: str, source: str, target: str) -> None:
    found = [Mutant.of(fields) for fields in json.loads(Path(source).read_text())]
    places = f"tests/{floor}", *MORE[floor]
    sys.exit(pytest.main([*_OPTIONS, *places], plugins=[Trials(found, Path(target))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
