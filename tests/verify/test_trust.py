"""The comparison itself can be trusted: it sees what differs, and says when it can not compare."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from click.testing import Result
from conversation import Address, Network
from verify_kit import PLUGIN, ROOT, TSHARKS

from dissector.errors import ToolError
from dissector.verify.compare import compare
from dissector.verify.records import ComparedField, Mismatch, Told
from dissector.verify.tshark import Tshark

Command = Callable[..., Result]
CAPTURE = ROOT / "captures" / "h19_nested.pcap"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The plugin with one place of its text changed."""
    text = PLUGIN.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path = tmp_path / "changed.lua"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", TSHARKS)
def test_a_file_that_ends_inside_of_a_packet(program: str, jstrace: Command, tmp_path: Path) -> None:
    """As a killed tcpdump leaves it; each tshark ends with a status of its own."""
    path = tmp_path / "cut.pcap"
    path.write_bytes((ROOT / "captures" / "engine_shell_ok.pcap").read_bytes()[:-9])
    result = jstrace("verify", path, "--tshark", program)
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_tshark_that_dies_is_named_with_the_file(jstrace: Command, tmp_path: Path) -> None:
    program = tmp_path / "tshark"
    program.write_text("#!/bin/sh\necho '<?xml version=\"1.0\"?><pdml/>'\nexit 14\n", encoding="utf-8")
    program.chmod(0o755)
    result = jstrace("verify", CAPTURE, "--tshark", program)
    assert (result.exit_code, result.stderr) == (2, f"jstrace: {CAPTURE}: {program} ended with status 14\n")


def test_equal(jstrace: Command) -> None:
    result = jstrace("verify", CAPTURE, "-2")
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(rf"{CAPTURE}: 60 messages, \d{{4}} fields, 1 task, \d+ problems?: equal\n", result.stdout)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('ProtoField.string("jobscheduler.class"', 'ProtoField.string("jobscheduler.klass"', "tshark klass at 4..5"),
        ("F.depth, about.depth or 0)", "F.depth, (about.depth or 0) + 1)", "depth: Python 0, tshark 1"),
        (
            "return whole(header + offset, size)",
            "return whole(header - 1 + offset, size)",
            "class at 4..5, level 1, tshark class at 3",
        ),
        ("generated(node, F.request_in, js.session:shown(message.request.number))", "", "request_in: Python"),
    ],
)
def test_a_planted_difference_is_seen(old: str, new: str, words: str, tmp_path: Path, jstrace: Command) -> None:
    result = jstrace("verify", CAPTURE, "--plugin", changed(tmp_path, old, new), "--max-differences", 3)
    assert (result.exit_code, result.stderr) == (1, "")
    assert words in result.stdout
    assert result.stdout.count("\n  packet ") == 3


@pytest.mark.one_in(5)
@pytest.mark.parametrize("program", TSHARKS)
def test_a_plugin_that_does_not_load(program: str, tmp_path: Path, jstrace: Command) -> None:
    for number, fault in enumerate(("local x = = 1", "local x = nil + 1")):
        plugin = tmp_path / f"broken{number}.lua"
        plugin.write_text(f"{PLUGIN.read_text(encoding='utf-8')}\n{fault}\n", encoding="utf-8")
        result = jstrace("verify", CAPTURE, "--tshark", program, "--plugin", plugin)
        assert result.exit_code == 2
        assert f"broken{number}.lua" in result.stderr


@pytest.mark.one_in(5)
@pytest.mark.parametrize("program", TSHARKS)
def test_a_plugin_that_fails_in_a_packet(program: str, tmp_path: Path, jstrace: Command) -> None:
    begin = "function js.draw(entry, pinfo, tree, payload)"
    plugin = changed(tmp_path, begin, f"{begin}\n    if pinfo.number == 40 then error('oh') end")
    result = jstrace("verify", CAPTURE, "--tshark", program, "--plugin", plugin)
    assert result.exit_code == 2
    assert "packet 40: Lua Error" in result.stderr
    assert "oh" in result.stderr


def test_no_tshark(tmp_path: Path, jstrace: Command) -> None:
    result = jstrace("verify", CAPTURE, "--tshark", tmp_path / "tshark")
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


def test_a_tshark_without_plugin(tmp_path: Path) -> None:
    """Some builds have no Lua, and some users may not use it: that must not look like an equal capture."""
    program = tmp_path / "tshark"
    complaint = 'tshark: -o flag "jobscheduler.show_secrets:TRUE" specifies unknown preference'
    program.write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(ToolError, match="loads no Lua scripts"):
        list(Tshark(str(program)).read(str(CAPTURE)))


def test_an_unreadable_capture(jstrace: Command) -> None:
    result = jstrace("verify", ROOT / "README.md")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no capture" in result.stderr


def test_the_tsharks_are_three() -> None:
    versions = []
    for program in TSHARKS:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, env=dict(os.environ))
        versions.append(done.stdout.split()[2][:3])
    assert versions == sorted(set(versions))
    assert versions[0] >= "4.0"
    assert versions[-1] >= "4.6"


