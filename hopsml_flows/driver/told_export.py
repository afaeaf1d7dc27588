"""Exports the model of a trial, and tells Prefect that there is a new version of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hopsml_flows.models.result_export import TrialExporter
from hopsml_flows.trials import TrialResult

__all__ = ["ToldExporter"]


@dataclass(frozen=True, slots=True)
class ToldExporter:
    """Exports models of an experiment's trials, for ``ExperimentResult.export_model``.

    Args:
        exporter: Exports them.
    """

    exporter: TrialExporter

    def __call__(self, trial: TrialResult, name: Any, **given: Any) -> str:
        """Export a trial's model; return the full path of the version's directory.

        Args:
            trial: The trial.
            name: The model's name.
            **given: As of :class:`~hopsml_flows.models.result_export.TrialExporter`.
        """
        place = self.exporter(trial, name, **given)
        # A result may be unpickled where Prefect was not imported, and export nothing.
        from hopsml_flows.tracking.prefect.assets import send_materialized

        send_materialized(place, self.exporter.project.url, self.exporter.experiment_id, trial)
        return place
