"""``query``: answers, and what nobody gets by asking."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fleet_kit import HOW, archive, indexed, rows

from benchmarks.archive import Played, Size
from dissector.cli import main
from dissector.errors import UsageError
from dissector.fleet.columns import TABLES
from dissector.fleet.dataset import Dataset
from dissector.fleet.query import Asking
from dissector.fleet.questions import QUESTIONS

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Played]]:
    folder = tmp_path_factory.mktemp("archive")
    return folder / "captures", archive(folder / "captures", Size(hosts=2, days=9, tasks=160, captures=2))


@pytest.fixture(scope="module")
def dataset(made: tuple[Path, list[Played]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dataset") / "out's"
    indexed(out, made[0], how=HOW._replace(messages=True))
    return out


def ask(out: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["query", str(out), *arguments], prog_name="jstrace")


def asked(out: Path, *arguments: str) -> list[dict[str, Any]]:
    done = ask(out, *arguments, "--format", "json")
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_failures_are_those_of_the_maker(made: tuple[Path, list[Played]], dataset: Path) -> None:
    told = asked(dataset, "failures")
    for job in ("shell_fail", "shell_long"):
        mine = [one for one in told if one["job"] == job]
        assert sum(one["failed"] for one in mine) == sum(one.job == job for one in made[1])
        assert {outcome for one in mine for outcome in one["outcomes"]} == {
            one.outcome for one in made[1] if one.job == job
        }
    assert len({one["week"] for one in told}) == 2


def test_causes_have_their_first_and_last_times(made: tuple[Path, list[Played]], dataset: Path) -> None:
    told = {one["code"]: one for one in asked(dataset, "causes")}
    failed = [one for one in made[1] if one.outcome == "failure"]
    assert (told["job_failed"]["times"], told["job_failed"]["points"]) == (len(failed), 2)
    assert (
        told["job_failed"]["first"][:16]
        == min(rows(dataset, "SELECT start FROM tasks WHERE outcome = 'failure'"))[0].isoformat()[:16]
    )


def test_tasks_at_a_time_and_ports_are_counted(tmp_path: Path) -> None:
    """Ten tasks that wait for one another."""
    indexed(tmp_path / "out", CAPTURES / "engine_ten_tasks.pcap")
    (busy,) = asked(tmp_path / "out", "busy")
    assert busy["tasks_at_a_time"] == 10
    (ports,) = asked(tmp_path / "out", "ports", "--callback-ports", "59990-59999")
    assert (ports["peak"], ports["ports"], ports["percent"], ports["lowest"], ports["outside"]) == (
        10,
        10,
        100,
        59987,
        3,
    )


def test_jobs_that_got_slower_are_found(dataset: Path) -> None:
    """As many as eight days, and one job that is not: what is compared is what the question says."""
    assert asked(dataset, "slower") == []
    doubled = QUESTIONS["slower"].sql.replace("FROM brief_tasks", "FROM slowed")
    sql = f"""WITH slowed AS (SELECT * REPLACE (CASE WHEN day > (SELECT max(day) - 7 FROM tasks) AND job = 'shell'
        THEN 2 * duration ELSE duration END AS duration) FROM tasks) SELECT * FROM ({doubled})"""
    (told,) = asked(dataset, sql)
    assert told["job"] == "shell"
    assert 1.5 <= told["times"] <= 3


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_has_an_answer(name: str, dataset: Path, tmp_path: Path) -> None:
    assert ask(dataset, name).exit_code == 0
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "x.pcap").write_bytes((CAPTURES / "engine_shell_ok.pcap").read_bytes()[:24])
    indexed(tmp_path / "empty", tmp_path / "h")
    assert asked(tmp_path / "empty", name) == []


def test_questions_are_listed(dataset: Path) -> None:
    listed = ask(dataset, "--list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(QUESTIONS)
    assert ask(dataset).stdout == listed


def test_columns_are_those_of_the_views(dataset: Path) -> None:
    """By name and type, also in a dataset without a row."""
    told = ask(dataset, "--columns").stdout
    for table, columns in TABLES.items():
        described = {name: kind.replace('"', "") for name, kind, *_ in rows(dataset, f"DESCRIBE {table}")}
        expected = {column.name: column.kind.sql.replace('"', "") for column in columns}
        assert described == {"day": "DATE", "point": "VARCHAR", **expected}
        assert all(f"\n  {name}  {kind}\n" in told for name, kind in expected.items())


@pytest.mark.parametrize(
    "sql",
    [
        "COPY tasks TO 'x.csv'",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW tasks",
        "INSERT INTO tasks SELECT * FROM tasks",
        "ATTACH 'x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA enable_external_access = true",
        "EXPLAIN ANALYZE COPY tasks TO 'x.csv'",
        "SELECT 1; DROP VIEW tasks",
        "",
        ";",
    ],
)
def test_what_is_no_select_is_refused(dataset: Path, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()}
    done = ask(dataset, sql)
    assert (done.exit_code, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    assert {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "source",
    [
        "read_text('/etc/passwd')",
        "'/etc/passwd'",
        "glob('/*')",
        "read_csv('{other}')",
        "read_blob('{manifest}')",
        "read_parquet('{other}')",
        "read_text('https://example.org/')",
        "query('SELECT * FROM read_text(''/etc/passwd'')')",
        "read_duckdb('{other}')",
    ],
)
def test_other_files_are_not_read(dataset: Path, source: str, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    with pytest.raises(UsageError):
        rows(dataset, f"SELECT * FROM {source.format(other=other, manifest=dataset / 'manifest.jsonl')}")


def test_a_name_is_no_sql(tmp_path: Path) -> None:
    """Neither that of a folder, nor that of a point."""
    name = "o'); DROP VIEW tasks; --"
    (tmp_path / "x").mkdir()
    shutil.copy(CAPTURES / "engine_shell_ok.pcap", tmp_path / "x")
    indexed(tmp_path / name, tmp_path / "x", names={str(tmp_path / "x"): name})
    assert rows(tmp_path / name, "SELECT point FROM tasks") == [(name,)]


def test_control_characters_are_escaped(dataset: Path) -> None:
    sql = "SELECT chr(27) || '[31m' || chr(10) || 'x' AS a, '=1+1' AS b, -1 AS c"
    sql = "SELECT chr(27) || '[31m' || chr(10) || 'x' AS a, '=1+1' AS b, -1 AS c"
    assert ask(dataset, sql).stdout.splitlines() == [
        "a                              b      c",
        "\\x1b[31m … (2 lines, 7 bytes)  =1+1  -1",
    ]
    assert ask(dataset, sql, "--format", "csv").stdout == "a,b,c\n\\x1b[31m\\nx,'=1+1,-1\n"
    assert ask(dataset, 'SELECT 1 AS "\x1b"').stdout.splitlines()[0] == "\\x1b"
    assert asked(dataset, sql) == [{"a": "\x1b[31m\nx", "b": "=1+1", "c": -1}]


def test_values_are_those_of_json(dataset: Path) -> None:
    sql = """SELECT TIMESTAMP '2026-11-22 04:07:04.837098' AS t, DATE '2026-11-22' AS d, 1e400 AS i, NULL AS n,
        [1, 2] AS l, {'a': 'ü'} AS o, 1.5::DECIMAL(5, 2) AS f, 5::HUGEINT AS h, true AS b"""
    done = ask(dataset, sql, "--format", "json")
    assert done.stdout.isascii()
    assert json.loads(done.stdout) == [
        {
            "t": "2026-11-22T04:07:04.837098Z",
            "d": "2026-11-22",
            "i": "inf",
            "n": None,
            "l": [1, 2],
            "o": {"a": "ü"},
            "f": 1.5,
            "h": 5,
            "b": True,
        }
    ]


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_answers_go_to_files(dataset: Path, form: str, tmp_path: Path) -> None:
    from pyarrow import parquet

    target = tmp_path / "answer"
    done = ask(
        dataset, "SELECT job, count(*) AS n FROM tasks GROUP BY ALL ORDER BY job", "--format", form, "-o", str(target)
    )
    assert (done.exit_code, done.stdout) == (0, "")
    assert target.stat().st_mode & 0o777 == 0o600
    if form == "parquet":
        assert parquet.read_table(target).column_names == ["job", "n"]
    else:
        assert "shell_fail" in target.read_text()


def test_a_task_is_shown_in_its_packets(dataset: Path) -> None:
    ((wanted, *_),) = rows(dataset, "SELECT id FROM tasks WHERE outcome = 'failure' ORDER BY start LIMIT 1")
    page = ask(dataset, "--task", wanted, "--utc")
    assert page.exit_code == 0, page.stderr
    assert "shell_fail" in page.stdout
    assert "exit code 5" in page.stdout


def test_a_task_whose_packets_are_gone_says_so(tmp_path: Path) -> None:
    source = tmp_path / "host" / "x.pcap"
    source.parent.mkdir()
    shutil.copy(CAPTURES / "engine_shell_ok.pcap", source)
    indexed(tmp_path / "out", source)
    ((wanted,),) = rows(tmp_path / "out", "SELECT id FROM tasks")
    source.write_bytes(source.read_bytes()[:-20])
    gone = ask(tmp_path / "out", "--task", wanted)
    assert gone.exit_code == 2
    assert f"{source}, which is gone or was changed" in gone.stderr
    source.unlink()
    assert ask(tmp_path / "out", "--task", wanted).stderr == gone.stderr
    assert "there is no task x" in ask(tmp_path / "out", "--task", "x").stderr


@pytest.mark.parametrize(
    "arguments",
    [("failures", "--list"), ("--list", "--columns"), ("--task", "x", "failures"), ("--format", "csv"), ("-o", "x")],
)
def test_what_makes_no_sense_is_refused(dataset: Path, arguments: tuple[str, ...]) -> None:
    assert ask(dataset, *arguments).exit_code == 2


def test_a_folder_without_a_dataset_is_none(tmp_path: Path) -> None:
    done = ask(tmp_path, "failures")
    assert (done.exit_code, "no dataset" in done.stderr) == (2, True)


def test_a_dataset_of_another_version_is_none(dataset: Path, tmp_path: Path) -> None:
    lines = (dataset / "manifest.jsonl").read_text().replace("jstrace-fleet/1", "jstrace-fleet/0")
    (tmp_path / "manifest.jsonl").write_text(lines)
    assert "jstrace-fleet/0" in ask(tmp_path, "failures").stderr


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in sys.modules if name.startswith("dissector.fleet.") or name in ("pyarrow", "duckdb")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("pyarrow", "duckdb"):
        monkeypatch.setitem(sys.modules, name, None)
    yield
    for name in [name for name in sys.modules if name.startswith("dissector.fleet.")]:
        sys.modules.pop(name)


@pytest.mark.usefixtures("nothing_installed")
def test_without_the_packages_it_says_what_to_install(dataset: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    for arguments in (["index", str(tmp_path / "x"), str(CAPTURES)], ["query", str(dataset), "failures"]):
        done = runner.invoke(main, arguments)
        assert done.exit_code == 2
        assert done.stderr == "jstrace: this needs pyarrow and duckdb: pip install 'jstrace[fleet]'\n"
    assert not (tmp_path / "x").exists()


def test_index_says_what_it_did(tmp_path: Path) -> None:
    runner, out = CliRunner(), str(tmp_path / "out")
    source = str(CAPTURES / "engine_ten_tasks.pcap")
    first = runner.invoke(main, ["index", out, source])
    assert first.stdout == f"{out}: 1 capture indexed; 10 tasks at 1 point\n"
    again = runner.invoke(main, ["index", out, source])
    assert again.stdout == f"{out}: nothing new, 1 capture known; 10 tasks at 1 point\n"
    assert runner.invoke(main, ["index", out]).exit_code == 2
    for wrong in (["--retain", "x"], ["--retain", "0d"], ["--point", "x"], ["--point", "a/b=x"], ["nowhere"]):
        assert runner.invoke(main, ["index", out, source, *wrong]).exit_code == 2, wrong
    assert Path(out).stat().st_mode & 0o777 == 0o700


def test_an_asking_is_of_one_dataset(dataset: Path) -> None:
    answer = Asking(Dataset.existing(str(dataset))).answer("SELECT $a AS a", {"a": "';--"})
    assert (answer.columns, list(answer.rows)) == (["a"], [("';--",)])


def test_a_dataset_that_changes_meanwhile_is_opened_again(tmp_path: Path) -> None:
    source = tmp_path / "host"
    source.mkdir()
    shutil.copy(CAPTURES / "engine_shell_ok.pcap", source / "1.pcap")
    indexed(tmp_path / "out", source)
    asking = Asking(Dataset.existing(str(tmp_path / "out")))
    shutil.copy(CAPTURES / "engine_shell_fail.pcap", source / "2.pcap")
    indexed(tmp_path / "out", source)
    assert list(asking.answer("SELECT count(*) FROM tasks").rows) == [(2,)]


def test_a_file_that_somebody_took_away_is_an_error(tmp_path: Path) -> None:
    indexed(tmp_path / "out", CAPTURES / "engine_shell_ok.pcap")
    for path in (tmp_path / "out" / "tasks").rglob("*.parquet"):
        path.unlink()
    with pytest.raises(UsageError, match="parquet"):
        Asking(Dataset.existing(str(tmp_path / "out"))).answer("FROM tasks")


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "tasks/../../x.parquet", "log/day=2026-11-22/point=a/0.parquet"],
)
def test_a_manifest_names_no_other_files(tmp_path: Path, path: str) -> None:
    """It may come from a stranger: what it names is opened and removed."""
    out = tmp_path / "out"
    indexed(out, CAPTURES / "engine_shell_ok.pcap")
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    for line in lines:
        if line.get("table") == "tasks":
            line["path"] = path
    (out / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(UsageError, match="no manifest"):
        Dataset(str(out))
