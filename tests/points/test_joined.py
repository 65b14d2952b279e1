"""Tasks that wait for what another place has of them: not without end, and not without a word."""

from __future__ import annotations

import pytest
from test_places import leg, tasks_of, told

from dissector.model import Problem
from dissector.points import joined

FILES = leg("22_eight_per_second", "c"), leg("22_eight_per_second", "r")


@pytest.mark.parametrize(("cap", "is_reached"), [(63, True), (64, False), (128, False)])
def test_too_many_that_wait_are_told_alone_and_said_to_be(
    cap: int, is_reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both files are one block each, so the second place comes when all 64 tasks of the first one wait."""
    monkeypatch.setattr(joined, "MAX_WAITING", cap)
    events = told(*FILES)
    reached = [one for one in events if isinstance(one, Problem) and one.code == "limit_reached"]
    tasks = tasks_of(events)
    assert [task.n for task in tasks] == list(range(1, len(tasks) + 1))
    assert {task.task_id for task in tasks} == set(range(1, 65))
    alone = [task for task in tasks if len(task.points) == 1]
    assert (bool(alone), bool(reached)) == (is_reached, is_reached)
    if not is_reached:
        assert len(tasks) == 64
    for problem in reached:
        assert problem.packets
        assert "too many waited" in problem.summary
