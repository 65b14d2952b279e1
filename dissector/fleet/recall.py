"""A task of a dataset in its original packets."""

from __future__ import annotations

from typing import NamedTuple

from dissector.errors import UsageError
from dissector.fleet.dataset import Dataset
from dissector.fleet.query import Asking
from dissector.fleet.rows import task_id
from dissector.model import Task
from dissector.reading import Reading
from dissector.wire.tls_keys import Secrets


class RecalledTask(NamedTuple):
    """The files that have a task, and its number in them."""

    files: list[str]
    n: int


def recall(
    dataset: Dataset, wanted: str, command_ports: tuple[int, ...], callback_ports: tuple[int, int], secrets: Secrets
) -> RecalledTask:
    """:raises UsageError: there is no such task, or its files are gone, were changed, or do not have it
    :raises CaptureError: a file can not be read
    """
    rows = list(Asking(dataset).answer("SELECT point, files FROM tasks WHERE id = $id", {"id": wanted}).rows)
    if not rows:
        raise UsageError(f"there is no task {wanted}; jstrace query OUT worst lists some")
    point, files = rows[0]
    known = {one.path: one for one in dataset.manifest.captures if one.point == point}
    there = []
    for file in files:
        capture = known.get(file)
        if capture is None or not capture.is_there:
            raise UsageError(f"task {wanted}: its packets were in {file}, which is gone or was changed")
        there.append(file)
    reading = Reading(
        there, command_ports, callback_ports, messages=False, prefetch=False, secrets=secrets, one_stream=True
    )
    tasks = (event for event in reading.events() if isinstance(event, Task))
    found = next((task.n for task in tasks if task_id(point, task) == wanted), None)
    if found is None:
        raise UsageError(f"task {wanted} is not found again in {', '.join(there)}: were other ports or keys given?")
    return RecalledTask(there, found)
