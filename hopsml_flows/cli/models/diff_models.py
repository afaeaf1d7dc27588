"""``hopsml models diff``: what differs between two versions of models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import Parameter

from hopsml_flows.cli.differences import json_row, say_differences, say_lines
from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.models.versions import MODEL, OTHER_MODEL, find_typed, named
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.models import ModelRecord
from hopsml_flows.service import compared, program_difference
from hopsml_flows.storage import Project
from hopsml_flows.storage.reading import LARGEST_RECORD, content_of
from hopsml_flows.text import say

__all__ = ["diff_models"]


def diff_models(
    one: Annotated[str, MODEL],
    other: Annotated[str, OTHER_MODEL],
    /,
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Show what differs between two versions. Ends with code 1 if something does.

    Args:
        one: A version: NAME/VERSION, or NAME for the newest.
        other: The other one.
        json: Print JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    place = open_project(project)
    two = (find_typed(place, "MODEL", one), find_typed(place, "OTHER", other))
    heads = (named(two[0]), named(two[1]))
    rows = compared(heads, [dict(_facts(record)) for record in two]).differences
    program = program_difference(heads, (_program(place, two[0]), _program(place, two[1])))
    if json:
        print_json({"compared": heads, "facts": list(map(json_row, rows)), "program": program})
    elif not rows and not program:
        say(f"{heads[0]} and {heads[1]} do not differ")
    else:
        say_differences(heads, rows)
        say_lines(program)
    if rows or program:
        sys.exit(1)


def _facts(record: ModelRecord) -> Iterator[tuple[str, Any]]:
    """Yield what two versions may have in common; neither number nor time of the export."""
    yield from ((f"metrics.{name}", value) for name, value in record.metrics.items())
    yield from ((f"params.{name}", value) for name, value in record.origin.params.items())
    yield from (
        (f"files.{file.name}", f"{file.size} bytes, SHA-256 {file.sha256[:12]}")
        for file in record.files
    )
    for name in ("description", "input_signature", "library", "library_version", "user"):
        yield name, getattr(record, name)
    yield "experiment", record.origin.experiment
    yield "trial", record.origin.trial


def _program(project: Project, record: ModelRecord) -> str | None:
    path = record.origin.program
    content = None if path is None else content_of(project, path, LARGEST_RECORD)
    return None if content is None else content.decode(errors="replace")
