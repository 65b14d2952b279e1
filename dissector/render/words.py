"""Messages in words: what a request asks for and what its answer says, each as one short text.

Everything that comes from the wire passes the mask and is escaped.  Unless ``full`` is wanted, only the telling part of
a long text is given; with it, a text may have several lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from dissector.model import Message
from dissector.numbers import count
from dissector.render.rows import signal_name
from dissector.render.text import escape
from dissector.wire import details
from dissector.wire import messages as wire
from dissector.wire.control import Document, process_started
from dissector.wire.enums import InvokeFlag, is_put
from dissector.wire.http_message import HttpMessage
from dissector.wire.masking import Mask
from dissector.wire.names import guid_name, guid_text, hresult_name, log_line
from dissector.wire.secrets import MASK

#: Bytes in front of each message of a callback connection.
_LENGTH_HEADER = 4
_PREFIX = "remote_scheduler."
#: Parameters of construct in the order in which they tell most; the others follow with ``full`` only.
_TELLING = ("language", "job", "java_class", "process.filename", "com_class", "filename", "script")
#: More than any screen shows of one text.
_LINE_CELLS = 1024


class Said(NamedTuple):
    """Words about an answer."""

    text: str
    failed: bool = False


class LogCall(NamedTuple):
    level: str
    text: str


class Words:
    def __init__(self, mask: Mask, full: bool = False) -> None:
        self._mask = mask
        self._full = full

    # --- requests --------------------------------------------------------------------------------------------------

    def request(self, message: Message) -> str:
        """What a request asks for: ``spooler_task.Params_xml``, ``step``, ``log info  text``."""
        body = shown_body(message, self._mask)
        if isinstance(body, (Document, HttpMessage)):
            return self.command(body)
        log = log_call(message, body)
        if log is not None:
            return f"log {log.level}  {self.text(log.text)}"
        if isinstance(body, wire.Call):
            return self._call(body)
        if isinstance(body, wire.Invoke):
            return self._invoke(message, body)
        if isinstance(body, wire.GetIdsOfNames):
            return f"get_ids_of_names {object_words(message)}.{self.text(', '.join(body.names))}"
        if isinstance(body, wire.Release):
            name = object_words(message)
            return "release" if _is_instance_server(name) else f"release {name}"
        if isinstance(body, wire.CreateInstance):
            name = guid_words(body.clsid)
            return "create_instance" if _is_instance_server(name) else f"create_instance {name}"
        if isinstance(body, (wire.QueryInterface, wire.JavaQueryInterface)):
            return f"query_interface {object_words(message)} {guid_words(body.iid)}"
        if isinstance(body, wire.KeepAlive):
            return "keep-alive"
        if message.operation == "tunnel_token":
            return "tunnel token"
        return f"undecoded, {count(len(message.raw), 'byte')}: {escape(message.note or '')}"

    def _call(self, body: wire.Call) -> str:
        name, arguments = self.text(body.name), body.params.natural
        if body.name.lower() == "construct":
            return f"{name}({self._construct(arguments)})"
        if body.name.lower() == "begin" and len(arguments) == 2:
            names = arguments[1].value
            if isinstance(names, wire.SafeArray) and not isinstance(names.elements, bytes):
                parts = (one if isinstance(one, str) else one.value for one in names.elements)
                return f"{name}({', '.join(self.text(part) for part in parts if isinstance(part, str))})"
        return f"{name}({self._values(arguments)})" if arguments else name

    def _construct(self, arguments: tuple[wire.Variant, ...]) -> str:
        """The parameters that tell most; with ``full`` all that are not blank, one a line."""
        parameters = details.construct_parameters(arguments)
        if not parameters.pairs:
            return self._values(arguments)
        given = {key: value for key, value in parameters.pairs if value.strip()}
        if self._full:
            return "".join(
                f"\n  {escape(key)}={self._source(parameters) if key == 'script' else self.quoted(value)}"
                for key, value in parameters.pairs
                if value.strip()
            )
        words = [f"{key}={self._parameter(key, given[key], parameters)}" for key in _TELLING if key in given]
        words = [word for word in words if word != "script=0 lines"]
        if parameters.monitors:
            words.append(count(len(parameters.monitors), "monitor"))
        return ", ".join([*words, "…"])

    def _parameter(self, key: str, value: str, parameters: details.ConstructParameters) -> str:
        if key == "script":
            source = _script(parameters)
            return count(source.count("\n") + 1 if source else 0, "line")
        return self.quoted(value)

    def _source(self, parameters: details.ConstructParameters) -> str:
        """The script, each line on a line of its own."""
        return "".join(f"\n    {line}" for line in self.text(_script(parameters)).split("\n"))

    def _invoke(self, message: Message, body: wire.Invoke) -> str:
        member = self.text(message.member) if message.member else f"dispid {body.dispid}"
        name = f"{object_words(message)}.{member}"
        arguments = body.params.natural
        if is_put(body.flags) and arguments:
            index = f"({self._values(arguments[:-1])})" if len(arguments) > 1 else ""
            return f"{name}{index} = {self.value(arguments[-1])}"
        if not arguments and (body.flags & InvokeFlag.PROPERTYGET or not message.member):
            return name
        return f"{name}({self._values(arguments)})"

    # --- answers ---------------------------------------------------------------------------------------------------

    def answer(self, message: Message) -> Said:
        """What an answer says; empty where it says no more than that all went well."""
        body = shown_body(message, self._mask)
        if isinstance(body, (Document, HttpMessage)):
            return self.command_answer(body)
        if isinstance(body, wire.ErrorAnswer):
            return Said(self._error(body.part("what=") or " ".join(body.strings)) or "error", failed=True)
        if isinstance(body, wire.Undecoded):
            size = message.size - _LENGTH_HEADER
            return Said(f"undecoded, {count(size, 'byte')}: {escape(message.note or body.reason)}", failed=True)
        hresult = getattr(body, "hresult", 0)
        if wire.is_failed(hresult):
            return Said(self._failure(hresult, body), failed=message.operation != "get_ids_of_names")
        if isinstance(body, wire.CreateInstanceAnswer):
            return Said("the start is confirmed")
        if isinstance(body, wire.GetIdsOfNamesAnswer):
            return Said(f"=> dispid {', '.join(map(str, body.dispids or ()))}")
        if isinstance(body, wire.QueryInterfaceAnswer) and body.object is not None:
            return Said(f"=> {self._reference(body.object)}")
        if isinstance(body, (wire.CallAnswer, wire.InvokeAnswer)) and body.result is not None:
            return self._result(message, body.result)
        return Said("")

    def _result(self, message: Message, result: wire.Variant) -> Said:
        if result.value is None:
            return Said("")
        if (message.member or "").lower() == "step" and isinstance(result.value, str):
            ended = details.process_result(result.value)
            if ended is not None:
                return self._process_result(ended)
        return Said(f"=> {self.value(result)}")

    def _process_result(self, ended: details.ProcessResult) -> Said:
        words = []
        if ended.signal and ended.signal != "0":
            number = ended.signal_number
            words.append(self.text(ended.signal) if number is None else signal_name(number))
        elif ended.exit_code is not None:
            words.append(f"exit code {ended.exit_code}")
        if ended.state_text:
            words.append(self.quoted(ended.state_text))
        return Said(
            f"=> {', '.join(words)}", failed=bool(ended.exit_code) or bool(ended.signal and ended.signal != "0")
        )

    def _failure(self, hresult: int, body: object) -> str:
        words = [hresult_name(hresult)]
        if isinstance(body, wire.InvokeAnswer) and body.failure is not None:
            words.append(self._error(body.failure.excepinfo.description))
        return "  ".join(word for word in words if word)

    def _error(self, text: str) -> str:
        """An error's text is worth all its lines; without ``full`` they become one."""
        return self.text(text if self._full else " ".join(line.strip() for line in text.split("\n")))

    # --- documents -------------------------------------------------------------------------------------------------

    def command(self, body: Document | HttpMessage) -> str:
        """``start_remote_task tcp_port=59999``"""
        if isinstance(body, HttpMessage):
            prefix, document = f"{body.element} ", body.document
            if document is None:
                return self.text(prefix + (body.json_type or "").rstrip())
        else:
            prefix, document = "", body
        if document.element is None:
            return self.text(prefix + (document.text or document.reason or document.form))
        words = [prefix + document.element.removeprefix(_PREFIX)]
        for key, value in document.attributes:
            if self._full or not key.startswith("java_"):
                words.append(f"{key}={value}" if value and " " not in value else f'{key}="{value}"')
        return self.text(" ".join(words))

    def command_answer(self, body: Document | HttpMessage) -> Said:
        document = body.document if isinstance(body, HttpMessage) else body
        if document is None:
            return Said(self.text(body.element or ""))
        if document.error is not None:
            code, text, _ = document.error
            return Said(f"ERROR {self._error(text if text.startswith(code) else f'{code}  {text}')}", failed=True)
        started = process_started(document)
        if started is not None:
            pid = f", pid {started.pid}" if started.pid else ""
            return Said(f"process {'?' if started.process_id is None else started.process_id}{pid}")
        return Said(self.text(document.element or document.text or document.form))

    # --- values ----------------------------------------------------------------------------------------------------

    def value(self, variant: wire.Variant) -> str:
        value = variant.value
        if value is None:
            return _NO_VALUE.get(variant.vt, MASK)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return f"{value / 10_000:.4f}" if variant.vt == 6 else str(value)
        if isinstance(value, str):
            return self.quoted(value)
        if isinstance(value, wire.Double):
            return _double(value)
        if isinstance(value, wire.Reference):
            return self._reference(value)
        if isinstance(value.elements, bytes):
            return count(len(value.elements), "byte")
        return f"[{self._values(value.elements)}]"

    def _values(self, values: Iterable[wire.Variant | str]) -> str:
        words: list[str] = []
        for value in values:
            words.append(self.quoted(value) if isinstance(value, str) else self.value(value))
            if not self._full and sum(map(len, words)) > _LINE_CELLS:
                words.append("…")
                break
        return ", ".join(words)

    def _reference(self, reference: wire.Reference) -> str:
        if not reference.object_id:
            return "null"
        if reference.new is not None and reference.new.title:
            return f"<{self.text(short_class(reference.new.title))}>"
        return f"<object {reference.object_id:016x}>"

    def quoted(self, text: str) -> str:
        if not self._full and text.startswith("<?xml"):
            text = text.partition("?>")[2].lstrip()
        return f'"{self.text(text)}"'

    def text(self, text: str) -> str:
        """Escaped.  Of several lines the first one and how many follow, or with ``full`` all of them."""
        lines = text.rstrip("\r\n").split("\n")
        if self._full:
            return "\n".join(escape(line) for line in lines)
        more = len(lines) - 1
        return escape(lines[0][:_LINE_CELLS]) + (f" (+{count(more, 'line')})" if more else "")


