"""Reading back what trials of an experiment have committed, to go on where it stopped."""

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
    Trial,
    TrialResult,
    committed_result,
    generation_of,
    number_of,
    stored_params,
)

__all__ = ["Damage", "Earlier", "earlier_trials", "read_committed"]

_READERS = 16
"""Files read at once; a remote store answers each in tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A trial that is not done since a file of it cannot be believed.

    Args:
        directory: Its directory, relative to the experiment's.
        error: Which file, and what is wrong with it.
    """

    directory: str
    error: DamagedFileError


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier runs of an experiment left, by the trials' numbers.

    Args:
        params: Hyperparameters of all trials that began, as JSON has them.
        results: Results of those that are done.
        unfinished: Directories of the others, relative to the experiment's.
        directories: Directories of all of them.
        damaged: Those that are not done only since a file of theirs cannot be believed.
    """

    params: dict[int, dict[str, Any]]
    results: dict[int, TrialResult]
    unfinished: tuple[str, ...] = ()
    directories: Mapping[int, str] = field(default_factory=dict)
    damaged: tuple[Damage, ...] = ()


@dataclass(frozen=True, slots=True)
class _Left:
    """What one trial left."""

    number: int
    directory: str
    params: dict[str, Any] | None = None
    result: TrialResult | None = None
    damage: DamagedFileError | None = None


def read_committed(
    project: Project, paths: ExperimentPaths, trial: Trial, *, needs_metric: bool = False
) -> TrialResult | None:
    """The result of a trial that is done already, by whichever attempt.

    A worker that dies between a trial's commit and the delivery of its result makes Dask, or the
    driver, run it again; what is committed counts. What is damaged is no commit.

    Args:
        project: Where the trial's files are.
        paths: The experiment's paths.
        trial: The trial.
        needs_metric: Whether a trial without a metric is not done.

    Returns:
        The committed result, or None.
    """
    try:
        return _committed(project, paths, trial, needs_metric)
    except DamagedFileError:
        return None


def earlier_trials(
    project: Project, paths: ExperimentPaths, *, needs_metric: bool = False
) -> Earlier:
    """Read what the trials of an experiment left.

    A damaged file costs its trial: that is not done, and the damage is told.

    Args:
        project: Where the experiment lies.
        paths: Its paths.
        needs_metric: Whether a trial without a metric is not done.

    Raises:
        StorageUnavailableError: A file cannot be read, though it may be there.
    """
    read = partial(_left, project, paths, needs_metric)
    with ThreadPoolExecutor(_READERS) as readers:
        found = [left for left in readers.map(read, *_places(project, paths)) if left is not None]
    # Of two directories of one trial the one that has its result counts.
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


def _places(project: Project, paths: ExperimentPaths) -> tuple[list[str], list[int | None]]:
    """Directories that may be a trial's, relative to the experiment's, and their generations."""
    directories: list[tuple[str, int | None]] = [("", None)]
    for name in names_in(project, paths.root):
        generation = generation_of(name)
        if generation is None:
            directories.append((name, None))
        else:
            with suppress(NotADirectoryError):  # a file of the user's
                inside = names_in(project, paths.trial(name))
                directories += [(f"{name}/{trial}", generation) for trial in inside]
    return [directory for directory, _ in directories], [number for _, number in directories]


def _left(
    project: Project,
    paths: ExperimentPaths,
    needs_metric: bool,
    directory: str,
    generation: int | None,
) -> _Left | None:
    """What a directory has of a trial; None where it is none's."""
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
        # A trial that was killed as it began has lost nothing.
        done = content_of(project, paths.trial(directory, TrialFiles.OUTPUTS)) is not None
        return _Left(number, directory, damage=damage if done else None)
    trial = Trial(number, name, params, directory=directory, generation=generation)
    try:
        result = _committed(project, paths, trial, needs_metric)
    except DamagedFileError as damage:
        return _Left(number, directory, params, damage=damage)
    return _Left(number, directory, params, result)


def _committed(
    project: Project, paths: ExperimentPaths, trial: Trial, needs_metric: bool
) -> TrialResult | None:
    file = paths.trial(trial.directory, TrialFiles.OUTPUTS)
    content = content_of(project, file)
    if content is None:
        return None
    return committed_result(project.full(file), content, trial, needs_metric=needs_metric)
