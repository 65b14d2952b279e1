"""Skims the messages that a dialog is made of, when nobody wants to see them.

A task's facts need little of a callback that went well: that it was decoded to its last byte, its count, and what it
wrote to the log.  So invoke, release and get_ids_of_names of the task process and their answers are taken here without
making Messages of them; a request leaves a Draft on the dialog's stack, and becomes a Message when somebody asks for
it.  Whatever is odd (cut, too long, failed, slow, out of turn, with objects to learn) is left to the Dialog before
anything is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct

from dissector.errors import DecodeError
from dissector.limits import MAX_DIALOG_DEPTH
from dissector.session.dialog import HEADER, Dialog, Draft
from dissector.session.run_pairs import DONE, LOOK_UP_AT, USUAL_FAILURES
from dissector.session.task import TaskFacts
from dissector.session.timeouts import SLOW_CALLBACK
from dissector.stream.block import Pairs
from dissector.traffic import Frame, Side
from dissector.wire import messages as wire
from dissector.wire.decode import decode, pending_of

_OBJECT, ANSWER = ord("O"), ord("A")
_UNKNOWN = (None, None)
_INVOKE = Struct(">xQxi16siI8x").unpack
_OBJECT_ID = Struct(">Q").unpack_from
#: A get_ids_of_names up to what is behind its object.
_ANY_OBJECT = b"O" + bytes([255] * 8) + b"G"
_NO_ARGUMENTS = wire.DispParams((), ())
#: VARIANT types without anything to learn: neither references nor arrays.
_OBJECTS = frozenset({9, 13})
_ARRAY = 0x2000

_new = tuple.__new__


def _invoke(head: bytes) -> wire.Invoke:
    """An invoke by what is before its arguments."""
    object_id, dispid, iid, lcid, flags = _INVOKE(head)
    return wire.Invoke(object_id, dispid, iid, lcid, flags, _NO_ARGUMENTS)


@lru_cache(maxsize=256)
def _looked_up(behind_object: bytes, answer: bytes) -> tuple[tuple[str, ...], tuple[int, ...] | None]:
    """The names of a get_ids_of_names, given by all that is behind its object, and their dispids: every task asks for
    the same ones."""
    request, _ = decode(_ANY_OBJECT + behind_object, None)
    found, _ = decode(answer, pending_of(request))
    assert isinstance(request, wire.GetIdsOfNames)
    assert isinstance(found, wire.GetIdsOfNamesAnswer)
    return request.names, found.dispids


class Skim:
    """Takes frames of one callback connection; ``client_side`` is the end where the JobScheduler client is."""

    def __init__(self, dialog: Dialog, client_side: Side, header: int = HEADER) -> None:
        """``header``: bytes of the length before each message, which count too."""
        self._dialog = dialog
        self._client_side = client_side
        self._header = header

    def take(self, frame: Frame, facts: TaskFacts) -> bool:
        """True when the frame was taken: ``facts`` know of it.

        An answer that was taken ends two messages.
        """
        first = frame[2][0]
        if first == ANSWER:
            return self._answer(frame, facts)
        return first == _OBJECT and self._request(frame, facts)

    def may_ask(self, side: Side) -> bool:
        """True when ``take`` would take a request of ``side`` now."""
        stack = self._dialog.stack
        return side is not self._client_side and (
            not stack or (stack[-1][0] is not side and len(stack) < MAX_DIALOG_DEPTH)
        )

    def take_pairs(self, pairs: Pairs, heads: list[bytes], facts: TaskFacts, numbers: Sequence[int]) -> None:
        """What ``take`` does with requests and answers of a run whose side ``may_ask``; ``numbers`` are those of its
        block."""
        _, number, size, lines, time_taken, _ = pairs
        counts, dialog = facts.record.counts, self._dialog
        counts.messages += 2 * number
        counts.callbacks += number
        counts.bytes += size
        facts.callback_time += time_taken
        logs: dict[int, str | None] = {}
        for line in lines:
            if len(line) == 2:
                self._look_up(*line, facts)
                logs.clear()
                continue
            time, index, head, values = line
            if head not in logs:
                body = _invoke(heads[head])
                is_log = dialog.objects.get(body.object_id, _UNKNOWN)[0] == "spooler_log"
                logs[head] = (dialog.member(body) or "").lower() if is_log else None
            member = logs[head]
            if member is not None:
                facts.logged(time, numbers[index], member, values)

    def _look_up(self, request: bytes, answer: bytes, facts: TaskFacts) -> None:
        names, dispids = _looked_up(request[LOOK_UP_AT:], answer)
        if dispids is None:
            facts.record.counts.errors += 1
        elif dispids:
            (object_id,) = _OBJECT_ID(request, 1)
            self._dialog.learn_members(object_id, names, dispids)

    def _request(self, frame: Frame, facts: TaskFacts) -> bool:
        side, _, data, packets, time = frame
        dialog = self._dialog
        stack = dialog.stack
        if not self.may_ask(side):
            return False
        try:
            body, trailing = decode(data, None)
        except DecodeError:
            return False
        if trailing:
            return False
        if isinstance(body, wire.Invoke):
            for argument in body.params.arguments:
                if argument.vt in _OBJECTS or argument.vt >= _ARRAY:
                    return False
        elif not isinstance(body, (wire.Release, wire.GetIdsOfNames)):
            return False
        name, class_name = dialog.objects.get(body.object_id, _UNKNOWN)
        member = dialog.member(body)
        draft = _new(Draft, (dialog.next_number(), frame, body, name, class_name, member, len(stack)))
        stack.append((side, draft, pending_of(body)))
        counts = facts.record.counts
        counts.messages += 1
        counts.bytes += len(data) + self._header
        counts.callbacks += 1
        if name == "spooler_log" and isinstance(body, wire.Invoke):
            facts.log(time, packets[0], member, body)
        return True

    def _answer(self, frame: Frame, facts: TaskFacts) -> bool:
        side, _, data, _, time = frame
        dialog = self._dialog
        stack = dialog.stack
        if not stack:
            return False
        asked, draft, pending = stack[-1]
        if asked is side or not isinstance(draft, Draft) or time - draft[1][4] >= SLOW_CALLBACK:
            return False
        counts = facts.record.counts
        if data != DONE or type(draft[2]) is not wire.Invoke:
            try:
                body, trailing = decode(data, pending)
            except DecodeError:
                return False
            if trailing:
                return False
            if isinstance(body, wire.InvokeAnswer):
                if body.result is None or body.result.vt in _OBJECTS or body.result.vt >= _ARRAY:
                    return False
            elif isinstance(body, wire.GetIdsOfNamesAnswer):
                if body.dispids is not None:
                    dialog.learn_members(draft[2].object_id, draft[2].names, body.dispids)
                elif body.hresult in USUAL_FAILURES:
                    counts.errors += 1
                else:
                    return False
        stack.pop()
        facts.callback_time += time - draft[1][4]
        dialog.next_number()
        counts.messages += 1
        counts.bytes += len(data) + self._header
        return True
