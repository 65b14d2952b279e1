"""Problems as rows: the conditions under which one is told, its code, and its words and proof.

A table is read top down; the first row decides whose conditions all hold.  A rule shows each row a *subject*: one thing
that a task shows (a connection that was not opened, one that ended early), as named facts.  Conditions are questions
to the subject, and so are the packets that prove the problem.  Texts name attributes of the subject in braces
(``{about.server}``); ``{usual}`` is what the table of codes has to say (``codes``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from dissector.model import Connection, Problem, Severity
from dissector.session.case import Case, problem, usual_words

USUAL = "{usual}"


class Subject(Protocol):
    """``case`` is None where no task is known; ``about`` is the connection that the problem is of."""

    @property
    def case(self) -> Case | None: ...

    @property
    def about(self) -> Connection | None: ...


V = TypeVar("V", bound=Subject, contravariant=True)


@dataclass(frozen=True, slots=True)
class Phrase(Generic[V]):
    """A part of a text: for subjects for which all of ``when`` hold."""

    text: str
    when: tuple[Callable[[V], bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Reason(Generic[V]):
    """What brought the problem about and what to do, for subjects for which all of ``when`` hold."""

    cause: str = USUAL
    remedy: str = USUAL
    when: tuple[Callable[[V], bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding(Generic[V]):
    """A problem of subjects for which all of ``when`` hold, and not all of any row above.  The first of ``reasons``
    that fits says why, and all of ``more`` that fit are added to the cause; ``time`` (ns) is the start of the task
    where none is given."""

    code: str
    when: tuple[Callable[[V], bool], ...]
    summary: str
    packets: tuple[Callable[[V], Iterable[int]], ...]
    reasons: tuple[Reason[V], ...] = (Reason(),)
    more: tuple[Phrase[V], ...] = ()
    time: Callable[[V], int] | None = None
    severity: Severity | None = None


def first(rows: tuple[Finding[V], ...], subject: V) -> Iterator[Problem]:
    """What the first row says that fits; nothing where none does."""
    for row in rows:
        if all(holds(subject) for holds in row.when):
            yield _told_by(row, subject)
            return


def every(rows: tuple[Finding[V], ...], subject: V) -> Iterator[Problem]:
    """What all rows say that fit."""
    for row in rows:
        if all(holds(subject) for holds in row.when):
            yield _told_by(row, subject)


def added(phrases: tuple[Phrase[V], ...], subject: V) -> str:
    """All phrases that fit."""
    return "".join([told(one.text, subject) for one in phrases if all(holds(subject) for holds in one.when)])


def told(text: str, subject: Subject, usual: str = "") -> str:
    """``text`` with the facts that it names."""
    return text.format_map(_Words(subject, usual))


@dataclass(slots=True)
class _Words:
    """What names in braces stand for."""

    subject: Subject
    usual: str

    def __getitem__(self, name: str) -> object:
        return self.usual if name == "usual" else getattr(self.subject, name)


def _told_by(row: Finding[V], subject: V) -> Problem:
    code, ask = told(row.code, subject), row.time
    cause, remedy = usual_words(code, subject.case, subject.about)
    reason = next(one for one in row.reasons if all(holds(subject) for holds in one.when))
    return problem(
        code,
        told(row.summary, subject),
        [number for packets in row.packets for number in packets(subject)],
        subject.about,
        case=subject.case,
        time=None if ask is None else ask(subject),
        cause=told(reason.cause, subject, cause) + added(row.more, subject),
        remedy=told(reason.remedy, subject, remedy),
        severity=row.severity,
    )
