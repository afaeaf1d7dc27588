"""``hopsml models download``: copies a version of a model to this machine, verified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.json_output import print_json
from hopsml_flows.cli.models.versions import MODEL, find_typed, named
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import InvalidArgumentError, ModelExistsError
from hopsml_flows.models.local_copy import fetch_version
from hopsml_flows.text import readable, say

__all__ = ["download_model"]


def download_model(
    model: Annotated[str, MODEL],
    /,
    *,
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    overwrite: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Copy a version of a model to this machine, and verify each file by its SHA-256.

    Args:
        model: The version: NAME/VERSION, or NAME for the newest.
        output: The directory; default: NAME/VERSION in the working directory.
        overwrite: Replace a directory that has other content.
        json: Print the directory, and what was copied, as JSON.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    place = open_project(project)
    record = find_typed(place, "MODEL", model)
    target = Path(named(record) if output is None else output).absolute()
    try:
        fetch_version(place, record, target, overwrite=overwrite)
    except ModelExistsError as error:
        because = "it exists, and is not this version (--overwrite replaces it)"
        raise ModelExistsError("--output", str(target), because=because) from error
    except InvalidArgumentError as error:
        raise error.renamed("--output") from error
    if json:
        print_json({**record.as_json(), "path": str(target)})
    else:
        say(readable(f"copied {named(record)} to {target}"))
