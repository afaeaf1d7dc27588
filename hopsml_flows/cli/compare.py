"""``hopsml compare``: experiments or trials side by side."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.cli.tables import Column, print_table
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service import (
    StoredExperiment,
    StoredTrial,
    compared,
    experiment_facts,
    find_thing,
    trial_facts,
)
from hopsml_flows.text import say, value_text

__all__ = ["compare"]


def compare(
    *things: Annotated[str, EXPERIMENT],
    every: Annotated[bool, Parameter(name="--all", negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Show experiments or trials side by side: settings that differ, and what came of them.

    Args:
        things: Experiments, or trials as ID/TRIAL; at least two. An experiment is its identifier,
            the beginning of it, "last", or "NAME@-1"; a trial its number or name.
        every: Show what is the same, too.
        json: Print JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    if len(things) < 2:
        raise InvalidArgumentError("ID", list(things), "must be at least two")
    place = open_project(project)
    found = [find_thing(place, text) for text in things]
    comparison = compared([each.id for each in found], [_facts(each) for each in found])
    rows = comparison.rows if every else comparison.differences
    if json:
        print_json(
            {
                "compared": comparison.heads,
                "rows": [
                    {"name": row.name, "values": row.values, "differs": row.differs} for row in rows
                ],
            }
        )
        return
    for place_of, head in enumerate(comparison.heads, 1):
        say(f"{place_of}  {head}")
    if not rows:
        say("They do not differ.")
        return
    say("")
    columns = [Column("", [row.name for row in rows], 0, most=30)]
    for index in range(len(found)):
        cells = [_text(row.values[index]) for row in rows]
        columns.append(Column(str(index + 1), cells, 0 if index < 2 else 1, most=_MOST))
    print_table(columns)


_MOST = 22
"""Most characters of a value: two values and a name fit into 80 columns."""


def _facts(thing: StoredExperiment | StoredTrial) -> dict[str, Any]:
    if isinstance(thing, StoredTrial):
        return trial_facts(thing.trial)
    return experiment_facts(thing.record, thing.state.value, thing.best)


def _text(value: Any) -> str:
    return "" if value is None else value_text(value)
