"""The page that compares trials and experiments."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hopsml_flows.service.comparison import program_difference
from hopsml_flows.service.index import ExperimentEntry, TrialQuery
from hopsml_flows.service.web.handlers.compared_logs import compared_logs
from hopsml_flows.service.web.handlers.experiment import journal_entries
from hopsml_flows.service.web.handlers.stored_text import program_text, stored_text
from hopsml_flows.service.web.site import Site
from hopsml_flows.service.web.views.comparison import (
    Compared,
    Difference,
    comparison_view,
    diff_lines,
)
from hopsml_flows.service.web.views.learning_curves import compared_curves
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.parallel_requests import REQUESTS, in_parallel

__all__ = ["compare", "compare_curves"]

_MOST = 12
"""Most columns of a comparison."""


def compare(site: Site, request: Request) -> Response:
    """Return the comparison of what the address names: ``e=ID`` or ``e=ID:NUMBER``, repeatedly.

    Args:
        site: The site.
        request: The request.
    """
    site.look(request)
    asked, columns, missing = _asked(site, request)
    return site.page(
        request,
        "compare.html",
        view=comparison_view(columns),
        missing=missing,
        left_out=len(asked) - len(asked[:_MOST]),
        diffs=_differences(site.project, columns),
        logs=compared_logs(site, columns),
        curves_query=site.parameters(request).changed(),
    )


def compare_curves(site: Site, request: Request) -> Response:
    """Return the learning curves of the trials that are compared.

    Args:
        site: The site.
        request: The request.
    """
    site.look(request)
    _, columns, _ = _asked(site, request)
    journals = {each.entry.id: journal_entries(site, each.entry) for each in columns}
    return JSONResponse(compared_curves(columns, journals))


def _differences(project: Project, columns: Sequence[Compared]) -> list[Difference]:
    """Return how programs and environments of experiments differ from those of the first."""
    entries = list({each.entry.id: each.entry for each in columns}.values())
    if len(entries) < 2:
        return []

    def texts(entry: ExperimentEntry) -> tuple[str | None, str | None]:
        environment = stored_text(project, ExperimentPaths(entry.id).environment)
        return program_text(project, entry)[1], environment

    threads = 1 if project.local_root is not None else REQUESTS
    first, *others = in_parallel(texts, entries, threads=threads)
    return [
        Difference(title, entry.id, diff_lines(program_difference((entries[0].id, entry.id), pair)))
        for place, title in enumerate(("Program", "Environment"))
        for entry, other in zip(entries[1:], others, strict=True)
        for pair in ((first[place], other[place]),)
    ]


def _asked(site: Site, request: Request) -> tuple[list[str], list[Compared], list[str]]:
    """Return what the address names, what of it there is, and what there is not."""
    asked = list(dict.fromkeys(site.parameters(request).all("e")))
    columns, missing = [], []
    for text in asked[:_MOST]:
        found = _compared(site, text)
        if found is None:
            missing.append(text)
        else:
            columns.append(found)
    return asked, columns, missing


def _compared(site: Site, text: str) -> Compared | None:
    name, _, number = text.partition(":")
    entry = site.index.experiment(name)
    if entry is None:
        return None
    if number:
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            return None
        trial = site.index.trial(name, int(number))
        return None if trial is None else Compared(entry, trial)
    first = site.index.trials(name, TrialQuery(limit=1)).trials
    return Compared(entry, first[0] if first else None, whole=True)
