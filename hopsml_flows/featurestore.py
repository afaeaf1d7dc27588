"""Paths of a project's training datasets, named as in ``hops.featurestore``.

The files of training datasets lie in the project. The rest of a feature store is a service of
Hopsworks, which Hopsworks' SDK calls.
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
    """Return the name of the project's feature store.

    Example:
        >>> from hopsml_flows import featurestore, hdfs
        >>> featurestore.project_featurestore() == f"{hdfs.project_name().lower()}_featurestore"
        True
    """
    return f"{current_project().name.lower()}{_SUFFIX}"


def project_training_datasets() -> str:
    """Return the name of the project's directory with training datasets.

    Example:
        >>> from hopsml_flows import featurestore, hdfs
        >>> featurestore.project_training_datasets() == f"{hdfs.project_name()}_Training_Datasets"
        True
    """
    return training_datasets(current_project().name)


def get_training_dataset_path(
    training_dataset: str, featurestore: str | None = None, training_dataset_version: int = 1
) -> str:
    """Return the path of a training dataset in the project.

    Args:
        training_dataset: The dataset's name.
        featurestore: The feature store's name; None for the project's.
        training_dataset_version: The dataset's version, from 1.

    Returns:
        A URL, or an absolute path if the project is local. It leads to the file or directory in
        the version's directory that has the dataset's name, or to the version's directory.

    Raises:
        NotFoundError: The dataset does not exist.

    Example:
        >>> from hopsml_flows import featurestore, hdfs
        >>> datasets = featurestore.project_training_datasets()
        >>> hdfs.dump("a,b", f"{datasets}/digits_1/digits.csv")
        >>> path = featurestore.get_training_dataset_path("digits")
        >>> path.endswith("/digits_1/digits.csv")
        True
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
    # Spark writes a directory with the dataset's name, other programs a file.
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
