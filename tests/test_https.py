"""HTTPS of agents: what is in recordings without TLS is found in connections with TLS, whatever suite they use."""

from __future__ import annotations

import re
import shutil
import ssl
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from conversation import pcap
from tls_kit import Setup, identity, replayed

Json = dict[str, Any]
AGENT = Path(__file__).resolve().parents[1] / "captures" / "agent"
GENUINE = AGENT / "ua113_https_rsa.pcap"
KEYS, KEY = GENUINE.with_suffix(".keys"), GENUINE.with_suffix(".server.key")
TLS_1_3 = ssl.TLSVersion.TLSv1_3
#: What Java 8 to 17 offers, in the words of OpenSSL, and what keys of the server it needs.
SUITES = {
    "AES128-GCM-SHA256": "rsa", "AES256-GCM-SHA384": "rsa", "AES128-SHA": "rsa", "AES256-SHA": "rsa",
    "AES128-SHA256": "rsa", "AES256-SHA256": "rsa",
    "ECDHE-RSA-AES128-GCM-SHA256": "rsa", "ECDHE-RSA-AES256-GCM-SHA384": "rsa", "ECDHE-RSA-AES128-SHA": "rsa",
    "ECDHE-RSA-AES256-SHA": "rsa", "ECDHE-RSA-AES128-SHA256": "rsa", "ECDHE-RSA-AES256-SHA384": "rsa",
    "ECDHE-RSA-CHACHA20-POLY1305": "rsa",
    "DHE-RSA-AES128-GCM-SHA256": "dh", "DHE-RSA-AES256-GCM-SHA384": "dh", "DHE-RSA-AES128-SHA": "dh",
    "DHE-RSA-AES256-SHA256": "dh", "DHE-RSA-CHACHA20-POLY1305": "dh",
    "ECDHE-ECDSA-AES128-GCM-SHA256": "ec", "ECDHE-ECDSA-AES256-GCM-SHA384": "ec", "ECDHE-ECDSA-AES128-SHA": "ec",
    "ECDHE-ECDSA-AES128-SHA256": "ec", "ECDHE-ECDSA-AES256-SHA384": "ec", "ECDHE-ECDSA-CHACHA20-POLY1305": "ec",
}  # fmt: skip
#: Connections with TLS and without have other packets and times; everything else of these is the same.
OTHER = {"packets", "points", "time", "start", "end", "duration", "latency", "connection", "via"}


def setup_of(suite: str) -> Setup:
    if suite.startswith("TLS_1_3"):
        return Setup(version=TLS_1_3)
    kind = SUITES[suite]
    server = identity(kind="ec") if kind == "ec" else identity()
    return Setup(ciphers=suite, server=server, dh=kind == "dh")


def written(folder: Path, plain: str, setup: Setup, mss: int = 1_448) -> tuple[Path, Path]:
    """A plain recording with TLS around it: the capture and its key log."""
    path, log = folder / f"{plain}.pcap", folder / "keys.log"
    path.write_bytes(pcap(replayed(AGENT / f"{plain}.pcap", setup, mss=mss)))
    log.write_bytes(setup.secrets)
    return path, log


def essence(value: Any) -> Any:
    """What does not depend on TLS."""
    if isinstance(value, dict):
        return {key: essence(one) for key, one in value.items() if key not in OTHER}
    return [essence(one) for one in value] if isinstance(value, list) else value


def same_tasks(found: Json, plain: Json) -> None:
    for key in ("tasks", "exchanges", "messages"):
        assert essence(found[key]) == essence(plain[key]), key
    assert {task["via"] for task in found["tasks"]} <= {"https"}


@pytest.mark.parametrize("suite", [*SUITES, "TLS_1_3"])
def test_every_suite_of_java(suite: str, trace: Callable[..., Json], tmp_path: Path) -> None:
    path, log = written(tmp_path, "ua113_two_tasks", setup_of(suite))
    found = trace(path, "--tls-keylog", log, "--show-secrets")
    same_tasks(found, trace(AGENT / "ua113_two_tasks.pcap", "--show-secrets"))
    assert len(found["tasks"]) == 2
    assert [one["tls"]["decrypted"] for one in found["connections"]] == [True, True]


