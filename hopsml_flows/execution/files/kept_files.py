"""Where a trial's files stay when its project's storage does not take them, and the way back.

A kept directory that holds ``.outputs.json`` is a trial that is done: brought to the project, it
counts. ``resume=`` does that for those that this machine can reach.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from hopsml_flows.errors import DamagedFileError
from hopsml_flows.storage import ExperimentPaths, Project, TrialFiles, is_own_file
from hopsml_flows.storage.retries import answer_limit, persistently, replace_file
from hopsml_flows.trials import Trial
from hopsml_flows.trials.trial_files import loaded

__all__ = [
    "KEPT_VARIABLE",
    "KeptTrial",
    "keep",
    "kept_place",
    "kept_trials",
    "take_in",
    "take_kept",
]

KEPT_VARIABLE = "HOPSML_KEPT"
"""Environment variable of the worker that names the directory for such files."""


@dataclass(frozen=True, slots=True)
class KeptTrial:
    """A finished trial whose files are kept on this machine.

    Args:
        place: The local directory.
        directory: The trial's directory, relative to the experiment's.
        ended: When it ended, in seconds since the epoch.
        files: Files that its commit lists, with their sizes.
    """

    place: Path
    directory: str
    ended: float
    files: Mapping[str, int]


def keep(files: Path, experiment_id: str, trial: Trial, *, place: Path | None = None) -> Path:
    """Move a trial's local directory to one that nothing removes.

    That is in ``HOPSML_KEPT``, else in ``~/hopsml_kept``, else, where these cannot be written or
    have no room, beside the system's temporary files.

    Args:
        files: The directory; it is gone afterwards, or may go.
        experiment_id: The experiment's identifier.
        trial: The trial.
        place: Where some of its files are kept already, or None.

    Returns:
        Absolute path of the new directory.

    Raises:
        OSError: No place would take them.
    """
    if place is not None:
        shutil.copytree(files, place, symlinks=True, dirs_exist_ok=True)
        return place
    failure: OSError | None = None
    for root in _roots():
        try:
            target = _made(root, experiment_id, trial)
            _move(files, target)
            return target
        except OSError as error:
            failure = error
    assert failure is not None
    raise failure


def kept_place(experiment_id: str, trial: Trial, content: Mapping[str, bytes | Path]) -> Path:
    """Make a directory that nothing removes, and write files into it.

    Args:
        experiment_id: The experiment's identifier.
        trial: The trial.
        content: File name to its content, or to the file that is copied.

    Returns:
        Absolute path of the directory.

    Raises:
        OSError: No place would take them.
    """
    failure: OSError | None = None
    for root in _roots():
        try:
            target = _made(root, experiment_id, trial)
        except OSError as error:
            failure = error
            continue
        try:
            for name, source in content.items():
                if isinstance(source, Path):
                    shutil.copyfile(source, target / name)
                else:
                    (target / name).write_bytes(source)
        except OSError as error:
            shutil.rmtree(target, ignore_errors=True)
            failure = error
        else:
            return target
    assert failure is not None
    raise failure


def kept_trials(experiment_id: str) -> list[KeptTrial]:
    """The finished trials of an experiment that are kept on this machine; of each the last.

    Args:
        experiment_id: The experiment's identifier.
    """
    found: dict[str, KeptTrial] = {}
    for root in _roots():
        for file in sorted((root / experiment_id).rglob(TrialFiles.OUTPUTS)):
            kept = _read(file, experiment_id, root / experiment_id)
            if kept and found.get(kept.directory, kept).ended <= kept.ended:
                found[kept.directory] = kept
    return list(found.values())


def take_kept(project: Project, paths: ExperimentPaths, directory: str | None = None) -> list[str]:
    """Bring what is kept of an experiment on this machine to its project.

    Args:
        project: Where the experiment lies.
        paths: Its paths.
        directory: Of this trial only; None for all.

    Returns:
        Directories of the trials that are done now, relative to the experiment's.

    Raises:
        Exception: What the storage raised; what is kept stays.
    """
    return [
        kept.directory
        for kept in kept_trials(paths.id)
        if directory in (None, kept.directory) and take_in(project, paths, kept)
    ]


def take_in(project: Project, paths: ExperimentPaths, kept: KeptTrial) -> bool:
    """Bring a kept trial to the project, committed last, and remove what was kept.

    Args:
        project: Where the experiment lies.
        paths: Its paths.
        kept: The trial.

    Returns:
        Whether it is done now; not where a file that its commit lists is nowhere.

    Raises:
        Exception: What the storage raised; what is kept stays.
    """
    outputs = paths.trial(kept.directory, TrialFiles.OUTPUTS)
    limit = partial(answer_limit, project)
    if not _is_done(project, outputs):
        if not _complete(project, paths, kept):
            return False
        for file in sorted(kept.place.rglob("*")):
            name = file.relative_to(kept.place).as_posix()
            if file.is_file() and name != TrialFiles.OUTPUTS:
                target = paths.trial(kept.directory, name)
                upload = partial(project.upload, file, target)
                persistently(upload, limit=limit(file.stat().st_size))
        replace_file(project, outputs, (kept.place / TrialFiles.OUTPUTS).read_bytes())
    shutil.rmtree(kept.place, ignore_errors=True)
    with suppress(OSError):  # others of the experiment are kept beside
        kept.place.parent.rmdir()
    return True


def _is_done(project: Project, outputs: str) -> bool:
    """Whether the project has a trial's commit; a damaged one is replaced by the kept one."""
    try:
        content = persistently(partial(project.read, outputs), limit=answer_limit(project))
        value = loaded(outputs, content)
    except (FileNotFoundError, DamagedFileError):
        return False
    return isinstance(value, dict) and isinstance(value.get("_commit"), dict)


