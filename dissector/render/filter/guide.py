"""What a user is told about filters, and what completes one that is being typed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from dissector.render.filter.fields import FIELDS, MESSAGE_FIELDS, TASK_FIELDS, FilterField

_SYNTAX = """\
A filter is one or more conditions:  job=nightly outcome!=success took>10min

  field=value        equal (also ==); * stands for anything: job=order*
  field=a,b,c        one of these: outcome=lost,killed
  field!=value       none of its values is equal
  field~text         has this in it (also =~), in upper or lower case: text~"in * out"
  field>value        also >= < <=, for numbers, times and durations
  field=10-20        a number in this range: port=59900-59999
  field=             is not known; field!= is known: problem= is a task without problems

All conditions must hold; or, not and parentheses say otherwise: job=a* and not (outcome=success or took<1s).
A value with spaces, commas or parentheses stands in quotes. Conditions on messages choose messages, and the tasks
that have such a message.
"""
_VALUES = """\
number    59999, 0x1f, 10-20                  text      nightly, order*, "with spaces"
duration  0.5 (seconds), 500ms, 2min, 1h      time      04:07, 04:07:15.118, 2026-11-22, 2026-11-22T04:07Z
address   10.1.0.7, 10.1.0.0/16, 10.1.*, 10.1.0.7:59999, :59999, [fd00::1]:59999
"""
EXAMPLES = (
    ("outcome!=success,running", "what did not go well"),
    ("job=order* took>10min", "slow runs of some jobs"),
    ("problem=callback* remote=10.2.0.0/16", "callbacks that fail, by network"),
    ("start>=04:00 start<04:15", "tasks of a quarter of an hour, on any day"),
    ("member=spooler_log.* text~deadlock", "lines of the log, and their tasks"),
    ("latency>500ms or hresult>=0x80000000", "slow or failed answers"),
)
#: A condition that is not finished: what stands before it, its field and operator, and the values so far.
_UNFINISHED = re.compile(
    r"^(?P<before>(?:.*[\s(])?)(?P<field>[a-z_]\w*)(?P<operator>==|!=|>=|<=|=|~|>|<)(?P<value>[^\s()]*)$", re.I
)
_BEGUN = re.compile(r"^(?P<before>(?:.*[\s(])?)(?P<field>\w*)$")
_NAME_CELLS, _KIND_CELLS = 26, 10


def guide() -> Iterator[str]:
    """The page of ``jstrace help filter``, line by line."""
    yield from _SYNTAX.splitlines()
    yield ""
    yield from _VALUES.splitlines()
    for title, fields in (("Fields of tasks:", TASK_FIELDS), ("Fields of messages:", MESSAGE_FIELDS)):
        yield ""
        yield title
        yield from field_lines(fields)
    yield ""
    yield "Examples:"
    width = max(len(text) for text, _ in EXAMPLES)
    yield from (f"  {text:<{width}}  {words}" for text, words in EXAMPLES)


def field_lines(fields: Mapping[str, FilterField]) -> Iterator[str]:
    """A line for each field, names that mean the same together; below it its values where they are known."""
    names: dict[int, list[str]] = {}
    for name, field in fields.items():
        names.setdefault(id(field), []).append(name)
    for field in {id(field): field for field in fields.values()}.values():
        choices = field.kind.choices()
        kind = "one of" if choices else field.kind.name
        yield f"  {', '.join(names[id(field)]):<{_NAME_CELLS}}{kind:<{_KIND_CELLS}}{field.words}"
        if choices and len(choices) < 20:
            yield " " * (2 + _NAME_CELLS) + ", ".join(choices)
        elif choices:
            yield " " * (2 + _NAME_CELLS) + "jstrace explain lists them"


def completions(text: str) -> list[str]:
    """Ways to go on with a filter: its text with the field or value completed that stands at its end."""
    if (match := _UNFINISHED.match(text)) is not None:
        field = FIELDS.get(match["field"].lower())
        _, _, begun = match["value"].rpartition(",")
        head = text[: len(text) - len(begun)]
        words = field.kind.choices() if field is not None and match["operator"] in ("=", "==", "!=", "~") else ()
        return [head + word for word in words if word.startswith(begun.lower()) and word != begun]
    if (match := _BEGUN.match(text)) is not None and match["field"]:
        return [match["before"] + name + "=" for name in FIELDS if name.startswith(match["field"].lower())]
    return []
