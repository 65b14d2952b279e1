"""Layers for scapy: ``JobSchedulerCallback`` (frames) and ``JobSchedulerCommand`` (XML), made from the grammar.

    from scapy.all import rdpcap
    from jstrace.scapy import JobSchedulerCallback

    packets = rdpcap("captures/engine_shell_fail.pcap")
    packets[23].show()                                        # a call with its arguments, field by field
    packets[23][JobSchedulerCallback].member

Importing this module binds them to the ports that jstrace knows; ``bind`` binds them to others.  Packets that hold no
whole frame stay ``Raw``; ``sniff(offline=..., session=TCPSession)`` puts those together.

Fields have the names of the grammar, with an underscore behind those that scapy or Python has itself: ``class_``,
``command_``, ``name_``.

How an answer is laid out is not in its bytes but in its request.  The layer remembers, of each connection, the requests
that wait, as packets are dissected one after the other; an answer whose request it has not seen has its bytes in
``body``.

What scapy shows is what is on the wire: no secret is masked, and nothing is joined, judged or put in order.  That is
what ``jstrace.trace`` does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, ClassVar

from scapy.config import conf
from scapy.fields import StrField
from scapy.layers.inet import TCP
from scapy.packet import Packet, bind_bottom_up

from dissector import model
from dissector.limits import MAX_DECODED_MESSAGE
from dissector.ports import CALLBACK_PORTS, COMMAND_PORTS
from dissector.session.dialog import HEADER, Dialog
from dissector.traffic import Frame, Side
from dissector.wire.control import parse_answer, parse_command
from dissector.wire.decode import Pending, pending_of
from dissector.wire.enums import MessageClass
from jstrace.scapy_fields import Group, Whole, fields_of, grammar

__all__ = ["JobSchedulerCallback", "JobSchedulerCommand", "bind"]

#: Connections of which is remembered who waits for what, and frames of each.
_MOST_CONNECTIONS, _MOST_FRAMES = 1_000, 10_000
_CLASSES = frozenset(b"SOAEK")
_NOWHERE = model.Endpoint("", None)


class _Conversation:
    """What waits for an answer on one connection."""

    def __init__(self) -> None:
        self._dialog = self._new_dialog()
        #: What frames that were seen before were decoded with: a packet may be dissected again.
        self._known: OrderedDict[object, tuple[Pending | None, str | None]] = OrderedDict()

    def asked(self, message: bytes, place: object | None, side: Side | None) -> tuple[Pending | None, str | None]:
        """The request that ``message`` answers and the member that it is about; ``place`` names the message."""
        if place is not None and place in self._known:
            return self._known[place]
        if message[0] == MessageClass.SESSION:
            self._dialog = self._new_dialog()
        stack = self._dialog.stack
        if side is None:  # whoever is asked may ask back
            side = stack[-1][0].other if stack else Side.SERVER
        found = self._dialog.feed(Frame(side, 0, message, (1,), 0))
        pending = pending_of(found.request.body) if found.request is not None else None
        if place is not None:
            self._known[place] = pending, found.member
            if len(self._known) > _MOST_FRAMES:
                self._known.popitem(last=False)
        return pending, found.member

    @staticmethod
    def _new_dialog() -> Dialog:
        return Dialog(model.Connection(_NOWHERE, _NOWHERE, 0, 0), Side.SERVER, count(1).__next__)


_conversations: OrderedDict[object, _Conversation] = OrderedDict()
#: The one that is being put together by a TCPSession, if any.
_sessions: list[_Conversation] = []


class JobSchedulerCallback(Group):
    """A frame of a callback connection; frames behind it in the same segment are its payload."""

    __slots__ = ["member"]
    name = "JobSchedulerCallback"
    fields_desc: ClassVar = [Whole("length", HEADER, signed=True, table=None, default=None), *fields_of(grammar().root)]

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *_arguments: Any, **_more: Any) -> Any:
        """Raw for what is no whole frame."""
        return cls if _pkt is None or _frame_size(_pkt) in range(1, len(_pkt) + 1) else conf.raw_layer

    @classmethod
    def tcp_reassemble(cls, data: bytes, _metadata: dict[str, Any], session: dict[str, Any]) -> Any:
        """For ``TCPSession``."""
        size = _frame_size(data)
        if size is None or (size and size > len(data)):
            return None
        if not size:
            return conf.raw_layer(data)
        with _within(session.setdefault("jobscheduler", _Conversation())):
            return cls(data)

    def do_dissect(self, s: bytes) -> bytes:
        size = _frame_size(s)
        if not size or size > len(s):
            raise ValueError("no whole frame")
        message = s[HEADER:size]
        conversation, place, side = _place(self)
        self.asked, self.member = conversation.asked(message, place, side)
        super().do_dissect(s[:size])
        return s[size:]

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes | None]:
        return (s, None) if _frame_size(s) in range(1, len(s) + 1) else (b"", s)

    def default_payload_class(self, payload: bytes) -> Any:  # noqa: ARG002  scapy's shape
        return JobSchedulerCallback

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        if self.length is None:
            pkt = (len(pkt) - HEADER).to_bytes(HEADER, "big") + pkt[HEADER:]
        return pkt + pay

    def mysummary(self) -> str:
        body = self.body
        request = getattr(body, "request", body)
        what = request.name if isinstance(request, Packet) else MessageClass(self.class_).name.lower()
        return f"JobScheduler {what} {getattr(self, 'member', None) or ''}".rstrip()


class JobSchedulerCommand(Packet):  # type: ignore[misc]
    """XML of a command connection, as far as one segment has it."""

    name = "JobSchedulerCommand"
    fields_desc: ClassVar = [StrField("document", b"")]

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *_arguments: Any, **_more: Any) -> Any:
        """Raw for what is no XML: typed commands, HTTP."""
        return cls if _pkt is None or bytes(_pkt).lstrip()[:1] == b"<" else conf.raw_layer

    @property
    def element(self) -> str:
        """The name of the command's root element, or of the first element in an answer."""
        data = bytes(self.document).rstrip(b"\0\r\n")
        return (parse_answer if b"<spooler" in data[:200] else parse_command)(data).element or ""

    def mysummary(self) -> str:
        return f"JobScheduler {self.element}".rstrip()


