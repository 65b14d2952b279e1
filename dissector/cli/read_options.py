"""What ``jstrace read`` was asked for: its options, and the view that they make."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from dissector.cli.points import sites_of

if TYPE_CHECKING:
    from dissector.cli.parallel import SecondProcess
    from dissector.model import Problem
    from dissector.render.terminal import Terminal
    from dissector.render.views import View
    from dissector.survey import Site
    from dissector.wire.masking import Mask

_RECORDS = ("json", "jsonl")
#: The languages of sequence charts (``render.charts``).
_CHARTS = ("mermaid", "mscgen", "plantuml")
#: Options of ladders that a format follows as well.
_FOLLOWED = {
    "markdown": ("-v", "--full"),
    **dict.fromkeys(_CHARTS, ("-v", "--full", "--http")),
}
#: What ``--format`` takes.
FORMS = ("table", *_RECORDS, "csv", "markdown", *_CHARTS, "perfetto", "otlp")


@dataclass(frozen=True)
class ReadOptions:
    """The options of ``read``, by their names."""

    tasks: tuple[int, ...]
    verbose: bool
    log: bool
    fields: bool
    http: bool
    full: bool
    summary: bool
    group_by: str | None
    sort: str | None
    top: int
    form: str
    otlp_endpoint: str | None
    messages: bool
    filters: tuple[str, ...]
    command_ports: tuple[int, ...]
    callback_ports: tuple[int, int]
    show_secrets: bool
    fail_on: str | None
    color: str
    jobs: int
    no_progress: bool
    names: dict[str, str]
    offsets: dict[str, int]
    one_stream: bool
    #: What is to be said of the files, once ``sites`` has looked at them.
    remarks: list[Problem] = field(default_factory=list)

    def check(self) -> None:
        """Options that would have no effect are wrong usage, not silence."""
        if self.messages and self.form not in _RECORDS:
            raise click.UsageError("--messages needs --format json or jsonl; for people there is -v")
        if self.otlp_endpoint is not None and self.form != "otlp":
            raise click.UsageError("--otlp-endpoint needs --format otlp")
        if self.wants_summary and (self._is_ladder or self.log):
            raise click.UsageError("--summary is of many tasks; it goes without --task, -v, --log, --bytes and --http")
        people = {
            "-v": self.verbose,
            "--log": self.log,
            "--bytes": self.fields,
            "--http": self.http,
            "--full": self.full,
            "--summary": self.wants_summary,
        }
        for name, given in people.items():
            if given and self.form != "table" and name not in _FOLLOWED.get(self.form, ()):
                raise click.UsageError(f"{name} has no effect on --format {self.form}")

    @property
    def wants_summary(self) -> bool:
        return self.summary or self.group_by is not None or self.sort is not None

    @property
    def _is_ladder(self) -> bool:
        return bool(self.tasks or self.verbose or self.fields or self.http)

    @property
    def wants_messages(self) -> bool:
        """What the view will say, known before it is made."""
        if self.form in _RECORDS:
            needed = self.messages
        elif self.form in ("table", "markdown"):
            needed = self._is_ladder and not self.log
        else:
            needed = self.form != "csv"
        if needed or not self.filters:
            return needed
        from dissector.render.filter import parse

        return bool(parse(self.filters).on_messages)

    def sites(self, files: tuple[str, ...]) -> list[Site]:
        """The places that the files are of; empty for one stream."""
        if self.one_stream or (len(files) == 1 and not self.offsets and not _has_interfaces(files[0])):
            return []
        ports = self.command_ports, self.callback_ports
        return sites_of(files, self.names, self.offsets, *ports, self.remarks.append)

    def shares(self, files: tuple[str, ...]) -> bool:
        """True when two processes write the messages."""
        if self.jobs < 2 or self.form != "jsonl" or not self.messages or self.tasks or self.filters:
            return False
        from dissector.cli.parallel import pays

        return pays(files)

    def view(self, second: SecondProcess | None) -> View:
        from dissector.wire.masking import Mask

        mask = Mask(not self.show_secrets)
        if second is not None:
            from dissector.render.records import Records

            return second.view(sys.stdout, Records(mask))
        if self.form in _RECORDS:
            from dissector.render.json import JsonLinesView, JsonView
            from dissector.render.records import Records

            return (JsonView if self.form == "json" else JsonLinesView)(sys.stdout, Records(mask), self.messages)
        if self.form == "perfetto":
            from dissector.render.perfetto import PerfettoView

            return PerfettoView(sys.stdout, mask)
        if self.form == "otlp":
            return self._traces(mask)
        return self._view_of_text(mask)

    def _traces(self, mask: Mask) -> View:
        from dissector.render.otlp.view import OtlpView, to_collector, to_stream

        if self.otlp_endpoint is None:
            return OtlpView(to_stream(sys.stdout), mask)
        return OtlpView(to_collector(self.otlp_endpoint), mask, click.echo)

    def _view_of_text(self, mask: Mask) -> View:
        from dissector.render.terminal import Terminal

        if self.form == "table":
            return self._view_for_people(Terminal(sys.stdout, self.color), mask)
        terminal = Terminal(sys.stdout, "never")
        if self.form in _CHARTS:
            from dissector.render.charts.languages import LANGUAGES
            from dissector.render.charts.view import ChartView

            how = {"verbose": self.verbose, "full": self.full, "http": self.http}
            return ChartView(terminal, mask, LANGUAGES[self.form], **how)
        if self.form == "csv":
            from dissector.render.csvtable import CsvView

            return CsvView(terminal, mask)
        from dissector.render.markdown import MarkdownView

        return MarkdownView(terminal, mask, whole=self._is_ladder, full=self.full)

    def _view_for_people(self, terminal: Terminal, mask: Mask) -> View:
        if self.log:
            from dissector.render.log import LogView

            return LogView(terminal, mask)
        if self._is_ladder:
            from dissector.render.ladder import LadderView

            return LadderView(terminal, mask, verbose=self.verbose, full=self.full, fields=self.fields, http=self.http)
        from dissector.render.table import TableView

        if not self.wants_summary:
            return TableView(terminal, mask, full=self.full)
        from dissector.render.summary import SummaryPage

        page = SummaryPage(terminal, mask, group_by=self.group_by or "job", order=self.sort or "failed", top=self.top)
        return TableView(terminal, mask, full=self.full, summary=page)


def _has_interfaces(file: str) -> bool:
    """A pcapng file of several interfaces."""
    from dissector.sources.capture import has_interfaces

    return os.path.isfile(file) and has_interfaces(file)  # noqa: PTH113  pathlib takes time to load
