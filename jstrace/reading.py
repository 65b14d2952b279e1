"""Capture files: tasks, messages, everything; each as soon as it is final."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from types import TracebackType
from typing import TypeVar

from dissector import model
from dissector.errors import UsageError
from dissector.keys import secrets_of
from dissector.maskfile import configured
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.reading import Reading
from dissector.render.filter import parse
from dissector.render.records import Records
from dissector.render.views import Sieve, refuse_missing
from dissector.wire.masking import Mask
from dissector.wire.secrets import extend
from dissector.wire.tls_keys import Secrets
from jstrace.making import Maker
from jstrace.records import Capture, Connection, Exchange, Message, Problem, Task

Path = str | PathLike[str]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Chosen:
    """What is asked for, and what makes records of it."""

    make: Maker
    sieve: Sieve
    #: The tracer has to make messages.
    needs_messages: bool


def choose(filters: str | Iterable[str], tasks: Iterable[int], *, messages: bool, show_secrets: bool) -> Chosen:
    """:raises UsageError: a filter that makes no sense, or a line of mask.conf that is none"""
    chosen = parse((filters,) if isinstance(filters, str) else filters)
    extend(*configured())
    sieve = Sieve(frozenset(tasks), chosen, wants_messages=messages)
    return Chosen(Maker(Records(Mask(not show_secrets))), sieve, messages or bool(chosen.on_messages))


def secrets(logs: Path | Iterable[Path], keys: Path | Iterable[Path], *, follow: bool = False) -> Secrets:
    """As ``secrets_of``, with the environment of this process."""
    return secrets_of(_paths(logs), _paths(keys), os.environ, follow=follow)


def _paths(given: Path | Iterable[Path]) -> list[Path]:
    return [given] if isinstance(given, (str, PathLike)) else list(given)


class Trace(Iterator[Item]):
    """What was asked for, one by one; reading goes on only as far as somebody asks.

    It closes its files at the end; where a loop may be left before that, ``with`` or ``close`` does.

        with jstrace.trace("capture.pcapng") as tasks:
            first = next(tasks)
    """

    def __init__(
        self, reading: Reading, chosen: Chosen, pick: Callable[[Maker, model.Event], Item | None], tasks: frozenset[int]
    ) -> None:
        self._reading = reading
        self._chosen = chosen
        self._pick = pick
        self._tasks = tasks
        self._problems: list[Problem] = []
        self._seen = 0
        self._items = self._read()

    def __next__(self) -> Item:
        return next(self._items)

    def __enter__(self) -> Trace[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing more is read: files are closed, and there is no next item."""
        self._items.close()

    @property
    def captures(self) -> tuple[Capture, ...]:
        """The files, each as far as it was read."""
        return tuple(map(self._chosen.make.capture, self._reading.infos))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Of files that were read in part only, or (of several) not at all; all of them at the end."""
        return tuple(map(self._chosen.make.problem, self._reading.warnings))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Problems of no task found so far: of connections, of the capture as a whole, and at the end what a capture
        without tasks holds instead.  Those of tasks are in their ``problems``."""
        return tuple(self._problems)

    def _read(self) -> Generator[Item, None, None]:
        make, sieve = self._chosen.make, self._chosen.sieve
        for event in self._reading.events():
            self._note(event)
            for passed in sieve.feed(event):
                if (item := self._pick(make, passed)) is not None:
                    yield item
        for passed in sieve.finish():
            if (item := self._pick(make, passed)) is not None:
                yield item
        for warning in self._reading.warnings:
            self._note(warning)
            if (item := self._pick(make, warning)) is not None:
                yield item
        refuse_missing(self._tasks, self._seen)

    def _note(self, event: model.Event) -> None:
        if isinstance(event, model.Task):
            self._seen += 1
        elif isinstance(event, model.Problem) and event.task is None:
            self._problems.append(self._chosen.make.problem(event))


