"""Records as tables of pandas, and what they look like as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dissector.errors import ToolError
from dissector.render import schema as of_contract
from jstrace.records import Capture, Connection, Exchange, Json, Message, Problem, Task

if TYPE_CHECKING:
    import pandas

_TIMES = ("time", "start", "end", "first", "last")
#: Values that come from the wire, of any form.
_BODIES = ("request", "response")


def to_dataframe(records: Iterable[Task | Connection | Problem | Message | Exchange | Capture]) -> pandas.DataFrame:
    """A row for each record, in their order; columns are the contract's keys, of objects within with a dot.

    Times are ``datetime64`` in UTC, durations seconds (float); lists, and bodies of exchanges, stay what they are.
    Without a record there is no column.

    :raises ToolError: pandas is not installed

    >>> table = jstrace.to_dataframe(jstrace.trace("captures/engine_ten_tasks.pcap"))
    >>> table[["n", "job", "outcome", "remote.port"]].tail(2).values.tolist()
    [[9, 'shell_long', 'success', 4455], [10, 'shell_long', 'success', 4455]]
    """
    try:
        import pandas
    except ImportError:
        raise ToolError("to_dataframe needs pandas, which is not installed: pip install pandas") from None
    table = pandas.DataFrame([dict(_flat(json.loads(record.to_json()))) for record in records])
    # An object that is not there leaves its key where others have the keys inside.
    inside = {name.rpartition(".")[0] for name in table}
    table = table.drop(columns=[name for name in table if name in inside])
    for name in _TIMES:
        if name in table:
            table[name] = pandas.to_datetime(table[name], utc=True, format="ISO8601")
    return table


def _flat(record: dict[str, Json], before: str = "") -> Iterator[tuple[str, Json]]:
    for key, value in record.items():
        if isinstance(value, dict) and key not in _BODIES:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def schema() -> dict[str, Json]:
    """The JSON Schema (draft 2020-12) of the contract, as ``jstrace schema`` prints it.

    >>> jstrace.schema()["title"]
    'jstrace/1'
    """
    made: dict[str, Json] = of_contract.schema()
    return made
