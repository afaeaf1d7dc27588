"""What all pages share: the project, its index, the templates, and the token of forms."""

from __future__ import annotations

import hashlib
import secrets
import shlex
import time
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hopsml_flows.service.experiment_finder import TrialDirectory
from hopsml_flows.service.index import ExperimentEntry, ExperimentIndex
from hopsml_flows.service.parquet_file import can_write_parquet
from hopsml_flows.service.web.boards import Boards
from hopsml_flows.service.web.freshness import Freshness
from hopsml_flows.service.web.journals import Journals
from hopsml_flows.service.web.kept import Kept
from hopsml_flows.service.web.models_seen import ModelsSeen
from hopsml_flows.service.web.views.parameters import Parameters, segment
from hopsml_flows.service.web.views.words import (
    cell_text,
    clock_time,
    iso_time,
    second_time,
    took,
)
from hopsml_flows.storage import Project
from hopsml_flows.text import readable
from hopsml_flows.trials.logged_attempts import LoggedAttempt

__all__ = ["ASSETS", "Site", "page_templates"]

_PACKAGE = "hopsml_flows.service.web"

ASSETS = resources.files(_PACKAGE) / "assets"
"""Style sheets and scripts."""


_MOST_LOGS = 32
"""Most logs of which the attempts are kept; each may have megabytes."""


_MOST_BEGUN = 1000
"""Most trials that run of which the directories are kept."""


@dataclass
class Site:
    """The pages of a project.

    Args:
        project: The project.
        index: Its index.
        writable: Whether pages offer to change anything.
        boards: The TensorBoards that pages start; None if they start none.
    """

    project: Project
    index: ExperimentIndex
    writable: bool = True
    boards: Boards | None = None
    freshness: Freshness = field(init=False)
    journals: Journals = field(init=False, repr=False)
    models: ModelsSeen = field(init=False, repr=False)
    attempts: Kept[list[LoggedAttempt]] = field(init=False, repr=False)
    begun: Kept[TrialDirectory] = field(init=False, repr=False)
    form_token: str = field(init=False, repr=False)
    version: str = field(init=False)
    templates: Environment = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.freshness = Freshness(self.index)
        self.journals = Journals(self.project)
        self.models = ModelsSeen(self.project)
        self.attempts = Kept(_MOST_LOGS)
        self.begun = Kept(_MOST_BEGUN)
        self.form_token = secrets.token_urlsafe(32)
        self.version = _assets_version()
        self.templates = page_templates()

    @property
    def writes_parquet(self) -> bool:
        """Whether tables can be had as Parquet here."""
        return can_write_parquet()

    def now(self) -> float:
        """Return the present time, in seconds since 1970."""
        return time.time()

    def parameters(self, request: Request) -> Parameters:
        """Return the parameters of a request's address.

        Args:
            request: The request.
        """
        return Parameters(tuple(request.query_params.multi_items()))

    def experiment(self, request: Request) -> ExperimentEntry:
        """Return the experiment that a request's path names.

        Args:
            request: The request.

        Raises:
            HTTPException: The index knows no such experiment.
        """
        name = request.path_params["experiment"]
        self.look(request, name)
        entry = self.index.experiment(name)
        if entry is None:
            raise HTTPException(404, f"There is no experiment {name}.")
        return entry

    def look(self, request: Request, experiment_id: str = "") -> None:
        """Bring the index up to date, before anything is read from it for a page.

        The page's version is taken now: what changes while the page is made changes the version.

        Args:
            request: The request.
            experiment_id: The experiment that the page shows; "" for the whole project.
        """
        self.freshness.look()
        request.state.version = self.freshness.version(experiment_id)

    def page(
        self, request: Request, template: str, *, status: int = 200, **values: Any
    ) -> Response:
        """Return a page.

        Args:
            request: The request.
            template: The template.
            status: The HTTP status.
            **values: What the template shows.
        """
        text = self.templates.get_template(template).render(
            site=self,
            base=request.scope.get("root_path", "").rstrip("/"),
            version=getattr(request.state, "version", ""),
            **values,
        )
        return HTMLResponse(text, status)


@cache
def page_templates() -> Environment:
    """Return the templates, which all sites of a process share."""
    templates = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {
        "path": _path,
        "segment": segment,
        "cell": cell_text,
        "took": took,
        "clock": clock_time,
        "second": second_time,
        "iso": iso_time,
        "quoted": shlex.quote,
    }
    return templates


def _path(text: str) -> str:
    """Return a path as an address has it."""
    return "/".join(segment(name) for name in text.split("/"))


def _shown(value: Any) -> Any:
    """Return what a page can hold: texts without control characters and lone surrogates."""
    return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _assets_version() -> str:
    """Return a text that changes with the assets: browsers keep them until then."""
    digest = hashlib.sha256()
    for asset in sorted(ASSETS.iterdir(), key=lambda asset: asset.name):
        digest.update(asset.read_bytes())
    return digest.hexdigest()[:12]
