"""The pages of one experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.service.index import (
    ExperimentEntry,
    ExperimentQuery,
    ExperimentState,
    TrialQuery,
)
from hopsml_flows.service.parquet_file import parquet_bytes
from hopsml_flows.service.trial_rows import csv_text, trial_row
from hopsml_flows.service.web.handlers.stored_text import effects_text, program_text, stored_text
from hopsml_flows.service.web.site import Site
from hopsml_flows.service.web.views.effects import effects_panel
from hopsml_flows.service.web.views.experiment import (
    ExperimentHead,
    Repeated,
    details,
    repeated_of,
    space_rows,
)
from hopsml_flows.service.web.views.experiment_list import experiment_row
from hopsml_flows.service.web.views.learning_curves import curves_of
from hopsml_flows.service.web.views.plots import plot_columns, plot_data
from hopsml_flows.service.web.views.resuming import going_on
from hopsml_flows.service.web.views.trials_table import asked_trials, trials_table
from hopsml_flows.service.web.views.versions import kept_files, version_facts
from hopsml_flows.storage import ExperimentPaths

__all__ = [
    "about",
    "head",
    "journal_entries",
    "plots",
    "plots_data",
    "program",
    "repeated",
    "trials",
    "trials_csv",
    "trials_parquet",
]

_MOST_OTHERS = 30
"""Most experiments that a page offers to compare with."""


def head(site: Site, entry: ExperimentEntry) -> ExperimentHead:
    """Return what stands above all pages of an experiment.

    Args:
        site: The site.
        entry: The experiment.
    """
    best = None
    record = entry.record
    if record is not None and record.direction is not None and record.metric is not None:
        first = site.index.trials(entry.id, TrialQuery(limit=1)).trials
        best = first[0] if first and first[0].metric is not None else None
    runs = site.index.experiments(ExperimentQuery(name=entry.name, limit=0)).total
    directory = site.project.full(ExperimentPaths(entry.id).root)
    return ExperimentHead(experiment_row(entry, site.now()), best, directory, runs)


def trials(site: Site, request: Request) -> Response:
    """Return an experiment's table of trials.

    Args:
        site: The site.
        request: The request.
    """
    entry, parameters = site.experiment(request), site.parameters(request)
    query, problem = asked_trials(parameters)
    try:
        page = site.index.trials(entry.id, query)
    except InvalidArgumentError as error:
        problem = str(error)
        query = TrialQuery(limit=query.limit)
        page = site.index.trials(entry.id, query)
    table = trials_table(entry, page.trials, page.total, query, parameters, problem)
    return _page(site, request, entry, "trials", table=table)


def trials_csv(site: Site, request: Request) -> Response:
    """Return all trials that match, as CSV.

    Args:
        site: The site.
        request: The request.
    """
    entry = site.experiment(request)
    query, _ = asked_trials(site.parameters(request), rows=None)
    found = site.index.trials(entry.id, query).trials
    return Response(
        csv_text([trial_row(each) for each in found], for_spreadsheets=True),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{entry.id}.csv"'},
    )


def trials_parquet(site: Site, request: Request) -> Response:
    """Return all trials that match, as Parquet.

    Args:
        site: The site.
        request: The request.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    entry = site.experiment(request)
    query, _ = asked_trials(site.parameters(request), rows=None)
    found = site.index.trials(entry.id, query).trials
    return Response(
        parquet_bytes([trial_row(each) for each in found]),
        media_type="application/vnd.apache.parquet",
        headers={"Content-Disposition": f'attachment; filename="{entry.id}.parquet"'},
    )


def plots(site: Site, request: Request) -> Response:
    """Return an experiment's plots.

    Args:
        site: The site.
        request: The request.
    """
    return _page(site, request, site.experiment(request), "plots")


def plots_data(site: Site, request: Request) -> Response:
    """Return what the plots of an experiment are drawn from.

    Args:
        site: The site.
        request: The request.
    """
    entry = site.experiment(request)
    values = site.index.values(entry.id, plot_columns(entry))
    curves, left_out = curves_of(journal_entries(site, entry))
    data = {**plot_data(entry, values), "curves": curves, "curvesLeftOut": left_out}
    try:
        return Response(orjson.dumps(data), media_type="application/json")
    except TypeError:  # an integer of more than 64 bits, as a journal edited by hand may have
        return JSONResponse(data)


def about(site: Site, request: Request) -> Response:
    """Return all that an experiment's record says.

    Args:
        site: The site.
        request: The request.
    """
    entry = site.experiment(request)
    directory = site.project.full(ExperimentPaths(entry.id).root)
    return _page(
        site,
        request,
        entry,
        "about",
        facts=list(details(entry, directory)),
        space=space_rows(entry),
        more=going_on(entry, site.project.url),
    )


def program(site: Site, request: Request) -> Response:
    """Return an experiment's program and environment.

    Args:
        site: The site.
        request: The request.
    """
    entry = site.experiment(request)
    name, text = program_text(site.project, entry)
    environment = stored_text(site.project, ExperimentPaths(entry.id).environment)
    runs = site.index.experiments(ExperimentQuery(name=entry.name, limit=_MOST_OTHERS))
    newest = site.index.experiments(ExperimentQuery(limit=_MOST_OTHERS))
    found = {each.id: each for each in (*runs.experiments, *newest.experiments)}
    found.pop(entry.id, None)
    return _page(
        site,
        request,
        entry,
        "program",
        program_name=name,
        program=text,
        environment=environment,
        versions=version_facts(entry.record.versions if entry.record else {}),
        kept=kept_files(entry.record.versions if entry.record else {}),
        others=list(found)[:_MOST_OTHERS],
    )


def _page(site: Site, request: Request, entry: ExperimentEntry, tab: str, **more: Any) -> Response:
    return site.page(
        request,
        f"{tab}.html",
        head=head(site, entry),
        entry=entry,
        tab=tab,
        models=site.models.look(whole=False).of(entry.id),
        repeats=repeated(site, entry),
        effects=effects_panel(effects_text(site.project, entry)),
        **more,
    )


def repeated(site: Site, entry: ExperimentEntry) -> Repeated | None:
    """Return the experiment that another one repeats; None if it repeats none.

    Args:
        site: The site.
        entry: The other one.
    """
    told = repeated_of(entry)
    if told is None:
        return None
    return replace(told, is_there=site.index.experiment(told.experiment) is not None)


def journal_entries(site: Site, entry: ExperimentEntry) -> Sequence[Mapping[str, Any]]:
    """Return what an experiment's journal says of trials; nothing without one that can be read.

    All reports of a trial are in one entry.

    Args:
        site: The site.
        entry: The experiment.
    """
    return site.journals.entries(entry.id, grows=entry.state is ExperimentState.RUNNING)
