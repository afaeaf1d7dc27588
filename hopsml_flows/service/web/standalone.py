"""An experiment as one HTML file that opens from disk: no server, no other file, no network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from hopsml_flows.service.index import Column, ExperimentEntry
from hopsml_flows.service.stored_files import stored_entry, stored_summary
from hopsml_flows.service.web.handlers.stored_text import effects_text
from hopsml_flows.service.web.site import ASSETS, page_templates
from hopsml_flows.service.web.views.effects import effects_panel
from hopsml_flows.service.web.views.experiment import ExperimentHead, details, space_rows
from hopsml_flows.service.web.views.experiment_list import ExperimentRow
from hopsml_flows.service.web.views.plots import plot_data, plot_values
from hopsml_flows.service.web.views.trials_table import TrialRow, shown_columns, trial_cells
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials import TrialResult

__all__ = ["standalone_page"]

_SCRIPTS = ("standalone.js", "plots.js")


def standalone_page(project: Project, experiment_id: str, now: float) -> str:
    """Return an experiment as one HTML file: head, trials, plots and details.

    Args:
        project: The project.
        experiment_id: The whole identifier.
        now: The present time, in seconds since 1970.

    Raises:
        StorageUnavailableError: Storage refuses the files, or did not answer in time.
    """
    paths = ExperimentPaths(experiment_id)
    summary = stored_summary(project, experiment_id)
    entry = replace(
        stored_entry(project, experiment_id),
        summary_problem=summary.problem,
        told=len(summary.trials),
        unread=summary.unread,
        columns=summary.columns,
    )
    trials = sorted((result for _, result, _, _ in summary.trials), key=lambda each: each.number)
    directory = project.full(paths.root)
    params, outputs = shown_columns(entry)
    style = _asset("page.css")
    scripts = [_asset(name) for name in _SCRIPTS]
    return (
        page_templates()
        .get_template("standalone.html")
        .render(
            head=ExperimentHead(ExperimentRow(entry, now), _best(entry, trials), directory),
            entry=entry,
            effects=effects_panel(effects_text(project, entry)),
            facts=list(details(entry, directory)),
            space=space_rows(entry),
            params=params,
            outputs=outputs,
            rows=_rows(entry, trials, params, outputs),
            data=Markup(_script_json(entry, trials)),
            style=Markup(style),
            scripts=[Markup(script) for script in scripts],
            policy=_policy(style, scripts),
        )
    )


def _best(entry: ExperimentEntry, trials: Sequence[TrialResult]) -> TrialResult | None:
    name = entry.record.best_trial if entry.record else None
    return next((each for each in trials if each.name == name and each.metric is not None), None)


def _rows(
    entry: ExperimentEntry,
    trials: Sequence[TrialResult],
    params: Sequence[Column],
    outputs: Sequence[Column],
) -> list[TrialRow]:
    best = entry.record.best_trial if entry.record else None
    return [
        TrialRow(
            trial,
            trial_cells(trial.params, params),
            trial_cells(trial.outputs, outputs),
            best is not None and trial.name == best,
        )
        for trial in trials
    ]


def _script_json(entry: ExperimentEntry, trials: Sequence[TrialResult]) -> str:
    """The data of the plots, as a script element can hold it: nothing in it ends the element."""
    data = plot_data(entry, plot_values(entry, trials))
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(style: str, scripts: Sequence[str]) -> str:
    """A policy that allows this page's own style and scripts, and nothing else."""
    sources = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {sources}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
