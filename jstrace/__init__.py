"""jstrace from Python: what happened to the remote tasks of SOS JobScheduler 1.x, from packets.

    import jstrace

    for task in jstrace.trace("capture.pcapng"):
        print(task.job, task.outcome, task.problems)

===================  ==================================================================================================
``trace``            tasks of capture files, each as soon as nothing can change it any more
``messages``         what schedulers and task processes said to each other, in order
``exchanges``        requests over HTTP with their responses, such as those to a Universal Agent
``events``           all of these, with connections and problems, as ``jstrace read --format jsonl`` prints them
``live``             tasks that end while it captures on an interface
``decode``           the bytes of one frame of a callback connection
``to_dataframe``     records as a table of pandas
``schema``           the JSON Schema of what ``to_json`` and the command print
``grammar``          the grammar of the callback connection, as construct declares it
``scapy``            layers for scapy: ``from jstrace.scapy import JobSchedulerCallback, JobSchedulerCommand``
===================  ==================================================================================================

All of it is read by the same readers, fast path and rules as ``jstrace read`` reads with, and secrets are masked unless
``show_secrets=True``.  Whatever goes wrong is a ``JstraceError``.

This package is the public part, and a thin one: functions, records that can not be changed, errors.  It stands beside
``dissector``, which it is made of, and is not the same package under another name, because the two have different
promises: names here stay, with their meanings, while ``dissector`` is arranged anew whenever that makes it simpler or
faster, and its records live and change while packets arrive.

Everything is imported when it is first used: ``import jstrace`` takes a few milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissector import __version__

if TYPE_CHECKING:
    from dissector.errors import CaptureError as CaptureError
    from dissector.errors import DecodeError as DecodeError
    from dissector.errors import JstraceError as JstraceError
    from dissector.errors import ToolError as ToolError
    from dissector.errors import UsageError as UsageError
    from dissector.model import Endpoint as Endpoint
    from dissector.render.contract import CaptureRecord as CaptureRecord
    from dissector.render.contract import ConnectionRecord as ConnectionRecord
    from dissector.render.contract import ExchangeRecord as ExchangeRecord
    from dissector.render.contract import MessageRecord as MessageRecord
    from dissector.render.contract import ProblemRecord as ProblemRecord
    from dissector.render.contract import TaskRecord as TaskRecord
    from jstrace import grammar as grammar
    from jstrace import scapy as scapy
    from jstrace.decoding import Decoded as Decoded
    from jstrace.decoding import Field as Field
    from jstrace.decoding import decode as decode
    from jstrace.following import Live as Live
    from jstrace.following import live as live
    from jstrace.reading import Trace as Trace
    from jstrace.reading import events as events
    from jstrace.reading import exchanges as exchanges
    from jstrace.reading import messages as messages
    from jstrace.reading import trace as trace
    from jstrace.records import Agent as Agent
    from jstrace.records import Alert as Alert
    from jstrace.records import Capture as Capture
    from jstrace.records import Certificate as Certificate
    from jstrace.records import Connection as Connection
    from jstrace.records import Counts as Counts
    from jstrace.records import ExcepInfo as ExcepInfo
    from jstrace.records import Exchange as Exchange
    from jstrace.records import InterfaceResult as InterfaceResult
    from jstrace.records import Json as Json
    from jstrace.records import LogLine as LogLine
    from jstrace.records import Message as Message
    from jstrace.records import Object as Object
    from jstrace.records import Problem as Problem
    from jstrace.records import Task as Task
    from jstrace.records import Tls as Tls
    from jstrace.records import Value as Value
    from jstrace.records import WireError as WireError
    from jstrace.tables import schema as schema
    from jstrace.tables import to_dataframe as to_dataframe

_PLACES = {
    "dissector.errors": ("CaptureError", "DecodeError", "JstraceError", "ToolError", "UsageError"),
    "dissector.model": ("Endpoint",),
    "dissector.render.contract": (
        "CaptureRecord", "ConnectionRecord", "ExchangeRecord", "MessageRecord", "ProblemRecord", "TaskRecord",
    ),
    "jstrace.decoding": ("Decoded", "Field", "decode"),
    "jstrace.following": ("Live", "live"),
    "jstrace.reading": ("Trace", "events", "exchanges", "messages", "trace"),
    "jstrace.records": (
        "Agent", "Alert", "Capture", "Certificate", "Connection", "Counts", "ExcepInfo", "Exchange", "InterfaceResult",
        "Json", "LogLine", "Message", "Object", "Problem", "Task", "Tls", "Value", "WireError",
    ),
    "jstrace.tables": ("schema", "to_dataframe"),
}  # fmt: skip
_MODULES = ("grammar", "scapy")
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = ["__version__", *sorted((*_PLACE_OF, *_MODULES))]

if not TYPE_CHECKING:  # a type checker should see a name that is misspelt

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _MODULES:
            return import_module(f"jstrace.{name}")
        if name not in _PLACE_OF:
            raise AttributeError(f"module 'jstrace' has no attribute {name!r}")
        found = getattr(import_module(_PLACE_OF[name]), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
