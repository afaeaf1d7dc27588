"""``hopsml export``: the trials of experiments as CSV, JSON, Parquet or a page."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.experiment_names import EXPERIMENT
from hopsml_flows.cli.json_output import json_text
from hopsml_flows.cli.project_option import open_project
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service import (
    StoredExperiment,
    csv_text,
    find_stored,
    parquet_bytes,
    trial_row,
)
from hopsml_flows.text import plural, readable

__all__ = ["export"]


def export(
    *ids: Annotated[str, EXPERIMENT],
    csv: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="", show_default=False)] = False,
    parquet: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    html: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
) -> None:
    """Write the trials of experiments as a table, with a row per trial.

    Args:
        ids: The experiments: identifiers, beginnings of identifiers, "last", or "NAME@-1"; default:
            last.
        csv: Write CSV; lists and objects are cells in JSON.
        as_json: Write a JSON array of objects.
        parquet: Write Parquet; needs pyarrow.
        html: Write a page with the trials and plots of one experiment, which opens from disk.
        output: File to write; default: the standard output.
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
    """
    chosen = {"--csv": csv, "--json": as_json, "--parquet": parquet, "--html": html}
    formats = [name for name, wanted in chosen.items() if wanted]
    if len(formats) != 1:
        got = " ".join(formats) or "none"
        raise InvalidArgumentError("format", got, f"must be one of {', '.join(chosen)}")
    if parquet and output is None and sys.stdout.isatty():
        raise InvalidArgumentError("--parquet", "a terminal", "must come with --output FILE")
    place = open_project(project)
    found = [find_stored(place, text) for text in ids or ("last",)]
    rows = [trial_row(trial, each.id) for each in found for trial in each.trials]
    for each in found:
        if each.problem:
            print(readable(f"hopsml: {each.id}: {each.problem}"), file=sys.stderr)
    if csv:
        content = csv_text(rows).encode()
    elif html:
        content = _page(found)
    elif as_json:
        content = f"{json_text(rows)}\n".encode()
    else:
        content = parquet_bytes(rows)
    if output is None:
        _write(content)
        return
    try:
        Path(output).write_bytes(content)
    except OSError as error:
        raise InvalidArgumentError(
            "--output", output, because=f"it cannot be written ({error.strerror})"
        ) from error
    print(f"hopsml: {plural(len(rows), 'trial')} written to {output}", file=sys.stderr)


def _page(found: Sequence[StoredExperiment]) -> bytes:
    # Imports Jinja2 and Starlette, which the other formats do not need.
    from hopsml_flows.service.web.standalone import standalone_page

    if len(found) != 1:
        got = " ".join(each.id for each in found)
        raise InvalidArgumentError("ID", got, "must be one experiment for --html")
    return standalone_page(found[0].project, found[0].id, time.time()).encode()


def _write(content: bytes) -> None:
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(content.decode())
    else:
        stream.write(content)
    sys.stdout.flush()
