"""What is copied or saved of what is seen: display filters, tshark commands, files of one task."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import TextIO

from dissector.model import CaptureInfo, Connection, Endpoint, Event, Message, Task
from dissector.numbers import count
from dissector.outfile import OutFile, check_output, refuse_existing
from dissector.render.terminal import Terminal
from dissector.render.views import View
from dissector.wire.masking import Mask

#: Bytes that terminals take for their clipboard at once.
MOST_COPIED = 74_000


def display_filter(task: Task, connections: Iterable[Connection]) -> str:
    """Shows the packets of a task in Wireshark, with its plugin or without."""
    pairs = {_connection(one): None for one in connections}
    if not pairs:
        return f"frame.number == {task.first_packet}"
    last = max(one.last_packet for one in connections) if isinstance(connections, Sequence) else 0
    first = f"frame.number >= {task.first_packet}" + (f" && frame.number <= {last}" if last else "")
    return f"{first} && ({' || '.join(pairs)})"


def _connection(one: Connection) -> str:
    return f"({_end(one.client)} && {_end(one.server)})"


def _end(end: Endpoint) -> str:
    name = "ipv6.addr" if ":" in end.ip else "ip.addr"
    return f"{name} == {end.ip} && tcp.port == {end.port}"


def packet_filter(packets: Iterable[int]) -> str:
    """Shows these packets."""
    return f"frame.number in {{{', '.join(map(str, sorted(set(packets))))}}}"


def tshark_command(infos: Sequence[CaptureInfo], is_growing: bool, expression: str) -> str:
    """Prints what a display filter lets through; of several files for each of them."""
    if is_growing:
        sources = " ".join(f"-i {shlex.quote(name.strip())}" for info in infos for name in info.file.split(","))
        return f"tshark {sources} -Y {shlex.quote(expression)}"
    files = [f"tshark -r {shlex.quote(info.file)} -Y {shlex.quote(expression)}" for info in infos]
    return "; ".join(files)


# --- files of one task ---------------------------------------------------------------------------------------------


def _json(out: TextIO, mask: Mask) -> View:
    from dissector.render.json import JsonView
    from dissector.render.records import Records

    return JsonView(out, Records(mask), messages=True)


def _markdown(out: TextIO, mask: Mask) -> View:
    from dissector.render.markdown import MarkdownView

    return MarkdownView(Terminal(out, "never"), mask, whole=True, full=True)


def _ladder(out: TextIO, mask: Mask) -> View:
    from dissector.render.ladder import LadderView

    return LadderView(Terminal(out, "never"), mask, full=True)


def _report(out: TextIO, mask: Mask) -> View:
    from dissector.render.report.view import ReportView

    return ReportView(out.write, mask, chosen=True)


#: By the endings of names: what writes a task's events in another form than its packets.
_VIEWS: dict[str, Callable[[TextIO, Mask], View]] = {
    ".json": _json,
    ".md": _markdown,
    ".txt": _ladder,
    ".html": _report,
}


def is_of_records(path: str) -> bool:
    """True for names that do not ask for packets."""
    return Path(path).suffix.lower() in _VIEWS


def save_records(events: Iterable[Event], infos: Sequence[CaptureInfo], mask: Mask, path: str) -> str:
    """Writes a task's events in the form that the name asks for; what to say of it.

    :raises UsageError: there is such a file already
    :raises CaptureError: it can not be written
    """
    check_output(path)
    refuse_existing(path)
    out = StringIO()
    view = _VIEWS[Path(path).suffix.lower()](out, mask)
    messages = 0
    for event in events:
        view.add(event)
        messages += isinstance(event, Message)
    view.close(infos)
    with OutFile(path) as file:
        file.write(out.getvalue().encode("utf-8"))
        file.commit()
    return f"{count(messages, 'message')} in {path}"
