"""``jstrace live`` on loopback: what it shows is what a recording of the same packets shows."""

from __future__ import annotations

import json
import os
import pwd
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from live_kit import COMMAND, HIGH, LOW, PORT, PORTS, QUICK, ROOT, eventually, live, needs_root, records, simulate

from dissector.errors import CaptureError
from dissector.simulate.scenario import SCENARIOS
from dissector.sources import privileges

pytestmark = needs_root
BOTH = ("--listen", PORT, *QUICK)
Json = dict[str, Any]


def comparable(task: Json) -> Json:
    """All but times, which ``when`` has: a recording has microseconds; and packet numbers: two captures of loopback
    need not hold the same of what is not of these tasks."""
    same = {
        key: value for key, value in task.items() if key not in ("start", "end", "duration", "callback_delay", "log")
    }
    same["log"] = [(line["level"], line["text"]) for line in task["log"]]
    same["points"] = [{key: value for key, value in one.items() if key != "first_packet"} for one in task["points"]]
    return same


def when(task: Json) -> tuple[float, ...]:
    """Two captures take the same packet at the same moment, as far as the kernel serves both of them at once."""
    start, end = (datetime.fromisoformat(task[key].replace("Z", "+00:00")).timestamp() for key in ("start", "end"))
    return start, end, task["duration"], task["callback_delay"] if task["callback_delay"] is not None else -1.0


def read(path: Path) -> Json:
    command = [*COMMAND, "read", str(path), "--format", "json", *PORTS]
    document: Json = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout)
    return document


def test_every_scenario_is_what_a_recording_of_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tcpdump.pcap"
    expected = sorted(scenario.outcome.value for scenario in SCENARIOS.values())
    recorder = ["tcpdump", "-i", "lo", "-U", "-B", "65536", "-Z", "root", "-w", str(path), f"portrange {PORT}-{HIGH}"]
    with subprocess.Popen(recorder, stderr=subprocess.PIPE) as tcpdump:
        assert tcpdump.stderr is not None
        assert b"listening on lo" in tcpdump.stderr.readline()
        try:
            with live("lo", *PORTS, "--format", "jsonl", "-w", tmp_path / "own.pcapng") as running:
                # On a busy machine a callback may take longer than the second that is quick.
                simulate(*BOTH, "--callback-timeout", "5s", "--scenario", "all")
                lines = running.end()
            # Not as many packets: what else is on loopback may pass one filter and not the other.
            eventually(lambda: sorted(task["outcome"] for task in read(path)["tasks"]) == expected)
        finally:  # else a failure would wait for it for ever
            tcpdump.terminate()
            tcpdump.communicate()
    tasks = records(lines, "task")
    assert sorted(task["n"] for task in tasks) == list(range(1, len(SCENARIOS) + 1))
    by_number = sorted(tasks, key=lambda task: int(task["n"]))
    for document in (read(tmp_path / "own.pcapng"), read(path)):
        for mine, other in zip(by_number, document["tasks"], strict=True):
            assert comparable(mine) == comparable(other)
            assert when(mine) == pytest.approx(when(other), abs=0.02)
    outcomes = [task["outcome"] for task in by_number]
    assert sorted(outcomes) == expected


def test_many_tasks_at_a_rate(tmp_path: Path) -> None:
    path = tmp_path / "many.pcapng"
    with live("lo", *PORTS, "--format", "jsonl", "-w", path) as running:
        simulate(*BOTH, "--scenario", "shell-job", "--tasks", 500, "--rate", 50, "-q")
        lines = running.end()
    tasks = records(lines, "task")
    assert len(tasks) == 500
    assert {task["outcome"] for task in tasks} == {"success"}
    assert [problem["code"] for problem in records(lines, "problem") if problem["task"] is None] == []
    assert len(read(path)["tasks"]) == 500


