"""Reports for tickets: whole pages, that nothing in them can do anything, and their bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from render_sample import Sample, at, failing_job
from report_kit import check_golden, numbered, of_class, page, parsed, sections, words

from dissector.model import LogLine, Problem, Severity
from dissector.render.report import page as report_page
from dissector.render.report import view as report_view
from dissector.render.report.html import MAX_TEXT
from dissector.render.report.page import Link, PacketRows, _packet_links
from dissector.wire.masking import Mask

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "a\x00b\x1b[31mc\x7f\x9b",
    "\u202egpj.exe\u2066x\u200b",
    "\ufffe\ufdd0\U0001ffff",
    "]]> --> <!-- <![CDATA[",
    "&lt;b&gt; &amp; &#60;",
)


def hostile(text: str) -> Sample:
    """A failing job in which all that is free text says ``text``."""
    sample = failing_job()
    task = sample.task
    task.job = text
    task.log = [LogLine(at(3), "info", text, 35)]
    task.problems.clear()
    sample.problems.clear()
    sample.problem("job_failed", Severity.ERROR, (39,), text, text, text)
    return sample


# --- whole pages ---------------------------------------------------------------------------------------------------


def test_whole_page() -> None:
    check_golden(page(failing_job().events), "report")


@pytest.mark.parametrize("name", ["engine_shell_fail", "faults/02_callback_drop.r", "agent/ua113_midcall"])
def test_recordings(name: str, jstrace: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, captures: Path) -> None:
    monkeypatch.chdir(captures)
    done = jstrace("report", f"{name}.pcap", "-o", "-", "--utc")
    assert done.exit_code == 0
    check_golden(done.stdout, f"report_{Path(name).name.partition('.')[0]}")
    parsed(done.stdout)


def test_links_lead_somewhere() -> None:
    text = page(chain(numbered(1).events, numbered(2).events), 2)
    document = parsed(text)
    ids = Counter(one.get("id") for one in document.iter() if one.get("id"))
    links = {href for one in document.iter("a") if (href := one.get("href")) is not None}
    assert set(ids.values()) == {1}
    assert {"#task-1", "#task-2"} < links
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_the_proof_of_a_problem_leads_to_its_line() -> None:
    document = parsed(page(failing_job().events))
    (link,) = of_class(document, "evidence")[0].iter("a")
    (row,) = (one for one in document.iter("tr") if f"#{one.get('id')}" == link.get("href"))
    assert link.text == "41"
    assert words(row).startswith("41 ")


def test_packets_of_a_problem() -> None:
    places = PacketRows()
    places.add("row", (12,))
    assert [*_packet_links((9, 11, 12, 13, 20), places)] == [Link("9"), Link("11-13", "row"), Link("20")]
    odd = tuple(range(1, 25, 2))
    assert [link.text for link in _packet_links(odd, places)] == [str(number) for number in odd]
    many = [link.text for link in _packet_links((*odd, 27), places)]
    assert many == [*(str(number) for number in odd[:11]), "…", "27"]


def test_a_problem_without_packets_says_so() -> None:
    problem = Problem("capture_empty", Severity.WARNING, 0, (), "Nothing.", "nobody", "do something")
    document = parsed(page([problem], 0))
    assert words(of_class(document, "evidence")[0]) == "no packet: it is what the capture does not have"
    assert words(of_class(document, "verdict")[0]) == "no task"


def test_success_is_good() -> None:
    document = parsed(page(numbered(1, failed=False).events))
    assert of_class(document, "verdict")[0].get("class") == "verdict good"
    assert "No problem." in words(document)


# --- nothing that acts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts(text: str) -> None:
    sample = hostile(text)
    sample.task.kind = text
    plain, document = parsed(page(hostile("plain").events)), parsed(page(sample.events))
    assert [one.tag for one in document.iter()] == [one.tag for one in plain.iter()]
    for one in document.iter():
        assert not [name for name in one.attrib if str(name).startswith("on") or name in ("src", "style")]
        assert (one.get("href") or "#").startswith("#")
    shown = "".join(document.itertext())
    assert not set(shown) & set("\x00\x1b\x7f\x9b\u202e\u2066\u200b\ufffe\ufdd0\U0001ffff")


@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    plain, document = parsed(page(hostile("plain").events)), parsed(page(hostile(f"x{text}x").events))
    assert {one.tag for one in document.iter()} == {one.tag for one in plain.iter()}


def test_the_policy_lets_nothing_in_but_the_style_sheet() -> None:
    document = parsed(page(failing_job().events))
    (policy,) = (one.get("content") or "" for one in document.iter("meta") if one.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not [one for one in document.iter() if one.tag in ("script", "link", "img", "iframe", "object", "base")]


def test_secrets_are_masked() -> None:
    sample = hostile("login with password=Geheim12")
    assert "Geheim12" not in page(sample.events)


# --- bounds --------------------------------------------------------------------------------------------------------


def test_few_tasks_have_ladders_all() -> None:
    few = [numbered(n, failed=False) for n in range(1, report_view.FEW + 1)]
    assert len(sections(parsed(page(chain(*(one.events for one in few)), len(few))))) == report_view.FEW
    more = [*few, numbered(report_view.FEW + 1, failed=False)]
    document = parsed(page(chain(*(one.events for one in more)), len(more)))
    assert sections(document) == []
    assert "Ladders: 0 of all tasks with problems. jstrace report FILE --task N" in words(document)
    assert len([*document.iter("tr")]) == 2 + 1 + len(more)


def test_of_failures_alike_the_first_have_ladders() -> None:
    tasks = [numbered(n) for n in range(1, 13)]
    other = numbered(13)
    other.task.problems[0].code = "task_lost"
    document = parsed(page(chain(*(one.events for one in (*tasks, other))), 13))
    assert sections(document) == [f"task-{n}" for n in (1, 2, 3, 4, 5, 13)]
    assert "Ladders: 6 of 13 tasks with problems (the first 5 of each cause, 100 at most)" in words(document)


def test_only_what_may_be_drawn_is_kept() -> None:
    """Messages of a day do not fit into memory."""
    view = report_view.ReportView(lambda _: None, Mask())
    tasks = [numbered(n, failed=n % 4 == 0) for n in range(1, 81)]
    for one in tasks:
        for event in one.events:
            view.add(event)
    alone = failing_job()
    for message in alone.messages:
        message.task = None
        view.add(message)
    kept = [task.n for task, conversation in view._all.tasks() if conversation.messages]
    # The first of all, in case that there are few, and the first of those that failed.
    assert kept == [*range(1, 12), 12, 13, 16, 20]
    assert view._all.others() == []


def test_chosen_tasks_have_ladders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_view, "LADDERS", 12)
    tasks = [numbered(n, failed=n % 2 > 0) for n in range(1, 13)]
    document = parsed(page(chain(*(one.events for one in tasks)), 12, chosen=True))
    assert len(sections(document)) == 12
    assert "Ladders:" not in words(document)
    document = parsed(page(chain(*(one.events for one in (*tasks, numbered(13)))), 13, chosen=True))
    assert len(sections(document)) == 12
    assert "Ladders: 12 of 13 tasks, which is the most that one report has." in words(document)


def test_rows_of_tasks_that_failed_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_view, "MAX_ROWS", 12)
    tasks = [numbered(n, failed=n > 10) for n in range(1, 13)]
    document = parsed(page(chain(*(one.events for one in tasks)), 12))
    assert "Rows:" not in words(document)
    document = parsed(page(chain(*(one.events for one in (*tasks, numbered(13)))), 13))
    (table,) = of_class(document, "chunk")
    assert [words(row).split()[0] for row in table.iter("tr")][1:] == [*map(str, range(1, 10)), "11", "12", "13"]
    assert "Rows: 12 of 13 tasks, those with problems first." in words(document)


def test_problems_and_jobs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_view, "MAX_CARDS", 2)
    monkeypatch.setattr(report_view, "MAX_GROUPS", 2)
    tasks = [numbered(n) for n in range(1, 4)]
    for one in tasks:
        one.task.job = f"job{one.task.n}"
        one.task.problems[0].cause = f"cause {one.task.n}"
    text = words(parsed(page(chain(*(one.events for one in tasks)), 3)))
    assert "Problems: the worst 2 of 3." in text
    assert "Jobs: 2 of 3." in text


def test_long_ladders_keep_ends_and_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = failing_job()
    count = len(parsed(page(sample.events)).findall(".//table/tbody/tr"))
    monkeypatch.setattr(report_page, "MAX_STEPS", count)
    assert "left out" not in words(parsed(page(sample.events)))
    monkeypatch.setattr(report_page, "MAX_STEPS", 6)
    document = parsed(page(sample.events))
    rows = [words(row) for row in document.findall(".//table/tbody/tr")]
    assert rows[4].endswith("lines left out")
    assert len([row for row in rows if row.startswith("41 ")]) == 1
    told = sum(int(row.split()[0]) for row in rows if row.endswith("left out"))
    assert told + len([row for row in rows if not row.endswith("left out")]) == count


def test_long_logs_keep_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_page, "MAX_LOG", 4)
    sample = failing_job()
    sample.task.log = [LogLine(at(n), "info", f"line {n}\nmore", n) for n in range(4)]
    assert "in the middle left out" not in words(parsed(page(sample.events)))
    sample.task.log.append(LogLine(at(4), "error", "line 4", 4))
    document = parsed(page(sample.events))
    shown = [words(row) for row in of_class(document, "joblog")[0].findall(".//tr")]
    assert [row.partition("line ")[2] for row in shown if "line" in row] == ["0", "1", "3", "4"]
    assert "1 lines in the middle left out" in words(document)


def test_long_texts_are_cut() -> None:
    sample = hostile("x" * 5_000)
    assert "x" * (MAX_TEXT + 1) not in page(sample.events)
