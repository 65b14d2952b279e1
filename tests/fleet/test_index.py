"""``index``: what is in a dataset is what was in the captures, however they come and whatever happens."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fleet_kit import HOW, SMALL, archive, as_indexed, as_made, check_briefs, indexed, read_bytes, rows, whole

import jstrace
from benchmarks.archive import Played, Size, make
from benchmarks.inputs import SECOND
from dissector.errors import UsageError
from dissector.fleet import tracing
from dissector.fleet.dataset import MANIFEST, Dataset
from dissector.fleet.questions import QUESTIONS
from dissector.fleet.workers import done_units
from dissector.model import Task
from dissector.reading import Reading
from dissector.wire.secrets import extend

CAPTURES = Path(__file__).resolve().parents[2] / "captures"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Played]]:
    folder = tmp_path_factory.mktemp("archive")
    return folder / "captures", archive(folder / "captures")


@pytest.fixture(scope="module")
def dataset(made: tuple[Path, list[Played]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dataset") / "out"
    indexed(out, made[0])
    return out


def test_tasks_are_those_of_the_maker(made: tuple[Path, list[Played]], dataset: Path) -> None:
    """Also those that begin in one file and end in the next."""
    assert as_indexed(dataset) == as_made(made[1])
    assert rows(dataset, "SELECT count(*) FROM tasks WHERE len(files) > 1")[0][0] >= 4


def test_records_are_those_of_read(tmp_path: Path) -> None:
    """Every key but those that count within one run."""
    source = CAPTURES / "engine_ten_tasks.pcap"
    indexed(tmp_path / "out", source)
    out = subprocess.run(
        [
            sys.executable,
            "-m",
            "jstrace",
            "query",
            str(tmp_path / "out"),
            "FROM tasks ORDER BY start",
            "--format",
            "json",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    told = json.loads(out)
    expected = [json.loads(task.to_json()) for task in jstrace.trace(source)]
    assert len(told) == len(expected) == 10
    for task, record in zip(told, sorted(expected, key=lambda one: str(one["start"])), strict=True):
        assert task["day"] == record["start"][:10]
        assert task["point"] == "captures"
        for key in set(record) - {"n", "log", "points"}:
            assert task[key] == record[key], key


def test_what_is_known_is_not_read_again(made: tuple[Path, list[Played]], dataset: Path) -> None:
    before = (dataset / MANIFEST).read_bytes()
    done = indexed(dataset, made[0])
    assert (done.captures, done.known, done.tasks) == (0, SMALL.captures, SMALL.tasks)
    assert (dataset / MANIFEST).read_bytes() == before


def test_a_file_is_known_under_another_name(made: tuple[Path, list[Played]], dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "host01" / "renamed.pcap"
    copy.parent.mkdir()
    shutil.copy(made[0] / "host01" / "ring_00002.pcap", copy)
    assert indexed(dataset, copy).captures == 0


@pytest.mark.one_in(5)
@pytest.mark.parametrize("seed", range(3))
def test_files_that_follow_later_are_as_good_as_at_once(
    made: tuple[Path, list[Played]], dataset: Path, tmp_path: Path, seed: int
) -> None:
    """File by file, a run for each: what was open at the end of one is one task with what the next has."""
    out, source = tmp_path / "out", tmp_path / "captures"
    chance = random.Random(seed)
    for number in range(1, 6):
        for host in ("host01", "host02"):
            (source / host).mkdir(parents=True, exist_ok=True)
            name = f"{host}/ring_{number:05d}.pcap"
            shutil.copy(made[0] / name, source / name)
        if number == 5 or chance.random() < 0.6:
            indexed(out, source)
    assert as_indexed(out) == as_made(made[1])
    assert _without_places(out) == _without_places(dataset)


def test_what_goes_on_in_other_files_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks by the hundred, in files so short that most begin, go on and end in different ones."""
    monkeypatch.setattr(tracing, "MARGIN", 0)
    made = make(tmp_path / "all", Size(1, 1, 100, 8), span=6 * SECOND)
    indexed(tmp_path / "once", tmp_path / "all")
    assert as_indexed(tmp_path / "once") == as_made(made)
    out, source = tmp_path / "out", tmp_path / "by" / "host01"
    source.mkdir(parents=True)
    for number in range(1, 9):
        shutil.copy(tmp_path / "all" / "host01" / f"ring_{number:05d}.pcap", source)
        indexed(out, source)
    assert as_indexed(out) == as_made(made)
    assert _without_places(out) == _without_places(tmp_path / "once")


