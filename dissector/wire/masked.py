"""A message's body with the secrets in it as ``***``, of the same shape."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any

from dissector.wire.control import Document
from dissector.wire.enums import VarType
from dissector.wire.http import PLAIN, start_line_of
from dissector.wire.http_message import HttpMessage
from dissector.wire.messages import DispParams, Property, SafeArray, Undecoded, Variant
from dissector.wire.secrets import MASK, looks_secret, mask_text, names_a_secret

#: What a task is called at a Universal Agent: the tunnel's id, and a random number of 63 bits, which is the secret.
AGENT_TASK = re.compile(r"(?<![\w-])(\d{1,10}-)(\d{6,20})(?![\w-])", re.ASCII)
#: What may be text in the bytes of an answer that can not be read without its request.
_READABLE = re.compile(rb"[\t\n\r\x20-\x7e\xa0-\xff]{4}")
_ANSWER = b"A"
#: Values without a text, nearly all of them.
_NO_TEXT = frozenset((int, bool, float, bytes, type(None)))
#: Values that are numbers.  One that is secret becomes None: a Value of its type without a value.
NUMBERS = frozenset(
    (
        *(VarType.I1, VarType.I2, VarType.I4, VarType.I8, VarType.INT),
        *(VarType.UI1, VarType.UI2, VarType.UI4, VarType.UI8, VarType.UINT),
        *(VarType.R4, VarType.R8, VarType.CY, VarType.DATE),
    )
)
#: Fields with names and identities, which tell what a message is about.
_NEVER_SECRET = frozenset(("name", "names", "title", "iid", "iids", "clsid", "proxy_clsid"))


def hidden_text(text: str) -> str:
    return MASK if text else text


def masked_value(value: Any, secret: bool) -> Any:
    """The value itself when nothing in it is to be masked."""
    if type(value) in _NO_TEXT:
        return value
    if isinstance(value, str):
        return hidden_text(value) if secret else mask_text(value)
    if isinstance(value, tuple):
        return _tuple(value, secret)
    if isinstance(value, DispParams):
        arguments = _arguments(value, secret)
        same = all(new is old for new, old in zip(arguments, value.arguments, strict=True))
        return value if same else replace(value, arguments=arguments)
    if isinstance(value, Variant) and secret and value.vt in NUMBERS:
        return value if value.value is None else replace(value, value=None)
    if isinstance(value, Property):
        return replace(value, value=masked_value(value.value, secret or looks_secret(value.name)))
    if isinstance(value, Undecoded):
        # Nobody knows whether an answer whose request is missing was asked for a secret.
        secret = secret or (value.data[:1] == _ANSWER and _READABLE.search(value.data) is not None)
        return Undecoded(_bytes(value.data, secret), mask_text(value.reason), masked_value(value.asks, secret))
    if isinstance(value, SafeArray) and isinstance(value.elements, bytes):
        return replace(value, elements=_bytes(value.elements, secret))
    if isinstance(value, Document):
        return _document(value)
    if isinstance(value, HttpMessage):
        return _http(value)
    return _record(value, secret) if is_dataclass(value) else value


def _tuple(values: tuple[Any, ...], secret: bool) -> tuple[Any, ...]:
    masked = [masked_value(value, secret) for value in values]
    if all(new is old for new, old in zip(masked, values, strict=True)):
        return values
    # A NamedTuple stays one.
    return type(values)(*masked) if hasattr(values, "_fields") else tuple(masked)


def _record(value: Any, secret: bool) -> Any:
    """A dataclass with its texts masked; ``secret`` holds for what it carries, not for names in it."""
    changes: dict[str, Any] = {}
    kind: Any = type(value)
    for name in _names(kind):
        old = getattr(value, name)
        new = masked_value(old, secret)
        if new is not old:
            changes[name] = new
    return replace(value, **changes) if changes else value


@lru_cache(maxsize=64)
def _names(kind: Any) -> tuple[str, ...]:
    """Fields of a kind of record that a secret may be in."""
    return tuple(field.name for field in fields(kind) if field.name not in _NEVER_SECRET)


def _arguments(params: DispParams, secret: bool) -> tuple[Variant, ...]:
    """The arguments; texts and numbers beside a secret's name are masked whatever they say: the value may
    stand on either side."""
    secret = secret or any(map(is_name, params.arguments))
    return tuple(one if is_name(one) else masked_value(one, secret) for one in params.arguments)


def is_name(argument: Variant) -> bool:
    return isinstance(argument.value, str) and names_a_secret(argument.value)


def _bytes(data: bytes, secret: bool) -> bytes:
    """Bytes of unknown meaning: kept unless a secret's name is among them, since its value can be anywhere."""
    return MASK.encode() if (secret and data) or looks_secret(data.decode("iso-8859-1")) else data


def _document(document: Document) -> Document:
    hidden = any(name == "name" and looks_secret(value) for name, value in document.attributes)
    attributes = tuple(
        (name, hidden_text(value) if looks_secret(name) or (hidden and name != "name") else mask_text(value))
        for name, value in document.attributes
    )
    return replace(
        document,
        text=mask_text(document.text),
        attributes=attributes,
        error=masked_value(document.error, secret=False),
        reason=masked_value(document.reason, secret=False),
    )


def mask_agent_text(text: str) -> str:
    """A text of a Universal Agent: what a task is called there is the key to kill it."""
    return AGENT_TASK.sub(MASK, mask_text(text))


def masked_json(value: Any, *, secret: bool = False) -> Any:
    """A JSON value of the same shape; nesting is what the reader of the JSON took."""
    if isinstance(value, dict):
        return {name: masked_json(item, secret=secret or _is_key(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [masked_json(item, secret=secret) for item in value]
    if isinstance(value, str):
        return hidden_text(value) if secret else mask_agent_text(value)
    return MASK if secret and value is not None and not isinstance(value, bool) else value


def _is_key(name: str) -> bool:
    """True for a field whose value is a secret; the id of a task on an agent is the key to kill it."""
    return name == "agentTaskId" or looks_secret(name)


def _http(message: HttpMessage) -> HttpMessage:
    """The parts are masked like the text."""
    lines = [mask_text(start_line_of(message.head))]
    for name, value in message.headers:
        lines.append(f"{name}: {hidden_text(value) if looks_secret(name) else mask_text(value)}")
    head = "\n".join(lines).encode("iso-8859-1", "replace")
    return replace(
        message,
        head=head,
        sent=mask_text(message.body.decode("iso-8859-1")).encode("iso-8859-1"),
        codings=PLAIN,
        document=_document(message.document) if message.document else None,
        reason=masked_value(message.reason, secret=False),
        masked=mask_text(message.text),
    )
