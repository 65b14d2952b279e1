"""Names of ids, members, hresults and error codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dissector.wire import names
from dissector.wire.names import (
    class_key,
    class_members,
    error_code,
    guid_name,
    guid_text,
    hresult_name,
    lcid_name,
    log_line,
    member_name,
    member_of,
)

TAIL = bytes.fromhex("6c1b11d88103000476ee8afb")


def guid(first: int) -> bytes:
    return first.to_bytes(4, "big") + TAIL


def test_guids() -> None:
    assert guid_text(guid(0xFEEE47A3)) == "feee47a3-6c1b-11d8-8103-000476ee8afb"
    assert guid_name(guid(0xFEEE47A3)) == "Remote_module_instance_server"
    assert guid_name(bytes(16)) == "IID_NULL"
    assert guid_name(b"\xff" * 16) is None


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("sos::scheduler::com_objects::Com_log", "Com_log"),
        ("sos::scheduler::Com_log", "Com_log"),
        ("Com_log", "Com_log"),
        ("sos::scheduler::order::Order", "Com_order"),
        ("sos::scheduler::order::Job_chain", "Com_job_chain"),
        ("sos::scheduler::Process_class", "Process_class_configuration"),
        ("sos::scheduler::Com_remote_module_instance_server", "Com_remote_module_instance_server"),
        ("RemoteModuleInstanceServer", "Com_remote_module_instance_server"),
        ("MetaObj", None),
        ("", None),
    ],
)
def test_class_by_title(title: str, key: str | None) -> None:
    assert class_key(title) == key


@pytest.mark.parametrize(
    ("clsid", "key"), [(0xFEEE47A6, "Com_log"), (0xFEEE47AA, "Com_task"), (0xFEEE47B3, "Com_spooler"), (1, None)]
)
def test_class_by_proxy(clsid: int, key: str | None) -> None:
    assert class_key("MetaObj", guid(clsid)) == key


def test_title_wins_over_proxy_and_proxy_over_name() -> None:
    assert class_key("Com_job", guid(0xFEEE47A6), "spooler") == "Com_job"
    assert class_key("Obj", guid(0xFEEE47A6), "spooler") == "Com_log"
    assert class_key("Obj", bytes(16), "spooler") == "Com_spooler"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("spooler_log", "Com_log"),
        ("spooler", "Com_spooler"),
        ("spooler_task", "Com_task"),
        ("spooler_job", "Com_job"),
        ("other", None),
    ],
)
def test_class_by_the_name_that_begin_gave(name: str, key: str | None) -> None:
    assert class_key("", None, name) == key


@pytest.mark.parametrize(
    ("key", "dispid", "flags", "name"),
    [
        ("Com_log", 14, 1, "log"),
        ("Com_log", 0, 1, "info"),
        ("Com_log", 19, 2, "level"),
        ("Com_log", 19, 4, "level"),
        ("Com_log", 23, 4, "mail_it"),
        ("sos::scheduler::Com_task", 37, 2, "agent_url"),
        ("Com_log", 999, 1, None),
        ("MetaObj", 14, 1, None),
    ],
)
def test_member_name(key: str, dispid: int, flags: int, name: str | None) -> None:
    assert member_name(key, dispid, flags) == name


@pytest.mark.parametrize(("flags", "kind"), [(2, "get"), (3, "get"), (4, "put"), (8, "put"), (1, "get")])
def test_flags_tell_get_from_put(flags: int, kind: str) -> None:
    member = member_of("Com_log", 19, flags)
    assert member is not None
    assert member.kind == kind


def test_members_are_read_whole() -> None:
    (log,) = [member for member in class_members("Com_log") if member.name == "log"]
    assert log == names.Member(14, "log", "method", "EMPTY", ("I4", "BSTR"), 0, ())
    assert class_members("nothing") == ()


def test_no_two_interfaces_share_a_key() -> None:
    assert len(names._keys()) == len(names._classes()) + len(names._ALIASES) == 33


@pytest.mark.parametrize(
    ("hresult", "name"),
    [
        (0, "S_OK"),
        (1, "S_FALSE"),
        (0x80004003, "E_POINTER"),
        (0x80020006, "DISP_E_UNKNOWNNAME"),
        (0x80020009 - (1 << 32), "DISP_E_EXCEPTION"),
        (0x80041234, "80041234"),
    ],
)
def test_hresult_name(hresult: int, name: str) -> None:
    assert hresult_name(hresult) == name


@pytest.mark.parametrize(("lcid", "name"), [(0, "neutral"), (0x409, "en-US"), (0x1234, "0x1234"), (-1, "0xffffffff")])
def test_lcid_name(lcid: int, name: str) -> None:
    assert lcid_name(lcid) == name


def test_error_codes() -> None:
    found = error_code("Z-REMOTE-118")
    assert found is not None
    assert found.title == "no response from the new process"
    assert found.look_for
    assert error_code("Z-REMOTE-999") is None


def test_importing_reads_no_table() -> None:
    program = (
        "import dissector.wire.names as n; "
        "print([f.cache_info().currsize for f in (n._ids, n._errors, n._classes, n._keys)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[0, 0, 0, 0]"


def test_every_member_of_the_table_can_be_asked_for() -> None:
    """Whatever kind the table gives a member, and whatever the invoke's flags are."""
    classes = json.loads((Path(names.__file__).parent / "interfaces.json").read_text(encoding="utf-8"))["classes"]
    for key, entry in classes.items():
        for member in entry["members"]:
            for flags in (1, 2, 3, 4, 8):
                assert names.member_name(key, member["dispid"], flags)


@pytest.mark.parametrize(
    ("member", "values", "line"),
    [
        ("info", ("a",), ("info", "a")),
        ("debug", ("a",), ("debug1", "a")),
        ("debug9", ("a",), ("debug9", "a")),
        ("debug10", ("a",), None),
        ("log", (2, "a"), ("error", "a")),
        ("log", (-9, "a"), ("debug9", "a")),
        ("log", (7, "a"), ("error", "a")),
        ("log", (-12, "a"), ("debug9", "a")),
        ("log", ("2", "a"), None),
        ("info", ("a", "b"), None),
        ("info", (), None),
        ("level", (1,), None),
    ],
)
def test_log_line(member: str, values: tuple[object, ...], line: tuple[str, str] | None) -> None:
    assert log_line(member, values) == line
