"""Commands that the user can run next, as they are printed."""

from __future__ import annotations

import shlex

from prefect.context import FlowRunContext

__all__ = ["logs_command", "project_option"]


def logs_command(experiment_id: str, trial: int) -> str:
    """The command that prints the log of a trial of the current flow run's experiment.

    Args:
        experiment_id: The experiment's identifier.
        trial: The trial's number.
    """
    return f"hopsml logs {experiment_id} {trial}{project_option()}"


def project_option() -> str:
    """The option that names the current flow run's project, if the user passed one; else ""."""
    context = FlowRunContext.get()
    project = (context.parameters or {}).get("project") if context else None
    return f" --project {shlex.quote(str(project))}" if project else ""
