"""The command as scripts and people meet it: exit codes, streams, locales, pipes, signals."""

from __future__ import annotations

import gc
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from click.testing import Result

from dissector import __version__
from dissector.session import sweeping
from dissector.session.opened import OpenTasks
from dissector.stream.block import Block

Command = Callable[..., Result]
COMMAND = [sys.executable, "-m", "dissector"]
ROOT = Path(__file__).resolve().parent.parent
PLAIN = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}


@pytest.fixture
def failing(captures: Path) -> Path:
    return captures / "engine_shell_fail.pcap"


def spawn(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, cwd=ROOT, env=PLAIN | environment, timeout=60)


# --- what it prints ------------------------------------------------------------------------------------------------


def test_the_table(failing: Path, jstrace: Command) -> None:
    result = jstrace("read", failing)
    assert (result.exit_code, result.stderr) == (0, "")
    for word in ("shell_fail", "failure, exit 5", "127.0.0.1:4455", "59999", "job_failed", "Cause", "Remedy"):
        assert word in result.stdout


def test_a_ladder(failing: Path, jstrace: Command) -> None:
    result = jstrace("read", failing, "--task", 1)
    assert result.exit_code == 0
    for word in ("create_instance", "begin(", "log info  failing", "=> exit code 5", "callback connection closed"):
        assert word in result.stdout
    assert "get_ids_of_names" not in result.stdout
    assert "get_ids_of_names" in jstrace("read", failing, "-v").stdout
    assert "dispid  14" in jstrace("read", failing, "--bytes").stdout
    assert "echo failing; exit 5" in jstrace("read", failing, "--task", 1, "--full").stdout


def test_a_log(failing: Path, jstrace: Command) -> None:
    lines = jstrace("read", failing, "--task", 1, "--log").stdout.splitlines()
    assert [line.split(maxsplit=2)[1:] for line in lines][-1] == ["info", "failing"]


def test_tasks_by_number(captures: Path, jstrace: Command) -> None:
    path = captures / "engine_ten_tasks.pcap"
    result = jstrace("read", path, "--task", 2, "--task", 9, "--format", "json", "--messages")
    document = json.loads(result.stdout)
    assert [task["n"] for task in document["tasks"]] == [2, 9]
    assert {message["task"] for message in document["messages"]} == {2, 9}
    assert {connection["task"] for connection in document["connections"]} == {2, 9}


def test_a_task_that_is_not_there(failing: Path, jstrace: Command, tmp_path: Path) -> None:
    """What is there is shown; that something is not is an error, not a warning that nobody reads."""
    result = jstrace("read", failing, "--task", 1, "--task", 7)
    assert result.exit_code == 2
    assert "task 1" in result.stdout
    assert result.stderr == "jstrace: there is no task 7: there is 1 task\n"
    assert jstrace("read", failing, "--task", 1, "--filter", "outcome=success").exit_code == 0
    assert jstrace("slice", failing, tmp_path / "x.pcapng", "--task", 1, "--task", 2).exit_code == 2
    assert not (tmp_path / "x.pcapng").exists()


def test_how_much_is_shown(captures: Path, jstrace: Command) -> None:
    path = captures / "engine_ten_tasks.pcap"
    assert " 2 of 10 tasks shown\n" in jstrace("read", path, "--filter", "task_id=3,4").stdout
    assert " none of 10 tasks matches\n" in jstrace("read", path, "--filter", "task_id=99").stdout
    assert " none of 10 tasks matches\n" in jstrace("read", path, "--filter", "task_id=99", "-v").stdout
    assert "shown" not in jstrace("read", path, "--filter", "task_id>0").stdout
    assert "shown" not in jstrace("read", path).stdout


def test_wrong_filters_are_told_before_anything_is_read(jstrace: Command) -> None:
    result = jstrace("read", "nowhere.pcap", "--filter", "outcome=sucess")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "jstrace: filter 'outcome=sucess': outcome: there is no 'sucess'; it is success\n"


def test_help(jstrace: Command) -> None:
    page = jstrace("help", "filter").stdout
    for word in ("outcome", "no_callback", "spooler_log.info", "Examples:"):
        assert word in page
        assert word in jstrace("read", "--help").stdout
    assert jstrace("help", "slice").stdout == jstrace("slice", "--help").stdout
    assert jstrace("help").stdout == jstrace("--help").stdout
    assert "there is read, view," in jstrace("help", "reed").stderr
    assert jstrace("help", "reed").exit_code == 2


