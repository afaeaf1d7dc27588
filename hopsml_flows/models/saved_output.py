"""Chooses which of a trial's files is its model. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.models.record import is_file_name
from hopsml_flows.storage import is_log

__all__ = ["chosen_output", "named_file", "only_model"]

_NAMES = ("model", "saved_model", "model_path", "model_dir")
"""Names of outputs that are models, in the order in which they are looked for."""

_SUFFIXES = (
    *(".keras", ".h5", ".hdf5", ".pt", ".pth", ".safetensors", ".ckpt", ".onnx", ".tflite"),
    *(".pb", ".pkl", ".pickle", ".joblib", ".skops", ".ubj", ".bst", ".cbm"),
)


def chosen_output(outputs: Mapping[str, Any], directory: str) -> str | None:
    """Return the path of the model among a trial's outputs; None if that is not certain.

    That is the output named "model", "saved_model", …; or the only path of a directory, or of a
    file with the suffix of a model.

    Args:
        outputs: The trial's outputs.
        directory: The trial's directory, relative to the project.

    Example:
        >>> chosen_output({"model": "E/d/1/net.pt", "plot": "E/d/1/a.png"}, "E/d/1")
        'E/d/1/net.pt'
    """
    paths = dict(_paths(outputs, directory))
    for name in _NAMES:
        if name in paths:
            return paths[name]
    return only_model(paths.values())


def only_model(paths: Iterable[str]) -> str | None:
    """Return the only path that looks like a model's; None if there are several or none.

    Args:
        paths: Paths of files and directories. What has no suffix counts as a directory.
    """
    found = {path for path in paths if _looks_like_model(path.rpartition("/")[2])}
    return found.pop() if len(found) == 1 else None


def named_file(file: Any, outputs: Mapping[str, Any], directory: str) -> str:
    """Return the path that a caller names.

    Args:
        file: Name of an output that is a path, or a path below the trial's directory.
        outputs: The trial's outputs.
        directory: The trial's directory, relative to the project.

    Raises:
        InvalidArgumentError: It is no such name.
    """
    found = dict(_paths(outputs, directory)).get(file) if isinstance(file, str) else None
    if found is not None:
        return found
    if not is_file_name(file):
        must = "must be an output that is a path, or a path below the trial's directory"
        raise InvalidArgumentError("file", file, must)
    return f"{directory}/{file}"


def _paths(outputs: Mapping[str, Any], directory: str) -> Iterator[tuple[str, str]]:
    """Yield names and paths of the outputs that lie in the trial's directory."""
    for name, value in outputs.items():
        inside = isinstance(value, str) and value.startswith(f"{directory}/")
        if inside and not is_log(value.rpartition("/")[2]):
            yield name, value


def _looks_like_model(name: str) -> bool:
    return "." not in name or name.lower().endswith(_SUFFIXES)
