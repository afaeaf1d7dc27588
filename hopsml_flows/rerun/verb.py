"""``experiment.rerun``: trials of an earlier experiment again, and how their metrics differ."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution import check_not_loading
from hopsml_flows.rerun.metrics import RepeatedMetric, repeated_metrics
from hopsml_flows.rerun.process import run_request
from hopsml_flows.rerun.recorded_trials import recorded_trials
from hopsml_flows.rerun.request import read_request
from hopsml_flows.rerun.saved_environment import build_environment, requirements_of
from hopsml_flows.service.comparison import ComparisonRow
from hopsml_flows.service.stored_experiment import StoredExperiment, find_stored
from hopsml_flows.service.stored_files import stored_content
from hopsml_flows.storage import ExperimentPaths, Project, block_name
from hopsml_flows.text import number_text, plural
from hopsml_flows.values.arguments import is_whole

if TYPE_CHECKING:
    import pandas as pd

    from hopsml_flows.cluster import ClusterConfig

__all__ = ["Rerun", "repeat", "rerun"]


@dataclass(frozen=True)
class Rerun:
    """Trials that were run again, beside what is recorded of them.

    Args:
        experiment: The new experiment.
        earlier: The experiment that it repeats.
        trial: Number of the only trial that was run again; None for all.
        metrics: The metric of each trial, then and now.
        environment: In what the environment differs: each fact with the saved value and that of
            the rerun.
    """

    experiment: StoredExperiment
    earlier: StoredExperiment
    trial: int | None
    metrics: tuple[RepeatedMetric, ...]
    environment: tuple[ComparisonRow, ...]

    def __repr__(self) -> str:
        what = self.earlier.id if self.trial is None else f"{self.earlier.id}/{self.trial}"
        lines = [f"{self.experiment.id} repeats {what}"]
        for each in self.metrics:
            then, now = (
                "none" if value is None else number_text(value)
                for value in (each.recorded, each.now)
            )
            note = f" ({each.note})" if each.note else ""
            lines.append(f"  trial {each.trial}: {each.name} {then}, now {now}{note}")
        if self.environment:
            lines.append(f"  {plural(len(self.environment), 'difference')} of the environment")
        return "\n".join(lines)

    def is_within(self, tolerance: float = 0.0) -> bool:
        """Whether no metric differs by more than a tolerance.

        Args:
            tolerance: The most that a metric may differ.
        """
        return all(each.is_within(tolerance) for each in self.metrics)

    def to_pandas(self) -> pd.DataFrame:
        """Return the metrics as a table: trial, name, recorded, now, difference, note.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        names = ("trial", "name", "recorded", "now", "difference", "note")
        rows = [[getattr(each, name) for name in names] for each in self.metrics]
        return pd.DataFrame(rows, columns=list(names))


def rerun(
    experiment: str,
    trial: int | str | None = None,
    *,
    project: Project | str | os.PathLike[str] | None = None,
    cluster: str | ClusterConfig | dict[str, Any] = "auto",
    environment: bool = False,
    progress: bool = True,
    tensorboard: bool | None = None,
) -> Rerun:
    """Run trials of an experiment again: its saved program, with their parameters and their seeds.

    The trials are a new experiment, whose record names the earlier one (``rerun_of``). The program
    runs in a fresh process. Trials that were stopped early, or went on from another trial's
    checkpoint, run from their beginning to their end.

    Args:
        experiment: The experiment: an identifier, a beginning that only one identifier has,
            ``"last"``, or ``"digits@-1"``, the newest experiment of this name.
        trial: The trial: its number or its name. None for all trials that have a result, as one
            experiment; no search proposes others.
        project: The project of both experiments: a local path, a URL, ``"block:NAME"``, or a
            ``Project``.
        cluster: As of the other verbs.
        environment: Build the saved environment with uv, and run in it. Otherwise the trials run
            with the packages of this process.
        progress: Print progress, results, and how the environment differs.
        tensorboard: As of the other verbs.

    Returns:
        The new experiment, and how metrics and environment differ. It is returned also where
        trials failed: the comparison says so.

    Raises:
        NotFoundError: There is no such experiment, or no such trial.
        InvalidArgumentError: The experiment has no saved program, or cannot be repeated.
        FunctionNotFoundError: The saved program has no such function, or cannot be loaded.
        MissingPackageError: ``environment`` is true, and uv is not installed.
        SavedEnvironmentError: The saved environment cannot be built.
    """
    check_not_loading()  # else a program that calls this is loaded, and run again, without end
    earlier = find_stored(_opened(project), experiment)
    options = {"cluster": cluster, "progress": progress, "tensorboard": tensorboard}
    return repeat(earlier, trial, options, environment=environment)


def repeat(
    earlier: StoredExperiment,
    trial: int | str | None,
    options: dict[str, Any],
    *,
    environment: bool = False,
    quiet: bool = False,
) -> Rerun:
    """Run trials of an experiment again.

    Args:
        earlier: The experiment.
        trial: As of :func:`rerun`.
        options: Options of the new experiment.
        environment: As of :func:`rerun`.
        quiet: Whether nothing may be printed to standard output.

    Raises:
        HopsmlError: As of :func:`rerun`.
    """
    if trial is not None and not isinstance(trial, str) and not is_whole(trial):
        raise InvalidArgumentError("trial", trial, "must be a number, a name, or None")
    if not isinstance(environment, bool):
        raise InvalidArgumentError("environment", environment, "must be True or False")
    request = read_request(earlier, trial, options)
    python = None
    if environment:
        lock = stored_content(earlier.project, ExperimentPaths(earlier.id).lock)
        python = str(build_environment(requirements_of(request.environment, lock)))
    else:
        request = replace(request, import_path=tuple(filter(None, sys.path)))
    came = run_request(request, python, quiet=quiet)
    assert came.id is not None
    new = StoredExperiment(earlier.project, came.id)
    record = earlier.record
    return Rerun(
        experiment=new,
        earlier=earlier,
        trial=None if trial is None else request.numbers[0],
        metrics=repeated_metrics(
            None if record is None else record.optimization_key,
            request.recorded,
            [each.result for each in recorded_trials(new)],
            request.numbers,
            request.notes,
        ),
        environment=came.environment,
    )


def _opened(project: Project | str | os.PathLike[str] | None) -> Project:
    if isinstance(project, Project):
        return project
    if block_name(project) is None:
        return Project(project)
    # Imports Prefect, and asks its server.
    from hopsml_flows.server.project_block import saved_project

    return saved_project(project if isinstance(project, str) else None)