# --- foreign traffic -----------------------------------------------------------------------------------------------


def foreign() -> bytes:
    """Connections of others on their ports and on those of JobScheduler."""
    noise, network = Random(7).randbytes, Network()
    hello = b"\x16\x03\x01\x02\x00" + noise(512)
    query = bytes.fromhex("001d 1234 0100 0001 0000 0000 0000 0377 7777 0265 7800 0001 0001".replace(" ", ""))
    startup = b"\x00\x00\x00\x25\x00\x03\x00\x00user\0me\0database\0mine\0\0"
    talks = {
        80: [(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")],
        443: [(0, hello), (1, hello[::-1])],
        53: [(0, query), (1, query)],
        5_432: [(0, startup), (1, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"), (0, b"Q\0\0\0\x0dselect 1\0")],
        59_999: [(0, noise(300)), (1, noise(3_000))],
    }
    port = 20_000
    for at in (None, 80, 4_444, 50_001, 59_999):
        for own, talk in talks.items():
            port += 1
            network.say(Address("10.5.0.1", port), Address("10.5.0.2", at or own), *talk, start=port - 20_000)
    return network.capture()


@pytest.mark.one_in(5)
@pytest.mark.parametrize("program", TSHARKS)
def test_nobody_claims_foreign_traffic(program: str, tmp_path: Path) -> None:
    """But for what is said on a command port, which may be a command."""
    path = tmp_path / "foreign.pcap"
    path.write_bytes(foreign())
    command = [program, "-n", "-X", f"lua_script:{PLUGIN}", "-r", str(path)]
    claimed = "(jobscheduler || _ws.lua.error) && tcp.port != 4444"
    done = subprocess.run([*command, "-Y", claimed], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "Lua" not in done.stderr


# --- comparing -----------------------------------------------------------------------------------------------------


def told(packet: int, *, value: object = 14, start: int = 9, **facts: str) -> Told:
    fields = [ComparedField("invoke.dispid", 2, start, start + 4, value, b"\0\0\0\x0e")]
    return Told(packet, 30, fields, {name: (text,) for name, text in facts.items()}, "a > b")


def differences(python: list[Told], tshark: list[Told], *, two_pass: bool = True) -> list[str]:
    found = compare(python, tshark, two_pass=two_pass)
    return [str(item) for item in found if isinstance(item, Mismatch)]


def test_the_same_told_twice() -> None:
    assert (
        differences([told(1, kind="request"), told(4)], [told(1, kind="request", value="14"), told(4, value="0xe")])
        == []
    )


def test_each_kind_of_difference() -> None:
    assert differences([told(1)], [told(1, value="15")]) == [
        "packet 1: value of invoke.dispid at 9..13, level 2: Python 14, tshark 15"
    ]
    assert differences([told(1)], [told(1, value="14", start=8)]) == [
        "packet 1: field: Python invoke.dispid at 9..13, level 2, tshark invoke.dispid at 8..12, level 2"
    ]
    assert differences([told(1, depth="1")], [told(1, value="14")]) == ["packet 1: depth: Python 1, tshark nothing"]
    assert differences([told(1), told(2)], [told(2, value="14")]) == [
        "packet 1: message of a > b: Python , 30 bytes, tshark nothing"
    ]
    assert differences([], [told(3, kind="answer")]) == ["packet 3: message: Python nothing, tshark answer, 30 bytes"]


def test_what_the_first_pass_can_not_know() -> None:
    request, shown = told(1, response_in="2"), told(1, value="14")
    assert differences([request], [shown], two_pass=False) == []
    assert differences([request], [shown]) == ["packet 1: response_in: Python 2, tshark nothing"]
    late = [told(1), told(3)], [told(3, value="14"), told(3, value="14")]
    assert differences(*late, two_pass=False) == []
    assert len(differences(*late)) == 2
    lost = [told(1), told(3)], [told(3, value="14")]
    assert len(differences(*lost, two_pass=False)) == 1


@pytest.mark.parametrize(
    ("value", "show", "agree"),
    [
        (True, "1", True), (True, "True", True), (True, "0", False), (False, "False", True),
        (-1, "-1", True), (255, "0x000000ff", True), (255, "254", False), (3, "", False),
        (1.5, "1.5", True), (float("nan"), "nan", True), (float("inf"), "inf", True), (1.5, "1.6", False),
        (-1.7976931348623157e308, "-1.79769313486232e+308", True), (1.0, "1.79769313486232e+308", False),
        ("a\nb\x01\0", "a b\\x01␀", True), ("a", "b", False), (b"\1\2", "01:02", True), (b"\1\2", "01:03", False),
    ],
)  # fmt: skip
def test_values(value: object, show: str, agree: bool) -> None:
    assert (differences([told(1, value=value)], [told(1, value=show)]) == []) is agree
