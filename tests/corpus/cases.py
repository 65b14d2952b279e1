"""What is recorded: one ``Case`` a line of ``captures/corpus/README.md``.

Times are seconds after the moment when the client is ready to start its first task.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from netns import CLIENT, REMOTE, REMOTE_SECOND, ROUTER_R, SCANNER


class At(NamedTuple):
    """``line`` runs in a shell on ``host``; ``$CLIENT`` and ``$REMOTE`` are the peers' process ids."""

    seconds: float
    host: str
    line: str


@dataclass(frozen=True)
class Case:
    """``run``: options of both peers (see ``peer``).  ``before`` runs first, ``beside`` is started first and runs on.
    The capture ends ``seconds`` after the start, or when the client is through.  ``impaired`` are options of
    ``slow_wire``, ``dumpcap`` those of the recording, which begins ``late`` seconds after the start."""

    name: str
    done: str
    scenario: str = "shell-job"
    run: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    before: tuple[tuple[str, str], ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    at: tuple[At, ...] = ()
    impaired: str = ""
    dumpcap: tuple[str, ...] = ()
    late: float | None = None
    second_client: bool = False
    no_remote: bool = False
    #: The remote is stopped before the client starts.
    frozen: bool = False


_CALLBACKS = "iifname r oifname c tcp dport 50000-59999"
_COMMANDS = "iifname c oifname r tcp dport 4455"


def _rule(rule: str, chain: str = "forward") -> tuple[str, str]:
    return "router", f"nft 'add rule ip fw {chain} {rule}'"


def _both_ways(port: str) -> str:
    return f"nft 'add rule ip fw forward tcp dport {port} %s; add rule ip fw forward tcp sport {port} %s'"


def _cut(port: str, how: str) -> str:
    return _both_ways(port) % (how, how)


def _conntrack(seconds: int, otherwise: str) -> tuple[tuple[str, str], ...]:
    """A stateful firewall that forgets a connection after so many seconds of silence."""
    prefix = "sysctl -qw net.netfilter.nf_conntrack_tcp_"
    return (
        _rule("ct state established,related accept"),
        _rule(f"{_COMMANDS} tcp flags & (syn|ack) == syn accept"),
        _rule(f"{_CALLBACKS} tcp flags & (syn|ack) == syn accept"),
        _rule(f"meta l4proto tcp {otherwise}"),
        ("router", f"{prefix}timeout_established={seconds} ; {prefix}loose=0"),
    )


def _nat(*rules: str) -> tuple[tuple[str, str], ...]:
    """The client hides behind the router's address; ``rules`` forward ports of it."""
    chains = (
        "add chain ip fw pre { type nat hook prerouting priority -100; }",
        "add chain ip fw post { type nat hook postrouting priority 100; }",
        f"add rule ip fw post oifname r ip saddr {CLIENT} snat to {ROUTER_R}",
        *(f"add rule ip fw pre iifname r ip daddr {ROUTER_R} {rule}" for rule in rules),
    )
    return (("router", f"nft '{'; '.join(chains)}'"),)


def _scanner(what: str) -> tuple[At, ...]:
    return (At(1.0, "scanner", f"$INTRUDER scan {CLIENT} 59999 {what}"),)


def _reset(leg: str, ports: str, seconds: float, toward: str) -> tuple[tuple[str, str], ...]:
    return (("router", f"$INTRUDER reset {leg} {ports} {seconds} {toward}"),)


_INPUT = "add chain ip fw input { type filter hook input priority 0; }"
_SHORT_RETRIES = ("remote", "sysctl -qw net.ipv4.tcp_retries2=5")
_SMALL_MTU = ("router", "ip link set r mtu 1200")
_NO_ICMP = _rule("icmp type destination-unreachable drop", "output")
#: The client's own patience is 60 s; its close is sent then, and the recording ends.
_GIVEN_UP = 63.0
_CALLBACK = "50000-59999"

HEALTHY = (
    Case("shell", "a shell job"),
    Case("api", "a Java job that uses the job API", "api-job"),
    Case("order", "a Java job that works on an order", "order-job"),
    Case("nested", "calls inside of calls, three deep each way", "nested"),
    Case("variants", "values of every VARIANT type", "all-variants"),
    Case("keep_alives", "keep-alives on both connections for 6 s", "keep-alives", {"work": 6.0}),
    Case("silent_9s", "a job that is silent for 9 s, nothing in between cares", "idle", {"work": 9.0}),
    Case("parallel", "10 jobs at 6 a second, 2 s each", "parallel", {"tasks": 10, "rate": 6.0, "work": 2.0}),
    Case(
        "two_clients",
        "two clients use the same remote at the same time, both with callback port 59999 and lower",
        "parallel",
        {"tasks": 2, "rate": 4.0, "work": 2.0},
        second_client=True,
    ),
    Case("low_port", "the client's ports from 58020 down", run={"callback_ports": [58_020, 58_000]}),
    Case(
        "nat_forward",
        "client behind NAT with its callback ports forwarded",
        before=_nat(f"tcp dport 59000-59999 dnat to {CLIENT}"),
    ),
    Case(
        "firewall_open",
        "a stateful firewall that lets exactly the two kinds of connections through",
        "slow-job",
        {"work": 2.0},
        before=_conntrack(60, "drop"),
    ),
    Case(
        "multi_homed",
        "the task process calls from the remote's second address",
        "callback-other-address",
        {"callback_address": REMOTE_SECOND},
    ),
    Case(
        "scanned_command_port",
        "somebody connects to the remote's command port and leaves, before and while a task runs",
        "slow-job",
        {"work": 2.0},
        beside=(
            ("scanner", f"sleep 1; $INTRUDER scan {REMOTE} 4455 close; sleep 1.5; $INTRUDER scan {REMOTE} 4455 close"),
        ),
    ),
    Case("mtu_icmp", "a link of MTU 1200 behind the router, which says so by ICMP", "script-8k", before=(_SMALL_MTU,)),
)

SLOW = (
    Case("delay_150ms", "150 ms one way", "api-job", impaired="--delay 150"),
    Case("loss_8", "8 % loss, 30 ms", "many-logs", {"log_lines": 60}, impaired="--delay 30 --loss 8 --seed 4"),
    Case(
        "reorder_double",
        "30 % reordered, 10 % doubled, 15 to 25 ms",
        "script-20k",
        impaired="--delay 15 --jitter 10 --reorder 30 --double 10 --seed 2",
    ),
    Case("late_9s", "the task process takes 9 s to call back", "late-callback", {"callback_delay": 9.0}),
    Case(
        "remote_frozen_8s",
        "the remote scheduler is stopped for 8 s before the start command comes",
        frozen=True,
        at=(At(8.0, "router", "kill -CONT $REMOTE"),),
    ),
    Case(
        "callback_syns_lost",
        "the callback's SYNs are lost for 8 s",
        before=(_rule(f"{_CALLBACKS} drop"),),
        at=(At(8.0, "router", "nft flush chain ip fw forward"),),
    ),
    Case(
        "client_frozen_4s",
        "the client scheduler is stopped for 4 s while the job writes",
        "slow-job",
        {"work": 4.0},
        at=(At(1.6, "router", "kill -STOP $CLIENT"), At(5.6, "router", "kill -CONT $CLIENT")),
    ),
    Case(
        "remote_reads_late",
        "the remote has little room for a script of 20 kB and is stopped for 10 s while it comes",
        "script-20k",
        before=(("remote", "sysctl -qw net.ipv4.tcp_rmem='4096 6000 8000'"),),
        impaired="--delay 300",
        at=(At(4.0, "router", "kill -STOP $REMOTE"), At(14.0, "router", "kill -CONT $REMOTE")),
    ),
)

FAILING = (
    Case("exit_5", "a shell job with exit code 5", "failing-job"),
    Case("signal_15", "a shell job that dies of signal 15", "signal-job"),
    Case("job_throws", "a Java job that throws", "error-answers"),
    Case("killed", "the client kills the task after 2 s", "killed-task", {"work": 2.0}),
)

NOT_STARTED = (
    Case("port_closed", "no scheduler on the remote", no_remote=True, seconds=2.0),
    Case(
        "command_drop",
        "the router drops SYNs to the remote's port",
        run={"callback_timeout": 20.0},
        before=(_rule(f"{_COMMANDS} drop"),),
    ),
    Case(
        "command_reset",
        "the router rejects SYNs to the remote's port with RST",
        before=(_rule(f"{_COMMANDS} reject with tcp reset"),),
    ),
    Case(
        "command_icmp_admin",
        "the router rejects SYNs to the remote's port with ICMP administratively prohibited",
        before=(_rule(f"{_COMMANDS} reject with icmp type admin-prohibited"),),
        run={"callback_timeout": 20.0},
    ),
    Case(
        "remote_down",
        "the remote's host is gone: the router says host unreachable",
        before=(("remote", "ip link set eth0 down"),),
        run={"callback_timeout": 12.0},
        no_remote=True,
    ),
    Case("start_refused", "the remote answers the start with SCHEDULER-121", "refused-start"),
    Case("start_rejected", "the remote closes the command connection without a byte", "rejected"),
    Case("start_not_answered", "the remote scheduler is stopped and never answers", frozen=True, seconds=_GIVEN_UP),
    Case("callback_drop", "the router drops callbacks", before=(_rule(f"{_CALLBACKS} drop"),), seconds=_GIVEN_UP),
    Case(
        "callback_reset",
        "the router rejects callbacks with RST",
        before=(_rule(f"{_CALLBACKS} reject with tcp reset"),),
    ),
    Case(
        "callback_icmp_port",
        "the router rejects callbacks with ICMP port unreachable",
        before=(_rule(f"{_CALLBACKS} reject"),),
    ),
    Case(
        "callback_icmp_admin",
        "the router rejects callbacks with ICMP administratively prohibited",
        before=(_rule(f"{_CALLBACKS} reject with icmp type admin-prohibited"),),
    ),
    Case(
        "callback_icmp_host",
        "the router rejects callbacks with ICMP host unreachable",
        before=(_rule(f"{_CALLBACKS} reject with icmp type host-unreachable"),),
    ),
    Case("nat_reset", "client behind NAT without a forward: the router resets the callback", before=_nat()),
    Case(
        "nat_drop",
        "client behind NAT without a forward: the router drops the callback",
        before=(*_nat(), ("router", f"nft '{_INPUT}; add rule ip fw input iifname r tcp dport 50000-59999 drop'")),
        seconds=_GIVEN_UP,
    ),
    Case(
        "nat_wrong_port",
        "client behind NAT, the forward shifts the port from 59999 to 59998",
        before=_nat(f"tcp dport 59999 dnat to {CLIENT}:59998"),
    ),
    Case("process_died", "the start is answered, the task process dies before it calls back", "no-callback"),
    Case(
        "callback_62s",
        "the task process takes 62 s to call back",
        "late-callback",
        {"callback_delay": 62.0},
        seconds=65.0,
    ),
    Case(
        "callback_through_61s",
        "the router drops callbacks for 61 s",
        before=(_rule(f"{_CALLBACKS} drop"),),
        at=(At(61.5, "router", "nft flush chain ip fw forward"),),
    ),
    Case(
        "client_killed_early",
        "the client is killed while the task process starts (6 s)",
        "late-callback",
        {"callback_delay": 6.0},
        at=(At(3.0, "router", "kill -9 $CLIENT"),),
        seconds=8.0,
    ),
    Case(
        "remote_killed_early",
        "the remote scheduler is killed while the task process starts (6 s)",
        "late-callback",
        {"callback_delay": 6.0},
        at=(At(3.0, "router", "kill -9 $REMOTE"),),
        seconds=8.0,
    ),
    Case(
        "scanner_junk",
        "a scanner takes the callback port and sends junk",
        "late-callback",
        {"callback_delay": 4.0},
        at=_scanner("junk"),
    ),
    Case(
        "scanner_close",
        "a scanner takes the callback port and leaves",
        "late-callback",
        {"callback_delay": 4.0},
        at=_scanner("close"),
    ),
    Case(
        "scanner_silent",
        "a scanner takes the callback port and is silent",
        "late-callback",
        {"callback_delay": 4.0},
        at=_scanner("silent"),
        seconds=20.0,
    ),
    Case(
        "scanner_before_start",
        "the same, before the start command is through (300 ms one way)",
        "late-callback",
        {"callback_delay": 4.0},
        beside=(("scanner", f"$INTRUDER scan {CLIENT} 59999 silent"),),
        impaired="--delay 300",
        seconds=20.0,
    ),
    Case(
        "mtu_black_hole",
        "a link of MTU 1200 behind the router, whose ICMP is filtered; keep-alives on the command connection go on",
        "script-8k-kept",
        {"work": 10.0},
        before=(_SMALL_MTU, _NO_ICMP),
        seconds=25.0,
    ),
)

LOST = (
    Case("client_dies", "the client resets everything while the task runs", "client-lost", {"work": 2.0}),
    Case(
        "client_killed",
        "the client is killed while the task runs",
        "idle",
        {"work": 20.0},
        at=(At(3.0, "router", "kill -9 $CLIENT"),),
        seconds=5.0,
    ),
    Case(
        "remote_killed",
        "the remote scheduler and its task processes are killed",
        "idle",
        {"work": 20.0},
        at=(At(3.0, "router", "kill -9 $REMOTE"),),
        seconds=5.0,
    ),
    Case(
        "remote_killed_busy",
        "the same with three tasks",
        "parallel",
        {"tasks": 3, "rate": 4.0, "work": 20.0},
        at=(At(3.0, "router", "kill -9 $REMOTE"),),
        seconds=5.0,
    ),
    Case("process_dies", "the task process is killed in a step, the remote scheduler lives", "lost-task"),
    Case(
        "callback_cut_reset",
        "a device resets the callback connection after 2 s, both ends",
        "idle",
        {"work": 9.0},
        beside=_reset("c", _CALLBACK, 2.0, "both"),
        seconds=5.0,
    ),
    Case(
        "callback_cut_reset_idle",
        "a device resets the callback connection after 8 s of silence, both ends",
        "idle",
        {"work": 15.0},
        beside=_reset("c", _CALLBACK, 8.0, "both"),
        seconds=11.0,
    ),
    Case(
        "command_cut_reset",
        "a device resets the command connection after 2 s, both ends",
        "slow-job",
        {"work": 8.0},
        beside=_reset("r", "4455-4455", 2.0, "both"),
        seconds=10.0,
    ),
    Case(
        "command_cut_reset_remote",
        "a device resets the command connection after 2 s, toward the remote only",
        "slow-job",
        {"work": 8.0},
        beside=_reset("r", "4455-4455", 2.0, "remote"),
        seconds=10.0,
    ),
    Case(
        "both_cut_reset",
        "a device resets both connections after 3 s, both ends",
        "idle",
        {"work": 9.0},
        beside=(*_reset("c", "4455-59999", 3.0, "both"),),
        seconds=6.0,
    ),
    Case(
        "client_gone",
        "the client's host falls silent while the job writes",
        "slow-job",
        {"work": 8.0},
        before=(_SHORT_RETRIES,),
        at=(
            At(
                3.0,
                "client",
                "nft 'add table ip gone; add chain ip gone in { type filter hook input priority 0; policy drop; }'",
            ),
        ),
        seconds=30.0,
    ),
    Case(
        "idle_conntrack_drop",
        "a firewall forgets both connections after 8 s and drops; the job is silent for 24 s",
        "idle",
        {"work": 24.0},
        before=_conntrack(8, "drop"),
        seconds=40.0,
    ),
    Case(
        "idle_conntrack_reset",
        "a firewall forgets both connections after 8 s and resets; the job is silent for 14 s",
        "idle",
        {"work": 14.0},
        before=_conntrack(8, "reject with tcp reset"),
        seconds=20.0,
    ),
    Case(
        "idle_callback_drop",
        "the callback connection alone is dropped; the job is silent for 24 s",
        "idle",
        {"work": 24.0},
        at=(At(6.0, "router", _cut(_CALLBACK, "drop")),),
        seconds=40.0,
    ),
    Case(
        "idle_callback_reset",
        "the callback connection alone is reset at its next packet; the job is silent for 12 s",
        "idle",
        {"work": 12.0},
        at=(At(6.0, "router", _cut(_CALLBACK, "reject with tcp reset")),),
        seconds=18.0,
    ),
    Case(
        "idle_command_drop",
        "the command connection alone is dropped; the job is silent for 10 s",
        "idle",
        {"work": 10.0},
        at=(At(5.0, "router", _cut("4455", "drop")),),
        seconds=40.0,
    ),
    Case(
        "idle_command_reset",
        "the command connection alone is reset at its next packet; the job is silent for 10 s",
        "idle",
        {"work": 10.0},
        at=(At(5.0, "router", _cut("4455", "reject with tcp reset")),),
    ),
)

CAPTURED_BADLY = (
    Case("snap_96", "captured with a snap length of 96 bytes", "api-job", dumpcap=("-s", "96")),
    Case("one_direction", "captured from the remote to the client only", dumpcap=("-f", f"src host {REMOTE}")),
    Case("late_capture", "the capture begins in the middle of the task", "slow-job", {"work": 4.0}, late=2.5),
    Case("command_only", "the capture's filter shows the command connection only", dumpcap=("-f", "tcp port 4455")),
    Case(
        "callback_only",
        "the capture's filter shows the callback connection only",
        dumpcap=("-f", "tcp portrange 50000-59999"),
    ),
)

CASES = {case.name: case for group in (HEALTHY, SLOW, FAILING, NOT_STARTED, LOST, CAPTURED_BADLY) for case in group}
__all__ = ["CASES", "SCANNER", "At", "Case"]
