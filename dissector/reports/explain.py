"""What a code means: those of jstrace's own problems, and those that the engine prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import NamedTuple

from dissector.errors import UsageError
from dissector.session.codes import CODES
from dissector.wire.enums import HRESULTS
from dissector.wire.messages import is_failed
from dissector.wire.names import ErrorInfo, error_code, error_codes

_ENGINE_CODE = re.compile(r"[A-Z][A-Z-]*-\d+")
_ERRNO = re.compile(r"ERRNO-(\d+)")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
#: What a rule would fill in.
_WHOLE = (("{client}:{port}", "the announced port of the client"), ("the client {client}", "the client"))
_WORDS = {"client": "the client", "remote": "the remote scheduler", "port": "the announced port"}
#: What Windows says in place of Linux' codes.
_WINDOWS = {"101": "10051", "104": "10054", "110": "10060", "111": "10061", "113": "10065"}
#: How programs and people call Linux' codes; WSA before it makes it Windows'.
_SYMBOLS = {
    "EPIPE": "32",
    "ENETUNREACH": "101",
    "ECONNRESET": "104",
    "ETIMEDOUT": "110",
    "ECONNREFUSED": "111",
    "EHOSTUNREACH": "113",
}
#: How codes that the engine tells alike differ on the wire (docs/protocol.md#what-goes-wrong).
_TELLS = {
    "command_unanswered": "SYNs to the remote's port without any answer",
    "command_refused": "a SYN to the remote's port answered by RST or an ICMP error",
    "command_rejected": "the remote accepts the connection and ends it without a byte",
    "start_error": "the start command is answered by an ERROR element",
    "slow_network": "the handshakes show a long round trip, and there are many calls",
    "slow_job": "the client's calls take long, but neither callbacks nor the network do",
    "slow_start": "the start command is acknowledged at once, but its answer takes long",
    "start_cut": "FIN or RST of the remote's side, or of a device, behind the start command and without an answer",
    "syn_ack_lost": "a SYN is answered, but it or the SYN+ACK is retransmitted, and no ACK follows",
    "callback_dropped": "the start is answered; SYNs to the announced port without any answer",
    "callback_refused": "the start is answered; a SYN to the announced port is answered by RST or an ICMP error",
    "callback_elsewhere": "the start is answered; a SYN goes to another address or port than the announced one",
    "callback_late": "the start is answered; the callback comes more than 60 s later",
    "callback_missing": "the start is answered; no SYN to the announced port is seen",
    "callback_foreign_bytes": "somebody else's connection to the announced port, with bytes that are no message",
    "path_mtu": "the callback connection is open; full-size segments are retransmitted, small ones pass",
    "connection_lost": "FIN or RST on the callback connection before the task was released",
    "idle_connection_cut": "a long silence on the callback connection, then RST, or data that nobody acknowledges",
    "command_lost_first": "the command connection ends while the callback connection is still open",
    "task_killed": "the client sends remote_task.close with kill='yes', or remote_task.kill",
    "job_failed": "all connections end in order; the result of step has an exit code or a signal",
    "error_answer": "a call of the client is answered by an E message",
}


class PossibleCause(NamedTuple):
    """A problem code that an engine's code can mean; ``place`` is where the engine says it, empty for the client."""

    code: str
    meaning: str
    tell: str
    place: str


class Explanation(NamedTuple):
    """``severity``, ``tell``, ``cause``, ``remedy`` and ``engine`` are those of a problem code; ``title``, ``look_for``
    and ``candidates`` of an engine's."""

    code: str
    title: str
    meaning: str
    severity: str | None = None
    cause: str = ""
    remedy: str = ""
    tell: str = ""
    engine: tuple[str, ...] = ()
    look_for: str = ""
    candidates: tuple[PossibleCause, ...] = ()