@pytest.mark.parametrize(
    ("zone", "options", "start"),
    [
        ("Asia/Kolkata", (), "09:37:04.837"),
        ("America/New_York", (), "23:07:04.837"),
        ("America/New_York", ("--utc",), "04:07:04.837"),
    ],
)
def test_local_time(failing: Path, zone: str, options: tuple[str, ...], start: str) -> None:
    name = {"Asia/Kolkata": "2026-11-22 09:37:04 IST", "America/New_York": "2026-11-21 23:07:04 EST"}[zone]
    name = "2026-11-22 04:07:04 UTC" if options else name
    assert f" {start}  127.0.0.1" in (table := spawn("read", failing, *options, TZ=zone).stdout.decode())
    assert table.count(name) == 1
    filtered = spawn("read", failing, "-v", "--filter", f"start={start[:5]}", *options, TZ=zone).stdout.decode()
    assert name in filtered.replace(".837", "")
    log = spawn("read", failing, "--log", *options, TZ=zone).stdout.decode().splitlines()
    assert log[0] == f"{name[:10]} {name[-3:]}"
    assert log[1][:5] == start[:5]


def test_json_is_in_utc(failing: Path) -> None:
    assert b'"2026-11-22T04:07:04.837' in spawn("read", failing, "--format", "json", TZ="Asia/Kolkata").stdout


def test_the_date_stands_where_a_capture_spans_days(captures: Path, failing: Path) -> None:
    """The same files, in a zone where midnight lies between their tasks."""
    files = [failing, captures / "faults" / "02_callback_drop.r.pcap"]
    assert b" 04:07:04.837  " in spawn("read", *files, TZ="UTC").stdout
    table = spawn("read", *files, TZ="XYZ+5").stdout.decode()
    assert " 2026-11-21 23:07:04.837  " in table
    assert " 2026-11-22 00:09:15.752  " in table
    log = spawn("read", *files, captures / "faults" / "01_healthy.c.pcap", "--log", TZ="XYZ+5").stdout.decode()
    assert "2026-11-21 XYZ\n" in log
    assert "2026-11-22 XYZ\n" in log


def test_jsonl_says_the_same_as_json(failing: Path, jstrace: Command) -> None:
    document = json.loads(jstrace("read", failing, "--format", "json", "--messages").stdout)
    lines = [
        json.loads(line) for line in jstrace("read", failing, "--format", "jsonl", "--messages").stdout.splitlines()
    ]
    for name, key in (
        ("task", "tasks"),
        ("connection", "connections"),
        ("message", "messages"),
        ("problem", "problems"),
    ):
        records = [{k: v for k, v in line.items() if k != "record"} for line in lines if line["record"] == name]
        assert sorted(map(json.dumps, records)) == sorted(map(json.dumps, document[key]))
        assert records
    assert document["messages"][5]["n"] == 6


def test_filters(failing: Path, jstrace: Command) -> None:
    def messages(*expressions: str) -> list[str]:
        options = [part for expression in expressions for part in ("--filter", expression)]
        result = jstrace("read", failing, *options, "--format", "json", "--messages")
        return [message["member"] for message in json.loads(result.stdout)["messages"]]

    assert messages("member=spooler_log.log") == ["log"] * 4
    assert messages("job=shell_fail member=step") == ["step"] * 2
    assert messages("job=other", "member=step") == []
    assert "none of 1 task matches" in jstrace("read", failing, "--filter", "outcome=success").stdout


def test_several_files_are_one_run(captures: Path, jstrace: Command) -> None:
    paths = [captures / "engine_shell_fail.pcap", captures / "engine_shell_ok.pcap"]
    document = json.loads(jstrace("read", *paths, "--format", "json").stdout)
    assert [task["job"] for task in document["tasks"]] == ["shell", "shell_fail"]
    assert [Path(info["file"]).name for info in document["captures"]] == [path.name for path in paths]


def test_secrets(tmp_path: Path, jstrace: Command) -> None:
    from conversation import Network, TaskScript

    network = Network()
    network.play(TaskScript(log=("password=hunter2",)))
    path = tmp_path / "secret.pcap"
    path.write_bytes(network.capture())
    for view in ([], ["-v"], ["--log"], ["--bytes", "--full"], ["--format", "jsonl", "--messages"]):
        assert "hunter2" not in jstrace("read", path, *view).stdout
    assert "hunter2" in jstrace("read", path, "--log", "--show-secrets").stdout