@pytest.mark.parametrize(
    "plain",
    ["ua113_shell_ok", "ua113_api_java", "ua113_slow_call", "ua113_kill", "ua113_startfail", "ua113_session",
     "ua113_raw_errors", "ua110_shell", "ua110_credentials", "ua111_task_killed", "c19_shell"],
)  # fmt: skip
@pytest.mark.parametrize("mss", [1_448, 97])
def test_recordings_tell_the_same_over_tls(plain: str, mss: int, trace: Callable[..., Json], tmp_path: Path) -> None:
    path, log = written(tmp_path, plain, Setup(), mss)
    found, wanted = (trace(one, "--show-secrets", *more) for one, more in written_and(path, log, plain))
    same_tasks(found, wanted)
    assert [problem["code"] for problem in found["problems"]] == [problem["code"] for problem in wanted["problems"]]


def written_and(path: Path, log: Path, plain: str) -> tuple[tuple[Path, tuple[Any, ...]], tuple[Path, tuple[Any, ...]]]:
    return (path, ("--tls-keylog", log)), (AGENT / f"{plain}.pcap", ())


def test_packets_prove_what_is_told(trace: Callable[..., Json], tmp_path: Path) -> None:
    """Each packet that carried a part of a record is named, and no other one."""
    path, log = written(tmp_path, "ua113_shell_ok", Setup(), mss=97)
    found = trace(path, "--tls-keylog", log)
    packets = [number for one in found["exchanges"] for number in one["packets"]]
    assert len(packets) == len(set(packets)) > 90
    data = tshark(path, log, "-T", "fields", "-e", "frame.number", "-e", "http", "-Y", "http")
    last = {int(line.split("\t")[0]) for line in data.splitlines()}
    assert last <= set(packets)
    assert len(last) == 2 * len(found["exchanges"])


