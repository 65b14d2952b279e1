"""The documentation site: pages of the repository and pages made of the program, put together and built by Zensical.

The pages are laid out in a folder of work; nothing of them is kept in the repository.  The README is cut at its
headings, so that whatever it says is said once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from posixpath import relpath
from typing import Any

from handbook import api, codes, commands, links, markdown, objects, outcomes, pages
from handbook.evidence import ROOT

_PAGES, _SITE, _SETTINGS = "pages", "site", "zensical.toml"
_README = "README.md"
#: Files of the repository that are pages, where they stand in the site and what the menu calls them.
_INSIDE = (
    ("docs/architecture.md", "Architecture"),
    ("docs/protocol.md", "Protocol"),
    ("docs/agent.md", "Agents over HTTP"),
)
_PROJECT = (
    ("contrib/README.md", "As a service"),
    ("captures/README.md", "Recordings"),
    ("captures/faults/README.md", "Recordings of faults"),
    ("benchmarks/RESULTS.md", "Figures"),
    ("CONTRIBUTING.md", "Contributing"),
    ("SECURITY.md", "Security"),
    ("CHANGELOG.md", "Changelog"),
)
#: Pages of ``docs`` for those who write programs; the menu has them when they are there.
_PROGRAMS = (("api", "Python API"), ("json", "JSON"), ("fleet", "Many captures"))
_WIRESHARK = "wireshark/README.md"
#: Section of the README -> what the menu calls it, where that is another name.
_SHORT = {"Try it": "Install"}

Menu = list[dict[str, Any]]


class Site:
    """Pages by their place in the site, the menu, and where files of the repository went."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.places: dict[str, str] = {}
        self.sections: dict[str, str] = {}
        self.copies: set[str] = set()
        self._sources: dict[str, str] = {}

    def add(self, place: str, text: str, source: str = "") -> str:
        """A page; with ``source`` its links are those of a file of the repository."""
        self.pages[place] = text
        if source:
            self._sources[place] = source
        return place

    def file(self, source: str) -> str:
        """A file of the repository as a page."""
        place = source.removeprefix("docs/").replace("README.md", "index.md").lower()
        self.places[source] = place
        return self.add(place, (ROOT / source).read_text(encoding="utf-8"), source)

    def finished(self) -> Iterator[tuple[str, str]]:
        """Places and texts, with links that hold in the site."""
        for place, text in self.pages.items():
            source = self._sources.get(place)
            yield place, text if source is None else self._relinked(place, text, source)

    def _relinked(self, place: str, text: str, source: str) -> str:
        def changed(link: str) -> str | None:
            name, _, section = link.partition("#")
            path = os.path.normpath(Path(source).parent / name) if name else source
            if path == _README:
                target = self.sections.get(section, "index.md")
            elif path in self.places:
                target = self.places[path]
            elif Path(path).suffix in (".svg", ".png"):
                self.copies.add(path)
                target = path
            else:
                return None
            return relpath(target, Path(place).parent.as_posix() or ".") + (f"#{section}" if section else "")

        return markdown.relinked(text, changed)


def build(work: Path) -> list[str]:
    """Builds ``work/site`` of what ``layout`` wrote there; what is wrong with its links.

    :raises subprocess.CalledProcessError: Zensical is not installed, does not build, or warns of something
    """
    shutil.rmtree(work / _SITE, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(work / _SETTINGS)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return links.broken(work / _SITE)


def layout(work: Path) -> None:
    """Writes all pages, the pictures that they show, and beside them what Zensical has to know."""
    shutil.rmtree(work / _PAGES, ignore_errors=True)
    site = Site()
    menu = _menu(site)
    for place, text in site.finished():
        path = work / _PAGES / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for copy in sorted(site.copies):
        path = work / _PAGES / copy
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / copy, path)
    (work / _SETTINGS).write_text(_settings(menu), encoding="utf-8")


# --- what is in it -------------------------------------------------------------------------------------------------


def _menu(site: Site) -> Menu:
    home, *guide = _readme(site)
    return [
        home,
        *guide[:1],
        {"Guide": [*guide[1:], {"Filters": site.add("filters.md", pages.filter_page())}]},
        {"Commands": _commands(site)},
        {"Problems": _problems(site)},
        {"Wireshark": site.file(_WIRESHARK)},
        {"For programs": _programs(site)},
        {"Inside": [*_files(site, _INSIDE), {"Objects": site.add("objects.md", objects.object_page())}]},
        {"Decisions": _decisions(site)},
        {"Project": _files(site, _PROJECT)},
    ]


