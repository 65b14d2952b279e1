"""Messages and bytes that are not as they should be, as far as they were captured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Message, Problem, Severity
from dissector.numbers import count
from dissector.session.case import Case, end_name, lack
from dissector.session.findings import Finding, Reason, first
from dissector.session.life import OutOfTurn
from dissector.session.verdict import is_incomplete
from dissector.traffic import StreamProblem


@dataclass(slots=True)
class Odd:
    """Messages that were not understood, or not wholly."""

    case: Case
    about: Connection
    messages: list[Message]

    @property
    def number(self) -> str:
        return count(len(self.messages), "message")

    @property
    def note(self) -> str | None:
        return self.messages[0].note

    @property
    def lack(self) -> str:
        return lack(self.about)


def lacks_requests(odd: Odd) -> bool:
    """Answers that could not be decoded because the capture lacks their requests, which is told as such already."""
    return all(map(_lacks_its_request, odd.messages))


def _lacks_its_request(message: Message) -> bool:
    return is_incomplete(message.connection) and message.raw[:1] == b"A" and message.request is None


def odd_packets(odd: Odd) -> list[int]:
    return [message.packets[-1] for message in odd.messages]


def odd_time(odd: Odd) -> int:
    return odd.messages[0].time


_NO_REQUESTS: Reason[Odd] = Reason(
    "their requests are not in the capture ({lack}), and no answer can be read without its request",
    "nothing is wrong on the wire; start the capture before the task and capture full packets",
)
_ODD = "{number}: {note}"
UNDECODED: tuple[Finding[Odd], ...] = (
    Finding(
        "undecoded_frame",
        (lacks_requests,),
        _ODD,
        (odd_packets,),
        (_NO_REQUESTS,),
        time=odd_time,
        severity=Severity.INFO,
    ),
    Finding("undecoded_frame", (), _ODD, (odd_packets,), time=odd_time),
)
TRAILING: tuple[Finding[Odd], ...] = (Finding("trailing_bytes", (), _ODD, (odd_packets,), time=odd_time),)


def frames(case: Case) -> Iterator[Problem]:
    """Messages that could not be decoded, or not wholly."""
    facts = case.facts
    if facts.undecoded:
        yield from first(UNDECODED, Odd(case, facts.undecoded[0].connection, facts.undecoded))
    if facts.trailing:
        yield from first(TRAILING, Odd(case, facts.trailing[0].connection, facts.trailing))


# --- numbers -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class OddNumber:
    """A text that should be a number and is none."""

    case: Case
    about: Connection
    message: Message
    words: str


def number_packets(odd: OddNumber) -> tuple[int, ...]:
    return odd.message.packets


def number_time(odd: OddNumber) -> int:
    return odd.message.time


NUMBERS: tuple[Finding[OddNumber], ...] = (Finding("odd_number", (), "{words}.", (number_packets,), time=number_time),)


def numbers(case: Case) -> Iterator[Problem]:
    for message, words in case.facts.odd_numbers.values():
        yield from first(NUMBERS, OddNumber(case, message.connection, message, words))


# --- events --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class OddTurn:
    """Something that nothing follows from (``life``), and how often there was such a thing."""

    case: Case
    about: Connection | None
    turns: list[OutOfTurn]

    @property
    def words(self) -> str:
        return self.turns[0].words

    @property
    def more(self) -> str:
        others = len(self.turns) - 1
        return f", and {count(others, 'more event')} out of turn" if others else ""


def turn_packets(odd: OddTurn) -> list[int]:
    return [turn.packet for turn in odd.turns]


def turn_time(odd: OddTurn) -> int:
    return odd.turns[0].time


TURNS: tuple[Finding[OddTurn], ...] = (
    Finding("out_of_turn", (), "There was {words}{more}.", (turn_packets,), time=turn_time),
)


def turns(case: Case) -> Iterator[Problem]:
    facts = case.facts
    if facts.life.odd:
        yield from first(TURNS, OddTurn(case, facts.record.command or facts.record.callback, facts.life.odd))


# --- bytes ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class OddBytes:
    """What is wrong with the bytes of a connection, of a task or not."""

    about: Connection
    problem: StreamProblem

    @property
    def case(self) -> Case | None:
        return None

    @property
    def whose(self) -> str:
        return f"{self.about.role.value} connection, {end_name(self.problem.side, self.about).lower()}"


def cut(odd: OddBytes) -> bool:
    """By the snap length: no loss of the capture.  The sum is told once, so each message is a remark."""
    return odd.problem.code == "gap" and bool(odd.about.snapped) and not odd.about.gaps


def lost(odd: OddBytes) -> bool:
    """The receiver never acknowledged what is missing."""
    return odd.problem.code == "gap" and odd.about.sides[odd.problem.side].never_acknowledged > 0


def only_counted(odd: OddBytes) -> bool:
    """Only their sender is known to have had them."""
    return odd.problem.code == "gap" and odd.about.sides[odd.problem.side].only_counted


def capped(odd: OddBytes) -> bool:
    return bool(odd.problem.is_cap)


def bytes_packet(odd: OddBytes) -> list[int]:
    return [odd.problem.number]


def bytes_time(odd: OddBytes) -> int:
    return odd.problem.time


_BYTES = "{whose}: {problem.text}"
_CAPPED: tuple[Reason[OddBytes], ...] = (
    Reason(
        "a cap of jstrace itself, so that no capture takes all memory: nothing is wrong on the wire",
        "everything around it can be read; what it says can not",
        (capped,),
    ),
    Reason(),
)
#: The code of the last row is the one with which the bytes were reported.
BYTES: tuple[Finding[OddBytes], ...] = (
    Finding("snap_length", (cut,), _BYTES, (bytes_packet,), _CAPPED, time=bytes_time, severity=Severity.INFO),
    Finding(
        "gap",
        (lost,),
        _BYTES,
        (bytes_packet,),
        (
            Reason(
                "they were lost in the network, not by the capture: the receiver never acknowledged them",
                "see whether larger segments pass at all, and where packets are lost",
            ),
        ),
        time=bytes_time,
    ),
    Finding(
        "gap",
        (only_counted,),
        _BYTES,
        (bytes_packet,),
        (
            Reason(
                "they were lost by the capture or in the network: the reset of their sender counts them; one of them "
                "may be a FIN"
            ),
        ),
        time=bytes_time,
    ),
    Finding("{problem.code}", (), _BYTES, (bytes_packet,), _CAPPED, time=bytes_time),
)


def of_stream(problem: StreamProblem, connection: Connection) -> Problem:
    """A problem of the bytes themselves, for the connection's task if it has one."""
    found = next(first(BYTES, OddBytes(connection, problem)))
    found.task = connection.task
    return found
