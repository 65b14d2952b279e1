"""Callbacks that did not get through: to another address, without an answer, too late, or refused."""

from __future__ import annotations

from dissector.model import Mark
from dissector.session.findings import Finding, Reason
from dissector.session.reset_origin import doubt, stopped, ttls
from dissector.session.rules_startup import NO_ANSWER, ONCE, REJECTING, SYN_ACK_LOST
from dissector.session.subjects import Tried, heard, refusal_packets, refused, reported, syn_packets
from dissector.session.task import TaskFacts
from dissector.session.timeouts import GIVE_UP_FROM, SECOND
from dissector.session.verdict import closed_by, end_mark, is_refused, waited
from dissector.traffic import Side


class Called(Tried):
    """A callback that did not get through, or that was somebody else's."""

    @property
    def announced(self) -> int | None:
        return self.case.facts.record.callback_port

    @property
    def announced_ip(self) -> str:
        client = self.case.facts.record.client
        return client.ip if client is not None else ""

    @property
    def came(self) -> str:
        return "reached" if is_refused(self.about) or self.about.established else "was still sent to"

    @property
    def last_syn_seconds(self) -> str:
        """From the start to the last SYN."""
        start = self.case.facts.start
        return f"{(self.about.syns[-1].time - start.time) / SECOND:.0f}" if start is not None else ""

    @property
    def reset(self) -> Mark | None:
        return self.about.sides[Side.SERVER].rst

    @property
    def proof(self) -> str:
        """What proves that a device sent the reset: a TTL that none of the client's packets has, or a SYN that never
        came near the client in a capture at two places; empty when nothing does."""
        command, reset = self.case.facts.record.command, self.reset
        usual = ttls(command, Side.CLIENT) if command is not None else set()
        if usual and reset is not None and reset.ttl and reset.ttl not in usual:
            return f"TTL {reset.ttl}, the client's packets have {' and '.join(map(str, sorted(usual)))}"
        if asked := stopped(self.about, Side.SERVER):
            return f"packet {asked.number}, which it answers, was captured before that device and not behind it"
        return ""

    @property
    def doubt(self) -> str:
        """What weakens a claim about a reset that was captured at one place only."""
        command = self.case.facts.record.command
        if command is None or self.about.sides[Side.SERVER].rst_again:
            return ""
        return doubt(command, Side.CLIENT)

    @property
    def waited_seconds(self) -> str:
        return f"{waited(self.case.facts, self.case.now) / SECOND:.0f}"

    @property
    def client_end(self) -> Mark | None:
        """How the command connection ended."""
        command = self.case.facts.record.command
        return end_mark(command) if command is not None else None


def gave_up_at(facts: TaskFacts, now: int) -> int | None:
    """When the client gave up after its time; None when it did not."""
    if waited(facts, now) < GIVE_UP_FROM:
        return None
    end = end_mark(facts.record.command) if facts.record.command is not None else None
    return facts.close.time if facts.close else end.time if end else None


def elsewhere(called: Called) -> bool:
    """Another address or port was called than the announced one."""
    record, target = called.case.facts.record, called.about.server
    return record.client is not None and (target.ip, target.port) != (record.client.ip, record.callback_port)


def came_late(called: Called) -> bool:
    """The callback came, or got through to be refused, after the client had given up."""
    start, syns = called.case.facts.start, called.about.syns
    if start is None or not syns:
        return False
    return syns[0].time - start.time > GIVE_UP_FROM or (gave_up_before_reset(called) and len(syns) > 1)


def gave_up_before_reset(called: Called) -> bool:
    gave_up, reset = gave_up_at(called.case.facts, called.case.now), called.reset
    return reset is not None and gave_up is not None and gave_up < reset.time


def gave_up(called: Called) -> bool:
    return gave_up_at(called.case.facts, called.case.now) is not None


def repeated(called: Called) -> bool:
    return len(called.about.syns) > 1


