"""The page through a template: what is a text stays one, whatever it says, and nothing in the page can do anything."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from dissector import __version__
from dissector.render.terminal import clip
from dissector.render.text import escape

if TYPE_CHECKING:
    from dissector.render.report.view import Content

#: Characters of one text.
MAX_TEXT = 2_000
#: Code points that HTML does not have.
_NO_CHARACTERS = re.compile(
    "[\ufdd0-\ufdef" + "".join(map(chr, (plane << 16 | low for plane in range(17) for low in (0xFFFE, 0xFFFF)))) + "]"
)


def render(content: Content) -> str:
    """The whole page.  Its policy allows its own style sheet and nothing besides: no script, no request."""
    environment = _environment()
    style = environment.get_template("report.css").render()
    policy = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"
    template = environment.get_template("report.html.jinja")
    return f"{template.render(page=content, policy=policy, version=__version__)}\n"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("dissector.render.report", ""),
        autoescape=lambda name: name != "report.css",
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _harmless(value: Any) -> Any:
    """Every text that goes into the page, whoever made it harmless before."""
    if type(value) is not str:
        return value
    return _NO_CHARACTERS.sub(lambda found: f"\\u{ord(found[0]):04x}", escape(clip(value, MAX_TEXT)))