class _Ports:
    """What scapy compares a port with: equal to each of a range."""

    def __init__(self, low: int, high: int) -> None:
        self._range = range(low, high + 1)

    def __eq__(self, port: object) -> bool:
        return port in self._range

    def __hash__(self) -> int:
        return hash(self._range)

    def __repr__(self) -> str:
        return f"{self._range.start}-{self._range.stop - 1}"


def bind(command_ports: Iterable[int] = COMMAND_PORTS, callback_ports: tuple[int, int] = CALLBACK_PORTS) -> None:
    """Binds the layers to TCP on these ports too, in both directions; ``callback_ports``: lowest and highest."""
    for field in ("dport", "sport"):
        for port in command_ports:
            bind_bottom_up(TCP, JobSchedulerCommand, {field: port})
        bind_bottom_up(TCP, JobSchedulerCallback, {field: _Ports(*callback_ports)})


def _frame_size(data: bytes) -> int | None:
    """Size of the frame that data begins with, header included; 0 for none, None while that is not known."""
    if len(data) <= HEADER:
        return None
    size = int.from_bytes(data[:HEADER], "big", signed=True)
    return HEADER + size if 0 < size <= MAX_DECODED_MESSAGE and data[HEADER] in _CLASSES else 0


@contextmanager
def _within(conversation: _Conversation) -> Iterator[None]:
    _sessions.append(conversation)
    try:
        yield
    finally:
        _sessions.pop()


def _place(layer: Any) -> tuple[_Conversation, object | None, Side | None]:
    """The conversation of a frame, what names its place in there, and who sent it."""
    if _sessions:
        return _sessions[-1], None, None
    below, before = layer.underlayer, 0
    while isinstance(below, JobSchedulerCallback):
        below, before = below.underlayer, before + 1
    ip = below.underlayer if isinstance(below, TCP) else None
    if ip is None or not hasattr(ip, "src"):
        return _Conversation(), None, None
    sender, receiver = (str(ip.src), below.sport), (str(ip.dst), below.dport)
    key = frozenset((sender, receiver))
    conversation = _conversations.setdefault(key, _Conversation())
    _conversations.move_to_end(key)
    if len(_conversations) > _MOST_CONNECTIONS:
        _conversations.popitem(last=False)
    return conversation, (sender, below.seq, before), Side.CLIENT if sender < receiver else Side.SERVER


bind()
