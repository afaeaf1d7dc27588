"""Waiting until the Prefect server has recorded what a finished run sent to it.

Task runs reach the server as events, which it takes in at its own pace. A server that stays is
left to it; the embedded one must not be stopped before.
"""

from __future__ import annotations

import logging
import time

import httpx
from prefect.client.orchestration import get_client

from hopsml_flows.cluster.remote import flush

__all__ = ["settle"]

_STALLED_SECONDS = 15.0
"""Give up when the server recorded nothing new for so long."""

_FINAL = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
_logger = logging.getLogger(__name__)


def settle(flow_run_id: str | None, task_runs: int) -> None:
    """Wait until the server shows the flow run's task runs in final states.

    Args:
        flow_run_id: The flow run; None where there is none.
        task_runs: Task runs that must be there.
    """
    if flow_run_id is None:
        return
    flush(timeout=30.0)
    body = {
        "flow_runs": {"id": {"any_": [flow_run_id]}},
        "task_runs": {"state": {"type": {"any_": _FINAL}}},
    }
    seen, changed = -1, time.monotonic()
    with get_client(sync_client=True) as client:
        while time.monotonic() - changed < _STALLED_SECONDS:
            try:
                count = int(client.request("POST", "/task_runs/count", json=body).json())
            except (httpx.HTTPError, ValueError) as error:
                _logger.debug("the server did not count: %s", error)
                count = seen
            if count >= task_runs:
                return
            if count != seen:
                seen, changed = count, time.monotonic()
            time.sleep(0.2)
    _logger.warning("the Prefect server has recorded %d of %d task runs", max(seen, 0), task_runs)
