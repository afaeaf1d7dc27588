"""``hopsml rerun``: trials of an experiment again, and how their metrics differ."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.cli.tables import Column, print_table
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.rerun.verb import Rerun, repeat
from hopsml_flows.service import find_stored
from hopsml_flows.text import number_text, readable, say
from hopsml_flows.values.plain import is_finite

__all__ = ["rerun"]


def rerun(
    experiment: Annotated[str, EXPERIMENT],
    trial: Annotated[str | None, Parameter(name="TRIAL")] = None,
    /,
    *,
    environment: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    check: Annotated[float | None, Parameter(name="--check")] = None,
    cluster: str = "auto",
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Run trials of an experiment again, from what its directory keeps, and compare their metrics.

    Without TRIAL, all trials run that have a result, as one experiment: no search proposes others.

    Args:
        experiment: The experiment: its identifier, the beginning of it, "last", or "NAME@-1".
        trial: The trial: its number, its name, or the beginning of it.
        environment: Build the saved environment with uv, and run in it.
        check: End with code 1 if a metric differs by more than this, or is missing.
        cluster: The cluster: "auto", "local", "cuda", "debug", a scheduler's address, or a YAML
            file.
        json: Print JSON, and all else to standard error.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    if check is not None and not (is_finite(check) and check >= 0):
        raise InvalidArgumentError("--check", check, "must be a number from 0")
    earlier = find_stored(open_project(project), experiment)
    options = {"cluster": cluster, "progress": not json}
    done = repeat(earlier, trial, options, environment=environment, quiet=json)
    if json:
        print_json(_json(done))
    else:
        _print(done)
    if check is not None and not done.is_within(check):
        sys.exit(1)


def _json(done: Rerun) -> dict[str, Any]:
    return {
        "experiment": done.experiment.id,
        "rerun_of": {"experiment": done.earlier.id, "trial": done.trial},
        "trials": [
            {
                "trial": each.trial,
                "name": each.name,
                "recorded": each.recorded,
                "now": each.now,
                "difference": each.difference,
                "note": each.note,
            }
            for each in done.metrics
        ],
        "environment": [{"name": row.name, "values": row.values} for row in done.environment],
    }


def _print(done: Rerun) -> None:
    what = "" if done.trial is None else f"trial {done.trial} of "
    say(readable(f"{done.experiment.id} repeats {what}{done.earlier.id}"))
    rows = done.metrics
    names = [row.name for row in rows]
    columns = [
        Column("trial", [str(row.trial) for row in rows], rank=0, right=True, whole=True),
        Column("metric", [readable(name) for name in names], rank=1),
        Column("recorded", [_number(row.recorded) for row in rows], rank=0, right=True),
        Column("now", [_number(row.now) for row in rows], rank=0, right=True),
        Column("difference", [_number(row.difference) for row in rows], rank=0, right=True),
    ]
    if any(row.note for row in rows):
        columns.append(Column("note", [readable(row.note) for row in rows], rank=2, most=60))
    print_table(columns)


def _number(value: float | None) -> str:
    return "" if value is None else number_text(value)
