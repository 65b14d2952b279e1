"""The scenarios by name: what the client asks for, what the remote makes of it, how the task has to end.

The remote knows a scenario by the job's name in construct.  What goes wrong before there is a construct is asked for
in the start command, by ``java_options`` (an attribute that every release accepts): so both peers may run on different
hosts, and a remote without any option serves every scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from dissector.errors import UsageError
from dissector.model import Outcome
from dissector.simulate import jobs
from dissector.simulate.process import Job

_OPTION = "-Djstrace.scenario="
BIG_SCRIPT = 1_000_000


class Start(Enum):
    """What the remote does with the start command."""

    OBEY = "obey"
    REFUSE = "refuse"
    REJECT = "reject"
    FORGET = "forget"
    DELAY = "delay"
    OTHER_ADDRESS = "other address"


class Twist(Enum):
    """What the client does while the task runs."""

    NONE = "none"
    KILL = "kill"
    DIE = "die"
    KEEP_ALIVE = "keep alive"


@dataclass(frozen=True, slots=True)
class Scenario:
    """``outcome`` is how the task ends when the network carries everything; ``tasks`` and ``rate`` (per second) are for
    a run that does not say how many."""

    name: str
    summary: str
    job: Job
    outcome: Outcome = Outcome.SUCCESS
    start: Start = Start.OBEY
    twist: Twist = Twist.NONE
    script: str = 'echo hello from shell; echo "a=$SCHEDULER_PARAM_A u=$SCHEDULER_PARAM_UMLAUT"; echo err >&2'
    script_bytes: int = 0
    order: bool = False
    tasks: int = 1
    rate: float | None = None
    parameters: dict[str, str] = field(default_factory=lambda: {"umlaut": "äöü", "a": "1"}, hash=False)

    @property
    def is_shell(self) -> bool:
        return isinstance(self.job, jobs.ShellJob)

    @property
    def java_options(self) -> str | None:
        """What the start command tells the remote; None where the job's name will do."""
        return None if self.start is Start.OBEY else f"{_OPTION}{self.name}"

    @property
    def source(self) -> str:
        """The script's text, ``script_bytes`` long at least."""
        line = "# a line of a script that is long because it is said to be long\n"
        return self.script + "\n" + line * -(-self.script_bytes // len(line)) if self.script_bytes else self.script


_SHELL = jobs.ShellJob()

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("shell-job", "a shell job with parameters, exit code 0", _SHELL),
        Scenario("api-job", "a Java job: log levels, properties, object references, umlauts", jobs.ApiJob()),
        Scenario("order-job", "a Java job that works on an order", jobs.OrderJob(), order=True),
        Scenario(
            "failing-job",
            "a shell job with exit code 5",
            jobs.ShellJob("failing", "", exit_code=5),
            Outcome.FAILURE,
            script="echo failing; exit 5",
        ),
        Scenario(
            "signal-job",
            "a shell job that dies of signal 15",
            jobs.ShellJob("before the signal", "", signal=15),
            Outcome.FAILURE,
            script="echo before the signal; kill -15 $$",
        ),
        Scenario(
            "killed-task",
            "the client kills a shell job that runs too long (--work)",
            jobs.WaitingJob("begin", ""),
            Outcome.KILLED,
            twist=Twist.KILL,
            script="echo begin; sleep 3600",
        ),
        Scenario("lost-task", "the task process dies in a call: reset", jobs.DyingJob(), Outcome.LOST),
        Scenario(
            "client-lost",
            "the client dies while the task runs: reset (--work)",
            jobs.WaitingJob("never seen", ""),
            Outcome.LOST,
            twist=Twist.DIE,
            script="sleep 3600",
        ),
        Scenario(
            "refused-start", "the start is answered by ERROR SCHEDULER-121", _SHELL, Outcome.REFUSED, Start.REFUSE
        ),
        Scenario("rejected", "the remote closes without a byte", _SHELL, Outcome.REFUSED, Start.REJECT),
        Scenario(
            "no-callback",
            "the start is answered, nobody calls back (--callback-timeout)",
            _SHELL,
            Outcome.NO_CALLBACK,
            Start.FORGET,
        ),
        Scenario("late-callback", "the callback comes late (--callback-delay)", _SHELL, start=Start.DELAY),
        Scenario(
            "callback-other-address",
            "the callback comes from another address (--callback-address)",
            _SHELL,
            start=Start.OTHER_ADDRESS,
        ),
        Scenario(
            "keep-alives",
            "K frames of the task process, spaces on the command connection (--work)",
            jobs.KeptAliveJob("kept alive", ""),
            twist=Twist.KEEP_ALIVE,
        ),
        Scenario("big-script", "a script of 1 MB in construct", _SHELL, script_bytes=BIG_SCRIPT),
        Scenario("all-variants", "values of every VARIANT type, both ways", jobs.VariantJob()),
        Scenario(
            "error-answers",
            "a failed hresult with excepinfo, E answers, a job that throws",
            jobs.UnluckyJob(),
            Outcome.FAILURE,
        ),
        Scenario("nested", "calls inside of calls, three deep each way", jobs.NestedJob()),
        Scenario("slow-job", "a shell job that writes a line now and then (--work)", jobs.TalkingJob("done", "")),
        Scenario("many-logs", "a shell job with many lines (--log-lines)", jobs.WordyJob("done", "")),
        Scenario("idle", "a long silence on both connections (--work)", jobs.SleepingJob("awake", "")),
        Scenario(
            "parallel",
            "shell jobs at a rate, many at the same time (--tasks, --rate, --work)",
            jobs.SleepingJob("one of many", ""),
            tasks=20,
            rate=20.0,
        ),
    )
}


def scenario(name: str, among: Mapping[str, Scenario] = SCENARIOS) -> Scenario:
    """:raises UsageError: there is none of this name"""
    found = among.get(name)
    if found is None:
        raise UsageError(f"no scenario {name!r}: one of {', '.join(among)}")
    return found


def asked_for(java_options: str | None) -> Scenario | None:
    """The scenario that a start command names."""
    words = (java_options or "").split()
    names = [word.removeprefix(_OPTION) for word in words if word.startswith(_OPTION)]
    return SCENARIOS.get(names[0]) if names else None


def choose_job(name: str, language: str) -> Job:
    """What a task process runs: the scenario's job; of a job that no scenario has, one of its kind."""
    found = SCENARIOS.get(name.rpartition("/")[2])
    return found.job if found else _SHELL if language in ("", "shell") else jobs.ApiJob()
