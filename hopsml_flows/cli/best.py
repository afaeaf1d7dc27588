"""``hopsml best``: the best trial of one experiment, or of several with the same aim."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import InvalidArgumentError, NotFoundError
from hopsml_flows.service import (
    LAST,
    StoredExperiment,
    best_of,
    experiments,
    find_stored,
    trial_json,
)
from hopsml_flows.text import number_text, one_line, readable, say, value_text
from hopsml_flows.trials import LOG, name_of, slug

__all__ = ["best"]


def best(
    *ids: Annotated[str, EXPERIMENT],
    name: str | None = None,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Print the best trial of an experiment, or of several that optimize the same.

    Args:
        ids: The experiments: identifiers, beginnings of identifiers, "last", or "NAME@-1"; default:
            last.
        name: Instead: all experiments of this name.
        json: Print JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    place = open_project(project)
    if name is None:
        found = [find_stored(place, text) for text in ids or (LAST,)]
    elif ids:
        raise InvalidArgumentError("--name", name, "must stand alone, without identifiers")
    else:
        of_name = [each for each in experiments(place) if name_of(each) == slug(name)]
        if not of_name:
            raise NotFoundError("--name", name, f"must be a name that {place.url} has")
        found = [StoredExperiment(place, each) for each in of_name]
    first = best_of("ID" if name is None else "--name", found)
    if first is None:
        print("hopsml: no trial has a metric to compare", file=sys.stderr)
        sys.exit(1)
    record = first.experiment.record
    key = (record and record.optimization_key) or "metric"
    if json:
        told = {"experiment": first.experiment.id, "key": key, "path": first.path}
        print_json({**told, **trial_json(first.trial)})
        return
    direction = first.experiment.direction
    say(readable(f"{one_line(key)} {number_text(first.metric or 0.0)} in trial {first.id}"))
    lines = [("direction", "" if direction is None else direction.value)]
    lines += [(f"params.{k}", value_text(v)) for k, v in first.params.items()]
    lines += [(f"outputs.{k}", value_text(v)) for k, v in first.outputs.items() if k != LOG]
    lines += [("directory", first.path)]
    width = min(30, max(len(head) for head, _ in lines))
    for head, text in lines:
        say(readable(f"{one_line(head):{width}}  {text}"))
