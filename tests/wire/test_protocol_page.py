"""docs/protocol.md has the codes that the tables of ``wire`` have."""

from __future__ import annotations

import re
from pathlib import Path

from dissector.limits import MAX_ARGUMENTS
from dissector.wire.enums import Command, InvokeFlag, MessageClass, VarType
from dissector.wire.grammar import VARIANT_VALUES
from dissector.wire.names import error_code

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """From a heading to the next one of any level."""
    return re.split(r"^#+ ", PAGE.split(f"# {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def bytes_of(title: str) -> set[tuple[str, int]]:
    return {(char, int(code, 16)) for char, code in re.findall(r"^\| `(.)` 0x(..)", section(title), re.MULTILINE)}


def test_message_classes() -> None:
    assert bytes_of("Message classes") == {(chr(one), one.value) for one in MessageClass}


def test_commands() -> None:
    assert bytes_of("Requests and answers") == {(chr(one), one.value) for one in Command}
    named = {(chr(one), one.name.lower()) for one in Command}
    assert named == set(re.findall(r"^\| `(.)` 0x.. (\w+)", section("Requests and answers"), re.MULTILINE))


def test_invoke_flags() -> None:
    words = section("Requests and answers")
    assert [one.name for one in InvokeFlag if f"{one.name} {one.value}" not in words] == []


def test_variant_types() -> None:
    listed = {
        (int(code), name) for code, name in re.findall(r"(\d+) ([A-Z]+\d?)\b", section("Variants")) if int(code) < 32
    }
    assert listed == {(one.value, VarType(one).name) for one in VARIANT_VALUES}


def test_arguments() -> None:
    assert f"more than {MAX_ARGUMENTS} arguments" in section("Arguments")


def test_every_code_of_the_engine_is_known() -> None:
    codes = set(re.findall(r"`((?:Z-REMOTE|SCHEDULER|ERRNO)-\d+|XML-ERROR)`", PAGE))
    assert len(codes) > 15
    assert [code for code in sorted(codes) if error_code(code) is None] == []
