"""What a run is to do and what it did: options, one record a task, the summary."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum

from dissector import ports
from dissector.errors import UsageError
from dissector.model import Endpoint, Outcome
from dissector.simulate.agent_scenarios import AGENT_SCENARIOS
from dissector.simulate.scenario import SCENARIOS, Scenario, scenario

LOOPBACK = "127.0.0.1"
#: The engine takes callback ports from the first one down and stops above 1024 (docs/protocol.md#callback-ports).
CALLBACK_PORTS = (ports.CALLBACK_PORTS[1], ports.CALLBACK_PORTS[0])
ANY_PORT = Endpoint(LOOPBACK, 0)
_MAX_PARALLEL = 10_000


class Peers(Enum):
    """Which peers a run has."""

    BOTH = "both"
    CLIENT = "client"
    REMOTE = "remote"


@dataclass(slots=True)
class MetTask:
    """One task as the client met it; ``expected`` is how it has to end when the network carries everything.

    ``log`` is what the task process wrote (level, text), ``lines`` how many; ``error`` says what else went wrong.
    """

    n: int
    scenario: str
    job: str
    task_id: int
    kind: str
    expected: Outcome
    outcome: Outcome = Outcome.RUNNING
    client: Endpoint | None = None
    remote: Endpoint | None = None
    callback_port: int | None = None
    peer: Endpoint | None = None
    process_id: int | None = None
    pid: int | None = None
    exit_code: int | None = None
    signal: int | None = None
    log: tuple[tuple[str, str], ...] = ()
    lines: int = 0
    seconds: float = 0.0
    error: str | None = None

    @property
    def as_expected(self) -> bool:
        return self.outcome is self.expected


@dataclass(slots=True)
class ServedTask:
    """One start command as the remote met it; ``target`` is where its task process was to call back."""

    process_id: int | None
    pid: int | None
    scenario: str | None
    client: Endpoint
    target: Endpoint
    peer: Endpoint | None = None
    job: str | None = None
    error: str | None = None


#: Entered with the remote's endpoint and the callback ports (highest, lowest) before the first packet, left after the
#: last one.
PacketRecorder = Callable[[Endpoint, tuple[int, int]], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.  Times in seconds.

    ``scenarios`` take turns.  ``tasks`` None: as many as the scenario says, one of each of several, without end when
    there is a ``duration`` (which ends the starts, not the tasks).  ``rate`` is tasks a second, None: as the scenario
    says, else as fast as ``parallel`` allows.  ``listen`` port 0 is any free port, None the first free one of the
    usual ports, or else any.  ``callback_ports`` are the highest and the lowest.  ``agent``: the remote is a Universal
    Agent; ``heartbeat`` is the period that its master announces, ``tls`` a file with certificate and key for HTTPS.
    ``keep``: how many task records the summary holds; older ones are counted only, ``on_task`` gets all.  ``on_ready``
    gets the remote's endpoint once it listens.

    :raises UsageError: values that make no sense
    """

    side: Peers = Peers.BOTH
    scenarios: tuple[str, ...] = ("shell-job",)
    tasks: int | None = None
    rate: float | None = None
    parallel: int = 100
    duration: float | None = None
    listen: Endpoint = ANY_PORT
    remote: Endpoint | None = None
    callback_ports: tuple[int, int] = CALLBACK_PORTS
    callback_timeout: float = 60.0
    callback_delay: float = 2.0
    callback_address: str = "127.0.0.2"
    task_timeout: float = 3_600.0
    work: float = 1.0
    heartbeat: float = 10.0
    agent: bool = False
    tls: str | None = None
    log_lines: int = 500
    keep: int = 10_000
    recorder: PacketRecorder | None = field(default=None, compare=False)
    on_ready: Callable[[Endpoint], None] | None = field(default=None, compare=False)
    on_task: Callable[[MetTask], None] | None = field(default=None, compare=False)
    on_served: Callable[[ServedTask], None] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in self.scenarios:
            self.scenario(name)
        high, low = self.callback_ports
        ports = (self.listen.port or 0, *((self.remote.port or 0,) if self.remote else ()))
        checks = {
            "no scenario": not self.scenarios,
            "callback ports go from the highest down to the lowest, between 65535 and 1025": not (
                65_535 >= high >= low > 1_024
            ),
            "a port is a number from 0 to 65535": not all(0 <= port <= 65_535 for port in ports),
            "a client needs the address and port of its remote": self.side is Peers.CLIENT
            and (self.remote is None or not self.remote.port),
            "a remote is given where this run has its own": self.side is not Peers.CLIENT and self.remote is not None,
            "the number of tasks is 1 or more": self.tasks is not None and self.tasks < 1,
            "the rate is more than 0 and at most 100000 a second": self.rate is not None
            and not 0 < self.rate <= 100_000,
            f"parallel tasks are 1 to {_MAX_PARALLEL}": not 1 <= self.parallel <= _MAX_PARALLEL,
            "log lines are 0 to 1000000": not 0 <= self.log_lines <= 1_000_000,
            "a number of records is 0 or more": self.keep < 0,
            "a timeout is more than 0": not (self.callback_timeout > 0 and self.task_timeout > 0),
            "a heartbeat's period is more than 0": not self.heartbeat > 0,
            "HTTPS is for agents": self.tls is not None and not self.agent,
            "a time is 0 or more": not (self.work >= 0 and self.callback_delay >= 0),
            "a duration is more than 0": self.duration is not None and not self.duration > 0,
        }
        for text, wrong in checks.items():
            if wrong:
                raise UsageError(text)

    def scenario(self, name: str) -> Scenario:
        """:raises UsageError: there is none of this name"""
        return scenario(name, AGENT_SCENARIOS if self.agent else SCENARIOS)

    @property
    def wanted(self) -> float:
        """How many tasks to start; infinite when only the duration ends the run."""
        if self.tasks is not None:
            return self.tasks
        if self.duration is not None:
            return float("inf")
        return self.scenario(self.scenarios[0]).tasks if len(self.scenarios) == 1 else len(self.scenarios)

    @property
    def at_once(self) -> int:
        """Most tasks at the same time: each needs a callback port, or an agent that it does not share."""
        if self.agent:
            return 1 if any(AGENT_SCENARIOS[name].is_alone for name in self.scenarios) else self.parallel
        high, low = self.callback_ports
        return min(self.parallel, high - low + 1)

    @property
    def pace(self) -> float | None:
        """Tasks a second; None without a limit."""
        alone = self.scenario(self.scenarios[0]) if len(self.scenarios) == 1 else None
        return self.rate if self.rate is not None or alone is None else alone.rate


@dataclass(slots=True)
class Summary:
    """What happened.  ``tasks`` and ``served`` hold the newest records only (see ``Options.keep``)."""

    remote: Endpoint | None = None
    started: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    #: Tasks that did not end as their scenario says.
    unexpected: int = 0
    starts_served: int = 0
    most_parallel: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    #: Why no more tasks could be started.
    failure: str | None = None
    tasks: deque[MetTask] = field(default_factory=deque)
    served: deque[ServedTask] = field(default_factory=deque)

    @classmethod
    def of(cls, options: Options) -> Summary:
        return cls(tasks=deque(maxlen=options.keep), served=deque(maxlen=options.keep))

    def task(self, record: MetTask) -> None:
        self.outcomes[record.outcome] += 1
        self.unexpected += not record.as_expected and record.outcome is not Outcome.RUNNING
        self.tasks.append(record)
