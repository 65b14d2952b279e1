"""The page of a dataset: what it says is what the maker of the captures knows, and nothing in it can do anything."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from pathlib import Path

import html5lib
import pytest
from click.testing import CliRunner
from fleet_kit import archive, indexed, rows

from benchmarks.archive import Played, Size
from dissector.cli import main
from dissector.fleet import report

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Played]]:
    folder = tmp_path_factory.mktemp("archive")
    played = archive(folder / "captures", Size(hosts=2, days=12, tasks=160, captures=2))
    indexed(folder / "out", folder / "captures")
    return folder / "out", played


def page(out: Path) -> str:
    done = CliRunner().invoke(main, ["query", str(out), "--report", "-"])
    assert done.exit_code == 0, done.stderr
    html5lib.HTMLParser(strict=True).parse(done.stdout)
    return done.stdout


def table(text: str, name: str) -> list[list[str]]:
    """The cells of the section with this id."""
    (part,) = re.findall(rf'<h2 id="{name}">.*?</section>', text, re.DOTALL)
    lines = re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)[1:]
    return [[unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line)] for line in lines]


def test_it_says_what_was_played(made: tuple[Path, list[Played]]) -> None:
    out, played = made
    text = page(out)
    assert f"160 tasks at 2 points, {min(rows(out, 'SELECT day FROM tasks'))[0]} to" in text
    bad = [one for one in played if one.outcome != "success"]
    of_jobs = {row[0]: (row[1], row[2].split()[0]) for row in table(text, "jobs")}
    failed = Counter(one.job for one in bad)
    assert of_jobs == {job: (str(n), str(failed[job])) for job, n in Counter(one.job for one in played).items()}
    days = table(text, "days")
    assert [sum(int(row[at].split()[0]) for row in days) for at in (1, 2)] == [160, len(bad)]
    hosts = table(text, "hosts")
    for cells in ([row[-1] for row in hosts], [cell for row in hosts for cell in row[1:-1] if cell]):
        assert sum(int(cell.split("/")[-1]) for cell in cells) == 160
        assert sum(int(cell.split("/")[0]) for cell in cells if "/" in cell) == len(bad)


def test_what_failed_stands_there_with_its_packets(made: tuple[Path, list[Played]]) -> None:
    out, _ = made
    told = table(page(out), "tasks")
    assert len(told) == 2 * report.TASKS_ALIKE
    for row in told:
        ((first, last, files),) = rows(out, f"SELECT first_packet, last_packet, files FROM tasks WHERE id = '{row[0]}'")
        assert row[-2] == f"{first}-{last}"
        assert row[-1] == files[0]
    assert [row[1] for row in told] == sorted((row[1] for row in told), reverse=True)


def test_one_day_and_nothing(tmp_path: Path) -> None:
    indexed(tmp_path / "one", CAPTURES / "engine_shell_ok.pcap")
    text = page(tmp_path / "one")
    assert "<p>No problem.</p>" in text
    assert "Tasks that failed" not in text
    assert table(text, "hosts")[0][1:] == ["1", "1"]
    (tmp_path / "x.pcap").write_bytes((CAPTURES / "engine_shell_ok.pcap").read_bytes()[:24])
    indexed(tmp_path / "none", tmp_path / "x.pcap")
    assert "no task" in page(tmp_path / "none")


def test_names_are_text(tmp_path: Path) -> None:
    name = "<script>x"
    indexed(tmp_path / "out", CAPTURES / "engine_shell_fail.pcap", names={str(CAPTURES): name})
    assert "<script" not in page(tmp_path / "out")
    assert "&lt;script&gt;x" in page(tmp_path / "out")


def test_what_is_left_out_is_said(made: tuple[Path, list[Played]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Hosts: " not in page(made[0])
    for name in ("MAX_HOSTS", "MAX_DAYS", "MAX_GROUPS", "MAX_CARDS"):
        monkeypatch.setattr(report, name, 1)
    text = page(made[0])
    assert len(table(text, "hosts")) == len(table(text, "days")) == len(table(text, "jobs")) == 1
    for words in ("Hosts: 1 of 40.", "Days: 1 of 1", "Jobs: 1 of 4.", "Problems: 1 of 2."):
        assert words in text
    assert re.search(r"Tasks that failed: 10 of \d+, the newest 5 of each job and outcome\.", text)


def test_it_is_alone_among_what_is_asked(made: tuple[Path, list[Played]], tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["query", str(made[0]), "failures", "--report", str(tmp_path / "x.html")])
    assert done.exit_code == 2
    done = CliRunner().invoke(main, ["query", str(made[0]), "--report", str(tmp_path / "x.html")])
    assert done.stdout == f"{tmp_path / 'x.html'}: 160 tasks\n"
    assert (tmp_path / "x.html").stat().st_mode & 0o777 == 0o600
