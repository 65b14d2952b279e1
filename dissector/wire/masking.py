"""Secrets in what is shown become ``***``: the rules of ``secrets.py``, applied to names, texts and messages.

``Mask`` is the one thing that views ask; ``--show-secrets`` makes one that masks nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from dissector.model import Message
from dissector.wire.control import Document, HttpMessage
from dissector.wire.enums import VarType
from dissector.wire.fields import FieldNode
from dissector.wire.messages import DispParams, Double, Property, SafeArray, Undecoded, Variant
from dissector.wire.secrets import MASK, looks_secret, mask_text, may_hold_secret, names_a_secret

T = TypeVar("T")

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


class Mask:
    """Masks secrets if ``enabled``, else gives back what it gets."""

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self._raw, self._passes = b"", True

    def text(self, text: str) -> str:
        """Free text with the secrets in it masked."""
        return mask_text(text) if self.enabled else text

    def value(self, name: str, value: str) -> str:
        """The value of a variable, parameter or header: masked as a whole when its name looks like a secret."""
        if not self.enabled:
            return value
        return _hidden(value) if looks_secret(name) else mask_text(value)

    def body(self, body: T, secret: bool = False) -> T:
        """A message's body (``wire.messages``, ``wire.control``) with masked texts, of the same shape.

        ``secret`` masks every text and number in arguments and results: of a message that ``is_secret``.
        """
        if not self.enabled:
            return body
        masked: T = _masked(body, secret)
        return masked

    def hidden(self, message: Message) -> dict[Any, Any]:
        """What becomes of each text (and of bytes) of a message, of those that do not stay as they are."""
        masked = self.body(message.body, self.is_secret(message))
        pairs = zip(texts(message.body, (str, bytes)), texts(masked, (str, bytes)), strict=True)
        return {plain: shown for plain, shown in pairs if plain != shown}

    def numbers(self, message: Message, root: FieldNode) -> list[FieldNode]:
        """Nodes of the message's field tree that are secret numbers, a double's group whole.

        Where one number is secret all of the message are: they stand in the same call or answer.
        """
        secret = self.is_secret(message)
        if not secret and self.passes(message.raw):
            return []
        masked = self.body(message.body, secret)
        pairs = zip(_variants(message.body), _variants(masked), strict=True)
        return list(_numbers(root)) if any(new.value is None is not old.value for old, new in pairs) else []

    def passes(self, raw: bytes) -> bool:
        """True when no text of a message with the bytes ``raw`` can be a secret by itself, as of nearly all: ``body``
        would give back its record.  Texts stand in the bytes as they are, but for documents."""
        if raw is not self._raw:  # an answer is shown behind its request, which was just looked at
            self._raw, self._passes = raw, not (self.enabled and may_hold_secret(raw))
        return self._passes

    def is_secret(self, message: Message) -> bool:
        """True when the texts of a message are secret as a whole: the member that it is about (a property, a method)
        has the name of a secret, or it answers a request that ``asks_for_secret``."""
        if not self.enabled:
            return False
        request = message.request
        member = message.member if request is None else request.member
        if member is not None and looks_secret(member):
            return True
        return request is not None and not self.passes(request.raw) and self.asks_for_secret(request.body)

    def asks_for_secret(self, body: object) -> bool:
        """True for a request whose answer is a secret: one of its arguments is a secret's name."""
        params = getattr(body, "params", None)
        if not self.enabled or not isinstance(params, DispParams):
            return False
        return any(map(_is_name, params.arguments))


def texts(value: Any, kinds: type | tuple[type, ...] = str) -> Iterator[Any]:
    """All texts inside a message's body: arguments, results, errors, names, or the document; no numbers."""
    if isinstance(value, kinds):
        yield value
    elif isinstance(value, Double):
        return
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item, kinds)
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name), kinds)


def _variants(value: Any) -> Iterator[Variant]:
    if isinstance(value, Variant):
        yield value
    if isinstance(value, tuple):
        for item in value:
            yield from _variants(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _variants(getattr(value, field.name))


def _numbers(node: FieldNode) -> Iterator[FieldNode]:
    """The values of variants that are numbers."""
    vt: object = None
    for child in node.children:
        if child.name == "vt":
            vt = child.value
        elif child.name == "value" and vt in NUMBERS:
            yield child
        else:
            yield from _numbers(child)


def _hidden(text: str) -> str:
    return MASK if text else text


def _masked(value: Any, secret: bool) -> Any:
    """The value itself when nothing in it is to be masked."""
    if type(value) in _NO_TEXT:
        return value
    if isinstance(value, str):
        return _hidden(value) if secret else mask_text(value)
    if isinstance(value, tuple):
        return _tuple(value, secret)
    if isinstance(value, DispParams):
        arguments = _arguments(value, secret)
        same = all(new is old for new, old in zip(arguments, value.arguments, strict=True))
        return value if same else replace(value, arguments=arguments)
    if isinstance(value, Variant) and secret and value.vt in NUMBERS:
        return value if value.value is None else replace(value, value=None)
    if isinstance(value, Property):
        return replace(value, value=_masked(value.value, secret or looks_secret(value.name)))
    if isinstance(value, Undecoded):
        # Nobody knows whether an answer whose request is missing was asked for a secret.
        secret = secret or (value.data[:1] == _ANSWER and _READABLE.search(value.data) is not None)
        return Undecoded(_bytes(value.data, secret), mask_text(value.reason), _masked(value.asks, secret))
    if isinstance(value, SafeArray) and isinstance(value.elements, bytes):
        return replace(value, elements=_bytes(value.elements, secret))
    if isinstance(value, Document):
        return _document(value)
    if isinstance(value, HttpMessage):
        return _http(value)
    return _record(value, secret) if is_dataclass(value) else value


def _tuple(values: tuple[Any, ...], secret: bool) -> tuple[Any, ...]:
    masked = [_masked(value, secret) for value in values]
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
        new = _masked(old, secret)
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
    secret = secret or any(map(_is_name, params.arguments))
    return tuple(one if _is_name(one) else _masked(one, secret) for one in params.arguments)


def _is_name(argument: Variant) -> bool:
    return isinstance(argument.value, str) and names_a_secret(argument.value)


def _bytes(data: bytes, secret: bool) -> bytes:
    """Bytes of unknown meaning: kept unless a secret's name is among them, since its value can be anywhere."""
    return MASK.encode() if (secret and data) or looks_secret(data.decode("iso-8859-1")) else data


def _document(document: Document) -> Document:
    hidden = any(name == "name" and looks_secret(value) for name, value in document.attributes)
    attributes = tuple(
        (name, _hidden(value) if looks_secret(name) or (hidden and name != "name") else mask_text(value))
        for name, value in document.attributes
    )
    return replace(
        document,
        text=mask_text(document.text),
        attributes=attributes,
        error=_masked(document.error, secret=False),
        reason=_masked(document.reason, secret=False),
    )


def _http(message: HttpMessage) -> HttpMessage:
    """The body's bytes are masked like its text, and the JSON object goes: it is in the text."""
    headers = tuple(
        (name, _hidden(value) if looks_secret(name) else mask_text(value)) for name, value in message.headers
    )
    body = message.body.decode("iso-8859-1")
    return replace(
        message,
        text=mask_text(message.text),
        element=mask_text(message.element),
        path=_masked(message.path, secret=False),
        headers=headers,
        body=mask_text(body).encode("iso-8859-1"),
        document=_document(message.document) if message.document else None,
        json=None,
        reason=_masked(message.reason, secret=False),
    )
