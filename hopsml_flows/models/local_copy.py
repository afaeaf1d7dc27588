"""Copies a version of a model to this machine, whole and verified."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path

from hopsml_flows.errors import DamagedFileError, ModelExistsError, NoSpaceError
from hopsml_flows.execution.files.sizes import size_text
from hopsml_flows.models.model_files import digest_of
from hopsml_flows.models.record import ModelFile, ModelRecord
from hopsml_flows.models.repository import find_version
from hopsml_flows.models.storage_calls import stored
from hopsml_flows.storage import ModelPaths, Project
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
        DamagedFileError: A file is missing on storage, or is not what was exported.
        NoSpaceError: The disk has not enough room; nothing was copied.
        StorageUnavailableError: Storage refuses a file, or did not answer in time.
    """
    if target.exists():
        if _is_copy(target, record):
            return
        if not overwrite:
            because = "it exists, and is not this version (overwrite=True replaces it)"
            raise ModelExistsError("local_path", str(target), because=because)
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_room(record, target.parent)
    with tempfile.TemporaryDirectory(prefix=".hopsml-model-", dir=target.parent) as directory:
        new, old = Path(directory, "new"), Path(directory, "old")
        _fetch(project, record, new)
        if target.is_dir():
            target.rename(old)
        elif target.exists():
            target.unlink()
        new.rename(target)


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
