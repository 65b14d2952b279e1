"""Tasks as they run: a capture on interfaces, or a capture stream, followed as it grows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from types import TracebackType

from dissector import model
from dissector.errors import UsageError
from dissector.monitor import WINDOW, Ends, Monitor
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.session.run_detection import runs_finder
from dissector.session.tracer import Tracer
from dissector.sources.bytestream import STANDARD_INPUT
from dissector.sources.live import Source, open_source
from dissector.sources.support import check
from jstrace.reading import Chosen, Path, choose, secrets
from jstrace.records import Capture, Problem, Task

#: Warnings that are kept.
_MOST = 1_000


class Live(Iterator[Task]):
    """Tasks that ended, one by one; ``next`` waits for the next one.  ``close`` (or ``with``) ends the capture."""

    def __init__(
        self, source: Source, tracer: Tracer, chosen: Chosen, ends: Ends, slow: float, warn: Callable[[str], object]
    ) -> None:
        self._listener = _Listener(chosen, warn)
        self._monitor = Monitor(source, tracer, self._listener, slow=int(slow * 1e9), ends=ends)
        self._chosen = chosen
        self._items = self._follow()
        next(self._items)  # from now on closing it closes the source

    def __next__(self) -> Task:
        found = next(self._items)
        while found is None:
            found = next(self._items)
        return found

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The capture ends at once; what is under way is not told any more."""
        self._items.close()

    def stop(self) -> None:
        """The capture ends, and iterating goes on with what is under way, as it is.  Any thread may say so."""
        self._monitor.stop()

    @property
    def captures(self) -> tuple[Capture, ...]:
        """What was captured so far, as one capture."""
        return (self._chosen.make.capture(self._monitor.source.info),)

    @property
    def dropped(self) -> int:
        """Packets that the kernel had to drop, as of the last look."""
        return self._monitor.dropped

    @property
    def warnings(self) -> tuple[str, ...]:
        """What ``warn`` got, the newest 1,000."""
        return tuple(self._listener.warnings)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Problems of no task, the newest 1,000."""
        return tuple(self._listener.problems)

    def _follow(self) -> Generator[Task | None, None, None]:
        steps = self._monitor.steps()
        found = self._listener.tasks
        try:
            yield None
            for _ in steps:
                while found:
                    yield found.popleft()
                yield None
            while found:
                yield found.popleft()
        finally:
            steps.close()
            self._monitor.source.close()
        if self._monitor.error is not None:
            raise self._monitor.error


class _Listener:
    """Keeps what the monitor tells until somebody takes it."""

    def __init__(self, chosen: Chosen, warn: Callable[[str], object]) -> None:
        self.wants_messages = chosen.needs_messages
        self.tasks: deque[Task] = deque()
        self.problems: deque[Problem] = deque(maxlen=_MOST)
        self.warnings: deque[str] = deque(maxlen=_MOST)
        self._chosen = chosen
        self._warn = warn

    def started(self, task: model.Task) -> None:
        """No record yet."""

    def called_back(self, task: model.Task) -> None:
        """No record yet."""

    def add(self, event: model.Event) -> None:
        for passed in self._chosen.sieve.feed(event):
            self._take(passed)

    def warn(self, problem: model.Problem) -> None:
        where = f"task {problem.task.n}: " if problem.task is not None else ""
        self.note(f"{where}{self._chosen.make.problem(problem).summary}")

    def note(self, text: str) -> None:
        self.warnings.append(text)
        self._warn(text)

    def running(self, changed: Sequence[model.Running], now: int, look: model.Look) -> None:
        """Only what is final is of interest."""

    def close(self, captures: Sequence[model.CaptureInfo]) -> None:  # noqa: ARG002  the monitor's source has them
        for passed in self._chosen.sieve.finish():
            self._take(passed)

    def _take(self, event: model.Event) -> None:
        if isinstance(event, model.Task):
            self.tasks.append(self._chosen.make.task(event))
        elif isinstance(event, model.Problem) and event.task is None:
            self.problems.append(self._chosen.make.problem(event))


def live(
    *interfaces: str,
    filter: str | Iterable[str] = (),
    narrow: str | None = None,
    seconds: float | None = None,
    tasks: int | None = None,
    slow: float = 10.0,
    warn: Callable[[str], object] = lambda _: None,
    show_secrets: bool = False,
    command_ports: Iterable[int] = COMMAND_PORTS,
    callback_ports: tuple[int, int] = CALLBACK_PORTS,
    tls_keylog: Path | Iterable[Path] = (),
    tls_key: Path | Iterable[Path] = (),
) -> Live:
    """Captures and gives each task when it has ended and nothing can change it any more.

    It captures from this call on, in this thread: while nobody asks for the next task packets wait in the kernel, for
    some ten seconds.  Capturing needs root or CAP_NET_RAW; unlike the command, this function drops no privileges.

    :param interfaces: names of interfaces, ``any`` for all of them, or ``-``: the capture stream on standard input.
    :param filter: as that of ``trace``.
    :param narrow: captures less, in the words of tcpdump: ``"host 10.0.0.7"``.
    :param seconds: the capture ends after this time.
    :param tasks: it ends after so many tasks, chosen by the filter or not.
    :param slow: seconds without an answer after which ``warn`` hears of a call.
    :param warn: gets what is worth telling at once: a call that hangs, a callback that does not come, dropped packets,
        an interface that went down.
    :param show_secrets: as that of ``trace``.
    :param command_ports: what is captured: to and from these ports,
    :param callback_ports: and to and from these, lowest and highest.
    :param tls_keylog: as that of ``trace``; what is written to it meanwhile is read as it is needed.
    :param tls_key: as that of ``trace``.
    :raises UsageError: no interface, a filter that makes no sense, or a system without what capturing needs.
    :raises CaptureError: no such interface, or no right to capture; while it is iterated: the interface is gone.

    >>> with jstrace.live("lo", seconds=0.1) as tasks:  # doctest: +SKIP
    ...     for task in tasks:
    ...         print(task.job, task.outcome)
    """
    if not interfaces:
        raise UsageError("there is no interface to capture on")
    if STANDARD_INPUT in interfaces and (len(interfaces) > 1 or narrow):
        raise UsageError("standard input can not be followed together with interfaces, and not be narrowed")
    chosen = choose(filter, (), messages=False, show_secrets=show_secrets)
    ports = tuple(command_ports)
    check(STANDARD_INPUT in interfaces)
    known = secrets(tls_keylog, tls_key, follow=True)
    source = open_source(interfaces, ports, callback_ports, narrow, known.add_captured, runs_finder(known))
    tracer = Tracer(ports, callback_ports, WINDOW, chosen.needs_messages, secrets=known)
    return Live(source, tracer, chosen, Ends(seconds, tasks), slow, warn)
