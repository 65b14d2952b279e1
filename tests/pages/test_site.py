"""The documentation site: a page for each command, code and decision; where Zensical is installed, the built site."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

import jstrace
from dissector.cli import main
from dissector.reports.explain import all_codes, explain, problem_codes
from dissector.session import agent_outcomes, outcomes
from dissector.wire.names import member_name
from handbook import api, codes, evidence, links, markdown, site

ROOT = evidence.ROOT


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    site.layout(folder)
    return folder


@pytest.fixture
def pages(work: Path) -> Path:
    return work / "pages"


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def words(page: Path) -> str:
    """The text of a page without what keeps words from being Markdown."""
    return re.sub(r"\\(_|[^\w\s])", r"\1", text(page)).replace("&amp;", "&")


def test_a_page_for_each_command(pages: Path) -> None:
    assert {path.stem for path in (pages / "commands").glob("*.md")} == {*main.commands, "index"}
    assert ":   Only what matches, such as 'job=nightly outcome!=success'" in words(pages / "commands" / "read.md")


def test_a_page_for_each_problem(pages: Path) -> None:
    """With all that ``jstrace explain`` says of it."""
    assert {path.stem for path in (pages / "problems").glob("*.md")} == {*problem_codes(), "index"}
    for name in problem_codes():
        page, known = words(pages / "problems" / f"{name}.md"), explain(name)
        assert known.meaning in page
        for part in (known.cause, known.remedy, known.tell):
            assert part[1:] in page
        for line in known.engine:
            assert line in re.sub(r"\[([\w-]+)\]\([^)]*\)", r"\1", page)


def test_a_section_for_each_code_of_the_engine(pages: Path) -> None:
    sections = {title for level, title in markdown.headings(text(pages / "engine-codes.md")) if level == 2}
    assert sections == set(all_codes()) - set(problem_codes())


@pytest.mark.parametrize("name", problem_codes())
def test_each_problem_is_found_in_sources_and_tests(name: str) -> None:
    """From a code on the screen to its row, to a test and to a recording or made packets."""
    rows, tests = evidence.rows_of(name), evidence.tests_of(name)
    assert rows
    assert tests
    for place in (*rows, *tests):
        line = text(ROOT / place.file).splitlines()[place.line - 1]
        assert (f"def {place.name}" if place.name else name) in line


def test_a_test_is_shown_that_names_the_problem() -> None:
    shown = {name: evidence.shortest(evidence.tests_of(name), name) for name in problem_codes()}
    assert shown["callback_dropped"] is not None
    assert shown["callback_dropped"].name == "test_callback_dropped"
    for name, place in shown.items():
        assert place is None or re.search(rf"\b{name}\b", place.text)
    assert sum(place is not None for place in shown.values()) > 50


def test_recordings_show_what_they_are_said_to_show() -> None:
    found = evidence.recorded()
    assert ("captures/faults/02_callback_drop.r.pcap", 1) in found["callback_dropped"]
    assert len(found) > 30
    example = evidence.example("callback_dropped")
    assert example is not None
    assert "11 SYNs to 10.50.1.10:59999 in 70 s, no answer." in example.output
    assert evidence.example("unused_connections") is None


def test_every_example_is_of_a_recording_with_the_problem(pages: Path) -> None:
    shown = 0
    for path in (pages / "problems").glob("*.md"):
        for command in re.findall(r"^\$ jstrace read (\S+)", text(path), re.MULTILINE):
            shown += 1
            assert command in {file for file, _ in evidence.recorded()[path.stem]}
    assert shown > 25


def test_what_filters_know(pages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["help", "filter"], standalone_mode=False)
    assert capsys.readouterr().out.rstrip() in text(pages / "filters.md")


def test_the_readme_is_whole(pages: Path) -> None:
    """Cut into pages, with other links."""
    made = [pages / "index.md", *(pages / "guide").glob("*.md")]
    lines = {re.sub(r"^#+", "#", line) for page in made for line in text(page).splitlines()}
    readme = text(ROOT / "README.md").splitlines()
    lost = [line for line in readme if "](" not in line and re.sub(r"^#+", "#", line) not in lines]
    assert lost == []


def test_decisions(pages: Path) -> None:
    files = {path.name for path in (ROOT / "docs" / "decisions").glob("0*.md")}
    assert files == {path.name for path in (pages / "decisions").glob("0*.md")}
    assert len(files) == len(re.findall(r"^\| \[\d{4}\]\(", text(pages / "decisions" / "index.md"), re.MULTILINE))


def test_objects(pages: Path) -> None:
    page = text(pages / "objects.md")
    assert member_name("Com_log", 14, 1) == "log"
    assert "| 14 | `log(" in page.partition("\n## Com_log\n")[2].partition("\n## ")[0]


def test_every_public_name_has_a_section(pages: Path) -> None:
    sections = {title for level, title in markdown.headings(text(pages / "reference.md")) if level == 2}
    assert sections == set(api.public()) == set(jstrace.__all__) - {"__version__"}


def test_codes_of_the_page_are_those_of_the_program() -> None:
    assert [one.code for one in codes.explained()] == all_codes()


@pytest.mark.skipif(
    importlib.util.find_spec("zensical") is None, reason="Zensical is not installed: pip install -e '.[docs]'"
)
def test_the_site(work: Path) -> None:
    """No warning, no link that leads nowhere, nothing that a page loads from elsewhere."""
    assert site.build(work) == []
    made = work / "site"
    assert len(list(made.rglob("*.html"))) > 90
    assert links.loaded(made) == set()
    assert 'id="framing"' in text(made / "protocol.html")
    assert "callback_dropped" in text(made / "search.json")


def test_every_row_and_condition_of_the_outcomes(pages: Path) -> None:
    page = text(pages / "outcomes.md")
    rows = [*outcomes.OUTCOMES, *agent_outcomes.AGENT_OUTCOMES]
    told = re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.MULTILINE)
    assert [word for word, _ in told] == [row.outcome.value for row in rows]
    assert [0 if when == "otherwise" else len(when.split(", ")) for _, when in told] == [len(row.when) for row in rows]
    links = re.findall(r"\]\(#(\w+)\)", page)
    assert set(links) == set(re.findall(r"^### (\w+)\n\n\S", page, re.MULTILINE))
