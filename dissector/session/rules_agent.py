"""What went wrong with a task on a Universal Agent, as the exchanges show it (docs/agent.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dissector.model import Connection, Exchange, Outcome, Problem
from dissector.numbers import count
from dissector.session.agent_errors import REFUSED, TUNNEL_FAILED, AnsweredExchange
from dissector.session.agent_facts import AgentFacts
from dissector.session.case import Case, open_call_text
from dissector.session.findings import Finding, Reason, first
from dissector.session.timeouts import CLOCK_SKEW, SECOND
from dissector.wire.agent import failure_of


@dataclass(slots=True)
class OnAgent:
    """A task on a Universal Agent, or one of its exchanges; ``about`` is the connection that carried that."""

    case: Case
    about: Connection | None
    agent: AgentFacts
    exchange: Exchange | None = None

    @property
    def silence(self) -> str:
        """Seconds since something was heard of the task."""
        return f"{(self.case.now - self.agent.heard) / SECOND:.0f}"

    @property
    def what(self) -> str:
        """The request that is not answered."""
        one = self.exchange
        if one is None or one is self.agent.start:
            return "the start"
        return f"request {one.request_id or one.n}"

    @property
    def open_call(self) -> str:
        return open_call_text(self.case.facts)

    @property
    def tries(self) -> str:
        return f", repeated {count(self.agent.repeated, 'time')}" if self.agent.repeated else ""

    @property
    def refusals(self) -> str:
        return count(self.agent.outage.count, "connection") if self.agent.outage is not None else ""

    @property
    def repeated(self) -> str:
        return count(self.agent.repeated, "time")

    @property
    def others(self) -> str:
        return count(len({one.connection for one in self.agent.repetitions}), "other connection")

    @property
    def longest_wait(self) -> str:
        return f"{self.agent.longest_wait / SECOND:.1f}"

    @property
    def _period(self) -> int:
        beat = self.agent.heartbeat
        return (beat.period if beat is not None else None) or 0

    @property
    def period(self) -> str:
        return f"{self._period / SECOND:.0f}"

    @property
    def pause(self) -> str:
        return f"{(self.agent.missed + self._period) / SECOND:.1f}"

    @property
    def skew(self) -> str:
        return f"{abs(self.agent.clock_skew or 0) / SECOND:.0f}"


def nothing_waits(task: OnAgent) -> bool:
    """No request waits for its answer: the master has to say something."""
    return task.exchange is None


def refused_since(task: OnAgent) -> bool:
    """The agent's port is closed since."""
    return task.agent.outage is not None


def unanswered_since(task: OnAgent) -> bool:
    """Nothing at all came from the agent's host any more."""
    outage = task.agent.outage
    return outage is not None and outage.unanswered == outage.count


def ahead(task: OnAgent) -> bool:
    return (task.agent.clock_skew or 0) > 0


def nowhere(_task: OnAgent) -> tuple[int, ...]:
    return ()


def all_packets(task: OnAgent) -> tuple[int, ...]:
    return task.exchange.packets if task.exchange is not None else ()


def request_packets(task: OnAgent) -> tuple[int, ...]:
    return task.exchange.request_packets if task.exchange is not None else ()


def response_packets(task: OnAgent) -> tuple[int, ...]:
    found = task.exchange.response_packets if task.exchange is not None else ()
    return found or all_packets(task)


def repetition_packets(task: OnAgent) -> list[int]:
    return [number for one in task.agent.repetitions for number in one.request_packets]


def outage_packets(task: OnAgent) -> list[int]:
    return task.agent.outage.packets if task.agent.outage is not None else []


def exchange_time(task: OnAgent) -> int:
    return task.exchange.time if task.exchange is not None else task.agent.heard


