"""What a connection carries, told from its first bytes in both directions.

A port is only a hint: on a known command port any text is taken for a command, elsewhere the bytes must say so
themselves (a ``remote_scheduler.`` element, an answer that begins ``<spooler><answer``, an engine path in HTTP; a
``create_instance``, a tunnel token; in mid-stream a run of frames that fit each other).
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import NamedTuple

from dissector.limits import MAX_SNIFF
from dissector.model import Role
from dissector.stream.framing import plausible_frame

#: create_instance: session id 0 and the command; the class id may be any, not only the engine's own object.
_CREATE = b"S" + bytes(8) + b"C"
_TUNNEL = b'{"tunnelToken"'
_HEADER = 4
#: Requests of one end only: the client creates and calls, the task process looks up, invokes and keeps alive.
_SCHEDULER = re.compile(rb"S|O.{8}A", re.DOTALL)
_TASK_PROCESS = re.compile(rb"K|O.{8}[IGQ]|A.{12}.{0,80}?<process\.result", re.DOTALL)
#: No system gives a lower port than this to a connection that it opens, unless it is asked to.
_EPHEMERAL = 1024
_PROLOG = rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?"
_ENGINE_COMMAND = re.compile(_PROLOG + rb"<(?:remote_scheduler\.|register_remote_scheduler|supervisor\.)")
_ENGINE_ANSWER = re.compile(
    rb"(?:HTTP/1\.[01] \d{3}[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)?" + _PROLOG + rb"<spooler>\s*<answer[\s>/]"
)
_ENGINE_HTTP = re.compile(rb"[A-Z]{3,8} [^ ]{0,1024}/jobscheduler/")
#: A request to a Universal Agent, and headers that only its two sides send: for connections in mid-stream.
_AGENT_API = b"/jobscheduler/agent/api"
_AGENT_HTTP = re.compile(rb"[A-Z]{3,8} [^ ]{0,1024}" + _AGENT_API + rb"[/ ?]")
_AGENT_HEADERS = re.compile(
    rb"\r\n(?:X-JobScheduler-(?:Tunnel|Request|Heartbeat|Session|LicenseKey)|Server: spray-can/)"
)
#: What a classic agent that is asked over HTTP has among the latter, and a Universal Agent has not.
_CLASSIC_TYPE = b"\r\nContent-Type: text/xml"
_HTTP_ANSWER = b"HTTP/1."
#: A request line that goes on, and how much of one can be little else.
_REQUEST_LINE = re.compile(rb"[A-Z]{1,8}(?: (?:[/h][^ \r\n]{0,1024})?)?")
_METHOD = 3
#: What may still become one.
_HTTP_START = re.compile(rb"[A-Z]{1,8}(?: [^ ]{0,1024})?")
#: A client that asks a proxy to connect it, and what the proxy says to that.
_CONNECT = b"CONNECT "
_ASKED = re.compile(rb"CONNECT ([^ \r\n]{1,300}):(\d{1,5}) HTTP/1\.[01]\r?\n(?:[^\r\n]+\r?\n)*\r?\n")
_CONNECTED = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n")
_START_COMMAND = b"<remote_scheduler.start_remote_task"
#: What only start commands have behind the prolog.
_START_ALONE = 19
#: A prolog, maybe without its end where nothing of what follows is left.
_OPENING = re.compile(rb"\s*(?:<\?xml[^>]{0,200}(?:\?>\s*|\Z))?")
_XML_START = re.compile(rb"\s*(?:<(?:[?!A-Za-z_]|$)|$)")
#: What a client begins with that may speak XML, frames or HTTP of ours.
_MAY_BE_OURS = re.compile(rb"[\s<\0]|.{4}[SOAEK]|[A-Z]{1,8}(?:\Z| [^ \r\n]{0,1024}(?:/jobscheduler/|\Z))", re.DOTALL)
_TYPED_COMMAND = re.compile(rb"[\s\x04]*(?:$|[<A-Za-z])")


def verdict(client: bytes, server: bytes, *, is_command_port: bool, mid_stream: bool) -> Role | None:
    """COMMAND, CALLBACK, HTTP (exchanges with a Universal Agent), UNKNOWN (none of ours) or None (not clear yet), for
    the first bytes of each direction."""
    if asks_proxy(client):
        return Role.UNKNOWN if MAX_SNIFF in (len(client), len(server)) else None
    if client and not (server or is_command_port or mid_stream) and not _MAY_BE_OURS.match(client):
        return Role.UNKNOWN
    if _is_agent(client, server, mid_stream):
        return Role.HTTP
    if not mid_stream and _REQUEST_LINE.fullmatch(client) and (len(client) >= _METHOD or not server):
        return None
    command = _command(client, server, is_command_port)
    if mid_stream and _commands(server, client):
        return Role.COMMAND
    callback = _callback(client, server, mid_stream)
    if Role.COMMAND in (command, callback) or Role.CALLBACK in (command, callback):
        return command if command is Role.COMMAND else callback
    full = len(client) >= MAX_SNIFF or len(server) >= MAX_SNIFF
    if mid_stream and is_command_port and not full and (not server or server.startswith(_HTTP_ANSWER)):
        return None  # the rest of a body over HTTP; the next head tells
    return Role.UNKNOWN if full or command is callback is Role.UNKNOWN else None


class Proxied(NamedTuple):
    """What a client asked a proxy for, the status of the answer, and how many bytes of either end that took."""

    host: str
    port: int
    status: int
    sizes: tuple[int, int]


def asks_proxy(client: bytes) -> bool:
    """True for a client that asks a proxy to connect it: what the connection carries comes behind that."""
    return client.startswith(_CONNECT)


def proxied(client: bytes, server: bytes) -> Proxied | None:
    """None while the two have not agreed, or where they never will."""
    asked, answered = _ASKED.match(client), _CONNECTED.match(server)
    if asked is None or answered is None:
        return None
    return Proxied(asked[1].decode("latin-1"), int(asked[2]), int(answered[1]), (asked.end(), answered.end()))


def _is_agent(client: bytes, server: bytes, mid_stream: bool) -> bool:
    if _AGENT_HTTP.match(client):
        return True
    if not mid_stream or _CLASSIC_TYPE in server:
        return False
    return any(_asks_agent(head) or _AGENT_HEADERS.search(head) for head in (client, server))


def _asks_agent(head: bytes) -> bool:
    """True when a request to an agent stands somewhere in ``head``; most have not even its path, which is found much
    sooner."""
    return _AGENT_API in head and _AGENT_HTTP.search(head) is not None


def listens(command_ports: Container[int], callback_ports: tuple[int, int], port: int, other: int) -> bool:
    """True when of a connection without a SYN ``other`` is most likely the port that listens: a known command port, or
    the one in the callback range, which the engine uses from its upper end down; else the lower one."""
    if (port in command_ports) is not (other in command_ports):
        return other in command_ports
    low, high = callback_ports
    mine, others = low <= port <= high, low <= other <= high
    if mine and others:
        return other >= port
    if (mine or others) and min(port, other) >= _EPHEMERAL:
        return others
    return port >= other


def swapped(client: bytes, server: bytes) -> bool:
    """True when an end sends what only the other one can send (a request of the JobScheduler client or of the task
    process, a command or its answer), so that a mid-stream connection's ends were guessed the wrong way round."""
    if _asks_agent(server):
        return True
    right = _sends(client, _TASK_PROCESS) or _sends(server, _SCHEDULER) or _commands(client, server)
    if not right and _commands(server, client):
        return True
    return not right and (_sends(client, _SCHEDULER) or _sends(server, _TASK_PROCESS))


