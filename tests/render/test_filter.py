"""Filter expressions: what they select, and how they say that they make no sense."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_sample import START, failing_job

from dissector.errors import UsageError
from dissector.model import Task
from dissector.render.filter import parse
from dissector.render.filter.fields import MESSAGE_FIELDS, TASK_FIELDS
from dissector.render.filter.guide import EXAMPLES, completions, guide
from dissector.render.rows import COLUMNS
from dissector.render.times import show_utc


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
        ("ip=10.2.*", True),
        ("ip=10.0.2.*", False),
        ("client=10.1.0.0/16", True),
        ("client=10.1.*:47406", True),
        ("client=:47406", True),
        ("client=:47407", False),
        ("client=10.1.0.10:47407", False),
        ("client!=10.1.0.10:47407", True),
        ("peer=10.2.0.10", True),
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
        ("start=2026-11-22T04:07Z", True),
        ("start=2026-11-22Z", True),
        ("job==shell_fail", True),
        ("job=shell*", True),
        ("job=*fail", True),
        ("job=s*l*f*l", True),
        ("job=~ell_f", True),
        ("job =~ nothing", False),
        ("port=0-65535", True),
        ("port>=65535", False),
        ("port<=1", False),
        ("exit_code>-2147483648", True),
        ("took>=0", True),
        ("job=s*l*f", False),
        ("job=shell_fail*l", False),
        ("job=l*shell_fail", False),
        ("job=nightly,shell_fail", True),
        ("job!=nightly,shell_fail", False),
        ("job~night,fail", True),
        ('job="shell_fail",x', True),
        ("outcome=lost,failure", True),
        ("outcome=fail*", True),
        ("outcome!=lost,killed", True),
        ("outcome~ail", True),
        ("outcome=No-Callback", False),
        ("signal=KILL", True),
        ("signal~kill", True),
        ("signal!=SIGTERM", True),
        ("signal>8", True),
        ("exit_code=4-6", True),
        ("exit_code=6-9", False),
        ("exit_code!=4-6", False),
        ("took>10ms", True),
        ("took<1m", True),
        ("took>1d", False),
        ("callback=600us", True),
        ("callbacks=4-12", True),
        ("calls>=5 calls<6", True),
        ("log_lines=1", True),
        ("problems=job_*", True),
        ("severity=error", True),
        ("severity=warning,info", False),
        ("pid=", True),
        ("pid!=", False),
        ("job=", False),
        ("job!=", True),
        ("problem=", False),
        ("problem!=", True),
        ("job=x or exit_code=5", True),
        ("job=x or exit_code=6", False),
        ("job=x || exit_code=5 && n=1", True),
        ("job=x or exit_code=5 and n=2", False),
        ("(job=x or exit_code=5) and n=2", False),
        ("(job=x or exit_code=5) n=1", True),
        ("not job=x", True),
        ("not (job=x or exit_code=5)", False),
        ("!job=x !(n=2)", True),
        ("not not n=1", True),
        ("NOT n=2 AND n=1 OR n=3", True),
        ("n = 1 task_id != 9", True),
        ("((n=1))", True),
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
        ("message=command,command_answer", [1, 2, 21, 22]),
        ("operation=create_*", [3, 4]),
        ("member=begin or member=step", [7, 12, 13, 16]),
        ("message=error or not message!=error", []),
        ("text~spooler_open()Z", []),
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
    assert not parse(["job!=''"]).task(made)
    assert parse(["job!=x"]).task(made)


def test_a_time_without_a_date_is_of_any_day() -> None:
    made = task()
    made.start = START + 86_400 * 10**9
    assert parse(["start=04:07:04"]).task(made)
    assert not parse(["start=2026-11-22"]).task(made)


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ("jobs=1", "there is no field 'jobs'; there is job"),
        ("colour=red", "there is no field 'colour'"),
        ("job", "'job' is not field, operator and value"),
        ("job= x", "'x' is not field, operator and value"),
        ("=x", "is not field, operator and value"),
        ('job="x', "is not field, operator and value"),
        ('job="x"y', "is not field, operator and value"),
        ("job>x", "not with >"),
        ("job>", "a value is missing"),
        ("exit_code~5", "not with ~"),
        ("exit_code=five", "no whole number"),
        ("exit_code=5.5", "no whole number"),
        ("exit_code=٣", "no whole number"),
        ("task_id=0x", "no whole number"),
        ("port=99999", "port: nothing is = 99999: it is a number from 1 to 65535"),
        ("port=59999,65536", "nothing is = 65536"),
        ("port>65535", "nothing is > 65535"),
        ("port>=65536", "nothing is >= 65536"),
        ("port<1", "nothing is < 1"),
        ("port<=0", "nothing is <= 0"),
        ("port!=65536-70000", "nothing is = 65536-70000"),
        ("port=59999-50000", "59999-50000 is no range"),
        ("client=:65536", "no ADDRESS:PORT"),
        ("calls<0", "nothing is < 0"),
        ("pid=-1", "nothing is = -1"),
        ("exit_code<-2147483648", "nothing is < -2147483648"),
        ("signal=256", "nothing is = 256"),
        ("took<0", "nothing is < 0: no duration is"),
        ("latency<0ms", "nothing is < 0ms"),
        ("latency>soon", "no duration"),
        ("start=noon", "no time"),
        ("start=24:00", "no time"),
        ("start=04:07Z", "needs a date"),
        ("start=Z", "no time"),
        ("latency>" + "9" * 400, "no duration"),
        ("n=" + "9" * 9000, "no whole number"),
        ("start=2026-13-01", "no date"),
        ("start=0000-01-01", "no date"),
        ("ip=10.0.0.0/99", "no address of a network"),
        ("ip=localhost", "no address"),
        ("client=10.1.0.10:http", "no ADDRESS:PORT"),
        ("remote=remote.example", "no address"),
        ("ip>10.0.0.1", "not with >"),
        ("outcome=sucess", "there is no 'sucess'; it is success"),
        ("outcome=x", "one of success, failure, killed"),
        ("outcome=lost,kiled", "it is killed"),
        ("outcome~xyz", "there is no 'xyz'"),
        ("outcome=z*", "there is no 'z*'"),
        ("kind=shell", "one of process, api"),
        ("problem=calback_dropped", "it is callback_dropped"),
        ("severity=fatal", "one of info, warning, error"),
        ("message=call", "there is no 'call'"),
        ("direction=up", "one of client->remote, remote->client"),
        ("signal=SIGFOO", "there is no signal 'SIGFOO'"),
        ("exit_code>1,2", "a list goes with"),
        ("job=a,,b", "a value of the list is missing"),
        ("job=a or", "a condition is missing at its end"),
        ("or job=a", "a condition is missing before 'or'"),
        ("(job=a", "')' is missing"),
        ("job=a)", "')' has no partner"),
        ("not", "a condition is missing at its end"),
        ("()", "a condition is missing before ')'"),
        ("(" * 100 + "n=1" + ")" * 100, "too many parentheses"),
        ("job=a or member=b", "'or' joins conditions on tasks, or conditions on messages"),
        ("not (job=a member=b)", "'not' takes conditions on tasks, or conditions on messages"),
    ],
)
def test_nonsense_is_a_usage_error(expression: str, part: str) -> None:
    with pytest.raises(UsageError, match=r"^filter ") as caught:
        parse([expression])
    assert part in str(caught.value)


def test_tasks_and_messages_in_one_filter() -> None:
    chosen = parse(["(job=a* or outcome=lost) member=begin", "latency>1ms or dispid=14"])
    assert chosen.on_tasks
    assert chosen.on_messages
    assert not parse([" "]).on_tasks


def test_every_column_of_the_table_is_a_field() -> None:
    assert {column.heading for column in COLUMNS} - {"#"} <= set(TASK_FIELDS)


def test_an_unknown_field_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse(["job=x zzz=red"])
    for name in (*TASK_FIELDS, *MESSAGE_FIELDS):
        assert name in str(caught.value)


def test_times_are_those_that_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    show_utc(False)
    try:
        assert parse(["start=09:37:04 start=2026-11-22T09:37 start=2026-11-22T04:07Z"]).task(task())
        show_utc(True)
        assert parse(["start=04:07:04"]).task(task())
    finally:
        show_utc(False)
        monkeypatch.undo()
        time.tzset()


def test_the_guide_names_every_field_and_its_examples_are_right() -> None:
    page = "\n".join(guide())
    for name in (*TASK_FIELDS, *MESSAGE_FIELDS):
        assert re.search(rf"(?m)^  (\w+, )?{name}[ ,]", page), name
    for text, _ in EXAMPLES:
        parse([text])
    assert max(map(len, page.splitlines())) <= 115


@pytest.mark.parametrize(
    ("text", "longer"),
    [
        ("outc", ["outcome="]),
        ("job=x (outc", ["job=x (outcome="]),
        ("outcome=k", ["outcome=killed"]),
        ("outcome!=lost,K", ["outcome!=lost,killed"]),
        ("problem=callback_o", ["problem=callback_other_address"]),
        ("kind=", ["kind=process", "kind=api"]),
        ("call", ["calls=", "callback=", "callback_delay=", "callbacks="]),
        ("job=ni", []),
        ("exit_code>", []),
        ("nothing=x", []),
        ("job=x ", []),
        ("", []),
    ],
)
def test_completions(text: str, longer: list[str]) -> None:
    assert sorted(completions(text)) == sorted(longer)


def test_many_stars_take_linear_time() -> None:
    """A regular expression made of these stars would not come back."""
    made = task()
    made.job = "a" * 100_000
    assert not parse(["job~" + "a*" * 1_000 + "b"]).task(made)
    assert not parse(["job=" + "a*" * 1_000 + "b"]).task(made)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*TASK_FIELDS, *MESSAGE_FIELDS, "", "colour"]),
            st.sampled_from(["=", "!=", ">", "<=", "~", "==", " ", " or ", " not ", "(", ")"]),
            st.text(max_size=20) | st.from_regex(r"[0-9:./T,* -]{1,20}", fullmatch=True),
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
