"""``hopsml rm``: removes experiments from storage, but none that runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import HopsmlError, InvalidArgumentError
from hopsml_flows.service import StoredExperiment, find_stored, remove_experiment
from hopsml_flows.text import plural, readable

__all__ = ["rm"]


def rm(
    *ids: Annotated[str, EXPERIMENT],
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Remove experiments, with all their files. It cannot be undone.

    Args:
        ids: The experiments: identifiers, beginnings of identifiers, "last", or "NAME@-1".
        yes: Do not ask.
        json: Print what was removed, and what was not and why, as JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    if not ids:
        raise InvalidArgumentError("ID", list(ids), "must be at least one")
    place = open_project(project)
    # All are found before one is removed: "last" is another one afterwards.
    found = {each.id: each for each in (find_stored(place, text) for text in ids)}
    if not yes and not _agreed(list(found.values())):
        _say("hopsml: nothing was removed")
        if json:
            print_json({"removed": [], "kept": [_kept(each.id, _NO) for each in found.values()]})
        sys.exit(1)
    removed: list[str] = []
    kept: list[dict[str, str]] = []
    for each in found.values():
        try:
            remove_experiment(place, each.id, lambda text: _say(f"hopsml: {text}"))
        except (HopsmlError, OSError) as error:
            kept.append(_kept(each.id, place.without_secrets(str(error))))
            _say(f"hopsml: {kept[-1]['reason']}")
        else:
            removed.append(each.id)
            if not json:
                print(f"removed {each.id}", flush=True)
    if json:
        print_json({"removed": removed, "kept": kept})
    if kept:
        sys.exit(2)


_NO = "the answer to the question was no"


def _agreed(found: Sequence[StoredExperiment]) -> bool:
    """Ask the user on the terminal.

    Raises:
        InvalidArgumentError: There is no terminal.
    """
    if not sys.stdin.isatty():
        raise InvalidArgumentError("--yes", "no terminal to ask", "must be given")
    for each in found:
        record = each.record
        trials = "" if record is None else f", {plural(record.trials_total or 0, 'trial')}"
        _say(f"{each.path} ({each.state.value}{trials})")
    sys.stderr.write(f"Remove {plural(len(found), 'experiment')} for good? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _kept(experiment_id: str, reason: str) -> dict[str, str]:
    return {"id": experiment_id, "reason": reason}


def _say(text: str) -> None:
    print(readable(text), file=sys.stderr, flush=True)
