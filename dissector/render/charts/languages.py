"""The languages of sequence charts: how each writes a head, an arrow, a note, and which characters it would obey."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from dissector.render.charts.lines import Arrow, Line, Note, Wait
from dissector.render.steps import Lane

#: Names of the lanes in the languages.
_IDS = {Lane.CLIENT: "client", Lane.REMOTE: "remote", Lane.PROCESS: "process"}

Writer = Callable[[str, Sequence[str], Sequence[Line]], Iterator[str]]


class Language(NamedTuple):
    """``write(title, names of the lanes, lines)`` gives the chart line by line."""

    name: str
    write: Writer


# --- mermaid -------------------------------------------------------------------------------------------------------

#: What stands for itself in a text of mermaid; the rest are numbered entities.
_MERMAID_SAFE = re.compile(r"[^\w .,:=()/+\-\[\]…×▶◀µ]")
_MERMAID_ARROWS = {"call": "->>", "answer": "-->>", "open": "->>", "lost": "-x"}


def _mermaid(title: str, names: Sequence[str], lines: Sequence[Line]) -> Iterator[str]:
    yield "sequenceDiagram"
    for lane, name in zip(Lane, names, strict=True):
        yield f"  participant {_IDS[lane]} as {_mermaid_text(name)}"
    yield f"  Note over client,process: {_mermaid_text(title)}"
    for line in lines:
        if isinstance(line, Arrow):
            text = ("× " if line.failed else "") + _mermaid_text(line.text)
            yield f"  {_IDS[line.source]}{_MERMAID_ARROWS[line.kind]}{_IDS[line.target]}: {text}"
        elif isinstance(line, Note):
            yield f"  Note over client,process: {'× ' if line.failed else ''}{_mermaid_text(line.text)}"
        else:
            yield f"  Note over client,process: … {_mermaid_text(line.text)} …"


def _mermaid_text(text: str) -> str:
    parts = (_MERMAID_SAFE.sub(lambda found: f"#{ord(found[0])};", part) for part in text.split("\n"))
    return "<br/>".join(parts)


# --- mscgen --------------------------------------------------------------------------------------------------------

_MSCGEN_ARROWS = {"call": "=>", "answer": ">>", "open": ":>", "lost": "-x"}
_RED = ', textcolour="#c00000", linecolour="#c00000"'


def _mscgen(title: str, names: Sequence[str], lines: Sequence[Line]) -> Iterator[str]:
    yield "msc {"
    yield '  hscale="2.4", wordwraparcs=on;'
    yield (
        "  "
        + ", ".join(f'{_IDS[lane]} [label="{_mscgen_text(name)}"]' for lane, name in zip(Lane, names, strict=True))
        + ";"
    )
    yield f'  client box process [label="{_mscgen_text(title)}"];'
    for line in lines:
        if isinstance(line, Wait):
            yield f'  ... [label="{_mscgen_text(line.text)}"];'
            continue
        style = _RED if line.failed else ""
        label = f'[label="{_mscgen_text(line.text)}"{style}]'
        if isinstance(line, Arrow):
            yield f"  {_IDS[line.source]} {_MSCGEN_ARROWS[line.kind]} {_IDS[line.target]} {label};"
        else:
            yield f"  client note process {label};"
    yield "}"


def _mscgen_text(text: str) -> str:
    r"""A backslash begins an escape (``\n``) and has none of its own: it becomes its look-alike."""
    return text.replace("\\", "⧵").replace('"', '\\"').replace("\n", "\\n")


# --- PlantUML ------------------------------------------------------------------------------------------------------

#: What stands for itself in a text of PlantUML; the rest are written by their numbers.
_PLANTUML_SAFE = re.compile(r"[^\w .,:()/+…×▶◀µ]|//+|__+|\.\.+|::+")
_PLANTUML_ARROWS = {"call": "->", "answer": "-->", "open": "->", "lost": "->x"}


def _plantuml(title: str, names: Sequence[str], lines: Sequence[Line]) -> Iterator[str]:
    yield "@startuml"
    for lane, name in zip(Lane, names, strict=True):
        yield f'participant "{_plantuml_text(name)}" as {_IDS[lane]}'
    yield f"title {_plantuml_text(title)}"
    for line in lines:
        if isinstance(line, Wait):
            yield f"... {_plantuml_text(line.text)} ..."
            continue
        text = _plantuml_text(line.text)
        if line.failed:
            text = "\\n".join(f"<color:red>{part}</color>" for part in text.split("\\n"))
        if isinstance(line, Arrow):
            yield f"{_IDS[line.source]} {_PLANTUML_ARROWS[line.kind]} {_IDS[line.target]} : {text}"
        else:
            yield f"note over client, process : {text}"
    yield "@enduml"


def _plantuml_text(text: str) -> str:
    parts = (_PLANTUML_SAFE.sub(_plantuml_numbers, part) for part in text.split("\n"))
    return "\\n".join(parts)


def _plantuml_numbers(found: re.Match[str]) -> str:
    return "".join(f"<U+{ord(character):04X}>" for character in found[0])


LANGUAGES = {
    one.name: one
    for one in (Language("mermaid", _mermaid), Language("mscgen", _mscgen), Language("plantuml", _plantuml))
}
