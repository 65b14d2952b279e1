"""The life of a task: what it waits for, and what follows from what happens (docs/protocol.md#life-of-a-task).

A task is made of two connections, and each of them has a life of its own.  Five tables say what follows what:

``COMMANDS``  what client and remote say about the task on the command connection.  A start asks for it and is answered
    by a process or an error.  A close ends it and is answered in its turn; a kill asks the remote to end the process
    and changes nothing by itself.  What the capture lacks may be missing at any place: a task may first show itself by
    the answer to its start, or by its close.
``CALLS``  a connection that goes to the announced port.  It may be refused, or silent; with the first bytes that it
    carries, or when it ends having been accepted, it got through.  A frame of its opener proves it to be the task
    process; bytes that are none prove it to be somebody else.
``JOINS``  which connection is the task's callback.  Each call moves the task of which it is one as well (``FOLLOWS``).
    Calls that nobody announced may fit several starts: such a start is contested, and gets none of them by guess.
    A stranger leaves the port to the next one; a task process that proved itself keeps its task for good.
``ANSWERS``  whether the capture has what decides how the job went: the answers to the client's outermost calls, which
    come one after the other (``proof`` tells which events that makes).
``WATCHES``  how long the task is looked at.  It is over with its connections; when its client announces its port again,
    the end was not captured, and silence tells it; and a task may be let go before, for want of room, or because it
    is another leg of a task that is known.

An event for which the state has no edge happens in no order that a client and a remote keep, whatever of it was
captured.  It changes nothing, and is told as an oddity (``oddities.turns``): packets may say anything.  Of answers none
is odd: any may be missing.

What is not here: messages and times that prove something (``task``), whether TCP's connections are over (``stream``),
what a connection without a task may be (``sniffer``, ``cut``), and in which order things are looked at (``join``,
``pairs``, ``silence``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from dissector.limits import MAX_EVIDENCE


class LifeEvent(Enum):
    """What happens, in words for who reads of it."""

    #: Members are alone of their kind; what Enum has for it is Python and slow.  So in what follows.
    __hash__ = object.__hash__

    # On the command connection.
    START = "a start"
    ANSWER = "an answer to the start"
    ERROR = "an error for the start"
    CLOSE = "a close"
    CLOSE_ANSWER = "an answer to the close"
    KILL = "a kill"
    # On a connection to the announced port.
    OPENED = "a call that got through"
    FRAME = "a frame of the task process"
    STRANGER = "bytes of somebody else"
    END = "the end"
    # What it is compared with.
    RIVAL = "a call that fits several starts"
    # Outermost calls of the client and their answers.
    SEEN_FROM_START = "a dialog from its beginning"
    JOINED_LATE = "a dialog from its middle"
    FIRST_CALL = "the first call"
    CALL = "a call"
    STEP_ANSWER = "the answer to a step"
    CALL_ANSWER = "an answer"
    UNSURE_ANSWER = "an answer that may be to another call"
    UNREAD_ANSWER = "an answer that can not be read"
    UNREAD_STRAY = "an answer to nothing that can not be read"
    HOLE = "a hole in what the task process says"
    # What the tracer makes of the task.
    AGAIN = "its port announced again"
    MISSED = "silence for long enough"
    GIVEN_UP = "too many tasks"
    COPIED = "the same messages on another leg"


class CommandState(Enum):
    __hash__ = object.__hash__
    UNREAD = "was not asked for"
    ASKED = "was asked for"
    STARTED = "was started"
    REFUSED = "was refused"
    CLOSING = "was being closed"
    CLOSED = "was closed"


class CallState(Enum):
    __hash__ = object.__hash__
    CALLING = "calling"
    OPEN = "open"
    PROVED = "proved"
    FOREIGN = "foreign"
    ENDED = "ended"


class JoinState(Enum):
    __hash__ = object.__hash__
    WAITING = "waiting"
    CONTESTED = "contested"
    CALLED = "called"
    CONFIRMED = "confirmed"
    TAKEN = "taken"


class AnswerState(Enum):
    __hash__ = object.__hash__
    SETTLED = "settled"
    ASKING = "asking"
    UNSETTLED = "unsettled"
    ASKING_UNSETTLED = "asking, unsettled"


class WatchState(Enum):
    __hash__ = object.__hash__
    UNDER_WAY = "under way"
    SUPERSEDED = "superseded"
    OVER = "over"
    END_MISSED = "end missed"
    LET_GO = "let go"
    COPY = "copy"


_State = TypeVar("_State", bound=Enum)
Machine = dict[_State, dict[LifeEvent, _State]]

COMMANDS: Machine[CommandState] = {
    CommandState.UNREAD: {
        LifeEvent.START: CommandState.ASKED,
        LifeEvent.ANSWER: CommandState.STARTED,
        LifeEvent.CLOSE: CommandState.CLOSING,
        LifeEvent.KILL: CommandState.UNREAD,
    },
    CommandState.ASKED: {
        LifeEvent.ANSWER: CommandState.STARTED,
        LifeEvent.ERROR: CommandState.REFUSED,
        LifeEvent.CLOSE: CommandState.CLOSING,
        LifeEvent.KILL: CommandState.ASKED,
    },
    CommandState.STARTED: {
        LifeEvent.CLOSE: CommandState.CLOSING,
        LifeEvent.KILL: CommandState.STARTED,
    },
    # The answer to a close that nobody had to send: the close was told already.
    CommandState.REFUSED: {
        LifeEvent.CLOSE_ANSWER: CommandState.REFUSED,
    },
    # A client that can not wait closes before its start is answered, and says so again to kill.
    CommandState.CLOSING: {
        LifeEvent.ANSWER: CommandState.CLOSING,
        LifeEvent.ERROR: CommandState.REFUSED,
        LifeEvent.CLOSE: CommandState.CLOSING,
        LifeEvent.KILL: CommandState.CLOSING,
        LifeEvent.CLOSE_ANSWER: CommandState.CLOSED,
    },
    CommandState.CLOSED: {
        LifeEvent.CLOSE_ANSWER: CommandState.CLOSED,
    },
}

CALLS: Machine[CallState] = {
    CallState.CALLING: {
        LifeEvent.OPENED: CallState.OPEN,
        LifeEvent.END: CallState.ENDED,
    },
    CallState.OPEN: {
        LifeEvent.FRAME: CallState.PROVED,
        LifeEvent.STRANGER: CallState.FOREIGN,
        LifeEvent.END: CallState.ENDED,
    },
    CallState.PROVED: {
        LifeEvent.END: CallState.ENDED,
    },
    CallState.FOREIGN: {
        LifeEvent.END: CallState.ENDED,
    },
    CallState.ENDED: {},
}

JOINS: Machine[JoinState] = {
    JoinState.WAITING: {
        LifeEvent.OPENED: JoinState.CALLED,
        LifeEvent.RIVAL: JoinState.CONTESTED,
    },
    JoinState.CONTESTED: {
        LifeEvent.OPENED: JoinState.CALLED,
        LifeEvent.RIVAL: JoinState.CONTESTED,
    },
    # Of several that got through before one of them proved itself, the last one counts.
    JoinState.CALLED: {
        LifeEvent.OPENED: JoinState.CALLED,
        LifeEvent.FRAME: JoinState.CONFIRMED,
        LifeEvent.STRANGER: JoinState.TAKEN,
    },
    JoinState.CONFIRMED: {
        LifeEvent.FRAME: JoinState.CONFIRMED,
    },
    JoinState.TAKEN: {
        LifeEvent.OPENED: JoinState.CALLED,
        LifeEvent.RIVAL: JoinState.CONTESTED,
    },
}

#: What a call's new state is for its task.
FOLLOWS: dict[CallState, LifeEvent] = {
    CallState.OPEN: LifeEvent.OPENED,
    CallState.PROVED: LifeEvent.FRAME,
    CallState.FOREIGN: LifeEvent.STRANGER,
}

#: What is not here changes nothing: whatever was between may be what the capture lacks.
ANSWERS: Machine[AnswerState] = {
    AnswerState.SETTLED: {
        LifeEvent.JOINED_LATE: AnswerState.UNSETTLED,
        LifeEvent.FIRST_CALL: AnswerState.ASKING,
        LifeEvent.CALL: AnswerState.ASKING,
        LifeEvent.UNREAD_STRAY: AnswerState.UNSETTLED,
        LifeEvent.HOLE: AnswerState.UNSETTLED,
    },
    # The next call would not come before the answer to the last one.  What is lost meanwhile is callbacks.
    AnswerState.ASKING: {
        LifeEvent.JOINED_LATE: AnswerState.ASKING_UNSETTLED,
        LifeEvent.CALL: AnswerState.ASKING_UNSETTLED,
        LifeEvent.STEP_ANSWER: AnswerState.SETTLED,
        LifeEvent.CALL_ANSWER: AnswerState.SETTLED,
        LifeEvent.UNSURE_ANSWER: AnswerState.UNSETTLED,
        LifeEvent.UNREAD_ANSWER: AnswerState.UNSETTLED,
        LifeEvent.UNREAD_STRAY: AnswerState.ASKING_UNSETTLED,
    },
    AnswerState.UNSETTLED: {
        LifeEvent.SEEN_FROM_START: AnswerState.SETTLED,
        LifeEvent.FIRST_CALL: AnswerState.ASKING,
        LifeEvent.CALL: AnswerState.ASKING_UNSETTLED,
    },
    # The client goes on to step only when all before it went well.
    AnswerState.ASKING_UNSETTLED: {
        LifeEvent.SEEN_FROM_START: AnswerState.ASKING,
        LifeEvent.FIRST_CALL: AnswerState.ASKING,
        LifeEvent.STEP_ANSWER: AnswerState.SETTLED,
        LifeEvent.CALL_ANSWER: AnswerState.UNSETTLED,
        LifeEvent.UNSURE_ANSWER: AnswerState.UNSETTLED,
        LifeEvent.UNREAD_ANSWER: AnswerState.UNSETTLED,
    },
}

WATCHES: Machine[WatchState] = {
    WatchState.UNDER_WAY: {
        LifeEvent.AGAIN: WatchState.SUPERSEDED,
        LifeEvent.END: WatchState.OVER,
        LifeEvent.GIVEN_UP: WatchState.LET_GO,
        LifeEvent.COPIED: WatchState.COPY,
    },
    WatchState.SUPERSEDED: {
        LifeEvent.END: WatchState.OVER,
        LifeEvent.MISSED: WatchState.END_MISSED,
        LifeEvent.GIVEN_UP: WatchState.LET_GO,
    },
    WatchState.OVER: {},
    WatchState.END_MISSED: {},
    WatchState.LET_GO: {},
    WatchState.COPY: {},
}


def advance(machine: Machine[_State], state: _State, event: LifeEvent) -> _State | None:
    """The state behind ``event``; None: there is no such edge."""
    return machine[state].get(event)


@dataclass(slots=True)
class OutOfTurn:
    """An event that nothing follows from where the task is."""

    packet: int
    #: In nanoseconds.
    time: int
    words: str


@dataclass(slots=True)
class Life:
    """Where one task is."""

    command: CommandState = CommandState.UNREAD
    join: JoinState = JoinState.WAITING
    watch: WatchState = WatchState.UNDER_WAY
    odd: list[OutOfTurn] = field(default_factory=list)

    def commanded(self, event: LifeEvent, packet: int, time: int) -> None:
        """A document about the task."""
        found = advance(COMMANDS, self.command, event)
        self.command = self._checked(found, self.command, event, packet, time)

    def called(self, call: CallState, event: LifeEvent, packet: int, time: int) -> CallState:
        """Something happened on one of its calls, which was in the state ``call``; returns the state that it is in now,
        which the task follows."""
        found = advance(CALLS, call, event)
        follows = FOLLOWS.get(found) if found is not None else None
        if follows is not None:
            self.joined(follows, packet, time)
        return self._checked(found, call, event, packet, time)

    def joined(self, event: LifeEvent, packet: int, time: int) -> None:
        found = advance(JOINS, self.join, event)
        self.join = self._checked(found, self.join, event, packet, time)

    def watched(self, event: LifeEvent, packet: int, time: int) -> None:
        found = advance(WATCHES, self.watch, event)
        self.watch = self._checked(found, self.watch, event, packet, time)

    def _checked(self, found: _State | None, before: _State, event: LifeEvent, packet: int, time: int) -> _State:
        """The state that was ``found``; without one the task stays where it was."""
        if found is not None:
            return found
        if len(self.odd) < MAX_EVIDENCE:
            self.odd.append(OutOfTurn(packet, time, f"{event.value} when the task {before.value}"))
        return before
