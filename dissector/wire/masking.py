"""Secrets in what is shown become ``***``: the rules of ``secrets.py``, applied to names, texts and messages.

``Mask`` is the one thing that views ask; ``--show-secrets`` makes one that masks nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from dissector.model import Message
from dissector.wire.fields import FieldNode
from dissector.wire.http_message import HttpMessage
from dissector.wire.masked import NUMBERS, hidden_text, is_name, mask_agent_text, masked_json, masked_value
from dissector.wire.messages import DispParams, Double, Variant
from dissector.wire.secrets import MASK, looks_secret, mask_text, may_hold_secret

T = TypeVar("T")


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
        return hidden_text(value) if looks_secret(name) else mask_text(value)

    def agent(self, text: str) -> str:
        """The same for a text of a Universal Agent: names of tasks there are secrets too."""
        return mask_agent_text(text) if self.enabled else text

    def json(self, value: Any) -> Any:
        """A JSON value with its texts masked; one in a field that has a secret's name as a whole."""
        return masked_json(value) if self.enabled else value

    def body(self, body: T, secret: bool = False) -> T:
        """A message's body (``wire.messages``, ``wire.control``) with masked texts, of the same shape.

        ``secret`` masks every text and number in arguments and results: of a message that ``is_secret``.
        """
        if not self.enabled:
            return body
        shown: T = masked_value(body, secret)
        return shown

    def hidden(self, message: Message) -> dict[Any, Any]:
        """What becomes of each text (and of bytes) of a message, of those that do not stay as they are: of one that
        is secret in one place, the same in all."""
        masked = self.body(message.body, self.is_secret(message))
        pairs = zip(texts(message.body, (str, bytes)), texts(masked, (str, bytes)), strict=True)
        changed = [(plain, shown) for plain, shown in pairs if plain != shown]
        return dict(changed) | {plain: shown for plain, shown in changed if shown == MASK}

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
        return any(map(is_name, params.arguments))


def texts(value: Any, kinds: type | tuple[type, ...] = str) -> Iterator[Any]:
    """All texts inside a message's body: arguments, results, errors, names, or the document; no numbers."""
    if isinstance(value, kinds):
        yield value
    elif isinstance(value, Double):
        return
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item, kinds)
    elif isinstance(value, HttpMessage):
        yield value.text
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
