"""The line at the top: what is looked at, how many tasks, how far it is."""

from __future__ import annotations

from dissector.numbers import count
from dissector.render.terminal import clip
from dissector.render.text import duration, escape, size
from dissector.render.times import zone
from dissector.view.store import Status

_CELLS = 10
#: Cells for the names of files.
_NAMES = 40


def top_line(status: Status, counts: tuple[int, int], failed: int, now: int, width: int, *, paused: bool) -> str:
    """``counts``: tasks under way, tasks that ended; ``failed`` of the latter.  What tells least is left out first."""
    running, ended = counts
    if status.seconds is not None:
        words = [escape(status.source), f"{running} running, {ended} ended", count(status.packets, "packet")]
        words += [f"{status.dropped or 0} dropped", duration(int(status.seconds) * 10**9)]
    else:
        name = clip(escape(status.source), min(_NAMES, max(width // 3, 8)))
        tasks = count(running + ended, "task")
        tasks += f", {failed} failed" if failed else ""
        words = [name, tasks, *_progress(status), count(status.packets, "packet")]
    words += [zone(now)] if now else []
    if paused:
        words.insert(0, "PAUSED")
    elif len(_line(["jstrace", *words])) <= width:
        words.insert(0, "jstrace")
    while status.seconds is None and len(_line(words)) > width and len(words) > 2:
        words.pop()
    return _line(words)


def _line(words: list[str]) -> str:
    return " " + "  ".join(words)


def _progress(status: Status) -> list[str]:
    """A bar while it is read, as far as it is known how much there is."""
    if status.done is None:
        return []
    if not status.total:
        return [f"reading, {size(status.done)}"]
    part = min(status.done / status.total, 1.0)
    full = round(part * _CELLS)
    return [f"reading {'█' * full}{'░' * (_CELLS - full)} {part:.0%}"]
