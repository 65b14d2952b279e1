"""How a task ended: one word, read off a table.

``OUTCOMES`` is read top down; the first row whose conditions all hold decides, as the operator would have met it:

* A command connection that was not opened tells all that there is.  So does a start that the remote refused, in words
  or by closing the connection without a byte.
* Without a callback the client waits for 60 s.  What came in its place, or what kept it away, says whether anybody is
  to blame; a capture that lacks the answer to the start, or whose client waited shorter or longer, says nothing.
* With a callback, the client releases the task in the end, and the task process hears it.  Then the results count.
* Without a release the connection is open still (and the task runs, unless nobody is heard any more, or the client
  left it), or it ended early: killed where the client asked for it, lost where nobody did.

What the capture lacks is asked for in front of each claim that rests on it: such a task is ``unknown``.  What an end
acknowledged was sent, captured or not: it may have been an answer, a release, a kill or the end.
"""

from __future__ import annotations

from dissector.model import Outcome
from dissector.session.agent_outcomes import AGENT_OUTCOMES
from dissector.session.case import Case
from dissector.session.conditions import (
    OutcomeRow,
    answer_missing,
    asked,
    asked_once,
    callback_end_unseen,
    closed,
    closed_unseen,
    command_end_unseen,
    command_open,
    cut_off,
    cut_while_waiting,
    early,
    failed,
    gone,
    half_captured,
    in_vain,
    kill_asked,
    kill_missed,
    kill_missed_before_end,
    killed_before_end,
    killed_before_leaving,
    last_words_missing,
    late,
    left,
    long_silent,
    may_be_answered,
    no,
    refused,
    rejected,
    release_asked,
    release_missing,
    silent_since_command_end,
    silent_since_left,
    started,
    stuck,
    taken,
    told_to_end,
    tried,
    unanswered,
    uncalled,
    under_way,
    unheard,
    unopened,
    unproved,
    unread,
    went_well,
)
from dissector.session.task import TaskFacts


def outcome(facts: TaskFacts, now: int) -> Outcome:
    """The outcome as of packet time ``now`` (the last packet seen)."""
    case = Case(facts, now)
    rows = OUTCOMES if facts.agent is None else AGENT_OUTCOMES
    return next(row.outcome for row in rows if all(holds(case) for holds in row.when))


OUTCOMES: tuple[OutcomeRow, ...] = (
    # The command connection was not opened.
    OutcomeRow(Outcome.UNKNOWN, (unopened, no(asked))),
    OutcomeRow(Outcome.UNKNOWN, (unopened, unanswered, asked_once)),
    OutcomeRow(Outcome.UNREACHABLE, (unopened, unanswered)),
    OutcomeRow(Outcome.RUNNING, (unopened,)),
    # The remote does not want the task.
    OutcomeRow(Outcome.REFUSED, (refused,)),
    OutcomeRow(Outcome.REFUSED, (rejected,)),
    # Nobody called back.
    OutcomeRow(Outcome.NO_CALLBACK, (uncalled, taken)),
    OutcomeRow(Outcome.KILLED, (uncalled, kill_asked, early, no(unheard))),
    OutcomeRow(Outcome.UNKNOWN, (uncalled, in_vain, cut_while_waiting)),
    OutcomeRow(Outcome.UNKNOWN, (uncalled, in_vain, early, may_be_answered)),
    OutcomeRow(Outcome.NO_CALLBACK, (uncalled, in_vain)),
    OutcomeRow(Outcome.RUNNING, (uncalled, tried, no(closed), command_open)),
    OutcomeRow(Outcome.UNKNOWN, (uncalled, no(started))),
    OutcomeRow(Outcome.NO_CALLBACK, (uncalled, unheard)),
    OutcomeRow(Outcome.UNKNOWN, (uncalled, no(closed), command_open, late)),
    OutcomeRow(Outcome.UNKNOWN, (uncalled, no(closed), command_open, command_end_unseen)),
    OutcomeRow(Outcome.RUNNING, (uncalled, no(closed), command_open)),
    OutcomeRow(Outcome.UNKNOWN, (uncalled, no(closed), answer_missing)),
    OutcomeRow(Outcome.UNKNOWN, (uncalled, no(closed), cut_while_waiting)),
    OutcomeRow(Outcome.NO_CALLBACK, (uncalled, no(closed))),
    # Closed early or late without a callback: it ran, but was not captured.
    OutcomeRow(Outcome.UNKNOWN, (uncalled, early)),
    OutcomeRow(Outcome.UNKNOWN, (uncalled, late)),
    OutcomeRow(Outcome.NO_CALLBACK, (uncalled,)),
    # The client left the task.
    OutcomeRow(Outcome.UNKNOWN, (half_captured,)),
    OutcomeRow(Outcome.KILLED, (left, killed_before_leaving)),
    OutcomeRow(Outcome.UNKNOWN, (left, kill_missed)),
    OutcomeRow(Outcome.FAILURE, (left, failed)),
    OutcomeRow(Outcome.SUCCESS, (left, went_well)),
    OutcomeRow(Outcome.UNKNOWN, (left,)),
    # The task is under way.
    OutcomeRow(Outcome.FAILURE, (under_way, callback_end_unseen, no(kill_asked), failed)),
    OutcomeRow(Outcome.UNKNOWN, (under_way, callback_end_unseen, no(kill_asked))),
    OutcomeRow(Outcome.LOST, (under_way, stuck)),
    OutcomeRow(Outcome.LOST, (under_way, told_to_end, unheard)),
    OutcomeRow(Outcome.KILLED, (under_way, gone, kill_asked, no(long_silent))),
    OutcomeRow(Outcome.UNKNOWN, (under_way, gone, no(kill_asked), release_asked)),
    OutcomeRow(Outcome.LOST, (under_way, gone)),
    OutcomeRow(Outcome.UNKNOWN, (under_way, cut_off, no(command_open))),
    OutcomeRow(Outcome.UNKNOWN, (under_way, kill_asked, long_silent)),
    OutcomeRow(Outcome.KILLED, (under_way, kill_asked)),
    OutcomeRow(Outcome.FAILURE, (under_way, silent_since_left, failed)),
    OutcomeRow(Outcome.UNKNOWN, (under_way, silent_since_left)),
    OutcomeRow(Outcome.FAILURE, (under_way, silent_since_command_end, failed)),
    OutcomeRow(Outcome.UNKNOWN, (under_way, silent_since_command_end)),
    OutcomeRow(Outcome.UNKNOWN, (under_way, closed_unseen)),
    OutcomeRow(Outcome.RUNNING, (under_way,)),
    # Its callback connection ended early.
    OutcomeRow(Outcome.KILLED, (killed_before_end, no(stuck))),
    OutcomeRow(Outcome.UNKNOWN, (unread,)),
    OutcomeRow(Outcome.FAILURE, (last_words_missing, failed)),
    OutcomeRow(Outcome.UNKNOWN, (last_words_missing,)),
    OutcomeRow(Outcome.FAILURE, (release_missing, failed)),
    OutcomeRow(Outcome.UNKNOWN, (release_missing,)),
    OutcomeRow(Outcome.UNKNOWN, (cut_off,)),
    OutcomeRow(Outcome.UNKNOWN, (kill_missed_before_end, no(stuck))),
    OutcomeRow(Outcome.UNKNOWN, (unproved,)),
    OutcomeRow(Outcome.LOST),
)
