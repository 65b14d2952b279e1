"""Codes of what a capture holds in the place of tasks, where it holds none (see ``overview``)."""

from __future__ import annotations

from typing import NamedTuple

from dissector.model import Severity
from dissector.ports import CAPTURE_FILTER


class Code(NamedTuple):
    """``engine`` lists what the engine itself says in such a case."""

    severity: Severity
    meaning: str
    cause: str
    remedy: str
    engine: tuple[str, ...] = ()


_INFO, _WARNING = Severity.INFO, Severity.WARNING

CAPTURE_CODES: dict[str, Code] = {
    "nothing_captured": Code(
        _WARNING,
        "The capture has no packet.",
        "nothing reached this host or interface while it was captured, or the capture filter let nothing through",
        f"capture at the client, on all its interfaces (tcpdump -i any), with the filter: {CAPTURE_FILTER}",
    ),
    "no_tcp": Code(
        _INFO,
        "None of the packets carries TCP.",
        "the capture's filter or place does not show the schedulers' connections",
        f"capture at the client or at the remote with the filter: {CAPTURE_FILTER}",
    ),
    "unanswered_elsewhere": Code(
        _INFO,
        "Connections to ports that are not known as command ports were not opened.",
        "nobody answers there, or the connection is refused; it may be a remote scheduler on a port of its own",
        "if one of these ports is a remote scheduler's, name it with --command-port",
    ),
    "callbacks_unanswered": Code(
        _WARNING,
        "Connections to ports where clients wait for callbacks were not opened, and no command was captured.",
        "a firewall drops or rejects task processes that call back, or nobody waits for them any more",
        "capture the remote's command port as well; let new TCP connections from the remote through to these ports",
    ),
    "foreign_protocol": Code(
        _INFO,
        "Connections to a command port carry another protocol.",
        "another program than a remote scheduler listens there",
        "name the true command ports with --command-port",
    ),
    "no_start_command": Code(
        _INFO,
        "Commands were sent to a scheduler, but none that starts a remote task.",
        "no remote task was started meanwhile, or its start is on a connection that was not captured",
        "see what was sent with -v; capture while a job runs on the remote",
    ),
    "tunnelled_unknown": Code(
        _WARNING,
        "Packets are in tunnels that can not be read.",
        "they are encrypted, or the tunnel is of a kind that jstrace does not know",
        "capture behind the tunnel's end, where the packets are as the schedulers send them",
    ),
    "other_traffic": Code(
        _INFO,
        "Nothing in the captured connections is of a JobScheduler.",
        "no task was started meanwhile, or its connections do not pass this place",
        "capture at the client while a job runs on the remote; name ports of your own with --command-port",
    ),
}
