"""Whether the capture has what decides how a job went, so that a success is never told for want of better knowledge.

What decides are the answers to the client's outermost calls.  All have to be there, or those from the last ``step`` on:
the client goes on to it only when all before went well, and an error ends the job.  What is lost while a call is under
way is callbacks, as long as the call's own answer comes; unless both directions lost something: then that answer may be
the one to a later call.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dissector.model import Message
from dissector.traffic import Side


@dataclass(slots=True)
class Proof:
    """What is known of the client's outermost calls on one callback connection."""

    #: The call under way; None between calls.
    asking: Message | None = None
    #: True while no answer that decides is missing.
    settled: bool = True
    #: The command connection had begun to end when the client sent the close (see ``verdict.came_late``).
    close_late: bool = False
    #: Holes in what the task process (``Side.CLIENT``) and the client sent.
    _losses: list[int] = field(default_factory=lambda: [0, 0])
    #: The same when the call under way was asked.
    _before: tuple[int, ...] = (0, 0)

    def lost(self, side: Side) -> None:
        """Some of what ``side`` sent can not be read."""
        self._losses[side] += 1
        if side is Side.CLIENT and self.asking is None:
            self.settled = False

    def asked(self, request: Message) -> None:
        """The client's next outermost call; it would not come before the answer to the last one."""
        if request.operation == "create_instance":
            self.settled = True  # the first of all
        elif self.asking is not None:
            self.settled = False
        self.asking, self._before = request, tuple(self._losses)

    def answered(self, answer: Message) -> bool:
        """The answer to the call under way; False when it may be that to another call."""
        certain = any(now == then for now, then in zip(self._losses, self._before, strict=True))
        self.asking = None
        if not certain:
            self.settled = False
        elif answer.kind == "answer" and (answer.member or "").lower() == "step":
            self.settled = True
        return certain

    def unread(self, message: Message) -> None:
        """A message of the task process that could not be decoded."""
        if message.raw[:1] not in (b"A", b"E"):
            return
        if message.request is self.asking:
            self.asking = None
        if message.request is None or message.request.to_remote:
            self.settled = False

    def holds(self, release: Message | None) -> bool:
        """True when a job that was left with ``release`` is known to have ended without an error."""
        return self.settled and self.asking in (None, release)
