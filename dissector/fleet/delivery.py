"""Brings notices to a program or to a web server, in a thread of its own: whoever traces never waits for them."""

from __future__ import annotations

import codecs
import os
import queue
import shlex
import shutil
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from dissector import __version__
from dissector.errors import UsageError
from dissector.numbers import count
from dissector.wire.harmless import escape

#: Notices that wait at most; more are lost, and that is told.
MAX_WAITING = 100
#: Seconds that a program may run, a web server may take to answer, and the end may wait for what is under way.
_RUN_SECONDS, _ANSWER_SECONDS, _END_SECONDS = 30.0, 10.0, 10.0
#: Seconds before each new try.
_BACKOFF = (1.0, 2.0, 4.0, 8.0)
#: What may be better later.
_TRY_AGAIN = frozenset((408, 425, 429))
#: Seconds between two remarks of the same words.
_REMARKS = 60.0
_PREFIX = "JSTRACE_"
#: Variables of who started this process that are not for others.
_NOT_HANDED_ON = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "JOURNAL_STREAM")


class Notice(NamedTuple):
    """``record`` is a line of JSON, ``facts`` are names and harmless values, ``matches`` is for how many it stands."""

    record: str
    facts: dict[str, str]
    matches: int


class Bearer(Protocol):
    """``name`` is for people; ``deliver`` gives what went wrong, or None."""

    name: str

    def deliver(self, notice: Notice, closing: threading.Event) -> str | None: ...


class RunCommand:
    """Runs ``command`` without a shell, with the record on its standard input and the facts in its environment.

    :raises UsageError: it is none, or there is no such program
    """

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--run {command!r}: {error}") from None
        if not self._words or shutil.which(self._words[0]) is None:
            raise UsageError(f"--run {command!r}: there is no such program")
        self.name = f"--run {self._words[0]}"

    def deliver(self, notice: Notice, closing: threading.Event) -> str | None:  # noqa: ARG002  a bearer's shape
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
        environment |= {_PREFIX + name: value for name, value in notice.facts.items()}
        environment[_PREFIX + "COUNT"] = str(notice.matches)
        try:
            with subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            ) as process:
                try:
                    process.communicate(notice.record.encode(), _RUN_SECONDS)
                except subprocess.TimeoutExpired:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    return f"killed after {_RUN_SECONDS:.0f} s"
        except OSError as error:
            return error.strerror or str(error)
        return f"exit status {process.returncode}" if process.returncode else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


class Webhook:
    """Posts the record to ``url``; certificates are verified.

    :raises UsageError: it is no URL of http or https
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or " " in url:
            raise UsageError(f"--webhook {escape(url)!r} is no URL such as https://hooks.example.org/jstrace")
        if parts.username is not None or parts.password is not None:
            raise UsageError("--webhook: a URL with a user or a password in it is not sent to")
        self._url = url
        # The path may be a secret by itself.
        self.name = f"--webhook {parts.hostname}"
        secure = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        self._opener = urllib.request.build_opener(secure, _NoRedirect)
        # What Python loads for a name when it first connects may be where only root can read.
        codecs.lookup("idna")

    def deliver(self, notice: Notice, closing: threading.Event) -> str | None:
        for wait in (*_BACKOFF, None):
            reason, again = self._post(notice)
            if reason is None:
                return None
            if not again:
                return reason
            if wait is None or closing.wait(wait):
                break
        return f"{reason}, given up"

    def _post(self, notice: Notice) -> tuple[str | None, bool]:
        """What went wrong, and whether it may go better later."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"jstrace/{__version__}",
            "X-Jstrace-Count": str(notice.matches),
        }
        request = urllib.request.Request(self._url, notice.record.encode(), headers, method="POST")
        try:
            with self._opener.open(request, timeout=_ANSWER_SECONDS):
                return None, False
        except urllib.error.HTTPError as error:
            error.close()
            return f"HTTP {error.code}", error.code >= 500 or error.code in _TRY_AGAIN
        except urllib.error.URLError as error:
            is_untrusted = isinstance(error.reason, ssl.SSLCertVerificationError)
            return _reason(error.reason), not is_untrusted
        except (OSError, HTTPException, ValueError) as error:
            return _reason(error), True


def _reason(error: object) -> str:
    return escape(str(getattr(error, "strerror", None) or error or type(error).__name__))


class Delivery:
    """Hands notices to ``bearer`` one by one; ``remark`` gets what went wrong.  Its thread begins with the first one:
    a thread keeps the rights that it began with."""

    def __init__(self, bearer: Bearer, remark: Callable[[str], object]) -> None:
        self._bearer, self._remark = bearer, remark
        self._waiting: queue.Queue[Notice | None] = queue.Queue(MAX_WAITING)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._said: tuple[str, float] = ("", 0.0)
        self.delivered = self.lost = 0

    def send(self, notice: Notice) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="notices", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(notice)
        except queue.Full:
            self.lost += 1
            self._say(f"notices are lost: {MAX_WAITING} wait already")

    def close(self) -> None:
        """Waits a little for what is under way; what is not delivered then is lost."""
        self._closing.set()
        if self._thread is not None:
            deadline = time.monotonic() + _END_SECONDS
            in_its_hands = 0  # the end waits behind the others instead, and is counted
            try:
                self._waiting.put(None, timeout=_END_SECONDS)
            except queue.Full:
                in_its_hands = 1
            self._thread.join(max(0.0, deadline - time.monotonic()))
            if self._thread.is_alive():
                self.lost += self._waiting.qsize() + in_its_hands
        if self.lost:
            self._remark(f"{self._bearer.name}: {count(self.lost, 'notice')} lost, {self.delivered} delivered")

    def _work(self) -> None:
        while (notice := self._waiting.get()) is not None:
            reason = self._bearer.deliver(notice, self._closing)
            if reason is None:
                self.delivered += 1
            else:
                self.lost += 1
                self._say(reason)

    def _say(self, reason: str) -> None:
        text, when = self._said
        if reason != text or time.monotonic() - when >= _REMARKS:
            self._said = reason, time.monotonic()
            self._remark(f"{self._bearer.name}: {reason}")