# --- exit codes ----------------------------------------------------------------------------------------------------


def test_fail_on(captures: Path, failing: Path, jstrace: Command) -> None:
    healthy = captures / "engine_shell_ok.pcap"
    killed = captures / "engine_kill_task.pcap"
    for path, option, code in [
        (failing, [], 0),
        (failing, ["--fail-on", "error"], 1),
        (failing, ["--fail-on", "warning"], 1),
        (failing, ["--fail-on", "error", "--filter", "job=other"], 0),
        (killed, ["--fail-on", "warning"], 1),
        (killed, ["--fail-on", "error"], 0),
        (healthy, ["--fail-on", "warning"], 0),
    ]:
        result = jstrace("read", path, *option)
        assert (path, option, result.exit_code) == (path, option, code)
        assert result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--format", "xml"),
        ("--filter", "colour=red"),
        ("--callback-ports", "9-1"),
        ("--callback-ports", "many"),
        ("--command-port", "70000"),
        ("--task", "0"),
        ("--messages",),
        ("--format", "json", "--log"),
        ("--format", "jsonl", "-v"),
        ("--fail-on", "info"),
        ("--colour", "always"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], failing: Path, jstrace: Command) -> None:
    result = jstrace("read", *([failing] if arguments else []), *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_unreadable_input_is_told_in_one_line(tmp_path: Path, jstrace: Command) -> None:
    missing, text = tmp_path / "missing.pcap", tmp_path / "text\n.pcap"
    text.write_text("no capture")
    for paths in ([missing], [missing, missing], [text]):
        for form in ("table", "json"):
            result = jstrace("read", *paths, "--format", form)
            assert (result.exit_code, result.stdout) == (2, "")
            assert result.stderr.startswith("jstrace: ")
            assert result.stderr.count("\n") == 1
            assert paths[-1].name.split("\n")[0] in result.stderr


def test_a_file_among_several_that_can_not_be_read_is_a_warning(
    tmp_path: Path, failing: Path, jstrace: Command
) -> None:
    result = jstrace("read", failing, tmp_path / "missing.pcap", "--format", "json")
    document = json.loads(result.stdout)
    assert (result.exit_code, len(document["tasks"])) == (0, 1)
    assert "file_skipped" in {problem["code"] for problem in document["problems"]}
    assert result.stderr.startswith("jstrace: warning: ")
    assert "missing.pcap: No such file or directory" in result.stderr


def test_a_capture_that_is_cut_off_is_a_warning(tmp_path: Path, failing: Path, jstrace: Command) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(failing.read_bytes()[:-3])
    result = jstrace("read", path, "--format", "json")
    assert result.exit_code == 0
    assert "capture_truncated" in {problem["code"] for problem in json.loads(result.stdout)["problems"]}
    assert result.stderr.startswith("jstrace: warning: ")
    assert result.stderr.count("\n") == 1


# --- processes -----------------------------------------------------------------------------------------------------


def test_version_and_help_load_nothing_heavy() -> None:
    """rich, construct, scapy and the tables of names take longer than all the rest of ``--help``."""
    script = (
        "import sys, dissector.cli as cli\n"
        "for arguments in (['--version'], ['--help'], ['slice', '--help']):\n"
        "    cli.main(arguments, standalone_mode=False)\n"
        "print(*sorted(name for name in sys.modules if name.split('.')[0] in\n"
        "    ('rich', 'construct', 'scapy', 'xml', 'zstandard', 'dissector')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert __version__ in done.stdout
    assert "jstrace read" in done.stdout
    loaded = {name for name in done.stderr.split() if not name.startswith("dissector.cli")}
    ground = ["errors", "garbage", "limits", "model", "numbers", "places", "ports", "sides", "tlsfacts", "traffic"]
    assert loaded <= {"dissector", *(f"dissector.{name}" for name in ground)}


def test_json_needs_no_rich(failing: Path) -> None:
    script = (
        "import sys, dissector.cli as cli\n"
        "cli.main(sys.argv[1:], standalone_mode=False)\n"
        "assert 'rich' not in sys.modules"
    )
    command = [sys.executable, "-c", script, "read", str(failing), "--format", "json"]
    assert subprocess.run(command, capture_output=True, check=False, cwd=ROOT).returncode == 0


@pytest.mark.parametrize("view", [[], ["-v"], ["--log"], ["--format", "json", "--messages"]])
def test_any_locale(view: list[str], captures: Path) -> None:
    path = captures / "engine_api_java_ok.pcap"  # with umlauts
    done = spawn("read", path, *view, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


def test_a_pipe_gets_no_colour_and_a_steady_width(failing: Path) -> None:
    plain = spawn("read", failing, "--task", 1)
    assert b"\x1b" not in plain.stdout
    assert b"\x1b[" in spawn("read", failing, "--color", "always").stdout
    assert max(map(len, plain.stdout.decode().splitlines())) <= 160


def test_a_reader_that_leaves_early_is_no_error(captures: Path) -> None:
    command = [*COMMAND, "read", str(captures / "h19_many.pcap"), "--format", "jsonl", "--messages"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_standard_input(failing: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "read", "-", "--format", "json"],
        input=failing.read_bytes(),
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert json.loads(done.stdout)["tasks"][0]["job"] == "shell_fail"


def test_an_interrupt_shows_what_there_is(failing: Path) -> None:
    """Ctrl-C while a pipe still delivers: the tasks so far, exit code 130 and no traceback."""
    command = [*COMMAND, "read", "-", "--format", "json"]
    capture = failing.read_bytes()
    seconds = struct.unpack_from("<I", capture, 24)[0] + 10
    other = struct.pack("<IIII", seconds, 0, 1000, 1000) + bytes(1000)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        process.stdin.write(capture + other * 1000)  # more than a pipe holds: it is reading when this returns
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == b""
    assert [task["job"] for task in json.loads(out)["tasks"]] == ["shell_fail"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, jstrace: Command) -> None:
    result = jstrace("completion", shell)
    assert result.exit_code == 0
    assert "_JSTRACE_COMPLETE" in result.stdout


def test_completion_completes() -> None:
    script = "from dissector.cli import main; main(prog_name='jstrace')"
    environment = PLAIN | {"_JSTRACE_COMPLETE": "bash_complete", "COMP_WORDS": "jstrace read --for", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, cwd=ROOT, env=environment)
    assert done.stdout == b"plain,--format\n"


@pytest.mark.parametrize(("ended", "still_open", "sweeps"), [(3, 2, 2), (2, 2, 1), (2, 4, 0), (0, 0, 0)])
def test_garbage_is_looked_for_when_more_is_over_than_open(
    ended: int, still_open: int, sweeps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second block here; behind the fourth one twice as much is over as behind the second one."""
    seen: list[int] = []
    monkeypatch.setattr(sweeping, "_SWEEP", 2)
    tasks = _Tasks()
    monkeypatch.setattr(gc, "collect", lambda: seen.append(tasks.ended))
    for number, _ in enumerate(sweeping.swept(iter([cast(Block, None)] * 5), cast(OpenTasks, tasks))):
        tasks.ended, tasks.still_open = (number + 1) // 2 * ended, still_open
    assert len(seen) == sweeps


@pytest.mark.parametrize(("ended", "still_open", "sweeps"), [(4, 3, 1), (3, 2, 0), (4, 4, 0), (5, 4, 1)])
def test_garbage_is_looked_for_sooner_when_many_are_over(
    ended: int, still_open: int, sweeps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(sweeping, "_MANY", 4)
    tasks = _Tasks()
    monkeypatch.setattr(gc, "collect", lambda: seen.append(tasks.ended))
    for _ in sweeping.swept(iter([cast(Block, None)] * 3), cast(OpenTasks, tasks)):
        tasks.ended, tasks.still_open = ended, still_open
    assert len(seen) == sweeps


def test_who_must_not_be_held_up_looks_behind_fewer_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    tasks = _Tasks()
    monkeypatch.setattr(gc, "collect", lambda: seen.append(tasks.ended))
    sweeper = sweeping.Sweeper(cast(OpenTasks, tasks), 4)
    for tasks.ended in range(1, 10):
        sweeper.passed()
    assert seen == [4, 8]


class _Tasks:
    ended = still_open = 0

    def __len__(self) -> int:
        return self.still_open
