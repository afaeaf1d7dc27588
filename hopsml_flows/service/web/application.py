"""The Experiments service as an ASGI application, to be served alone or mounted in another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hopsml_flows.errors import HopsmlError, NotFoundError
from hopsml_flows.service.index import ExperimentIndex
from hopsml_flows.service.web.boards import Boards
from hopsml_flows.service.web.guard import Guard
from hopsml_flows.service.web.handlers.assets import asset
from hopsml_flows.service.web.handlers.boards import boards, show_board, stop_board
from hopsml_flows.service.web.handlers.changes import annotate, delete
from hopsml_flows.service.web.handlers.comparing import compare, compare_curves
from hopsml_flows.service.web.handlers.experiment import (
    about,
    plots,
    plots_data,
    program,
    trials,
    trials_csv,
    trials_parquet,
)
from hopsml_flows.service.web.handlers.listing import listing, live
from hopsml_flows.service.web.handlers.models import model, model_file, models
from hopsml_flows.service.web.handlers.trial import curve, file, log, trial
from hopsml_flows.service.web.site import Site
from hopsml_flows.storage import LOOPBACK_HOSTS, Project

__all__ = ["experiments_app"]

Handler = Callable[[Site, Request], Response]

_ONE = "/experiments/{experiment}"
_TRIAL = f"{_ONE}/trials/{{number}}"

_PAGES: Sequence[tuple[str, Handler]] = (
    ("/", listing),
    ("/live", live),
    ("/compare", compare),
    ("/tensorboard", boards),
    ("/compare.json", compare_curves),
    (_ONE, trials),
    (f"{_ONE}/trials.csv", trials_csv),
    (f"{_ONE}/trials.parquet", trials_parquet),
    (f"{_ONE}/plots", plots),
    (f"{_ONE}/plots.json", plots_data),
    (f"{_ONE}/about", about),
    (f"{_ONE}/program", program),
    (f"{_ONE}/files/{{file:path}}", file),
    (_TRIAL, trial),
    (f"{_TRIAL}/log", log),
    (f"{_TRIAL}/curve.json", curve),
    ("/models", models),
    ("/models/{name}/{version}", model),
    ("/models/{name}/{version}/files/{file:path}", model_file),
    ("/assets/{name}", asset),
)
_FORMS: Sequence[tuple[str, Any]] = (
    ("/delete", delete),
    (f"{_ONE}/annotate", annotate),
    ("/tensorboard", show_board),
    ("/tensorboard/stop", stop_board),
)


def experiments_app(
    project: Project,
    *,
    hosts: Collection[str] = LOOPBACK_HOSTS,
    access_token: str = "",
    writable: bool = True,
    tensorboards: bool = False,
) -> Starlette:
    """Return the pages of a project's experiments as an ASGI application.

    Others call :func:`hopsml_flows.experiments.web_app`.

    Args:
        project: The project.
        hosts: Host names that browsers call the server by; "*" for any, which gives up the
            protection from DNS rebinding.
        access_token: Token that each request needs; "" if none is needed.
        writable: Whether pages offer to delete and describe experiments.
        tensorboards: Whether pages start TensorBoards. All users of this machine reach them without
            a token, and no other machine does.
    """
    index = ExperimentIndex(project)
    running = Boards(project) if tensorboards else None
    site = Site(project, index, writable, running)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        if running is not None:
            await run_in_threadpool(running.close)
        index.close()

    routes = [Route(path, partial(handler, site), methods=["GET"]) for path, handler in _PAGES]
    routes += [Route(path, partial(handler, site), methods=["POST"]) for path, handler in _FORMS]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hosts=hosts, access_token=access_token)],
        exception_handlers={
            FileNotFoundError: partial(_no_file, site),
            HopsmlError: partial(_refused, site),
            OSError: partial(_unavailable, site),
            HTTPException: partial(_http_error, site),
        },
        lifespan=lifespan,
    )


def _no_file(site: Site, request: Request, _: Exception) -> Response:
    return _problem(site, request, 404, "There is no such file in the project.")


def _refused(site: Site, request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, NotFoundError) else 400
    return _problem(site, request, 503 if isinstance(error, OSError) else status, str(error))


def _unavailable(site: Site, request: Request, error: Exception) -> Response:
    words = f"Storage did not answer ({type(error).__name__}). Try again in a while."
    if isinstance(error, PermissionError):
        words = "This server may not read a file of the project, or a directory on the way to it."
    return _problem(site, request, 503, words)


def _http_error(site: Site, request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = "There is no such page." if error.detail == "Not Found" else str(error.detail)
    answer = _problem(site, request, error.status_code, words)
    answer.headers.update(error.headers or {})
    return answer


def _problem(site: Site, request: Request, status: int, words: str) -> Response:
    return site.page(request, "problem.html", status=status, code=status, words=words)
