"""Tasks on Universal Agents: what genuine masters and agents said to each other, said again by others.

A recording becomes turns (``conversations``); each playing has another agent, other tunnels, secrets and task ids, so
what is compressed in it is packed anew and lengths are told anew.
"""

from __future__ import annotations

import gzip
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from random import Random

from benchmarks.conversations import Conversation, Turn
from benchmarks.inputs import BEGINNING, SECOND
from benchmarks.patterns import Keys, Line, Pattern, payload_of, read_packets
from benchmarks.rhythm import LOOPBACK, paced
from benchmarks.sealed import sealed
from dissector.stream.http import HttpReader
from dissector.traffic import Chunk, RawDocument, Side

ROOT = Path(__file__).resolve().parent.parent / "captures" / "agent"
PORT = 4445
AGENTS = 40
#: How often each recording is played in a round, as a busy master has it: many short shell tasks.
_ROUND = {
    "ua113_shell_ok": 6,
    "ua113_two_tasks": 2,
    "ua113_api_java": 2,
    "ua110_shell": 2,
    "ua111_api": 1,
    "ua113_slow_call": 1,
    "ua113_kill": 1,
    "ua113_idle": 1,
}
#: What a playing has on an average, and how many there are in a second (see ``mixes``).
_PACKETS_A_PLAY, DENSE_RATE = 39, 5_000
#: Tunnel ids that one playing may take.
_IDS = 10
_TUNNEL = re.compile(rb"(?<=/api/tunnel/)\d+")
_SECRET_HEADER = re.compile(rb"(?<=X-JobScheduler-Tunnel-Secret: )\S+")
_HOST = re.compile(rb"(?<=\nHost: )[^\r]+")
_DATE = re.compile(rb"(?<=\nDate: )[^\r]+")
_LENGTH = re.compile(rb"(?<=\nContent-Length: )\d+")
_AGENT_TASK = re.compile(rb'(?<="agentTaskId")(\s*:\s*")(\d+)(?=-)')
_TOKEN = re.compile(rb'(?<="id":")\d+')
_SECRET = re.compile(rb'(?<="secret":")[^"]+')
_TASK = re.compile(rb'(?<="taskId": ")\d+|(?<=task_id=)\d+')


def recorded(name: str) -> Conversation:
    """What was said on the connections of a recording; ``frames`` are the messages in tunnels that count once."""
    turns: list[Turn] = []
    lines: dict[bytes, int] = {}
    readers: dict[tuple[int, int], HttpReader] = {}
    for time, data in read_packets(ROOT / f"{name}.pcap"):
        payload = payload_of(data)
        if not payload:
            continue
        side = int(int.from_bytes(data[34:36], "big") == PORT)
        line = lines.setdefault(data[36:38] if side else data[34:36], len(lines))
        reader = readers.setdefault((line, side), HttpReader(Side(side)))
        for found in reader.feed(Chunk(Side(side), 0, payload, 1, time)):
            assert isinstance(found, RawDocument)
            turns.append(Turn(line, side, found.data))
    starts = sum(b"/tunnel/" not in turn.data and b'"tunnelToken"' in turn.data for turn in turns)
    frames = sum(map(_is_message, turns))
    return Conversation(name, [Line(False, PORT)] * len(lines), turns, frames, starts)


def _is_message(turn: Turn) -> bool:
    head, _, body = turn.data.partition(b"\r\n\r\n")
    return b"application/octet-stream" in head and bool(body)


class Masters:
    """Plays recordings, each time with names of their own: four masters, forty agents."""

    def __init__(self, random: Random, *, https: bool = False) -> None:
        self._random, self._https = random, https
        self._said = {name: recorded(name) for name in _ROUND}
        self._played = self._connections = 0

    def plays(self) -> Iterator[tuple[Pattern, Keys]]:
        """Without end."""
        turns = max(_ROUND.values())
        round_of = [name for turn in range(turns) for name, often in _ROUND.items() if often > turn]
        for name in cycle(round_of):
            yield self._play(self._said[name])

    def _play(self, said: Conversation) -> tuple[Pattern, Keys]:
        number = self._played
        self._played += 1
        agent = bytes((10, 2, 0, 1 + number % AGENTS))
        names = _Names(number, ".".join(map(str, agent)))
        turns = [turn._replace(data=names.renamed(turn.data)) for turn in said.turns]
        if self._https:
            turns = sealed(turns, len(said.lines), self._connections)
        flows: list[bytes] = []
        for _ in said.lines:
            self._connections += 1
            master, own = bytes((10, 1, 0, 1 + number % 4)), 20_000 + self._connections % 40_000
            ports = own.to_bytes(2, "big"), PORT.to_bytes(2, "big")
            flows += [master + agent + ports[0] + ports[1], agent + master + ports[1] + ports[0]]
        pattern = paced(replace(said, turns=turns), LOOPBACK, self._random)
        return pattern, Keys([*flows, b""], {}, number)


class _Names:
    """What is called otherwise in one playing."""

    def __init__(self, number: int, agent: str) -> None:
        self._number, self._agent = number, agent.encode()
        self._base = _IDS * (number // AGENTS)
        # About when it is played, so that no clock seems to be wrong.
        self._date = formatdate(BEGINNING // SECOND + number * _PACKETS_A_PLAY // DENSE_RATE, usegmt=True).encode()

    def renamed(self, data: bytes) -> bytes:
        """A request or response with other names and the right length."""
        head, end, body = data.partition(b"\r\n\r\n")
        head = _HOST.sub(b"%b:%d" % (self._agent, PORT), _TUNNEL.sub(self._id, head))
        head = _DATE.sub(self._date, _SECRET_HEADER.sub(self._secret, head))
        if b"Content-Encoding: gzip" in head:
            body = gzip.compress(self._body(gzip.decompress(body)), mtime=0)
        else:
            body = self._body(body)
        return _LENGTH.sub(b"%d" % len(body), head) + end + body

    def _body(self, body: bytes) -> bytes:
        if body.lstrip()[:1] != b"{":
            return _TASK.sub(self._same_length, body)
        body = _AGENT_TASK.sub(lambda found: found[1] + self._new_id(found[2]), body)
        body = _TOKEN.sub(self._id, _SECRET.sub(self._secret, body))
        return _TASK.sub(self._same_length, body)

    def _id(self, found: re.Match[bytes]) -> bytes:
        return self._new_id(found[0])

    def _new_id(self, old: bytes) -> bytes:
        return b"%d" % (self._base + int(old))

    def _secret(self, found: re.Match[bytes]) -> bytes:
        return urlsafe_b64encode(sha256(b"%d %b" % (self._number, found[0])).digest())[:24]

    def _same_length(self, found: re.Match[bytes]) -> bytes:
        return b"%0*d" % (len(found[0]), (int(found[0]) + self._number) % 10 ** len(found[0]))