def trace(
    *paths: Path,
    filter: str | Iterable[str] = (),
    task: int | Iterable[int] = (),
    show_secrets: bool = False,
    command_ports: Iterable[int] = COMMAND_PORTS,
    callback_ports: tuple[int, int] = CALLBACK_PORTS,
    tls_keylog: Path | Iterable[Path] = (),
    tls_key: Path | Iterable[Path] = (),
    jobs: int = 1,
) -> Trace[Task]:
    """The tasks in capture files, each as soon as nothing can change it any more.

    :param paths: pcap, pcapng or snoop files, also compressed; ``-`` is standard input.  Several are read as one, in
        the order of time, unless they were captured at several places on one path: then each task comes once.
    :param filter: as ``jstrace read --filter``, such as ``"job=nightly outcome!=success"``; of several all must hold.
    :param task: numbers of the tasks that are wanted.
    :param show_secrets: passwords and the like are ``***`` unless this is True.
    :param command_ports: where remote schedulers listen, a hint for connections whose bytes do not show it.
    :param callback_ports: lowest and highest port that clients open for task processes, the same kind of hint.
    :param tls_keylog: key logs (NSS format) to decipher HTTPS with, beside the secrets that a pcapng file has itself;
        without them the file that ``TLS_KEYLOG_FILE`` or ``SSLKEYLOGFILE`` names in the environment.
    :param tls_key: private keys (RSA, PEM) of servers, for cipher suites that begin with ``TLS_RSA``.
    :param jobs: 2 lets a second process (a fork of this one) read ahead.
    :raises UsageError: at once: no path, a filter that could never match, or a file of secrets that is none; at the
        end: there is no such task.
    :raises ToolError: there are secrets, and the package that deciphers is missing (``pip install 'jstrace[tls]'``).
    :raises CaptureError: while it is iterated: a single file, or every one of several, can not be read.  It has
        ``where`` (the file), ``number`` (the packet), ``offset`` (in the file) and ``reason``; a number or an offset
        that is not known is None.  What can be read in part is read, and ``warnings`` says so.

    >>> for task in jstrace.trace("captures/engine_order.pcap", "captures/engine_shell_fail.pcap"):
    ...     print(task.n, task.job, task.outcome, task.duration, [problem.code for problem in task.problems])
    1 shell_fail failure 0.015143 ['job_failed']
    3 ordershell success 0.126799 []
    2 orderjob success 6.258143 []
    >>> with jstrace.trace("captures/engine_order.pcap", filter="job=order* took<1s") as tasks:
    ...     print(next(tasks).job)
    ordershell
    """
    numbers = _numbers(task)
    return _traced(
        paths, choose(filter, numbers, messages=False, show_secrets=show_secrets), _task, numbers,
        command_ports, callback_ports, secrets(tls_keylog, tls_key), jobs,
    )  # fmt: skip


def messages(
    *paths: Path,
    filter: str | Iterable[str] = (),
    task: int | Iterable[int] = (),
    show_secrets: bool = False,
    command_ports: Iterable[int] = COMMAND_PORTS,
    callback_ports: tuple[int, int] = CALLBACK_PORTS,
    tls_keylog: Path | Iterable[Path] = (),
    tls_key: Path | Iterable[Path] = (),
    jobs: int = 1,
) -> Trace[Message]:
    """What was said on the connections of tasks, in order; with ``task`` or conditions on tasks when the task is final.

    Parameters and errors are those of ``trace``.

    >>> for message in jstrace.messages("captures/engine_shell_fail.pcap", task=1, filter="member=spooler_log.log"):
    ...     if message.arguments:
    ...         print(message.packets, message.arguments[-1].value)
    (35,) SCHEDULER-987  Starting process: '/bin/sh' '-c' '"/var/temp/sos.33nqhw"'
    (41,) failing
    """
    numbers = _numbers(task)
    return _traced(
        paths, choose(filter, numbers, messages=True, show_secrets=show_secrets), _message, numbers,
        command_ports, callback_ports, secrets(tls_keylog, tls_key), jobs,
    )  # fmt: skip


