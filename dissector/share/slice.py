"""The packets of some tasks as a capture of their own, with what is wrong written beside the packets that prove it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from dissector.model import Connection, Problem, Task
from dissector.outfile import OutFile
from dissector.share.capture_index import CaptureIndex
from dissector.share.files import CaptureFile, check_files
from dissector.share.streams import Conversations
from dissector.sources.capture import CaptureReader, interface_by_packet
from dissector.stream.fragments import Datagrams
from dissector.stream.packets import Parsed, parse
from dissector.traffic import Fragment, IcmpError, Segment
from dissector.wire.harmless import escape
from dissector.wire.masking import Mask

Comments = dict[int, list[str]]

_MASK = Mask()
_HEX = re.compile(rb"[0-9a-f]{16,}")


def cut(source: str, target: str, found: CaptureIndex, tasks: Collection[Task], more: Iterable[str] = ()) -> int:
    """Writes the packets of ``tasks`` to the file ``target``, pcapng with comments unless its name says pcap; returns
    how many.  ``more`` are comments on the whole besides.

    Raises CaptureError for files that can not be read or written, UsageError as ``check_files``.
    """
    check_files([source], [target])
    chosen = frozenset(tasks)
    conversations = Conversations(_connections(found, chosen))
    problems = [problem for problem in found.problems if problem.task in chosen]
    comments = _packet_comments(tasks, problems)
    written = 0
    with OutFile(target) as out:
        writer = CaptureFile(out, "pcapng", comments=[*_section_comments(source, tasks, problems), *more])
        writer.secrets(_key_log(found, chosen))
        datagrams: frozenset[int] | None = None
        reader, interface = CaptureReader([source]), interface_by_packet(source)
        for packet in conversations.candidates(reader.blocks()):
            record = parse(packet)
            if isinstance(record, Fragment):
                datagrams = _fragments(source, conversations) if datagrams is None else datagrams
                wanted = packet.number in datagrams
            else:
                wanted = _belongs(record, conversations)
            if wanted:
                written += 1
                time, link_type, data, length = packet[1:5]
                words = comments.get(packet.number, ())
                writer.packet(time, link_type, data, length, words, interface(packet.number))
        written += writer.ends(reader.infos[0].last, _connections(found, chosen))
        writer.close()
        out.commit()
    return written


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


def _fragments(source: str, conversations: Conversations) -> frozenset[int]:
    """Packets with fragments of datagrams that belong to the tasks."""
    datagrams, found = Datagrams(), set()
    for packet in conversations.candidates(CaptureReader([source]).blocks()):
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


def _section_comments(source: str, tasks: Iterable[Task], problems: Iterable[Problem]) -> list[str]:
    heading = f"Cut by jstrace from {escape(Path(source).name)}; packet numbers in comments are those of that file."
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
