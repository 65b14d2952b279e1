"""Every problem code: how bad it is, what it means, why it happens and what to do.

One table serves the problems of a trace and ``explain``.  ``cause`` and ``remedy`` are format strings over the evidence
that a rule gives (``{port}``, ``{client}``, ``{remote}``); a rule that knows better brings its own words.
"""

from __future__ import annotations

from dissector.model import Severity
from dissector.ports import COMMANDS_TEXT
from dissector.session.agent_codes import AGENT_CODES
from dissector.session.capture_codes import CAPTURE_CODES, Code
from dissector.session.point_codes import POINT_CODES
from dissector.session.tls_codes import TLS_CODES

_INFO, _WARNING, _ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR


_Z118 = ("Z-REMOTE-118", "SCHEDULER-280")
_LOST = ("Z-REMOTE-101", "SCHEDULER-202", "SCHEDULER-280")

CODES: dict[str, Code] = {
    "command_unanswered": Code(
        _ERROR,
        "Nobody answers on the remote scheduler's port.",
        "the remote host is down or unreachable, the address is wrong, or a firewall drops packets to {remote}",
        "check that the remote runs and that {remote} can be reached from {client}; open that port in the firewall",
        (*_Z118, "SCHEDULER-224"),
    ),
    "command_refused": Code(
        _ERROR,
        "The connection to the remote scheduler's port was refused.",
        "no scheduler listens on {remote}, or a device in between rejects the connection",
        "start the remote scheduler, or correct host and port of the process class; check the firewall's reject rules",
        ("ERRNO-111", "ERRNO-113", *_Z118),
    ),
    "command_rejected": Code(
        _ERROR,
        "The remote scheduler accepted the connection and closed it without a byte.",
        "the client {client} is not in the remote's allowed_host list (or only with level none or signal)",
        'add <allowed_host host="{client}" level="all"/> to the remote scheduler\'s configuration',
        ("SCHEDULER-287 (at the remote)", "SCHEDULER-224", *_Z118),
    ),
    "start_error": Code(
        _ERROR,
        "The remote scheduler answered the start command with an error.",
        "the error's code decides: SCHEDULER-121 is a level below all in allowed_host, SCHEDULER-717 a licence",
        "see the error's code and text, and jstrace explain CODE",
        ("SCHEDULER-121 (at the remote)", "SCHEDULER-717 (at the remote)", "SCHEDULER-223", *_Z118),
    ),
    "start_cut": Code(
        _ERROR,
        "The command connection ended before the start was answered.",
        "the remote scheduler ended before it answered, or a device in between reset the connection",
        "see why the remote scheduler ended; look at the firewalls between the schedulers",
        ("SCHEDULER-224", *_Z118),
    ),
    "syn_ack_lost": Code(
        _ERROR,
        "The answer to a SYN never arrives: the connection is not opened.",
        "the path back is broken: a firewall that drops, or a wrong route",
        "look at the firewalls and routes of the direction in which the SYN+ACK goes",
        (*_Z118, "ERRNO-110 (debug log)"),
    ),
    "unused_connections": Code(
        _INFO,
        "Connections to a command port were opened and closed without a byte.",
        "health checks, monitoring or a port scan: a scheduler sends its command at once",
        "nothing to do; a host that checks the remote and is not in its allowed_host list makes SCHEDULER-287 there",
    ),
    "connection_flood": Code(
        _WARNING,
        "Very many connections to command ports got no answer.",
        "a port scan or a flood; each of the first ones is shown as a task of its own",
        "find out who sends them; name only the true command ports with --command-port",
    ),
    "limit_reached": Code(
        _WARNING,
        "There was more of something than jstrace keeps.",
        "a flood, or an attack on whoever reads the capture; what is kept is bounded, so that memory is",
        "read a part of the capture: some minutes of it, or some hosts; jstrace read --help names the limits",
    ),
    "callback_dropped": Code(
        _ERROR,
        "The task process calls back and nobody answers.",
        "a firewall drops the SYNs from the remote to {client}:{port}",
        "let new TCP connections from the remote through to the client's ports 59999 and lower",
        (*_Z118, "ERRNO-110 (at the remote, debug log)"),
    ),
    "callback_refused": Code(
        _ERROR,
        "The callback connection was refused.",
        "a firewall rejects the SYNs to {client}:{port}, or the client does not listen there any more",
        "let new TCP connections from the remote through to the client's ports 59999 and lower",
        (*_Z118, "ERRNO-111 or ERRNO-113 (at the remote, debug log)"),
    ),
    "callback_elsewhere": Code(
        _ERROR,
        "The callback goes to another address or port than the announced one.",
        "an address translation (NAT) between client and remote changes the client's address or port",
        "forward the ports 59999 and lower unchanged to the client, or connect both without NAT",
        _Z118,
    ),
    "callback_late": Code(
        _ERROR,
        "The callback came after the client had given up.",
        "the task process took longer than 60 s to start or to get through (overload, slow Java start, lost SYNs)",
        "look at the remote's load at that time; if its SYNs were not answered earlier, at the firewall",
        _Z118,
    ),
    "callback_missing": Code(
        _ERROR,
        "No callback connection came.",
        "the task process ended at its start, calls another address (NAT, several interfaces), "
        "or its SYNs do not pass this capture point",
        "capture at the remote as well; see the remote scheduler's log, and look for a firewall between there and here",
        _Z118,
    ),
    "slow_start": Code(
        _INFO,
        "The callback came late, but in time.",
        "the remote scheduler or the start of the task process was slow",
        "look at the remote's load; after 60 s the client gives up",
    ),
    "path_mtu": Code(
        _ERROR,
        "Large segments do not get through while small ones do.",
        "a link on the path has a smaller MTU, and the ICMP message that would say so is filtered (a black hole)",
        "let ICMP 'fragmentation needed' through, or lower the MTU (or clamp the MSS) at both ends",
        ("SCHEDULER-202", "often nothing at all"),
    ),
    "callback_other_address": Code(
        _INFO,
        "The callback comes from another address than the remote scheduler's.",
        "the remote has several addresses or is behind a translation; the engine accepts that",
        "nothing to do; a firewall must let both addresses through to the client",
    ),
    "callback_foreign_bytes": Code(
        _ERROR,
        "Somebody else connected to the announced port.",
        "a port scanner or another program took the only connection that the client accepts",
        "keep scanners away from the client's ports 59999 and lower",
        ("Z-REMOTE-115", "Z-REMOTE-101", "SCHEDULER-280"),
    ),
    "connection_lost": Code(
        _ERROR,
        "The callback connection ended before the task did.",
        "the task process or one of the schedulers ended, the network failed, or a device reset the connection",
        "see who ended the connection, and look at that host",
        _LOST,
    ),
    "idle_connection_cut": Code(
        _ERROR,
        "The callback connection was cut after a long silence.",
        "a firewall or translation between the schedulers forgot the idle connection",
        "raise the idle timeout of that device above the longest silence of a job, "
        "or let the job write a line now and then; releases 1.9.4 and later can send keep-alives",
        (*_LOST, "often nothing at all"),
    ),
    "command_lost_first": Code(
        _ERROR,
        "The command connection ended while the task was running.",
        "a scheduler ended it, or a device in between; the remote then kills the task's process",
        "find who ended the command connection; idle timeouts of firewalls apply to it as well",
        ("SCHEDULER-850 (at the remote)", "SCHEDULER-279"),
    ),
    "task_killed": Code(
        _WARNING,
        "The client asked the remote to kill the task.",
        "an operator, a timeout, or the end of the client scheduler",
        "see the client's log for who killed the task",
        ("SCHEDULER-279", "Z-REMOTE-122"),
    ),
    "job_failed": Code(
        _ERROR,
        "The job failed by itself.",
        "the job itself: its connections ended in order",
        "read the task's log: --log",
        ("SCHEDULER-280", "SCHEDULER-279"),
    ),
    "error_answer": Code(
        _ERROR,
        "A call of the client was answered with an error.",
        "the job or its module threw an error",
        "see the error's text; for a missing class or script the job's configuration",
        ("SCHEDULER-202",),
    ),
    "call_failed": Code(
        _INFO,
        "A call of the job to the scheduler failed.",
        "the job called a method or property with something that the scheduler could not do",
        "see the error's text; the job may have handled it",
    ),
    "slow_call": Code(
        _INFO,
        "A call took long.",
        "whoever had to answer was busy",
        "see the ladder for what happened meanwhile",
    ),
    "slow_network": Code(
        _INFO,
        "The network between the schedulers took most of the time.",
        "every call waits for one trip there and back, and the path is long",
        "let the job call the scheduler less often (fewer log lines and parameters one by one), or shorten the path",
    ),
    "slow_job": Code(
        _INFO,
        "The job itself took most of a long time.",
        "the job itself: neither the network nor the schedulers",
        "look into the job",
    ),
    "open_call": Code(
        _WARNING,
        "A call is still without an answer at the end.",
        "the other end is still busy, hangs, or its answer was not captured",
        "see who has to answer, and whether segments are unacknowledged",
    ),
    "retransmissions": Code(
        _INFO,
        "Segments were retransmitted.",
        "packets are lost on the path between the schedulers",
        "if it happens often, look for an overloaded or faulty link",
    ),
    "zero_window": Code(
        _WARNING,
        "A receiver announced a zero window: its buffer is full.",
        "its program does not read: it is busy, stopped or overloaded",
        "look at the load of the end that closed its window",
    ),
    "port_range_low": Code(
        _INFO,
        "The announced callback port is far below 59999.",
        "many tasks run at the same time, or ports are not released",
        "check that the firewall's range reaches down to this port",
    ),
    "gap": Code(
        _WARNING,
        "Bytes of the connection are missing in the capture.",
        "the capture lost packets: the receiver has acknowledged them",
        "capture with a larger buffer (tcpdump -B) or a filter; what was decoded around the gap is right",
    ),
    "mid_stream": Code(
        _INFO,
        "The capture begins in the middle of the connection.",
        "the capture was started after the connection",
        "names of objects may be unknown; start the capture before the task to see all",
    ),
    "one_direction": Code(
        _WARNING,
        "Only one direction of the connection was captured.",
        "asymmetric routing or a mirror port of one direction",
        "capture at one of the two hosts",
    ),
    "undecoded_frame": Code(
        _WARNING,
        "A message does not follow the protocol.",
        "a damaged stream, another protocol, or a release that is not known here",
        "see its bytes with --bytes",
        ("Z-REMOTE-106", "Z-REMOTE-107", "Z-REMOTE-109"),
    ),
    "odd_number": Code(
        _INFO,
        "A number in a message is not valid.",
        "the sender is no JobScheduler, or somebody probes the parser",
        "see the text with -v or --bytes; jstrace treats the number as unknown",
    ),
    "out_of_turn": Code(
        _INFO,
        "What was said about a task does not follow from what was said before.",
        "the client is no engine, or goes on about a task that is over; or several tasks are taken for one",
        "see who sends it; the task is judged without it",
    ),
    "trailing_bytes": Code(
        _WARNING,
        "A message has bytes left over behind its end.",
        "a release that sends more than is known here",
        "see its bytes with --bytes",
    ),
    "impossible_length": Code(
        _WARNING,
        "A length header is larger than any message can be.",
        "another protocol on this port, or a damaged stream",
        "see who sent it",
        ("Z-REMOTE-115",),
    ),
    "snap_length": Code(
        _WARNING,
        "Packets were cut off when they were captured.",
        "the capture's snap length is too small",
        "capture with full packets (tcpdump -s 0)",
    ),
    "packets_dropped": Code(
        _WARNING,
        "The kernel dropped packets before they could be captured.",
        "this machine was too busy to read them in time",
        "narrow the capture with --filter-bpf, or capture with dumpcap and read the file afterwards",
    ),
    "file_skipped": Code(
        _WARNING,
        "One of several files could not be read.",
        "the file is empty, is no capture, has vanished, or is not readable",
        "see what became of it; the other files were read",
    ),
    "packets_skipped": Code(
        _INFO,
        "Packets of link types without IP were passed over.",
        "interfaces without IP (USB, Bluetooth, ...) were captured as well",
        "nothing to do, unless the tasks are there: then capture on an interface with IP",
    ),
    "capture_truncated": Code(
        _WARNING,
        "The capture file ends in the middle of a record.",
        "the capture was interrupted or the disk was full",
        "what comes before was traced",
    ),
    "clock_backwards": Code(
        _WARNING,
        "The capture's clock goes backwards.",
        "the clock was set, or files are in the wrong order",
        "durations around that time are not reliable",
    ),
    "ip_fragment": Code(
        _WARNING,
        "Fragments of IP datagrams with TCP are missing.",
        "fragments were lost, or took another path; the bytes of their datagrams count as missing",
        "check the path MTU between the schedulers",
    ),
    "command_not_captured": Code(
        _INFO,
        "The command connection of this task was not captured.",
        "the capture's filter or place does not show it",
        f"capture the remote's port (usually one of {COMMANDS_TEXT}) as well",
    ),
    "pair_unclear": Code(
        _INFO,
        "It is unclear which start this callback connection belongs to.",
        "start commands are missing in the capture, and more than one task fits",
        "start the capture before the tasks, and capture both directions with full packets (tcpdump -s 0)",
    ),
    "duplicates": Code(
        _INFO,
        "Connections are in the capture twice, with other addresses.",
        "the capture was taken on a gateway that translates addresses, on both of its legs",
        "nothing to do; a capture of one interface alone shows each connection once",
    ),
    "command_unreadable": Code(
        _INFO,
        "The start command of this task could not be read.",
        "the capture has the command connection, but not all of its bytes",
        "capture both directions with full packets (tcpdump -s 0), and start the capture before the task",
    ),
    "callback_not_captured": Code(
        _INFO,
        "The callback connection of this task was not captured.",
        "the capture's filter or place does not show it",
        "capture the ports 59999 and lower of the client as well",
    ),
    **AGENT_CODES,
    **CAPTURE_CODES,
    **TLS_CODES,
    **POINT_CODES,
}