def _complete(project: Project, paths: ExperimentPaths, kept: KeptTrial) -> bool:
    """Whether all files that a commit lists are kept, or in the project already.

    Of files of this project's own there the size does not matter: a log may have got a last line.
    """
    for name, size in kept.files.items():
        file = kept.place / name
        if file.is_file() and file.stat().st_size == size:
            continue
        path = paths.trial(kept.directory, name)
        try:
            there = persistently(partial(project.info, path), limit=answer_limit(project))
        except FileNotFoundError:
            return False
        if there.size != size and not is_own_file(name):
            return False
    return True


def _read(file: Path, experiment_id: str, top: Path) -> KeptTrial | None:
    """A kept trial from its commit; None where that is none, or of another experiment."""
    try:
        outputs: Any = json.loads(file.read_bytes())
        commit = outputs["_commit"]
        # Kept by an older version: the directory is named as the trial's.
        directory = commit.get("directory", file.parent.relative_to(top).as_posix())
        if commit.get("experiment", experiment_id) != experiment_id:
            return None
        files = {str(entry["name"]): int(entry["size"]) for entry in commit["files"]}
        return KeptTrial(file.parent, str(directory), float(commit["ended"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _made(root: Path, experiment_id: str, trial: Trial) -> Path:
    """A new directory for a trial; an earlier attempt's keeps its own."""
    parent, name = root / experiment_id, trial.directory or trial.name
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        target = parent / (name if number == 1 else f"{name}.{number}")
        with suppress(FileExistsError):
            target.mkdir(parents=True)
            return target
    raise AssertionError("unreachable")


def _move(files: Path, target: Path) -> None:
    try:
        os.rename(files, target)  # takes the place of an empty directory
    except OSError:  # on another file system
        try:
            shutil.copytree(files, target, symlinks=True, dirs_exist_ok=True)
        except OSError:
            shutil.rmtree(target, ignore_errors=True)
            raise


def _roots() -> Iterator[Path]:
    if named := os.environ.get(KEPT_VARIABLE):
        yield Path(named).absolute()
    with suppress(RuntimeError):  # a user without a home
        yield Path.home() / "hopsml_kept"
    yield Path(tempfile.gettempdir()) / "hopsml_kept"
