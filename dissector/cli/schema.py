"""``jstrace schema``: what the records for programs look like."""

from __future__ import annotations

import sys

import click

from dissector.cli.common import exit_codes


@click.command()
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of what read and live print for programs.

    It takes the whole of --format json, and each line of --format jsonl. docs/json.md says more of each key.

    \b
    jstrace schema > jstrace.schema.json
    jstrace read task.pcap --format json | check-jsonschema --schemafile jstrace.schema.json -
    """
    from dissector.render.schema import schema as made
    from dissector.render.values import write_object

    with exit_codes():
        write_object(sys.stdout, made())
