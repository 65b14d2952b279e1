"""The path to a Universal Agent: overview, licence, a task, over HTTP and HTTPS."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

import pytest
from probe_kit import ROOT, command, probe, probed, scripted, serving, steps

from dissector.model import Endpoint
from dissector.simulate import http_text
from dissector.simulate.agent import PASSWORD, USER, Agent
from dissector.simulate.report import Options, Peers, ServedTask
from dissector.simulate.tls import server_side
from dissector.sources.capture import CaptureReader
from dissector.stream.packets import parse
from dissector.traffic import Segment

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


REQUEST = re.compile(rb"POST ([^ ]+) HTTP/1.1\r\n(.*?)Content-Length: (\d+)\r\n\r\n", re.DOTALL)


def requests_in(stream: bytes, *replaced: tuple[bytes, bytes]) -> list[tuple[bytes, bytes, bytes]]:
    """Targets, heads and bodies as they are on the wire, what differs by its nature replaced by something else."""
    found = []
    for match in REQUEST.finditer(stream):
        target, head, body = match[1], match[2], stream[match.end() : match.end() + int(match[3])]
        if b"Content-Encoding: gzip" in head:
            text = zlib.decompress(body, 31)
            assert body == http_text.command(json.loads(text)), text
            body = text
        for one, other in replaced:
            head, body = (re.sub(one, other, part) for part in (head, body))
        found.append((target, head, body))
    return found


@contextmanager
def noted(to: Endpoint) -> Iterator[tuple[str, bytearray]]:
    """Stands in front of an agent and notes what it is sent."""
    heard = bytearray()

    def pass_on(source: socket.socket, target: socket.socket, note: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                heard.extend(data if note else b"")
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def stand_between(client: socket.socket) -> None:
        with client, socket.create_connection((to.ip, to.port or 0)) as server:
            back = threading.Thread(target=pass_on, args=(server, client, False))
            back.start()
            pass_on(client, server, True)
            back.join()

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=stand_between, args=(listener.accept()[0],)).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)


def test_what_is_sent_is_what_the_genuine_master_sends(captures: Path) -> None:
    """Byte for byte, compressed bodies too, but for names, secrets and numbers of tasks: the start, the call that makes
    the object, and the end."""
    with serving(lambda: agent([])) as end, noted(end) as (url, heard):
        assert steps(probed(url)) == WHOLE
    segments = map(parse, CaptureReader([captures / "agent" / "ua110_shell.pcap"]))
    recorded = b"".join(one.payload for one in segments if isinstance(one, Segment))
    differing = (
        (rb"(?<=Host: )[^\r]+", b"H"),
        (rb"(?<=Tunnel-Secret: )[^\r]+", b"S"),
        (rb'(?<="job": ")[^"]+', b"J"),
        (rb'(?<="taskId": ")[^"]+', b"1"),
        (rb'(?<="agentTaskId": ")[^"]+', b"1-1"),
    )
    own, genuine = requests_in(bytes(heard), *differing), requests_in(recorded, *differing)
    assert [target.rsplit(b"/", 1)[1] for target, *_ in own] == [b"command", b"1", b"1", b"command"]
    start, create, release, close = own
    commands = [one for one in genuine if one[0].endswith(b"command")]
    tunnel = [one for one in genuine if one not in commands]
    assert (start, close) == tuple(commands)
    assert create == tunnel[0]
    # The genuine master releases the object behind other calls; its number is the agent's.
    renumbered = release[1].replace(b"Request-ID: 2 ", b"Request-ID: 8 ")
    _, head, body = tunnel[-1]
    assert (renumbered, release[2][:1], release[2][9:]) == (head, body[:1], body[9:])


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
