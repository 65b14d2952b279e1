"""The name tables of ``dissector.wire`` as Lua tables: codes, ids, and the members of every interface."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files

from dissector import limits, numbers
from dissector.ports import CALLBACKS_TEXT, COMMANDS_TEXT
from dissector.wire import enums, names
from dissector.wire.harmless import HOSTILE

_FLAGS = range(1, 16)
_CAPS = {
    "message": limits.MAX_MESSAGE,
    "decoded": limits.MAX_DECODED_MESSAGE,
    "packets_listed": limits.MAX_PACKETS_LISTED,
    "variant_depth": limits.MAX_VARIANT_DEPTH,
    "dialog_depth": limits.MAX_DIALOG_DEPTH,
    "document": limits.MAX_DOCUMENT,
    "xml_depth": limits.MAX_XML_DEPTH,
    "reorder": limits.MAX_REORDER_BYTES,
    "walked": limits.MAX_WALKED,
    "jitter": limits.CLOCK_JITTER,
    "fragmented": limits.MAX_FRAGMENTED,
    "fragment_bytes": limits.MAX_FRAGMENT_BYTES,
    "fragment_seconds": limits.FRAGMENT_SECONDS,
    "attempts": limits.MAX_ATTEMPTS,
    "open_tasks": limits.MAX_OPEN_TASKS,
    "unreachable": limits.MAX_UNREACHABLE,
    "pending": limits.MAX_PENDING_COMMANDS,
    "half_open": limits.HALF_OPEN_SECONDS,
    "idle": limits.IDLE_SECONDS,
    "sniff": limits.MAX_SNIFF,
    "objects": limits.MAX_OBJECTS,
    "head": limits.MAX_HTTP_HEAD,
    "json": limits.MAX_JSON,
    "json_depth": limits.MAX_JSON_DEPTH,
}
_BOUNDS = {
    "int64": numbers.INT64,
    "port": numbers.PORT,
    "pid": numbers.PID,
    "task_id": numbers.TASK_ID,
    "exit_code": numbers.EXIT_CODE,
    "signal": numbers.SIGNAL,
}


def quoted(text: str) -> str:
    """A Lua string literal; bytes beyond printable ASCII are escaped."""
    data = text.encode("latin-1")
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03d}" for b in data) + '"'


def lines() -> list[str]:
    """``js.tables``: name tables for ProtoFields, and what ``lua/names.lua`` looks up."""
    signed = {code - (1 << 32): name for code, name in enums.HRESULTS.items() if code >= 1 << 31}
    vartypes = [*enums.VarType, *(enums.VarType.ARRAY | vt for vt in enums.VarType if 1 < vt < enums.VarType.ARRAY)]
    found = ["js.tables = {"]
    found += _numbers("hresult", {**enums.HRESULTS, **signed})
    found += _numbers("lcid", enums.LCIDS)
    found += _numbers("invoke_flags", {flags: "|".join(enums.flag_names(flags)) for flags in _FLAGS})
    found += _numbers("vartype", {int(vt): enums.vartype_name(int(vt)) for vt in vartypes})
    found += _numbers("message_class", {int(one): one.name for one in enums.MessageClass})
    found += _numbers("command", {int(one): one.name for one in enums.Command})
    found += [f"  command_ports = {quoted(COMMANDS_TEXT)},", f"  callback_ports = {quoted(CALLBACKS_TEXT)},"]
    ranges = ", ".join(f"{{ {low}, {high} }}" for low, high in HOSTILE)
    found.append(f"  hostile = {{ {ranges} }},")
    found += ["  errors = {", *(f"    {line}," for line in _errors()), "  },"]
    found += ["  guid = {", *(f"    {line}," for line in _guids()), "  },"]
    found += ["  classes = {", *(f"    {line}," for line in _classes()), "  },"]
    found += ["  class_keys = {", *(f"    [{quoted(plain)}] = {quoted(key)}," for plain, key in _keys()), "  },"]
    return [*found, "}", *_caps(), *_bounds()]


def _caps() -> Iterable[str]:
    """What Python and Lua have in common of ``js.limits``."""
    return [f"js.limits.{name} = {cap}" for name, cap in _CAPS.items()]


def _bounds() -> Iterable[str]:
    """``js.bounds``: the least and the greatest number as text; a double can not tell 64 bits."""
    return [
        "js.bounds = {",
        *(f"  {name} = {{ {quoted(str(one.least))}, {quoted(str(one.greatest))} }}," for name, one in _BOUNDS.items()),
        "}",
    ]


def _numbers(name: str, table: Mapping[int, str]) -> list[str]:
    return [f"  {name} = {{", *(f"    [{code}] = {quoted(text)}," for code, text in sorted(table.items())), "  },"]


def _errors() -> Iterable[str]:
    """What the engine's error codes mean, for the words about an ERROR answer."""
    for code in names.error_codes():
        info = names.error_code(code)
        assert info is not None
        words = {"title": info.title, "meaning": info.meaning, "look_for": info.look_for}
        yield f"[{quoted(code)}] = {{ {', '.join(f'{name} = {quoted(text)}' for name, text in words.items())} }}"


def _guids() -> Iterable[str]:
    for entry in json.loads(files("dissector.wire").joinpath("ids.json").read_text(encoding="utf-8")):
        raw = bytes.fromhex(entry["guid"].replace("-", ""))
        yield f"[{quoted(raw.decode('latin-1'))}] = {quoted(entry['name'])}"


def _class_names() -> list[str]:
    return list(json.loads(files("dissector.wire").joinpath("interfaces.json").read_text(encoding="utf-8"))["classes"])


def _classes() -> Iterable[str]:
    """For each class its members by dispid, as a call, a get and a put find them."""
    for key in _class_names():
        members = []
        for dispid in sorted({member.dispid for member in names.class_members(key)}):
            only = {member.name for member in names.class_members(key) if member.dispid == dispid}
            found = [*only] if len(only) == 1 else [names.member_name(key, dispid, flags) or "" for flags in (1, 2, 4)]
            members.append(f"[{dispid}] = {{{', '.join(map(quoted, found))}}}")
        yield f"{quoted(key)[1:-1]} = {{ {', '.join(members)} }}"


def _keys() -> Iterable[tuple[str, str]]:
    """What a title is looked up by, lower case without ``com_`` and underscores."""
    for key in _class_names():
        yield key.lower().removeprefix("com_").replace("_", ""), key
    yield "processclass", "Process_class_configuration"
