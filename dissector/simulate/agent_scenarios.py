"""The scenarios of a Universal Agent and its master by name, each like a recording of the genuine ones.

The agent knows a scenario by the job's path in the start: so both may run on different hosts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from xml.sax.saxutils import quoteattr

from dissector.model import Outcome
from dissector.simulate import jobs
from dissector.simulate import values as v
from dissector.simulate.dialog import Script
from dissector.simulate.process import Job, TaskProcess
from dissector.simulate.scenario import Scenario, Twist
from dissector.wire import messages as m

#: The folder of the simulated jobs.
FOLDER = "/simulated/"
_SHELL = jobs.ShellJob("Hello\na=eins", "to stderr")


class KilledJob(jobs.WaitingJob):
    """As the agent tells it: with the exit code of the shell, and without the signal."""

    def step(self, process: TaskProcess) -> Script[m.Variant]:
        yield from self.run(process)
        attributes = f'spooler_process_result="false" exit_code="137" state_text={quoteattr(self.out)}'
        return v.bstr(f"<process.result {attributes}/>")


class AgentTwist(Enum):
    """What is not as usual."""

    NONE = auto()
    START_FAILS = auto()
    TERMINATING = auto()
    NO_LICENSE = auto()
    CREDENTIALS = auto()
    WRONG_CREDENTIALS = auto()
    WRONG_SECRET = auto()
    SESSION = auto()
    IDLE = auto()
    FROZEN = auto()
    RESTART = auto()
    FILES = auto()


@dataclass(frozen=True, slots=True)
class AgentScenario(Scenario):
    """``agent`` is what it has beside a classic one."""

    agent: AgentTwist = AgentTwist.NONE

    @property
    def is_alone(self) -> bool:
        """What happens to it happens to every task on the agent."""
        return self.agent in (AgentTwist.RESTART, AgentTwist.NO_LICENSE)


_ALL = (
    AgentScenario("agent-shell", "a shell job, exit code 0", _SHELL),
    AgentScenario("agent-api", "a Java job that calls the scheduler", jobs.ApiJob()),
    AgentScenario(
        "agent-failing", "a shell job with exit code 5", jobs.ShellJob("failing", "", exit_code=5), Outcome.FAILURE
    ),
    AgentScenario(
        "agent-kill",
        "the master kills a shell job that runs too long (--work)",
        KilledJob("waiting", ""),
        Outcome.KILLED,
        twist=Twist.KILL,
    ),
    AgentScenario("agent-lost", "the task process dies in a call: 500", jobs.DyingJob(), Outcome.LOST),
    AgentScenario("agent-slow", "a call that takes long (--work): 202 and Continue", jobs.SleepingJob("slow", "")),
    AgentScenario("agent-idle", "the master is idle (--work): its heartbeats", _SHELL, agent=AgentTwist.IDLE),
    AgentScenario(
        "agent-frozen",
        "the agent does not answer for some time (--work): repetitions on other connections",
        _SHELL,
        agent=AgentTwist.FROZEN,
    ),
    AgentScenario(
        "agent-start-fails",
        "the start is answered with StartTaskFailed",
        jobs.ApiJob(),
        Outcome.REFUSED,
        agent=AgentTwist.START_FAILS,
    ),
    AgentScenario(
        "agent-terminating", "the agent is being stopped: 400", _SHELL, Outcome.REFUSED, agent=AgentTwist.TERMINATING
    ),
    AgentScenario(
        "agent-no-license",
        "a second task at the same time without a licence key: 400",
        _SHELL,
        Outcome.REFUSED,
        agent=AgentTwist.NO_LICENSE,
    ),
    AgentScenario("agent-credentials", "with id and password", _SHELL, agent=AgentTwist.CREDENTIALS),
    AgentScenario(
        "agent-wrong-credentials",
        "with a wrong password: 401, a second late",
        _SHELL,
        Outcome.REFUSED,
        agent=AgentTwist.WRONG_CREDENTIALS,
    ),
    AgentScenario(
        "agent-wrong-secret",
        "somebody else posts to the tunnel: 500, and the task goes on",
        _SHELL,
        agent=AgentTwist.WRONG_SECRET,
    ),
    AgentScenario("agent-session", "Login and Logout around a task", _SHELL, agent=AgentTwist.SESSION),
    AgentScenario(
        "agent-restart",
        "the agent begins anew in a call and knows no tunnel: 500",
        _SHELL,
        Outcome.LOST,
        agent=AgentTwist.RESTART,
    ),
    AgentScenario("agent-files", "a file order source (--work), no task", _SHELL, agent=AgentTwist.FILES),
)
AGENT_SCENARIOS: dict[str, AgentScenario] = {one.name: one for one in _ALL}


def of_job(path: str) -> AgentScenario:
    """What an agent does with a job; one that no scenario has is a usual one."""
    return AGENT_SCENARIOS.get(path.removeprefix(FOLDER), AGENT_SCENARIOS["agent-shell"])


def agent_job(name: str, language: str) -> Job:
    """What a task process runs."""
    found = AGENT_SCENARIOS.get(name)
    return found.job if found is not None else _SHELL if language in ("", "shell") else jobs.ApiJob()