def explain(code: str) -> Explanation:
    """The meaning of a code, in any case and with any of ``-``, ``_`` or blanks in it.

    Raises UsageError with codes that look like it when there is no such code.
    """
    known = {_plain(one): one for one in all_codes()}
    found = known.get(_plain(code)) or _by_number(code) or _by_title(code)
    if found is None:
        near = get_close_matches(_plain(code), known, n=4, cutoff=0.5)
        hint = f"; there is {', '.join(known[one] for one in near)}" if near else "; jstrace explain lists them all"
        raise UsageError(f"no code {code!r} is known{hint}")
    return _of_problem(found) if found in CODES else _of_engine(found)


def problem_codes() -> list[str]:
    """The codes of jstrace's own problems."""
    return list(CODES)


def all_codes() -> list[str]:
    """The problem codes, then the engine's codes."""
    mentioned = {found for code in CODES.values() for line in code.engine for found in _ENGINE_CODE.findall(line)}
    hresults = {f"COM-{value:08X}" for value in HRESULTS if is_failed(value)}
    return [*CODES, *sorted(mentioned | hresults | set(error_codes()), key=_order)]


def _of_problem(name: str) -> Explanation:
    code = CODES[name]
    return Explanation(
        name,
        "",
        code.meaning,
        code.severity.value,
        _general(code.cause),
        _general(code.remedy),
        _TELLS.get(name, ""),
        tuple(map(_with_windows, code.engine)),
    )


def _of_engine(name: str) -> Explanation:
    info = error_code(name) or _of_hresult(name)
    return Explanation(name, info.title, info.meaning, look_for=info.look_for, candidates=tuple(_candidates(name)))


def _candidates(engine_code: str) -> Iterator[PossibleCause]:
    for name, code in CODES.items():
        for line in map(_with_windows, code.engine):
            if engine_code in _ENGINE_CODE.findall(line):
                place = line.partition("(")[2].rstrip(")")
                yield PossibleCause(name, code.meaning, _TELLS.get(name, code.meaning), place)


def _by_number(code: str) -> str | None:
    """``118`` means Z-REMOTE-118 as long as there is no other code with this number; ``0x80020009`` an hresult."""
    number = code.strip().upper().removeprefix("0X")
    found = [one for one in all_codes() if one not in CODES and one.rpartition("-")[2] == number]
    return found[0] if len(found) == 1 else None


def _by_title(code: str) -> str | None:
    """``DISP_E_EXCEPTION`` means COM-80020009, ``ECONNRESET`` ERRNO-104."""
    name = code.strip().upper()
    if number := _SYMBOLS.get(name):
        return f"ERRNO-{number}"
    if windows := _WINDOWS.get(_SYMBOLS.get(name.removeprefix("WSA"), "")):
        return f"WINSOCK-{windows}"
    return next((f"COM-{value:08X}" for value, title in HRESULTS.items() if title == name), None)


def _of_hresult(name: str) -> ErrorInfo:
    """A code that is in no table: an hresult of COM has a name at least."""
    title = HRESULTS.get(int(name.rpartition("-")[2], 16), "") if name.startswith("COM-") else ""
    return ErrorInfo(name, title, f"An hresult of COM, {title}." if title else "", "", "answer")


def _with_windows(line: str) -> str:
    """``ERRNO-111 or WINSOCK-10061 (at the remote)``"""
    return _ERRNO.sub(lambda one: f"{one[0]} or WINSOCK-{_WINDOWS[one[1]]}" if one[1] in _WINDOWS else one[0], line)


def _general(text: str) -> str:
    for wording, words in _WHOLE:
        text = text.replace(wording, words)
    return _PLACEHOLDER.sub(lambda match: _WORDS.get(match[1], match[1].replace("_", " ")), text)


def _plain(code: str) -> str:
    return re.sub(r"[-_\s]+", "_", code.strip().lower())


def _order(code: str) -> tuple[str, int, str]:
    prefix, _, number = code.rpartition("-")
    return prefix, len(number), number
