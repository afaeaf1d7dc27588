"""Every file and directory name the project uses on storage; no other module spells one.

Pure: paths are joined here, never touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "EXPERIMENTS",
    "MODELS",
    "OF_EXPERIMENT",
    "TRAINING_DATASETS_SUFFIX",
    "ExperimentFiles",
    "ExperimentPaths",
    "GroupFiles",
    "TrialFiles",
    "is_log",
    "is_of_experiment",
    "is_own_file",
    "lease_number",
    "model_version",
    "process_log",
    "process_of_log",
    "scalars_file",
    "training_dataset",
    "training_datasets",
]

EXPERIMENTS = "Experiments"
"""Directory of a project that holds its experiments."""

MODELS = "Models"
"""Directory of a project that holds its exported models."""

TRAINING_DATASETS_SUFFIX = "_Training_Datasets"
"""Ends the name of a project's directory of training datasets, on Hopsworks."""


def training_datasets(project: str) -> str:
    """A project's directory of training datasets.

    Args:
        project: The project's name.
    """
    return f"{project}{TRAINING_DATASETS_SUFFIX}"


def training_dataset(project: str, name: str, version: int) -> str:
    """The directory of one version of a training dataset.

    Args:
        project: The project's name.
        name: The dataset's name.
        version: From 1.
    """
    return f"{training_datasets(project)}/{name}_{version}"


def model_version(name: str, version: int) -> str:
    """The directory of one version of a model.

    Args:
        name: The model's name.
        version: From 1.
    """
    return f"{MODELS}/{name}/{version}"


class TrialFiles:
    """Names of the project's own files in a trial's directory."""

    HPARAMS = ".hparams.json"
    OUTPUTS = ".outputs.json"  # written last: its presence means the trial is done
    METRIC = ".metric"
    LOG = "output.log"
    # TensorBoard reads the event files of a directory in the order of their names and does not
    # go back: "0" sorts before and "9" after any file that a training function writes there.
    EVENTS_START = "events.out.tfevents.0.hparams"
    SCALARS = "events.out.tfevents.1.hopsml"
    EVENTS_END = "events.out.tfevents.9.hparams"
    KEPT = "files"  # directory of what `keep_files` keeps of the working directory


class GroupFiles:
    """Names of what a distributed trial has besides, in its directory."""

    CHECKPOINTS = "checkpoints"
    LOGDIR = "logdir"  # the chief's event files, as in HopsML
    EVALUATOR_LOGDIR = "logdir/evaluator"
    STAGED = "files"  # on a worker's machine: what becomes the trial's directory


class ExperimentFiles:
    """Names of the project's own files in an experiment's directory."""

    RECORD = "experiment.json"
    SUMMARY = ".summary.json"
    ENVIRONMENT = "environment.txt"
    PROGRAM = "program.py"
    NOTEBOOK = "program.ipynb"
    TENSORBOARD = "TensorBoard.task0"  # as in HopsML: there while a TensorBoard runs
    LEASE = ".lease"  # with a number behind it; there while a driver runs
    # Long names: training functions like to write a progress.png of their own.
    PROGRESS_PICTURE = "experiment-progress.png"
    POPULATION_PICTURE = "experiment-population.png"
    PARALLEL_PICTURE = "experiment-parallel.png"


def _names(files: type) -> frozenset[str]:
    return frozenset(value for name, value in vars(files).items() if not name.startswith("_"))


OF_EXPERIMENT = _names(ExperimentFiles)
"""Files that an experiment without trial directories has beside its trial's."""

_OWN = _names(TrialFiles) | OF_EXPERIMENT


_LEASE_FILE = re.compile(rf"{re.escape(ExperimentFiles.LEASE)}\.([0-9]+)(\.beat)?")


def lease_number(name: str, *, beats: bool = True) -> int | None:
    """The number of the lease that a file belongs to; None where it belongs to none.

    Args:
        name: The file's name in an experiment's directory.
        beats: Whether a lease's beat counts as well.
    """
    found = _LEASE_FILE.fullmatch(name)
    return int(found[1]) if found and (beats or not found[2]) else None


