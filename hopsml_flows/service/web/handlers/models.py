"""The pages of models: the list, one version, and its files."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hopsml_flows.models import ModelRecord
from hopsml_flows.models.names import is_model_name, version_of_directory
from hopsml_flows.service.web.file_response import file_response
from hopsml_flows.service.web.models_seen import model_record
from hopsml_flows.service.web.site import Site
from hopsml_flows.service.web.views.models import model_row, model_view, shown_rows
from hopsml_flows.storage import ModelPaths

__all__ = ["model", "model_file", "models"]

_MOST = 500
"""Most versions that the list shows."""


def models(site: Site, request: Request) -> Response:
    """Return the list of models.

    Args:
        site: The site.
        request: The request.
    """
    site.look(request)
    parameters = site.parameters(request)
    text, experiment = parameters.one("q"), parameters.one("experiment")
    seen = site.models.look(whole=True)
    found = shown_rows(seen.records, text=text, experiment=experiment)
    there = _there(site, found[:_MOST])
    return site.page(
        request,
        "models.html",
        rows=[model_row(record, there) for record in found[:_MOST]],
        left_out=max(0, len(found) - _MOST),
        any=bool(seen.records),
        damaged=seen.damaged,
        problem=seen.problem,
        text=text,
        experiment=experiment,
    )


def model(site: Site, request: Request) -> Response:
    """Return the page of a version.

    Args:
        site: The site.
        request: The request.

    Raises:
        HTTPException: There is no such version.
    """
    site.look(request)
    record = _record(site, request)
    directory = site.project.full(ModelPaths(record.name, record.version).root)
    versions = [
        each.version for each in site.models.look(whole=False).records if each.name == record.name
    ]
    return site.page(
        request,
        "model.html",
        view=model_view(record, directory, _there(site, [record])),
        older=max((each for each in versions if each < record.version), default=None),
        newer=min((each for each in versions if each > record.version), default=None),
    )


def model_file(site: Site, request: Request) -> Response:
    """Return a file of a version, to be kept.

    Args:
        site: The site.
        request: The request.

    Raises:
        FileNotFoundError: Its record names no such file, or it is gone.
        HTTPException: There is no such version.
    """
    record = _record(site, request)
    name = request.path_params["file"]
    if name not in {file.name for file in record.files}:
        raise FileNotFoundError(name)
    return file_response(site.project, ModelPaths(record.name, record.version).file(name))


def _record(site: Site, request: Request) -> ModelRecord:
    name = request.path_params["name"]
    version = version_of_directory(request.path_params["version"])
    if is_model_name(name) and version is not None:
        record = model_record(site.project, name, version)
        if record is not None:
            return record
    raise HTTPException(404, "There is no such version of a model.")


def _there(site: Site, records: Sequence[ModelRecord]) -> set[str]:
    """The experiments of models that the index knows."""
    named = {record.origin.experiment for record in records if record.origin.experiment}
    return {name for name in named if site.index.experiment(name) is not None}
