"""The languages of sequence charts: how each writes a head, an arrow, a note, and which characters it would obey."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dissector.render.charts.lines import Arrow, Line, Note
from dissector.render.steps import Lane

#: Names of the lanes in the languages.
_IDS = {Lane.CLIENT: "client", Lane.REMOTE: "remote", Lane.PROCESS: "process"}


class Language(NamedTuple):
    """``head(title, names of the lanes)`` are its first lines, ``label(text, failed)`` is a text as it writes it;
    ``arrow``, ``note`` and ``wait`` are lines with names in braces, ``arrows`` the signs of kinds of arrows."""

    name: str
    head: Callable[[str, Sequence[str]], Iterator[str]]
    label: Callable[[str, bool], str]
    arrow: str
    note: str
    wait: str
    arrows: Mapping[str, str]
    foot: tuple[str, ...] = ()

    def write(self, title: str, names: Sequence[str], lines: Iterable[Line]) -> Iterator[str]:
        """The chart line by line."""
        yield from self.head(title, names)
        for line in lines:
            if isinstance(line, Arrow):
                ends = {"source": _IDS[line.source], "target": _IDS[line.target], "sign": self.arrows[line.kind]}
                yield self.arrow.format(label=self.label(line.text, line.failed), **ends)
            elif isinstance(line, Note):
                yield self.note.format(label=self.label(line.text, line.failed))
            else:
                yield self.wait.format(label=self.label(line.text, False))
        yield from self.foot


# --- mermaid -------------------------------------------------------------------------------------------------------

#: What stands for itself in a text of mermaid; the rest are numbered entities.
_MERMAID_SAFE = re.compile(r"[^\w .,:=()/+\-\[\]…×▶◀µ]")


def _mermaid_head(title: str, names: Sequence[str]) -> Iterator[str]:
    yield "sequenceDiagram"
    for lane, name in zip(Lane, names, strict=True):
        yield f"  participant {_IDS[lane]} as {_mermaid_label(name, False)}"
    yield f"  Note over client,process: {_mermaid_label(title, False)}"


def _mermaid_label(text: str, failed: bool) -> str:
    parts = (_MERMAID_SAFE.sub(lambda found: f"#{ord(found[0])};", part) for part in text.split("\n"))
    return ("× " if failed else "") + "<br/>".join(parts)


MERMAID = Language(
    "mermaid",
    _mermaid_head,
    _mermaid_label,
    arrow="  {source}{sign}{target}: {label}",
    note="  Note over client,process: {label}",
    wait="  Note over client,process: … {label} …",
    arrows={"call": "->>", "answer": "-->>", "open": "->>", "lost": "-x"},
)

# --- mscgen --------------------------------------------------------------------------------------------------------

_RED = ', textcolour="#c00000", linecolour="#c00000"'


def _mscgen_head(title: str, names: Sequence[str]) -> Iterator[str]:
    lanes = (f"{_IDS[lane]} {_mscgen_label(name, False)}" for lane, name in zip(Lane, names, strict=True))
    yield "msc {"
    yield '  hscale="2.4", wordwraparcs=on;'
    yield f"  {', '.join(lanes)};"
    yield f"  client box process {_mscgen_label(title, False)};"


def _mscgen_label(text: str, failed: bool) -> str:
    r"""A backslash begins an escape (``\n``) and has none of its own: it becomes its look-alike."""
    quoted = text.replace("\\", "⧵").replace('"', '\\"').replace("\n", "\\n")
    return f'[label="{quoted}"{_RED if failed else ""}]'


_MSCGEN = Language(
    "mscgen",
    _mscgen_head,
    _mscgen_label,
    arrow="  {source} {sign} {target} {label};",
    note="  client note process {label};",
    wait="  ... {label};",
    arrows={"call": "=>", "answer": ">>", "open": ":>", "lost": "-x"},
    foot=("}",),
)

# --- PlantUML ------------------------------------------------------------------------------------------------------

#: What stands for itself in a text of PlantUML; the rest are written by their numbers.
_PLANTUML_SAFE = re.compile(r"[^\w .,:()/+…×▶◀µ]|//+|__+|\.\.+|::+")


def _plantuml_head(title: str, names: Sequence[str]) -> Iterator[str]:
    yield "@startuml"
    for lane, name in zip(Lane, names, strict=True):
        yield f'participant "{_plantuml_label(name, False)}" as {_IDS[lane]}'
    yield f"title {_plantuml_label(title, False)}"


def _plantuml_label(text: str, failed: bool) -> str:
    parts = [_PLANTUML_SAFE.sub(_plantuml_numbers, part) for part in text.split("\n")]
    return "\\n".join(f"<color:red>{part}</color>" if failed else part for part in parts)


def _plantuml_numbers(found: re.Match[str]) -> str:
    return "".join(f"<U+{ord(character):04X}>" for character in found[0])


_PLANTUML = Language(
    "plantuml",
    _plantuml_head,
    _plantuml_label,
    arrow="{source} {sign} {target} : {label}",
    note="note over client, process : {label}",
    wait="... {label} ...",
    arrows={"call": "->", "answer": "-->", "open": "->", "lost": "->x"},
    foot=("@enduml",),
)

LANGUAGES = {one.name: one for one in (MERMAID, _MSCGEN, _PLANTUML)}
