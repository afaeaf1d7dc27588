"""``hopsml models show``: what is known of a version of a model."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.models.versions import MODEL, find_typed, named
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.execution.files.sizes import files_text, size_text
from hopsml_flows.models import ModelRecord
from hopsml_flows.storage import ModelPaths
from hopsml_flows.text import number_text, one_line, readable, say, value_text
from hopsml_flows.values.arguments import is_number

__all__ = ["show_model"]


def show_model(
    model: Annotated[str, MODEL],
    /,
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Print what is known of a version of a model: metrics, files, experiment.

    Args:
        model: The version: NAME/VERSION, or NAME for the newest.
        json: Print its record as JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    place = open_project(project)
    record = find_typed(place, "MODEL", model)
    directory = place.full(ModelPaths(record.name, record.version).root)
    if json:
        print_json({**record.as_json(), "path": directory})
        return
    for line in _facts(record):
        say(readable(line))
    say(readable(f"directory   {directory}"))
    for file in record.files:
        say(readable(f"{size_text(file.size):>12}  {file.sha256[:12]}  {file.name}"))


def _facts(record: ModelRecord) -> Iterator[str]:
    version = f" {record.library_version}" if record.library_version else ""
    size = f"{files_text(len(record.files))}, {size_text(record.size)}"
    yield f"{named(record)}: {record.library}{version}, {size}"
    if record.description:
        yield f"description {one_line(record.description)}"
    for name, value in record.metrics.items():
        yield f"metric      {one_line(name)} {number_text(value)}"
    for name, told in record.confirmed.items():
        found = told.get("optimistic")
        search = "" if not is_number(found) else f"; the search found {number_text(found)}"
        yield f"corrected   {one_line(name)} {number_text(told['mean'])} on fresh seeds{search}"
    yield f"created     {record.created} by {record.user}"
    origin = record.origin
    if origin.experiment:
        trial = "" if origin.trial is None else f", trial {origin.trial}"
        yield f"experiment  {origin.experiment}{trial}"
    if origin.params:
        pairs = ", ".join(f"{one_line(k)}={value_text(v, 40)}" for k, v in origin.params.items())
        yield f"parameters  {pairs}"
    if origin.program:
        yield f"program     {origin.program}"
    if record.input_signature is not None:
        yield f"input       {one_line(json_text.dumps(record.input_signature))}"