def start_answered_late(called: Called) -> bool:
    """The start was not answered within the client's time."""
    answer = called.case.facts.start_answer
    return answer is None or (answer.latency is not None and answer.latency > GIVE_UP_FROM)


def unexplained(called: Called) -> bool:
    """There is no reset, or no command connection to compare it with."""
    return called.reset is None or called.case.facts.record.command is None


def sent_by_device(called: Called) -> bool:
    return bool(called.proof)


def client_ended(called: Called) -> bool:
    """The client had closed the command connection before, without a word."""
    end, reset, facts = called.client_end, called.reset, called.case.facts
    if end is None or reset is None or facts.close is not None or facts.record.command is None:
        return False
    return end.number < reset.number and closed_by(facts.record.command) is Side.CLIENT


#: Who reset the SYN, and why; of the client what it did before tells whether it still listened.
RESETTING: tuple[Reason[Called], ...] = (
    Reason(when=(unexplained,)),
    Reason(
        "a device in between sent the reset ({proof}): a firewall that rejects, or an address translation without a "
        "port forward",
        "let new TCP connections from {about.client.ip} to port {about.server.port} and lower through at that device; "
        "behind an address translation (NAT) forward these ports of {about.server.ip} to the client",
        (sent_by_device,),
    ),
    Reason(
        "the client had given up {waited_seconds} s after the start and does not listen any more{doubt}",
        "see why the callback came so late: the load of the remote, or SYNs that were lost before",
        (gave_up_before_reset,),
    ),
    Reason(
        "the client scheduler on {about.server.ip} had ended or was restarted (packet {client_end.number}): its port "
        "is closed, or another task has it{doubt}",
        "see why the client scheduler on {about.server.ip} ended: its own log, and that of its host",
        (client_ended,),
    ),
    Reason(
        "{about.server.ip} refused it while the client still waited: its own packet filter rejects, or an address "
        "translation changes the port on the path{doubt}",
        "let the callback ports in at the client's own packet filter; forward ports unchanged",
        (gave_up,),
    ),
    Reason(
        "nobody listens on {about.server} (any more): the client gave up or was restarted, the port was changed on the "
        "path, or somebody else took the only connection that it accepts{doubt}",
        "see whether the client ended its side first, whether a NAT changes the port, and who else connected",
    ),
)
IN_VAIN: tuple[Finding[Called], ...] = (
    Finding(
        "callback_elsewhere",
        (elsewhere,),
        "Port {announced} of {announced_ip} was announced, but {about.server} was called.",
        (syn_packets, refusal_packets),
    ),
    SYN_ACK_LOST,
    Finding(
        "callback_late",
        (came_late,),
        "The callback {came} {about.server} {last_syn_seconds} s after the start, when the client had given up.",
        (syn_packets, refusal_packets),
        (
            Reason(
                "{earlier_syns} earlier SYNs in {syns_span} were not answered: a firewall dropped them on the return "
                "path, or packets were lost",
                when=(repeated,),
            ),
            Reason(
                "the remote scheduler took that long to answer the start: it was stopped, busy or overloaded",
                "look at the load of the remote scheduler at that time; start fewer tasks on it at a time",
                (start_answered_late,),
            ),
            Reason(),
        ),
    ),
    Finding(
        "callback_refused",
        (reported,),
        "The callback to {about.server} was refused by {reporter} (ICMP: {report}).",
        (syn_packets, refusal_packets),
        REJECTING,
    ),
    Finding(
        "callback_refused",
        (refused,),
        "The callback to {about.server} was refused (RST).",
        (syn_packets, refusal_packets),
        RESETTING,
    ),
    Finding("callback_dropped", (heard,), NO_ANSWER, (syn_packets,), more=(ONCE,)),
    Finding(
        "callback_dropped",
        (),
        NO_ANSWER,
        (syn_packets,),
        (
            Reason(
                "{usual}, or that host is down: nothing came from {about.server.ip} since",
                "{usual}; look at {about.server.ip}",
            ),
        ),
        (ONCE,),
    ),
)
