"""One small frozen record per message and value, field for field as ``grammar.py`` declares them.

Integers are as signed as PROTOCOL.md says, but for hresults, object ids, flags and UI* values, which are unsigned.
GUIDs are 16 bytes in printed order.  Strings are ISO-8859-1 text.  Arguments stay in wire order (last one first);
``DispParams.natural`` gives them as a programmer wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Variant:
    """``vt`` says what ``value`` is: None (EMPTY, NULL), int, bool, str, Double, Reference or SafeArray."""

    vt: int
    value: VariantValue


@dataclass(frozen=True, slots=True)
class SafeArray:
    """One-dimensional array; ``elements`` is bytes (element_vt 17), strings (8) or variants (12)."""

    features: int
    lower_bound: int
    element_vt: int
    elements: bytes | tuple[str, ...] | tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Property:
    name: str
    value: Variant


@dataclass(frozen=True, slots=True)
class NewObject:
    """What the first reference to an object tells about it."""

    title: str
    proxy_clsid: bytes
    properties: tuple[Property, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """``object_id`` 0 is the null reference; ``new`` is there when the owner sends the object for the first time."""

    object_id: int
    new: NewObject | None


VariantValue = None | int | str | Double | Reference | SafeArray


@dataclass(frozen=True, slots=True)
class DispParams:
    """Arguments in wire order; the first ``len(named)`` are the named ones."""

    named: tuple[int, ...]
    arguments: tuple[Variant, ...]

    @property
    def natural(self) -> tuple[Variant, ...]:
        return self.arguments[::-1]


@dataclass(frozen=True, slots=True)
class ExcepInfo:
    code: int
    reserved: int
    source: str
    description: str
    help_file: str
    help_context: int
    scode: int


# --- requests ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateInstance:
    session_id: int
    clsid: bytes
    outer: Reference
    context: int
    iids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Release:
    object_id: int


@dataclass(frozen=True, slots=True)
class QueryInterface:
    object_id: int
    iid: bytes


@dataclass(frozen=True, slots=True)
class JavaQueryInterface:
    """query_interface as the Java client writes it: command ``G``, the object id once more, then the iid."""

    object_id: int
    object_id_again: int
    iid: bytes


@dataclass(frozen=True, slots=True)
class GetIdsOfNames:
    object_id: int
    iid: bytes
    lcid: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Invoke:
    object_id: int
    dispid: int
    iid: bytes
    lcid: int
    flags: int
    params: DispParams


@dataclass(frozen=True, slots=True)
class Call:
    object_id: int
    name: str
    params: DispParams


@dataclass(frozen=True, slots=True)
class KeepAlive:
    pass


# --- answers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InterfaceResult:
    hresult: int
    object: Reference


@dataclass(frozen=True, slots=True)
class CreateInstanceAnswer:
    """``results`` is None after a failed hresult."""

    hresult: int
    results: tuple[InterfaceResult, ...] | None


@dataclass(frozen=True, slots=True)
class EmptyAnswer:
    """The answer to release and to keep-alive."""


@dataclass(frozen=True, slots=True)
class QueryInterfaceAnswer:
    hresult: int
    object: Reference | None


@dataclass(frozen=True, slots=True)
class GetIdsOfNamesAnswer:
    hresult: int
    dispids: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class InvokeFailure:
    """``argerr`` is the index of the bad argument, -1 for none."""

    argerr: int
    excepinfo: ExcepInfo


@dataclass(frozen=True, slots=True)
class InvokeAnswer:
    """Exactly one of ``result`` and ``failure`` is there, as the hresult says."""

    hresult: int
    result: Variant | None
    failure: InvokeFailure | None


@dataclass(frozen=True, slots=True)
class CallAnswer:
    hresult: int
    result: Variant


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    strings: tuple[str, ...]

    def part(self, prefix: str) -> str | None:
        """Text behind ``prefix`` (``name=``, ``code=``, ``what=``) of the first string that begins with it."""
        return next((text[len(prefix) :] for text in self.strings if text.startswith(prefix)), None)


@dataclass(frozen=True, slots=True)
class Undecoded:
    """A message that could not be decoded: an answer without its request, an unknown class, broken bytes."""

    data: bytes
    reason: str


@dataclass(frozen=True, slots=True)
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
