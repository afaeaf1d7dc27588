"""Finds out which trial, and which program, a model comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hopsml_flows.models.record import Origin
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.storage.retries import answer_limit
from hopsml_flows.storage.time_limit import within
from hopsml_flows.trials import Trial, TrialResult
from hopsml_flows.values.plain import json_value

__all__ = ["origin_of"]

_PROGRAMS = (".py", ".ipynb")


def origin_of(project: Project, experiment_id: str, trial: Trial | TrialResult) -> Origin:
    """Return the origin of a model that a trial has trained.

    Args:
        project: The experiment's project.
        experiment_id: The experiment's identifier.
        trial: The trial.
    """
    paths = ExperimentPaths(experiment_id)
    return Origin(
        experiment=experiment_id,
        trial=trial.number,
        trial_directory=paths.trial(trial.directory),
        params=_params(trial.params),
        program=_program(project, paths),
    )


def _program(project: Project, paths: ExperimentPaths) -> str | None:
    for suffix in _PROGRAMS:
        try:
            path = paths.program(suffix)
            if within(answer_limit(project), lambda path=path: project.exists(path)):  # type: ignore[misc]
                return path
        except Exception:  # each file system has its own errors; the model counts for more
            return None
    return None


def _params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters as JSON values."""
    return {name: json_value(name, value) for name, value in params.items()}
