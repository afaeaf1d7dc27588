"""Where a trial's files stay when its project's storage does not take them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from hopsml_flows.trials import Trial

__all__ = ["KEPT_VARIABLE", "keep"]

KEPT_VARIABLE = "HOPSML_KEPT"
"""Environment variable of the worker that names the directory for such files."""


def keep(files: Path, experiment_id: str, trial: Trial) -> Path:
    """Move a trial's local directory to one that nothing removes.

    That is in ``HOPSML_KEPT``, else in ``~/hopsml_kept``, else, where these cannot be written or
    have no room, beside the system's temporary files.

    Args:
        files: The directory; it is gone afterwards, or may go.
        experiment_id: The experiment's identifier.
        trial: The trial.

    Returns:
        Absolute path of the new directory.

    Raises:
        OSError: No place would take them.
    """
    failure: OSError | None = None
    for root in _roots():
        try:
            return _moved(files, root / experiment_id, trial.directory or trial.name)
        except OSError as error:
            failure = error
    assert failure is not None
    raise failure


def _moved(files: Path, parent: Path, name: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        target = parent / (name if number == 1 else f"{name}.{number}")
        try:
            target.mkdir(parents=True)
        except FileExistsError:  # an earlier attempt's
            continue
        try:
            os.rename(files, target)  # takes the place of an empty directory
        except OSError:  # on another file system
            try:
                shutil.copytree(files, target, symlinks=True, dirs_exist_ok=True)
            except OSError:
                shutil.rmtree(target, ignore_errors=True)
                raise
        return target
    raise AssertionError("unreachable")


def _roots() -> Iterator[Path]:
    if named := os.environ.get(KEPT_VARIABLE):
        yield Path(named).absolute()
    with suppress(RuntimeError):  # a user without a home
        yield Path.home() / "hopsml_kept"
    yield Path(tempfile.gettempdir()) / "hopsml_kept"
