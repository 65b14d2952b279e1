"""What the HTTP messages of a Universal Agent (1.10 to 1.13) say: commands, tunnelled messages, heartbeats, views.

See docs/agent.md for routes, headers and bodies.  Nothing here is paired or kept; ``session`` does that.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dissector.numbers import COUNT, number
from dissector.wire.http import BOMB
from dissector.wire.http_message import HttpMessage
from dissector.wire.json_text import JsonError, json_value

#: A request line of the agent's API, in origin or absolute form, below any prefix.
_TARGET = re.compile(r"(?P<prefix>(?:/[^?#]*?)?)/jobscheduler/agent/api(?P<rest>/[^?#]*|)(?:[?#].*)?", re.DOTALL)
_TUNNEL = re.compile(r"/tunnel/([^/]+)/?")
#: ``Wed, 25 Nov 2026 22:58:52 GMT``.
_DATE = re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: ``PT1M30.5S``, the form of Java's durations; an hour may have more than 60 minutes.
_DURATION = re.compile(r"PT(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,9}))?S)?", re.ASCII)
_SECOND = 1_000_000_000
#: Longer names and ids are cut off: a compressed body may have one of a million characters, and tasks keep them.
_LONGEST_TEXT = 8 * 1024

SECRET_HEADER = "X-JobScheduler-Tunnel-Secret"
REQUEST_ID = "X-JobScheduler-Request-ID"
HEARTBEAT_START = "X-JobScheduler-Heartbeat-Start"
HEARTBEAT_CONTINUE = "X-JobScheduler-Heartbeat-Continue"
HEARTBEAT = "X-JobScheduler-Heartbeat"

STARTS: Mapping[str, str] = {"StartNonApiTask": "process", "StartApiTask": "api"}


class Heartbeat(NamedTuple):
    """How often the master wants to hear of a call, and how long it (and the agent) waits, in nanoseconds."""

    period: int | None
    timeout: int | None


class Target(NamedTuple):
    """Where a request goes: ``host`` of an absolute URI, ``prefix`` without slashes at its ends, ``rest`` behind the
    API's root, ``tunnel`` the id in it."""

    host: str | None
    prefix: str
    rest: str
    tunnel: str | None


def target_of(path: str | None) -> Target | None:
    """None for a request to anything else than the agent's API."""
    if path is None:
        return None
    host = None
    if path[:1] != "/":
        try:
            parts = urlsplit(path)
        except ValueError:
            return None
        if parts.scheme not in ("http", "https"):
            return None
        host, path = parts.netloc, parts.path
    match = _TARGET.fullmatch(path)
    if match is None:
        return None
    tunnel = _TUNNEL.fullmatch(match["rest"])
    return Target(host, match["prefix"].strip("/"), match["rest"], tunnel[1] if tunnel else None)


class RequestHead(NamedTuple):
    """What the head of a request says but for its number: ``kind`` with and without a body, one of ``command``,
    ``tunnel``, ``heartbeat`` (the master is idle), ``continue`` (it goes on waiting), ``view`` and ``other`` (the words
    of the output contract); ``secret`` is the tunnel's."""

    target: Target | None
    kind: str
    empty_kind: str
    secret: str | None
    heartbeat: Heartbeat | None


def head_of(request: HttpMessage) -> RequestHead:
    target = target_of(request.path)
    kind = empty_kind = "other"
    if target is not None and request.method == "POST" and target.rest == "/command":
        kind = empty_kind = "command"
    elif target is not None and request.method == "POST" and target.tunnel is not None:
        kind = "continue" if header(request, HEARTBEAT_CONTINUE) is not None else "tunnel"
        is_idle = kind == "tunnel" and header(request, HEARTBEAT) is not None
        empty_kind = "heartbeat" if is_idle else kind
    elif target is not None and request.method in ("GET", "HEAD"):
        kind = empty_kind = "view"
    return RequestHead(target, kind, empty_kind, header(request, SECRET_HEADER), heartbeat_of(request))


def is_connect(request: HttpMessage) -> bool:
    """True for a client that asks a proxy to be connected."""
    return request.head.startswith(b"CONNECT ")


def request_id(request: HttpMessage) -> int | None:
    """N of ``N PT277777H46M39S``."""
    value = (header(request, REQUEST_ID) or "").split()
    return number(value[0], COUNT) if value else None


