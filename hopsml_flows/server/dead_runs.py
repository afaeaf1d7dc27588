"""Flow runs whose process is gone: telling the Prefect server.

A killed process tells the server nothing, so the server shows its run as running forever. The run
that resumes its experiment declares it Crashed. The automation of :mod:`hopsml_flows.server.setup`
finds the runs that no later run resumes.
"""

from __future__ import annotations

import logging
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

__all__ = ["declare_crashed"]

_logger = logging.getLogger(__name__)


def declare_crashed(flow_run_id: str, heir: str) -> None:
    """Mark a flow run and its subflow runs Crashed, unless they are in a final state.

    Args:
        flow_run_id: The run whose process is gone.
        heir: The run that resumes its experiment, for people.
    """
    message = f"its process ended without a word; its experiment went on in {heir}"
    try:
        with get_client(sync_client=True) as client:
            for run in [*_running_subflows(client, UUID(flow_run_id)), UUID(flow_run_id)]:
                # A run in a final state refuses this one.
                client.set_flow_run_state(run, Crashed(message=message))
    except Exception as error:  # the server is away, or another one, or a library fails
        _logger.debug("flow run %s was not declared crashed: %s", flow_run_id, error)


def _running_subflows(client: SyncPrefectClient, flow_run_id: UUID) -> list[UUID]:
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run_id]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])),
        )
    )
    return [run.id for run in found]
