"""``hopsml models list``: the versions of a project's models, the newest of each first."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.experiment_names import experiment_names
from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.models.versions import NAME, named
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.cli.tables import Column, print_table
from hopsml_flows.errors import ModelNotFound
from hopsml_flows.execution.files.sizes import size_text
from hopsml_flows.models import ModelRecord, model_name
from hopsml_flows.models.repository import model_names, versions_of
from hopsml_flows.service import find_experiment
from hopsml_flows.text import number_text, one_line, readable

__all__ = ["list_models"]

_OF_EXPERIMENT = Parameter(name=["--experiment", "-e"], completer=experiment_names)


def list_models(
    name: Annotated[str, NAME] = "",
    /,
    *,
    experiment: Annotated[str | None, _OF_EXPERIMENT] = None,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """List the versions of one model, or of all models of a project.

    Args:
        name: The model; default: all models.
        experiment: Only those that trials of this experiment trained: its identifier, the
            beginning of it, "last", or "NAME@-1".
        json: Print JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    place = open_project(project)
    names = [model_name("NAME", name)] if name else model_names(place)
    of = None if experiment is None else find_experiment(place, experiment).id
    records: list[ModelRecord] = []
    for each in names:
        found = versions_of(place, each)
        records += (r for r in reversed(found.records) if of in (None, r.origin.experiment))
        for problem in found.damaged:
            print(readable(f"hopsml: {problem}"), file=sys.stderr)
        if name and not found.records and not found.damaged:
            raise ModelNotFound("NAME", name, because="the project has no model of this name")
    if json:
        print_json([record.as_json() for record in records])
    elif records:
        print_table(_columns(records))
    else:
        whose = "the project" if of is None else of
        print(f"hopsml: {whose} has no models", file=sys.stderr)


def _columns(records: list[ModelRecord]) -> list[Column]:
    return [
        Column("model", [named(record) for record in records], 0, whole=True),
        Column("metrics", [_metrics(record) for record in records], 1),
        Column("created", [record.created[:10] for record in records], 2, whole=True),
        Column("experiment", [record.origin.experiment or "" for record in records], 3),
        Column("library", [record.library for record in records], 4),
        Column("size", [size_text(record.size) for record in records], 5, right=True),
        Column("user", [record.user for record in records], 6),
        Column("description", [one_line(record.description or "") for record in records], 7),
    ]


def _metrics(record: ModelRecord) -> str:
    return ", ".join(f"{name}={number_text(value)}" for name, value in record.metrics.items())
