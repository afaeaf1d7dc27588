"""The list of experiments, and whether anything has changed."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hopsml_flows.service.index import ExperimentEntry, Series
from hopsml_flows.service.web.site import Site
from hopsml_flows.service.web.views.experiment_list import asked_experiments, list_view

__all__ = ["listing", "live"]


def listing(site: Site, request: Request) -> Response:
    """Return the list of experiments.

    Args:
        site: The site.
        request: The request.
    """
    site.look(request)
    parameters, now = site.parameters(request), site.now()
    query, problem = asked_experiments(parameters, now)
    if parameters.one("fold"):
        series, total = site.index.series(query)
        found: Sequence[Series] | Sequence[ExperimentEntry] = series
    else:
        page = site.index.experiments(query)
        found, total = page.experiments, page.total
    view = list_view(
        found, total, query, parameters, site.index.choices(), problem=problem, now=now
    )
    return site.page(request, "experiments.html", view=view)


def live(site: Site, request: Request) -> Response:
    """Return a version that changes with an experiment, or with any of them.

    Args:
        site: The site.
        request: The request.
    """
    site.freshness.look()
    version = site.freshness.version(request.query_params.get("experiment", ""))
    return JSONResponse({"version": version})
