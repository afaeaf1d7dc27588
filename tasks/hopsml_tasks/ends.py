"""The state that a task run ends with where training gave a result."""

from __future__ import annotations

from typing import Any

from prefect.states import Completed

from hopsml_flows.errors import TrialFailedError
from hopsml_flows.trials import TrialResult

__all__ = ["ended_with"]


def ended_with(result: TrialResult) -> Any:
    """Return what a task returns for a result.

    Args:
        result: The result of a trial, or of one of its processes.

    Returns:
        The result; for a trial that was stopped early, a state named *Stopped* that holds it.

    Raises:
        TrialFailedError: The training function failed.
    """
    if result.failure is not None:
        raise TrialFailedError(str(result.failure), result)
    if result.why_stopped is not None:
        return Completed(name="Stopped", message=str(result.why_stopped), data=result)
    return result
