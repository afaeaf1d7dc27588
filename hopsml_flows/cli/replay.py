"""``hopsml replay``: runs an asynchronous search again from its journal, without training."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.service import find_experiment
from hopsml_flows.service.replay import replay as replay_journal
from hopsml_flows.text import plural

__all__ = ["replay"]

_MOST_SHOWN = 5


def replay(
    experiment: Annotated[str, EXPERIMENT],
    /,
    *,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Run a search again from its journal, and say whether each decision comes out bit for bit.

    Args:
        experiment: The experiment: its identifier, the beginning of it, "last", or "NAME@-1".
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    where = open_project(project)
    paths = find_experiment(where, experiment)
    done = replay_journal(where, paths)
    facts = ", ".join(
        (
            plural(done.proposals, "proposal"),
            plural(done.reports, "report"),
            plural(done.stops, "early stop"),
        )
    )
    print(f"{paths.id}: {facts}")
    if not done.mismatches:
        print("Every decision comes out again, bit for bit.")
        return
    print(f"{plural(len(done.mismatches), 'decision')} did not come out again:")
    for mismatch in done.mismatches[:_MOST_SHOWN]:
        print(f"line {mismatch.line} of the journal")
        print(f"  recorded: {mismatch.recorded.rstrip()}")
        print(f"  replayed: {(mismatch.replayed or 'nothing').rstrip()}")
    sys.exit(1)
