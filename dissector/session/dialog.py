"""Who answers whom on a callback connection, and what the objects and members are called.

The connection is half-duplex with nesting: whoever is asked may ask back before answering.  An answer therefore
belongs to the newest request, not yet answered, that the other side sent: one stack tells all.

    frame of class   the stack                                the message
    S O K            push                                     request, depth = height before the push
    A E              pop the newest entry of the other side   answer, decoded by that entry; depth = its depth
    {                untouched                                tunnel token of a 1.10+ task process
    any other        untouched                                undecoded

Entries above the popped one were sent by the answering side itself: it answered the outer request, so their own
answers can not come any more (they were lost with a gap).  Likewise nobody asks twice without an answer in between:
where bytes were lost, or the capture began late, the answer to the first request was among them.  Who answers what was
asked before the capture began has got the answers to all that was asked since.  An ``A`` on an empty stack can not be
decoded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from dissector.errors import DecodeError
from dissector.limits import MAX_DIALOG_DEPTH, MAX_OBJECTS
from dissector.model import Connection, Message, ObjectInfo, Task
from dissector.numbers import count
from dissector.traffic import Frame, Side, Skipped
from dissector.wire import messages as wire
from dissector.wire.decode import Pending, decode, operation_name, pending_of, without_arguments
from dissector.wire.names import class_key, member_name

_KEEP_ALIVE, _ANSWER = ord("K"), ord("A")
_REQUESTS = frozenset(b"SOK")
_ANSWERS = frozenset(b"AE")
#: What nearly all messages and values are: no object is in them.
_WITHOUT_OBJECTS = frozenset(
    (type(None), bool, int, str, wire.Double, wire.Release, wire.GetIdsOfNames, wire.GetIdsOfNamesAnswer)
)
#: Bytes of the length header in front of each message.
HEADER = 4


class Draft(NamedTuple):
    """A request that may become a Message (see ``skim``)."""

    number: int
    frame: Frame
    body: Any
    object_name: str | None
    object_class: str | None
    member: str | None
    depth: int


#: A request without its answer yet; Pending is None when the request itself could not be decoded.
_Open = tuple[Side, "Message | Draft", "Pending | None"]


class Dialog:
    """Messages of one callback connection.  ``client_side`` is the end where the JobScheduler client (the listener)
    is, ``next_number`` gives message numbers."""

    def __init__(self, connection: Connection, client_side: Side, next_number: Callable[[], int]) -> None:
        self.connection = connection
        #: Whose messages they are, where a connection carries those of several tasks.
        self.task: Task | None = None
        self._client_side = client_side
        self.next_number = next_number
        self.stack: list[_Open] = []
        self._given_up: list[Message] = []
        self._learnt: dict[tuple[str | int, int], str] = {}
        self._keys: dict[int, str | None] = {}
        self.objects: OrderedDict[int, ObjectInfo] = OrderedDict()

    def feed(self, frame: Frame) -> Message:
        """The frame as a message; an answer also fills in ``answered_by`` of its ``request``."""
        message_class = frame[2][0]
        if message_class in _REQUESTS:
            return self._request(frame)
        if message_class in _ANSWERS:
            return self._answer(frame)
        return self._outsider(frame)

    def skipped(self, skipped: Skipped) -> Message:
        """A message of which only the beginning is known, in its place; without a note so far."""
        side, offset, head, size, packets, time, reason = skipped
        message = self.feed(Frame(side, offset, without_arguments(head), packets, time))
        asks = message.body if message.kind == "request" else None
        message.kind, message.body, message.raw = "undecoded", wire.Undecoded(head, reason, asks), head
        message.size, message.note = size + HEADER, None
        return message

    def open_requests(self) -> list[Message]:
        """Requests without an answer, outermost first."""
        self.stack = [(side, self._written(message), pending) for side, message, pending in self.stack]
        return [message for _, message, _ in self.stack if isinstance(message, Message)]

    def given_up(self) -> list[Message]:
        """Requests that no answer can come to any more, since it was last asked."""
        if not self._given_up:
            return []
        messages, self._given_up = self._given_up, []
        return messages

    def told(self, message: Message) -> Iterator[Message]:
        """What is final by a message that came: the request that it answers, requests that no answer can come to any
        more, and the message itself unless it waits for its answer."""
        if message.request is not None:
            yield message.request
        yield from self.given_up()
        if message.raw[0] not in _REQUESTS:
            yield message

    # --- requests --------------------------------------------------------------------------------------------------

    def _request(self, frame: Frame) -> Message:
        side, stack, connection = frame[0], self.stack, self.connection
        message = self._message(frame, "request" if frame[2][0] != _KEEP_ALIVE else "keep_alive")
        if stack:
            if stack[-1][0] is side and (connection.gaps or connection.snapped or connection.mid_stream):
                self._give_up(len(stack) - 1)
            message.depth = len(stack)
        pending: Pending | None = None
        try:
            body, trailing = decode(frame[2], None)
        except DecodeError as error:
            self._undecoded(message, str(error))
        else:
            message.body = body
            if trailing:
                _note_trailing(message, trailing)
            pending = pending_of(body)
            message.operation = operation_name(body)
            self._name_request(message)
            self._learn_objects(body)
        if len(stack) >= MAX_DIALOG_DEPTH:
            self._given_up.append(self._written(stack.pop(0)[1]))
        stack.append((side, message, pending))
        return message

    def _outsider(self, frame: Frame) -> Message:
        """The JSON frame that opens the connection of a task process of releases 1.10+: named, but outside of the
        grammar, so its kind is ``undecoded``; and whatever else is neither request nor answer."""
        message = self._message(frame, "undecoded")
        try:
            message.body = decode(frame.data, None).body
            message.operation = "tunnel_token"
        except DecodeError as error:
            self._undecoded(message, str(error))
        return message

    def _name_request(self, message: Message) -> None:
        body = message.body
        object_id = getattr(body, "object_id", None)
        if object_id is not None:
            message.object_id = object_id
            message.object_name, message.object_class = self.objects.get(object_id, (None, None))
        message.member = self.member(body)
        if isinstance(body, wire.Call) and body.name.lower() == "begin":
            self._learn_names(body)

    def member(self, body: wire.Body) -> str | None:
        """The member that a request is about.

        What was seen on the connection wins over the tables: for this object, else for one of the same interface (not
        of the same title: the Java task server calls all kinds of objects ``Obj``).
        """
        if isinstance(body, wire.Call):
            return body.name
        if isinstance(body, wire.GetIdsOfNames):
            return body.names[0] if body.names else None
        if not isinstance(body, wire.Invoke):
            return None
        key = self._keys.get(body.object_id)
        for owner in (body.object_id, key):
            if owner is not None and (owner, body.dispid) in self._learnt:
                return self._learnt[owner, body.dispid]
        return member_name(key, body.dispid, body.flags) if key else None

    # --- answers ---------------------------------------------------------------------------------------------------

    def _answer(self, frame: Frame) -> Message:
        entry = self._pop(frame[0])
        message = self._message(frame, "answer" if frame[2][0] == _ANSWER else "error")
        pending: Pending | None = None
        if entry is not None:
            _, asked, pending = entry
            request = self._written(asked)
            request.answered_by = message.n
            message.answers = request.n
            message.request = request
            message.depth = request.depth
            message.latency = frame.time - request.time
            message.operation = request.operation
            message.member = request.member
            message.object_id = request.object_id
            message.object_name = request.object_name
            message.object_class = request.object_class
        if pending is None and frame[2][0] == _ANSWER:
            reason = "answer to a request that could not be decoded" if entry else "answer without its request"
            self._undecoded(message, reason)
            return message
        try:
            body, trailing = decode(frame[2], pending)
        except DecodeError as error:
            self._undecoded(message, str(error))
            return message
        message.body = body
        if trailing:
            _note_trailing(message, trailing)
        self._learn_objects(body)
        if isinstance(body, wire.GetIdsOfNamesAnswer) and body.dispids and message.request is not None:
            asked_for = message.request.body
            if isinstance(asked_for, wire.GetIdsOfNames):
                self.learn_members(asked_for.object_id, asked_for.names, body.dispids)
        return message

    def _pop(self, side: Side) -> _Open | None:
        stack = self.stack
        if stack and stack[-1][0] is not side:
            return stack.pop()
        for index in reversed(range(len(stack))):
            if stack[index][0] is not side:
                self._give_up(index + 1)
                return stack.pop()
        if self.connection.mid_stream:  # to what was asked before the capture began, and before all of them
            self._give_up(0)
        return None

    def _give_up(self, first: int) -> None:
        """No answers come to the requests from this place of the stack on."""
        self._given_up += [self._written(message) for _, message, _ in self.stack[first:]]
        del self.stack[first:]

    # --- names -----------------------------------------------------------------------------------------------------

    def learn_members(self, object_id: int, names: tuple[str, ...], dispids: tuple[int, ...]) -> None:
        """The answer to a get_ids_of_names."""
        if len(self._learnt) >= MAX_OBJECTS:
            return
        key = self._keys.get(object_id)
        for name, dispid in zip(names, dispids, strict=False):
            # Names are matched without case: the first spelling that was looked up stays.
            self._learnt.setdefault((object_id, dispid), name)
            if key is not None:
                self._learnt.setdefault((key, dispid), name)

    def _learn_names(self, begin: wire.Call) -> None:
        """``begin(objects, names)``: two arrays of equal order give the objects their names."""
        arrays = [argument.value for argument in begin.params.natural]
        if len(arrays) < 2 or not all(isinstance(array, wire.SafeArray) for array in arrays[:2]):
            return
        objects, names = (_variants(array) for array in arrays[:2])
        for reference, name in zip(objects, names, strict=False):
            if isinstance(reference, wire.Reference) and isinstance(name, str) and reference.object_id:
                self._learn(reference, name)

    def _learn_objects(self, value: object) -> None:
        """Every reference inside a body, by a walk that only enters what can hold one."""
        stack: list[object]
        if isinstance(value, (wire.Invoke, wire.Call)):
            stack = [one.value for one in value.params.arguments if type(one.value) not in _WITHOUT_OBJECTS]
        else:
            stack = [value]
        while stack:
            item = stack.pop()
            if type(item) in _WITHOUT_OBJECTS:
                continue
            if isinstance(item, wire.Reference):
                self._learn(item, None)
                if item.new:
                    stack.extend(member.value.value for member in item.new.properties)
            elif isinstance(item, wire.SafeArray):
                if item.element_vt == 12:
                    stack.extend(_variants(item))
            elif isinstance(item, (wire.InvokeAnswer, wire.CallAnswer)):
                if item.result is not None:
                    stack.append(item.result.value)
            elif isinstance(item, wire.CreateInstanceAnswer):
                stack.extend(result.object for result in item.results or ())
            elif isinstance(item, wire.QueryInterfaceAnswer):
                stack.append(item.object)

    def _learn(self, reference: wire.Reference, name: str | None) -> None:
        object_id, new = reference.object_id, reference.new
        if not object_id:
            return
        known = self.objects.get(object_id)
        if known is None and len(self.objects) >= MAX_OBJECTS:
            oldest, _ = self.objects.popitem(last=False)  # ids count up and are not used again
            self._keys.pop(oldest, None)
        old_name, class_name = known or (None, None)
        name = name or old_name
        if new is not None or name != old_name:
            clsid = new.proxy_clsid if new else None
            key = class_key(new.title if new else class_name or "", clsid, name) or self._keys.get(object_id)
            self._keys[object_id] = key
            class_name = (new.title if new else class_name) or class_name or key
        self.objects[object_id] = ObjectInfo(name, class_name)

    # --- records ---------------------------------------------------------------------------------------------------

    def _written(self, request: Message | Draft) -> Message:
        """A draft as the Message that it would have been."""
        if isinstance(request, Message):
            return request
        number, frame, body, name, class_name, member, depth = request
        message = self._message(frame, "request", number)
        message.body, message.operation, message.depth = body, operation_name(body), depth
        message.object_id, message.object_name, message.object_class = body.object_id, name, class_name
        message.member = member
        return message

    def _message(self, frame: Frame, kind: str, number: int | None = None) -> Message:
        side, _, data, packets, time = frame
        connection = self.connection
        operation = "keep_alive" if kind == "keep_alive" else None
        size, to_remote = len(data) + HEADER, side is self._client_side
        number, task = number or self.next_number(), self.task or connection.task
        message = Message(number, connection, time, packets, to_remote, kind, operation, None, data, size, task)
        message.objects = self.objects
        return message

    def _undecoded(self, message: Message, reason: str) -> None:
        message.kind = "undecoded"
        message.note = reason
        message.body = wire.Undecoded(message.raw, reason)


def _note_trailing(message: Message, trailing: int) -> None:
    message.note = f"{count(trailing, 'byte')} left over behind the message"


def _variants(array: object) -> list[object]:
    """Plain values of an array's elements."""
    if not isinstance(array, wire.SafeArray) or isinstance(array.elements, bytes):
        return []
    return [element.value if isinstance(element, wire.Variant) else element for element in array.elements]
