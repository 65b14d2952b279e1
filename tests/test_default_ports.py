"""One list of default ports: every place that has one has this one."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from socket import SO_REUSEADDR, SOL_SOCKET, socket

import pytest
from click.testing import Result

from dissector import ports
from dissector.cli import main
from dissector.codegen import lua
from dissector.session.tracer import Tracer
from dissector.sources.filters import port_filter

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "dissector" / "ports.py"
#: Where users read and machines load.
TEXTS = [
    ROOT / "README.md",
    ROOT / "wireshark" / "README.md",
    ROOT / "wireshark" / "jobscheduler.lua",
    *sorted((ROOT / "dissector" / "codegen").rglob("*.lua")),
    *sorted((ROOT / "dissector" / "codegen" / "profile").iterdir()),
]
NUMBERS = {str(port) for port in ports.COMMAND_PORTS}


def lists(text: str) -> Iterator[set[str]]:
    """The default ports in every enumeration of some."""
    text = re.sub(r"hostile = \{.*", "", text)  # code points
    for found in re.finditer(r"\b44\d\d\b(?:(?:\W|\bor\b|\band\b|\bport\b|\btcp\b){1,12}\b44\d\d\b)+", text):
        yield set(re.findall(r"44\d\d", found[0]))


def numbers(path: Path) -> Iterator[str]:
    """Default ports that a module writes down itself, as numbers or in texts."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, int):
                found = {str(node.value)} & NUMBERS
            else:
                # A usage text may connect to one of them.
                found = {port for port in re.findall(r"(?<!HOST:)\b\d+\b", str(node.value)) if port in NUMBERS}
            yield from (f"{path.name}:{node.lineno} {port}" for port in sorted(found))


def test_the_list() -> None:
    assert ports.COMMAND_PORTS == (4444, 4445, 4455)
    assert ports.CALLBACK_PORTS == (50_000, 59_999)


def test_no_module_has_a_list_of_its_own() -> None:
    modules = [path for path in sorted((ROOT / "dissector").rglob("*.py")) if path != HOME]
    assert len(modules) > 100
    assert [found for path in modules for found in numbers(path)] == []
    assert list(numbers(HOME)) != []  # it would see one


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_text_that_lists_ports_lists_all(path: Path) -> None:
    assert all(found == NUMBERS for found in lists(path.read_text(encoding="utf-8")))


def test_the_texts_have_lists() -> None:
    assert [len(list(lists(path.read_text(encoding="utf-8")))) > 0 for path in TEXTS[:3]] == [True, True, True]
    assert list(lists("port 4444, 4455 or so")) == [{"4444", "4455"}]


def test_commands_take_the_list() -> None:
    having = {}
    for name, command in main.commands.items():
        for option in command.params:
            if option.name == "command_ports":
                having[name] = option.default
            if option.name == "callback_ports":
                assert option.default == ports.CALLBACKS_TEXT
    assert set(having) >= {"read", "live", "ports", "diff", "slice", "redact", "verify"}
    assert set(having.values()) == {ports.COMMAND_PORTS}


def test_the_tracer_takes_the_list() -> None:
    assert Tracer.__init__.__defaults__[:2] == (ports.COMMAND_PORTS, ports.CALLBACK_PORTS)  # type: ignore[index]


def test_the_plugin_takes_the_list() -> None:
    text = lua.text()
    assert 'command_ports = "4444,4445,4455"' in text
    assert 'Pref.range("Command ports", js.tables.command_ports,' in text
    assert 'callback_ports = "50000-59999"' in text
    assert 'Pref.range("Callback ports", js.tables.callback_ports,' in text


def test_the_capture_filter_is_one() -> None:
    for text in (ports.CAPTURE_FILTER, port_filter(ports.COMMAND_PORTS, ports.CALLBACK_PORTS)):
        assert all(number in text for number in (*NUMBERS, "50000-59999"))
    with suppress(FileNotFoundError):  # no tcpdump here
        subprocess.run(["tcpdump", "-d", "-y", "EN10MB", ports.CAPTURE_FILTER], capture_output=True, check=True)


def test_rules_open_every_default_port(jstrace: Callable[..., Result]) -> None:
    planned = (
        "ports",
        "--plan",
        "--parallel",
        "2",
        "--starts-per-minute",
        "2",
        "--rules",
        "nftables",
        "--side",
        "remote",
    )
    for given, expected in (((), ports.COMMAND_PORTS), (("--command-port", "7777"), (7777,))):
        opened = re.findall(r"tcp dport (\d+) accept", jstrace(*planned, *given).stdout)
        assert opened == [str(port) for port in expected]


QUICK = ("simulate", "--callback-ports", "24600-24699", "-q")


def test_a_run_says_how_to_follow_it(jstrace: Callable[..., Result]) -> None:
    lines = jstrace(*QUICK, "--listen", "24701").stdout.splitlines()
    assert lines[:2] == [
        "remote listens on 127.0.0.1:24701",
        "to follow it: jstrace live lo --command-port 24701 --callback-ports 24600-24699",
    ]
    assert jstrace("simulate", "-q", "--listen", "0.0.0.0:24701").stdout.splitlines()[1] == (
        "to follow it: jstrace live any --command-port 24701"
    )


def test_a_run_listens_on_a_known_port(jstrace: Callable[..., Result]) -> None:
    """On the first one that is free, and on any when none is."""
    with ExitStack() as stack:
        for port in (*ports.COMMAND_PORTS, None):
            line, follow = jstrace(*QUICK).stdout.splitlines()[:2]
            found = int(line.rpartition(":")[2])
            if port is None:
                assert found not in ports.COMMAND_PORTS
                assert f"--command-port {found}" in follow
                return
            assert found >= port or found not in ports.COMMAND_PORTS  # others run on this machine, too
            assert ("--command-port" in follow) == (found not in ports.COMMAND_PORTS)
            taken = stack.enter_context(socket())
            taken.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            with suppress(OSError):
                taken.bind(("127.0.0.1", port))
                taken.listen()