def may_start(head: bytes) -> bool:
    """True when a document, cut off behind ``head``, can be a start command."""
    text = _behind_prolog(head)
    return _START_COMMAND.startswith(text[: len(_START_COMMAND)]) or b"<?xml".startswith(text)


def is_start(head: bytes) -> bool:
    """True when such a document can be nothing else."""
    text = _behind_prolog(head)
    return len(text) >= _START_ALONE and may_start(head)


def _behind_prolog(head: bytes) -> bytes:
    opening = _OPENING.match(head)
    return head[opening.end() :] if opening is not None else head


def _commands(client: bytes, server: bytes) -> bool:
    """True when one of the two sends what is certainly a command to the other, or its answer."""
    return bool(_ENGINE_COMMAND.match(client) or _ENGINE_ANSWER.match(server))


def is_engine(client: bytes, server: bytes) -> bool:
    """True when one of the two begins as only engines do on a command connection."""
    return bool(_ENGINE_COMMAND.match(client) or _ENGINE_ANSWER.match(server) or _ENGINE_HTTP.match(client))


def is_foreign_callback(data: bytes) -> bool:
    """True when the first bytes from the calling end of a callback connection can not begin an answer frame, a
    keep-alive or a tunnel token, which are short: the connection was opened by somebody else."""
    return data[0] > 0 or (len(data) > _HEADER and data[_HEADER] not in b"AEK{")


