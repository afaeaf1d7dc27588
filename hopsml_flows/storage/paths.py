"""The name of every file and directory that the project has on storage; no other module spells one.

Pure: this module joins paths, and reads and writes none.
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
    "ModelFiles",
    "ModelPaths",
    "TrialFiles",
    "is_log",
    "is_of_experiment",
    "is_own_file",
    "lease_number",
    "model_version",
    "model_versions",
    "process_log",
    "process_of_log",
    "scalars_file",
    "training_dataset",
    "training_datasets",
]

EXPERIMENTS = "Experiments"
"""Directory with a project's experiments."""

MODELS = "Models"
"""Directory with a project's exported models."""

TRAINING_DATASETS_SUFFIX = "_Training_Datasets"
"""End of the name of a project's directory with training datasets, as on Hopsworks."""


def training_datasets(project: str) -> str:
    """Return a project's directory with training datasets.

    Args:
        project: The project's name.
    """
    return f"{project}{TRAINING_DATASETS_SUFFIX}"


def training_dataset(project: str, name: str, version: int) -> str:
    """Return the directory of one version of a training dataset.

    Args:
        project: The project's name.
        name: The dataset's name.
        version: From 1.

    Example:
        >>> training_dataset("demo", "digits", 2)
        'demo_Training_Datasets/digits_2'
    """
    return f"{training_datasets(project)}/{name}_{version}"


def model_versions(name: str) -> str:
    """Return the directory with all versions of a model.

    Args:
        name: The model's name.
    """
    return f"{MODELS}/{name}"


def model_version(name: str, version: int) -> str:
    """Return the directory of one version of a model.

    Args:
        name: The model's name.
        version: From 1.

    Example:
        >>> model_version("digits", 2)
        'Models/digits/2'
    """
    return f"{model_versions(name)}/{version}"


class TrialFiles:
    """Names of the project's own files in a trial's directory."""

    HPARAMS = ".hparams.json"
    OUTPUTS = ".outputs.json"  # written last: a trial that has it is done
    METRIC = ".metric"
    LOG = "output.log"
    # TensorBoard reads the event files of a directory in the order of their names, and never goes
    # back. "0" sorts before and "9" after every file that a training function writes there.
    EVENTS_START = "events.out.tfevents.0.hparams"
    SCALARS = "events.out.tfevents.1.hopsml"
    EVENTS_END = "events.out.tfevents.9.hparams"
    CHECKPOINTS = "checkpoints"  # directory that later attempts, and promoted trials, go on from
    KEPT = "files"  # directory with the files of the working directory that `keep_files` keeps


class GroupFiles:
    """Names of the further files and directories in a distributed trial's directory."""

    LOGDIR = "logdir"  # the chief's event files, as in HopsML
    EVALUATOR_LOGDIR = "logdir/evaluator"
    STAGED = "files"  # on a worker's machine: its content becomes the trial's directory


class ExperimentFiles:
    """Names of the project's own files in an experiment's directory."""

    RECORD = "experiment.json"
    SUMMARY = ".summary.json"
    JOURNAL = "journal.jsonl"  # of an asynchronous search: what happened, in order
    ENVIRONMENT = "environment.txt"
    LOCK = "pylock.toml"  # the same packages, as PEP 751 has them
    CONDA = "environment.yml"  # as in HopsML, of a conda environment
    PROGRAM = "program.py"
    NOTEBOOK = "program.ipynb"
    MODULES = "program.zip"  # the user's modules that the program imports
    DIFFERENCE = "program.diff"  # from the commit that git has checked out
    TENSORBOARD = "TensorBoard.task0"  # as in HopsML: exists while a TensorBoard runs
    LEASE = ".lease"  # followed by a number; exists while a driver runs
    # Long names: many training functions write a progress.png of their own.
    PROGRESS_PICTURE = "experiment-progress.png"
    POPULATION_PICTURE = "experiment-population.png"
    PARALLEL_PICTURE = "experiment-parallel.png"
    CURVES_PICTURE = "experiment-curves.png"
    EFFECTS_PICTURE = "experiment-effects.png"
    EFFECTS = "experiment-effects.json"  # of an ablation study: what each component contributes


class ModelFiles:
    """Names of the project's own files in the directory of a model's version."""

    RECORD = ".model.json"  # written last: a version that has it is whole
    CLAIM = ".export.json"  # exists while the version is written


def _names(files: type) -> frozenset[str]:
    return frozenset(value for name, value in vars(files).items() if not name.startswith("_"))


OF_EXPERIMENT = _names(ExperimentFiles)
"""Files that an experiment without trial directories has beside those of its trial."""

_OWN = _names(TrialFiles) | OF_EXPERIMENT


_LEASE_FILE = re.compile(rf"{re.escape(ExperimentFiles.LEASE)}\.([0-9]+)(\.beat)?")


