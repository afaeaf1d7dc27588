"""Reading back what trials of an experiment have committed, to go on where it stopped."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hopsml_flows.execution.staging import committed
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles
from hopsml_flows.trials import Trial, TrialResult, generation_of, number_of

__all__ = ["Earlier", "earlier_trials"]

_READERS = 16
"""Files read at once; a remote store answers each in tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier runs of an experiment left, by the trials' numbers.

    Args:
        params: Hyperparameters of all trials that began.
        results: Results of those that are done.
        unfinished: Directories of the others, relative to the experiment's.
    """

    params: dict[int, dict[str, Any]]
    results: dict[int, TrialResult]
    unfinished: tuple[str, ...] = ()


def earlier_trials(project: Project, paths: ExperimentPaths) -> Earlier:
    """Read what the trials of an experiment left.

    Args:
        project: Where the experiment lies.
        paths: Its paths.
    """
    directories: list[tuple[str, int | None]] = [("", None)]
    for name in project.listdir(paths.root):
        generation = generation_of(name)
        if generation is None:
            directories.append((name, None))
        else:
            with suppress(NotADirectoryError):  # a file of the user's
                inside = project.listdir(paths.trial(name))
                directories += [(f"{name}/{trial}", generation) for trial in inside]

    def read(place: tuple[str, int | None]) -> tuple[Trial, TrialResult | None] | None:
        directory, generation = place
        name = directory.rpartition("/")[2]
        number = number_of(name) if name else 1
        if number is None:
            return None
        try:
            params = json.loads(project.read(paths.trial(directory, TrialFiles.HPARAMS)))
        # It had not begun, or was killed while it did; or this is a file of the user's.
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        trial = Trial(number, name, params, directory=directory, generation=generation)
        return trial, committed(project, paths, trial)

    with ThreadPoolExecutor(_READERS) as readers:
        found = [pair for pair in readers.map(read, directories) if pair is not None]
    return Earlier(
        params={trial.number: trial.params for trial, _ in found},
        results={trial.number: result for trial, result in found if result is not None},
        unfinished=tuple(trial.directory for trial, result in found if result is None),
    )
