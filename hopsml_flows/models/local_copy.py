"""Copies a version of a model to this machine, whole and verified."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from hopsml_flows.errors import (
    DamagedFileError,
    InvalidArgumentError,
    ModelExistsError,
    NoSpaceError,
)
from hopsml_flows.execution.files.sizes import size_text
from hopsml_flows.models.model_files import digest_of
from hopsml_flows.models.record import ModelFile, ModelRecord
from hopsml_flows.models.repository import find_version
from hopsml_flows.models.storage_calls import stored
from hopsml_flows.storage import EXPERIMENTS, MODELS, ModelPaths, Project
from hopsml_flows.storage.parallel_requests import in_parallel

__all__ = ["fetch_version"]

_PARALLEL = 4
_TRIES = 3


def fetch_version(
    project: Project, record: ModelRecord, target: Path, *, overwrite: bool = False
) -> None:
    """Copy a version's files into a local directory, which appears when all are there.

    Each file's SHA-256 must be that of the record. A directory that has these files, and no other
    ones, is left as it is.

    Args:
        project: The project.
        record: The version's record.
        target: The directory.
        overwrite: Replace a directory that has other content.

    Raises:
        ModelExistsError: The directory has other content, and ``overwrite`` is false.
        InvalidArgumentError: The directory holds more than anyone would replace by a model, such
            as the home directory.
        DamagedFileError: A file is missing on storage, or is not what was exported.
        NoSpaceError: The disk has not enough room; nothing was copied.
        StorageUnavailableError: Storage refuses a file, or did not answer in time.
    """
    if _is_settled(project, record, target, overwrite=overwrite):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_room(record, target.parent)
    place = Path(tempfile.mkdtemp(prefix=".hopsml-model-", dir=target.parent))
    new, old = place / "new", place / "old"
    try:
        _fetch(project, record, new)
        # That took a while: another process may have made the directory, or filled it.
        if not _is_settled(project, record, target, overwrite=overwrite):
            _put(new, target, old if overwrite else None)
    except BaseException as error:  # Ctrl-C, too
        _put_back(old, target, error)
        shutil.rmtree(new, ignore_errors=True)
        with suppress(OSError):  # it has what could not be put back
            place.rmdir()
        raise
    shutil.rmtree(place, ignore_errors=True)


def _is_settled(project: Project, record: ModelRecord, target: Path, *, overwrite: bool) -> bool:
    """Whether the directory is the version already.

    Raises:
        ModelExistsError: It has other content, and ``overwrite`` is false.
        InvalidArgumentError: It has other content, and must not be replaced.
    """
    if not os.path.lexists(target):
        return False
    if _is_copy(target, record):
        return True
    if not overwrite:
        because = "it exists, and is not this version (overwrite=True replaces it)"
        raise ModelExistsError("local_path", str(target), because=because)
    for what, within in _valuable(project, target):
        because = f"overwrite=True would remove all of it, and it {within} {what}"
        raise InvalidArgumentError("local_path", str(target), because=because)
    return False


def _valuable(project: Project, target: Path) -> Iterator[tuple[str, str]]:
    """Yield what a directory holds, or belongs to, that no model may replace."""
    real = target.resolve()
    root = project.local_root
    places: list[tuple[str, Callable[[], Path]]]
    places = [("the working directory", Path.cwd), ("the home directory", Path.home)]
    if root is not None:
        places.append(("the project", root.resolve))
        places.append(("the project's experiments", (root / EXPERIMENTS).resolve))
    for what, find in places:
        with suppress(OSError, RuntimeError):  # it was removed; the user has none
            if find().resolve().is_relative_to(real):
                yield what, "holds"
    if root is not None and real.is_relative_to((root / MODELS).resolve()):
        yield "the project's models", "is of"


def _put(new: Path, target: Path, old: Path | None) -> None:
    """Let the new directory take the target's place.

    Args:
        new: The new directory.
        target: The target.
        old: Where to move what is there; None to leave it.

    Raises:
        ModelExistsError: Another process was faster.
    """
    if old is not None and os.path.lexists(target):
        target.rename(old)
    try:
        new.rename(target)
    except OSError as error:
        if not os.path.lexists(target):
            raise
        because = "another process made it meanwhile"
        raise ModelExistsError("local_path", str(target), because=because) from error


def _put_back(old: Path, target: Path, error: BaseException) -> None:
    """Move back what was there before; what cannot be moved back is kept, and the error says so."""
    if not os.path.lexists(old):
        return
    try:
        if os.path.lexists(target):
            raise FileExistsError(str(target))
        old.rename(target)
    except OSError:
        error.add_note(f"what was in {target} before is in {old}")


def _fetch(project: Project, record: ModelRecord, new: Path) -> None:
    """Copy the files, and again if the version is replaced meanwhile."""
    for remaining in reversed(range(_TRIES)):
        try:
            in_parallel(partial(_copy, project, record, new), record.files, threads=_PARALLEL)
        except DamagedFileError:
            now = find_version(project, record.name, record.version)
            if now == record or not remaining:
                raise
            record = now
            shutil.rmtree(new)
        else:
            return


def _copy(project: Project, record: ModelRecord, new: Path, file: ModelFile) -> None:
    path = ModelPaths(record.name, record.version).file(file.name)
    local = new / file.name
    local.parent.mkdir(parents=True, exist_ok=True)
    try:
        stored(project, path, lambda: project.download(path, local), size=file.size)
    except FileNotFoundError as error:
        raise DamagedFileError(project.full(path), "is missing") from error
    digest, size = digest_of(local)
    if (digest, size) != (file.sha256, file.size):
        reason = (
            f"is not what was exported: {size:,} bytes with SHA-256 {digest}, and the record says "
            f"{file.size:,} bytes with {file.sha256}"
        )
        raise DamagedFileError(project.full(path), reason)


def _check_room(record: ModelRecord, directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if record.size > free:
        needed = f"{size_text(record.size)} to copy, and only {size_text(free)} free"
        raise NoSpaceError(f"{needed} in {directory}")


def _is_copy(target: Path, record: ModelRecord) -> bool:
    """Whether a local directory has a version's files, and no other ones."""
    if not target.is_dir():
        return False
    wanted = {target / file.name: file for file in record.files}
    if {path for path in target.rglob("*") if not path.is_dir()} != wanted.keys():
        return False
    with suppress(OSError):
        return all(
            path.stat().st_size == file.size and digest_of(path)[0] == file.sha256
            for path, file in wanted.items()
        )
    return False
