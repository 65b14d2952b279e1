"""The task table that the plugin prints at the end, as rows.

Columns are aligned by characters, and a job's name can hold anything, so what stands behind it is found by the place
of its heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dissector.errors import ToolError
from dissector.verify.records import Row

_FRONT = re.compile(r" *(\d+) +(\d+) ")
_BACK = re.compile(r"(exit -?\d+|[a-z_]+) +(\d+\+\d+) +(\d+)(?: |$)")


def rows(text: str) -> Iterator[Row]:
    """The rows in the order of the table; none where there is no table.

    :raises ToolError: a line is none of a table
    """
    headings, *lines = text.splitlines() or [""]
    place = headings.find(" outcome ") + 1
    for line in lines:
        front, back = _FRONT.match(line), _BACK.match(line, place)
        if not place or front is None or back is None:
            raise ToolError(f"no line of a task table: {line}")
        yield Row(int(front[1]), int(front[2]), back[1], back[2], back[3])
