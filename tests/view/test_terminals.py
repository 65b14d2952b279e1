"""Terminals of other kinds, without colours, on slow lines; suspended and taken up again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conversation import SECOND, Network, TaskScript, pcap
from terminal_kit import COMMAND, ROOT, Terminal

#: Fewer than all bytes of the recording: its task goes on running.
HALF = 5_500
ENDED = "failure, exit 5"
FOOTER = "Quit"


@pytest.fixture
def ended(captures: Path) -> bytes:
    return (captures / "engine_shell_fail.pcap").read_bytes()


@pytest.fixture
def running(ended: bytes) -> bytes:
    return ended[:HALF]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("term", ["dumb", "unknown", "nonsense", "", "vt52"])
def test_a_terminal_that_can_not_be_filled_gets_lines(term: str, ended: bytes) -> None:
    """vt52 has a cursor that can be sent anywhere, but not in the way of all others."""
    with Terminal(ended, term) as terminal:
        terminal.until(ENDED)
        assert b"\x1b" not in terminal.out
        assert b"task 1  started" in terminal.out


@pytest.mark.one_in(5)
@pytest.mark.parametrize("term", ["xterm-256color", "xterm", "linux", "vt100", "screen"])
def test_a_terminal_that_can_be_filled_is(term: str, ended: bytes) -> None:
    with Terminal(ended, term) as terminal:
        terminal.until(ENDED)
        terminal.until(FOOTER)
        assert terminal.fills
        terminal.press(b"q")
        terminal.end()
        assert terminal.process.returncode == 0
        assert b"1 task: 1 failure" in terminal.out


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("term", "arguments", "environment"),
    [
        ("xterm-256color", (), {"NO_COLOR": "1"}),
        ("xterm", (), {"NO_COLOR": "1"}),
        ("xterm-256color", (), {"NO_COLOR": "1", "COLORTERM": "truecolor"}),
        ("xterm-256color", ("--color", "never"), {}),
        ("xterm-256color", ("--color", "never"), {"NO_COLOR": ""}),
        ("vt100", (), {}),
        ("xterm-mono", (), {}),
    ],
)
def test_no_color_is_none(term: str, arguments: tuple[str, ...], environment: dict[str, Any], ended: bytes) -> None:
    """Neither colours nor greys, and the cursor is seen all the same."""
    with Terminal(ended, term, *arguments, **environment) as terminal:
        terminal.until(ENDED)
        terminal.press(b"p")
        terminal.until("Remedy")
        terminal.press(b"?")
        terminal.until("Down to the bytes")
        assert terminal.fills
        assert terminal.colors == set()
        assert b"\x1b[7;" in terminal.out


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("arguments", "environment"), [((), {}), (("--color", "always"), {"NO_COLOR": "1"}), ((), {"NO_COLOR": ""})]
)
def test_colors_where_they_are_wanted(arguments: tuple[str, ...], environment: dict[str, Any], ended: bytes) -> None:
    """An empty NO_COLOR says nothing."""
    with Terminal(ended, "xterm-256color", *arguments, **environment) as terminal:
        terminal.until(ENDED)
        terminal.until(FOOTER)
        assert any(color.startswith("38;5;") for color in terminal.colors)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("term", ["xterm", "linux"])
def test_few_colors_keep_their_meaning(term: str, ended: bytes) -> None:
    """Red is red and yellow is yellow, by the terminal's own names, and not what looks most like a mixed colour."""
    with Terminal(ended, term) as terminal:
        terminal.until(ENDED)
        terminal.press(b"p")
        terminal.until("Remedy")
        assert terminal.colors >= {"31"}
        assert not any(";" in color for color in terminal.colors)
        red = terminal.out.rpartition(b"failure, exit 5")[0]
        assert b"31" in red[-16:]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("rate", [960, 11_520])
def test_a_slow_line_is_left_at_once(rate: int, running: bytes) -> None:
    """9600 and 115200 baud: frames are dropped, not queued; who leaves does not wait for those on their way."""
    with Terminal(running, "xterm-256color", rate=rate) as terminal:
        terminal.until("jstrace")
        terminal.read(6.0)
        assert terminal.fills
        terminal.press(b"q")
        assert terminal.end() < 1.5
        assert terminal.process.returncode == 0


def test_a_line_that_takes_nothing_is_left_at_once(running: bytes) -> None:
    with Terminal(running, "xterm-256color") as terminal:
        terminal.until(FOOTER)
        time.sleep(8.0)  # nobody reads
        terminal.press(b"q")
        begun = time.monotonic()
        terminal.process.wait(30)
        assert time.monotonic() - begun < 2.5


def test_what_stands_still_costs_little(running: bytes) -> None:
    """Only the rows that change are drawn: a task that runs, and the top line."""
    with Terminal(running, "xterm-256color") as terminal:
        terminal.until(FOOTER)
        terminal.read(1.0)
        before = len(terminal.out)
        terminal.read(4.0)
        assert 0 < len(terminal.out) - before < 4 * 4_000


def test_keys_arrive_while_the_line_is_busy(running: bytes) -> None:
    with Terminal(running, "xterm-256color", rate=2_400) as terminal:
        terminal.until("jstrace")
        terminal.press(b"p")
        terminal.until("problems so far")


