"""The tasks under way: which of them is due, which is the idlest, and whose connections a callback or close may be."""

from __future__ import annotations

import pytest
from parts import CLIENT, REMOTE, SECOND, connection, facts

from dissector.model import Connection, Endpoint, Mark, Role, Task
from dissector.session.agent_facts import AgentFacts
from dissector.session.life import WatchState
from dissector.session.opened import OpenTasks
from dissector.session.task import TaskFacts

LINGER = 150 * SECOND


def task(end: int = 0, *, over: bool = False) -> TaskFacts:
    """A task whose last packet was at this second."""
    made = facts(callback=False)
    command_of(made).end, command_of(made).over = end * SECOND, over
    return made


def command_of(made: TaskFacts) -> Connection:
    assert made.record.command is not None
    return made.record.command


def opened(*tasks: TaskFacts) -> OpenTasks:
    made = OpenTasks()
    for one in tasks:
        made.add(one)
    return made


def callback() -> Connection:
    return connection(Role.CALLBACK)


def test_what_is_under_way() -> None:
    one, other = task(), task()
    tasks = opened(one, other)
    assert (len(tasks), list(tasks), one.record in tasks, None in tasks) == (2, [one, other], True, False)
    assert (tasks.get(one.record), tasks.get(None), tasks.get(task().record)) == (one, None, None)
    assert (one.rank, other.rank) == (1, 2)
    tasks.remove(one)
    assert (len(tasks), list(tasks), one.record in tasks, tasks.ended) == (1, [other], False, 1)


def test_news_are_told_once() -> None:
    one, other = task(), task()
    tasks = opened(one, other)
    assert tasks.news() == [one, other]
    assert tasks.news() == []
    tasks.touched(other)
    tasks.touched(task())  # not under way
    assert tasks.news() == [other]
    tasks.changed(one)
    tasks.changed(task())
    assert tasks.news() == [one]
    tasks.touched(one)
    tasks.remove(one)
    assert tasks.news() == []


def test_due_tasks_come_in_their_order() -> None:
    tasks = opened(one := task(5, over=True), other := task(3, over=True), task(4))
    assert tasks.due(LINGER + 3 * SECOND) == [other]
    assert tasks.due(LINGER + 5 * SECOND) == [one]
    tasks = opened(one := task(5, over=True), other := task(3, over=True))
    assert tasks.due(LINGER + 9 * SECOND) == [one, other]


def test_a_task_that_is_superseded_is_due_before_it_is_over() -> None:
    tasks = opened(one := task(5))
    one.life.watch = WatchState.SUPERSEDED
    tasks.touched(one)
    assert tasks.due(LINGER + 5 * SECOND) == [one]


def test_packets_put_off_what_is_due() -> None:
    tasks = opened(one := task(5, over=True))
    command_of(one).end = 9 * SECOND
    assert tasks.due(LINGER + 9 * SECOND - 1) == []
    assert tasks.due(LINGER + 9 * SECOND) == [one]


def test_who_is_gone_is_not_due_and_others_are_behind_it() -> None:
    tasks = opened(gone := task(1, over=True), one := task(2, over=True))
    tasks.remove(gone)
    assert tasks.due(LINGER + 2 * SECOND) == [one]


def test_who_waits_aside_is_pushed_back_by_a_sign() -> None:
    tasks = opened(one := task(5), other := task(5))
    assert tasks.due(LINGER + 5 * SECOND) == []
    for made in (one, other):
        command_of(made).over = True
    tasks.touched(one)
    assert tasks.due(LINGER + 5 * SECOND) == [one]
    tasks.remove(other)
    tasks.touched(other)
    assert tasks.due(LINGER + 5 * SECOND) == []


# --- the idlest ------------------------------------------------------------------------------------------------------


def given_up(tasks: OpenTasks, monkeypatch: pytest.MonkeyPatch) -> TaskFacts:
    monkeypatch.setattr("dissector.session.opened.MAX_OPEN_TASKS", len(tasks))
    found = tasks.too_many()
    assert found is not None
    tasks.remove(found)
    return found


def test_the_idlest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [task(9), task(3), task(6)]
    tasks = opened(*made)
    assert [given_up(tasks, monkeypatch) for _ in made] == [made[1], made[2], made[0]]


