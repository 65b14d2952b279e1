"""What was odd about the capture as a whole: problems of no task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dissector.model import Connection, Endpoint, Problem, address_text
from dissector.numbers import count
from dissector.session.findings import Finding, first
from dissector.session.tallies import Occurrences
from dissector.session.timeouts import SECOND
from dissector.session.verdict import closed_by
from dissector.traffic import Fragment, Packet, Side


@dataclass(slots=True)
class CaptureNotes:
    """What was odd about the capture as a whole; of each thing how often, where, and the first one of them."""

    backwards: Occurrences = field(default_factory=Occurrences)
    #: The first and the last packet behind an earlier one's time, and the longest step (ns).
    clock_steps: tuple[int, int] | None = None
    longest_step: int = 0
    fragments: Occurrences = field(default_factory=Occurrences)
    first_fragment: Fragment | None = None
    no_answers: Occurrences = field(default_factory=Occurrences)
    copies: Occurrences = field(default_factory=Occurrences)
    first_copy: tuple[tuple[Endpoint, Endpoint], Connection] | None = None
    without_bytes: Occurrences = field(default_factory=Occurrences)
    first_unused: Connection | None = None
    #: For who wants each copy.
    on_copied: Callable[[Connection], object] | None = None

    def clock_backwards(self, packet: Packet, latest: int) -> None:
        self.longest_step = max(self.longest_step, latest - packet.time)
        self.clock_steps = (self.clock_steps[0] if self.clock_steps else packet.number, packet.number)
        self.backwards.add((packet.time, packet.number))

    def fragment(self, fragment: Fragment) -> None:
        self.first_fragment = self.first_fragment or fragment
        self.fragments.add((fragment.time, fragment.number))

    def unanswered(self, connection: Connection) -> None:
        """A command connection that never was, beyond the number that is shown one by one."""
        self.no_answers.add((connection.start, connection.first_packet))

    def unused(self, connection: Connection) -> None:
        """One to a command port that carried no byte.  A scheduler sends its command at once, so somebody only looked
        whether the port is open; worth a word when the remote ended it, as it does with hosts that it does not know."""
        if closed_by(connection) is Side.SERVER:
            self.first_unused = self.first_unused or connection
            self.without_bytes.add((connection.start, connection.first_packet))

    def copied(self, original: tuple[Endpoint, Endpoint], copy: Connection) -> None:
        """The same connection on another leg of a gateway."""
        if self.on_copied is not None:
            self.on_copied(copy)
        self.first_copy = self.first_copy or (original, copy)
        self.copies.add((copy.start, copy.first_packet))

    def problems(self) -> Iterator[Problem]:
        for tally in (self.copies, self.without_bytes, self.no_answers, self.backwards, self.fragments):
            if tally.number:
                yield from first(NOTES, Noted(self, tally))


@dataclass(slots=True)
class Noted:
    """One thing that was odd, with its figures."""

    notes: CaptureNotes
    tally: Occurrences
    case: None = None
    about: None = None

    @property
    def connections(self) -> str:
        return count(self.tally.number, "connection")

    @property
    def more_connections(self) -> str:
        return count(self.tally.number, "more connection")

    @property
    def datagrams(self) -> str:
        return count(self.tally.number, "IP datagram")

    @property
    def legs(self) -> str:
        if self.notes.first_copy is None:
            return ""
        (client, server), copy = self.notes.first_copy
        return f"{client} to {server} is {copy.client} to {copy.server}"

    @property
    def seconds(self) -> str:
        return f"{self.notes.longest_step / SECOND:.3f}"

    @property
    def way(self) -> str:
        first = self.notes.first_fragment
        return f"{address_text(first.src)} to {address_text(first.dst)}" if first is not None else ""


def noted_packets(noted: Noted) -> list[int]:
    return noted.tally.packets


def noted_time(noted: Noted) -> int:
    return noted.tally.time


def copied(noted: Noted) -> bool:
    return noted.tally is noted.notes.copies


def unused(noted: Noted) -> bool:
    return noted.tally is noted.notes.without_bytes


def unanswered(noted: Noted) -> bool:
    return noted.tally is noted.notes.no_answers


def backwards(noted: Noted) -> bool:
    return noted.tally is noted.notes.backwards


def fragmented(noted: Noted) -> bool:
    return noted.tally is noted.notes.fragments


NOTES: tuple[Finding[Noted], ...] = (
    Finding(
        "duplicates",
        (copied,),
        "{connections} of two legs of a gateway, shown once: {legs}.",
        (noted_packets,),
        time=noted_time,
    ),
    Finding(
        "unused_connections",
        (unused,),
        "{connections} to command ports ended without a byte, the first one from {notes.first_unused.client.ip} to "
        "{notes.first_unused.server}.",
        (noted_packets,),
        time=noted_time,
    ),
    Finding(
        "connection_flood",
        (unanswered,),
        "{more_connections} to command ports got no answer.",
        (noted_packets,),
        time=noted_time,
    ),
    Finding(
        "clock_backwards",
        (backwards,),
        "The capture's clock goes backwards, by up to {seconds} s.",
        (noted_packets,),
        time=noted_time,
    ),
    Finding(
        "ip_fragment",
        (fragmented,),
        "{datagrams} with TCP lack fragments, the first one from {way}.",
        (noted_packets,),
        time=noted_time,
    ),
)
