"""What the site's generator knows of Markdown and of links."""

from __future__ import annotations

from pathlib import Path

import pytest

from handbook import links, markdown
from handbook.markdown import Section

PAGE = """\
# Title

Head, see [b](b.md#part) and ![picture](x/p.svg).

## One

```
# no heading
[no link](gone.md)
```

### Deeper

## Two

[web](https://example.org/a) `code`
"""


def test_sections() -> None:
    head, one, two = markdown.sections(PAGE)
    assert (head.title, two) == ("Title", Section("Two", "\n[web](https://example.org/a) `code`"))
    assert "# no heading" in one.text.splitlines()
    assert "## Deeper" in one.text.splitlines()


def test_headings_are_not_those_of_code() -> None:
    assert list(markdown.headings(PAGE)) == [(1, "Title"), (2, "One"), (3, "Deeper"), (2, "Two")]


def test_links_of_text_are_changed_and_others_stay() -> None:
    asked: list[str] = []

    def change(link: str) -> str | None:
        asked.append(link)
        return None if link.startswith("b") else "there"

    text = markdown.relinked(PAGE, change)
    assert asked == ["b.md#part", "x/p.svg"]
    assert "see b and ![picture](there)." in text
    assert "[no link](gone.md)" in text
    assert "[web](https://example.org/a)" in text


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("Three questions", "three-questions"), ("Z-REMOTE-118", "z-remote-118"), ("What did you do?", "what-did-you-do")],
)
def test_anchors(heading: str, anchor: str) -> None:
    assert markdown.anchor(heading) == anchor


def test_plain_words_are_no_markdown() -> None:
    words = 'a_b *c* <allowed_host level="all"/> [x](y) `z` | # & ~'
    assert markdown.plain(words) == (r'a\_b \*c\* \<allowed\_host level="all"/\> \[x\](y) \`z\` \| \# &amp; \~')


@pytest.mark.parametrize(
    ("link", "is_broken"),
    [
        ("b.html", False),
        ("b.html#part", False),
        ("#own", False),
        ("folder/", False),
        ("p%20q.svg", False),
        ("https://example.org/gone", False),
        ("mailto:somebody@example.org", False),
        ("gone.html", True),
        ("b.html#gone", True),
        ("#gone", True),
        ("folder/gone.svg", True),
    ],
)
def test_broken_links(link: str, is_broken: bool, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "p q.svg").touch()
    (tmp_path / "folder" / "index.html").write_text("<p>x</p>")
    (tmp_path / "b.html").write_text('<h1 id="part">b</h1>')
    for tag in (f'<a href="{link}">x</a>', f'<img src="{link}">'):
        (tmp_path / "a.html").write_text(f'<h1 id="own">a</h1>{tag}')
        assert links.broken(tmp_path) == ([f"a.html: {link}"] if is_broken else [])
