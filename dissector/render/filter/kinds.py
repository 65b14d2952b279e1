"""Kinds of fields: how the value of a condition is read, and how it is compared with those of a record.

A kind makes a matcher of an operator (``= > < >= <= ~``; ``!=`` is the negation of ``=``) and a value.  ``~`` looks for
a part of a text; in texts ``*`` stands for anything.  Every search is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from dissector import numbers
from dissector.errors import UsageError
from dissector.model import Endpoint
from dissector.numbers import INT64, Bounds
from dissector.render.times import moment, of_calendar

Matcher = Callable[[Any], bool]

_NUMBER = re.compile(r"[+-]?(?:0x[0-9a-f]{1,16}|\d{1,19})", re.IGNORECASE | re.ASCII)
_RANGE = re.compile(r"(\d{1,19})-(\d{1,19})", re.ASCII)
_SECONDS = re.compile(r"(?P<number>\d{1,12}(?:\.\d{1,12})?|\.\d{1,12})(?P<unit>us|µs|ms|s|min|m|h|d|)", re.ASCII)
_SECOND = 10**9
_UNITS = {
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": _SECOND,
    "": _SECOND,
    "m": 60 * _SECOND,
    "min": 60 * _SECOND,
    "h": 3_600 * _SECOND,
    "d": 86_400 * _SECOND,
}
_DAY = 86_400 * _SECOND
_TIME = re.compile(
    r"(?:(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:[T ]|(?=Z?$)))?"
    r"(?:(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:\.(?P<part>\d{1,9}))?)?)?(?P<utc>Z?)",
    re.ASCII,
)


class Kind(NamedTuple):
    """``name`` says what a value looks like; ``choices`` are all the values there are, if that is known."""

    name: str
    match: Callable[[str, str], Matcher]
    choices: Callable[[], Sequence[str]] = tuple


# --- texts ---------------------------------------------------------------------------------------------------------


def _text(operator: str, value: str) -> Matcher:
    wanted = value.casefold()
    if operator == "~":
        return partial(_contains, wanted.split("*"))
    if operator != "=":
        raise UsageError(f"a text can be compared with =, != and ~, not with {operator}")
    if "*" in wanted:
        return partial(_is_like, wanted.split("*"))
    return lambda actual: str(actual).casefold() == wanted


def _contains(parts: Sequence[str], actual: object) -> bool:
    """True when all parts stand in the text, one behind the other."""
    text, place = str(actual).casefold(), 0
    for part in parts:
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True


def _is_like(parts: Sequence[str], actual: object) -> bool:
    """True when the text is the parts with anything between them."""
    text = str(actual).casefold()
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    return _contains(middle, text[len(first) : len(text) - len(last)])


def _plain(text: str) -> str:
    """A choice however it is written: ``No callback`` is ``no_callback``."""
    return re.sub(r"[\s-]", "_", text.casefold())


def one_of(name: str, known: Callable[[], Sequence[str]]) -> Kind:
    """A kind whose values are all known."""

    def match(operator: str, value: str) -> Matcher:
        matches = _text(operator, _plain(value))
        words = {word: _plain(word) for word in known()}
        passing = {word for word, plain in words.items() if matches(plain)}
        if not passing:
            near = get_close_matches(_plain(value), list(words.values()), 3)
            raise UsageError(
                f"there is no {value!r}; it is {' or '.join(near) if near else 'one of ' + _list(known())}"
            )
        return passing.__contains__

    return Kind(name, match, known)


def _list(words: Collection[str]) -> str:
    return ", ".join(words)


TEXT = Kind("text", _text)


# --- numbers and times ---------------------------------------------------------------------------------------------


def _ordered(operator: str, low: int, high: int) -> Matcher:
    """Compare with a number, or with all numbers from ``low`` to ``high`` as one."""
    tests: dict[str, Matcher] = {
        "=": lambda actual: low <= actual <= high,
        ">": lambda actual: actual > high,
        ">=": lambda actual: actual >= low,
        "<": lambda actual: actual < low,
        "<=": lambda actual: actual <= high,
    }
    if operator not in tests:
        raise UsageError(f"a number can be compared with = != > < >= <=, not with {operator}")
    return tests[operator]


def _possible(operator: str, low: int, high: int, bounds: Bounds) -> bool:
    """False for a comparison (see ``_ordered``) that no number within the bounds passes."""
    return {
        "=": low <= bounds.greatest and high >= bounds.least,
        ">": high < bounds.greatest,
        ">=": low <= bounds.greatest,
        "<": low > bounds.least,
        "<=": high >= bounds.least,
    }[operator]


def number(bounds: Bounds) -> Kind:
    """A kind whose values are whole numbers within these bounds."""

    def match(operator: str, value: str) -> Matcher:
        ends = _RANGE.fullmatch(value)
        low, high = (int(ends[1]), int(ends[2])) if ends else (_whole(value),) * 2
        matches = _ordered(operator, low, high)
        if low > high:
            raise UsageError(f"{value} is no range: the smaller number comes first")
        if not _possible(operator, low, high, bounds):
            raise UsageError(f"nothing is {operator} {value}: it is a number from {bounds.least} to {bounds.greatest}")
        return matches

    return Kind("number", match)


def _whole(value: str) -> int:
    if _NUMBER.fullmatch(value) is None:
        raise UsageError(f"{_quoted(value)} is no whole number")
    return int(value, 16 if "x" in value.lower() else 10)


def _hresult(operator: str, value: str) -> Matcher:
    """Signed as well as unsigned."""
    return _ordered(operator, (code := _whole(value) & 0xFFFF_FFFF), code)


def _seconds(operator: str, value: str) -> Matcher:
    match = _SECONDS.fullmatch(value)
    if match is None:
        raise UsageError(f"{_quoted(value)} is no duration (write 0.5, 500ms, 2min)")
    nanoseconds = round(float(match["number"]) * _UNITS[match["unit"]])
    if operator == "<" and not nanoseconds:
        raise UsageError(f"nothing is < {value}: no duration is")
    return _ordered(operator, nanoseconds, nanoseconds)


def _time(operator: str, value: str) -> Matcher:
    """A time with a date or of any day, in the zone that is shown (with Z in UTC); it means the whole day, minute or
    second that it names."""
    match = _TIME.fullmatch(value)
    if match is None or not (match["year"] or match["hour"]):
        raise UsageError(f"{_quoted(value)} is no time (write 04:07:15.118 or 2026-11-22T04:07)")
    if match["year"] is None:
        if match["utc"]:
            raise UsageError(f"{value} needs a date before it, or no Z (jstrace --utc shows and reads UTC)")
        test = _ordered(operator, *_of_day(match))
        return lambda actual: test(_since_midnight(actual))
    try:
        midnight = of_calendar(int(match["year"]), int(match["month"]), int(match["day"]), utc=bool(match["utc"]))
    except (ValueError, OverflowError):
        raise UsageError(f"{value.partition('T')[0]} is no date") from None
    low, high = _of_day(match)
    return _ordered(operator, midnight + low, midnight + high)


def _of_day(match: re.Match[str]) -> tuple[int, int]:
    """First and last nanosecond since midnight of what a time names."""
    part = match["part"] or ""
    low = (int(match["hour"] or 0) * 3600 + int(match["minute"] or 0) * 60 + int(match["second"] or 0)) * _SECOND
    low += int(part.ljust(9, "0"))
    width = 10 ** (9 - len(part)) if match["second"] else 60 * _SECOND if match["hour"] else _DAY
    return low, low + width - 1


def _since_midnight(nanoseconds: int) -> int:
    """Nanoseconds on the clock that is shown."""
    shown = moment(nanoseconds)
    return (shown.hour * 3600 + shown.minute * 60 + shown.second) * _SECOND + nanoseconds % _SECOND


NUMBER, COUNT = number(INT64), number(numbers.COUNT)
HRESULT = Kind("number", _hresult)
DURATION = Kind("duration", _seconds)
TIME = Kind("time", _time)


# --- addresses -----------------------------------------------------------------------------------------------------


def _address(operator: str, value: str) -> Matcher:
    """Of an Endpoint: its address, a network, or a text with ``*``."""
    if operator == "~" or (operator == "=" and "*" in value):
        matches = _text(operator, value)
        return lambda end: matches(end.ip)
    if operator != "=":
        raise UsageError(f"an address can be compared with =, != and ~, not with {operator}")
    try:
        if "/" in value:
            network = ip_network(value, strict=False)
            return lambda end: ip_address(end.ip) in network
        wanted = str(ip_address(value))
    except ValueError:
        raise UsageError(f"{_quoted(value)} is no address{' of a network' if '/' in value else ''}") from None
    return lambda end: str(end.ip) == wanted


def _endpoint(operator: str, value: str) -> Matcher:
    """Of an Endpoint: what ``_address`` takes, with or without a port."""
    if operator == "~" or "*" in value:
        matches = _text(operator, value)
        return lambda end: matches(end.ip) or matches(str(end))
    host, colon, port = value.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return _address(operator, value)
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= numbers.PORT.greatest):
        raise UsageError(f"{_quoted(value)} is no ADDRESS:PORT")
    wanted, matches = int(port), _address(operator, host.strip("[]")) if host else _any
    return lambda end: end.port == wanted and matches(end)


def _any(_end: Endpoint) -> bool:
    return True


def _quoted(value: str) -> str:
    return value if value and value.isprintable() else repr(value)


ADDRESS = Kind("address", _address)
ENDPOINT = Kind("address", _endpoint)
