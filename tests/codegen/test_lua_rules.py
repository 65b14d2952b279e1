"""The rules in Lua: what Python means is what Lua does; what has no words there stops the generator with its place."""

from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from dissector.codegen import lua_rules, rules_functions
from dissector.codegen.rules_source import RuleSource, Symbol

#: Each function gives what it says, in Python and in Lua.
SNIPPETS = """
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace

LIMIT = 1 << 4
KEY, PLAIN = re.compile("licen[cs]e ?key|no x", re.IGNORECASE), re.compile("html Form|of")
NAMES = {"a": ("x", "y"), "b": ()}

@dataclass
class Pair:
    one: int
    two: str = "zwei"
    more: list = field(default_factory=list)

    @property
    def text(self) -> str:
        return f"{self.one}/{self.two}"

    def longer(self, by: int = 1, *, mark: str = "") -> str:
        return f"{self.text}+{by}{mark}"

    def many(self, *others: int) -> str:
        return f"{len(others)}{others[-1]}"

class Counter:
    def __init__(self, start: int) -> None:
        self.total, self.last = start, 0
        self.all: list[int] = [start]

    def add(self, number: int) -> None:
        self.total += number
        self.all.append(number)

def nothing_is_false() -> str:
    zero, empty, none, text = 0, [], None, ""
    return f"{zero or 'a'} {len(empty or [1, 2])} {none or 'c'} {text or 'd'} {0 if not empty else 1}"

def false_values_in_choices() -> str:
    return f"{(None if LIMIT > 3 else 5) is None} {(0 if LIMIT > 3 else 5)} {[] == ([] if LIMIT else None)}"

def places() -> str:
    items = [1, None, 3, 4]
    first, (second, third) = 7, ("p", "q")
    return f"{items[0]} {items[-1]} {items[1] is None} {len(items)} {items[1:3][1]} {first}{second}{third} {'text'[:2]}"

def loops() -> str:
    found = []
    for number in (5, 6, 7, 8):
        if number == 6:
            continue
        if number > 7:
            break
        found.append(number)
    return f"{len(found)} {found[0]} {found[-1]} {sum(found)}"

def comprehensions() -> str:
    numbers = [number * two for number in (1, 2, 3) for two in (1, 10) if number != 2]
    least = f"{min(numbers, key=lambda n: -n)} {min([], default=9)}"
    return f"{numbers[3]} {max(numbers)} {least} {len({n % 2 for n in numbers})}"

def lazy() -> str:
    one = None
    none = next((n for n in (1, 2) if n > 5), "-")
    return f"{any(n > 1 for n in (1, 2))} {all(n > 1 for n in (1, 2))} {none} {one is not None and one.text}"

def walrus() -> str:
    if (found := NAMES.get("a")) is not None and found[1] == "y":
        return "-".join(found)
    return ""

def records() -> str:
    pair = Pair(1)
    pair.more.append(3)
    longer = pair.longer(2, mark="!") if LIMIT else ""
    many, named = pair.many(5, 6), Pair(two="x", one=3)
    return f"{pair.text} {longer} {pair.longer()} {many} {len(Pair(2).more)} {named.text}"

def yields(upto: int):
    for number in range(0, upto):
        yield number
    yield from (upto, upto)

def generators() -> str:
    return " ".join(str(one) for one in yields(2))

def texts() -> str:
    return f"{1.25:.1f} {255:04X} {'Abc'.lower()} {'a-b'.replace('-', '+')} {'abc'.startswith('ab')} {'b' in 'ab'} {{}}"

def patterns() -> str:
    keys = " ".join(str(bool(KEY.search(text))) for text in ("A LicenSEKey", "licenz key", "No X", "nox"))
    return keys + " " + " ".join(str(bool(PLAIN.search(text))) for text in ("html form", "an html Form", "Of", "off"))

def split_texts() -> str:
    return "+".join("  one  two three ".split()) + str(len("".split()))

def order() -> str:
    return " ".join(str(one) for one in sorted([3, 1, 2], key=lambda one: -one)) + f" {7 // 2} {-7 % 4} {LIMIT >> 2}"

def changing_dicts() -> str:
    known = OrderedDict()
    for number in range(0, 40):
        known[number] = number * 2
    for number in range(0, 30):
        del known[number]
    gone, none = known.pop(31), known.pop(31, "none")
    first = next(iter(known))
    known[30] = 7
    known[5] = 1
    known.pop(30)
    keys = " ".join(str(key) for key in known)
    values = " ".join(str(value) for value in known.values())
    pairs = len([key for key, value in known.items() if value > 70])
    while known:
        del known[next(iter(known))]
    known[1] = 2
    return f"{gone} {none} {first} {keys} {values} {pairs} {len(known)} {5 in known} {next(iter(known))}"

def heaps() -> str:
    heap = []
    for number in (5, 3, 8, 1, 9, 2):
        heappush(heap, (number, number))
    heapreplace(heap, (4, 4))
    heappop(heap)
    least = " ".join(str(one[0]) for one in sorted(heap))
    heap = [(number, 0) for number in (6, 2, 9, 4, 1)]
    heapify(heap)
    order = []
    while heap:
        order.append(heap[0][0])
        heappop(heap)
    return f"{least} {' '.join(str(one) for one in order)}"

def made_by_hand() -> str:
    counter = Counter(3)
    counter.add(4)
    number = counter.last = counter.total + 1
    return f"{counter.total} {len(counter.all)} {number} {counter.last}"

def dicts() -> str:
    table = {"k": 1, **{"m": 2}}
    return f"{'k' in table} {[key for key, value in table.items() if value > 1][0]} {len(table)} {len({1, 2} & {2, 3})}"
"""
NAMES = re.findall(r"^def (\w+)\(\) -> str", SNIPPETS, re.MULTILINE)


