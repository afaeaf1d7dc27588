"""Writes a version of a model: its files first, its record last.

Readers take a directory for a version only if it has a record. So an export that is interrupted
anywhere leaves no version. Its number stays taken where it may still be writing.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, ModelExistsError, StorageUnavailableError
from hopsml_flows.models.model_files import LocalFile
from hopsml_flows.models.record import LIBRARY_OF_FILES, ModelRecord, Origin
from hopsml_flows.models.storage_calls import stored
from hopsml_flows.models.version_claim import Claim, claim_next, claim_version
from hopsml_flows.storage import ModelPaths, Project
from hopsml_flows.storage.parallel_requests import in_parallel

__all__ = ["Details", "export_version"]

_PARALLEL = 4
"""Files that are copied at the same time: most are small, and wait for answers."""


@dataclass(frozen=True, slots=True)
class Details:
    """What the caller knows of a model beside its files.

    Args:
        metrics: As of :class:`~hopsml_flows.models.ModelRecord`; so are the others.
        description: The user's words, or None.
        input_signature: What the model takes, or None.
        library: The library that saved it.
        library_version: The library's version, or None.
        origin: The experiment that it comes from.
        confirmed: What evaluations on fresh seeds say of it.
    """

    metrics: dict[str, int | float] = field(default_factory=dict)
    description: str | None = None
    input_signature: Any = None
    library: str = LIBRARY_OF_FILES
    library_version: str | None = None
    origin: Origin = field(default_factory=Origin)
    confirmed: dict[str, dict[str, Any]] = field(default_factory=dict)


def export_version(
    project: Project,
    name: str,
    files: Sequence[LocalFile],
    details: Details,
    *,
    version: int | None = None,
    overwrite: bool = False,
    check: Callable[[int], None] | None = None,
) -> ModelRecord:
    """Write a version of a model.

    Args:
        project: The project.
        name: The model's name.
        files: Its local files; at least one.
        details: What else the record says.
        version: The version; None for the one after the newest.
        overwrite: Replace the version if it exists. Until the new one is whole, there is none.
        check: Called with the version's number when no other export can take it, and before
            anything of it is written. If it raises an error, there is no version.

    Returns:
        The version's record.

    Raises:
        ModelExistsError: The version exists, and ``overwrite`` is false; or it is being written.
        InvalidArgumentError: A file lies in the directory that ``overwrite`` would empty.
        OSError: A local file cannot be read, or changes meanwhile.
        StorageUnavailableError: Storage refuses a file, or did not answer in time.
    """
    if overwrite and version is not None:
        _check_outside(project, ModelPaths(name, version), files)
    described = in_parallel(LocalFile.describe, files, threads=_PARALLEL)
    if version is None:
        claim = claim_next(project, name)
    else:
        claim = claim_version(project, name, version, overwrite=overwrite)
    try:
        if check is not None:
            check(claim.paths.version)
        if overwrite and version is not None:
            _clear(claim)
        in_parallel(partial(_upload, claim), list(files), threads=_PARALLEL)
        for file, (_, stamp) in zip(files, described, strict=True):
            if file.stamp() != stamp:
                raise OSError(f"model_path: {file.path} was changed while it was exported")
        record = ModelRecord(
            name=name,
            version=claim.paths.version,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            files=tuple(told for told, _ in described),
            metrics=details.metrics,
            description=details.description,
            input_signature=details.input_signature,
            library=details.library,
            library_version=details.library_version,
            project=project.name,
            user=_user(),
            origin=details.origin,
            confirmed=details.confirmed,
        )
        _commit(claim, record)
    except BaseException as error:
        _undo(claim, keep_number=_may_go_on(error))
        raise
    return replace(record, files=tuple(sorted(record.files, key=lambda file: file.name)))


def _check_outside(project: Project, paths: ModelPaths, files: Sequence[LocalFile]) -> None:
    """Refuse files that :func:`_clear` would remove before they are copied."""
    if project.local_root is None:
        return
    root = Path(project.local_root, paths.root)
    for file in files:
        # The path itself, or what a link on the way to it leads to.
        if file.path.absolute().is_relative_to(root.absolute()) or (
            file.path.resolve().is_relative_to(root.resolve())
        ):
            because = f"overwrite=True would remove it first: it lies in {root}"
            raise InvalidArgumentError("model_path", str(file.path), because=because)


def _upload(claim: Claim, file: LocalFile) -> None:
    project, path = claim.project, claim.paths.file(file.name)
    size = file.path.stat().st_size
    stored(project, path, lambda: project.upload(file.path, path), size=size)


def _clear(claim: Claim) -> None:
    """Remove what an earlier export wrote, the record first."""
    project, paths = claim.project, claim.paths
    with suppress(FileNotFoundError):
        stored(project, paths.record, partial(project.remove, paths.record))
    for entry in stored(project, paths.root, partial(project.entries, paths.root)):
        if entry.name != paths.claim:
            remove = partial(project.remove, entry.name, recursive=entry.is_directory)
            with suppress(FileNotFoundError):
                stored(project, entry.name, remove)


def _commit(claim: Claim, record: ModelRecord) -> None:
    """Write the record, and give the claim back."""
    project, paths = claim.project, claim.paths
    if not claim.is_ours:
        because = "another process removed it while it was written"
        raise ModelExistsError("model_version", record.version, because=because)
    text = record.to_json()
    stored(project, paths.record, partial(project.replace, paths.record, text), size=len(text))
    with suppress(Exception):  # a claim that stays does no harm to a version with a record
        claim.give_back()


def _may_go_on(error: BaseException) -> bool:
    """Whether a file may still be on its way to storage, in a thread that nothing can stop."""
    return not isinstance(error, Exception) or isinstance(
        error, (StorageUnavailableError, TimeoutError)
    )


def _undo(claim: Claim, *, keep_number: bool) -> None:
    """Remove what was written, if storage lets us; without a record it is no version anyway.

    Args:
        claim: The claim.
        keep_number: Whether the claim stays. Otherwise the next export takes the number, and what
            is still on its way from this one would become a part of that.
    """
    project, paths = claim.project, claim.paths
    with suppress(Exception):
        if not claim.is_ours:
            return
        with suppress(FileNotFoundError):
            project.remove(paths.record)  # the answer to its request may have been lost
        if not keep_number:
            project.remove(paths.root, recursive=True)
            return
        for entry in project.entries(paths.root):
            if entry.name != paths.claim:
                with suppress(FileNotFoundError):
                    project.remove(entry.name, recursive=entry.is_directory)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "unknown"