#: By type; other types have none when it is secret.
_NO_VALUE = {0: "empty", 1: "null"}
#: Bodies whose texts do not stand in the bytes as they are, or may be anywhere.
_FREE_TEXT = frozenset((Document, HttpMessage, wire.Undecoded))


def shown_body(message: Message, mask: Mask) -> Any:
    """The message's body with its secrets masked."""
    body, secret = message.body, mask.is_secret(message)
    if not secret and type(body) not in _FREE_TEXT and mask.passes(message.raw):
        return body
    return mask.body(body, secret)


def log_call(message: Message, body: Any) -> LogCall | None:
    """The log line that a callback to a Com_log writes."""
    if not isinstance(body, wire.Invoke) or message.member is None:
        return None
    if message.object_name != "spooler_log" and short_class(message.object_class or "") != "Com_log":
        return None
    line = log_line(message.member.lower(), [argument.value for argument in body.params.natural])
    return LogCall(line[0], line[1]) if line is not None and isinstance(line[1], str) else None


def object_words(message: Message) -> str:
    """The object's name, else its class without namespaces, else its id."""
    if message.object_name:
        return escape(message.object_name)
    if message.object_class:
        return escape(short_class(message.object_class))
    return "object" if message.object_id is None else f"object {message.object_id:016x}"


def _is_instance_server(name: str) -> bool:
    """The object that every task has and that need not be named: ``Com_remote_module_instance_server``."""
    return name.lower().replace("_", "").endswith("moduleinstanceserver")


def short_class(title: str) -> str:
    """``Com_log`` of ``sos::scheduler::com_objects::Com_log``."""
    return title.rpartition("::")[2]


def guid_words(guid: bytes) -> str:
    return escape(guid_name(guid) or guid_text(guid))


def _script(parameters: details.ConstructParameters) -> str:
    return "".join(part.text for part in parameters.script).strip("\n")


def _double(value: wire.Double) -> str:
    try:
        return repr(value.value)
    except ValueError:
        return escape(value.text)
