"""Every recorded case of the corpus with both of its sides at once, in both orders and by a wrong clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_fault_pairs import PROVEN, SECOND, Clock, moved, read

from dissector.model import Event, Outcome, Problem, Severity, Task

CORPUS = Path(__file__).resolve().parents[2] / "captures" / "corpus"
CASES = sorted(path.name.split(".")[0] for path in CORPUS.glob("*.r.pcapng"))
#: What a side says that knows nothing better.
_OPEN = {"callback_missing", "nothing_captured"}
#: And what the other one may explain better.
_HALF = {"callback_refused", "callback_dropped"}
_NO_VERDICT = (Outcome.UNKNOWN, Outcome.RUNNING)


def tasks_of(events: list[Event]) -> list[Task]:
    return sorted((event for event in events if isinstance(event, Task)), key=lambda task: task.n)


def alarms_of(events: list[Event]) -> set[str]:
    return {one.code for one in events if isinstance(one, Problem) and one.severity is Severity.ERROR}


def test_there_are_cases() -> None:
    assert len(CASES) >= 70


@pytest.mark.one_in(5)
@pytest.mark.parametrize("case", CASES)
def test_both_sides_of_a_case(case: str, tmp_path: Path) -> None:
    client, remote = (CORPUS / f"{case}.{side}.pcapng" for side in "cr")
    alone = [read(client), read(remote)]
    late = moved(remote, tmp_path / remote.with_suffix(".pcap").name, Clock(3 * SECOND, 50e-6))
    for files in ((client, remote), (remote, client), (late, client)):
        events = read(*files)
        tasks = tasks_of(events)
        sides = [tasks_of(one) for one in alone]
        assert len(tasks) == max(map(len, sides))
        for task, *legs in zip(tasks, *(side for side in sides if side), strict=True):
            known = {leg.outcome for leg in legs if leg.outcome not in _NO_VERDICT}
            assert task.outcome in (known or {leg.outcome for leg in legs})
        alarms = alarms_of(events) - PROVEN
        told = set.union(*map(alarms_of, alone))
        assert alarms <= told
        assert told - alarms <= _OPEN | (_HALF if alarms else set())
