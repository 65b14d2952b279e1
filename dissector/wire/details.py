"""What is inside the strings of a callback connection: construct's parameters, scripts, environments, results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from dissector.limits import MAX_DECODED_MESSAGE
from dissector.numbers import COUNT, EXIT_CODE, SIGNAL, is_odd, number
from dissector.wire.control import Attributes, Events, read_xml
from dissector.wire.messages import SafeArray, Variant

NamedValues = tuple[tuple[str, str], ...]

_MONITOR = "monitor."
_RESULT_NUMBERS = (("exit_code", EXIT_CODE), ("signal", SIGNAL))
_RESULT_TAG = re.compile(r"\s*(?:<\?[^>]*>\s*)?<process\.result(?=[\s/>])")
_ATTRIBUTE = re.compile(r"""\s+([A-Za-z_:][\w:.-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_REFERENCE = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BLANK = re.compile(r"[\t\n\r]")


class SourcePart(NamedTuple):
    """A piece of a job's script; ``linenr`` is its first line in the configuration file, when told."""

    linenr: int | None
    text: str


@dataclass(frozen=True, slots=True)
class MonitorParameters:
    """One group of ``monitor.`` parameters, names without that prefix."""

    pairs: NamedValues

    def get(self, name: str) -> str | None:
        return _get(self.pairs, name)


@dataclass(frozen=True, slots=True)
class ConstructParameters:
    """All parameters of call ``construct`` in order, and those that tell what is to run, read."""

    pairs: NamedValues
    language: str | None
    job: str | None
    task_id: str | None
    script: tuple[SourcePart, ...]
    environment: NamedValues
    monitors: tuple[MonitorParameters, ...]

    def get(self, name: str) -> str | None:
        return _get(self.pairs, name)


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """Result of a shell job's step: ``success`` is its ``spooler_process_result``; ``odd`` are names and texts of what
    should be numbers and is none."""

    exit_code: int | None
    signal: str | None
    state_text: str | None
    params: NamedValues
    success: bool | None = None
    odd: Attributes = field(default=(), compare=False)

    @property
    def signal_number(self) -> int | None:
        """None also where the process ended by itself."""
        return number(self.signal, SIGNAL) or None


def construct_parameters(variants: Iterable[Variant | str]) -> ConstructParameters:
    """Reads the ``key=value`` strings of call ``construct``: its arguments, or the elements of the array among them.

    EMPTY and other kinds of elements are skipped.  ``monitor.language`` begins the next monitor, as in the engine.
    """
    pairs = _pairs(variants)
    first = dict(reversed(pairs))
    return ConstructParameters(
        pairs=pairs,
        language=first.get("language"),
        job=first.get("job"),
        task_id=first.get("task_id"),
        script=script_source(first["script"]) if "script" in first else (),
        environment=variable_set(first["environment"]) if "environment" in first else (),
        monitors=_monitors(pairs),
    )


def construct_values(variants: Iterable[Variant | str]) -> dict[str, str]:
    """The same strings, each name with its first value as written."""
    return dict(reversed(_pairs(variants)))


def _pairs(variants: Iterable[Variant | str]) -> NamedValues:
    return tuple(_pair(text) for text in _strings(variants) if text)


def _strings(variants: Iterable[Variant | str]) -> Iterator[str]:
    for element in variants:
        value = element.value if isinstance(element, Variant) else element
        if isinstance(value, str):
            yield value
        elif isinstance(value, SafeArray) and not isinstance(value.elements, bytes):
            yield from _strings(value.elements)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _get(pairs: NamedValues, name: str) -> str | None:
    return next((value for key, value in pairs if key == name), None)


def _monitors(pairs: NamedValues) -> tuple[MonitorParameters, ...]:
    groups: list[list[tuple[str, str]]] = []
    for name, value in pairs:
        if not name.startswith(_MONITOR):
            continue
        if not groups or name == "monitor.language":
            groups.append([])
        groups[-1].append((name.removeprefix(_MONITOR), value))
    return tuple(MonitorParameters(tuple(group)) for group in groups)


class _Source(Events):
    """Texts of ``<source_part>``, and text that stands outside of any."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[SourcePart] = []
        self._linenr: int | None = None
        self._pieces: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        self._flush(keep_blank=False)
        if name == "source_part":
            self._linenr = number(dict(attributes).get("linenr"), COUNT)

    def text(self, content: str) -> None:
        self._pieces.append(content)

    def end(self, name: str) -> None:
        self._flush(keep_blank=name == "source_part")
        self._linenr = None

    def _flush(self, keep_blank: bool) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        if keep_blank or text.strip():
            self.parts.append(SourcePart(self._linenr, text))


def script_source(xml: str) -> tuple[SourcePart, ...]:
    """Parts of ``<source><source_part linenr="1">...``; text that is no XML is one part without a line number."""
    events = _Source()
    if read_xml(xml.lstrip(), events, MAX_DECODED_MESSAGE) is not None:
        return (SourcePart(None, xml),) if xml.strip() else ()
    return tuple(events.parts)


class _Variables(Events):
    """Names and values of all ``<variable>`` and ``<param>`` elements."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[str, str]] = []
        self._name: str | None = None
        self._pieces: list[str] = []

    def start(self, name: str, attributes: Attributes) -> None:
        values = dict(attributes)
        if name not in ("variable", "param") or "name" not in values:
            return
        value = values.get("value") or _from_hex(values.get("hex_value"))
        if value is None and "value" not in values:
            self._name = values["name"]
            self._pieces.clear()
        else:
            self.pairs.append((values["name"], value or ""))

    def text(self, content: str) -> None:
        if self._name is not None:
            self._pieces.append(content)

    def end(self, name: str) -> None:
        if self._name is not None and name in ("variable", "param"):
            self.pairs.append((self._name, "".join(self._pieces)))
            self._name = None


def _from_hex(text: str | None) -> str | None:
    """A value with characters that XML has not is sent as ``hex_value``, the hex digits of its ISO-8859-1 bytes."""
    try:
        return bytes.fromhex(text).decode("iso-8859-1") if text is not None else None
    except ValueError:
        return None


def variable_set(xml: str) -> NamedValues:
    """Names and values of ``<sos.spooler.variable_set>`` and the like; of broken XML those before the fault."""
    xml = xml.lstrip()
    if not xml:
        return ()
    events = _Variables()
    read_xml(xml, events, MAX_DECODED_MESSAGE)
    return tuple(events.pairs)


def environment(xml: str) -> NamedValues:
    """Names and values of ``<environment><variable name value/>`` (a variable set in Universal Agents)."""
    return variable_set(xml)


def _unescaped(value: str) -> str:
    """An attribute's value without its references; what looks like one and is none stays."""
    return _REFERENCE.sub(_character, _BLANK.sub(" ", value))


def _character(reference: re.Match[str]) -> str:
    name, code = reference[1], int(reference[2] or reference[3] or "0", 16 if reference[3] else 10)
    is_character = 0 < code < 0xD800 or 0xDFFF < code < 0x11_0000
    return _ENTITIES.get(name) or (chr(code) if is_character else reference[0])


def process_result(xml: str) -> ProcessResult | None:
    """The BSTR that a shell job's ``step`` returns; None when it is none.

    It holds what the job wrote, control characters, bare ``&`` and ``<`` included, so it need not be well-formed: its
    start tag is read as it stands, up to where it is no attribute any more.
    """
    tag = _RESULT_TAG.match(xml)
    if tag is None:
        return None
    values: dict[str, str] = {}
    at = tag.end()
    while (attribute := _ATTRIBUTE.match(xml, at)) is not None:
        values.setdefault(attribute[1], _unescaped(attribute[2] or attribute[3] or ""))
        at = attribute.end()
    if not xml[at:].strip():
        return None  # cut off inside of its start tag
    return ProcessResult(
        exit_code=number(values.get("exit_code"), EXIT_CODE),
        signal=values.get("signal"),
        state_text=values.get("state_text"),
        params=variable_set(xml[xml.find(">", at) + 1 :]),
        success={"true": True, "false": False}.get(values.get("spooler_process_result", "")),
        odd=tuple((name, values[name]) for name, bounds in _RESULT_NUMBERS if is_odd(values.get(name), bounds)),
    )