def heartbeat_of(request: HttpMessage) -> Heartbeat | None:
    """Period and timeout that a tunnel request announces; None where it announces none."""
    for name in (HEARTBEAT_START, HEARTBEAT_CONTINUE, HEARTBEAT):
        value = header(request, name)
        if value is not None:
            times = [nanoseconds(word) for word in value.split() if word.startswith("PT")]
            return Heartbeat(*times[:2]) if len(times) >= 2 else Heartbeat(None, None)
    return None


def nanoseconds(text: str) -> int | None:
    """A Java duration of hours, minutes and seconds; None for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups()[:3])
    return (3600 * hours + 60 * minutes + seconds) * _SECOND + int((match[4] or "").ljust(9, "0"))


class AgentCommand(NamedTuple):
    """A command as far as a task needs it: ``type`` is its ``$TYPE``."""

    type: str | None
    job: str | None = None
    task_id: str | None = None
    agent_task_id: str | None = None
    kill: bool = False
    signal: str | None = None


def command_of(request: HttpMessage) -> AgentCommand:
    """Texts that are none count as not there."""
    value = request.json or {}
    meta = value.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    task_id = meta.get("taskId")
    return AgentCommand(
        _text(value.get("$TYPE")),
        _text(meta.get("job")),
        str(task_id) if isinstance(task_id, int) else _text(task_id),
        _text(value.get("agentTaskId")),
        value.get("kill") is True,
        _text(value.get("signal")),
    )


class Started(NamedTuple):
    """The answer to a start: ``agent_task_id``, and id and secret of its tunnel."""

    agent_task_id: str
    tunnel: str
    secret: str | None


def started_of(response: HttpMessage) -> Started | None:
    value = response.json or {}
    token = value.get("tunnelToken")
    token = token if isinstance(token, dict) else {}
    agent_task_id, tunnel = _text(value.get("agentTaskId")), _text(token.get("id"))
    if agent_task_id is None or tunnel is None:
        return None
    return Started(agent_task_id, tunnel, _text(token.get("secret")))


def token_secret(data: bytes) -> str | None:
    """The secret in a task process's first message, ``{"tunnelToken":{"id":"1","secret":"..."}}``."""
    try:
        token = json_value(data)["tunnelToken"]["secret"]
    except (JsonError, KeyError, TypeError):
        return None
    return _text(token)


def failure_of(response: HttpMessage) -> str | None:
    """Why a command failed: the text of an error status, or that of ``StartTaskFailed`` (which comes with 200)."""
    if response.json_type == "StartTaskFailed":
        return _text((response.json or {}).get("message")) or "StartTaskFailed"
    if response.status is None or response.status < 300:
        return None
    is_text = "text/plain" in (header(response, "Content-Type") or "").lower()
    text = response.body.decode("utf-8", "replace").strip() if is_text else ""
    return text or f"HTTP {response.status}"


def json_of(message: HttpMessage) -> Any:
    """The JSON value of a body; None where it is none."""
    if "json" not in (header(message, "Content-Type") or "").lower():
        return None
    try:
        return json_value(message.body)
    except JsonError:
        return None


def date_of(response: HttpMessage) -> int | None:
    """The clock of whoever answers, in nanoseconds since the epoch (it tells whole seconds); None without a date."""
    return _date(header(response, "Date") or "")


@lru_cache(maxsize=16)  # many answers are of one second
def _date(text: str) -> int | None:
    match = _DATE.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[place]) for place in (1, 3, 4, 5, 6))
    try:
        return timegm((year, _MONTHS.index(match[2]) + 1, day, hour, minute, second)) * _SECOND
    except ValueError:
        return None


def unread(message: HttpMessage) -> str | None:
    """Why a body is not read though nothing may be wrong with it: it is more than jstrace reads."""
    if message.reason is not None and message.reason.startswith(BOMB):
        return message.reason
    if message.body.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        json_value(message.body)
    except JsonError as error:
        return str(error) if error.is_cap else None
    return None


def header(message: HttpMessage, name: str) -> str | None:
    """Value of a header; names are matched without case."""
    return message.header(name)


def _text(value: Any) -> str | None:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else None
