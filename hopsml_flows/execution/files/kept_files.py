"""Keep a trial's files on this machine when the project's storage does not accept them.

A kept directory with ``.outputs.json`` holds a finished trial: once copied to the project, it
counts as done. ``resume=`` copies those that it finds on its machine.
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
    "keep_content",
    "kept_trials",
    "take_in",
    "take_kept",
]

KEPT_VARIABLE = "HOPSML_KEPT"
"""Environment variable of the worker that names the directory for kept files."""


@dataclass(frozen=True, slots=True)
class KeptTrial:
    """A finished trial whose files are kept on this machine.

    Args:
        place: The local directory.
        directory: The trial's directory, relative to the experiment's.
        ended: When it ended, in seconds since the epoch.
        files: Name to size of the files that its commit lists.
    """

    place: Path
    directory: str
    ended: float
    files: Mapping[str, int]


def keep(files: Path, experiment_id: str, trial: Trial, *, place: Path | None = None) -> Path:
    """Move a trial's local directory to one that nothing removes.

    It is in ``HOPSML_KEPT``, or else in ``~/hopsml_kept``. If these cannot be written or have no
    room, it is in ``hopsml_kept`` of the system's directory for temporary files.

    Args:
        files: The local directory. It is moved or copied; the caller may remove what is left.
        experiment_id: The experiment's identifier.
        trial: The trial.
        place: Where some of the trial's files are already kept, or None.

    Returns:
        Absolute path of the new directory.

    Raises:
        OSError: No place accepted the files.
    """
    if place is not None:
        shutil.copytree(files, place, symlinks=True, dirs_exist_ok=True)
        return place
    failure: OSError | None = None
    for root in _roots():
        try:
            target = _make_directory(root, experiment_id, trial)
            _move(files, target)
            return target
        except OSError as error:
            failure = error
    assert failure is not None
    raise failure


def keep_content(experiment_id: str, trial: Trial, content: Mapping[str, bytes | Path]) -> Path:
    """Make a directory that nothing removes, and write files into it.

    Args:
        experiment_id: The experiment's identifier.
        trial: The trial.
        content: File name to its content, or to the file to copy.

    Returns:
        Absolute path of the directory.

    Raises:
        OSError: No place accepted the files.
    """
    failure: OSError | None = None
    for root in _roots():
        try:
            target = _make_directory(root, experiment_id, trial)
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
    """The finished trials of an experiment kept on this machine; the latest attempt of each.

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
    """Copy the kept trials of an experiment from this machine to its project.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        directory: Directory of the only trial to copy; None for all.

    Returns:
        Directories of the trials that are done now, relative to the experiment's.

    Raises:
        Exception: The storage's error. The kept files stay.
    """
    return [
        kept.directory
        for kept in kept_trials(paths.id)
        if directory in (None, kept.directory) and take_in(project, paths, kept)
    ]


def take_in(project: Project, paths: ExperimentPaths, kept: KeptTrial) -> bool:
    """Copy a kept trial to the project, its commit last, and remove the kept files.

    Args:
        project: The experiment's project.
        paths: The experiment's paths.
        kept: The trial.

    Returns:
        Whether the trial is done now. False if a file that its commit lists is missing.

    Raises:
        Exception: The storage's error. The kept files stay.
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
    with suppress(OSError):  # other trials of the experiment are kept beside it
        kept.place.parent.rmdir()
    return True


def _is_done(project: Project, outputs: str) -> bool:
    """Whether the project has a trial's commit; a damaged one does not count."""
    try:
        content = persistently(partial(project.read, outputs), limit=answer_limit(project))
        value = loaded(outputs, content)
    except (FileNotFoundError, DamagedFileError):
        return False
    return isinstance(value, dict) and isinstance(value.get("_commit"), dict)


def _complete(project: Project, paths: ExperimentPaths, kept: KeptTrial) -> bool:
    """Whether each file that a commit lists is either kept or already in the project.

    The size of this library's own files in the project may differ: a log may have got a last line.
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
    """Read a kept trial from its commit; None if that is invalid, or of another experiment."""
    try:
        outputs: Any = json.loads(file.read_bytes())
        commit = outputs["_commit"]
        # Older versions did not store the directory, but gave the kept one the same name.
        directory = commit.get("directory", file.parent.relative_to(top).as_posix())
        if commit.get("experiment", experiment_id) != experiment_id:
            return None
        files = {str(entry["name"]): int(entry["size"]) for entry in commit["files"]}
        return KeptTrial(file.parent, str(directory), float(commit["ended"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _make_directory(root: Path, experiment_id: str, trial: Trial) -> Path:
    """Make a new directory for a trial, numbered if an earlier attempt has one."""
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
