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
        devices,
        distributed,
        errors,
        experiment,
        hdfs,
        reporter,
        tensorboard,
    )

__all__ = [
    "callbacks",
    "devices",
    "distributed",
    "errors",
    "experiment",
    "hdfs",
    "reporter",
    "tensorboard",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