def test_drops_are_reported_and_it_goes_on_behind_them() -> None:
    """A monitor that stands still misses what is more than its ring; then it is as good as before."""
    with live("lo", *PORTS, "--format", "jsonl") as running:
        running.process.send_signal(signal.SIGSTOP)
        simulate(*BOTH, "--scenario", "big-script", "--tasks", 60, "--parallel", 5, "-q")
        running.process.send_signal(signal.SIGCONT)
        simulate(*BOTH, "--scenario", "order-job", "--tasks", 5, "-q")
        lines = running.end()
    (problem,) = [one for one in records(lines, "problem") if one["code"] == "packets_dropped"]
    said = re.fullmatch(r"The kernel dropped (\d+) packets of (\d+)\.", problem["summary"])
    assert said is not None
    (capture,) = records(lines, "capture")
    assert int(said[2]) - int(said[1]) == capture["packets"]
    assert "jstrace: warning: the kernel dropped " in running.errors
    tasks = [(task["job"], task["outcome"]) for task in records(lines, "task")]
    assert tasks.count(("order-job", "success")) == 5
    assert 0 < tasks.count(("big-script", "success")) < 60


def test_lines_for_people() -> None:
    with live("lo", *PORTS, "--log") as running:
        simulate(*BOTH, "--scenario", "failing-job")
        running.until("failure")
        text = running.end()
    assert "capturing on lo, as nobody" in running.errors
    words = [line.split(maxsplit=1)[1] for line in text.splitlines() if "task 1" in line]
    assert words[0].startswith("task 1  started  127.0.0.1:")
    assert f"127.0.0.1:{PORT}, callback port {HIGH}" in words[0]
    assert "callback from 127.0.0.1:" in words[1]
    assert any("log info  failing" in word for word in words)
    assert any(word.startswith("task 1  failing-job:1  failure, exit 5  took") for word in words)
    assert any("error job_failed  The job's process ended with exit code 5" in word for word in words)
    assert text.endswith("1 task: 1 failure\n")


@pytest.mark.one_in(5)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_the_summary(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with live("lo", *PORTS, "-w", path) as running:
        simulate(*BOTH)
        running.until("success")
        assert running.end(number).endswith("1 task: 1 success\n")
    assert [task["outcome"] for task in read(path)["tasks"]] == ["success"]


def test_kill_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with live("lo", *PORTS, "-w", path) as running:
        simulate(*BOTH)
        running.until("success")
        eventually(lambda: read(path)["tasks"])
        running.process.kill()
    document = read(path)
    assert [task["outcome"] for task in document["tasks"]] == ["success"]
    assert document["captures"][0]["truncated"] is False


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    ("arguments", "caller", "name"),
    [
        ((), None, "nobody"),
        ((), "daemon", "daemon"),
        (("--user", "daemon"), None, "daemon"),
        (("--user", "root"), "daemon", "root"),
    ],
)
def test_whom_root_becomes(arguments: tuple[str, ...], caller: str | None, name: str, tmp_path: Path) -> None:
    """All of the process is somebody else, and the file is theirs."""
    path = tmp_path / "x.pcapng"
    environment = {key: value for key, value in os.environ.items() if key != "SUDO_UID"}
    if caller is not None:
        environment["SUDO_UID"] = str(pwd.getpwnam(caller).pw_uid)
    with live("lo", *PORTS, "-w", path, *arguments, env=environment) as running:
        status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="ascii")
        running.end()
    user = pwd.getpwnam(name)
    assert running.errors == "jstrace: capturing on lo" + ("" if name == "root" else f", as {name}") + "\n"
    assert (path.stat().st_uid, path.stat().st_gid) == (user.pw_uid, user.pw_gid)
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if line.startswith(("Uid", "Gid", "CapEff")))
    assert set(lines["Uid"].split()) == {str(user.pw_uid)}
    assert set(lines["Gid"].split()) == {str(user.pw_gid)}


def rights(pid: int) -> list[dict[str, int]]:
    """Capabilities and no_new_privs of every thread, from /proc/PID/task/TID/status."""
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
    found = []
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        lines = dict(line.split(":\t", 1) for line in status.read_text(encoding="ascii").splitlines())
        found.append({name: int(lines[name], 16) for name in names})
    return found


#: Writing where it likes: what root that stays root keeps.
DAC_OVERRIDE = 1 << 1


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("user", "kept"), [("nobody", 0), ("daemon", 0), ("root", DAC_OVERRIDE)])
def test_a_capture_keeps_no_capability(user: str, kept: int, tmp_path: Path) -> None:
    """No thread of it has any that capturing and writing do not need, nor could a program that it starts get one; and
    it captures and writes all the same."""
    path = tmp_path / "x.pcapng"
    with live("lo", *PORTS, "-w", path, "--user", user) as running:
        before = rights(running.process.pid)
        simulate(*BOTH)
        running.until("success")
        after = rights(running.process.pid)
        assert "1 success" in running.end()
    mine = {"CapInh": 0, "CapPrm": kept, "CapEff": kept, "CapBnd": 0, "CapAmb": 0, "NoNewPrivs": 1}
    assert before
    assert before + after == [mine] * len(before + after)
    assert [task["outcome"] for task in read(path)["tasks"]] == ["success"]


