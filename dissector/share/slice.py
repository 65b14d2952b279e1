"""The packets of some tasks as a capture of their own, with what is wrong written beside the packets that prove it."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from dissector.model import Connection, Problem, Task
from dissector.outfile import OutFile
from dissector.share.capture_index import CaptureIndex
from dissector.share.files import CaptureFile, check_files
from dissector.share.streams import Conversations
from dissector.sources.capture import CaptureReader, interface_by_packet
from dissector.stream.fragments import Datagrams
from dissector.stream.packets import Parsed, parse
from dissector.traffic import Fragment, IcmpError, Packet, Segment
from dissector.wire.harmless import escape
from dissector.wire.masking import Mask

Comments = dict[int, list[str]]

_MASK = Mask()
_HEX = re.compile(rb"[0-9a-f]{16,}")


def cut(
    sources: Sequence[str], target: str, found: CaptureIndex, tasks: Collection[Task], more: Iterable[str] = ()
) -> int:
    """Writes the packets of ``tasks`` to the file ``target``, pcapng with comments unless its name says pcap; returns
    how many.  ``sources`` are read as one stream; ``more`` are comments on the whole besides.

    Raises CaptureError for files that can not be read or written, UsageError as ``check_files``.
    """
    check_files(sources, [target])
    chosen = frozenset(tasks)
    problems = [problem for problem in found.problems if problem.task in chosen]
    comments = _packet_comments(tasks, problems)
    written = 0
    with OutFile(target) as out:
        writer = CaptureFile(out, "pcapng", comments=[*_section_comments(sources, tasks, problems), *more])
        writer.secrets(_key_log(found, chosen))
        reader = CaptureReader(sources)
        interface = interface_by_packet(sources[0]) if len(sources) == 1 else _no_interface
        for packet in _packets(reader, sources, Conversations(_connections(found, chosen))):
            written += 1
            time, link_type, data, length = packet[1:5]
            words = comments.get(packet.number, ())
            writer.packet(time, link_type, data, length, words, interface(packet.number))
        written += writer.ends(found.end, _connections(found, chosen))
        writer.close()
        out.commit()
    return written


def packets_of(sources: Sequence[str], found: CaptureIndex, tasks: Collection[Task]) -> Generator[Packet, None, None]:
    """All that the tasks have to do with, by their numbers.

    Raises CaptureError.
    """
    return _packets(CaptureReader(sources), sources, Conversations(_connections(found, frozenset(tasks))))


def _packets(
    reader: CaptureReader, sources: Sequence[str], conversations: Conversations
) -> Generator[Packet, None, None]:
    datagrams: frozenset[int] | None = None
    with closing(reader.blocks()) as blocks:
        for packet in conversations.candidates(blocks):
            record = parse(packet)
            if isinstance(record, Fragment):
                datagrams = _fragments(sources, conversations) if datagrams is None else datagrams
                if packet.number in datagrams:
                    yield packet
            elif _belongs(record, conversations):
                yield packet


def _no_interface(_number: int) -> str:
    return ""


def _connections(found: CaptureIndex, tasks: frozenset[Task]) -> Iterable[Connection]:
    """All that the tasks have to do with: also tries that never got through, and whoever came instead."""
    for connection in found.connections:
        if connection.task in tasks:
            yield connection
    for problem in found.problems:
        if problem.task in tasks and problem.connection is not None and problem.connection.task is not problem.task:
            yield problem.connection
    for task in tasks:
        # A command connection of several tasks is that of its first one only.
        if task.command is not None and task.command.task is not task:
            yield task.command
        # So is one that carries exchanges.
        yield from (connection for connection in task.carriers if connection.task is not task)


def _key_log(found: CaptureIndex, tasks: frozenset[Task]) -> bytes:
    """The lines of the original's TLS key log that are about connections of the tasks."""
    names = {name for connection in _connections(found, tasks) if connection.tls for name in connection.tls.names}
    wanted = {name.hex().encode() for name in names}
    lines = (line for line in found.key_log.split(b"\n") if wanted.intersection(_HEX.findall(line.lower())))
    return b"".join(line.strip() + b"\n" for line in dict.fromkeys(lines))


def _fragments(sources: Sequence[str], conversations: Conversations) -> frozenset[int]:
    """Packets with fragments of datagrams that belong to the tasks."""
    datagrams, found = Datagrams(), set()
    for packet in conversations.candidates(CaptureReader(sources).blocks()):
        whole, record = datagrams.whole(packet)
        if whole is not packet and _belongs(record, conversations):
            found.update(datagrams.numbers)
    return frozenset(found)


def _belongs(record: Parsed, conversations: Conversations) -> bool:
    if isinstance(record, Segment):
        return conversations.of_segment(record) is not None
    if isinstance(record, IcmpError):
        key = record.src, record.sport, record.dst, record.dport
        return conversations.of_quote(key, record.number) is not None
    return False


# --- what the comments say -----------------------------------------------------------------------------------------


def _packet_comments(tasks: Iterable[Task], problems: Iterable[Problem]) -> Comments:
    comments: Comments = {}
    for task in tasks:
        comments.setdefault(task.first_packet, []).append(f"jstrace: {_verdict(task)}")
    for problem in problems:
        for place, number in enumerate(problem.packets):
            words = f"{_where(problem)} (see packet {problem.packets[0]} of the original)" if place else _whole(problem)
            comments.setdefault(number, []).append(f"jstrace: {words}")
    return comments


def _section_comments(sources: Sequence[str], tasks: Iterable[Task], problems: Iterable[Problem]) -> list[str]:
    names = ", ".join(escape(Path(source).name) for source in sources)
    where = "that file" if len(sources) == 1 else "those files together"
    heading = f"Cut by jstrace from {names}; packet numbers in comments are those of {where}."
    return [heading, *verdicts(tasks, problems)]


def verdicts(tasks: Iterable[Task], problems: Iterable[Problem]) -> list[str]:
    """What is said of the tasks as a whole."""
    return [*map(_verdict, tasks), *map(_whole, problems)]


def _verdict(task: Task) -> str:
    """``task 3 (nightly:17): lost``"""
    job = _MASK.text(task.job or "")
    name = f"{job}:{task.task_id}" if job and task.task_id is not None else job
    words = [f"task {task.n}{f' ({escape(name)})' if name else ''}: {task.outcome.value}"]
    if task.exit_code:
        words.append(f"exit code {task.exit_code}")
    if task.signal:
        words.append(f"signal {task.signal}")
    return ", ".join(words)


def _where(problem: Problem) -> str:
    task = f" in task {problem.task.n}" if problem.task is not None else ""
    return f"{problem.severity.value} {problem.code}{task}"


def _whole(problem: Problem) -> str:
    parts = (
        problem.summary,
        f"Cause: {problem.cause}." if problem.cause else "",
        problem.remedy and f"Remedy: {problem.remedy}.",
    )
    return f"{_where(problem)}: {escape(_MASK.text(' '.join(part for part in parts if part)))}"
