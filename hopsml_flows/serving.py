"""Exports trained models to the project's directory of models, named as in ``hops.serving``."""

from __future__ import annotations

from hopsml_flows import model
from hopsml_flows.hdfs.places import AnyPath
from hopsml_flows.models import version_number
from hopsml_flows.unavailable import unavailable

__all__ = ["export"]


def export(
    model_path: AnyPath, model_name: str, model_version: int = 1, overwrite: bool = False
) -> str:
    """Copy a model to ``Models/<name>/<version>/`` of the project.

    This is :func:`hopsml_flows.model.export` with HopsML's older arguments.

    Args:
        model_path: A file, or a directory whose content is the model. The path is looked up on
            this machine first, then in the project.
        model_name: The model's name, without slashes.
        model_version: The model's version, from 1.
        overwrite: Replace the version if it exists.

    Returns:
        The full path of the version's directory.

    Raises:
        FileNotFoundError: ``model_path`` does not exist, or is a directory without files.
        ModelExistsError: The version exists, and ``overwrite`` is false.

    Example:
        >>> from pathlib import Path
        >>> from hopsml_flows import serving
        >>> _ = Path("model.txt").write_text("weights")
        >>> path = serving.export("model.txt", "digits", overwrite=True)
        Exported model digits as version 1
        >>> path.endswith("/Models/digits/1")
        True
    """
    version = version_number("model_version", model_version)
    return model.export(model_path, model_name, version, overwrite)


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
