"""Reads and removes what exports have written below a project's ``Models``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hopsml_flows.errors import (
    DamagedFileError,
    InvalidArgumentError,
    ModelNotFound,
    StorageUnavailableError,
)
from hopsml_flows.models.metric import Metric, best_record
from hopsml_flows.models.names import is_model_name
from hopsml_flows.models.record import ModelRecord
from hopsml_flows.models.storage_calls import stored
from hopsml_flows.models.version_claim import claim_whole, is_being_written, version_numbers
from hopsml_flows.storage import MODELS, ModelPaths, Project, model_versions
from hopsml_flows.storage.parallel_requests import in_parallel
from hopsml_flows.storage.reading import LARGEST_RECORD, content_of, names_in

__all__ = [
    "Versions",
    "best_version",
    "find_version",
    "keep_confirmed",
    "model_names",
    "read_record",
    "read_versions",
    "remove_version",
    "versions_of",
]


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a model.

    Args:
        records: Their records, by version.
        damaged: Why others' records cannot be read.
    """

    records: tuple[ModelRecord, ...]
    damaged: tuple[DamagedFileError, ...] = ()


def model_names(project: Project) -> list[str]:
    """Return the sorted names of a project's models, also of those that have no version yet.

    Args:
        project: The project.

    Raises:
        StorageUnavailableError: Storage refuses the listing, or did not answer in time.
    """
    with suppress(NotADirectoryError):
        return [name for name in names_in(project, MODELS) if is_model_name(name)]
    return []


