"""Command connections that failed, until it is known whether somebody only waited for the port."""

from __future__ import annotations

from typing import Any

import pytest
from parts import CLIENT, REMOTE, SECOND, connection

from dissector.limits import MAX_ALIKE
from dissector.model import Connection, Endpoint
from dissector.session.unreached import Unreached

WINDOW = 2 * SECOND


def failed(end: int = SECOND, **fields: Any) -> Connection:
    return connection(syn_acks=[], end=end, **fields)


def test_each_becomes_a_task_when_no_probe_can_come_any_more() -> None:
    unreached, one, other = Unreached(), failed(), failed(3 * SECOND)
    assert one not in unreached
    assert unreached.add(one)
    assert unreached.add(other)
    assert one in unreached
    assert unreached.due(SECOND + WINDOW - 1) == []
    assert unreached.due(SECOND + WINDOW) == [one]
    assert one not in unreached
    assert unreached.due(None) == [other]
    assert unreached.due(None) == []
    assert not unreached._by_ends


def test_a_probe_takes_back_its_earlier_tries() -> None:
    unreached = Unreached()
    tries = [failed(), failed(2 * SECOND), failed(client=Endpoint("10.9.9.9", 1)), failed(server=Endpoint(REMOTE, 1))]
    for one in tries:
        unreached.add(one)
    probe = connection(client=Endpoint(CLIENT, 40_001), start=2 * SECOND + WINDOW)
    assert unreached.taken_back(probe) == [tries[1]]  # the first one is too long ago
    assert unreached.taken_back(probe) == []
    assert unreached.due(None) == [tries[0], *tries[2:]]


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_those_that_were_taken_back_make_room(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.unreached.MAX_UNREACHABLE", 2)
    unreached = Unreached()
    for index in range(2):
        assert unreached.add(failed(client=Endpoint(CLIENT if index < taken else "10.9.9.9", index)))
    assert not unreached.add(failed())
    unreached.taken_back(connection(start=SECOND))
    assert [unreached.add(failed()) for _ in range(3)] == [index < taken for index in range(3)]


def test_those_that_became_tasks_make_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.unreached.MAX_UNREACHABLE", 1)
    unreached = Unreached()
    assert unreached.add(failed())
    assert unreached.due(None)
    assert not unreached.add(failed())


def silent(start: int, end: int | None = None, **fields: Any) -> Connection:
    """An open one that carried nothing so far."""
    return connection(start=start, end=start if end is None else end, **fields)


@pytest.mark.parametrize(
    ("try_", "probe", "is_told"),
    [
        (silent(SECOND, syn_acks=[]), silent(SECOND + WINDOW), False),
        (silent(SECOND, syn_acks=[]), silent(SECOND + WINDOW + 1), True),
        (silent(SECOND, syn_acks=[]), silent(SECOND - 1), True),
        # Whoever still tries behind the probe does not wait for the port.
        (silent(SECOND, 4 * SECOND, syn_acks=[]), silent(2 * SECOND), True),
        (silent(SECOND, syn_acks=[]), silent(2 * SECOND, client=Endpoint("10.9.9.9", 1)), True),
        (silent(SECOND), silent(2 * SECOND), True),
        (silent(SECOND, syn_acks=[], bytes=1), silent(2 * SECOND), True),
    ],
)
def test_a_try_whose_end_was_not_captured(try_: Connection, probe: Connection, is_told: bool) -> None:
    unreached = Unreached()
    unreached.opened(try_)
    unreached.taken_back(probe)
    assert unreached.add(try_)
    unreached.forget(try_)
    assert unreached.due(None) == [try_] * is_told
    assert (unreached._silent, unreached._probes) == ({}, {})


@pytest.mark.parametrize(
    ("probe", "is_told"),
    [
        (silent(SECOND + WINDOW), False),
        (silent(SECOND + WINDOW + 1), True),
        (silent(2 * SECOND, syn_acks=[]), True),
        (silent(2 * SECOND, bytes=1), True),
    ],
)
def test_a_probe_whose_end_was_not_captured(probe: Connection, is_told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissector.session.unreached.MAX_UNREACHABLE", 1)
    unreached, one = Unreached(), failed()
    unreached.add(one)
    unreached.opened(probe)
    assert unreached.due(SECOND + WINDOW) == [one] * is_told
    assert unreached.add(failed()) is not is_told


def test_a_probe_that_says_what_it_is_is_none() -> None:
    unreached, one, other = Unreached(), failed(), silent(2 * SECOND)
    unreached.add(one)
    unreached.opened(other)
    unreached.forget(other)
    assert unreached.due(SECOND + WINDOW) == [one]


@pytest.mark.parametrize(("more", "is_told"), [(MAX_ALIKE - 1, False), (MAX_ALIKE, True)])
def test_so_many_open_ones_are_looked_at(more: int, is_told: bool) -> None:
    unreached, one = Unreached(), failed()
    unreached.add(one)
    unreached.opened(silent(2 * SECOND))
    for number in range(more):
        unreached.opened(silent(2 * SECOND, client=Endpoint(CLIENT, number), syn_acks=[]))
    assert unreached.due(SECOND + WINDOW) == [one] * is_told
