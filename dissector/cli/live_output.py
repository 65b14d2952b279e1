"""Where what ``jstrace live`` finds goes to: the full screen, lines, or records."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dissector.cli import streams
from dissector.cli.common import BAD_INPUT, say

if TYPE_CHECKING:
    from dissector.cli.live_options import LiveOptions
    from dissector.model import CaptureInfo, Connection, Exchange, Message, Task
    from dissector.monitor import Listener, Monitor
    from dissector.render.filter import Filter
    from dissector.sources.live import Recorder
    from dissector.sources.privileges import UserAccount
    from dissector.sources.recent import Recent
    from dissector.sources.ring import CaptureWriter
    from dissector.view.screen import Screen
    from dissector.view.store import Status

#: Seconds that the screen may take to end.
_SCREEN_END = 3.0
#: Bytes of packets that can still be saved.
_RECENT = 64_000_000


class LiveOutput:
    """Where it goes to: the full screen, lines, or records.  Made before root's rights are given up: what it imports
    may be where only root can read."""

    def __init__(self, wanted: LiveOptions) -> None:
        from dissector.render.filter import parse
        from dissector.wire.masking import Mask

        mask = self.mask = Mask(not wanted.show_secrets)
        chosen = parse(wanted.filters)
        self._screen: Screen | None = None
        #: The newest packets, for the screen and for --keep-failed.
        self.recent: Recent | None = None
        #: Whom root became.
        self.who: UserAccount | None = None
        self.listener: Listener
        if wanted.form == "jsonl":
            from dissector.render.json import JsonLinesView
            from dissector.render.live.jsonl import JsonLines
            from dissector.render.records import Records

            self.listener = JsonLines(JsonLinesView(sys.stdout, Records(mask), wanted.messages), chosen, say)
        elif wanted.plain or not streams.can_fill(wanted.from_stream):
            self.listener = self._lines(wanted, chosen)
        else:
            from dissector.view.screen import Screen

            if wanted.from_stream:
                streams.take_keyboard()
            from dissector.share.texts import without_secrets

            self._screen = Screen(mask, chosen, keep=wanted.keep, color=wanted.color, clean=without_secrets)
            self.listener = self._screen.store
        if self._screen is not None or wanted.others.keep_failed is not None:
            from dissector.sources.recent import Recent

            self.recent = Recent(_RECENT, overwrite=wanted.overwrite)

    def _lines(self, wanted: LiveOptions, chosen: Filter) -> Listener:
        from dissector.fleet.service import journal_behind

        out = sys.stderr if wanted.to_stdout else sys.stdout
        journal = journal_behind(out, os.environ)
        if journal is not None:
            from dissector.render.live.journal import JournalView

            return JournalView(journal.send, self.mask, chosen, log=wanted.log)
        from dissector.render.live.plain import PlainView
        from dissector.render.terminal import Terminal

        return PlainView(Terminal(out, wanted.color), self.mask, chosen, log=wanted.log)

    @property
    def fills_screen(self) -> bool:
        return self._screen is not None

    def preload(self) -> None:
        if self._screen is not None:
            self._screen.rehearse()

    def recorder(self, writer: CaptureWriter | None) -> Recorder | None:
        """What gets every packet: the file, and the newest packets where somebody may still want some of them."""
        if self.recent is None:
            return writer
        self.recent.following = writer
        return self.recent

    def follow(self, monitor: Monitor) -> None:
        """Until the end of the capture, or of the screen."""
        if self._screen is None or self.recent is None:
            monitor.run()
            return
        left = threading.Event()

        def capture() -> None:
            monitor.run()
            if not left.wait(_SCREEN_END):  # the terminal is closed or stuck: the screen will never end by itself
                os._exit(BAD_INPUT if monitor.error is not None else 0)

        thread = threading.Thread(target=capture, name="capture")
        thread.start()
        try:
            self._screen.run(_Control(monitor, self.recent, self.who))
        finally:
            left.set()
            monitor.stop()
            thread.join()
        for line in self._screen.summary([monitor.source.info]):
            print(line)


class _Control:
    """What the screen may ask of the capture (``view.control.Control``)."""

    is_growing = True

    def __init__(self, monitor: Monitor, recent: Recent, who: UserAccount | None) -> None:
        self._who = who
        self._monitor = monitor
        self._recent = recent
        self.lock = monitor.lock

    @property
    def over(self) -> bool:
        return self._monitor.over

    @property
    def infos(self) -> list[CaptureInfo]:
        return [self._monitor.source.info]

    def status(self) -> Status:
        from dissector.view.store import Status

        monitor = self._monitor
        return Status(monitor.source.info.file, monitor.source.info.packets, monitor.dropped, monitor.seconds)

    def save(self, _task: Task, connections: Iterable[Connection], path: str) -> str:
        from dissector.numbers import count
        from dissector.sources.privileges import explained

        with self.lock, explained(self._who):
            packets, whole = self._recent.save(path, connections)
        lost = "" if whole else "; earlier ones are no longer in memory"
        return f"{count(packets, 'packet')} in {path}{lost}"

    def recall(self, task: Task, connections: Iterable[Connection]) -> list[Message | Exchange] | None:  # noqa: ARG002  a control's shape
        """What is over is over."""
        return None