@pytest.mark.parametrize("ambient", [False, True])
def test_a_user_with_the_right_to_capture_keeps_it_for_opening_only(ambient: bool) -> None:
    """As with setcap, or a service manager's ambient capabilities."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not there")
    given = "-all,+net_raw"
    inside = [setpriv, "--reuid", "root", "--inh-caps", given, "--bounding-set", given]
    inside += ["--ambient-caps", given] if ambient else []
    with live("lo", *PORTS, "--user", "root", inside=inside) as running:
        (found, *others) = rights(running.process.pid)
        running.end()
    assert others == []
    # Who may not shrink the set still can get nothing by it.
    assert {name: value for name, value in found.items() if name != "CapBnd"} == {
        "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapAmb": 0, "NoNewPrivs": 1,
    }  # fmt: skip


def test_a_stream_keeps_no_capability(captures: Path) -> None:
    """The thread that reads standard input included."""
    command = [*COMMAND, "live", "-", "--plain"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((captures / "engine_shell_fail.pcap").read_bytes())
        process.stdin.flush()
        process.stdout.readline()
        found = rights(process.pid)
        process.stdin.close()
        assert process.wait(30) == 0
    assert len(found) == 2
    assert {tuple(one.values()) for one in found} == {(0, 0, 0, 0, 0, 1)}


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder that only root can write, and others not even enter."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    return folder


def test_a_file_where_only_root_can_write(private: Path) -> None:
    path = private / "x.pcapng"
    with live("lo", *PORTS, "-w", path) as running:
        simulate(*BOTH)
        running.until("success")
        running.end()
    assert [task["outcome"] for task in read(path)["tasks"]] == ["success"]


def test_a_ring_where_only_root_can_write(private: Path) -> None:
    """Its files come one after the other: whom root became can not make them, and that is said at once."""
    path = private / "x.pcapng"
    done = run("live", "lo", *PORTS, "-w", path, "--ring", "2x100kB")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"jstrace: {path}")
    assert done.stderr.endswith(": Permission denied for nobody: another folder, or --user root\n")
    with live("lo", *PORTS, "-w", path, "--ring", "2x100kB", "--user", "root") as running:
        simulate(*BOTH)
        running.until("success")
        running.end()
    (file,) = private.iterdir()
    assert [task["outcome"] for task in read(file)["tasks"]] == ["success"]


def test_errors_explain_what_root_gave_up() -> None:
    nobody = privileges.UserAccount("nobody", 65_534, 65_534)
    denied, full = CaptureError("x", "Permission denied"), CaptureError("x", "No space left on device")
    for one, error, said in (
        (nobody, denied, "x: Permission denied for nobody: another folder, or --user root"),
        (nobody, full, "x: No space left on device"),
        (None, denied, "x: Permission denied"),
    ):
        with pytest.raises(CaptureError) as raised, privileges.explained(one):
            raise error
        assert str(raised.value) == said


def test_root_follows_no_link(tmp_path: Path) -> None:
    """Neither the file that is written to nor its owner is what somebody else chose."""
    victim, link = tmp_path / "victim", tmp_path / "x.pcapng"
    victim.write_text("precious")
    link.symlink_to(victim)
    before = victim.stat()
    done = subprocess.run(
        [*COMMAND, "live", "lo", "-w", str(link), "--for", "0.3s"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"jstrace: {link} exists already; --overwrite replaces such files\n"
    with live("lo", *PORTS, "-w", link, "--overwrite") as running:
        simulate(*BOTH)
        running.until("success")
        running.end()
    assert not link.is_symlink()
    assert link.stat().st_mode & 0o777 == 0o600
    assert link.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    after = victim.stat()
    assert victim.read_text() == "precious"
    assert (after.st_uid, after.st_mode, after.st_mtime_ns) == (before.st_uid, before.st_mode, before.st_mtime_ns)


@pytest.mark.one_in(5)
@pytest.mark.parametrize("ending", ["pcap", "pcap.gz", "pcapng.zst"])
def test_a_file_is_what_it_is_called(ending: str, tmp_path: Path) -> None:
    """And readable while it grows."""
    path = tmp_path / f"x.{ending}"
    with live("lo", *PORTS, "-w", path) as running:
        simulate(*BOTH)
        running.until("success")
        eventually(lambda: path.stat().st_size and read(path)["tasks"])
        running.end()
    assert [task["outcome"] for task in read(path)["tasks"]] == ["success"]
    magic = path.read_bytes()[:4]
    assert (
        magic
        == {"pcap": b"\x4d\x3c\xb2\xa1", "gz": b"\x1f\x8b\x08\0", "zst": b"\x28\xb5\x2f\xfd"}[ending.split(".")[-1]]
    )


def test_a_capture_on_standard_output(tmp_path: Path) -> None:
    """Words are on standard error; who reads it may leave."""
    path = tmp_path / "x.pcapng"
    command = [*COMMAND, "live", "lo", *PORTS, "-w", "-", "--count", "1"]
    with (
        path.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True, cwd=ROOT) as it,
    ):
        assert it.stderr is not None
        assert "capturing on lo" in it.stderr.readline()
        simulate(*BOTH)
        words = it.communicate(timeout=60)[1]
    assert it.returncode == 0
    assert words.endswith("1 task: 1 success\n")
    assert [task["outcome"] for task in read(path)["tasks"]] == ["success"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as it:
        assert it.stderr is not None
        assert it.stdout is not None
        assert "capturing on lo" in it.stderr.readline()
        it.stdout.close()
        simulate(*BOTH, "--tasks", 3)
        it.wait(timeout=60)
        assert it.returncode == 141
        assert "Traceback" not in it.stderr.read()
    for more in (["--ring", "2x1MB"], ["--format", "jsonl"]):
        done = subprocess.run([*command, *more], capture_output=True, check=False, cwd=ROOT)
        assert (done.returncode, done.stdout) == (2, b"")


def test_until() -> None:
    with live("lo", *PORTS, "--until", "outcome=lost") as running:
        simulate(*BOTH, "--scenario", "shell-job", "--scenario", "lost-task")
        assert "lost" in running.end(None)
    with live("lo", *PORTS, "--until", "member=step") as running:
        simulate(*BOTH)
        running.end(None)
    with live("lo", *PORTS, "--until", "outcome=lost", "--for", "0.3s") as running:
        running.end(None, status=1)


def test_count_and_time() -> None:
    with live("lo", *PORTS, "--count", "2") as running:
        simulate(*BOTH, "--tasks", 3)
        assert running.end(None).count("success  took") >= 2
    with live("lo", *PORTS, "--for", "0.5s") as running:
        assert running.end(None).endswith("no task\n")


def test_a_filter() -> None:
    with live("lo", *PORTS, "--format", "jsonl", "--filter", "outcome!=success") as running:
        simulate(*BOTH, "--scenario", "shell-job", "--scenario", "failing-job")
        tasks = records(running.end(), "task")
    assert [task["job"] for task in tasks] == ["failing-job"]


def test_a_start_without_callback_is_reported_while_it_hangs() -> None:
    with live("lo", *PORTS, "--slow", "1s") as running:
        simulate(
            "--listen", PORT, "--scenario", "no-callback", "--scenario", "idle", "--callback-timeout", "6.5s",
            "--callback-ports", f"{LOW}-{HIGH}", "--work", "3s",
        )  # fmt: skip
        text = running.end()
    lines = text.splitlines()
    hangs = next(i for i, line in enumerate(lines) if "callback_missing  No callback for 5 s: nobody has" in line)
    assert hangs < next(i for i, line in enumerate(lines) if "no callback  took" in line)
    assert any("slow_call  step has been without an answer for 1 s" in line for line in lines)


def test_a_ring(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    with live("lo", *PORTS, "-w", tmp_path / "r.pcapng", "--ring", "3x20kB") as running:
        simulate(*BOTH, "--tasks", 20, "-q")
        running.end()
    files = sorted(tmp_path.glob("r_*.pcapng"))
    assert len(files) == 3
    assert files[0].name > "r_00002"
    assert all(path.stat().st_size < 60_000 for path in files)
    assert read(files[-1])["captures"][0]["packets"] > 0


def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on the file's size stands for the disk: writing fails in the middle."""
    path = tmp_path / "x.pcapng"
    limit = 30_000

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with live("lo", *PORTS, "-w", path, preexec_fn=limited) as running:
        simulate(*BOTH, "--tasks", 20, "-q")
        text = running.end(status=2)
    assert "20 success" in text
    assert "x.pcapng: File too large; nothing more is written, what was is readable" in text
    assert path.stat().st_size <= limit
    assert read(path)["captures"][0]["truncated"] is False


