"""What the exchanges with a Universal Agent say about a task, beside its messages."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from dissector.limits import MAX_EVIDENCE
from dissector.model import Endpoint, Exchange
from dissector.session.timeouts import AGENT_PATIENCE, HEARTBEAT_GRACE
from dissector.wire.agent import Heartbeat

#: Request-IDs remembered for repetitions; the master has one request under way, repeated for a minute.
_REMEMBERED = 64


@dataclass(slots=True, eq=False)
class Outage:
    """Connections to an agent that were refused or not answered since it was heard last."""

    server: Endpoint
    count: int = 0
    #: Those that nothing answered.
    unanswered: int = 0
    packets: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class AgentFacts:
    """Times in nanoseconds; None means: not seen."""

    #: Time of the last packet that was about the task.
    heard: int
    secret: str | None = None
    start: Exchange | None = None
    #: Why the start failed, as the agent says it.
    start_failure: str | None = None
    #: How far the agent's clock was before the capture's when it answered the start.
    clock_skew: int | None = None
    close: Exchange | None = None
    kill: Exchange | None = None
    #: A response was missing when the master asked for it: the one that would tell that the tunnel had broken before.
    kill_unsure: bool = False
    #: The tunnel request that was answered with an error.
    failed: Exchange | None = None
    #: The request that waits for its message, and those that repeat it.
    waiting: Exchange | None = None
    repetitions: list[Exchange] = field(default_factory=list)
    repeated: int = 0
    #: The longest time that a repeated request waited for its first repetition or its response.
    longest_wait: int = 0
    #: The agent was not reached any more.
    outage: Outage | None = None
    #: What the master announced last, and when it sent its last request.
    heartbeat: Heartbeat | None = None
    asked: int | None = None
    #: When bytes were missing last that the task's end may be among: -1 for never.
    missing: int = -1
    #: Number of the last packet that proved bytes or requests about the task to be missing; 0: none did.
    missing_in: int = 0
    #: The longest time between two requests of the master, beyond what it announced, and the request that ended it.
    missed: int = 0
    missed_by: Exchange | None = None
    #: Number of the first exchange of each Request-ID.
    _requests: OrderedDict[int, int] = field(default_factory=OrderedDict)
    _last: int = 0
    _delivered: int = 0

    @property
    def failed_before_kill(self) -> bool:
        """The master ends what is left of a task whose tunnel broke by a kill."""
        return self.failed is not None and self.kill is not None and (self.failed.answered or 0) <= self.kill.time

    @property
    def timeout(self) -> int:
        """How long agent and master wait for each other."""
        announced = self.heartbeat.timeout if self.heartbeat is not None else None
        return announced or AGENT_PATIENCE

    def is_next(self, exchange: Exchange) -> bool:
        """Takes the request whose number comes next, as nearly all are; False, and nothing done, for any other."""
        number = exchange.request_id
        if number is None or number != self._last + 1:
            return False
        self._remember(number, exchange)
        return True

    def may_go_on(self, number: int, time: int) -> bool:
        """True when a request with this number and time, and exchanges behind it, can bring nothing odd: neither
        a repetition nor a request that comes too late."""
        is_next = number == self._last + 1 and self._delivered < number and self.waiting is None
        in_time = self.asked is not None and time - self.asked <= HEARTBEAT_GRACE
        return is_next and in_time and not self.repetitions

    def misses(self, time: int, packet: int) -> None:
        """Bytes are missing, as this packet shows."""
        self.missing, self.missing_in = time, packet

    def went_on(self, number: int, asked: int, heard: int) -> None:
        """Takes exchanges up to the one with this number."""
        self._last = self._delivered = number
        self.asked, self.heard = asked, heard

    def first(self, exchange: Exchange) -> bool:
        """True for a request that is not the repetition of one before."""
        number = exchange.request_id
        if number is None:
            return True
        if number in self._requests or number <= self._last:
            exchange.repeats = self._requests.get(number)
            return False
        self._remember(number, exchange)
        return True

    def _remember(self, number: int, exchange: Exchange) -> None:
        self._last = number
        self._requests[number] = exchange.n
        if len(self._requests) > _REMEMBERED:
            self._requests.popitem(last=False)

    def repeat(self, exchange: Exchange) -> None:
        """Takes a request that is not ``first``."""
        self.repeated += 1
        if self.waiting is not None:
            self.longest_wait = max(self.longest_wait, exchange.time - self.waiting.time)
        if len(self.repetitions) < MAX_EVIDENCE:
            self.repetitions.append(exchange)

    def not_the_master(self, exchange: Exchange) -> None:
        """The agent said that a request came from somebody else: it repeated nothing."""
        if exchange in self.repetitions:
            self.repetitions.remove(exchange)
            self.repeated -= 1
            exchange.repeats = None

    def skips(self, exchange: Exchange) -> bool:
        """True when requests before this one were not captured."""
        number = exchange.request_id
        return number is not None and number > self._last + 1

    def delivers(self, exchange: Exchange, *, is_first: bool) -> bool:
        """True for the response that brings the message for a request; those to repetitions are equal.  ``is_first``:
        the exchange has the request itself, and does not only go on waiting for its message."""
        number = exchange.request_id
        if not is_first and self.waiting is None:
            return False
        if number is None:
            return True
        if number <= self._delivered:
            return False
        self._delivered = number
        return True
