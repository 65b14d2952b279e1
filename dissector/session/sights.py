"""What was seen in a capture that has no task, with the words for it (noted by ``overview``, told by ``no_task``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dissector.model import Endpoint
from dissector.numbers import count, verb
from dissector.session.foreign import TLS
from dissector.session.tallies import Occurrences, Table
from dissector.stream.kinds import ADVERTISEMENT, ARP_REPLY, ARP_REQUEST, SOLICITATION

#: How many ports, protocols and tunnels are named.
_NAMED = 4
#: Packets that are looked at for what they carry.
MOST_LOOKED = 1_000
#: What a host asks before its first packet to another one, and the answer.
_QUESTIONS = {ARP_REQUEST: ARP_REPLY, SOLICITATION: ADVERTISEMENT}

_K = TypeVar("_K")
#: The port where a connection went, and the protocol that it carries: None where nobody knows.
Kind = tuple["int | None", "str | None"]


@dataclass(slots=True)
class Sights:
    """All that was noted; ``callback_ports`` (lowest, highest): where clients wait for task processes."""

    callback_ports: tuple[int, int]
    case: None = None
    about: None = None
    #: Somebody else tells what is in connections with TLS.
    knows_better: bool = False
    #: TCP connections; which of them were opened, and how these were captured.
    connections: Occurrences = field(default_factory=Occurrences)
    opened: Occurrences = field(default_factory=Occurrences)
    one_sided: Occurrences = field(default_factory=Occurrences)
    mid_stream: Occurrences = field(default_factory=Occurrences)
    snapped: Occurrences = field(default_factory=Occurrences)
    #: Opened ones with too few packets to tell whether a direction is missing.
    short: int = 0
    #: Packets that lack their headers, and the most that was captured of one (bytes).
    headless: Occurrences = field(default_factory=Occurrences)
    longest: int = 0
    commands: Occurrences = field(default_factory=Occurrences)
    attempts: Table[Endpoint] = field(default_factory=Table)
    #: Opened connections to command ports that carry no commands, and those to other ports.
    foreign: Table[Kind] = field(default_factory=Table)
    elsewhere: Table[Kind] = field(default_factory=Table)
    tunnels: Table[str] = field(default_factory=Table)
    #: What the first packets carry where that is no TCP, and how many of these were looked at.
    passed: Table[str] = field(default_factory=Table)
    looked: int = 0

    # --- parts ---

    @property
    def callbacks(self) -> dict[Endpoint, Occurrences]:
        """What was not opened to ports where clients wait for callbacks."""
        return {end: tally for end, tally in self.attempts.kinds.items() if self._is_callback(end)}

    @property
    def others(self) -> dict[Endpoint, Occurrences]:
        return {end: tally for end, tally in self.attempts.kinds.items() if not self._is_callback(end)}

    def _is_callback(self, end: Endpoint) -> bool:
        low, high = self.callback_ports
        return end.port is not None and low <= end.port <= high

    @property
    def hidden(self) -> dict[Kind, Occurrences]:
        """Connections with TLS to command ports, unless somebody else tells of them."""
        kinds = {} if self.knows_better else self.foreign.kinds
        return {kind: tally for kind, tally in kinds.items() if kind[1] == TLS}

    @property
    def strange(self) -> dict[Kind, Occurrences]:
        return {kind: tally for kind, tally in self.foreign.kinds.items() if kind[1] != TLS}

    # --- words ---

    @property
    def headless_packets(self) -> str:
        number = self.headless.number
        return f"{count(number, 'packet')} {verb(number, 'was')}"

    @property
    def snapped_connections(self) -> str:
        return f"{self.snapped.number} of {count(self.opened.number, 'connection')}"

    @property
    def tunnelled(self) -> str:
        kinds = self.tunnels.kinds
        return f"{count(_sum(kinds), 'packet')} in tunnels that can not be read: {_listed(kinds, str)}"

    @property
    def callback_attempts(self) -> str:
        return _attempts(self.callbacks)

    @property
    def other_attempts(self) -> str:
        return _attempts(self.others)

    @property
    def most_tried(self) -> Endpoint:
        others = self.others
        return max(others, key=lambda end: others[end].number)

    @property
    def hidden_connections(self) -> str:
        return f"{count(_sum(self.hidden), 'connection')} with TLS: {_listed(self.hidden, _name)}"

    @property
    def strange_connections(self) -> str:
        return count(_sum(self.strange), "connection")

    @property
    def strange_list(self) -> str:
        return _listed(self.strange, _name)

    @property
    def command_connections(self) -> str:
        return count(self.commands.number, "command connection")

    @property
    def one_sided_ones(self) -> str:
        return _all(self.one_sided.number)

    @property
    def opened_ones(self) -> str:
        return _all(self.opened.number).capitalize()

    @property
    def opened_connections(self) -> str:
        return count(self.opened.number, "TCP connection")

    @property
    def elsewhere_list(self) -> str:
        found = _listed(self.elsewhere.kinds, _name)
        return found and f": {found}"

    @property
    def passed_list(self) -> str:
        of_many = f"the first {self.looked:,} are " if self.looked == MOST_LOOKED else ""
        return of_many + _listed(self.passed.kinds, str)

    @property
    def unanswered_questions(self) -> str:
        return "".join(f"; none of the {question} is answered" for question in unanswered(self))


def unanswered(seen: Sights) -> list[str]:
    """What hosts ask before they send, and nobody answers."""
    kinds = seen.passed.kinds
    return [question for question, answer in _QUESTIONS.items() if question in kinds and answer not in kinds]


def _all(number: int) -> str:
    return "the only connection" if number == 1 else f"all {number} connections"


def _sum(kinds: Mapping[_K, Occurrences]) -> int:
    return sum(tally.number for tally in kinds.values())


def _attempts(ends: Mapping[Endpoint, Occurrences]) -> str:
    """``3 connections were not answered, 1 was refused: 10.0.0.2:4450 (3), 10.0.0.2:4451``"""
    number, refused = _sum(ends), sum(tally.refused for tally in ends.values())
    words = [
        f"{count(some, 'connection') if not at else some} {verb(some, 'was')} {what}"
        for at, (some, what) in enumerate(
            pair for pair in ((number - refused, "not answered"), (refused, "refused")) if pair[0]
        )
    ]
    return f"{', '.join(words)}: {_listed(ends, str)}"


def _listed(kinds: Mapping[_K, Occurrences], name: Callable[[_K], str]) -> str:
    """``port 80 HTTP (12), port 25 SMTP and 3 others``: the most frequent ones."""
    ordered = sorted(kinds, key=lambda kind: -kinds[kind].number)
    words = [name(kind) + (f" ({kinds[kind].number})" if kinds[kind].number > 1 else "") for kind in ordered[:_NAMED]]
    rest = len(ordered) - _NAMED
    return ", ".join(words) + (f" and {count(rest, 'other')}" if rest > 0 else "")


def _name(kind: Kind) -> str:
    port, protocol = kind
    return f"port {port}" + (f" {protocol}" if protocol else "")