def test_the_run_is_recorded_by_simulate_itself(tmp_path: Path) -> None:
    path = tmp_path / "run.pcapng"
    out = simulate(*BOTH, "--scenario", "api-job", "-w", path)
    assert f"remote listens on 127.0.0.1:{PORT}" in out
    assert [(task["job"], task["outcome"]) for task in read(path)["tasks"]] == [("api-job", "success")]


# --- a stream on standard input ------------------------------------------------------------------------------------


def test_a_stream_as_it_grows(captures: Path) -> None:
    capture = (captures / "engine_shell_fail.pcap").read_bytes()
    command = [*COMMAND, "live", "-", "--until", "outcome=failure", "--format", "jsonl"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        process.stdin.write(capture)  # and does not end: the packets are shown all the same
        process.stdin.flush()
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stderr is not None
        tasks = records(process.stdout.read().decode(), "task")
        assert process.stderr.read() == b""
    assert [(task["job"], task["exit_code"]) for task in tasks] == [("shell_fail", 5)]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("name", ["engine_ten_tasks", "engine_order", "h19_two", "engine_kill_task"])
def test_a_recording_as_a_stream(name: str, captures: Path, trace: Callable[..., Json]) -> None:
    path = captures / f"{name}.pcap"
    done = run("live", "-", "--format", "jsonl", input=path.read_bytes())
    tasks = sorted(records(done.stdout, "task"), key=lambda task: int(task["n"]))
    assert tasks == trace(path)["tasks"]


def test_what_is_no_capture() -> None:
    done = run("live", "-", input=b"hello world, no capture")
    assert done.returncode == 2
    assert done.stderr.startswith("jstrace: standard input: this is a text that begins with 'hello world, no capture'")
    assert done.stderr.count("\n") == 1


# --- wrong usage ---------------------------------------------------------------------------------------------------


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT, timeout=60, **options)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuch0"], "nosuch0: there is no such interface; jstrace live alone lists them"),
        (["lo", "--filter-bpf", "hots 1"], "capture filter: "),
        (["lo", "--until", "x=1"], "there is no field 'x'"),
        (["lo", "-w", "/nowhere/x.pcapng"], "/nowhere/x.pcapng: No such file or directory"),
        (["lo", "--ring", "3x1MB"], "--ring needs -w"),
        (["lo", "-w", "x", "--ring", "3MB"], "'3MB' is no ring such as 10x100MB"),
        (["lo", "--for", "soon"], "'soon' is no time such as 60s"),
        (["lo", "-"], "standard input can not be followed together with interfaces"),
        (["lo", "--user", "nobody-at-all"], "there is no user nobody-at-all"),
    ],
)
def test_wrong_usage_is_one_clear_line(arguments: list[str], words: str) -> None:
    done = run("live", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_right_to_capture() -> None:
    script = (
        "import os, sys\n"
        "from dissector.cli import main\n"
        "import dissector.monitor, dissector.sources.live, dissector.render.live.plain, dissector.cli.live as live\n"
        "import dissector.sources.recent, dissector.sources.privileges, scapy.arch.common, scapy.arch.linux\n"
        "os.setresuid(65534, 65534, 65534)\n"
        "main(['live', 'lo'])\n"
    )
    done = subprocess.run([COMMAND[0], "-c", script], capture_output=True, check=False, cwd=ROOT, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    for word in ("CAP_NET_RAW", "setcap", "sudo", "dumpcap -i eth0 -P -w - | jstrace live -"):
        assert word in done.stderr


def test_the_list_of_interfaces() -> None:
    lines = run("live").stdout.splitlines()
    assert any(line.split()[:3] == ["lo", "up", "127.0.0.1,"] or "127.0.0.1" in line for line in lines)
    assert lines[-1].split() == ["any", "all", "of", "them"]
