"""THE grammar of the callback connection: docs/protocol.md#framing and what follows it, as construct declarations.

Everything else about the wire format is derived from this file: the decoder that runs and the field tree (through
``codegen``), the encoder and the reference decoder (construct itself, see ``decode``).

Reading aids.  A ``Record`` mirrors the dataclass of ``messages`` that it names; a field of that dataclass which the
record does not declare is one of the struct around it (``object_id``).  A field whose name begins with an underscore
is a fork in the road, not a field: it does not show in paths.  ``this._params`` holds what an answer can not be read
without: the ``operation`` of the request that it answers and its ``count`` (interface ids, names).
"""

from __future__ import annotations

from typing import Any

import construct as c
from construct import If, Rebuild, Struct, len_, this

from dissector.limits import MAX_ARGUMENTS, MAX_VARIANT_DEPTH
from dissector.numbers import count
from dissector.wire import messages as m
from dissector.wire.enums import Command, MessageClass, Operation, VarType

# --- rules that construct has no words for -------------------------------------------------------------------------


class GrammarError(c.ConstructError):  # type: ignore[misc]
    """Bytes that break one of the rules below; ``offset`` None means: the field read last is the one to blame."""

    def __init__(self, reason: str, path: str, offset: int | None = None) -> None:
        super().__init__(reason, path)
        self.reason, self.offset = reason, offset


class Record(Struct):  # type: ignore[misc]
    """A struct that parses to, and builds from, one dataclass."""

    def __init__(self, record: Any, *fields: Any) -> None:
        super().__init__(*fields)
        self.record, self.names = record, record.__match_args__

    def _parsereport(self, stream: Any, context: Any, path: str) -> Any:
        found = self._parse(stream, context, path)
        return self.record(*[found[name] if name in found else context[name] for name in self.names])

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        super()._build({name: getattr(obj, name) for name in self.names}, stream, context, path)
        return obj


class Counted(c.Subconstruct):  # type: ignore[misc]
    """``count`` elements of ``at_least`` bytes or more; refused where the bytes left can not hold that many."""

    def __init__(self, count: Any, element: Any, at_least: int) -> None:
        super().__init__(element)
        self.count, self.at_least = count, at_least

    def _parsereport(self, stream: Any, context: Any, path: str) -> tuple[Any, ...]:
        number, offset = c.evaluate(self.count, context), c.stream_tell(stream, path)
        left = len(stream.getbuffer()) - offset
        if number * self.at_least > left:
            raise GrammarError(f"{count(number, 'element')} can not be in the {count(left, 'byte')} left", path, offset)
        return tuple([self.subcon._parsereport(stream, context, f"{path} -> [{i}]") for i in range(number)])

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        for element in obj:
            self.subcon._build(element, stream, context, path)
        return obj


class ToEnd(Counted):
    """Elements up to the last byte of the message; unlike ``GreedyRange`` it does not swallow a broken one."""

    def __init__(self, element: Any) -> None:
        super().__init__(None, element, 0)

    def _parsereport(self, stream: Any, context: Any, path: str) -> tuple[Any, ...]:
        found: list[Any] = []
        while c.stream_tell(stream, path) < len(stream.getbuffer()):
            found.append(self.subcon._parsereport(stream, context, f"{path} -> [{len(found)}]"))
        return tuple(found)


class Nested(c.Construct):  # type: ignore[misc]
    """A type that contains itself: used before its ``target`` is declared, and never deeper than ``depth``."""

    target: Any

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth

    def _parsereport(self, stream: Any, context: Any, path: str) -> Any:
        level = context._params.get("_level", 0)
        if level == self.depth:
            raise GrammarError(f"nested deeper than {self.depth}", path, c.stream_tell(stream, path))
        context._params["_level"] = level + 1
        found = self.target._parsereport(stream, context, path)
        context._params["_level"] = level
        return found

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return self.target._build(obj, stream, context, path)