def test_lua_does_what_python_means(tmp_path: Path) -> None:
    source = RuleSource(
        [Symbol("snippets", name) for name in NAMES],
        methods=("text", "longer", "many", "add"),
        texts={"snippets": SNIPPETS},
    )
    pieces = ("python", "python_walks", "python_texts")
    runtime = "\n".join((files("dissector.codegen") / "lua" / f"{name}.lua").read_text() for name in pieces)
    calls = [f'print("{name}: " .. tostring(js.python.snippets.{name}()))' for name in NAMES]
    script = tmp_path / "snippets.lua"
    script.write_text("\n".join(["local js = {}", runtime, *rules_functions.lines(source), *calls, "os.exit(0)"]))
    done = subprocess.run(
        ["tshark", "-X", f"lua_script:{script}", "-v"], capture_output=True, text=True, check=False, timeout=120
    )
    python: dict[str, object] = {}
    exec(SNIPPETS, python)
    told = dict(re.findall(r"^(\w+): (.*)$", done.stdout, re.MULTILINE))
    wanted = {name: _in_lua(str(python[name]())) for name in NAMES}  # type: ignore[operator]
    assert {name: told.get(name) for name in NAMES} == wanted, done.stderr


def _in_lua(text: str) -> str:
    return text.replace("True", "true").replace("False", "false")


@pytest.mark.parametrize(
    "body",
    [
        *(f"x = re.compile({text!r})" for text in ("a.b", "a*", "(a)", "^a", "a-b", "?a")),
        "with open(x):\n  pass",
        "x = []\nx[0:1] = [1]",
        "x = []\ndel x[:1]",
        "return unknown_name",
        "return [1][::2]",
        "def inner(*a, b): pass",
    ],
)
def test_what_has_no_words_in_lua_stops_with_its_place(body: str) -> None:
    text = "def rule():\n" + "\n".join(f" {line}" for line in body.splitlines())
    source = RuleSource([Symbol("snippets", "rule")], texts={"snippets": text})
    with pytest.raises(TypeError, match=r"^dissector/snippets\.py:\d+: "):
        list(rules_functions.lines(source))


def test_only_what_is_reached_is_written() -> None:
    text = "\n".join(lua_rules.lines())
    assert "session_outcomes.OUTCOMES = " in text
    assert "session_diagnosis.conclude = function(" in text
    assert "render" not in text
