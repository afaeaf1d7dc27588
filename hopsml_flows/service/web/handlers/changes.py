"""Requests that change something: deletion, tags and notes. Each needs the page's token."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hopsml_flows.errors import NotFoundError
from hopsml_flows.service.annotation import annotate_experiment, parse_tags
from hopsml_flows.service.index import ExperimentState
from hopsml_flows.service.removal import remove_experiment
from hopsml_flows.service.web.handlers.forms import checked_form
from hopsml_flows.service.web.site import Site
from hopsml_flows.service.web.views.experiment_list import experiment_row
from hopsml_flows.service.web.views.parameters import Parameters, segment

__all__ = ["annotate", "delete"]

_LONGEST = 200_000
"""Most characters of a field; what is too long for a record is refused with the reason."""


@checked_form
def delete(site: Site, request: Request, form: Parameters) -> Response:
    """Delete experiments, after a page that asks whether that is meant.

    Args:
        site: The site.
        request: The request.
        form: The form: the experiments, and whether the deletion is confirmed.
    """
    _check_writable(site)
    site.look(request)
    found = [site.index.experiment(name) for name in dict.fromkeys(form.all("e"))]
    entries = [entry for entry in found if entry is not None]
    running = [entry for entry in entries if entry.state is ExperimentState.RUNNING]
    chosen = [entry for entry in entries if entry not in running]
    if not form.one("confirmed") or not chosen:
        return site.page(
            request,
            "delete.html",
            rows=[experiment_row(entry, site.now()) for entry in chosen],
            running=running,
        )
    tried = []
    try:
        for entry in chosen:
            tried.append(entry.id)
            _delete(site, entry.id)
    finally:
        site.freshness.look_at(tried)
    return RedirectResponse(f"{request.scope.get('root_path', '').rstrip('/')}/", 303)


@checked_form
def annotate(site: Site, request: Request, form: Parameters) -> Response:
    """Change the tags and the note of an experiment that is over.

    Args:
        site: The site.
        request: The request.
        form: The form: tags between commas, and the note.
    """
    _check_writable(site)
    entry = site.experiment(request)
    words = form.one("tags", longest=_LONGEST)
    before = entry.record.tags if entry.record else ()
    tags = None if words == ", ".join(before) else parse_tags(words, before)
    note = form.one("note", longest=_LONGEST)
    try:
        annotate_experiment(site.project, entry.id, tags=tags, note=note, notice=lambda _: None)
    except OSError as error:
        words = f"{entry.id} cannot be changed: {error.strerror or error}"
        raise HTTPException(500, site.project.without_secrets(words)) from error
    site.freshness.look_at([entry.id])
    base = request.scope.get("root_path", "").rstrip("/")
    return RedirectResponse(f"{base}/experiments/{segment(entry.id)}/about", 303)


def _delete(site: Site, name: str) -> None:
    """Delete an experiment, and end the TensorBoards that show it.

    They end first: on NFS, files that are open cannot go.
    """
    if site.boards is not None:
        site.boards.stop_showing(name)
    try:
        remove_experiment(site.project, name, lambda _: None)
    except NotFoundError:
        pass  # another page was faster
    except OSError as error:
        words = f"{name} cannot be deleted: {error.strerror or error}"
        raise HTTPException(500, site.project.without_secrets(words)) from error


def _check_writable(site: Site) -> None:
    if not site.writable:
        raise HTTPException(403, "This server changes nothing: it was started read-only.")
