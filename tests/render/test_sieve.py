"""The sieve before a view: what belongs to the selected tasks and messages passes, in order, as early as it can."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from render_sample import Sample, failing_job

from dissector.model import Message, Severity
from dissector.render.filter import parse
from dissector.render.views import Sieve


def two() -> tuple[Sample, Sample]:
    first, second = failing_job(), failing_job()
    second.task.n, second.task.job = 2, "other"
    return first, second


def passed(sieve: Sieve, events: list[Any]) -> list[Any]:
    found = [one for event in events for one in sieve.feed(event)]
    return found + list(sieve.finish())


def test_without_a_selection_everything_passes_at_once() -> None:
    sample = failing_job()
    sieve = Sieve((), parse([]), wants_messages=True)
    for event in sample.events:
        assert list(sieve.feed(event)) == [event]
    assert list(sieve.finish()) == []


def test_messages_that_no_view_wants_stay_out() -> None:
    sample = failing_job()
    found = passed(Sieve((), parse([]), wants_messages=False), sample.events)
    assert found == sample.events[len(sample.messages) :]


@pytest.mark.parametrize(("numbers", "expressions"), [((2,), []), ((), ["job=other"]), ((1, 2), ["job=other"])])
def test_a_selected_task_brings_all_that_is_its(numbers: tuple[int, ...], expressions: list[str]) -> None:
    first, second = two()
    mixed = [event for pair in zip(first.events, second.events, strict=True) for event in pair]
    assert passed(Sieve(numbers, parse(expressions), wants_messages=True), mixed) == second.events


def test_nothing_of_a_task_known_to_be_out_is_kept() -> None:
    first, second = two()
    sieve = Sieve((2,), parse([]), wants_messages=True)
    for message in first.messages + second.messages:
        assert list(sieve.feed(message)) == []
    assert [len(events) for events in sieve._waiting.values()] == [len(second.messages)]


def test_a_task_is_judged_when_it_is_final() -> None:
    sample = failing_job()
    sample.task.exit_code = None
    sieve = Sieve((), parse(["exit_code=5"]), wants_messages=True)
    assert list(sieve.feed(sample.messages[0])) == []
    sample.task.exit_code = 5
    assert list(sieve.feed(sample.task)) == [sample.messages[0], sample.task]
    assert list(sieve.feed(sample.callback)) == [sample.callback]


def test_a_task_that_was_judged_is_not_kept() -> None:
    """In ``live`` it would keep its log and its connections, and be none of the garbage."""
    sample = failing_job()
    sieve = Sieve((), parse(["exit_code=6"]), wants_messages=True)
    before = sys.getrefcount(sample.task)
    assert passed(sieve, [*sample.messages, sample.task, sample.callback]) == []
    after = sys.getrefcount(sample.task)
    assert after == before


def test_a_message_filter_shows_the_tasks_that_have_such_messages() -> None:
    first, second = two()
    second.messages = [one for one in second.messages if one.member != "log"]
    events = first.events + second.events
    found = passed(Sieve((), parse(["member=spooler_log.log"]), wants_messages=True), events)
    assert [one.member for one in found if isinstance(one, Message)] == ["log", "log"]
    assert found[2:] == [*first.problems, first.command, first.callback, first.task]
    without = passed(Sieve((), parse(["member=spooler_log.log"]), wants_messages=False), events)
    assert without == found[2:]


def test_what_belongs_to_no_task() -> None:
    sample = failing_job()
    for event in sample.events[:-1]:
        event.task = None
    problem = sample.problem("capture_truncated", Severity.WARNING, (), "cut off")
    problem.task = None
    sample.problems[0].connection = sample.callback
    events = [*sample.messages, *sample.problems, sample.callback]
    assert passed(Sieve((), parse([]), wants_messages=True), events) == events
    assert passed(Sieve((1,), parse([]), wants_messages=True), events) == [problem]
    assert passed(Sieve((), parse(["member=step"]), wants_messages=True), events) == [
        *(one for one in sample.messages if one.member == "step"),
        problem,
    ]


def test_a_task_that_never_became_final_is_judged_at_the_end() -> None:
    sample = failing_job()
    chosen = Sieve((), parse(["job=shell_fail"]), wants_messages=True)
    assert passed(chosen, sample.messages) == sample.messages
    assert passed(Sieve((), parse(["job=other"]), wants_messages=True), sample.messages) == []
