"""Captures in which one thing grows, as somebody makes them who wants jstrace to stand still.

Each function of ``tasks``, ``talks`` and ``agents`` gives the packets of ``n`` such things, each of ``files`` the bytes
of a file; ``written`` makes the file.  Time and memory must grow no faster than the file, whatever grows: see
``growing`` for how that is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.attacks import agents, files, talks, tasks
from benchmarks.attacks.lines import Packets
from benchmarks.inputs import write

SHAPES: dict[str, Callable[[int], Packets]] = {
    shape.__name__.replace("_", " "): shape
    for shape in (
        *(tasks.open_tasks, tasks.closing_tasks, tasks.starts_on_one_connection, tasks.starts_without_answer),
        *(tasks.starts_for_one_port, tasks.calls_elsewhere, tasks.calls_to_one_port, tasks.answers_alone),
        *(tasks.closes_alone, tasks.silent_then_starts, tasks.unanswered_syns, tasks.half_open),
        *(talks.pending_commands, talks.log_lines, talks.plain_log_lines, talks.line_of_secrets),
        *(talks.line_of_addresses, talks.objects, talks.names),
        *(talks.calls_without_answer, talks.problems, talks.gaps, talks.early_segments, talks.covered_segments),
        *(talks.fragments, talks.small_segments, talks.http_chunks),
        *agents.SHAPES,
    )
}
FILES: dict[str, Callable[[int], bytes]] = {
    shape.__name__.replace("_", " "): shape
    for shape in (files.known_interfaces, files.unknown_interfaces, files.many_link_types)
}


def written(path: Path, shape: str, n: int) -> Path:
    """The capture of ``n`` things of a shape."""
    if shape in SHAPES:
        write(path, SHAPES[shape](n))
    else:
        path.write_bytes(FILES[shape](n))
    return path
