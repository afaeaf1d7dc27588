"""Names of variables and files, as in ``hops.constants``, as far as they exist here."""

from __future__ import annotations

from typing import NoReturn

from hopsml_flows.errors import UnsupportedOperationError
from hopsml_flows.storage import EXPERIMENTS, MODELS
from hopsml_flows.storage import TRAINING_DATASETS_SUFFIX as _SUFFIX

__all__ = [
    "DELIMITERS",
    "ENV_VARIABLES",
    "EXPERIMENT",
    "FEATURE_STORE",
    "MODEL_SERVING",
    "S3_CONFIG",
]


class ENV_VARIABLES:  # noqa: N801 - HopsML's names
    """Environment variables."""

    PATH_ENV_VAR = "PATH"
    PWD_ENV_VAR = "PWD"
    PYTHONPATH_ENV_VAR = "PYTHONPATH"
    HADOOP_USER_NAME_ENV_VAR = "HADOOP_USER_NAME"
    HDFS_USER_ENV_VAR = "HDFS_USER"
    HOPSWORKS_PROJECT_ID_ENV_VAR = "HOPSWORKS_PROJECT_ID"
    HOPSWORKS_PROJECT_NAME_ENV_VAR = "HOPSWORKS_PROJECT_NAME"


class S3_CONFIG:  # noqa: N801
    """Environment variables of AWS' credentials."""

    AWS_ACCESS_KEY_ID_ENV = "AWS_ACCESS_KEY_ID"
    AWS_SECRET_ACCESS_KEY_ENV = "AWS_SECRET_ACCESS_KEY"
    AWS_SESSION_TOKEN_ENV = "AWS_SESSION_TOKEN"


class MODEL_SERVING:  # noqa: N801
    """The directory of models in a project.

    Example:
        >>> MODEL_SERVING.MODELS_DATASET
        'Models'
    """

    MODELS_DATASET = MODELS


class EXPERIMENT:
    """The directory of experiments in a project.

    Example:
        >>> EXPERIMENT.EXPERIMENTS_DATASET
        'Experiments'
    """

    EXPERIMENTS_DATASET = EXPERIMENTS


class FEATURE_STORE:  # noqa: N801
    """The directory of training datasets in a project, and their formats."""

    FEATURESTORE_SUFFIX = "_featurestore"
    TRAINING_DATASETS_SUFFIX = _SUFFIX
    TRAINING_DATASET_CSV_FORMAT = "csv"
    TRAINING_DATASET_TSV_FORMAT = "tsv"
    TRAINING_DATASET_PARQUET_FORMAT = "parquet"
    TRAINING_DATASET_TFRECORDS_FORMAT = "tfrecords"
    TRAINING_DATASET_TFRECORD_FORMAT = "tfrecord"
    TRAINING_DATASET_NPY_FORMAT = "npy"
    TRAINING_DATASET_HDF5_FORMAT = "hdf5"
    TRAINING_DATASET_ORC_FORMAT = "orc"
    TRAINING_DATASET_AVRO_FORMAT = "avro"
    TRAINING_DATASET_IMAGE_FORMAT = "image"


class DELIMITERS:
    """Signs between parts of paths and texts."""

    SLASH_DELIMITER = "/"
    COMMA_DELIMITER = ","
    TAB_DELIMITER = "\t"
    COLON_DELIMITER = ":"
    AMPERSAND_DELIMITER = "&"


_REST = (
    "HIVE_CONFIG",
    "HTTP_CONFIG",
    "KAFKA_CONSUMER_CONFIG",
    "KAFKA_PRODUCER_CONFIG",
    "KAFKA_SSL_CONFIG",
    "MYSQL_CONFIG",
    "PETASTORM_CONFIG",
    "REST_CONFIG",
    "SPARK_CONFIG",
    "SSL_CONFIG",
)


def __getattr__(name: str) -> NoReturn:
    if name in _REST:
        raise UnsupportedOperationError(
            f"constants.{name} names parts of Hopsworks' services, which this package does not "
            "call; write the constant's text, or use Hopsworks' SDK"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
