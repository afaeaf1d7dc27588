"""HopsML's experiment API and Maggy as Prefect flows whose trials run on a Dask cluster.

Importing the package imports nothing heavy, because every Prefect server and command line loads it.
Its modules are loaded when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hopsml_flows import (
        ablation,
        callbacks,
        checkpoint,
        config,
        constants,
        credentials_provider,
        devices,
        distributed,
        earlystop,
        errors,
        experiment,
        experiment_config,
        experiments,
        featurestore,
        hdfs,
        model,
        numpy_helper,
        optimizer,
        optimizers,
        pandas_helper,
        reporter,
        searchspace,
        serving,
        tensorboard,
        trial,
        util,
    )
    from hopsml_flows.ablation import AblationStudy
    from hopsml_flows.searchspace import Searchspace

__all__ = [
    "AblationStudy",
    "Searchspace",
    "ablation",
    "callbacks",
    "checkpoint",
    "config",
    "constants",
    "credentials_provider",
    "devices",
    "distributed",
    "earlystop",
    "errors",
    "experiment",
    "experiment_config",
    "experiments",
    "featurestore",
    "hdfs",
    "model",
    "numpy_helper",
    "optimizer",
    "optimizers",
    "pandas_helper",
    "reporter",
    "searchspace",
    "serving",
    "tensorboard",
    "trial",
    "util",
]

__version__ = "0.1.0"

_CLASSES = {"AblationStudy": "ablation", "Searchspace": "searchspace"}
"""Names of Maggy's package that are no modules, and their homes."""

_SDK = "is a service of Hopsworks: use its SDK (pip install hopsworks, hopsworks.login())"
_OF_HOPSWORKS = {
    **dict.fromkeys(("dataset", "jobs", "project", "secret", "user", "opensearch"), _SDK),
    "elasticsearch": "is now the client of Hopsworks' SDK (project.get_opensearch_api())",
    "hive": "is gone: use PyHive, with the feature store's address from Hopsworks' SDK",
    "kafka": "is now the client of Hopsworks' SDK (project.get_kafka_api())",
    "service": "is gone: write the service's address instead of a look-up",
    "tls": "is gone: the variables LIBHDFS_ROOT_CA_BUNDLE, … name the certificates",
}
"""Modules of HopsML that this package lacks, and the rest of a sentence about what to use."""


def __getattr__(name: str) -> object:
    if name in _CLASSES:
        return getattr(importlib.import_module(f"{__name__}.{_CLASSES[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _OF_HOPSWORKS:
        from hopsml_flows.errors import UnsupportedOperationError

        raise UnsupportedOperationError(f"hops.{name} {_OF_HOPSWORKS[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
