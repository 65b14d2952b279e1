"""The documents of the command connection: one whole document in, what it says out.

Nothing here raises for any bytes: a document that can not be read has the form ``broken`` and a reason.
Sources: docs/protocol.md#command-connection, docs/decisions/0009-expat-directly.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from xml.parsers import expat

from dissector.limits import MAX_DOCUMENT, MAX_XML_DEPTH
from dissector.numbers import INT64, PID, PORT, is_odd, number

Attributes = tuple[tuple[str, str], ...]

#: Typed commands that the engine knows by a shorter word.
SHORTHANDS = {"s": "show_state"}
START_TASK = "remote_scheduler.start_remote_task"
CLOSE_TASK = "remote_scheduler.remote_task.close"
KILL_TASK = "remote_scheduler.remote_task.kill"

_PROLOG = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
_WORD = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)
#: What elements have as numbers, and within which bounds.
_NUMBERS = {
    START_TASK: {"tcp_port": PORT},
    CLOSE_TASK: {"process_id": INT64},
    KILL_TASK: {"process_id": INT64},
    "process": {"process_id": INT64, "pid": PID},
}
_SPECIAL = re.compile(r'[&<>"\t\n\r]|[^\x20-\x7e]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


# --- XML from unknown senders --------------------------------------------------------------------------------------


class _RefusedError(Exception):
    """What is no XML for us; the reason as text."""


class Events:
    """Base of what reads XML, for deriving ``start``, ``text`` and ``end``.  ``depth`` is 1 inside the root element.

    Events and not a tree, because a tree takes thirty times the memory of its document.
    """

    def __init__(self) -> None:
        self.depth = 0

    def start(self, name: str, attributes: Attributes) -> None:
        """A start tag; attributes in the order of the document."""

    def text(self, content: str) -> None:
        """A piece of text; one text may come in several."""

    def end(self, name: str) -> None:
        """An end tag; ``depth`` still counts the element."""

    def opened(self, name: str, attributes: list[str]) -> None:
        """As the parser gives it: names and values by turns."""
        self.depth += 1
        if self.depth > MAX_XML_DEPTH:
            raise _RefusedError(f"elements nested deeper than {MAX_XML_DEPTH}")
        self.start(name, tuple(zip(attributes[::2], attributes[1::2], strict=True)))

    def closed(self, name: str) -> None:
        self.end(name)
        self.depth -= 1


def _no_dtd(*_: object) -> None:
    raise _RefusedError("a DTD, which is refused")


def read_xml(text: str, events: Events, longest: int = MAX_DOCUMENT) -> str | None:
    """Sends the document's events; None, or why the document is broken (events up to there were sent).

    Text in, so that the prolog's encoding does not count: documents are ISO-8859-1 whatever it says.  A DTD is refused,
    and with it every entity of the document's own.  expat without a layer of SAX: that takes a tenth of the time.
    """
    if len(text) > longest:
        return f"longer than {longest} characters"
    parser = expat.ParserCreate()
    parser.buffer_text = parser.ordered_attributes = True
    parser.StartDoctypeDeclHandler = _no_dtd
    parser.StartElementHandler, parser.EndElementHandler = events.opened, events.closed
    parser.CharacterDataHandler = events.text
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        return f"{expat.ErrorString(error.code)} (line {error.lineno}, column {error.offset})"
    except _RefusedError as refused:
        return str(refused)
    except ValueError as error:
        return f"no XML characters: {error}"
    return None


# --- documents -----------------------------------------------------------------------------------------------------


class XmlError(NamedTuple):
    """An ``ERROR`` element; absent attributes are empty."""

    code: str
    text: str
    class_name: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """``text`` is the document without terminators.  ``form`` is xml, shorthand or broken.

    ``element`` with its ``attributes`` is a command's root element or the first element inside an ``<answer>``; of a
    broken document what was read before the fault.  ``error`` is the first ``ERROR`` element, ``reason`` why the
    document is broken, or what the engine would refuse in a typed command.
    """

    text: str
    form: str
    element: str | None = None
    attributes: Attributes = ()
    error: XmlError | None = None
    reason: str | None = None

    def get(self, name: str) -> str | None:
        """Value of an attribute of ``element``."""
        for key, value in self.attributes:
            if key == name:
                return value
        return None


class _Root(Events):
    """Keeps the root element."""

    def __init__(self) -> None:
        super().__init__()
        self.element: str | None = None
        self.attributes: Attributes = ()

    def start(self, name: str, attributes: Attributes) -> None:
        if self.depth == 1:
            self.element, self.attributes = name, attributes


class _Answer(_Root):
    """Keeps the first element inside ``<answer>``, else the answer, else the root; and the first error."""

    def __init__(self) -> None:
        super().__init__()
        self.error: XmlError | None = None
        self._answer_depth = 0
        self._found = False

    def start(self, name: str, attributes: Attributes) -> None:
        super().start(name, attributes)
        if self._answer_depth and not self._found:
            self._found = True
            self.element, self.attributes = name, attributes
        elif name == "answer" and self.depth <= 2 and not self._answer_depth:
            self._answer_depth = self.depth
            self.element, self.attributes = name, attributes
        if name == "ERROR" and self.error is None:
            values = dict(attributes)
            self.error = XmlError(values.get("code", ""), values.get("text", ""), values.get("class", ""))


def parse_command(data: bytes) -> Document:
    """What a client sent: XML, or a typed command."""
    text = _text(data)
    if not text.lstrip().startswith("<"):
        return _shorthand(text)
    events = _Root()
    reason = read_xml(text.lstrip(), events)
    return Document(text, "broken" if reason else "xml", events.element, events.attributes, None, reason)


def parse_answer(data: bytes) -> Document:
    """What a server sent."""
    text = _text(data)
    events = _Answer()
    reason = read_xml(text.lstrip(), events)
    return Document(text, "broken" if reason else "xml", events.element, events.attributes, events.error, reason)


def _text(data: bytes) -> str:
    return data.decode("iso-8859-1").rstrip("\0\r\n")


def _shorthand(text: str) -> Document:
    """A typed command is what the engine puts between ``<`` and ``/>`` to get its XML."""
    word = _WORD.match(text.lstrip())
    if word is None:
        return Document(text, "broken", reason="neither XML nor a command" if text.strip() else "empty")
    events = _Root()
    reason = read_xml(f"<{text.strip()}/>", events)
    return Document(text, "shorthand", SHORTHANDS.get(word[0], word[0]), events.attributes, None, reason)


# --- the commands of a remote task ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTask:
    """``kind`` is "process" for a shell job and None for an API job; later releases send the Java settings.
    ``tcp_port`` is None where the text is no port."""

    tcp_port: int | None
    kind: str | None = None
    java_options: str | None = None
    java_classpath: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """Answer to a start; ``process_id`` (64 bits) is None where it is no number, ``pid`` is there for API jobs only."""

    process_id: int | None
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class CloseTask:
    process_id: int | None
    kill: bool = False


@dataclass(frozen=True, slots=True)
class KillTask:
    process_id: int | None
    signal: str | None = None


def start_task(document: Document) -> StartTask | None:
    """The start command; None for another one, or when its port is none."""
    start = start_command(document)
    return None if start is None or start.tcp_port is None else start


def start_command(document: Document) -> StartTask | None:
    """The same, but of a command whose port is none too."""
    text = document.get("tcp_port") if document.element == START_TASK else None
    if not text:
        return None
    java = document.get("java_options"), document.get("java_classpath")
    return StartTask(number(text, PORT), document.get("kind"), *java)


def process_started(document: Document) -> ProcessStarted | None:
    """The answer to a start command that was obeyed."""
    if not _names_process(document, "process"):
        return None
    return ProcessStarted(number(document.get("process_id")), number(document.get("pid"), PID))


def close_task(document: Document) -> CloseTask | None:
    """The close command; the engine reads 1, true and yes as a wish to kill."""
    if not _names_process(document, CLOSE_TASK):
        return None
    kill = (document.get("kill") or "").strip().lower() in ("1", "true", "yes")
    return CloseTask(number(document.get("process_id")), kill)


def kill_task(document: Document) -> KillTask | None:
    is_kill = _names_process(document, KILL_TASK)
    return KillTask(number(document.get("process_id")), document.get("signal")) if is_kill else None


def _names_process(document: Document, element: str) -> bool:
    """True for such an element with a process_id, whether it is a number or not."""
    return document.element == element and bool((document.get("process_id") or "").strip())


def odd_numbers(document: Document) -> list[tuple[str, str]]:
    """Names and texts of those attributes that should be numbers and are none that is possible there."""
    bounds = _NUMBERS.get(document.element or "", {})
    texts = ((name, document.get(name)) for name in bounds)
    return [(name, text) for name, text in texts if text is not None and is_odd(text, bounds[name])]


# --- the engine's own bytes ----------------------------------------------------------------------------------------


def encode_start(command: StartTask) -> bytes:
    """The start command as the engine sends it."""
    attributes: list[tuple[str, object]] = [("tcp_port", command.tcp_port)]
    others = ("kind", "java_options", "java_classpath")
    attributes += [(name, value) for name in others if (value := getattr(command, name)) is not None]
    return (_PROLOG + _element(START_TASK, attributes)).encode("iso-8859-1")


def encode_close(command: CloseTask) -> bytes:
    """The close command: without prolog, with single quotes."""
    kill = " kill='yes'" if command.kill else ""
    return f"<{CLOSE_TASK} process_id='{command.process_id}'{kill}/>".encode("iso-8859-1")


def encode_process_answer(started: ProcessStarted, time: str) -> bytes:
    """The answer to a start, with LF and NUL; ``time`` is ``2026-11-22 04:06:13.943``."""
    attributes: list[tuple[str, object]] = [("process_id", started.process_id)]
    if started.pid is not None:
        attributes.append(("pid", started.pid))
    return _answer(time, _element("process", attributes)) + b"\n\0"


def encode_ok(time: str) -> bytes:
    """The answer to close: NUL without LF."""
    return _answer(time, "<ok/>") + b"\0"


def encode_error(error: XmlError, time: str) -> bytes:
    """An answer with an error; the element itself tells the time in whole seconds."""
    attributes: list[tuple[str, object]] = [("time", time.partition(".")[0])]
    if error.class_name:
        attributes.append(("class", error.class_name))
    attributes += [("code", error.code), ("text", error.text)]
    return _answer(time, _element("ERROR", attributes)) + b"\n\0"


def _answer(time: str, content: str) -> bytes:
    return f'{_PROLOG}<spooler><answer time="{_escaped(time)}">{content}</answer></spooler>'.encode("iso-8859-1")


def _element(name: str, attributes: list[tuple[str, object]]) -> str:
    pairs = [f' {key}="{_escaped(str(value))}"' for key, value in attributes]
    return f"<{name}{''.join(pairs)}/>"


def _escaped(value: str) -> str:
    """An attribute's value; what is not printable ASCII is written as its number, as the engine does."""
    return _SPECIAL.sub(lambda match: _ENTITIES.get(match[0]) or f"&#{ord(match[0])};", value)
