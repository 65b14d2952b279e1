"""Where a secret ends: quotes in every form, escaped and in a row, arrays, entities, arguments."""

from __future__ import annotations

import pytest

from dissector.wire.secret_values import arguments_end, inside, value_end
from dissector.wire.secrets import hide_text, mask_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a b" c', '"a b"'),
        ("'a b' c", "'a b'"),
        ('"a b', '"a b'),
        ('"a\\"b" c', '"a\\"b"'),
        ('"a\\\\" c', '"a\\\\"'),
        ('"a\\\\\\" b" c', '"a\\\\\\" b"'),
        ('\\"a\\\\\\"b\\" c', '\\"a\\\\\\"b\\"'),
        ('\\"a" b\\" c', '\\"a" b\\"'),
        ('"a""b" c', '"a""b"'),
        ("'a''b' c", "'a''b'"),
        ("'a'\\''b' c", "'a'\\''b'"),
        ("'a'\"'\"'b' c", "'a'\"'\"'b'"),
        ("'a'bc d", "'a'bc"),
        ('\\"a\\"b c', '\\"a\\"'),
        ("`a) (b` c", "`a) (b`"),
        ("`a '`' b` c", "`a '`"),
        ("$(a `b) c` d) e", "$(a `b)"),
        ("$(a (b) c) d", "$(a (b) c)"),
        ("$(a ')' b) c", "$(a ')' b)"),
        ("$(a b\nc) d", "$(a b"),
        ("&quot;a b&quot; c", "&quot;a b&quot;"),
        ("&quot;a\\&quot; b&quot; c", "&quot;a\\&quot; b&quot;"),
        ("\\&quot;a\\&quot; b", "\\&quot;a\\&quot;"),
        ("[1, \"]\", '2]'] x", "[1, \"]\", '2]']"),
        ('[\\"]\\", 2] x', '[\\"]\\", 2]'),
        ("[1, 2", "[1, 2"),
        ("{abc} d", "{abc}"),
        ("{abc", "{abc"),
        ("abc def", "abc"),
        ("a&amp;b c", "a&amp;b"),
        ("a&lt;b&gt; c", "a&lt;b&gt;"),
        ("a&b", "a"),
        ("", ""),
    ],
)
def test_where_a_value_ends(text: str, value: str) -> None:
    assert text[: value_end(text, 0)] == value
    before = "x=\\"
    assert value_end(before + text, len(before)) == len(before + value)


def test_values_behind_a_colon_and_in_a_header() -> None:
    assert value_end('{"a": 1}', 0, ":") == 0
    assert value_end("abc, d", 0, ":", quoted_name=True) == 3
    assert value_end("Basic abc, d\r\nx", 0, ":", header=True) == 12


@pytest.mark.parametrize(
    ("text", "start", "found"),
    [
        ('"ab"', 0, "ab"),
        ("'ab'", 0, "ab"),
        ('"ab', 0, '"ab'),
        ('"', 0, '"'),
        ('""', 0, ""),
        ('"a"b', 0, '"a"b'),
        ("ab", 0, "ab"),
        ("&quot;ab&quot;", 0, "ab"),
    ],
)
def test_what_is_inside_of_quotes(text: str, start: int, found: str) -> None:
    low, high = inside(text, start, len(text))
    assert text[low:high] == found


def test_arguments_end_with_the_command() -> None:
    for text, arguments in (
        ("-p a; b", "-p a"),
        ('-p "a;b" c\nd', '-p "a;b" c'),
        ("-p a", "-p a"),
        ("-p a | b", "-p a "),
    ):
        assert text[: arguments_end(text, 0)] == arguments


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://user:pass@host:80/x", "http://user:***@host:80/x"),
        ("http://host:80/x", "http://host:80/x"),
        ("http://host:80/x@y", "http://host:***@y"),
        ("user:pass@host", "user:pass@host"),
        ("http://user@host", "http://user@host"),
        ("mail me@host.example: soon", "mail me@host.example: soon"),
        ("jdbc:oracle:thin:user/pw@host", "jdbc:oracle:thin:user/***@host"),
        ("@ //a:b", "@ //a:b"),
    ],
)
def test_passwords_in_urls(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def test_a_text_keeps_its_length_when_its_secrets_are_hidden() -> None:
    text = "password=abcdef x http://u:pass@host"
    assert hide_text(text) == "password=****** x http://u:****@host"
    assert mask_text(text) == "password=*** x http://u:***@host"
    assert hide_text("nothing here") == "nothing here"
