"""Whether the capture has what decides how a job went, so that a success is never told for want of better knowledge.

What decides are the answers to the client's outermost calls.  All have to be there, or those from the last ``step`` on:
the client goes on to it only when all before went well, and an error ends the job.  What is lost while a call is under
way is callbacks, as long as the call's own answer comes; unless both directions lost something: then that answer may be
the one to a later call.  What follows what is the table ``ANSWERS`` of ``life``.
"""

from __future__ import annotations

from dataclasses import dataclass

from dissector.model import Message
from dissector.session.life import ANSWERS, AnswerState, LifeEvent, advance
from dissector.traffic import Side


@dataclass(slots=True)
class Proof:
    """What is known of the client's outermost calls on one callback connection."""

    state: AnswerState = AnswerState.SETTLED
    #: The call under way; None between calls.
    asking: Message | None = None
    #: Holes in what the task process and the client sent, and how many there were when the call under way was asked.
    task_lost: int = 0
    client_lost: int = 0
    task_lost_before: int = 0
    client_lost_before: int = 0

    @property
    def settled(self) -> bool:
        """True while no answer that decides is missing."""
        return self.state is AnswerState.SETTLED or self.state is AnswerState.ASKING

    def begins(self, *, mid_stream: bool) -> None:
        """A dialog is seen from its beginning, or not."""
        self._advance(LifeEvent.JOINED_LATE if mid_stream else LifeEvent.SEEN_FROM_START)

    def lost(self, side: Side) -> None:
        """Some of what ``side`` sent can not be read."""
        if side is Side.CLIENT:
            self.task_lost += 1
            self._advance(LifeEvent.HOLE)
        else:
            self.client_lost += 1

    def asked(self, request: Message, operation: str | None) -> None:
        """The client's next outermost call."""
        self._advance(LifeEvent.FIRST_CALL if operation == "create_instance" else LifeEvent.CALL)
        self.asking = request
        self.task_lost_before, self.client_lost_before = self.task_lost, self.client_lost

    def answered(self, request: Message | None, *, is_step: bool) -> bool:
        """The answer to a call; False when it is that to the one under way, but may be that to another one.
        ``is_step``: it says how a step went."""
        if request is None or request is not self.asking:
            return True
        certain = self.task_lost == self.task_lost_before or self.client_lost == self.client_lost_before
        self.asking = None
        if not certain:
            self._advance(LifeEvent.UNSURE_ANSWER)
        else:
            self._advance(LifeEvent.STEP_ANSWER if is_step else LifeEvent.CALL_ANSWER)
        return certain

    def unread(self, request: Message | None, *, to_remote: bool) -> None:
        """An answer of the task process that could not be read; ``to_remote``: that to a request of the client."""
        if request is not None and request is self.asking:
            self.asking = None
            self._advance(LifeEvent.UNREAD_ANSWER)
        elif request is None or to_remote:
            self._advance(LifeEvent.UNREAD_STRAY)

    def holds(self, release: Message | None) -> bool:
        """True when a job that was left with ``release`` is known to have ended without an error."""
        return self.settled and self.asking in (None, release)

    def _advance(self, event: LifeEvent) -> None:
        self.state = advance(ANSWERS, self.state, event) or self.state
