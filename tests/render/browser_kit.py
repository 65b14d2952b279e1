"""Pages in headless Chromium: each in a frame of a given size, asked by a script that runs beside them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from tshark_kit import CACHE

AXE = CACHE / "axe-core" / "package" / "axe.min.js"
VNU = CACHE / "vnu-jar" / "package" / "build" / "dist" / "vnu.jar"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
#: Chromium's names of the two themes.
THEMES = {"dark": 0, "light": 1}

_HARNESS = """<!DOCTYPE html><html><head><meta charset="utf-8">
<style>:root { color-scheme: light dark } iframe { border: 0 }</style></head><body>
<script>
const pages = PAGES;
const all = pages.map(([html, width, height]) => new Promise(done => {
  const frame = document.createElement('iframe');
  frame.width = width; frame.height = height;
  frame.onload = async () => {
    try { done(await ask(frame.contentWindow, frame.contentDocument)); }
    catch (error) { done(String(error)); }
  };
  frame.srcdoc = html;
  document.body.append(frame);
}));
async function ask(window, document) { ASK }
Promise.all(all).then(told => {
  const text = JSON.stringify(told);
  document.documentElement.innerHTML = '<body></body>';
  document.body.append('TOLD' + text + 'END');
});
</script></body></html>
"""


def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (found := shutil.which(name)) is not None:
            return found
    pytest.skip("Chromium is not to be had here: make browser")


def needs(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not to be had here: make browser")
    return path


def asked(
    folder: Path, pages: Sequence[tuple[str, int, int]], ask: str, *, theme: str = "light", before: str = ""
) -> list[Any]:
    """What ``ask`` (the body of a function of ``window`` and ``document`` that may wait) returns in each page, which
    is shown in a frame of so many pixels; ``before`` is a script that each page has."""
    told = [(_with_script(html, before), width, height) for html, width, height in pages]
    data = json.dumps(told).replace("<", "\\u003c")
    harness = _HARNESS.replace("ASK", ask).replace("PAGES", data)
    (folder / "harness.html").write_text(harness, encoding="utf-8")
    command = [chromium(), *FLAGS, f"--user-data-dir={folder}/profile", "--virtual-time-budget=600000", "--dump-dom"]
    command += [f"--blink-settings=preferredColorScheme={THEMES[theme]}", f"file://{folder}/harness.html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    found = re.search(r"TOLD(.*)END", done.stdout, re.DOTALL)
    assert found is not None, done.stdout[-2_000:] + done.stderr[-2_000:]
    answers: list[Any] = json.loads(unescape(found[1]))
    assert len(answers) == len(pages)
    return answers


def _with_script(html: str, script: str) -> str:
    """A page may run no script: one that tests it takes its policy away."""
    if not script:
        return html
    without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    return without.replace("</head>", f"<script>{script}</script></head>")