def read_record(project: Project, name: str, version: int) -> ModelRecord | None:
    """Return the record of a version; None if it has none, and so is not whole.

    Args:
        project: The project.
        name: The model's name.
        version: The version.

    Raises:
        DamagedFileError: The record cannot be understood.
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    paths = ModelPaths(name, version)
    content = content_of(project, paths.record, LARGEST_RECORD)
    if content is None:
        return None
    record = ModelRecord.from_json(project.full(paths.record), content)
    return replace(record, name=name, version=version)  # a directory may have been renamed


def versions_of(project: Project, name: str) -> Versions:
    """Return the versions of a model; none if there is no such model.

    Args:
        project: The project.
        name: The model's name.

    Raises:
        StorageUnavailableError: Storage refuses a record, or did not answer in time.
    """
    numbers = version_numbers(project, name)
    return read_versions([(name, number) for number in numbers], partial(read_record, project))


def read_versions(
    wanted: Sequence[tuple[str, int]], read: Callable[[str, int], ModelRecord | None]
) -> Versions:
    """Read the records of versions, of which some may be damaged, several at a time.

    Args:
        wanted: Names and versions.
        read: Reads the record of one, such as :func:`read_record`; None if it has none.

    Raises:
        StorageUnavailableError: Storage refuses a record, or did not answer in time.
    """

    def read_one(each: tuple[str, int]) -> ModelRecord | DamagedFileError | None:
        try:
            return read(*each)
        except DamagedFileError as error:
            return error

    found = in_parallel(read_one, wanted)
    return Versions(
        tuple(each for each in found if isinstance(each, ModelRecord)),
        tuple(each for each in found if isinstance(each, DamagedFileError)),
    )


def find_version(project: Project, name: str, version: int | None = None) -> ModelRecord:
    """Return the record of a version.

    Args:
        project: The project.
        name: The model's name.
        version: The version; None for the newest.

    Raises:
        ModelNotFound: There is no such version.
        DamagedFileError: Its record cannot be understood.
        StorageUnavailableError: Storage refuses the record, or did not answer in time.
    """
    if version is not None:
        record = read_record(project, name, version)
        if record is not None:
            return record
        raise ModelNotFound("version", version, because=_missing(project, name))
    for number in reversed(version_numbers(project, name)):
        record = read_record(project, name, number)
        if record is not None:
            return record
    raise ModelNotFound("name", name, because=_missing(project, name))


def best_version(project: Project, name: str, metric: str, direction: Metric) -> ModelRecord:
    """Return the record of the version whose metric is the best.

    Args:
        project: The project.
        name: The model's name.
        metric: The metric's name.
        direction: Whether the largest or the smallest value is the best.

    Raises:
        ModelNotFound: There is no such model, or no version has a finite number for the metric.
        StorageUnavailableError: Storage refuses a record, or did not answer in time.
    """
    records = versions_of(project, name).records
    if not records:
        raise ModelNotFound("name", name, because=_missing(project, name))
    best = best_record(records, metric, direction)
    if best is not None:
        return best
    known = sorted({metric for record in records for metric in record.metrics})
    told = f"they have {', '.join(known)}" if known else "they have no metrics"
    raise ModelNotFound("metric", metric, because=f"no version of {name} has such a number: {told}")


def keep_confirmed(
    project: Project, name: str, version: int, confirmed: Mapping[str, dict[str, Any]]
) -> None:
    """Write into a version's record what evaluations on fresh seeds say of it.

    Nothing is written where the version is not what was evaluated any more: it has been removed, or
    another process writes it, or has replaced it meanwhile.

    Args:
        project: The project.
        name: The model's name.
        version: The version.
        confirmed: By metric, what they say.

    Raises:
        DamagedFileError: The record cannot be understood.
        StorageUnavailableError: Storage refuses it, or did not answer in time.
    """
    before = read_record(project, name, version)
    if before is None:
        return
    claim = claim_whole(project, name, version)
    if claim is None:
        return
    try:
        record = read_record(project, name, version)
        if record is not None and _is_same_model(record, before) and claim.is_ours:
            text = _with_confirmed(record, confirmed).to_json()
            path = claim.paths.record
            stored(project, path, partial(project.replace, path, text), size=len(text))
    finally:
        claim.give_back()
    if record is None:  # the claim has made its directory once more
        with suppress(Exception):
            project.remove(claim.paths.root)


def _is_same_model(record: ModelRecord, before: ModelRecord) -> bool:
    return (record.created, record.files) == (before.created, before.files)


def _with_confirmed(record: ModelRecord, confirmed: Mapping[str, dict[str, Any]]) -> ModelRecord:
    """The record with what evaluations say, and what the search had found that made the version."""
    now = dict(record.confirmed)
    for metric, told in confirmed.items():
        before = now.get(metric, {})
        found = told.get("optimistic")  # known to the search that found the version, and no other
        now[metric] = {**told, "optimistic": before.get("optimistic") if found is None else found}
    return replace(record, confirmed=now)


def remove_version(project: Project, name: str, version: int) -> None:
    """Remove a version with all its files, or what an interrupted export has left of it.

    Args:
        project: The project.
        name: The model's name.
        version: The version.

    Raises:
        ModelNotFound: There is nothing of it.
        InvalidArgumentError: A process of this machine is writing it.
        StorageUnavailableError: Storage removed a part of it at most; it can be removed again.
    """
    paths = ModelPaths(name, version)
    if not stored(project, paths.root, lambda: project.exists(paths.root)):
        raise ModelNotFound("version", version, because=_missing(project, name))
    writer = is_being_written(project, paths)
    if writer is not None:
        raise InvalidArgumentError("version", version, because=f"it is being written by {writer}")
    with suppress(FileNotFoundError):  # the record first: then it is no version any more
        stored(project, paths.record, partial(project.remove, paths.record))
    try:
        project.remove(paths.root, recursive=True)
    except FileNotFoundError:  # another one was faster
        pass
    except Exception as error:  # each file system has its own errors
        raise StorageUnavailableError(
            f"{project.full(paths.root)} was removed only in part "
            f"({type(error).__name__}: {project.without_secrets(str(error))}); remove it again"
        ) from None
    with suppress(Exception):  # it has other versions, or the storage has no directories
        project.remove(model_versions(name))


def _missing(project: Project, name: str) -> str:
    """Return why a version is not there: the end of a sentence."""
    there = [str(record.version) for record in versions_of(project, name).records]
    if not there:
        return f"{project.full(model_versions(name))} has no version of a model"
    return f"{project.full(model_versions(name))} has only {', '.join(there)}"
