"""``hopsml rm``: removes experiments from storage, but none that runs."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import HopsmlError, InvalidArgumentError
from hopsml_flows.service import find_stored, remove_experiment
from hopsml_flows.text import plural, readable

__all__ = ["rm"]


def rm(
    *ids: Annotated[str, Parameter(name="ID")],
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Remove experiments, with all their files. It cannot be undone.

    Args:
        ids: The experiments: identifiers, beginnings of identifiers, "last", or "NAME@-1".
        yes: Do not ask.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    if not ids:
        raise InvalidArgumentError("ID", list(ids), "must be at least one")
    place = open_project(project)
    # All are found before one is removed: "last" is another one afterwards.
    found = {each.id: each for each in (find_stored(place, text) for text in ids)}
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidArgumentError("--yes", "no terminal to ask", "must be given")
        for each in found.values():
            record = each.record
            trials = "" if record is None else f", {plural(record.trials_total or 0, 'trial')}"
            _say(f"{each.path} ({each.state.value}{trials})")
        sys.stderr.write(f"Remove {plural(len(found), 'experiment')} for good? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            _say("hopsml: nothing was removed")
            sys.exit(1)
    failed = 0
    for each in found.values():
        try:
            remove_experiment(place, each.id, lambda text: _say(f"hopsml: {text}"))
        except (HopsmlError, OSError) as error:
            failed += 1
            _say(f"hopsml: {place.without_secrets(str(error))}")
        else:
            print(f"removed {each.id}", flush=True)
    if failed:
        sys.exit(2)


def _say(text: str) -> None:
    print(readable(text), file=sys.stderr, flush=True)