class Repeating(c.Construct):  # type: ignore[misc]
    """``then`` where exactly its size is left and the first eight bytes say ``value`` again, else ``otherwise``."""

    def __init__(self, value: Any, then: Any, otherwise: Any) -> None:
        super().__init__()
        self.value, self.then, self.otherwise = value, then, otherwise

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        size = self.then.sizeof()
        left = bytes(stream.getbuffer()[c.stream_tell(stream, path) :][: size + 1])
        repeats = len(left) == size and int.from_bytes(left[:8], "big") == c.evaluate(self.value, context)
        return (self.then if repeats else self.otherwise)._parsereport(stream, context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        chosen = self.then if isinstance(obj, self.then.record) else self.otherwise
        return chosen._build(obj, stream, context, path)


class Require(c.Construct):  # type: ignore[misc]
    """No bytes: what must be true of the fields before it."""

    def __init__(self, condition: Any, reason: str) -> None:
        super().__init__()
        self.condition, self.reason = condition, reason
        self.flagbuildnone = True

    def _parse(self, _stream: Any, context: Any, path: str) -> None:
        if not c.evaluate(self.condition, context):
            raise GrammarError(self.reason, path)

    def _build(self, _obj: Any, stream: Any, context: Any, path: str) -> None:
        self._parse(stream, context, path)


class Unknown(Require):
    """The way out of every ``Fork``: refuses ``code``, of which ``what`` says what it was meant to be."""

    def __init__(self, what: str, code: Any) -> None:
        super().__init__(False, f"unknown {what}")
        self.what, self.code = what, code

    def _parse(self, _stream: Any, context: Any, path: str) -> None:
        raise GrammarError(f"{self.reason} {c.evaluate(self.code, context)}", path)


class Fork(c.Switch):  # type: ignore[misc]
    """A ``Switch`` that refuses what it has no case for; ``what`` says what ``key`` is."""

    def __init__(self, key: Any, what: str, cases: dict[Any, Any]) -> None:
        plain = {getattr(code, "value", code): case for code, case in cases.items()}
        super().__init__(key, plain, default=Unknown(what, key))
        self.what = what


class Number(c.Validator):  # type: ignore[misc]
    """Text that ``float`` reads, kept as text."""

    def _validate(self, obj: str, _context: Any, path: str) -> bool:
        if not m.is_number(obj):
            raise GrammarError("text that is no number", path)
        return True


class Shown(c.Subconstruct):  # type: ignore[misc]
    """Names the table that translates a value for people; says nothing about bytes."""

    def __init__(self, subcon: Any, table: str) -> None:
        super().__init__(subcon)
        self.table = table


# --- values (docs/protocol.md#values) -------------------------------------------------------------------------------

INT8, INT16, INT32, INT64 = c.Int8sb, c.Int16sb, c.Int32sb, c.Int64sb
BYTE, UINT16, UINT32, UINT64 = c.Int8ub, c.Int16ub, c.Int32ub, c.Int64ub
COUNT = UINT32
BOOL = c.Mapping(BYTE, {False: 0, True: 1})
#: A value of a program: the genuine reader takes all but 0 for true (0xFF was seen); 1 is written.
TRUTH = c.Flag
STRING = c.PascalString(UINT32, "latin-1")
GUID = Shown(c.Bytes(16), "guid")
OBJECT_ID = Shown(UINT64, "object_id")
HRESULT = Shown(UINT32, "hresult")
SCODE = Shown(INT32, "hresult")
DISPID = Shown(INT32, "dispid")
LCID = Shown(INT32, "lcid")
INVOKE_FLAGS = Shown(UINT32, "invoke_flags")
VAR_TYPE = Shown(UINT32, "vartype")
COMMAND = Shown(BYTE, "command")

DOUBLE = Record(
    m.Double,
    "marker" / Rebuild(BYTE, ord("s")),
    Require(this.marker == ord("s"), "a double begins with 's'"),
    "text" / Number(c.PascalString(BYTE, "latin-1")),
)

VARIANT = Nested(MAX_VARIANT_DEPTH)

PROPERTY = Record(m.Property, "name" / STRING, "value" / VARIANT)

NEW_OBJECT = Record(
    m.NewObject,
    "title" / STRING,
    "proxy_clsid" / GUID,
    "property_count" / Rebuild(COUNT, len_(this.properties)),
    "properties" / Counted(this.property_count, PROPERTY, at_least=8),
)

REFERENCE = Record(
    m.Reference,
    "object_id" / OBJECT_ID,
    "is_new" / Rebuild(BOOL, this.new != None),  # noqa: E711 - an expression, evaluated when a reference is built
    "new" / If(this.is_new, NEW_OBJECT),
)

ELEMENTS = {
    VarType.VARIANT: Counted(this.count, VARIANT, at_least=4),
    VarType.BSTR: Counted(this.count, STRING, at_least=4),
    VarType.UI1: c.Bytes(this.count),
}

SAFE_ARRAY = Record(
    m.SafeArray,
    "dims" / Rebuild(UINT16, 1),
    Require(this.dims == 1, "an array has one dimension"),
    "features" / Shown(UINT16, "features"),
    "count" / Rebuild(COUNT, len_(this.elements)),
    "lower_bound" / INT32,
    "element_vt" / VAR_TYPE,
    "elements" / Fork(this.element_vt, "array element type", ELEMENTS),
)

#: What may stand behind the vt, the frequent ones first: the generated decoder asks in this order.
VARIANT_VALUES = {
    VarType.BSTR: STRING,
    VarType.EMPTY: c.Pass,
    VarType.NULL: c.Pass,
    VarType.I4: INT32,
    VarType.INT: INT32,
    VarType.BOOL: TRUTH,
    VarType.DISPATCH: REFERENCE,
    VarType.UNKNOWN: REFERENCE,
    VarType.R8: DOUBLE,
    VarType.R4: DOUBLE,
    VarType.DATE: DOUBLE,
    VarType.I8: INT64,
    VarType.CY: Shown(INT64, "currency"),
    VarType.UI8: UINT64,
    VarType.UI4: UINT32,
    VarType.UINT: UINT32,
    VarType.ERROR: SCODE,
    VarType.I2: INT16,
    VarType.UI2: UINT16,
    VarType.I1: INT8,
    VarType.UI1: BYTE,
}

#: The element type in an array's outer vt may be any; what the elements are is said by the array's own element_vt
#: alone (the 1.9 task server was seen to announce 0x2003 for an array of variants).
ARRAYS = {VarType.ARRAY | vt: SAFE_ARRAY for vt in sorted((*VARIANT_VALUES, VarType.VARIANT)) if vt > VarType.NULL}

VARIANT.target = Record(m.Variant, "vt" / VAR_TYPE, "value" / Fork(this.vt, "VARIANT type", VARIANT_VALUES | ARRAYS))

DISP_PARAMS = Record(
    m.DispParams,
    "arg_count" / Rebuild(COUNT, len_(this.arguments)),
    Require(this.arg_count <= MAX_ARGUMENTS, f"more than {MAX_ARGUMENTS} arguments"),
    "named_count" / Rebuild(COUNT, len_(this.named)),
    Require(this.named_count <= this.arg_count, "more named arguments than arguments"),
    "named" / Counted(this.named_count, DISPID, at_least=4),
    "arguments" / Counted(this.arg_count, VARIANT, at_least=4),
)

EXCEP_INFO = Record(
    m.ExcepInfo,
    "code" / INT16,
    "reserved" / INT16,
    "source" / STRING,
    "description" / STRING,
    "help_file" / STRING,
    "help_context" / INT32,
    "scode" / SCODE,
)

# --- requests (docs/protocol.md#requests-and-answers) ---------------------------------------------------------------

CREATE_INSTANCE = Record(
    m.CreateInstance,
    "clsid" / GUID,
    "outer" / REFERENCE,
    "context" / INT32,
    "count" / Rebuild(COUNT, len_(this.iids)),
    "iids" / Counted(this.count, GUID, at_least=16),
)

RELEASE = Record(m.Release)
QUERY_INTERFACE = Record(m.QueryInterface, "iid" / GUID)

#: The Java client writes query_interface with the command of get_ids_of_names and the object id once more.  A true
#: get_ids_of_names of that size would have no names and an iid that begins with the object's id.
JAVA_QUERY_INTERFACE = Record(m.JavaQueryInterface, "object_id_again" / OBJECT_ID, "iid" / GUID)

GET_IDS_OF_NAMES = Record(
    m.GetIdsOfNames,
    "iid" / GUID,
    "lcid" / LCID,
    "count" / Rebuild(COUNT, len_(this.names)),
    "names" / Counted(this.count, STRING, at_least=4),
)

INVOKE = Record(
    m.Invoke, "dispid" / DISPID, "iid" / GUID, "lcid" / LCID, "flags" / INVOKE_FLAGS, "params" / DISP_PARAMS
)

CALL = Record(m.Call, "name" / STRING, "params" / DISP_PARAMS)
KEEP_ALIVE = Record(m.KeepAlive)

SESSION_COMMANDS = {Command.CREATE_INSTANCE: "create_instance" / CREATE_INSTANCE}

OBJECT_COMMANDS = {
    Command.INVOKE: "invoke" / INVOKE,
    Command.CALL: "call" / CALL,
    Command.RELEASE: "release" / RELEASE,
    Command.GET_IDS_OF_NAMES: Repeating(
        this.object_id,
        then="java_query_interface" / JAVA_QUERY_INTERFACE,
        otherwise="get_ids_of_names" / GET_IDS_OF_NAMES,
    ),
    Command.QUERY_INTERFACE: "query_interface" / QUERY_INTERFACE,
}

SESSION_REQUEST = Struct(
    "session_id" / INT64,
    "command" / COMMAND,
    "_request" / Fork(this.command, "session command", SESSION_COMMANDS),
)

OBJECT_REQUEST = Struct(
    "object_id" / OBJECT_ID,
    "command" / COMMAND,
    "_request" / Fork(this.command, "object command", OBJECT_COMMANDS),
)

# --- answers (docs/protocol.md#requests-and-answers) ----------------------------------------------------------------

OK = this.hresult < 0x8000_0000
FAILED = this.hresult >= 0x8000_0000

INTERFACE_RESULT = Record(m.InterfaceResult, "hresult" / HRESULT, "object" / REFERENCE)

INTERFACE_RESULTS = Counted(this._params.count, INTERFACE_RESULT, at_least=13)
CREATE_INSTANCE_ANSWER = Record(m.CreateInstanceAnswer, "hresult" / HRESULT, "results" / If(OK, INTERFACE_RESULTS))

EMPTY_ANSWER = Record(m.EmptyAnswer)
QUERY_INTERFACE_ANSWER = Record(m.QueryInterfaceAnswer, "hresult" / HRESULT, "object" / If(OK, REFERENCE))

DISPIDS = Counted(this._params.count, DISPID, at_least=4)
GET_IDS_OF_NAMES_ANSWER = Record(m.GetIdsOfNamesAnswer, "hresult" / HRESULT, "dispids" / If(OK, DISPIDS))

INVOKE_FAILURE = Record(m.InvokeFailure, "argerr" / INT32, "excepinfo" / EXCEP_INFO)
INVOKE_ANSWER = Record(
    m.InvokeAnswer, "hresult" / HRESULT, "result" / If(OK, VARIANT), "failure" / If(FAILED, INVOKE_FAILURE)
)

CALL_ANSWER = Record(m.CallAnswer, "hresult" / HRESULT, "result" / VARIANT)
ERROR_ANSWER = Record(m.ErrorAnswer, "strings" / ToEnd(STRING))

ANSWERS = {
    Operation.INVOKE: "invoke_answer" / INVOKE_ANSWER,
    Operation.CALL: "call_answer" / CALL_ANSWER,
    Operation.RELEASE: "empty_answer" / EMPTY_ANSWER,
    Operation.KEEP_ALIVE: "empty_answer" / EMPTY_ANSWER,
    Operation.GET_IDS_OF_NAMES: "get_ids_of_names_answer" / GET_IDS_OF_NAMES_ANSWER,
    Operation.CREATE_INSTANCE: "create_instance_answer" / CREATE_INSTANCE_ANSWER,
    Operation.QUERY_INTERFACE: "query_interface_answer" / QUERY_INTERFACE_ANSWER,
}

# --- the message (docs/protocol.md#message-classes) -----------------------------------------------------------------

BODIES = {
    MessageClass.OBJECT: OBJECT_REQUEST,
    MessageClass.ANSWER: Fork(this._params.operation, "operation", ANSWERS),
    MessageClass.SESSION: SESSION_REQUEST,
    MessageClass.ERROR: "error_answer" / ERROR_ANSWER,
    MessageClass.KEEP_ALIVE: "keep_alive" / KEEP_ALIVE,
}

MESSAGE = Struct(
    "class" / Shown(BYTE, "message_class"),
    "_body" / Fork(this["class"], "message class", BODIES),
    "trailing" / c.GreedyBytes,
)
