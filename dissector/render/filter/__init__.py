"""Filter expressions: which tasks and messages a user wants to see.

``job=nightly and (outcome!=success or took>10min)``: conditions on tasks and on messages, in the words that
``jstrace help filter`` prints.  What never could match is refused, so that an empty answer means an empty answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dissector.model import Message, Task


def _passes(_record: Task | Message) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Filter:
    """``task`` and ``message`` tell whether one is wanted; ``on_tasks`` and ``on_messages``, whether that is asked at
    all.  A task is wanted when ``task`` says so and, with ``on_messages``, one of its messages is."""

    task: Callable[[Task], bool] = _passes
    message: Callable[[Message], bool] = _passes
    on_tasks: bool = False
    on_messages: bool = False


def parse(expressions: Iterable[str]) -> Filter:
    """Read filter expressions (all of them must hold).

    :raises UsageError: an unknown field or operator, a value that the field never has, a word too many; it names the
        expression and the place
    """
    given = [text for text in expressions if text.strip()]
    if not given:
        return Filter()
    from dissector.render.filter.expression import compiled  # most calls have no filter

    return compiled(given)
