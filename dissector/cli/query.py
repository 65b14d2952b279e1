"""``jstrace query``: questions about a dataset."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from dissector.cli.common import color_option, exit_codes, say, utc_option
from dissector.cli.masks import mask_options
from dissector.cli.tls import secrets, tls_options
from dissector.cli.tracing import port_hints

if TYPE_CHECKING:
    from dissector.fleet.dataset import Dataset
    from dissector.fleet.query import Asking

_FORMS = ("table", "csv", "json", "parquet")


def _complete(_context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
    from dissector.fleet.questions import QUESTIONS

    return [name for name in QUESTIONS if name.startswith(text)]


@click.command()
@click.argument("dataset", metavar="OUT", type=click.Path(file_okay=False))
@click.argument("question", required=False, metavar="[SQL|QUESTION]", shell_complete=_complete)
@click.option("--list", "lists", is_flag=True, help="The questions that are ready made.")
@click.option("--columns", is_flag=True, help="The tables and their columns.")
@click.option("--task", metavar="ID", help="The ladder of this task, from its original packets.")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    default="table",
    show_default=True,
    help="table: for people. csv, json: times in UTC. parquet: for other programs.",
)
@click.option("--report", metavar="FILE", type=click.Path(), help="All of it on one HTML page: FILE.html.")
@click.option("-o", "--output", "target", default="-", metavar="FILE", type=click.Path(), help="Write there instead.")
@color_option("Of --task. ")
@port_hints
@tls_options
@mask_options
@utc_option
def query(
    dataset: str,
    question: str | None,
    lists: bool,
    columns: bool,
    task: str | None,
    form: str,
    report: str | None,
    target: str,
    color: str,
    command_ports: tuple[int, ...],
    callback_ports: tuple[int, int],
) -> None:
    """Ask the dataset OUT, which jstrace index made: in SQL, or one of the questions that are ready made.

    Tables are tasks, connections, problems and log, with --messages also messages and exchanges; their columns are the
    keys of the JSON records, objects within as remote.ip. Only SELECT is taken, and no file but those of OUT is read.
    All times are in UTC. - is SQL from standard input.

    \b
    jstrace query archive --list
    jstrace query archive failures
    jstrace query archive "SELECT outcome, count(*) FROM tasks WHERE job = 'nightly' GROUP BY ALL"
    jstrace query archive ports --callback-ports 59900-59999 --format csv -o ports.csv
    jstrace query archive --task 0123456789abcdef
    jstrace query archive --report report.html           causes, jobs, hosts over time, what failed

    Needs pip install 'jstrace[fleet]'. Exit status: 0 done, 2 wrong usage, no dataset, or no such task.
    """
    given = sum((question is not None, lists, columns, task is not None, report is not None))
    if given > 1:
        raise click.UsageError("one of SQL, QUESTION, --list, --columns, --task and --report at a time")
    if (form != "table" or target != "-") and question is None:
        raise click.UsageError("--format and -o are of SQL and QUESTION")
    with exit_codes():
        from dissector.fleet.dataset import Dataset
        from dissector.fleet.output import write_columns, write_questions
        from dissector.fleet.query import Asking

        opened = Dataset.existing(dataset)
        if task is not None:
            _show_task(opened, task, command_ports, callback_ports, color)
        elif report is not None:
            _write_report(opened, dataset, report)
        elif columns:
            write_columns(opened.manifest.tables, sys.stdout.write)
        elif question is None:
            write_questions(sys.stdout.write)
        else:
            _answer(Asking(opened), question, form, target, callback_ports)


def _answer(asking: Asking, question: str, form: str, target: str, ports: tuple[int, int]) -> None:
    from dissector.fleet import output
    from dissector.fleet.questions import QUESTIONS
    from dissector.outfile import OutFile, check_output, is_stdout

    ready = QUESTIONS.get(question)
    sql = ready.sql if ready is not None else sys.stdin.read() if question == "-" else question
    parameters: dict[str, object] = {}
    if ready is not None and ready.needs_ports:
        parameters = {"low": ports[0], "high": ports[1]}
    to_file = form == "parquet" or not is_stdout(target)
    if to_file:
        check_output(target)
    with ExitStack() as files:
        if form == "parquet":
            from dissector.fleet.parquet import write_batches

            out = files.enter_context(OutFile(target))
            write_batches(asking.batches(sql, parameters), out.write)
            out.commit()
            return
        writer = {"table": output.write_table, "csv": output.write_csv, "json": output.write_json}[form]
        answer = asking.answer(sql, parameters)
        if not to_file:
            writer(answer, sys.stdout.write)
            return
        out = files.enter_context(OutFile(target))
        writer(answer, lambda text: out.write(text.encode()))
        out.commit()


def _write_report(dataset: Dataset, name: str, target: str) -> None:
    from dissector.fleet.report import write_report
    from dissector.numbers import count
    from dissector.outfile import OutFile, check_output, is_stdout, shown

    check_output(target)
    with OutFile(target) as out:
        tasks = write_report(dataset, name, lambda text: out.write(text.encode()))
        out.commit()
    click.echo(f"{shown(target)}: {count(tasks, 'task')}", err=is_stdout(target))


def _show_task(
    dataset: Dataset, wanted: str, command_ports: tuple[int, ...], callback_ports: tuple[int, int], color: str
) -> None:
    from dissector.fleet.recall import recall
    from dissector.reading import Reading
    from dissector.render.filter import parse
    from dissector.render.ladder import LadderView
    from dissector.render.terminal import Terminal
    from dissector.render.views import Output
    from dissector.wire.masking import Mask

    found = recall(dataset, wanted, command_ports, callback_ports, secrets())
    output = Output(LadderView(Terminal(sys.stdout, color), Mask()), [found.n], parse(()))
    reading = Reading(found.files, command_ports, callback_ports, secrets=secrets(), one_stream=True)
    output.add(reading.events())
    output.close(reading.infos)
    for warning in reading.warnings:
        say(f"warning: {warning.summary}")
