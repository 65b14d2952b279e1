"""Links of the built site: each leads to a file of the site, and to something in it that has the name."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Served for any address, so its links are from the root of wherever the site lies.
_ANYWHERE = "404.html"
#: Kinds of ``<link>`` that name something and load nothing.
_NOT_LOADED = ("canonical", "prev", "next", "alternate")
_SOURCES = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src"}


class _Page(HTMLParser):
    """What a page links to, and the names that it gives."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.names.update(values[name] for name in ("id", "name") if name in values)
        if (link := values.get(_SOURCES.get(tag, ""))) is not None:
            self.links.append(link)
            if tag != "a" and values.get("rel") not in _NOT_LOADED:
                self.loads.append(link)


def broken(site: Path) -> list[str]:
    """``page: link`` of each that leads nowhere; addresses of the web are not looked at."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        if path.name != _ANYWHERE
        for link in dict.fromkeys(page.links)
        if not _leads(path, link, pages)
    ]


def _leads(path: Path, link: str, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    return not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].names


def loaded(site: Path) -> set[str]:
    """What pages load from elsewhere without anybody's click: scripts, styles, pictures."""
    pages = (_Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html"))
    return {link for page in pages for link in page.loads if urlsplit(link).netloc}
