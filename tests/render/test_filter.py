"""Filter expressions: what they select, and how they say that they make no sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_sample import START, failing_job

from dissector.errors import UsageError
from dissector.model import Task
from dissector.render.filter import MESSAGE_FIELDS, TASK_FIELDS, parse


def task() -> Task:
    made = failing_job().task
    made.signal = 9
    return made


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("", True),
        ("job=shell_fail", True),
        ("job=SHELL_FAIL", True),
        ("job=shell", False),
        ("job!=shell", True),
        ("job!=shell_fail", False),
        ("job~ell_f", True),
        ("job~sh*fail", True),
        ("job~fail*sh", False),
        ("n=1 task=1", True),
        ("n=1 task=2", False),
        ("task_id>0", True),
        ("task_id>=2", False),
        ("outcome=failure", True),
        ("outcome!=success", True),
        ("kind=process", True),
        ("exit_code=5", True),
        ("exit_code!=0", True),
        ("exit_code<5", False),
        ("exit_code<=5", True),
        ("signal=9", True),
        ("signal=sigkill", True),
        ("client=10.1.0.10", True),
        ("client=10.1.0.10:47406", True),
        ("remote=10.1.0.10", False),
        ("ip=10.2.0.10", True),
        ("ip!=10.2.0.10", False),
        ("ip=10.2.0.0/16", True),
        ("ip=10.3.0.0/16", False),
        ("ip~10.2.", True),
        ("port=59999", True),
        ("port=4455", True),
        ("port>60000", False),
        ("duration>10ms", True),
        ("duration>0.0151", False),
        ("duration<1min", True),
        ("callback_delay=600us", True),
        ("problem=job_failed", True),
        ("problem!=job_failed", False),
        ("problem~job", True),
        ("pid=7", False),
        ("pid!=7", True),
        ("process_id=0x1", True),
        ("start=04:07", True),
        ("start=04:07:04", True),
        ("start=04:07:04.837", True),
        ("start=04:07:04.838", False),
        ("start>04:07", False),
        ("start>=04:07", True),
        ("start<04:08", True),
        ("start=2026-11-22", True),
        ("start=2026-11-22T04:07", True),
        ('start="2026-11-22 04:07:04"', True),
        ("start>2026-11-21", True),
        ("start>2026-11-22", False),
    ],
)
def test_tasks(expression: str, holds: bool) -> None:
    assert parse([expression]).task(task()) is holds


@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        ("message=command", [1, 21]),
        ("operation=create_instance", [3, 4]),
        ("member=log", [14, 15]),
        ("member=spooler_log.log", [14, 15]),
        ("member=spooler_task.log", []),
        ("member~params", [8, 9, 10, 11]),
        ("object=spooler_log", [14, 15]),
        ("object=0x9feaa85700000004", [14, 15]),
        ("class=Com_log", [14, 15]),
        ("class=sos::scheduler::com_objects::Com_log", [14, 15]),
        ("direction=client->remote member=begin", [7]),
        ("dispid=14", [14]),
        ("hresult=0 operation=get_ids_of_names", [9]),
        ("latency>4ms", [16]),
        ("depth=1 message=request", [8, 10, 14, 18]),
        ("packet=39", [14]),
        ("packet>=54", [21, 22]),
        ("text~failing", [5, 14, 16]),
        ("text=failing", []),
        ('text~"for good"', [14]),
        ("time>=04:07:04.851", [21, 22]),
    ],
)
def test_messages(expression: str, numbers: list[int]) -> None:
    chosen = parse([expression])
    assert [message.n for message in failing_job().messages if chosen.message(message)] == numbers


def test_all_conditions_of_all_expressions_must_hold() -> None:
    assert parse(["job=shell_fail exit_code=5", "kind=process"]).task(task())
    assert not parse(["job=shell_fail exit_code=5", "kind=api"]).task(task())


def test_quotes() -> None:
    made = task()
    made.job = 'a "b" c'
    assert parse([r'job="a \"b\" c"']).task(made)
    assert parse(["job='a \"b\" c'"]).task(made)
    made.job = None
    assert parse(["job!=''"]).task(made)


def test_a_time_without_a_date_is_of_any_day() -> None:
    made = task()
    made.start = START + 86_400 * 10**9
    assert parse(["start=04:07:04"]).task(made)
    assert not parse(["start=2026-11-22"]).task(made)


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("jobs=1", "unknown field 'jobs'"),
        ("job", "'job' is not field, operator and value"),
        ("job = x", "is not field, operator and value"),
        ("=x", "is not field, operator and value"),
        ('job="x', "is not field, operator and value"),
        ("job>x", "not with >"),
        ("exit_code~5", "not with ~"),
        ("exit_code=five", "no whole number"),
        ("latency>soon", "no duration"),
        ("start=noon", "no time"),
        ("start=24:00", "no time"),
        ("latency>" + "9" * 400, "no duration"),
        ("n=" + "9" * 9000, "no whole number"),
        ("start=2026-13-01", "no date"),
        ("ip=10.0.0.0/99", "no network"),
    ],
)
def test_nonsense_is_a_usage_error(expression: str, part: str) -> None:
    with pytest.raises(UsageError, match=r"^filter ") as caught:
        parse([expression])
    assert part in str(caught.value)


def test_an_unknown_field_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse(["job=x colour=red"])
    for name in (*TASK_FIELDS, *MESSAGE_FIELDS):
        assert name in str(caught.value)


def test_many_stars_take_linear_time() -> None:
    """A regular expression made of these stars would not come back."""
    made = task()
    made.job = "a" * 100_000
    assert not parse(["job~" + "a*" * 1_000 + "b"]).task(made)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*TASK_FIELDS, *MESSAGE_FIELDS, "", "colour"]),
            st.sampled_from(["=", "!=", ">", "<=", "~", "==", " "]),
            st.text(max_size=20) | st.from_regex(r"[0-9:./T -]{1,20}", fullmatch=True),
        ),
        max_size=3,
    )
)
def test_any_text_is_a_filter_or_a_usage_error(parts: list[tuple[str, str, str]]) -> None:
    sample = failing_job()
    try:
        chosen = parse([" ".join(map("".join, parts))])
    except UsageError:
        return
    assert chosen.task(sample.task) in (True, False)
    assert {chosen.message(message) for message in sample.messages} <= {True, False}
