"""Tables of codes.  A code that no table has is a value too: a pseudo member ``UNKNOWN_<decimal>``, never an error."""

from __future__ import annotations

from enum import Enum, IntEnum
from functools import lru_cache
from typing import TypeVar

_Self = TypeVar("_Self", bound="Code")


class Code(IntEnum):
    """An integer code; ``Code(31)`` of a table without 31 is its pseudo member ``UNKNOWN_31``.

    Pseudo members are made anew each time and never kept: what a peer sends must not fill memory.
    """

    @classmethod
    def _missing_(cls: type[_Self], value: object) -> _Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}".replace("-", "MINUS_")
        member._value_ = value
        return member


class MessageClass(Code):
    """First byte of a message (docs/protocol.md#message-classes)."""

    SESSION = ord("S")
    OBJECT = ord("O")
    ANSWER = ord("A")
    ERROR = ord("E")
    KEEP_ALIVE = ord("K")
    NONE = ord("N")
    TUNNEL_TOKEN = ord("{")


class Command(Code):
    """Byte behind the session id or object id of a request."""

    CREATE_INSTANCE = ord("C")
    RELEASE = ord("R")
    QUERY_INTERFACE = ord("Q")
    GET_IDS_OF_NAMES = ord("G")
    INVOKE = ord("I")
    CALL = ord("A")


class Operation(str, Enum):
    """What a request asks for; the words of the output contract."""

    CREATE_INSTANCE = "create_instance"
    RELEASE = "release"
    QUERY_INTERFACE = "query_interface"
    GET_IDS_OF_NAMES = "get_ids_of_names"
    INVOKE = "invoke"
    CALL = "call"
    KEEP_ALIVE = "keep_alive"

    # As the text, so that sets and tables of plain text know the members; Enum's own hash is that of the name.
    __hash__ = str.__hash__


class VarType(Code):
    """OLE VARIANT types (``wtypes.h``); ARRAY is a flag that is added to an element type."""

    EMPTY = 0
    NULL = 1
    I2 = 2
    I4 = 3
    R4 = 4
    R8 = 5
    CY = 6
    DATE = 7
    BSTR = 8
    DISPATCH = 9
    ERROR = 10
    BOOL = 11
    VARIANT = 12
    UNKNOWN = 13
    I1 = 16
    UI1 = 17
    UI2 = 18
    UI4 = 19
    I8 = 20
    UI8 = 21
    INT = 22
    UINT = 23
    ARRAY = 0x2000
    BYREF = 0x4000


class InvokeFlag(Code):
    """How a member is invoked; flags may be combined (a getter called as 1|2)."""

    METHOD = 1
    PROPERTYGET = 2
    PROPERTYPUT = 4
    PROPERTYPUTREF = 8


class DispId(Code):
    """The dispids with a fixed meaning (``oaidl.h``)."""

    VALUE = 0
    UNKNOWN = -1
    PROPERTYPUT = -3
    NEWENUM = -4


HRESULTS = {
    0x00000000: "S_OK",
    0x00000001: "S_FALSE",
    0x80004001: "E_NOTIMPL",
    0x80004002: "E_NOINTERFACE",
    0x80004003: "E_POINTER",
    0x80004004: "E_ABORT",
    0x80004005: "E_FAIL",
    0x8000FFFF: "E_UNEXPECTED",
    0x80010105: "RPC_E_SERVERFAULT",
    0x80010108: "RPC_E_DISCONNECTED",
    0x80020001: "DISP_E_UNKNOWNINTERFACE",
    0x80020003: "DISP_E_MEMBERNOTFOUND",
    0x80020004: "DISP_E_PARAMNOTFOUND",
    0x80020005: "DISP_E_TYPEMISMATCH",
    0x80020006: "DISP_E_UNKNOWNNAME",
    0x80020007: "DISP_E_NONAMEDARGS",
    0x80020008: "DISP_E_BADVARTYPE",
    0x80020009: "DISP_E_EXCEPTION",
    0x8002000A: "DISP_E_OVERFLOW",
    0x8002000B: "DISP_E_BADINDEX",
    0x8002000C: "DISP_E_UNKNOWNLCID",
    0x8002000D: "DISP_E_ARRAYISLOCKED",
    0x8002000E: "DISP_E_BADPARAMCOUNT",
    0x8002000F: "DISP_E_PARAMNOTOPTIONAL",
    0x80020010: "DISP_E_BADCALLEE",
    0x80020011: "DISP_E_NOTACOLLECTION",
    0x80020012: "DISP_E_DIVBYZERO",
    0x80040110: "CLASS_E_NOAGGREGATION",
    0x80040111: "CLASS_E_CLASSNOTAVAILABLE",
    0x80040154: "REGDB_E_CLASSNOTREG",
    0x80070005: "E_ACCESSDENIED",
    0x80070006: "E_HANDLE",
    0x8007000E: "E_OUTOFMEMORY",
    0x80070057: "E_INVALIDARG",
}

LCIDS = {
    0x0000: "neutral",
    0x007F: "invariant",
    0x0400: "user default",
    0x0407: "de-DE",
    0x0409: "en-US",
    0x040C: "fr-FR",
    0x0410: "it-IT",
    0x0411: "ja-JP",
    0x0800: "system default",
    0x0807: "de-CH",
    0x0809: "en-GB",
    0x0C07: "de-AT",
    0x0C0A: "es-ES",
}


@lru_cache(maxsize=256)
def vartype_name(vt: int) -> str:
    """``BSTR``, ``ARRAY|VARIANT``, ``UNKNOWN_99``."""
    if vt & VarType.ARRAY and vt != VarType.ARRAY:
        return f"ARRAY|{VarType(vt & ~VarType.ARRAY).name}"
    return VarType(vt).name


@lru_cache(maxsize=256)
def flag_names(flags: int) -> tuple[str, ...]:
    """Names of the invoke flags set, lowest bit first; bits without a name as ``UNKNOWN_<bit's value>``."""
    return tuple(InvokeFlag(1 << bit).name for bit in range(flags.bit_length()) if flags >> bit & 1)


def is_put(flags: int) -> bool:
    """True when invoke flags assign a property (PROPERTYPUT or PROPERTYPUTREF)."""
    return bool(flags & (InvokeFlag.PROPERTYPUT | InvokeFlag.PROPERTYPUTREF))
