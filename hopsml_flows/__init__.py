"""HopsML's experiment API and Maggy as Prefect flows whose trials run on a Dask cluster.

Importing the package imports nothing heavy: it is loaded whenever a Prefect server or command
line starts, and its modules are loaded when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hopsml_flows import (
        callbacks,
        constants,
        credentials_provider,
        devices,
        distributed,
        errors,
        experiment,
        featurestore,
        hdfs,
        numpy_helper,
        pandas_helper,
        reporter,
        serving,
        tensorboard,
        util,
    )

__all__ = [
    "callbacks",
    "constants",
    "credentials_provider",
    "devices",
    "distributed",
    "errors",
    "experiment",
    "featurestore",
    "hdfs",
    "numpy_helper",
    "pandas_helper",
    "reporter",
    "serving",
    "tensorboard",
    "util",
]

__version__ = "0.1.0"

_SDK = "is a service of Hopsworks: use its SDK (pip install hopsworks, hopsworks.login())"
_OF_HOPSWORKS = {
    **dict.fromkeys(("dataset", "jobs", "project", "secret", "user", "opensearch"), _SDK),
    "elasticsearch": "is now the client of Hopsworks' SDK (project.get_opensearch_api())",
    "hive": "is gone: write PyHive, with what Hopsworks' SDK says of the feature store",
    "kafka": "is now the client of Hopsworks' SDK (project.get_kafka_api())",
    "service": "is gone: write the address of what was looked up",
    "tls": "is gone: certificates are those that LIBHDFS_ROOT_CA_BUNDLE and its like name",
}
"""Modules of HopsML that have no place here, and what to write instead."""


def __getattr__(name: str) -> object:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _OF_HOPSWORKS:
        from hopsml_flows.errors import UnsupportedOperationError

        raise UnsupportedOperationError(f"hops.{name} {_OF_HOPSWORKS[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
