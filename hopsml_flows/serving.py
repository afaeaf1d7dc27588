"""Exports trained models to the project's directory of models, named as in ``hops.serving``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.hdfs.lookup import info_of
from hopsml_flows.hdfs.places import AnyPath, Place, current_project, place_of
from hopsml_flows.storage import model_version as version_directory
from hopsml_flows.storage.retries import persistently
from hopsml_flows.unavailable import unavailable
from hopsml_flows.values.arguments import whole_number

__all__ = ["export"]


def export(
    model_path: AnyPath, model_name: str, model_version: int = 1, overwrite: bool = False
) -> str:
    """Copy a model to ``Models/<name>/<version>/`` of the project.

    Args:
        model_path: A file, or a directory whose content is the model. The path is looked up on
            this machine first, then in the project.
        model_name: The model's name, without slashes.
        model_version: The model's version, from 1.
        overwrite: Replace existing files of the version; its other files stay.

    Returns:
        The full path of the version's directory.

    Raises:
        FileNotFoundError: ``model_path`` does not exist, or is a directory without files.
        FileExistsError: The version exists, and ``overwrite`` is false.

    Example:
        >>> from pathlib import Path
        >>> from hopsml_flows import serving
        >>> _ = Path("model.txt").write_text("weights")
        >>> path = serving.export("model.txt", "digits", overwrite=True)
        >>> path.endswith("/Models/digits/1")
        True
    """
    version = whole_number("model_version", model_version, least=1)
    if not isinstance(model_name, str) or not model_name.strip(". ") or "/" in model_name:
        raise InvalidArgumentError("model_name", model_name, "must be a name without slashes")
    project = current_project()
    target = Place(project, version_directory(model_name, version))
    local = Path(os.fsdecode(model_path))
    source = None if local.exists() else place_of(model_path, argument="model_path")
    if source is not None and info_of(source) is None:
        raise FileNotFoundError(f"model_path: there is no {local.absolute()}, and no {source.full}")
    if not overwrite and persistently(lambda: project.listdir(target.path)):
        raise FileExistsError(f"{target.full} exists; overwrite=True replaces its files")
    if source is None:
        _bring(local, target)
    else:
        _copy(source, target)
    return target.full


def _bring(local: Path, target: Place) -> None:
    files = [local]
    if local.is_dir():
        files = sorted(file for file in local.rglob("*") if file.is_file())
        if not files:
            raise FileNotFoundError(f"model_path: {local.absolute()} has no files")
    top = local if local.is_dir() else local.parent
    for file in files:
        place = target.below(file.relative_to(top).as_posix())
        persistently(lambda file=file, place=place: place.project.upload(file, place.path))  # type: ignore[misc]


def _copy(source: Place, target: Place) -> None:
    info = source.project.info(source.path)
    files = list(source.project.walk_files(source.path)) if info.is_directory else [info]
    top = source.path if info.is_directory else source.parent
    with tempfile.TemporaryDirectory(prefix="hopsml-model-") as directory:
        passing = Path(directory) / "file"
        for file in files:
            source.project.download(file.name, passing)
            place = target.below(file.name[len(top) :].lstrip("/"))
            place.project.upload(passing, place.path)


_SERVES = (
    "serves models, which this package does not: serving.export() copies a model to the project, "
    "from which KServe, TensorFlow Serving or Hopsworks' SDK can serve it"
)
__getattr__ = unavailable(
    __name__,
    dict.fromkeys(
        (
            "create_or_update",
            "delete",
            "exists",
            "get_all",
            "get_artifact_path",
            "get_id",
            "get_kafka_topic",
            "get_model_path",
            "get_model_server",
            "get_model_version",
            "get_status",
            "make_inference_request",
            "start",
            "stop",
        ),
        _SERVES,
    ),
)
