"""The path to a Universal Agent: overview, licence, a task, over HTTP and HTTPS."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from pathlib import Path
from unittest.mock import patch

import pytest
from probe_kit import ROOT, command, probe, probed, scripted, serving, steps

from dissector.model import Endpoint
from dissector.simulate.agent import PASSWORD, USER, Agent
from dissector.simulate.report import Options, Peers, ServedTask
from dissector.simulate.tls import server_side

WHOLE = ["connect", "overview", "start", "create_instance", "release", "close"]


def agent(served: list[ServedTask], tls: ssl.SSLContext | None = None) -> Agent:
    return Agent(
        Options(side=Peers.REMOTE, listen=Endpoint("127.0.0.1", 0), scenarios=("agent-shell",), agent=True),
        served.append,
        tls,
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of localhost in one file."""
    path = tmp_path_factory.mktemp("tls") / "agent.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run([*words.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def test_a_task_is_started_and_closed() -> None:
    served: list[ServedTask] = []
    with serving(lambda: agent(served)) as end:
        found = probed(f"http://{end}")
        again = probed(f"http://{end}")
    assert (steps(found), steps(again)) == (WHOLE, WHOLE)
    assert (found["ok"], found["kind"], found["attempts"][0]["ended"]) == (True, "agent", True)
    assert [one["attempts"][0]["started"] for one in (found, again)] == ["task 1", "task 2"]
    assert "tasks under way: 0" in again["attempts"][0]["steps"][1]["text"]  # the first one is not left behind


def test_two_tasks_with_a_licence(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("SIMULATED-0-KEY\n")
    with serving(lambda: agent([])) as end:
        found = probed(f"http://{end}", "--licence", key)
        after = probed(f"http://{end}")
    assert steps(found) == ["connect", "overview", "start", "licence", "create_instance", "release", "close"]
    assert found["attempts"][0]["started"] == "task 1 and 2"
    assert "tasks under way: 0" in after["attempts"][0]["steps"][1]["text"]
    assert "SIMULATED" not in str(found)


def test_a_wrong_prefix() -> None:
    with serving(lambda: agent([])) as end:
        found = probed(f"http://{end}/other", status=1)
    assert (steps(found), found["problems"][0]["code"]) == (["connect", "overview!"], "agent_wrong_target")
    assert "404" in found["problems"][0]["summary"]


@pytest.mark.parametrize(("password", "code"), [(PASSWORD, None), ("wrong", "agent_unauthorized")])
def test_credentials(password: str, code: str | None) -> None:
    with serving(lambda: agent([])) as end, patch.dict(os.environ, JSTRACE_PASSWORD=password):
        found = probed(f"http://{end}", "--user", USER, status=1 if code else 0)
    assert found["attempts"][0]["problem"] == code
    assert password not in str(found)


def test_https_with_a_certificate_that_is_known(certificate: Path) -> None:
    with serving(lambda: agent([], server_side(str(certificate)))) as end:
        checked = probed(f"https://localhost:{end.port}", "--ca", certificate)
        unchecked = probed(f"https://{end}")
        foreign = probed(f"https://{end}", "--ca", certificate, status=1)
    assert steps(checked) == steps(unchecked) == ["connect", "tls", *WHOLE[1:]]
    assert "not checked" not in checked["attempts"][0]["steps"][1]["text"]
    assert "not checked" in unchecked["attempts"][0]["steps"][1]["text"]
    assert steps(foreign) == ["connect", "tls!"]
    assert "127.0.0.1" in foreign["problems"][0]["summary"]
    assert foreign["problems"][0]["code"] == "tls_handshake_failed"


def test_https_where_nobody_speaks_it() -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(65_536)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with scripted(serve) as end:
        found = probed(f"https://{end}", status=1)
    assert (steps(found), found["problems"][0]["code"]) == (["connect", "tls!"], "tls_unexpected")


def test_a_password_is_not_given_to_whoever_answers() -> None:
    words = command("https://127.0.0.1:1", "--user", "me", "--yes")
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr.count("--ca")) == (2, 1)


def test_ports_are_of_classic_remotes() -> None:
    probe("http://127.0.0.1:1", "--ports", "59999", status=2)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    found = probed(f"http://127.0.0.1:{port}", status=1)
    assert (steps(found), found["problems"][0]["code"]) == (["connect!"], "command_refused")
