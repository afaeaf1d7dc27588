"""Conformance suites for optimizers, early-stop rules, storages and clusters that users write.

A suite is a class of pytest tests. A subclass overrides its fixtures; docs/how-to shows how. Each
suite is imported when it is used: those for optimizers and rules need neither Dask nor Prefect.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hopsml_flows.errors import MissingPackageError

try:
    import pytest
except ImportError as error:
    raise MissingPackageError(
        "hopsml_flows.testing needs pytest, which is not installed "
        '(pip install "hopsml-flows[testing]")'
    ) from error

if TYPE_CHECKING:
    from hopsml_flows.testing.cluster_conformance import (
        ClusterConformance,
        WorkerProcessConformance,
    )
    from hopsml_flows.testing.early_stop_conformance import EarlyStopConformance
    from hopsml_flows.testing.optimizer_conformance import OptimizerConformance
    from hopsml_flows.testing.storage_conformance import StorageConformance

__all__ = [
    "ClusterConformance",
    "EarlyStopConformance",
    "OptimizerConformance",
    "StorageConformance",
    "WorkerProcessConformance",
]

_MODULES = {
    "ClusterConformance": "cluster_conformance",
    "EarlyStopConformance": "early_stop_conformance",
    "OptimizerConformance": "optimizer_conformance",
    "StorageConformance": "storage_conformance",
    "WorkerProcessConformance": "cluster_conformance",
}

# With this a failed assertion shows its values.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in dict.fromkeys(_MODULES.values())),
    f"{__name__}.concurrent_storage_conformance",
)


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