def test_nobody_to_come_back_to(ended: bytes) -> None:
    """Without a shell Ctrl-Z does not stop the program: the screen comes back."""
    with Terminal(ended, "xterm-256color") as terminal:
        terminal.until(FOOTER)
        terminal.press(b"\x1a")
        terminal.until("\x1b[?1049l")
        while terminal.out.count(b"\x1b[?1049h") < 2:
            terminal.read(0.05)
        terminal.out = terminal.out.rpartition(b"\x1b[?1049h")[2]
        terminal.until(FOOTER)
        terminal.press(b"q")
        terminal.end()
        assert terminal.process.returncode == 0


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is the terminal")
def test_ctrl_z_and_back(captures: Path) -> None:
    """The whole job stops, also who feeds the pipe; fg draws the screen again, bg does not get the terminal."""
    tmux = ["tmux", "-L", f"jstrace-z-{os.getpid()}", "-f", "/dev/null"]

    def screen() -> str:
        return subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False).stdout

    def wait_for(word: str, without: str = "\0") -> str:
        deadline = time.monotonic() + 60
        while word not in (text := screen()) or without in text:
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        return text

    def keys(*names: str) -> None:
        subprocess.run([*tmux, "send-keys", *names], check=True)

    shell = "env PS1='READY> ' bash --norc --noprofile -i"
    subprocess.run([*tmux, "new-session", "-d", "-x", "80", "-y", "24", shell], check=True, cwd=ROOT)
    try:
        wait_for("READY>")
        capture = captures / "engine_shell_fail.pcap"
        keys(f"clear; (cat {capture}; sleep 300) | {sys.executable} -m dissector live -", "Enter")
        wait_for("q Quit")
        for number in range(2):
            keys("C-z")
            wait_for("READY>", without="q Quit")
            keys(f"clear; echo back-{number}", "Enter")
            wait_for(f"back-{number}\n")
            if number:
                keys("bg", "Enter")
                time.sleep(1)
                assert "q Quit" not in screen()
            keys("fg", "Enter")
            wait_for("q Quit")
            wait_for("0 running, 1 ended")
            wait_for("failure, exit 5")
        keys("q")
        wait_for("1 task: 1 failure")
        wait_for("READY>")
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def test_plain_lines_without_a_keyboard(ended: bytes) -> None:
    """Standard input is neither the capture nor a terminal: nobody could press a key."""
    script = f"{' '.join(COMMAND)} live lo --for 0.3s </dev/null"
    done = subprocess.run(["script", "-qec", script, "/dev/null"], capture_output=True, cwd=ROOT, check=False)
    if os.geteuid() != 0:
        pytest.skip("capturing needs root")
    assert done.returncode == 0, done.stdout
    assert b"\x1b[?1049h" not in done.stdout
    assert ended


@pytest.mark.dear
def test_two_hundred_tasks_a_second_do_not_flicker() -> None:
    """Rows are written over where they changed: nothing is erased first, and what stands still is not sent again."""
    network = Network()
    for n in range(300):
        script = TaskScript(job=f"job_{n % 7}", task_id=n + 1, process_id=n + 1, command_port=40_000 + n)
        network.play(replace(script, callback_port=59_999 - n % 100, peer_port=50_000 + n), start=n / 200)
    records = network.ordered()
    with Terminal(pcap([]), "xterm-256color", size=(120, 40)) as terminal:
        terminal.until(FOOTER)
        shown, begun, sent = len(terminal.out), time.monotonic(), 0
        while sent < len(records):
            now = round((time.monotonic() - begun) * SECOND)
            upto = bisect_left(records, now, lo=sent, key=lambda record: record.time)
            terminal.feed(pcap(records[sent:upto])[len(pcap([])) :])
            sent = upto
            terminal.read(0.02)
        terminal.until("300 ended")
        out = terminal.out[shown:]
        assert not re.search(rb"\x1b\[[0-3]?[JK]", out)
        assert b"\x1b[?25h" not in out
        assert out.count(FOOTER.encode()) <= 3
        terminal.press(b"q")
        terminal.end()
        assert b"300 tasks: 300 success" in terminal.out


# --- capture files -------------------------------------------------------------------------------------------------


@pytest.mark.one_in(5)
@pytest.mark.parametrize("term", ["xterm", "screen", "tmux", "linux", "xterm-mono"])
def test_files_on_each_terminal(term: str, captures: Path) -> None:
    """From all tasks to a task's ladder and out, at 38400 baud."""
    path = str(captures / "engine_shell_fail.pcap")
    with Terminal(None, term, path, command=("view",), rate=3_840) as terminal:
        terminal.until("Group by")
        assert terminal.fills
        terminal.press(b"\r")
        terminal.until("Ladder of task 1")
        terminal.press(b"q")
        assert terminal.end() < 5
        assert terminal.process.returncode == 0
        assert (terminal.colors == set()) is (term == "xterm-mono")
        assert b"1 task: 1 failure" in terminal.out


def test_files_on_a_terminal_that_can_not_be_filled(captures: Path) -> None:
    with Terminal(None, "dumb", str(captures / "engine_shell_fail.pcap"), command=("view",)) as terminal:
        terminal.end()
        assert b"\x1b" not in terminal.out
        assert b"failure, exit 5" in terminal.out
        assert terminal.process.returncode == 0
