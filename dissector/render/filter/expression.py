"""From text to a Filter: conditions, ``and``, ``or``, ``not`` and parentheses.

``and`` may be left out; it binds closer than ``or``.  A task is judged at its end and a message when it comes, so an
``or`` or ``not`` takes conditions of one of the two only; ``and`` joins both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from dissector.errors import UsageError
from dissector.render.filter import Filter
from dissector.render.filter.fields import FIELDS, MESSAGE_FIELDS, TASK_FIELDS, FilterField

_OPERATORS = r"==|!=|>=|<=|=~|=|~|>|<"
_CONDITION = re.compile(rf"(?P<field>[a-z_]\w*)(?:(?P<tight>{_OPERATORS})|\s+(?P<loose>{_OPERATORS})\s+)", re.I | re.A)
#: Other ways to write an operator.
_SAME = {"==": "=", "=~": "~"}
_VALUE = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"'(),](?:[^\s(),]|\([^\s()]*\))*|""")
_WORD = re.compile(r"(?P<word>and|or|not)(?=[\s(]|$)|(?P<sign>&&|\|\||!(?!=)|[()])", re.I)
_SIGNS = {"&&": "and", "||": "or", "!": "not"}
_END = ""
_DEEPEST = 50

Test = Callable[[Any], bool]


class _Node(NamedTuple):
    """What must hold for a task, and what for a message; None: nothing."""

    task: Test | None = None
    message: Test | None = None


class _Given(NamedTuple):
    """A condition as it is written."""

    field: str
    operator: str
    values: tuple[str, ...]


def compiled(expressions: Iterable[str]) -> Filter:
    """The filter that all expressions make together.

    :raises UsageError: see ``parse``
    """
    node = _both(_Parser(text).parse() for text in expressions)
    every = Filter()
    return Filter(node.task or every.task, node.message or every.message, bool(node.task), bool(node.message))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._tokens = self._scan()
        self._token = next(self._tokens)

    def parse(self) -> _Node:
        node = self._either(0)
        if self._token != _END:
            raise self._refusal(f"{self._token!r} has no partner" if self._token == ")" else "a condition is missing")
        return node

    # --- grammar ---------------------------------------------------------------------------------------------------

    def _either(self, depth: int) -> _Node:
        parts = [self._all(depth)]
        while self._token == "or":
            self._next()
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else self._one_of(parts)

    def _all(self, depth: int) -> _Node:
        parts = [self._one(depth)]
        while self._token not in (_END, ")", "or"):
            if self._token == "and":
                self._next()
            parts.append(self._one(depth))
        return _both(parts)

    def _one(self, depth: int) -> _Node:
        if depth > _DEEPEST:
            raise self._refusal("too many parentheses")
        token = self._token
        if isinstance(token, _Given):
            self._next()
            return self._condition(token)
        if token == "not":
            self._next()
            return self._negated(self._one(depth + 1))
        if token != "(":
            raise self._refusal("a condition is missing" + (f" before {token!r}" if token else " at its end"))
        self._next()
        node = self._either(depth + 1)
        if self._token != ")":
            raise self._refusal("')' is missing")
        self._next()
        return node

    def _one_of(self, parts: Sequence[_Node]) -> _Node:
        tasks, messages = [part.task for part in parts], [part.message for part in parts]
        if not any(messages):
            return _Node(task=_any_of([test for test in tasks if test]))
        if not any(tasks):
            return _Node(message=_any_of([test for test in messages if test]))
        raise self._refusal("'or' joins conditions on tasks, or conditions on messages, not both")

    def _negated(self, node: _Node) -> _Node:
        if node.task and node.message:
            raise self._refusal("'not' takes conditions on tasks, or conditions on messages, not both")
        return _Node(node.task and _none_of(node.task), node.message and _none_of(node.message))

    def _condition(self, given: _Given) -> _Node:
        field = FIELDS.get(given.field)
        if field is None:
            raise self._refusal(f"there is no field {given.field!r}; {_near(given.field)}")
        try:
            test = _test(field, given)
        except UsageError as error:
            raise self._refusal(f"{given.field}: {error}") from None
        return _Node(task=test) if given.field in TASK_FIELDS else _Node(message=test)

    # --- tokens ----------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        self._token = next(self._tokens)

    def _scan(self) -> Iterator[str | _Given]:
        text = self._text
        while self._place < len(text):
            if text[self._place].isspace():
                self._place += 1
            elif (word := _WORD.match(text, self._place)) is not None:
                self._place = word.end()
                yield _SIGNS.get(word[0], word[0].lower())
            elif (head := _CONDITION.match(text, self._place)) is not None:
                start, self._place = self._place, head.end()
                values = self._values(start)
                operator = head["tight"] or head["loose"]
                yield _Given(head["field"].lower(), _SAME.get(operator, operator), values)
            else:
                raise self._stray(self._place)
        yield _END

    def _values(self, start: int) -> tuple[str, ...]:
        values = []
        while True:
            match = _VALUE.match(self._text, self._place)
            values.append(_unquoted(match[0] if match is not None else ""))
            self._place = match.end() if match is not None else self._place
            if self._text[self._place : self._place + 1] != ",":
                break
            self._place += 1
        if self._text[self._place : self._place + 1].strip() not in ("", ")"):
            raise self._stray(start)
        return tuple(values)

    def _stray(self, start: int) -> UsageError:
        return self._refusal(f"{self._text[start:]!r} is not field, operator and value (quotes around spaces)")

    def _refusal(self, why: str) -> UsageError:
        return UsageError(f"filter {self._text!r}: {why}")


def _test(field: FilterField, given: _Given) -> Test:
    """``field=`` (without a value) holds for what has none; of a list one value must match; ``!=`` negates."""
    operator, values = given.operator, given.values
    read = field.values
    if values == ("",):
        if operator not in ("=", "!="):
            raise UsageError(f"a value is missing behind {operator}")
        wanted = operator == "!="
        return lambda record: any(value != "" for value in read(record)) is wanted
    if len(values) > 1 and operator not in ("=", "!=", "~"):
        raise UsageError(f"a list goes with =, != and ~, not with {operator}")
    if "" in values:
        raise UsageError("a value of the list is missing")
    matchers = [field.kind.match("=" if operator == "!=" else operator, value) for value in values]
    holds = operator != "!="
    if len(matchers) == 1:
        (matches,) = matchers
        return lambda record: any(map(matches, read(record))) is holds
    return lambda record: any(matches(value) for value in read(record) for matches in matchers) is holds


def _both(nodes: Iterable[_Node]) -> _Node:
    tasks, messages = [], []
    for node in nodes:
        tasks += [node.task] if node.task else []
        messages += [node.message] if node.message else []
    return _Node(_all_of(tasks), _all_of(messages))


def _all_of(tests: Sequence[Test]) -> Test | None:
    if len(tests) < 2:
        return tests[0] if tests else None
    return lambda record: all(test(record) for test in tests)


def _any_of(tests: Sequence[Test]) -> Test:
    return lambda record: any(test(record) for test in tests)


def _none_of(test: Test) -> Test:
    return lambda record: not test(record)


def _near(name: str) -> str:
    near = get_close_matches(name, FIELDS, 3)
    if near:
        return f"there is {' and '.join(near)} (jstrace help filter lists all)"
    return f"fields of tasks are {', '.join(TASK_FIELDS)}; fields of messages are {', '.join(MESSAGE_FIELDS)}"


def _unquoted(value: str) -> str:
    if value[:1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value[1:-1] if value[:1] == "'" else value
