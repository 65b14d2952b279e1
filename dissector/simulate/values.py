"""Wire records in short words: what the scripts of both peers are written with."""

from __future__ import annotations

from functools import lru_cache

from dissector.wire import messages as m
from dissector.wire.enums import DispId, InvokeFlag, VarType

NULL_GUID = bytes(16)
_ENGINE_TAIL = bytes.fromhex("6c1b11d88103000476ee8afb")


def engine_guid(first: int) -> bytes:
    """An id of the engine: they differ in their first four bytes (docs/protocol.md#objects)."""
    return first.to_bytes(4, "big") + _ENGINE_TAIL


SERVER_CLSID = engine_guid(0xFEEE47A3)
SERVER_IID = engine_guid(0xFEEE47A2)
LOG_PROXY = engine_guid(0xFEEE47A6)
TASK_PROXY = engine_guid(0xFEEE47AA)
SPOOLER_PROXY = engine_guid(0xFEEE47B3)

EMPTY = m.Variant(VarType.EMPTY, None)
TRUE = m.Variant(VarType.BOOL, True)
FALSE = m.Variant(VarType.BOOL, False)
NULL_REFERENCE = m.Reference(0, None)
DONE = m.EmptyAnswer()
PROLOG = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'


def bstr(text: str) -> m.Variant:
    return m.Variant(VarType.BSTR, text)


def i4(value: int) -> m.Variant:
    return m.Variant(VarType.I4, value)


def boolean(value: bool) -> m.Variant:
    return TRUE if value else FALSE


def dispatch(reference: m.Reference) -> m.Variant:
    return m.Variant(VarType.DISPATCH, reference)


def variants(*elements: m.Variant) -> m.Variant:
    """An array of VARIANTs as the C++ engine sends it."""
    return m.Variant(VarType.ARRAY | VarType.VARIANT, m.SafeArray(0x0880, 0, VarType.VARIANT, elements))


def object_id(number: int, salt: int) -> int:
    """Id of an owner's ``number``-th object: a counter below, noise above; ``salt`` tells the owners apart.

    The noise is the same in every task, which is as good on separate connections and lets frames be encoded once.
    """
    noise = (number * 0x9E37_79B1 ^ salt * 0x85EB_CA6B) & 0xFFFF_FFFF
    return noise << 32 | number


def call(target: int, name: str, *arguments: m.Variant) -> m.Call:
    return m.Call(target, name, m.DispParams((), arguments[::-1]))


def lookup(target: int, name: str) -> m.GetIdsOfNames:
    return m.GetIdsOfNames(target, NULL_GUID, 0, (name,))


def invoke(target: int, dispid: int, flags: InvokeFlag, *arguments: m.Variant) -> m.Invoke:
    """A method, or a property get or put; a put's last argument is the value, the named one."""
    named = (int(DispId.PROPERTYPUT),) if flags is InvokeFlag.PROPERTYPUT else ()
    return m.Invoke(target, dispid, NULL_GUID, 0, int(flags), m.DispParams(named, arguments[::-1]))


def returned(value: m.Variant) -> m.InvokeAnswer:
    return m.InvokeAnswer(0, value, None)


def failed(hresult: int, source: str, description: str) -> m.InvokeAnswer:
    """A failed invoke with its excepinfo."""
    return m.InvokeAnswer(hresult, None, m.InvokeFailure(-1, m.ExcepInfo(0, 0, source, description, "", 0, 0)))


def error(what: str) -> m.ErrorAnswer:
    """An ``E`` answer as Linux engines send it: all is in ``what``."""
    return m.ErrorAnswer(("name=", "code=", f"what={what}"))


@lru_cache(maxsize=1)
def every_variant() -> tuple[tuple[str, m.Variant], ...]:
    """A value or more of every VARIANT type that the engine writes (docs/protocol.md#variants), each with a name."""
    array = VarType.ARRAY
    plain = [
        (VarType.EMPTY, None), (VarType.NULL, None), (VarType.I2, -32_768), (VarType.I4, -2_147_483_648),
        (VarType.R4, m.Double.of(0.5)), (VarType.R8, m.Double.of(-1.5e300)), (VarType.R8, m.Double("inf")),
        (VarType.CY, 123_4567), (VarType.DATE, m.Double.of(46_348.25)), (VarType.BSTR, "äöü \xac"), (VarType.BSTR, ""),
        (VarType.DISPATCH, NULL_REFERENCE), (VarType.ERROR, -2_147_352_572), (VarType.BOOL, True),
        (VarType.BOOL, False), (VarType.UNKNOWN, NULL_REFERENCE), (VarType.I1, -5), (VarType.UI1, 200),
        (VarType.UI2, 65_535), (VarType.UI4, 4_294_967_295), (VarType.I8, -(2**63)), (VarType.UI8, 2**64 - 1),
        (VarType.INT, -42), (VarType.UINT, 42),
    ]  # fmt: skip
    arrays: list[tuple[int, m.VariantValue]] = [
        (array | VarType.UI1, m.SafeArray(0x0090, 0, VarType.UI1, bytes(range(256)))),
        (array | VarType.BSTR, m.SafeArray(0x0110, 0, VarType.BSTR, ("one", "", "drei"))),
        (array | VarType.VARIANT, m.SafeArray(0x0810, 0, VarType.VARIANT, (i4(1), bstr("two"), variants(TRUE)))),
        (array | VarType.VARIANT, m.SafeArray(0x0880, 0, VarType.VARIANT, ())),
    ]
    values = [m.Variant(int(vt), value) for vt, value in [*plain, *arrays]]
    return tuple((f"value {number}", value) for number, value in enumerate(values, 1))
