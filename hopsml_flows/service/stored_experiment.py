"""An experiment as it lies on storage: each file is read when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hopsml_flows.errors import InvalidArgumentError, NotFoundError
from hopsml_flows.search import Direction
from hopsml_flows.service.experiment_finder import find_experiment
from hopsml_flows.service.index.entries import (
    ExperimentEntry,
    ExperimentState,
    SummaryEntries,
)
from hopsml_flows.service.stored_files import stored_content, stored_entry, stored_summary
from hopsml_flows.service.stored_findings import is_study, read_findings
from hopsml_flows.service.trial_rows import columns_of, trial_row
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials import TrialResult, best_first

if TYPE_CHECKING:
    import pandas as pd

    from hopsml_flows.ablation.findings import Findings
    from hopsml_flows.ablation.pairs import Interaction
    from hopsml_flows.ablation.verdicts import Judged
    from hopsml_flows.tracking import ExperimentRecord

__all__ = ["StoredExperiment", "StoredTrial", "best_of", "find_stored", "find_thing"]

_PROGRAMS = (".py", ".ipynb")


class StoredExperiment:
    """An experiment on storage, whether it runs or is over. Nothing in it can be changed.

    Record, trials, findings, program and environment are read when they are first used, and kept:
    get the experiment again to see what has happened since.

    Args:
        project: Its project.
        id: Its identifier.
        entry: What an index knows of it; None to read the record when it is needed.
    """

    def __init__(self, project: Project, id: str, entry: ExperimentEntry | None = None) -> None:  # noqa: A002 - the record calls it so
        self.project = project
        self.id = id
        self._paths = ExperimentPaths(id)
        if entry is not None:
            self.__dict__["_entry"] = entry

    def __repr__(self) -> str:
        return f"<Experiment {self.id}: {self.state.value}>"

    @property
    def name(self) -> str:
        """The name that the user gave."""
        return self._entry.name

    @property
    def state(self) -> ExperimentState:
        """Its state.

        That of its record, or ``LOST`` if the record says RUNNING and the driver's process on this
        machine is gone, ``DAMAGED`` if the record cannot be read, ``UNKNOWN`` if there is none.
        """
        return self._entry.state

    @property
    def problem(self) -> str | None:
        """What is wrong with its record or summary, in words; None if nothing is."""
        return self._entry.problem or self._summary.problem

    @property
    def record(self) -> ExperimentRecord | None:
        """The record; None if there is none that can be read."""
        return self._entry.record

    @property
    def path(self) -> str:
        """Its directory: a local path or a URL."""
        return self.project.full(self._paths.root)

    @property
    def direction(self) -> Direction | None:
        """Which metric is better; None if nothing is optimized."""
        told = None if self.record is None else self.record.direction
        return Direction(told) if told in set(Direction) else None

    @property
    def metric(self) -> float | None:
        """The best metric, as the record has it; None without one."""
        return None if self.record is None else self.record.metric

    @property
    def trials(self) -> tuple[TrialResult, ...]:
        """The trials that have ended, by number."""
        return self._trials

    @property
    def best(self) -> TrialResult | None:
        """The best trial that has ended; None if none has a metric, or nothing is optimized."""
        if self.direction is None:
            return None
        first = next(iter(best_first(self.trials, self.direction)), None)
        return None if first is None or first.metric is None or not first.succeeded else first

    @cached_property
    def findings(self) -> Findings | None:
        """What an ablation study found; None of another experiment, or before the study is over."""
        if not is_study(self.record):
            return None
        return read_findings(stored_content(self.project, self._paths.effects))

    @property
    def effects(self) -> tuple[Judged, ...]:
        """The effect of each component of an ablation study with its verdict, the largest first."""
        return () if self.findings is None else self.findings.effects

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """What pairs cost beyond the sum of both, of an ablation study with ``interactions=2``."""
        return () if self.findings is None else self.findings.interactions

    @property
    def metrics_by_arm(self) -> Mapping[str, Mapping[int, float]]:
        """Label of each arm of an ablation study to number of the repeat to metric."""
        return {} if self.findings is None else self.findings.metrics_by_arm

    @cached_property
    def program(self) -> str | None:
        """The program that ran, a script or a notebook; None if there is none."""
        contents = (
            stored_content(self.project, self._paths.program(suffix)) for suffix in _PROGRAMS
        )
        found = next((content for content in contents if content is not None), None)
        return None if found is None else found.decode(errors="backslashreplace")

    @cached_property
    def environment(self) -> str | None:
        """Python's version and the installed packages, as pip's requirements; None without it."""
        content = stored_content(self.project, self._paths.environment)
        return None if content is None else content.decode(errors="backslashreplace")

    def trial(self, text: int | str) -> TrialResult:
        """Return a trial that has ended.

        Args:
            text: Its number, its name, or a beginning that only one trial's name has.

        Raises:
            NotFoundError: It matches none, or several.
        """
        wanted = str(text)
        number = int(wanted) if wanted.isascii() and wanted.isdecimal() else None
        for trial in self.trials:
            if number == trial.number or wanted in (trial.name, trial.directory or trial.name):
                return trial
        matching = [t for t in self.trials if number is None and t.name.startswith(wanted or "\0")]
        if len(matching) == 1:
            return matching[0]
        if matching:
            means = f"it matches {len(matching)} trials of {self.id}"
            raise NotFoundError("TRIAL", wanted, because=means)
        raise NotFoundError("TRIAL", wanted, because=f"no trial of {self.id} that has ended is it")

    def to_pandas(self) -> pd.DataFrame:
        """Return the trials that have ended as a table, with a row per trial.

        The columns are those of :meth:`ExperimentResult.to_pandas
        <hopsml_flows.experiment.ExperimentResult.to_pandas>`.

        Raises:
            ImportError: pandas is not installed.
        """
        import pandas as pd

        rows = [trial_row(trial) for trial in self.trials]
        return pd.DataFrame(rows, columns=columns_of(rows))

    @cached_property
    def _entry(self) -> ExperimentEntry:
        return stored_entry(self.project, self.id)

    @cached_property
    def _summary(self) -> SummaryEntries:
        return stored_summary(self.project, self.id)

    @cached_property
    def _trials(self) -> tuple[TrialResult, ...]:
        found = (result for _, result, _, _ in self._summary.trials)
        return tuple(sorted(found, key=lambda result: result.number))


@dataclass(frozen=True, slots=True)
class StoredTrial:
    """A trial, with the experiment that it belongs to.

    Args:
        experiment: The experiment.
        trial: The trial's result.
    """

    experiment: StoredExperiment
    trial: TrialResult

    @property
    def id(self) -> str:
        """What commands call it: ``EXPERIMENT/NUMBER``."""
        return f"{self.experiment.id}/{self.trial.number}"

    @property
    def metric(self) -> float | None:
        """Its metric, or None."""
        return self.trial.metric

    @property
    def params(self) -> dict[str, Any]:
        """Its hyperparameters."""
        return self.trial.params

    @property
    def outputs(self) -> dict[str, Any]:
        """Its outputs."""
        return self.trial.outputs

    @property
    def path(self) -> str:
        """Its directory: a local path or a URL."""
        parts = (self.experiment.path, self.trial.directory)
        return "/".join(part for part in parts if part)


def find_stored(project: Project, text: str) -> StoredExperiment:
    """Return the experiment that the user typed.

    Args:
        project: The project.
        text: As of :func:`~hopsml_flows.service.find_experiment`.

    Raises:
        NotFoundError: The text matches no experiment, or several.
    """
    return StoredExperiment(project, find_experiment(project, text).id)


def find_thing(project: Project, text: str) -> StoredExperiment | StoredTrial:
    """Return the experiment, or the trial, that the user typed.

    Args:
        project: The project.
        text: An experiment, or ``EXPERIMENT/TRIAL``.

    Raises:
        NotFoundError: The text matches none, or several.
    """
    experiment, slash, trial = text.partition("/")
    found = find_stored(project, experiment)
    return StoredTrial(found, found.trial(trial)) if slash else found


def best_of(argument: str, experiments: list[StoredExperiment]) -> StoredTrial | None:
    """Return the best trial of experiments; None if none of their trials has a metric.

    Args:
        argument: What the caller calls the experiments, for the error.
        experiments: The experiments; those that optimize nothing are left out.

    Raises:
        InvalidArgumentError: They differ in their direction or in the metric's key.
    """
    aims = {
        (each.direction, each.record.optimization_key): each.id
        for each in experiments
        if each.direction is not None and each.record is not None
    }
    if len(aims) > 1:
        one, other = list(aims.items())[:2]
        told = [
            f"{name} {direction.value if direction else ''} of {key or 'metric'}"
            for (direction, key), name in (one, other)
        ]
        raise InvalidArgumentError(
            argument, [each.id for each in experiments], f"must have one aim: {'; '.join(told)}"
        )
    best = [StoredTrial(each, trial) for each in experiments if (trial := each.best) is not None]
    if not best:
        return None
    direction = best[0].experiment.direction or Direction.MAX
    return min(best, key=lambda each: direction.loss(each.metric or 0.0))
