"""What codes, ids and dispids are called.  The tables are read when first asked for: importing this costs nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple
from uuid import UUID

from dissector.wire.enums import HRESULTS, LCIDS, InvokeFlag, is_put


class Member(NamedTuple):
    """A method or property: ``kind`` is method, get or put, types are VARIANT type names (``BYREF|VARIANT``).

    ``releases`` is empty for a member of all releases; ``optional`` counts trailing optional arguments.
    """

    dispid: int
    name: str
    kind: str
    result: str
    args: tuple[str, ...]
    optional: int
    releases: tuple[str, ...]


class ErrorInfo(NamedTuple):
    """An error code of the engine: what it means and what to look for; ``seen_in`` is wire or engine."""

    code: str
    title: str
    meaning: str
    look_for: str
    seen_in: str


#: log(level, text) of a Com_log: 2 error, 1 warn, 0 info, -1 ... -9 debug1 ... debug9.
_LOG_LEVELS = {2: "error", 1: "warn", 0: "info", **{-n: f"debug{n}" for n in range(1, 10)}}
#: Its other members that write a line, in small letters: they are named after their levels.
_LOG_MEMBERS = {level: level for level in _LOG_LEVELS.values()} | {"debug": "debug1"}
#: Interface of the proxies that the engine knows, by class id.
_PROXIES = {
    "feee47a6-6c1b-11d8-8103-000476ee8afb": "Com_log",
    "feee47aa-6c1b-11d8-8103-000476ee8afb": "Com_task",
    "feee47b3-6c1b-11d8-8103-000476ee8afb": "Com_spooler",
}

#: Interface of the objects that ``begin`` names.
_BEGIN_NAMES = {
    "spooler": "Com_spooler",
    "spooler_job": "Com_job",
    "spooler_log": "Com_log",
    "spooler_task": "Com_task",
}

#: Engine classes whose interface has another name than they.
_ALIASES = {"processclass": "Process_class_configuration"}

#: Kinds of member that invoke flags may mean, the likeliest first.
_PUT_KINDS = ("put", "get", "method")
_GET_KINDS = ("get", "method", "put")
_METHOD_KINDS = ("method", "get", "put")


def _table(name: str) -> Any:
    return json.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _ids() -> dict[str, str]:
    return {entry["guid"]: entry["name"] for entry in _table("ids.json")}


@lru_cache(maxsize=1)
def _errors() -> dict[str, ErrorInfo]:
    return {entry["code"]: ErrorInfo(**entry) for entry in _table("errors.json")}


@lru_cache(maxsize=1)
def _classes() -> dict[str, tuple[Member, ...]]:
    return {key: tuple(map(_member, entry["members"])) for key, entry in _table("interfaces.json")["classes"].items()}


def _member(entry: dict[str, Any]) -> Member:
    return Member(
        entry["dispid"],
        entry["name"],
        entry["kind"],
        entry["result"],
        tuple(entry["args"]),
        entry.get("optional", 0),
        tuple(entry.get("releases", ())),
    )


@lru_cache(maxsize=1)
def _keys() -> dict[str, str]:
    return {_plain(key): key for key in _classes()} | _ALIASES


def preload() -> None:
    """Reads the tables now, while this process may, rather than when they are first needed."""
    _ids(), _errors(), _keys()


def _plain(title: str) -> str:
    """What C++ (``sos::scheduler::Com_log``), Java (``ComLog``) and the table (``Com_log``) have in common."""
    return title.rsplit("::", 1)[-1].rsplit(".", 1)[-1].lower().removeprefix("com_").replace("_", "")


@lru_cache(maxsize=4096)
def guid_text(guid: bytes) -> str:
    """Printed form of 16 bytes: ``feee47a3-6c1b-11d8-8103-000476ee8afb``."""
    return str(UUID(bytes=guid))


def guid_name(guid: bytes) -> str | None:
    """Name of a class or interface id of the engine, ``IID_NULL`` for zeros."""
    return _ids().get(guid_text(guid))


@lru_cache(maxsize=4096)
def class_key(title: str, proxy_clsid: bytes | None = None, name: str | None = None) -> str | None:
    """Key of an object's interface: by the last part of its title, else its proxy's class id, else ``begin``'s name."""
    found = _keys().get(_plain(title)) if title else None
    if found is None and proxy_clsid is not None:
        found = _PROXIES.get(guid_text(proxy_clsid))
    if found is None and name is not None:
        found = _BEGIN_NAMES.get(name)
    return found


def class_members(title: str) -> tuple[Member, ...]:
    """Members of the interface that a reference's title (or key) names; none for an unknown one."""
    key = class_key(title)
    return _classes()[key] if key is not None else ()


@lru_cache(maxsize=4096)
def member_of(key: str, dispid: int, flags: int) -> Member | None:
    """The member that an invoke with ``flags`` means; ``key`` is a class key or a title.

    Where two releases gave one dispid to two members, the one of the classic releases (up to 1.9) is told.
    """
    kinds = _PUT_KINDS if is_put(flags) else _METHOD_KINDS if flags & InvokeFlag.METHOD else _GET_KINDS
    candidates = [member for member in class_members(key) if member.dispid == dispid]
    classic = [member for member in candidates if not member.releases or "1.9" in member.releases]
    # A kind that no access asks for (one release declares a DISPATCH_PROPERTYPUTREF) comes last.
    ranked = sorted(classic or candidates, key=lambda member: (*kinds, member.kind).index(member.kind))
    return ranked[0] if ranked else None


def member_name(key: str, dispid: int, flags: int) -> str | None:
    """Name of the member that an invoke with ``flags`` means, None when the tables do not know it."""
    member = member_of(key, dispid, flags)
    return member.name if member else None


def log_line(member: str, values: Sequence[object]) -> tuple[str, object] | None:
    """Level and text of the line that a call of a Com_log's member (in small letters) writes; None when it writes none.

    ``values`` are the arguments as written.
    """
    if member == "log" and len(values) == 2 and isinstance(values[0], int):
        return _LOG_LEVELS[max(-9, min(values[0], 2))], values[1]
    if member in _LOG_MEMBERS and len(values) == 1:
        return _LOG_MEMBERS[member], values[0]
    return None


def hresult_name(hresult: int) -> str:
    """``S_OK``, ``DISP_E_EXCEPTION``; eight hex digits for others.  Signed values are taken as well."""
    code = hresult & 0xFFFF_FFFF
    return HRESULTS.get(code, f"{code:08X}")


def lcid_name(lcid: int) -> str:
    """``en-US``, ``neutral``; hex for others."""
    return LCIDS.get(lcid, f"0x{lcid & 0xFFFF_FFFF:04x}")


def error_code(code: str) -> ErrorInfo | None:
    """Cause and remedy of an engine's error code (``Z-REMOTE-118``)."""
    return _errors().get(code)


def error_codes() -> tuple[str, ...]:
    """All codes that ``error_code`` knows."""
    return tuple(_errors())