KILLED: tuple[Finding[OnAgent], ...] = (
    Finding("task_killed", (), "The master asked the agent to kill the task.", (all_packets,), time=exchange_time),
)
SILENT: tuple[Finding[OnAgent], ...] = (
    Finding(
        "heartbeat_missed",
        (nothing_waits,),
        "The master said nothing more about the task for {silence} s.",
        (nowhere,),
        (Reason("the master ended or was cut off: the agent kills a task of which it does not hear in time"),),
        time=exchange_time,
    ),
    Finding(
        "heartbeat_missed",
        (unanswered_since,),
        "The agent did not answer {what}{open_call}{tries}. Nothing answered {refusals} to "
        "{agent.outage.server} after that.",
        (request_packets, repetition_packets, outage_packets),
        (
            Reason(
                "the agent's host went down, or the network between master and agent was lost, or a firewall drops "
                "packets",
                "check that {agent.outage.server.ip} runs and that {agent.outage.server} can be reached from "
                "{about.client.ip}",
            ),
        ),
        time=exchange_time,
    ),
    Finding(
        "heartbeat_missed",
        (refused_since,),
        "The agent did not answer {what}{open_call}{tries}. {agent.outage.server} then refused {refusals}.",
        (request_packets, repetition_packets, outage_packets),
        (
            Reason(
                "the agent ended in the middle of the call (killed, crashed, stopped): nobody listens on its port "
                "any more",
                "see why the agent on {agent.outage.server.ip} ended: its log, and its system's log for killed "
                "processes",
            ),
        ),
        time=exchange_time,
    ),
    Finding(
        "heartbeat_missed",
        (),
        "The agent did not answer {what}{open_call}{tries}.",
        (request_packets, repetition_packets),
        time=exchange_time,
    ),
)
REPEATED: tuple[Finding[OnAgent], ...] = (
    Finding(
        "request_repeated",
        (),
        "Request {exchange.request_id} was repeated {repeated} on {others}: no response came for {longest_wait} s.",
        (repetition_packets,),
        time=exchange_time,
    ),
)
LATE: tuple[Finding[OnAgent], ...] = (
    Finding(
        "heartbeat_missed",
        (),
        "The master sent nothing for {pause} s, although it announced a word every {period} s.",
        (request_packets,),
        (Reason("the master was frozen or overloaded, or its packets did not come through"),),
        time=exchange_time,
    ),
)
SKEWED: tuple[Finding[OnAgent], ...] = (
    Finding(
        "clock_skew",
        (ahead,),
        "The agent's clock is {skew} s ahead of the clock of the capture.",
        (response_packets,),
        time=exchange_time,
    ),
    Finding(
        "clock_skew",
        (),
        "The agent's clock is {skew} s behind the clock of the capture.",
        (response_packets,),
        time=exchange_time,
    ),
)


def problems(case: Case) -> Iterator[Problem]:
    about, outcome = case.facts.agent, case.facts.record.outcome
    if about is None:
        return
    if about.start is not None and about.start_failure is not None:
        # An agent that does not start the task says why.
        otherwise = "agent_wrong_target" if failure_of(about.start.response) is None else "agent_refused_start"
        yield from first(REFUSED, _answered(case, about.start, otherwise))
    if about.kill is not None and outcome is Outcome.KILLED:
        yield from first(KILLED, _of(case, about, about.kill))
    if about.failed is not None:
        yield from first(TUNNEL_FAILED, _answered(case, about.failed, "task_process_lost"))
    elif outcome is Outcome.LOST:
        yield from first(
            SILENT, OnAgent(case, None, about) if about.waiting is None else _of(case, about, about.waiting)
        )
    elif about.repetitions:
        yield from first(REPEATED, _of(case, about, about.repetitions[0]))
    if about.missed_by is not None:
        yield from first(LATE, _of(case, about, about.missed_by))
    if about.start is not None and about.clock_skew is not None and abs(about.clock_skew) > CLOCK_SKEW:
        yield from first(SKEWED, _of(case, about, about.start))


def _of(case: Case, about: AgentFacts, exchange: Exchange) -> OnAgent:
    return OnAgent(case, exchange.connection, about, exchange)


def _answered(case: Case, exchange: Exchange, otherwise: str) -> AnsweredExchange:
    return AnsweredExchange(case, exchange.connection, exchange.response, otherwise, exchange)