def exchanges(
    *paths: Path,
    filter: str | Iterable[str] = (),
    task: int | Iterable[int] = (),
    show_secrets: bool = False,
    command_ports: Iterable[int] = COMMAND_PORTS,
    callback_ports: tuple[int, int] = CALLBACK_PORTS,
    tls_keylog: Path | Iterable[Path] = (),
    tls_key: Path | Iterable[Path] = (),
    jobs: int = 1,
) -> Trace[Exchange]:
    """Requests over HTTP with their responses, of Universal Agents and of commands to classic remote schedulers; each
    when it is final, with ``task`` or conditions on tasks when the task is.

    Parameters and errors are those of ``trace``; conditions on messages choose no exchange.

    >>> for one in jstrace.exchanges("captures/agent/ua113_startfail.pcap"):
    ...     print(one.n, one.task, one.type, one.status, one.response["$TYPE"])
    1 1 StartApiTask 200 StartTaskFailed
    2 2 StartApiTask 200 StartTaskFailed
    """
    numbers = _numbers(task)
    return _traced(
        paths, choose(filter, numbers, messages=True, show_secrets=show_secrets), _exchange, numbers,
        command_ports, callback_ports, secrets(tls_keylog, tls_key), jobs,
    )  # fmt: skip


def events(
    *paths: Path,
    filter: str | Iterable[str] = (),
    task: int | Iterable[int] = (),
    with_messages: bool = False,
    show_secrets: bool = False,
    command_ports: Iterable[int] = COMMAND_PORTS,
    callback_ports: tuple[int, int] = CALLBACK_PORTS,
    tls_keylog: Path | Iterable[Path] = (),
    tls_key: Path | Iterable[Path] = (),
    jobs: int = 1,
) -> Trace[Task | Connection | Problem | Message | Exchange]:
    """Everything in the order in which it becomes final: what ``jstrace read --format jsonl`` prints before
    its captures, which are in ``captures``.

    Parameters and errors are those of ``trace``.

    :param with_messages: messages and exchanges too.

    >>> from collections import Counter
    >>> found = jstrace.events("captures/engine_shell_fail.pcap", with_messages=True)
    >>> Counter(type(one).__name__ for one in found).most_common()
    [('Message', 34), ('Connection', 2), ('Problem', 1), ('Task', 1)]
    >>> found.captures[0].packets
    58
    """
    numbers = _numbers(task)
    return _traced(
        paths, choose(filter, numbers, messages=with_messages, show_secrets=show_secrets), _any, numbers,
        command_ports, callback_ports, secrets(tls_keylog, tls_key), jobs,
    )  # fmt: skip


def _traced(
    paths: Iterable[Path],
    chosen: Chosen,
    pick: Callable[[Maker, model.Event], Item | None],
    numbers: frozenset[int],
    command_ports: Iterable[int],
    callback_ports: tuple[int, int],
    known: Secrets,
    jobs: int,
) -> Trace[Item]:
    files = list(paths)
    if not files:
        raise UsageError("there is no capture file to read")
    reading = Reading(
        files, command_ports, callback_ports, messages=chosen.needs_messages, prefetch=jobs > 1, secrets=known
    )
    return Trace(reading, chosen, pick, numbers)


def _numbers(tasks: int | Iterable[int]) -> frozenset[int]:
    return frozenset((tasks,) if isinstance(tasks, int) else tasks)


def _task(make: Maker, event: model.Event) -> Task | None:
    return make.task(event) if isinstance(event, model.Task) else None


def _message(make: Maker, event: model.Event) -> Message | None:
    return make.message(event) if isinstance(event, model.Message) else None


def _exchange(make: Maker, event: model.Event) -> Exchange | None:
    return make.exchange(event) if isinstance(event, model.Exchange) else None


def _any(make: Maker, event: model.Event) -> Task | Connection | Problem | Message | Exchange | None:
    if isinstance(event, model.Task):
        return make.task(event)
    if isinstance(event, model.Message):
        return make.message(event)
    if isinstance(event, model.Connection):
        return make.connection(event)
    if isinstance(event, model.Exchange):
        return make.exchange(event)
    return make.problem(event)