def _without_places(out: Path) -> dict[str, list[str]]:
    """Everything but names of files (and what is counted over them)."""
    return {
        table: [
            repr([value for value in row if not (isinstance(value, list) and "pcap" in repr(value))]) for row in found
        ]
        for table, found in whole(out).items()
    }


def test_a_file_that_grows_is_told_once(made: tuple[Path, list[Played]], dataset: Path, tmp_path: Path) -> None:
    """As when a ring is copied while it is written."""
    out, source = tmp_path / "out", tmp_path / "captures" / "host01"
    source.mkdir(parents=True)
    for number in range(1, 6):
        data = (made[0] / "host01" / f"ring_{number:05d}.pcap").read_bytes()
        (source / f"{number}.pcap").write_bytes(data if number < 5 else data[: len(data) // 2])
    indexed(out, source.parent)
    (source / "5.pcap").write_bytes((made[0] / "host01" / "ring_00005.pcap").read_bytes())
    assert indexed(out, source.parent).captures == 1
    assert as_indexed(out) == [one for one in as_indexed(dataset) if one[0] == "host01"]
    assert rows(out, "SELECT count(*) FROM connections") == rows(
        dataset, "SELECT count(*) FROM connections WHERE point = 'host01'"
    )


def test_a_copy_that_was_made_before_is_no_news(made: tuple[Path, list[Played]], dataset: Path, tmp_path: Path) -> None:
    early = tmp_path / "host01" / "early.pcap"
    early.parent.mkdir()
    data = (made[0] / "host01" / "ring_00003.pcap").read_bytes()
    early.write_bytes(data[: len(data) // 2])
    done = indexed(dataset, early)
    assert (done.captures, done.known) == (0, 1)


def test_packets_that_two_files_have_are_told_once(
    made: tuple[Path, list[Played]], dataset: Path, tmp_path: Path
) -> None:
    """Pieces of one capture that were cut with an overlap."""
    source = tmp_path / "host01"
    source.mkdir()
    parts = [(made[0] / "host01" / f"ring_{number:05d}.pcap").read_bytes() for number in range(1, 6)]
    for number, part in enumerate(parts):
        (source / f"{number}.pcap").write_bytes(part + b"".join(parts[number + 1 : number + 2])[24:20_000])
    (tmp_path / "whole").mkdir()
    out = tmp_path / "out"
    indexed(out, source)
    assert as_indexed(out) == [one for one in as_indexed(dataset) if one[0] == "host01"]


def test_a_file_that_was_missing_between_others(made: tuple[Path, list[Played]], dataset: Path, tmp_path: Path) -> None:
    """It comes late: all that has to do with it is traced again."""
    out, source = tmp_path / "out", tmp_path / "host02"
    shutil.copytree(made[0] / "host02", source)
    late = (source / "ring_00003.pcap").read_bytes()
    (source / "ring_00003.pcap").unlink()
    indexed(out, source)
    (source / "ring_00003.pcap").write_bytes(late)
    indexed(out, source)
    assert as_indexed(out) == [one for one in as_indexed(dataset) if one[0] == "host02"]


def test_a_tail_whose_file_is_gone_ends_there(made: tuple[Path, list[Played]], tmp_path: Path) -> None:
    out, source = tmp_path / "out", tmp_path / "host01"
    source.mkdir()
    shutil.copy(made[0] / "host01" / "ring_00001.pcap", source)
    indexed(out, source)
    open_tasks = rows(out, "SELECT count(*) FROM tasks")[0][0]
    (source / "ring_00001.pcap").unlink()
    shutil.copy(made[0] / "host01" / "ring_00002.pcap", source)
    done = indexed(out, source)
    assert "ring_00001.pcap is gone or was changed" in done.warnings[0]
    assert rows(out, "SELECT count(*) FROM tasks")[0][0] > open_tasks


def test_packets_are_numbered_over_the_files_of_a_task(dataset: Path) -> None:
    """As ``read`` numbers them in these files."""
    found = rows(dataset, "SELECT files, epoch_us(start), first_packet FROM tasks WHERE point = 'host01'")
    several = [one for one in found if len(one[0]) > 1]
    assert several
    for files, start, first in [*found[:6], *several]:
        events = list(Reading(files, one_stream=True, messages=False, prefetch=False).events())
        tasks = [event for event in events if isinstance(event, Task)]
        assert [task.first_packet for task in tasks if task.start // 1000 == start] == [first]


def test_two_processes_make_the_same(made: tuple[Path, list[Played]], dataset: Path, tmp_path: Path) -> None:
    """Byte by byte."""
    out = tmp_path / "out"
    indexed(out, made[0], jobs=2)
    assert read_bytes(out) == read_bytes(dataset)


_KILLED = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from fleet_kit import indexed
if __name__ == "__main__":
    indexed(Path({out!r}), Path({source!r}), jobs={jobs})
"""


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("seed", "jobs"), [(1, 1), (3, 2), (4, 1)])
def test_a_killed_run_leaves_what_can_be_read(
    made: tuple[Path, list[Played]], dataset: Path, tmp_path: Path, seed: int, jobs: int
) -> None:
    """At whatever moment: whole files, whole points, and the next run makes the rest."""
    out, script = tmp_path / "out", tmp_path / "run.py"
    paths = [str(Path(__file__).parent), str(CAPTURES.parent)]
    script.write_text(_KILLED.format(paths=paths, out=str(out), source=str(made[0]), jobs=jobs))
    chance = random.Random(seed)
    for _ in range(3):
        process = subprocess.Popen([sys.executable, str(script)], start_new_session=True, stderr=subprocess.DEVNULL)
        wanted = chance.choice([0, 1, 3, 6])
        end = time.monotonic() + 60
        while (
            process.poll() is None and sum(len(files) for *_, files in os.walk(out)) < wanted and time.monotonic() < end
        ):
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if (out / MANIFEST).is_file():
            told = as_indexed(out)
            points = {point for point, *_ in told}
            assert told == [one for one in as_indexed(dataset) if one[0] in points]
    indexed(out, made[0])
    assert read_bytes(out) == read_bytes(dataset)


def test_messages_belong_to_their_tasks(tmp_path: Path) -> None:
    source = CAPTURES / "engine_api_sub.pcap"
    indexed(tmp_path / "out", source, how=HOW._replace(messages=True))
    assert rows(tmp_path / "out", "SELECT count(*) FROM messages ANTI JOIN tasks ON tasks.id = messages.task") == [(0,)]
    expected = sorted((json.loads(one.to_json()) for one in jstrace.messages(source)), key=lambda one: int(one["n"]))
    told = rows(tmp_path / "out", "SELECT n, member, packets, arguments FROM messages ORDER BY n")
    assert [(n, member) for n, member, *_ in told] == [(one["n"], one["member"]) for one in expected]
    assert [packets for _, _, packets, _ in told] == [one["packets"] for one in expected]
    assert [json.loads(one) for *_, one in told if one] == [
        one["arguments"] for one in expected if one["arguments"] is not None
    ]


def test_rows_refer_to_rows_that_are_there(tmp_path: Path) -> None:
    """Also where a task's start, its client or its callback is known late."""
    names = (
        *("corpus/late_capture.c.pcapng", "corpus/scanner_before_start.c.pcapng", "field/midstream_port_invented.pcap"),
        *("agent/ua113_raw_errors.pcap", "h19_basic.pcap", "faults/02_callback_drop.c.pcap"),
    )
    files = {str(CAPTURES / name): name.replace("/", " ") for name in names if (CAPTURES / name).is_file()}
    assert len(files) >= 5
    indexed(tmp_path / "out", names=files, how=HOW._replace(messages=True))
    for table, of in (("messages", "tasks"), ("problems", "tasks"), ("connections", "tasks"), ("log", "tasks"),
                      ("messages", "connections"), ("exchanges", "connections")):  # fmt: skip
        key = of.removesuffix("s")
        ids = f"SELECT {key} AS wanted FROM {table} WHERE wanted IS NOT NULL"
        lost = rows(tmp_path / "out", f"SELECT wanted FROM ({ids}) ANTI JOIN {of} ON id = wanted")
        assert lost == [], (table, of)
    told = rows(tmp_path / "out", "SELECT id FROM tasks")
    assert len(told) == len(set(told)) >= 5


def test_a_dataset_has_messages_of_all_or_of_none(dataset: Path, made: tuple[Path, list[Played]]) -> None:
    with pytest.raises(UsageError, match="without --messages"):
        indexed(dataset, made[0], how=HOW._replace(messages=True))


def test_secrets_are_masked(tmp_path: Path) -> None:
    """Also what the user calls a secret, and in every process."""
    for point, name in (("a", "engine_shell_fail"), ("b", "engine_shell_ok")):
        (tmp_path / point).mkdir()
        shutil.copy(CAPTURES / f"{name}.pcap", tmp_path / point)
    extend((), ("shell_fail",))
    try:
        indexed(tmp_path / "out", tmp_path / "a", tmp_path / "b", jobs=2, how=HOW._replace(messages=True))
    finally:
        extend()
    assert rows(tmp_path / "out", "SELECT job FROM tasks ORDER BY job") == [("***",), ("shell",)]
    assert "shell_fail" not in repr(rows(tmp_path / "out", "SELECT arguments, xml FROM messages"))


def test_bad_files_are_named_and_the_others_read(tmp_path: Path) -> None:
    source = tmp_path / "host"
    source.mkdir()
    shutil.copy(CAPTURES / "engine_shell_ok.pcap", source)
    (source / "bad.pcap").write_text("no capture at all")
    (source / "empty.pcap").write_bytes(b"")
    done = indexed(tmp_path / "out", source)
    assert done.tasks == 1
    assert sorted(warning.partition(":")[0].rpartition("/")[2] for warning in done.warnings) == [
        "bad.pcap",
        "empty.pcap",
    ]
    with pytest.raises(UsageError, match=r"bad\.pcap"):
        indexed(tmp_path / "other", source / "bad.pcap")


def test_a_capture_without_packets_is_known(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "x.pcap").write_bytes((CAPTURES / "engine_shell_ok.pcap").read_bytes()[:24])
    assert indexed(tmp_path / "out", tmp_path / "host").captures == 0
    assert indexed(tmp_path / "out", tmp_path / "host").known == 1
    assert rows(tmp_path / "out", "FROM tasks") == []


def test_a_capture_without_packets_follows_another(tmp_path: Path) -> None:
    source = tmp_path / "host"
    source.mkdir()
    shutil.copy(CAPTURES / "engine_shell_ok.pcap", source / "1.pcap")
    indexed(tmp_path / "out", source)
    (source / "2.pcap").write_bytes((source / "1.pcap").read_bytes()[:24])
    assert indexed(tmp_path / "out", source).tasks == 1
    assert indexed(tmp_path / "out", source).known == 2


def test_captures_that_carry_no_ip_are_an_error_where_there_is_nothing_else(tmp_path: Path) -> None:
    """Which is known when they have been read."""
    source = tmp_path / "host" / "usb.pcap"
    source.parent.mkdir()
    data = bytearray((CAPTURES / "engine_shell_ok.pcap").read_bytes())
    data[20:24] = (189).to_bytes(4, "little")
    source.write_bytes(data)
    with pytest.raises(UsageError, match="is not supported"):
        indexed(tmp_path / "out", source)
    (tmp_path / "other").mkdir()
    shutil.copy(CAPTURES / "engine_shell_ok.pcap", tmp_path / "other")
    done = indexed(tmp_path / "out", source, tmp_path / "other")
    assert (done.tasks, ["is not supported" in one for one in done.warnings]) == (1, [True])


@pytest.mark.one_in(2)
@pytest.mark.parametrize(("days", "kept"), [(1, 1), (2, 2), (3, 3), (30, 3)])
def test_old_days_are_forgotten(made: tuple[Path, list[Played]], tmp_path: Path, days: int, kept: int) -> None:
    out = tmp_path / "out"
    indexed(out, made[0], retain=days)
    all_days = sorted({day for (day,) in rows(out, "SELECT day FROM tasks")})
    assert [str(day) for day in all_days] == ["2026-09-21", "2026-09-22", "2026-09-23"][3 - kept :]
    assert indexed(out, made[0], retain=days).captures == 0
    assert len(list((out / "tasks").iterdir())) == len(all_days)
    check_briefs(out)


def test_a_point_of_which_all_is_forgotten_leaves_nothing(tmp_path: Path) -> None:
    make(tmp_path / "old", Size(1, 1, 5, 1))
    shutil.copytree(tmp_path / "old" / "host01", tmp_path / "host02")
    out = tmp_path / "out"
    indexed(out, tmp_path / "host02")
    indexed(out, CAPTURES / "engine_shell_ok.pcap", retain=1)
    assert rows(out, "SELECT DISTINCT point FROM tasks") == rows(out, "SELECT DISTINCT point FROM brief_tasks")
    assert rows(out, "SELECT count(*) FROM tasks") == [(1,)]
    assert list(out.rglob("point=host02*")) == []
    check_briefs(out)


def test_without_briefs_the_answers_are_the_same(made: tuple[Path, list[Played]], tmp_path: Path) -> None:
    """And none are made of a part, as they would be of what is new."""
    out, source = tmp_path / "out", tmp_path / "captures"
    shutil.copytree(made[0], source)
    later = source / "host01" / "ring_00005.pcap"
    later.rename(tmp_path / later.name)
    indexed(out, source)
    ports: dict[str, object] = {"low": 50_000, "high": 59_999}
    asked = {name: (one.sql, ports if one.needs_ports else None) for name, one in QUESTIONS.items()}
    before = {name: rows(out, *how) for name, how in asked.items()}
    lines = [line for line in (out / MANIFEST).read_text().splitlines() if "brief_" not in line]
    (out / MANIFEST).write_text("\n".join(lines))
    assert {name: rows(out, *how) for name, how in asked.items()} == before
    (tmp_path / later.name).rename(later)
    indexed(out, source)
    assert not Dataset(str(out)).has_briefs
    assert list(out.glob("brief_*/point=host01/*")) == []
    assert sum(row[1] for row in rows(out, QUESTIONS["days"].sql)) == len(made[1])


def test_points_are_named_by_folder_or_by_hand(tmp_path: Path) -> None:
    for name in ("a", "b/c"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(CAPTURES / "engine_shell_ok.pcap", tmp_path / "a")
    shutil.copy(CAPTURES / "engine_shell_fail.pcap", tmp_path / "b" / "c" / "x.pcap3")
    indexed(tmp_path / "out", tmp_path / "a", tmp_path / "b", names={str(tmp_path / "b"): "näher/ü=1"})
    assert rows(tmp_path / "out", "SELECT point, job FROM tasks ORDER BY job") == [
        ("a", "shell"),
        ("näher/ü=1", "shell_fail"),
    ]


def test_what_a_run_leaves_that_was_killed_at_its_beginning_is_no_harm(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / ".work" / "x").mkdir(parents=True)
    for name in (".lock", ".jstrace-0123", ".work/x/0.tasks"):
        (out / name).write_text("half")
    assert indexed(out, CAPTURES / "engine_shell_ok.pcap").tasks == 1
    assert {path.name for path in out.iterdir()} == {
        *(".lock", MANIFEST, "brief_connections", "brief_tasks", "connections", "log", "tasks")
    }


def test_only_one_run_writes(tmp_path: Path) -> None:
    dataset = Dataset(str(tmp_path / "out"))
    with (
        dataset.locked(),
        pytest.raises(UsageError, match="another jstrace index"),
        Dataset(str(tmp_path / "out")).locked(),
    ):
        pass


@pytest.mark.parametrize(
    "spoil", [lambda path: path.write_text("x"), lambda path: path.write_text('{"record": "part"}')]
)
def test_another_folder_is_left_alone(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(UsageError, match="neither a dataset nor an empty folder"):
        indexed(tmp_path, CAPTURES / "engine_shell_ok.pcap")
    spoil(tmp_path / MANIFEST)
    with pytest.raises(UsageError, match="no manifest"):
        Dataset(str(tmp_path))


def test_units_are_done_without_any_process() -> None:
    assert list(done_units([], 2, None)) == []


def test_the_maker_scales() -> None:
    assert Size().scaled(1) == Size()
    assert Size().scaled(0.1) == Size(40, 3, 20_000, 200)
    assert Size().scaled(0.001) == Size(1, 1, 167, 2)
