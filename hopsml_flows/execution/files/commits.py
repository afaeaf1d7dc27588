"""Read what an experiment's trials have committed, so that it can continue where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.storage.reading import content_of, names_in
from hopsml_flows.trials import (
    CONFIRMATION,
    Trial,
    TrialResult,
    committed_result,
    generation_of,
    number_of,
    stored_params,
)

__all__ = ["Damage", "Earlier", "earlier_confirmations", "earlier_trials", "read_committed"]

_READERS = 16
"""Files read in parallel; a remote store takes tens of milliseconds for each."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A trial that counts as not done because one of its files is damaged.

    Args:
        directory: Its directory, relative to the experiment's.
        error: Which file, and what is wrong with it.
    """

    directory: str
    error: DamagedFileError


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier runs of an experiment left, by trial number.

    Args:
        params: Hyperparameters of all trials that began, as JSON values.
        results: Results of the trials that are done.
        unfinished: Directories of all others, relative to the experiment's.
        directories: Directories of all trials.
        damaged: Trials that are not done only because one of their files is damaged.
    """

    params: dict[int, dict[str, Any]]
    results: dict[int, TrialResult]
    unfinished: tuple[str, ...] = ()
    directories: Mapping[int, str] = field(default_factory=dict)
    damaged: tuple[Damage, ...] = ()


@dataclass(frozen=True, slots=True)
class _Left:
    """What one trial's directory holds."""

    number: int
    directory: str
    params: dict[str, Any] | None = None
    result: TrialResult | None = None
    damage: DamagedFileError | None = None


def read_committed(
    project: Project, paths: ExperimentPaths, trial: Trial, *, needs_metric: bool = False
) -> TrialResult | None:
    """The result of a trial that is already done, from any of its attempts.

    If a worker dies between a trial's commit and the delivery of its result, Dask or the driver
    runs the trial again. Then the committed result counts. A damaged commit does not count.

    Args:
        project: Where the trial's files are.
        paths: The experiment's paths.
        trial: The trial.
        needs_metric: Whether a trial without a metric is not done.

    Returns:
        The committed result, or None.
    """
    try:
        return _read_commit(project, paths, trial, needs_metric)
    except DamagedFileError:
        return None


def earlier_trials(
    project: Project, paths: ExperimentPaths, *, needs_metric: bool = False
) -> Earlier:
    """Read what the trials of an experiment left.

    A trial with a damaged file counts as not done; the damage is part of the answer.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        needs_metric: Whether a trial without a metric is not done.

    Raises:
        StorageUnavailableError: A file cannot be read, though it may exist.
    """
    return _read_all(project, paths, needs_metric, *_list_directories(project, paths))


def earlier_confirmations(
    project: Project, paths: ExperimentPaths, *, needs_metric: bool = False
) -> Earlier:
    """Read what the trials left that confirm the winner of an experiment.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        needs_metric: As of :func:`earlier_trials`.

    Raises:
        StorageUnavailableError: A file cannot be read, though it may exist.
    """
    directories: list[str] = []
    with suppress(NotADirectoryError):  # one of the user's files
        names = names_in(project, paths.trial(CONFIRMATION))
        directories = [f"{CONFIRMATION}/{name}" for name in names]
    return _read_all(project, paths, needs_metric, directories, [None] * len(directories))


def _read_all(
    project: Project,
    paths: ExperimentPaths,
    needs_metric: bool,
    directories: list[str],
    generations: list[int | None],
) -> Earlier:
    """Read directories of trials, each with its generation."""
    read = partial(_read_trial, project, paths, needs_metric)
    with ThreadPoolExecutor(_READERS) as readers:
        found = [left for left in readers.map(read, directories, generations) if left is not None]
    # If a trial has two directories, the one with its result counts.
    found.sort(key=lambda left: (left.result is not None, left.directory))
    results = {left.number: left.result for left in found if left.result is not None}
    return Earlier(
        params={left.number: left.params for left in found if left.params is not None},
        results=results,
        unfinished=tuple(left.directory for left in found if left.result is None),
        directories={left.number: left.directory for left in found},
        damaged=tuple(
            Damage(left.directory, left.damage)
            for left in found
            if left.damage is not None and left.number not in results
        ),
    )


def _list_directories(
    project: Project, paths: ExperimentPaths
) -> tuple[list[str], list[int | None]]:
    """List possible trial directories, relative to the experiment's, and their generations."""
    directories: list[tuple[str, int | None]] = [("", None)]
    for name in names_in(project, paths.root):
        generation = generation_of(name)
        if generation is None:
            directories.append((name, None))
        else:
            with suppress(NotADirectoryError):  # one of the user's files
                inside = names_in(project, paths.trial(name))
                directories += [(f"{name}/{trial}", generation) for trial in inside]
    return [directory for directory, _ in directories], [number for _, number in directories]


def _read_trial(
    project: Project,
    paths: ExperimentPaths,
    needs_metric: bool,
    directory: str,
    generation: int | None,
) -> _Left | None:
    """Read a trial's directory; None if it belongs to no trial."""
    name = directory.rpartition("/")[2]
    number = number_of(name) if name else 1
    if number is None:
        return None
    file = paths.trial(directory, TrialFiles.HPARAMS)
    content = content_of(project, file)
    if content is None:
        return None
    try:
        params = stored_params(project.full(file), content)
    except DamagedFileError as damage:
        # Without outputs the trial was killed as it began, so nothing is lost.
        done = content_of(project, paths.trial(directory, TrialFiles.OUTPUTS)) is not None
        return _Left(number, directory, damage=damage if done else None)
    trial = Trial(number, name, params, directory=directory, generation=generation)
    try:
        result = _read_commit(project, paths, trial, needs_metric)
    except DamagedFileError as damage:
        return _Left(number, directory, params, damage=damage)
    return _Left(number, directory, params, result)


def _read_commit(
    project: Project, paths: ExperimentPaths, trial: Trial, needs_metric: bool
) -> TrialResult | None:
    file = paths.trial(trial.directory, TrialFiles.OUTPUTS)
    content = content_of(project, file)
    if content is None:
        return None
    return committed_result(project.full(file), content, trial, needs_metric=needs_metric)
