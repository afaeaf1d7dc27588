"""The page of TensorBoards: it starts and stops them."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hopsml_flows.service.web.boards import MOST_BOARDS, Boards
from hopsml_flows.service.web.handlers.forms import checked_form
from hopsml_flows.service.web.site import Site
from hopsml_flows.service.web.views.parameters import Parameters

__all__ = ["boards", "show_board", "stop_board"]


def boards(site: Site, request: Request) -> Response:
    """Return the TensorBoards that run.

    Args:
        site: The site.
        request: The request.

    Raises:
        HTTPException: This server starts none.
    """
    return site.page(request, "boards.html", boards=_boards(site).running(), most=MOST_BOARDS)


@checked_form
def show_board(site: Site, request: Request, form: Parameters) -> Response:
    """Start a TensorBoard of the chosen experiments.

    Args:
        site: The site.
        request: The request.
        form: The form: the experiments.

    Raises:
        HTTPException: This server starts none, or no port is free.
    """
    running = _boards(site)
    site.look(request)
    found = [site.index.experiment(name) for name in dict.fromkeys(form.all("e"))]
    entries = [entry for entry in found if entry is not None]
    if entries:
        try:
            running.show([entry.id for entry in entries], sum(entry.told for entry in entries))
        except OSError as error:
            raise HTTPException(500, f"TensorBoard cannot start: {error.strerror}") from error
    return _back(request)


@checked_form
def stop_board(site: Site, request: Request, form: Parameters) -> Response:
    """Stop a TensorBoard.

    Args:
        site: The site.
        request: The request.
        form: The form: the TensorBoard's name.

    Raises:
        HTTPException: This server starts none.
    """
    _boards(site).stop(form.one("board"))
    return _back(request)


def _boards(site: Site) -> Boards:
    if site.boards is None:
        words = (
            "This server starts no TensorBoard. Only programs of its own machine would reach one, "
            "and all of them without a token. Use hopsml tensorboard instead."
        )
        raise HTTPException(403, words)
    return site.boards


def _back(request: Request) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '').rstrip('/')}/tensorboard", 303)
