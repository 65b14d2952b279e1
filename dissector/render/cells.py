"""Tables of cells, fit to any width by leaving out what tells least; that of tasks among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dissector.render.rows import COLUMNS, Column, TaskRow
from dissector.render.terminal import StyledText, Terminal, clip
from dissector.render.theme import OUTCOME_STYLES, SEVERITY_STYLES

_GAP = 2


def print_table(terminal: Terminal, rows: Iterable[TaskRow]) -> None:
    """``rows`` are gone through twice."""
    print_cells(terminal, COLUMNS, (row.cells for row in rows), _told(terminal, rows))


def _told(terminal: Terminal, rows: Iterable[TaskRow]) -> Iterator[dict[str, StyledText]]:
    for row in rows:
        terminal.about(row)
        yield _styled(row)
    terminal.about(None)


def print_cells(
    terminal: Terminal,
    columns: Sequence[Column],
    texts: Iterable[Mapping[str, str]],
    rows: Iterable[Mapping[str, StyledText]],
) -> None:
    """Any table: cells by the keys of columns, as plain texts to measure, then as they are drawn."""
    widths = column_widths(columns, widest(columns, texts), terminal.width if terminal.fixed else None)
    terminal.line((" ", ""), *_line(widths, {column.key: (column.heading, "heading") for column in widths}))
    for row in rows:
        terminal.line((" ", ""), *_line(widths, row))


def row_spans(widths: dict[Column, int], row: TaskRow) -> list[StyledText]:
    """One line of the table of tasks."""
    return [(" ", ""), *_line(widths, _styled(row))]


def heading_spans(widths: dict[Column, int], sort: str, mark: str) -> list[StyledText]:
    """The headings of the table of tasks, with a ``mark`` at that of the column ``sort``."""
    marks = {column.key: mark if column.key == sort else "" for column in widths}
    cells = {
        one.key: (marks[one.key] + one.heading if one.right else one.heading + marks[one.key], "heading")
        for one in widths
    }
    return [(" ", ""), *_line(widths, cells)]


def column_at(widths: dict[Column, int], cell: int) -> str | None:
    """The key of the column that a cell of a line belongs to."""
    end = 1
    for column, width in widths.items():
        end += width + _GAP
        if cell < end:
            return column.key
    return None


def _styled(row: TaskRow) -> dict[str, StyledText]:
    return {column.key: (row.cells.get(column.key, ""), _style(row, column)) for column in COLUMNS}


def _style(row: TaskRow, column: Column) -> str:
    if column.key == "outcome":
        return OUTCOME_STYLES[row.outcome]
    if column.key == "problems" and row.worst is not None:
        return SEVERITY_STYLES[row.worst]
    return "title" if column.key in ("n", "job") else ""


def _line(widths: dict[Column, int], cells: Mapping[str, StyledText]) -> list[StyledText]:
    spans: list[StyledText] = []
    for column, width in widths.items():
        text, style = cells[column.key]
        text = clip(text, width)
        spans.append((text.rjust(width) if column.right else text.ljust(width), style))
        spans.append((" " * _GAP, ""))
    return spans[:-1]


def widest(columns: Sequence[Column], rows: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """How many cells the longest text of each column takes."""
    found = dict.fromkeys((column.key for column in columns), 0)
    for cells in rows:
        for key, text in cells.items():
            if len(text) > found[key]:
                found[key] = len(text)
    return found


def column_widths(columns: Sequence[Column], needed: Mapping[str, int], width: int | None) -> dict[Column, int]:
    """The columns that fit into ``width`` cells (None: all, unshortened) and how wide each is; ``needed`` are cells by
    the columns' keys.

    Columns that are empty in every row are left out.  Shortening comes before leaving out.
    """
    natural = {column: max(len(column.heading), needed[column.key]) for column in columns if needed[column.key]}
    if width is None:
        return natural
    while (missing := _total(natural) - width) > 0:
        slack = {column: natural[column] - column.least for column in natural if column.least < natural[column]}
        slack = {column: cells for column, cells in slack.items() if column.least}
        if sum(slack.values()) >= missing or all(column.rank == 0 for column in natural):
            return _shorten(natural, slack, missing)
        del natural[max(natural, key=lambda column: column.rank)]
    return natural


def _total(widths: dict[Column, int]) -> int:
    return 1 + sum(widths.values()) + _GAP * (len(widths) - 1)


def _shorten(widths: dict[Column, int], slack: dict[Column, int], missing: int) -> dict[Column, int]:
    """Take ``missing`` cells where most is left; where that is not enough, from the widest column."""
    widths, slack = dict(widths), dict(slack)
    for _ in range(missing):
        if any(slack.values()):
            column = max(slack, key=lambda one: slack[one])
            slack[column] -= 1
        else:
            column = max(widths, key=lambda one: widths[one])
        widths[column] = max(widths[column] - 1, 1)
    return widths
