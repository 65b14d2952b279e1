"""The two sides' words for the same messages and tasks, compared; nothing here reads or starts anything."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from dissector.numbers import count
from dissector.verify.records import ComparedField, Found, Mismatch, Row, Told
from dissector.wire.harmless import escape
from dissector.wire.names import guid_text

_SPACE = re.compile(r"\r\n|[\t\n\r]")
_NOTHING = "nothing"
#: Facts that the plugin shows besides what is compared: words for people, links to the task's other connection, and
#: what the head of a Universal Agent's exchange says.
_NOT_COMPARED = frozenset(
    (
        *("argument", "result", "command_in", "callback_in", "reassembled_in"),
        *("agent.request", "agent.tunnel", "agent.request_id", "agent.status"),
    )
)
#: What the first pass can not know yet: it comes later in the capture.
_KNOWN_LATER = frozenset({"response_in"})
#: The same for a message of a task that has no number yet.
_NUMBERED_LATER = frozenset({"task"})
#: Why XML is broken each XML parser says in words of its own.
_OF_XML = frozenset({"note"})
_LONGEST = 80
#: Of texts that differ so much is shown of what they have in common.
_BEFORE = 24


def compare(
    python: Iterable[Told | Row | Found], tshark: Iterable[Told | Row | Found], *, two_pass: bool
) -> Iterator[Mismatch | Told | Row | Found]:
    """Every message that both sides have (as Python tells it), behind its differences; both in the order of packets.
    Then the tasks likewise, and what went wrong with each.

    What only a connection's end tells, Python tells then; tshark shows it where it was, or without ``two_pass``, when
    that packet is gone, later as well.
    """
    ours, theirs = _ByPacket(python), _ByPacket(tshark)
    late: list[Told] = []
    early: list[Told] = []
    while ours.messages or theirs.messages:
        packet = min(side.packet for side in (ours, theirs) if side.messages)
        decoded, displayed = _without_http(ours.take(packet), theirs.take(packet))
        if not two_pass and (late or len(decoded) != len(displayed)):
            decoded, late = _with_late(decoded, displayed, late)
        elif len(displayed) > len(decoded):
            displayed, early = displayed[: len(decoded)], early + displayed[len(decoded) :]
        else:
            displayed += [told for told in early if told.packet == packet]
            early = [told for told in early if told.packet != packet]
        for one, other in zip_longest(decoded, displayed):
            yield from _pair(one, other, two_pass)
    for told in late:
        yield from _pair(told, None, two_pass)
    for told in early:
        yield from _pair(None, told, two_pass)
    yield from _tasks(ours.tasks, theirs.tasks)
    yield from _problems(ours.problems, theirs.problems)


def _without_http(decoded: list[Told], displayed: list[Told]) -> tuple[list[Told], list[Told]]:
    """HTTP is left to Wireshark's own dissector, whatever the plugin shows besides."""
    if not any(told.is_http for told in decoded):
        return decoded, displayed
    return [told for told in decoded if not told.is_http], [
        told for told in displayed if told.facts.get("connection") != ("command",)
    ]


def _with_late(decoded: list[Told], displayed: list[Told], late: list[Told]) -> tuple[list[Told], list[Told]]:
    """The messages that may be the displayed ones, in their order, and those that may still come."""
    chosen, left, late = list[Told](), list(decoded), list(late)
    for told in displayed:
        candidates = (*left[:1], *late, *left[1:])
        found = next(
            (one for alike in (_same, _alike) for one in candidates if alike(one, told)), next(iter(left), None)
        )
        if found is not None:
            chosen.append(found)
            (left if found in left else late).remove(found)
    return chosen, late + left


def _same(decoded: Told, displayed: Told) -> bool:
    """True for the same bytes, in the same place of the dialog."""
    return (
        _alike(decoded, displayed)
        and [one.raw for one in decoded.fields] == [one.raw for one in displayed.fields]
        and all(decoded.facts.get(name) == displayed.facts.get(name) for name in ("depth", "request_in", "operation"))
    )