def test_an_agent_s_task_is_as_idle_as_what_was_heard_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no connections of its own, and goes on without being noted."""
    about = AgentFacts(2 * SECOND)
    agent = TaskFacts(Task(0, 1), agent=about)
    tasks = opened(agent, one := task(5))
    about.heard = 7 * SECOND
    assert given_up(tasks, monkeypatch) is one
    assert given_up(tasks, monkeypatch) is agent


def test_who_had_packets_since_is_not_the_idlest(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [task(1), task(2), task(3)]
    tasks = opened(*made)
    command_of(made[0]).end = 9 * SECOND
    assert [given_up(tasks, monkeypatch) for _ in made] == [made[1], made[2], made[0]]


def test_who_is_gone_is_not_the_idlest(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [task(1), task(2), task(3)]
    tasks = opened(*made)
    tasks.remove(made[0])
    assert [given_up(tasks, monkeypatch) for _ in made[1:]] == made[1:]


def test_those_aside_are_the_idlest_unless_they_spoke_since(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [task(1), task(2), task(300)]
    tasks = opened(*made)
    assert tasks.due(LINGER + 5 * SECOND) == []  # the first two wait aside
    command_of(made[0]).end = 400 * SECOND
    assert [given_up(tasks, monkeypatch) for _ in made] == [made[1], made[2], made[0]]


def test_one_aside_that_spoke_is_one_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [task(1), task(300), task(500)]
    tasks = opened(*made)
    assert tasks.due(LINGER + 5 * SECOND) == []
    command_of(made[0]).end = 400 * SECOND
    assert [given_up(tasks, monkeypatch) for _ in made] == [made[1], made[0], made[2]]


def test_the_only_one_is_the_idlest(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [task(1)]
    tasks = opened(*made)
    assert tasks.due(LINGER + 5 * SECOND) == []
    assert given_up(tasks, monkeypatch) is made[0]


def test_as_many_as_may_be_open_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = opened(task(), task())
    monkeypatch.setattr("dissector.session.opened.MAX_OPEN_TASKS", 3)
    assert tasks.too_many() is None


# --- who may be whose ------------------------------------------------------------------------------------------------


def half() -> TaskFacts:
    """Only the answer to its start could be read."""
    made = task()
    made.record.callback_port = None
    return made


def test_tasks_whose_port_is_not_known_may_be_called() -> None:
    made = [half() for _ in range(3)]
    tasks = opened(task(), *made)
    assert tasks.half_known(callback()) == [made[2], made[1]]
    assert tasks.half_known(connection(Role.CALLBACK, client=Endpoint("10.9.9.9", 1))) == []
    tasks.remove(made[2])
    made[1].attempts.append(callback())
    assert tasks.half_known(callback()) == [made[0]]
    made[0].record.callback_port = 59_999
    assert tasks.half_known(callback()) == []
    assert not tasks._half_known


def test_a_task_that_was_called_already_is_not_half_known() -> None:
    made = half()
    made.attempts.append(callback())
    assert opened(made).half_known(callback()) == []


def lone(peer: str | None = REMOTE, client: str | None = CLIENT, *, over: bool = True) -> TaskFacts:
    """A task without a command connection."""
    record = Task(0, 1)
    record.client = Endpoint(client, None) if client else None
    record.callback_peer = Endpoint(peer, 50_000) if peer else None
    record.callback = connection(Role.CALLBACK, over=over)
    return TaskFacts(record)


def test_tasks_without_a_command_connection() -> None:
    made = [lone(), lone(), lone("10.9.9.9")]
    tasks = opened(*made, lone(None), lone(client=None), task())
    assert tasks.lone(callback()) == [made[1], made[0]]
    made[1].record.command = connection()
    tasks.changed(made[1])
    assert tasks.lone(callback()) == [made[0]]
    assert tasks.without_command(connection(), 9, kill=False) is made[0]
    tasks.remove(made[0])
    assert tasks.lone(callback()) == []
    assert tasks.without_command(connection(), 9, kill=False) is None


def test_how_many_tasks_without_a_command_connection_are_looked_at() -> None:
    made = [lone() for _ in range(65)]
    assert opened(*made).lone(callback()) == made[:0:-1]


@pytest.mark.parametrize(
    ("kill", "over", "ended", "found"),
    [
        (False, False, None, False),
        (True, False, None, True),
        (False, True, None, True),
        (False, False, 8, True),
        (False, True, 9, False),
        (True, False, 9, True),
    ],
)
def test_a_close_comes_when_the_callback_has_ended(kill: bool, over: bool, ended: int | None, found: bool) -> None:
    made = lone(over=over)
    assert made.record.callback is not None
    made.record.callback.sides[0].fin = Mark(ended, 1) if ended else None
    assert opened(made).without_command(connection(), 9, kill=kill) is (made if found else None)


def test_a_close_of_one_of_two_tasks_is_nobody_s() -> None:
    assert opened(lone(), lone()).without_command(connection(), 9, kill=True) is None
    made = lone()
    made.record.callback = None
    assert opened(made).without_command(connection(), 9, kill=True) is None


def test_entries_of_tasks_that_are_gone_are_cleaned_up() -> None:
    tasks, made = opened(), [task() for _ in range(1_030)]
    for one in made:
        tasks.add(one)
    for one in made[:-1]:
        tasks.remove(one)
    assert len(tasks._silence._all._entries) <= 1_024 + 2
    command_of(made[-1]).over = True
    tasks.touched(made[-1])
    assert tasks.due(LINGER) == [made[-1]]