def lease_number(name: str, *, beats: bool = True) -> int | None:
    """Return the number of the lease that a file belongs to; None if it belongs to none.

    Args:
        name: The file's name in an experiment's directory.
        beats: Whether the beat file of a lease counts as well.

    Example:
        >>> lease_number(".lease.3.beat"), lease_number(".lease.3.beat", beats=False)
        (3, None)
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
    """Return the name of the event file with a trial's scalars.

    TensorBoard continues at the place that it has read to, even if another file has replaced the
    one that it knows. So every further attempt at a trial needs another name.

    Args:
        began: When the attempt began, in seconds since 1970; None if it is certainly the first.

    Example:
        >>> scalars_file(1.5)
        'events.out.tfevents.1.hopsml.1500'
    """
    return TrialFiles.SCALARS if began is None else f"{TrialFiles.SCALARS}.{int(began * 1000)}"


_PROCESS_LOG = re.compile(r"(chief|worker|ps|evaluator)_(\d+)_output\.log")


def process_log(role: str, index: int) -> str:
    """Return the name of a process's log in a distributed trial, as in HopsML.

    Args:
        role: "chief", "worker", "ps" or "evaluator".
        index: The process's number in its role, from 0.

    Example:
        >>> process_log("worker", 1)
        'worker_1_output.log'
    """
    return f"{role}_{index}_{TrialFiles.LOG}"


def process_of_log(name: str) -> tuple[str, int] | None:
    """Return role and index of the process whose log has this name; None if it is no such log."""
    found = _PROCESS_LOG.fullmatch(name)
    return (found[1], int(found[2])) if found else None


def is_log(name: str) -> bool:
    """Whether a file name in a trial's directory is that of the trial's or a process's log."""
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
        """The summary: parameters and outputs of all trials."""
        return f"{self.root}/{ExperimentFiles.SUMMARY}"

    @property
    def journal(self) -> str:
        """The journal of an asynchronous search."""
        return f"{self.root}/{ExperimentFiles.JOURNAL}"

    @property
    def effects(self) -> str:
        """The effects that an ablation study found."""
        return f"{self.root}/{ExperimentFiles.EFFECTS}"

    @property
    def environment(self) -> str:
        """The list of Python's version and the installed packages."""
        return f"{self.root}/{ExperimentFiles.ENVIRONMENT}"

    @property
    def lock(self) -> str:
        """The installed packages as a lock file."""
        return f"{self.root}/{ExperimentFiles.LOCK}"

    @property
    def conda(self) -> str:
        """The description of a conda environment."""
        return f"{self.root}/{ExperimentFiles.CONDA}"

    @property
    def modules(self) -> str:
        """The user's modules that the program imports."""
        return f"{self.root}/{ExperimentFiles.MODULES}"

    @property
    def difference(self) -> str:
        """How the program's repository differed from its commit."""
        return f"{self.root}/{ExperimentFiles.DIFFERENCE}"

    @property
    def events(self) -> str:
        """The event file that describes the search space to TensorBoard."""
        return f"{self.root}/{TrialFiles.EVENTS_START}"

    @property
    def tensorboard(self) -> str:
        """The file with the URL of the TensorBoard that shows the experiment, while one does."""
        return f"{self.root}/{ExperimentFiles.TENSORBOARD}"

    def lease(self, number: int) -> str:
        """Return the lease file of the driver that runs the experiment.

        Args:
            number: The lease's number, from 1; each takeover takes the next.
        """
        return f"{self.root}/{ExperimentFiles.LEASE}.{number}"

    def beat(self, number: int) -> str:
        """Return the file that a lease's holder rewrites as a sign of life.

        Args:
            number: The lease's number.
        """
        return f"{self.lease(number)}.beat"

    def lease_probe(self, token: str) -> str:
        """Return a file that is written and removed, to read the storage's clock.

        Args:
            token: Unique to this probe.
        """
        return f"{self.root}/{ExperimentFiles.LEASE}.{token}.probe"

    def program(self, suffix: str) -> str:
        """Return the stored copy of the user's program.

        Args:
            suffix: ``.py`` or ``.ipynb``.
        """
        name = ExperimentFiles.NOTEBOOK if suffix == ".ipynb" else ExperimentFiles.PROGRAM
        return f"{self.root}/{name}"

    def picture(self, name: str) -> str:
        """Return a picture of the experiment.

        Args:
            name: One of the ``…_PICTURE`` names of :class:`ExperimentFiles`.
        """
        return f"{self.root}/{name}"

    def trial(self, directory: str, file: str = "") -> str:
        """Return a trial's directory, or a file in it.

        Args:
            directory: The trial's directory, relative to the experiment's; "" for the
                experiment's own.
            file: Name of the file; "" for the directory.
        """
        return "/".join(part for part in (self.root, directory, file) if part)


@dataclass(frozen=True, slots=True)
class ModelPaths:
    """Paths of one version of a model, relative to the project's root.

    Args:
        name: The model's name.
        version: From 1.

    Example:
        >>> ModelPaths("digits", 2).record
        'Models/digits/2/.model.json'
    """

    name: str
    version: int

    @property
    def root(self) -> str:
        """The version's directory."""
        return model_version(self.name, self.version)

    @property
    def record(self) -> str:
        """The version's record."""
        return f"{self.root}/{ModelFiles.RECORD}"

    @property
    def claim(self) -> str:
        """The file that names the process which writes the version."""
        return f"{self.root}/{ModelFiles.CLAIM}"

    def file(self, name: str) -> str:
        """Return a file of the model.

        Args:
            name: Relative to the version's directory.
        """
        return f"{self.root}/{name}"