def _command(client: bytes, server: bytes, is_command_port: bool) -> Role | None:
    if is_engine(client, server):
        return Role.COMMAND
    if is_command_port:
        if client and _TYPED_COMMAND.match(client) and client.strip():
            return Role.COMMAND
        return Role.UNKNOWN if client.strip() else None
    if not _XML_START.match(client) or (server and not _XML_START.match(server)):
        return Role.UNKNOWN
    if len(server.lstrip()) > 256:  # a prolog and <spooler> would have been there
        return Role.UNKNOWN
    return None


def _callback(client: bytes, server: bytes, mid_stream: bool) -> Role | None:
    if _begins(server, _CREATE) or _begins(client, _TUNNEL):
        return Role.CALLBACK
    if mid_stream:
        if _is_dialog(client) or _is_dialog(server):
            return Role.CALLBACK
        is_clear = len(client) + len(server) >= MAX_SNIFF or (_is_neither(client) and _is_neither(server))
        return Role.UNKNOWN if is_clear else None
    if client and not server and _is_dialog(client):  # captured in one direction only
        return Role.CALLBACK
    may_be = _may_begin(server, _CREATE) and (_may_begin(client, _TUNNEL) or (not server and _is_frames(client)))
    return None if may_be else Role.UNKNOWN


def _is_neither(head: bytes) -> bool:
    """True when ``head`` begins neither with a frame nor with what an engine may write as text, whatever follows it."""
    is_text = _XML_START.match(head) is not None or _HTTP_START.fullmatch(head) is not None
    return len(head) > _HEADER and not is_text and not plausible_frame(head)


def _begins(head: bytes, start: bytes) -> bool:
    return head[_HEADER : _HEADER + len(start)] == start


def _may_begin(head: bytes, start: bytes) -> bool:
    """True while ``head`` can still become a frame that begins with ``start``."""
    return head[:2] in (b"", b"\0", b"\0\0") and start.startswith(head[_HEADER : _HEADER + len(start)])


def _frames(head: bytes) -> tuple[list[int], int]:
    """Where the plausible frames from the first byte on begin, and where the one behind them would: beyond the end when
    the last is not all there, before it when something else follows."""
    starts, position = [], 0
    while position < len(head) and plausible_frame(head, position):
        starts.append(position)
        position += _HEADER + int.from_bytes(head[position : position + _HEADER], "big")
    return starts, position


def _is_frames(head: bytes) -> bool:
    """True while nothing else than plausible frames was seen."""
    return _frames(head)[1] >= len(head)


def _is_dialog(head: bytes) -> bool:
    """Plausible frames from the first byte on, at least one of them a whole request that names its command: an answer
    alone is too short to tell it from anything else."""
    starts, stop = _frames(head)
    whole = starts if stop <= len(head) else starts[:-1]
    return stop >= len(head) and any(head[start + _HEADER : start + _HEADER + 1] in (b"O", b"S") for start in whole)


def _sends(head: bytes, requests: re.Pattern[bytes]) -> bool:
    """True when one of the plausible frames from the first byte on begins with one of ``requests``."""
    return any(requests.match(head, start + _HEADER) for start in _frames(head)[0])
