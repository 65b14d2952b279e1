"""One small frozen record per message and value, field for field as ``grammar.py`` declares them.

Integers are as signed as docs/protocol.md#values says, but for hresults, object ids, flags and UI* values, which are
unsigned.  GUIDs are 16 bytes in printed order.  Strings are ISO-8859-1 text.  Arguments stay in wire order (last one
first); ``DispParams.natural`` gives them as a programmer wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

_T = TypeVar("_T")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform

    @dataclass_transform(frozen_default=True)
    def _record(cls: type[_T]) -> type[_T]: ...
else:
    # Frozen for the type checker only: at run time that would make records four times as slow to build.
    _record = dataclass(slots=True, unsafe_hash=True)


@_record
class Double:
    """A double as the text on the wire (C's ``%.16e`` or Java's ``Double.toString``)."""

    text: str

    @classmethod
    def of(cls, value: float) -> Double:
        """The double as the C++ engine writes it."""
        return cls(f"{value:.16e}")

    @property
    def value(self) -> float:
        """The number; Java's ``Infinity`` and ``NaN`` are what ``float`` reads as well."""
        return float(self.text)


def is_number(text: str) -> bool:
    """True for ASCII text that ``float`` reads: what may stand in a ``Double``."""
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()


@_record
class Variant:
    """``vt`` says what ``value`` is: None (EMPTY, NULL), int, bool, str, Double, Reference or SafeArray."""

    vt: int
    value: VariantValue


@_record
class SafeArray:
    """One-dimensional array; ``elements`` is bytes (element_vt 17), strings (8) or variants (12)."""

    features: int
    lower_bound: int
    element_vt: int
    elements: bytes | tuple[str, ...] | tuple[Variant, ...]


@_record
class Property:
    name: str
    value: Variant


@_record
class NewObject:
    """What the first reference to an object tells about it."""

    title: str
    proxy_clsid: bytes
    properties: tuple[Property, ...]


@_record
class Reference:
    """``object_id`` 0 is the null reference; ``new`` is there when the owner sends the object for the first time."""

    object_id: int
    new: NewObject | None


VariantValue = None | int | str | Double | Reference | SafeArray


@_record
class DispParams:
    """Arguments in wire order; the first ``len(named)`` are the named ones."""

    named: tuple[int, ...]
    arguments: tuple[Variant, ...]

    @property
    def natural(self) -> tuple[Variant, ...]:
        return self.arguments[::-1]


@_record
class ExcepInfo:
    code: int
    reserved: int
    source: str
    description: str
    help_file: str
    help_context: int
    scode: int


# --- requests ------------------------------------------------------------------------------------------------------


@_record
class CreateInstance:
    session_id: int
    clsid: bytes
    outer: Reference
    context: int
    iids: tuple[bytes, ...]


@_record
class Release:
    object_id: int


@_record
class QueryInterface:
    object_id: int
    iid: bytes


@_record
class JavaQueryInterface:
    """query_interface as the Java client writes it: command ``G``, the object id once more, then the iid."""

    object_id: int
    object_id_again: int
    iid: bytes


@_record
class GetIdsOfNames:
    object_id: int
    iid: bytes
    lcid: int
    names: tuple[str, ...]


@_record
class Invoke:
    object_id: int
    dispid: int
    iid: bytes
    lcid: int
    flags: int
    params: DispParams


@_record
class Call:
    object_id: int
    name: str
    params: DispParams


@_record
class KeepAlive:
    pass


# --- answers -------------------------------------------------------------------------------------------------------


@_record
class InterfaceResult:
    hresult: int
    object: Reference


@_record
class CreateInstanceAnswer:
    """``results`` is None after a failed hresult."""

    hresult: int
    results: tuple[InterfaceResult, ...] | None


@_record
class EmptyAnswer:
    """The answer to release and to keep-alive."""


@_record
class QueryInterfaceAnswer:
    hresult: int
    object: Reference | None


@_record
class GetIdsOfNamesAnswer:
    hresult: int
    dispids: tuple[int, ...] | None


@_record
class InvokeFailure:
    """``argerr`` is the index of the bad argument, -1 for none."""

    argerr: int
    excepinfo: ExcepInfo


@_record
class InvokeAnswer:
    """Exactly one of ``result`` and ``failure`` is there, as the hresult says."""

    hresult: int
    result: Variant | None
    failure: InvokeFailure | None


@_record
class CallAnswer:
    hresult: int
    result: Variant


@_record
class ErrorAnswer:
    strings: tuple[str, ...]

    def part(self, prefix: str) -> str | None:
        """Text behind ``prefix`` (``name=``, ``code=``, ``what=``) of the first string that begins with it."""
        return next((text[len(prefix) :] for text in self.strings if text.startswith(prefix)), None)


@_record
class Undecoded:
    """A message that could not be decoded: an answer without its request, an unknown class, broken bytes.

    One that is too long to be decoded has its first bytes in ``data``; ``asks`` is what they say of a request: without
    arguments."""

    data: bytes
    reason: str
    asks: Request | None = None


@_record
class TunnelToken:
    """First frame of a task process from release 1.10 on: ``{"tunnelToken":{"id":"..","secret":".."}}``.

    The secret is in ``text``: mask it before it is shown.
    """

    text: str


Request = CreateInstance | Release | QueryInterface | JavaQueryInterface | GetIdsOfNames | Invoke | Call | KeepAlive
Answer = (
    CreateInstanceAnswer
    | EmptyAnswer
    | QueryInterfaceAnswer
    | GetIdsOfNamesAnswer
    | InvokeAnswer
    | CallAnswer
    | ErrorAnswer
)
Body = Request | Answer | TunnelToken | Undecoded


def is_failed(hresult: int) -> bool:
    """True when the top bit of an (unsigned) hresult is set; S_FALSE (1) is not failed."""
    return hresult >= 0x8000_0000
