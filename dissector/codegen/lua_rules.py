"""The rules of ``dissector.session`` in the plugin: how a task ended, what went wrong with it, in which words.

They are written once, in Python, and translated (``rules_source`` finds what is needed, ``rules_functions`` writes it).
The plugin collects the facts in ``lua/facts.lua``; thresholds and times that its own pieces need come from here too.
"""

from __future__ import annotations

from collections.abc import Iterable

from dissector.codegen.rules_functions import lines as written
from dissector.codegen.rules_source import RuleSource, Symbol

#: What the plugin calls or makes itself.
_ROOTS: dict[str, tuple[str, ...]] = {
    "session.diagnosis": ("conclude",),
    "session.life": ("Life", "LifeEvent", "CallState", "JoinState", "WatchState"),
    "session.proof": ("Proof",),
    "session.oddities": ("of_stream",),
    "session.codes": ("CODES",),
    "session.task": ("TaskFacts",),
    "session.agent_facts": ("AgentFacts", "Outage", "_REMEMBERED"),
    "session.agent_errors": ("code_of", "is_impostor"),
    "session.tunnels": ("_OK", "_ACCEPTED", "_SHORTEST"),
    "wire.agent": ("Heartbeat", "STARTS"),
    "session.run_pairs": ("USUAL_FAILURES",),
    "session.slow": ("add_slow",),
    "session.tallies": ("add_failure",),
    "model": ("Connection", "Task", "Counts", "Message", "Exchange"),
    "places": ("Endpoint",),
    "sides": ("SideFacts", "Mark"),
    "traffic": ("IcmpError", "StreamProblem"),
    "session.join": ("PROBE_WINDOW",),
    "session.early": ("_NEWEST",),
    "session.timeouts": (
        "GIVE_UP_TO",
        "LINGER",
        "CALLBACK_LINGER",
        "PAIR_PATIENCE",
        "SLOW_CALLBACK",
        "AGENT_PATIENCE",
        "HEARTBEAT_GRACE",
    ),
    "session.pairs": ("_COPY_WINDOW", "_EARLIER", "_MOST_HELD"),
    "session.verdict": ("is_rejected", "closed_by", "ended_before", "is_incomplete"),
    "session.hosts": ("_NEWEST",),
    "session.silence": ("Silence",),
    "stream.direction": ("_TWICE_WITHOUT_ID", "_OVERHEAD", "KEPT"),
    "stream.sequence": ("HALF", "LARGEST_WINDOW", "NEAR", "TWICE"),
    "stream.framing": ("_HEAD", "_SHORTEST_ANSWER", "_SHORTEST_REQUEST"),
    "stream.ip": ("FRAGMENT", "AUTHENTICATION"),
    "session.detect": ("_EPHEMERAL", "_START_ALONE"),
    "stream.reassembly": ("_SHUFFLED",),
    "stream.reorder": ("_OVERHEAD", "_LAST", "_BEGINNING"),
    "stream.icmp": ("reason",),
    "stream.wrong_bytes": (
        "missing",
        "message_lost",
        "missing_of_document",
        "missing_of_http",
        "impossible_length",
        "too_long",
        "document_too_long",
        "nested_too_deep",
        "begun_before",
    ),
    "numbers": ("count", "verb", "odd_words"),
    "session.tracer": ("_WAKES",),
    "limits": ("MAX_ALIKE", "MAX_EVIDENCE", "MAX_CONNECTIONS", "MAX_CLOSED", "MAX_PROBLEMS"),
}
#: Methods of theirs.
_METHODS = (
    "is_through", "is_over", "last_seen", "established", "commanded", "called", "joined", "watched", "begins", "lost",
    "asked", "answered", "unread",
    "note", "leave", "due", "idlest",
)  # fmt: skip
#: What Lua does in its own way (``lua/facts.lua``).
_NATIVES: dict[str, tuple[str, ...]] = {
    "session.start_errors": ("code_of", "_is_xml", "_without_zeros"),
    "session.hosts": ("Hosts",),
    "session.silence": ("heard", "latest", "may_be_due"),
    "session.bodies": ("error_text",),
    "session.tallies": ("unnamed",),
    "wire.names": ("error_code",),
    "wire.agent": ("failure_of",),
    "places": ("address_text",),
}
#: What finds nothing in Lua, and why.
_LEFT_OUT: dict[Symbol, str] = {
    Symbol("session.agent_errors", "http_error"): "a start over HTTP that fails is one for Wireshark's own dissector",
}


def source() -> RuleSource:
    return RuleSource(_symbols(_ROOTS), _symbols(_NATIVES), _METHODS, left_out=_LEFT_OUT)


def lines() -> list[str]:
    """``js.python``: the translated modules, by their names with underscores."""
    return list(written(source()))


def _symbols(named: dict[str, tuple[str, ...]]) -> Iterable[Symbol]:
    return [Symbol(module, name) for module, names in named.items() for name in names]
