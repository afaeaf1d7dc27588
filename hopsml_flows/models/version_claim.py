"""Takes a version of a model for one export, however many exports begin at once.

A claim is a file in the version's directory that ``Project.create`` makes: of several processes one
succeeds, on every storage. It exists while its export writes the version, and is removed after the
version's record was written. An export that is killed leaves it, and so the number is never taken
by another one. What changes the record of a version that is whole takes it in the same way.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

from hopsml_flows.errors import ModelExistsError
from hopsml_flows.models.names import version_of_directory
from hopsml_flows.models.storage_calls import stored
from hopsml_flows.storage import (
    ModelFiles,
    ModelPaths,
    Project,
    model_versions,
    process_lives,
    this_process,
)
from hopsml_flows.storage.parallel_requests import in_parallel
from hopsml_flows.storage.reading import content_of, names_in

__all__ = [
    "Claim",
    "claim_next",
    "claim_version",
    "claim_whole",
    "is_being_written",
    "other_writer",
    "version_numbers",
]

_ABANDONED_SECONDS = 3600.0
"""An export that began longer ago on another machine, and has written no record, was killed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A version that this process may write.

    Args:
        project: The project.
        paths: The version's paths.
        content: Content of the claim's file.
    """

    project: Project
    paths: ModelPaths
    content: str

    @property
    def is_ours(self) -> bool:
        """Whether no other process has removed or replaced the claim."""
        return content_of(self.project, self.paths.claim) == self.content.encode()

    def give_back(self) -> None:
        """Remove the claim."""
        with suppress(FileNotFoundError):
            stored(self.project, self.paths.claim, partial(self.project.remove, self.paths.claim))


def version_numbers(project: Project, name: str) -> list[int]:
    """Return the numbers that are taken, in order, also of versions that are being written.

    Args:
        project: The project.
        name: The model's name.
    """
    with suppress(NotADirectoryError):
        found = map(version_of_directory, names_in(project, model_versions(name)))
        return sorted(number for number in found if number is not None)
    return []


def claim_next(project: Project, name: str) -> Claim:
    """Take the number after the largest one.

    Args:
        project: The project.
        name: The model's name.

    Raises:
        StorageUnavailableError: Storage refuses the claim, or did not answer in time.
    """
    least = 1
    while True:
        number = max(least, *(taken + 1 for taken in version_numbers(project, name)), 1)
        claim = _claim(project, ModelPaths(name, number))
        if claim is not None and _is_alone(claim):
            return claim
        if claim is not None:
            claim.give_back()
        least = number + 1


def claim_version(project: Project, name: str, version: int, *, overwrite: bool) -> Claim:
    """Take one version.

    Args:
        project: The project.
        name: The model's name.
        version: The version.
        overwrite: Whether the version may exist.

    Raises:
        ModelExistsError: It exists, or is being written, or an export of it was interrupted.
        StorageUnavailableError: Storage refuses the claim, or did not answer in time.
    """
    paths = ModelPaths(name, version)
    claim = _claim(project, paths)
    if claim is None:
        raise ModelExistsError("model_version", version, because=_why_taken(project, paths))
    if not overwrite and not _is_alone(claim):
        claim.give_back()
        because = f"{project.full(paths.root)} exists (overwrite=True replaces it)"
        raise ModelExistsError("model_version", version, because=because)
    return claim


def claim_whole(project: Project, name: str, version: int) -> Claim | None:
    """Take a version that is whole, to change its record; None if another process has it.

    Args:
        project: The project.
        name: The model's name.
        version: The version. If it was removed meanwhile, an empty directory of it is made.

    Raises:
        StorageUnavailableError: Storage refuses the claim, or did not answer in time.
    """
    return _claim(project, ModelPaths(name, version))


def is_being_written(project: Project, paths: ModelPaths) -> str | None:
    """Return the process that writes a version, in words; None if certainly none on this machine.

    Args:
        project: The project.
        paths: The version's paths.
    """
    holder = _holder(content_of(project, paths.claim))
    return _named(holder) if holder and process_lives(holder) else None


def other_writer(project: Project, name: str, version: int) -> tuple[int, str] | None:
    """Return another version that is being written, and by which process; None if there is none.

    Of two exports that claim their versions and then call this, one finds the other at least, in
    whatever order they claim. And where none is found, all other versions have their records, or
    are claimed later. An export on another machine counts for an hour: then it was killed.

    Args:
        project: The project.
        name: The model's name.
        version: The version that this process has claimed.

    Raises:
        StorageUnavailableError: Storage refuses a claim, or did not answer in time.
    """
    others = [number for number in version_numbers(project, name) if number != version]
    writers = in_parallel(lambda number: _writer(project, ModelPaths(name, number)), others)
    found = ((number, who) for number, who in zip(others, writers, strict=True) if who is not None)
    return next(found, None)


def _writer(project: Project, paths: ModelPaths) -> str | None:
    """The process that writes a version which has no record yet, in words; or None."""
    holder = _holder(content_of(project, paths.claim))
    lives = process_lives(holder) if holder else False
    if lives is False or content_of(project, paths.record) is not None:
        return None
    if lives is None:
        with suppress(FileNotFoundError):
            began = stored(project, paths.claim, partial(project.info, paths.claim)).modified
            if began is not None and time.time() - began < _ABANDONED_SECONDS:
                return _named(holder)
        return None
    return _named(holder)


def _claim(project: Project, paths: ModelPaths) -> Claim | None:
    """Create the claim of a version; None if another one has it."""
    content = json.dumps({"token": uuid4().hex, "process": this_process()})
    claim = Claim(project, paths, content)
    for last in (False, False, True):
        stored(project, paths.root, partial(project.make_directory, paths.root))
        try:
            stored(project, paths.claim, partial(project.create, paths.claim, content))
        except FileExistsError:
            # A request may have created it whose answer was lost.
            return claim if claim.is_ours else None
        except FileNotFoundError:  # another process removed the empty directory meanwhile
            if last:
                raise
        else:
            return claim
    return None


def _is_alone(claim: Claim) -> bool:
    """Whether there is nothing but the claim: the version is new."""
    return names_in(claim.project, claim.paths.root) == [ModelFiles.CLAIM]


def _why_taken(project: Project, paths: ModelPaths) -> str:
    holder = _holder(content_of(project, paths.claim))
    if not holder or process_lives(holder) is not False:
        return f"it is being written by {_named(holder)}"
    return (
        f"an export of it was interrupted; `hopsml models rm {paths.name}/{paths.version}` removes "
        "what that left"
    )


def _holder(content: bytes | None) -> dict[str, Any]:
    with suppress(ValueError, KeyError, TypeError):
        holder = json.loads(content or b"{}")["process"]
        return holder if isinstance(holder, dict) else {}
    return {}


def _named(holder: dict[str, Any]) -> str:
    return f"process {holder.get('pid', '?')} on {holder.get('host', 'another machine')}"
