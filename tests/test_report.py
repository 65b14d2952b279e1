"""``jstrace report``: the file it writes, what it refuses, and what of the capture is not in it."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def test_the_page_is_private_and_whole(jstrace: Run, captures: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = jstrace("report", captures / "engine_shell_fail.pcap", "-o", out)
    assert done.exit_code == 0
    assert done.stdout == f"{out}: 1 task in 58 packets\n"
    assert out.read_text(encoding="utf-8").endswith("</html>\n")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    if sys.platform != "win32":
        assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_the_capture_is_not_overwritten(jstrace: Run, captures: Path, tmp_path: Path) -> None:
    source = tmp_path / "x.pcap"
    source.write_bytes((captures / "engine_shell_fail.pcap").read_bytes())
    before = source.read_bytes()
    done = jstrace("report", source, "-o", source)
    assert done.exit_code == 2
    assert "the capture itself is not overwritten" in done.stderr
    assert source.read_bytes() == before


def test_no_such_task_leaves_no_file(jstrace: Run, captures: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = jstrace("report", captures / "engine_shell_fail.pcap", "--task", 2, "-o", out)
    assert done.exit_code == 2
    assert done.stderr == "jstrace: there is no task 2: there is 1 task\n"
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("options", [("--seed", "x"), ()])
def test_wrong_usage(options: tuple[str, ...], jstrace: Run, captures: Path) -> None:
    done = jstrace("report", captures / "engine_shell_fail.pcap", *options, *(("-o", "-") if options else ()))
    assert done.exit_code == 2
    assert ("--seed is the key of --redact" if options else "Missing option") in done.stderr


def test_one_task_of_many(jstrace: Run, captures: Path) -> None:
    done = jstrace("report", captures / "engine_ten_tasks.pcap", "--task", 3, "-o", "-")
    assert re.findall(r'<h2 id="task-(\d+)">', done.stdout) == ["3"]
    assert "1 task: 1 success" in done.stdout


def test_a_filter_chooses(jstrace: Run, captures: Path) -> None:
    done = jstrace("report", captures / "faults" / "22_eight_per_second.c.pcap", "--filter", "port=59998", "-o", "-")
    chosen = re.findall(r'<h2 id="task-(\d+)">', done.stdout)
    assert 0 < len(chosen) < 64


def test_captures_of_both_ends_are_one_report(jstrace: Run, captures: Path) -> None:
    files = [captures / "faults" / f"02_callback_drop.{end}.pcap" for end in "cr"]
    done = jstrace("report", *files, "-o", "-")
    assert "callback_dropped" in done.stdout
    assert done.stdout.count("<li>/") == 2


def test_redacted(jstrace: Run, captures: Path, tmp_path: Path) -> None:
    source, copy = captures / "faults" / "02_callback_drop.r.pcap", tmp_path / "copy.pcap"
    assert "10.50.1.10" in jstrace("report", source, "-o", "-").stdout
    done = jstrace("report", source, "-o", "-", "--redact", "--seed", "key")
    assert done.exit_code == 0
    assert not re.search(r"10\.50\.[12]\.10|02_callback", done.stdout)
    assert "capture 1" in done.stdout
    assert jstrace("redact", source, copy, "--all-text", "--seed", "key").exit_code == 0
    same = jstrace("report", copy, "-o", "-").stdout
    cards = [re.search(r"<article.*?</article>", text, re.DOTALL) for text in (done.stdout, same)]
    assert cards[0] is not None
    assert cards[1] is not None
    assert cards[0][0] == cards[1][0]


def test_redacted_texts(jstrace: Run, captures: Path) -> None:
    done = jstrace("report", captures / "engine_shell_fail.pcap", "-o", "-", "--redact")
    assert not re.search(r"failing|shell_fail|sos\.33nqhw", done.stdout)
    assert "Redacted: addresses" in done.stdout


def test_connections_with_tls_are_not_in_a_redacted_report(jstrace: Run, captures: Path) -> None:
    done = jstrace("report", captures / "agent" / "ua113_https_rsa.pcap", "-o", "-", "--redact")
    assert "connections with TLS are left out" in done.stderr


def test_a_damaged_capture_is_told(jstrace: Run, captures: Path, tmp_path: Path) -> None:
    source = tmp_path / "cut.pcap"
    source.write_bytes((captures / "engine_shell_fail.pcap").read_bytes()[:-20])
    done = jstrace("report", source, "-o", "-")
    assert done.exit_code == 0
    assert "warning: " in done.stderr
    assert "cut off in its last record" in done.stdout