def _readme(site: Site) -> Menu:
    """The README as pages: its head with its first long section, and one for each of the others."""
    text = (ROOT / _README).read_text(encoding="utf-8")
    head, install, questions, *others = markdown.sections(text)
    start = f"# {head.title}\n{head.text}\n## {questions.title}\n{_deeper(questions.text)}"
    menu: Menu = [{"Start": site.add("index.md", start, _README)}]
    site.sections[markdown.anchor(questions.title)] = "index.md"
    for section in (install, *others):
        name = markdown.anchor(section.title)
        place = site.add(f"guide/{name}.md", f"# {section.title}\n{section.text}", _README)
        menu.append({_SHORT.get(section.title, section.title): place})
        site.sections[name] = place
        site.sections.update((markdown.anchor(words), place) for _, words in markdown.headings(section.text))
    site.sections.update((markdown.anchor(words), "index.md") for _, words in markdown.headings(questions.text))
    return menu


def _deeper(text: str) -> str:
    lines = markdown.outside_of_code(text)
    return "\n".join(f"#{line}" if is_text and line.startswith("#") else line for line, is_text in lines)


def _commands(site: Site) -> Menu:
    parts = commands.commands()
    site.add("commands/index.md", pages.command_list(parts))
    made = [{part.name: site.add(f"commands/{part.name}.md", pages.command_page(part))} for part in parts]
    return [{"All": "commands/index.md"}, *made]


def _problems(site: Site) -> Menu:
    known = codes.explained()
    problems = [one for one in known if one.is_problem]
    site.add("problems/index.md", codes.problem_list(problems))
    site.add("engine-codes.md", codes.engine_page(one for one in known if not one.is_problem))
    made = [{one.code: site.add(f"problems/{one.code}.md", codes.problem_page(one))} for one in problems]
    outcome = {"Outcomes": site.add("outcomes.md", outcomes.outcome_page())}
    return [outcome, {"All": "problems/index.md"}, {"Codes of the engine": "engine-codes.md"}, *made]


def _programs(site: Site) -> Menu:
    return [
        *_files(site, tuple((f"docs/{name}.md", title) for name, title in _PROGRAMS)),
        {"Reference": site.add("reference.md", api.reference())},
    ]


def _decisions(site: Site) -> Menu:
    files = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    titles = [next(words for _, words in markdown.headings(path.read_text(encoding="utf-8"))) for path in files]
    sources = [path.relative_to(ROOT).as_posix() for path in files]
    return _files(site, (("docs/decisions/README.md", "All"), *zip(sources, titles, strict=True)))


def _files(site: Site, files: tuple[tuple[str, str], ...]) -> Menu:
    return [{title: site.file(source)} for source, title in files if (ROOT / source).exists()]


# --- Zensical ------------------------------------------------------------------------------------------------------


def _settings(menu: Menu) -> str:
    """No font and no script from elsewhere; no extension that makes other signs of what stands in an example."""
    lines = [
        "[project]",
        'site_name = "jstrace"',
        'site_description = "Remote tasks of SOS JobScheduler 1.x, from the packets"',
        f'docs_dir = "{_PAGES}"',
        f'site_dir = "{_SITE}"',
        "use_directory_urls = false",
        f"nav = {_toml(menu)}",
        "[project.theme]",
        'language = "en"',
        "font = false",
        'features = ["navigation.indexes", "navigation.sections", "navigation.top", "search.highlight"]',
        "[[project.theme.palette]]",
        'media = "(prefers-color-scheme: light)"',
        'scheme = "default"',
        "[[project.theme.palette]]",
        'media = "(prefers-color-scheme: dark)"',
        'scheme = "slate"',
        "[project.markdown_extensions]",
        "attr_list = {}",
        "def_list = {}",
        "tables = {}",
        "toc.permalink = true",
        "pymdownx.highlight.pygments_lang_class = true",
        "pymdownx.superfences = {}",
    ]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(one)}' for key, one in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)
