"""What is said of a capture without a task: rows about what was seen instead (``sights``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dissector.model import Problem
from dissector.session.findings import Finding, Reason, every, first
from dissector.session.sights import Sights, unanswered
from dissector.session.subjects import no
from dissector.session.tallies import Occurrences

# --- questions and proof -------------------------------------------------------------------------------------------


def packets_of(pick: Callable[[Sights], Iterable[Occurrences]]) -> Callable[[Sights], list[int]]:
    return lambda seen: [number for tally in pick(seen) for number in tally.packets]


def time_of(pick: Callable[[Sights], Iterable[Occurrences]]) -> Callable[[Sights], int]:
    return lambda seen: min(tally.time for tally in pick(seen))


def some(pick: Callable[[Sights], Iterable[Occurrences]]) -> Callable[[Sights], bool]:
    """There is something of it."""
    return lambda seen: any(tally.number for tally in pick(seen))


def headless(seen: Sights) -> Iterable[Occurrences]:
    return (seen.headless,)


def snapped(seen: Sights) -> Iterable[Occurrences]:
    return (seen.snapped,)


def tunnels(seen: Sights) -> Iterable[Occurrences]:
    return seen.tunnels.kinds.values()


def callbacks(seen: Sights) -> Iterable[Occurrences]:
    return seen.callbacks.values()


def others(seen: Sights) -> Iterable[Occurrences]:
    return seen.others.values()


def hidden(seen: Sights) -> Iterable[Occurrences]:
    return seen.hidden.values()


def strange(seen: Sights) -> Iterable[Occurrences]:
    return seen.strange.values()


def commands(seen: Sights) -> Iterable[Occurrences]:
    return (seen.commands,)


def one_sided(seen: Sights) -> Iterable[Occurrences]:
    return (seen.one_sided,)


def mid_stream(seen: Sights) -> Iterable[Occurrences]:
    return (seen.mid_stream,)


def opened(seen: Sights) -> Iterable[Occurrences]:
    return (seen.opened,)


def connections(seen: Sights) -> Iterable[Occurrences]:
    return (seen.connections,)


def passed(seen: Sights) -> Iterable[Occurrences]:
    return seen.passed.kinds.values()


def all_one_sided(seen: Sights) -> bool:
    """Of all that have packets enough to tell: else it is not the capture that is to blame."""
    return seen.one_sided.number == seen.opened.number - seen.short


def all_mid_stream(seen: Sights) -> bool:
    return seen.mid_stream.number == seen.opened.number


def asks_in_vain(seen: Sights) -> bool:
    return bool(unanswered(seen))


# --- rows ----------------------------------------------------------------------------------------------------------

EMPTY: tuple[Finding[Sights], ...] = (Finding("nothing_captured", (), "The capture has no packet.", ()),)
CUT: tuple[Finding[Sights], ...] = (
    Finding(
        "snap_length",
        (some(headless),),
        "{headless_packets} cut off inside of their headers: at most {longest} bytes were captured.",
        (packets_of(headless),),
        time=time_of(headless),
    ),
    Finding(
        "snap_length",
        (some(snapped),),
        "The snap length cut off bytes of {snapped_connections}: what these carry is unknown.",
        (packets_of(snapped),),
        time=time_of(snapped),
    ),
)
INSTEAD: tuple[Finding[Sights], ...] = (
    Finding("tunnelled_unknown", (some(tunnels),), "{tunnelled}.", (packets_of(tunnels),), time=time_of(tunnels)),
    Finding(
        "callbacks_unanswered",
        (some(callbacks),),
        "{callback_attempts}; on such ports clients wait for callbacks.",
        (packets_of(callbacks),),
        time=time_of(callbacks),
    ),
    Finding(
        "unanswered_elsewhere",
        (some(others),),
        "{other_attempts}.",
        (packets_of(others),),
        (
            Reason(
                remedy="if a remote scheduler should listen on one of these ports, name it: "
                "--command-port {most_tried.port}"
            ),
        ),
        time=time_of(others),
    ),
    Finding("tls_not_decrypted", (some(hidden),), "{hidden_connections}.", (packets_of(hidden),), time=time_of(hidden)),
    Finding(
        "foreign_protocol",
        (some(strange),),
        "{strange_connections} to command ports without a command of a scheduler: {strange_list}.",
        (packets_of(strange),),
        time=time_of(strange),
    ),
    Finding(
        "no_start_command",
        (some(commands),),
        "{command_connections}, none with a start of a remote task.",
        (packets_of(commands),),
        time=time_of(commands),
    ),
    Finding(
        "one_direction",
        (some(one_sided), all_one_sided),
        "Only one direction of {one_sided_ones} was captured.",
        (packets_of(one_sided),),
        time=time_of(one_sided),
    ),
    Finding(
        "mid_stream",
        (some(opened), all_mid_stream),
        "{opened_ones} began before the capture.",
        (packets_of(mid_stream),),
        (Reason(remedy="start the capture before the tasks: the first bytes of a connection tell what it is"),),
        time=time_of(mid_stream),
    ),
)
_PASSED: tuple[Reason[Sights], ...] = (
    Reason(
        remedy="see whether the host that is asked for is up and in this network: as long as nobody answers, no "
        "connection can begin; else {usual}",
        when=(asks_in_vain,),
    ),
    Reason(),
)
NOTHING: tuple[Finding[Sights], ...] = (
    Finding(
        "other_traffic",
        (some(opened),),
        "{opened_connections}, none of a JobScheduler{elsewhere_list}.",
        (packets_of(opened),),
        time=time_of(opened),
    ),
    Finding(
        "no_tcp",
        (no(some(connections)), some(passed)),
        "None of the packets carries TCP: {passed_list}{unanswered_questions}.",
        (packets_of(passed),),
        _PASSED,
        time=time_of(passed),
    ),
    Finding("no_tcp", (no(some(connections)),), "None of the packets carries TCP.", ()),
)


def told(seen: Sights) -> Iterator[Problem]:
    """What is worth a word of the whole capture; of traffic that is nobody's where there is nothing else."""
    found = [*first(CUT, seen), *every(INSTEAD, seen)]
    yield from found or (first(NOTHING, seen) if not seen.knows_better else ())
