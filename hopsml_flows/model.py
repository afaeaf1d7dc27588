"""The model repository, named as in ``hops.model``: versions of trained models with their metrics.

A model's versions are in ``Models/<name>/<version>/`` of the project, as their library saved them.
Called in a training function, :func:`export` also records experiment, trial and hyperparameters.

Example:
    >>> from pathlib import Path
    >>> from hopsml_flows import model
    >>> _ = Path("weights.txt").write_text("0.5 0.25")
    >>> path = model.export("weights.txt", "two-numbers", metrics={"loss": 0.5})
    Exported model two-numbers as version 1
    >>> best = model.get_best_model("two-numbers", "loss", model.Metric.MIN)
    >>> best.version, best.metrics
    (1, {'loss': 0.5})
    >>> sorted(entry.name for entry in Path(model.download_model("two-numbers")).iterdir())
    ['weights.txt']
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hopsml_flows.errors import InvalidArgumentError, ModelNotFound, NotInTrialError
from hopsml_flows.execution import TrialContext, current_trial
from hopsml_flows.hdfs.downloads import check_room
from hopsml_flows.hdfs.inputs import note_model
from hopsml_flows.hdfs.places import Place, current_project, named_project, place_of
from hopsml_flows.models import Metric, Origin, checked_metrics, model_name, version_number
from hopsml_flows.models.exporter import Details, export_version
from hopsml_flows.models.input_signature import input_signature as described_signature
from hopsml_flows.models.library_formats import Format, format_of
from hopsml_flows.models.local_copy import fetch_version
from hopsml_flows.models.model_files import LocalFile, local_files
from hopsml_flows.models.origins import origin_of
from hopsml_flows.models.repository import best_version, find_version
from hopsml_flows.models.sources import copied_from_project, saved_object
from hopsml_flows.models.storage_calls import stored
from hopsml_flows.models.stored_model import StoredModel
from hopsml_flows.storage import ModelPaths, Project, block_name
from hopsml_flows.text import say

__all__ = [
    "Metric",
    "ModelNotFound",
    "StoredModel",
    "download_model",
    "export",
    "get_best_model",
    "get_model",
]

AnyProject = Project | str | os.PathLike[str] | None


def export(
    model_path: Any,
    model_name: str,
    model_version: int | None = None,
    overwrite: bool = False,
    metrics: Mapping[str, Any] | None = None,
    description: str | None = None,
    synchronous: bool = True,  # noqa: ARG001 - HopsML's, for whose index a program had to wait
    synchronous_timeout: float = 120,  # noqa: ARG001
    project: AnyProject = None,
    *,
    input_signature: Any = None,
) -> str:
    """Write a version of a model to ``Models/<name>/<version>/`` of the project.

    Several processes may export one model at once: each gets a version of its own. The version is
    there when it is whole; an export that is interrupted leaves none.

    Args:
        model_path: A file, or a directory whose content is the model; the path is looked up on
            this machine first, then in the project. Or a model of Keras, tf-keras, PyTorch (its
            state), TensorFlow or scikit-learn, which its library saves.
        model_name: The model's name.
        model_version: The version, from 1; None for the one after the newest.
        overwrite: Replace the version if it exists. ``model_path`` must lie elsewhere.
        metrics: Metric's name to number.
        description: What you want to say about it.
        synchronous: For HopsML's programs; the model is always there when this returns.
        synchronous_timeout: For HopsML's programs.
        project: Another project: its name beside this one, a URL, a path, or ``"block:NAME"``.
        input_signature: What the model takes: an example of the input, of which shape and types
            are kept, or JSON values.

    Returns:
        The full path of the version's directory.

    Raises:
        InvalidArgumentError: ``model_path`` is neither a path nor a model of a known library, or
            another argument is wrong.
        ModelExistsError: The version exists, and ``overwrite`` is false; or it is being written.
        FileNotFoundError: ``model_path`` does not exist, or is a directory without files.
        NoSpaceError: The storage has not enough room.
        StorageUnavailableError: Storage refuses a file, or did not answer in time.
    """
    name = _name("model_name", model_name)
    version = None if model_version is None else version_number("model_version", model_version)
    numbers = checked_metrics(metrics)
    if description is not None and not isinstance(description, str):
        raise InvalidArgumentError("description", description, "must be a text, or None")
    signature = described_signature(input_signature)
    format_ = None if isinstance(model_path, (str, bytes, os.PathLike)) else _format(model_path)
    target = _project(project)
    details = Details(
        metrics=numbers,
        description=description,
        input_signature=signature,
        origin=_origin(),
        **({} if format_ is None else _library(format_)),
    )
    with _files(model_path, format_) as files:
        check_room(sum(file.path.stat().st_size for file in files), target.free_bytes(), target.url)
        record = export_version(
            target, name, files, details, version=version, overwrite=bool(overwrite)
        )
    if (trial := _trial()) is not None:
        root = ModelPaths(name, record.version).root
        same = target.url == trial.project.url
        trial.lineage.add_export(root if same else target.full(root))
    say(f"Exported model {name} as version {record.version}")
    return StoredModel(target, record).path


def get_best_model(
    name: str, metric: str, direction: Metric | str, project_name: AnyProject = None
) -> StoredModel:
    """Return the version of a model whose metric is the best.

    Args:
        name: The model's name.
        metric: The metric's name.
        direction: ``Metric.MAX`` or ``Metric.MIN``.
        project_name: As ``project`` of :func:`export`.

    Returns:
        The version; of equal ones, the earliest. A metric that is not finite is never the best.
        Where evaluations on fresh seeds have corrected a version's metric
        (``record.confirmed``), the corrected one counts.

    Raises:
        ModelNotFound: There is no such model, or no version has the metric.
        StorageUnavailableError: Storage refuses a record, or did not answer in time.
    """
    wanted, towards = _name("name", name), Metric.parse(direction)
    if not isinstance(metric, str):
        raise InvalidArgumentError("metric", metric, "must be the name of a metric")
    project = _project(project_name, "project_name")
    return StoredModel(project, best_version(project, wanted, metric, towards))


def get_model(
    name: str, version: int | None = None, project_name: AnyProject = None
) -> StoredModel:
    """Return a version of a model.

    Args:
        name: The model's name.
        version: The version; None for the newest.
        project_name: As ``project`` of :func:`export`.

    Raises:
        ModelNotFound: There is no such version.
        DamagedFileError: Its record cannot be understood.
        StorageUnavailableError: Storage refuses the record, or did not answer in time.
    """
    wanted = _name("name", name)
    number = None if version is None else version_number("version", version)
    project = _project(project_name, "project_name")
    return StoredModel(project, find_version(project, wanted, number))


def download_model(
    name: str,
    version: int | None = None,
    project_name: AnyProject = None,
    overwrite: bool = False,
    *,
    local_path: str | os.PathLike[str] | None = None,
) -> str:
    """Copy a version of a model to this machine, and verify each file by its SHA-256.

    The directory appears when all files are there. If it is there already with these files, and
    no other ones, nothing is copied.

    Args:
        name: The model's name.
        version: The version; None for the newest.
        project_name: As ``project`` of :func:`export`.
        overwrite: Replace a directory that has other content. It is an error if that holds the
            working directory, the home directory or the project.
        local_path: The directory; None for ``<name>/<version>`` in the working directory.

    Returns:
        Absolute path of the directory.

    Raises:
        ModelNotFound: There is no such version.
        ModelExistsError: The directory has other content, and ``overwrite`` is false.
        InvalidArgumentError: It has other content, and holds what no model may replace.
        DamagedFileError: A file is missing on storage, or is not what was exported.
        NoSpaceError: The disk has not enough room; nothing was copied.
        StorageUnavailableError: Storage refuses a file, or did not answer in time.
    """
    found = get_model(name, version, project_name)
    place = f"{found.name}/{found.version}" if local_path is None else os.fspath(local_path)
    target = Path(place).absolute()
    fetch_version(found.project, found.record, target, overwrite=bool(overwrite))
    paths = ModelPaths(found.name, found.version)
    note_model(found.project, paths.root, found.record.size, found.record.created_seconds)
    return str(target)


_name = model_name


def _format(model: Any) -> Format:
    found = format_of(model)
    if found is None:
        must = "must be a path, or a model of Keras, tf-keras, PyTorch, TensorFlow or scikit-learn"
        raise InvalidArgumentError("model_path", model, must)
    return found


def _library(format_: Format) -> dict[str, Any]:
    return {"library": format_.library, "library_version": format_.version}


@contextmanager
def _files(model: Any, format_: Format | None) -> Iterator[list[LocalFile]]:
    """Yield the local files of what is exported."""
    if format_ is not None:
        with saved_object(model, format_) as files:
            yield files
        return
    local = Path(os.fsdecode(model))
    if local.exists():
        yield local_files(local)
        return
    place = place_of(model, argument="model_path")
    if not _exists(place):
        raise FileNotFoundError(f"model_path: there is no {local.absolute()}, and no {place.full}")
    with copied_from_project(place.project, place.path) as files:
        yield files


def _exists(place: Place) -> bool:
    return stored(place.project, place.path, lambda: place.project.exists(place.path))


def _origin() -> Origin:
    trial = _trial()
    return Origin() if trial is None else origin_of(trial.project, trial.experiment_id, trial.trial)


def _trial() -> TrialContext | None:
    try:
        return current_trial()
    except NotInTrialError:
        return None


def _project(project: AnyProject, argument: str = "project") -> Project:
    if isinstance(project, Project):
        return project
    if project is None:
        return current_project()
    if block_name(project) is not None:
        # Imports Prefect, and asks its server.
        from hopsml_flows.server.project_block import saved_project

        return saved_project(os.fspath(project))
    try:
        if isinstance(project, str) and "/" not in project:
            return named_project(project)
        return Project(project)
    except InvalidArgumentError as error:
        raise error.renamed(argument) from error
