"""Command connections that failed, until it is known whether somebody only waited for the port."""

from __future__ import annotations

from typing import Any

import pytest
from parts import CLIENT, REMOTE, SECOND, connection

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
