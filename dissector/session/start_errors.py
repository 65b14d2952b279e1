"""What an ERROR answer to the start command means, and what to change: its code decides.

The codes are those that the engine can give there; words between braces are filled in (``{client}``, ``{remote}``).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dissector.wire.control import XmlError
from dissector.wire.names import error_code


class Advice(NamedTuple):
    cause: str
    remedy: str


_CODE = re.compile(r"XML-ERROR|[A-Z][A-Z0-9]*(?:-[A-Z]+)*-[0-9A-F]+\b")
_RESOURCES = Advice(
    "the remote host has no memory or no process left for another task",
    "look at the memory and at the limits of processes on {remote_ip}; run fewer tasks there at a time",
)
_FILES = Advice(
    "the remote scheduler could not open or run a file: its installation, its permissions or its temporary folder",
    "look at the file that the error names on {remote_ip}, and at the permissions of the scheduler's user",
)
_XML = Advice(
    "the remote scheduler does not accept the XML of the command: the releases of the two schedulers do not fit",
    "use the same release on {client} and {remote_ip}; see the command with --messages",
)
_COMMAND = Advice(
    "the scheduler at {remote} does not know this command or does not take it on this port",
    "check that {remote} is the TCP port of a JobScheduler of release 1.3 to 1.9",
)
_EXACT = {
    "SCHEDULER-121": Advice(
        "the allowed_host entry for {client} at the remote scheduler has a level below all "
        "(later releases say the same while they wait for their database)",
        'set <allowed_host host="{client}" level="all"/> in the configuration of the remote scheduler on {remote_ip}',
    ),
    "SCHEDULER-717": Advice(
        "the licence keys of the remote scheduler do not allow remote commands",
        "add a licence key that allows them to the remote scheduler on {remote_ip}",
    ),
    "SCHEDULER-381": Advice(
        "the remote scheduler is not active yet: it is still starting, or it is the inactive member of a cluster",
        "wait until it is active; send tasks to the active member of a cluster",
    ),
    "SCHEDULER-210": Advice(
        "the remote scheduler already runs as many processes as it can",
        "start fewer tasks on {remote_ip} at a time: lower max_processes of the process class",
    ),
    "SCHEDULER-361": Advice(
        "the remote scheduler has no connection to its database",
        "look at the database of the remote scheduler on {remote_ip}",
    ),
    **dict.fromkeys(("SCHEDULER-105", "SCHEDULER-222", "SCHEDULER-319", "SCHEDULER-353"), _COMMAND),
    **dict.fromkeys(("ERRNO-11", "ERRNO-12", "ERRNO-23", "ERRNO-24"), _RESOURCES),
    **dict.fromkeys(("MSWIN-8", "MSWIN-E", "MSWIN-5AA", "MSWIN-5AF", "MSWIN-718"), _RESOURCES),
    **dict.fromkeys(("ERRNO-2", "ERRNO-8", "ERRNO-13", "ERRNO-20", "ERRNO-28", "ERRNO-30"), _FILES),
    **dict.fromkeys(("MSWIN-2", "MSWIN-3", "MSWIN-5", "MSWIN-70"), _FILES),
}


def code_of(error: XmlError) -> str:
    """The code of an error: its attribute, else what its text begins with; empty when there is none."""
    found = _CODE.match(error.text.lstrip())
    return error.code or (found.group() if found else "")


def advice(error: XmlError, client: str, remote: str, remote_ip: str) -> Advice:
    """Cause and remedy; ``remote`` is the remote's address with its port."""
    code = code_of(error)
    found = _EXACT.get(_without_zeros(code))
    if found is None and _is_xml(code):
        found = _XML
    if found is None and (info := error_code(code)) is not None:
        found = Advice(f"{info.title}: {info.meaning}", info.look_for)
    if found is None:
        cause = f"the remote scheduler could not start the task; {code or 'the text of its error'} says why"
        return Advice(cause, f"see the log of the remote scheduler on {remote_ip} at that time")
    words = {"client": client, "remote": remote, "remote_ip": remote_ip}
    return Advice(*(_filled(text, words) for text in found))


def _without_zeros(code: str) -> str:
    """Windows codes are eight hexadecimal digits."""
    return re.sub(r"-0+(?=.)", "-", code)


def _is_xml(code: str) -> bool:
    return re.match(r"(LIB|MS)?XML\d*-", code) is not None


def _filled(text: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        text = text.replace("{" + name + "}", word)
    return text
