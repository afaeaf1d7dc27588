"""Exports the model that a trial of an experiment has saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.models.exporter import Details, export_version
from hopsml_flows.models.input_signature import input_signature as described_signature
from hopsml_flows.models.metric import checked_metrics
from hopsml_flows.models.names import model_name, version_number
from hopsml_flows.models.origins import origin_of
from hopsml_flows.models.record import ModelRecord
from hopsml_flows.models.saved_output import chosen_output, named_file, only_model
from hopsml_flows.models.sources import copied_from_project
from hopsml_flows.models.storage_calls import stored
from hopsml_flows.storage import ExperimentPaths, FileInfo, ModelPaths, Project, is_own_file
from hopsml_flows.text import say
from hopsml_flows.trials import DEFAULT_KEY, TrialResult
from hopsml_flows.values.plain import single_number

__all__ = ["TrialExporter"]

_OF_TENSORFLOW = "saved_model.pb"


@dataclass(frozen=True, slots=True)
class TrialExporter:
    """Exports models of an experiment's trials. Pickled, it has no options of the storage.

    Args:
        project: The experiment's project.
        experiment_id: The experiment's identifier.
        optimization_key: Name of the metric, or None.
    """

    project: Project
    experiment_id: str
    optimization_key: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # A result may be pickled to a place that secrets must not reach.
        return _rebuilt, (self.project.url, self.experiment_id, self.optimization_key)

    def __call__(
        self,
        trial: TrialResult,
        name: Any,
        *,
        file: Any,
        version: Any,
        overwrite: bool,
        metrics: Any,
        description: str | None,
        input_signature: Any,
    ) -> str:
        """Export a trial's model.

        Args:
            trial: The trial.
            name: The model's name.
            file: Which file or directory it is, as of ``ExperimentResult.export_model``; so are
                the others.
            version: The version, or None.
            overwrite: Replace the version if it exists.
            metrics: Metric's name to number; None for the numbers among the trial's outputs.
            description: The user's words, or None.
            input_signature: What the model takes, or None.

        Returns:
            The full path of the version's directory.
        """
        record = self.export(
            trial,
            name,
            file=file,
            version=version,
            overwrite=overwrite,
            metrics=metrics,
            description=description,
            input_signature=input_signature,
        )
        say(f"Exported model {record.name} as version {record.version}: {self._path(trial, file)}")
        return self.project.full(ModelPaths(record.name, record.version).root)

    def export(
        self,
        trial: TrialResult,
        name: Any,
        *,
        file: Any = None,
        version: Any = None,
        overwrite: bool = False,
        metrics: Any = None,
        description: str | None = None,
        input_signature: Any = None,
        confirmed: Mapping[str, dict[str, Any]] | None = None,
        check: Callable[[int], None] | None = None,
    ) -> ModelRecord:
        """Export a trial's model, and return its record.

        Args:
            trial: The trial.
            name: As of a call, and so are the others.
            file: Which file or directory it is.
            version: The version, or None.
            overwrite: Replace the version if it exists.
            metrics: Metric's name to number.
            description: The user's words, or None.
            input_signature: What the model takes, or None.
            confirmed: What evaluations on fresh seeds say of the trial's hyperparameters.
            check: Called with the version's number before anything of it is written, as of
                :func:`~hopsml_flows.models.exporter.export_version`.
        """
        wanted = model_name("name", name)
        number = None if version is None else version_number("version", version)
        details = Details(
            metrics=self._metrics(trial) if metrics is None else checked_metrics(metrics),
            description=description,
            input_signature=described_signature(input_signature),
            origin=origin_of(self.project, self.experiment_id, trial),
            confirmed=dict(confirmed or {}),
        )
        path = self._path(trial, file)
        with copied_from_project(self.project, path) as files:
            return export_version(
                self.project,
                wanted,
                files,
                details,
                version=number,
                overwrite=overwrite,
                check=check,
            )

    def has_model(self, trial: TrialResult) -> bool:
        """Whether it is certain which of a trial's files is its model.

        Args:
            trial: The trial.
        """
        return self._certain_model(trial) is not None

    def _path(self, trial: TrialResult, file: Any) -> str:
        if file is not None:
            path = named_file(file, trial.outputs, self._directory(trial))
            if not stored(self.project, path, partial(self.project.exists, path)):
                raise InvalidArgumentError("file", file, because=f"trial {trial.number} has none")
            return path
        found = self._certain_model(trial)
        if found is None:
            must = "must say which output, or which path below the trial's directory, is the model"
            raise InvalidArgumentError("file", file, must)
        return found

    def _directory(self, trial: TrialResult) -> str:
        return ExperimentPaths(self.experiment_id).trial(trial.directory)

    def _certain_model(self, trial: TrialResult) -> str | None:
        """Return the path that is the trial's model for certain, or None."""
        directory = self._directory(trial)
        return chosen_output(trial.outputs, directory) or self._only_model(directory)

    def _only_model(self, directory: str) -> str | None:
        """Return the only thing in a trial's directory that looks like a model, or None."""
        entries = stored(self.project, directory, partial(self.project.entries, directory))
        return only_model(entry.name for entry in entries if self._may_be_model(entry))

    def _may_be_model(self, entry: FileInfo) -> bool:
        name = entry.name.rpartition("/")[2]
        if not entry.is_directory:
            return "." in name and not is_own_file(name)
        path = f"{entry.name}/{_OF_TENSORFLOW}"
        return "." not in name and stored(self.project, path, partial(self.project.exists, path))

    def _metrics(self, trial: TrialResult) -> dict[str, int | float]:
        """Return the numbers among a trial's outputs, and what it was optimized for."""
        numbers = {name: single_number(value) for name, value in trial.outputs.items()}
        found = {name: number for name, number in numbers.items() if number is not None}
        if trial.metric is None:
            return found
        return {self.optimization_key or DEFAULT_KEY: trial.metric, **found}


def _rebuilt(url: str, experiment_id: str, optimization_key: str | None) -> TrialExporter:
    return TrialExporter(Project(url), experiment_id, optimization_key)
