"""Training datasets of a project, as ``hops.featurestore`` finds them.

Files of training datasets lie in the project. All else of a feature store is a service of
Hopsworks, whose SDK asks it.
"""

from __future__ import annotations

from hopsml_flows.errors import InvalidArgumentError, NotFoundError
from hopsml_flows.hdfs.places import Place, current_project, named_project
from hopsml_flows.storage import training_dataset as dataset_directory
from hopsml_flows.storage import training_datasets
from hopsml_flows.storage.retries import persistently
from hopsml_flows.unavailable import SDK, unavailable
from hopsml_flows.values.arguments import whole_number

__all__ = ["get_training_dataset_path", "project_featurestore", "project_training_datasets"]

_SUFFIX = "_featurestore"


def project_featurestore() -> str:
    """Name of the project's feature store."""
    return f"{current_project().name.lower()}{_SUFFIX}"


def project_training_datasets() -> str:
    """Name of the project's directory of training datasets."""
    return training_datasets(current_project().name)


def get_training_dataset_path(
    training_dataset: str, featurestore: str | None = None, training_dataset_version: int = 1
) -> str:
    """Path of a training dataset's files, which the project's directory holds.

    Args:
        training_dataset: Its name.
        featurestore: The feature store; None for the project's.
        training_dataset_version: Its version.

    Returns:
        A URL, or an absolute path where the project is local: of the directory, or of the file if
        the dataset is one.

    Raises:
        NotFoundError: There is no such dataset.
    """
    name = training_dataset
    version = whole_number("training_dataset_version", training_dataset_version, least=1)
    if not isinstance(name, str) or not name or "/" in name:
        raise InvalidArgumentError("training_dataset", name, "must be the name of a dataset")
    project = current_project()
    if featurestore is not None and featurestore.lower() != project_featurestore():
        project = named_project(featurestore.removesuffix(_SUFFIX))
    place = Place(project, dataset_directory(project.name, name, version))
    entries = persistently(lambda: project.listdir(place.path))
    if not entries:
        above = training_datasets(project.name)
        there = ", ".join(persistently(lambda: project.listdir(above))) or "nothing"
        raise NotFoundError(
            "training_dataset",
            f"{name}_{version}",
            f"must be a dataset of {project.full(above)}, which has {there}",
        )
    # Spark writes a directory of the dataset's name, others a file.
    ours = [entry for entry in entries if entry == name or entry.startswith(f"{name}.")]
    return place.below(ours[0]).full if len(ours) == 1 else place.full


__getattr__ = unavailable(
    __name__,
    dict.fromkeys(
        (
            "connect",
            "create_featuregroup",
            "create_training_dataset",
            "get_feature",
            "get_featuregroup",
            "get_featuregroups",
            "get_features",
            "get_features_list",
            "get_featurestore_metadata",
            "get_latest_training_dataset_version",
            "get_project_featurestores",
            "get_training_dataset",
            "get_training_dataset_features_list",
            "get_training_dataset_tf_record_schema",
            "get_training_datasets",
            "insert_into_featuregroup",
            "insert_into_training_dataset",
            "sql",
            "visualize_training_dataset_distributions",
        ),
        SDK,
    ),
)