def is_of_experiment(name: str) -> bool:
    """Whether a name in an experiment's directory is one of the experiment's own files.

    Args:
        name: The file's name.
    """
    return name in OF_EXPERIMENT or name.startswith(f"{ExperimentFiles.LEASE}.")


def scalars_file(began: float | None = None) -> str:
    """Name of the event file of a trial's scalars.

    TensorBoard goes on where it was in a file that it knows, also when another one has taken its
    place: a trial that is run once more needs another name.

    Args:
        began: When this attempt began, in seconds since the epoch; None for one that is the
            first for certain.
    """
    return TrialFiles.SCALARS if began is None else f"{TrialFiles.SCALARS}.{int(began * 1000)}"


_PROCESS_LOG = re.compile(r"(chief|worker|ps|evaluator)_(\d+)_output\.log")


def process_log(role: str, index: int) -> str:
    """Name of the log of one process of a distributed trial, as HopsML's.

    Args:
        role: "chief", "worker", "ps" or "evaluator".
        index: From 0.
    """
    return f"{role}_{index}_{TrialFiles.LOG}"


def process_of_log(name: str) -> tuple[str, int] | None:
    """The process that a log is named for, as its role and index, or None."""
    found = _PROCESS_LOG.fullmatch(name)
    return (found[1], int(found[2])) if found else None


def is_log(name: str) -> bool:
    """Whether a file name in a trial's directory is that of its log, or of a process's."""
    return name == TrialFiles.LOG or process_of_log(name) is not None


def is_own_file(name: str) -> bool:
    """Whether a file name in a trial's directory is one of the project's own."""
    own = name in _OWN or is_of_experiment(name) or is_log(name)
    return own or name.startswith(f"{TrialFiles.SCALARS}.")


@dataclass(frozen=True, slots=True)
class ExperimentPaths:
    """Paths of one experiment, relative to the project's root, with ``/`` between parts.

    Args:
        id: The experiment's identifier.
    """

    id: str

    @property
    def root(self) -> str:
        """The experiment's directory."""
        return f"{EXPERIMENTS}/{self.id}"

    @property
    def record(self) -> str:
        """The experiment's record."""
        return f"{self.root}/{ExperimentFiles.RECORD}"

    @property
    def summary(self) -> str:
        """Parameters and outputs of all trials."""
        return f"{self.root}/{ExperimentFiles.SUMMARY}"

    @property
    def environment(self) -> str:
        """Python's version and the installed packages."""
        return f"{self.root}/{ExperimentFiles.ENVIRONMENT}"

    @property
    def events(self) -> str:
        """Event file that describes the search space to TensorBoard."""
        return f"{self.root}/{TrialFiles.EVENTS_START}"

    @property
    def tensorboard(self) -> str:
        """Holds the URL of the TensorBoard that shows the experiment, while there is one."""
        return f"{self.root}/{ExperimentFiles.TENSORBOARD}"

    def lease(self, number: int) -> str:
        """The lease of the driver that runs the experiment.

        Args:
            number: From 1; each takeover has the next.
        """
        return f"{self.root}/{ExperimentFiles.LEASE}.{number}"

    def beat(self, number: int) -> str:
        """What a lease's holder rewrites now and then.

        Args:
            number: The lease's number.
        """
        return f"{self.lease(number)}.beat"

    def lease_probe(self, token: str) -> str:
        """A file that is there for a moment, to learn what time the storage has.

        Args:
            token: Differs from that of other probes.
        """
        return f"{self.root}/{ExperimentFiles.LEASE}.{token}.probe"

    def program(self, suffix: str) -> str:
        """The versioned program.

        Args:
            suffix: ``.py`` or ``.ipynb``.
        """
        name = ExperimentFiles.NOTEBOOK if suffix == ".ipynb" else ExperimentFiles.PROGRAM
        return f"{self.root}/{name}"

    def picture(self, name: str) -> str:
        """A picture of the experiment.

        Args:
            name: One of the ``…_PICTURE`` names of :class:`ExperimentFiles`.
        """
        return f"{self.root}/{name}"

    def trial(self, directory: str, file: str = "") -> str:
        """A trial's directory, or a file in it.

        Args:
            directory: The trial's directory relative to the experiment's; "" is the
                experiment's own.
            file: Name of a file, or "".
        """
        return "/".join(part for part in (self.root, directory, file) if part)
