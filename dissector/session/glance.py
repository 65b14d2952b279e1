"""The short cut for the messages that a dialog is made of, when nobody wants to see them.

A task's facts need little of a callback that went well: that it was decoded to its last byte, its count, and what it
wrote to the log.  So invoke, release and get_ids_of_names of the task process and their answers are taken here without
making Messages of them; a request leaves a Draft on the dialog's stack, and becomes a Message when somebody asks for
it.  Whatever is odd (cut, too long, failed, slow, out of turn, with objects to learn) is left to the Dialog before
anything is changed.  A test holds the two ways together.
"""

from __future__ import annotations

from typing import Any

from dissector.errors import DecodeError
from dissector.limits import MAX_DIALOG_DEPTH
from dissector.session.dialog import HEADER, Dialog, Draft
from dissector.session.task import SLOW_CALLBACK, TaskFacts, is_usual_failure
from dissector.traffic import Frame, Side
from dissector.wire import messages as wire
from dissector.wire.decode import decode, pending_of

_OBJECT, _ANSWER = ord("O"), ord("A")
_COMMAND_AT = 9
_COMMANDS = frozenset({b"I", b"R", b"G"})
#: VARIANT types without anything to learn: neither references nor arrays.
_OBJECTS = frozenset({9, 13})
_ARRAY = 0x2000

_new = tuple.__new__


class Glance:
    """Takes frames of one callback connection; ``client_side`` is the end where the JobScheduler client is."""

    def __init__(self, dialog: Dialog, client_side: Side) -> None:
        self._dialog = dialog
        self._client_side = client_side

    def take(self, frame: Frame, facts: TaskFacts) -> bool:
        """True when the frame was taken: ``facts`` know of it.  An answer that was taken ends two messages."""
        first = frame[2][0]
        if first == _ANSWER:
            return self._answer(frame, facts)
        return first == _OBJECT and self._request(frame, facts)

    def _request(self, frame: Frame, facts: TaskFacts) -> bool:
        side, _, data, packets, time = frame
        dialog, stack = self._dialog, self._dialog.stack
        if side is self._client_side or data[_COMMAND_AT : _COMMAND_AT + 1] not in _COMMANDS:
            return False
        if stack and (stack[-1][0] is side or len(stack) >= MAX_DIALOG_DEPTH):
            return False
        try:
            body, trailing = decode(data, None)
        except DecodeError:
            return False
        kind: Any = type(body)
        if trailing:
            return False
        if kind is wire.Invoke:
            for argument in body.params.arguments:
                if _teaches(argument):
                    return False
        elif kind is not wire.Release and kind is not wire.GetIdsOfNames:
            return False
        name, class_name = dialog.objects.get(body.object_id, (None, None))
        member = dialog.member(body)
        draft = _new(Draft, (dialog.next_number(), frame, body, name, class_name, member, len(stack)))
        stack.append((side, draft, pending_of(body)))
        counts = facts.record.counts
        counts.messages += 1
        counts.bytes += len(data) + HEADER
        counts.callbacks += 1
        if name == "spooler_log" and kind is wire.Invoke:
            facts.log(time, packets[0], member, body)
        return True

    def _answer(self, frame: Frame, facts: TaskFacts) -> bool:
        side, _, data, _, time = frame
        dialog, stack = self._dialog, self._dialog.stack
        if not stack:
            return False
        asked, draft, pending = stack[-1]
        if asked is side or type(draft) is not Draft or time - draft[1][4] >= SLOW_CALLBACK:
            return False
        try:
            body, trailing = decode(data, pending)
        except DecodeError:
            return False
        if trailing:
            return False
        kind: Any = type(body)
        counts = facts.record.counts
        if kind is wire.InvokeAnswer:
            if body.result is None or _teaches(body.result):
                return False
        elif kind is wire.GetIdsOfNamesAnswer:
            if body.dispids is None:
                if not is_usual_failure(body.hresult):
                    return False
                counts.errors += 1
            else:
                dialog.learn_members(draft[2], body.dispids)
        elif kind is not wire.EmptyAnswer:
            return False
        stack.pop()
        dialog.next_number()
        counts.messages += 1
        counts.bytes += len(data) + HEADER
        return True


def _teaches(variant: wire.Variant) -> bool:
    """True when a dialog may learn objects from the value."""
    return variant.vt in _OBJECTS or variant.vt >= _ARRAY
