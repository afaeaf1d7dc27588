"""Dask cluster classes that an extra of this package installs."""

from __future__ import annotations

import importlib
from typing import Any

from hopsml_flows.errors import InvalidClusterError

__all__ = ["cluster_class"]


def cluster_class(kind: str, module: str, name: str, *, extra: str) -> Any:
    """Import a class of clusters.

    Args:
        kind: The cluster's kind, for the message.
        module: The module that has the class.
        name: The class.
        extra: The extra that installs the module.

    Raises:
        InvalidClusterError: It is not installed; the message names the extra.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise InvalidClusterError(
            "cluster", kind, because=f"the extra hopsml-flows[{extra}] is not installed ({error})"
        ) from error
