"""Values behind a secret's name and a sign: which quotes, lines and windows count."""

from __future__ import annotations

import pytest

from dissector.wire.secrets import mask_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # A comma is a sign behind a name in quotes alone, before a text in quotes or a number.
        ('"password",7 x', '"password",*** x'),
        ('"password","x" y', '"password","***" y'),
        ('"password",x y', '"password",x y'),
        ('password,"x" y', 'password,"x" y'),
        ("password,7 y", "password,7 y"),
        # On the next line stands another thing, unless there are quotes.
        ("password:\nabc", "password:\nabc"),
        ('"password":\n"abc"', '"password":\n"***"'),
        ('password=\n"x y"', 'password=\n"***"'),
        # A quote that closes a text: an odd number of its kind, but those in the text.
        ('"b password=" + "abc"', '"b password=" + "***"'),
        ('"a" "b password=" + "abc"', '"a" "b password=" + "***"'),
        ('"a" password=" + " b', '"a" password="***" b'),
        ('"a \\" password=" + "abc"', '"a \\" password=" + "***"'),
        ("&quot;b password=&quot; + &quot;abc&quot;", "&quot;b password=&quot; + &quot;***&quot;"),
        # The shell's folders.
        ("cd x; PWD=/tmp/x", "cd x; PWD=/tmp/x"),
        ("cd x; XPWD=/tmp/x", "cd x; XPWD=***"),
        ("x OLDPWD=/a/b", "x OLDPWD=/a/b"),
        ("yOLDPWD=/a/b", "yOLDPWD=***"),
    ],
)
def test_what_stands_behind_a_sign(text: str, shown: str) -> None:
    assert mask_text(text) == shown


@pytest.mark.parametrize(("size", "is_text"), [(191, True), (192, True), (193, False), (194, False)])
def test_how_far_before_a_name_a_text_may_begin(size: int, is_text: bool) -> None:
    before = f'"{"x" * (size - 2)} '
    assert len(before) == size
    assert (
        mask_text(f'{before}password=" + "abc"') == f'{before}password=" + "***"'
        if is_text
        else f'{before}password="***"'
    )