def _alike(decoded: Told, displayed: Told) -> bool:
    return decoded.size == displayed.size and decoded.facts.get("kind") == displayed.facts.get("kind")


def _pair(decoded: Told | None, displayed: Told | None, two_pass: bool) -> Iterator[Mismatch | Told]:
    if decoded is None:
        assert displayed is not None
        yield Mismatch(displayed.packet, "message", _NOTHING, _summary(displayed))
    elif displayed is None:
        if decoded.is_late and not two_pass:
            return  # where one pass ends there is no packet left to show it with
        yield Mismatch(decoded.packet, f"message of {decoded.connection}", _summary(decoded), _NOTHING)
    else:
        skipped = _NOT_COMPARED if two_pass else _NOT_COMPARED | _KNOWN_LATER
        if not (decoded.is_numbered or two_pass):
            skipped |= _NUMBERED_LATER
        if "xml.form" in decoded.facts:
            skipped |= _OF_XML
        yield from _message(decoded, displayed, skipped)
        yield decoded


def _tasks(python: list[Row], tshark: list[Row]) -> Iterator[Mismatch | Row]:
    displayed = {row.number: row for row in tshark}
    for row in python:
        other = displayed.pop(row.number, None)
        if other is None:
            yield Mismatch(row.packet, f"task {row.number}", row.outcome, _NOTHING)
            continue
        for name, one, two in zip(Row._fields, row, other, strict=True):
            if one != two:
                yield Mismatch(row.packet, f"{name} of task {row.number}", str(one), str(two))
        yield row
    for row in displayed.values():
        yield Mismatch(row.packet, f"task {row.number}", _NOTHING, row.outcome)


def _problems(python: list[Found], tshark: list[Found]) -> Iterator[Mismatch | Found]:
    """Problems of each task in their order."""
    displayed: dict[int, list[Found]] = {}
    for found in tshark:
        displayed.setdefault(found.task, []).append(found)
    for one in python:
        alike = displayed.get(one.task, [])
        other = next((found for size in (7, 4, 2) for found in alike if found[:size] == one[:size]), None)
        if other is not None:
            alike.remove(other)
        if other is None or other[:4] != one[:4]:
            yield Mismatch(_first(one), f"problem of task {one.task}", _problem(one), _problem(other))
            continue
        yield from _words(one, other)
        yield one
    for found in (found for alike in displayed.values() for found in alike):
        yield Mismatch(_first(found), f"problem of task {found.task}", _NOTHING, _problem(found))


def _words(python: Found, tshark: Found) -> Iterator[Mismatch]:
    """What happened, why, and what to do."""
    for name in ("summary", "cause", "remedy"):
        ours, theirs = getattr(python, name), getattr(tshark, name)
        if ours != theirs:
            alike = next((at for at, (one, two) in enumerate(zip_longest(ours, theirs)) if one != two), 0)
            at = max(alike - _BEFORE, 0)
            place = f"{name} of {python.code} of task {python.task}"
            yield Mismatch(_first(python), place, _cut(ours[at:]) or _NOTHING, _cut(theirs[at:]) or _NOTHING)


def _first(found: Found) -> int:
    return found.packets[0] if found.packets else 0


class _ByPacket:
    """One side's messages, those of one packet at a time; ``tasks`` are those behind the messages."""

    def __init__(self, source: Iterable[Told | Row | Found]) -> None:
        self.tasks: list[Row] = []
        self.problems: list[Found] = []
        self._source = self._messages(source)
        self._next: Told | None = None
        self.messages: list[Told] = []
        self._fill()

    @property
    def packet(self) -> int:
        return self.messages[0].packet

    def take(self, packet: int) -> list[Told]:
        """The messages of ``packet``, if it is this side's next one."""
        if not self.messages or self.packet != packet:
            return []
        taken = self.messages
        self._fill()
        return taken

    def _messages(self, source: Iterable[Told | Row | Found]) -> Iterator[Told]:
        for one in source:
            if isinstance(one, Told):
                yield one
            elif isinstance(one, Row):
                self.tasks.append(one)
            else:
                self.problems.append(one)

    def _fill(self) -> None:
        first = self._next or next(self._source, None)
        self.messages, self._next = [first] if first else [], None
        for told in self._source if first else ():
            if told.packet != self.packet:
                self._next = told
                return
            self.messages.append(told)


