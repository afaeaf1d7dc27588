"""What all trials of one experiment share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, cast

from hopsml_flows.execution.fault_place import definition_place
from hopsml_flows.execution.files.keep_rules import FileRules
from hopsml_flows.execution.files.sync import SYNC_SECONDS
from hopsml_flows.execution.payload import live_in_this_process, unpacked
from hopsml_flows.execution.report_link import ReportLink
from hopsml_flows.storage import ExperimentPaths, Project
from hopsml_flows.trials import ISOLATIONS, Trial, trial_seed

__all__ = ["Closable", "Job"]

T = TypeVar("T", bound="Closable")


class Closable(Protocol):
    """An object with a ``close`` method."""

    def close(self) -> None:
        """Release what the object holds."""


class Job:
    """What all trials of one experiment share; sent to each worker once.

    Deliberately a plain class: Prefect visits every field of dataclasses and models among a task's
    parameters, and the function may refer to many objects.

    Args:
        function: The packed training function.
        project: The project.
        experiment_id: The experiment's identifier.
        optimization_key: Key of the metric in a returned dict, or None.
        needs_metric: Whether a trial without a metric fails.
        local_logdir: Keep event files local until the trial ends.
        trial_timeout: Seconds after which a trial is stopped, or None.
        directory: Absolute working directory of the experiment's driver.
        scratch: Directory on the workers' machine that the driver removes at the end, or None
            if the driver cannot see the workers' directories.
        resumed: Whether an earlier run may have left files of unfinished trials.
        sync_interval: Seconds between two uploads of a running trial's files to the project.
        texts: Hyperparameters whose values TensorBoard shows as text.
        seed: The experiment's seed, or None where nothing is random.
        trial_seeds: Seeds of trials that are repeated, by number.
        seeds_libraries: Whether random numbers of a trial begin with the trial's seed.
        files: Which files of a trial are kept, and how many.
        isolation: Where a trial of one process runs: "worker", "process", or "driver".
        reports: Topic under which the driver is told what trials report, or None.
    """

    __slots__ = (
        "_function",
        "_hear",
        "_lock",
        "_own_process",
        "_packed",
        "_supervisor",
        "directory",
        "experiment_id",
        "files",
        "isolation",
        "local_logdir",
        "needs_metric",
        "optimization_key",
        "project",
        "reports",
        "resumed",
        "scratch",
        "seed",
        "seeds_libraries",
        "sync_interval",
        "texts",
        "trial_seeds",
        "trial_timeout",
    )

    def __init__(
        self,
        *,
        function: bytes,
        project: Project,
        experiment_id: str,
        optimization_key: str | None,
        needs_metric: bool,
        local_logdir: bool,
        directory: str,
        trial_timeout: float | None = None,
        scratch: str | None = None,
        resumed: bool = False,
        sync_interval: float = SYNC_SECONDS,
        texts: frozenset[str] = frozenset(),
        seed: int | None = None,
        trial_seeds: Mapping[int, int] = MappingProxyType({}),
        seeds_libraries: bool = True,
        files: FileRules = FileRules(),  # noqa: B008 - it is frozen
        isolation: str = ISOLATIONS[0],
        reports: str | None = None,
    ) -> None:
        self._packed = function
        self._function: Callable[..., Any] | None = None
        self._hear: Callable[[ReportLink], None] | None = None
        self._own_process = False
        self._lock = threading.Lock()
        self._supervisor: Any = None
        self.project = project
        self.experiment_id = experiment_id
        self.optimization_key = optimization_key
        self.needs_metric = needs_metric
        self.local_logdir = local_logdir
        self.trial_timeout = trial_timeout
        self.directory = directory
        self.scratch = scratch
        self.resumed = resumed
        self.sync_interval = sync_interval
        self.texts = texts
        self.seed = seed
        self.trial_seeds = dict(trial_seeds)
        self.seeds_libraries = seeds_libraries
        self.files = files
        self.isolation = isolation
        self.reports = reports

    def __getstate__(self) -> dict[str, Any]:
        own = ("_function", "_hear", "_lock", "_supervisor")
        return {name: getattr(self, name) for name in self.__slots__ if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._function = self._hear = None
        self._lock = threading.Lock()
        self._supervisor = None

    @property
    def function(self) -> Callable[..., Any]:
        """The training function; unpacked once per process."""
        if self._function is None:
            self._function = unpacked(self._packed, own_process=self._own_process)
        return self._function

    @property
    def definition(self) -> str:
        """Where the training function begins, as ``file:line``; "" if it is not unpacked here."""
        return "" if self._function is None else definition_place(self._function)

    def supervisor(self, make: Callable[[], T]) -> T:
        """The supervisor of the job's processes on this worker. ``close`` closes it.

        Args:
            make: Makes the supervisor on the first call.
        """
        with self._lock:
            if self._supervisor is None:
                self._supervisor = make()
            return cast("T", self._supervisor)

    def close(self) -> None:
        """Close the job's supervisor. Call this when no more trials will come."""
        with self._lock:
            supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.close()

    def live_in_this_process(self, home: Path) -> None:
        """Make this process, which only runs this job, stand in for the user's script.

        Args:
            home: A directory that lives as long as the process.
        """
        self._own_process = True
        live_in_this_process(self._packed, home)

    def trial_seed(self, trial: Trial) -> int:
        """The seed of a trial: the same in all its attempts, different in other trials.

        A trial that has a seed of its own has that (a confirmation's). Else one that runs again
        has the recorded one (a rerun's). Else the seed is derived: from the trial's repeat where it
        has one, so that all arms of an ablation study share it, else from its number.

        Args:
            trial: The trial.

        Returns:
            An integer of 32 bits.
        """
        if trial.seed is not None:
            return trial.seed
        if trial.number in self.trial_seeds:
            return self.trial_seeds[trial.number]
        number = trial.number if trial.repeat is None else trial.repeat
        return trial_seed(self.experiment_id if self.seed is None else self.seed, number)

    @property
    def paths(self) -> ExperimentPaths:
        """The experiment's paths."""
        return ExperimentPaths(self.experiment_id)

    @property
    def is_staged(self) -> bool:
        """Whether trials write to a temporary local directory before the project."""
        return self.project.local_root is None or self.local_logdir

    @property
    def hear(self) -> Callable[[ReportLink], None] | None:
        """What takes reports of trials in this process; None if nothing does."""
        return self._hear

    def hear_in_process(self, hear: Callable[[ReportLink], None]) -> None:
        """Take reports of trials that run in this process.

        Args:
            hear: Called with a link that has reports to take.
        """
        self._hear = hear

    def call_instead(self, function: Callable[..., Any], *, for_outputs: bool) -> None:
        """Replace the training function, in this process only.

        Args:
            function: The function to call from now on.
            for_outputs: Whether it returns the trial's outputs. If not, no metric is required.
        """
        self._function = function
        if not for_outputs:
            self.needs_metric = False
            self.optimization_key = None
