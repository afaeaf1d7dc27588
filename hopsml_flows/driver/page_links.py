"""The pages about an experiment that a browser can open: Prefect's, TensorBoard's, storage's."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from prefect.context import FlowRunContext
from prefect.settings import PREFECT_UI_URL

from hopsml_flows.plan.plan import Plan
from hopsml_flows.redaction import has_secret
from hopsml_flows.server.embedded import embedded_idle_seconds, embedded_url
from hopsml_flows.storage import ExperimentPaths
from hopsml_flows.trials import PageLink

__all__ = ["lasting_flow_run_page", "page_links"]


def page_links(plan: Plan, paths: ExperimentPaths, tensorboard: str | None) -> list[PageLink]:
    """Return the links of an experiment. Call it within the flow run.

    Args:
        plan: The experiment.
        paths: Its paths.
        tensorboard: URL of the TensorBoard that ends with the experiment, or None.
    """
    links = []
    if run := _flow_run_page():
        # An embedded server may end with the experiment.
        lasts = embedded_url() is None or embedded_idle_seconds() > 0
        links.append(PageLink("Prefect run", run, lasts))
    if tensorboard:
        links.append(PageLink("TensorBoard", tensorboard, lasts=False))
    if directory := _directory_page(plan.options.project.full(paths.root)):
        links.append(PageLink("Project directory", directory))
    return links


def lasting_flow_run_page() -> str | None:
    """Return the page of the current flow run, for the record.

    There is none outside of a flow run, nor on an embedded server, whose address is gone with it. A
    URL that may have a secret is not kept.
    """
    page = _flow_run_page() if embedded_url() is None else None
    return None if page is None or has_secret(page) else page


def _flow_run_page() -> str | None:
    context = FlowRunContext.get()
    embedded = embedded_url()
    pages = embedded.removesuffix("/api") if embedded else PREFECT_UI_URL.value()
    if not pages or context is None or context.flow_run is None:
        return None
    return f"{pages.rstrip('/')}/runs/flow-run/{context.flow_run.id}"


def _directory_page(directory: str) -> str | None:
    """The page on which HDFS' name node shows a directory; other storages have none to link."""
    parts = urlsplit(directory)
    if parts.scheme != "webhdfs":
        return None
    host = parts.netloc.rpartition("@")[2]
    return f"http://{host}/explorer.html#{quote(parts.path)}"
