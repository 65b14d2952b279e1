"""How a task on a Universal Agent ended: a table as that of ``outcomes``, over what its exchanges say (docs/agent.md).

They say more than the ends of the connections that carried them:

* The agent refused the start, or the master asked it to kill the task before the task's tunnel broke.
* The client released the task, and the results count.
* The tunnel broke, the agent is not reached any more, or one of the two was silent for longer than they wait.
* The master closed the task, and the release may be what was not captured; or all of that is.
"""

from __future__ import annotations

from dissector.model import Outcome
from dissector.session.case import Case
from dissector.session.conditions import OutcomeRow, failed, kill_missed, no, went_well


def start_refused(case: Case) -> bool:
    """The agent answered the start with an error."""
    about = case.facts.agent
    return about is not None and about.start_failure is not None


def killed_by_master(case: Case) -> bool:
    """The master asked for it, and did not only end what was left of a task whose tunnel had broken."""
    about = case.facts.agent
    return about is not None and about.kill is not None and not about.failed_before_kill


def kill_unsure(case: Case) -> bool:
    """The response that may have told that the tunnel was broken before was not captured."""
    about = case.facts.agent
    return about is not None and about.kill_unsure


def released(case: Case) -> bool:
    """The task process answered the release."""
    return case.facts.released is not None


def tunnel_broke(case: Case) -> bool:
    """A request to the task was answered with an error."""
    about = case.facts.agent
    return about is not None and about.failed is not None


def unreached(case: Case) -> bool:
    """Connections to the agent were refused or not answered since it was heard last."""
    about = case.facts.agent
    return about is not None and about.outage is not None


def silent(case: Case) -> bool:
    """Nothing came for longer than agent and master wait for each other."""
    about = case.facts.agent
    return about is not None and case.now - about.heard > about.timeout


def closed_by_master(case: Case) -> bool:
    """The master closed the task; its release may be what was not captured."""
    about = case.facts.agent
    return about is not None and about.close is not None


def end_missed(case: Case) -> bool:
    """Since the master spoke last of the task something that it said to the agent, or what it was answered, was not
    captured: the task's end may be among it."""
    about = case.facts.agent
    return about is not None and about.missing > (case.facts.record.start if about.asked is None else about.asked)


AGENT_OUTCOMES: tuple[OutcomeRow, ...] = (
    OutcomeRow(Outcome.REFUSED, (start_refused,)),
    OutcomeRow(Outcome.UNKNOWN, (killed_by_master, kill_unsure, no(tunnel_broke))),
    OutcomeRow(Outcome.KILLED, (killed_by_master,)),
    OutcomeRow(Outcome.UNKNOWN, (released, kill_missed)),
    OutcomeRow(Outcome.FAILURE, (released, failed)),
    OutcomeRow(Outcome.SUCCESS, (released, went_well)),
    OutcomeRow(Outcome.UNKNOWN, (released,)),
    OutcomeRow(Outcome.LOST, (tunnel_broke,)),
    OutcomeRow(Outcome.LOST, (unreached,)),
    OutcomeRow(Outcome.LOST, (silent,)),
    OutcomeRow(Outcome.FAILURE, (closed_by_master, failed, no(kill_missed))),
    OutcomeRow(Outcome.UNKNOWN, (closed_by_master,)),
    OutcomeRow(Outcome.FAILURE, (end_missed, failed, no(kill_missed))),
    OutcomeRow(Outcome.UNKNOWN, (end_missed,)),
    OutcomeRow(Outcome.RUNNING),
)
