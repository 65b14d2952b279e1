"""The one place that knows colours: styles by meaning, as rich reads them.

Colour never carries a meaning alone: whatever is coloured also says so in words or signs.
"""

from __future__ import annotations

from dissector.model import Outcome, Severity

STYLES = {
    "": "",
    "heading": "bold",
    "dim": "dim",
    "title": "bold",
    "good": "green",
    "error": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "call": "",
    "answer": "",
    "callback": "cyan",
    "command": "magenta",
    "log": "blue",
    "log_error": "red",
    "log_warn": "yellow",
    "log_debug": "dim",
    "lane": "dim",
    "key": "bold cyan",
}

OUTCOME_STYLES = {
    Outcome.SUCCESS: "good",
    Outcome.FAILURE: "error",
    Outcome.KILLED: "warning",
    Outcome.LOST: "error",
    Outcome.REFUSED: "error",
    Outcome.NO_CALLBACK: "error",
    Outcome.UNREACHABLE: "error",
    Outcome.RUNNING: "info",
    Outcome.UNKNOWN: "dim",
}

SEVERITY_STYLES = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "info"}


def log_style(level: str) -> str:
    """The style of a log line's level."""
    if level in ("error", "warn"):
        return f"log_{level}"
    return "log_debug" if level.startswith("debug") else "log"