def _message(decoded: Told, displayed: Told, skipped: frozenset[str]) -> Iterator[Mismatch]:
    packet = decoded.packet
    if decoded.size != displayed.size:
        yield Mismatch(packet, "size", str(decoded.size), str(displayed.size))
    for name in sorted((decoded.facts.keys() | displayed.facts.keys()) - skipped):
        ours = tuple(map(_printed, decoded.facts.get(name, ())))
        theirs = displayed.facts.get(name, ())
        if ours != theirs:
            yield Mismatch(packet, name, _joined(ours), _joined(theirs))
    for ours_field, theirs_field in zip_longest(decoded.fields, displayed.fields):
        different = list(_field(packet, ours_field, theirs_field))
        yield from different
        if ours_field is None or theirs_field is None or ours_field[:4] != theirs_field[:4]:
            return  # from here on all others would differ as well


def _field(packet: int, decoded: ComparedField | None, displayed: ComparedField | None) -> Iterator[Mismatch]:
    if decoded is None or displayed is None or decoded[:4] != displayed[:4]:
        yield Mismatch(packet, "field", _place(decoded), _place(displayed))
        return
    if decoded.raw != displayed.raw:
        yield Mismatch(packet, f"bytes of {_place(decoded)}", _cut(decoded.raw.hex()), _cut(displayed.raw.hex()))
    if not _agree(decoded, str(displayed.value)):
        yield Mismatch(packet, f"value of {_place(decoded)}", _cut(decoded.value), _cut(displayed.value))


def _agree(decoded: ComparedField, show: str) -> bool:
    """True when ``show`` is how tshark writes the value."""
    match decoded.value:
        case None:
            return show == ""
        case bool(value):
            return show in (("1", "True") if value else ("0", "False"))
        case int(value):
            return _integer(show) == value if decoded.name not in _LETTERS else show == _letter(value)
        case float(value):
            return _double(show, value)
        case bytes(value):
            return show == (guid_text(value) if "-" in show else value.hex(":"))
        case str(value):
            return decoded.name == "undecoded" or show == _printed(value)
        case _:
            return False


_LETTERS = frozenset({"class", "command"})


def _letter(code: int) -> str:
    return chr(code) if 0x20 <= code < 0x7F else f"0x{code:02x}"


def _integer(show: str) -> int | None:
    try:
        return int(show, 0)
    except ValueError:
        return None


def _double(show: str, value: float) -> bool:
    try:
        shown = float(show)
    except ValueError:
        return False
    if math.isinf(shown):  # the largest numbers, rounded to 15 digits, are beyond any double
        return shown == value or show == f"{value:.15g}"
    return shown == value or (math.isnan(shown) and math.isnan(value)) or math.isclose(shown, value, rel_tol=1e-13)


def _printed(text: str) -> str:
    """``text`` as it comes out of PDML: control characters spelled out, white space as XML attributes have it."""
    return escape(_SPACE.sub(" ", text.replace("\0", "␀")))


# --- words ---------------------------------------------------------------------------------------------------------


def _place(field: ComparedField | None) -> str:
    return _NOTHING if field is None else f"{field.name} at {field.start}..{field.end}, level {field.level}"


def _problem(found: Found | None) -> str:
    if found is None:
        return _NOTHING
    return f"{found.severity} {found.code}, packets {','.join(map(str, found.packets))}"


def _summary(told: Told) -> str:
    words = [" ".join(told.facts.get(name, ())) for name in ("kind", "operation", "member")]
    return f"{' '.join(filter(None, words))}, {count(told.size, 'byte')}"


def _joined(texts: tuple[str, ...]) -> str:
    return _cut(" | ".join(texts)) if texts else _NOTHING


def _cut(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)})"
