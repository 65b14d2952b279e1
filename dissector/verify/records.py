"""What the two sides tell of one message, or of a task, in the same terms.

``ComparedField`` is a node of the message's tree; ``facts`` is what is known about the message besides its bytes, as
text, by the name of the field in Wireshark without ``jobscheduler.``
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

Facts = dict[str, tuple[str, ...]]


class ComparedField(NamedTuple):
    """Bytes ``start`` to ``end`` of a message (a frame's length header is byte 0 to 4), ``level`` nodes deep.

    ``value`` is what they say: in ``Decoded`` as Python has it, in ``Displayed`` as tshark writes it.  A group has no
    value; ``raw`` are the bytes, empty for a group.
    """

    name: str
    level: int
    start: int
    end: int
    value: object
    raw: bytes


@dataclass(slots=True, eq=False)
class Told:
    """A message by one of the sides.  ``packet`` completed it; ``size`` counts a frame's length header."""

    packet: int
    size: int
    fields: list[ComparedField] = field(default_factory=list)
    facts: Facts = field(default_factory=dict)
    #: The connection, for people.
    connection: str = ""
    is_http: bool = False
    #: Whether the number of the message's task can be told from the capture up to this message.
    is_numbered: bool = True
    #: Whether only what is behind its connection tells that it is one: its time, or the end of the capture.
    is_late: bool = False


class Row(NamedTuple):
    """A task as the plugin's task table has it, by one of the sides: ``packet`` is its first one, ``outcome`` the word
    or ``exit 3``, ``calls`` those of both sides as ``3+17``, ``logs`` the number of log lines."""

    number: int
    packet: int
    outcome: str
    calls: str
    logs: str


class Found(NamedTuple):
    """A problem of a task as the plugin tells it behind the table: ``task`` is the task's number; ``summary``,
    ``cause`` and ``remedy`` as they are shown, the latter two maybe empty."""

    task: int
    code: str
    severity: str
    packets: tuple[int, ...]
    summary: str = ""
    cause: str = ""
    remedy: str = ""


class Mismatch(NamedTuple):
    """``place`` says which field or fact of which message; the two sides' words for it."""

    packet: int
    place: str
    python: str
    tshark: str

    def __str__(self) -> str:
        where = f"packet {self.packet}: " if self.packet else ""
        return f"{where}{self.place}: Python {self.python}, tshark {self.tshark}"
