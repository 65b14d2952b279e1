"""Masking takes time and memory in proportion to a text, whatever it says.

Growth is compared, in CPU time, so a slow or busy machine changes nothing: four times the text may take eight times as
long, and sixteen times where time is quadratic.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest
from secrets_corpus import HARMLESS, SECRET

from dissector.wire.secrets import mask_text

#: Characters.  Repetitions in the rules are bounded at less than the small size.
SMALL, LARGE = 40_000, 160_000
#: Less CPU time than this, in seconds, is not compared: a quadratic text of the large size takes longer.
_NOTHING = 0.15


def _cost(text: str) -> float:
    began = time.process_time()
    mask_text(text)
    return time.process_time() - began


def assert_linear(text_of: Callable[[int], str]) -> None:
    """``text_of`` makes a text of about so many characters."""
    small = large = float("inf")
    for _ in range(4):  # a disturbed measurement is made again
        large = min(large, _cost(text_of(LARGE)))
        if large < _NOTHING:
            return
        small = min(small, _cost(text_of(SMALL)))
        if large < 8 * small:
            return
    pytest.fail(f"{small:.3f} s for {SMALL} characters, {large:.3f} s for {LARGE}")


def test_what_is_quadratic_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def quadratic(text: str) -> None:
        for start in range(0, len(text), 16):
            text.count("=", start)

    monkeypatch.setitem(globals(), "mask_text", quadratic)
    with pytest.raises(pytest.fail.Exception):
        assert_linear(lambda size: "=" * size)


UNITS = [
    *(
        "key",
        "key ",
        "key=",
        'key="',
        "key\\",
        "password='\\\\\\",
        "<",
        "<key>",
        '<a name="key" ',
        "&amp;",
        "key&amp;lt;",
    ),
    *("a://b:", "://:@", '<variable name="pwd" value="x"/>', '"', "\\", "[", 'key=["', "name=key value=", "-key ", "x"),
    *("<key><![CDATA[", "\\u003c", "  ", "key:\n", "X-JobScheduler-Session:", "pass", "_pass", "}{", "]]>"),
]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("unit", UNITS)
def test_repeated(unit: str) -> None:
    assert_linear(lambda size: unit * (size // len(unit)))


@pytest.mark.one_in(5)
@pytest.mark.parametrize("unit", UNITS)
def test_repeated_in_a_value(unit: str) -> None:
    assert_linear(lambda size: "key=" + unit * (size // len(unit)) + "@")


@pytest.mark.one_in(5)
@pytest.mark.parametrize("unit", UNITS)
def test_repeated_behind_a_name(unit: str) -> None:
    assert_linear(lambda size: "name=key" + unit * (size // len(unit)))


SHAPE_UNITS = [
    *("password ", "password is ", "-key ", "pwd x1 ", "mysql -p ", "curl -u ", "net use x ", "echo x ", "sqlplus a/"),
    *("identified by ", "token ", "eyJ", "ghp_a", "user a b\n", "-----BEGIN PRIVATE KEY-----", "PASS a\n", "connect("),
    *(
        "getconnection(a,",
        "$6$aa",
        "https://aaaaaaaaaaaaaaaaaaaa",
        "password=x ",
        "setx key x",
        "sudo <<E\n",
        "echo a|",
    ),
    *('assword;send "', "isql a b c ", "openssl -k ", "mysql '", 'mysql "', "pscredential(a,", "AKIA", "&quot;", '\\"'),
    *(
        "password=",
        "a/b@",
        "a/",
        "sig=a1",
        "x-x-sig=",
        "pass>",
        "pass&gt;",
        "identified by a replace ",
        "smbclient //a ",
    ),
    *("identified with a by ", "reg add /v pass ", "reg add /d x ", 'reg add /d x /v "x ', "set-itemproperty -n pass "),
    *("jdbc:oracle:", "jdbc:oracle:x:", "//:jdbc:oracle:x:", "ajdbc:oracle:x:b"),
]


@pytest.mark.one_in(10)
@pytest.mark.parametrize("unit", SHAPE_UNITS)
def test_repeated_shapes(unit: str) -> None:
    assert_linear(lambda size: unit * (size // len(unit)) + "@")


@pytest.mark.parametrize(
    ("program", "unit"),
    [
        ("reg add ", "/d x /v x "),
        ("reg add ", '/d x /v "' + "a" * 60 + '" '),
        ("reg add ", "/v pass /d "),
        ("smbclient ", "//a -U b "),
        ("smbclient ", "//a -N "),
        ("net use ", "Z: "),
        ("curl ", "-u a:"),
    ],
)
def test_repeated_arguments(program: str, unit: str) -> None:
    assert_linear(lambda size: program + unit * (size // len(unit)))


@pytest.mark.dear
def test_repeated_lines_of_the_corpus() -> None:
    """Every line up to its secret, and every harmless one: all rules see what they begin with, again and again."""
    units = {marked.text.partition(marked.secrets[0])[0] for marked in SECRET} | set(HARMLESS)
    for unit in sorted(filter(None, units)):
        text = unit * (10_000 // len(unit))
        # About 0.02 s of CPU time; a rule that is quadratic takes half a second.
        assert any(_cost(text) < 0.3 for _ in range(3)), unit


def test_quotes_of_many_forms() -> None:
    """The text of ``number`` quotes has about ``number ** 2 / 2`` characters."""
    assert_linear(
        lambda size: "".join("<name=key value=" + "\\" * number + '"' for number in range(int((2 * size) ** 0.5)))
    )


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "text", ["password=" * 20_000, "password=x " * 20_000, "key=" + "&amp;" * 40_000, "key=&" + "amp;" * 50_000]
)
def test_memory_is_some_times_the_text(text: str) -> None:
    tracemalloc.start()
    try:
        mask_text(text)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(text)  # a hundred times when a pattern remembers its steps
    finally:
        tracemalloc.stop()
