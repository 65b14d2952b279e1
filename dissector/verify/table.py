"""The task table that the plugin prints at the end, as rows, and the problems behind it.

Columns are aligned by characters, and a job's name can hold anything, so what stands behind it is found by the place
of its heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissector.errors import ToolError
from dissector.verify.records import Found, Row

_FRONT = re.compile(r" *(\d+) +(\d+) ")
_BACK = re.compile(r"(exit -?\d+|[a-z_]+) +(\d+\+\d+) +(\d+)(?: |$)")
_INDENT = 4
_PROBLEM = re.compile(r"task (\d+)  ([a-z]+)  (\w+)  packets ([\d,]+|-)")
_WORDS = re.compile(r" {4}(cause|remedy): (.*)")


def rows(text: str) -> Iterator[Row | Found]:
    """The rows in the order of the table, then the problems behind it; none where there is no table.

    :raises ToolError: a line is none of a table
    """
    headings, *lines = text.splitlines() or [""]
    place = headings.find(" outcome ") + 1
    end = lines.index("") if "" in lines else len(lines)
    for line in lines[:end]:
        front, back = _FRONT.match(line), _BACK.match(line, place)
        if not place or front is None or back is None:
            raise ToolError(f"no line of a task table: {line}")
        yield Row(int(front[1]), int(front[2]), back[1], back[2], back[3])
    yield from _problems(lines[end + 1 :])


def _problems(lines: list[str]) -> Iterator[Found]:
    found: Found | None = None
    for line in lines:
        head, words = _PROBLEM.fullmatch(line), _WORDS.fullmatch(line)
        if head is not None:
            if found is not None:
                yield found
            packets = () if head[4] == "-" else tuple(map(int, head[4].split(",")))
            found = Found(int(head[1]), head[3], head[2], packets)
        elif found is not None and not found.summary:
            found = found._replace(summary=line[_INDENT:])
        elif found is not None and words is not None:
            found = found._replace(cause=words[2]) if words[1] == "cause" else found._replace(remedy=words[2])
        else:
            raise ToolError(f"no line of a problem: {line}")
    if found is not None:
        yield found
