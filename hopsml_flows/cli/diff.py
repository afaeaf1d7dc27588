"""``hopsml diff``: what differs between two experiments: parameters, program, environment."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from hopsml_flows.cli.differences import json_row, say_differences, say_lines
from hopsml_flows.cli.experiment_names import EXPERIMENT, OTHER_EXPERIMENT
from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.service import (
    ComparisonRow,
    StoredExperiment,
    compared,
    environment_facts,
    find_stored,
    program_difference,
    settings,
)
from hopsml_flows.text import say

__all__ = ["diff"]


def diff(
    one: Annotated[str, EXPERIMENT],
    other: Annotated[str, OTHER_EXPERIMENT],
    /,
    *,
    parameters: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    program: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    environment: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Show what differs between two experiments. Ends with code 1 if something does.

    Without --parameters, --program and --environment, all three are shown.

    Args:
        one: An experiment: its identifier, the beginning of it, "last", or "NAME@-1".
        other: The other one.
        parameters: Show the arguments of the verb that differ.
        program: Show the lines of the programs that differ; of notebooks, those of the cells.
        environment: Show the packages that differ.
        json: Print JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    place = open_project(project)
    two = (find_stored(place, one), find_stored(place, other))
    every = not (parameters or program or environment)
    told: dict[str, Any] = {"compared": [each.id for each in two]}
    if parameters or every:
        told["parameters"] = _rows(two, [_settings(each) for each in two])
    if program or every:
        told["program"] = program_difference(
            (two[0].id, two[1].id), (two[0].program, two[1].program)
        )
    if environment or every:
        told["environment"] = _rows(two, [environment_facts(each.environment) for each in two])
    if json:
        print_json(
            {
                name: [json_row(each) if isinstance(each, ComparisonRow) else each for each in part]
                for name, part in told.items()
            }
        )
    else:
        _print(told)
    if any(told[name] for name in told if name != "compared"):
        sys.exit(1)


def _settings(experiment: StoredExperiment) -> dict[str, Any]:
    return {} if experiment.record is None else settings(experiment.record)


def _rows(two: tuple[StoredExperiment, StoredExperiment], facts: list[Any]) -> list[ComparisonRow]:
    return list(compared([each.id for each in two], facts).differences)


def _print(told: dict[str, Any]) -> None:
    one, other = told.pop("compared")
    if not any(told.values()):
        say(f"{one} and {other} do not differ in {', '.join(told)}")
        return
    for heading, part in told.items():
        if heading == "program":
            say_lines(part)
        else:
            say_differences([f"{each}: {heading}" for each in (one, other)], part)
