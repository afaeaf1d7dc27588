"""``hopsml ui``: shows all experiments of a project in a browser."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from hopsml_flows.cli.project_option import open_project
from hopsml_flows.service.web.access_token import given_token
from hopsml_flows.service.web.serving import serve_pages

__all__ = ["ui"]


def ui(
    *,
    project: Annotated[str | None, Parameter(name=["--project", "-p"])] = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    allow_host: Annotated[tuple[str, ...], Parameter(name="--allow-host", negative="")] = (),
    token_file: Annotated[str | None, Parameter(name="--token-file")] = None,
    open_browser: Annotated[
        bool, Parameter(name="--open", negative="", show_default=False)
    ] = False,
    read_only: Annotated[
        bool, Parameter(name="--read-only", negative="", show_default=False)
    ] = False,
) -> None:
    """Show all experiments of a project in a browser, until Ctrl-C.

    Args:
        project: Local path, URL or block:NAME of the project; default: that of new experiments.
        host: Address to listen on; 0.0.0.0 for all addresses of this machine. Any other than this
            machine's own needs a token. HOPSML_UI_TOKEN or a file has it; otherwise a new one is
            made. It is part of the printed address.
        port: Port to listen on; default: 8642, or a free port if that is taken.
        allow_host: A further host name that browsers call the server by, such as a proxy's.
        token_file: A file with the token to use. No option takes the token itself: all users of
            this machine would see it in the list of processes.
        open_browser: Open the page in your browser. With a token, the browser's command has it.
        read_only: Offer nothing that changes an experiment.
    """
    serve_pages(
        open_project(project),
        host=host,
        port=port,
        allowed_hosts=allow_host,
        access_token=given_token(token_file),
        open_browser=open_browser,
        read_only=read_only,
    )