def tshark(path: Path, log: Path, *arguments: str) -> str:
    command = shutil.which("tshark")
    if command is None:
        pytest.skip("there is no tshark")
    ports = ["-d", "tcp.port==4445,tls", "-d", "tcp.port==4446,tls"]
    done = subprocess.run(
        [command, "-r", str(path), "-o", f"tls.keylog_file:{log}", *ports, *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("suite", ["AES128-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "TLS_1_3"])
def test_bodies_are_those_that_tshark_deciphers(suite: str, trace: Callable[..., Json], tmp_path: Path) -> None:
    path, log = written(tmp_path, "ua113_kill", setup_of(suite))
    lines = tshark(path, log, "-Y", "http", "-T", "fields", "-e", "http.request.uri", "-e", "http.response.code")
    asked = [uri for uri, _ in (line.split("\t") for line in lines.splitlines()) if uri]
    answered = [int(code) for _, code in (line.split("\t") for line in lines.splitlines()) if code]
    found = trace(path, "--tls-keylog", log)["exchanges"]
    assert sorted(one["target"] for one in found) == sorted(asked)
    assert sorted(one["status"] for one in found) == sorted(answered)


# --- where the secrets come from -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [("--tls-keylog", KEYS), ("--tls-key", KEY)])
def test_the_genuine_recording(options: tuple[Any, ...], trace: Callable[..., Json]) -> None:
    found = trace(GENUINE, *options)
    assert [(task["job"], task["outcome"], task["via"]) for task in found["tasks"]] == [
        ("/folder/shell", "success", "https")
    ]
    (connection,) = found["connections"]
    assert connection["role"] == "http"
    assert connection["tls"]["cipher_suite"] == "TLS_RSA_WITH_AES_128_GCM_SHA256"
    assert connection["tls"]["certificates"][0]["names"] == ["127.0.0.1"]


@pytest.mark.parametrize("suite", [suite for suite in SUITES if "DHE" not in suite])
def test_a_private_key_opens_rsa_key_exchanges(suite: str, trace: Callable[..., Json], tmp_path: Path) -> None:
    path, _ = written(tmp_path, "ua113_two_tasks", setup_of(suite))
    found = trace(path, "--tls-key", identity().key, "--show-secrets")
    same_tasks(found, trace(AGENT / "ua113_two_tasks.pcap", "--show-secrets"))
    assert len(found["tasks"]) == 2


@pytest.mark.parametrize("line", ["RSA Session-ID:", "CLIENT_RANDOM "])
def test_either_line_of_a_java_agent_is_enough(line: str, trace: Callable[..., Json], tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    log.write_text("\n".join(one for one in KEYS.read_text().splitlines() if one.startswith(line)))
    assert len(trace(GENUINE, "--tls-keylog", log)["tasks"]) == 1


@pytest.mark.parametrize("name", ["TLS_KEYLOG_FILE", "SSLKEYLOGFILE"])
def test_the_environment_names_a_key_log(
    name: str, monkeypatch: pytest.MonkeyPatch, jstrace: Callable[..., Result], trace: Callable[..., Json]
) -> None:
    monkeypatch.setenv(name, str(KEYS))
    assert len(trace(GENUINE)["tasks"]) == 1
    monkeypatch.setenv(name, "/nowhere/keys.log")
    result = jstrace("read", GENUINE)
    # What a browser is told to write may not be there yet; what jstrace is told to read has to be.
    assert (result.exit_code, "/nowhere/keys.log" in result.stderr) == ((2, True) if name[0] == "T" else (0, False))


def with_secrets(pcap_file: Path, log: bytes, order: str = "<", *, behind: bool = False) -> bytes:
    """A capture as a pcapng file that has its secrets before the packets, or ``behind`` them with statistics around."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)

    data, at = pcap_file.read_bytes(), 24
    nano = data[:4] == struct.pack("<I", 0xA1B23C4D)
    parts = [block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))]
    secrets = block(10, struct.pack(f"{order}II", 0x544C534B, len(log)) + log)
    parts += [] if behind else [secrets]
    parts.append(block(1, struct.pack(f"{order}HHIHHB3x", 1, 0, 262_144, 9, 1, 9 if nano else 6)))
    while at < len(data):
        seconds, rest, size, length = struct.unpack_from("<IIII", data, at)
        time = seconds * (10**9 if nano else 10**6) + rest
        head = struct.pack(f"{order}IIIII", 0, time >> 32, time & 0xFFFF_FFFF, size, length)
        parts.append(block(6, head + data[at + 16 : at + 16 + size]))
        at += 16 + size
    parts += [block(5, bytes(12)), secrets, block(5, bytes(12))] if behind else []
    return b"".join(parts)


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_secrets_in_a_pcapng_file(order: str, behind: bool, trace: Callable[..., Json], tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    path.write_bytes(with_secrets(GENUINE, KEYS.read_bytes(), order, behind=behind))
    assert len(trace(path)["tasks"]) == 1
    pair = trace(path, GENUINE, "--one-stream")
    assert [task["via"] for task in pair["tasks"]] == ["https"]


def test_secrets_behind_several_files_and_in_the_environment_s_place(
    jstrace: Callable[..., Result], trace: Callable[..., Json], tmp_path: Path
) -> None:
    path, target = tmp_path / "x.pcapng", tmp_path / "y.pcapng"
    path.write_bytes(with_secrets(GENUINE, KEYS.read_bytes(), behind=True))
    assert jstrace("slice", path, target, "--task", "1").exit_code == 0
    assert len(trace(target)["tasks"]) == 1
    assert "1 connection with TLS left out" in jstrace("redact", path, tmp_path / "z.pcapng").stderr


def test_secrets_in_a_file_that_another_process_reads(trace: Callable[..., Json], tmp_path: Path) -> None:
    path, filler = tmp_path / "x.pcapng", tmp_path / "filler.pcap"
    data = GENUINE.read_bytes()
    packet = data[24 : 24 + 16] + data[40 : 40 + int.from_bytes(data[32:36], "little")]
    filler.write_bytes(data[:24] + packet * 60_000 + data[24:])
    path.write_bytes(with_secrets(filler, KEYS.read_bytes()))
    assert path.stat().st_size > 4 << 20
    assert len(trace(path, "--jobs", "2")["tasks"]) == 1


def test_a_slice_takes_the_secrets_of_its_connections_along(
    jstrace: Callable[..., Result], trace: Callable[..., Json], tmp_path: Path
) -> None:
    path, target = tmp_path / "x.pcapng", tmp_path / "y.pcapng"
    other = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48
    path.write_bytes(with_secrets(GENUINE, KEYS.read_bytes() + b"\n" + other + b"\n"))
    assert jstrace("slice", path, target, "--task", "1").exit_code == 0
    assert len(trace(target)["tasks"]) == 1
    assert b"cdcdcd" not in target.read_bytes()
    assert jstrace("slice", GENUINE, target, "--task", "1", "--tls-keylog", KEYS).exit_code == 0
    assert b"CLIENT_RANDOM" not in target.read_bytes()  # the user's own file stays the user's


def test_a_redacted_copy_has_neither_secrets_nor_what_they_open(
    jstrace: Callable[..., Result], trace: Callable[..., Json], tmp_path: Path
) -> None:
    path, target = tmp_path / "x.pcapng", tmp_path / "y.pcapng"
    path.write_bytes(with_secrets(GENUINE, KEYS.read_bytes()))
    result = jstrace("redact", path, target)
    assert "1 connection with TLS left out" in result.stderr
    data = target.read_bytes()
    assert b"CLIENT_RANDOM" not in data
    assert b"\x16\x03\x03" not in data
    assert trace(target)["tasks"] == []


def test_diff_and_ports_take_secrets(jstrace: Callable[..., Result]) -> None:
    result = jstrace("diff", GENUINE, AGENT / "ua113_shell_ok.pcap", "--tls-keylog", KEYS)
    assert (result.exit_code, "/folder/shell" in result.stdout) == (0, True)
    assert jstrace("ports", GENUINE, "--tls-keylog", KEYS).stderr == ""


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("--tls-keylog", "root:x:0:0\n", "this is no TLS key log"),
        ("--tls-key", "no key", "this is no private key in PEM"),
        ("--tls-keylog", None, "No such file"),
        ("--tls-key", None, "No such file"),
    ],
)
def test_files_that_are_something_else(
    option: str, text: str | None, words: str, jstrace: Callable[..., Result], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_text(text)
    result = jstrace("read", GENUINE, option, path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"jstrace: {path}: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_key_that_is_no_rsa_key(jstrace: Callable[..., Result]) -> None:
    result = jstrace("read", GENUINE, "--tls-key", identity(kind="ec").key)
    assert (result.exit_code, "this is no RSA key" in result.stderr) == (2, True)


def test_what_to_install_is_said(
    monkeypatch: pytest.MonkeyPatch, jstrace: Callable[..., Result], tmp_path: Path
) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    result = jstrace("read", GENUINE, "--tls-keylog", KEYS)
    assert result.exit_code == 2
    assert result.stderr == "jstrace: decrypting TLS needs the package cryptography: pip install 'jstrace[tls]'\n"
    path = tmp_path / "x.pcapng"
    path.write_bytes(with_secrets(GENUINE, KEYS.read_bytes()))
    shown = jstrace("read", path)
    assert (shown.exit_code, "pip install" in " ".join(shown.stdout.split())) == (0, True)


def test_wrong_secrets_are_said_to_be_wrong(trace: Callable[..., Json], tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    log.write_text(re.sub(r"[0-9a-f]{96}", "ab" * 48, KEYS.read_text()))
    found = trace(GENUINE, "--tls-keylog", log)
    assert found["tasks"] == []
    assert "do not fit" in next(one for one in found["problems"] if one["code"] == "tls_not_decrypted")["summary"]


def test_a_renegotiation_is_followed_and_named(trace: Callable[..., Json]) -> None:
    path = AGENT / "tls_renegotiated.pcap"
    found = trace(path, "--tls-keylog", path.with_suffix(".keys"))
    assert [one["target"].rpartition("/")[2] for one in found["exchanges"]] == ["one", "two"]
    assert found["connections"][0]["tls"]["renegotiations"] == 1
    assert "tls_renegotiated" in {problem["code"] for problem in found["problems"]}


def test_of_a_renegotiation_each_handshake_has_its_secret(trace: Callable[..., Json], tmp_path: Path) -> None:
    path, log = AGENT / "tls_renegotiated.pcap", tmp_path / "keys.log"
    secrets = [line for line in path.with_suffix(".keys").read_text().splitlines() if line.startswith("CLIENT_RANDOM")]
    log.write_text(secrets[0])
    found = trace(path, "--tls-keylog", log)
    assert [one["target"].rpartition("/")[2] for one in found["exchanges"]] == ["one"]
    assert found["connections"][0]["tls"]["reason"] == "no secrets of it were given"
    told = next(one for one in found["problems"] if one["code"] == "tls_not_decrypted")
    assert told["summary"].endswith(": deciphered in part, no secrets of it were given.")


def test_new_keys_of_tls_1_3_are_followed(trace: Callable[..., Json]) -> None:
    """The client takes new ones behind the first exchange, both sides behind the second."""
    path = AGENT / "tls_key_update.pcap"
    found = trace(path, "--tls-keylog", path.with_suffix(".keys"))
    assert [one["status"] for one in found["exchanges"]] == [200] * 4
    assert [problem["code"] for problem in found["problems"]] == ["no_start_command"]
    # tshark 4.0 says the same of the file.
    lines = tshark(path, path.with_suffix(".keys"), "-Y", "http", "-T", "fields", "-e", "frame.number")
    packets = [number for one in found["exchanges"] for number in one["packets"]]
    assert len(lines.split()) == 8
    assert set(map(int, lines.split())) <= set(packets)


# --- older and rarer ways ------------------------------------------------------------------------------------------

#: What OpenSSL still speaks below TLS 1.2, and the suites of TLS 1.2 that Java does not offer.
OLD = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]
OLD_SUITES = {
    "AES128-SHA": "rsa", "AES256-SHA": "rsa", "ECDHE-RSA-AES128-SHA": "rsa", "DHE-RSA-AES256-SHA": "dh",
    "ECDHE-ECDSA-AES256-SHA": "ec",
}  # fmt: skip
RARE_SUITES = {
    "AES128-CCM": "rsa", "AES256-CCM8": "rsa", "DHE-RSA-AES128-CCM8": "dh", "ECDHE-ECDSA-AES256-CCM": "ec",
    "ECDHE-ECDSA-AES128-CCM8": "ec", "NULL-SHA256": "rsa", "ECDHE-RSA-NULL-SHA": "rsa", "NULL-MD5": "rsa",
}  # fmt: skip


def old_setup(suite: str, kind: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> Setup:
    server = identity(kind="ec") if kind == "ec" else identity()
    return Setup(version=version, ciphers=suite, server=server, dh=kind == "dh")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("suite", OLD_SUITES)
@pytest.mark.parametrize("mss", [1_448, 61])
def test_tls_before_1_2(
    version: ssl.TLSVersion, suite: str, mss: int, trace: Callable[..., Json], tmp_path: Path
) -> None:
    path, log = written(tmp_path, "ua113_shell_ok", old_setup(suite, OLD_SUITES[suite], version), mss)
    found = trace(path, "--tls-keylog", log, "--show-secrets")
    same_tasks(found, trace(AGENT / "ua113_shell_ok.pcap", "--show-secrets"))
    assert len(found["tasks"]) == 1
    assert {one["tls"]["version"] for one in found["connections"]} == {f"TLS 1.{version - 0x0301}"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", OLD)
def test_a_private_key_opens_tls_before_1_2(
    version: ssl.TLSVersion, trace: Callable[..., Json], tmp_path: Path
) -> None:
    path, _ = written(tmp_path, "ua113_shell_ok", old_setup("AES128-SHA", "rsa", version))
    assert len(trace(path, "--tls-key", identity().key)["tasks"]) == 1


@pytest.mark.parametrize("suite", RARE_SUITES)
def test_rarer_suites(suite: str, trace: Callable[..., Json], tmp_path: Path) -> None:
    path, log = written(tmp_path, "ua113_shell_ok", old_setup(suite, RARE_SUITES[suite]))
    found = trace(path, "--tls-keylog", log, "--show-secrets")
    same_tasks(found, trace(AGENT / "ua113_shell_ok.pcap", "--show-secrets"))
    assert len(found["tasks"]) == 1


@pytest.mark.parametrize(
    ("suite", "name"),
    [
        ("CAMELLIA128-SHA", "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA"),
        ("ECDHE-ARIA256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384"),
    ],
)
def test_suites_that_are_not_deciphered_are_named(
    suite: str, name: str, trace: Callable[..., Json], tmp_path: Path
) -> None:
    path, log = written(tmp_path, "ua113_shell_ok", old_setup(suite, "rsa"))
    found = trace(path, "--tls-keylog", log)
    told = next(one for one in found["problems"] if one["code"] == "tls_not_decrypted")
    assert f"cipher suite {name} of TLS 1.2 is not one that can be deciphered" in told["summary"]
    assert found["tasks"] == []


# --- tshark beside it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [("--tls-keylog", KEYS), ("--tls-key", KEY)], ids=["key log", "private key"])
def test_verify_compares_what_is_deciphered(options: tuple[str, Path], jstrace: Callable[..., Result]) -> None:
    result = jstrace("verify", GENUINE, *options)
    assert (result.exit_code, result.stdout.count("20 messages, ")) == (0, 1)
    assert "1 task," in result.stdout


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [*OLD, ssl.TLSVersion.TLSv1_2, TLS_1_3])
def test_verify_agrees_on_every_version(
    version: ssl.TLSVersion, jstrace: Callable[..., Result], tmp_path: Path
) -> None:
    setup = old_setup("AES128-SHA", "rsa", version) if version in OLD else Setup(version=version)
    path, log = written(tmp_path, "ua113_shell_ok", setup)
    result = jstrace("verify", path, "--tls-keylog", log)
    assert result.exit_code == 0, result.stdout
    assert "1 task," in result.stdout


def test_verify_takes_one_key_log(jstrace: Callable[..., Result]) -> None:
    result = jstrace("verify", GENUINE, "--tls-keylog", KEYS, "--tls-keylog", KEYS)
    assert (result.exit_code, "tshark takes one key log" in result.stderr) == (2, True)
