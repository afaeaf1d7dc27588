"""Names the current flow run after its experiment, unless the user has chosen its name."""

from __future__ import annotations

import logging

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext

from hopsml_flows.prefect_internals.run_names import is_made_up

__all__ = ["name_flow_run"]

_logger = logging.getLogger(__name__)


def name_flow_run(name: str) -> None:
    """Give the current flow run a name; it costs a request where the present one is made up.

    Args:
        name: The name.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.name == name or not is_made_up(run.name):
        return
    try:
        with get_client(sync_client=True) as client:
            client.set_flow_run_name(run.id, name)
    except Exception as error:  # the server is away or refuses: the run goes on
        _logger.debug("flow run %s not renamed: %s", run.id, error)
        return
    run.name = name  # for what is logged from now on
